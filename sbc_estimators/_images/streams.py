"""Files of numbers: bounded by what they can hold, compressed ones read to their ends.

Only the end of a stream tells whether what came before is what was written.
"""

import os
from pathlib import Path

from isal import igzip
from nibabel.openers import ImageOpener

GZIP_MOST = 1032
"""How many bytes one of a gzip stream stands for at the most."""

OTHER_COMPRESSION = (".bz2", ".zst")
"""Endings of compressed files that are left to nibabel."""

STEP = 2**22
"""Bytes of a stream that are passed over at a time."""


def is_gzip(path):
    """Whether a file begins as gzip files do."""
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def has_other_compression(path):
    """Whether a file is compressed, but not by gzip."""
    return Path(path).suffix.lower() in OTHER_COMPRESSION


def check_claim(path, n_bytes):
    """Raise EOFError where a file cannot hold so many bytes.

    How many a gzip stream has is known when it has been read; here it is enough that
    memory is not asked for what cannot be there.
    """
    size = os.path.getsize(path)
    if has_other_compression(path):
        # Without a bound: where a header claims much, all is counted.
        most = _count(path) if n_bytes > GZIP_MOST * size else n_bytes
    else:
        most = GZIP_MOST * size if is_gzip(path) else size
    if most < n_bytes:
        raise EOFError(f"its header claims {n_bytes} bytes, it has at most {most}")


def check_end(path):
    """Raise what a library raises where a compressed file is spoilt anywhere."""
    if is_gzip(path) or has_other_compression(path):
        _count(path)


def _count(path):
    """Return how many bytes a compressed file holds."""
    opened = igzip.open(path) if is_gzip(path) else ImageOpener(path)
    with opened as stream:
        return read_on(stream)


def read_on(stream):
    """Read a stream to its end, and return how many bytes were left."""
    n_bytes = 0
    while part := stream.read(STEP):
        n_bytes += len(part)
    return n_bytes


def skip(stream, n_bytes):
    """Pass over the first bytes of a stream; raise EOFError where it has fewer."""
    while n_bytes:
        passed = len(stream.read(min(n_bytes, STEP)))
        if not passed:
            raise EOFError("it ends before its numbers begin")
        n_bytes -= passed
