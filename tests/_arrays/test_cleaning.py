"""Cleaning as a matrix, against nilearn.signal.clean and what it means to do."""

import warnings

import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
from nilearn.signal import clean
from scipy.interpolate import CubicSpline
from threadpoolctl import threadpool_limits

from helpers import every_pair
from sbc_estimators._arrays.cleaning import (
    RANK_TOLERANCE,
    CleaningParameters,
    apply,
    cleaning_matrix,
    compile_cleaning,
    constant_response,
)

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:No filter type selected but cutoff frequency"),
]

N_SCANS = 112
EVERY = np.arange(N_SCANS)
BAND = {"low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0}
BREAKS = np.repeat([0, 1, 2], [36, 40, 36])

SETTINGS = {
    "nothing": {},
    "detrend": {"detrend": True},
    "band": BAND,
    "band-detrend": {"detrend": True, **BAND},
    "low-pass": {"low_pass": 0.08, "t_r": 2.0},
    "high-pass": {"high_pass": 0.02, "t_r": 1.5},
    "high-pass-detrend": {"high_pass": 0.008, "t_r": 0.8, "detrend": True},
    "order-2": {"detrend": True, **BAND, "clean_args": {"butterworth__order": 2}},
    "padtype-even": {**BAND, "clean_args": {"butterworth__padtype": "even"}},
    "padtype-none": {**BAND, "clean_args": {"butterworth__padtype": None}},
    "padlen": {**BAND, "clean_args": {"butterworth__padlen": 5}},
    "copy-given": {**BAND, "clean_args": {"butterworth__copy": False}},
    "cosine": {"high_pass": 0.01, "t_r": 2.0, "clean_args": {"filter": "cosine"}},
    "cosine-detrend": {
        "detrend": True,
        "high_pass": 0.02,
        "t_r": 2.0,
        "clean_args": {"filter": "cosine"},
    },
    "no-filter": {"detrend": True, **BAND, "clean_args": {"filter": False}},
    "ensure-finite": {**BAND, "clean_args": {"ensure_finite": True}},
    "runs": {"detrend": True, "runs": BREAKS},
    "runs-high-pass": {"high_pass": 0.02, "t_r": 2.0, "runs": BREAKS},
}


@pytest.fixture(scope="module")
def one_thread():
    """Keep BLAS from sharing products that are too small for it."""
    with threadpool_limits(1, user_api="blas"):
        yield


def bold(seed, n_scans=N_SCANS, n_signals=7, mean=100.0):
    """Return signals with drifts and slow fluctuations."""
    rng = np.random.default_rng(seed)
    walks = rng.standard_normal((n_scans, n_signals)).cumsum(axis=0)
    return mean + walks + rng.standard_normal((n_scans, n_signals))


def motion(seed, n_columns=4, n_scans=N_SCANS, mean=3.0):
    """Return confounds that are no cosines: nilearn looks for these among them."""
    rng = np.random.default_rng(seed)
    walk = 0.2 * rng.standard_normal((n_scans, n_columns)).cumsum(axis=0)
    return mean + walk + rng.standard_normal((n_scans, n_columns))


class Compiled:
    """A cleaning as one matrix, and as the factors of it."""

    def __init__(self, *arguments):
        self.matrix = cleaning_matrix(*arguments)
        operator = compile_cleaning(*arguments)
        self.basis, self.projection = operator.basis, operator.projection
        self.rank = operator.basis.shape[1]

    def clean(self, signals):
        """Return cleaned signals by the matrix."""
        return apply(self.matrix, signals)

    def project(self, signals):
        """Return the coordinates of cleaned signals in the basis."""
        return apply(self.projection, signals)


def compiled(kept=EVERY, confounds=None, n_scans=N_SCANS, **parameters):
    """Compile a cleaning by its parameters."""
    return Compiled(CleaningParameters(**parameters), n_scans, kept, confounds)


def nilearn_clean(signals, confounds=None, sample_mask=None, **parameters):
    """Return what nilearn makes of signals, centred."""
    arguments = {"butterworth__copy": True, **parameters.pop("clean_args", {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what nilearn says of itself
        cleaned = clean(
            signals.copy(),
            confounds=None if confounds is None else confounds.copy(),
            sample_mask=None if sample_mask is None else sample_mask.copy(),
            standardize=None,
            **{"detrend": False, **parameters},
            **arguments,
        )
    return cleaned - cleaned.mean(axis=0)


def assert_cleaned(operator, signals, expected):
    """Fail unless an operator makes of signals what is expected, in all its forms."""
    size = np.linalg.norm(signals - signals[0], axis=0).max()
    np.testing.assert_allclose(operator.clean(signals), expected, atol=1e-10 * size)
    series = operator.basis @ operator.project(signals)
    np.testing.assert_allclose(series, expected, atol=2 * RANK_TOLERANCE * size)


# The matrix is nilearn's own cleaning


@pytest.mark.parametrize("with_confounds", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_matrix_is_nilearn(name, with_confounds):
    signals = bold(0)
    confounds = motion(1, 5) if with_confounds else None
    expected = nilearn_clean(signals, confounds, **SETTINGS[name])
    assert_cleaned(compiled(confounds=confounds, **SETTINGS[name]), signals, expected)


@pytest.mark.filterwarnings("ignore:When confounds are provided, one must perform")
@pytest.mark.parametrize("name", [n for n in SETTINGS if not n.startswith("runs")])
def test_confounds_as_they_are(name):
    parameters = {**SETTINGS[name], "standardize_confounds": False}
    signals, confounds = bold(2), motion(3)
    expected = nilearn_clean(signals, confounds, **parameters)
    assert_cleaned(compiled(confounds=confounds, **parameters), signals, expected)


@pytest.mark.parametrize("n_scans", [40, 61, 150])
@pytest.mark.parametrize("t_r", [0.5, 1.0, 2.5])
def test_any_length_and_repetition_time(n_scans, t_r):
    parameters = {"detrend": True, "low_pass": 0.15, "high_pass": 0.03, "t_r": t_r}
    signals, confounds = bold(4, n_scans), motion(5, 3, n_scans)
    operator = compiled(np.arange(n_scans), confounds, n_scans, **parameters)
    assert_cleaned(operator, signals, nilearn_clean(signals, confounds, **parameters))


@pytest.mark.parametrize("name", ["detrend", "cosine", "cosine-detrend", "no-filter"])
@pytest.mark.parametrize("with_confounds", [False, True])
def test_censoring_without_butterworth_is_nilearn(name, with_confounds):
    kept = np.flatnonzero(np.random.default_rng(6).random(N_SCANS) > 0.3)
    signals = bold(7)
    confounds = motion(8, 5) if with_confounds else None
    expected = nilearn_clean(signals, confounds, kept, **SETTINGS[name])
    operator = compiled(kept, confounds, **SETTINGS[name])
    assert_cleaned(operator, signals[kept], expected)


def test_masker_parameters_are_read():
    masker = NiftiMasker(
        detrend=True,
        low_pass=0.1,
        t_r=2.0,
        standardize_confounds=False,
        clean_args={"butterworth__order": 2},
        runs=BREAKS,
    )
    parameters = CleaningParameters.of(masker.get_params())
    assert parameters.detrend is True
    assert parameters.standardize_confounds is False
    assert (parameters.low_pass, parameters.high_pass) == (0.1, None)
    assert parameters.clean_args == {"butterworth__order": 2}
    assert parameters.runs is BREAKS
    assert parameters.t_r == 2.0


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, False),
        ({"low_pass": 0.1}, "butterworth"),
        ({"high_pass": 0.1}, "butterworth"),
        ({"clean_args": {"filter": "cosine"}}, "cosine"),
        ({"low_pass": 0.1, "clean_args": {"filter": False}}, False),
        ({"low_pass": 0.1, "clean_args": {"butterworth__order": 2}}, "butterworth"),
    ],
)
def test_filter_name(parameters, name):
    assert CleaningParameters(**parameters).filter_name == name


# Censoring before a Butterworth filter, written out


def spline(values, kept, extrapolate=False):
    """Return values with censored scans from a cubic spline, and the kept places."""
    scans = np.arange(len(values)) if extrapolate else np.arange(kept[0], kept[-1] + 1)
    filled = CubicSpline(kept, values[kept])(scans)
    filled[kept - scans[0]] = values[kept]
    return filled, kept - scans[0]


def censored_band_pass(signals, confounds, kept, detrend, extrapolate=False):
    """Return band-passed signals at kept scans, by interpolation and regression."""
    filled, places = spline(signals, kept, extrapolate)
    filtered = nilearn_clean(filled, detrend=detrend, **BAND)[places]
    if confounds is not None:
        nuisance = spline(confounds, kept, extrapolate)[0]
        nuisance = nilearn_clean(nuisance, detrend=detrend, **BAND)[places]
        nuisance -= nuisance.mean(axis=0)
        betas = np.linalg.lstsq(nuisance, filtered, rcond=None)[0]
        filtered = filtered - nuisance @ betas
    return filtered - filtered.mean(axis=0)


CENSORED = {
    "first": EVERY[4:],
    "last": EVERY[:-5],
    "both-ends": EVERY[3:-3],
    "one-inside": np.delete(EVERY, 40),
    "mirrored": np.delete(EVERY, [20, N_SCANS - 1 - 20]),
    "many": np.flatnonzero(np.random.default_rng(9).random(N_SCANS) > 0.3),
    "long-gap": np.delete(EVERY, np.arange(30, 50)),
}


@pytest.mark.parametrize(
    ("name", "with_confounds", "detrend", "extrapolate"),
    every_pair(CENSORED, *[[False, True]] * 3),
)
def test_interpolation_before_a_filter(name, with_confounds, detrend, extrapolate):
    kept = CENSORED[name]
    if extrapolate and len(EVERY) - len(kept) > 10:
        # A cubic through a long gap at an end is no number to compare to 1e-9.
        kept = kept[(kept > 1) & (kept < N_SCANS - 2)]
    signals = bold(10)
    confounds = motion(11, 3) if with_confounds else None
    clean_args = {"extrapolate": True} if extrapolate else None
    operator = compiled(kept, confounds, detrend=detrend, clean_args=clean_args, **BAND)
    expected = censored_band_pass(signals, confounds, kept, detrend, extrapolate)
    assert operator.matrix.shape == (len(kept), len(kept))
    assert_cleaned(operator, signals[kept], expected)


@pytest.mark.parametrize("name", CENSORED)
@pytest.mark.parametrize("setting", ["band-detrend", "cosine", "detrend", "runs"])
def test_censored_confounds_play_no_part(name, setting):
    kept = CENSORED[name]
    confounds = motion(12, 4)
    other = confounds.copy()
    censored = np.setdiff1d(EVERY, kept)
    other[censored] = 1e6 * np.random.default_rng(13).random((len(censored), 4))
    first = compiled(kept, confounds, **SETTINGS[setting]).matrix
    second = compiled(kept, other, **SETTINGS[setting]).matrix
    np.testing.assert_array_equal(first, second)


def test_censoring_within_runs():
    kept = np.setdiff1d(EVERY, [15, 16, 50, 55, 90])
    signals, confounds = bold(14), motion(15, 2)
    parts = []
    for label in range(3):
        scans = np.flatnonzero(label == BREAKS)
        inside = np.flatnonzero(np.isin(scans, kept))
        filled, places = spline(signals[scans], inside)
        nuisance = spline(confounds[scans], inside)[0]
        filtered = clean(filled, standardize=None, detrend=True, **BAND)[places]
        nuisance = clean(nuisance, standardize=None, detrend=True, **BAND)[places]
        nuisance -= nuisance.mean(axis=0)
        betas = np.linalg.lstsq(nuisance, filtered, rcond=None)[0]
        parts.append(filtered - nuisance @ betas)
    expected = np.vstack(parts)
    operator = compiled(kept, confounds, detrend=True, runs=BREAKS, **BAND)
    assert_cleaned(operator, signals[kept], expected - expected.mean(axis=0))


def test_runs_that_interleave():
    # nilearn stacks them one behind the other instead.
    signals = bold(30)
    expected = np.empty_like(signals)
    for part in range(2):
        expected[part::2] = nilearn_clean(signals[part::2], detrend=True)
    assert_cleaned(compiled(detrend=True, runs=EVERY % 2), signals, expected)


def test_run_that_is_censored_throughout():
    kept = np.flatnonzero(BREAKS != 1)
    signals = bold(16)[kept]
    operator = compiled(kept, detrend=True, runs=BREAKS)
    expected = nilearn_clean(signals, detrend=True, runs=BREAKS[kept])
    assert_cleaned(operator, signals, expected)


# Rank and projection


@pytest.mark.parametrize("name", SETTINGS)
def test_projection_keeps_norms_and_inner_products(name):
    signals = bold(17)
    operator = compiled(confounds=motion(18, 4), **SETTINGS[name])
    cleaned, coordinates = operator.clean(signals), operator.project(signals)
    assert coordinates.shape == (operator.rank, signals.shape[1])
    gram = cleaned.T @ cleaned
    size = np.diag(gram).max()
    np.testing.assert_allclose(
        coordinates.T @ coordinates, gram, atol=RANK_TOLERANCE * size
    )
    # With a series that is not in the basis, as a seed cleaned otherwise is not.
    series = bold(29, n_signals=3, mean=0.0)
    np.testing.assert_allclose(
        (operator.basis.T @ series).T @ coordinates, series.T @ cleaned, atol=1e-3
    )
    np.testing.assert_allclose(
        operator.basis @ operator.projection, operator.matrix, atol=2e-6
    )


@pytest.mark.parametrize(
    ("parameters", "n_confounds", "rank"),
    [
        ({}, 0, N_SCANS - 1),
        ({}, 6, N_SCANS - 7),
        ({"detrend": True}, 0, N_SCANS - 2),
        ({"detrend": True}, 6, N_SCANS - 8),
        ({"detrend": True, "runs": BREAKS}, 0, N_SCANS - 6),
        ({"detrend": True, "runs": BREAKS}, 6, N_SCANS - 24),
    ],
)
def test_rank_is_counted(parameters, n_confounds, rank):
    confounds = motion(19, n_confounds) if n_confounds else None
    assert compiled(confounds=confounds, **parameters).rank == rank


def test_band_pass_keeps_few_directions():
    scans = np.arange(176)
    operator = compiled(scans, n_scans=176, detrend=True, **BAND)
    assert 80 < operator.rank < 150


@pytest.mark.parametrize("mean", [0.0, 1e4, 1e7])
def test_mean_costs_no_precision(mean):
    signals = bold(20, mean=0.0)
    operator = compiled(detrend=True, **BAND)
    expected = operator.clean(signals)
    tolerance = 1e-12 * (1 + mean)
    np.testing.assert_allclose(operator.clean(signals + mean), expected, atol=tolerance)


def test_applying_leaves_signals_alone():
    signals = bold(21)
    copy = signals.copy()
    operator = compiled(detrend=True)
    operator.clean(signals)
    operator.project(signals)
    np.testing.assert_array_equal(signals, copy)


# Constants


@pytest.mark.parametrize("name", SETTINGS)
def test_constants_are_removed_exactly(name):
    operator = compiled(confounds=motion(22, 4), **SETTINGS[name])
    assert (constant_response(operator.matrix) == 0).all()
    assert (constant_response(operator.projection) == 0).all()
    assert (operator.clean(np.full((N_SCANS, 2), 1234.5)) == 0).all()


@pytest.mark.filterwarnings("ignore:When confounds are provided, one must perform")
def test_constants_that_stay_are_put_back():
    confounds = motion(23, 2, mean=4.0)
    operator = compiled(confounds=confounds, standardize_confounds=False)
    response = constant_response(operator.matrix)
    expected = nilearn_clean(
        np.ones((N_SCANS, 1)), confounds, standardize_confounds=False
    )
    assert np.abs(response).max() > 1e-3
    np.testing.assert_allclose(response, expected[:, 0], atol=1e-12)
    cleaned = operator.clean(np.full((N_SCANS, 1), 500.0))
    np.testing.assert_allclose(cleaned, 500 * expected, atol=1e-9)


@pytest.mark.parametrize("value", [0.1, 1e4, 1e12])
@pytest.mark.parametrize("name", ["nothing", "detrend", "band-detrend", "cosine"])
@pytest.mark.parametrize("censored", [False, True])
def test_constant_confound_has_no_effect(name, value, censored):
    kept = CENSORED["many"] if censored else EVERY
    confounds = motion(24, 3, mean=0.0)
    with_constant = np.column_stack([confounds, np.full(N_SCANS, value)])
    expected = compiled(kept, confounds, **SETTINGS[name]).matrix
    found = compiled(kept, with_constant, **SETTINGS[name]).matrix
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("name", ["nothing", "detrend", "band-detrend", "cosine"])
def test_scale_of_confounds_and_their_mean_have_no_effect(name):
    confounds = motion(25, 3, mean=0.0)
    expected = compiled(confounds=confounds, **SETTINGS[name]).matrix
    moved = confounds * [1e-6, 1.0, 1e6] + [0.0, 1e5, -1e3]
    found = compiled(confounds=moved, **SETTINGS[name]).matrix
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_repeated_confounds_count_once():
    confounds = motion(26, 3)
    expected = compiled(confounds=confounds, detrend=True).matrix
    doubled = np.hstack([confounds, confounds])
    found = compiled(confounds=doubled, detrend=True).matrix
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_inputs_are_left_alone():
    kept, confounds = CENSORED["many"], motion(27, 3)
    copies = kept.copy(), confounds.copy()
    clean_args = {"butterworth__order": 3}
    compiled(kept, confounds, detrend=True, clean_args=clean_args, **BAND)
    np.testing.assert_array_equal(kept, copies[0])
    np.testing.assert_array_equal(confounds, copies[1])
    assert clean_args == {"butterworth__order": 3}


# Errors


def test_nothing_left():
    with pytest.raises(ValueError, match=r"nothing is left.*110 confounds: 1 d"):
        compiled(confounds=motion(28, 110))


@pytest.mark.parametrize("censored", [False, True])
def test_too_short_for_the_filter(censored):
    kept = np.delete(np.arange(12), 5) if censored else np.arange(12)
    with pytest.raises(ValueError, match=r"12 scans, 1[12] of them kept"):
        compiled(kept, n_scans=12, **BAND)


@pytest.mark.parametrize("labels", [np.zeros(5), np.zeros((N_SCANS, 1)), [], 3])
def test_labels_of_another_length(labels):
    with pytest.raises(
        ValueError, match=r"the masker's runs .* one label a scan, 112, got shape \("
    ):
        compiled(runs=labels)


@pytest.mark.parametrize("n_kept", [1, 2])
def test_too_few_scans_kept_in_one_of_the_runs(n_kept):
    kept = np.concatenate([EVERY[:36], EVERY[40 : 40 + n_kept], EVERY[76:]])
    with pytest.raises(ValueError, match=r"40 scans, [12] of them kept"):
        compiled(kept, runs=BREAKS, **BAND)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"low_pass": 0.1}, "t_r=None"),
        ({"low_pass": 0.3, "t_r": 2.0}, "Nyquist"),
        ({"low_pass": 0.01, "high_pass": 0.1, "t_r": 2.0}, "swapped"),
        ({"low_pass": -0.1, "t_r": 2.0}, "positive"),
        ({"low_pass": 0.1, "t_r": 0}, "t_r must be a positive"),
    ],
)
def test_check(parameters, message):
    with pytest.raises(ValueError, match=message):
        CleaningParameters(**parameters).check()


