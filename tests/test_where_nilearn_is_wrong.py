"""Where plain nilearn 0.14.1 is wrong, and we are not (README.md, Accuracy).

Each test also shows nilearn's error, so that it tells us when nilearn has mended it.
"""

import copy
import functools
import itertools
import warnings

import nibabel as nib
import numpy as np
import pytest
import scipy.signal
import scipy.stats
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)
from nilearn.signal import clean
from nilearn.surface import SurfaceImage
from scipy.interpolate import CubicSpline

from helpers import every_pair, in_turn
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import GivenSignals

TOLERANCE = 2e-6

BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0}

pytestmark = [
    pytest.mark.filterwarnings("ignore:imgs are being resampled"),
    pytest.mark.usefixtures("seeds_anywhere", "any_dof"),
]

CLEANING = {
    "none": {},
    "detrend": {"detrend": True},
    "butterworth": BAND,
    "low-pass": {"low_pass": 0.1, "t_r": 2.0},
    "extrapolate": {**BAND, "clean_args": {"extrapolate": True}},
    "cosine": {"high_pass": 0.01, "t_r": 2.0, "clean_args": {"filter": "cosine"}},
    "high-variance": {**BAND, "high_variance_confounds": True},
    "high-variance-no-filter": {"high_variance_confounds": True},
}

CENSORED = {
    "first": [0],
    "last": [99],
    "both-ends": [0, 1, 2, 98, 99],
    "middle": [40],
    "neighbours": [40, 41, 42, 43],
    "mirror-images": [30, 69],
    "everywhere": [0, 5, 6, 30, 60, 61, 69, 80, 99],
}


def _maskers(data, cleaning, brain="voxels"):
    """Return a sphere, and a masker of one of the kinds that are read differently."""
    brain_masker = {
        "voxels": NiftiMasker(data.mask_img),
        "voxels-smoothed": NiftiMasker(data.mask_img, smoothing_fwhm=6),
        "voxels-no-mask": NiftiMasker(),
        "voxels-resampled": NiftiMasker(data.coarse_mask_img),
        "labels": NiftiLabelsMasker(data.labels_img),
    }[brain]
    seed_masker = NiftiSpheresMasker(data.seeds, radius=8, **cleaning)
    return seed_masker, brain_masker.set_params(**cleaning)


def _without(censored, n_scans=100):
    """Return the scans that are not censored."""
    return np.setdiff1d(np.arange(n_scans), censored)


def _tampered(img, censored, value):
    """Return an image with other values in the censored scans."""
    data = np.array(img.dataobj)
    noise = np.random.default_rng(5).normal(size=(*data.shape[:3], len(censored)))
    data[..., censored] = {
        "noise": 1000 + 300 * noise,
        "huge": 1e9 * noise,
        "nan": np.nan,
        "infinite": np.inf,
    }[value]
    return nib.Nifti1Image(data, img.affine)


# Censoring


@pytest.fixture(scope="module")
def map_of(simulated):
    """The map of the run with some scans censored, in which values may differ."""

    @functools.cache
    def fitted(cleaning):
        maskers = _maskers(simulated, CLEANING[cleaning], "voxels-smoothed")
        run = Run(simulated.img, simulated.confounds)
        return SeedCorrelationMap(*maskers).fit(run)

    @functools.cache
    def map_of(cleaning, censored, value=None):
        censored = CENSORED[censored]
        img = (
            simulated.img
            if value is None
            else _tampered(simulated.img, censored, value)
        )
        run = Run(img, simulated.confounds, _without(censored))
        return fitted(cleaning).transform(run)

    return map_of


@pytest.mark.parametrize(
    ("censored", "cleaning"),
    [
        # Where scans are filled in, it counts which.
        *itertools.product(CENSORED, ["butterworth", "extrapolate"]),
        *in_turn(CENSORED, ["none", "cosine"]),
    ],
)
def test_a_censored_scan_has_no_say(map_of, censored, cleaning):
    """Wherever it is, every bit of the map is the same."""
    r = map_of(cleaning, censored, "noise")
    np.testing.assert_array_equal(r, map_of(cleaning, censored))


