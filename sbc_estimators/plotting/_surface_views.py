"""Maps on a surface, drawn as views of each hemisphere."""

import matplotlib.pyplot as plt
import numpy as np
from nilearn.surface import InMemoryMesh, PolyMesh

from .._images.opening import grid_of
from ._colours import TITLE_HEIGHT, Bar, Paper
from ._layout import lay_out
from ._nilearn import LEAST_SHOWN, nilearn_plotting

WIDTH = 7.3
"""Inches of a figure that is made for views."""

ROW_HEIGHT = 2.6
"""Inches of a row of views at the most, in a figure that is made for them."""

VIEWS = ("lateral", "medial")

WORD_ROOM = 0.26
"""Inches that they take beside and above views."""

LIGHTEST, DARKEST = 0.18, 0.6
"""Greys of a background, so that words and colours are seen on it: 0 is white."""

LIT, UNLIT = 0.12, 0.72
"""Greys of a mesh without a background: turned to whoever looks, and away."""


def draw_surface(picture):
    """Draw lateral and medial views of each hemisphere; return the figure."""
    figure = picture.figure
    if figure is None:
        figure = plt.figure(figsize=(WIDTH, ROW_HEIGHT * len(picture.img.mesh.parts)))
    views = Views(picture, figure)
    bar = views.draw()
    views.arrange(bar, picture.title, Paper.of(figure), picture.has_own_figure)
    return figure


class Views:
    """Views of a map on the mesh that it is drawn on.

    Parameters
    ----------
    picture : Picture
    figure : Figure
    """

    def __init__(self, picture, figure):
        self.picture, self.figure = picture, figure
        self.mesh = _centred(picture.surf_mesh or picture.img.mesh)
        # No triangle is a mean over vertices that have no value.
        self.map = {
            name: np.where(values == 0, np.nan, values)
            for name, values in _values(picture.img).items()
        }
        self.ground = None
        if picture.background is not None:
            self.ground = _greys(_values(picture.background))
        self.region = _region(picture.seed)
        self.rows = {name: [] for name in self.mesh.parts}

    def draw(self):
        """Draw all views; return their `Bar`."""
        picture, before = self.picture, set(self.figure.axes)
        options = {"alpha": 1, "colorbar": True, **picture.options}
        has_bar = options.pop("colorbar")
        for hemisphere in self.mesh.parts:
            for view in VIEWS:
                is_first = before == set(self.figure.axes)
                axes = self._draw(
                    hemisphere, view, {**options, "colorbar": has_bar and is_first}
                )
                self.rows[hemisphere].append(axes)
        panels = {axes for row in self.rows.values() for axes in row}
        bars = [*set(self.figure.axes) - before - panels]
        is_tidy = "cbar_tick_format" not in options
        drawn = bars[0] if bars else None
        return Bar.of(drawn, picture.label, picture.threshold, is_tidy=is_tidy)

    def _draw(self, hemisphere, view, options):
        """Draw one view of one hemisphere, with the outline of the seed."""
        axes = self.figure.add_axes((0, 0, 1, 1), projection="3d", facecolor="none")
        part = self.mesh.parts[hemisphere]
        values, threshold = self.map[hemisphere], self.picture.threshold
        if np.isnan(values).all():
            # nilearn takes the least of those that are there.
            values, threshold = np.zeros(len(values)), threshold or LEAST_SHOWN
        nilearn_plotting().plot_surf_stat_map(
            surf_mesh=part,
            stat_map=values,
            bg_map=self._ground(hemisphere, view),
            hemi=hemisphere,
            view=view,
            threshold=threshold,
            vmax=self.picture.vmax,
            axes=axes,
            figure=self.figure,
            **options,
        )
        if self.region is not None and self.region[hemisphere].any():
            self._draw_outline(hemisphere, axes)
        for collection in axes.collections:
            # Tens of thousands of triangles, which no program opens gladly as such.
            collection.set_rasterized(True)
        return axes

    def _ground(self, hemisphere, view):
        """Return the greys under a map in a view."""
        if self.ground is not None:
            return self.ground[hemisphere]
        return _shades(self.mesh.parts[hemisphere], _direction(hemisphere, view))

    def _draw_outline(self, hemisphere, axes):
        """Draw the outline of the seed."""
        part = self.mesh.parts[hemisphere]
        nilearn_plotting().plot_surf_contours(
            surf_mesh=part,
            roi_map=_outlined(self.region[hemisphere], part.faces),
            hemi=hemisphere,
            levels=[1],
            colors=["white"],
            axes=axes,
            figure=self.figure,
        )

    def arrange(self, bar, title, paper, is_own):
        """Put views, their words, colour bar and title in their places on a paper.

        A figure that is made for them is made as large as they are.
        """
        sizes = [
            [tuple(np.ptp(part.coordinates, axis=0)[1:].tolist())] * len(VIEWS)
            for part in self.mesh.parts.values()
        ]
        above, room = (TITLE_HEIGHT if title else 0.0) + WORD_ROOM, bar.room
        height = ROW_HEIGHT * len(sizes) if is_own else paper.height - above
        block = lay_out(sizes, paper.width - room - WORD_ROOM, height)
        if is_own:
            wide, high = block.width + room + WORD_ROOM, block.height + above
            self.figure.set_size_inches(wide, high)
            paper = Paper.of(self.figure)
        left = (paper.width - block.width - room + WORD_ROOM) / 2
        bottom = (paper.height - block.height - above) / 2
        for (name, row), boxes in zip(self.rows.items(), block.boxes, strict=True):
            for axes, (x, y, *size) in zip(row, boxes, strict=True):
                box = (left + x, bottom + y, *size)
                _put(axes, self.mesh.parts[name], box, block.scale, paper)
        self._write_words(block, left, bottom, paper)
        bar.put(paper, left + block.width, bottom, block.height)
        if title:
            above_words = bottom + block.height + WORD_ROOM
            paper.write_title(title, left, above_words, room)

    def _write_words(self, block, left, bottom, paper):
        """Write which hemisphere is in a row, and which view in a column."""
        away = 0.6 * WORD_ROOM
        for name, boxes in zip(self.rows, block.boxes, strict=True):
            _, y, _, high = boxes[0]
            paper.write(name, left - away, bottom + y + high / 2, rotation=90)
        for view, (x, _, wide, _) in zip(VIEWS, block.boxes[0], strict=True):
            paper.write(view, left + x + wide / 2, bottom + block.height + away)


