"""Partial and semipartial maps: against explicit residuals, and what they promise."""

import pickle
import re

import joblib
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

from helpers import OwnSpheres, OwnVoxels
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._arrays.correlation import (
    MAX_ABS_R,
    REMAINDER_RATIO,
    column_norms,
    correlate_remainders,
    dependent_seeds,
    without_others,
)
from sbc_estimators._support.threads import OneWorker
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals

pytestmark = pytest.mark.usefixtures("seeds_anywhere", "any_dof")

TOLERANCE = 1e-6

BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}

OTHERS_OUT = ["partial", "semipartial"]

MEASURES = ["correlation", *OTHERS_OUT]

ONE_AFTER_ANOTHER = OneWorker()

EXPLAINED = "the other seeds leave nothing"


def residual(signals, others):
    """Return signals less what least squares makes of a mean and others."""
    others = np.column_stack([np.ones(len(others)), others])
    return signals - others @ np.linalg.lstsq(others, signals, rcond=None)[0]


def explicit(seeds, voxels, measure):
    """Return np.corrcoef of residuals, seed by seed, `(n_seeds, n_voxels)`."""
    seeds = seeds / seeds.std(axis=0)
    rows = []
    for j in range(seeds.shape[1]):
        others = np.delete(seeds, j, axis=1)
        seed = residual(seeds[:, [j]], others)
        left = residual(voxels, others) if measure == "partial" else voxels
        rows.append(np.corrcoef(seed, left, rowvar=False)[0, 1:])
    return np.stack(rows)


class Backwards(OneWorker):
    """Works on the last piece first."""

    def map(self, function, items):
        """Return what a function makes of each item, made in another order."""
        return super().map(function, list(items)[::-1])[::-1]


def partial(seeds, voxels, crew=ONE_AFTER_ANOTHER):
    """Return partial r and how many voxels are explained, from scans."""
    span, own = without_others(seeds)
    return correlate_remainders(span, own, voxels, column_norms(voxels), crew)


def mixed(rng, n_scans, n_seeds, n_voxels, own=1.0):
    """Return centred seeds that share a signal, and voxels with parts of them all."""
    common = rng.standard_normal((n_scans, 1))
    seeds = common + own * rng.standard_normal((n_scans, n_seeds))
    weights = rng.standard_normal((n_seeds, n_voxels))
    voxels = seeds @ weights + rng.standard_normal((n_scans, n_voxels))
    return seeds - seeds.mean(axis=0), voxels - voxels.mean(axis=0)


# Arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_seeds", [2, 10, 40])
def test_partial_is_that_of_residuals(n_seeds, order, dtype):
    seeds, voxels = mixed(np.random.default_rng(n_seeds), 90, n_seeds, 70)
    voxels = voxels.astype(dtype, order=order)
    r, n_explained = partial(seeds, voxels)
    assert r.dtype == np.float32
    assert n_explained == 0
    expected = explicit(seeds, voxels.astype(float), "partial")
    np.testing.assert_allclose(r, expected, atol=3e-7)


@pytest.mark.parametrize("own", [1.0, 1e-2, 1e-3])
def test_seeds_that_are_much_alike(own):
    seeds, voxels = mixed(np.random.default_rng(0), 90, 6, 70, own)
    voxels += np.random.default_rng(1).standard_normal(voxels.shape)
    voxels -= voxels.mean(axis=0)
    assert not len(dependent_seeds(seeds))
    r, _ = partial(seeds, voxels)
    np.testing.assert_allclose(r, explicit(seeds, voxels, "partial"), atol=3e-7)


