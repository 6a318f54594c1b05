"""Short texts that contents share if they are equal, for the keys of a cache."""

import hashlib
import os
from numbers import Integral, Real

import numpy as np

COPIED_BYTES = 2**22
"""Of an array that is not in C order, at most about this much is copied at once."""


def digest(*parts):
    """Return 32 hexadecimal digits that two sequences share if their contents agree.

    Parameters
    ----------
    *parts : None, bool, number, text, bytes, path, array, or a list, tuple or dict
        Numbers count by value: 6, 6.0 and ``np.float32(6)`` are one. Paths count as
        text, lists and tuples as one, dicts in any order. Arrays count by dtype, shape
        and numbers, whatever their order in memory, and are neither numbers nor lists.

    Raises
    ------
    TypeError
        For anything else, of which nobody knows what counts.
    """
    return _state_of(parts).hexdigest()


def _state_of(part):
    """Return blake2b's state after a part."""
    state = hashlib.blake2b(digest_size=16)
    _feed(state.update, part)
    return state


def _feed(update, part):
    """Hand over a part as bytes that tell its kind and where it ends."""
    known = BYTES_OF.get(type(part))
    if known is not None:
        update(known(part))
    elif isinstance(part, np.ndarray):
        _feed_array(update, part)
    elif isinstance(part, list | tuple):
        update(_head(b"l", len(part)))
        for item in part:
            _feed(update, item)
    elif isinstance(part, dict):
        update(_head(b"d", len(part)))
        update(b"".join(sorted(_state_of(item).digest() for item in part.items())))
    else:
        _feed(update, _plain(part))


def _head(kind, length):
    """Return the bytes that a part begins with."""
    return kind + length.to_bytes(8, "little")


def _framed(kind, content):
    """Return the bytes of a part that has none itself."""
    return _head(kind, len(content)) + content


BYTES_OF = {
    type(None): lambda part: b"-",
    bool: lambda part: b"+" if part else b"!",
    int: lambda part: _framed(b"n", b"%d" % part),
    float: lambda part: _framed(b"n", _number(part).encode()),
    complex: lambda part: _framed(b"n", _number(part).encode()),
    str: lambda part: _framed(b"s", part.encode("utf-8", "surrogatepass")),
    bytes: lambda part: _framed(b"b", part),
}
"""How the types of plain values become bytes."""


def _plain(part):
    """Return a value of another type as one of these."""
    if isinstance(part, np.generic):
        part = part.item()
    if type(part) in BYTES_OF:
        return part
    if isinstance(part, os.PathLike):
        return os.fspath(part)
    if isinstance(part, Integral):
        return int(part)
    if isinstance(part, Real):
        return float(part)
    for plain in (complex, str, bytes):
        if isinstance(part, plain):
            return plain(part)
    raise TypeError(
        f"what a {type(part).__name__} holds cannot be told for the key of a cache, "
        f"got {part!r}."
    )


def _number(value):
    """Return the text of a number: of a whole one, that of the integer."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if value.imag == 0:
        return _number(value.real)
    return f"{_number(value.real)} {_number(value.imag)}j"


def _feed_array(update, array):
    """Hand over an array, in C order."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError("an array with a mask has no place in the key of a cache.")
    if array.dtype.hasobject:
        _feed(update, ("objects", array.shape, array.ravel().tolist()))
        return
    dtype = array.dtype.newbyteorder("<")
    update(_head(b"a", array.nbytes))
    _feed(update, (str(dtype.descr), array.shape))
    for block in _blocks(array.astype(dtype, copy=False)):
        update(block)


def _blocks(array):
    """Yield the numbers of an array in C order, without a copy of it as a whole."""
    if array.nbytes == 0:
        return
    if array.flags.c_contiguous:
        yield array.reshape(-1).view(np.uint8)
    elif array.nbytes <= COPIED_BYTES or array.ndim == 1:
        yield array.tobytes()
    else:
        for part in array:
            yield from _blocks(part)
