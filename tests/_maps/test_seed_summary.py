"""`seed_summary`: from the voxels of a seed to one signal, against numpy."""

import pickle
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from helpers import OwnSpheres, every_pair, image_like, make_sbc, sphere, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._arrays.correlation import CleanedSignals
from sbc_estimators._arrays.spatial import mean_map
from sbc_estimators._maps import seeds as _seeds
from sbc_estimators._signals.reading import SeedSignals
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds

OTHERS = ["median", "pca", "standardized_mean"]
SUMMARIES = ["mean", *OTHERS]
TOLERANCE = 2e-6
CENSORED = np.delete(np.arange(200), [3, 4, 50])
CLEANINGS = {
    "none": {},
    "band": {"detrend": True, "low_pass": 0.1, "high_pass": 0.01},
    "cosine": {"high_pass": 0.01, "clean_args": {"filter": "cosine"}},
}


# What numpy says


def summarise(signals, summary):
    """Return one signal of those of voxels `(n_scans, n_voxels)`, in plain numpy."""
    signals = signals - signals.mean(axis=0)
    if summary == "mean":
        return signals.mean(axis=1)
    if summary == "median":
        return np.median(signals, axis=1)
    if summary == "standardized_mean":
        return (signals / signals.std(axis=0)).mean(axis=1)
    left, scales, _ = np.linalg.svd(signals, full_matrices=False)
    component = left[:, 0] * scales[0]
    return component * np.sign(component @ signals.mean(axis=1))


def expected_r(nilearn_signals, run, members, summary, brain, fwhm=None, **cleaning):
    """Return r of summaries of nilearn's signals of voxels, `(n_seeds, n_voxels)`."""
    voxelwise = SurfaceMasker if hasattr(run.img, "mesh") else NiftiMasker
    inside = np.any(members, axis=0)
    masker = voxelwise(image_like(run.img, inside), **cleaning)
    signals = nilearn_signals(masker.set_params(smoothing_fwhm=fwhm), run)
    series = [summarise(signals[:, which[inside]], summary) for which in members]
    voxels = nilearn_signals(brain, run)
    r = np.corrcoef(np.transpose(series), voxels, rowvar=False)
    return r[: len(series), len(series) :]


def assert_r(sbc, expected):
    """Compare r."""
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


# In volumes, streamed and compiled


SETTINGS = {
    "raw": ("none", None, False, None),
    "confounds": ("band", None, True, None),
    "smoothed": ("band", 6.0, False, None),
    "censored": ("cosine", None, True, CENSORED),
}


@pytest.mark.parametrize(
    ("setting", "path", "summary"),
    every_pair(SETTINGS, ["streamed", "compiled"], SUMMARIES),
)
def test_spheres_that_overlap(sample_box, nilearn_signals, setting, path, summary):
    cleaning, fwhm, with_confounds, sample_mask = SETTINGS[setting]
    cleaning = {**CLEANINGS[cleaning], "t_r": sample_box.t_r}
    confounds = sample_box.confounds if with_confounds else None
    run = Run(sample_box.img, confounds, sample_mask)
    places = [(0, -52, 18), (4, -50, 20), (21.4, -63.2, 12.9)]
    seed = NiftiSpheresMasker(
        places, 9, smoothing_fwhm=fwhm, allow_overlap=True, **cleaning
    )
    brain = NiftiMasker(sample_box.mask_img, **cleaning)
    if path == "compiled":  # the seeds are in memory, too
        brain = NiftiLabelsMasker(sample_box.labels_img, strategy="median", **cleaning)
    sbc = SeedCorrelationMap(seed, brain, seed_summary=summary).fit(run)
    assert sbc.paths_["brain_masker"].startswith(path)
    members = [sphere(sample_box, place, 9) for place in places]
    expected = expected_r(
        nilearn_signals, run, members, summary, brain, fwhm, **cleaning
    )
    assert_r(sbc, expected)


@pytest.mark.parametrize("summary", OTHERS)
@pytest.mark.parametrize("kind", ["labels", "SphereSeeds", "RegionSeeds"])
def test_other_seeds(sample_box, nilearn_signals, kind, summary):
    labels = np.asarray(sample_box.labels_img.dataobj)
    seed, members = {
        "labels": (
            NiftiLabelsMasker(sample_box.labels_img),
            [labels == label for label in (1, 2, 3, 4)],
        ),
        "SphereSeeds": (
            SphereSeeds([(0, -52, 18), (0, -52, 20)], [6, 10], allow_overlap=True),
            [sphere(sample_box, (0, -52, 18), 6), sphere(sample_box, (0, -52, 20), 10)],
        ),
        "RegionSeeds": (
            RegionSeeds(sample_box.labels_img, [3, 1]),
            [labels == 3, labels == 1],
        ),
    }[kind]
    cleaning = {**CLEANINGS["band"], "t_r": sample_box.t_r}
    brain = NiftiMasker(sample_box.mask_img, smoothing_fwhm=6, **cleaning)
    seed = clone(seed).set_params(**(cleaning if kind == "labels" else {}))
    sbc = SeedCorrelationMap(seed, brain, seed_summary=summary).fit(sample_box.run)
    expected = expected_r(
        nilearn_signals, sample_box.run, members, summary, brain, **cleaning
    )
    assert_r(sbc, expected)


