"""Work in threads: the order of results, and BLAS threads that come back."""

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits
from tqdm import tqdm

from helpers import make_sbc
from sbc_estimators import SeedCorrelationMap
from sbc_estimators._support import threads as _threads
from sbc_estimators._support.threads import OneWorker, room_for, workers
from sbc_estimators.datasets import make_runs

WAIT_S = 20


def blas_threads():
    """Return how many threads each BLAS library may use now."""
    return [
        (pool["filepath"], pool["num_threads"])
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    ]


def counts():
    """Return the numbers of threads alone."""
    return {n_threads for _, n_threads in blas_threads()}


@pytest.fixture(autouse=True)
def two_threads(set_blas_threads):
    """Give BLAS two threads, so that there is something to limit and to restore."""
    before = max(counts())
    set_blas_threads(2)
    assert counts() == {2}, "these tests need a BLAS that can use two threads"
    yield
    set_blas_threads(before)


@pytest.fixture
def unchanged():
    """Fail where a test leaves BLAS with other threads than it found."""
    before = threadpool_info()
    yield
    assert threadpool_info() == before


# Results


@pytest.mark.parametrize("limit", [1, 2, 4])
@pytest.mark.parametrize("n_items", [0, 1, 2, 100])
def test_results_are_in_order(limit, n_items):
    def slow_at_first(item):
        threading.Event().wait(0.02 if item == 0 else 0)
        return item**2

    with threadpool_limits(limit, user_api="blas"), workers() as crew:
        found = crew.map(slow_at_first, range(n_items))
    assert found == [item**2 for item in range(n_items)]


def test_items_run_at_the_same_time():
    barrier = threading.Barrier(2, timeout=WAIT_S)
    with workers() as crew:
        assert sorted(crew.map(lambda item: barrier.wait(), range(2))) == [0, 1]


def test_one_thread_works_by_itself():
    with threadpool_limits(1, user_api="blas"), workers() as crew:
        threads = crew.map(lambda item: threading.current_thread(), range(5))
    assert set(threads) == {threading.current_thread()}


# Items made ahead


def test_items_made_ahead_are_in_order():
    with workers() as crew:
        assert list(crew.ahead(i for i in range(100))) == list(range(100))
        assert list(crew.ahead(i for i in ())) == []


def test_next_item_is_made_meanwhile():
    made = [threading.Event() for _ in range(3)]

    def items():
        for event in made:
            event.set()
            yield event

    with workers() as crew:
        for i, _ in enumerate(crew.ahead(items())):
            assert made[min(i + 1, 2)].wait(WAIT_S)


def test_one_thread_makes_nothing_ahead():
    def items():
        for _ in range(3):
            yield threading.current_thread()

    with threadpool_limits(1, user_api="blas"), workers() as crew:
        assert set(crew.ahead(items())) == {threading.current_thread()}


@pytest.mark.parametrize("limit", [1, 2])
def test_error_while_making_ahead(limit):
    def items():
        yield 1
        raise OSError("cut")

    with threadpool_limits(limit, user_api="blas"), workers() as crew:
        ahead = crew.ahead(items())
        assert next(ahead) == 1
        with pytest.raises(OSError, match="cut"):
            next(ahead)


@pytest.mark.parametrize("limit", [1, 2])
def test_maker_is_closed_where_items_are_not_wanted(limit):
    closed = threading.Event()

    def items():
        try:
            yield from range(10)
        finally:
            closed.set()

    with threadpool_limits(limit, user_api="blas"), workers() as crew:
        ahead = crew.ahead(items())
        assert next(ahead) == 0
        ahead.close()
        assert closed.is_set()


# BLAS threads


@pytest.mark.usefixtures("unchanged")
def test_blas_has_one_thread_meanwhile():
    with workers() as crew:
        assert counts() == {1}
        assert crew.map(lambda item: counts(), range(3)) == [{1}] * 3
    assert counts() == {2}


