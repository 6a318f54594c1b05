"""The streamed path: the same r as from scans in memory, while the scans are read.

Each run is mapped twice, streamed and compiled; the second has all scans in float64,
extracts signals from them, and cleans these.
"""

import gc
import gzip
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import resample_img, smooth_img
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)
from threadpoolctl import threadpool_limits

from helpers import OwnVoxels, counted, every_pair, in_turn, read_in_blocks
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._arrays import streaming as _streaming
from sbc_estimators._images import volume as _volume
from sbc_estimators._images.grids import NotLinearError
from sbc_estimators._images.opening import open_scans
from sbc_estimators._signals.kinds import adapter_of
from sbc_estimators._signals.nilearn_own import Nilearn, OnVolume
from sbc_estimators._signals.sides import plan_run
from sbc_estimators._support import threads as _threads
from sbc_estimators.runs._opened import open_run

pytestmark = [
    pytest.mark.filterwarnings("ignore:When confounds are provided, one must perform"),
    pytest.mark.filterwarnings("ignore:.* clean differently"),
    pytest.mark.usefixtures("seeds_anywhere", "any_dof"),
]

TOLERANCE = 2e-6

DETREND = {"detrend": True}
BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0}
STREAMED = {"seed_masker": "streamed", "brain_masker": "streamed"}


# Runs


def make_affine(rng, kind):
    """Return an affine of a kind, its voxels 2 to 4 mm along an axis."""
    zooms = rng.uniform(2, 4, 3)
    axes = np.eye(3)
    if kind == "flipped":
        axes = np.diag([-1.0, 1.0, -1.0])
    elif kind == "swapped":
        axes = axes[[2, 0, 1]]
    elif kind == "oblique":
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    affine = np.eye(4)
    affine[:3, :3] = axes @ np.diag(zooms)
    affine[:3, 3] = rng.uniform(-60, 60, 3)
    # What a header holds: the run and its mask are on one grid.
    return affine.astype(np.float32).astype(np.float64)


def fluctuations(rng, shape, n_scans):
    """Return signals of variance 1 or so, some of it common to all voxels."""
    latent = rng.standard_normal((3, n_scans)).cumsum(axis=1)
    latent -= latent.mean(axis=1, keepdims=True)
    latent /= latent.std(axis=1, keepdims=True)
    weights = rng.standard_normal((*shape, 3))
    return 0.7 * weights @ latent + 0.7 * rng.standard_normal((*shape, n_scans))


def make_bold(rng, shape, n_scans, mean=10_000.0, size=10.0):
    """Return a run of voxels of many means and small fluctuations, in float64."""
    means = mean * rng.uniform(0.5, 1.5, (*shape, 1))
    return means + size * fluctuations(rng, shape, n_scans)


def make_mask(rng, shape, n_holes=0.3):
    """Return a mask with holes that touches some of the borders."""
    mask = rng.random(shape) > n_holes
    mask[tuple(np.array(shape) // 2)] = True
    return mask


def to_image(mask, affine):
    """Return an image of a mask."""
    return nib.Nifti1Image(mask.astype(np.uint8), affine)


def to_mm(places, affine):
    """Return coordinates of places in voxels."""
    return np.asarray(places) @ affine[:3, :3].T + affine[:3, 3]


def make_run(seed=0, shape=(8, 9, 7), n_scans=70, kind="straight", **options):
    """Return a run in float64 with its mask, two seeds, confounds and censoring."""
    rng = np.random.default_rng(seed)
    affine = make_affine(rng, kind)
    mask = make_mask(rng, shape)
    confounds = 3 + rng.standard_normal((n_scans, 4))
    confounds[:, 0] += np.linspace(-1, 5, n_scans)
    middle = (np.array(shape) - 1) / 2
    return SimpleNamespace(
        data=make_bold(rng, shape, n_scans, **options),
        affine=affine,
        mask=mask,
        mask_img=to_image(mask, affine),
        seeds=[tuple(to_mm(middle + shift, affine)) for shift in (0.1, -1.3)],
        confounds=confounds,
        kept=np.flatnonzero(rng.random(n_scans) > 0.15),
        n_scans=n_scans,
    )


def image_of(run, data=None):
    """Return a run's image in memory, or the same with other data."""
    data = run.data if data is None else data
    return nib.Nifti1Image(data, run.affine, dtype=data.dtype)


def write(path, data, affine, slope=1.0, intercept=0.0):
    """Write numbers as they are, in their type and byte order, and their scaling."""
    order = ">" if data.dtype.byteorder == ">" else "<"
    header = nib.Nifti1Header(endianness=order)
    header.set_data_shape(data.shape)
    header.set_data_dtype(data.dtype)
    header.set_sform(affine, code=1)
    header["scl_slope"], header["scl_inter"] = slope, intercept
    header.set_data_offset(352)
    content = header.binaryblock + bytes(4) + data.tobytes("F")
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)
    return path


# Both paths


def is_not_known(*_):
    """Take away what is known of a masker."""
    raise NotLinearError("the test says so")


def extract_in_float64(lay, extract):
    """Return what extracts voxels by nilearn, and seeds as means over their voxels."""

    def extract_seeds(self, image, not_finite):
        if self.name == "brain_masker":
            return extract(self, image, not_finite)
        spatial = replace(lay(self, open_scans(image).grid), smoothing=None)
        if self.smoothing_fwhm is not None:
            image = smooth_img(image, self.smoothing_fwhm)
        return open_scans(image).signals(spatial), None

    return extract_seeds


@pytest.fixture
def both(monkeypatch):
    """The function ``(seed, brain, run) -> (streamed, compiled)`` of fitted maps."""

    def fit_both(seed, brain, run, block_bytes=None, **options):
        with monkeypatch.context() as patch:
            if block_bytes is not None:
                read_in_blocks(patch, block_bytes)
            streamed = SeedCorrelationMap(seed, brain, **options).fit(run)
        with monkeypatch.context() as patch:
            patch.setattr(
                OnVolume, "extract", extract_in_float64(OnVolume.lay, OnVolume.extract)
            )
            patch.setattr(Nilearn, "lay", is_not_known)
            compiled = SeedCorrelationMap(seed, brain, **options).fit(run)
        assert streamed.paths_ == STREAMED
        assert set(compiled.paths_.values()) == {"compiled: the test says so"}
        return streamed, compiled

    return fit_both


@pytest.fixture
def assert_agree(both):
    """Fail unless both paths give the same r, and there is something in it."""

    def check(seed, brain, run, **options):
        streamed, compiled = both(seed, brain, run, **options)
        r, expected = streamed.correlations_, compiled.correlations_
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)
        np.testing.assert_array_equal(r == 0, expected == 0)
        return streamed

    return check


