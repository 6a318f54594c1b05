"""Files that are not what they say: read right, or an error that names them."""

import bz2
import gzip
import resource
import time
import zlib

import nibabel as nib
import numpy as np
import pytest
from isal import isal_zlib
from nibabel.cifti2 import BrainModelAxis, SeriesAxis
from nilearn.maskers import (
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
)

from helpers import words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._images import streams
from sbc_estimators._images.opening import open_scans, read_still
from sbc_estimators._support.disks import READ_ERRORS
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import RegionSeeds, SphereSeeds

NAMED = (OSError, ValueError, TypeError)
"""Errors that are said in our own words; no other may be raised."""


@pytest.fixture(scope="module")
def data():
    """A small run in memory."""
    return make_runs(1, 12, 120, 1, n_confounds=0, random_state=0)


@pytest.fixture(scope="module")
def files(data, tmp_path_factory):
    """The same as files: run, mask, labels and maps, uncompressed."""
    folder = tmp_path_factory.mktemp("files")
    affine, inside = data.mask_img.affine, np.asarray(data.mask_img.dataobj)
    halves = (1 + (np.indices(inside.shape)[0] > 4)) * inside
    maps = np.stack([halves == 1, halves == 2], axis=-1).astype(np.float32)
    images = {
        "run": data.runs[0].img,
        "mask": data.mask_img,
        "labels": nib.Nifti1Image(halves.astype(np.int16), affine),
        "maps": nib.Nifti1Image(maps, affine),
    }
    paths = {name: folder / f"{name}.nii" for name in images}
    for name, img in images.items():
        nib.save(nib.Nifti1Image(np.asarray(img.dataobj), affine), paths[name])
    return paths


@pytest.fixture(scope="module")
def uses(data):
    """What reads each file: a function of its path that returns numbers."""
    run, seeds = data.runs[0].img, SphereSeeds(data.seeds, radius=6)
    brain = NiftiMasker(data.mask_img)

    def fitted(seed_masker, brain_masker, img=run):
        sbc = SeedCorrelationMap(seed_masker, brain_masker)
        return sbc.fit(Run(img)).correlations_

    spheres = {"radius": 6, "allow_overlap": True}
    return {
        "run": ("run", lambda path: fitted(seeds, brain, path)),
        "brain mask": ("mask", lambda path: fitted(seeds, NiftiMasker(path))),
        "multi mask": ("mask", lambda path: fitted(seeds, MultiNiftiMasker(path))),
        "sphere mask": (
            "mask",
            lambda path: fitted(
                NiftiSpheresMasker(data.seeds, mask_img=path, **spheres), brain
            ),
        ),
        "labels": ("labels", lambda path: fitted(NiftiLabelsMasker(path), brain)),
        "maps": ("maps", lambda path: fitted(NiftiMapsMasker(path), brain)),
        "own regions": ("labels", lambda path: fitted(RegionSeeds(path), brain)),
        "own mask": (
            "mask",
            lambda path: fitted(SphereSeeds(data.seeds, 6, mask_img=path), brain),
        ),
        "image of a file": (
            "labels",
            lambda path: fitted(RegionSeeds(loaded(path)), brain),
        ),
    }


def loaded(path):
    """Return a file as users load it."""
    try:
        return nib.load(path)
    except Exception as error:  # nibabel's, and none of ours
        raise OSError(path) from error


def outcome(use, path, expected):
    """Return how the use of a spoilt file ends: right, or an error that names it."""
    said = None
    try:
        found = use(str(path))
    except NAMED as error:
        said = str(error)
    if said is not None:
        assert path.name in said
        return "named"
    np.testing.assert_array_equal(found, expected)
    return "right"


# Streams

USES = ("run", "brain mask", "multi mask", "sphere mask", "labels", "maps")
USES += ("own regions", "own mask", "image of a file")

TAIL = np.random.default_rng(1).integers(0, 256, 30_000).astype(np.uint8).tobytes()
"""What may follow the numbers in a stream."""


