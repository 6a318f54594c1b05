"""Structures of the brain as CIFTI names them, and those that a user means."""

from dataclasses import dataclass

import numpy as np

from .._support.messages import close_matches
from .grids import VolumeGrid
from .meshes import SurfaceGrid

PREFIX = "CIFTI_STRUCTURE_"
"""What CIFTI's own names of structures begin with."""

CORTEX = {"left": f"{PREFIX}CORTEX_LEFT", "right": f"{PREFIX}CORTEX_RIGHT"}
"""The structures that the hemispheres of a mesh are."""

SUBCORTEX = "subcortex"
"""What all structures of voxels are called together."""


@dataclass(frozen=True, eq=False)
class Structure:
    """Some consecutive grayordinates, all of one structure of the brain.

    Attributes
    ----------
    name : str
        CIFTI's own, such as "CIFTI_STRUCTURE_CORTEX_LEFT".
    start : int
        Number of its first grayordinate.
    places : ndarray of int of shape (n,) or (n, 3)
        Numbers of vertices, or indices of voxels.
    n_vertices : int or None
        Of the whole mesh; None for voxels.
    """

    name: str
    start: int
    places: np.ndarray
    n_vertices: int | None = None

    @property
    def is_surface(self):
        """Whether it is made of vertices."""
        return self.n_vertices is not None

    @property
    def kind(self):
        """The kind of the part that it lies in."""
        return SurfaceGrid.kind if self.is_surface else VolumeGrid.kind

    @property
    def side(self):
        """The hemisphere of a mesh that it is, None for anything else."""
        sides = [side for side, name in CORTEX.items() if name == self.name]
        return sides[0] if sides and self.is_surface else None

    @property
    def positions(self):
        """The numbers of its grayordinates."""
        return np.arange(self.start, self.start + len(self.places))

    @property
    def told(self):
        """What people call it, such as "left cortex"."""
        return " ".join(_words(self.name))

    def same_as(self, other):
        """Whether another one has the same vertices or voxels."""
        return (self.name, self.n_vertices) == (
            other.name,
            other.n_vertices,
        ) and np.array_equal(self.places, other.places)


def called(structures, name):
    """Return the structures that one name stands for.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name == SUBCORTEX:
        found = [own for own in structures if not own.is_surface]
    else:
        words = {*_words(name)}
        found = [own for own in structures if words and words <= {*_words(own.name)}]
    if not found:
        known = list(dict.fromkeys(own.told for own in structures))
        raise ValueError(
            f"there is no structure {name!r} in the image. "
            f"{close_matches(' '.join(_words(name)), known)}"
        )
    return found


def difference(ours, theirs):
    """Return in words how structures differ from others, None where they don't.

    Such as "29706 grayordinates of left cortex, but {other} has 29696".
    """
    for own, other in _of_one_name(ours, theirs):
        if own is None:
            return f"no {other.told}, but {{other}} has {_counted(other)}"
        if other is None:
            return f"{_counted(own)}, but {{other}} has none"
        if not own.same_as(other):
            return _between(own, other)
    if [own.name for own in ours] != [own.name for own in theirs]:
        return "its structures in another order than {other}"
    return None


def _counted(own):
    """Return the words for the size of a structure."""
    return f"{len(own.places)} grayordinates of {own.told}"


def _of_one_name(ours, theirs):
    """Yield structures of one name in two grids, None for one that is not there."""
    left = list(theirs)
    for own in ours:
        found = next((other for other in left if other.name == own.name), None)
        if found is not None:
            left.remove(found)
        yield own, found
    for other in left:
        yield None, other


def _between(ours, theirs):
    """Return the words for two structures of one name that differ."""
    if ours.n_vertices != theirs.n_vertices:
        sizes = [
            "voxels of its own" if own is None else f"a mesh of {own} vertices"
            for own in (ours.n_vertices, theirs.n_vertices)
        ]
        return f"{ours.told} on {sizes[0]}, but {{other}} has it on {sizes[1]}"
    n_others = len(theirs.places)
    which = "others" if n_others == len(ours.places) else str(n_others)
    return f"{_counted(ours)}, but {{other}} has {which}"


def _words(name):
    """Return the words of a structure's name, the side first."""
    text = str(name).strip().upper().removeprefix(PREFIX).lower()
    words = text.replace("_", " ").replace("-", " ").split()
    return sorted(words, key=lambda word: word not in CORTEX)
