"""Where the parts of a picture lie: arithmetic of inches and millimetres."""

import math
from dataclasses import dataclass

GAP = 0.04
"""Inches between two panels."""

MOST_IN_A_ROW = 8
"""Panels beside each other, beyond which they are too small to see anything."""


@dataclass(frozen=True)
class Block:
    """Panels laid out side by side and below each other, all of them to one scale.

    Attributes
    ----------
    width, height : float
        Of all panels together, in inches.
    scale : float
        Inches for a millimetre.
    boxes : list of list of tuple of 4 float
        For each row, left, bottom, width and height of each panel in inches, from the
        lower left corner of the block.
    """

    width: float
    height: float
    scale: float
    boxes: list

    @property
    def ends(self):
        """For each row, where its last panel ends, and its height, in inches."""
        return [
            (row[-1][0] + row[-1][2], max(box[3] for box in row)) for row in self.boxes
        ]


def lay_out(rows, width, height):
    """Return the largest `Block` of panels that fits.

    Parameters
    ----------
    rows : list of list of tuple of 2 float
        Width and height of each panel in mm.
    width, height : float
        In inches, that there are.
    """
    lengths = [sum(panel[0] for panel in row) for row in rows]
    tallest = [max(panel[1] for panel in row) for row in rows]
    gaps = [GAP * (len(row) - 1) for row in rows]
    pairs = zip(lengths, gaps, strict=True)
    scale = min((width - gap) / length for length, gap in pairs)
    between = GAP * (len(rows) - 1)
    # Whatever the figure, a panel has some size.
    scale = max(min(scale, (height - between) / sum(tallest)), 1e-4)
    whole = max(length * scale + gap for length, gap in zip(lengths, gaps, strict=True))
    top = total = scale * sum(tallest) + between
    boxes = []
    for row, tall in zip(rows, tallest, strict=True):
        left, bottom, line = 0.0, top - tall * scale, []
        for wide, high in row:
            lift = (tall - high) * scale / 2
            line.append((left, bottom + lift, wide * scale, high * scale))
            left += wide * scale + GAP
        boxes.append(line)
        top = bottom - GAP
    return Block(whole, total, scale, boxes)


def in_rows(panels):
    """Return panels of one kind in rows of about as many each, none too long."""
    n_rows = math.ceil(len(panels) / MOST_IN_A_ROW)
    n_columns = math.ceil(len(panels) / n_rows)
    return [panels[i : i + n_columns] for i in range(0, len(panels), n_columns)]


def union(boxes):
    """Return the smallest box around boxes of left, right, bottom and top."""
    lefts, rights, bottoms, tops = zip(*boxes, strict=True)
    return min(lefts), max(rights), min(bottoms), max(tops)
