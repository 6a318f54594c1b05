"""Confounds beside X: handed on by scikit-learn, or an error, and never lost silently.

Whether a scorer sees the right maps is tested in test_scikit_learn.py.
"""

import re
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    KFold,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import Bunch
from sklearn.utils.fixes import parse_version

from helpers import make_sbc
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.datasets import make_runs

N_SCANS = 40
GRID = {"map__seed_masker__radius": [6]}
ROUTES_TO_DEFAULT_SCORER = parse_version(sklearn.__version__) >= parse_version("1.9")
CONFOUNDS_LOST = r"run 0.*every run had confounds in fit.*Run\(img, confounds"


@pytest.fixture(scope="module")
def data():
    """Return four runs: images, confounds and sample masks apart, and in one."""
    data = make_runs(4, N_SCANS, 60, n_networks=2, random_state=0)
    data.images = [run.img for run in data.runs]
    data.confounds = [run.confounds for run in data.runs]
    data.sample_mask = [np.arange(i, N_SCANS) for i in range(4)]
    data.y = np.array([0, 1, 1, 0])  # both groups in each half
    return data


def make(data, seed=0, **requests):
    """Return an unfitted estimator of one seed that asks for what is named."""
    sbc = make_sbc(data, data.seeds[seed : seed + 1])
    if requests:
        sbc.set_fit_request(**requests).set_transform_request(**requests)
    return sbc


def steps(data, last=None, **requests):
    """Return a pipeline of maps and a classifier, or another last step."""
    last = LogisticRegression() if last is None else last
    return Pipeline([("map", make(data, **requests)), ("last", last)])


RAISE = {"error_score": "raise"}


def searching(scoring=None, search=GridSearchCV, **options):
    """Return a function that searches, with what is given beside the images."""
    options = {"scoring": scoring, "cv": KFold(2), **RAISE, **options}

    def search_it(data, pipeline, given):
        return search(pipeline, GRID, **options).fit(data.images, data.y, **given)

    return search_it


def validating(function, **options):
    """Return a function that cross-validates in one of scikit-learn's ways."""

    def validate_it(data, pipeline, given):
        return function(
            pipeline, data.images, data.y, cv=KFold(2), params=given, **options
        )

    return validate_it


def calling(method, *names, around=lambda pipeline: pipeline):
    """Return a function that fits with what is given, and calls a method without."""

    def call_it(data, pipeline, given):
        fitted = around(pipeline).fit(data.images, data.y, **given)
        return getattr(fitted, method)(data.images, *(data[name] for name in names))

    return call_it


# Without routing


WAYS_TO_LOSE = {
    "grid search": searching(),
    "a scorer": searching("accuracy"),
    "two scorers": searching(["accuracy", "neg_log_loss"], refit=False),
    "cross_validate": validating(cross_validate, **RAISE),
    "cross_val_score": validating(cross_val_score, **RAISE),
    "cross_val_predict": validating(cross_val_predict),
    "probabilities": validating(cross_val_predict, method="predict_proba"),
    "predict": calling("predict"),
    "predict_proba": calling("predict_proba"),
    "score": calling("score", "y"),
}


@pytest.mark.parametrize("way", WAYS_TO_LOSE)
def test_loss_without_routing_is_an_error(data, way):
    with pytest.raises(ValueError, match=CONFOUNDS_LOST):
        WAYS_TO_LOSE[way](data, steps(data), {"map__confounds": data.confounds})


def test_loss_in_a_union_is_an_error(data):
    union = FeatureUnion([("back", make(data)), ("front", make(data, seed=1))])
    union.fit(data.images, confounds=data.confounds)
    with pytest.raises(ValueError, match=CONFOUNDS_LOST):
        union.transform(data.images)


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_error_that_scikit_learn_turns_into_a_score_is_still_told(data, scoring):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search = searching(scoring, refit=False, error_score=np.nan)(
            data, steps(data), {"map__confounds": data.confounds}
        )
    told = [re.search(CONFOUNDS_LOST, str(w.message), re.DOTALL) for w in caught]
    assert sum(found is not None for found in told) == 2  # once a fold
    assert np.isnan(search.cv_results_["mean_test_score"]).all()


def test_memory_of_a_pipeline_knows_confounds(data, tmp_path):
    pipeline = steps(data, "passthrough").set_params(memory=str(tmp_path))
    plain = steps(data, "passthrough")
    for confounds in (data.confounds, data.confounds[::-1], [None] * 4):
        expected = plain.fit_transform(data.images, map__confounds=confounds)
        for _ in range(2):
            maps = pipeline.fit_transform(data.images, map__confounds=confounds)
            np.testing.assert_array_equal(maps, expected)


# With routing: handed on


def beside(data):
    """Return what is handed on."""
    return {"confounds": data.confounds}


