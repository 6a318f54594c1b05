"""`seed_report_`: how good each seed is, and seeds with little or no signal."""

import warnings

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from scipy.sparse import csgraph
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from helpers import OwnSpheres, image_like, sphere, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._maps import seeds as _seeds
from sbc_estimators._signals import nilearn_own as _nilearn_own
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds

NUMBERS = ["coverage", "in_mask", "homogeneity", "homogeneity_sd", "tsnr"]
WHO = ["run", "subject", "session", "task", "img"]
COLUMNS = [*WHO, "seed", "n_voxels", *NUMBERS, "effective_dof"]
RADIUS = 9
RESAMPLED = pytest.mark.filterwarnings("ignore:imgs are being resampled")
CLEANINGS = {
    "none": {},
    "detrended": {"detrend": True},
    "band": {"detrend": True, "low_pass": 0.1, "high_pass": 0.01},
    "cosine": {"high_pass": 0.01, "clean_args": {"filter": "cosine"}},
}


@pytest.fixture
def simulated(larger):
    """The run to make reports of."""
    return larger


# What numpy says


def raw_signals(img, members):
    """Return the raw signals of some voxels (vertices), `(n_scans, n_members)`."""
    if hasattr(img, "mesh"):
        return np.concatenate(list(img.data.parts.values()))[members].T
    return img.get_fdata()[members].T


def looked_up(nilearn_signals, run, members, fwhm=None, **cleaning):
    """Return a row of numbers of a seed from numpy alone.

    `members` is an array over the grid, and all of it has a signal within the mask.
    """
    voxelwise = SurfaceMasker if hasattr(run.img, "mesh") else NiftiMasker
    masker = voxelwise(image_like(run.img, members), **cleaning)
    if fwhm is not None:
        masker.set_params(smoothing_fwhm=fwhm)
    r = np.corrcoef(nilearn_signals(masker, run), rowvar=False)
    pairs = r[np.triu_indices(members.sum(), 1)]
    raw = raw_signals(run.img, members)
    raw = raw if run.sample_mask is None else raw[run.sample_mask]
    return {
        "n_voxels": members.sum(),
        "coverage": 1.0,
        "in_mask": 1.0,
        "homogeneity": pairs.mean(),
        "homogeneity_sd": pairs.std(),
        "tsnr": (raw.mean(axis=0) / raw.std(axis=0, ddof=1)).mean(),
    }


def assert_rows(report, rows):
    """Compare a report with rows that were looked up."""
    assert list(report.columns) == COLUMNS
    expected = pd.DataFrame(rows)
    assert report["n_voxels"].tolist() == expected["n_voxels"].tolist()
    np.testing.assert_allclose(report[NUMBERS], expected[NUMBERS], rtol=1e-6, atol=1e-7)
    assert (report["effective_dof"] > 10).all()


# Spheres in volumes


def brain_of_all(img, path="streamed", **cleaning):
    """Return a masker of the whole grid, for which scans are read in some way."""
    mask = np.ones(img.shape[:3])
    if path == "streamed":
        return NiftiMasker(image_like(img, mask), **cleaning)
    mask[0, 0, 0] = 0  # nilearn wants a background
    return NiftiLabelsMasker(image_like(img, mask), strategy="median", **cleaning)


CENSORED = np.delete(np.arange(200), [3, 4, 50])


@pytest.mark.parametrize("path", ["streamed", "compiled"])
@pytest.mark.parametrize(
    ("cleaning", "fwhm", "with_confounds", "sample_mask"),
    [
        ("none", None, False, None),
        ("none", 6.0, True, None),
        ("detrended", None, True, CENSORED),
        ("band", 6.0, False, None),
        ("band", None, True, None),
        ("cosine", 6.0, True, CENSORED),
    ],
)
def test_spheres(
    sample_box,
    nilearn_signals,
    cleaning,
    fwhm,
    with_confounds,
    sample_mask,
    path,
):
    cleaning = {**CLEANINGS[cleaning], "t_r": sample_box.t_r}
    confounds = sample_box.confounds if with_confounds else None
    run = Run(sample_box.img, confounds, sample_mask)
    seeds = sample_box.seeds[:2]
    seed = NiftiSpheresMasker(seeds, RADIUS, smoothing_fwhm=fwhm, **cleaning)
    brain = brain_of_all(sample_box.img, path, **cleaning)
    sbc = SeedCorrelationMap(seed, brain).fit(run)
    assert sbc.paths_["brain_masker"].startswith(path)
    rows = [
        looked_up(
            nilearn_signals, run, sphere(sample_box, place, RADIUS), fwhm, **cleaning
        )
        for place in seeds
    ]
    assert_rows(sbc.seed_report_, rows)
    assert sbc.seed_report_["seed"].tolist() == sbc.seed_names_
    assert sbc.seed_report_["run"].tolist() == [0, 0]


