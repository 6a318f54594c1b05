"""Regions by name: the names of an atlas' labels, and the labels that a user means."""

import os
from numbers import Real

import pandas as pd

from .._support.checks import is_integer
from .._support.messages import close_matches
from .._support.tables import read_table
from ._places import is_sequence, places_of_seeds

BACKGROUND = "background"
"""What nilearn calls the background in lists of names, in lower case."""


def names_of_labels(lut, labels):
    """Return the name of each label that has one, in a dict.

    Parameters
    ----------
    lut : DataFrame, str, path, dict, sequence of str, or None
        A table with the columns index and name (as DataFrame or file), a dict of
        names, or the names of all labels, ascending.
    labels : list of int
        The labels in the image but for the background, ascending.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If it is no such table, a label has no name or two, or there are too few names
        or too many.
    """
    if lut is None:
        return {}
    if isinstance(lut, str | os.PathLike):
        lut = read_table(lut, "lut")
    if isinstance(lut, pd.DataFrame):
        return _of_pairs(_pairs_of_table(lut))
    is_list = isinstance(lut, pd.Series) and lut.index.equals(pd.RangeIndex(len(lut)))
    if isinstance(lut, dict | pd.Series) and not is_list:
        return _of_pairs(lut.items())
    if is_sequence(lut):
        return _of_list(list(lut), labels)
    raise TypeError(
        "lut must be a DataFrame or a table with the columns index and name, a dict of "
        f"label to name or a list of names, got {type(lut).__name__}."
    )


def _pairs_of_table(lut):
    """Return labels and names in a table."""
    if any(list(lut.columns).count(column) != 1 for column in ("index", "name")):
        raise ValueError(
            "lut must have the columns index and name, each once, got "
            f"{list(lut.columns)}."
        )
    return zip(lut["index"], lut["name"], strict=True)


def _of_pairs(pairs):
    """Return labels and names as int and str."""
    names = {}
    for label, text in pairs:
        is_number = isinstance(label, Real) and not isinstance(label, bool)
        if not is_number or label != label // 1:
            raise ValueError(
                f"lut must give a name to each label, an integer, got {label!r} with "
                f"the name {text!r}."
            )
        if int(label) in names:
            raise ValueError(
                f"lut has label {int(label)} twice, as {names[int(label)]!r} and "
                f"{text!r}. Leave out one of them."
            )
        names[int(label)] = _text(text)
    return names


def _of_list(texts, labels):
    """Return the names in a list, whether or not the background is among them."""
    texts = [_text(text) for text in texts]
    if texts and texts[0].lower() == BACKGROUND:
        texts = texts[1:]
    if len(texts) != len(labels):
        raise ValueError(
            f"lut lists {len(texts)} names for {len(labels)} labels in the image. Pass "
            "a table with the columns index and name (atlases that nilearn fetches "
            "have one as .lut), or a dict of label to name."
        )
    return dict(zip(labels, texts, strict=True))


def _text(value):
    """Return a name as str; some atlases have bytes, and some have numbers."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str) or is_integer(value):
        return str(value)
    raise ValueError(
        f"lut must hold a name for each label, got {value!r}. pandas reads 'NA' as a "
        "missing value unless it is told keep_default_na=False."
    )


def chosen_labels(regions, names, labels):
    """Return the labels of each seed that a user means, in the order given.

    Parameters
    ----------
    regions : sequence of str or int or of sequences of these, one of these, or None
        None means all labels.
    names : dict of int to str
        As `names_of_labels` returns it.
    labels : list of int
        The labels in the image but for the background, ascending.

    Raises
    ------
    TypeError, ValueError
        If there is no such region, or more than one of that name.
    """
    if regions is None:
        return [[label] for label in labels]
    if _region(regions) is not None:
        regions = [regions]
    seeds = places_of_seeds(regions, _region, "regions", "names or labels (integers)")
    return [[_label_of(region, names, labels) for region in seed] for seed in seeds]


def _region(value):
    """Return the name or label of a region, None for what is neither."""
    if isinstance(value, str):
        return str(value)
    return int(value) if is_integer(value) else None


def _label_of(region, names, labels):
    """Return the label of one region."""
    if isinstance(region, str):
        found = [label for label, text in names.items() if text == region]
        if len(found) > 1:
            raise ValueError(
                f"the name {region!r} stands for the labels {found}. Choose one by its "
                "number."
            )
        if not found:
            cure = close_matches(region, list(names.values()))
            cure = cure if names else "There are no names: pass lut."
            raise ValueError(f"there is no region {region!r}. {cure}")
        region = found[0]
    if region not in labels:
        shown = ", ".join(str(label) for label in labels[:10])
        raise ValueError(
            f"labels_img has the label {region} nowhere; there are {shown}"
            f"{', ...' if len(labels) > 10 else ''}."
        )
    return region