@pytest.mark.parametrize("part", [1e-1, 1e-2, 1e-3, 3e-4])
def test_voxels_that_seeds_nearly_explain(part):
    # The norm of what is left is a difference of numbers that differ by part**2.
    rng = np.random.default_rng(0)
    seeds, _ = mixed(rng, 90, 5, 1)
    own = rng.standard_normal((90, 40))
    voxels = seeds @ rng.standard_normal((5, 40)) * part + own * part
    voxels += seeds[:, [4]]
    voxels = voxels - voxels.mean(axis=0)
    r, n_explained = partial(seeds, voxels)
    assert n_explained == 0
    np.testing.assert_allclose(r, explicit(seeds, voxels, "partial"), atol=TOLERANCE)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_seeds_among_the_voxels(dtype):
    rng = np.random.default_rng(0)
    seeds, voxels = mixed(rng, 90, 5, 12)
    voxels = np.hstack([seeds, seeds @ rng.standard_normal((5, 3)), voxels])
    r, n_explained = partial(seeds, voxels.astype(dtype))
    # A seed is itself less the others, and nothing less all seeds;
    off_diagonal = ~np.eye(5, dtype=bool)
    np.testing.assert_array_equal(np.diag(r), np.float32(MAX_ABS_R))
    assert (r[:, :5][off_diagonal] == 0).all()
    # a sum of seeds less all but one is that one.
    np.testing.assert_array_equal(np.abs(r[:, 5:8]), np.float32(MAX_ABS_R))
    assert n_explained == 5


def test_no_signal_is_no_correlation_and_not_explained():
    rng = np.random.default_rng(0)
    seeds, voxels = mixed(rng, 90, 3, 8)
    voxels[:, 2] = 0
    norms = column_norms(voxels)
    norms[[2, 5]] = 0
    span, own = without_others(seeds)
    r, n_explained = correlate_remainders(span, own, voxels, norms, ONE_AFTER_ANOTHER)
    assert (r[:, [2, 5]] == 0).all()
    assert (np.delete(r, [2, 5], axis=1) != 0).all()
    assert n_explained == 0


@pytest.mark.parametrize("size", [1, 100, 333, 10**9])
def test_chunks_change_nothing(monkeypatch, size):
    seeds, voxels = mixed(np.random.default_rng(0), 60, 4, 50)
    voxels = np.hstack([voxels, seeds])
    expected, n_expected = partial(seeds, voxels)
    monkeypatch.setattr("sbc_estimators._arrays.correlation.CHUNK_SIZE", size)
    r, n_explained = partial(seeds, voxels, Backwards())
    np.testing.assert_allclose(r, expected, atol=2e-7)
    assert n_explained == n_expected == 4


def test_arrays_are_left_alone():
    seeds, voxels = mixed(np.random.default_rng(0), 60, 4, 50)
    copies = seeds.copy(), voxels.copy()
    partial(seeds, voxels)
    dependent_seeds(seeds)
    np.testing.assert_array_equal(seeds, copies[0])
    np.testing.assert_array_equal(voxels, copies[1])


def test_own_parts_are_of_norm_one_and_see_no_other_seed():
    seeds, _ = mixed(np.random.default_rng(0), 90, 6, 1, own=1e-2)
    span, own = without_others(seeds)
    products = (span @ own).T @ (seeds / column_norms(seeds))
    assert (np.diag(products) > 0).all()
    np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-13)
    np.testing.assert_allclose(column_norms(span @ own), 1, rtol=1e-12)


def test_which_seeds_are_sums_of_others():
    rng = np.random.default_rng(0)
    seeds, _ = mixed(rng, 60, 8, 1)
    assert not len(dependent_seeds(seeds))
    seeds[:, 5] = -3e6 * seeds[:, 1]
    assert dependent_seeds(seeds).tolist() == [1, 5]
    seeds[:, 7] = seeds[:, 2] - 0.5 * seeds[:, 6]
    assert dependent_seeds(seeds).tolist() == [1, 2, 5, 6, 7]


@pytest.mark.parametrize("n_copies", [2, 3, 5])
def test_nothing_but_copies(n_copies):
    # Of two the smallest variance is 0 exactly, of more it may be below.
    seed = mixed(np.random.default_rng(0), 60, 1, 1)[0]
    assert len(dependent_seeds(np.repeat(seed, n_copies, axis=1))) == n_copies