@pytest.mark.filterwarnings("ignore")  # what is right may be odd
@pytest.mark.parametrize("tail", [b"", TAIL], ids=["", "more behind"])
@pytest.mark.parametrize("name", USES)
def test_a_flipped_bit_is_never_silent(files, uses, tmp_path, name, tail):
    """nibabel stops before the checksum: 135 of 300 flips in a mask changed the map."""
    kind, use = uses[name]
    good = gzip.compress(files[kind].read_bytes() + tail)
    expected, path = use(str(files[kind])), tmp_path / "flipped.nii.gz"
    rng, ends = np.random.default_rng(len(name)), []
    for _ in range(12):
        spoilt = bytearray(good)
        spoilt[rng.integers(10, len(good))] ^= 1 << rng.integers(8)
        path.write_bytes(spoilt)
        ends.append(outcome(use, path, expected))
    assert ends.count("named") > 8


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress])
@pytest.mark.parametrize("name", ["run", "brain mask", "labels"])
def test_what_follows_the_numbers_is_looked_at(files, uses, tmp_path, name, pack):
    kind, use = uses[name]
    suffix = "gz" if pack is gzip.compress else "bz2"
    path = tmp_path / f"cut.nii.{suffix}"
    packed = pack(files[kind].read_bytes()) + pack(TAIL)
    path.write_bytes(packed)
    np.testing.assert_array_equal(use(str(path)), use(str(files[kind])))
    path.write_bytes(packed[:-200])
    with pytest.raises(OSError, match=words(path.name, "truncated or corrupt")):
        use(str(path))


def test_error_of_isal_is_one_of_ours(files, uses, tmp_path):
    """It is no error of zlib, and escaped."""
    kind, use = uses["run"]
    packed = bytearray(gzip.compress(files[kind].read_bytes()))
    packed[200:260] = b"\xff" * 60
    path = tmp_path / "spoilt.nii.gz"
    path.write_bytes(packed)
    with pytest.raises(OSError, match=words(path.name, "truncated or corrupt")):
        use(str(path))


# Headers


def with_header(content, **fields):
    """Return a file whose header has other values."""
    header = nib.Nifti1Header(content[:348])
    for name, value in fields.items():
        header[name] = value
    return header.binaryblock + content[348:]


CLAIMS = {
    "terabytes of voxels": {"dim": [3, 32000, 32000, 32000, 1, 1, 1, 1]},
    "gigabytes of scans": {"dim": [4, 9, 11, 9, 32000, 1, 1, 1]},
    "numbers behind 1.2 GB": {"vox_offset": 1.2e9},
    "no voxel": {"dim": [3, 0, 11, 9, 1, 1, 1, 1]},
    "fewer than none": {"dim": [3, -9, 11, 9, 1, 1, 1, 1]},
}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nii.bz2"])
@pytest.mark.parametrize("name", ["run", "brain mask", "labels", "own regions"])
@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_are_bounded_by_the_file(files, uses, tmp_path, suffix, name, claim):
    """A bare MemoryError, or a skip of 1.2 GB in memory."""
    kind, use = uses[name]
    content = files[kind].read_bytes()
    fields = {key: np.array(value) for key, value in CLAIMS[claim].items()}
    if kind == "run" and "dim" in fields and fields["dim"][0] == 3:
        fields["dim"][[0, 4]] = 4, 12
    content = with_header(content, **fields)
    pack = {".nii": bytes, ".nii.gz": gzip.compress, ".nii.bz2": bz2.compress}[suffix]
    path = tmp_path / f"claims{suffix}"
    path.write_bytes(pack(content))
    started, before = time.monotonic(), peak()
    with pytest.raises((OSError, ValueError), match=path.name):
        use(str(path))
    assert time.monotonic() - started < 10
    assert peak() - before < 2**29


def test_memory_that_is_not_there_is_said(monkeypatch, files):
    def refused(*_):
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr("sbc_estimators._images.volume.check_claim", refused)
    with pytest.raises(OSError, match="not as much memory as its header claims"):
        open_scans(files["run"])


