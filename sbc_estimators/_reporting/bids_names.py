"""Names of maps by BIDS: where a run's and a seed's map is written."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .._support.messages import describe_run, file_of

ENTITIES = (
    *("sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part"),
    *("hemi", "space", "cohort", "res", "den"),
)
"""What of a run's name the names of its maps keep, in the order of BIDS."""

PERSON = "sub"
"""The one of them that BIDS asks for."""


NUMBER = r"-?[0-9.]+(?:e[+-]?[0-9]+)?"

POINT = rf"\(({NUMBER}), ({NUMBER}), ({NUMBER})\)"

POINTS = rf"{POINT}(?: \+ {POINT})*(?: \(([0-9]+)\))?"
"""What seeds without names are called: where they lie, and a number where others do."""

SIGNS = str.maketrans({"-": "m", ".": "p", "+": None})
"""Minus and point in letters."""


@dataclass(frozen=True)
class Place:
    """Where the maps of one run and seed are written.

    Attributes
    ----------
    folder : Path
        Below that of all maps.
    entities : dict of str
        Those of the run, and "seed".
    """

    folder: Path
    entities: dict

    @property
    def run_stem(self):
        """What the names of all files of the run begin with."""
        return _joined(self.entities)

    def without(self, entity):
        """Return the place without something that the run's name tells."""
        kept = {name: own for name, own in self.entities.items() if name != entity}
        return Place(self.folder, kept)

    def stem(self, stat, **further):
        """Return the name of a map's file without its ending."""
        first, seed = _joined({**self.entities, **further}), self.entities["seed"]
        return f"{first}_seed-{seed}_stat-{stat}_statmap"


def _joined(entities):
    """Return the entities of a run as names of files have them."""
    known = [name for name in ENTITIES if name in entities]
    return "_".join(f"{name}-{entities[name]}" for name in known)


def has_person(file):
    """Whether the name of a file says whose run it is, as BIDS asks for."""
    return PERSON in _parsed(os.path.basename(file))


def places_of(runs, X, seed_names):
    """Return a `Place` for each run and seed, no two of them alike.

    Parameters
    ----------
    runs : list of Run
    X : run or sequence of runs
        As they were passed: a Series' index names its runs.
    seed_names : list of str

    Returns
    -------
    places : list of list of Place

    Raises
    ------
    ValueError
        If a run's name says no subject, nothing of a seed's name is left, or two runs
        or two seeds would get one name.
    """
    labels = _seed_labels(seed_names)
    entities = [_entities(*run) for run in enumerate(_run_names(runs, X))]
    _check_different(runs, entities)
    return [[_place(own, label) for label in labels] for own in entities]


def without_resolution(places, runs, positions):
    """Return the places of maps, of which some are on another grid than their run.

    Parameters
    ----------
    places : list of list of Place
        As `places_of` returns them.
    runs : list of Run
    positions : collection of int
        Of the runs whose resolution their maps do not have.

    Raises
    ------
    ValueError
        If two runs would get one name.
    """
    places = list(places)
    for position in positions:
        places[position] = [own.without("res") for own in places[position]]
    _check_different(runs, [own[0].entities for own in places])
    return places


def _place(entities, label):
    """Return the place of one map."""
    levels = [f"{name}-{entities[name]}" for name in ("sub", "ses") if name in entities]
    return Place(Path(*levels, "func"), {**entities, "seed": label})


# Runs


def _run_names(runs, X):
    """Return the name of each run: of its file, or in the index of a Series."""
    names = [os.path.basename(file_of(run.img)) for run in runs]
    index = X.index if isinstance(X, pd.Series) else [None] * len(runs)
    return [
        label if isinstance(label, str) and PERSON in _parsed(label) else name
        for label, name in zip(index, names, strict=True)
    ]


def _parsed(name):
    """Return the entities in a name that the names of its maps keep."""
    stem = name.partition(".")[0]
    found = re.findall(r"(?:^|_)([a-z]+)-([0-9A-Za-z+]+)(?=_|$)", stem)
    return {entity: label for entity, label in found if entity in ENTITIES}


def _entities(position, name):
    """Return the entities of a run; ValueError where they name no person."""
    entities = _parsed(name)
    if PERSON not in entities:
        raise ValueError(
            f"{describe_run(position, name or None)} has no name that tells its "
            "subject, as BIDS asks for. Rename its file, such as "
            "'sub-01_task-rest_bold.nii.gz', or pass a pandas Series of runs whose "
            "index has such names."
        )
    return entities


def _check_different(runs, entities):
    """Raise ValueError where two runs would get one name."""
    seen = {}
    for position, own in enumerate(entities):
        key = _joined(own).casefold()
        other = seen.setdefault(key, position)
        if other != position:
            raise ValueError(
                f"{describe_run(other, runs[other].img)} and "
                f"{describe_run(position, runs[position].img)} would get one name, "
                f"{key!r}. Names keep {', '.join(ENTITIES)} (res where maps are on "
                "the grid of the run): let the runs differ in one of these."
            )


# Seeds


def _seed_labels(names):
    """Return the label of each seed."""
    labels = [_label(str(name)) for name in names]
    seen = {}
    for name, label in zip(names, labels, strict=True):
        if not label:
            raise ValueError(
                f"seed {name!r} has no letter or digit that BIDS allows in a name. "
                "Name the seeds with letters from A to Z and digits."
            )
        # Some file systems do not tell PCC from pcc.
        if label.casefold() in seen:
            raise ValueError(
                f"seeds {seen[label.casefold()]!r} and {name!r} would get one name, "
                f"seed-{label}: BIDS allows letters and digits only. Give the seeds "
                "other names."
            )
        seen[label.casefold()] = name
    return labels


def _label(name):
    """Return of the name of a seed what BIDS allows.

    Where it is coordinates, their signs and points are letters: without them, places on
    both sides of the brain would have one label.

    Examples
    --------
    >>> _label("L IPS"), _label("(-8, 12.5, 0)")
    ('LIPS', 'xm8y12p5z0')
    """
    whole = re.fullmatch(POINTS, name)
    if whole is None:
        return re.sub(r"[^0-9A-Za-z]", "", name)
    places = [f"x{x}y{y}z{z}" for x, y, z in re.findall(POINT, name)]
    number = whole.groups()[-1]
    return "".join(places).translate(SIGNS) + (f"n{number}" if number else "")