CURVE = {"param_name": "last__random_state", "param_range": [0], **RAISE}
LEARN = {"train_sizes": [1.0], **RAISE}
DEFAULT_SCORER = {
    "cross_val_score": validating(cross_val_score, **RAISE),
    "learning_curve": validating(learning_curve, **LEARN),
    "validation_curve": validating(validation_curve, **CURVE),
    "permutation_test_score": validating(permutation_test_score, n_permutations=1),
}


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("way", DEFAULT_SCORER)
def test_default_scorer_sees_confounds_or_refuses(data, way):
    score, pipeline = DEFAULT_SCORER[way], steps(data, Ridge(), confounds=True)
    if not ROUTES_TO_DEFAULT_SCORER:
        with pytest.raises(ValueError, match=CONFOUNDS_LOST):
            score(data, pipeline, beside(data))
        return
    found = score(data, pipeline, beside(data))
    expected = score(Bunch(images=data.runs, y=data.y), steps(data, Ridge()), {})
    for some, others in zip(found, expected, strict=True):
        np.testing.assert_allclose(some, others, rtol=1e-5)


@pytest.mark.usefixtures("routing")
def test_default_scorer_of_a_search(data):
    options = {"param_grid": GRID, "cv": KFold(2), **RAISE}
    search = GridSearchCV(steps(data, Ridge(), confounds=True), **options)
    if not ROUTES_TO_DEFAULT_SCORER:
        with pytest.raises(ValueError, match=CONFOUNDS_LOST):
            search.fit(data.images, data.y, **beside(data))
        return
    search.fit(data.images, data.y, **beside(data))
    expected = GridSearchCV(steps(data, Ridge()), **options).fit(data.runs, data.y)
    scores = [s.cv_results_["mean_test_score"] for s in (search, expected)]
    np.testing.assert_allclose(*scores, rtol=1e-6)
    score = search.score(data.images, data.y, **beside(data))
    np.testing.assert_allclose(score, expected.score(data.runs, data.y), rtol=1e-6)
    guesses = search.best_estimator_.predict(data.images, **beside(data))
    np.testing.assert_allclose(guesses, expected.predict(data.runs), rtol=1e-5)
    with pytest.raises(ValueError, match=CONFOUNDS_LOST):
        search.predict(data.images)
    with pytest.raises(ValueError, match=CONFOUNDS_LOST):
        search.score(data.images, data.y)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("name", ["confounds", "sample_mask"])
def test_methods_of_a_pipeline(data, name):
    pipeline = steps(data, **{name: True})
    given = {name: data[name]}
    runs = [
        Run(img, **{name: entry})
        for img, entry in zip(data.images, data[name], strict=True)
    ]
    expected = steps(data).fit(runs, data.y)
    pipeline.fit(data.images, data.y, **given)
    lost = CONFOUNDS_LOST.replace("had confounds", f"had {name}")
    for method in ("predict", "predict_proba", "decision_function"):
        found = getattr(pipeline, method)(data.images, **given)
        np.testing.assert_allclose(found, getattr(expected, method)(runs), rtol=1e-5)
        with pytest.raises(ValueError, match=lost):
            getattr(pipeline, method)(data.images)
    assert pipeline.score(data.images, data.y, **given) == expected.score(runs, data.y)
    with pytest.raises(ValueError, match=lost):
        pipeline.score(data.images, data.y)


@pytest.mark.usefixtures("routing")
def test_union_of_two_seeds(data):
    def union(**requests):
        parts = [(f"seed{i}", make(data, seed=i, **requests)) for i in range(2)]
        return FeatureUnion(parts)

    expected = union().fit_transform(data.runs)
    asking = union(confounds=True)
    maps = asking.fit_transform(data.images, **beside(data))
    np.testing.assert_array_equal(maps, expected)
    maps = asking.transform(data.images, **beside(data))
    np.testing.assert_array_equal(maps, expected)
    with pytest.raises(ValueError, match=CONFOUNDS_LOST):
        asking.transform(data.images)


@pytest.mark.usefixtures("routing")
def test_request_under_another_name(data):
    pipeline = steps(data, "passthrough", confounds="nuisance")
    maps = pipeline.fit_transform(data.images, nuisance=data.confounds)
    np.testing.assert_array_equal(maps, make(data).fit_transform(data.runs))


# With routing: lost


HALVES = {
    "fit alone": lambda sbc: sbc.set_fit_request(confounds=True),
    "transform alone": lambda sbc: sbc.set_transform_request(confounds=True),
    "not in fit": lambda sbc: sbc.set_fit_request(
        confounds=False
    ).set_transform_request(confounds=True),
    "not in transform": lambda sbc: sbc.set_fit_request(
        confounds=True
    ).set_transform_request(confounds=False),
}


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("half", HALVES)
def test_half_a_request_is_refused(data, half):
    pipeline = steps(data)
    HALVES[half](pipeline[0])
    with pytest.raises(ValueError, match="Conflicting metadata requests for confounds"):
        pipeline.fit(data.images, data.y, **beside(data))


