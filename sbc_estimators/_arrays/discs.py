"""Discs on a mesh: distances along edges, and nearest vertices; arrays only."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

SLACK = 1e-6
"""Millimetres by which a vertex may lie beyond the radius: rounding of sums."""


def edge_lengths(coordinates, faces):
    """Return the edges of a mesh as a graph.

    Parameters
    ----------
    coordinates : ndarray of shape (n_vertices, 3)
        In mm.
    faces : ndarray of int of shape (n_faces, 3)

    Returns
    -------
    graph : sparse array of shape (n_vertices, n_vertices)
        Length of each edge in mm, in one direction; vertices at the same place are
        joined by an edge of length 0.
    """
    # Not every scipy searches graphs with indices of 64 bits.
    faces = np.asarray(faces, dtype=np.int32)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges.sort(axis=1)
    n_vertices = len(coordinates)
    graph = sparse.coo_array(
        (np.ones(len(edges)), tuple(edges.T)), shape=(n_vertices, n_vertices)
    ).tocsr()
    # Edges that two faces share are one now, with 2 in the place of a length.
    first = np.repeat(np.arange(n_vertices), np.diff(graph.indptr))
    coordinates = np.asarray(coordinates, dtype=np.float64)
    offsets = coordinates[first] - coordinates[graph.indices]
    graph.data = np.linalg.norm(offsets, axis=1)
    return graph


def geodesic_disc(graph, vertex, radius):
    """Return the vertices within a distance of one, along edges.

    Parameters
    ----------
    graph : sparse array of shape (n_vertices, n_vertices)
        As `edge_lengths` returns it.
    vertex : int
    radius : float or None
        In mm; None or 0 for the vertex alone.

    Returns
    -------
    vertices : ndarray of int of shape (n_vertices_in_disc,)
        Ascending.

    Notes
    -----
    Paths follow edges [1]_, so that distances are those on the surface or longer: on
    a plane of equilateral triangles by up to 2 / sqrt(3) - 1, 15 per cent.

    References
    ----------
    .. [1] Dijkstra (1959). A note on two problems in connexion with graphs.
       Numerische Mathematik, 1, 269-271. https://doi.org/10.1007/BF01386390
    """
    if not radius:
        return np.array([vertex])
    limit = radius + SLACK
    distances = dijkstra(graph, directed=False, indices=vertex, limit=limit)
    return np.flatnonzero(distances <= limit)


def nearest_vertex(point, coordinates):
    """Return the vertex nearest to a point, and its distance.

    Parameters
    ----------
    point : array-like of shape (3,)
        In mm.
    coordinates : ndarray of shape (n_vertices, 3)

    Returns
    -------
    vertex : int
    distance : float
        In mm.
    """
    offsets = np.asarray(coordinates, dtype=np.float64) - np.asarray(point, dtype=float)
    distances = np.linalg.norm(offsets, axis=1)
    vertex = int(distances.argmin())
    return vertex, float(distances[vertex])
