"""Disks: what reading may end in, and room for what is written to a mapped file."""

import errno
import os
import shutil
import zlib

from isal import isal_zlib

READ_ERRORS: tuple = (
    *(OSError, EOFError, ValueError, MemoryError),
    *(zlib.error, isal_zlib.error),
)
"""What libraries let through where a file is truncated or corrupt, a header included.
"""

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
"""What a full disk, or a used-up share of it, is to the system."""


def check_room(folder, n_bytes):
    """Raise OSError where a disk has less room left than is needed."""
    if shutil.disk_usage(folder).free < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def take_room(descriptor, start, n_bytes):
    """Take bytes of the disk for a file; return whether the system can do that.

    Raises
    ------
    OSError
        If there are not as many.
    """
    if not hasattr(os, "posix_fallocate"):
        return False
    try:
        os.posix_fallocate(descriptor, start, n_bytes)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        return False
    return True
