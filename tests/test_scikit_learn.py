"""At home in scikit-learn: an estimator's contract, and nothing lost on the way."""

import contextlib
import functools
import gc
import pickle
import re
import threading
import warnings
import weakref
from types import SimpleNamespace

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import sklearn
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)
from nilearn.surface import SurfaceImage
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks, estimator_html_repr
from sklearn.utils.fixes import parse_version
from threadpoolctl import threadpool_info

from grayordinate_helpers import r_of_grayordinates, runs_with_spheres
from helpers import every_pair, images, make_sbc, save, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._maps import many
from sbc_estimators.datasets import load_sample_run, make_runs

pytestmark = pytest.mark.usefixtures("any_dof")

N_SCANS = 40
N_VOXELS = 120
T_R = 2.0
LOST = r"run 0.*had confounds in fit.*Run\(img, confounds"
BAND = {"high_pass": 0.01, "low_pass": 0.1, "t_r": T_R}


@pytest.fixture(scope="module")
def data():
    """Return two simulated runs in memory, with confounds."""
    return make_runs(2, N_SCANS, N_VOXELS, n_networks=2, t_r=T_R, random_state=0)


@pytest.fixture(scope="module")
def four():
    """Return these runs and two more, for cross-validation."""
    return make_runs(4, N_SCANS, N_VOXELS, n_networks=2, t_r=T_R, random_state=0)


@pytest.fixture(scope="module", params=["volumes", "grayordinates"])
def any_four(request, four):
    """Return four runs of each kind."""
    if request.param == "volumes":
        return four
    return runs_with_spheres(4, N_SCANS, n_networks=2, t_r=T_R)


@pytest.fixture(scope="module")
def files(tmp_path_factory, data):
    """Return the same runs, without confounds, as paths."""
    folder = tmp_path_factory.mktemp("runs")
    paths = [folder / f"sub-{i}_bold.nii.gz" for i in range(2)]
    return [save(run.img, path) for run, path in zip(data.runs, paths, strict=True)]


@pytest.fixture
def sbc(data):
    """Return an unfitted estimator of one seed."""
    return make_sbc(data)


@pytest.fixture(scope="module")
def fitted(data):
    """Return an estimator fitted on all runs; tests leave it as it is."""
    return make_sbc(data, **BAND).fit(data.runs)


def tables(data):
    """Return the runs' confounds."""
    return [run.confounds for run in data.runs]


@pytest.fixture(scope="module")
def by_hand(any_four, nilearn_r):
    """Return a function that makes run i's Fisher z map with plain nilearn."""

    @functools.cache
    def z_by_hand(i, confounds=True, radius=6, **cleaning):
        run = any_four.runs[i]
        run = run if confounds else Run(run.img)
        cleaning = {"detrend": True, "t_r": T_R, **cleaning}
        if not hasattr(any_four, "mask_img"):
            r = r_of_grayordinates(run, any_four.seeds[0], radius, **cleaning)
            return np.arctanh(r)
        values = np.asarray(run.img.dataobj, dtype=np.float64)  # nilearn keeps float32
        run = Run(nib.Nifti1Image(values, run.img.affine), run.confounds)
        seed = NiftiSpheresMasker(any_four.seeds[:1], radius=radius, **cleaning)
        r = nilearn_r(seed, NiftiMasker(any_four.mask_img, **cleaning), run)
        return np.arctanh(r[0])

    return z_by_hand


# Parameters


def test_init_only_stores():
    parameters = {
        "seed_masker": object(),
        "brain_masker": object(),
        "low_pass": object(),
        "high_pass": object(),
        "t_r": object(),
        "measure": object(),
        "n_jobs": object(),
        "verbose": object(),
    }
    stored = vars(SeedCorrelationMap(**parameters))
    assert all(stored[name] is value for name, value in parameters.items())


def test_init_sets_nothing_but_parameters(sbc):
    assert set(vars(sbc)) == set(sbc.get_params(deep=False))


def test_options_are_keywords_only(data):
    with pytest.raises(TypeError, match="positional"):
        SeedCorrelationMap(NiftiSpheresMasker(data.seeds), None, 0.1)


def test_get_params_reaches_into_maskers(sbc):
    parameters = sbc.get_params()
    assert parameters["seed_masker__radius"] == 6
    assert parameters["brain_masker__smoothing_fwhm"] is None
    assert parameters["low_pass"] == "masker"
    assert "seed_masker__radius" not in sbc.get_params(deep=False)


def test_set_params_reaches_into_maskers(sbc):
    masker = sbc.seed_masker
    sbc.set_params(seed_masker__radius=8, low_pass=0.08, brain_masker__smoothing_fwhm=5)
    assert sbc.seed_masker is masker
    assert masker.radius == 8
    assert sbc.brain_masker.smoothing_fwhm == 5
    assert sbc.low_pass == 0.08


@pytest.mark.parametrize("name", ["radius", "seed_masker__nothing", "nothing__radius"])
def test_set_params_of_a_wrong_name(sbc, name):
    with pytest.raises(ValueError, match="Invalid parameter"):
        sbc.set_params(**{name: 1})


@pytest.mark.parametrize(
    "change",
    [
        {"seed_masker__radius": 10},
        {"low_pass": 0.08},
        {"brain_masker__smoothing_fwhm": 6},
        {"seed_masker__smoothing_fwhm": 6},
        {"brain_masker__detrend": False, "seed_masker__detrend": False},
    ],
    ids=str,
)
def test_parameter_set_on_a_fitted_estimator_changes_the_next_fit(data, change):
    fitted = make_sbc(data, **BAND).fit(data.runs)
    old = fitted.transform(data.runs)
    fitted.set_params(**change)
    np.testing.assert_array_equal(fitted.transform(data.runs), old)
    new = fitted.fit(data.runs).transform(data.runs)
    assert np.abs(new - old).max() > 1e-3
    fresh = clone(fitted).fit_transform(data.runs)
    np.testing.assert_array_equal(new, fresh)


def test_shared_parameters_win_over_maskers(data):
    own = make_sbc(data)
    options = {
        f"{m}_masker__{k}": v for m in ("seed", "brain") for k, v in BAND.items()
    }
    expected = own.set_params(**options).fit_transform(data.runs)
    others = {
        name: 0.05 if name == "low_pass" else value for name, value in BAND.items()
    }
    sbc = make_sbc(data, **BAND)
    sbc.set_params(**{f"seed_masker__{name}": value for name, value in others.items()})
    np.testing.assert_array_equal(sbc.fit_transform(data.runs), expected)
    assert sbc.seed_masker.low_pass == 0.05
    assert sbc.seed_masker_.low_pass == 0.1


def test_shared_none_takes_the_filter_away(data):
    expected = make_sbc(data).fit_transform(data.runs)
    sbc = make_sbc(data, low_pass=None, high_pass=None)
    for masker in ("seed_masker", "brain_masker"):
        sbc.set_params(**{f"{masker}__{name}": value for name, value in BAND.items()})
    np.testing.assert_allclose(sbc.fit_transform(data.runs), expected, atol=1e-6)


# clone, repr, pickle