@pytest.mark.parametrize(
    ("cleaning", "value"),
    # Of each kind of cleaning numbers, and what is none.
    in_turn(CLEANING, ["noise", "huge"]) + in_turn(CLEANING, ["nan", "infinite"]),
)
def test_a_censored_scan_has_no_say_whatever_it_holds(map_of, cleaning, value):
    """With every kind of cleaning."""
    r = map_of(cleaning, "everywhere", value)
    np.testing.assert_array_equal(r, map_of(cleaning, "everywhere"))


@pytest.mark.parametrize(
    ("brain", "cleaning", "value"),
    every_pair(
        ["voxels", "voxels-no-mask", "voxels-resampled", "labels"],
        ["butterworth", "cosine", "high-variance"],
        ["noise", "nan"],
    ),
)
def test_a_censored_scan_has_no_say_in_any_masker(simulated, brain, cleaning, value):
    """Nor in a mask that is computed."""
    censored = CENSORED["everywhere"]
    sbc = SeedCorrelationMap(*_maskers(simulated, CLEANING[cleaning], brain))
    images = [simulated.img, _tampered(simulated.img, censored, value)]
    runs = [Run(img, sample_mask=_without(censored)) for img in images]
    maps = [sbc.fit(run).correlations_ for run in runs]
    np.testing.assert_array_equal(maps[1], maps[0])


@pytest.mark.parametrize("cleaning", CLEANING.values(), ids=CLEANING)
def test_confounds_at_a_censored_scan_have_no_say(simulated, cleaning):
    """NaN is what fMRIPrep writes at the first scan of a derivative."""
    kept = _without(CENSORED["everywhere"])
    tables = {"as it is": np.array(simulated.confounds)}
    for value in (1e6, np.nan):
        tables[value] = tables["as it is"].copy()
        tables[value][CENSORED["everywhere"]] = value
    sbc = SeedCorrelationMap(*_maskers(simulated, cleaning))
    runs = [Run(simulated.img, table, kept) for table in tables.values()]
    expected, *maps = sbc.fit_transform(runs)
    for value, z in zip([*tables][1:], maps, strict=True):
        np.testing.assert_array_equal(z, expected, err_msg=f"{value}")


def test_a_censored_scan_has_no_say_on_a_surface(surface):
    """Vertices as voxels."""
    censored = [0, 20, 21, 50, 89]
    parts = {name: np.array(part) for name, part in surface.img.data.parts.items()}
    for part in parts.values():
        part[:, censored] = 1e5
    tampered = SurfaceImage(surface.img.mesh, parts)
    masker = SurfaceMasker(surface.mask_img, **BAND)
    sbc = SeedCorrelationMap(masker, masker)
    runs = [
        Run(img, surface.confounds, _without(censored, 90))
        for img in (surface.img, tampered)
    ]
    maps = [sbc.fit(run).correlations_ for run in runs]
    np.testing.assert_array_equal(maps[1], maps[0])


@pytest.mark.parametrize("cleaning", ["butterworth", "low-pass", "high-variance"])
def test_nilearn_lets_censored_scans_in(nilearn_r, simulated, cleaning):
    """By more than a tenth in r, where mirror images in time are censored too."""
    censored = CENSORED["mirror-images"]
    maskers = _maskers(simulated, CLEANING[cleaning])
    images = [simulated.img, _tampered(simulated.img, censored, "noise")]
    r = [nilearn_r(*maskers, Run(img, None, _without(censored))) for img in images]
    assert np.abs(r[1] - r[0]).max() > 0.1


def _interpolated(values, kept, extrapolate):
    """Return values with censored scans filled in by cubic splines, and their times."""
    first, stop = (0, len(values)) if extrapolate else (kept[0], kept[-1] + 1)
    times = np.arange(first, stop)
    filled = CubicSpline(kept, values[kept])(times)
    filled[kept - first] = values[kept]
    return filled, kept - first


def _filtered(values, cleaning):
    """Return values detrended and filtered, by scipy alone."""
    if cleaning.get("detrend"):
        values = scipy.signal.detrend(values, axis=0)
    edges = [cleaning.get("high_pass"), cleaning["low_pass"]]
    kind = "band" if edges[0] else "low"
    edges = edges if edges[0] else edges[1]
    sos = scipy.signal.butter(5, edges, kind, output="sos", fs=1 / cleaning["t_r"])
    return scipy.signal.sosfiltfilt(sos, values, axis=0)