def test_single_voxels_have_no_pairs(sample_box):
    seed = NiftiSpheresMasker(sample_box.seeds, radius=None, detrend=True)
    sbc = SeedCorrelationMap(seed, NiftiMasker(sample_box.mask_img, detrend=True))
    report = sbc.fit(sample_box.run).seed_report_
    assert report["n_voxels"].tolist() == [1, 1, 1]
    assert report["coverage"].tolist() == [1, 1, 1]
    assert report[["homogeneity", "homogeneity_sd"]].isna().all(axis=None)
    assert (report["tsnr"] > 1).all()


def test_tsnr_is_that_of_scaled_numbers(sample_box, tmp_path):
    # As the header scales them, whichever way they are read.
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    stored = nib.Nifti1Image(sample_box.img.get_fdata(), sample_box.img.affine, header)
    nib.save(stored, tmp_path / "run.nii")
    image = nib.load(tmp_path / "run.nii")
    assert image.dataobj.slope not in (1, None)
    seed = NiftiSpheresMasker(sample_box.seeds[:1], RADIUS)
    sbc = SeedCorrelationMap(seed, NiftiMasker(sample_box.mask_img)).fit(image)
    raw = raw_signals(image, sphere(sample_box, sample_box.seeds[0], RADIUS))
    tsnr = (raw.mean(axis=0) / raw.std(axis=0, ddof=1)).mean()
    np.testing.assert_allclose(sbc.seed_report_["tsnr"], tsnr, rtol=1e-9)


# Other kinds of seeds


def maps_without_tails(data):
    """Return maps of weights that overlap, each 0 in part of the brain."""
    weights = data.maps_img.get_fdata()
    return nib.Nifti1Image(np.where(weights > 0.4, weights, 0), data.maps_img.affine)


def discs_by_looking(mesh, n_before, vertices, radius):
    """Return which vertices of two parts lie in discs on the last, a row each."""
    n = mesh.n_vertices
    lengths = np.zeros((n, n))
    for face in mesh.faces:
        for a, b in zip(face, np.roll(face, 1), strict=True):
            length = np.linalg.norm(mesh.coordinates[a] - mesh.coordinates[b])
            lengths[a, b] = lengths[b, a] = length
    distances = csgraph.shortest_path(lengths)[vertices]
    return np.hstack([np.zeros((len(vertices), n_before), bool), distances <= radius])


def labels_of(img):
    """Return the labels of an atlas as an array over the grid (mesh)."""
    if not hasattr(img, "mesh"):
        return np.asarray(img.dataobj)
    return np.concatenate(list(img.data.parts.values()))