def maskers(
    run, cleaning=DETREND, brain_cleaning=None, radius=5.0, fwhm=None, **options
):
    """Return a masker of spheres and one of voxels, cleaned alike."""
    brain_cleaning = cleaning if brain_cleaning is None else brain_cleaning
    return (
        NiftiSpheresMasker(
            run.seeds, radius=radius, allow_overlap=True, **options, **cleaning
        ),
        NiftiMasker(run.mask_img, smoothing_fwhm=fwhm, **brain_cleaning),
    )


# One option at a time


CLEANING = {
    "nothing": {},
    "detrend": {"detrend": True},
    "band": {"low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0},
    "band-detrend": BAND,
    "low-pass": {"low_pass": 0.08, "t_r": 2.0},
    "high-pass": {"high_pass": 0.02, "t_r": 2.0},
    "cosine": {"high_pass": 0.02, "t_r": 2.0, "clean_args": {"filter": "cosine"}},
    "order": {**BAND, "clean_args": {"butterworth__order": 2}},
    "confounds-as-they-are": {"standardize_confounds": False},
    "confounds-as-they-are-low": {
        "standardize_confounds": False,
        "low_pass": 0.1,
        "t_r": 2.0,
    },
    "confounds-as-they-are-detrend": {"standardize_confounds": False, "detrend": True},
    "standardized": {"detrend": True, "standardize": "zscore_sample"},
}


@pytest.mark.parametrize(
    ("name", "with_confounds", "fwhm"),
    [
        *in_turn(CLEANING, [(True, 6.0), (True, None)]),
        *((name, False, 6.0) for name in CLEANING if "confounds" not in name),
    ],
)
def test_cleaning(assert_agree, name, with_confounds, fwhm):
    run = make_run(1)
    confounds = run.confounds if with_confounds else None
    seed, brain = maskers(run, CLEANING[name], fwhm=fwhm)
    assert_agree(seed, brain, Run(image_of(run), confounds))


@pytest.mark.parametrize("fwhm", [None, 6.0])
@pytest.mark.parametrize("cleaning", [{"detrend": True}, BAND], ids=["detrend", "band"])
def test_runs_within_the_run(assert_agree, cleaning, fwhm):
    run = make_run(1, n_scans=90)
    mask = np.zeros(run.mask.shape, dtype=bool)
    mask[3:5, 4, 2:4] = True
    labels = {"runs": np.repeat([0, 1], [40, 50])}
    seed = NiftiMasker(to_image(mask, run.affine), **cleaning, **labels)
    brain = NiftiMasker(run.mask_img, smoothing_fwhm=fwhm, **cleaning, **labels)
    kept = np.setdiff1d(np.arange(90), [3, 50, 51])
    assert_agree(seed, brain, Run(image_of(run), run.confounds))
    assert_agree(seed, brain, Run(image_of(run), run.confounds, kept))


@pytest.mark.parametrize(
    ("name", "fwhm"),
    [("nothing", None), ("band-detrend", None), ("band-detrend", 6.0), ("cosine", 6.0)],
)
def test_censoring(assert_agree, name, fwhm):
    run = make_run(2)
    seed, brain = maskers(run, CLEANING[name], fwhm=fwhm)
    run_ = Run(image_of(run), run.confounds, sample_mask=run.kept)
    for block_bytes in (1, 3 * run.data[..., 0].nbytes):
        assert_agree(seed, brain, run_, block_bytes=block_bytes)


@pytest.mark.parametrize(
    ("kind", "fwhm"),
    [("straight", 0.5), ("flipped", 2), ("swapped", 5.5), ("oblique", 12)]
    + [("oblique", 3.0), ("swapped", 40)],
)
def test_smoothing(assert_agree, kind, fwhm):
    run = make_run(3, kind=kind)
    assert_agree(*maskers(run, BAND, fwhm=fwhm), Run(image_of(run), run.confounds))


@pytest.mark.filterwarnings("ignore:The parameter 'fwhm' for smoothing is specified")
def test_smoothing_of_zero_width(assert_agree):
    run = make_run(3)
    smoothed = assert_agree(*maskers(run, fwhm=0), image_of(run))
    expected = assert_agree(*maskers(run, fwhm=None), image_of(run))
    np.testing.assert_array_equal(smoothed.correlations_, expected.correlations_)


SEEDS = {
    "voxel": {"radius": None},
    "within-voxel": {"radius": 0.4},
    "sphere": {"radius": 7.0},
    "everything": {"radius": 500.0},
    "smoothed": {"radius": 5.0, "smoothing_fwhm": 6.0},
    "smoothed-voxel": {"radius": None, "smoothing_fwhm": 4.0},
    "smoothed-everything": {"radius": 500.0, "smoothing_fwhm": 9.0},
}


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        *((name, True) for name in SEEDS),
        *((name, False) for name in ("voxel", "sphere", "smoothed")),
    ],
)
def test_seeds(assert_agree, name, masked):
    run = make_run(4, kind="oblique")
    seed, brain = maskers(run, fwhm=5.0, **SEEDS[name])
    if masked:
        mask = np.ones(run.mask.shape, dtype=bool)
        mask[:2] = mask[:, -1] = False
        seed.set_params(mask_img=to_image(mask, run.affine))
    assert_agree(seed, brain, Run(image_of(run), run.confounds))


def test_seeds_at_corners(assert_agree):
    run = make_run(5)
    run.seeds = [
        tuple(to_mm(place, run.affine)) for place in ((0, 0, 0), (7, 8, 6), (0, 8, 0))
    ]
    assert_agree(*maskers(run, fwhm=6.0, smoothing_fwhm=6.0), image_of(run))


@pytest.mark.parametrize("n_voxels", [1, 2, 60])
def test_voxels_of_a_mask_as_seeds(assert_agree, n_voxels):
    run = make_run(6)
    mask = np.zeros(run.mask.size, dtype=bool)
    mask[np.random.default_rng(0).choice(mask.size, n_voxels, replace=False)] = True
    mask_img = to_image(mask.reshape(run.mask.shape), run.affine)
    seed, brain = NiftiMasker(mask_img, **DETREND), maskers(run, fwhm=5.0)[1]
    sbc = assert_agree(seed, brain, Run(image_of(run), run.confounds))
    assert sbc.n_seeds_ == n_voxels