@pytest.mark.parametrize("summary", OTHERS)
def test_surface_labels(surface, nilearn_signals, summary):
    labels = np.concatenate(list(surface.labels_img.data.parts.values()))
    cleaning = {**CLEANINGS["band"], "t_r": surface.t_r}
    run = Run(surface.img, surface.confounds)
    seed = SurfaceLabelsMasker(surface.labels_img, **cleaning)
    brain = SurfaceMasker(surface.mask_img, **cleaning)
    sbc = SeedCorrelationMap(seed, brain, seed_summary=summary).fit(run)
    members = [labels == 1, labels == 2]
    assert_r(sbc, expected_r(nilearn_signals, run, members, summary, brain, **cleaning))


@pytest.mark.parametrize("summary", SUMMARIES)
def test_cleaned_otherwise_than_the_brain(sample_box, nilearn_signals, summary):
    run = Run(sample_box.img, t_r=sample_box.t_r)
    seed = NiftiSpheresMasker(sample_box.seeds[:1], 9, **CLEANINGS["band"])
    brain = NiftiMasker(sample_box.mask_img, detrend=True)
    with pytest.warns(UserWarning, match="clean differently"):
        sbc = SeedCorrelationMap(seed, brain, seed_summary=summary).fit(run)
    members = [sphere(sample_box, sample_box.seeds[0], 9)]
    cleaning = CLEANINGS["band"]
    assert_r(sbc, expected_r(nilearn_signals, run, members, summary, brain, **cleaning))


@pytest.mark.parametrize("summary", SUMMARIES)
def test_single_voxels_have_one_summary(sample_box, summary):
    seed = NiftiSpheresMasker(sample_box.seeds, radius=None, detrend=True)
    brain = NiftiMasker(sample_box.mask_img, detrend=True)
    plain = SeedCorrelationMap(seed, brain).fit(sample_box.run)
    sbc = SeedCorrelationMap(seed, brain, seed_summary=summary).fit(sample_box.run)
    np.testing.assert_allclose(sbc.correlations_, plain.correlations_, atol=3e-7)


@pytest.mark.parametrize("summary", SUMMARIES)
def test_seed_signals_are_those_that_are_correlated(
    sample_box, nilearn_signals, summary
):
    cleaning = {**CLEANINGS["band"], "t_r": sample_box.t_r}
    run = Run(sample_box.img, sample_box.confounds)
    seed = NiftiSpheresMasker(sample_box.seeds, 9, **cleaning)
    brain = NiftiMasker(sample_box.mask_img, **cleaning)
    sbc = SeedCorrelationMap(seed, brain, seed_summary=summary).fit(run)
    members = sphere(sample_box, sample_box.seeds[0], 9)
    masker = NiftiMasker(image_like(sample_box.img, members), **cleaning)
    expected = summarise(nilearn_signals(masker, run), summary)
    signals = sbc.seed_signals(run)
    expected /= expected.std(ddof=1)
    np.testing.assert_allclose(signals[:, 0], expected - expected.mean(), atol=1e-5)
    np.testing.assert_allclose(signals.std(axis=0, ddof=1), 1)
    # And r of them is that of the map.
    voxels = nilearn_signals(brain, run)
    r = np.corrcoef(signals, voxels, rowvar=False)[:3, 3:]
    np.testing.assert_allclose(sbc.correlations_, r, rtol=0, atol=TOLERANCE)


# What summaries are for


def of_two_kinds(n_scans=80, n_minus=4, noise=0.1):
    """Return a run of 3 x 3 x 3 voxels, some of which follow a course upside down."""
    rng = np.random.default_rng(0)
    course = rng.standard_normal(n_scans)
    signs = np.where(np.arange(27) < n_minus, -1, 1)[:, np.newaxis]
    signals = 100 + signs * course + noise * rng.standard_normal((27, n_scans))
    return signals.reshape(3, 3, 3, n_scans), course


