"""Maps of grayordinates: views of cortex where there is a mesh, cuts of voxels."""

from dataclasses import replace

import matplotlib.pyplot as plt
from nilearn.surface import PolyMesh

from .._images.grids import VolumeGrid
from .._images.meshes import SurfaceGrid
from .._images.opening import grid_of, read_still
from .._signals.kinds import adapter_of
from .._support.messages import warn
from ._colours import Paper
from ._seeds import SeedInImage
from ._surface_views import ROW_HEIGHT, WIDTH, Views, draw_surface
from ._volume_views import MAP_SIZE, draw_volume


def pictures_of_parts(picture, estimator, surf_mesh):
    """Return the picture of cortex and that of voxels, None for what is not drawn.

    Parameters
    ----------
    picture : Picture
        Of a map of grayordinates.
    estimator : SeedCorrelationMap
    surf_mesh : PolyMesh or None
        None is the mesh of one of the maskers, if it has any.

    Raises
    ------
    ValueError
        If nothing can be drawn, or the mesh is of another size than the map's.
    """
    parts = parts_of(picture.img, surf_mesh or mesh_of(estimator), "surf_mesh")
    surface, volume = (
        _on_part(picture, estimator, parts[kind]) if kind in parts else None
        for kind in (SurfaceGrid.kind, VolumeGrid.kind)
    )
    if surface is None and picture.seed.grid.cortex is not None:
        _say_that_cortex_is_left_out(volume)
    return surface, volume


def parts_of(img, mesh, name="mesh"):
    """Return a map's cortex and its voxels as images, by kind, as far as it has them.

    Parameters
    ----------
    img : Cifti2Image
    mesh : PolyMesh or None
        Without one there is no image of the cortex.
    name : str
        What the mesh is called in errors.
    """
    still, parts = read_still(img, "img"), {}
    cortex, volume = still.grid.cortex, still.grid.volume
    if cortex is not None and mesh is not None:
        own = hemispheres_of(mesh, cortex, name)
        parts[SurfaceGrid.kind] = own.image_of(still.part(SurfaceGrid.kind).values)
    if volume is not None:
        parts[VolumeGrid.kind] = volume.image_of(still.part(volume.kind).values)
    return parts


def size_of_picture(estimator):
    """Return the inches of a picture of an estimator's maps, None where there is none.

    That is of cortex alone, without a mesh.
    """
    grid = estimator.brain_masker_.grid_
    chosen = grid.chosen(estimator.brain_masker_.structures)
    n_sides = len({own.side for own in chosen} - {None})
    n_sides = 0 if mesh_of(estimator) is None else n_sides
    has_voxels = any(not own.is_surface for own in chosen)
    high = ROW_HEIGHT * n_sides + MAP_SIZE[1] * has_voxels
    return (WIDTH, high) if high else None


def draw_grayordinates(picture):
    """Draw views of cortex, and below them cuts of voxels; return the figure.

    Of a map that has no cortex, or no mesh for it, nilearn's display of the cuts.
    """
    surface, volume = picture.parts
    if surface is None:
        return draw_volume(volume)
    if volume is None:
        return draw_surface(surface)
    figure, high = picture.figure, ROW_HEIGHT * len(surface.img.mesh.parts)
    if figure is None:
        figure = plt.figure(figsize=(WIDTH, high + MAP_SIZE[1]))
    below = MAP_SIZE[1] / (high + MAP_SIZE[1])
    views = Views(surface, figure)
    bar, paper = views.draw(), Paper.of(figure, (0, below, 1, 1 - below))
    views.arrange(bar, picture.title, paper, False)
    frame = figure.add_axes((0, 0, 1, below))
    options = {**volume.options, "colorbar": False}
    draw_volume(replace(volume, axes=frame, figure=None, title="", options=options))
    return figure


def _on_part(picture, estimator, img):
    """Return the picture of a map's part, with the seed as it lies there."""
    whole = picture.seed.grid
    seed = SeedInImage(estimator, picture.seed.position, grid_of(img), whole)
    return replace(picture, img=img, seed=seed)


def mesh_of(estimator):
    """Return the mesh on which seeds are measured or maps smoothed, or None."""
    brain = adapter_of(estimator.brain_masker_, "brain_masker")
    seeds = adapter_of(estimator.seed_masker_, "seed_masker")
    return brain.mesh if seeds.mesh is None else seeds.mesh


def hemispheres_of(mesh, cortex, name):
    """Return the grid of those hemispheres of a mesh that a map has.

    Parameters
    ----------
    mesh : PolyMesh
    cortex : SurfaceGrid
        Of the map.
    name : str
        What the mesh is called in errors.

    Raises
    ------
    ValueError
        If one is missing, or has another number of vertices.
    """
    grid = SurfaceGrid(mesh)
    missing = [side for side in cortex.sizes if side not in grid.sizes]
    if missing:
        raise ValueError(
            f"{name} has no {missing[0]} hemisphere, but the map does. Pass "
            "PolyMesh(left=..., right=...)."
        )
    own = PolyMesh(**{side: mesh.parts[side] for side in cortex.sizes})
    cortex.check_same(SurfaceGrid(own), name)
    return SurfaceGrid(own)


def _say_that_cortex_is_left_out(volume):
    """Warn that cuts are all that is drawn; ValueError where there are none."""
    cure = (
        "CIFTI files hold no mesh, and nilearn has none of that size: pass "
        "surf_mesh=PolyMesh(left=..., right=...), such as fs_LR's inflated surfaces; "
        "sbc-map has --mesh LEFT RIGHT."
    )
    if volume is None:
        raise ValueError(f"surf_mesh=None: the map is of cortex alone. {cure}")
    warn(f"The cortex of the map is not drawn, its voxels alone are. {cure}")
