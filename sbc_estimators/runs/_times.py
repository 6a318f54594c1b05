"""The repetition time that the files of a run tell: one rule, whoever asks.

A sidecar comes before the header, in which software leaves 1 s where it does not know.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from nilearn.interfaces.bids import parse_bids_filename

from .._images.opening import sure_t_r
from ._bids import BoldImage, repetition_time, time_in

ALIKE = 1e-3
"""Part of a repetition time by which two may differ and be the same, but for rounding.
"""

COMPRESSED = (".gz", ".bz2", ".zst")

SERIES = ".dtseries"
"""What names of CIFTI's time series have before their ending."""

ROOT = "dataset_description.json"
"""Lies in the topmost folder of a dataset in BIDS."""


@dataclass(frozen=True)
class ToldTime:
    """What files tell of a repetition time.

    Attributes
    ----------
    t_r : float
        In seconds.
    source : str
        "sidecar" or "header".
    """

    t_r: float
    source: str

    def __str__(self):
        return f"its {self.source} says {self.t_r:g} s"


def used_time(run, maskers):
    """Return the repetition time of a run in seconds, None if nobody says it.

    The run's own comes first, then that of the first masker that has one, then that of
    the image, where it is a sure source.
    """
    own = [run.t_r, *(getattr(masker, "t_r", None) for masker in maskers)]
    told = next((t_r for t_r in own if t_r is not None), None)
    return sure_t_r(run.img) if told is None else told


def told_times(img, in_header):
    """Return what files tell of a run's repetition time, the first one is right.

    Parameters
    ----------
    img : object
        As the user passed it; an image in memory has the sidecar of its file.
    in_header : float or None
        What the header says, in seconds.

    Returns
    -------
    times : list of ToldTime

    Raises
    ------
    ValueError
        If a sidecar cannot be read, or its time is not a positive number.
    """
    in_sidecar = _time_in_sidecar(img)
    times = [(in_sidecar, "sidecar"), (in_header, "header")]
    return [ToldTime(t_r, source) for t_r, source in times if t_r is not None]


def are_alike(t_r, other):
    """Whether two repetition times are the same but for rounding."""
    return abs(t_r - other) <= ALIKE * max(t_r, other)


def others_told(t_r, times):
    """Return the words for other repetition times than the one that is used, or "".

    A header alone has no say where a user says something else.

    Parameters
    ----------
    t_r : float
        In seconds.
    times : list of ToldTime
    """
    if not any(told.source == "sidecar" for told in times):
        return ""
    others = [str(told) for told in times if not are_alike(told.t_r, t_r)]
    return " and ".join(others)


def _time_in_sidecar(img):
    """Return the repetition time in a sidecar of an image's file, or None."""
    path = img
    if not isinstance(img, str | os.PathLike):
        path = getattr(img, "get_filename", lambda: None)()
    if path is None:
        return None
    folder, name = os.path.split(path)
    stems = _stems(name)
    own = [os.path.join(folder, f"{stem}.json") for stem in stems]
    times = [time_in(Path(sidecar)) for sidecar in own if os.path.isfile(sidecar)]
    t_r = next((t_r for t_r in times if t_r is not None), None)
    if t_r is not None or not stems[-1].endswith("bold"):
        return t_r
    entities = parse_bids_filename(str(path))["entities"]
    return repetition_time(BoldImage(str(path), entities), _root(Path(path)))


def _stems(name):
    """Return the name of a file without its endings, also with what CIFTI adds first.

    The sidecar of x.dtseries.nii is x.json; to some software it is x.dtseries.json.
    """
    stem, ending = os.path.splitext(name)
    stem = os.path.splitext(stem)[0] if ending in COMPRESSED else stem
    return list(dict.fromkeys([stem, stem.removesuffix(SERIES)]))


def _root(path):
    """Return the topmost folder whose sidecars hold for a file.

    That of a dataset that says that it is one, else the one with folders of people.
    """
    roots = [folder for folder in path.parents if (folder / ROOT).is_file()]
    roots += [own.parent for own in path.parents if own.name.startswith("sub-")]
    return roots[0] if roots else path.parent