def test_a_seed_with_little_of_its_own_is_none_below_the_ratio():
    rng = np.random.default_rng(0)
    seeds, _ = mixed(rng, 60, 3, 1)
    extra = residual(rng.standard_normal((60, 1)), seeds)[:, 0]
    extra *= np.linalg.norm(seeds[:, 0]) / np.linalg.norm(extra)
    seeds[:, 1] = seeds[:, 0] + 2 * REMAINDER_RATIO * extra
    assert not len(dependent_seeds(seeds))
    seeds[:, 1] = seeds[:, 0] + 0.5 * REMAINDER_RATIO * extra
    assert dependent_seeds(seeds).tolist() == [0, 1]


def test_more_seeds_than_scans_are_sums():
    seeds = np.random.default_rng(0).standard_normal((20, 25))
    assert len(dependent_seeds(seeds - seeds.mean(axis=0))) == 25


# Against nilearn's signals and explicit residuals, in each way from a run to signals


def ten(data):
    """Return coordinates of ten voxels in the mask of a run."""
    voxels = np.argwhere(np.asarray(data.mask_img.dataobj))
    chosen = np.random.default_rng(0).choice(len(voxels), 10, replace=False)
    return nib.affines.apply_affine(data.mask_img.affine, voxels[chosen]).tolist()


def spheres(data, kind=NiftiSpheresMasker, radius=6, **options):
    """Return a masker of ten spheres."""
    seeds = ten(data)
    return kind(seeds, radius=radius, allow_overlap=True, standardize=None, **options)


def own_voxels(data, **options):
    """Return a third-party masker of the voxels in a mask."""
    return OwnVoxels(data.mask_img, standardize=None, **options)


WAYS = {
    "streamed": (
        spheres,
        lambda data, **options: NiftiMasker(data.mask_img, **options),
    ),
    "streamed-smoothed": (
        spheres,
        lambda data, **options: NiftiMasker(data.mask_img, smoothing_fwhm=6, **options),
    ),
    "compiled": (
        lambda data, **options: NiftiLabelsMasker(
            data.labels_img, strategy="median", **options
        ),
        lambda data, **options: NiftiLabelsMasker(
            data.labels_img, strategy="standard_deviation", **options
        ),
    ),
    "streamed-high_variance": (
        lambda data, **options: spheres(data, high_variance_confounds=True, **options),
        lambda data, **options: NiftiMasker(
            data.mask_img, high_variance_confounds=True, **options
        ),
    ),
    "streamed-maps": (
        lambda data, **options: NiftiMapsMasker(data.maps_img, **options),
        lambda data, **options: NiftiLabelsMasker(data.labels_img, **options),
    ),
    "reference": (
        lambda data, **options: spheres(data, OwnSpheres, **options),
        lambda data, **options: own_voxels(data, **options),
    ),
    "streamed-reference": (
        spheres,
        lambda data, **options: own_voxels(data, **options),
    ),
    "reference-streamed": (
        lambda data, **options: spheres(data, OwnSpheres, **options),
        lambda data, **options: NiftiMasker(data.mask_img, **options),
    ),
}


def paths_of(way):
    """Return the beginnings of what `paths_` says of seeds and voxels."""
    leave_out = ("smoothed", "maps", "high_variance")
    parts = [part for part in way.split("-") if part not in leave_out]
    return parts[0], parts[-1]


def check(seed, brain, run, nilearn_signals, measure):
    """Compare a map with that of explicit residuals, and return the estimator."""
    expected = explicit(
        nilearn_signals(seed, run), nilearn_signals(brain, run), measure
    )
    sbc = SeedCorrelationMap(seed, brain, measure=measure).fit(run)
    np.testing.assert_allclose(sbc.correlations_, expected, atol=TOLERANCE)
    assert sbc.run_report_.n_explained.tolist() == [0]
    return sbc