def test_voxels_correlate_with_themselves(both):
    run = make_run(7)
    masker = NiftiMasker(run.mask_img, **BAND)
    for sbc in both(masker, masker, image_of(run)):
        np.testing.assert_allclose(np.diag(sbc.correlations_), 1, atol=TOLERANCE)
        r = sbc.correlations_
        np.testing.assert_allclose(r, r.T, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("seed_cleaning", "brain_cleaning", "fwhm"),
    [
        ({}, BAND, None),
        (BAND, {}, None),
        ({}, BAND, 6.0),
        ({"detrend": True}, {**BAND, "low_pass": 0.2}, 6.0),
        (BAND, {**BAND, "standardize_confounds": False, "detrend": False}, 6.0),
        ({"standardize_confounds": False}, {"standardize_confounds": True}, None),
    ],
)
def test_sides_cleaned_differently(assert_agree, seed_cleaning, brain_cleaning, fwhm):
    run = make_run(8, mean=100)
    seed, brain = maskers(run, seed_cleaning, brain_cleaning, fwhm=fwhm)
    assert_agree(seed, brain, Run(image_of(run), run.confounds))


MASKS = {
    "one-voxel": lambda mask: np.arange(mask.size).reshape(mask.shape) == 200,
    "one-slice": lambda mask: np.indices(mask.shape)[2] == 3,
    "one-row": lambda mask: (np.indices(mask.shape)[:2] == 4).all(axis=0),
    "two-corners": lambda mask: np.isin(
        np.arange(mask.size).reshape(mask.shape), [0, mask.size - 1]
    ),
    "everything-but-a-voxel": lambda mask: np.arange(mask.size).reshape(mask.shape) > 0,
    "checkerboard": lambda mask: np.indices(mask.shape).sum(axis=0) % 2 == 0,
}


@pytest.mark.parametrize("fwhm", [None, 6.0])
@pytest.mark.parametrize("name", MASKS)
def test_masks(assert_agree, name, fwhm):
    run = make_run(9, kind="swapped")
    run.mask = MASKS[name](run.mask)
    run.mask_img = to_image(run.mask, run.affine)
    sbc = assert_agree(*maskers(run, fwhm=fwhm), image_of(run))
    assert sbc.n_voxels_ == run.mask.sum()


@pytest.mark.parametrize("shape", [(1, 6, 7), (6, 1, 7), (6, 7, 1), (2, 2, 2)])
@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_thin_images(assert_agree, shape, fwhm):
    run = make_run(10, shape=shape)
    run.mask = np.ones(shape, dtype=bool)
    run.mask[0, 0, 0] = False
    run.mask_img = to_image(run.mask, run.affine)
    run.seeds = [tuple(to_mm(np.array(shape) - 1, run.affine))]
    assert_agree(*maskers(run, fwhm=fwhm, smoothing_fwhm=fwhm), image_of(run))


# Numbers on disk


@pytest.mark.parametrize(
    ("dtype", "ending", "fwhm"),
    [
        *((dtype, ".nii.gz", 6.0) for dtype in ("u2", "i2", ">i2", "i4", ">u4")),
        *((dtype, ".nii.gz", 6.0) for dtype in ("i8", "f4", ">f4", "f8")),
        # In memory.
        *((dtype, None, None) for dtype in ("i2", ">f4", "f8")),
    ],
)
def test_small_fluctuations_on_a_large_mean(
    assert_agree, tmp_path, ending, dtype, fwhm
):
    run = make_run(11, mean=10_000, size=10)
    img = image_of(run, run.data.astype(dtype))
    if ending:
        img = write(tmp_path / f"run{ending}", run.data.astype(dtype), run.affine)
    assert_agree(*maskers(run, BAND, fwhm=fwhm), Run(img, run.confounds))


AS_THEY_ARE = {"standardize_confounds": False}

SCALINGS = [
    ("u1", 0.5, 0.0),
    ("u1", -0.5, 900.0),
    ("i1", 3.0, -7.0),
    ("i2", -0.013, 12.0),
    (">i2", 1e-5, 0.0),
    ("u2", 2e4, 1e6),
    ("i4", -1e-3, 1e5),
    ("f4", -2.0, 30.0),
    (">f8", -1e3, 5.0),
]


@pytest.mark.parametrize(
    ("dtype", "slope", "intercept", "cleaning", "fwhm"),
    [
        *in_turn(SCALINGS, [(BAND, 6.0), (AS_THEY_ARE, None), ({}, None)]),
        # Where a large constant is not taken away.
        ("u2", 2e4, 1e6, AS_THEY_ARE, None),
        ("i4", -1e-3, 1e5, AS_THEY_ARE, None),
    ],
)
def test_scaling(assert_agree, tmp_path, dtype, slope, intercept, fwhm, cleaning):
    run = make_run(12, mean=60, size=9)
    numbers = np.clip(np.round(run.data), -127, 255 if dtype[-2] == "u" else 127)
    path = tmp_path / "run.nii"
    write(path, numbers.astype(dtype), run.affine, slope, intercept)
    seed, brain = maskers(run, cleaning, fwhm=fwhm)
    assert_agree(seed, brain, Run(path, run.confounds))


def test_sign_of_the_scaling_turns_nothing_round(both, tmp_path):
    run = make_run(13)
    numbers = np.round(run.data).astype(np.int16)
    maps = [
        both(*maskers(run), write(tmp_path / f"{i}.nii", numbers, run.affine, slope))[0]
        for i, slope in enumerate((1.0, -1.0, 0.25))
    ]
    for sbc in maps[1:]:
        np.testing.assert_allclose(
            sbc.correlations_, maps[0].correlations_, atol=TOLERANCE
        )


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")
@pytest.mark.parametrize("slope", [1.0, -0.5, 1e-6, -1e6])
def test_voxel_that_is_all_drift(assert_agree, tmp_path, slope):
    # Its rounding is measured by the size of what was there, whatever the slope.
    run = make_run(45)
    data = np.round(run.data).astype(np.int16)
    data[tuple(np.argwhere(run.mask)[10])] = 7000 + 40 * np.arange(run.n_scans)
    path = write(tmp_path / "run.nii", data, run.affine, slope, 3.0)
    sbc = assert_agree(*maskers(run), path)
    assert sbc.run_report_.n_without_signal.tolist() == [1]
    assert (sbc.correlations_[:, 10] == 0).all()


