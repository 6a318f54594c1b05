"""`SurfaceSeeds`: vertices or coordinates on a mesh, with a radius along it."""

import numpy as np

from .._arrays.discs import edge_lengths, geodesic_disc, nearest_vertex
from .._arrays.regions import mean_regions
from .._arrays.spheres import one_each, overlapping_pair
from .._images.grids import check_vertices, n_vertices
from .._support.checks import check_hemispheres, check_radius
from ._base import SeedMasker
from ._placed import coordinates

FARTHEST_VERTEX = 10.0
"""Millimetres beyond which coordinates are not those of a place on the mesh."""


class SurfaceSeeds(SeedMasker):
    """Mean signals of discs on a surface, around vertices or coordinates.

    Parameters
    ----------
    seeds : sequence of int or of triplets of float
        Vertex numbers, counted within their hemisphere, or coordinates in mm, which
        stand for the nearest vertex.
    radius : float, None, or a sequence with one of these per seed, default=8.0
        In mm, along the edges of the mesh; None means only the vertex.
    hemisphere : "left", "right", None, or a sequence with one of these per seed, \
            default=None
        The hemisphere of a seed. None means the one with the nearest vertex; vertex
        numbers need "left" or "right".
    mesh : PolyMesh or None, default=None
        The mesh on which coordinates and distances are measured. None means that of
        the run. If the run is on an inflated mesh, pass the pial or white mesh here.
    allow_overlap : bool, default=False
        Whether discs may share vertices.
    detrend : bool, default=False
        Whether to remove the linear trend of each signal.
    standardize : "zscore_sample", "psc" or None, default=None
        How `transform` scales the signals. It does not affect correlations.
    standardize_confounds : bool, default=True
        Whether to centre and scale confounds.
    high_variance_confounds : bool, default=False
        Whether to regress out the confounds that
        :func:`nilearn.image.high_variance_confounds` finds in the run.
    low_pass, high_pass : float or None, default=None
        Cut-off frequencies in Hz.
    t_r : float or None, default=None
        Repetition time in seconds.
    clean_args : dict or None, default=None
        Further arguments for :func:`nilearn.signal.clean`.

    Attributes
    ----------
    seeds_ : list of int or of tuple of 3 float
        Vertex numbers, or coordinates in mm.
    hemispheres_ : list of str or None
        The hemisphere of each seed, None where the nearest vertex decides.
    seed_names_ : list of str
        Coordinates in mm, or hemisphere and vertex number.
    grid_ : grid or None
        The `mesh` of the image passed to `fit`, on which `inverse_transform` places its
        images, and its `shape`; None without an image.

    See Also
    --------
    RegionSeeds : Regions of a surface atlas.

    Notes
    -----
    A disc contains the vertices whose shortest path along edges to the centre is no
    longer than its radius. Coordinates more than 10 mm from any vertex raise an error:
    they belong to another space, or are not in the cortex.

    Examples
    --------
    >>> import numpy as np
    >>> from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
    >>> from sbc_estimators.maskers import SurfaceSeeds
    >>> x, y = np.indices((5, 5)).reshape(2, -1)
    >>> corner = np.array([i for i in range(19) if i % 5 < 4])
    >>> faces = np.stack([corner, corner + 1, corner + 5], axis=1)
    >>> left = InMemoryMesh(np.stack([x, y, 0.0 * x], axis=1), faces)
    >>> scans = np.random.default_rng(0).standard_normal((25, 90))
    >>> run = SurfaceImage(PolyMesh(left=left), {"left": scans})
    >>> seeds = SurfaceSeeds([12, (4.1, 4.0, 0.3)], radius=1, hemisphere="left")
    >>> seeds.fit_transform(run).shape
    (90, 2)
    >>> seeds.seed_names_
    ['left 12', '(4.1, 4, 0.3)']
    """

    is_on_surface = True

    def __init__(
        self,
        seeds,
        radius=8.0,
        *,
        hemisphere=None,
        mesh=None,
        allow_overlap=False,
        detrend=False,
        standardize=None,
        standardize_confounds=True,
        high_variance_confounds=False,
        low_pass=None,
        high_pass=None,
        t_r=None,
        clean_args=None,
    ):
        self.seeds = seeds
        self.radius = radius
        self.hemisphere = hemisphere
        self.mesh = mesh
        self.allow_overlap = allow_overlap
        self.detrend = detrend
        self.standardize = standardize
        self.standardize_confounds = standardize_confounds
        self.high_variance_confounds = high_variance_confounds
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.clean_args = clean_args

    def fit(self, X=None, y=None):
        """Check the seeds, also against the mesh of an image if one is given.

        Parameters
        ----------
        X : SurfaceImage or None, default=None
            Its mesh is used by `inverse_transform`; its scans are not read.
        y : None
            Ignored.

        Returns
        -------
        self : SurfaceSeeds

        Raises
        ------
        TypeError, ValueError
            If seeds are neither vertices nor coordinates on the mesh, a radius is
            missing or not a length, or discs overlap.
        """
        name = type(self).__name__
        self.seeds_ = [_seed(seed, name) for seed in _sequence(self.seeds, name)]
        check_radius(self.radius, len(self.seeds_), name)
        if self.mesh is not None and not hasattr(self.mesh, "parts"):
            raise TypeError(
                f"{name}: mesh must be a PolyMesh, got {type(self.mesh).__name__}. "
                "Pass PolyMesh(left=..., right=...)."
            )
        self.hemispheres_ = check_hemispheres(self.hemisphere, len(self.seeds_), name)
        self.seed_names_ = [
            f"{side or 'vertex'} {seed}" if isinstance(seed, int) else coordinates(seed)
            for seed, side in zip(self.seeds_, self.hemispheres_, strict=True)
        ]
        self._keep_grid(self._grid_of(X))
        return self

    def _regions(self, image, where, name):
        """Return the discs as `SeedRegions` on an image's mesh."""
        mesh = self._mesh_for(image, where, name)
        places = [
            self._place(position, mesh, where, name)
            for position in range(len(self.seeds_))
        ]
        starts = _starts(mesh)
        graphs = {
            part: edge_lengths(mesh.parts[part].coordinates, mesh.parts[part].faces)
            for part in {part for part, _ in places}
        }
        discs = [
            starts[part] + geodesic_disc(graphs[part], vertex, radius)
            for (part, vertex), radius in zip(
                places, one_each(self.radius, len(places)), strict=True
            )
        ]
        self._check_overlap(discs, where, name)
        return mean_regions(discs)

    def _mesh_for(self, image, where, name):
        """Return the mesh to measure on, which has the vertices of the image's."""
        if self.mesh is None:
            return image.mesh
        check_vertices(self.mesh, image.mesh, where, f"mesh of {name}")
        return self.mesh

    def _place(self, position, mesh, where, name):
        """Return the part and the vertex of a seed."""
        seed, side = self.seeds_[position], self.hemispheres_[position]
        what = f"{where}: seed {position} ({self.seed_names_[position]}) of {name}"
        sizes = n_vertices(mesh)
        if side is not None and side not in sizes:
            raise ValueError(f"{what}: the mesh has no such part, but {[*sizes]}.")
        sides = list(sizes) if side is None else [side]
        if not isinstance(seed, int):
            return _nearest(seed, sides, mesh, what)
        if len(sides) > 1:
            raise ValueError(
                f"{what} lies in {' or '.join(sides)}: a vertex number needs "
                'hemisphere="left" or "right".'
            )
        (side,) = sides
        if not 0 <= seed < sizes[side]:
            raise ValueError(
                f"{what}: the {side} part has vertices 0 to {sizes[side] - 1}."
            )
        return side, seed

    def _check_overlap(self, discs, where, name):
        """Raise ValueError where discs share a vertex that must not."""
        pair = None if self.allow_overlap else overlapping_pair(discs)
        if pair is not None:
            first, second = (f"{i} ({self.seed_names_[i]})" for i in pair)
            raise ValueError(
                f"{where}: the discs of seeds {first} and {second} overlap at "
                f"radius={self.radius!r} mm. Use a smaller radius, or "
                f"{name}.allow_overlap=True."
            )