@pytest.mark.parametrize("measure", OTHERS_OUT)
@pytest.mark.parametrize("way", WAYS)
def test_volumes(simulated, nilearn_signals, way, measure):
    options = {**BAND, "t_r": simulated.t_r, "clean_args": {"butterworth__copy": True}}
    seed, brain = (make(simulated, **options) for make in WAYS[way])
    run = Run(simulated.img, simulated.confounds)
    sbc = check(seed, brain, run, nilearn_signals, measure)
    found = tuple(sbc.paths_[name] for name in ("seed_masker", "brain_masker"))
    for said, expected in zip(found, paths_of(way), strict=True):
        assert said.startswith(expected)


@pytest.mark.parametrize("measure", OTHERS_OUT)
@pytest.mark.parametrize("options", [BAND, {"detrend": True}], ids=["band", "detrend"])
def test_sample_run(sample_box, nilearn_signals, options, measure):
    options = {**options, "t_r": sample_box.t_r}
    seed = spheres(sample_box, radius=8, **options)
    brain = NiftiMasker(sample_box.mask_img, smoothing_fwhm=6, **options)
    run = Run(sample_box.img, sample_box.confounds)
    check(seed, brain, run, nilearn_signals, measure)


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_censored_scans(simulated, nilearn_signals, measure):
    # Without a filter, where nilearn handles censored scans right.
    kept = np.delete(np.arange(simulated.n_scans), [3, 40, 41])
    run = Run(simulated.img, simulated.confounds, kept)
    seed = spheres(simulated, detrend=True)
    brain = NiftiMasker(simulated.mask_img, detrend=True)
    check(seed, brain, run, nilearn_signals, measure)


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_surface(surface, nilearn_signals, measure):
    options = {**BAND, "t_r": surface.t_r}
    seed = SurfaceLabelsMasker(surface.labels_img, **options)
    brain = SurfaceMasker(surface.mask_img, **options)
    run = Run(surface.img, surface.confounds)
    sbc = check(seed, brain, run, nilearn_signals, measure)
    assert sbc.n_seeds_ > 1


@pytest.mark.parametrize("measure", OTHERS_OUT)
@pytest.mark.parametrize("wider", ["seeds", "voxels"])
def test_seeds_and_voxels_cleaned_differently(
    simulated, nilearn_signals, wider, measure
):
    # A part of the seeds lies outside the voxels' directions of time, or the reverse.
    wide, narrow = {"detrend": True, "t_r": simulated.t_r}, {**BAND}
    narrow["t_r"] = simulated.t_r
    options = (wide, narrow) if wider == "seeds" else (narrow, wide)
    seed = spheres(simulated, **options[0])
    brain = NiftiMasker(simulated.mask_img, **options[1])
    run = Run(simulated.img, simulated.confounds)
    with pytest.warns(UserWarning, match="clean differently"):
        check(seed, brain, run, nilearn_signals, measure)


@pytest.mark.parametrize("measure", OTHERS_OUT)
@pytest.mark.parametrize("fwhm", [None, 6.0])
def test_scratch_files_make_the_same_map(monkeypatch, simulated, fwhm, measure):
    seed = spheres(simulated, radius=None, detrend=True)
    brain = NiftiMasker(simulated.mask_img, smoothing_fwhm=fwhm, detrend=True)
    in_memory = SeedCorrelationMap(seed, brain, measure=measure)
    on_disk = clone(in_memory)
    is_explained = fwhm is None and measure == "partial"
    fit_quietly(in_memory, simulated.run, is_explained)
    monkeypatch.setattr("sbc_estimators._support.threads.MOST_IN_MEMORY", 1)
    fit_quietly(on_disk, simulated.run, is_explained)
    np.testing.assert_array_equal(on_disk.correlations_, in_memory.correlations_)
    assert on_disk.run_report_.equals(in_memory.run_report_)
    assert on_disk.run_report_.n_explained.tolist() == [10 if is_explained else 0]