def seed_of_all(data, summary):
    """Return the summary of all voxels of a small run, and its r with each of them."""
    mask_img = nib.Nifti1Image(np.ones((3, 3, 3), "u1"), np.eye(4))
    sbc = SeedCorrelationMap(RegionSeeds(mask_img), seed_summary=summary)
    sbc.set_params(brain_masker=SphereSeeds([(1, 1, 1)], 5))
    run = nib.Nifti1Image(data, np.eye(4))
    return sbc.fit(run).seed_signals(run)[:, 0]


@pytest.mark.parametrize("n_minus", [4, 17, 26])
def test_sign_of_the_component_is_that_of_the_mean(n_minus):
    data, course = of_two_kinds(n_minus=n_minus)
    component, mean = (seed_of_all(data, name) for name in ("pca", "mean"))
    assert component @ mean > 0
    expected = np.sign(13.5 - n_minus) * course
    assert np.corrcoef(component, expected)[0, 1] > 0.99


def test_sign_does_not_depend_on_the_order_of_voxels():
    data, _ = of_two_kinds(n_minus=12, noise=1.0)
    component = seed_of_all(data, "pca")
    for flip in [(0,), (1,), (0, 1, 2)]:
        np.testing.assert_allclose(
            seed_of_all(np.flip(data, flip), "pca"), component, atol=1e-5
        )
    np.testing.assert_allclose(seed_of_all(-data, "pca"), -component, atol=1e-5)


def test_median_is_not_moved_by_a_few_loud_voxels():
    data, course = of_two_kinds(n_minus=0, noise=1.0)
    rng = np.random.default_rng(1)
    data[0, 0, :] += 50 * rng.standard_normal(80)
    r = {name: np.corrcoef(seed_of_all(data, name), course)[0, 1] for name in SUMMARIES}
    assert r["median"] > 0.9 > 0.5 > r["mean"]
    assert r["standardized_mean"] > 0.9
    assert r["pca"] < 0.3


def test_scale_of_a_voxel_plays_no_part_once_standardized():
    data, _ = of_two_kinds(noise=1.0)
    signal = seed_of_all(data, "standardized_mean")
    scales = np.random.default_rng(2).uniform(0.01, 100, (3, 3, 3, 1))
    scaled = seed_of_all(data * scales - 70, "standardized_mean")
    np.testing.assert_allclose(scaled, signal, atol=1e-5)


@pytest.mark.parametrize("bad", [3.3, np.nan])
@pytest.mark.parametrize("summary", OTHERS)
def test_voxels_without_signal_are_left_out(summary, bad):
    data, _ = of_two_kinds(noise=1.0)
    expected = summarise(data.reshape(27, 80)[13:].T, summary)
    data.reshape(27, 80)[:13, slice(None) if np.isfinite(bad) else 7] = bad
    signal = seed_of_all(data, summary)
    np.testing.assert_allclose(np.corrcoef(signal, expected)[0, 1], 1, atol=1e-6)


@pytest.mark.parametrize("summary", OTHERS)
def test_nothing_is_made_of_nothing(summary):
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((9, 4)))[0]
    coordinates = rng.standard_normal((4, 3)).astype(np.float32)
    members = CleanedSignals(coordinates, np.array([1.0, 1.0, 0.0]), basis)
    signals = SeedSignals(
        operator=SimpleNamespace(basis=basis),
        spatial=mean_map([np.array([0, 1]), np.array([2])]),
        members=members,
    )
    found = _seeds.summarised(signals, summary)
    assert found.norms[0] > 0
    np.testing.assert_array_equal(found.series()[:, 1], np.zeros(9))


# scikit-learn's contract


@pytest.fixture(scope="module")
def data():
    """Four simulated runs of two groups."""
    return make_runs(4, 60, 300, group_effect=1, random_state=0)


@pytest.fixture
def make(data):
    """The function ``(summary, **parameters) -> estimator`` of all seeds."""

    def make(summary="pca", **parameters):
        spheres = {"allow_overlap": True}
        parameters["seed_summary"] = summary
        return make_sbc(data, data.seeds, spheres=spheres, **parameters)

    return make


