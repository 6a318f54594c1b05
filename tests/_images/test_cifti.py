"""CIFTI files: what is read of them, in which pieces, and what is no run."""

import os
import pickle

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import ScalarAxis, SeriesAxis
from nilearn.signal import high_variance_confounds

from grayordinate_helpers import (
    labels_of,
    maps_of,
    medial_wall,
    of_axes,
    parcels_of,
    save,
    save_as,
    simulated_acquisition,
    with_header,
)
from helpers import words
from sbc_estimators._images import cifti
from sbc_estimators._images.cifti import CiftiScans
from sbc_estimators._images.grids import Still
from sbc_estimators._images.opening import (
    as_maps,
    grid_of,
    is_image,
    key_of,
    open_scans,
    read_still,
)


@pytest.fixture(scope="module")
def data():
    return simulated_acquisition(40)


TYPES = ["<f4", ">f4", "<f8", ">f8"]


@pytest.mark.parametrize("dtype", TYPES)
def test_files_of_any_type_and_byte_order(data, tmp_path, dtype):
    path = save_as(data.img, tmp_path / "a.dtseries.nii", dtype)
    np.testing.assert_array_equal(nib.load(path).get_fdata(), data.matrix)
    scans = open_scans(path)
    assert scans.dataobj.dtype == np.dtype(dtype)
    positions = np.array([3, 4, 5, 90, 400, 401])
    np.testing.assert_array_equal(scans.series(positions), data.matrix[:, positions])
    kept = np.array([0, 3, 4, 39])
    found = scans.series(positions, kept)
    np.testing.assert_array_equal(found, data.matrix[kept][:, positions])
    np.testing.assert_allclose(scans.mean(kept), data.matrix[kept].mean(axis=0))


def test_scaled_numbers(data, tmp_path):
    path = save_as(data.img, tmp_path / "a.dtseries.nii", "i2")
    scans, expected = open_scans(path), nib.load(path).get_fdata()
    assert scans.scaling.slope != 1
    found = scans.series(np.arange(scans.grid.n_positions))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_in_memory(data):
    scans = open_scans(data.img)
    assert (scans.n_scans, scans.grid.n_positions) == data.img.shape
    assert is_image(data.img)
    everything = scans.series(np.arange(scans.grid.n_positions))
    np.testing.assert_array_equal(everything, data.matrix)


def test_a_file_is_never_mapped_as_a_whole(data, tmp_path, monkeypatch):
    path = save(data.img, tmp_path / "a.dtseries.nii")
    monkeypatch.setattr(cifti, "MAX_SLAB", 50)
    mapped, shapes = np.memmap, []

    def noted(*args):
        shapes.append(args[-1])
        return mapped(*args)

    monkeypatch.setattr(np, "memmap", noted)
    open_scans(path).mean(np.arange(40))
    n_positions = data.img.shape[1]
    assert max(n for n, _ in shapes) == 50
    assert sum(n for n, _ in shapes) == n_positions


def test_slabs_hold_few_bytes(data, monkeypatch):
    scans = open_scans(data.img)
    monkeypatch.setattr(cifti, "SLAB_BYTES", 40 * 4 * 7 + 3)
    positions = np.arange(0, 60, 2)
    slabs = scans.slabs(positions)
    assert [len(own) for own, _ in slabs] == [7, 7, 7, 7, 2]
    np.testing.assert_array_equal(np.concatenate([own for own, _ in slabs]), positions)


# The repetition time


def test_repetition_time_is_that_of_the_series(data):
    assert open_scans(data.img).t_r == 2.0
    assert open_scans(data.img).is_t_r_sure


@pytest.mark.parametrize(
    ("step", "exponent", "t_r"), [(720, -3, 0.72), (700, -3, 0.7), (0.2, 1, 2.0)]
)
def test_repetition_time_with_an_exponent(data, step, exponent, t_r):
    img = with_header(data.img, 'SeriesExponent="0"', f'SeriesExponent="{exponent}"')
    img = with_header(img, 'SeriesStep="2.0"', f'SeriesStep="{step}"')
    assert open_scans(img).t_r == t_r


@pytest.mark.parametrize("unit", ["HERTZ", "METER", "RADIAN"])
def test_series_that_are_not_over_time(data, unit):
    img = of_axes(SeriesAxis(0, 0.5, 40, unit), data.axis, data=data.matrix)
    with pytest.raises(ValueError, match=f"are 0.5 {unit.lower()} apart: they are no"):
        open_scans(img)
    assert open_scans(img, is_run=False).t_r is None


def test_a_step_of_zero_is_no_repetition_time(data):
    assert open_scans(of_axes(SeriesAxis(0, 0, 40), data.axis)).t_r is None


# Where grayordinates lie