def fit_quietly(sbc, run, warns):
    """Fit an estimator, expecting the warning of explained voxels or none."""
    if not warns:
        return sbc.fit(run)
    with pytest.warns(UserWarning, match=EXPLAINED):
        return sbc.fit(run)


# Properties


@pytest.fixture(scope="module")
def data():
    """Return four simulated runs of two groups."""
    return make_runs(4, 60, 300, n_networks=3, group_effect=1, random_state=0)


@pytest.fixture
def make(data):
    """Return a function that makes an estimator of three seeds."""

    def make(measure="partial", seeds=None, radius=6, **options):
        seeds = data.seeds[:3] if seeds is None else seeds
        cleaning = {"detrend": True, "t_r": data.runs[0].t_r}
        return SeedCorrelationMap(
            NiftiSpheresMasker(seeds, radius=radius, allow_overlap=True, **cleaning),
            NiftiMasker(data.mask_img, **cleaning),
            measure=measure,
            **options,
        )

    return make


def map_of_signals(data, signals, measure, **options):
    """Return r of given seed signals with the brain of the first run."""
    seed, brain = GivenSignals(**options), NiftiMasker(data.mask_img, **options)
    run = Run(data.runs[0].img, seed_signals=signals)
    return SeedCorrelationMap(seed, brain, measure=measure).fit(run).correlations_


@pytest.fixture(scope="module")
def signals():
    """Return seed signals that share a part, `(n_scans, 4)`."""
    return 100 + mixed(np.random.default_rng(0), 60, 4, 1)[0]


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_single_seed_is_plain_to_the_bit(data, make, measure):
    plain = make("correlation", data.seeds[:1]).fit_transform(data.runs)
    found = make(measure, data.seeds[:1]).fit_transform(data.runs)
    np.testing.assert_array_equal(found, plain)


@pytest.mark.parametrize("measure", MEASURES)
def test_order_of_seeds_is_that_of_rows(data, make, measure):
    r = make(measure).fit(data.runs[0]).correlations_
    order = [2, 0, 1]
    seeds = [data.seeds[i] for i in order]
    found = make(measure, seeds).fit(data.runs[0]).correlations_
    np.testing.assert_allclose(found, r[order], atol=3e-7)


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_scale_and_shift_of_seeds_change_nothing(data, signals, measure):
    r = map_of_signals(data, signals, measure)
    scales, shifts = np.array([1e-3, 1e4, 2, 50]), np.array([5, -1e3, 0, 7])
    found = map_of_signals(data, signals * scales + shifts, measure)
    np.testing.assert_allclose(found, r, atol=3e-7)


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_sign_of_a_seed_is_that_of_its_row_alone(data, signals, measure):
    r = map_of_signals(data, signals, measure)
    found = map_of_signals(data, signals * [1, -1, 1, 1], measure)
    expected = r * np.array([1, -1, 1, 1])[:, np.newaxis]
    np.testing.assert_allclose(found, expected, atol=3e-7)


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_other_seeds_matter_by_their_span_alone(data, signals, measure):
    # What is taken out of seed 0 is the same if the others are mixed.
    mix = np.eye(4)
    mix[1:, 1:] = np.random.default_rng(1).standard_normal((3, 3))
    r = map_of_signals(data, signals, measure)
    found = map_of_signals(data, signals @ mix, measure)
    np.testing.assert_allclose(found[0], r[0], atol=3e-7)


def test_uncorrelated_seeds(data, signals):
    # Nothing is taken out of seeds that have nothing in common: semipartial is plain,
    # and so is partial in voxels without the others.
    seeds = np.linalg.qr(signals - signals.mean(axis=0))[0]
    plain = map_of_signals(data, seeds, "correlation")
    semipartial = map_of_signals(data, seeds, "semipartial")
    np.testing.assert_allclose(semipartial, plain, atol=3e-7)
    found = map_of_signals(data, seeds, "partial")
    others = (plain.astype(float) ** 2).sum(axis=0) - plain.astype(float) ** 2
    np.testing.assert_allclose(found, plain / np.sqrt(1 - others), atol=TOLERANCE)