VOLUME_SEEDS = {
    "labels": lambda d: (
        NiftiLabelsMasker(d.labels_img),
        [labels_of(d.labels_img) == i for i in (1, 2, 3, 4)],
    ),
    "labels, smoothed": lambda d: (
        NiftiLabelsMasker(d.labels_img, smoothing_fwhm=7),
        [labels_of(d.labels_img) == i for i in (1, 2, 3, 4)],
    ),
    "maps": lambda d: (
        NiftiMapsMasker(maps_without_tails(d)),
        list(np.moveaxis(maps_without_tails(d).get_fdata() > 0, 3, 0)),
    ),
    "SphereSeeds": lambda d: (
        SphereSeeds([(0, -16, 0), (-7, 10, 3)], [6, 9], allow_overlap=True),
        [sphere(d, (0, -16, 0), 6), sphere(d, (-7, 10, 3), 9)],
    ),
    "RegionSeeds": lambda d: (
        RegionSeeds(d.labels_img, [3, 1]),
        [labels_of(d.labels_img) == i for i in (3, 1)],
    ),
}
SURFACE_SEEDS = {
    "labels": lambda d: (
        SurfaceLabelsMasker(d.labels_img),
        [labels_of(d.labels_img) == i for i in (1, 2)],
    ),
    "maps": lambda d: (
        SurfaceMapsMasker(d.maps_img),
        [np.ones(120, bool)] * 3,
    ),
    "RegionSeeds": lambda d: (
        RegionSeeds(d.labels_img, [2], hemisphere="right"),
        [(labels_of(d.labels_img) == 2) & (np.arange(120) >= 60)],
    ),
    "SurfaceSeeds": lambda d: (
        SurfaceSeeds([5, 40], 5.0, hemisphere="right", allow_overlap=True),
        discs_by_looking(d.img.mesh.parts["right"], 60, [5, 40], 5.0),
    ),
}


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")  # beyond the brain
@pytest.mark.parametrize("kind", VOLUME_SEEDS)
def test_seeds_in_volumes(simulated, nilearn_signals, kind):
    cleaning = {**CLEANINGS["band"], "t_r": simulated.t_r}
    seed, members = VOLUME_SEEDS[kind](simulated)
    run = Run(simulated.img, simulated.confounds)
    brain = brain_of_all(run.img, **cleaning)
    if hasattr(seed, "detrend"):
        seed.set_params(**cleaning)
    sbc = SeedCorrelationMap(seed, brain).fit(run)
    fwhm = getattr(seed, "smoothing_fwhm", None)
    rows = [looked_up(nilearn_signals, run, m, fwhm=fwhm, **cleaning) for m in members]
    assert_rows(sbc.seed_report_, rows)


@pytest.mark.parametrize("kind", SURFACE_SEEDS)
def test_seeds_on_surfaces(surface, nilearn_signals, kind):
    cleaning = {**CLEANINGS["band"], "t_r": surface.t_r}
    seed, members = SURFACE_SEEDS[kind](surface)
    assert all(m.sum() > 2 for m in members)
    run = Run(surface.img, surface.confounds)
    if hasattr(seed, "detrend"):
        seed.set_params(**cleaning)
    sbc = SeedCorrelationMap(seed, SurfaceMasker(**cleaning)).fit(run)
    rows = [looked_up(nilearn_signals, run, m, **cleaning) for m in members]
    assert_rows(sbc.seed_report_, rows)


@pytest.mark.parametrize("on_surface", [False, True])
def test_voxels_of_a_mask(simulated, surface, on_surface):
    data, kind = (surface, SurfaceMasker) if on_surface else (simulated, NiftiMasker)
    few = np.zeros(data.img.shape[:-1], bool)
    few[np.nonzero(labels_of(data.mask_img))] = True
    few.reshape(-1)[np.flatnonzero(few)[7:]] = False
    seed = kind(image_like(data.img, few), detrend=True)
    report = SeedCorrelationMap(seed, kind(data.mask_img, detrend=True)).fit(data.run)
    report = report.seed_report_
    assert report["n_voxels"].tolist() == [1] * 7
    assert report["seed"].tolist() == [f"seed{i}" for i in range(7)]
    assert report["homogeneity"].isna().all()
    raw = raw_signals(data.img, few)
    tsnr = raw.mean(axis=0) / raw.std(axis=0, ddof=1)
    np.testing.assert_allclose(report["tsnr"], tsnr, rtol=1e-9)


def test_maps_count_by_their_weights(simulated):
    # Tails outside of the brain, where there is no signal, count for little.
    maps = simulated.maps_img.get_fdata()
    mask = labels_of(simulated.mask_img) != 0
    maps[~mask] = 1e-3
    half = mask & (np.indices(mask.shape)[0] < 10)
    seed = NiftiMapsMasker(nib.Nifti1Image(maps, simulated.img.affine), detrend=True)
    brain = NiftiMasker(image_like(simulated.img, half), detrend=True)
    sbc = SeedCorrelationMap(seed, brain).fit(simulated.run)
    whole = maps.sum(axis=(0, 1, 2))
    report = sbc.seed_report_
    np.testing.assert_allclose(report["in_mask"], maps[half].sum(axis=0) / whole)
    varies = simulated.img.get_fdata().std(axis=-1) > 0
    np.testing.assert_allclose(report["coverage"], maps[varies].sum(axis=0) / whole)
    assert report["n_voxels"].tolist() == [mask.size] * 3