def _cleaned_by_hand(signals, kept, cleaning, confounds=None):
    """Interpolate, detrend, filter, censor, regress: the steps of Lindquist et al."""
    extrapolate = cleaning.get("clean_args", {}).get("extrapolate", False)
    signals, positions = _interpolated(signals, kept, extrapolate)
    signals = _filtered(signals, cleaning)[positions]
    if confounds is not None:
        confounds, _ = _interpolated(confounds, kept, extrapolate)
        confounds = _filtered(confounds, cleaning)[positions]
        confounds = confounds - confounds.mean(axis=0)
        betas = np.linalg.lstsq(confounds, signals, rcond=None)[0]
        signals = signals - confounds @ betas
    return signals


@pytest.fixture(scope="module")
def raw(simulated, nilearn_signals):
    """Signals of three spheres and of all voxels, as nilearn reads them."""
    run = Run(simulated.img)
    return [nilearn_signals(masker, run) for masker in _maskers(simulated, {})]


@pytest.mark.parametrize(
    ("censored", "cleaning", "with_confounds"),
    every_pair(CENSORED, ["butterworth", "low-pass", "extrapolate"], [False, True]),
)
def test_censoring_is_what_it_should_be(
    raw, simulated, censored, cleaning, with_confounds
):
    """Against every step written out."""
    cleaning, kept = CLEANING[cleaning], _without(CENSORED[censored])
    confounds = np.array(simulated.confounds) if with_confounds else None
    run = Run(simulated.img, confounds, kept)
    sbc = SeedCorrelationMap(*_maskers(simulated, cleaning)).fit(run)
    n_seeds = raw[0].shape[1]
    cleaned = _cleaned_by_hand(np.hstack(raw), kept, cleaning, confounds)
    expected = np.corrcoef(cleaned, rowvar=False)[:n_seeds, n_seeds:]
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


def test_censoring_in_blocks(nilearn_signals, simulated):
    """A masker's `runs` and a sample mask: each block is censored by itself."""
    blocks, censored = np.repeat([0, 1], 50), [0, 10, 11, 52, 70, 99]
    kept, cleaning = _without(censored), CLEANING["butterworth"]
    masker = NiftiMasker(simulated.coarse_mask_img, runs=blocks, **cleaning)
    run = Run(simulated.img, sample_mask=kept)
    sbc = SeedCorrelationMap(masker, masker).fit(run)
    raw = nilearn_signals(NiftiMasker(simulated.coarse_mask_img), Run(simulated.img))
    parts = [
        _cleaned_by_hand(raw[blocks == i], kept[blocks[kept] == i] - 50 * i, cleaning)
        for i in (0, 1)
    ]
    expected = np.corrcoef(np.vstack(parts), rowvar=False)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


def test_sample_mask_of_the_user_is_not_changed(simulated):
    """nilearn shifts one of int32 in place, to start at 0."""
    mine, theirs = (np.arange(5, 95, dtype=np.int32) for _ in range(2))
    noise = np.random.default_rng(0).normal(size=(100, 2))
    clean(noise, sample_mask=theirs, standardize=None, **BAND)
    assert theirs[0] == 0
    run = Run(simulated.img, sample_mask=mine)
    sbc = SeedCorrelationMap(*_maskers(simulated, BAND)).fit(run)
    sbc.transform(run)
    sbc.seed_signals(run)
    sbc.brain_signals(run)
    np.testing.assert_array_equal(mine, np.arange(5, 95))


# Confounds and blocks


@pytest.mark.parametrize("cleaning", ["none", "low-pass", "butterworth", "cosine"])
@pytest.mark.parametrize(
    "extra",
    [
        lambda c: c[:, :1],
        lambda c: c[:, :1] - 2 * c[:, 1:2],
        lambda c: 1000 * c[:, :1] + 5e4,
        lambda c: c @ np.random.default_rng(1).normal(size=(c.shape[1], 4)),
    ],
    ids=["twice", "difference", "other-units", "mixtures"],
)
def test_a_confound_that_adds_nothing_changes_nothing(simulated, cleaning, extra):
    """Confounds are a space; a column that lies in it takes nothing more away."""
    confounds = np.array(simulated.confounds)
    more = np.hstack([confounds, extra(confounds)])
    maps = _r_of_tables(simulated, CLEANING[cleaning], confounds, more)
    np.testing.assert_allclose(maps[1], maps[0], rtol=0, atol=TOLERANCE)