@pytest.mark.usefixtures("unchanged")
def test_own_limit_of_the_user_is_put_back():
    for limit in (1, 2):
        with threadpool_limits(limit, user_api="blas"):
            with workers():
                pass
            assert counts() == {limit}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_after_an_error_within(error):
    with pytest.raises(error), workers():
        raise error
    assert counts() == {2}


@pytest.mark.usefixtures("unchanged")
def test_after_an_error_in_a_worker():
    def fail(item):
        if item == 3:
            raise RuntimeError(f"item {item}")
        return item

    with pytest.raises(RuntimeError, match="item 3"), workers() as crew:
        crew.map(fail, range(10))


@pytest.mark.usefixtures("unchanged")
def test_one_within_another():
    with workers() as outer:
        with workers() as inner:
            assert type(inner) is OneWorker
            assert inner.map(abs, [-1, 2]) == [1, 2]
        assert counts() == {1}
        assert outer.map(abs, [-3]) == [3]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("first_out", [0, 1])
def test_two_threads_in_any_order_of_leaving(first_out):
    entered = [threading.Event() for _ in range(2)]
    leave = [threading.Event() for _ in range(2)]

    def work(i):
        with workers() as crew:
            entered[i].set()
            assert leave[i].wait(WAIT_S)
            return crew.map(abs, [-1, -2])

    with ThreadPoolExecutor(2) as pool:
        futures = []
        for i in range(2):
            futures.append(pool.submit(work, i))
            assert entered[i].wait(WAIT_S)
        for i in (first_out, 1 - first_out):
            leave[i].set()
            assert futures[i].result(WAIT_S) == [1, 2]


@pytest.mark.usefixtures("unchanged")
def test_many_threads_at_once():
    def work(i):
        with workers() as crew:
            return crew.map(lambda item: item + i, range(3))

    with ThreadPoolExecutor(8) as pool:
        for i, found in enumerate(pool.map(work, range(200))):
            assert found == [i, i + 1, i + 2]


def test_second_thread_comes_while_the_first_gives_back(monkeypatch):
    # Libraries get their threads back one by one. Who comes in before the last of
    # them must not take its limit for what is to be restored.
    giving_back, came_in, first_is_out = (threading.Event() for _ in range(3))
    libraries = ThreadpoolController().select(user_api="blas").lib_controllers
    set_num_threads = type(libraries[0]).set_num_threads
    n_given_back = []

    def slowly(library, n_threads):
        n_given_back.append(n_threads)
        if len(n_given_back) == len(libraries):
            giving_back.set()
            came_in.wait(0.5)
        return set_num_threads(library, n_threads)

    def second():
        assert giving_back.wait(WAIT_S)
        with workers():
            came_in.set()
            assert first_is_out.wait(WAIT_S)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(second)
        with workers():
            monkeypatch.setattr(type(libraries[0]), "set_num_threads", slowly)
        first_is_out.set()
        future.result(WAIT_S)
    assert counts() == {2}


@pytest.mark.usefixtures("unchanged")
def test_other_threads_may_set_limits_afterwards():
    # threadpoolctl lets one thread alone set limits, until it says that it is done.
    def work():
        with workers():
            return counts()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result(WAIT_S) == {1}
        with threadpool_limits(1, user_api="blas"):
            assert counts() == {1}
    with workers():
        pass
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result(WAIT_S) == {1}


# Through the estimator


@pytest.fixture(scope="module")
def data():
    return make_runs(3, 60, 300, random_state=0)


def make(data, **options):
    """Return an unfitted estimator, both sides of which are streamed."""
    return make_sbc(data, voxels={"smoothing_fwhm": 6}, **options)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("n_jobs", [None, 1])