# What is not known


UNKNOWN = {
    "given": lambda d: GivenSignals(),
    "reference": lambda d: OwnSpheres(d.seeds, 8, standardize=None),
    "median": lambda d: NiftiLabelsMasker(d.labels_img, strategy="median"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_known_is_missing(simulated, kind):
    signals = np.random.default_rng(0).standard_normal((simulated.n_scans, 3))
    run = Run(simulated.img, t_r=simulated.t_r, seed_signals=signals)
    sbc = SeedCorrelationMap(UNKNOWN[kind](simulated), NiftiMasker(simulated.mask_img))
    report = sbc.fit(run).seed_report_
    assert list(report.columns) == COLUMNS
    assert report["seed"].tolist() == sbc.seed_names_
    assert report[["n_voxels", *NUMBERS]].isna().all(axis=None)
    # It is that of the voxels, unless a masker cleans by itself.
    if kind == "reference":
        assert report["effective_dof"].isna().all()
    else:
        assert (report["effective_dof"] > 10).all()


def test_of_demeaned_signals_no_ratio_is_known(simulated):
    data = simulated.img.get_fdata()
    demeaned = (data - data.mean(axis=-1, keepdims=True)).astype("f4")
    seed, brain = NiftiSpheresMasker(simulated.seeds, radius=8), simulated.mask_img
    sbc = SeedCorrelationMap(seed, NiftiMasker(brain))
    report = sbc.fit(nib.Nifti1Image(demeaned, simulated.img.affine)).seed_report_
    assert report["tsnr"].isna().all()
    assert report["homogeneity"].notna().all()
    low = 0.05 * data.std(axis=-1, keepdims=True) + demeaned
    report = sbc.fit(nib.Nifti1Image(low, simulated.img.affine)).seed_report_
    np.testing.assert_allclose(report["tsnr"], 0.05, rtol=0.01)


def test_types_of_columns(simulated):
    known = NiftiSpheresMasker(simulated.seeds, 8)
    for seed in (known, UNKNOWN["reference"](simulated)):
        sbc = SeedCorrelationMap(seed, NiftiMasker(simulated.mask_img))
        types = sbc.fit(simulated.run).seed_report_.dtypes
        assert types["n_voxels"] == "Int64"
        assert (types[NUMBERS] == "float64").all()
        assert types["run"] == "int64"
        assert pd.api.types.is_string_dtype(types["seed"])


# Within the mask, and with a signal


def spheres_on(data, mask_img, radius=12, **parameters):
    """Return an estimator of spheres in a simulated run, with a mask of the brain."""
    seed = NiftiSpheresMasker(data.seeds, radius, allow_overlap=True, detrend=True)
    brain = NiftiMasker(mask_img, detrend=True)
    return SeedCorrelationMap(seed, brain).set_params(**parameters)


@RESAMPLED
@pytest.mark.filterwarnings("ignore:.* voxels have no signal")  # of finer ones
@pytest.mark.parametrize("other_grid", [False, True])
def test_voxels_within_the_mask_by_counting(simulated, other_grid):
    mask = labels_of(simulated.mask_img) != 0
    mask &= np.indices(mask.shape)[1] < 13
    mask_img = image_like(simulated.img, mask)
    if other_grid:  # each voxel cut into 2 x 2 x 2
        finer = simulated.img.affine @ np.diag([0.5, 0.5, 0.5, 1])
        finer[:3, 3] -= 1.0
        fine = mask.repeat(2, 0).repeat(2, 1).repeat(2, 2)
        mask_img = nib.Nifti1Image(fine.astype("u1"), finer)
    sbc = spheres_on(simulated, mask_img)
    members = [sphere(simulated, seed, 12) for seed in simulated.seeds]
    in_mask = [mask[m].mean() for m in members]
    assert min(in_mask) < 0.5 < max(in_mask)
    report = sbc.fit(simulated.run).seed_report_
    assert report["in_mask"].tolist() == in_mask
    varies = simulated.img.get_fdata().std(axis=-1) > 0
    assert report["coverage"].tolist() == [varies[m].mean() for m in members]
    assert report["n_voxels"].tolist() == [m.sum() for m in members]


@RESAMPLED
def test_brain_mask_that_is_smaller_than_the_image(simulated):
    # Voxels of seeds beyond the mask's own grid lie outside of it.
    first = simulated.mask_img.slicer[:10]
    mask = labels_of(simulated.mask_img) != 0
    mask[10:] = False
    report = spheres_on(simulated, first).fit(simulated.run).seed_report_
    members = [sphere(simulated, seed, 12) for seed in simulated.seeds]
    assert report["in_mask"].tolist() == [mask[m].mean() for m in members]


def test_vertices_within_the_mask_of_a_surface(surface):
    seed = SurfaceLabelsMasker(surface.labels_img)
    brain = SurfaceMasker(surface.mask_img)
    report = SeedCorrelationMap(seed, brain).fit(surface.run).seed_report_
    labels, mask = labels_of(surface.labels_img), labels_of(surface.mask_img)
    expected = [mask[labels == i].mean() for i in (1, 2)]
    assert 0.5 < min(expected) < max(expected) < 1
    assert report["in_mask"].tolist() == expected
    assert report["coverage"].tolist() == [1, 1]


def test_brain_without_a_mask_holds_all(simulated):
    seed = NiftiSpheresMasker(simulated.seeds, 12, allow_overlap=True, detrend=True)
    brain = NiftiLabelsMasker(simulated.labels_img, detrend=True)
    sbc = SeedCorrelationMap(seed, brain).fit(simulated.run)
    assert sbc.seed_report_["in_mask"].tolist() == [1] * len(simulated.seeds)


@pytest.mark.parametrize("kind", [NiftiSpheresMasker, SphereSeeds, "labels"])
def test_seed_that_lies_in_no_voxel_of_the_brain(simulated, nilearn_r, kind):
    # A target mask is of daily use, and nothing is said of it.
    half = np.indices(simulated.mask_img.shape)[0] > 9
    half &= labels_of(simulated.mask_img) != 0
    options = {"detrend": True, "t_r": simulated.t_r}
    brain = NiftiMasker(image_like(simulated.img, half), **options)
    place, members = (-12, 0, 0), sphere(simulated, (-12, 0, 0), 6)
    assert not half[members].any()
    seed = NiftiLabelsMasker(image_like(simulated.img, members), **options)
    expected = nilearn_r(seed, brain, simulated.run)
    if kind == "labels":
        sbc = SeedCorrelationMap(seed, brain).fit(simulated.run)
    else:
        own = {} if kind is SphereSeeds else options
        sbc = SeedCorrelationMap(kind([place], 6, **own), brain).fit(simulated.run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=2e-6)
    assert sbc.seed_report_["in_mask"].tolist() == [0]
    assert sbc.seed_report_["coverage"].tolist() == [1]
    z = sbc.transform([simulated.run])
    np.testing.assert_allclose(np.tanh(z), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("bad", [1000.1, 0.0, np.nan, np.inf])
@pytest.mark.parametrize("path", ["streamed", "compiled"])
def test_voxels_without_signal_are_not_covered(sample_box, bad, path):
    # They are in no pair, have no tSNR, and are left out of both.
    members = np.argwhere(sphere(sample_box, sample_box.seeds[0], RADIUS))
    data = sample_box.img.get_fdata().copy()
    for place in members[:4]:
        once = slice(None) if np.isfinite(bad) else 17
        data[(*place, once)] = bad
    seed = NiftiSpheresMasker(sample_box.seeds[:1], RADIUS, detrend=True)
    sbc = SeedCorrelationMap(seed, brain_of_all(sample_box.img, path, detrend=True))
    good = np.zeros(data.shape[:3], bool)
    good[tuple(members[4:].T)] = True
    raw = sample_box.img.get_fdata()[good].T
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of voxels of the brain
        report = sbc.fit(nib.Nifti1Image(data, sample_box.img.affine)).seed_report_
    row = report.iloc[0]
    assert row["n_voxels"] == len(members)
    assert row["coverage"] == 1 - 4 / len(members)
    time = np.vander(np.arange(200.0), 2)
    left = raw - time @ np.linalg.lstsq(time, raw, rcond=None)[0]
    pairs = np.corrcoef(left, rowvar=False)[np.triu_indices(raw.shape[1], 1)]
    tsnr = (raw.mean(axis=0) / raw.std(axis=0, ddof=1)).mean()
    np.testing.assert_allclose(
        row[["homogeneity", "homogeneity_sd", "tsnr"]].astype(float),
        [pairs.mean(), pairs.std(), tsnr],
        rtol=1e-6,
    )


def test_voxels_of_which_cleaning_leaves_nothing(sample_box):
    data = sample_box.img.get_fdata().copy()
    members = np.argwhere(sphere(sample_box, sample_box.seeds[0], RADIUS))
    data[tuple(members[0])] = 500 + 3.0 * np.arange(200)
    seed = NiftiSpheresMasker(sample_box.seeds[:1], RADIUS, detrend=True)
    sbc = SeedCorrelationMap(seed, brain_of_all(sample_box.img, detrend=True))
    with pytest.warns(UserWarning, match="some voxels have no signal"):
        sbc.fit(nib.Nifti1Image(data, sample_box.img.affine))
    assert sbc.seed_report_["coverage"].tolist() == [1 - 1 / len(members)]


# Under half, and none


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three simulated runs of 300 voxels in files, with confounds."""
    folder = tmp_path_factory.mktemp("runs")
    return make_runs(3, 60, 300, directory=folder, random_state=0)


@pytest.fixture(scope="module")
def faint(runs):
    """The same runs, in each of which two thirds of the first seed are constant."""
    members = sphere(runs, runs.seeds[0], 8)
    members &= np.indices(members.shape)[1] <= 3
    images = [without_signal(run.img, members) for run in runs.runs]
    return [
        Run(img, run.confounds, t_r=run.t_r)
        for img, run in zip(images, runs.runs, strict=True)
    ]


@pytest.fixture
def make(runs):
    """The function ``(**parameters) -> estimator`` of three seeds."""

    def make(**parameters):
        return spheres_on(runs, runs.mask_img, 8).set_params(**parameters)

    return make


def without_signal(img, voxels):
    """Return a run's image in memory with some voxels constant."""
    data = nib.load(img).get_fdata()
    data[voxels] = 7.0
    return nib.Nifti1Image(data, nib.load(img).affine)


@pytest.mark.filterwarnings("ignore:.*voxels have no signal")
def test_under_half_is_warned_of_by_run_and_seed(runs, faint, make, tmp_path):
    path = tmp_path / "faint.nii.gz"
    nib.save(faint[0].img, path)
    faint = [Run(path, faint[0].confounds, t_r=faint[0].t_r), *faint[1:]]
    sbc = make()
    with pytest.warns(UserWarning, match="less than half") as caught:
        sbc.fit(faint)
    caught = [own for own in caught if "less than half" in str(own.message)]
    coverage = sbc.seed_report_["coverage"].iloc[0]
    assert 0 < coverage < 0.5
    name = sbc.seed_names_[0]
    told = [f"run {str(path)!r}", "run 1", "run 2"]
    for run, warning in zip(told, caught, strict=True):
        assert str(warning.message) == (
            f"{run}: less than half of the voxels of seed {name!r} have a signal. Move "
            "them, make them smaller, or look at seed_report_."
        )
        assert warning.filename == __file__
    assert sbc.seed_report_["run"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    with pytest.warns(UserWarning, match=words("run 0", "less than half", name)):
        sbc.transform(faint[1])


@pytest.mark.filterwarnings("ignore:.* voxels have no signal")
def test_half_is_enough(simulated):
    # A region of two halves, of which one is constant.
    atlas, data = np.zeros(simulated.img.shape[:3]), simulated.img.get_fdata().copy()
    atlas[4:8, 5:9, 5:9] = 1
    data[4:6, 5:9, 5:9] = 7.0
    seed = RegionSeeds(image_like(simulated.img, atlas))
    brain = NiftiMasker(simulated.mask_img, detrend=True)
    sbc = SeedCorrelationMap(seed, brain)
    report = sbc.fit(nib.Nifti1Image(data, simulated.img.affine)).seed_report_
    assert report["coverage"].tolist() == [0.5]


@pytest.mark.parametrize("kind", [NiftiSpheresMasker, SphereSeeds])
def test_mask_that_leaves_out_a_centre_takes_coverage(simulated, kind):
    beside = np.indices(simulated.mask_img.shape)[0] > 6
    mask_img = image_like(simulated.img, beside)
    inside, outside = ((x, 0, 0) for x in (8, -5))
    masker = kind([inside, outside], radius=8, mask_img=mask_img, allow_overlap=True)
    sbc = SeedCorrelationMap(masker, NiftiMasker(simulated.mask_img))
    with pytest.warns(UserWarning, match="of seed '.-5, 0, 0.' have a signal"):
        report = sbc.fit(simulated.run).seed_report_
    whole = sphere(simulated, outside, 8)
    part = (whole & beside).sum()
    assert report["n_voxels"].iloc[1] == part
    assert report["coverage"].tolist() == [1, part / whole.sum()]


@pytest.mark.filterwarnings("ignore:.*voxels have no signal")
def test_not_more_than_five_seeds_are_named(simulated):
    data = simulated.img.get_fdata().copy()
    data[:, 6:] = 7.0
    edge = [(x, -12, z) for x in (-8, 0, 8) for z in (-8, 0, 8)]
    seed = NiftiSpheresMasker(edge, 7, allow_overlap=True, detrend=True)
    brain = NiftiMasker(simulated.mask_img, detrend=True)
    expected = r"of seeds '\(-8, -12, -8\)', .*, '\(0, -12, 0\)' and more have a signal"
    with pytest.warns(UserWarning, match=expected):
        sbc = SeedCorrelationMap(seed, brain).fit(
            nib.Nifti1Image(data, simulated.img.affine)
        )
    assert (sbc.seed_report_["coverage"] < 0.5).all()


def test_many_seeds_are_not_each_named_for_each(runs, monkeypatch):
    named = []
    monkeypatch.setattr(
        _nilearn_own, "coordinates", lambda mm: named.append(mm) or "here"
    )
    seeds = NiftiSpheresMasker([runs.seeds[0]] * 50, radius=RADIUS, allow_overlap=True)
    SeedCorrelationMap(seeds, NiftiMasker(runs.mask_img)).fit(runs.runs[0])
    assert len(named) <= 4 * 50


@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_none_in_the_second_run_alone(runs, make, method):
    sbc = make().fit(runs.runs[0])
    img = without_signal(runs.runs[1].img, sphere(runs, runs.seeds[0], 8))
    second = Run(img, runs.runs[1].confounds, t_r=2.0)
    name = sbc.seed_names_[0]
    expected = words("run 1: ", f"seed {name!r} of seed_masker has no signal", "Move")
    with pytest.raises(ValueError, match=expected):
        getattr(sbc, method)([runs.runs[0], second])


def test_seeds_of_no_signal_at_all_are_named(runs, make):
    img = without_signal(runs.runs[0].img, sphere(runs, runs.seeds[1], 8))
    name = make().fit(runs.runs[0]).seed_names_[1]
    expected = words(f"run 0: seed {name!r} of seed_masker has no signal")
    with pytest.raises(ValueError, match=expected):
        make().fit(img)


@pytest.mark.filterwarnings("ignore:.*voxels have no signal")
def test_warning_comes_from_a_cache_too(faint, make, tmp_path):
    sbc = make(memory=tmp_path)
    for _ in range(2):
        with pytest.warns(UserWarning, match="less than half"):
            sbc.fit(faint[0])


# The same however it is computed


def test_several_runs_have_their_own_rows(runs, make):
    report = make().fit(runs.runs).seed_report_
    single = [make().fit(run).seed_report_ for run in runs.runs]
    pd.testing.assert_frame_equal(
        report.drop(columns="run"),
        pd.concat(single, ignore_index=True).drop(columns="run"),
    )
    assert report["homogeneity"].nunique() == 9


def test_jobs_play_no_part(runs, make):
    report = make().fit(runs.runs).seed_report_
    with joblib.parallel_config("threading"):
        parallel = make(n_jobs=2).fit(runs.runs).seed_report_
    pd.testing.assert_frame_equal(parallel, report)


@pytest.mark.parametrize("level", [1, 2])
def test_cache_plays_no_part(runs, make, tmp_path, level):
    report = make().fit(runs.runs).seed_report_
    cached = make(memory=tmp_path, memory_level=level)
    for _ in range(2):
        pd.testing.assert_frame_equal(cached.fit(runs.runs).seed_report_, report)


def test_seed_signals_in_a_cache_leave_the_report_whole(runs, make, tmp_path):
    # They are seeds without a brain, under the key of the same seeds with one.
    sbc = make(memory=tmp_path).fit(runs.runs[0])
    sbc.seed_signals(runs.runs[1])
    report = sbc.fit(runs.runs[1]).seed_report_
    expected = make().fit(runs.runs[1]).seed_report_
    pd.testing.assert_frame_equal(report, expected)


@pytest.mark.parametrize("level", [1, 2])
def test_seeds_in_a_cache_are_looked_at_with_another_brain(runs, make, tmp_path, level):
    cached = {"memory": tmp_path, "memory_level": level}
    make(**cached).fit(runs.runs[0])
    mask = np.asarray(runs.mask_img.dataobj)
    mask = mask * (np.indices(mask.shape)[1] > 3)
    behind = {"brain_masker__mask_img": image_like(runs.mask_img, mask)}
    report = make(**cached, **behind).fit(runs.runs[0]).seed_report_
    plain = make(**behind).fit(runs.runs[0]).seed_report_
    assert 0 < report["in_mask"].iloc[0] < 0.5
    pd.testing.assert_frame_equal(report, plain)


@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_size_of_chunks_plays_no_part(runs, make, monkeypatch, fwhm):
    sbc = make(seed_masker__smoothing_fwhm=fwhm)
    report = sbc.fit(runs.runs[0]).seed_report_
    monkeypatch.setattr(_seeds, "CHUNK_SIZE", 200)
    other = clone(sbc).fit(runs.runs[0])
    pd.testing.assert_frame_equal(other.seed_report_, report)
    np.testing.assert_allclose(
        other.correlations_, sbc.correlations_, rtol=0, atol=2e-7
    )


@pytest.mark.parametrize(
    "parameters", [{"seed_summary": "pca"}, {"measure": "partial"}, {"n_jobs": 1}]
)
def test_what_is_done_with_seeds_plays_no_part(runs, make, parameters):
    report = make().fit(runs.runs[0]).seed_report_
    other = make(**parameters).fit(runs.runs[0]).seed_report_
    # Degrees of freedom are those of the signals in the end.
    both = [own.drop(columns="effective_dof") for own in (other, report)]
    pd.testing.assert_frame_equal(*both)


def test_through_a_pipeline(runs, make):
    pipeline = Pipeline([("map", make())]).set_params(map__seed_masker__radius=6)
    report = pipeline.fit(runs.runs)["map"].seed_report_
    sizes = [sphere(runs, seed, 6).sum() for seed in runs.seeds]
    assert report["n_voxels"].tolist() == sizes * 3


# Arrays alone


@pytest.mark.parametrize(("n_components", "n"), [(30, 8), (8, 30), (5, 2)])
def test_homogeneity_is_that_of_all_pairs(n_components, n):
    rng = np.random.default_rng(0)
    coordinates = rng.standard_normal((n_components, n)) + rng.standard_normal(
        (n_components, 1)
    )
    norms = np.linalg.norm(coordinates, axis=0)
    cosines = (coordinates / norms).T @ (coordinates / norms)
    pairs = cosines[np.triu_indices(n, 1)]
    found = _seeds._homogeneity(coordinates.astype(np.float32), norms)
    np.testing.assert_allclose(found, (pairs.mean(), pairs.std()), atol=1e-7)


def test_homogeneity_of_copies_is_1():
    coordinates = np.outer(np.arange(1, 9), [1, 2, 5.0]).astype(np.float32)
    norms = np.linalg.norm(coordinates.astype(float), axis=0)
    mean, deviation = _seeds._homogeneity(coordinates, norms)
    np.testing.assert_allclose((mean, deviation), (1, 0), atol=1e-6)


@pytest.mark.parametrize("n", [0, 1])
def test_homogeneity_needs_two(n):
    found = _seeds._homogeneity(np.ones((5, n), np.float32), np.ones(n))
    assert np.isnan(found).all()