def spoilt_headers(content, n, seed):
    """Yield files with some bytes of their headers spoilt."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        spoilt = bytearray(content)
        for place in rng.integers(0, 348, rng.integers(1, 4)):
            kind = rng.integers(3)
            value = (0, 255, int(rng.integers(256)))[kind]
            spoilt[place] = value
        yield bytes(spoilt)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("name", ["run", "brain mask", "labels", "own regions"])
def test_spoilt_headers_end_in_a_map_or_a_named_error(
    files, uses, tmp_path, caplog, name, suffix
):
    """Within 10 s and 1 GB each; what they mean, nobody knows."""
    kind, use = uses[name]
    path = tmp_path / f"spoilt{suffix}"
    content = files[kind].read_bytes()
    for spoilt in spoilt_headers(content, 25, seed=len(name)):
        path.write_bytes(gzip.compress(spoilt) if suffix == ".nii.gz" else spoilt)
        started, before = time.monotonic(), peak()
        found, said = 0.0, "run 0"
        try:
            found = use(str(path))
        except NAMED as error:
            said = str(error)
        assert np.isfinite(found).all()
        assert any(about in said for about in ("run 0", "seed_masker", "brain_masker"))
        assert "could not be mapped" not in said
        assert time.monotonic() - started < 10
        assert peak() - before < 2**30


def peak():
    """Return the most bytes that this process has had in memory."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


# Other formats


def test_the_last_bytes_of_other_formats_are_read(data, tmp_path):
    """AFNI's .BRIK.gz, MINC and others are read by nibabel alone."""
    img = nib.MGHImage(np.asarray(data.mask_img.dataobj), data.mask_img.affine)
    path = tmp_path / "mask.mgz"
    nib.save(img, path)
    assert read_still(path, "mask_img").values.sum() == 120
    path.write_bytes(path.read_bytes()[:-6])
    with pytest.raises(OSError, match="truncated or corrupt"):
        read_still(path, "mask_img")


@pytest.mark.parametrize("n_bytes", [0, 1, 2 * streams.STEP + 3])
def test_bytes_are_passed_over_in_steps(tmp_path, n_bytes):
    path = tmp_path / "stream.gz"
    path.write_bytes(gzip.compress(bytes(n_bytes) + b"rest"))
    with gzip.open(path) as stream:
        streams.skip(stream, n_bytes)
        assert stream.read() == b"rest"
        with pytest.raises(EOFError, match="ends before"):
            streams.skip(stream, 1)


# Whatever a library raises


class Broken:
    """Numbers in a place from which they cannot be read."""

    dtype = np.dtype("f4")

    def __init__(self, shape, error):
        self.shape, self.ndim, self.error = shape, len(shape), error

    def __array__(self, dtype=None, copy=None):
        raise self.error("it is spoilt")

    def __getitem__(self, scans):
        raise self.error("it is spoilt")


def broken_images(error):
    """Return images of both formats that cannot be read, as files may be."""
    cortex = BrainModelAxis.from_mask(np.ones(5, bool), "cortex_left")
    cifti = nib.Cifti2Image(np.ones((9, 5), "f4"), (SeriesAxis(0, 2, 9), cortex))
    volume = nib.Nifti1Image(np.ones((2, 2, 2, 9), "f4"), np.eye(4))
    for img in (cifti, volume):
        img._dataobj = Broken(img.shape, error)
    return cifti, volume


@pytest.mark.parametrize("error", READ_ERRORS)
@pytest.mark.parametrize("position", [0, 1])
def test_all_that_reading_ends_in_is_told(position, error):
    img = broken_images(error)[position]
    told = "image data cannot be read.*it is spoilt"
    with pytest.raises(OSError, match=told):
        open_scans(img).series(np.arange(3))
    with pytest.raises(OSError, match=told):
        read_still(img, "labels_img")


def test_what_a_spoilt_stream_is_to_each_library():
    assert {OSError, EOFError, MemoryError, zlib.error, isal_zlib.error} <= {
        *READ_ERRORS
    }
