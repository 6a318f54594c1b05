"""What the house promises: a kind of masker is one adapter, a measure one function.

Both are added here from outside, and go through the public estimator.
"""

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker
from sklearn.base import BaseEstimator

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._arrays.correlation import column_norms
from sbc_estimators._arrays.spatial import mean_map
from sbc_estimators._maps import mapping as _mapping
from sbc_estimators._maps import seeds as _seeds
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.methods import methods
from sbc_estimators._signals import kinds as _kinds
from sbc_estimators._signals.adapters import Adapter
from sbc_estimators.maskers import SphereSeeds

TOLERANCE = 2e-6


# A kind of masker


class Slabs(BaseEstimator):
    """A masker of equal parts of an image along an axis, on any grid."""

    def __init__(self, axis=0, n_parts=2):
        self.axis = axis
        self.n_parts = n_parts

    def fit(self, X=None):
        return self

    def transform(self, X):
        raise NotImplementedError("not asked for where the adapter tells the places")

    def inverse_transform(self, X):
        raise NotImplementedError


class SlabsAdapter(Adapter):
    """Its adapter: where it lies, what it is called, and that it cleans nothing."""

    has_own_cleaning = False
    grid_kind = "a volume"

    def _set_shared(self, values):
        pass

    def lay(self, grid):
        axis = np.indices(grid.shape)[self.masker.axis].ravel()
        n_parts = self.masker.n_parts
        parts = axis * n_parts // grid.shape[self.masker.axis]
        return mean_map([np.flatnonzero(parts == i) for i in range(n_parts)])

    def _own_names(self):
        return [f"slab {i}" for i in range(self.masker.n_parts)]


@pytest.fixture
def _slabs_are_known(monkeypatch):
    row = (lambda masker: type(masker) is Slabs, SlabsAdapter)
    monkeypatch.setattr(_kinds, "KINDS", [row, *_kinds.KINDS])


def as_labels(img, slabs):
    """Return nilearn's masker of the same places."""
    axis = np.indices(img.shape[:3])[slabs.axis]
    labels = 1 + axis * slabs.n_parts // img.shape[slabs.axis]
    labels = nib.Nifti1Image(labels.astype(np.int16), img.affine)
    return NiftiLabelsMasker(labels, background_label=0)


CLEANING = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}


@pytest.mark.usefixtures("_slabs_are_known")
def test_a_kind_of_seeds(sample_box, nilearn_r, tmp_path):
    run, slabs = sample_box.run, Slabs(axis=1, n_parts=3)
    brain = NiftiMasker(sample_box.mask_img, **CLEANING)
    sbc = SeedCorrelationMap(slabs, brain).fit(run)
    assert sbc.paths_ == {"seed_masker": "streamed", "brain_masker": "streamed"}
    assert sbc.seed_names_ == ["slab 0", "slab 1", "slab 2"]
    labels = as_labels(sample_box.img, slabs).set_params(**CLEANING)
    expected = nilearn_r(labels, brain, run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)
    report = SeedCorrelationMap(labels, brain).fit(run).seed_report_
    for name in ("n_voxels", "coverage", "in_mask", "tsnr", "homogeneity"):
        np.testing.assert_allclose(sbc.seed_report_[name], report[name], rtol=1e-6)
    median = {"seed_summary": "median", "measure": "partial", "memory": tmp_path}
    kept = SeedCorrelationMap(slabs, brain, **median).fit(run)
    expected = SeedCorrelationMap(labels, brain, **median).fit(run).correlations_
    np.testing.assert_allclose(kept.correlations_, expected, rtol=0, atol=TOLERANCE)
    with sbc.prepare(run) as prepared:
        r = prepared.map(Slabs(axis=1, n_parts=3))
    np.testing.assert_allclose(r, sbc.correlations_, rtol=0, atol=TOLERANCE)


@pytest.mark.usefixtures("_slabs_are_known")
def test_a_kind_of_brain(sample_box, nilearn_r):
    run, slabs = Run(sample_box.img, sample_box.confounds), Slabs(axis=2, n_parts=4)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds, 6), slabs).fit(run)
    assert sbc.paths_["brain_masker"] == "streamed"
    spheres = [np.zeros(sample_box.mask_img.shape, np.int16) for _ in range(3)]
    laid = sbc.seed_masker_.on(sbc.seed_masker_.grid_)
    for image, (places, _) in zip(spheres, laid.members_of_outputs(), strict=True):
        image.ravel()[laid.members[places]] = 1
    for image, r in zip(spheres, sbc.correlations_, strict=True):
        seed = NiftiLabelsMasker(nib.Nifti1Image(image, sample_box.img.affine))
        expected = nilearn_r(seed, as_labels(sample_box.img, slabs), run)
        np.testing.assert_allclose(r, expected[0], rtol=0, atol=TOLERANCE)


@pytest.mark.usefixtures("_slabs_are_known")
def test_a_kind_that_meets_an_image_of_another(surface):
    expected = r"^run 0, seed_masker: a Slabs needs a volume, but the run is a surface"
    with pytest.raises(TypeError, match=expected):
        SeedCorrelationMap(Slabs()).fit(surface.run)


def test_without_its_row_the_masker_does_everything_itself(sample_box):
    sbc = SeedCorrelationMap(Slabs(), NiftiMasker(sample_box.mask_img))
    with pytest.raises(RuntimeError, match=r"^run 0 .*NotImplementedError"):
        sbc.fit(sample_box.run)


# A measure


def lagged(seeds, voxels, names):
    """Return each seed one scan later."""
    series = np.vstack([np.zeros(len(names)), seeds.series()[:-1]])
    series -= series.mean(axis=0)
    own = series if voxels.basis is None else voxels.basis.T @ series
    return _seeds.Plain(own, column_norms(series))


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_measure(sample_box, monkeypatch, tmp_path, n_seeds):
    monkeypatch.setitem(_seeds.MEASURES, "lagged", lagged)
    run = Run(sample_box.img, sample_box.confounds, t_r=sample_box.t_r)
    brain = NiftiMasker(sample_box.mask_img, **CLEANING)
    seeds = SphereSeeds(sample_box.seeds[:n_seeds], 6)
    plain = SeedCorrelationMap(seeds, brain).fit(run)
    later = np.vstack([np.zeros(n_seeds), plain.seed_signals(run)[:-1]])
    voxels = plain.brain_signals(run)
    expected = np.corrcoef(later, voxels, rowvar=False)[:n_seeds, n_seeds:]
    sbc = SeedCorrelationMap(seeds, brain, measure="lagged", memory=tmp_path)
    z = sbc.fit_transform(run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(sbc.transform(run), z)
    assert np.isfinite(sbc.seed_report_["effective_dof"]).all()
    with plain.prepare(run) as prepared:
        r = prepared.map(measure="lagged")
    np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)
    (statistics,) = sbc.statistics(run)
    assert np.isfinite(statistics.z_score).all()
    monkeypatch.setitem(_seeds.SUMMARIES, "middle", _seeds.SUMMARIES["median"])
    monkeypatch.setitem(_mapping.SCALES, "twice", lambda r, dof: 2 * r)
    sbc.set_params(seed_summary="middle", scale="twice")
    text = methods(sbc.fit(run), Maps.of(sbc), [run])["text"]
    for words in ("'middle' of its voxels", "measure 'lagged' of", "scale 'twice'"):
        assert words in text


def test_a_measure_that_is_not_there(sample_box):
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds), measure="lagged")
    with pytest.raises(ValueError, match=r"measure must be .*, got 'lagged'"):
        sbc.fit(sample_box.run)