def test_grid(data):
    grid = grid_of(data.img)
    assert grid.n_positions == len(data.axis)
    assert grid.axis == data.axis
    assert grid.cortex.sizes == {"left": 200, "right": 200}
    np.testing.assert_array_equal(grid.volume.affine, data.axis.affine)
    assert pickle.loads(pickle.dumps(grid)).key == grid.key
    assert grid.same_as(pickle.loads(pickle.dumps(grid)))
    left = np.char.endswith(data.axis.name.astype(str), "_LEFT")
    np.testing.assert_array_equal(grid.side("left"), left)


def test_coordinates_in_metres(data):
    matrix = data.axis.affine
    img = with_header(data.img, 'MeterExponent="-3"', 'MeterExponent="0"')
    assert matrix[0, 0] == 4
    np.testing.assert_allclose(grid_of(img).volume.affine[:3], 1000 * matrix[:3])


def test_brain_models_in_any_order(data):
    order = np.r_[300:420, 0:184, 184:300, 420 : len(data.axis)]
    axis = data.axis[order]
    img = of_axes(SeriesAxis(0, 2, 40), axis, data=data.matrix[:, order])
    assert not grid_of(img).same_as(grid_of(data.img))
    values = np.arange(len(data.axis))
    still = read_still(maps_of(data.axis, values), "mask_img")
    np.testing.assert_array_equal(grid_of(img).values_of(still), order)
    some = np.array([0, 130, 400])
    np.testing.assert_array_equal(grid_of(img).values_at(still, some), order[some])


def test_values_of_volumes_and_surfaces(data):
    grid = grid_of(data.img)
    first = data.matrix[0]
    volume = read_still(data.volume_img.slicer[..., 0], "mask_img")
    expected = np.where(data.is_voxel, first, 0)
    np.testing.assert_array_equal(grid.values_of(volume), expected)
    parts = {side: v[:, :1] for side, v in data.surface_img.data.parts.items()}
    img = type(data.surface_img)(data.mesh, parts)
    surface = read_still(img, "mask_img")
    expected = np.where(data.is_voxel, 0, first)
    np.testing.assert_array_equal(grid.values_of(surface), expected)


def test_values_of_a_file_with_other_grayordinates(data):
    chosen = np.r_[0:100, 200:350, 400 : len(data.axis)]
    still = read_still(maps_of(data.axis[chosen], 1 + chosen), "mask_img")
    expected = np.zeros(len(data.axis))
    expected[chosen] = 1 + chosen
    np.testing.assert_array_equal(grid_of(data.img).values_of(still), expected)


