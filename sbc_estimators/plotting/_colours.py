"""What colours and words of pictures say: limits, thresholds, the colour bar."""

import re
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import Formatter

BAR_WIDTH = 0.12
"""Inches."""

BAR_LABEL_SIZE = 9
"""Points, of all words beside and above the bar."""

BAR_LABEL_GAP = 9
"""Points from the bar, so that the number beside its end stays clear."""

LINE_HEIGHT = 0.15
"""Inches between two numbers beside a colour bar, so that none touch."""

BAR_ROOM, BAR_MARGIN = 0.68, 0.1
"""Inches that a bar takes with its numbers, and what is kept free around it."""

TALLEST_BAR = 2.6
"""Inches, so that a bar in a large figure remains one."""

WORD_SIZE = 10
"""Points of words beside panels."""

TITLE_SIZE, LEAST_TITLE_SIZE = 11, 6
"""Points; a title that is too long is written smaller."""

TITLE_INDENT = 0.05
"""Inches."""

TITLE_HEIGHT = 0.27
"""Inches that a line of title takes."""


def colour_limit(values, threshold):
    """Return where the colours end: a high quantile, and twice a numeric threshold.

    Rounded up: to a tenth, or to one digit if it is smaller. What is not finite does
    not count.
    """
    floor = 2 * threshold if isinstance(threshold, int | float) else 0
    finite = np.abs(values[np.isfinite(values)])
    high = np.quantile(finite, 0.995) if len(finite) else 0
    limit = float(max(high, floor, 1e-3))
    digits = max(1, -int(np.floor(np.log10(limit))))
    # Less a trifle, so that 1.2000000000000002 is not 1.3.
    return round(float(np.ceil(limit * 10**digits - 1e-6)) / 10**digits, digits)


def label_of_colours(threshold):
    """Return what stands above the colour bar of Fisher z."""
    return f"Fisher z\n|z| > {threshold:.3g}" if threshold else "Fisher z"


def with_minus_signs(text):
    """Return a text with a minus sign, not a hyphen, before each negative number.

    As for the numbers of an axis, unless matplotlib is set to write them in ASCII.
    """
    return re.sub(r"(?<!\w)-(?=[\d.])", Formatter.fix_minus("-"), str(text))


@dataclass(frozen=True)
class Paper:
    """A part of a figure that a picture is drawn on, in inches.

    Attributes
    ----------
    figure : Figure
    left, bottom, width, height : float
    ink : str
        Colour of words.
    """

    figure: object
    left: float
    bottom: float
    width: float
    height: float
    ink: str = "black"

    @classmethod
    def of(cls, figure, box=(0, 0, 1, 1), ink="black"):
        """Return the paper of a figure, or of a box in it: left, bottom and sizes."""
        wide, high = figure.get_size_inches()
        left, bottom, width, height = box
        sizes = left * wide, bottom * high, width * wide, height * high
        return cls(figure, *(float(size) for size in sizes), ink)

    def place(self, left, bottom, width, height):
        """Return a box in inches from the lower left corner as parts of the figure."""
        wide, high = self.figure.get_size_inches()
        left, bottom = (self.left + left) / wide, (self.bottom + bottom) / high
        return left, bottom, width / wide, height / high

    def write(self, word, x, y, rotation=0):
        """Write a word centred on a point in inches."""
        place = self.place(x, y, 0, 0)[:2]
        middle = {"ha": "center", "va": "center", "rotation": rotation}
        self.figure.text(*place, word, size=WORD_SIZE, color=self.ink, **middle)

    def write_title(self, title, left, bottom, taken):
        """Write a title from a point on, beside what is taken on the right.

        It is as large as there is room for it.
        """
        left += TITLE_INDENT
        x, y, *_ = self.place(left, bottom + 0.35 * TITLE_HEIGHT, 0, 0)
        text = self.figure.text(
            x,
            y,
            with_minus_signs(title),
            size=TITLE_SIZE,
            color=self.ink,
            va="baseline",
        )
        room = (self.width - left - taken) / max(size_of(text)[0], 1e-6)
        if room < 1:
            text.set_size(max(LEAST_TITLE_SIZE, TITLE_SIZE * room))