def _r_of_tables(data, cleaning, *tables):
    """Return r of a run with each of several tables of confounds."""
    sbc = SeedCorrelationMap(*_maskers(data, cleaning), scale="r")
    return sbc.fit_transform([Run(data.img, table) for table in tables])


def test_nilearn_removes_rounding_as_a_confound(nilearn_r, simulated):
    """What is left of a dependent column is noise, and counts as a direction."""
    confounds = np.array(simulated.confounds)
    more = np.hstack([confounds, 1000 * confounds[:, :1] + 5e4])
    maskers = _maskers(simulated, CLEANING["low-pass"])
    r = [nilearn_r(*maskers, Run(simulated.img, c)) for c in (confounds, more)]
    assert np.abs(r[1] - r[0]).max() > 0.01


def test_clean_args_hold_in_blocks(nilearn_r, nilearn_signals, simulated):
    """nilearn forgets clean_args where a masker has `runs`."""
    blocks, run = np.repeat([0, 1], 50), Run(simulated.img)
    cleaning = {**BAND, "clean_args": {"butterworth__order": 1}}
    masker = NiftiMasker(simulated.coarse_mask_img, runs=blocks, **cleaning)
    raw = nilearn_signals(NiftiMasker(simulated.coarse_mask_img), run)
    order = {"butterworth__order": 1, "standardize": None}
    parts = [clean(raw[blocks == i], **BAND, **order) for i in (0, 1)]
    expected = np.corrcoef(np.vstack(parts), rowvar=False)
    r = SeedCorrelationMap(masker, masker).fit(run).correlations_
    np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)
    assert np.abs(nilearn_r(masker, masker, run) - expected).max() > 1e-3


@pytest.mark.parametrize("standardize_confounds", [True, False])
@pytest.mark.parametrize("cleaning", ["detrend", "low-pass", "butterworth", "cosine"])
def test_confounds_count_in_any_unit(simulated, cleaning, standardize_confounds):
    """They are a space; as others they may be in metres, or in volts."""
    confounds = np.array(simulated.confounds)
    options = {**CLEANING[cleaning], "standardize_confounds": standardize_confounds}
    options["detrend"] = True
    tables = {"as they are": confounds}
    for scale in (1e-17, 1e-200, 1e-305, 1e200):
        tables[f"{scale}, all"] = scale * confounds
        tables[f"{scale}, the first"] = confounds * [scale, 1, 1]
    expected, *maps = _r_of_tables(simulated, options, *tables.values())
    for said, r in zip([*tables][1:], maps, strict=True):
        np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE, err_msg=said)


@pytest.mark.parametrize("scale", [1e-17, 1e-200, 1e200])
@pytest.mark.parametrize("is_clean", [True, False])
def test_signals_that_are_given_count_in_any_unit(simulated, is_clean, scale):
    """The same of seeds."""
    signals = np.random.default_rng(0).normal(size=(100, 2))
    sbc = SeedCorrelationMap(
        GivenSignals(clean=is_clean), NiftiMasker(simulated.mask_img, detrend=True)
    )
    runs = [Run(simulated.img, seed_signals=s * signals) for s in (1, scale)]
    maps = [sbc.fit(run).correlations_ for run in runs]
    np.testing.assert_allclose(maps[1], maps[0], rtol=0, atol=TOLERANCE)


def test_nilearn_drops_confounds_in_small_units(nilearn_r, simulated):
    """It takes them for constants."""
    confounds = np.array(simulated.confounds)
    maskers = _maskers(simulated, CLEANING["detrend"])
    tables = [confounds, 1e-17 * confounds, np.zeros_like(confounds)]
    r = [nilearn_r(*maskers, Run(simulated.img, table)) for table in tables]
    assert np.abs(r[1] - r[0]).max() > 0.05
    np.testing.assert_allclose(r[1], r[2], rtol=0, atol=1e-12)


