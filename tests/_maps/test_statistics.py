"""Scales of maps and their statistics, of all that an estimator can be made of.

How degrees of freedom and variances come of signals `_arrays/` tests, here once more by
hand, from what nilearn makes of the scans.
"""

import warnings

import joblib
import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)
from nilearn.signal import clean
from scipy.stats import norm, t
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from helpers import OwnSpheres, OwnVoxels, in_turn, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._arrays.dimensions import in_bands
from sbc_estimators._images.grids import NotLinearError
from sbc_estimators._signals.nilearn_own import Nilearn
from sbc_estimators.datasets import load_sample_run, make_runs
from sbc_estimators.maskers import GivenSignals, SphereSeeds, SurfaceSeeds

pytestmark = pytest.mark.usefixtures("any_dof")

BAND = {"detrend": True, "high_pass": 0.01, "low_pass": 0.1}
SEEDS = [(0, -12, 0), (-8, 12, 0), (8, 8, 4)]
MEASURES = ("correlation", "semipartial", "partial")
ARRAYS = ("effect", "variance", "dof", "z_score")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three runs in files, one censored, and one with another repetition time."""
    folder = tmp_path_factory.mktemp("runs")
    data = make_runs(3, 90, 400, n_confounds=3, directory=folder, random_state=0)
    _, two, three = data.runs
    kept = np.delete(np.arange(90), [0, 1, 20, 21, 22, 50])
    data.runs[1] = Run(two.img, two.confounds, kept, t_r=2.0)
    data.runs[2] = Run(three.img, three.confounds, t_r=1.3)
    return data


@pytest.fixture
def make(data):
    """The function ``(n_seeds, **parameters) -> estimator``, voxels not smoothed."""

    def made(n_seeds=2, **parameters):
        seed = SphereSeeds(SEEDS[:n_seeds], radius=6)
        brain = NiftiMasker(data.mask_img, **BAND)
        return SeedCorrelationMap(seed, brain).set_params(**parameters)

    return made


def assert_like(found, expected, rtol=2e-4):
    """Check that two statistics agree, but for rounding in float32."""
    assert found.keys() == expected.keys() == {*ARRAYS, "weight"}
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=rtol, atol=1e-5)


# By hand


def cleaning_of(run, cleaning=BAND):
    """Return basis, projection and bands of what nilearn's cleaning leaves of a run."""
    n_scans = len(run.confounds)
    kept = np.arange(n_scans) if run.sample_mask is None else run.sample_mask
    matrix = clean(
        np.eye(n_scans),
        confounds=np.asarray(run.confounds),
        sample_mask=run.sample_mask,
        standardize=None,
        t_r=run.t_r,
        **cleaning,
    )
    # From raw scans that are kept: what is censored has no say.
    matrix = (matrix - matrix.mean(axis=0))[:, kept]
    left, gains, right = np.linalg.svd(matrix, full_matrices=False)
    is_left = gains > 1e-5
    projection = gains[is_left, np.newaxis] * right[is_left]
    return in_bands(left[:, is_left], projection, kept)


def signals_of(data, run, n_seeds):
    """Return raw signals of seeds and voxels at the kept scans, in float64."""
    scans = np.asarray(nib.load(run.img).dataobj, float)
    kept = slice(None) if run.sample_mask is None else run.sample_mask
    mask = np.asarray(data.mask_img.dataobj) != 0
    places = nib.affines.apply_affine(
        data.mask_img.affine, np.indices(mask.shape).reshape(3, -1).T
    )
    seeds = [
        scans.reshape(-1, scans.shape[-1])[
            np.linalg.norm(places - seed, axis=1) <= 6
        ].mean(axis=0)
        for seed in SEEDS[:n_seeds]
    ]
    return np.stack(seeds)[:, kept].T, scans[mask].T[kept]