def size_of(text):
    """Return width and height in inches of a text as it is drawn."""
    extent = text.get_window_extent()
    dpi = text.get_figure().dpi
    return extent.width / dpi, extent.height / dpi


@dataclass(frozen=True)
class Bar:
    """A colour bar that nilearn has drawn, and what is written above it.

    Attributes
    ----------
    axes : Axes or None
        None where there is no bar.
    label : Text or None
    threshold : float or None
        Among the numbers beside the bar.
    is_tidy : bool
        False leaves nilearn's numbers.
    """

    axes: object = None
    label: object = None

    threshold: float | None = None
    is_tidy: bool = True

    @classmethod
    def of(cls, axes, label, threshold, *, is_tidy=True):
        """Return a bar with what it shows above it, and few round numbers beside it.

        Parameters
        ----------
        axes : Axes or None
            As nilearn draws it, upright.
        label : str
        threshold : float or None
            Among the numbers beside the bar.
        is_tidy : bool, default=True
            False leaves nilearn's numbers.
        """
        if axes is None:
            return cls()
        axes.yaxis.tick_left()
        axes.tick_params(axis="y", length=0, labelsize=BAR_LABEL_SIZE)
        above = _written_above(axes, label) if label else None
        return cls(axes, above, threshold, is_tidy)

    @property
    def room(self):
        """Inches that it takes beside the panels."""
        if self.axes is None:
            return 0.0
        wide = size_of(self.label)[0] if self.label is not None else 0.0
        return max(BAR_ROOM, wide + 2 * BAR_MARGIN)

    def put(self, paper, right, bottom, height):
        """Move it beside panels that end at `right`, in inches on a paper."""
        if self.axes is None:
            return
        above = BAR_LABEL_GAP / 72 if self.label is None else self._height_above()
        tall = min(max(height - above - BAR_MARGIN, 0.3), TALLEST_BAR)
        lift = bottom + (height - above - tall) / 2
        left = right + self.room - BAR_MARGIN - BAR_WIDTH
        self.axes.set_axes_locator(None)
        self.axes.set_box_aspect(None)
        self.axes.set_position(paper.place(left, lift, BAR_WIDTH, tall))
        if self.is_tidy:
            gap = LINE_HEIGHT / tall
            ticks = bar_ticks(*self.axes.get_ylim(), self.threshold, gap)
            texts = [with_minus_signs(f"{tick:.3g}") for tick in ticks]
            self.axes.set_yticks(ticks, texts)

    def _height_above(self):
        """Return the inches that the label takes above the bar."""
        return BAR_LABEL_GAP / 72 + size_of(self.label)[1] + 0.04


def _written_above(axes, label):
    """Write what a bar shows above it; return the text."""
    colours = {tick.get_color() for tick in axes.get_yticklabels()}
    return axes.annotate(
        with_minus_signs(label),
        (1, 1),
        xytext=(0, BAR_LABEL_GAP),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        size=BAR_LABEL_SIZE,
        color=colours.pop() if colours else "black",
    )


def bar_ticks(low, high, threshold, least_gap):
    """Return numbers beside a colour bar: its ends, the threshold, zero, what fits.

    Parameters
    ----------
    low, high : float
        Its ends.
    threshold : float or None
    least_gap : float
        Between two numbers, as a part of the bar.
    """
    limit = max(abs(low), abs(high))
    ticks = [low, high]
    for value in (threshold or 0, 0, limit / 2):
        pair = {float(value), -float(value)}
        inside = sorted(tick for tick in pair if low < tick < high)
        both = [*ticks, *inside]
        gaps = np.diff(np.sort(both))
        if (gaps >= least_gap * (high - low)).all():
            ticks = both
    return sorted(ticks)
