"""What of images, files and parameters counts in the key of a cache: their content."""

import os
from dataclasses import fields, is_dataclass
from numbers import Real

import numpy as np
from nibabel import is_proxy
from nilearn.surface import PolyMesh

from .._support.cache import digest


def fingerprint(image):
    """Return a short text that changes when the content of a run's image does.

    Parameters
    ----------
    image : nibabel image or SurfaceImage
        Of a file, its path, size, times of change (ns) and place on disk count, and
        what the header makes of its numbers; of an image in memory, or one that says
        it is another file than it reads, all of its numbers.
    """
    if hasattr(image, "mesh"):
        return digest(
            [(name, digest(np.asarray(part))) for name, part in _parts(image.data)],
            fingerprint_of_mesh(image.mesh),
        )
    paths = _files_of(image)
    if not paths:
        return digest(_digest_of_scans(image), np.ascontiguousarray(image.affine))
    reading = [getattr(image.dataobj, n, None) for n in ("slope", "inter", "offset")]
    reading.append(str(image.dataobj.dtype))
    return digest(
        [_state_of_file(path) for path in paths], reading, image.shape, image.affine
    )


def _files_of(image):
    """Return the files that an image's numbers come from, none if it is not sure.

    nibabel's `set_filename` and `to_filename` give an image another name, while its
    scans are still read from the file that it was loaded from.
    """
    paths = [file.filename for file in image.file_map.values()]
    paths = [path for path in paths if path is not None and os.path.isfile(path)]
    is_read = is_proxy(image.dataobj)
    source = getattr(image.dataobj, "file_like", None)
    return paths if is_read and source in paths else []


def _digest_of_scans(image):
    """Return the digest of an image's numbers in either order, one scan at a time.

    x goes fastest, as in files, so that images that come from files are not copied.
    """
    scans = np.asarray(image.dataobj).T
    return digest("|".join(digest(np.ascontiguousarray(scan)) for scan in scans))


def fingerprint_of_mesh(mesh):
    """Return a short text that changes when the vertices or faces of a mesh do."""
    parts = _parts(mesh)
    return digest([(name, digest(p.coordinates, p.faces)) for name, p in parts])


def _state_of_file(path):
    """Return what of a file changes when it is edited, replaced or linked elsewhere.

    A copy can bring the size and the time of change along (``cp -p``), but not the time
    at which it was put in place.
    """
    stat = os.stat(path)
    times = stat.st_mtime_ns, stat.st_ctime_ns
    place = os.path.realpath(path), stat.st_ino, stat.st_dev
    return place, stat.st_size, times


def _parts(data):
    """Return the parts of a surface's data or mesh with their names."""
    return list(data.parts.items())


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
