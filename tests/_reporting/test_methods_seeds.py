"""The methods paragraph says what seeds were: their sizes, units and summaries."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.methods import methods
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.summary import summarise
from sbc_estimators.maskers import RegionSeeds, SphereSeeds, SurfaceSeeds


def text_of(sbc, runs=None):
    """Return the paragraph on a fitted estimator."""
    return methods(sbc, Maps.of(sbc), runs)["text"]


def brain(box):
    """Return a masker of the voxels of a box."""
    return NiftiMasker(box.mask_img, detrend=True)


def of_voxels(box, n_seeds):
    """Return a masker of some single voxels of a box."""
    few = np.zeros(box.mask_img.shape, np.uint8)
    few[4, 3, 3 : 3 + n_seeds] = 1
    return NiftiMasker(nib.Nifti1Image(few, box.mask_img.affine), detrend=True)


def of_vertices(surface, n_seeds):
    """Return a masker of some single vertices of the left hemisphere."""
    parts = {"left": np.arange(60) < n_seeds, "right": np.zeros(60, bool)}
    return SurfaceMasker(type(surface.mask_img)(surface.img.mesh, parts))


# Places of runs


def test_radii_that_runs_bring(sample_box):
    table = pd.DataFrame(sample_box.seeds[:2], columns=list("xyz"))
    table = table.assign(name=["a", "b"])
    sizes = [4, 9], [4, 6]
    runs = [Run(sample_box.img, seed_places=table.assign(radius=own)) for own in sizes]
    sbc = SeedCorrelationMap(SphereSeeds("run"), brain(sample_box)).fit(runs)
    text = text_of(sbc, runs)
    assert "The 2 seeds were spheres of 4 to 9 mm radius, placed anew in each" in text
    assert "The 2 seeds were spheres, placed anew in each run." in text_of(sbc)


@pytest.mark.parametrize(
    ("radius", "words"),
    [
        ([4, 8], "spheres of 4 to 8 mm radius"),
        (5, "spheres of 5 mm radius"),
        ([None, None], "single voxels"),
    ],
)
def test_radii_of_the_masker_with_places_of_runs(sample_box, radius, words):
    run = Run(sample_box.img, seed_places=sample_box.seeds[:2])
    seeds = SphereSeeds("run", radius=radius, names=["X", "Y"])
    sbc = SeedCorrelationMap(seeds, brain(sample_box)).fit(run)
    assert f"The 2 seeds were {words}, placed anew in each run." in text_of(sbc, [run])
    assert "The 2 seeds were spheres, placed anew in each run." in text_of(sbc)


def test_one_radius_in_a_list(sample_box):
    run = Run(sample_box.img, seed_places=sample_box.seeds[:1])
    sbc = SeedCorrelationMap(SphereSeeds("run", radius=[5]), brain(sample_box)).fit(run)
    words = "The seed was a sphere of 5 mm radius, placed anew in each run."
    assert words in text_of(sbc, [run])
    assert sbc.generate_report().html


# Units


@pytest.mark.parametrize(
    ("n_seeds", "words"),
    [(1, "The seed was a single voxel."), (3, "The 3 seeds were single voxels.")],
)
def test_voxels_beside_regions(sample_box, n_seeds, words):
    parcels = NiftiLabelsMasker(sample_box.labels_img, detrend=True)
    sbc = SeedCorrelationMap(of_voxels(sample_box, n_seeds), parcels)
    assert words in text_of(sbc.fit(sample_box.run))


@pytest.mark.parametrize(
    ("n_seeds", "words"),
    [(1, "The seed was a single vertex."), (3, "The 3 seeds were single vertices.")],
)
def test_vertices_beside_voxels(sample_box, surface, n_seeds, words):
    img = sample_box.img.slicer[..., :90]
    run = Run(img, seed_img=surface.img)
    own = NiftiMasker(sample_box.mask_img)
    sbc = SeedCorrelationMap(of_vertices(surface, n_seeds), own).fit(run)
    assert words in text_of(sbc)


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ([10], "The seed was a single vertex around left 10."),
        ([10, 20], "The 2 seeds were single vertices around left 10 and left 20."),
    ],
)
def test_discs_of_one_vertex(surface, seeds, words):
    masker = SurfaceSeeds(seeds, radius=0, hemisphere="left")
    sbc = SeedCorrelationMap(masker, SurfaceMasker(surface.mask_img))
    assert words in text_of(sbc.fit(surface.run))


def test_regions_of_a_surface_that_runs_bring(surface):
    run = Run(surface.img, seed_places=surface.labels_img)
    sbc = SeedCorrelationMap(RegionSeeds("run"), SurfaceMasker(surface.mask_img))
    sbc.fit(run)
    for runs in ([run], None):
        text = text_of(sbc, runs)
        assert "The signal of a seed was the mean of its vertices." in text


# Summaries


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("mean", "the mean of its voxels"),
        ("sum", "the sum of its voxels"),
        ("median", "the median of its voxels in each scan, taken before cleaning"),
        (
            "standard_deviation",
            "the standard deviation of its voxels in each scan, taken before cleaning",
        ),
    ],
)
def test_strategies_of_labels(sample_box, strategy, words):
    labels = NiftiLabelsMasker(sample_box.labels_img, strategy=strategy, detrend=True)
    text = text_of(SeedCorrelationMap(labels, brain(sample_box)).fit(sample_box.run))
    assert f"The signal of a seed was {words}." in text
    assert "signal of a region" not in text
    seeds = SphereSeeds(sample_box.seeds, 6)
    text = text_of(SeedCorrelationMap(seeds, labels).fit(sample_box.run))
    assert "The signal of a seed was the mean of its voxels. " in text
    assert f"The signal of a region of the maps was {words}." in text


def test_strategies_on_a_surface(surface):
    labels = SurfaceLabelsMasker(surface.labels_img, strategy="maximum")
    sbc = SeedCorrelationMap(labels, SurfaceMasker(surface.mask_img)).fit(surface.run)
    words = "the maximum of its vertices in each scan, taken before cleaning."
    assert f"The signal of a seed was {words}" in text_of(sbc)


class Heir(NiftiLabelsMasker):
    """A masker that may do anything."""


def test_nobody_knows_the_summary_of_another_package(sample_box):
    labels = Heir(sample_box.labels_img, detrend=True, standardize=None)
    text = text_of(SeedCorrelationMap(labels, brain(sample_box)).fit(sample_box.run))
    assert "The signal of a seed was" not in text


# Measures


@pytest.mark.parametrize("measure", ["partial", "semipartial"])
def test_of_one_seed_each_measure_is_the_plain_correlation(sample_box, measure):
    seeds = NiftiSpheresMasker(sample_box.seeds[:1], radius=6, detrend=True)
    sbc = SeedCorrelationMap(seeds, brain(sample_box), measure=measure)
    found = summarise(sbc.fit(sample_box.run))
    text = found["methods"]["text"]
    assert "Pearson's correlation of each seed" in text
    assert "regressed out" not in text
    assert "Marrelec" not in found["methods"]["references"]
    page = render(found)
    assert "s correlation, as Fisher z" in page
    assert "artial correlation" not in page
    assert "regressed out" not in page