def by_hand(seed, voxels, bands, m):
    """Return r, D and the variance of Fisher z of one seed, a loop over bands.

    `seed` and `voxels` are coordinates, `m` how many dimensions each band counts for.
    """
    u = seed / np.linalg.norm(seed)
    v = voxels / np.linalg.norm(voxels, axis=0)
    r, variance_of_r, terms = u @ v, 0.0, 0.0
    for axes, m_k in zip(bands.slices, m, strict=True):
        share = bands.expected[axes] * bands.dimensions[bands.slices.index(axes)] / m_k
        b = np.sum(v[axes] ** 2, axis=0)
        variance_of_r = variance_of_r + b * np.sum(share * u[axes] ** 2)
        a, c = np.sum(u[axes] ** 2), u[axes] @ v[axes]
        terms = (
            terms
            + (a * b + c**2 - 2 * r * c * (a + b) + r**2 / 2 * (a**2 + b**2 + 2 * c**2))
            / m_k
        )
    dof = 1 / variance_of_r
    with np.errstate(divide="ignore"):  # a seed with itself
        return r, dof, dof / (dof - 2) * terms / (1 - r**2) ** 2


@pytest.mark.parametrize("which", [0, 1, 2])
def test_by_hand(make, data, which):
    run = data.runs[which]
    _, projection, bands = cleaning_of(run)
    seeds, voxels = (projection @ own for own in signals_of(data, run, 2))
    (found,) = make().fit(run).statistics(run)
    for i, seed in enumerate(seeds.T):
        r, dof, variance = by_hand(seed, voxels, bands, bands.dimensions)
        np.testing.assert_allclose(found.effect[i], np.arctanh(r), atol=1e-4)
        np.testing.assert_allclose(found.dof[i], dof, rtol=1e-3)
        np.testing.assert_allclose(found.variance[i], variance, rtol=2e-3)
        deviates = norm.isf(t.sf(r * np.sqrt((dof - 1) / (1 - r**2)), dof - 1))
        # Wallace's approximation.
        np.testing.assert_allclose(found.z_score[i], deviates, rtol=0.01, atol=1e-4)
        np.testing.assert_allclose(found.weight[i], np.median(dof), rtol=1e-3)


def test_partial_by_hand(make, data):
    run = data.runs[0]
    _, projection, bands = cleaning_of(run)
    seeds, voxels = (projection @ own for own in signals_of(data, run, 3))
    (found,) = make(3, measure="partial").fit(run).statistics(run)
    for i in range(3):
        others, _ = np.linalg.qr(np.delete(seeds, i, axis=1))
        seed = seeds[:, i] - others @ (others.T @ seeds[:, i])
        left = voxels - others @ (others.T @ voxels)
        taken = np.sum(others**2, axis=1)
        h = np.array([np.sum(bands.expected[k] * taken[k]) for k in bands.slices])
        r, dof, variance = by_hand(seed, left, bands, bands.dimensions * (1 - h))
        np.testing.assert_allclose(found.effect[i], np.arctanh(r), atol=1e-4)
        np.testing.assert_allclose(found.dof[i], dof, rtol=2e-3)
        np.testing.assert_allclose(found.variance[i], variance, rtol=4e-3)


@pytest.mark.filterwarnings("ignore:seed_masker and brain_masker clean differently")
def test_seeds_that_are_cleaned_otherwise_by_hand(make, data):
    # The voxels' bands see a part of the seed; its norm is that of all of it.
    run = data.runs[0]
    walks = np.random.default_rng(0).standard_normal((90, 2)).cumsum(axis=0)
    run = Run(run.img, run.confounds, t_r=2.0, seed_signals=walks)
    sbc = make(
        seed_masker=GivenSignals(clean=False),
        brain_masker=NiftiMasker(data.mask_img, detrend=True),
    )
    (found,) = sbc.fit(run).statistics(run)
    basis, projection, bands = cleaning_of(run, {"detrend": True})
    _, voxels = signals_of(data, run, 2)
    voxels = projection @ voxels
    for i, seed in enumerate((walks - walks.mean(axis=0)).T):
        seen = basis.T @ seed
        part = np.sum(seen**2) / np.sum(seed**2)
        assert part < 0.97
        r, dof, _ = by_hand(seen, voxels, bands, bands.dimensions)
        np.testing.assert_allclose(np.tanh(found.effect[i]), r * part**0.5, atol=1e-5)
        np.testing.assert_allclose(found.dof[i], dof / part, rtol=1e-3)


# What there is


