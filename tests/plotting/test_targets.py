"""Regions as targets: what columns are called, and what pictures leave out."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds
from sbc_estimators.plotting import plot_seed_map
from sbc_estimators.plotting._targets import without_own_targets

NAMES = ["Left Hippocampus", "Precuneus", "Cuneus", "Right Hippocampus"]
LUT = pd.DataFrame({"index": [0, 1, 2, 3, 4], "name": ["Background", *NAMES]})


def with_names(names, seeds=("PCC", "L IPS")):
    """Return the names of the columns of some targets."""
    return [f"{seed} {name}" for seed in seeds for name in names]


def spheres(data, **parameters):
    """Return two named seeds."""
    return SphereSeeds(data.seeds[:2], 6, names=["PCC", "L IPS"], **parameters)


TARGETS = {
    "labels": (lambda d: NiftiLabelsMasker(d.labels_img, lut=LUT), NAMES),
    "masked labels": (
        lambda d: NiftiLabelsMasker(
            d.labels_img, lut=LUT, mask_img=front(d), keep_masked_labels=False
        ),
        NAMES[1:],
    ),
    "labels without names": (lambda d: NiftiLabelsMasker(d.labels_img), list("1234")),
    "another summary": (
        lambda d: NiftiLabelsMasker(d.labels_img, lut=LUT, strategy="median"),
        NAMES,
    ),
    "maps": (lambda d: NiftiMapsMasker(d.maps_img), ["map0", "map1", "map2"]),
    "ours": (
        lambda d: RegionSeeds(d.labels_img, NAMES[::-1], lut=LUT),
        NAMES[::-1],
    ),
    "spheres": (
        lambda d: NiftiSpheresMasker(d.seeds[:1], radius=5),
        ["(0, -52, 18)"],
    ),
}


def front(data):
    """Return a mask without the first region."""
    is_kept = np.asarray(data.labels_img.dataobj) > 1
    return nib.Nifti1Image(is_kept.astype("u1"), data.mask_img.affine)


@pytest.mark.parametrize("kind", TARGETS)
def test_columns_have_the_names_of_targets(sample_box, kind):
    make, names = TARGETS[kind]
    sbc = SeedCorrelationMap(spheres(sample_box), make(sample_box))
    table = sbc.set_output(transform="pandas").fit_transform([sample_box.run])
    assert table.columns.tolist() == with_names(names)
    assert sbc.get_feature_names_out().tolist() == with_names(names)
    assert table["PCC " + names[0]][0] == sbc.transform([sample_box.run]).iloc[0, 0]


def test_names_are_those_of_the_labels_whatever_their_order(sample_box):
    lut = pd.DataFrame({"index": [3, 1, 0, 4, 2, 9], "name": [*"ca-dbx"]})
    brain = NiftiLabelsMasker(sample_box.labels_img, lut=lut)
    sbc = SeedCorrelationMap(RegionSeeds(sample_box.labels_img), brain)
    sbc.fit(sample_box.run)
    assert sbc.get_feature_names_out().tolist()[:4] == ["1 a", "1 b", "1 c", "1 d"]
    np.testing.assert_allclose(np.diag(sbc.correlations_), 1, atol=1e-6)


def test_columns_of_voxels_and_vertices(sample_box, surface):
    sbc = SeedCorrelationMap(spheres(sample_box), NiftiMasker(sample_box.mask_img))
    sbc.fit(sample_box.run)
    names = [f"voxel{i}" for i in range(sbc.n_voxels_)]
    assert sbc.get_feature_names_out().tolist() == with_names(names)
    seeds = RegionSeeds(surface.labels_img, [1], names=["V1"])
    sbc = SeedCorrelationMap(seeds, SurfaceMasker(surface.mask_img)).fit(surface.run)
    assert sbc.get_feature_names_out().tolist()[-1] == f"V1 vertex{sbc.n_voxels_ - 1}"
    sbc.set_params(brain_masker=SurfaceLabelsMasker(surface.labels_img)).fit(
        surface.run
    )
    assert sbc.get_feature_names_out().tolist() == ["V1 1", "V1 2"]


# Pictures


def own_targets(data, seeds, brain, run=None):
    """Return which targets of the first seed are not drawn, and the map."""
    sbc = SeedCorrelationMap(seeds, brain).fit(data.run if run is None else run)
    values = np.arange(1.0, sbc.n_voxels_ + 1)
    drawn = without_own_targets(sbc, 0, values)
    assert set(np.unique(drawn)) <= {0, *values}
    return (drawn == 0).tolist()


def test_the_seed_s_own_targets_are_left_out(sample_box):
    data, labels = sample_box, sample_box.labels_img
    brain = NiftiLabelsMasker(labels, lut=LUT)
    # A region, two of them, and a sphere that lies in the second, not in its middle.
    assert own_targets(data, RegionSeeds(labels, [3]), brain) == [0, 0, 1, 0]
    assert own_targets(data, RegionSeeds(labels, [[1, 4]]), brain) == [1, 0, 0, 1]
    y = nib.affines.apply_affine(labels.affine, (5, 3, 4))
    assert own_targets(data, SphereSeeds([y], 4), brain) == [0, 1, 0, 0]
    nilearn_own = NiftiSpheresMasker([y], radius=4)
    assert own_targets(data, nilearn_own, brain) == [0, 1, 0, 0]
    # A large seed that holds a small target, and one that touches it.
    targets = SphereSeeds([y, data.seeds[1]], None)
    assert own_targets(data, RegionSeeds(labels, [2]), targets) == [1, 0]
    halves = SphereSeeds([y], None)
    assert own_targets(data, halves, NiftiLabelsMasker(labels)) == [0, 1, 0, 0]


def test_of_overlapping_maps_it_is_that_with_most_of_the_seed(sample_box):
    weights = np.zeros((*sample_box.mask_img.shape, 3))
    x = np.indices(weights.shape[:3])[0]
    for i, middle in enumerate((2, 5, 8)):
        weights[..., i] = np.exp(-((x - middle) ** 2) / 2)
    maps = NiftiMapsMasker(nib.Nifti1Image(weights, sample_box.mask_img.affine))
    place = nib.affines.apply_affine(sample_box.mask_img.affine, (5, 4, 4))
    assert own_targets(sample_box, SphereSeeds([place], 4), maps) == [0, 1, 0]


def test_nothing_is_left_out_where_there_is_no_own_target(sample_box, surface):
    data, labels = sample_box, sample_box.labels_img
    voxels = NiftiMasker(data.mask_img)
    assert not any(own_targets(data, SphereSeeds(data.seeds[:1]), voxels))
    brain = NiftiLabelsMasker(labels)
    given = Run(data.img, seed_signals=np.random.default_rng(0).random((200, 1)))
    assert not any(own_targets(data, GivenSignals(), brain, given))
    each = Run(data.img, seed_places=labels)
    assert not any(own_targets(data, RegionSeeds("run", [2]), brain, each))
    median = NiftiLabelsMasker(labels, strategy="median")
    assert not any(own_targets(data, RegionSeeds(labels, [2]), median))


def test_on_a_surface(surface):
    brain = SurfaceLabelsMasker(surface.labels_img)
    seeds = RegionSeeds(surface.labels_img, [2])
    assert own_targets(surface, seeds, brain) == [0, 1]


def test_a_picture_scales_by_the_other_targets(sample_box):
    labels = sample_box.labels_img
    sbc = SeedCorrelationMap(RegionSeeds(labels, [3]), NiftiLabelsMasker(labels))
    sbc.fit(sample_box.run)
    r = sbc.correlations_[0]
    assert r[2] > 0.999
    expected = np.arctanh(np.delete(r, 2)).max()
    display = plot_seed_map(
        sbc, threshold=0, bg_img=sample_box.mask_img, cut_coords=(0, -52, 18)
    )
    (bar,) = [axes for axes in display.frame_axes.figure.axes if axes.axison]
    assert expected <= bar.get_ylim()[1] < expected + 0.1
    display.close()