# Grids that differ by a rounding


def _off_by_a_rounding(img):
    """Return an image whose affine is 1e-7 off where it is 0."""
    affine = img.affine.copy()
    affine[0, 1] += 1e-7
    affine[:3, 3] += 1e-7
    return nib.Nifti1Image(np.asarray(img.dataobj), affine)


def test_a_mask_off_by_a_rounding_is_on_the_grid(nilearn_r, simulated):
    """nilearn resamples the run, and the edge of the field of view has no signal."""
    shape, affine = simulated.mask_img.shape, simulated.mask_img.affine
    noise = np.random.default_rng(0).normal(100, 1, (*shape, 60))
    img = nib.Nifti1Image(noise, affine)
    mask_img = nib.Nifti1Image(np.ones(shape, np.int8), affine)
    seeds = NiftiSpheresMasker(simulated.seeds, radius=8)
    expected = nilearn_r(seeds, NiftiMasker(mask_img), Run(img))
    brain = NiftiMasker(_off_by_a_rounding(mask_img))
    r = SeedCorrelationMap(seeds, brain).fit(img).correlations_
    np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)
    with np.errstate(invalid="ignore"):
        theirs = nilearn_r(seeds, brain, Run(img))
    n_lost = np.prod(shape) - np.prod(np.subtract(shape, 1))
    assert (~np.isfinite(theirs) | (np.abs(theirs) < 1e-12)).any(axis=0).sum() > (
        n_lost // 4
    )


# Maps


def test_negative_weights_count_where_overlaps_are_looked_for(nilearn_r, simulated):
    """nilearn sets them to 0 to look for overlaps, and leaves them so."""
    mask = np.asarray(simulated.mask_img.dataobj) != 0
    thirds = np.indices(mask.shape)[0] // 5
    weights = np.random.default_rng(0).standard_normal(mask.shape) + 0.3
    maps = [np.where(mask & (thirds == k), weights, 0.0) for k in range(3)]
    maps = nib.Nifti1Image(np.stack(maps, axis=-1), simulated.mask_img.affine)
    seeds = [NiftiMapsMasker(maps, allow_overlap=own) for own in (True, False)]
    brain = NiftiMasker(simulated.mask_img)
    expected = nilearn_r(seeds[0], brain, Run(simulated.img))
    r = SeedCorrelationMap(seeds[1], brain).fit(simulated.img).correlations_
    np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)
    # A copy, as nilearn changes the maps of its user.
    theirs = nilearn_r(copy.deepcopy(seeds[1]), brain, Run(simulated.img))
    assert np.abs(theirs - expected).max() > 0.1


# Integers


@pytest.mark.parametrize("smoothing_fwhm", [None, 5])
def test_integer_images_are_averaged_exactly(
    nilearn_signals, nilearn_r, simulated, smoothing_fwhm
):
    """nilearn stores the mean of a sphere as an integer."""
    data = np.rint(np.array(simulated.img.dataobj) / 4).astype(np.int16)
    whole = nib.Nifti1Image(data, simulated.img.affine)
    exact = nib.Nifti1Image(data.astype(np.float64), simulated.img.affine)
    sphere, brain = _maskers(simulated, BAND)
    brain.set_params(smoothing_fwhm=smoothing_fwhm)
    expected = nilearn_r(sphere, brain, Run(exact))
    r = SeedCorrelationMap(sphere, brain).fit(whole).correlations_
    np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)
    raw = nilearn_signals(NiftiSpheresMasker(simulated.seeds, radius=8), Run(whole))
    np.testing.assert_array_equal(raw, np.trunc(raw))
    assert np.abs(nilearn_r(sphere, brain, Run(whole)) - expected).max() > 1e-3


# The published recipe


def _recipe(seed_masker, brain_masker, img):
    """Return what nilearn's gallery example 8.4.9 takes for a correlation."""
    # The same numbers, without nilearn's loop over voxels in Python.
    at_once = {"clean_args": {"butterworth__copy": True}}
    seeds, voxels = (
        masker.set_params(**at_once).fit().transform(img)
        for masker in (seed_masker, brain_masker)
    )
    return np.dot(voxels.T, seeds).T / seeds.shape[0]