@pytest.mark.usefixtures("routing")
def test_no_request_is_refused(data):
    with pytest.raises(UnsetMetadataPassedError, match="confounds"):
        steps(data).fit(data.images, data.y, **beside(data))
    pipeline = steps(data, confounds=False)
    with pytest.raises(TypeError, match="confounds"):
        pipeline.fit(data.images, data.y, **beside(data))


def stacking(pipeline):
    return StackingClassifier([("one", pipeline)], cv=KFold(2))


def calibration(pipeline):
    return CalibratedClassifierCV(pipeline, cv=KFold(2))


def threshold(pipeline):
    return TunedThresholdClassifierCV(pipeline, cv=KFold(2))


def voting(pipeline):
    return VotingClassifier([("one", pipeline)])


PERMUTE = {"scoring": "accuracy", "n_permutations": 1}
WAYS_TO_LOSE_WITH_ROUTING = {
    "a scorer": searching("accuracy"),
    "two scorers": searching(["accuracy", "neg_log_loss"], refit=False),
    "random search": searching("accuracy", RandomizedSearchCV, n_iter=1),
    "cross_validate": validating(cross_validate, scoring="accuracy", **RAISE),
    "cross_val_score": validating(cross_val_score, scoring="accuracy", **RAISE),
    "cross_val_predict": validating(cross_val_predict),
    "learning_curve": validating(learning_curve, scoring="accuracy", **LEARN),
    "validation_curve": validating(validation_curve, scoring="accuracy", **CURVE),
    "permutation_test_score": validating(permutation_test_score, **PERMUTE),
    "stacking": calling("predict", around=stacking),
    "calibration": calling("predict", around=calibration),
    "threshold": calling("predict", around=threshold),
    "fixed threshold": calling("predict", around=FixedThresholdClassifier),
    "voting": calling("predict", around=voting),
    "one against the rest": calling("predict", around=OneVsRestClassifier),
}


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("way", WAYS_TO_LOSE_WITH_ROUTING)
def test_loss_with_routing_is_an_error(data, way):
    with pytest.raises(ValueError, match=CONFOUNDS_LOST):
        WAYS_TO_LOSE_WITH_ROUTING[way](data, steps(data, confounds=True), beside(data))


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("way", ["a scorer", "cross_val_predict"])
def test_loss_of_sample_masks_is_an_error(data, way):
    pipeline = steps(data, sample_mask=True)
    given = {"sample_mask": data.sample_mask}
    with pytest.raises(ValueError, match=r"run 0.*every run had sample_mask in fit"):
        WAYS_TO_LOSE_WITH_ROUTING[way](data, pipeline, given)


@pytest.mark.parametrize("way", ["a scorer", "cross_val_predict", "stacking", "voting"])
def test_runs_that_carry_their_own_go_everywhere(data, way, monkeypatch):
    seen = []
    transform = SeedCorrelationMap.transform

    def noted(self, X, **params):
        z = transform(self, X, **params)
        seen.extend(zip(X, z, strict=True))
        return z

    monkeypatch.setattr(SeedCorrelationMap, "transform", noted)
    runs = Bunch(images=data.runs, y=data.y)
    WAYS_TO_LOSE_WITH_ROUTING[way](runs, steps(data), {})
    assert seen
    for run, row in seen:
        expected = make(data).fit_transform(run.img, confounds=run.confounds)
        assert np.abs(make(data).fit_transform(run.img) - expected).max() > 0.01
        np.testing.assert_allclose(row, expected[0], atol=1e-6)


# Where some runs have none


@pytest.fixture
def some(data):
    """Return confounds of which those of one run in each half are None."""
    return [None, *data.confounds[1:3], None]


SOME_LOST = r"run 0.*confounds.*in fit.*Run\(img, confounds"


@pytest.mark.parametrize("way", ["a scorer", "cross_val_predict", "predict"])
def test_loss_is_an_error_where_some_had_none(data, some, way):
    with pytest.raises(ValueError, match=SOME_LOST):
        WAYS_TO_LOSE[way](data, steps(data), {"map__confounds": some})


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("way", ["a scorer", "cross_val_predict"])
def test_loss_with_routing_is_an_error_where_some_had_none(data, some, way):
    pipeline = steps(data, confounds=True)
    with pytest.raises(ValueError, match=SOME_LOST):
        WAYS_TO_LOSE_WITH_ROUTING[way](data, pipeline, {"confounds": some})


def test_none_said_aloud_is_no_loss(data, some):
    sbc = make(data).fit(data.images, confounds=some)
    plain = make(data).fit(data.images)
    maps = sbc.transform(data.images, confounds=[None] * 4)
    np.testing.assert_array_equal(maps, plain.transform(data.images))
    np.testing.assert_array_equal(sbc.transform(data.runs), plain.transform(data.runs))
