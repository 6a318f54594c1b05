"""`SurfaceSeeds`: vertices or coordinates on a mesh, with a radius along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from .._arrays.spatial import mean_map
from .._images.grids import SeedPlaceError, check_overlap, joined
from .._support.checks import check_switch, is_integer
from ._base import PlacedSeeds
from ._places import (
    check_side,
    coordinates,
    described,
    each_seed,
    flat,
    is_sequence,
    names_of_seeds,
    places_of_seeds,
    point,
    radii_of_seeds,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from nilearn.surface import PolyMesh

    from ._places import Hemisphere


class SurfaceSeeds(PlacedSeeds):
    """Mean signals of discs on a surface, around vertices or coordinates.

    Parameters
    ----------
    seeds : sequence, or "run"
        Vertex numbers, counted within their hemisphere, or coordinates (x, y, z) in
        mm, which stand for the nearest vertex. A list of these is one seed of several
        discs, the mean over all their vertices. Three numbers are always coordinates:
        three vertices as one seed are written ``[[12], [40], [77]]``. "run": each run
        brings its own, as ``Run(img, seed_places=...)``.
    radius : float, None, or a sequence with one of these per seed, default=8.0
        In mm, along the edges of the mesh; None means only the vertex.
    names : sequence of str or None, default=None
        A name for each seed. None means the coordinates, or hemisphere and vertex.
    hemisphere : "left", "right", None, or a sequence with one of these per seed, \
            default=None
        The hemisphere of a seed; for a seed of several discs, a list with that of each
        or one for all. None means the one with the nearest vertex; vertex numbers need
        "left" or "right".
    mesh : PolyMesh or None, default=None
        The mesh on which coordinates and distances are measured. None means that of
        the run. If the run is on an inflated mesh, pass the pial or white mesh here. A
        CIFTI run has none: without one, vertex numbers with ``radius=None`` are seeds.
    allow_overlap : bool, default=False
        Whether the discs of different seeds may share vertices. Those of one seed may,
        and a vertex that they share counts once.

    Attributes
    ----------
    places_ : list of list of (int, or tuple of 3 float)
        The centres of each seed's discs: vertex numbers, or coordinates in mm.
    hemispheres_ : list of list of (str or None)
        The hemisphere of each disc, None where the nearest vertex decides.
    radii_ : list of float
        In mm, 0 for a vertex alone.
    seed_names_ : list of str
        As in `names`, else coordinates, or hemisphere and vertex number.
    grid_ : SurfaceGrid or None
        That of the image passed to `fit`.

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

    _element = "disc"

    def __init__(
        self,
        seeds: Sequence[Any] | np.ndarray | Literal["run"],
        radius: float | Sequence[float | None] | np.ndarray | None = 8.0,
        *,
        names: Sequence[str] | None = None,
        hemisphere: Hemisphere | Sequence[Any] = None,
        mesh: PolyMesh | None = None,
        allow_overlap: bool = False,
    ) -> None:
        self.seeds = seeds
        self.radius = radius
        self.names = names
        self.hemisphere = hemisphere
        self.mesh = mesh
        self.allow_overlap = allow_overlap

    def _settle(self, grid):
        """Set what the parameters say of the discs."""
        check_switch(self.allow_overlap, "allow_overlap")
        what = "vertex numbers or of coordinates in mm"
        self.places_ = places_of_seeds(self.seeds, _place, "seeds", what)
        self.radii_ = radii_of_seeds(self.radius, len(self.places_))
        if self.mesh is not None and not hasattr(self.mesh, "parts"):
            raise TypeError(
                f"mesh must be a PolyMesh, got {type(self.mesh).__name__}. Pass "
                "PolyMesh(left=..., right=...)."
            )
        sides = each_seed(self.hemisphere, len(self.places_), "hemisphere")
        pairs = zip(sides, self.places_, strict=True)
        self.hemispheres_ = [_sides_of_places(side, len(own)) for side, own in pairs]
        self._words = [
            [_in_words(*place) for place in zip(*seed, strict=True)]
            for seed in zip(self.places_, self.hemispheres_, strict=True)
        ]
        defaults = [" + ".join(words) for words in self._words]
        self.seed_names_ = names_of_seeds(self.names, defaults)

    def _lay(self, grid):
        """Return the means over discs on a grid."""
        (places, seeds), (sides, _) = flat(self.places_), flat(self.hemispheres_)
        names = [
            described(self.seed_names_[seed], word)
            for word, seed in zip(*flat(self._words), strict=True)
        ]
        radii = [self.radii_[seed] for seed in seeds]
        try:
            discs = grid.discs(places, sides, radii, self.mesh)
        except SeedPlaceError as error:
            raise ValueError(f"{names[error.position]}: {error}.") from error
        if not self.allow_overlap:
            check_overlap(discs, seeds, names)
        return mean_map(joined(discs, seeds))


def _place(value):
    """Return a vertex as int, coordinates as a tuple, None for anything else."""
    if is_sequence(value) and len(value) == 1:
        value = value[0]
    return int(value) if is_integer(value) else point(value)


def _sides_of_places(side, n_places):
    """Return the hemisphere of each of a seed's places, of one for all or one each."""
    if is_sequence(side) and len(side) != n_places:
        raise ValueError(
            f"hemisphere must hold one for all or for each of a seed's {n_places} "
            f"places, got {side!r}."
        )
    sides = list(side) if is_sequence(side) else [side] * n_places
    for own in sides:
        check_side(own)
    return sides


def _in_words(place, side):
    """Return the words for a place."""
    return f"{side or 'vertex'} {place}" if is_integer(place) else coordinates(place)
