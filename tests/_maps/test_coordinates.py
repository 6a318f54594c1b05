"""What a prepared run tells of its voxels beside maps: signals, and how sure r is."""

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import SphereSeeds


def fitted(data, **cleaning):
    """Return an estimator that is fitted to a run."""
    brain = NiftiMasker(data.mask_img, high_pass=0.01, **cleaning)
    seeds = SphereSeeds(data.seeds[:2], radius=6)
    return SeedCorrelationMap(seeds, brain).fit(data.run)


@pytest.fixture(scope="module", params=[None, 6], ids=["plain", "smoothed"])
def estimators(request, simulated):
    """An estimator, and one that does not smooth."""
    return fitted(simulated, smoothing_fwhm=request.param), fitted(simulated)


def test_coordinates_are_those_of_the_signals(estimators, simulated):
    pairs = zip(estimators, (False, True), strict=True)
    with estimators[0].prepare(simulated.run) as prepared:
        np.testing.assert_allclose(
            prepared.basis.T @ prepared.basis, np.eye(prepared.rank), atol=1e-6
        )
        for estimator, plain in pairs:
            series = prepared.basis @ prepared.coordinates(plain=plain)
            series /= series.std(axis=0, ddof=1)
            expected = estimator.brain_signals(simulated.run)
            np.testing.assert_allclose(series, expected, atol=1e-4)


def test_coordinates_of_some_voxels(estimators, simulated):
    with estimators[0].prepare(simulated.run) as prepared:
        for plain in (False, True):
            some = prepared.coordinates([5, 2], plain=plain)
            whole = prepared.coordinates(plain=plain)
            np.testing.assert_array_equal(some, whole[:, [5, 2]])


def test_a_voxel_without_a_signal_is_0(simulated):
    mask = np.asarray(simulated.mask_img.dataobj) != 0
    data = simulated.img.get_fdata().copy()
    data[tuple(np.argwhere(mask)[7])] = 3.0
    run = Run(nib.Nifti1Image(data, simulated.img.affine), t_r=simulated.t_r)
    sbc = fitted(simulated)
    with sbc.prepare(run) as prepared:
        for plain in (False, True):
            coordinates = prepared.coordinates(plain=plain)
            assert not coordinates[:, 7].any()
            assert np.abs(coordinates).sum(axis=0).astype(bool).sum() == 599


def test_statistics_are_the_estimators(estimators, simulated):
    estimator = estimators[0]
    (expected,) = estimator.statistics(simulated.run)
    with estimator.prepare(simulated.run) as prepared:
        found = prepared.statistics()
        some = prepared.statistics(voxels=[3, 9])
    for name in ("effect", "variance", "dof", "z_score"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            some[name], expected[name][:, [3, 9]], rtol=1e-4, atol=1e-5
        )


def test_statistics_of_another_seed(estimators, simulated):
    seeds = SphereSeeds(simulated.seeds[2:], radius=8)
    again = SeedCorrelationMap(seeds, estimators[0].brain_masker, seed_summary="pca")
    (expected,) = again.fit(simulated.run).statistics(simulated.run)
    with estimators[0].prepare(simulated.run) as prepared:
        found = prepared.statistics(seeds, "pca")
    np.testing.assert_allclose(found.z_score, expected.z_score, rtol=1e-3, atol=1e-4)


def test_regions_have_no_plain_voxels(simulated):
    brain = NiftiLabelsMasker(simulated.labels_img, high_pass=0.01)
    sbc = SeedCorrelationMap(SphereSeeds(simulated.seeds[:1]), brain)
    with sbc.fit(simulated.run).prepare(simulated.run) as prepared:
        assert prepared.coordinates().shape == (prepared.rank, 4)
        with pytest.raises(ValueError, match="of voxels, not of regions"):
            prepared.coordinates(plain=True)


def test_a_closed_run_tells_nothing(simulated):
    prepared = fitted(simulated).prepare(simulated.run)
    prepared.close()
    for ask in (prepared.coordinates, prepared.statistics, lambda: prepared.basis):
        with pytest.raises(ValueError, match="this prepared run is closed"):
            ask()


def test_seeds_are_laid_once_for_many_runs(simulated):
    estimator, seeds = fitted(simulated), SphereSeeds(simulated.seeds[2:], radius=8)
    halves = [
        Run(simulated.img.slicer[..., part], t_r=simulated.t_r)
        for part in (slice(0, 50), slice(50, 100))
    ]
    first, second = (estimator.prepare(half) for half in halves)
    laid = first.laid(seeds)
    for prepared in (first, second):
        np.testing.assert_array_equal(prepared.map(laid), prepared.map(seeds))
        np.testing.assert_array_equal(prepared.signals(laid), prepared.signals(seeds))