@pytest.mark.parametrize("is_fitted", [False, True])
def test_clone(any_four, is_fitted):
    sbc, runs = make_sbc(any_four), any_four.runs
    sbc.set_params(low_pass=0.1, high_pass=0.01, t_r=2.0, verbose=0)
    if is_fitted:
        sbc.fit(runs)
    copy = clone(sbc)
    assert set(vars(copy)) == set(sbc.get_params(deep=False))
    assert copy.seed_masker is not sbc.seed_masker
    assert copy.brain_masker is not sbc.brain_masker
    assert not hasattr(copy.seed_masker, "seeds_")
    assert copy.get_params()["seed_masker__radius"] == 6
    assert copy.low_pass == 0.1
    np.testing.assert_array_equal(
        copy.fit_transform(runs), sbc.fit(runs).transform(runs)
    )


def test_clone_does_not_change_with_its_original(sbc):
    copy = clone(sbc).set_params(seed_masker__radius=99)
    assert sbc.seed_masker.radius == 6
    assert copy.seed_masker.radius == 99


@pytest.mark.parametrize("is_fitted", [False, True])
def test_texts(data, sbc, is_fitted):
    if is_fitted:
        sbc.fit(data.runs)
    for text in (repr(sbc), str(sbc), estimator_html_repr(sbc), sbc._repr_html_()):
        assert "SeedCorrelationMap" in text
        assert "NiftiSpheresMasker" in text
    state = "<span>Fitted</span>" if is_fitted else "<span>Not fitted</span>"
    assert state in estimator_html_repr(sbc)


def test_text_without_brain_masker(data):
    sbc = SeedCorrelationMap(NiftiSpheresMasker(data.seeds))
    assert "SeedCorrelationMap" in repr(sbc)
    assert "SeedCorrelationMap" in estimator_html_repr(make_pipeline(sbc))


def pickled(estimator, folder):
    """Return a copy by pickle."""
    return pickle.loads(pickle.dumps(estimator))


def dumped(estimator, folder):
    """Return a copy by joblib."""
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


@pytest.mark.parametrize("through", [pickled, dumped])
def test_pickle_of_a_fitted_estimator(any_four, through, tmp_path):
    fitted = make_sbc(any_four, **BAND).fit(any_four.runs)
    copy = through(fitted, tmp_path)
    z = fitted.transform(any_four.runs)
    np.testing.assert_array_equal(copy.transform(any_four.runs), z)
    np.testing.assert_array_equal(copy.correlations_, fitted.correlations_)
    back, expected = copy.inverse_transform(z), fitted.inverse_transform(z)
    np.testing.assert_array_equal(back.dataobj, expected.dataobj)
    with pytest.raises(ValueError, match=LOST):
        copy.transform(images(any_four))


@pytest.mark.parametrize("through", [pickled, dumped])
def test_pickle_of_an_unfitted_estimator(any_four, through, tmp_path):
    sbc = make_sbc(any_four, **BAND)
    copy = through(sbc, tmp_path)
    assert set(vars(copy)) == set(copy.get_params(deep=False))
    runs = any_four.runs
    np.testing.assert_array_equal(copy.fit_transform(runs), sbc.fit_transform(runs))


def test_size_of_a_pickle_does_not_depend_on_the_runs(data):
    longer = make_runs(4, 4 * N_SCANS, N_VOXELS, n_networks=2, random_state=0)
    sizes = [
        len(pickle.dumps(make_sbc(data, **BAND).fit(runs)))
        for runs in (data.runs[:1], data.runs, longer.runs)
    ]
    assert max(sizes) - min(sizes) < 2000
    assert max(sizes) < 100_000


def test_size_of_a_pickle_at_the_sample_run():
    sample = load_sample_run()
    sbc = SeedCorrelationMap(NiftiSpheresMasker([(0, -52, 18)], radius=8, detrend=True))
    assert len(pickle.dumps(sbc.fit(sample.run))) < 2_000_000


# What fit keeps, and what it leaves


def test_fit_returns_self(data, sbc):
    assert sbc.fit(data.runs) is sbc
    assert sbc.fit(data.runs, data.y) is sbc


def test_fitted_attributes_end_with_an_underscore(fitted):
    parameters = set(fitted.get_params(deep=False))
    public = {name for name in vars(fitted) if not name.startswith("_")} - parameters
    assert {
        "correlations_",
        "n_seeds_",
        "n_voxels_",
        "n_runs_",
        "seed_names_",
        "seed_masker_",
        "brain_masker_",
    } <= public
    assert all(name.endswith("_") for name in public)


def test_fitted_attributes(data):
    sbc = make_sbc(data, seeds=2, **BAND).fit(data.runs)
    assert (sbc.n_seeds_, sbc.n_voxels_, sbc.n_runs_) == (2, N_VOXELS, 2)
    assert sbc.correlations_.shape == (2, N_VOXELS)
    assert len(sbc.seed_names_) == 2
    z = sbc.transform(data.runs).astype(np.float64).mean(axis=0)
    expected = np.tanh(z).reshape(2, N_VOXELS)
    np.testing.assert_allclose(sbc.correlations_, expected, atol=1e-6)


def test_parameters_are_unchanged_by_fit(data, sbc):
    before = sbc.get_params()
    own = {
        name: dict(vars(getattr(sbc, name))) for name in ("seed_masker", "brain_masker")
    }
    sbc.fit(data.runs).transform(data.runs)
    after = sbc.get_params()
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    for name, values in own.items():
        now = vars(getattr(sbc, name))
        assert now.keys() == values.keys()
        assert all(now[key] is values[key] for key in values)


def test_inputs_are_unchanged_by_fit(data, sbc):
    values = [np.array(img.dataobj) for img in images(data)]
    headers = [img.header.copy() for img in images(data)]
    confounds = [table.copy() for table in tables(data)]
    masks = [np.arange(i, N_SCANS) for i in range(2)]
    imgs, given = images(data), tables(data)
    arguments = {"confounds": given, "sample_mask": masks}
    sbc.fit(imgs, **arguments).transform(imgs, **arguments)
    for i, img in enumerate(imgs):
        np.testing.assert_array_equal(img.dataobj, values[i])
        assert img.header == headers[i]
        pd.testing.assert_frame_equal(given[i], confounds[i])
        np.testing.assert_array_equal(masks[i], np.arange(i, N_SCANS))


def test_images_from_files_stay_unread(files, sbc):
    imgs = [nib.load(path) for path in files]
    sbc.fit(imgs).transform(imgs)
    assert not any(img.in_memory for img in imgs)


def test_refit_replaces_everything(data, sbc):
    sbc.set_params(seed_masker__seeds=data.seeds, **BAND).fit(data.runs)
    sbc.set_params(seed_masker__seeds=[(0, 0, 0)], low_pass=None, high_pass=None)
    sbc.fit(images(data)[:1])
    fresh = clone(sbc).fit(images(data)[:1])
    assert vars(sbc).keys() == vars(fresh).keys()
    assert (sbc.n_seeds_, sbc.n_runs_) == (1, 1)
    assert list(sbc.seed_names_) == list(fresh.seed_names_)
    np.testing.assert_array_equal(sbc.correlations_, fresh.correlations_)
    # Confounds, which the first fit had, are no longer asked for.
    z = sbc.transform(images(data))
    np.testing.assert_array_equal(z, fresh.transform(images(data)))


