"""Spheres of voxels: every voxel looked at, on affines of all kinds."""

import numpy as np
import pytest

from helpers import every_pair
from sbc_estimators._images.grids import check_overlap, joined, sphere_voxels

SHAPES = [(7, 8, 9), (12, 5, 6), (1, 9, 9), (4, 4, 4)]
KINDS = ["straight", "flipped", "swapped", "anisotropic", "oblique", "sheared"]


def make_affine(rng, kind):
    """Return an affine of a kind: anything that takes voxels to mm and back."""
    zooms = np.full(3, rng.uniform(1, 5))
    if kind in ("anisotropic", "oblique"):
        zooms = rng.uniform(1, 6, 3)
    axes = np.eye(3)
    if kind == "flipped":
        axes = np.diag(rng.choice([-1.0, 1.0], 3))
        axes[0, 0] = -1.0
    elif kind == "swapped":
        axes = axes[rng.permutation(3)]
    elif kind == "oblique":
        axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    elif kind == "sheared":
        axes = axes + 0.2 * rng.standard_normal((3, 3))
    affine = np.eye(4)
    affine[:3, :3] = axes @ np.diag(zooms)
    affine[:3, 3] = rng.uniform(-80, 80, 3)
    return affine


def centres(affine, shape):
    """Return the centres of all voxels in mm, in C order."""
    indices = np.indices(shape).reshape(3, -1)
    return (affine[:3, :3] @ indices + affine[:3, 3:]).T


def looked_for(seed, radius, affine, shape):
    """Return the voxels of a sphere by looking at every one."""
    indices = np.indices(shape).reshape(3, -1).T
    is_near = np.linalg.norm(centres(affine, shape) - seed, axis=1) <= (radius or 0)
    place = np.linalg.inv(affine) @ [*seed, 1]
    holds = (np.abs(indices - place[:3]) < 0.5).all(axis=1)
    return np.flatnonzero(is_near | holds) if holds.any() else []


def draw_seeds(rng, affine, shape, n_seeds=12):
    """Return seeds anywhere in and around a grid, none on a border of voxels."""
    places = rng.uniform(-2, np.array(shape) + 1, (n_seeds, 3))
    near_border = np.abs(places % 1 - 0.5) < 1e-3
    places[near_border] += 0.01
    return places @ affine[:3, :3].T + affine[:3, 3]


