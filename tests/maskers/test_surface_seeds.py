"""`SurfaceSeeds`: discs against shortest paths between all vertices."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from masker_helpers import TOLERANCE, disc_by_looking, other_mesh, scaled
from nilearn.surface import PolyMesh, SurfaceImage

from helpers import words
from sbc_estimators.maskers import SurfaceSeeds


def mean_of_discs(cortex, discs):
    """Return the mean signal of some discs, each a side, a vertex and a radius."""
    chosen = {"left": set(), "right": set()}
    for side, vertex, radius in discs:
        chosen[side] |= {*disc_by_looking(cortex.mesh.parts[side], vertex, radius)}
    parts = [cortex.img.data.parts[side][sorted(own)] for side, own in chosen.items()]
    return np.concatenate(parts).mean(axis=0)


@pytest.mark.parametrize("radius", [None, 0, 2.0, 7.0, [12, None], pd.Series([3, 8.0])])
def test_discs_around_vertices(cortex, radius):
    seeds = SurfaceSeeds([40, 7], radius, hemisphere=["left", "right"])
    found = seeds.fit_transform(cortex.img)
    radii = list(radius) if np.ndim(radius) else [radius] * 2
    places = [("left", 40), ("right", 7)]
    for column, place, own in zip(found.T, places, radii, strict=True):
        expected = mean_of_discs(cortex, [(*place, own or 0)])
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == ["left 40", "right 7"]
    assert seeds.radii_ == [own or 0 for own in radii]


@pytest.mark.parametrize("hemisphere", [None, ["right", "left"]])
def test_discs_around_coordinates(cortex, hemisphere):
    vertices = [("right", 55), ("left", 3)]
    points = [cortex.mesh.parts[side].coordinates[v] + 0.2 for side, v in vertices]
    found = SurfaceSeeds(points, 6.0, hemisphere=hemisphere).fit_transform(cortex.img)
    sides, numbers = zip(*vertices, strict=True)
    by_number = SurfaceSeeds(numbers, 6.0, hemisphere=list(sides))
    np.testing.assert_array_equal(found, by_number.fit_transform(cortex.img))


def test_vertices_and_coordinates_together(cortex):
    point = cortex.mesh.parts["left"].coordinates[12].tolist()
    seeds = SurfaceSeeds([np.int32(70), point], 3.0, hemisphere="left")
    assert seeds.fit_transform(cortex.img).shape == (80, 2)
    assert seeds.seed_names_[0] == "left 70"


def test_one_seed_of_several_discs(cortex):
    point = cortex.mesh.parts["right"].coordinates[60]
    seeds = SurfaceSeeds(
        [[40, 41, 7, 7], 12, [point, 77]],
        [7, None, 4],
        hemisphere=[["left", "left", "right", "right"], "left", "right"],
        names=["both sides", "one vertex", "a point"],
    )
    found = seeds.fit_transform(cortex.img)
    # Discs of one seed may overlap, as those of 40 and 41: a vertex counts once.
    discs = [
        [("left", 40, 7), ("left", 41, 7), ("right", 7, 7)],
        [("left", 12, 0)],
        [("right", 60, 4), ("right", 77, 4)],
    ]
    for column, own in zip(found.T, discs, strict=True):
        expected = mean_of_discs(cortex, own)
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == ["both sides", "one vertex", "a point"]
    assert seeds.places_[0] == [40, 41, 7, 7]
    assert seeds.hemispheres_[1:] == [["left"], ["right", "right"]]


def test_three_numbers_are_coordinates_and_three_vertices_are_not(cortex):
    seeds = SurfaceSeeds([[[12], [40], [77]]], None, hemisphere="left")
    found = seeds.fit_transform(cortex.img)[:, 0]
    expected = cortex.img.data.parts["left"][[12, 40, 77]].mean(axis=0)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == ["left 12 + left 40 + left 77"]
    point = np.rint(cortex.mesh.parts["left"].coordinates[30]).astype(int)
    assert SurfaceSeeds([point]).fit(cortex.img).places_ == [[tuple(map(float, point))]]


def test_coordinates_on_another_mesh_than_the_run(cortex):
    run = SurfaceImage(scaled(cortex.mesh, 5), cortex.img.data.parts)
    point = cortex.mesh.parts["right"].coordinates[31]
    on_own = SurfaceSeeds([point], 6.0).fit_transform(cortex.img)
    on_other = SurfaceSeeds([point], 6.0, mesh=cortex.mesh).fit_transform(run)
    np.testing.assert_array_equal(on_own, on_other)
    with pytest.raises(ValueError, match="mm from the nearest vertex"):
        SurfaceSeeds([point], 6.0).fit_transform(run)


def test_a_surface_of_one_part(cortex):
    mesh = PolyMesh(right=cortex.mesh.parts["right"])
    run = SurfaceImage(mesh, {"right": cortex.img.data.parts["right"]})
    seeds = SurfaceSeeds([7], 6.0)
    expected = SurfaceSeeds([7], 6.0, hemisphere="right").fit_transform(cortex.img)
    np.testing.assert_array_equal(seeds.fit_transform(run), expected)
    assert seeds.seed_names_ == ["vertex 7"]


ERRORS = {
    "vertex": (
        lambda c: SurfaceSeeds([40, 81], hemisphere="left"),
        ("seed 'left 81': ", "vertices 0 to 80"),
    ),
    "named-vertex": (
        lambda c: SurfaceSeeds([40, 81], hemisphere="left", names=["V1", "V2"]),
        ("seed 'V2' at left 81: ", "vertices 0 to 80"),
    ),
    "one-of-several": (
        lambda c: SurfaceSeeds([3, [40, 81]], hemisphere="left", names=["a", "b"]),
        ("seed 'b' at left 81: ", "vertices 0 to 80"),
    ),
    "negative-vertex": (
        lambda c: SurfaceSeeds([-1], hemisphere="right"),
        ("seed 'right -1'", "vertices 0 to 99"),
    ),
    "which": (
        lambda c: SurfaceSeeds([7]),
        ("seed 'vertex 7'", "left or right", 'hemisphere="left"'),
    ),
    "side": (
        lambda c: SurfaceSeeds([7], hemisphere="both"),
        ('"left", "right" or None, got \'both\'',),
    ),
    "sides": (
        lambda c: SurfaceSeeds([7, 50], hemisphere=["left"]),
        ("hemisphere", "got 1 for 2 seeds"),
    ),
    "sides-of-a-seed": (
        lambda c: SurfaceSeeds([[7, 50]], hemisphere=[["left"]]),
        ("hemisphere", "a seed's 2 places", "['left']"),
    ),
    "side-of-a-seed": (
        lambda c: SurfaceSeeds([[7, 50]], hemisphere=[["left", 3]]),
        ('"left", "right" or None, got 3',),
    ),
    "far": (
        lambda c: SurfaceSeeds([(200.0, 0, 0)], names=["V1"]),
        ("seed 'V1' at (200, 0, 0):", "mm from the nearest vertex", "10 mm"),
    ),
    "overlap": (
        lambda c: SurfaceSeeds([40, 41], 7.0, hemisphere="left"),
        ("seed 'left 40' and seed 'left 41' overlap", "allow_overlap=True"),
    ),
    "overlap-of-several": (
        lambda c: SurfaceSeeds([[3, 40], 41], 7.0, hemisphere="left", names=["a", "b"]),
        ("seed 'a' at left 40 and seed 'b' at left 41 overlap",),
    ),
    "allow-overlap": (
        lambda c: SurfaceSeeds([40], hemisphere="left", allow_overlap=1),
        ("allow_overlap must be True or False, got 1",),
    ),
    "radii": (
        lambda c: SurfaceSeeds([1, 2], [3.0], hemisphere="left"),
        ("radius", "got 1 for 2 seeds"),
    ),
    "radius": (lambda c: SurfaceSeeds([1], -3, hemisphere="left"), ("radius", "-3")),
    "seeds": (lambda c: SurfaceSeeds(7), ("sequence of vertex numbers", "7")),
    "no-seeds": (lambda c: SurfaceSeeds([]), ("sequence of vertex numbers", "none")),
    "generator": (
        lambda c: SurfaceSeeds(i for i in (1, 2)),
        ("sequence of vertex numbers", "generator"),
    ),
    "seed": (lambda c: SurfaceSeeds([(1.0, 2.0)]), ("coordinates", "(1.0, 2.0)")),
    "seed-word": (lambda c: SurfaceSeeds(["left"]), ("coordinates", "'left'")),
    "seed-between": (lambda c: SurfaceSeeds([1.0]), ("vertex numbers", "got 1.0")),
    "seed-truth": (lambda c: SurfaceSeeds([True]), ("vertex numbers", "got True")),
    "names": (
        lambda c: SurfaceSeeds([1, 2], hemisphere="left", names=["a", "a"]),
        ("names must differ",),
    ),
    "mesh": (lambda c: SurfaceSeeds([1], mesh="pial"), ("a PolyMesh, got str",)),
    "another-mesh": (
        lambda c: SurfaceSeeds([1], hemisphere="left", mesh=other_mesh()),
        ("mesh has 16 left", "81 left vertices and 100 right"),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(cortex, name):
    make, parts = ERRORS[name]
    with pytest.raises((TypeError, ValueError), match=words(*parts)):
        make(cortex).fit_transform(cortex.img)


def test_allowed_overlaps(cortex):
    seeds = SurfaceSeeds([40, 41], 7.0, hemisphere="left", allow_overlap=True)
    assert seeds.fit_transform(cortex.img).shape == (80, 2)


def test_discs_lie_on_surfaces():
    img = nib.Nifti1Image(np.ones((3, 3, 3, 4), np.float32), np.eye(4))
    with pytest.raises(TypeError, match=words("discs", "a volume", "SphereSeeds")):
        SurfaceSeeds([1], hemisphere="left").fit(img)