@pytest.mark.parametrize("has_mask", [True, False])
def test_fitted_estimator_keeps_no_image(has_mask):
    data = make_runs(2, N_SCANS, N_VOXELS, n_networks=2, random_state=1)
    sbc = make_sbc(data, **BAND)
    if not has_mask:
        sbc.set_params(brain_masker__mask_img=None)
    masks = [np.arange(2, N_SCANS), np.arange(3, N_SCANS)]
    runs = [
        Run(run.img, run.confounds, sample_mask=mask)
        for run, mask in zip(data.runs, masks, strict=True)
    ]
    sbc.fit(runs).transform(runs)
    sbc.seed_signals(runs[0])
    images_and_tables = [
        weakref.ref(thing) for run in runs for thing in (run.img, run.confounds, run)
    ]
    del data, runs
    gc.collect()
    assert [ref() for ref in images_and_tables if ref() is not None] == []


def test_threads_are_left_as_they_were(data, sbc):
    def threads():
        return sorted(
            (pool["filepath"], pool["num_threads"]) for pool in threadpool_info()
        )

    sbc.fit(data.runs)
    before = threads()
    assert before
    sbc.fit(data.runs).inverse_transform(sbc.transform(data.runs))
    sbc.fit_transform(data.runs)
    assert threads() == before


# Results of the methods


def test_fit_transform_equals_fit_then_transform(data, fitted):
    z = make_sbc(data, **BAND).fit_transform(data.runs, data.y)
    assert z.dtype == np.float32
    assert z.shape == (2, N_VOXELS)
    np.testing.assert_array_equal(z, fitted.transform(data.runs))


def test_each_row_is_the_map_of_its_run(data, fitted):
    z = fitted.transform(data.runs)
    for i, run in enumerate(data.runs):
        np.testing.assert_array_equal(fitted.transform([run])[0], z[i])
    np.testing.assert_array_equal(fitted.transform(data.runs[::-1]), z[::-1])


def test_seeds_are_the_outer_index(data):
    z = make_sbc(data, seeds=2, **BAND).fit_transform(data.runs)
    alone = [
        make_sbc(data, seeds=[s], **BAND).fit_transform(data.runs) for s in data.seeds
    ]
    np.testing.assert_allclose(np.tanh(z), np.tanh(np.hstack(alone)), atol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, np.ndarray.tolist])
def test_inverse_transform(data, kind):
    sbc = make_sbc(data, seeds=2, **BAND)
    z = sbc.fit_transform(data.runs)
    img = sbc.inverse_transform(kind(z))
    assert img.shape == (*data.mask_img.shape, 4)
    np.testing.assert_array_equal(img.affine, data.mask_img.affine)
    values = np.asarray(img.dataobj)
    inside = np.asarray(data.mask_img.dataobj) > 0
    for i in range(2):
        for j in range(2):
            volume = values[..., 2 * i + j]
            expected = z[i, j * N_VOXELS : (j + 1) * N_VOXELS]
            np.testing.assert_allclose(volume[inside], expected, rtol=1e-6)
            assert not volume[~inside].any()


def test_inverse_transform_of_one_row(data):
    sbc = make_sbc(data, seeds=2)
    z = sbc.fit_transform(data.runs)
    row = sbc.inverse_transform(z[1])
    expected = sbc.inverse_transform(z[1:2])
    assert row.shape == expected.shape == (*data.mask_img.shape, 2)
    np.testing.assert_array_equal(row.dataobj, expected.dataobj)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_inverse_transform_of_counts(data, fitted, dtype):
    z = fitted.transform(data.runs)
    img = fitted.inverse_transform((z > 0.1).astype(dtype))
    expected = fitted.inverse_transform((z > 0.1).astype(np.float32))
    assert img.get_data_dtype() == np.float32
    np.testing.assert_array_equal(img.dataobj, expected.dataobj)


# n_jobs


@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
def test_progress_is_shown_where_it_is_asked_for(
    data, fitted, capsys, monkeypatch, method
):
    sbc = clone(fitted) if "fit" in method else pickle.loads(pickle.dumps(fitted))
    monkeypatch.setattr("sbc_estimators._maps.many.SOON", 0.0)
    getattr(sbc.set_params(verbose=0), method)(data.runs)
    assert capsys.readouterr() == ("", "")
    getattr(sbc.set_params(verbose=1), method)(data.runs)
    text, errors = capsys.readouterr()
    assert text == ""
    assert re.search(r"seed maps: .* 0/2 \[00:00<\?, \?run/s\]", errors)


def test_no_progress_of_what_is_done_soon_or_is_one_run(
    data, fitted, capsys, monkeypatch
):
    sbc = clone(fitted).set_params(verbose=1)
    sbc.fit(data.runs).transform(data.runs)
    monkeypatch.setattr("sbc_estimators._maps.many.SOON", 0.0)
    sbc.transform(data.runs[:1])
    assert capsys.readouterr() == ("", "")


# Threads share their filters of warnings: what nilearn 0.13 announces may come through.
@pytest.mark.filterwarnings("ignore:The default strategy for standardize")
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_n_jobs_changes_nothing(any_four, backend):
    fitted = make_sbc(any_four, **BAND).fit(any_four.runs)
    z = fitted.transform(any_four.runs)
    with joblib.parallel_config(backend=backend):
        sbc = make_sbc(any_four, n_jobs=2, **BAND)
        np.testing.assert_array_equal(sbc.fit_transform(any_four.runs), z)
        np.testing.assert_array_equal(sbc.transform(any_four.runs), z)
    np.testing.assert_array_equal(sbc.correlations_, fitted.correlations_)