def _put(axes, part, box, scale, paper):
    """Show a hemisphere in a box, at a scale of inches for a millimetre."""
    left, bottom, width, height = box
    low, high = part.coordinates.min(axis=0), part.coordinates.max(axis=0)
    axes.set_proj_type("ortho")
    for set_ends, *ends in zip(
        (axes.set_xlim3d, axes.set_ylim3d, axes.set_zlim3d), low, high, strict=True
    ):
        set_ends(*ends)
    # A square, which is what matplotlib draws in, around the middle of the box.
    side = 2 * max(width, height)
    square = left + (width - side) / 2, bottom + (height - side) / 2, side, side
    axes.set_position(paper.place(*square))
    axes.set_box_aspect(high - low)
    seen = _inches_of(low, high, axes, paper)
    axes.set_box_aspect(high - low, zoom=scale * (high - low)[2] / seen)


def _inches_of(low, high, axes, paper):
    """Return how many inches the height of a hemisphere takes."""
    axes.apply_aspect()
    ends = np.ones((2, 4))
    ends[:, :3] = (low + high) / 2
    ends[:, 2] = low[2], high[2]
    flat = ends @ axes.get_proj().T
    pixels = axes.transData.transform(flat[:, :2] / flat[:, 3:])
    return abs(np.ptp(pixels[:, 1])) / paper.figure.dpi


# Checks