# Differences


@pytest.mark.parametrize(
    ("a", "b", "names"),
    [
        ({}, {}, []),
        ({"low_pass": 0.1}, {"low_pass": 0.1}, []),
        ({"low_pass": 0.1}, {}, ["low_pass"]),
        ({"low_pass": 0.1, "detrend": True}, {"high_pass": 0.1}, None),
        ({"runs": BREAKS}, {"runs": BREAKS.tolist()}, []),
        ({"runs": BREAKS}, {"runs": BREAKS[1:]}, ["runs"]),
        ({"runs": BREAKS}, {"runs": BREAKS + 1}, ["runs"]),
        ({"runs": BREAKS}, {}, ["runs"]),
        ({"clean_args": {"filter": "cosine"}}, {"clean_args": {}}, ["clean_args"]),
        ({"clean_args": {"runs": BREAKS}}, {"clean_args": {"runs": BREAKS}}, []),
        (
            {"clean_args": {"runs": BREAKS}},
            {"clean_args": {"runs": BREAKS + 1}},
            ["clean_args"],
        ),
        (
            {"clean_args": {"filter": "cosine"}},
            {"clean_args": {"filter": "cosine"}},
            [],
        ),
    ],
)
def test_differences(a, b, names):
    a, b = CleaningParameters(**a), CleaningParameters(**b)
    expected = ["detrend", "low_pass", "high_pass"] if names is None else names
    assert a.differences(b) == b.differences(a) == expected


