"""What a page holds for the viewer: maps as they are, as fine as there is room for."""

import base64
import itertools
import warnings

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker, SurfaceMasker

from helpers import unpacked
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting import viewer
from sbc_estimators._reporting.backgrounds import as_image, background_of, greys
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.summary import summarise
from sbc_estimators.maskers import SurfaceSeeds
from sbc_estimators.plotting._backgrounds import TEMPLATE

needs_viewer = pytest.mark.usefixtures("viewer")


def as_volume(text):
    """Return the image of a part."""
    return nib.Nifti1Image.from_bytes(unpacked(text))


def value_at(img, place):
    """Return the value of the voxel that holds a place in mm."""
    voxel = np.linalg.inv(img.affine) @ [*place, 1]
    return img.get_fdata()[tuple(np.rint(voxel[:3]).astype(int))]


@pytest.fixture(scope="module")
def maps(fitted):
    return Maps.of(fitted)


@needs_viewer
def test_maps_in_the_viewer_are_those_of_the_estimator(maps, fitted):
    parts = viewer.viewer_parts(maps, [2, 0], None)["volume"]
    assert (parts["step"], parts["block"]) == (0.001, 1)
    mask = fitted.brain_masker_.mask_img_
    places = nib.affines.apply_affine(mask.affine, np.argwhere(mask.get_fdata() != 0))
    for text, position in zip(parts["maps"], [2, 0], strict=True):
        img = as_volume(text)
        found = [value_at(img, place) for place in places[::7]]
        np.testing.assert_allclose(found, maps.z[position][::7], atol=0.00051)


@needs_viewer
def test_without_a_template_what_is_mapped_is_grey(maps, fitted):
    parts = viewer.viewer_parts(maps, [0], None)["volume"]
    grey = as_volume(parts["background"])
    assert set(np.unique(grey.get_fdata())) <= {0, viewer.PLAIN_GREY}
    assert (grey.get_fdata() != 0).sum() == fitted.n_voxels_
    assert grey.shape == as_volume(parts["maps"][0]).shape


@needs_viewer
def test_a_template_spans_the_maps(maps):
    parts = viewer.viewer_parts(maps, [0], as_image(TEMPLATE))["volume"]
    grey, img = as_volume(parts["background"]), as_volume(parts["maps"][0])
    for corner in itertools.product(*[(0, size - 1) for size in img.shape]):
        place = nib.affines.apply_affine(img.affine, corner)
        voxel = np.linalg.inv(grey.affine) @ [*place, 1]
        assert (voxel[:3] > -0.5).all()
        assert (voxel[:3] < np.array(grey.shape) - 0.5).all()
    assert 100 < grey.get_fdata().max() <= 255


@needs_viewer
def test_many_maps_are_kept_less_finely(maps, monkeypatch):
    one = viewer.viewer_parts(maps, [0], None)["volume"]
    size = sum(map(len, one["maps"])) + len(one["background"])
    for room, expected in ((0.99, (0.005, 1)), (0.3, (0.02, 2)), (0.0, (0.02, 3))):
        monkeypatch.setattr(viewer, "MOST_BYTES", int(room * size))
        parts = viewer.viewer_parts(maps, [0], None)["volume"]
        assert (parts["step"], parts["block"]) == expected


def test_blocks_are_means_of_what_is_mapped():
    volume = np.zeros((3, 2, 2))
    volume[:2, 0, 0] = [1, 3]
    volume[2, 1, 1] = 5
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = [10, 20, 30]
    means, coarse = viewer._means_of_blocks(volume, affine, 2)
    np.testing.assert_array_equal(means, [[[2]], [[5]]])
    # The first block's centre is that of its eight voxels.
    np.testing.assert_allclose(coarse @ [0, 0, 0, 1], [11, 21, 31, 1])
    np.testing.assert_allclose(coarse[:3, :3], np.diag([4, 4, 4]))


@needs_viewer
def test_maps_on_a_surface(surface, seeds_anywhere):
    sbc = SeedCorrelationMap(
        SurfaceSeeds([3], 2.0, hemisphere="left"),
        SurfaceMasker(surface.mask_img),
    ).fit(surface.run)
    maps = Maps.of(sbc)
    parts = viewer.viewer_parts(maps, [0], None)["surface"]
    data = maps.image(0).data.parts
    values = np.frombuffer(unpacked(parts["maps"][0]), "<i2") * parts["step"]
    expected = np.concatenate([np.ravel(data[part]) for part in data])
    np.testing.assert_allclose(values, expected, atol=0.00051)
    assert [mesh["name"] for mesh in parts["meshes"]] == ["left", "right"]
    for mesh in parts["meshes"]:
        gifti = nib.GiftiImage.from_bytes(base64.b64decode(mesh["mesh"]))
        own = surface.img.mesh.parts[mesh["name"]]
        np.testing.assert_allclose(gifti.darrays[0].data, own.coordinates, rtol=1e-6)
        np.testing.assert_array_equal(gifti.darrays[1].data, own.faces)


def test_an_older_nilearn_is_told(fitted, older_nilearn):
    found = summarise(fitted)
    assert "nilearn 0.14.1 or newer" in found["viewer"]["why"]
    page = render(found)
    assert found["viewer"]["why"] in page
    assert 'id="look"' not in page
    assert "<canvas" not in page
    assert page.count("<img ") == 3
    assert len(page) < 500_000


# What lies under maps


def named_run(box, folder, name):
    """Return the run of a box in a file of some name."""
    img = nib.Nifti1Image(box.img.dataobj, box.img.affine)
    nib.save(img, folder / name)
    return Run(folder / name, t_r=1.5)


@pytest.mark.parametrize(
    ("name", "has_template"),
    [
        ("sub-01_task-rest_space-MNI152NLin6Asym_bold.nii.gz", True),
        ("sub-01_task-rest_space-T1w_bold.nii.gz", False),
        ("sub-01_task-rest_bold.nii.gz", False),
    ],
)
def test_the_template_lies_under_runs_in_its_space(
    sample_box, tmp_path, name, has_template
):
    run = named_run(sample_box, tmp_path, name)
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker(sample_box.seeds[:1], radius=6, detrend=True),
        NiftiMasker(sample_box.mask_img, detrend=True),
    ).fit(run)
    maps = Maps.of(sbc)
    if has_template:
        assert background_of(maps, [run]) == TEMPLATE
        return
    found = background_of(maps, [run])
    expected = sample_box.img.get_fdata()[..., :10].mean(axis=3)
    np.testing.assert_allclose(found.get_fdata(), expected, rtol=1e-5)


def test_greys_go_from_black_to_white():
    levels = greys(np.append(np.linspace(0, 100, 1001), -7))
    np.testing.assert_allclose(levels[:-1:100], np.linspace(0, 255, 11), atol=2)
    assert (levels[-1], levels.dtype) == (0, np.uint8)
    assert not greys(np.zeros(3)).any()


def test_a_run_that_says_no_space_has_no_template(sample_box):
    affine = sample_box.img.affine.copy()
    affine[:3, 3] += 300
    move = {"affine": affine}
    run = Run(nib.Nifti1Image(sample_box.img.get_fdata(), **move), t_r=1.5)
    mask = nib.Nifti1Image(np.asarray(sample_box.mask_img.dataobj), **move)
    seed = np.add(sample_box.seeds[0], 300)
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker([seed], radius=6, detrend=True),
        NiftiMasker(mask, detrend=True),
    ).fit(run)
    assert background_of(Maps.of(sbc), None) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "<article" in render(summarise(sbc, run))
