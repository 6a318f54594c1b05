"""Meshes: where the vertices of surfaces lie, and discs around them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from nilearn.surface import SurfaceImage
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from .._support.digests import digest
from .grids import Grid, NotLinearError, SeedPlaceError, of_another_kind

FARTHEST_VERTEX = 10.0
"""Millimetres beyond which coordinates are not those of a place on the mesh."""

SLACK = 1e-6
"""Millimetres by which a vertex may lie beyond the radius: rounding of sums."""


@dataclass(frozen=True, eq=False)
class SurfaceGrid(Grid):
    """Vertices of a mesh.

    Attributes
    ----------
    mesh : PolyMesh
    """

    mesh: Any

    kind = "a surface"
    element = "vertex"
    is_in_one_file = False
    affine = None

    @property
    def shape(self):
        """Number of vertices of all parts, in a tuple."""
        return (self.n_positions,)

    @property
    def n_positions(self):
        """Number of vertices of all parts."""
        return sum(self.sizes.values())

    @property
    def sizes(self):
        """Number of vertices of each part."""
        return {name: part.n_vertices for name, part in self.mesh.parts.items()}

    @property
    def starts(self):
        """Number of each part's first vertex, counted through the parts."""
        ends = np.cumsum([*self.sizes.values()])
        return dict(zip(self.sizes, [0, *ends[:-1].tolist()], strict=True))

    @cached_property
    def key(self):
        """What two meshes have in common whose vertices and faces are the same."""
        return digest(self.kind, key_of_mesh(self.mesh))

    def same_as(self, other):
        """Whether another mesh has as many vertices: so nilearn judges it."""
        return isinstance(other, SurfaceGrid) and other.sizes == self.sizes

    def values_of(self, still):
        """Return a still's values here."""
        self.check_holds(still, "the image")
        return still.values

    def values_at(self, still, positions):
        """Return a still's values at some of the vertices."""
        return self.values_of(still)[positions]

    def check_holds(self, still, name):
        """Raise an error where a still cannot be laid on this mesh."""
        if not isinstance(still.grid, SurfaceGrid):
            raise TypeError(of_another_kind(still.grid, self, name))
        self.check_same(still.grid, name)

    def check_same(self, other, name):
        """Raise ValueError unless another mesh has as many vertices in each part."""
        if not self.same_as(other):
            raise ValueError(
                f"the image has {told(self.sizes)}, but {name} has "
                f"{told(other.sizes)}. Both must be on the same mesh."
            )

    def discs(self, seeds, sides, radii, mesh=None):
        """Return the positions of the disc around each seed, list of ndarray.

        Parameters
        ----------
        seeds : sequence of int or of triplets of float
            Vertices, counted within their hemisphere, or coordinates in mm.
        sides : sequence of str or None
            The hemisphere of each, None for that of the nearest vertex.
        radii : sequence of float or None
            In mm, along edges; None or 0 for a vertex alone.
        mesh : PolyMesh or None, default=None
            To measure on; None for the grid's own.

        Raises
        ------
        ValueError
            If a seed is no vertex, or not near one; `ValueError.args[1]` is its place
            in the list.
        """
        if mesh is not None:
            self.check_same(SurfaceGrid(mesh), "mesh")
        mesh, starts, graphs, discs = mesh or self.mesh, self.starts, {}, []
        for seed, side, radius in zip(seeds, sides, radii, strict=True):
            part, vertex = self.vertex_of(seed, side, mesh, len(discs))
            if part not in graphs and radius:
                own = mesh.parts[part]
                graphs[part] = edge_lengths(own.coordinates, own.faces)
            disc = geodesic_disc(graphs.get(part), vertex, radius)
            discs.append(starts[part] + disc)
        return discs

    def vertex_of(self, seed, side, mesh, position):
        """Return the part and the vertex of a seed, or raise SeedPlaceError."""
        if side is not None and side not in self.sizes:
            raise SeedPlaceError(
                position, f"the mesh has no such part, but {[*self.sizes]}"
            )
        sides = [*self.sizes] if side is None else [side]
        if not isinstance(seed, int):
            return _nearest(seed, sides, mesh, position)
        if len(sides) > 1:
            raise SeedPlaceError(
                position,
                f"it may lie in {' or '.join(sides)}: a vertex number needs "
                'hemisphere="left" or "right"',
            )
        if not 0 <= seed < self.sizes[sides[0]]:
            raise SeedPlaceError(
                position,
                f"the {sides[0]} part has vertices 0 to {self.sizes[sides[0]] - 1}",
            )
        return sides[0], seed

    def side(self, name):
        """Return which vertices lie in a hemisphere, bool `(n_positions,)`."""
        return np.repeat(np.array([*self.sizes]) == name, [*self.sizes.values()])

    def smoothing(self, fwhm):
        """Return None for no smoothing; nilearn alone smooths on surfaces."""
        if fwhm is not None:
            raise NotLinearError("surfaces are smoothed by nilearn")

    def image_of(self, values):
        """Return values `(n_positions, ...)` as a SurfaceImage."""
        pieces = np.split(values, [*self.starts.values()][1:])
        return SurfaceImage(self.mesh, dict(zip(self.mesh.parts, pieces, strict=True)))