def test_partial_of_seeds_uncorrelated_with_all_is_plain():
    # In arrays, as voxels that are orthogonal to the other seeds.
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.standard_normal((90, 12)))[0]
    basis -= basis.mean(axis=0)
    basis = np.linalg.qr(basis)[0]
    seeds, rest = basis[:, :3], basis[:, 3:]
    voxels = seeds @ np.diag([0.5, 1, 2]) + rest[:, :3]
    expected = np.corrcoef(seeds, voxels, rowvar=False)[:3, 3:]
    np.testing.assert_allclose(partial(seeds, voxels)[0], expected, atol=3e-7)


def test_semipartial_is_never_beyond_partial(data, make):
    partial_r = make("partial").fit(data.runs[0]).correlations_
    semipartial = make("semipartial").fit(data.runs[0]).correlations_
    assert (np.abs(semipartial) <= np.abs(partial_r) + 3e-7).all()
    assert np.abs(partial_r - semipartial).max() > 1e-2
    np.testing.assert_array_equal(np.sign(semipartial), np.sign(partial_r))


# Voxels that other seeds explain


def test_single_voxel_seeds(data, make):
    sbc = make(radius=None)
    expected = "run 0: the other seeds leave nothing of some voxels .* are 0"
    with pytest.warns(UserWarning, match=expected) as caught:
        sbc.fit(data.runs[0].img)
    assert caught[0].filename == __file__
    assert sbc.run_report_.n_explained.tolist() == [3]
    assert sbc.run_report_.n_without_signal.tolist() == [0]
    is_explained = (sbc.correlations_ == 0).any(axis=0)
    assert is_explained.sum() == 3
    own = np.abs(sbc.correlations_[:, is_explained])
    assert sorted(own.sum(axis=0)) == [np.float32(MAX_ABS_R)] * 3


@pytest.mark.parametrize("times", [300, 10_000])
def test_drifts_do_not_make_correlations_of_rounding(data, make, times):
    # Float32 rounds them before they are taken out.
    run = data.runs[0]
    scans = np.asarray(run.img.dataobj, dtype=np.float64)
    drift = np.linspace(-0.5, 0.5, scans.shape[-1]) * times * scans.std(axis=-1).mean()
    strength = np.random.default_rng(0).random(scans.shape[:3])[..., np.newaxis]
    img = nib.Nifti1Image(scans + strength * drift, run.img.affine)
    sbc = make(radius=None)
    with pytest.warns(UserWarning, match=EXPLAINED):
        sbc.fit(img)
    assert sbc.run_report_.n_explained.tolist() == [3]


def test_warning_once_a_run(data, make):
    with pytest.warns(UserWarning, match=EXPLAINED) as caught:
        make(radius=None).fit_transform(data.runs)
    messages = [str(warning.message) for warning in caught]
    assert [message.partition(":")[0] for message in messages] == [
        f"run {i}" for i in range(4)
    ]


@pytest.mark.parametrize("measure", ["correlation", "semipartial"])
def test_nothing_is_explained_where_voxels_stay_as_they_are(data, make, measure):
    sbc = make(measure, radius=None).fit(data.runs[0])
    assert sbc.run_report_.n_explained.tolist() == [0]


# Errors


