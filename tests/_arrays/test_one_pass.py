"""One pass over scans: projections, probes, means and deviations, against numpy."""

import nibabel as nib
import numpy as np
import pytest

from helpers import every_pair, read_in_blocks
from sbc_estimators._arrays.cleaning import CleaningParameters, compile_cleaning
from sbc_estimators._arrays.streaming import N_PROBES, Wanted, project
from sbc_estimators._images.opening import open_scans
from sbc_estimators._support.threads import OneWorker

SHAPE, N_SCANS = (6, 5, 4), 47
N_VOXELS = int(np.prod(SHAPE))
ALONE = OneWorker()
EVERY = np.arange(N_SCANS)
BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0}


def cleaning(kept=EVERY, **parameters):
    """Return the operator of a cleaning."""
    return compile_cleaning(CleaningParameters(**parameters), N_SCANS, kept)


def numbers(dtype="f8", seed=0):
    """Return scans of a large mean, `(x, y, z, n_scans)`."""
    rng = np.random.default_rng(seed)
    means = rng.uniform(500, 1500, (*SHAPE, 1))
    return np.round(means + 20 * rng.standard_normal((*SHAPE, N_SCANS))).astype(dtype)


def projected(data, operator, kept=EVERY, positions=None, dtype=np.float64):
    """Return what one pass over an image gives."""
    img = nib.Nifti1Image(data, np.eye(4), dtype=data.dtype)
    positions = np.arange(N_VOXELS) if positions is None else positions
    wanted = [Wanted(operator, positions, np.dtype(dtype))]
    return project(open_scans(img), kept, wanted, ALONE)[0]


def in_order(found, positions):
    """Return the rows of what was found at some positions."""
    rows = np.stack([found[k] for k in range(len(found))])
    return rows[:, found.places_of(positions)]


@pytest.mark.parametrize(
    ("parameters", "dtype", "block_scans"),
    every_pair(
        [BAND, {"detrend": True}, {"standardize_confounds": False}],
        ["i2", ">i4", "f4", "f8", "u1"],
        [1, 7, 40],
    ),
)
def test_rows_are_projections_and_probes(monkeypatch, parameters, dtype, block_scans):
    data = numbers(dtype) if dtype != "u1" else (numbers() % 200).astype("u1")
    read_in_blocks(monkeypatch, block_scans * N_VOXELS * data.dtype.itemsize)
    kept = np.setdiff1d(EVERY, [0, 13, 14])
    operator = cleaning(kept, **parameters)
    positions = np.array([3, 17, 18, 60, 119])
    found = projected(data, operator, kept, positions)
    series = data.reshape(N_VOXELS, N_SCANS)[positions][:, kept].astype(np.float64).T
    rank = operator.basis.shape[1]
    rows = in_order(found, positions)
    assert rows.shape == (rank + N_PROBES, 5)
    np.testing.assert_allclose(rows[:rank], operator.projection @ series, atol=1e-8)
    places = found.places_of(positions)
    np.testing.assert_allclose(found.means[places], series.mean(0), rtol=1e-12)
    expected = series.std(axis=0, ddof=1)
    np.testing.assert_allclose(found.deviations[places], expected, rtol=1e-10)
    assert not found.not_finite.any()


def test_float32_is_summed_less_a_typical_value():
    data, operator = numbers("i2"), cleaning(**BAND)
    found = projected(data, operator, dtype=np.float32)
    assert found[0].dtype == np.float32
    rank = operator.basis.shape[1]
    series = data.reshape(N_VOXELS, N_SCANS).astype(np.float64).T
    rows = in_order(found, np.arange(N_VOXELS))[:rank]
    np.testing.assert_allclose(rows, operator.projection @ series, atol=1e-4)
    # Means and deviations lose nothing in it.
    places = found.places_of(np.arange(N_VOXELS))
    expected = series.std(axis=0, ddof=1)
    np.testing.assert_allclose(found.deviations[places], expected, rtol=1e-10)
    np.testing.assert_allclose(found.means[places], series.mean(0), rtol=1e-12)


def test_probes_tell_how_large_signals_are():
    data = numbers() * np.linspace(0.01, 10, N_VOXELS).reshape(*SHAPE, 1)
    found = projected(data, cleaning(detrend=True))
    rows = in_order(found, np.arange(N_VOXELS))[-N_PROBES:]
    series = data.reshape(N_VOXELS, N_SCANS).T
    ratio = np.linalg.norm(rows, axis=0) / np.linalg.norm(
        series - np.median(series, axis=0), axis=0
    )
    assert 0.05 < ratio.min() < ratio.max() < 5


def test_several_are_had_from_one_pass():
    data = numbers("i2")
    operators = [cleaning(**BAND), cleaning(detrend=True)]
    places = [np.arange(50), np.array([7, 119])]
    wanted = [
        Wanted(operator, own, np.dtype(dtype))
        for operator, own, dtype in zip(operators, places, ("f4", "f8"), strict=True)
    ]
    scans = open_scans(nib.Nifti1Image(data, np.eye(4)))
    both = project(scans, EVERY, wanted, ALONE)
    for found, want in zip(both, wanted, strict=True):
        single = project(scans, EVERY, [want], ALONE)[0]
        assert len(found) == len(single)
        for k in range(len(found)):
            np.testing.assert_array_equal(found[k], single[k])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_positions_that_are_not_finite_are_0(value, dtype):
    data, operator = numbers(), cleaning(**BAND)
    data.reshape(N_VOXELS, N_SCANS)[[4, 80], [0, 22]] = value
    data[5, 4, 3, 9] = 1e300  # finite, but not in float32
    found = projected(data, operator, dtype=dtype)
    bad = [4, 80] if dtype == np.float64 else [4, 80, 119]
    places = found.places_of(np.array(bad))
    assert np.flatnonzero(found.not_finite).tolist() == sorted(places.tolist())
    for array in (in_order(found, np.array(bad)), found.means[places]):
        assert (array == 0).all()
    assert (found.deviations[places] == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_does_not_vary(dtype):
    # Its mean is rounded, so that plain numpy finds it to vary by 1e-13.
    data = numbers()
    data[1, 2, 3] = 1000.1
    assert data[1, 2, 3].std() > 0
    found = projected(data, cleaning(**BAND), dtype=dtype)
    place = found.places_of(np.array([np.ravel_multi_index((1, 2, 3), SHAPE)]))
    assert found.deviations[place] == 0
    assert found.means[place] == 1000.1
    assert (found.deviations > 0).sum() == N_VOXELS - 1


@pytest.mark.parametrize("n", [1, 20, 70, 120])
def test_rows_at_some_positions(n):
    found = projected(numbers(), cleaning(**BAND))
    positions = np.random.default_rng(n).permutation(N_VOXELS)[:n]
    at, rows = found.rows_at(positions)
    assert set(positions) <= set(at)
    assert len(rows) == len(found)
    rows = np.stack([rows[k] for k in range(len(rows))])
    np.testing.assert_array_equal(rows, in_order(found, at))
    assert found.places_of(np.array([N_VOXELS + 5])).tolist() == [-1]
