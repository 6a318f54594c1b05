"""Many people and sites: one fit, cross-validation that knows them, a group's map."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sklearn
from nilearn.glm.second_level import SecondLevelModel
from scipy.stats import binom, norm
from sklearn.base import clone
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from helpers import make_sbc
from sbc_estimators import Run
from sbc_estimators.datasets import make_runs

N_VOXELS = 300
N_A_SITE = 12
SCANNERS = {"a": (60, 2.0), "b": (100, 1.2)}
"""Scans and repetition time in seconds at each site."""

CLEANING = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}
SURE = 0.001
"""Chances of an error that none of these tests takes."""


def scan(group_effect=0.0, n_a_site=N_A_SITE):
    """Simulate runs at two sites."""
    sites = [
        make_runs(
            n_a_site,
            n_scans,
            N_VOXELS,
            t_r=t_r,
            group_effect=group_effect,
            random_state=random_state,
        )
        for random_state, (n_scans, t_r) in enumerate(SCANNERS.values())
    ]
    return SimpleNamespace(
        runs=[run for site in sites for run in site.runs],
        y=np.concatenate([site.y for site in sites]),
        site=np.repeat(list(SCANNERS), n_a_site),
        mask_img=sites[0].mask_img,
        seeds=sites[0].seeds,
        truth=sites[0].group_correlations,
    )


def make(data, **maskers):
    """Return an unfitted estimator of the first network's seed."""
    return make_sbc(data, cleaning={**CLEANING, **maskers})


@pytest.fixture(scope="module")
def different():
    """Return runs of groups that differ, and their maps, of all sites in one fit."""
    return mapped(scan(group_effect=1.0))


@pytest.fixture(scope="module")
def alike():
    """Return runs of groups that do not differ, and their maps."""
    return mapped(scan())


def mapped(data):
    """Add the fitted estimator and the maps of all runs."""
    data.sbc = make(data)
    data.z = data.sbc.fit_transform(data.runs)
    return data


# Sites in one fit


def test_sites_share_their_brain():
    data = scan(n_a_site=1)
    inside = np.asarray(data.mask_img.dataobj) > 0
    for run in data.runs:
        voxels = np.asarray(run.img.dataobj)[inside]
        assert voxels.shape[0] == N_VOXELS
        assert voxels.all()
    assert [(run.img.shape[-1], run.t_r) for run in data.runs] == [*SCANNERS.values()]


def test_each_run_is_cleaned_at_its_own_repetition_time(different, nilearn_r):
    for i in (0, N_A_SITE):
        run = different.runs[i]
        seed, brain = different.sbc.seed_masker, different.sbc.brain_masker
        r = nilearn_r(seed, brain, run)
        np.testing.assert_allclose(np.tanh(different.z[i]), r[0], atol=1e-5)
    scans = [different.runs[i].img.shape[-1] for i in (0, N_A_SITE)]
    report = different.sbc.run_report_
    assert report["n_scans"].tolist() == [n for n in scans for _ in range(N_A_SITE)]
    # In the band of 0.01 to 0.1 Hz, of one length in seconds.
    assert len({different.sbc.prepare(run).rank for run in different.runs}) <= 2


@pytest.mark.parametrize("of_maskers", [None, 1.2, 7.0])
def test_repetition_time_of_runs_wins_over_the_maskers(different, of_maskers):
    runs = [different.runs[i] for i in (0, N_A_SITE)]
    low_pass = 0.07 if of_maskers == 7.0 else 0.1  # Nyquist of the maskers' own
    expected = make(different, low_pass=low_pass).fit_transform(runs)
    sbc = make(different, low_pass=low_pass, t_r=of_maskers)
    np.testing.assert_array_equal(sbc.fit_transform(runs), expected)


def test_runs_without_a_repetition_time_take_that_of_the_maskers(different):
    first, last = (different.runs[i] for i in (0, N_A_SITE))
    sbc = make(different, t_r=last.t_r)
    z = sbc.fit_transform([first, Run(last.img, last.confounds)])
    np.testing.assert_array_equal(z, different.z[[0, N_A_SITE]])
    other = sbc.set_params(t_r=2.0).fit_transform(
        [first, Run(last.img, last.confounds)]
    )
    np.testing.assert_array_equal(other[0], z[0])
    assert np.abs(other[1] - z[1]).max() > 0.05


def test_map_of_a_run_does_not_depend_on_those_beside_it(different):
    for site in SCANNERS:
        at_site = different.site == site
        runs = [run for run, here in zip(different.runs, at_site, strict=True) if here]
        alone = make(different).fit_transform(runs)
        np.testing.assert_array_equal(alone, different.z[at_site])


# Cross-validation by site and by person


@pytest.fixture(scope="module")
def few(different):
    """Return the first four people of each site."""
    chosen = [i for i in range(len(different.y)) if i % N_A_SITE < 4]
    return SimpleNamespace(
        runs=[different.runs[i] for i in chosen],
        z=different.z[chosen],
        y=different.y[chosen],
        site=different.site[chosen],
        person=np.array(chosen) % N_A_SITE // 2,  # two of each group
        sbc=make(different),
    )