def test_one_hemisphere_alone(data):
    left = data.axis[data.axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT"]
    grid = grid_of(of_axes(SeriesAxis(0, 2, 5), left))
    assert grid.volume is None
    still = read_still(maps_of(data.axis, np.arange(len(data.axis))), "mask_img")
    np.testing.assert_array_equal(grid.values_of(still), np.arange(len(left)))


def test_two_grids_on_other_voxels(data):
    other = data.axis[:]
    other.affine = data.axis.affine + np.eye(4, k=3) * 2
    difference = grid_of(data.img).difference(
        grid_of(of_axes(SeriesAxis(0, 2, 5), other))
    )
    assert "voxels elsewhere than {other}" in difference


# Keys


def test_fingerprint_follows_the_file(data, tmp_path):
    path = save(data.img, tmp_path / "a.dtseries.nii")
    first = open_scans(path).fingerprint
    assert open_scans(path).fingerprint == first
    os.utime(path, (1, 1))
    assert open_scans(path).fingerprint != first


def test_fingerprint_in_memory_follows_numbers_and_places(data):
    series = SeriesAxis(0, 2, 40)
    same = of_axes(series, data.axis, data=data.matrix)
    copy = of_axes(series, data.axis, data=data.matrix.copy())
    assert CiftiScans(copy).fingerprint == CiftiScans(same).fingerprint
    changed = data.matrix.copy()
    changed[3, 8] += 1
    assert CiftiScans(same).fingerprint != (
        CiftiScans(of_axes(series, data.axis, data=changed)).fingerprint
    )
    moved = data.axis[np.arange(len(data.axis))]  # a copy
    moved.vertex[:2] = moved.vertex[:2][::-1]
    assert CiftiScans(same).fingerprint != (
        CiftiScans(of_axes(series, moved, data=data.matrix)).fingerprint
    )


def test_key_of_an_image(data):
    mask = maps_of(data.axis, np.arange(len(data.axis)) % 2)
    other = maps_of(data.axis, np.arange(len(data.axis)) % 3)
    assert key_of(mask) == key_of(maps_of(data.axis, np.arange(len(data.axis)) % 2))
    assert key_of(mask) != key_of(other)


# Confounds


def test_high_variance_confounds_are_those_of_nilearn(data, tmp_path):
    path = save(data.img, tmp_path / "a.dtseries.nii")
    kept = np.delete(np.arange(40), [4, 17])
    expected = high_variance_confounds(data.matrix[kept])
    found = open_scans(path).high_variance_confounds(kept)
    signs = np.sign(np.sum(found * expected, axis=0))
    np.testing.assert_allclose(found * signs, expected, atol=1e-6)


# What is written


def test_maps_have_names_and_are_float32(data):
    grid = grid_of(data.img)
    maps = np.random.default_rng(0).random((grid.n_positions, 2))
    img = as_maps(grid.image_of(maps), ["PCC", "hippocampus"])
    assert img.header.get_axis(0).name.tolist() == ["PCC", "hippocampus"]
    assert img.header.get_axis(1) == data.axis
    assert img.get_data_dtype() == np.float32
    assert img.nifti_header.get_intent()[0] == "ConnDenseScalar"
    np.testing.assert_array_equal(img.get_fdata(), maps.T.astype("f4"))


# What is no run


def test_maps_are_no_run(data):
    with pytest.raises(
        ValueError,
        match=r"^a run must be a .dtseries.nii, got a .dscalar.nii: 2 maps \('map 0', "
        r"'map 1'\), and no scans. Pass the .dtseries.nii of the acquisition.$",
    ):
        open_scans(maps_of(data.axis, np.ones((2, len(data.axis)))))


def test_an_atlas_is_no_run(data):
    atlas = labels_of(data.axis, np.ones(len(data.axis)), {1: "all"})
    with pytest.raises(
        ValueError, match=r"got a .dlabel.nii: .*Pass it to RegionSeeds"
    ):
        open_scans(atlas)


def test_correlations_are_no_run(data):
    few = data.axis[:7]
    with pytest.raises(
        ValueError, match=r"a .dconn.nii: correlations of 7 grayordinates with each"
    ):
        open_scans(of_axes(few, few))


def test_parcels_are_no_run(data):
    parcels = parcels_of(data.axis)
    with pytest.raises(
        ValueError,
        match=words(
            ".ptseries.nii: mean signals of 2 parcels ('visual', 'deep')", ".dlabel"
        ),
    ):
        open_scans(of_axes(SeriesAxis(0, 2, 9), parcels))
    with pytest.raises(ValueError, match="got a CIFTI image of scalars x parcels"):
        open_scans(of_axes(ScalarAxis(["a"]), parcels))
    with pytest.raises(ValueError, match=r"^the image is .ptseries.nii"):
        open_scans(of_axes(SeriesAxis(0, 2, 9), parcels), is_run=False)


def test_a_truncated_file(data, tmp_path):
    path = tmp_path / "a.dtseries.nii"
    save(data.img, path)
    content = path.read_bytes()
    path.write_bytes(content[:-100])
    n = len(content)
    with pytest.raises(OSError, match=f"claims {n} bytes, it has at most {n - 100}"):
        open_scans(path)
    path.write_bytes(content[:3000])
    with pytest.raises(ValueError, match="not an image that nibabel can open"):
        open_scans(path)


def test_a_compressed_file(data, tmp_path):
    img = nib.Nifti2Image(np.ones((1, 1, 1, 1, 5, 9), "f4"), np.eye(4))
    nib.save(img, tmp_path / "a.dtseries.nii.gz")
    with pytest.raises(
        ValueError, match=r"CIFTI file, but for the ending .* unpack it"
    ):
        open_scans(tmp_path / "a.dtseries.nii.gz")


def test_too_few_scans(data):
    with pytest.raises(ValueError, match=r"^2 scans, at least 3 are needed"):
        open_scans(of_axes(SeriesAxis(0, 2, 2), data.axis))


# Stills


def test_labels_and_their_names(data):
    codes = np.arange(len(data.axis)) % 3
    still = read_still(labels_of(data.axis, codes, {1: "one", 2: "two"}), "labels_img")
    np.testing.assert_array_equal(still.values, codes)
    assert still.names == {1: "one", 2: "two"}
    assert still.part("a volume").names == still.names


def test_a_still_of_another_mesh(data):
    grid = grid_of(data.img)
    other = simulated_acquisition(5, n_networks=2)
    left = other.axis[other.axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT"]
    nvertices = {"CIFTI_STRUCTURE_CORTEX_LEFT": 250}
    axis = nib.cifti2.BrainModelAxis(left.name, vertex=left.vertex, nvertices=nvertices)
    still = Still(grid_of(of_axes(SeriesAxis(0, 2, 5), axis)), np.ones(len(axis)))
    with pytest.raises(
        ValueError, match="the image has 200 left vertices, but mask_img has 250 left"
    ):
        grid.check_holds(still, "mask_img")


def test_a_still_of_no_part(data):
    cortex = data.axis[data.axis.surface_mask]
    grid = grid_of(of_axes(SeriesAxis(0, 2, 5), cortex))
    still = read_still(data.volume_img.slicer[..., 0], "mask_img")
    with pytest.raises(TypeError, match="mask_img is a volume, but the run is a CIFTI"):
        grid.check_holds(still, "mask_img")


def test_the_medial_wall_is_in_no_column(data):
    wall = medial_wall(data.axis)
    assert len(wall) == 16
    grid = grid_of(data.img)
    assert (grid._columns["a surface"][wall] == -1).all()