def check_mesh(surf_mesh, mesh):
    """Raise an error unless a map on a mesh can be drawn on another one."""
    if surf_mesh is None:
        return
    parts = getattr(surf_mesh, "parts", None)
    if not isinstance(parts, dict):
        raise TypeError(
            f"surf_mesh must be a PolyMesh or None, got {surf_mesh!r}. Pass "
            "PolyMesh(left=..., right=...), or the mesh of a SurfaceImage."
        )
    own = {name: (part.n_vertices, len(part.faces)) for name, part in parts.items()}
    needed = {name: (p.n_vertices, len(p.faces)) for name, p in mesh.parts.items()}
    if own != needed:
        raise ValueError(
            "surf_mesh must have the vertices and faces of the map's own mesh, "
            f"{needed} (vertices, faces), got {own}. Pass another shape of the same "
            "mesh, such as the inflated one."
        )


def check_ground(bg_map, grid):
    """Raise an error unless a map on a mesh can be drawn on a background."""
    if bg_map is None:
        return
    own = grid_of(bg_map)
    if own is None or own.kind != grid.kind:
        raise TypeError(
            f"bg_map must be a SurfaceImage or None, got {bg_map!r}. Pass "
            "SurfaceImage(mesh, ...) with the mesh of the run."
        )
    grid.check_same(own, "bg_map")
    if len(bg_map.shape) > 1 and bg_map.shape[1] > 1:
        raise ValueError(
            f"bg_map must hold one value a vertex, got shape {tuple(bg_map.shape)}. "
            "Take one column of it."
        )


# Meshes


def _centred(mesh):
    """Return a copy of a mesh whose parts lie around the origin.

    nilearn 0.14.1 moves the mesh that it draws there, in place.
    """
    parts = {}
    for name, part in mesh.parts.items():
        coordinates = np.array(part.coordinates, dtype=np.float64)
        middle = (coordinates.min(axis=0) + coordinates.max(axis=0)) / 2
        parts[name] = InMemoryMesh(coordinates - middle, np.asarray(part.faces))
    return PolyMesh(**parts)


def _values(img):
    """Return the values of a SurfaceImage of one map, by hemisphere."""
    parts = {name: np.ravel(data) for name, data in img.data.parts.items()}
    return {name: np.asarray(data, dtype=np.float64) for name, data in parts.items()}


def _region(seed):
    """Return which vertices a seed holds, by hemisphere; None if it has none here."""
    region = seed.region()
    if region is None or not seed.grid.same_as(grid_of(region)):
        return None
    return {name: values > 0 for name, values in _values(region).items()}


def _outlined(is_in, faces):
    """Return a region as 0 and 1, large enough for nilearn to outline it.

    It has no outline for one that holds no edge of a triangle.
    """
    held = is_in[faces]
    if (held.sum(axis=1) < 2).all():
        is_in = is_in.copy()
        is_in[faces[held.any(axis=1)]] = True
    return is_in.astype(int)


def _greys(ground):
    """Return a background as greys, the same over hemispheres: high values are dark."""
    finite = np.concatenate([values[np.isfinite(values)] for values in ground.values()])
    low, high = np.percentile(finite, (2, 98)) if len(finite) else (0, 1)
    spread = (high - low) or 1
    return {
        name: LIGHTEST
        + (DARKEST - LIGHTEST)
        * np.clip((np.nan_to_num(values, nan=low) - low) / spread, 0, 1)
        for name, values in ground.items()
    }


def _direction(hemisphere, view):
    """Return the unit vector towards whoever looks."""
    outwards = -1.0 if hemisphere == "left" else 1.0
    return np.array([outwards if view == "lateral" else -outwards, 0, 0])


def _shades(part, towards):
    """Return the greys of a mesh that is lit from where it is looked at."""
    corners = part.coordinates[part.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    of_vertices = np.zeros_like(part.coordinates)
    for corner in part.faces.T:
        np.add.at(of_vertices, corner, normals)
    lengths = np.linalg.norm(of_vertices, axis=1, keepdims=True)
    turned = (of_vertices / np.maximum(lengths, 1e-12)) @ towards
    return UNLIT + (LIT - UNLIT) * np.clip(np.abs(turned), 0, 1)