def test_shapes_and_kinds(make, data):
    found = make(3).fit(data.runs).statistics(data.runs)
    assert isinstance(found, list)
    assert len(found) == 3
    for own in found:
        assert own.keys() == {*ARRAYS, "weight"}
        for name in ARRAYS:
            assert own[name].shape == (3, 400)
            assert own[name].dtype == np.float32
            assert np.isfinite(own[name]).all()
        assert own.weight.shape == (3,)
        np.testing.assert_allclose(own.weight, np.median(own.dof, axis=1), rtol=1e-6)
        assert own.effect is own["effect"]
    # Each has degrees of freedom of its own.
    assert len({round(float(own.weight[0]), 3) for own in found}) == 3


def test_one_run_is_a_list_of_one(make, data):
    sbc = make().fit(data.runs)
    (one,) = sbc.statistics(data.runs[0])
    assert_like(one, sbc.statistics(data.runs)[0], rtol=0)


@pytest.mark.parametrize("measure", MEASURES)
def test_they_go_with_the_map(make, data, measure):
    sbc = make(measure=measure).fit(data.runs)
    found = sbc.statistics(data.runs)
    rows = {
        "effect": sbc.set_params(scale="fisher_z").transform(data.runs),
        "z_score": sbc.set_params(scale="z_score").transform(data.runs),
    }
    for name, z in rows.items():
        own = np.stack([one[name].ravel() for one in found])
        np.testing.assert_allclose(own, z, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_image_of_any_of_them(make, data, measure):
    sbc = make(measure=measure, scale="z_score").fit(data.runs[0])
    (found,) = sbc.statistics(data.runs[0])
    mask = np.asarray(data.mask_img.dataobj) != 0
    for name in ARRAYS:
        img = sbc.inverse_transform(found[name].ravel())
        values = np.asarray(img.dataobj)
        np.testing.assert_array_equal(values[mask].T, found[name])
        assert (values[~mask] == 0).all()
        assert img.get_data_dtype() == np.float32


def test_before_fit(make, data):
    with pytest.raises(NotFittedError):
        make().statistics(data.runs)


def test_what_runs_had_in_fit_they_need(make, data):
    sbc = make().fit(data.runs)
    with pytest.raises(ValueError, match=r"^run 0 .*every run had confounds in fit"):
        sbc.statistics(data.runs[0].img)
    (found,) = (
        make(t_r=2.0)
        .fit(data.runs[0])
        .statistics(data.runs[0].img, confounds=data.runs[0].confounds)
    )
    (expected,) = sbc.statistics(data.runs[0])
    assert_like(found, expected, rtol=0)


# Scales


@pytest.mark.parametrize("measure", MEASURES)
def test_scales(make, data, measure):
    sbc = make(measure=measure).fit(data.runs)
    r, found = np.stack([*map_of(sbc, data)]), sbc.statistics(data.runs)
    expected = {
        "fisher_z": np.arctanh(r.astype(float)),
        "r": r,
        "z_score": np.stack([own.z_score for own in found]),
    }
    for scale, values in expected.items():
        rows = [
            clone(sbc).set_params(scale=scale).fit_transform(data.runs),
            sbc.set_params(scale=scale).transform(data.runs),
        ]
        for z in rows:
            assert z.dtype == np.float32
            np.testing.assert_allclose(z, values.reshape(3, -1), rtol=2e-6, atol=2e-6)


def map_of(sbc, data):
    """Yield r of each run."""
    for run in data.runs:
        yield clone(sbc).fit(run).correlations_


def test_default_is_fisher_z(make, data):
    sbc = make()
    assert sbc.scale == "fisher_z"
    np.testing.assert_allclose(
        sbc.fit_transform(data.runs[0]).ravel(),
        np.arctanh(sbc.correlations_.ravel()),
        rtol=1e-5,
        atol=1e-6,
    )


@pytest.mark.parametrize("scale", ["fisher_z", "z_score", "r"])
def test_fit_keeps_the_mean_fisher_z(make, data, scale):
    sbc = make(scale=scale).fit(data.runs)
    mean = np.mean([np.arctanh(r.astype(float)) for r in map_of(sbc, data)], axis=0)
    np.testing.assert_allclose(sbc.correlations_, np.tanh(mean), atol=1e-6)
    assert_same_reports(sbc, make().fit(data.runs))


def assert_same_reports(sbc, expected):
    """Check that two estimators tell the same."""
    assert sbc.run_report_.equals(expected.run_report_)
    assert sbc.seed_report_.equals(expected.seed_report_)


@pytest.mark.parametrize("scale", ["z", "zscore", None, 1, ["r"]])
def test_scale_that_there_is_not(make, data, scale):
    expected = words("scale", repr(scale), "'fisher_z', 'z_score' or 'r'")
    with pytest.raises(ValueError, match=expected):
        make(scale=scale).fit(data.runs[0])
    sbc = make().fit(data.runs[0]).set_params(scale=scale)
    with pytest.raises(ValueError, match=expected):
        sbc.transform(data.runs[0])


@pytest.mark.parametrize(("n_jobs", "scale"), [(2, "z_score"), (-1, "fisher_z")])
def test_jobs_play_no_part(make, data, n_jobs, scale):
    sbc = make(scale=scale)
    z, found = sbc.fit_transform(data.runs), sbc.statistics(data.runs)
    with joblib.parallel_config("threading"):
        sbc.set_params(n_jobs=n_jobs)
        np.testing.assert_array_equal(sbc.transform(data.runs), z)
        for own, expected in zip(sbc.statistics(data.runs), found, strict=True):
            assert_like(own, expected, rtol=0)


def test_signs_sizes_and_order_of_signals(make, data):
    rng, run = np.random.default_rng(0), data.runs[0]
    signals = rng.standard_normal((90, 3)).cumsum(axis=0)
    runs = [
        Run(run.img, run.confounds, t_r=2.0, seed_signals=own)
        for own in (signals, -7 * signals + 3, signals[:, ::-1])
    ]
    sbc = make(seed_masker=GivenSignals()).fit(runs)
    one, turned, others = sbc.statistics(runs)
    for name in ("effect", "z_score"):
        turned[name] = -turned[name]
    assert_like(turned, one)
    for name in others:
        others[name] = others[name][::-1]
    assert_like(others, one, rtol=1e-5)


# All ways to signals


def is_not_known(masker, grid):
    """Say that what a masker does to space is not known."""
    raise NotLinearError("the test says so")


@pytest.mark.parametrize(
    ("measure", "fwhm"),
    [("correlation", None), *((measure, 6.0) for measure in MEASURES)],
)
def test_streamed_and_compiled_agree(make, data, monkeypatch, measure, fwhm):
    run = data.runs[1]
    seed = NiftiSpheresMasker(SEEDS, radius=6, **BAND)
    sbc = make(seed_masker=seed, brain_masker__smoothing_fwhm=fwhm, measure=measure)
    (streamed,) = sbc.fit(run).statistics(run)
    z = sbc.set_params(scale="z_score").transform(run)
    monkeypatch.setattr(Nilearn, "lay", is_not_known)
    other = clone(sbc).fit(run)
    assert set(other.paths_.values()) == {"compiled: the test says so"}
    assert_like(other.statistics(run)[0], streamed, rtol=1e-3)
    np.testing.assert_allclose(other.transform(run), z, atol=1e-3)
    np.testing.assert_allclose(
        other.run_report_.effective_dof, sbc.run_report_.effective_dof, rtol=1e-4
    )


@pytest.mark.filterwarnings("ignore:.*being resampled")
def test_mask_on_another_grid(make, data):
    # The same voxels, which nilearn resamples as it does not know.
    run, mask = data.runs[0], np.asarray(data.mask_img.dataobj)
    larger = np.pad(mask, 1)
    affine = data.mask_img.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ [1, 1, 1]
    sbc = make().fit(run)
    other = make(brain_masker__mask_img=nib.Nifti1Image(larger, affine)).fit(run)
    assert other.paths_["brain_masker"].startswith("compiled")
    assert_like(other.statistics(run)[0], sbc.statistics(run)[0], rtol=2e-3)


@pytest.mark.parametrize("measure", MEASURES)
def test_from_a_cache(make, data, tmp_path, measure, readings):
    expected = make(measure=measure).fit(data.runs).statistics(data.runs)
    sbc = make(measure=measure, memory=tmp_path, memory_level=2).fit(data.runs)
    readings.clear()
    for found, own in zip(sbc.statistics(data.runs), expected, strict=True):
        for name in found:
            np.testing.assert_array_equal(found[name], own[name])
    assert readings == []


@pytest.mark.parametrize(
    ("scale", "level"), [("fisher_z", 1), ("z_score", 1), ("z_score", 2), ("r", 2)]
)
def test_rows_from_a_cache(make, data, tmp_path, scale, level):
    expected = make(scale=scale).fit_transform(data.runs)
    for _ in ("cold", "warm"):
        sbc = make(scale=scale, memory=tmp_path, memory_level=level)
        np.testing.assert_array_equal(sbc.fit_transform(data.runs), expected)
        np.testing.assert_array_equal(sbc.transform(data.runs), expected)
    assert_same_reports(sbc, make().fit(data.runs))


@pytest.mark.parametrize("measure", MEASURES)
def test_given_signals_agree_with_spheres(make, data, measure):
    run = data.runs[1]
    signals = np.zeros((90, 3))
    signals[run.sample_mask], _ = signals_of(data, run, 3)
    given = Run(run.img, run.confounds, run.sample_mask, t_r=2.0, seed_signals=signals)
    (expected,) = make(3, measure=measure).fit(run).statistics(run)
    sbc = make(seed_masker=GivenSignals(), measure=measure).fit(given)
    assert_like(sbc.statistics(given)[0], expected, rtol=2e-3)


@pytest.mark.filterwarnings("ignore:seed_masker and brain_masker clean differently")
def test_clean_signals_agree_with_those_that_are_cleaned_here(make, data):
    run = data.runs[0]
    expected = make(3).fit(run)
    signals = expected.seed_signals(run)
    given = Run(run.img, run.confounds, t_r=2.0, seed_signals=signals)
    sbc = make(seed_masker=GivenSignals(clean=False)).fit(given)
    # Another tolerance: directions that cleaning shrinks are left, and count as such.
    assert_like(sbc.statistics(given)[0], expected.statistics(run)[0], rtol=2e-2)


@pytest.mark.parametrize("n_seeds", [1, 7, 8, 40])
def test_each_seed_has_its_own(make, data, n_seeds):
    run = data.runs[0]
    mm = nib.affines.apply_affine(
        data.mask_img.affine, np.argwhere(np.asarray(data.mask_img.dataobj))
    )
    seeds = [tuple(place) for place in mm[:: 400 // n_seeds][:n_seeds].tolist()]
    sbc = make(seed_masker=SphereSeeds(seeds, radius=0))
    (found,) = sbc.fit(run).statistics(run)
    for i in sorted({0, n_seeds // 2, n_seeds - 1}):
        alone = make(seed_masker=SphereSeeds([seeds[i]], radius=0)).fit(run)
        (own,) = alone.statistics(run)
        np.testing.assert_allclose(found.weight[i], own.weight[0], rtol=1e-4)
        others = own.effect[0] < 3  # but the seed itself
        for name in ARRAYS:
            np.testing.assert_allclose(
                found[name][i, others], own[name][0, others], rtol=1e-3, atol=1e-5
            )


def test_surfaces(surface):
    seeds = SurfaceSeeds([5, 30], radius=None, hemisphere="left")
    brain = SurfaceMasker(surface.mask_img, t_r=2.0, **BAND)
    run = Run(surface.img, surface.confounds)
    sbc = SeedCorrelationMap(seeds, brain).fit(run)
    (found,) = sbc.statistics(run)
    assert found.dof.shape == (2, sbc.n_voxels_)
    series = np.concatenate([*surface.img.data.parts.values()])
    mask = np.concatenate([*surface.mask_img.data.parts.values()])
    _, projection, bands = cleaning_of(Run(None, surface.confounds, t_r=2.0))
    for i, vertex in enumerate((5, 30)):
        _, dof, _ = by_hand(
            projection @ series[vertex],
            projection @ series[mask].T,
            bands,
            bands.dimensions,
        )
        # A vertex with itself has r = 1.
        np.testing.assert_allclose(found.dof[i], dof, rtol=1e-3)
    values = sbc.inverse_transform(found.dof.ravel()).data.parts["left"]
    assert values.shape == (60, 2)


def test_label_brain(make, data):
    labels = np.zeros(data.mask_img.shape, np.int16)
    labels[np.asarray(data.mask_img.dataobj) != 0] = np.arange(400) // 100 + 1
    labels_img = nib.Nifti1Image(labels, data.mask_img.affine)
    run = data.runs[0]
    sbc = make(brain_masker=NiftiLabelsMasker(labels_img, **BAND)).fit(run)
    (found,) = sbc.statistics(run)
    assert found.dof.shape == (2, 4)
    _, projection, bands = cleaning_of(run)
    seeds, voxels = (projection @ own for own in signals_of(data, run, 2))
    regions = voxels.reshape(len(voxels), 4, 100).mean(axis=2)
    for i, seed in enumerate(seeds.T):
        _, dof, variance = by_hand(seed, regions, bands, bands.dimensions)
        np.testing.assert_allclose(found.dof[i], dof, rtol=1e-3)
        np.testing.assert_allclose(found.variance[i], variance, rtol=2e-3)


# No signal


@pytest.mark.filterwarnings("ignore:.*voxels have no signal")
@pytest.mark.parametrize(
    ("measure", "value"),
    in_turn([*MEASURES] * 2, [0.0, 7.3, np.nan, np.nan, 0.0, 7.3]),
)
def test_voxels_without_signal(make, data, tmp_path, measure, value):
    img = nib.load(data.runs[0].img)
    scans = np.asarray(img.dataobj).astype(np.float32)
    voxels = np.argwhere(np.asarray(data.mask_img.dataobj))
    silent = [0, 7, 399]
    for voxel in voxels[silent]:
        scans[tuple(voxel)] = value
    path = tmp_path / "run.nii.gz"
    nib.save(nib.Nifti1Image(scans, img.affine), path)
    run = Run(path, data.runs[0].confounds, t_r=2.0)
    sbc = make(measure=measure, scale="z_score").fit(run)
    (found,) = sbc.statistics(run)
    z = sbc.transform(run).reshape(2, -1)
    others = np.delete(np.arange(400), silent)
    for values in (found.effect, found.z_score, z):
        assert (values[:, silent] == 0).all()
        assert (values[:, others] != 0).all()
    for values in (found.dof, found.variance):
        assert np.isnan(values[:, silent]).all()
        assert np.isfinite(values[:, others]).all()
    np.testing.assert_allclose(found.weight, np.median(found.dof[:, others], axis=1))
    assert np.isfinite(sbc.run_report_.effective_dof).all()
    images = sbc.inverse_transform(found.dof.ravel())
    assert np.isnan(np.asarray(images.dataobj)).sum() == 2 * len(silent)


def test_voxel_that_is_the_seed(make, data):
    run = data.runs[0]
    seeds = SphereSeeds([(0, -12, 0)], radius=0)
    (found,) = make(seed_masker=seeds, scale="z_score").fit(run).statistics(run)
    own = int(found.effect[0].argmax())
    assert found.effect[0, own] > 7
    for name in ARRAYS:
        assert np.isfinite(found[name]).all()


@pytest.mark.filterwarnings("ignore:.*other seeds leave nothing of")
def test_voxels_that_other_seeds_explain(make, data):
    run = data.runs[0]
    seeds = SphereSeeds([(0, -12, 0), (-8, 12, 0)], radius=0)
    sbc = make(seed_masker=seeds, measure="partial", scale="z_score").fit(run)
    (found,) = sbc.statistics(run)
    (place,) = np.flatnonzero(np.isnan(found.dof[0]))
    assert found.z_score[0, place] == found.effect[0, place] == 0
    assert np.isnan(found.variance[0, place])
    # It is the other seed.
    assert found.effect[1].argmax() == place


# Who cleans by itself


@pytest.mark.parametrize("side", ["seed_masker", "brain_masker"])
def test_masker_of_another_package_has_no_z_score(make, data, readings, side):
    run, own = (
        data.runs[0],
        {
            "seed_masker": OwnSpheres(SEEDS[:2], radius=6, standardize=None, **BAND),
            "brain_masker": OwnVoxels(data.mask_img, standardize=None, **BAND),
        },
    )
    sbc = make(**{side: own[side]}, scale="z_score")
    expected = words('scale="z_score"', side, type(own[side]).__name__, "by itself")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(run)
    with pytest.raises(ValueError, match=expected):
        sbc.fit_transform(run)
    assert readings == []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Generation of a mask")
        sbc.set_params(scale="fisher_z").fit(run)
    # Nobody knows how many there are.
    assert sbc.run_report_.effective_dof.isna().all()
    assert sbc.seed_report_.effective_dof.isna().all()
    readings.clear()
    with pytest.raises(ValueError, match=expected):
        sbc.set_params(scale="z_score").transform(run)
    expected = words("statistics", side, type(own[side]).__name__, "by itself")
    with pytest.raises(ValueError, match=expected):
        sbc.set_params(scale="r").statistics(run)
    assert readings == []


# Reports


def test_reports(make, data):
    sbc = make(3).fit(data.runs)
    found = sbc.statistics(data.runs)
    weights = np.stack([own.weight for own in found])
    by_seed = sbc.seed_report_.effective_dof.to_numpy().reshape(3, 3)
    np.testing.assert_allclose(by_seed, weights, rtol=1e-6)
    by_run = sbc.run_report_.effective_dof.to_numpy()
    np.testing.assert_allclose(by_run, np.median(weights, axis=1), rtol=1e-6)
    assert "rank" not in sbc.run_report_
    assert (by_run < 90 - 3).all()


def test_medians_of_many_voxels_are_of_some(make, data, monkeypatch, tmp_path):
    run = data.runs[0]
    exact = make().fit(run).run_report_.effective_dof[0]
    monkeypatch.setattr("sbc_estimators._arrays.dimensions.MANY", 100)
    kept = {"memory": tmp_path, "memory_level": 2}
    reports = [
        make(**options).fit(run).run_report_
        for options in ({}, {"scale": "z_score"}, kept)
    ]
    assert reports[0].equals(reports[1])
    assert reports[0].equals(reports[2])
    # From what is prepared.
    for measure, summary in (("correlation", "pca"), ("partial", "mean")):
        sbc = make(measure=measure, seed_summary=summary)
        expected = sbc.fit(run).run_report_
        assert sbc.set_params(**kept).fit(run).run_report_.equals(expected)
    assert reports[0].effective_dof[0] != exact
    np.testing.assert_allclose(reports[0].effective_dof[0], exact, rtol=0.05)


def test_few_degrees_of_freedom_give_a_warning(make, data, monkeypatch):
    monkeypatch.undo()  # any_dof
    run = data.runs[0]
    narrow = {"brain_masker__low_pass": 0.04}
    expected = r"^run '.*leaves fewer than 10 effective degrees of freedom.*wider band"
    with pytest.warns(UserWarning, match=expected):
        sbc = make(**narrow).fit(run)
    assert sbc.run_report_.effective_dof[0] < 10
    with pytest.warns(UserWarning, match=expected):
        sbc.transform(run)
    wide = make(brain_masker__low_pass=None).fit(run)
    assert wide.run_report_.effective_dof[0] > 10


# A real run


@pytest.mark.parametrize(
    ("fwhm", "of_z_score", "of_fisher_z", "dof"),
    [(6.0, 0.210, 0.545, 41.0), (None, 0.183, 0.520, 42.0)],
)
def test_voxels_beyond_1_96_of_the_sample_run(fwhm, of_z_score, of_fisher_z, dof):
    sample = load_sample_run()
    seed = NiftiSpheresMasker([(0, -52, 18)], radius=8, **BAND)
    brain = NiftiMasker(sample.mask_img, smoothing_fwhm=fwhm, **BAND)
    sbc = SeedCorrelationMap(seed, brain, scale="z_score")
    z = sbc.fit_transform(sample.run)
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(of_z_score, abs=0.002)
    textbook = np.arctanh(sbc.correlations_) * np.sqrt(200 - 3)
    assert np.mean(np.abs(textbook) > 1.96) == pytest.approx(of_fisher_z, abs=0.002)
    assert sbc.run_report_.effective_dof[0] == pytest.approx(dof, abs=0.3)