def _sequence(seeds, name):
    """Return seeds as a list, if they are several."""
    if not isinstance(seeds, list | tuple | np.ndarray) or not len(seeds):
        raise ValueError(
            f"{name}: seeds must be a sequence of vertex numbers or of coordinates in "
            f"mm, got {seeds!r}."
        )
    return list(seeds)


def _seed(seed, name):
    """Return a vertex as int, or coordinates as a tuple of three float."""
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        return int(seed)
    try:
        array = np.array(seed, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(
            f"{name}: a seed must be a vertex number or three coordinates in mm, got "
            f"{seed!r}."
        )
    return tuple(array.tolist())


def _nearest(point, sides, mesh, what):
    """Return the part and vertex nearest to coordinates."""
    found = {
        side: nearest_vertex(point, mesh.parts[side].coordinates) for side in sides
    }
    side = min(found, key=lambda side: found[side][1])
    vertex, distance = found[side]
    if distance > FARTHEST_VERTEX:
        raise ValueError(
            f"{what} is {distance:.1f} mm from the nearest vertex, at most "
            f"{FARTHEST_VERTEX:g} mm are allowed. Check the space of the coordinates; "
            "on an inflated mesh pass the pial one as mesh."
        )
    return side, vertex


def _starts(mesh):
    """Return the number of each part's first vertex, counted through the parts."""
    sizes = n_vertices(mesh)
    ends = np.cumsum(list(sizes.values()))
    return dict(zip(sizes, [0, *ends[:-1]], strict=True))