@pytest.mark.parametrize(
    ("scale", "dtype", "fwhm"),
    [
        (1e-30, np.float32, 6.0),
        (1e-30, np.float64, None),
        (1e-12, np.float32, 6.0),
        (1e6, np.float64, None),
        (1e20, np.float32, 6.0),
        (1e30, np.float32, 6.0),
        (1e30, np.float64, None),
    ],
)
def test_units_play_no_part(assert_agree, scale, dtype, fwhm):
    run = make_run(14)
    data = (run.data * scale).astype(dtype)
    assert_agree(*maskers(run, fwhm=fwhm), Run(image_of(run, data), run.confounds))


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")
@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("scale", [1e-41, 1e38])
def test_units_beyond_float32_give_no_r_that_is_not_finite(both, scale):
    run = make_run(14)
    data = (run.data / run.data.max() * scale).astype(np.float64)
    streamed, compiled = both(*maskers(run), image_of(run, data))
    for sbc in (streamed, compiled):
        assert np.isfinite(sbc.correlations_).all()
    has_signal = streamed.correlations_[0] != 0
    assert streamed.run_report_.n_without_signal[0] == np.sum(~has_signal)


def test_units_in_which_float32_knows_no_signal():
    run = make_run(14)
    data = run.data / run.data.max() * 1e-44
    with pytest.raises(ValueError, match=r"seed .* has no signal"):
        SeedCorrelationMap(*maskers(run)).fit(image_of(run, data))


@pytest.mark.parametrize("dtype", [np.int32, np.float64])
def test_mean_that_float32_cannot_hold_beside_its_fluctuations(assert_agree, dtype):
    run = make_run(15, mean=1e9, size=50)
    assert_agree(*maskers(run, BAND, fwhm=6.0), image_of(run, run.data.astype(dtype)))


@pytest.mark.parametrize(
    ("fwhm", "cleaning", "factor", "scan"),
    every_pair([None, 6.0], [BAND, {}], [0.0, 1.5], [0, 30]),
)
def test_outlier_with_a_confound_of_its_own(assert_agree, scan, factor, cleaning, fwhm):
    # fMRIPrep has one for each scan before the steady state, of much higher signal.
    run = make_run(16)
    run.data[..., scan] *= factor
    spike = np.arange(run.n_scans)[:, np.newaxis] == scan
    confounds = np.hstack([run.confounds, spike])
    seed, brain = maskers(run, cleaning, fwhm=fwhm)
    assert_agree(seed, brain, Run(image_of(run, run.data.astype("f4")), confounds))


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_outlier_that_is_censored(assert_agree, fwhm):
    run = make_run(17)
    run.data[..., :3] *= 2
    img = image_of(run, run.data.astype(np.float32))
    run_ = Run(img, run.confounds, sample_mask=np.arange(3, run.n_scans))
    for block_bytes in (1, None):
        assert_agree(*maskers(run, BAND, fwhm=fwhm), run_, block_bytes=block_bytes)


@pytest.mark.parametrize("fwhm", [None, 6.0])
@pytest.mark.parametrize("times", [30, 300, 3000, 30_000])
def test_drift(assert_agree, times, fwhm):
    # Of the fluctuations, which are 1 percent of the mean.
    run = make_run(18)
    drift = np.random.default_rng(0).uniform(-1, 1, (*run.mask.shape, 1))
    run.data += 10 * times * drift * np.linspace(-0.5, 0.5, run.n_scans)
    assert_agree(*maskers(run, BAND, fwhm=fwhm), image_of(run))


@pytest.mark.parametrize("most", [2**30, 1])
def test_scans_that_drift_are_read_once_more(monkeypatch, most):
    run, dtypes = make_run(18), []
    init = _streaming._Sums.__init__

    def noted(self, *args):
        init(self, *args)
        dtypes.append(self.whole.dtype.name)

    monkeypatch.setattr(_streaming._Sums, "__init__", noted)
    monkeypatch.setattr(_threads, "MOST_IN_MEMORY", most)
    SeedCorrelationMap(*maskers(run, BAND)).fit(image_of(run))
    # Of the brain, and of seeds in holes of its mask.
    assert dtypes == 2 * ["float32"]
    dtypes.clear()
    run.data += 1e4 * np.linspace(-0.5, 0.5, run.n_scans)
    SeedCorrelationMap(*maskers(run, BAND)).fit(image_of(run))
    assert dtypes == 2 * ["float32"] + 2 * ["float64"]


# Voxels without signal


VALUES = {
    "zero": 0.0,
    "constant": 7.3,
    "nan": np.nan,
    "inf": np.inf,
    "minus-inf": -np.inf,
}


