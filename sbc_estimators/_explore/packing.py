"""The signals of a run in few bytes, from which a page computes maps by itself.

Cleaned signals lie in few dimensions of time. Of these the principal ones are kept, and
numbers in them rounded to whole steps. Neighbours are alike, so that each number is
told as its difference from a prediction made of the voxels before it. Most of these
differences fit into a byte, and a Huffman code makes them smaller still.
"""

import gzip
import itertools
import zlib
from dataclasses import dataclass

import numpy as np

from .._arrays.dimensions import Bands
from .._support.threads import workers

ENERGY = 0.9995
"""The part of the signals' energy that the kept dimensions hold."""

STEP = 0.002
"""What signals of norm 1 are rounded to: r is then within 0.005 also of one voxel."""

UNIT = 1024
"""Coefficients are whole parts of this, so that Python and JavaScript round alike."""

LARGE = 255
"""Stands for a difference that does not fit into a byte."""

BEFORE = [step for step in itertools.product((0, -1), repeat=3) if any(step)]
"""Steps to the neighbours of a voxel that come before it in C order."""

ALPHABET = (
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-:+=^!/*?()[]{}@%,#"
    "_~|"
)
"""85 characters that mean nothing in a script of HTML, as neither < nor quotes do."""


@dataclass(frozen=True, eq=False)
class Signals:
    """The signals of a run as `prepare` leaves them.

    Attributes
    ----------
    basis : ndarray of shape (n_kept_scans, rank)
        Orthonormal.
    mapped, plain : ndarray of shape (rank, n_places), or None
        Coordinates of each place's signal in the basis: as it is mapped, and as seeds
        are made of it, None where that is the same.
    bands : Bands
        Of the basis.
    """

    basis: np.ndarray
    mapped: np.ndarray
    plain: np.ndarray | None
    bands: Bands


@workers()
def packed(signals, before):
    """Return the parts and the config by which a page knows a run.

    Parameters
    ----------
    signals : Signals
    before : ndarray of shape (n_neighbours, n_places)
        The places before each in whose neighbourhood it lies, -1 for none.

    Returns
    -------
    parts : dict of str to ndarray
        ``basis``; ``norms`` of the plain signals; ``mapped`` and ``mapped_large``, and
        if signals are smoothed ``plain`` and ``plain_large``: the differences;
        ``axes``, from dimensions to those that bands cut, and ``expected`` of these.
    config : dict
        ``n_dimensions``, ``step``, the coefficients of the predictions, and the
        ``ends`` of bands.
    """
    sides = {"mapped": signals.mapped}
    if signals.plain is not None:
        sides["plain"] = signals.plain
    norms = {name: np.linalg.norm(side, axis=0) for name, side in sides.items()}
    units = {name: _divided(side, norms[name]) for name, side in sides.items()}
    axes = _principal_axes(list(units.values()))
    parts = {
        "basis": (signals.basis @ axes).astype(np.float32),
        "norms": norms.get("plain", norms["mapped"]).astype(np.float32),
        "axes": axes.astype(np.float32),
        "expected": signals.bands.expected.astype(np.float32),
    }
    config = {
        "n_dimensions": axes.shape[1],
        "step": STEP,
        "coefficients": {},
        "ends": signals.bands.ends.tolist(),
    }
    for name, side in units.items():
        numbers = np.rint(axes.T @ side / STEP).astype(np.int32)
        coefficients = _coefficients(numbers, before)
        small, large = _folded(numbers - _predicted(numbers, before, coefficients))
        parts |= {name: small, f"{name}_large": large}
        config["coefficients"][name] = coefficients.tolist()
    return parts, config


def _divided(side, norms):
    """Return signals of norm 1, 0 where there is none."""
    return np.divide(side, norms, out=np.zeros_like(side), where=norms > 0)


def _principal_axes(sides):
    """Return the axes of time that hold nearly all energy, `(rank, n_dimensions)`."""
    gram = sum(side @ side.T for side in sides)
    energy, axes = np.linalg.eigh(gram.astype(np.float64))
    held = np.cumsum(energy[::-1]) / energy.sum()
    return axes[:, ::-1][:, : int(np.searchsorted(held, ENERGY)) + 1]


def places_before(space):
    """Return the places before each place in its neighbourhood, -1 for none.

    Of vertices none are known; where there are no voxels, `(0, n_places)`.
    """
    volume = space.volume
    if volume is None:
        return np.empty((0, space.n_places), dtype=int)
    padded = np.full(np.array(volume.grid.shape) + 1, -1)
    padded[1:, 1:, 1:] = volume.places.reshape(volume.grid.shape)
    voxels, own = np.argwhere(volume.mask) + 1, volume.places[volume.positions]
    before = np.full((len(BEFORE), space.n_places), -1)
    before[:, own] = [padded[tuple((voxels + step).T)] for step in BEFORE]
    # Grayordinates may be in any order, and a page knows a place after those before.
    return np.where(before < np.arange(space.n_places), before, -1)


def _coefficients(numbers, before):
    """Return the prediction's coefficients by least squares, as parts of `UNIT`."""
    some = numbers[:: max(1, len(numbers) // 8)].astype(np.float64)
    columns = [_neighbours(some, places).ravel() for places in before]
    if not columns:
        return np.empty(0, dtype=int)
    columns = np.array(columns)
    # Of the least norm, where neighbours are all the same.
    best = np.linalg.pinv(columns @ columns.T) @ columns @ some.ravel()
    return np.rint(UNIT * best).astype(int)


def _neighbours(numbers, places):
    """Return the numbers of the places before, 0 where there is none."""
    return np.where(places >= 0, numbers[:, places], 0)


def _predicted(numbers, before, coefficients):
    """Return what the numbers are expected to be, rounded as the page rounds."""
    total = np.full(numbers.shape, UNIT // 2, np.int32)
    for places, coefficient in zip(before, coefficients, strict=True):
        total += np.int32(coefficient) * _neighbours(numbers, places)
    return total // UNIT


def _folded(differences):
    """Return differences as bytes, and by themselves those that are too large."""
    folded = np.where(differences >= 0, 2 * differences, -2 * differences - 1)
    small = np.minimum(folded, LARGE).astype(np.uint8)
    return small, folded[folded >= LARGE].astype(np.uint16)


# Bytes as text


def as_text(array):
    """Return an array, or bytes, compressed and as text that a page can hold."""
    data = array if isinstance(array, bytes) else np.ascontiguousarray(array).tobytes()
    return _in_85(_smallest(data))


def _smallest(data):
    """Return data compressed by gzip: by Huffman codes alone where that is smaller."""
    codes = zlib.compressobj(9, zlib.DEFLATED, 31, 9, zlib.Z_HUFFMAN_ONLY)
    only_codes = codes.compress(data) + codes.flush()
    return min(only_codes, gzip.compress(data, 6, mtime=0), key=len)


def _in_85(data):
    """Return bytes as text: how many are added at the end, then five for each four."""
    n_added = -len(data) % 4
    padded = data + bytes(n_added)
    words = np.frombuffer(padded, ">u4").astype(np.uint32)
    digits = np.empty((len(words), 5), np.uint8)
    for i in range(4, -1, -1):
        words, digits[:, i] = np.divmod(words, 85)
    alphabet = np.frombuffer(ALPHABET.encode("ascii"), np.uint8)
    return str(n_added) + alphabet[digits].tobytes().decode("ascii")