@pytest.mark.parametrize(
    "measure", ["partal", "Partial", None, 1, ["partial"], np.array(["partial"])]
)
def test_unknown_measure(make, tmp_path, measure):
    # Before anything is read: there is no such file.
    expected = (
        "measure must be 'correlation', 'partial' or 'semipartial', got "
        f"{re.escape(repr(measure))}"
    )
    with pytest.raises(ValueError, match=expected):
        make(measure).fit(tmp_path / "absent.nii.gz")


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_copies_of_a_seed(data, make, measure):
    seeds = [*data.seeds[:2], data.seeds[0]]
    expected = (
        f"run 0: measure='{measure}' takes the other seeds out of each, but nothing is "
        "left of seeds 0, 2 of seed_masker: of its 3 seeds .* Leave out seeds .*, or "
        'use measure="correlation"'
    )
    with pytest.raises(ValueError, match=expected):
        make(measure, seeds).fit(data.runs[0].img)
    make("correlation", seeds).fit(data.runs[0].img)


def test_seeds_in_the_same_voxel_are_named(data, make):
    x, y, z = data.seeds[1]
    seeds = [data.seeds[0], (x, y, z), (x + 0.2, y, z), data.seeds[2]]
    names = make("correlation", seeds).fit(data.runs[0].img).seed_names_
    expected = re.escape(f"seeds {names[1]!r}, {names[2]!r} of seed_masker")
    with pytest.raises(ValueError, match=expected):
        make("partial", seeds, radius=None).fit(data.runs[0].img)


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_sum_of_seeds_in_the_second_run(data, signals, measure):
    sums = signals.copy()
    sums[:, 3] = sums[:, 0] - 2 * sums[:, 2]
    img = data.runs[0].img
    runs = [Run(img, seed_signals=series) for series in (signals, sums)]
    sbc = SeedCorrelationMap(
        GivenSignals(), NiftiMasker(data.mask_img), measure=measure
    )
    named = "of seeds 'signal0', 'signal2', 'signal3' of seed_masker"
    with pytest.raises(ValueError, match=f"run 1: .* {named}"):
        sbc.fit(runs)
    sbc.fit(runs[0])
    with pytest.raises(ValueError, match=f"run 0: .* {named}"):
        sbc.transform(runs[1])


def test_many_copies_are_not_all_named(data, make):
    seeds = [seed for seed in data.seeds[:3] for _ in range(3)]
    with pytest.raises(ValueError, match="seeds 0, 1, 2, 3, 4 and 4 more of seed_mas"):
        make("partial", seeds).fit(data.runs[0].img)


def test_as_many_seeds_as_directions_of_time(data):
    # Of 12 scans without their mean and trend 10 directions are left.
    run = data.runs[0]
    img = nib.Nifti1Image(np.asarray(run.img.dataobj, float)[..., :12], run.img.affine)
    options = {"detrend": True, "t_r": run.t_r}

    def make(measure, n_seeds):
        seeds = ten(data)[:n_seeds]
        seed = NiftiSpheresMasker(seeds, radius=6, allow_overlap=True, **options)
        brain = NiftiMasker(data.mask_img, **options)
        return SeedCorrelationMap(seed, brain, measure=measure)

    expected = "run 0: measure='partial' .* 10 seeds take up all .* Use fewer seeds"
    with pytest.raises(ValueError, match=expected):
        make("partial", 10).fit(img)
    make("semipartial", 10).fit(img)
    fitted = make("partial", 9).fit(img)
    assert np.median(np.abs(fitted.correlations_)) < 0.9


def test_as_many_seeds_as_scans_of_a_masker_of_another_make(data):
    run = data.runs[0]
    img = nib.Nifti1Image(np.asarray(run.img.dataobj, float)[..., :9], run.img.affine)
    brain, seeds = own_voxels(data), ten(data)

    def make(n_seeds):
        seed = NiftiSpheresMasker(seeds[:n_seeds], radius=6, allow_overlap=True)
        return SeedCorrelationMap(seed, brain, measure="partial")

    with pytest.raises(ValueError, match="8 seeds take up all directions"):
        make(8).fit(img)
    make(7).fit(img)


