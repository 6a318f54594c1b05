"""Maps in a volume, drawn as cuts."""

from itertools import groupby

import matplotlib.pyplot as plt
import nibabel
import numpy as np
from matplotlib.colors import ListedColormap

from ._checks import DIRECTIONS
from ._colours import TITLE_HEIGHT, Bar, Paper, with_minus_signs
from ._layout import in_rows, lay_out, union
from ._nilearn import LEAST_SHOWN, middle_of, nilearn_plotting, weak_maps_are_no_news
from ._seed_marks import mark_seed, outline_part

MAP_SIZE = (7.3, 2.8)
"""Inches of a figure of three cuts with a title and a colour bar: two columns wide."""

ROW_HEIGHT = 2.5
"""Inches of a row of cuts at the most, in a figure that is made for them."""

LEAST_CORNER = 1.2
"""Inches of a corner that is high enough for a colour bar."""

AROUND = 2.0
"""Millimetres that are shown around all that is drawn."""

ON_WHITE, ON_BLACK = (0.35, 0.93), (0.05, 0.7)
"""The darkest and the lightest grey of a background: no colour is lost on either."""

BRAIN_GREY = "0.85"
"""Of voxels that have a map, where there is no other background."""

WORDS_IN_CUTS = (0.056, 6, 12)
"""Size of words as a part of the height of cuts; the least and the most in points."""


def draw_volume(picture):
    """Draw cuts of a volume, by default through the seed; return the display."""
    figure, frame = _frame(picture)
    options = {"draw_cross": False, "black_bg": False, **picture.options}
    before = set(figure.axes)
    with weak_maps_are_no_news():
        display = _draw_map(picture, options, figure, frame)
        _draw_background(display, picture)
    # Of nilearn's axes only the colour bar's have numbers beside them.
    bars = [axes for axes in set(figure.axes) - before if axes.axison]
    is_tidy = "cbar_tick_format" not in options
    bar = Bar.of([*bars, None][0], picture.label, picture.threshold, is_tidy=is_tidy)
    outline_part(display, _brain(picture.img))
    marks, cuts = mark_seed(display, picture.seed), list(display.axes.values())
    bounds = _bounds(cuts, picture.img, marks)
    ink = "white" if options["black_bg"] is True else "black"
    paper = Paper.of(figure, frame.get_position().bounds, ink)
    panels = Panels(_rows(cuts, picture.display_mode), bounds)
    panels.arrange(bar, picture.title, paper, picture.has_own_figure)
    return display


def _draw_map(picture, options, figure, frame):
    """Draw cuts of a map alone, or over nilearn's template; return the display."""
    if not isinstance(picture.background, str):
        options = {**options, "bg_img": None}
    return nilearn_plotting().plot_stat_map(
        picture.img,
        display_mode=picture.display_mode,
        cut_coords=_cut_coords(picture),
        threshold=max(picture.threshold or 0, LEAST_SHOWN),
        vmax=picture.vmax,
        figure=figure,
        axes=frame,
        **options,
    )


def _frame(picture):
    """Return the figure and the axes that cuts lie in; new ones if there are none."""
    if picture.axes is not None:
        return picture.axes.figure, picture.axes
    figure = picture.figure
    if figure is None:
        on_black = picture.options.get("black_bg") is True
        figure = plt.figure(figsize=MAP_SIZE, facecolor="black" if on_black else "w")
    return figure, figure.add_axes((0, 0, 1, 1))


def _cut_coords(picture):
    """Return where to cut, as a display mode wants it: by default through the seed.

    Where there is none, or a cut through it shows nothing of the map, the cut goes
    where the map is strong.
    """
    mode = picture.display_mode
    given, centre = picture.cut_coords, picture.seed.sphere()[0]
    if given is not None or mode == "mosaic" or (centre is None and len(mode) == 1):
        return given
    img = picture.img
    if np.any(np.asarray(img.dataobj)):
        strong = middle_of(img)
        centre = [
            own if own is not None and _shows_some(img, axis, own) else strong[axis]
            for axis, own in enumerate(centre or [None] * 3)
        ]
    # nilearn takes none beyond the centres of the outermost voxels.
    centre = np.clip(centre or (0, 0, 0), *picture.seed.grid.reach).tolist()
    return [centre["xyz".index(direction)] for direction in DIRECTIONS[mode]]


def _shows_some(img, axis, coord):
    """Whether a cut at a coordinate in mm goes through voxels that have a value."""
    voxels = np.argwhere(np.asarray(img.dataobj).reshape(img.shape[:3]) != 0)
    places = voxels @ img.affine[axis, :3] + img.affine[axis, 3]
    half = np.abs(img.affine[axis, :3]).sum() / 2
    return bool((np.abs(places - coord) <= half).any())


def _draw_background(display, picture):
    """Draw what lies under a map, if it is not nilearn's template."""
    under = {"cmap": "gray", "zorder": -1}
    if picture.shows_brain:
        brain, grey = _brain(picture.img), ListedColormap([BRAIN_GREY])
        flat = {"cmap": grey, "vmin": 0, "vmax": 1}
        display.add_overlay(brain, threshold=0.5, **under | flat)
    elif not (picture.background is None or isinstance(picture.background, str)):
        values = np.asarray(picture.background.dataobj)
        low, high = float(values.min()), float(values.max())
        dark, light = ON_BLACK if display.black_bg else ON_WHITE
        step = ((high - low) or 1) / (light - dark)
        ends = {"vmin": low - dark * step, "vmax": high + (1 - light) * step}
        display.add_overlay(picture.background, **under, **ends)


# Panels


