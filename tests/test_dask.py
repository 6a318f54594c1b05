"""On a cluster of machines: the maps of one machine, also when a worker is lost."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster
from nilearn.maskers import NiftiSpheresMasker
from sklearn.base import BaseEstimator, TransformerMixin, clone

from grayordinate_helpers import runs_with_spheres
from helpers import make_sbc
from sbc_estimators import Run
from sbc_estimators.datasets import make_runs

RUNS = Path(__file__).resolve().parents[1] / "docs/runs.md"
N_RUNS = 6
PATIENCE = 60
"""Seconds after which a test that waits gives up."""


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Return runs in files, with confounds in memory of more than 1 kB.

    joblib hands larger arguments to one worker, with which they would be lost.
    """
    folder = tmp_path_factory.mktemp("runs")
    return make_runs(
        N_RUNS, 80, 200, n_networks=2, n_confounds=4, directory=folder, random_state=0
    )


@pytest.fixture(scope="module", params=["volumes", "grayordinates"])
def data(request, volumes, tmp_path_factory):
    """Return such runs of each kind."""
    if request.param == "volumes":
        return volumes
    folder = tmp_path_factory.mktemp("grayordinates")
    return runs_with_spheres(N_RUNS, 80, n_confounds=4, directory=folder)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Start a scheduler and two workers, each a process of its own."""
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            local_directory=str(tmp_path_factory.mktemp("scratch")),
        ) as cluster,
        Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        yield client


class HaltingMasker(TransformerMixin, BaseEstimator):
    """A masker that, where a file "halt" lies in its folder, waits to be killed.

    Whoever takes the file away halts, so that it is one worker and only once.
    """

    def __init__(self, masker, folder):
        self.masker = masker
        self.folder = folder

    def fit(self, img, y=None):
        self.masker_ = clone(self.masker).fit()
        return self

    def transform(self, img, confounds=None, sample_mask=None):
        if Path(img).name == "run-03_bold.nii.gz":
            self._halt()
        return self.masker_.transform(img, confounds, sample_mask)

    def inverse_transform(self, X):
        return self.masker_.inverse_transform(X)

    def _halt(self):
        try:
            Path(self.folder, "halt").unlink()
        except FileNotFoundError:
            return
        Path(self.folder, "halted").write_text(str(os.getpid()), "utf-8")
        time.sleep(PATIENCE)
        raise TimeoutError("nobody killed this worker")


def kill_who_halts(folder):
    """Wait for a process to halt, kill it and return its id."""
    halted, end = Path(folder, "halted"), time.monotonic() + PATIENCE
    while not (halted.exists() and halted.read_text("utf-8")):
        if time.monotonic() > end:
            raise TimeoutError("no worker halted")
        time.sleep(0.02)
    pid = int(halted.read_text("utf-8"))
    os.kill(pid, signal.SIGKILL)
    return pid


def make(data, **parameters):
    """Return an unfitted estimator of all seeds and of smoothed voxels."""
    return make_sbc(data, data.seeds, voxels={"smoothing_fwhm": 6}, **parameters)


def alone(call):
    """Return what a call gives without the cluster."""
    with joblib.parallel_config(backend="sequential"):
        return call()


def worker_ids(client):
    """Return the process ids of a cluster's workers."""
    return set(client.run(os.getpid).values())


def test_cluster_makes_the_same_maps(cluster, data):
    sbc = make(data, high_pass=0.01)
    z = sbc.fit_transform(data.runs)
    assert sbc.paths_ == {"seed_masker": "streamed", "brain_masker": "streamed"}
    expected = alone(lambda: clone(sbc).fit_transform(data.runs))
    np.testing.assert_array_equal(z, expected)
    # The number of jobs is the cluster's to choose.
    sbc.set_params(n_jobs=1)
    np.testing.assert_array_equal(sbc.transform(data.runs[::-1]), expected[::-1])
    rows = np.array([*sbc.iter_transform(data.runs)])
    np.testing.assert_array_equal(rows, expected)


@pytest.mark.parametrize("level", [1, 2])
def test_cluster_shares_a_cache(cluster, data, tmp_path, level):
    sbc = make(data, high_pass=0.01)
    expected = alone(lambda: clone(sbc).fit_transform(data.runs))
    sbc.set_params(memory=str(tmp_path), memory_level=level)
    for _ in ("cold", "warm"):
        np.testing.assert_array_equal(sbc.fit_transform(data.runs), expected)
    assert len(list(tmp_path.rglob("maps/*/entry"))) == N_RUNS
    assert len(list(tmp_path.rglob("prepared/*/entry"))) == N_RUNS * (level == 2)
    # And it is that of this machine.
    np.testing.assert_array_equal(alone(lambda: sbc.transform(data.runs)), expected)


def map_of(prepared, measure):
    """Return the map of a prepared run."""
    with prepared:
        return prepared.map(measure=measure)


def test_cluster_maps_prepared_runs(cluster, data, tmp_path):
    sbc = make(data, high_pass=0.01, memory=str(tmp_path), memory_level=2)
    sbc.fit(data.runs)
    prepared = [sbc.prepare(run) for run in data.runs]
    jobs = [joblib.delayed(map_of)(own, "partial") for own in prepared]
    found = joblib.Parallel()(jobs)
    sbc.set_params(measure="partial", memory=None)
    expected = alone(lambda: sbc.set_params(scale="r").fit_transform(data.runs))
    np.testing.assert_array_equal(np.stack(found).reshape(N_RUNS, -1), expected)


def test_docs_show_how(cluster, volumes):
    blocks = re.findall(r"^```python\n([^`]*)^```$", RUNS.read_text("utf-8"), re.M)
    (block,) = (block for block in blocks if "dask" in block)
    address = cluster.scheduler_info()["address"]
    names = {"sbc": make(volumes), "runs": volumes.runs}
    exec(block.replace("tcp://scheduler:8786", address), names)
    expected = alone(lambda: make(volumes).fit_transform(volumes.runs))
    np.testing.assert_array_equal(names["z"], expected)


def test_cluster_names_the_run_that_cannot_be_read(cluster, volumes, tmp_path):
    whole = Path(volumes.runs[4].img).read_bytes()
    Path(tmp_path, "cut.nii.gz").write_bytes(whole[: len(whole) // 2])
    runs = [*volumes.runs[:4], Run(tmp_path / "cut.nii.gz", volumes.runs[4].confounds)]
    with pytest.raises((OSError, ValueError), match=r"run 4 .*cut\.nii\.gz"):
        make(volumes).fit(runs)


def test_cluster_survives_the_loss_of_a_worker(cluster, volumes, tmp_path):
    options = {"radius": 6, "detrend": True, "standardize": None}
    seed_masker = NiftiSpheresMasker(volumes.seeds, **options)
    halting = HaltingMasker(seed_masker, str(tmp_path))
    sbc = make(volumes).set_params(seed_masker=halting)
    expected = alone(lambda: clone(sbc).fit(volumes.runs))
    Path(tmp_path, "halt").touch()
    workers = worker_ids(cluster)
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill_who_halts, tmp_path)
        z = sbc.fit_transform(volumes.runs)
    assert killed.result() in workers - {os.getpid()}
    np.testing.assert_array_equal(sbc.correlations_, expected.correlations_)
    np.testing.assert_array_equal(z, alone(lambda: expected.transform(volumes.runs)))