def test_recipe_divides_by_too_many_scans(nilearn_r, simulated):
    """Its r is (n - 1) / n of the correlation."""
    cleaning = {**BAND, "standardize": "zscore_sample"}
    maskers = _maskers(simulated, cleaning)
    expected = nilearn_r(*maskers, Run(simulated.img))
    sbc = SeedCorrelationMap(*maskers).fit(simulated.img)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)
    recipe = _recipe(*maskers, simulated.img)
    np.testing.assert_allclose(recipe, expected * 99 / 100, rtol=0, atol=TOLERANCE)


def test_recipe_needs_a_standardize(simulated):
    """Without it, its r is a covariance."""
    maskers = _maskers(simulated, {**BAND, "standardize": None})
    sbc = SeedCorrelationMap(*maskers).fit(simulated.img)
    assert np.abs(_recipe(*maskers, simulated.img)).max() > 1
    assert np.abs(sbc.correlations_).max() < 1


def test_z_is_fisher_z(simulated):
    """The recipe saves r under the name z."""
    sbc = SeedCorrelationMap(*_maskers(simulated, BAND))
    z = sbc.fit_transform(simulated.img).reshape(sbc.n_seeds_, -1)
    expected = np.arctanh(sbc.correlations_.astype(np.float64))
    np.testing.assert_allclose(z, expected, rtol=1e-6)
    assert np.abs(z - sbc.correlations_).max() > 0.1


# r = 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
@pytest.mark.parametrize("brain", ["voxels", "labels"])
def test_r_of_a_seed_with_itself_has_a_finite_z(simulated, dtype, brain):
    """The map of each voxel has one r of 1."""
    img = nib.Nifti1Image(
        np.array(simulated.img.dataobj).astype(dtype), simulated.img.affine
    )
    _, masker = _maskers(simulated, BAND, brain)
    sbc = SeedCorrelationMap(masker, masker)
    z = sbc.fit_transform(img).reshape(sbc.n_seeds_, sbc.n_voxels_)
    assert np.isfinite(z).all()
    np.testing.assert_array_equal(np.argmax(z, axis=1), np.arange(sbc.n_seeds_))
    assert (np.diag(sbc.correlations_) > 1 - 1e-6).all()
    assert np.abs(sbc.correlations_).max() < 1


def test_r_of_minus_1_has_a_finite_z(simulated):
    """A voxel that mirrors the seed."""
    data = np.array(simulated.img.dataobj)
    place = tuple(np.argwhere(np.asarray(simulated.mask_img.dataobj))[200])
    data[place] = 2000 - data[place[0], place[1], place[2] + 1]
    img = nib.Nifti1Image(data, simulated.img.affine)
    seed = nib.affines.apply_affine(img.affine, place)
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker([tuple(seed)], **BAND),
        NiftiMasker(simulated.mask_img, **BAND),
    )
    z = sbc.fit_transform(img)
    assert np.isfinite(z).all()
    assert z.min() < -7