def test_grid_over_summaries(data, make):
    pipeline = Pipeline([("map", make()), ("classify", LogisticRegression())])
    search = GridSearchCV(pipeline, {"map__seed_summary": SUMMARIES}, cv=2)
    search.fit(data.runs, data.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_["map"]
    assert best.seed_summary_ == search.best_params_["map__seed_summary"]


def test_summaries_differ(data, make):
    maps = [make(summary).fit(data.runs).correlations_ for summary in SUMMARIES]
    for i, one in enumerate(maps):
        for other in maps[:i]:
            assert np.abs(one - other).max() > 1e-3


def test_several_runs(data, make):
    z = make().fit_transform(data.runs)
    single = [make().fit(run).correlations_ for run in data.runs]
    np.testing.assert_allclose(z, np.arctanh(single).reshape(4, -1), atol=1e-6)


@pytest.mark.parametrize("summary", OTHERS)
def test_cloned_and_pickled(data, make, summary):
    sbc = make(summary)
    assert clone(sbc).seed_summary == summary
    assert f"seed_summary='{summary}'" in repr(sbc)
    z = sbc.fit_transform(data.runs)
    copied = pickle.loads(pickle.dumps(sbc))
    assert copied.seed_summary_ == summary
    np.testing.assert_array_equal(copied.transform(data.runs), z)


def test_summary_of_fit_holds_in_transform(data, make):
    sbc = make("mean").fit(data.runs)
    z = sbc.transform(data.runs)
    sbc.set_params(seed_summary="median")
    np.testing.assert_array_equal(sbc.transform(data.runs), z)
    found = sbc.fit(data.runs).transform(data.runs)
    np.testing.assert_array_equal(found, make("median").fit_transform(data.runs))


@pytest.mark.parametrize("summary", ["mean", "pca"])
def test_cache_plays_no_part(data, make, tmp_path, summary):
    make("mean", memory=tmp_path).fit(data.runs)
    cached = make(summary, memory=tmp_path).fit_transform(data.runs)
    np.testing.assert_array_equal(cached, make(summary).fit_transform(data.runs))


def test_partial_maps_of_summaries(data, make, nilearn_signals):
    run = data.runs[0]
    sbc = make("median", measure="partial").fit(run)
    seeds = sbc.seed_signals(run)
    voxels = nilearn_signals(sbc.brain_masker, run)
    others = np.linalg.qr(seeds[:, 1:])[0]
    left = voxels - voxels.mean(axis=0)
    left -= others @ (others.T @ left)
    own = seeds[:, 0] - others @ (others.T @ seeds[:, 0])
    r = np.corrcoef(own, left, rowvar=False)[0, 1:]
    np.testing.assert_allclose(sbc.correlations_[0], r, rtol=0, atol=TOLERANCE)


# Errors


@pytest.mark.parametrize(
    "summary", ["Mean", "average", None, 1, ["mean"], np.array(["mean"])]
)
def test_unknown_summary(make, tmp_path, summary):
    # Before anything is read: there is no such file.
    expected = words(
        "seed_summary must be 'mean', 'median', 'pca' or 'standardized_mean'",
        f"got {summary!r}",
    )
    with pytest.raises(ValueError, match=expected):
        make(summary).fit(tmp_path / "absent.nii.gz")


UNFIT = {
    "maps": (lambda d: NiftiMapsMasker(d.maps_img), "have different weights"),
    "given": (lambda d: GivenSignals(), "are not known"),
    "reference": (lambda d: OwnSpheres(d.seeds, 8, standardize=None), "not known"),
    "strategy": (
        lambda d: NiftiLabelsMasker(d.labels_img, strategy="median"),
        "are not known",
    ),
}


@pytest.mark.parametrize("summary", OTHERS)
@pytest.mark.parametrize("kind", UNFIT)
def test_seeds_that_are_no_regions_of_equal_weights(simulated, kind, summary):
    make_seed, reason = UNFIT[kind]
    signals = np.random.default_rng(0).standard_normal((simulated.n_scans, 2))
    run = Run(simulated.img, t_r=simulated.t_r, seed_signals=signals)
    sbc = SeedCorrelationMap(make_seed(simulated), NiftiMasker(simulated.mask_img))
    sbc.set_params(seed_summary=summary)
    expected = words("run 0", f"seed_summary={summary!r}", reason, 'Use seed_summary="')
    with pytest.raises(ValueError, match=expected):
        sbc.fit(run)
    sbc.set_params(seed_summary="mean").fit(run)


@pytest.mark.filterwarnings("ignore:Resampling images at transform time")
def test_labels_on_another_grid(sample_box):
    # nilearn's masker resamples them by itself; ours knows its voxels on any grid.
    other = sample_box.labels_img.affine.copy()
    other[:3, 3] += 0.4
    labels_img = nib.Nifti1Image(np.asarray(sample_box.labels_img.dataobj), other)
    brain = NiftiMasker(sample_box.mask_img, detrend=True)
    labels = NiftiLabelsMasker(labels_img, detrend=True, resampling_target="labels")
    sbc = SeedCorrelationMap(labels, brain, seed_summary="median")
    with pytest.raises(ValueError, match=words("run 0", "voxels", "not known")):
        sbc.fit(sample_box.run)
    ours = RegionSeeds(labels_img)
    found = sbc.set_params(seed_masker=ours).fit(sample_box.run).correlations_
    straight = RegionSeeds(sample_box.labels_img)
    expected = sbc.set_params(seed_masker=straight).fit(sample_box.run).correlations_
    np.testing.assert_array_equal(found, expected)