def test_maskers_made_alike_do_not_differ():
    options = {"detrend": True, **BAND}
    seed = CleaningParameters.of(
        NiftiSpheresMasker([(0, 0, 0)], **options).get_params()
    )
    brain = CleaningParameters.of(NiftiMasker(**options).get_params())
    assert seed.differences(brain) == (
        ["runs"] if "runs" in seed.differences(CleaningParameters()) else []
    )


# The precision that it needs


@pytest.mark.parametrize("t_r", [0.3, 0.72, 2.0, 3.0])
@pytest.mark.parametrize("low_pass", [None, 0.1])
def test_float32_will_do_for_filters(t_r, low_pass):
    band = {"low_pass": low_pass, "high_pass": 0.008, "t_r": t_r}
    cleaning = CleaningParameters(detrend=True, **band)
    assert compile_cleaning(cleaning, 300, np.arange(300)).dtype == np.float32


@pytest.mark.parametrize("kept", [np.arange(1, 300), np.arange(297)])
def test_float64_for_splines_that_extrapolate(kept):
    band = {"low_pass": 0.1, "high_pass": 0.008, "t_r": 2.0}
    cleaning = CleaningParameters(**band, clean_args={"extrapolate": True})
    assert compile_cleaning(cleaning, 300, kept).dtype == np.float64
