"""Pictures of a fitted estimator's maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._arrays.correlation import fisher_z
from .._images.grayordinates import GrayordinateGrid
from .._images.grids import VolumeGrid
from .._images.meshes import SurfaceGrid
from .._images.opening import grid_of
from .._support.checks import check_option
from ._backgrounds import (
    AUTO,
    TEMPLATE,
    are_in_fslr,
    background_of,
    on_white,
    read_background,
)
from ._checks import (
    DIRECTIONS,
    check_cuts,
    check_limit,
    check_map,
    check_place,
    check_seed,
    check_text,
    check_threshold,
)
from ._colours import colour_limit, label_of_colours
from ._grayordinate_views import draw_grayordinates, pictures_of_parts
from ._saving import check_output_file, closing, write
from ._seeds import SeedInImage
from ._surface_views import check_ground, check_mesh, draw_surface
from ._targets import without_own_targets
from ._volume_views import draw_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from nilearn.surface import PolyMesh, SurfaceImage
    from numpy.typing import ArrayLike

    from .._images.annotations import ImageLike, PathLike
    from ._checks import DisplayMode


@dataclass(frozen=True)
class Picture:
    """A map and all that is to be seen of it, checked.

    Attributes
    ----------
    img : Nifti1Image or SurfaceImage
        The map.
    seed : SeedInImage
    title, label : str
    threshold : float or None
    vmax : float
    figure, axes : Figure and Axes, or None
        Where to draw.
    options : dict
        For nilearn.
    background : "MNI152", image or None
        On a surface that of its mesh.
    shows_brain : bool
        Whether voxels of the map are shown in grey, as nothing else is.
    display_mode, cut_coords
        Of a volume.
    surf_mesh : PolyMesh or None
        Of a surface.
    parts : tuple of (Picture or None)
        Of grayordinates: their cortex, and their voxels.
    """

    img: Any
    seed: Any
    title: str
    label: str
    threshold: float | None
    vmax: float
    figure: Any
    axes: Any
    options: dict
    background: Any = None
    shows_brain: bool = False
    display_mode: str = "ortho"
    cut_coords: Any = None
    surf_mesh: Any = None
    parts: tuple = ()

    @property
    def has_own_figure(self):
        """Whether a figure is made for it."""
        return self.figure is None and self.axes is None


def plot_seed_map(
    estimator: Any,
    z: ArrayLike | None = None,
    *,
    seed: int | str = 0,
    threshold: float | str | None = 0.4,
    vmax: float | None = None,
    title: str | None = None,
    label: str | None = None,
    bg_img: ImageLike | None = "auto",
    display_mode: DisplayMode = "ortho",
    cut_coords: Sequence[float] | int | dict[str, Sequence[float]] | None = None,
    surf_mesh: PolyMesh | None = None,
    bg_map: SurfaceImage | None = None,
    figure: Figure | None = None,
    axes: Axes | None = None,
    output_file: PathLike | None = None,
    **kwargs: Any,
) -> Any:
    """Plot the correlation map of one seed, cut through the seed.

    Parameters
    ----------
    estimator : SeedCorrelationMap
        Fitted.
    z : array-like of shape (n_voxels,) or (n_seeds * n_voxels,) or None, default=None
        Fisher z: one map, or the maps of all seeds as in a row of `transform`. None
        is the Fisher z of `correlations_`. Where it is NaN or masked nothing is drawn;
        infinite values have the colours of the ends.
    seed : int or str, default=0
        The position of the seed, or its name in `seed_names_`.
    threshold : float, str or None, default=0.4
        Where abs(z) is lower, nothing is drawn. 0.4 is an r of 0.38. A text such as
        "90%" is a percentile of abs(z); with None all of the map is drawn.
    vmax : float or None, default=None
        Where the colours end. None is the 99.5th percentile of abs(z), so that the
        seed's own voxels, with r near 1, do not set the scale, and no less than twice
        the threshold, rounded up to a tenth.
    title : str or None, default=None
        None is the seed's name and what is shown, "" no title.
    label : str or None, default=None
        What stands above the colour bar. None is Fisher z and the threshold, ""
        nothing.
    bg_img : image, str, path or None, default="auto"
        What is under a map in a volume: "MNI152", nilearn's template; an image or its
        path in the space of the run, of which the first ten scans are averaged; or
        None. "auto" is the template where the run is in MNI152 space, as ``space-`` in
        its file's name says, or, where there is none, the sform or qform code of its
        header or of the brain mask; otherwise the mean of the run's own first scans,
        if its file is there; and else a grey for all voxels that have a map. What
        surrounds a head in an image is left white.
    display_mode : {"ortho", "tiled", "mosaic", "x", "y", "z", "xz", "yx", "yz"}, \
            default="ortho"
        Which cuts are made of a volume, as in nilearn.
    cut_coords : sequence of float, int, dict or None, default=None
        Where a volume is cut in mm, or how many cuts there are, as nilearn expects it
        for the display mode. None is the seed's centre; where a cut through it would
        show nothing of the map, as of a far target mask, it goes where the map is
        strong.
    surf_mesh : PolyMesh or None, default=None
        What a map on a surface is drawn on, such as the inflated mesh. None is its own.
        For grayordinates the mesh of cortex; None is that of a masker, and without one
        their voxels alone are drawn, with a warning.
    bg_map : SurfaceImage or None, default=None
        What is under a map on a surface, such as the sulcal depth: high values are
        dark. None is the mesh itself, lit from where it is looked at.
    figure : matplotlib Figure or None, default=None
        Where to draw. None is a new figure, as large as what is in it.
    axes : matplotlib Axes or None, default=None
        The part of a figure to draw in; not on a surface.
    output_file : str, path or None, default=None
        Also write the picture to this file, whole or not at all; its suffix is the
        format, of 300 dpi where it has pixels. A figure made for it is closed.
    **kwargs : dict
        Passed to `nilearn.plotting.plot_stat_map`, or `plot_surf_stat_map`.

    Returns
    -------
    display : nilearn display or matplotlib Figure
        What nilearn returns for a map in a volume; the Figure, with lateral and medial
        views of each hemisphere, for one on a surface; the Figure with views of cortex
        and cuts of voxels for grayordinates, where there is a mesh.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError, ValueError
        If there is no such `seed`, `z` is not as wide as the map, or another argument
        is not what it must be, or has no meaning for the kind of the map; or the map is
        no image, or of cortex alone and there is no mesh.
    FileNotFoundError, IsADirectoryError
        If a file or the folder of `output_file` does not exist, or `output_file` is a
        folder.

    Notes
    -----
    What is mapped is outlined where that is a part of the brain (less than 500 ml),
    such as a mask of targets.

    A sphere is drawn as the circle that each cut makes of it, other seeds as the
    outline of their voxels (of weighted ones, those above half of the largest weight),
    a single voxel as a small cross; the cuts go through the middle of a seed's largest
    part. On a surface the seed's outline is drawn. Seeds that are not in an image of
    the map's kind, such as given signals or a volume's seeds for a surface, are not
    drawn, and nilearn chooses the cuts.

    Of a map of regions, such as those of an atlas, the seed's own is left out, and does
    not set the scale: one that at least half of the seed lies in, or that lies for at
    least half in the seed.
    """
    check_is_fitted(estimator)
    position = check_seed(seed, estimator.seed_names_)
    values = _values_of(estimator, z, position)
    values = without_own_targets(estimator, position, values)
    least = check_threshold(threshold, values)
    most = check_limit(vmax, least) or colour_limit(values, least)
    check_text(title, "title")
    check_text(label, "label")
    check_place(figure, axes)
    check_output_file(output_file)
    if title is None:
        shown = (label or "Fisher z").splitlines()[0]
        title = f"{estimator.seed_names_[position]}: {shown}"
    finite = np.nan_to_num(values, nan=0.0, posinf=most, neginf=-most)
    img = estimator.brain_masker_.inverse_transform(finite[np.newaxis])
    picture = Picture(
        img,
        SeedInImage(estimator, position, _checked_grid(img)),
        title,
        label_of_colours(least) if label is None else label,
        least,
        most,
        figure,
        axes,
        # Not nilearn's "auto", which shows a low positive z in the colours of negative
        # ones where a map has none.
        {"symmetric_cbar": True, **kwargs},
    )
    of_volume = {"bg_img": bg_img, "display_mode": display_mode}
    of_volume["cut_coords"] = cut_coords
    of_surface = {"surf_mesh": surf_mesh, "bg_map": bg_map}
    complete, draw = KINDS[picture.seed.grid.kind]
    picture = complete(picture, estimator, of_volume, of_surface)
    with closing(keep=output_file is None):
        drawn = draw(picture)
        if output_file is not None:
            write(drawn, output_file)
    return drawn


def _values_of(estimator, z, position):
    """Return the map of one seed, `(n_voxels,)`."""
    if z is None:
        return fisher_z(estimator.correlations_[position])
    return check_map(z, position, *estimator.correlations_.shape)


def _checked_grid(img):
    """Return the grid of a map, if it is of a kind that can be drawn."""
    grid = grid_of(img)
    kind = type(img).__name__ if grid is None else grid.kind
    if kind not in KINDS:
        raise TypeError(
            f"estimator must map {' or '.join(KINDS)} to be drawn, but its map is "
            f"{kind}. Take values from correlations_."
        )
    return grid


def _of_volume(picture, estimator, of_volume, of_surface):
    """Return a picture of a volume with its cuts and its background."""
    for name, value in of_surface.items():
        if value is not None:
            raise ValueError(
                f"{name} is for maps on a surface, but this one is in a volume, got "
                f"{value!r}. Leave it out, or pass bg_img."
            )
    bg_img, cut_coords = of_volume["bg_img"], of_volume["cut_coords"]
    mode = check_option(of_volume["display_mode"], "display_mode", [*DIRECTIONS])
    grid = picture.seed.grid
    cuts = {"display_mode": mode, "cut_coords": check_cuts(cut_coords, mode, grid)}
    shows_brain = False
    if isinstance(bg_img, str) and bg_img == AUTO:
        bg_img = background_of(estimator)
        shows_brain = bg_img is None
    elif bg_img is not None and not (isinstance(bg_img, str) and bg_img == TEMPLATE):
        bg_img = read_background(bg_img, grid)
    if not (bg_img is None or isinstance(bg_img, str)):
        bg_img = on_white(bg_img)
    return replace(picture, **cuts, background=bg_img, shows_brain=shows_brain)


def _of_surface(picture, estimator, of_volume, of_surface):
    """Return a picture on a surface with its mesh and its background."""
    bg_img, mode = of_volume["bg_img"], of_volume["display_mode"]
    if bg_img is not None and not (isinstance(bg_img, str) and bg_img == AUTO):
        raise ValueError(
            "bg_img is for maps in a volume, but this one is on a surface, got "
            f"{bg_img!r}. Pass bg_map=SurfaceImage(...)."
        )
    unknown = {"axes": picture.axes, "cut_coords": of_volume["cut_coords"]}
    unknown["display_mode"] = None if mode == "ortho" else mode
    for name, value in unknown.items():
        if value is not None:
            raise ValueError(
                f"{name} must be left out for a map on a surface, which is drawn as "
                f"views of each hemisphere, got {value!r}. Pass figure instead."
            )
    surf_mesh, bg_map = of_surface["surf_mesh"], of_surface["bg_map"]
    check_mesh(surf_mesh, picture.img.mesh)
    check_ground(bg_map, picture.seed.grid)
    return replace(picture, surf_mesh=surf_mesh, background=bg_map)


def _of_grayordinates(picture, estimator, of_volume, of_surface):
    """Return a picture of grayordinates with those of its cortex and its voxels."""
    mesh, bg_map = of_surface["surf_mesh"], of_surface["bg_map"]
    surface, volume = pictures_of_parts(picture, estimator, mesh)
    if surface is not None:
        alone = {"bg_img": None, "display_mode": "ortho", "cut_coords": None}
        own = {"surf_mesh": None, "bg_map": bg_map}
        surface = _of_surface(surface, estimator, alone, own)
    if volume is not None:
        is_auto = isinstance(of_volume["bg_img"], str) and of_volume["bg_img"] == AUTO
        if is_auto:
            bg_img = TEMPLATE if are_in_fslr(estimator) else None
            of_volume = {**of_volume, "bg_img": bg_img}
        volume = _of_volume(volume, estimator, of_volume, {})
        shows_brain = is_auto and volume.background is None
        volume = replace(volume, shows_brain=shows_brain)
    return replace(picture, parts=(surface, volume))


KINDS = {
    VolumeGrid.kind: (_of_volume, draw_volume),
    SurfaceGrid.kind: (_of_surface, draw_surface),
    GrayordinateGrid.kind: (_of_grayordinates, draw_grayordinates),
}
"""What completes and what draws a picture, by the kind of its grid."""