def test_estimator_leaves_blas_as_it_was(data, n_jobs):
    sbc = make(data, n_jobs=n_jobs)
    sbc.fit_transform([run.img for run in data.runs])
    assert set(sbc.paths_.values()) == {"streamed"}


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_estimator_leaves_blas_as_it_was_after_an_error(data, tmp_path, ending):
    path = tmp_path / f"run{ending}"
    data.runs[1].img.to_filename(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(OSError, match="run 1"):
        make(data).fit([data.runs[0].img, path])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("options", [{}, {"seed_summary": "median"}], ids=str)
@pytest.mark.parametrize("fwhm", [None, 6])
def test_number_of_threads_changes_no_bit(data, options, fwhm):
    labels = np.zeros(data.mask_img.shape, np.int16)
    inside = np.asarray(data.mask_img.dataobj) != 0
    labels[inside] = 1 + np.arange(inside.sum()) // 2
    seed = NiftiLabelsMasker(
        nib.Nifti1Image(labels, data.mask_img.affine), detrend=True, low_pass=0.1
    )
    brain = NiftiMasker(data.mask_img, detrend=True, low_pass=0.1, smoothing_fwhm=fwhm)
    sbc = SeedCorrelationMap(seed, brain, t_r=2.0, **options)
    z = sbc.fit_transform(data.runs[0])
    with threadpool_limits(1, user_api="blas"):
        np.testing.assert_array_equal(sbc.fit_transform(data.runs[0]), z)


def test_estimator_leaves_no_thread_behind(data, monkeypatch):
    monkeypatch.setattr(tqdm, "monitor", None)  # of an earlier test
    before = threading.enumerate()
    make(data).fit(data.runs[0].img)
    assert set(threading.enumerate()) <= set(before)


@pytest.mark.usefixtures("unchanged")
def test_estimator_in_two_threads_at_once(data):
    expected = [make(data).fit(run.img).correlations_ for run in data.runs]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            fitted = list(pool.map(lambda run: make(data).fit(run.img), data.runs))
            for sbc, r in zip(fitted, expected, strict=True):
                np.testing.assert_allclose(sbc.correlations_, r, atol=5e-7)


# Room for large arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_arrays_lie_in_files_that_nobody_sees(monkeypatch, tmp_path, dtype):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(_threads, "MOST_IN_MEMORY", 100 * np.dtype(dtype).itemsize)
    for size, kind in ((100, np.ndarray), (101, np.memmap)):
        array = room_for(size, dtype)
        assert type(array) is kind
        assert (array.shape, array.dtype) == ((size,), dtype)
        array[:] = np.arange(size)
        np.testing.assert_array_equal(array, np.arange(size))
        assert list(tmp_path.iterdir()) == []


def test_room_is_looked_for_before_it_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    expected = rf"^'{tmp_path}' has .* GiB left, and 4294967296\.0 GiB .* set TMPDIR"
    with pytest.raises(OSError, match=expected):
        room_for(2**60, np.float32)


def test_room_is_taken_before_it_is_used(monkeypatch, tmp_path):
    """A sparse file on a disk that fills up meanwhile would end the process."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(_threads, "MOST_IN_MEMORY", 100)
    taken = []
    take = os.posix_fallocate
    monkeypatch.setattr(
        os, "posix_fallocate", lambda *args: taken.append(args[1:]) or take(*args)
    )
    room_for(10_000, np.float64)[:] = 1.0
    assert taken == [(0, 80_000)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_disk_that_fills_up_meanwhile_is_said(monkeypatch, tmp_path, number):
    """Though it said to have room."""

    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(_threads, "MOST_IN_MEMORY", 100)
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"GiB left, and .* GiB are needed .* set TMPDIR"):
        room_for(1000, np.float32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, None])
def test_systems_that_take_no_room(monkeypatch, tmp_path, number):
    def unknown(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(_threads, "MOST_IN_MEMORY", 100)
    if number is None:
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", unknown)
    array = room_for(1000, np.float32)
    array[:] = 7
    assert array.sum() == 7000
