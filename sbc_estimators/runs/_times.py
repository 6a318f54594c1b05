"""The repetition time of a run that lies in a file: by its sidecar, by its header."""

import re
from dataclasses import dataclass
from pathlib import Path

from nilearn.interfaces.bids import parse_bids_filename

from .._images.scans import SECONDS_PER_UNIT
from ._bids import BoldImage, repetition_time

SECONDS = SECONDS_PER_UNIT | {"unknown": 1.0}
"""What NIfTI's units of time are in seconds; files often leave the unit out."""

LONGEST_T_R = 100.0
"""Seconds above which a repetition time must be meant in milliseconds."""

SAME = 1e-3
"""How much two times may differ, as a part of them, and still be one, rounded."""


@dataclass(frozen=True)
class ToldTime:
    """What the files of a run tell of its repetition time.

    Attributes
    ----------
    sidecar, header : float or None
        In seconds, None where it is not told.
    note : str
        What is missing in the header.
    """

    sidecar: float | None
    header: float | None
    note: str = ""

    @property
    def seconds(self):
        """The time that counts: that of the sidecar, else that of the header."""
        return self.header if self.sidecar is None else self.sidecar

    @property
    def source(self):
        """Where this time was found, in words."""
        if self.seconds is None:
            return "unknown"
        return f"header{self.note}" if self.sidecar is None else "sidecar"

    @property
    def differs(self):
        """Whether sidecar and header tell different times."""
        if self.sidecar is None or self.header is None:
            return False
        return abs(self.sidecar - self.header) > SAME * self.sidecar


def told_time(file, scans):
    """Return the `ToldTime` of a run.

    Its sidecar is the JSON file of its own name or, by the inheritance principle of
    BIDS, a less specific one beside it or above it in its dataset.

    Parameters
    ----------
    file : str or path
    scans : Scans
        Of the file.

    Raises
    ------
    ValueError
        If a sidecar cannot be read, or its time is no time.
    """
    step, unit = scans.time_step
    header, note = None, ""
    if unit in SECONDS and 0 < step * SECONDS[unit] <= LONGEST_T_R:
        header = step * SECONDS[unit]
        note = ", which has no unit of time" if unit == "unknown" else ""
    image = BoldImage(str(file), parse_bids_filename(file)["entities"])
    sidecar = repetition_time(image, _dataset(Path(file)))
    if sidecar is not None and sidecar > LONGEST_T_R:
        raise ValueError(
            f"the sidecar of {str(file)!r} has a RepetitionTime of {sidecar:g}, which "
            f"BIDS takes as seconds. If milliseconds are meant, write "
            f"{sidecar / 1000:g} there."
        )
    return ToldTime(sidecar, header, note)


def _dataset(file):
    """Return the folder up to which sidecars hold for a file."""
    places = [place for place in file.parents if re.match("sub-[^_]+$", place.name)]
    return places[-1].parent if places else file.parent