@pytest.mark.parametrize(("kind", "shape", "seed"), every_pair(KINDS, SHAPES, range(2)))
def test_every_voxel_looked_at(kind, shape, seed):
    rng = np.random.default_rng([seed, KINDS.index(kind), *shape])
    affine = make_affine(rng, kind)
    seeds = draw_seeds(rng, affine, shape)
    own = [None, 0.0, *rng.uniform(1, 15, 10)]
    for radius in (None, 0.0, 0.3, *rng.uniform(1, 15, 3), 1e4, own):
        spheres = sphere_voxels(seeds, radius, affine, shape)
        radii = radius if radius is own else [radius] * len(seeds)
        for voxels, place, length in zip(spheres, seeds, radii, strict=True):
            expected = looked_for(place, length, affine, shape)
            np.testing.assert_array_equal(voxels, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_seed_at_a_centre_reaches_centres_at_the_radius(kind):
    # A sphere of 2 voxels around a centre holds the 33 that lie within, whatever
    # the rounding of the affine makes of the six at its tips.
    rng = np.random.default_rng(KINDS.index(kind))
    affine = make_affine(rng, "straight" if kind in KINDS[3:] else kind)
    if kind == "oblique":
        turned = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        affine[:3, :3] = turned @ affine[:3, :3]
    size = np.linalg.norm(affine[:3, 0])
    for place in rng.integers(2, 7, (20, 3)):
        seed = affine[:3, :3] @ place + affine[:3, 3]
        voxels = sphere_voxels([seed], 2 * size, affine, (9, 9, 9))[0]
        assert len(voxels) == 33


@pytest.mark.parametrize("radius", [None, 0.2, 1, 2.9])
@pytest.mark.parametrize("place", [(0, 0, 0), (8, 8, 8), (4, 0, 8)])
def test_seed_within_one_voxel(radius, place):
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    for shift in (-1.4, -0.5, 0.0, 0.8, 1.4):
        seed = 3.0 * np.array(place) + shift
        voxels = sphere_voxels([seed], radius, affine, (9, 9, 9))[0]
        assert np.ravel_multi_index(place, (9, 9, 9)) in voxels
        if radius is None or radius < 1.5:
            assert len(voxels) <= 1 + (np.abs(shift) > 0.1)


@pytest.mark.parametrize("radius", [None, 0.5, 2.0, 8.0])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_seed_beyond_the_border(axis, radius):
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    for place, is_inside in ((-1.49, True), (-3.6, False), (13.4, True), (15.6, False)):
        seed = [6.0, 6.0, 6.0]
        seed[axis] = place
        voxels = sphere_voxels([seed], radius, affine, (5, 5, 5))[0]
        assert (len(voxels) > 0) == is_inside


@pytest.mark.parametrize("seed", [(1e6, 0, 0), (0, -1e6, 0), (300, 300, 300)])
@pytest.mark.parametrize("radius", [None, 5.0])
def test_seed_far_away(seed, radius):
    voxels = sphere_voxels([seed], radius, np.diag([2.0, 2, 2, 1]), (5, 6, 7))[0]
    assert voxels.shape == (0,)
    assert voxels.dtype.kind == "i"


def test_lists_of_whole_numbers_are_coordinates():
    affine = np.diag([2.0, 2, 2, 1])
    a = sphere_voxels([[4, 4, 4]], 3, affine, (5, 5, 5))
    b = sphere_voxels(np.array([[4.0, 4.0, 4.0]]), 3.0, affine, (5, 5, 5))
    np.testing.assert_array_equal(a, b)


# Overlap


def message_of_overlap(places, seeds):
    """Return what is said of places that overlap, None where they may."""
    try:
        check_overlap(places, seeds, [f"<{i}>" for i in range(len(places))])
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("places", "seeds", "pair"),
    [
        ([], [], None),
        ([[1, 2, 3]], [0], None),
        ([[1, 2], [3, 4], [5]], [0, 1, 2], None),
        ([[1, 2], [3, 4], [4]], [0, 1, 2], (1, 2)),
        ([[1, 2], [2, 4], [4]], [0, 1, 2], (0, 1)),
        ([[5], [], [5]], [0, 1, 2], (0, 2)),
        ([[1], [1]], [0, 1], (0, 1)),
        ([[1], [1]], [0, 0], None),
        ([[1, 2], [2, 3], [3]], [0, 0, 1], (1, 2)),
    ],
)
def test_places_of_two_seeds_that_overlap(places, seeds, pair):
    places = [np.array(own, dtype=int) for own in places]
    said = message_of_overlap(places, seeds)
    if pair is None:
        assert said is None
    else:
        assert "<{}> and <{}> overlap.".format(*pair) in said
        assert "allow_overlap=True" in said


@pytest.mark.parametrize("seed", range(6))
def test_overlap_of_spheres(seed):
    rng = np.random.default_rng(seed)
    affine = make_affine(rng, "oblique")
    seeds = draw_seeds(rng, affine, (8, 8, 8), 5)
    for radius in (None, 2.0, 6.0, 12.0):
        spheres = sphere_voxels(seeds, radius, affine, (8, 8, 8))
        said = message_of_overlap(spheres, range(5))
        shared = [
            f"<{i}> and <{j}>"
            for j in range(5)
            for i in range(j)
            if np.intersect1d(spheres[i], spheres[j]).size
        ]
        assert any(said.startswith(pair) for pair in shared) if said else not shared


def test_a_position_of_several_places_of_a_seed_counts_once():
    places = [np.array([1, 4]), np.array([7]), np.array([4, 2])]
    first, second = joined(places, [0, 1, 1])
    assert (first.tolist(), second.tolist()) == ([1, 4], [2, 4, 7])
    assert joined([places[2]], [0])[0].tolist() == [2, 4]
