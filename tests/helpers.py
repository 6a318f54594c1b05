"""What tests share and pytest need not hand to them: plain functions and classes."""

import base64
import collections
import gzip
import hashlib
import itertools
import pickle
import re
import subprocess
import sys

import nibabel as nib
import numpy as np
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker, SurfaceMasker
from nilearn.surface import SurfaceImage

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import GrayordinateMasker


def words(*parts):
    """Return a pattern for `match` that wants all these parts, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(str(part))})" for part in parts)


def every_pair(*factors):
    """Return few combinations in which every two values of two factors meet.

    As tuples for `pytest.mark.parametrize`, all pairs about equally often. A fault of
    one value, or of two that come together, shows as it does where all are crossed;
    where three have to come together, cross them.
    """
    factors = [list(factor) for factor in factors]
    places = list(itertools.product(*(range(len(factor)) for factor in factors)))
    pairs = {
        place: list(itertools.combinations(enumerate(place), 2)) for place in places
    }
    met, chosen = collections.Counter(), []
    missing = {pair for of_place in pairs.values() for pair in of_place}
    while missing:

        def gain(place):
            news = sum(pair in missing for pair in pairs[place])
            return news, -sum(met[pair] for pair in pairs[place])

        chosen.append(max(places, key=gain))
        missing.difference_update(pairs[chosen[-1]])
        met.update(pairs[chosen[-1]])
    return [
        tuple(factor[i] for factor, i in zip(factors, place, strict=True))
        for place in sorted(chosen)
    ]


def in_turn(values, options):
    """Return each value with one of the options, these taken in turn.

    As tuples for `pytest.mark.parametrize`, where each value has to be tried, each
    option too, and a value does not care which.
    """
    pairs = zip(values, itertools.cycle(options))
    return [sum((_as_tuple(part) for part in pair), ()) for pair in pairs]


def _as_tuple(value):
    """Return a tuple as it is, and anything else as one of length 1."""
    return value if isinstance(value, tuple) else (value,)


# Estimators


def make_sbc(
    data, seeds=1, radius=6, *, spheres=None, voxels=None, cleaning=None, **parameters
):
    """Return an unfitted estimator of spheres and of the voxels in the mask.

    `seeds` are coordinates, or how many of the data's own. Both maskers detrend and
    have the parameters in `cleaning`, one of them those in `spheres` or `voxels`. Of
    data without a mask, which are grayordinates, all of these are mapped.
    """
    seeds = data.seeds[:seeds] if isinstance(seeds, int) else seeds
    both = {"detrend": True, **(cleaning or {})}
    has_mask = hasattr(data, "mask_img")
    kind = NiftiMasker if has_mask else GrayordinateMasker
    own = {"mask_img": data.mask_img} if has_mask else {"mesh": data.mesh}
    return SeedCorrelationMap(
        NiftiSpheresMasker(seeds, radius=radius, **both, **(spheres or {})),
        kind(**{**own, **both, **(voxels or {})}),
        **parameters,
    )


class OwnSpheres(NiftiSpheresMasker):
    """A third-party masker."""


class OwnVoxels(NiftiMasker):
    """A third-party masker of voxels; it takes whole runs where it computes a mask."""


class OwnVertices(SurfaceMasker):
    """A third-party masker of vertices."""


# Images


def images(data):
    """Return the images of runs, without what belongs to them."""
    return [run.img for run in data.runs]


def save(img, path):
    """Write a copy of an image, and return its path.

    nibabel would note the file in an image that other tests share.
    """
    nib.save(nib.Nifti1Image(np.asarray(img.dataobj), img.affine), path)
    return path


def image_like(img, array):
    """Return an array as an image of the grid (mesh) of another one."""
    if not hasattr(img, "mesh"):
        return nib.Nifti1Image(array.astype("u1"), img.affine)
    n_left = img.mesh.parts["left"].n_vertices
    return SurfaceImage(img.mesh, {"left": array[:n_left], "right": array[n_left:]})


class CountingProxy:
    """The data of an image, not in memory, which counts how often each scan is read."""

    is_proxy = True

    def __init__(self, values):
        self.values = values
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim
        self.n_reads = np.zeros(self.shape[-1], int)
        self._scans = np.broadcast_to(np.arange(self.shape[-1]), self.shape)

    def __array__(self, dtype=None, copy=None):
        self.n_reads += 1
        return np.array(self.values, dtype=dtype)

    def __getitem__(self, item):
        self.n_reads[np.unique(self._scans[item])] += 1
        return self.values[item]

    def __deepcopy__(self, memo):
        return self  # nilearn copies images before it reads them


def counted(img):
    """Return a copy of an image whose data counts how often each scan is read."""
    counting = nib.Nifti1Image(CountingProxy(np.asarray(img.dataobj)), img.affine)
    counting.dataobj.n_reads[:] = 0  # nibabel has looked at a voxel for its type
    return counting


def read_in_blocks(patch, n_bytes):
    """Let files be read so many bytes at a time, whatever else there is to consider."""
    sizes = {"BLOCK_BYTES": n_bytes, "BLOCK_SCANS": 0, "MAX_BLOCK_BYTES": 0}
    for name, value in sizes.items():
        patch.setattr(f"sbc_estimators._images.volume.{name}", value)


def sphere(data, seed, radius):
    """Return the voxels of a sphere, bool of the shape of the grid."""
    grid = np.indices(data.mask_img.shape).reshape(3, -1).T
    mm = nib.affines.apply_affine(data.mask_img.affine, grid)
    inside = np.linalg.norm(mm - seed, axis=1) <= radius
    return inside.reshape(data.mask_img.shape)


def drifting(run, folder, where):
    """Return a run in a file in which some voxels drift, given a mask of them."""
    img = nib.load(run.img)
    drift = 2e4 * np.linspace(-1, 1, img.shape[3]) * where[..., np.newaxis]
    scans = np.asarray(img.dataobj, np.float32) + drift.astype(np.float32)
    path = save(nib.Nifti1Image(scans, img.affine), folder / "drift.nii.gz")
    return Run(str(path), t_r=run.t_r)


# Folders and pages


def unpacked(text):
    """Return the bytes of a part of a page."""
    return gzip.decompress(base64.b64decode(text))


def tree(folder):
    """Return the digest of each file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def times(folder):
    """Return when each file below a folder was written, in ns."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}


KILLED = """
import os, pickle, signal, sys

function, arguments, n_left = pickle.load(sys.stdin.buffer)
replace = os.replace

def killed(source, target):
    global n_left
    n_left -= 1
    if n_left == 0:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    replace(source, target)

os.replace = killed
function(*arguments)
"""


def killed_at(n_files, function, *arguments):
    """Call a function in a process that is killed as it puts its nth file in place."""
    given = pickle.dumps((function, arguments, n_files))
    done = subprocess.run([sys.executable, "-c", KILLED], input=given)
    assert done.returncode != 0
