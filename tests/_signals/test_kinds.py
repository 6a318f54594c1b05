"""The table of kinds: which adapter a masker gets, and what it answers."""

import copy
import pickle
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from sklearn.base import BaseEstimator

from helpers import OwnSpheres, OwnVertices, OwnVoxels
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._signals.kinds import adapter_of
from sbc_estimators._signals.nilearn_own import OnVolume
from sbc_estimators._signals.others import (
    Foreign,
    Given,
    HeirOnSurface,
    HeirOnVolume,
    OnSurface,
    Ours,
)
from sbc_estimators._signals.sides import cleaning_of, plan_run
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds
from sbc_estimators.runs._opened import open_run

SEEDS = [(0, 0, 0)]


class OwnRegions(RegionSeeds):
    """A subclass of a masker of ours, which may do anything."""


class Anything(BaseEstimator):
    """An object with a masker's methods."""

    def fit(self, X=None):
        return self

    transform = inverse_transform = fit


KINDS = [
    (SphereSeeds(SEEDS), Ours),
    (RegionSeeds("atlas.nii"), Ours),
    (SurfaceSeeds([3], hemisphere="left"), Ours),
    (GivenSignals(), Given),
    (NiftiSpheresMasker(SEEDS), OnVolume),
    (NiftiLabelsMasker("atlas.nii"), OnVolume),
    (NiftiMapsMasker("maps.nii"), OnVolume),
    (NiftiMasker(), OnVolume),
    (MultiNiftiMasker(), OnVolume),
    (SurfaceMasker(), OnSurface),
    (SurfaceLabelsMasker(None), OnSurface),
    (SurfaceMapsMasker(None), OnSurface),
    (OwnSpheres(SEEDS), HeirOnVolume),
    (OwnVertices(), HeirOnSurface),
    (OwnRegions("atlas.nii"), Foreign),
    (Anything(), Foreign),
]


@pytest.mark.parametrize(("masker", "kind"), KINDS, ids=lambda own: type(own).__name__)
def test_kinds(masker, kind):
    adapter = adapter_of(masker, "seed_masker")
    assert type(adapter) is kind
    assert adapter.is_known == (not issubclass(kind, Foreign))
    assert adapter.masker is masker


# Who says how signals are cleaned


@pytest.mark.parametrize("t_r", [None, 1.5])
def test_the_brain_says_how_seeds_of_ours_are_cleaned(t_r):
    band = {"low_pass": 0.1, "high_pass": 0.01, "detrend": True, "t_r": 2.0}
    brain = adapter_of(NiftiMasker(**band), "brain_masker")
    opened = SimpleNamespace(t_r=t_r)
    for masker in (SphereSeeds(SEEDS), GivenSignals(), RegionSeeds("atlas.nii")):
        seeds = adapter_of(masker, "seed_masker")
        cleaning = cleaning_of(seeds, brain, opened)
        assert cleaning == cleaning_of(brain, brain, opened)
        assert (cleaning.low_pass, cleaning.detrend) == (0.1, True)
        assert seeds.smoothing_fwhm is None


@pytest.mark.parametrize("t_r", [None, 1.5])
def test_maskers_of_nilearn_say_it_themselves(t_r):
    brain = adapter_of(NiftiMasker(detrend=True, t_r=2.0), "brain_masker")
    seeds = adapter_of(NiftiSpheresMasker(SEEDS, low_pass=0.1, t_r=3.0), "seed_masker")
    cleaning = cleaning_of(seeds, brain, SimpleNamespace(t_r=t_r))
    # A run's own repetition time takes precedence.
    assert (cleaning.low_pass, cleaning.detrend) == (0.1, False)
    assert cleaning.t_r == (3.0 if t_r is None else t_r)
    assert seeds.cleaning.t_r == 3.0


def test_signals_that_are_clean_are_cleaned_like_nothing():
    brain = adapter_of(NiftiMasker(), "brain_masker")
    seeds = adapter_of(GivenSignals(clean=False), "seed_masker")
    assert seeds.has_own_cleaning
    signals = np.random.default_rng(0).standard_normal((9, 1))
    img = nib.Nifti1Image(np.ones((2, 2, 2, 9)), np.eye(4))
    run = open_run(Run(img, seed_signals=signals), 0)
    mask_img = nib.Nifti1Image(np.eye(8)[0].reshape(2, 2, 2), np.eye(4))
    brain.masker = NiftiMasker(mask_img).fit()
    for masker, is_alike in ((GivenSignals(), True), (seeds.masker, False)):
        adapter = adapter_of(masker.fit(signals), "seed_masker")
        assert plan_run(adapter, brain, run).is_alike == is_alike


# Subclasses of nilearn's maskers


def halves():
    """Return two runs in each of which another half of the brain is missing."""
    data = make_runs(2, 40, 600, random_state=0)
    middle = data.mask_img.shape[0] // 2
    images = [np.array(run.img.dataobj) for run in data.runs]
    images[0][: middle - 2], images[1][middle + 2 :] = 0, 0
    return data, [nib.Nifti1Image(own, data.mask_img.affine) for own in images]


@pytest.mark.filterwarnings("ignore:.* less than half", "ignore:.* have no signal")
def test_a_mask_is_computed_over_all_runs_for_heirs_too():
    data, runs = halves()
    seeds = SphereSeeds(data.seeds[:1], 6)
    options = {"mask_args": {"border_size": 0, "opening": 0}, "detrend": True}
    masks = [
        SeedCorrelationMap(seeds, masker).fit(runs).brain_masker_.mask_img_
        for masker in (NiftiMasker(**options), OwnVoxels(**options, standardize=None))
    ]
    own, expected = (np.asarray(mask.dataobj) != 0 for mask in masks)
    np.testing.assert_array_equal(own, expected)
    first = NiftiMasker(**options).fit(runs[0]).mask_img_
    assert (own != (np.asarray(first.dataobj) != 0)).any()


def test_heirs_keep_names_and_places(sample_box):
    seeds = OwnSpheres(sample_box.seeds, radius=6, standardize=None)
    sbc = SeedCorrelationMap(seeds, NiftiMasker(sample_box.mask_img)).fit(
        sample_box.run
    )
    assert sbc.seed_names_ == ["(0, -52, 18)", "(21.4, -63.2, 12.9)", "(-17, -38, 33)"]
    assert sbc.paths_["seed_masker"].startswith("reference: OwnSpheres is none of")
    adapter = adapter_of(sbc.seed_masker_, "seed_masker")
    assert adapter.sphere(0) == ((0, -52, 18), 6)


# Copies


def test_what_is_laid_does_not_travel(sample_box):
    masker = NiftiSpheresMasker(sample_box.seeds, radius=6).fit()
    adapter = adapter_of(masker, "seed_masker")
    run = open_run(sample_box.run, 0)
    laid = adapter.on(run.scans.grid)
    assert adapter.on(run.scans.grid) is laid
    for copied in (pickle.loads(pickle.dumps(adapter)), copy.deepcopy(adapter)):
        assert copied.laid == {}
        assert copied.on(run.scans.grid).key == laid.key
