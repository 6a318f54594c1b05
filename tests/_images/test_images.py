"""Reading scans in blocks: formats, types, scalings, and files that are no good."""

import bz2
import gc
import gzip
import warnings
from contextlib import contextmanager
from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest

from helpers import every_pair, read_in_blocks
from sbc_estimators._arrays.spatial import mean_map
from sbc_estimators._images.opening import open_scans
from sbc_estimators._images.scans import Scaling

SHAPE = (5, 6, 4)
N_SCANS = 11
EVERY = np.arange(N_SCANS)
SCAN_VOXELS = int(np.prod(SHAPE))
DTYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]
AFFINE = np.array([[-3.0, 0, 0, 9], [0, 2, 0.5, -7], [0, -0.5, 2, 4], [0, 0, 0, 1]])


def numbers(dtype, seed=0):
    """Return numbers all over a type's range that float64 holds."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        values = 1000 + 100 * rng.standard_normal((*SHAPE, N_SCANS))
    else:
        info = np.iinfo(dtype)
        low, high = max(info.min, -(2**52)), min(info.max, 2**52)
        values = rng.integers(low, high, (*SHAPE, N_SCANS), endpoint=True)
    return values.astype(dtype)


def save(path, data, kind=nib.Nifti1Image, slope=np.nan, intercept=np.nan):
    """Write an image whose numbers on disk are `data`, in their type and byte order."""
    order = ">" if data.dtype.byteorder == ">" else "<"
    header = kind.header_class(endianness=order)
    header.set_data_shape(data.shape)
    header.set_data_dtype(data.dtype)
    header.set_sform(AFFINE, code=1)
    header["scl_slope"], header["scl_inter"] = slope, intercept
    header.set_data_offset(len(header.binaryblock) + 20)
    content = header.binaryblock + bytes(20) + data.tobytes("F")
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@contextmanager
def blocks_of(n_bytes):
    """Read so many bytes at a time, None for what the package chooses."""
    with pytest.MonkeyPatch.context() as patch:
        if n_bytes is not None:
            read_in_blocks(patch, n_bytes)
        yield


def gather(img, kept=EVERY, block_bytes=None):
    """Return the scans that blocks give, scaled, in float64 on the axes (x, y, z, t).

    Every block must hold what it says it does.
    """
    scans, parts, places = open_scans(img), [], []
    with blocks_of(block_bytes):
        for block in scans.blocks(kept):
            assert block.numbers.shape[1:] == scans.grid.shape[::-1]
            rows = np.asarray(block.numbers[block.rows], dtype=np.float64)
            assert len(rows) > 0
            parts.append(scans.scaling.slope * rows + scans.scaling.intercept)
            places.extend(range(len(kept))[block.kept])
    assert places == list(range(len(kept)))
    return np.concatenate(parts).transpose(3, 2, 1, 0)


def expected_of(path):
    """Return what nibabel makes of an image."""
    return np.asarray(nib.load(path).dataobj, dtype=np.float64)


# Formats and types


@pytest.mark.parametrize(
    ("ending", "dtype", "order"),
    every_pair([".nii", ".nii.gz"], DTYPES, ["<", ">"]),
)
def test_type_on_disk(tmp_path, ending, dtype, order):
    data = numbers(np.dtype(dtype).newbyteorder(order))
    path = save(tmp_path / f"run{ending}", data)
    np.testing.assert_array_equal(gather(path), data)
    np.testing.assert_array_equal(gather(path), expected_of(path))


@pytest.mark.parametrize(
    ("scale", "kind", "dtype", "order"),
    every_pair(
        [(2.5, 0), (-0.125, 40), (1e-3, -7), (1, 1000), (0, 0)],
        [nib.Nifti1Image, nib.Nifti2Image],
        ["i2", "u1", "i4", "f4"],
        ["<", ">"],
    ),
)
def test_scaling_on_disk(tmp_path, scale, kind, dtype, order):
    slope, intercept = scale
    data = numbers(np.dtype(dtype).newbyteorder(order))
    path = save(tmp_path / "run.nii", data, kind, slope, intercept)
    found = gather(path)
    # A slope of 0 says that there is no scaling.
    by_hand = data.astype(np.float64)
    by_hand = slope * by_hand + intercept if slope else by_hand
    np.testing.assert_allclose(found, expected_of(path), rtol=1e-12)
    np.testing.assert_allclose(found, by_hand, rtol=1e-6, atol=1e-5)


FORMATS = {
    "nifti-1": (nib.Nifti1Image, "run.nii"),
    "nifti-1-gz": (nib.Nifti1Image, "run.nii.gz"),
    "nifti-2": (nib.Nifti2Image, "run.nii"),
    "nifti-2-gz": (nib.Nifti2Image, "run.nii.gz"),
    "pair": (nib.Nifti1Pair, "run.hdr"),
    "pair-named-by-data": (nib.Nifti1Pair, "run.img"),
    "pair-gz": (nib.Nifti1Pair, "run.img.gz"),
    "nifti-2-pair": (nib.Nifti2Pair, "run.hdr"),
    "analyze": (nib.AnalyzeImage, "run.hdr"),
    "spm": (nib.Spm99AnalyzeImage, "run.img"),
    "mgh": (nib.MGHImage, "run.mgh"),
    "mgz": (nib.MGHImage, "run.mgz"),
    "bz2": (nib.Nifti1Image, "run.nii.bz2"),
    "upper-case": (nib.Nifti1Image, "RUN.NII.GZ"),
}


# nibabel opens .mgh and leaves it to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*run.mgh:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("name", "block_bytes", "as_text"),
    every_pair(FORMATS, [1, 3 * SCAN_VOXELS * 2, 2**30], [False, True]),
)
def test_format(tmp_path, name, block_bytes, as_text):
    kind, filename = FORMATS[name]
    data = numbers("i2")
    nib.save(kind(data, AFFINE), tmp_path / filename)
    path = tmp_path / filename
    path = str(path) if as_text else path
    kept = np.array([0, 3, 4, 9])
    np.testing.assert_array_equal(gather(path, kept, block_bytes), data[..., kept])


def test_scaling_that_nibabel_chose(tmp_path):
    rng = np.random.default_rng(1)
    data = 500 + rng.standard_normal((*SHAPE, N_SCANS))
    img = nib.Nifti1Image(data, AFFINE)
    img.set_data_dtype(np.int16)
    nib.save(img, tmp_path / "run.nii.gz")
    path = tmp_path / "run.nii.gz"
    assert open_scans(path).scaling.slope != 1
    np.testing.assert_allclose(gather(path), expected_of(path), rtol=1e-14)


@pytest.mark.parametrize("n_members", [2, 5])
def test_gzip_of_several_members(tmp_path, n_members):
    data = numbers("i2")
    plain = save(tmp_path / "run.nii", data).read_bytes()
    cuts = np.linspace(0, len(plain), n_members + 1).astype(int)
    # The first member ends within the header.
    cuts[1] = 100
    parts = [plain[a:b] for a, b in pairwise(cuts)]
    path = tmp_path / "run.nii.gz"
    path.write_bytes(b"".join(gzip.compress(part) for part in parts))
    for block_bytes in (1, 500, 2**27):
        np.testing.assert_array_equal(gather(path, EVERY, block_bytes), data)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_gzip_of_any_level(tmp_path, level):
    data = numbers("f4")
    plain = save(tmp_path / "run.nii", data).read_bytes()
    path = tmp_path / "run.nii.gz"
    path.write_bytes(gzip.compress(plain, level))
    np.testing.assert_array_equal(gather(path), data)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_data_that_begin_late(tmp_path, ending):
    # Header extensions lie between the header and the data.
    data = numbers("i2")
    img = nib.Nifti1Image(data, AFFINE)
    extension = nib.nifti1.Nifti1Extension("comment", b"x" * 5000)
    img.header.extensions.append(extension)
    nib.save(img, tmp_path / f"run{ending}")
    path = tmp_path / f"run{ending}"
    assert nib.load(path).dataobj.offset > 5000
    np.testing.assert_array_equal(gather(path, EVERY, 1), data)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_file_longer_than_its_header_says(tmp_path, ending):
    data = numbers("i2")
    plain = save(tmp_path / "run.nii", data).read_bytes() + b"\0" * 3000
    path = tmp_path / f"long{ending}"
    path.write_bytes(gzip.compress(plain) if ending == ".nii.gz" else plain)
    np.testing.assert_array_equal(gather(path), data)


def test_open_file_is_read_by_nibabel(tmp_path):
    data = numbers("i2")
    path = save(tmp_path / "run.nii", data)
    with open(path, "rb") as file:
        file_map = nib.Nifti1Image.make_file_map({"image": file})
        image = nib.Nifti1Image.from_file_map(file_map)
        np.testing.assert_array_equal(gather(image, EVERY, 1), data)


# Blocks


@pytest.mark.parametrize(
    ("ending", "n_scans_in_block", "dtype"),
    every_pair(
        [".nii", ".nii.gz", None], [1, 2, 3, 5, 10, 11, 12, 100], ["u1", "i2", "f8"]
    ),
)
def test_size_of_blocks(tmp_path, ending, n_scans_in_block, dtype):
    data = numbers(dtype)
    image = nib.Nifti1Image(data, AFFINE, dtype=data.dtype)
    if ending:
        image = save(tmp_path / f"run{ending}", data)
    scan_bytes = SCAN_VOXELS * data.dtype.itemsize
    block_bytes = n_scans_in_block * scan_bytes + scan_bytes // 2
    with blocks_of(block_bytes):
        sizes = [len(block.numbers) for block in open_scans(image).blocks(EVERY)]
    assert sum(sizes) == N_SCANS
    assert max(sizes) == min(n_scans_in_block, N_SCANS)
    np.testing.assert_array_equal(gather(image, EVERY, block_bytes), data)


KEPT = {
    "first": [0],
    "last": [10],
    "ends": [0, 10],
    "middle": [4, 5, 6],
    "all but one": [0, 1, 2, 3, 4, 6, 7, 8, 9, 10],
    "every other": [1, 3, 5, 7, 9],
}


@pytest.mark.parametrize(
    ("ending", "n_scans_in_block", "kept"),
    every_pair([".nii", ".nii.gz", None], [1, 2, 4, 11], KEPT),
)
def test_kept_scans(tmp_path, ending, n_scans_in_block, kept):
    data, kept = numbers("i2"), np.array(KEPT[kept])
    image = nib.Nifti1Image(data, AFFINE)
    if ending:
        image = save(tmp_path / f"run{ending}", data)
    found = gather(image, kept, n_scans_in_block * SCAN_VOXELS * 2)
    np.testing.assert_array_equal(found, data[..., kept])


# In memory


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "u1", "<f4", "<f8", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_image_in_memory_is_not_copied(order, dtype):
    data = np.asarray(numbers(dtype), order=order)
    before = data.copy()
    image = nib.Nifti1Image(data, AFFINE)
    for block_bytes in (1, 2**27):
        with blocks_of(block_bytes):
            for block in open_scans(image).blocks(EVERY):
                assert np.shares_memory(block.numbers, data)
                assert block.numbers.dtype == data.dtype
    np.testing.assert_array_equal(gather(image), data)
    np.testing.assert_array_equal(data, before)
    assert open_scans(image).scaling == Scaling(1.0, 0.0)


def test_slice_in_memory():
    data = numbers("i2")
    view = data[::-1, :, ::2, 1::2]
    image = nib.Nifti1Image(view, AFFINE)
    with blocks_of(1):
        blocks = list(open_scans(image).blocks(np.arange(5)))
    assert all(np.shares_memory(block.numbers, data) for block in blocks)
    np.testing.assert_array_equal(gather(image, np.arange(5)), view)


def test_uncompressed_file_is_memory_mapped(tmp_path):
    path = save(tmp_path / "run.nii", numbers("i2"))
    for block in open_scans(path).blocks(EVERY):
        assert isinstance(block.numbers, np.memmap)
        assert not block.numbers.flags.writeable


def test_image_that_is_loaded_is_not_filled(tmp_path):
    path = save(tmp_path / "run.nii.gz", numbers("i2"))
    image = nib.load(path)
    gather(image)
    open_scans(image).image_of(EVERY)
    assert not image.in_memory


def test_image_whose_data_were_taken_before(tmp_path):
    data = numbers("i2")
    image = nib.load(save(tmp_path / "run.nii.gz", data))
    image.get_fdata()[:] = 0
    np.testing.assert_array_equal(gather(image), data)


@pytest.mark.parametrize("dtype", ["c8", [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_what_is_no_plain_number(dtype):
    image = nib.Nifti1Image(np.zeros((*SHAPE, N_SCANS), dtype=dtype), AFFINE)
    with pytest.raises(ValueError, match=r"a run must be.* real numbers, got"):
        open_scans(image)


# Files that are no good


def flipped(packed):
    """Return a gzip stream with zeros in the middle."""
    middle = len(packed) // 2
    return packed[:middle] + bytes(40) + packed[middle + 40 :]


# What to make of a good file, and of the same compressed.
DAMAGES = {
    "cut.nii.gz": lambda plain, packed: packed[: len(packed) // 2],
    "no-trailer.nii.gz": lambda plain, packed: packed[:-8],
    "half-trailer.nii.gz": lambda plain, packed: packed[:-3],
    "crc.nii.gz": lambda plain, packed: packed[:-8] + b"\1\2\3\4" + packed[-4:],
    "length.nii.gz": lambda plain, packed: packed[:-4] + b"\1\2\3\4",
    "flipped.nii.gz": lambda plain, packed: flipped(packed),
    "short.nii.gz": lambda plain, packed: gzip.compress(plain[:-1]),
    "scan-short.nii.gz": lambda plain, packed: gzip.compress(plain[: -SCAN_VOXELS * 8]),
    "second-member.nii.gz": lambda plain, packed: (
        gzip.compress(plain[:9000]) + gzip.compress(plain[9000:])[:-20]
    ),
    "cut.nii": lambda plain, packed: plain[: len(plain) // 2],
    "short.nii": lambda plain, packed: plain[:-1],
    "header-only.nii": lambda plain, packed: plain[:368],
    "header-only.nii.gz": lambda plain, packed: gzip.compress(plain[:368]),
    "cut-header.nii": lambda plain, packed: plain[:200],
    "cut-header.nii.gz": lambda plain, packed: gzip.compress(plain[:200]),
    "cut-gzip-header.nii.gz": lambda plain, packed: packed[:6],
    "empty.nii": lambda plain, packed: b"",
    "empty.nii.gz": lambda plain, packed: b"",
    "text.nii": lambda plain, packed: b"this is no image" * 100,
    "text.nii.gz": lambda plain, packed: b"this is no image" * 100,
    "not-packed.nii.gz": lambda plain, packed: plain,
    "cut.nii.bz2": lambda plain, packed: bz2.compress(plain)[:-200],
}


NO_GOOD = "file is truncated or corrupt|not an image that nibabel can open"


def damaged(tmp_path, how):
    """Write a file that is damaged in a way, and return its path."""
    plain = save(tmp_path / "good.nii", numbers("f8")).read_bytes()
    path = tmp_path / how
    path.write_bytes(DAMAGES[how](plain, gzip.compress(plain)))
    return path


def read_through(path, block_bytes):
    """Open and read a file as the streamed path does."""
    with blocks_of(block_bytes):
        for _ in open_scans(path).blocks(EVERY):
            pass


@pytest.mark.parametrize("block_bytes", [1, 2**27])
@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_file(tmp_path, how, block_bytes):
    path = damaged(tmp_path, how)
    with pytest.raises((OSError, ValueError), match=NO_GOOD):
        read_through(path, block_bytes)


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_file_in_memory(tmp_path, how):
    # nibabel stops before the end of the stream, and so before the checksum.
    path = damaged(tmp_path, how)
    with pytest.raises((OSError, ValueError), match=NO_GOOD):
        open_scans(path).image_of(EVERY)


@pytest.mark.parametrize("how", ["crc.nii.gz", "cut.nii.gz"])
def test_damage_after_the_last_kept_scan_is_seen(tmp_path, how):
    scans = open_scans(damaged(tmp_path, how))
    with blocks_of(1), pytest.raises(OSError, match="truncated or corrupt"):
        list(scans.blocks(np.arange(2)))


@pytest.mark.parametrize("n_cut", [1, 8, 12])
def test_end_of_the_stream_is_looked_at(tmp_path, n_cut):
    # bgzip ends a file with an empty member; without it, the file has been cut.
    packed = gzip.compress(save(tmp_path / "run.nii", numbers("i2")).read_bytes())
    path = tmp_path / "run.nii.gz"
    path.write_bytes(packed + gzip.compress(b""))
    np.testing.assert_array_equal(gather(path), numbers("i2"))
    path.write_bytes(packed + gzip.compress(b"")[:-n_cut])
    with pytest.raises(OSError, match="truncated or corrupt"):
        list(open_scans(path).blocks(EVERY))


def test_file_that_vanishes_after_it_was_opened(tmp_path):
    for ending in (".nii", ".nii.gz"):
        path = save(tmp_path / f"run{ending}", numbers("i2"))
        scans = open_scans(path)
        path.unlink()
        with pytest.raises(OSError, match="cannot be read"):
            list(scans.blocks(EVERY))


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mgz", ".nii.bz2"])
@pytest.mark.parametrize("stop_after", [1, 3, None])
def test_files_are_closed(tmp_path, ending, stop_after):
    kind = nib.MGHImage if ending == ".mgz" else nib.Nifti1Image
    path = tmp_path / f"run{ending}"
    nib.save(kind(numbers("i2"), AFFINE), path)
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with blocks_of(1):
            blocks = open_scans(path).blocks(EVERY)
            for i, _ in enumerate(blocks, start=1):
                if i == stop_after:
                    break
        del blocks
        gc.collect()
    path.unlink()


@pytest.mark.parametrize("how", ["cut.nii.gz", "crc.nii.gz", "cut.nii", "text.nii.gz"])
def test_files_are_closed_after_an_error(tmp_path, how):
    path = damaged(tmp_path, how)
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((OSError, ValueError)):
            read_through(path, 1)
        gc.collect()


# All scans in memory


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mgz", None])
def test_scans_in_memory(tmp_path, ending):
    data = numbers("i2")
    kind = nib.MGHImage if ending == ".mgz" else nib.Nifti1Image
    image = kind(data, AFFINE)
    if ending:
        nib.save(image, tmp_path / f"run{ending}")
        image = tmp_path / f"run{ending}"
    kept = np.array([1, 2, 7])
    found, not_finite = open_scans(image).image_of(kept)
    assert not_finite is None
    assert found.dataobj.dtype == np.float64
    np.testing.assert_array_equal(found.dataobj, data[..., kept])
    np.testing.assert_allclose(found.affine, AFFINE, atol=1e-5)


def test_scans_in_memory_are_scaled(tmp_path):
    path = save(tmp_path / "run.nii", numbers("i2"), nib.Nifti1Image, -0.5, 3.25)
    found, _ = open_scans(path).image_of(EVERY)
    np.testing.assert_array_equal(found.dataobj, -0.5 * numbers("i2") + 3.25)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kept", [EVERY, np.array([2, 3, 8])])
def test_voxels_that_are_not_finite(value, kept):
    data = numbers("f8")
    data[1, 2, 3, 3] = data[0, 0, 0, :] = value
    data[4, 5, 1, 8] = -value
    data[2, 2, 2, 5] = value  # censored where not all are kept
    before = data.copy()
    found, not_finite = open_scans(nib.Nifti1Image(data, AFFINE)).image_of(kept)
    bad = ~np.isfinite(data[..., kept]).all(axis=-1)
    assert bad.sum() == (4 if len(kept) == N_SCANS else 3)
    np.testing.assert_array_equal(not_finite.values, bad.ravel())
    assert not_finite.grid.shape == SHAPE
    np.testing.assert_array_equal(
        found.dataobj, np.where(bad[..., np.newaxis], 0, data[..., kept])
    )
    np.testing.assert_array_equal(data, before)


def test_voxel_of_both_infinities():
    data = numbers("f8")
    data[1, 2, 3, 3:5] = np.inf, -np.inf
    found, not_finite = open_scans(nib.Nifti1Image(data, AFFINE)).image_of(EVERY)
    assert not_finite.values.sum() == 1
    assert (np.asarray(found.dataobj)[1, 2, 3] == 0).all()


def test_large_numbers_are_finite():
    data = numbers("f8")
    data[1, 2, 3] = 1e308
    found, not_finite = open_scans(nib.Nifti1Image(data, AFFINE)).image_of(EVERY)
    assert not_finite is None
    np.testing.assert_array_equal(found.dataobj, data)


# Signals of some positions


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32", ">i2", ">f8"])
def test_means_in_float64(dtype, order):
    rng = np.random.default_rng(11)
    data = rng.integers(0, 120, (*SHAPE, 30)).astype(dtype, order=order)
    means = mean_map([np.array([0]), np.array([1, 7, 50]), np.arange(120)])
    image = nib.Nifti1Image(data, AFFINE, dtype=data.dtype)
    signals = open_scans(image).signals(means)
    numbers = data.astype(np.float64).reshape(120, 30)
    expected = [numbers[[0]], numbers[[1, 7, 50]], numbers]
    expected = np.stack([voxels.mean(axis=0) for voxels in expected], axis=1)
    assert signals.dtype == np.float64
    np.testing.assert_allclose(signals, expected, rtol=1e-13)


def test_means_of_integers_do_not_overflow():
    data = np.full((8, 1, 1, 3), 30_001, dtype=np.int16)
    data[0] = 30_000
    signals = open_scans(nib.Nifti1Image(data, AFFINE)).signals(
        mean_map([np.arange(8)])
    )
    np.testing.assert_allclose(signals, 30_000.875, rtol=1e-14)


def test_means_of_float32_keep_small_fluctuations():
    data = 1e4 + np.random.default_rng(12).standard_normal((10, 10, 10, 5))
    data = data.astype(np.float32)
    expected = data.reshape(1000, 5).astype(np.float64).mean(axis=0)
    signals = open_scans(nib.Nifti1Image(data, AFFINE)).signals(
        mean_map([np.arange(1000)])
    )
    np.testing.assert_allclose(signals[:, 0], expected, rtol=1e-14)


@pytest.mark.parametrize("kept", [None, np.array([1, 2, 7])])
def test_series_are_scaled_and_0_where_not_finite(tmp_path, kept):
    data = numbers("f4")
    data[0, 0, 1, 2] = np.nan
    path = save(tmp_path / "run.nii.gz", data, nib.Nifti1Image, -0.5, 3.25)
    positions = np.array([1, 0, 77])
    found = open_scans(path).series(positions, kept)
    rows = EVERY if kept is None else kept
    expected = -0.5 * data.astype(np.float64).reshape(-1, N_SCANS) + 3.25
    expected[1] = 0
    np.testing.assert_array_equal(found, expected[positions][:, rows].T)


@pytest.mark.parametrize("kept", [EVERY, np.array([1, 2, 7])])
def test_mean_over_scans(tmp_path, kept):
    path = save(tmp_path / "run.nii", numbers("i2"), nib.Nifti1Image, -0.5, 3.25)
    expected = -0.5 * numbers("i2")[..., kept].mean(axis=-1) + 3.25
    with blocks_of(3 * SCAN_VOXELS * 2):
        found = open_scans(path).mean(kept)
    np.testing.assert_allclose(found, expected.ravel(), rtol=1e-12)
