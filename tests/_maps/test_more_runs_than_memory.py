"""`iter_transform`, and `transform` into an array that is there: no run piles up."""

import gc
import os
import warnings
import weakref
from pathlib import Path

import joblib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from sklearn.decomposition import PCA, IncrementalPCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from helpers import save, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._maps import many
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import SphereSeeds

N_RUNS = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Files of six runs."""
    data = make_runs(N_RUNS, 40, 300, random_state=2)
    folder = tmp_path_factory.mktemp("runs")
    data.runs = [
        Run(save(run.img, folder / f"sub-{i}_bold.nii.gz"), run.confounds, t_r=2.0)
        for i, run in enumerate(data.runs)
    ]
    return data


def make(data, **parameters):
    """Return an estimator of two seeds."""
    brain = NiftiMasker(data.mask_img, detrend=True, standardize=None)
    return SeedCorrelationMap(SphereSeeds(data.seeds[:2], 4), brain, **parameters)


OPTIONS = {
    "plain": {},
    "two jobs": {"n_jobs": 2},
    "cache": {"memory": True},
    "z scores": {"scale": "z_score"},
    "r": {"scale": "r", "verbose": 1},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_rows_are_those_of_transform(data, tmp_path, name):
    options = dict(OPTIONS[name])
    if "memory" in options:
        options["memory"] = tmp_path
    sbc = make(data, **options).fit(data.runs[:2])
    z = sbc.transform(data.runs)
    rows = [*sbc.iter_transform(data.runs)]
    assert {row.dtype for row in rows} == {np.dtype(np.float32)}
    assert {row.shape for row in rows} == {z.shape[1:]}
    np.testing.assert_array_equal(np.array(rows), z)
    (row,) = sbc.iter_transform(data.runs[3])
    np.testing.assert_array_equal(row, z[3])


def test_confounds_beside_runs(data):
    images = [run.img for run in data.runs]
    confounds = [run.confounds for run in data.runs]
    sbc = make(data, t_r=2.0).fit(images, confounds=confounds)
    rows = np.array([*sbc.iter_transform(images, confounds=confounds)])
    np.testing.assert_array_equal(rows, sbc.transform(data.runs))
    with pytest.raises(ValueError, match=words("had confounds in fit", "run 0")):
        sbc.iter_transform(images)


def test_what_can_be_checked_is_checked_at_once(data, readings, tmp_path):
    with pytest.raises(NotFittedError):
        make(data).iter_transform(data.runs)
    sbc = make(data).fit(data.runs[:1])
    readings.clear()
    runs = [*data.runs, Run(tmp_path / "none.nii.gz", data.runs[0].confounds)]
    with pytest.raises(FileNotFoundError, match=words("run 6", "none.nii.gz")):
        sbc.iter_transform(runs)
    assert readings == []
    rows = sbc.iter_transform(data.runs)
    assert readings == []
    next(rows)
    assert readings == [str(data.runs[0].img)]


def counted(monkeypatch):
    """Return the maps that were made, as references that hold none."""
    made, map_run = [], many.map_run

    def noted(*args):
        seed_map = map_run(*args)
        made.append(weakref.ref(seed_map.r))
        return seed_map

    monkeypatch.setattr(many, "map_run", noted)
    return made


def alive(references):
    """Return how many are still there."""
    gc.collect()
    return sum(reference() is not None for reference in references)


def test_maps_are_let_go_of_one_by_one(data, monkeypatch):
    sbc = make(data).fit(data.runs[:1])
    made = counted(monkeypatch)
    rows = sbc.iter_transform(data.runs)
    held = []
    for row in rows:
        held.append(weakref.ref(row))
        assert len(made) == len(held)
        assert alive(made) <= 1
        del row
        assert alive(held) <= 1
    assert len(made) == N_RUNS


# Threads share their filters of warnings: what nilearn 0.13 announces may come through.
@pytest.mark.filterwarnings("ignore:The default strategy for standardize")
def test_of_several_jobs_few_large_maps_wait(data, monkeypatch):
    """As many as fit, but for one a job, which there must be."""
    sbc = make(data, n_jobs=2).fit(data.runs[:1])
    made = counted(monkeypatch)
    map_bytes = 8 * sbc.n_seeds_ * sbc.n_voxels_
    runs = data.runs * 4
    expected = {2 * map_bytes: 4, map_bytes // 2: 2, 2**28: 24}
    for most, n_runs in expected.items():
        made.clear()
        monkeypatch.setattr(many, "MOST_WAITING", most)
        with joblib.parallel_config("threading"):
            rows = sbc.iter_transform(runs)
            n_alive = [alive(made) for _ in rows]
        assert len(made) == len(runs) == len(n_alive)
        assert max(n_alive) <= n_runs


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts on Linux")
@pytest.mark.parametrize("level", [0, 1, 2])
def test_files_are_let_go_of(data, tmp_path, level):
    options = {"memory": tmp_path, "memory_level": level} if level else {}
    sbc = make(data, **options).fit(data.runs[:1])

    def n_open(runs):
        rows = sbc.iter_transform(runs)
        counts = []
        for _ in rows:
            gc.collect()
            counts.append(len(os.listdir("/proc/self/fd")) + n_mapped(tmp_path))
        return max(counts)

    few = n_open(data.runs[:2])
    assert n_open(data.runs * 3) <= few


def n_mapped(folder):
    """Return how many files in a folder are mapped into memory."""
    lines = Path("/proc/self/maps").read_text("utf-8").splitlines()
    return len({line for line in lines if str(folder) in line})


@pytest.mark.parametrize(
    "n_jobs", [None, pytest.param(2, marks=pytest.mark.ends_processes)]
)
def test_whoever_stops_early_leaves_nothing_behind(data, n_jobs):
    sbc = make(data, n_jobs=n_jobs).fit(data.runs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for row in sbc.iter_transform(data.runs):
            first = row
            break
        gc.collect()
    np.testing.assert_array_equal(first, sbc.transform(data.runs[0])[0])


def test_partial_fit_is_that_of_all_rows_at_once(data):
    sbc = make(data).fit(data.runs[:1])
    pca = IncrementalPCA(2)
    for rows in zip(*[sbc.iter_transform(data.runs)] * 3, strict=True):
        pca.partial_fit(rows)
    expected = IncrementalPCA(2, batch_size=3).fit(sbc.transform(data.runs))
    np.testing.assert_allclose(pca.components_, expected.components_, atol=1e-5)


# An array that is there


@pytest.fixture(scope="module")
def fitted(data):
    """An estimator of these runs, and their map."""
    sbc = make(data).fit(data.runs[:1])
    return sbc, sbc.transform(data.runs)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("array", np.float64),
        *((kind, np.float32) for kind in ("array", "memmap", "columns")),
        *((kind, np.float64) for kind in ("memmap", "part")),
    ],
)
def test_an_array_is_filled(data, fitted, tmp_path, dtype, kind):
    sbc, z = fitted
    if kind == "memmap":
        out = np.memmap(tmp_path / "z", dtype, "w+", shape=z.shape)
    elif kind == "columns":
        out = np.empty(z.shape, dtype, order="F")
    else:
        out = np.full((N_RUNS + 2, z.shape[1] * 2), np.nan, dtype)[1:-1, ::2]
        out = out.copy() if kind == "array" else out
    assert sbc.transform(data.runs, out=out) is out
    np.testing.assert_array_equal(out, z)
    if kind == "memmap":
        del out
        np.testing.assert_array_equal(
            np.memmap(tmp_path / "z", dtype, "r", shape=z.shape), z
        )


def test_an_array_is_wrapped_as_others(data):
    sbc = make(data).fit(data.runs[:1]).set_output(transform="pandas")
    out = np.empty((N_RUNS, sbc.n_seeds_ * sbc.n_voxels_), np.float32)
    table = sbc.transform(data.runs, out=out)
    np.testing.assert_array_equal(table, out)
    assert list(table.columns) == sbc.get_feature_names_out().tolist()


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (lambda out: out[:-1], ValueError, ("(6, 600)", "got shape (5, 600)")),
        (lambda out: out.T, ValueError, ("got shape (600, 6)",)),
        (lambda out: out.astype(np.float16), TypeError, ("float32", "dtype float16")),
        (lambda out: out.astype(int), TypeError, ("dtype int64",)),
        (lambda out: out.tolist(), TypeError, ("numpy.empty((6, 600)", "list")),
        (lambda out: np.broadcast_to(out[:1], out.shape), ValueError, ("read-only",)),
    ],
)
def test_an_array_that_will_not_do_is_an_error_before_any_scan_is_read(
    data, readings, change, error, said
):
    sbc = make(data).fit(data.runs[:1])
    readings.clear()
    with pytest.raises(error, match=words("out must", *said)):
        sbc.transform(data.runs, out=change(np.zeros((6, 600), np.float32)))
    assert readings == []


@pytest.mark.usefixtures("routing")
def test_routing_knows_nothing_of_it(data):
    sbc = make(data).set_fit_request(confounds=True)
    sbc.set_transform_request(confounds=True)
    with pytest.raises(TypeError, match="out"):
        sbc.set_transform_request(out=True)
    pipeline = make_pipeline(sbc, PCA(2))
    images = [run.img for run in data.runs]
    confounds = [run.confounds for run in data.runs]
    sbc.set_params(t_r=2.0)
    assert pipeline.fit_transform(images, confounds=confounds).shape == (N_RUNS, 2)