def test_few_maps_wait_to_be_taken():
    started = []

    def note(_, run):
        started.append(run)
        return run

    mapper = SimpleNamespace(n_jobs=2, verbose=0)
    runs = [SimpleNamespace(position=i, where=f"run {i}") for i in range(20)]
    with joblib.parallel_config(backend="threading"):
        maps = enumerate(many.Attempts().results(note, mapper, runs, most=2))
        for n_taken, (position, run) in maps:
            assert run is runs[n_taken]
            assert position == n_taken
            threading.Event().wait(0.01)
            assert len(started) <= 4 * (n_taken // 4 + 1)
    assert len(started) == 20


def test_grid_search_in_processes(any_four):
    search = GridSearchCV(
        make_pipeline(make_sbc(any_four), LogisticRegression()),
        {"seedcorrelationmap__seed_masker__radius": [6, 8]},
        cv=2,
        n_jobs=2,
        error_score="raise",
    )
    search.fit(any_four.runs, any_four.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.ends_processes
def test_file_that_a_process_cannot_open_names_the_run(data, tmp_path, monkeypatch):
    path = save(data.runs[1].img, tmp_path / "run.nii.gz")
    mapping = many.Attempts.maps

    def vanishing(*args):
        path.unlink()
        return mapping(*args)

    monkeypatch.setattr(many.Attempts, "maps", vanishing)
    with pytest.raises(FileNotFoundError, match=words("run 1", "run.nii.gz")):
        make_sbc(data, n_jobs=2).fit([data.runs[0].img, path])


# The ways to write X


def of_objects(values):
    """Return an object array of whatever it is given."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


SEQUENCES = {
    "tuple": tuple,
    "object array": of_objects,
    "Series": pd.Series,
    "Series with labels": lambda values: pd.Series(values, index=list("ab")),
    "str": lambda values: [str(value) for value in values],
    "array of str": lambda values: np.array([str(value) for value in values]),
    "Series of str": lambda values: pd.Series([str(value) for value in values]),
    "nibabel": lambda values: [nib.load(value) for value in values],
    "Run": lambda values: [Run(value) for value in values],
    "array of Run": lambda values: of_objects([Run(value) for value in values]),
    "mixed": lambda values: [str(values[0]), Run(nib.load(values[1]))],
}


@pytest.mark.parametrize("kind", SEQUENCES)
def test_sequences_of_runs(sbc, files, kind):
    expected = sbc.fit_transform(files)
    X = SEQUENCES[kind](files)
    np.testing.assert_array_equal(sbc.transform(X), expected)
    np.testing.assert_array_equal(sbc.fit_transform(X), expected)


@pytest.mark.parametrize("kind", [lambda path: path, str, nib.load, Run])
def test_single_run(sbc, files, kind):
    expected = sbc.fit_transform([files[0]])
    X = kind(files[0])
    np.testing.assert_array_equal(sbc.fit_transform(X), expected)
    np.testing.assert_array_equal(sbc.transform(X), expected)
    np.testing.assert_array_equal(sbc.seed_signals(X), sbc.seed_signals(files[0]))


@pytest.mark.parametrize(
    "kind", [np.asarray, lambda table: table, list, lambda table: [table]], ids=range(4)
)
def test_single_run_with_confounds_beside(data, sbc, files, kind):
    run = data.runs[0]
    if kind is list:
        return_shape = run.confounds.iloc[:, 0]
        expected = sbc.fit_transform(Run(files[0], return_shape.to_frame()))
        z = sbc.fit_transform(files[0], confounds=list(return_shape))
    else:
        expected = sbc.fit_transform(Run(files[0], run.confounds))
        z = sbc.fit_transform(files[0], confounds=kind(run.confounds))
    np.testing.assert_array_equal(z, expected)


@pytest.mark.parametrize("kind", [list, tuple, of_objects, pd.Series])
def test_confounds_and_sample_masks_beside(data, sbc, kind):
    masks = [np.arange(i, N_SCANS) for i in range(2)]
    runs = [
        Run(run.img, run.confounds, sample_mask=mask)
        for run, mask in zip(data.runs, masks, strict=True)
    ]
    expected = sbc.fit_transform(runs)
    arguments = {"confounds": kind(tables(data)), "sample_mask": kind(masks)}
    np.testing.assert_array_equal(
        sbc.fit_transform(images(data), **arguments), expected
    )
    z = sbc.fit(images(data), **arguments).transform(images(data), **arguments)
    np.testing.assert_array_equal(z, expected)


def test_confounds_from_files(data, sbc, files, tmp_path):
    expected = sbc.fit_transform([Run(files[0], data.runs[0].confounds)])
    paths = [tmp_path / name for name in ("a.tsv", "b.csv", "c.txt", "d.1D")]
    table = data.runs[0].confounds
    table.to_csv(paths[0], sep="\t", index=False)
    table.to_csv(paths[1], index=False)
    np.savetxt(paths[2], table, fmt="%.17g")
    np.savetxt(paths[3], table, fmt="%.17g", delimiter="  ")
    for path in paths:
        z = sbc.fit_transform([Run(files[0], path)])
        np.testing.assert_allclose(z, expected, atol=1e-6)
    z = sbc.fit_transform(files[:2], confounds=[str(paths[0]), None])
    np.testing.assert_allclose(z[:1], expected, atol=1e-6)


def test_image_in_memory_is_not_read_from_the_file_it_was_saved_to(data, sbc, tmp_path):
    img = nib.Nifti1Image(np.array(data.runs[0].img.dataobj), data.mask_img.affine)
    nib.save(img, tmp_path / "saved.nii.gz")
    assert img.get_filename() is not None
    before = sbc.fit_transform(img)
    img.dataobj[...] = np.asarray(data.runs[1].img.dataobj)
    after = sbc.fit_transform(img)
    np.testing.assert_array_equal(after, sbc.fit_transform(data.runs[1].img))
    assert np.abs(after - before).max() > 0.1


def test_run_does_not_compare_or_hash_by_value():
    confounds = np.zeros(3)
    first, again = Run("a.nii", confounds), Run("a.nii", confounds)
    assert first != again
    assert [again, first].index(first) == 1
    assert len({first, again}) == 2


def test_run_is_frozen_and_can_be_pickled(data):
    run = data.runs[0]
    with pytest.raises(AttributeError):
        run.img = None
    copy = pickle.loads(pickle.dumps(run))
    pd.testing.assert_frame_equal(copy.confounds, run.confounds)
    np.testing.assert_array_equal(copy.img.dataobj, run.img.dataobj)


# Names and containers of the output


def test_feature_names(data):
    sbc = make_sbc(data, seeds=2).fit(data.runs)
    names = sbc.get_feature_names_out()
    assert names.dtype == object
    assert names.shape == (2 * N_VOXELS,)
    assert len(set(names)) == len(names)
    for j, seed in enumerate(sbc.seed_names_):
        assert all(str(seed) in name for name in names[j * N_VOXELS :][:N_VOXELS])


def test_set_output(data):
    sbc = make_sbc(data, seeds=2)
    expected = sbc.fit_transform(data.runs)
    assert sbc.set_output(transform="pandas") is sbc
    for table in (sbc.fit_transform(data.runs), sbc.transform(data.runs)):
        assert isinstance(table, pd.DataFrame)
        np.testing.assert_array_equal(table, expected)
        np.testing.assert_array_equal(table.columns, sbc.get_feature_names_out())
        assert (table.dtypes == np.float32).all()
    clone_of_it = clone(sbc).fit(data.runs)
    assert isinstance(clone_of_it.transform(data.runs), pd.DataFrame)
    sbc.set_output(transform="default")
    assert isinstance(sbc.transform(data.runs), np.ndarray)


def test_set_output_with_a_series_of_paths(sbc, files):
    X = pd.Series(files, index=list("ab"))
    table = sbc.set_output(transform="pandas").fit(X).transform(X)
    assert isinstance(table, pd.DataFrame)
    assert table.shape == (2, N_VOXELS)


def labels_img(data, n_labels=3):
    """Return labels of slabs of the brain."""
    mask = np.asarray(data.mask_img.dataobj)
    slabs = np.arange(mask.shape[1]) * n_labels // mask.shape[1] + 1
    return nib.Nifti1Image(
        (mask * slabs[np.newaxis, :, np.newaxis]).astype(np.int16), data.mask_img.affine
    )


def check_under_pandas(sbc, X):
    """Compare everything with and without pandas as the container of all outputs."""
    z = sbc.fit(X).transform(X)
    with sklearn.config_context(transform_output="pandas"):
        for table in (sbc.fit_transform(X), sbc.transform(X)):
            assert isinstance(table, pd.DataFrame)
            np.testing.assert_array_equal(table, z)
        img = sbc.inverse_transform(table)
        series = sbc.seed_signals(X[0]), sbc.brain_signals(X[0])
    assert all(isinstance(signals, np.ndarray) for signals in series)
    return img, sbc.inverse_transform(z)


@pytest.mark.parametrize("smoothing_fwhm", [None, 6])
@pytest.mark.parametrize("kind", ["spheres", "labels", "mask"])
def test_global_pandas_output(data, kind, smoothing_fwhm):
    masker = {
        "spheres": NiftiSpheresMasker(data.seeds, radius=6),
        "labels": NiftiLabelsMasker(labels_img(data)),
        "mask": NiftiMasker(data.mask_img),
    }[kind]
    brain = NiftiMasker(data.mask_img, smoothing_fwhm=smoothing_fwhm)
    img, expected = check_under_pandas(SeedCorrelationMap(masker, brain), data.runs)
    np.testing.assert_array_equal(img.dataobj, expected.dataobj)


def test_global_pandas_output_on_a_surface(surface):
    sbc = SeedCorrelationMap(
        SurfaceLabelsMasker(surface.labels_img), SurfaceMasker(surface.mask_img)
    )
    img, expected = check_under_pandas(sbc, [surface.run])
    for part in ("left", "right"):
        np.testing.assert_array_equal(img.data.parts[part], expected.data.parts[part])


# Pipelines


def test_pipeline(four):
    pipeline = make_pipeline(
        make_sbc(four, **BAND), StandardScaler(), LogisticRegression()
    )
    pipeline.fit(four.runs, four.y)
    assert pipeline.predict(four.runs).shape == (4,)
    assert pipeline.score(four.runs, four.y) == 1.0
    img = pipeline[0].inverse_transform(pipeline[-1].coef_)
    assert img.shape == (*four.mask_img.shape, 1)
    names = pipeline[:-1].get_feature_names_out()
    np.testing.assert_array_equal(names, pipeline[0].get_feature_names_out())


def test_pipeline_gives_maps_back(data):
    pipeline = make_pipeline(make_sbc(data, **BAND), StandardScaler())
    img = pipeline.inverse_transform(pipeline.fit_transform(data.runs))
    z = pipeline[0].transform(data.runs)
    inside = np.asarray(data.mask_img.dataobj) > 0
    np.testing.assert_allclose(np.asarray(img.dataobj)[inside].T, z, atol=1e-5)


def test_pipeline_passes_confounds_by_step_name(data):
    pipeline = Pipeline([("map", make_sbc(data)), ("scale", StandardScaler())])
    z = pipeline.fit_transform(images(data), map__confounds=tables(data))
    expected = make_pipeline(make_sbc(data), StandardScaler()).fit_transform(data.runs)
    np.testing.assert_allclose(z, expected, atol=1e-5)
    with pytest.raises(ValueError, match=LOST):
        pipeline.transform(images(data))


def test_feature_union_of_two_seeds(data):
    parts = [make_sbc(data, seeds=[seed], **BAND) for seed in data.seeds]
    union = FeatureUnion([("back", parts[0]), ("front", parts[1])])
    z = union.fit_transform(data.runs)
    expected = np.hstack([clone(part).fit_transform(data.runs) for part in parts])
    np.testing.assert_array_equal(z, expected)
    np.testing.assert_array_equal(union.transform(data.runs), expected)
    names = union.get_feature_names_out()
    assert names.shape == (2 * N_VOXELS,)
    assert names[0].startswith("back__")
    assert names[-1].startswith("front__")
    table = union.set_output(transform="pandas").fit_transform(data.runs)
    np.testing.assert_array_equal(table.columns, names)
    np.testing.assert_array_equal(table, expected)


# Cross-validation: what the scorer saw


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that always says 0, and writes down what it is shown."""

    shown = None

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self._write("fit", X)
        return self

    def predict(self, X):
        self._write("predict", X)
        return np.zeros(len(X), dtype=int)

    def _write(self, method, X):
        if Recorder.shown is not None:
            Recorder.shown.append((method, np.array(X)))


@contextlib.contextmanager
def recording():
    """Give the list in which every `Recorder` writes meanwhile."""
    Recorder.shown = []
    try:
        yield Recorder.shown
    finally:
        Recorder.shown = None


def recorded(shown, method):
    """Return the arrays that one method was shown."""
    return [X for name, X in shown if name == method]


FOLDS = [([2, 3], [0, 1]), ([0, 1], [2, 3])]
"""Runs of KFold(2), training and test."""


def check_maps(shown, by_hand, runs, **options):
    """Compare recorded maps with those by hand, and with those without confounds."""
    assert shown.shape == (len(runs), *by_hand(0, **options).shape)
    for z, i in zip(shown, runs, strict=True):
        right = np.tanh(by_hand(i, **options))
        wrong = np.tanh(by_hand(i, confounds=False, low_pass=0.1, high_pass=0.01))
        np.testing.assert_allclose(np.tanh(z), right, atol=1e-5)
        assert np.abs(np.tanh(z) - wrong).max() > 0.1


def test_grid_search_scores_maps_of_cleaned_runs(any_four, by_hand):
    pipeline = Pipeline(
        [("map", make_sbc(any_four, **BAND)), ("classifier", Recorder())]
    )
    grid = {"map__seed_masker__radius": [6, 9], "map__low_pass": [0.08, 0.1]}
    search = GridSearchCV(
        pipeline, grid, scoring="accuracy", cv=KFold(2), error_score="raise"
    )
    with recording() as shown:
        search.fit(any_four.runs, [0, 1, 0, 1])
    fits, scored = recorded(shown, "fit"), recorded(shown, "predict")
    assert (len(fits), len(scored)) == (4 * 2 + 1, 4 * 2)
    position = 0
    for parameters in search.cv_results_["params"]:
        options = {
            "radius": parameters["map__seed_masker__radius"],
            "low_pass": parameters["map__low_pass"],
            "high_pass": 0.01,
        }
        for train, test in FOLDS:
            check_maps(fits[position], by_hand, train, **options)
            check_maps(scored[position], by_hand, test, **options)
            position += 1
    # Radius and low_pass really differ among what was scored.
    firsts = scored[::2]
    assert min(np.abs(firsts[0] - other).max() for other in firsts[1:]) > 1e-3


@pytest.mark.parametrize("tool", [cross_val_predict, cross_validate, cross_val_score])
def test_cross_validation_sees_maps_of_cleaned_runs(any_four, by_hand, tool):
    pipeline = make_pipeline(make_sbc(any_four, **BAND), Recorder())
    options = {} if tool is cross_val_predict else {"error_score": "raise"}
    with recording() as shown:
        tool(pipeline, any_four.runs, [0, 1, 0, 1], cv=KFold(2), **options)
    for X, (_, test) in zip(recorded(shown, "predict"), FOLDS, strict=True):
        check_maps(X, by_hand, test, low_pass=0.1, high_pass=0.01)


@pytest.mark.parametrize("kind", [list, tuple, of_objects, pd.Series])
def test_cross_validation_splits_any_sequence_of_runs(any_four, kind):
    pipeline = make_pipeline(make_sbc(any_four, **BAND), LogisticRegression())
    X = kind(any_four.runs)
    predicted = cross_val_predict(pipeline, X, any_four.y, cv=2)
    assert predicted.shape == (4,)


# Cross-validation: confounds beside X


@pytest.mark.parametrize("scoring", ["accuracy", None])
def test_confounds_beside_are_not_lost_silently_without_routing(any_four, scoring):
    search = GridSearchCV(
        Pipeline([("map", make_sbc(any_four)), ("classifier", Recorder())]),
        {"map__seed_masker__radius": [6]},
        scoring=scoring,
        cv=KFold(2),
        error_score="raise",
    )
    with pytest.raises(ValueError, match=LOST):
        search.fit(images(any_four), any_four.y, map__confounds=tables(any_four))


def routed_pipeline(data):
    """Return a pipeline that asks for confounds in fit and in transform."""
    sbc = make_sbc(data, **BAND)
    sbc.set_fit_request(confounds=True).set_transform_request(confounds=True)
    return Pipeline([("map", sbc), ("classifier", Recorder())])


@pytest.mark.usefixtures("routing")
def test_routing_in_a_pipeline(any_four):
    with recording() as shown:
        pipeline = routed_pipeline(any_four)
        pipeline.fit(images(any_four), any_four.y, confounds=tables(any_four))
        pipeline.predict(images(any_four), confounds=tables(any_four))
    expected = make_sbc(any_four, **BAND).fit_transform(any_four.runs)
    for _, X in shown:
        np.testing.assert_array_equal(X, expected)


@pytest.mark.usefixtures("routing")
def test_routing_of_sample_masks(any_four):
    sbc = make_sbc(any_four).set_fit_request(sample_mask=True)
    sbc.set_transform_request(sample_mask=True)
    masks, X = [np.arange(5, N_SCANS)] * 4, images(any_four)
    expected = make_sbc(any_four).fit_transform(X, sample_mask=masks)
    z = make_pipeline(sbc).fit_transform(X, sample_mask=masks)
    np.testing.assert_array_equal(z, expected)


def scored_or_refused(call):
    """Return what the scorer saw: right maps, or none and an error that says so.

    Before its version 1.9 scikit-learn routes nothing to the default scorer.
    """
    refusal = None
    with recording() as shown:
        try:
            call()
        except ValueError as error:
            refusal = str(error)
    if refusal is None:
        return recorded(shown, "predict")
    assert re.search(LOST, refusal)
    assert parse_version(sklearn.__version__) < parse_version("1.9")
    return []


@pytest.mark.usefixtures("routing")
def test_routing_in_a_grid_search_with_its_default_scorer(any_four, by_hand):
    search = GridSearchCV(
        routed_pipeline(any_four),
        {"map__seed_masker__radius": [6, 9]},
        cv=KFold(2),
        error_score="raise",
    )
    arguments = {"y": [0, 1, 0, 1], "confounds": tables(any_four)}
    scored = scored_or_refused(lambda: search.fit(images(any_four), **arguments))
    for X, radius, (_, test) in zip(scored, [6, 6, 9, 9], FOLDS * 2, strict=False):
        options = {"radius": radius, "low_pass": 0.1, "high_pass": 0.01}
        check_maps(X, by_hand, test, **options)
    assert len(scored) in (0, 4)


@pytest.mark.usefixtures("routing")
def test_routing_to_a_named_scorer_loses_nothing_silently(any_four):
    search = GridSearchCV(
        routed_pipeline(any_four),
        {"map__seed_masker__radius": [6]},
        scoring="accuracy",
        cv=KFold(2),
        error_score="raise",
    )
    with pytest.raises(ValueError, match=LOST):
        search.fit(images(any_four), any_four.y, confounds=tables(any_four))


def cross_validated(data, scoring):
    """Cross-validate with confounds beside X."""
    return cross_validate(
        routed_pipeline(data),
        images(data),
        [0, 1, 0, 1],
        scoring=scoring,
        cv=KFold(2),
        params={"confounds": tables(data)},
        error_score="raise",
    )


@pytest.mark.usefixtures("routing")
def test_routing_in_cross_validate_with_its_default_scorer(any_four, by_hand):
    scored = scored_or_refused(lambda: cross_validated(any_four, None))
    for X, (_, test) in zip(scored, FOLDS, strict=False):
        check_maps(X, by_hand, test, low_pass=0.1, high_pass=0.01)
    assert len(scored) in (0, 2)


@pytest.mark.usefixtures("routing")
def test_routing_in_cross_validate_loses_nothing_silently(any_four):
    with pytest.raises(ValueError, match=LOST):
        cross_validated(any_four, "accuracy")


@pytest.mark.usefixtures("routing")
def test_routing_in_cross_val_predict_loses_nothing_silently(any_four):
    with pytest.raises(ValueError, match=LOST):
        cross_val_predict(
            routed_pipeline(any_four),
            images(any_four),
            any_four.y,
            cv=KFold(2),
            params={"confounds": tables(any_four)},
        )


@pytest.mark.usefixtures("routing")
def test_routing_refuses_confounds_that_nobody_asked_for(data):
    pipeline = make_pipeline(make_sbc(data), Recorder())
    with pytest.raises(Exception, match="confounds"):
        pipeline.fit(images(data), data.y, confounds=tables(data))


@pytest.mark.usefixtures("routing")
def test_runs_of_their_own_need_no_routing(any_four, by_hand):
    search = GridSearchCV(
        Pipeline([("map", make_sbc(any_four, **BAND)), ("classifier", Recorder())]),
        {"map__seed_masker__radius": [6]},
        scoring="accuracy",
        cv=KFold(2),
        error_score="raise",
    )
    with recording() as shown:
        search.fit(any_four.runs, [0, 1, 0, 1])
    for X, (_, test) in zip(recorded(shown, "predict"), FOLDS, strict=True):
        check_maps(X, by_hand, test, low_pass=0.1, high_pass=0.01)


# scikit-learn's own checks


def test_all_checks_of_scikit_learn_that_the_tags_allow(sbc):
    # scikit-learn says that it has no check for estimators whose X is not an array.
    with pytest.warns(SkipTestWarning, match="two_d_array=False"):
        results = estimator_checks.check_estimator(sbc, on_skip=None)
    assert {result["status"] for result in results} == {"passed"}


def test_tags_are_honest(sbc):
    tags = sbc.__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert not tags.target_tags.required
    assert tags.estimator_type is None


# Maskers that clean differently


def test_different_cleaning_warns_once(data, sbc):
    sbc.set_params(seed_masker__low_pass=0.1, brain_masker__low_pass=0.08)
    sbc.set_params(
        seed_masker__t_r=T_R, brain_masker__t_r=T_R, brain_masker__detrend=False
    )
    with pytest.warns(UserWarning, match="seed_masker and brain_masker") as caught:
        sbc.fit(data.runs)
    assert len(caught) == 1
    message = str(caught[0].message)
    for part in ("low_pass (0.1 and 0.08)", "detrend (True and False)"):
        assert part in message
    assert "high_pass (" not in message
    assert "t_r (" not in message
    sbc.transform(data.runs)  # warns no more


def test_unseen_masker_is_not_said_to_clean_in_ways_that_it_does_not_tell(data, sbc):
    sbc.set_params(brain_masker=BoxMasker(), seed_masker__low_pass=0.1)
    assert sbc.fit(data.runs).n_runs_ == 2


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_warning_of_different_cleaning_points_at_the_caller(data, sbc, method):
    sbc.set_params(brain_masker__detrend=False)
    with pytest.warns(UserWarning, match="detrend") as caught:
        getattr(sbc, method)(data.runs)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    "parameter",
    [{"smoothing_fwhm": 6}, {"standardize": "zscore_sample"}, {"verbose": 0}],
)
def test_what_is_no_cleaning_does_not_warn(data, sbc, parameter):
    name, value = next(iter(parameter.items()))
    sbc.set_params(**{f"brain_masker__{name}": value}).fit(data.runs)


def test_shared_parameters_leave_nothing_to_warn_of(data, sbc):
    sbc.set_params(seed_masker__low_pass=0.1, brain_masker__low_pass=0.08, **BAND)
    sbc.fit(data.runs)


def with_cosines(data):
    """Return runs, the second of which has cosines among its confounds."""
    img = data.runs[1].img
    drift = np.cos(np.linspace(0, np.pi, img.shape[3]))
    return [data.runs[0], Run(img, pd.DataFrame({"csf": drift**2, "cosine00": drift}))]


def test_cosines_beside_a_filter_of_slow_drifts_are_warned_of(data, sbc):
    sbc.set_params(**BAND)
    expected = r"^confounds.*\(cosine00.*high_pass=0.01 Hz.*removed twice.*None"
    with pytest.warns(UserWarning, match=expected) as caught:
        sbc.fit(with_cosines(data))
    assert len(caught) == 1


@pytest.mark.parametrize(
    "options",
    [{"high_pass": None}, {"high_pass": 0.01, "filter": "cosine"}],
)
@pytest.mark.filterwarnings("ignore:Cosine filter")  # nilearn's own, and its own cure
def test_cosines_alone_are_not(data, sbc, options):
    clean_args = {"filter": options.pop("filter", "butterworth")}
    sbc.set_params(seed_masker__clean_args=clean_args)
    sbc.set_params(brain_masker__clean_args=clean_args)
    sbc.set_params(t_r=T_R, **options).fit(with_cosines(data))


# The brain masker that is not given


@pytest.fixture(scope="module")
def wide():
    """Return runs of a brain large enough for nilearn's mask strategies."""
    return make_runs(3, 30, 6000, n_networks=2, n_confounds=1, random_state=2)


def test_default_brain_masker_of_one_run(wide):
    sbc = SeedCorrelationMap(NiftiSpheresMasker(wide.seeds[:1], radius=6))
    sbc.fit(wide.runs[0])
    expected = NiftiMasker().fit(wide.runs[0].img).mask_img_
    np.testing.assert_array_equal(sbc.brain_masker_.mask_img_.dataobj, expected.dataobj)
    assert sbc.n_voxels_ == np.sum(expected.dataobj)


@pytest.mark.parametrize("explicit", [True, False])
def test_default_mask_is_that_of_all_runs(wide, explicit):
    values = np.array(wide.runs[1].img.dataobj)
    values[:, :7] = 0
    runs = [wide.runs[0].img, nib.Nifti1Image(values, wide.mask_img.affine)]
    brain = NiftiMasker() if explicit else None
    sbc = SeedCorrelationMap(NiftiSpheresMasker(wide.seeds[1:], radius=6), brain)
    sbc.fit(runs)
    expected = np.asarray(MultiNiftiMasker().fit(runs).mask_img_.dataobj)
    np.testing.assert_array_equal(sbc.brain_masker_.mask_img_.dataobj, expected)
    alone = np.asarray(NiftiMasker().fit(runs[0]).mask_img_.dataobj)
    assert not np.array_equal(alone, expected)


def test_default_mask_honours_the_strategy(wide):
    options = {"mask_strategy": "epi", "mask_args": {"opening": 1}}
    runs = [run.img for run in wide.runs]
    brain = NiftiMasker(**options)
    sbc = SeedCorrelationMap(NiftiSpheresMasker(wide.seeds[:1], radius=6), brain)
    expected = MultiNiftiMasker(**options).fit(runs).mask_img_
    mask = sbc.fit(runs).brain_masker_.mask_img_
    np.testing.assert_array_equal(mask.dataobj, expected.dataobj)


def test_default_brain_masker_copies_the_cleaning(data):
    cleaning = {"detrend": True, "clean_args": {"butterworth__order": 3}, **BAND}
    cleaning |= {"standardize_confounds": False}
    seed = NiftiSpheresMasker(data.seeds[:1], radius=6, smoothing_fwhm=5, **cleaning)
    sbc = SeedCorrelationMap(seed).fit(data.runs)
    for name, value in cleaning.items():
        assert getattr(sbc.brain_masker_, name) == value
    assert sbc.brain_masker_.smoothing_fwhm is None
    explicit = NiftiMasker(sbc.brain_masker_.mask_img_, **cleaning)
    expected = SeedCorrelationMap(seed, explicit).fit_transform(data.runs)
    np.testing.assert_array_equal(sbc.transform(data.runs), expected)
    assert sbc.brain_masker is None


def test_default_brain_masker_cleans_the_same_blocks(data, nilearn_r):
    n_scans = data.runs[0].img.shape[-1]
    options = {"runs": np.arange(n_scans) // (n_scans // 2), "detrend": True}
    seed = NiftiMasker(data.mask_img, **options)
    sbc = SeedCorrelationMap(seed).fit(data.runs[0])
    np.testing.assert_array_equal(sbc.brain_masker_.runs, options["runs"])
    brain = NiftiMasker(sbc.brain_masker_.mask_img_, **options)
    expected = nilearn_r(seed, brain, data.runs[0])
    np.testing.assert_allclose(sbc.correlations_, expected, atol=2e-6)


def test_default_brain_masker_that_cannot_clean_blocks(data, surface):
    seed_img = data.runs[0].img
    n_scans = seed_img.shape[-1]
    parts = {name: x[:, :n_scans] for name, x in surface.img.data.parts.items()}
    run = Run(SurfaceImage(surface.img.mesh, parts), seed_img=seed_img)
    seed = NiftiMasker(data.mask_img, runs=np.arange(n_scans) // 20)
    with pytest.raises(ValueError, match=r"\(runs\), but .* \(SurfaceMasker\) cannot"):
        SeedCorrelationMap(seed).fit(run)


def test_default_brain_masker_takes_shared_parameters(data):
    seed = NiftiSpheresMasker(data.seeds[:1], radius=6, detrend=True)
    sbc = SeedCorrelationMap(seed, **BAND).fit(data.runs)
    assert sbc.brain_masker_.low_pass == 0.1
    assert sbc.brain_masker_.t_r == T_R


def test_default_brain_masker_on_a_surface(surface):
    seed = SurfaceLabelsMasker(surface.labels_img, detrend=True)
    sbc = SeedCorrelationMap(seed).fit(surface.run)
    assert isinstance(sbc.brain_masker_, SurfaceMasker)
    assert sbc.brain_masker_.detrend
    assert sbc.n_voxels_ == 120


# Maskers that nobody has seen


class BoxMasker(TransformerMixin, BaseEstimator):
    """Voxels above 0 in the mean of the first run; regresses confounds, and censors."""

    def __init__(self, first_only=False):
        self.first_only = first_only

    def fit(self, img, y=None):
        img = nib.load(img) if not hasattr(img, "dataobj") else img
        self.inside_ = np.asarray(img.dataobj).mean(axis=-1) > 0
        self.affine_ = img.affine
        return self

    def transform(self, img, confounds=None, sample_mask=None):
        BoxMasker.received = (confounds, sample_mask)
        img = nib.load(img) if not hasattr(img, "dataobj") else img
        signals = np.asarray(img.dataobj, dtype=np.float64)[self.inside_].T
        signals = signals[:, 50:51] if self.first_only else signals
        if sample_mask is not None:
            signals = signals[sample_mask]
        if confounds is None:
            return signals
        table = np.asarray(confounds)
        table = table if sample_mask is None else table[sample_mask]
        table = np.column_stack([table, np.ones(len(table))])
        return signals - table @ np.linalg.lstsq(table, signals, rcond=None)[0]

    def inverse_transform(self, X):
        values = np.zeros((*self.inside_.shape, len(X)), dtype=np.float32)
        values[self.inside_] = np.asarray(X).T
        return nib.Nifti1Image(values, self.affine_)


class PlainMasker(BoxMasker):
    """A masker whose transform takes an image and nothing else."""

    def transform(self, img):
        return super().transform(img)


def unseen(data, side):
    """Return an estimator with `BoxMasker` on one side or on both."""
    seed = NiftiSpheresMasker(data.seeds[:1], radius=1)
    brain = NiftiMasker(data.mask_img)
    return SeedCorrelationMap(
        BoxMasker(first_only=True) if side != "brain" else seed,
        BoxMasker() if side != "seed" else brain,
    )


def r_by_hand(run, seed, kept=None):
    """Return the correlations of one voxel with all, after regression."""
    img = np.asarray(run.img.dataobj, dtype=np.float64)
    signals = img[img.mean(axis=-1) > 0].T
    kept = np.arange(N_SCANS) if kept is None else kept
    signals = signals[kept]
    if run.confounds is not None:
        table = np.column_stack([np.asarray(run.confounds)[kept], np.ones(len(kept))])
        signals = signals - table @ np.linalg.lstsq(table, signals, rcond=None)[0]
    return np.corrcoef(signals, rowvar=False)[seed]


def seed_position(data, side):
    """Return the voxel that is the seed."""
    if side != "brain":
        return 50
    inside = np.asarray(data.mask_img.dataobj) > 0
    to_voxel = np.linalg.inv(data.mask_img.affine)
    voxel = np.rint(nib.affines.apply_affine(to_voxel, data.seeds[0]))
    return int(np.flatnonzero((np.argwhere(inside) == voxel).all(axis=1))[0])


@pytest.mark.parametrize(
    ("side", "regressed", "censored"),
    every_pair(["seed", "brain", "both"], [False, True], [False, True]),
)
def test_unseen_masker(data, side, regressed, censored):
    kept = np.arange(4, N_SCANS) if censored else None
    runs = [
        Run(run.img, run.confounds if regressed else None, sample_mask=kept)
        for run in data.runs
    ]
    sbc = unseen(data, side)
    z = sbc.fit_transform(runs)
    confounds, sample_mask = BoxMasker.received
    assert (confounds is not None) == regressed
    assert (sample_mask is not None) == censored
    for row, run in zip(z, runs, strict=True):
        expected = r_by_hand(run, seed_position(data, side), kept)
        np.testing.assert_allclose(np.tanh(row), expected, atol=1e-5)
    img = sbc.inverse_transform(z)
    assert img.shape == (*data.mask_img.shape, 2)
    np.testing.assert_array_equal(sbc.transform(runs), z)
    for name in ("seed", "brain"):
        is_unseen = side in (name, "both")
        assert sbc.paths_[f"{name}_masker"].startswith("reference") == is_unseen


def test_unseen_masker_in_a_copy(data):
    sbc = unseen(data, "both")
    z = sbc.fit_transform(data.runs)
    assert not hasattr(sbc.seed_masker, "inside_")
    copy = pickle.loads(pickle.dumps(sbc))
    np.testing.assert_array_equal(copy.transform(data.runs), z)
    np.testing.assert_array_equal(clone(sbc).fit_transform(data.runs), z)
    assert "BoxMasker" in repr(sbc)


def test_unseen_masker_of_paths(data, files):
    expected = unseen(data, "both").fit_transform(images(data))
    np.testing.assert_array_equal(unseen(data, "both").fit_transform(files), expected)


def test_unseen_masker_in_a_grid_search(four):
    pipeline = make_pipeline(unseen(four, "both"), LogisticRegression())
    scores = cross_val_score(pipeline, four.runs, four.y, cv=2, error_score="raise")
    assert scores.shape == (2,)


@pytest.mark.parametrize("name", ["confounds", "sample_mask"])
@pytest.mark.parametrize("side", ["seed_masker", "brain_masker"])
def test_unseen_masker_that_takes_no_confounds(data, files, side, name):
    sbc = unseen(data, "both")
    plain = PlainMasker(first_only=side == "seed_masker")
    sbc.set_params(**{side: plain})
    sbc.fit(images(data))
    entry = data.runs[0].confounds if name == "confounds" else np.arange(4, N_SCANS)
    pattern = f"run 1 .*{files[1].name}.*{name}.*{side} .*PlainMasker.*takes no {name}"
    with pytest.raises(ValueError, match=pattern):
        sbc.fit([files[0], Run(files[1], **{name: entry})])


def test_unseen_masker_of_scans_that_differ(data):
    class Half(BoxMasker):
        def transform(self, img):
            return super().transform(img)[::2]

    sbc = SeedCorrelationMap(Half(first_only=True), NiftiMasker(data.mask_img))
    with pytest.raises(ValueError, match=r"run 0.*seed_masker.*20.*brain_masker.*40"):
        sbc.fit(images(data))


@pytest.mark.parametrize("shape", [(40,), (40, 2, 2)])
def test_unseen_masker_of_wrong_dimensions(data, shape):
    class Wrong(BoxMasker):
        def transform(self, img):
            return np.ones(shape)

    sbc = SeedCorrelationMap(Wrong(), NiftiMasker(data.mask_img))
    with pytest.raises(ValueError, match=r"run 0.*seed_masker.*Wrong.*n_signals"):
        sbc.fit(images(data))


class Fickle(BoxMasker):
    """A masker that gives more signals where there are more scans."""

    def transform(self, img):
        return super().transform(img)[:, 50 : 51 if img.shape[-1] < N_SCANS else 54]


@pytest.mark.parametrize("side", ["seed_masker", "brain_masker"])
@pytest.mark.parametrize("order", [1, -1])
def test_runs_of_other_seeds_or_voxels_are_no_group(data, side, order):
    runs = [data.runs[0].img, data.runs[1].img.slicer[..., 5:]][::order]
    sbc = make_sbc(data).set_params(**{side: Fickle()})
    numbers = r"run 1.* 4 .*run 0.* 1" if order < 0 else r"run 1.* 1 .*run 0.* 4"
    with pytest.raises(ValueError, match=numbers):
        sbc.fit(runs)
    assert [name for name in vars(sbc) if name.endswith("_")] == []
    with pytest.raises(ValueError, match=r"run 0.*for fit they gave"):
        sbc.fit(runs[:1]).transform(runs[1:])


class Upside(NiftiMasker):
    """A NiftiMasker of which nobody can know what it does."""

    def transform_single_imgs(self, *args, **kwargs):
        return -super().transform_single_imgs(*args, **kwargs)


@pytest.mark.parametrize("smoothing_fwhm", [None, 6])
def test_subclass_is_taken_at_its_word(data, smoothing_fwhm):
    cleaning = {"detrend": True, **BAND}
    cleaning["clean_args"] = {"butterworth__copy": True}  # nilearn's own is slow
    seed = NiftiSpheresMasker(data.seeds[:1], radius=6, **cleaning)
    options = {"smoothing_fwhm": smoothing_fwhm, **cleaning}
    plain = SeedCorrelationMap(seed, NiftiMasker(data.mask_img, **options))
    turned = SeedCorrelationMap(seed, Upside(data.mask_img, **options))
    expected = -plain.fit_transform(data.runs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what nilearn says of itself
        z = turned.fit_transform(data.runs)
    np.testing.assert_allclose(np.tanh(z), np.tanh(expected), atol=1e-5)
    assert turned.paths_["brain_masker"].startswith("reference")
    assert "Upside" in turned.paths_["brain_masker"]
