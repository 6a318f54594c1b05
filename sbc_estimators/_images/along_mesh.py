"""Gaussian weights along a mesh."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from .._arrays.parts import TRUNCATED, WIDTHS_PER_SIGMA
from .meshes import edge_lengths

VERTICES_AT_A_TIME = 256
"""From how many distances are looked for together, in a part of the mesh."""


def gaussian_along(coordinates, faces, vertices, fwhm):
    """Return the Gaussian that smooths values along a mesh, as a matrix.

    Parameters
    ----------
    coordinates : ndarray of shape (n_mesh_vertices, 3)
        In mm.
    faces : ndarray of int of shape (n_faces, 3)
    vertices : ndarray of int of shape (n_vertices,)
        Those that have values.
    fwhm : float
        In mm.

    Returns
    -------
    weights : sparse array of shape (n_vertices, n_vertices)
        ``weights @ values`` are smoothed; each row sums to 1.

    Notes
    -----
    Distances are the shortest paths along edges, and each vertex weighs as much as a
    third of the faces around it, as in Workbench's ``-metric-smoothing``.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    graph = edge_lengths(coordinates, faces)
    areas = vertex_areas(coordinates, np.asarray(faces))
    sigma = fwhm / WIDTHS_PER_SIGMA
    places = np.full(len(coordinates), -1)
    places[vertices] = np.arange(len(vertices))
    rows, columns, values = [], [], []
    for found in _near_pairs(coordinates, graph, vertices, TRUNCATED * sigma):
        sources, targets, distances = found
        is_held = places[targets] >= 0
        sources, targets = sources[is_held], targets[is_held]
        rows.append(places[sources])
        columns.append(places[targets])
        values.append(areas[targets] * np.exp(-0.5 * (distances[is_held] / sigma) ** 2))
    pairs = np.concatenate(rows), np.concatenate(columns)
    weights = sparse.csr_array(
        (np.concatenate(values), pairs), shape=(len(vertices),) * 2
    )
    return sparse.csr_array(sparse.diags_array(1 / weights.sum(axis=1)) @ weights)


def vertex_areas(coordinates, faces):
    """Return a third of the area of the faces around each vertex, in mm2."""
    a, b, c = (coordinates[faces[:, corner]] for corner in range(3))
    sizes = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    areas = np.bincount(np.ravel(faces), np.repeat(sizes, 3), len(coordinates))
    # A vertex without a face keeps its own value.
    return np.maximum(areas, np.finfo(float).tiny)


def _near_pairs(coordinates, graph, vertices, reach):
    """Yield pairs of vertices of which one has values, and how far apart they are.

    No path is shorter than a straight line, so that those from a few vertices stay in
    the part of the mesh within reach of one of them.
    """
    tree = KDTree(coordinates)
    for group in _neighbours_together(coordinates, vertices):
        middle = coordinates[group].mean(axis=0)
        spread = np.linalg.norm(coordinates[group] - middle, axis=1).max()
        part = np.sort(tree.query_ball_point(middle, spread + reach + 1e-6))
        own = np.searchsorted(part, group)
        found = dijkstra(graph[part][:, part], directed=False, indices=own, limit=reach)
        sources, targets = np.nonzero(np.isfinite(found))
        yield group[sources], part[targets], found[sources, targets]


def _neighbours_together(coordinates, vertices):
    """Return vertices in groups that lie close together."""
    if len(vertices) <= VERTICES_AT_A_TIME:
        return [vertices]
    points = coordinates[vertices]
    axis = np.ptp(points, axis=0).argmax()
    order = np.argsort(points[:, axis], kind="stable")
    halves = np.array_split(vertices[order], 2)
    return [
        group for half in halves for group in _neighbours_together(coordinates, half)
    ]