SCANS = {"all": slice(None), "first": 0, "two": slice(3, 5)}


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")
@pytest.mark.parametrize(
    ("name", "scans", "how"),
    every_pair(VALUES, SCANS, [("f4", 6.0, None), ("f4", None, 1), ("f8", 6.0, 1)]),
)
def test_voxels_without_signal(assert_agree, name, scans, how):
    run, scans = make_run(19), SCANS[scans]
    dtype, fwhm, block_bytes = how
    inside = np.argwhere(run.mask)[[3, 50, 90]]
    for place in inside:
        run.data[(*place, scans)] = VALUES[name]
    run_ = Run(image_of(run, run.data.astype(dtype)), run.confounds)
    sbc = assert_agree(*maskers(run, fwhm=fwhm), run_, block_bytes=block_bytes)
    # Smoothing gives a constant voxel some of its neighbours' signal.
    finite = np.isfinite(VALUES[name])
    expected = 0 if finite and (fwhm or scans != slice(None)) else 3
    assert sbc.run_report_.n_without_signal.tolist() == [expected]


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")
@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_both_infinities(assert_agree, fwhm):
    run = make_run(20)
    place = tuple(np.argwhere(run.mask)[40])
    run.data[(*place, 3)], run.data[(*place, 4)] = np.inf, -np.inf
    assert_agree(*maskers(run, fwhm=fwhm), image_of(run), block_bytes=1)


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")
@pytest.mark.parametrize("smoothing", [None, 5.0])
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_not_finite_within_a_sphere(assert_agree, value, smoothing):
    run = make_run(21)
    place = tuple((np.array(run.mask.shape) - 1) // 2)
    run.data[(*place, slice(4, 9))] = value
    run.mask[place] = True
    run.mask_img = to_image(run.mask, run.affine)
    seed, brain = maskers(run, radius=8.0, fwhm=5.0, smoothing_fwhm=smoothing)
    assert_agree(seed, brain, image_of(run))


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_not_finite_in_censored_scans_alone(assert_agree, fwhm):
    run = make_run(22)
    run.data[..., 5] = np.nan
    run.data[::2, :, :, 60] = np.inf
    kept = np.setdiff1d(np.arange(run.n_scans), [5, 60])
    sbc = assert_agree(
        *maskers(run, fwhm=fwhm), Run(image_of(run), sample_mask=kept), block_bytes=1
    )
    assert sbc.run_report_.n_without_signal.tolist() == [0]


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_not_finite_outside_the_mask(assert_agree, fwhm):
    run = make_run(23)
    outside = np.argwhere(~run.mask)[::7]
    run.data[tuple(outside.T)] = np.nan
    sbc = assert_agree(*maskers(run, fwhm=fwhm, radius=None), image_of(run))
    assert sbc.run_report_.n_without_signal.tolist() == [0]


def test_constant_voxel_that_confounds_make_move(assert_agree):
    # Confounds as they are take a part of a constant away, as nilearn does too.
    run = make_run(24)
    run.data[tuple(np.argwhere(run.mask)[10])] = 5000.0
    cleaning = {"standardize_confounds": False}
    sbc = assert_agree(*maskers(run, cleaning), Run(image_of(run), run.confounds))
    assert sbc.correlations_[0, 10] != 0


# All options at once, drawn at random


def draw(rng):
    """Return options of a run and its maskers, drawn at random."""
    cleaning = CLEANING[rng.choice(list(CLEANING))]
    other = CLEANING[rng.choice(["nothing", "band-detrend", "detrend", "high-pass"])]
    return SimpleNamespace(
        shape=tuple(int(n) for n in rng.integers(3, 12, 3)),
        n_scans=int(rng.integers(60, 100)),
        kind=rng.choice(["straight", "flipped", "swapped", "oblique"]),
        dtype=np.dtype(rng.choice(["u2", ">i2", "i2", "i4", "f4", ">f4", "f8"])),
        slope=float(rng.choice([1.0, -1.0, 0.01, -250.0])),
        intercept=float(rng.choice([0.0, 1.0, -1e4])),
        ending=rng.choice([".nii", ".nii.gz"]),
        cleaning=cleaning,
        brain_cleaning=cleaning if rng.random() < 0.7 else other,
        fwhm=rng.choice([None, 3.0, 6.0, 11.0]),
        seed_fwhm=rng.choice([None, None, 5.0]),
        radius=rng.choice([None, 1.0, 4.0, 9.0]),
        n_seeds=int(rng.integers(1, 6)),
        has_confounds=rng.random() < 0.6,
        is_censored=rng.random() < 0.5,
        block_scans=float(rng.choice([0.1, 1, 3.5, 17, 1000])),
    )


@pytest.mark.parametrize("seed", range(24))
def test_any_options(assert_agree, tmp_path, seed):
    rng = np.random.default_rng([seed, 99])
    case = draw(rng)
    run = make_run(seed, case.shape, case.n_scans, case.kind)
    path = tmp_path / f"run{case.ending}"
    data = run.data.astype(case.dtype)
    write(path, data, run.affine, case.slope, case.intercept)
    places = rng.uniform(-0.4, np.array(case.shape) - 0.6, (case.n_seeds, 3))
    run.seeds = [tuple(seed) for seed in to_mm(places, run.affine)]
    seed_masker, brain_masker = maskers(
        run,
        case.cleaning,
        case.brain_cleaning,
        case.radius,
        case.fwhm,
        smoothing_fwhm=case.seed_fwhm,
    )
    run_ = Run(
        path,
        run.confounds if case.has_confounds else None,
        run.kept if case.is_censored else None,
    )
    block_bytes = int(case.block_scans * data[..., 0].nbytes)
    assert_agree(seed_masker, brain_masker, run_, block_bytes=block_bytes)


# Blocks, threads, processes


@pytest.mark.parametrize(("dtype", "fwhm"), [("i2", 6.0), ("f8", None)])
def test_size_of_blocks(monkeypatch, tmp_path, dtype, fwhm):
    run = make_run(25)
    data = run.data.astype(dtype)
    path = write(tmp_path / "run.nii.gz", data, run.affine)
    run_ = Run(path, run.confounds, sample_mask=run.kept)
    expected = (
        SeedCorrelationMap(*maskers(run, BAND, fwhm=fwhm)).fit(run_).correlations_
    )
    for n_scans in (1, 2, 7, 69, 70):
        read_in_blocks(monkeypatch, n_scans * data[..., 0].nbytes)
        sbc = SeedCorrelationMap(*maskers(run, BAND, fwhm=fwhm)).fit(run_)
        np.testing.assert_allclose(sbc.correlations_, expected, atol=TOLERANCE)


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_number_of_threads(fwhm):
    run = make_run(26)
    maps = []
    for n_threads in (1, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            sbc = SeedCorrelationMap(*maskers(run, BAND, fwhm=fwhm)).fit(image_of(run))
        maps.append(sbc.correlations_)
    np.testing.assert_allclose(*maps, rtol=0, atol=3e-7)


def test_same_bits_each_time(tmp_path):
    run = make_run(27)
    path = write(tmp_path / "run.nii.gz", run.data.astype("i2"), run.affine)
    maps = [
        SeedCorrelationMap(*maskers(run, BAND, fwhm=6.0)).fit_transform(path)
        for _ in range(3)
    ]
    np.testing.assert_array_equal(maps[0], maps[1])
    np.testing.assert_array_equal(maps[0], maps[2])


def test_same_bits_in_parallel():
    runs = [make_run(28 + i) for i in range(3)]
    for run in runs[1:]:
        run.affine, run.mask = runs[0].affine, runs[0].mask
    X = [Run(image_of(run), run.confounds) for run in runs]
    seed, brain = maskers(runs[0], BAND, fwhm=6.0)
    alone = SeedCorrelationMap(seed, brain).fit(X)
    together = SeedCorrelationMap(seed, brain, n_jobs=2).fit(X)
    assert together.paths_ == STREAMED
    np.testing.assert_array_equal(together.correlations_, alone.correlations_)
    np.testing.assert_array_equal(together.transform(X), alone.transform(X))


# What is read, and what is left alone


@pytest.mark.parametrize(
    ("fwhm", "seed_kind", "censored"),
    every_pair([None, 6.0], ["spheres", "mask"], [False, True]),
)
def test_scans_are_read_once(monkeypatch, fwhm, seed_kind, censored):
    run = make_run(31)
    seed, brain = maskers(run, fwhm=fwhm)
    if seed_kind == "mask":
        seed = NiftiMasker(run.mask_img, **DETREND)
    img = counted(image_of(run))
    read_in_blocks(monkeypatch, 6 * run.data[..., 0].nbytes)
    kept = np.arange(1, 70, 2) if censored else None
    sbc = SeedCorrelationMap(seed, brain).fit(Run(img, sample_mask=kept))
    assert sbc.paths_ == STREAMED
    assert img.dataobj.n_reads.tolist() == [1] * run.n_scans
    z = sbc.fit_transform(Run(img, sample_mask=kept))
    assert img.dataobj.n_reads.tolist() == [2] * run.n_scans
    expected = SeedCorrelationMap(seed, brain).fit_transform(
        Run(image_of(run), sample_mask=kept)
    )
    np.testing.assert_allclose(z, expected, atol=1e-5)


def test_file_is_decompressed_once(monkeypatch, tmp_path):
    run = make_run(32)
    path = write(tmp_path / "run.nii.gz", run.data.astype("i2"), run.affine)
    opened = []

    def counting_open(*args, **options):
        opened.append(args)
        return igzip_open(*args, **options)

    igzip_open = _volume.igzip.open
    monkeypatch.setattr(_volume.igzip, "open", counting_open)
    SeedCorrelationMap(*maskers(run, fwhm=6.0)).fit_transform(path)
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("dtype", "order", "fwhm"),
    in_turn(["f4", "f8", "i2", ">i4"], [("C", None), ("F", 6.0)])
    + in_turn(["f8", "f4"], [("C", None), ("F", 6.0)]),
)
def test_images_in_memory_are_left_alone(dtype, order, fwhm):
    run = make_run(33)
    data = np.asarray(run.data.astype(dtype), order=order)
    data.setflags(write=False)
    before = data.tobytes()
    confounds, kept = run.confounds.copy(), run.kept.copy()
    img = image_of(run, data)
    SeedCorrelationMap(*maskers(run, fwhm=fwhm)).fit(Run(img, confounds, kept))
    assert img.dataobj is data
    assert data.tobytes() == before
    np.testing.assert_array_equal(confounds, run.confounds)
    np.testing.assert_array_equal(kept, run.kept)


@pytest.mark.parametrize("dtype", ["i2", "f4", "f8"])
def test_memory_order_plays_no_part(dtype):
    run = make_run(34)
    maps = [
        SeedCorrelationMap(*maskers(run, fwhm=6.0))
        .fit(image_of(run, np.asarray(run.data.astype(dtype), order=order)))
        .correlations_
        for order in "CF"
    ]
    np.testing.assert_allclose(*maps, atol=3e-7)


# Which path, and why


def paths_of(seed, brain, run):
    """Return the paths of a fitted estimator: seed's, then brain's."""
    paths = SeedCorrelationMap(seed, brain).fit(run).paths_
    return paths["seed_masker"], paths["brain_masker"]


def make_labels(run):
    """Return an image of two regions."""
    labels = np.where(np.indices(run.mask.shape)[0] < 4, 1, 2)
    labels[:, 0] = 0
    return nib.Nifti1Image(labels.astype(np.int16), run.affine)


def make_maps(run):
    """Return an image of two maps."""
    weights = (np.asarray(make_labels(run).dataobj)[..., np.newaxis] == [1, 2]) * 1.5
    return nib.Nifti1Image(weights, run.affine)


def test_both_streamed(tmp_path):
    run = make_run(35)
    path = write(tmp_path / "run.nii.gz", run.data.astype("i2"), run.affine)
    for img in (path, nib.load(path), image_of(run)):
        assert paths_of(*maskers(run, fwhm=6.0), img) == ("streamed", "streamed")


def test_mask_of_several_runs_is_streamed():
    run = make_run(35)
    brain = MultiNiftiMasker(run.mask_img, **DETREND)
    assert paths_of(maskers(run)[0], brain, image_of(run)) == ("streamed", "streamed")


@pytest.mark.parametrize("fwhm", [None, 6.0])
@pytest.mark.parametrize("kind", ["labels", "maps"])
def test_regions_as_brain(assert_agree, kind, fwhm):
    run = make_run(35)
    options = {"smoothing_fwhm": fwhm, **BAND}
    if kind == "labels":
        brain = NiftiLabelsMasker(make_labels(run), **options)
    else:
        brain = NiftiMapsMasker(make_maps(run), **options)
    run_ = Run(image_of(run), run.confounds, run.kept)
    sbc = assert_agree(maskers(run, BAND)[0], brain, run_, block_bytes=1)
    assert sbc.n_voxels_ == 2


def test_maps_as_seeds():
    run = make_run(35)
    seed = NiftiMapsMasker(make_maps(run), **DETREND)
    paths = paths_of(seed, maskers(run, fwhm=6.0)[1], image_of(run))
    assert paths == ("streamed", "streamed")


@pytest.mark.parametrize(
    ("strategy", "path"),
    [
        ("mean", "streamed"),
        ("sum", "streamed"),  # r is that of the mean
        ("median", "compiled: strategy='median' is no mean"),
    ],
)
def test_strategies_of_labels(strategy, path):
    run = make_run(35)
    seed = NiftiLabelsMasker(make_labels(run), strategy=strategy, **DETREND)
    paths = paths_of(seed, maskers(run)[1], image_of(run))
    assert paths == (path, "streamed")


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")
@pytest.mark.parametrize(
    ("values", "background", "cleaning"),
    [
        ([0, 1, 2], 0, DETREND),
        ([0, 1, 2], 0, AS_THEY_ARE),
        ([7, 300, 5], 7, AS_THEY_ARE),
        ([-1, 0, 4], -1, DETREND),
    ],
)
def test_labels_as_seeds(assert_agree, values, background, cleaning):
    run = make_run(44)
    labels = np.random.default_rng(0).integers(0, 3, run.mask.shape)
    run.data[tuple(np.argwhere(labels == 1)[0])] = np.nan
    labels = np.array(values, dtype=np.int16)[labels]
    labels = nib.Nifti1Image(labels, run.affine)
    seed = NiftiLabelsMasker(labels, background_label=background, **cleaning)
    brain = maskers(run, cleaning, fwhm=6.0)[1]
    run_ = Run(image_of(run), run.confounds, run.kept)
    assert assert_agree(seed, brain, run_, block_bytes=1).n_seeds_ == 2


HIGH_VARIANCE = {**BAND, "high_variance_confounds": True}


@pytest.mark.parametrize("fwhm", [None, 6.0])
@pytest.mark.parametrize(
    ("seed_cleaning", "brain_cleaning"),
    [(HIGH_VARIANCE, HIGH_VARIANCE), (BAND, HIGH_VARIANCE), (HIGH_VARIANCE, BAND)],
)
def test_high_variance_confounds(assert_agree, seed_cleaning, brain_cleaning, fwhm):
    run = make_run(35)
    seed, brain = maskers(run, seed_cleaning, brain_cleaning, fwhm=fwhm)
    assert_agree(seed, brain, Run(image_of(run), run.confounds, run.kept))


@pytest.mark.parametrize("cleaning", [BAND, HIGH_VARIANCE])
def test_high_variance_confounds_alone_are_read_before(monkeypatch, cleaning):
    run = make_run(31)
    img = counted(image_of(run))
    SeedCorrelationMap(*maskers(run, cleaning)).fit(img)
    n_times = 2 if "high_variance_confounds" in cleaning else 1
    assert img.dataobj.n_reads.tolist() == [n_times] * run.n_scans


@pytest.mark.filterwarnings("ignore:.*labels were")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", ["labels", "maps", "mask"])
def test_seeds_that_are_smoothed_and_masked(assert_agree, kind, masked):
    run = make_run(45)
    labels = np.asarray(make_labels(run).dataobj)
    mask_img = to_image(labels == 1, run.affine)
    options = {"smoothing_fwhm": 5.0, **DETREND}
    if masked:
        options["mask_img"] = mask_img
    if kind == "labels":
        seed = NiftiLabelsMasker(make_labels(run), **options)
    elif kind == "maps":
        seed = NiftiMapsMasker(make_maps(run), **options)
    else:
        seed = NiftiMasker(**{**options, "mask_img": mask_img})
    assert_agree(seed, maskers(run, DETREND, fwhm=6.0)[1], image_of(run))


def test_fast_smoothing():
    run = make_run(35)
    seed, brain = (masker.fit() for masker in maskers(run))
    # Not every nilearn lets a masker be fitted with it.
    brain.smoothing_fwhm = "fast"
    adapters = adapter_of(seed, "seed_masker"), adapter_of(brain, "brain_masker")
    plan = plan_run(*adapters, open_run(Run(image_of(run)), 0))
    assert plan.seeds.told == "streamed"
    reason = "smoothing_fwhm='fast' is not one matrix an axis"
    assert plan.brain.told == f"compiled: {reason}"
    # Seeds are not made of voxels that nilearn has smoothed.
    assert not plan.is_shared
    brain.smoothing_fwhm = 6.0
    adapters = adapters[0], adapter_of(brain, "brain_masker")
    assert plan_run(*adapters, plan.opened).is_shared


def own_map(seed, brain, img):
    """Return r from what nilearn's maskers make of a run."""
    seeds, voxels = seed.fit_transform(img), brain.fit_transform(img)
    return np.corrcoef(seeds, voxels, rowvar=False)[: seeds.shape[1], seeds.shape[1] :]


@pytest.mark.parametrize(
    ("how", "fwhm"),
    [("moved", None), ("moved", 6.0), ("coarse", 6.0), ("cropped", None)],
)
def test_run_that_is_not_on_the_grid_of_the_mask(how, fwhm):
    # nilearn clips what overshoots: with large means some voxels would be constant.
    run = make_run(36, shape=(13, 13, 13), mean=10)
    affine = run.affine.copy()
    mask = np.ones((8, 8, 8), dtype=np.uint8)
    mask[0] = 0
    affine[:3, 3] = to_mm((2, 2, 2), run.affine)
    if how == "moved":
        affine[:3, 3] += 0.7
    elif how == "coarse":
        affine[:3, :3] *= 1.15
    run.mask_img = nib.Nifti1Image(mask, affine)
    seed, brain = maskers(run, BAND, fwhm=fwhm)
    with pytest.warns(UserWarning, match="imgs are being resampled"):
        sbc = SeedCorrelationMap(seed, brain).fit(image_of(run))
    reason = "the run is not on the grid of the mask and has to be resampled"
    assert sbc.paths_ == {
        "seed_masker": "streamed",
        "brain_masker": f"compiled: {reason}",
    }
    for masker in (seed, brain):
        masker.set_params(standardize=None, clean_args={"butterworth__copy": True})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what nilearn says of itself
        expected = own_map(seed, brain, image_of(run))
    np.testing.assert_allclose(sbc.correlations_, expected, atol=TOLERANCE)


def test_seed_mask_of_another_grid():
    run = make_run(36, shape=(12, 12, 12))
    affine = run.affine.copy()
    affine[:3, 3] += 1.1
    mask = np.zeros((12, 12, 12), dtype=np.uint8)
    mask[5:7, 5, 5] = 1
    seed = NiftiMasker(nib.Nifti1Image(mask, affine), **DETREND)
    with pytest.warns(UserWarning, match="imgs are being resampled"):
        seed_path, brain_path = paths_of(seed, maskers(run)[1], image_of(run))
    assert "not on the grid of the mask" in seed_path
    assert brain_path == "streamed"


def test_grids_that_agree_within_rounding(assert_agree):
    run = make_run(37)
    affine = run.affine + 1e-9
    run.mask_img = to_image(run.mask, affine)
    assert_agree(*maskers(run, fwhm=6.0), image_of(run))


def test_spheres_with_a_mask_of_another_grid(assert_agree):
    run = make_run(38)
    affine = run.affine.copy()
    affine[:3, :3] *= 2
    mask = np.ones((4, 4, 4), dtype=bool)
    mask[0, 0, 0] = False
    seed, brain = maskers(run, radius=9.0, mask_img=to_image(mask, affine))
    assert_agree(seed, brain, image_of(run))


def test_target_affine():
    run = make_run(39)
    run.mask[:2] = run.mask[-2:] = run.mask[:, :2] = run.mask[:, -2:] = False
    run.mask[..., :2] = run.mask[..., -2:] = False
    run.mask_img = to_image(run.mask, run.affine)
    seed, brain = maskers(run)
    brain.set_params(target_affine=np.diag([5.0, 5.0, 5.0]))
    with pytest.warns(UserWarning, match="resampled"):
        paths = paths_of(seed, brain, image_of(run))
    assert "not on the grid of the mask" in paths[1]


def test_surface(surface):
    seed = SurfaceMasker(surface.mask_img, **BAND)
    paths = paths_of(seed, SurfaceMasker(surface.mask_img, **BAND), surface.img)
    assert paths == ("streamed", "streamed")


def test_masker_of_another_make():
    run = make_run(40)
    seed, brain = maskers(run, {"detrend": True}, fwhm=6.0)
    own = OwnVoxels(run.mask_img, smoothing_fwhm=6.0, detrend=True, standardize=None)
    paths = paths_of(seed, own, image_of(run))
    reason = "reference: OwnVoxels is none of nilearn's own maskers, nor of ours"
    assert paths == ("streamed", reason)
    r = SeedCorrelationMap(seed, own).fit(image_of(run)).correlations_
    expected = SeedCorrelationMap(seed, brain).fit(image_of(run)).correlations_
    np.testing.assert_allclose(r, expected, atol=TOLERANCE)


def test_runs_that_go_different_ways():
    run, other = make_run(41), make_run(41)
    run.mask[:, -1] = run.mask[..., -1] = run.mask[-1] = False
    run.mask[0] = run.mask[:, 0] = run.mask[..., 0] = False
    run.mask_img = to_image(run.mask, run.affine)
    other.affine = run.affine.copy()
    other.affine[:3, 3] += 0.5
    with pytest.warns(UserWarning, match="imgs are being resampled"):
        sbc = SeedCorrelationMap(*maskers(run)).fit([image_of(run), image_of(other)])
    ways = sbc.paths_["brain_masker"].split("; ")
    assert [way.split(":")[0] for way in ways] == ["streamed", "compiled"]


# Against numpy alone, from the file to r


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_from_the_file_to_r_by_hand(tmp_path, fwhm):
    run = make_run(42)
    numbers = np.round(run.data).astype(">i2")
    path = write(tmp_path / "run.nii.gz", numbers, run.affine, -0.5, 100.0)
    seed, brain = maskers(run, {}, radius=None, fwhm=fwhm)
    sbc = SeedCorrelationMap(seed, brain).fit(path)
    assert sbc.paths_ == STREAMED
    data = -0.5 * numbers.astype(np.float64) + 100
    voxels = nib.Nifti1Image(data, run.affine)
    voxels = np.asarray((smooth_img(voxels, fwhm) if fwhm else voxels).dataobj)
    inverse = np.linalg.inv(run.affine)
    for i, place in enumerate(run.seeds):
        index = np.round(inverse[:3, :3] @ place + inverse[:3, 3]).astype(int)
        r = [np.corrcoef(data[tuple(index)], v)[0, 1] for v in voxels[run.mask]]
        np.testing.assert_allclose(sbc.correlations_[i], r, atol=TOLERANCE)


def test_resampled_run_by_nilearn_is_the_run_it_stands_for():
    # What the warning promises: the same as resampling first.
    run = make_run(43, shape=(10, 10, 10), mean=10)
    affine = run.affine.copy()
    affine[:3, 3] += 0.8
    run.mask[np.isin(np.indices(run.mask.shape), [0, 9]).any(axis=0)] = False
    mask_img = to_image(run.mask, affine)
    on_grid = resample_img(
        image_of(run),
        target_affine=affine,
        target_shape=run.mask.shape,
        force_resample=True,
        copy_header=True,
    )
    seed = NiftiMasker(mask_img, **BAND)
    with pytest.warns(UserWarning, match="imgs are being resampled"):
        found = SeedCorrelationMap(seed, seed).fit(image_of(run))
    expected = SeedCorrelationMap(seed, seed).fit(on_grid)
    assert expected.paths_ == STREAMED
    np.testing.assert_allclose(
        found.correlations_, expected.correlations_, atol=TOLERANCE
    )


# A run that is too large to hold when it is projected


@pytest.fixture
def scratch(monkeypatch, tmp_path):
    """A folder for scratch files, where everything is too large for memory."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr(_threads, "MOST_IN_MEMORY", 1)
    return folder


def scratch_in_use(folder):
    """Return what of a folder exists, or is deleted and still mapped into memory."""
    gc.collect()
    maps = Path("/proc/self/maps")
    mapped = maps.read_text().splitlines() if maps.exists() else []
    return [*folder.iterdir(), *(line for line in mapped if str(folder) in line)]


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_scratch_files_make_the_same_map(scratch, fwhm):
    run = make_run(40)
    seed, brain = maskers(run, BAND, fwhm=fwhm)
    run_ = Run(image_of(run), run.confounds)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_threads, "MOST_IN_MEMORY", 2**30)
        in_memory = SeedCorrelationMap(seed, brain).fit(run_)
        expected = in_memory.brain_signals(run_)
    on_disk = SeedCorrelationMap(seed, brain).fit(run_)
    assert on_disk.paths_ == in_memory.paths_
    np.testing.assert_array_equal(on_disk.correlations_, in_memory.correlations_)
    np.testing.assert_array_equal(on_disk.brain_signals(run_), expected)
    assert on_disk.run_report_.equals(in_memory.run_report_)
    assert on_disk.seed_report_.equals(in_memory.seed_report_)
    assert scratch_in_use(scratch) == []


def test_sums_of_a_large_run_are_no_part_of_memory(scratch, monkeypatch):
    run, kinds = make_run(40), []
    finish = _streaming._Sums.finish

    def noted(self, crew):
        kinds.append(type(self.whole))
        assert scratch_in_use(scratch) != []
        return finish(self, crew)

    monkeypatch.setattr(_streaming._Sums, "finish", noted)
    SeedCorrelationMap(*maskers(run, BAND)).fit(image_of(run))
    assert kinds == 2 * [np.memmap]


def test_a_large_run_is_read_once(scratch, tmp_path, monkeypatch):
    run, opened = make_run(40), []
    path = write(tmp_path / "run.nii.gz", run.data.astype("i2"), run.affine)
    igzip_open = _volume.igzip.open
    monkeypatch.setattr(
        _volume.igzip, "open", lambda *args: opened.append(args) or igzip_open(*args)
    )
    SeedCorrelationMap(*maskers(run, fwhm=6.0)).fit_transform(path)
    assert len(opened) == 1


@pytest.mark.parametrize("where", ["while reading", "afterwards"])
def test_scratch_files_are_gone_after_an_error(scratch, tmp_path, monkeypatch, where):
    run = make_run(40)
    path = write(tmp_path / "run.nii.gz", run.data.astype("i2"), run.affine)
    if where == "while reading":
        read_in_blocks(monkeypatch, 10 * run.data[..., 0].size * 2)
        path.write_bytes(path.read_bytes()[:-5000])
    else:
        run.data[:] = 7.0
        path = image_of(run)
    with pytest.raises((OSError, ValueError), match=r"truncated|no signal"):
        SeedCorrelationMap(*maskers(run)).fit(path)
    assert scratch_in_use(scratch) == []


def test_no_room_for_scratch_files(scratch, monkeypatch):
    run = make_run(40)
    full = SimpleNamespace(free=3 * 2**29)
    monkeypatch.setattr(_threads.shutil, "disk_usage", lambda _: full)
    maps = SeedCorrelationMap(*maskers(run)).fit(image_of(run))
    assert maps.n_voxels_ == run.mask.sum()
    full.free = 1000
    expected = rf"^run 0: '{scratch}' has 0\.0 GiB left, and .* GiB .* set TMPDIR"
    with pytest.raises(OSError, match=expected):
        SeedCorrelationMap(*maskers(run)).fit(image_of(run))