def test_more_seeds_than_directions_of_voxels_that_lie_elsewhere(data, nilearn_signals):
    # A narrow band has less directions than there are seeds, yet they leave some of it.
    run = Run(nib.Nifti1Image(data.runs[0].img.get_fdata(), data.runs[0].img.affine))
    cleaning = {"detrend": True, "t_r": data.runs[0].t_r}
    brain = NiftiMasker(data.mask_img, low_pass=0.1, high_pass=0.05, **cleaning)
    many = np.argwhere(np.asarray(data.mask_img.dataobj))[::7]
    many = nib.affines.apply_affine(data.mask_img.affine, many).tolist()
    seed = NiftiSpheresMasker(many, radius=None, **cleaning)
    with pytest.warns(UserWarning, match="clean differently"):
        sbc = check(seed, brain, run, nilearn_signals, "partial")
    with sbc.prepare(run) as prepared:
        assert prepared.rank < sbc.n_seeds_


# scikit-learn's contract


@pytest.mark.parametrize("measure", OTHERS_OUT)
def test_several_runs(data, make, measure):
    sbc = make(measure)
    z = sbc.fit_transform(data.runs)
    single = [clone(sbc).fit(run).correlations_ for run in data.runs]
    np.testing.assert_allclose(
        z, np.arctanh(np.stack(single)).reshape(4, -1), atol=TOLERANCE
    )
    mean = np.tanh(np.arctanh(np.stack(single).astype(float)).mean(axis=0))
    np.testing.assert_allclose(sbc.correlations_, mean, atol=TOLERANCE)
    np.testing.assert_array_equal(sbc.transform(data.runs), z)


def test_runs_in_parallel(data, make):
    z = make().fit_transform(data.runs)
    with joblib.parallel_config("threading"):
        found = make(n_jobs=2).fit_transform(data.runs)
    np.testing.assert_array_equal(found, z)


def test_default_is_plain_correlation(data, make):
    plain = make("correlation").fit_transform(data.runs)
    sbc = SeedCorrelationMap(make().seed_masker, make().brain_masker)
    assert sbc.measure == "correlation"
    np.testing.assert_array_equal(sbc.fit_transform(data.runs), plain)


def test_measure_is_a_keyword(data):
    with pytest.raises(TypeError, match="positional"):
        SeedCorrelationMap(NiftiSpheresMasker(data.seeds), None, "partial")


def test_clone_and_pickle_keep_the_measure(data, make):
    sbc = make("semipartial")
    assert clone(sbc).measure == "semipartial"
    assert "measure='semipartial'" in repr(sbc)
    z = sbc.fit_transform(data.runs)
    copy = pickle.loads(pickle.dumps(sbc))
    assert copy.measure_ == "semipartial"
    np.testing.assert_array_equal(copy.transform(data.runs), z)


def test_measure_set_on_a_fitted_estimator_holds_from_the_next_fit_on(data, make):
    sbc = make("partial").fit(data.runs)
    old = sbc.transform(data.runs)
    sbc.set_params(measure="correlation")
    assert sbc.measure_ == "partial"
    np.testing.assert_array_equal(sbc.transform(data.runs), old)
    new = sbc.fit(data.runs).transform(data.runs)
    np.testing.assert_array_equal(new, make("correlation").fit_transform(data.runs))
    assert np.abs(new - old).max() > 1e-2


def test_signals_do_not_depend_on_the_measure(data, make):
    run = data.runs[0]
    plain, found = (make(measure).fit(run) for measure in ("correlation", "partial"))
    np.testing.assert_array_equal(found.seed_signals(run), plain.seed_signals(run))
    np.testing.assert_array_equal(found.brain_signals(run), plain.brain_signals(run))


def test_grid_over_the_measure(data, make):
    pipeline = Pipeline([("map", make()), ("classify", LogisticRegression())])
    search = GridSearchCV(pipeline, {"map__measure": MEASURES}, cv=2)
    search.fit(data.runs, data.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_["map"]
    assert best.measure_ == search.best_params_["map__measure"]