@dataclass(frozen=True, eq=False)
class MeshlessGrid(SurfaceGrid):
    """Vertices of hemispheres, of which it is known how many there are and not where.

    Attributes
    ----------
    mesh : None
    sizes : dict of str to int
    """

    sizes: Any = None

    @cached_property
    def key(self):
        """What two have in common that have as many vertices."""
        return digest(self.kind, self.sizes)

    def check_same(self, other, name):
        """Raise ValueError where a hemisphere that both have is of different meshes."""
        shared = [side for side in self.sizes if side in other.sizes]
        sizes = [{side: grid.sizes[side] for side in shared} for grid in (self, other)]
        ours, theirs = sizes
        if ours != theirs:
            raise ValueError(
                f"the image has {told(ours)}, but {name} has {told(theirs)}. Both must "
                "be on the same mesh."
            )

    def discs(self, seeds, sides, radii, mesh=None):
        """Return the positions of the disc around each seed; see `SurfaceGrid`."""
        if mesh is None:
            for position, (seed, radius) in enumerate(zip(seeds, radii, strict=True)):
                problem = f"its radius of {radius!r} mm is measured" if radius else ""
                if not isinstance(seed, int):
                    problem = "its coordinates are looked for"
                if problem:
                    raise SeedPlaceError(
                        position,
                        f"{problem} on a mesh, and CIFTI files hold none. Pass "
                        "mesh=PolyMesh(left=..., right=...) with surfaces of the same "
                        "space, in mm, or vertex numbers with radius=None",
                    )
        return super().discs(seeds, sides, radii, mesh)

    def told_vertex(self, position):
        """Return the words for a vertex."""
        side = [name for name, start in self.starts.items() if start <= position][-1]
        return f"vertex {position - self.starts[side]} of the {side} hemisphere"

    def image_of(self, values):
        """Refuse: there is no mesh to make an image of."""
        raise ValueError(
            "a CIFTI image holds no mesh to make a SurfaceImage of. Pass a masker that "
            "is given its own mask_img or labels_img."
        )


def key_of_mesh(mesh):
    """Return a short text that changes when the vertices or faces of a mesh do."""
    return digest(
        [
            (name, np.asarray(part.coordinates), np.asarray(part.faces))
            for name, part in mesh.parts.items()
        ]
    )


def _nearest(point, sides, mesh, position):
    """Return the part and vertex nearest to coordinates."""
    found = {
        side: nearest_vertex(point, mesh.parts[side].coordinates) for side in sides
    }
    side = min(found, key=lambda side: found[side][1])
    vertex, distance = found[side]
    if distance > FARTHEST_VERTEX:
        raise SeedPlaceError(
            position,
            f"it is {distance:.1f} mm from the nearest vertex, at most "
            f"{FARTHEST_VERTEX:g} mm are allowed. Check the space of the coordinates; "
            "on an inflated mesh pass the pial one as mesh",
        )
    return side, vertex


def told(sizes):
    """Return numbers of vertices in words."""
    return " and ".join(f"{n} {part} vertices" for part, n in sizes.items())


# Discs


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
