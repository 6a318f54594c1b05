"""What of a value counts in the key of a cache: its content, not its type or place."""

import os
from dataclasses import fields, is_dataclass
from numbers import Real

import numpy as np
from nilearn.surface import PolyMesh

from ._cache import digest
from .runs import fingerprint, fingerprint_of_mesh


def content(value):
    """Return what of a value counts, the same whatever type or container it has."""
    if hasattr(value, "dataobj"):
        arrays = np.asarray(value.dataobj), value.affine
        return [np.ascontiguousarray(array) for array in arrays]  # in either order
    if hasattr(value, "mesh"):
        return fingerprint(value)
    if isinstance(value, PolyMesh):
        return fingerprint_of_mesh(value)
    if is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in fields(value))
        return [(name, digest(content(own))) for name, own in pairs]
    return _plain(value)


def _plain(value):
    """Return a number, path, or a collection of these as plain objects of Python."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return float(value) if is_number else value