def test_nilearn_goes_beyond_1(simulated):
    """In float32, as images are; arctanh then has no answer."""
    img = nib.Nifti1Image(
        np.array(simulated.img.dataobj).astype(np.float32), simulated.img.affine
    )
    cleaning = {**BAND, "standardize": "zscore_sample"}
    cleaning["clean_args"] = {"butterworth__copy": True}  # nilearn's own is slow
    voxels = NiftiMasker(simulated.mask_img, **cleaning).fit().transform(img)
    r = np.einsum("ij,ij->j", voxels, voxels) / (len(voxels) - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        assert not np.isfinite(np.arctanh(r)).all()


# Voxels without signal


def _with_bad_voxels(img, mask_img, kinds):
    """Return an image in which one voxel of each kind has no signal, and which."""
    data = np.array(img.dataobj)
    voxels = np.argwhere(np.asarray(mask_img.dataobj))
    numbers = [60 + 7 * i for i in range(len(kinds))]
    for number, kind in zip(numbers, kinds, strict=True):
        place = tuple(voxels[number])
        if kind == "nan-once":
            data[(*place, 17)] = np.nan
        elif kind == "infinite-once":
            data[(*place, 0)] = -np.inf
        elif kind == "trend":
            data[place] = 1000 + 0.3 * np.arange(data.shape[-1])
        else:
            data[place] = {"constant": 1234.567, "zero": 0, "nan": np.nan}[kind]
    return nib.Nifti1Image(data, img.affine), numbers


KINDS = ["constant", "zero", "nan", "nan-once", "infinite-once"]


@pytest.fixture(scope="module")
def with_signal(simulated):
    """A run with signal in all voxels, an estimator of it, and its map."""

    @functools.cache
    def with_signal(cleaning, dtype):
        img = nib.Nifti1Image(
            np.array(simulated.img.dataobj).astype(dtype), simulated.img.affine
        )
        sphere, brain = _maskers(simulated, CLEANING[cleaning])
        sphere.set_params(radius=1)
        sbc = SeedCorrelationMap(sphere, brain)
        return img, sbc, sbc.fit(img).correlations_

    return with_signal


@pytest.mark.parametrize(
    ("cleaning", "kinds", "dtype"),
    every_pair(
        ["none", "low-pass", "butterworth", "cosine"],
        [[kind] for kind in KINDS] + [KINDS],
        [np.float32, np.float64],
    ),
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_voxels_without_signal(with_signal, simulated, cleaning, kinds, dtype):
    """z = 0 there, the others as they were, and one warning a run."""
    img, sbc, expected = with_signal(cleaning, dtype)
    bad_img, numbers = _with_bad_voxels(img, simulated.mask_img, kinds)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        z = sbc.fit_transform([bad_img, img, bad_img])
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == 2, messages
    assert all("some voxels have no signal" in message for message in messages)
    assert sbc.run_report_["n_without_signal"].tolist() == [len(kinds), 0, len(kinds)]
    assert [message[:5] for message in messages] == ["run 0", "run 2"]
    for row in z[[0, 2]].reshape(2, 3, -1):
        np.testing.assert_array_equal(row[:, numbers], 0)
        others = np.delete(np.tanh(row), numbers, axis=1)
        kept = np.delete(expected, numbers, axis=1)
        np.testing.assert_allclose(others, kept, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("cleaning", ["detrend", "butterworth"])
def test_a_trend_that_is_removed_leaves_no_signal(simulated, cleaning):
    """Its cleaned norm is rounding beside its raw one."""
    img, (number,) = _with_bad_voxels(simulated.img, simulated.mask_img, ["trend"])
    sphere, brain = _maskers(simulated, CLEANING[cleaning])
    sphere.set_params(radius=1)
    with pytest.warns(UserWarning, match="some voxels have no signal"):
        z = SeedCorrelationMap(sphere, brain).fit_transform(img)
    np.testing.assert_array_equal(z.reshape(3, -1)[:, number], 0)


@pytest.mark.parametrize("masker", [NiftiMasker, MultiNiftiMasker])
@pytest.mark.parametrize("brain", ["mask_img", "coarse_mask_img"])
def test_a_voxel_that_is_not_finite_does_not_spread(simulated, masker, brain):
    """Smoothed, its neighbours are as if it were 0."""
    bad_img, _ = _with_bad_voxels(simulated.img, simulated.mask_img, ["nan-once"])
    zero_img, (number,) = _with_bad_voxels(simulated.img, simulated.mask_img, ["zero"])
    sphere = NiftiSpheresMasker(simulated.seeds, radius=1, **BAND)
    brain_masker = masker(getattr(simulated, brain), smoothing_fwhm=8, **BAND)
    sbc = SeedCorrelationMap(sphere, brain_masker)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        r = sbc.fit(bad_img).correlations_
        expected = sbc.fit(zero_img).correlations_
    if brain == "mask_img":
        own = [w for w in caught if "no signal" in str(w.message)]
        assert len(own) == 1
        np.testing.assert_array_equal(r[:, number], 0)
        r, expected = (np.delete(array, number, axis=1) for array in (r, expected))
    assert np.isfinite(r).all()
    np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)


def test_vertices_without_signal(surface):
    """The same on a surface."""
    parts = {name: np.array(part) for name, part in surface.img.data.parts.items()}
    parts["left"][3], parts["right"][7, 5] = 12.5, np.nan
    img = SurfaceImage(surface.img.mesh, parts)
    sbc = SeedCorrelationMap(
        SurfaceMasker(_vertices(surface, [30, 31]), **BAND),
        SurfaceMasker(_vertices(surface, range(60)), **BAND),
    )
    expected = sbc.fit(surface.img).correlations_
    with pytest.warns(UserWarning, match="some voxels have no signal"):
        r = sbc.fit(img).correlations_
    bad = [3, 67]
    np.testing.assert_array_equal(r[:, bad], 0)
    others = np.delete(r, bad, axis=1), np.delete(expected, bad, axis=1)
    np.testing.assert_allclose(*others, rtol=0, atol=TOLERANCE)


def _vertices(surface, numbers):
    """Return a mask of some vertices of each hemisphere."""
    parts = {name: np.isin(np.arange(60), numbers) for name in ("left", "right")}
    return SurfaceImage(surface.img.mesh, parts)


def test_nilearn_correlates_constants_perfectly(nilearn_signals, simulated):
    """Two voxels that never change, band-passed."""
    kinds = ["constant", "constant"]
    img, numbers = _with_bad_voxels(simulated.img, simulated.mask_img, kinds)
    masker = NiftiMasker(simulated.mask_img, low_pass=0.1, high_pass=0.01, t_r=2.0)
    voxels = nilearn_signals(masker, Run(img))[:, numbers]
    assert np.corrcoef(voxels, rowvar=False)[0, 1] > 0.999


def test_nilearn_has_no_r_for_a_zero(nilearn_signals, simulated):
    """NaN in a map, which spreads to whatever is computed from it."""
    img, numbers = _with_bad_voxels(simulated.img, simulated.mask_img, ["zero"])
    voxels = nilearn_signals(NiftiMasker(simulated.mask_img, **BAND), Run(img))
    with np.errstate(invalid="ignore"):
        r = np.corrcoef(voxels[:, numbers[0]], voxels[:, 0])
    assert np.isnan(r[0, 1])


# Small voxels


def _small_voxels(size):
    """Return a run of independent voxels whose edges are `size` mm."""
    data = np.random.default_rng(3).normal(1000, 10, (9, 9, 9, 40))
    affine = np.diag([size, size, size, 1.0])
    affine[:3, 3] = -4 * size
    return nib.Nifti1Image(data, affine)


@pytest.mark.parametrize("size", [0.2, 0.5])
@pytest.mark.parametrize("radius", [None, 0.05])
def test_radius_under_small_voxels(size, radius):
    """The one voxel that holds the seed, and no other."""
    img = _small_voxels(size)
    seed = [(1.2 * size, -0.9 * size, 0.1 * size)]
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker(seed, radius=radius),
        NiftiMasker(nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), img.affine)),
    ).fit(img)
    expected = scipy.stats.zscore(img.get_fdata()[5, 3, 4], ddof=1)
    np.testing.assert_allclose(sbc.seed_signals(img)[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("size", [0.2, 0.5])
def test_spheres_of_small_voxels_hold_what_lies_within(size):
    """Counted in mm by hand."""
    img, radius = _small_voxels(size), 1.6 * size
    seed = np.array([1.2, -0.9, 0.1]) * size
    centres = nib.affines.apply_affine(img.affine, np.argwhere(np.ones((9, 9, 9))))
    near = np.linalg.norm(centres - seed, axis=1) <= radius
    expected = img.get_fdata().reshape(-1, 40)[near].mean(axis=0)
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker([tuple(seed)], radius=radius),
        NiftiMasker(nib.Nifti1Image(np.ones((9, 9, 9), np.uint8), img.affine)),
    ).fit(img)
    expected = scipy.stats.zscore(expected, ddof=1)
    np.testing.assert_allclose(sbc.seed_signals(img)[:, 0], expected, atol=1e-6)


def test_nilearn_picks_stray_voxels(nilearn_signals):
    """It takes the first voxel with the seed's coordinates cut to integers, too."""
    img = _small_voxels(0.2)
    masker = NiftiSpheresMasker([(0.24, -0.18, 0.02)], radius=0.05)
    signals = nilearn_signals(masker, Run(img))[:, 0]
    r = np.corrcoef(signals, img.get_fdata()[5, 3, 4])[0, 1]
    assert r < 0.9