@pytest.mark.parametrize("kind", [list, pd.Series])
def test_leave_one_site_out(few, kind):
    options = {"groups": few.site, "cv": LeaveOneGroupOut()}
    options["method"] = "decision_function"
    classify = SVC(kernel="linear")
    steps = make_pipeline(few.sbc, classify)
    guesses = cross_val_predict(steps, kind(few.runs), few.y, **options)
    expected = cross_val_predict(classify, few.z, few.y, **options)
    np.testing.assert_array_equal(guesses, expected)
    of_one_site = SVC(kernel="linear").fit(few.z[:4], few.y[:4])
    np.testing.assert_allclose(guesses[4:], of_one_site.decision_function(few.z[4:]))


@pytest.mark.parametrize("has_routing", [False, True])
def test_grid_search_by_person(few, has_routing):
    classify = SVC(kernel="linear")
    search = GridSearchCV(
        make_pipeline(few.sbc, classify),
        {"svc__C": [1.0]},
        scoring=decisions,
        cv=GroupKFold(2),
        error_score="raise",
        refit=False,
    )
    with sklearn.config_context(enable_metadata_routing=has_routing):
        search.fit(few.runs, few.y, groups=few.person)
    options = {"cv": GroupKFold(2), "groups": few.person, "scoring": decisions}
    expected = cross_val_score(classify, few.z, few.y, **options)
    results = search.cv_results_
    scores = [results[f"split{i}_test_score"][0] for i in range(2)]
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    options["groups"] = few.site  # other groups are other folds
    others = cross_val_score(classify, few.z, few.y, **options)
    assert np.abs(others - expected).min() > 1e-3


def decisions(classifier, X, y):
    """Score by the mean margin, which tells any two folds apart."""
    return float(np.mean((2 * y - 1) * classifier.decision_function(X)))


# An effect that is there, and one that is not


def n_right(data):
    """Return how many runs are classified rightly by training at the other site."""
    guesses = cross_val_predict(
        SVC(kernel="linear"), data.z, data.y, groups=data.site, cv=LeaveOneGroupOut()
    )
    return int(np.sum(guesses == data.y))


def test_groups_that_differ_are_told_apart(different):
    by_chance = binom(len(different.runs), 0.5)
    assert by_chance.sf(n_right(different) - 1) < SURE


def test_groups_that_are_alike_are_not(alike):
    low, high = binom(len(alike.runs), 0.5).interval(1 - SURE)
    assert low <= n_right(alike) <= high


# From maps to a group's map


MASK_IS_GIVEN = r"ignore:\[NiftiMasker.fit\] Generation of a mask has been requested"
"""What nilearn 0.13's SecondLevelModel makes its own masker say."""


def second_level(data, contrast):
    """Return z scores of a contrast, and which of all voxels pass Bonferroni's 5 %."""
    design = {"group": data.y, "site": data.site == "b", "mean": 1}
    design = pd.DataFrame(design, dtype=float)
    if contrast == "mean":
        design[["group", "site"]] -= design[["group", "site"]].mean()
    model = SecondLevelModel(mask_img=data.mask_img)
    model.fit(data.sbc.inverse_transform(data.z), design_matrix=design)
    img = model.compute_contrast(contrast, output_type="z_score")
    inside = np.asarray(data.mask_img.dataobj) > 0
    scores = img.get_fdata()[inside]
    return scores, np.abs(scores) > norm.isf(0.05 / 2 / N_VOXELS)


def true_z(data):
    """Return the true Fisher z of the first seed's map in both groups."""
    return np.arctanh(np.minimum(data.truth[:, 0], 0.999))


@pytest.mark.filterwarnings(MASK_IS_GIVEN)
def test_group_map_shows_where_groups_differ(different):
    scores, is_found = second_level(different, "group")
    difference = true_z(different)[1] - true_z(different)[0]
    assert difference[is_found].min() > 0.03
    assert is_found[difference > 0.3].mean() > 0.7
    assert np.corrcoef(scores, difference)[0, 1] > 0.8


@pytest.mark.filterwarnings(MASK_IS_GIVEN)
def test_group_map_of_groups_that_are_alike_is_empty(alike):
    _, is_found = second_level(alike, "group")
    assert not is_found.any()


@pytest.mark.filterwarnings(MASK_IS_GIVEN)
def test_group_map_of_one_sample_is_the_network(alike):
    scores, is_found = second_level(alike, "mean")
    truth = true_z(alike)[0]
    assert is_found[truth > 0.3].all()
    assert is_found[truth < 0.01].mean() < 0.05
    assert np.all(scores[is_found & (truth > 0.3)] > 0)


# Tables


def test_maps_of_many_people_as_a_table(different):
    pipeline = make_pipeline(clone(different.sbc), SelectKBest(k=20))
    pipeline.set_output(transform="pandas")
    table = pipeline.fit_transform(different.runs, different.y)
    assert isinstance(table, pd.DataFrame)
    columns = different.sbc.get_feature_names_out()
    chosen = np.flatnonzero(np.isin(columns, table.columns))
    assert len(chosen) == 20
    np.testing.assert_array_equal(table, different.z[:, chosen])
