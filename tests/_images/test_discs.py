"""Discs on meshes: every path looked at, and meshes whose distances are known."""

import numpy as np
import pytest
from scipy.sparse.csgraph import floyd_warshall
from scipy.spatial import ConvexHull

from sbc_estimators._images.meshes import edge_lengths, geodesic_disc, nearest_vertex


def triangles(n):
    """Return a plane of equilateral triangles with edges of 1 mm, `n` x `n`."""
    i, j = np.indices((n, n)).reshape(2, -1)
    places = np.stack([i + j / 2, j * np.sqrt(3) / 2, 0.0 * i], axis=1)
    number = np.arange(n * n).reshape(n, n)
    a, b, c, d = (
        number[:-1, :-1].ravel(),
        number[1:, :-1].ravel(),
        number[:-1, 1:].ravel(),
        number[1:, 1:].ravel(),
    )
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    return places, faces


def ball(radius, n_times=4):
    """Return an icosahedron whose faces are cut in four a few times, blown up."""
    golden = (1 + np.sqrt(5)) / 2
    signs = [(a, b * golden) for a in (-1, 1) for b in (-1, 1)]
    places = np.array([np.roll((0, a, b), k) for k in range(3) for a, b in signs])
    faces = ConvexHull(places).simplices
    for _ in range(n_times):
        corners = places[faces]
        middles = (corners + np.roll(corners, -1, axis=1)) / 2
        places = np.concatenate([places, middles.reshape(-1, 3)])
        places /= np.linalg.norm(places, axis=1, keepdims=True)
        places = np.unique(places.round(9), axis=0)
        faces = ConvexHull(places).simplices
    return radius * places, faces


def steps(n, vertex):
    """Return the steps along the triangles from one vertex to all others."""
    i, j = np.indices((n, n)).reshape(2, -1)
    i, j = i - i[vertex], j - j[vertex]
    return np.where(np.sign(i) == np.sign(j), np.abs(i + j), np.maximum(abs(i), abs(j)))


@pytest.mark.parametrize("radius", [0.5, 1, 2, 3.5, 4])
@pytest.mark.parametrize("vertex", [0, 60, 33])
def test_triangles_are_counted_in_steps(vertex, radius):
    graph = edge_lengths(*triangles(11))
    disc = geodesic_disc(graph, vertex, radius)
    np.testing.assert_array_equal(disc, np.flatnonzero(steps(11, vertex) <= radius))


@pytest.mark.parametrize("seed", range(5))
def test_every_path_looked_at(seed):
    rng = np.random.default_rng(seed)
    coordinates = rng.standard_normal((30, 3))
    faces = rng.integers(0, 30, (25, 3))
    faces = faces[[len(set(face)) == 3 for face in faces.tolist()]]
    lengths = np.full((30, 30), np.inf)
    for face in faces:
        for a, b in ((0, 1), (1, 2), (2, 0)):
            a, b = face[a], face[b]
            lengths[a, b] = lengths[b, a] = np.linalg.norm(
                coordinates[a] - coordinates[b]
            )
    distances = floyd_warshall(np.where(np.isfinite(lengths), lengths, 0))
    graph = edge_lengths(coordinates, faces)
    for vertex in range(30):
        for radius in (0.3, 1.1, 2.5):
            expected = np.flatnonzero(distances[vertex] <= radius)
            found = geodesic_disc(graph, vertex, radius)
            np.testing.assert_array_equal(found, expected)


def test_caps_of_a_ball():
    # Along edges is never nearer than along the ball, and not much farther.
    coordinates, faces = ball(50.0)
    assert len(coordinates) == 2562
    graph = edge_lengths(coordinates, faces)
    for vertex in (0, 700, 2561):
        cosines = coordinates @ coordinates[vertex] / 50**2
        arcs = 50 * np.arccos(np.clip(cosines, -1, 1))
        disc = geodesic_disc(graph, vertex, 20.0)
        # An edge is a chord, here shorter than its arc by less than a thousandth.
        assert arcs[disc].max() <= 20 * 1.001
        assert np.isin(np.flatnonzero(arcs <= 20 / 1.17), disc).all()


def test_along_the_surface_and_not_through_the_air():
    # A strip folded to a U: its ends are near each other, and far along the strip.
    along = np.arange(21)
    x = np.where(along <= 10, along, 20 - along)
    z = np.where(along <= 10, 0.0, 1.0)
    rows = [np.stack([x, np.full(21, y), z], axis=1) for y in (0.0, 1.0)]
    coordinates = np.concatenate(rows)
    first = np.arange(20)
    faces = np.concatenate(
        [
            np.stack([first, first + 1, first + 21], axis=1),
            np.stack([first + 1, first + 22, first + 21], axis=1),
        ]
    )
    disc = geodesic_disc(edge_lengths(coordinates, faces), 0, 5.0)
    assert np.linalg.norm(coordinates[0] - coordinates[20]) < 5
    assert 20 not in disc
    assert disc.max() < 21 + 6


def test_a_radius_of_nothing():
    graph = edge_lengths(*triangles(5))
    for radius in (None, 0, 0.0):
        assert geodesic_disc(graph, 7, radius).tolist() == [7]


def test_rounding_of_a_radius():
    # Ten steps of 0.1 are not 1 in floating point.
    coordinates, faces = triangles(12)
    graph = edge_lengths(coordinates * 0.1, faces)
    disc = geodesic_disc(graph, 0, 1.0)
    np.testing.assert_array_equal(disc, np.flatnonzero(steps(12, 0) <= 10))


def test_parts_that_do_not_touch():
    coordinates, faces = triangles(3)
    both = np.concatenate([coordinates, coordinates + [0.01, 0, 0]])
    graph = edge_lengths(both, np.concatenate([faces, faces + 9]))
    assert geodesic_disc(graph, 0, 100).tolist() == list(range(9))


def test_vertices_at_the_same_place():
    coordinates = np.array([[0, 0, 0], [0, 0, 0], [1, 0, 0], [5, 0, 0.0]])
    graph = edge_lengths(coordinates, np.array([[0, 1, 2], [1, 2, 3]]))
    assert geodesic_disc(graph, 0, 0.5).tolist() == [0, 1]
    assert geodesic_disc(graph, 2, 1.0).tolist() == [0, 1, 2]


def test_a_vertex_without_faces_is_alone():
    graph = edge_lengths(np.zeros((5, 3)), np.array([[0, 1, 2]]))
    assert geodesic_disc(graph, 4, 10.0).tolist() == [4]


def test_edges_are_counted_once():
    coordinates, faces = triangles(4)
    graph = edge_lengths(coordinates, np.concatenate([faces, faces[:, ::-1]]))
    assert graph.nnz == edge_lengths(coordinates, faces).nnz
    np.testing.assert_allclose(graph.data, 1)


def test_nearest_vertex():
    coordinates, _ = ball(40.0, 2)
    for vertex in (0, 123, 161):
        found, distance = nearest_vertex(coordinates[vertex] * 1.1, coordinates)
        assert found == vertex
        np.testing.assert_allclose(distance, 4.0)


def test_nearest_vertex_in_float32():
    coordinates = np.array([[0, 0, 0], [3, 4, 0]], dtype=np.float32)
    assert nearest_vertex([6, 8, 0], coordinates) == (1, 5.0)