class Panels:
    """Cuts in rows, and what is to be seen of each direction.

    Parameters
    ----------
    rows : list of list of nilearn CutAxes
    bounds : dict of tuple of 4 float
        By direction: left, right, bottom and top in mm.
    """

    def __init__(self, rows, bounds):
        self.rows, self.bounds = rows, bounds

    def arrange(self, bar, title, paper, is_own):
        """Put cuts, colour bar and title in their places on a paper.

        A figure that is made for them is made as large as they are.
        """
        above = TITLE_HEIGHT if title else 0.0
        height = ROW_HEIGHT * len(self.rows) if is_own else paper.height - above
        block, room = self._lay_out(bar.room, paper.width, height)
        if is_own:
            figure = paper.figure
            figure.set_size_inches(block.width + room, block.height + above)
            paper = Paper.of(figure, ink=paper.ink)
        left = (paper.width - block.width - room) / 2
        bottom = (paper.height - block.height - above) / 2
        size = self._size_of_words(block)
        for row, boxes in zip(self.rows, block.boxes, strict=True):
            for cut, (x, y, *sides) in zip(row, boxes, strict=True):
                self._put(cut, paper.place(left + x, bottom + y, *sides), size)
        if room:
            bar.put(paper, left + block.width, bottom, block.height + above)
        else:
            bar.put(paper, left + block.width - bar.room, bottom, block.ends[-1][1])
        if title:
            paper.write_title(title, left, bottom + block.height, room)

    def _lay_out(self, room, width, height):
        """Return the `Block` of cuts, and the room for a bar beside all of them.

        That is none where the bar goes into the corner that the last row leaves.
        """
        sizes = self._sizes()
        block = lay_out(sizes, width, height)
        right, tall = block.ends[-1]
        if block.width - right >= room and tall >= LEAST_CORNER:
            return block, 0.0
        return lay_out(sizes, width - room, height), room

    def _size_of_words(self, block):
        """Return the size in points of words in cuts."""
        part, least, most = WORDS_IN_CUTS
        height = min(box[3] for row in block.boxes for box in row)
        return min(max(part * height * 72, least), most)

    def _sizes(self):
        """Return width and height in mm of each cut, in rows."""
        sizes = {
            direction: (right - left, top - bottom)
            for direction, (left, right, bottom, top) in self.bounds.items()
        }
        return [[sizes[cut.direction] for cut in row] for row in self.rows]

    def _put(self, cut, place, size_of_words):
        """Put one cut in a place, and tidy its words."""
        left, right, *others = self.bounds[cut.direction]
        ends = (right, left) if cut.ax.xaxis_inverted() else (left, right)
        cut.ax.set_axes_locator(None)
        cut.ax.set_position(place)
        cut.ax.axis((*ends, *others))
        for text in cut.ax.texts:
            text.set_size(size_of_words)
            if text.get_text().startswith(f"{cut.direction}="):
                text.set_text(with_minus_signs(text.get_text()))
                text.set_position((0.015, 0))


def _rows(cuts, display_mode):
    """Return cuts in rows: one each of several directions, or those of a direction."""
    if display_mode == "tiled":
        own = {cut.direction: cut for cut in cuts}
        return [[own["y"], own["x"]], [own["z"]]]
    if len({cut.direction for cut in cuts}) == len(cuts):
        return [cuts]
    directions = groupby(cuts, key=lambda cut: cut.direction)
    return [row for _, own in directions for row in in_rows(list(own))]


def _bounds(cuts, img, marks):
    """Return what is to be seen of each direction: all of the map, all that is drawn.

    Left, right, bottom and top in mm.
    """
    low, high = _reach(img)
    boxes = {cut.direction: [] for cut in cuts}
    for cut, mark in zip(cuts, marks, strict=True):
        axes = [i for i in range(3) if i != "xyz".index(cut.direction)]
        pairs = zip(low[axes], high[axes], strict=True)
        boxes[cut.direction] += [tuple(end for pair in pairs for end in pair), *mark]
        boxes[cut.direction] += filter(None, map(_seen, cut.ax.images))
    margin = np.array([-AROUND, AROUND, -AROUND, AROUND])
    return {
        direction: tuple((union(own) + margin).tolist())
        for direction, own in boxes.items()
    }


def _brain(img):
    """Return an image of 1 where a map has values."""
    has_value = np.asarray(img.dataobj).reshape(img.shape[:3]) != 0
    return nibabel.Nifti1Image(has_value.astype(np.int8), img.affine)


def _reach(img):
    """Return the least and the largest coordinates in mm of voxels with a value."""
    data = np.asarray(img.dataobj)
    voxels = np.argwhere(data.reshape(data.shape[:3]) != 0)
    if not len(voxels):
        voxels = np.array([[0, 0, 0], np.subtract(data.shape[:3], 1)])
    ends = np.array([voxels.min(axis=0) - 0.5, voxels.max(axis=0) + 0.5])
    corners = ends[np.indices((2, 2, 2)).reshape(3, -1), np.arange(3)[:, np.newaxis]]
    places = img.affine[:3, :3] @ corners + img.affine[:3, 3:]
    return places.min(axis=1), places.max(axis=1)


def _seen(image):
    """Return the box of what an image in a cut shows, None if it shows nothing."""
    shown = image.get_array()
    if shown.ndim != 2:
        return None  # the black that nilearn lays under everything
    rows, columns = np.nonzero(~np.ma.getmaskarray(shown))
    if not len(rows):
        return None
    left, right, bottom, top = image.get_extent()
    wide, high = (right - left) / shown.shape[1], (top - bottom) / shown.shape[0]
    # Rows are counted from the top.
    return (
        left + wide * columns.min(),
        left + wide * (columns.max() + 1),
        top - high * (rows.max() + 1),
        top - high * rows.min(),
    )
