"""Images of maps: their dimensions, and the space that their headers tell."""

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    SurfaceMasker,
)
from nilearn.surface import PolyMesh, SurfaceImage

from helpers import words
from sbc_estimators import SeedCorrelationMap
from sbc_estimators.maskers import RegionSeeds, SphereSeeds, SurfaceSeeds

SCANNER, ALIGNED, MNI = 1, 2, 4


def codes_of(img):
    """Return the codes of sform and qform."""
    return int(img.header["sform_code"]), int(img.header["qform_code"])


def with_codes(img, sform, qform, affine=None):
    """Return a copy of an image with other codes, and another qform if given."""
    copy = nib.Nifti1Image(np.asarray(img.dataobj), img.affine)
    copy.set_sform(img.affine if sform else None, sform, update_affine=False)
    copy.set_qform(img.affine if affine is None else affine, qform)
    return copy


def spheres(data):
    """Return two seeds."""
    return SphereSeeds(data.seeds[:2], 6)


# Dimensions


BRAINS = {
    "voxels": lambda d: NiftiMasker(d.mask_img),
    "labels": lambda d: NiftiLabelsMasker(d.labels_img),
    "maps": lambda d: NiftiMapsMasker(d.maps_img),
    "ours": lambda d: RegionSeeds(d.labels_img),
}


@pytest.mark.parametrize("brain", BRAINS)
def test_a_single_row_of_one_seed_is_3D(sample_box, brain):  # noqa: N802
    brain, shape = BRAINS[brain](sample_box), sample_box.mask_img.shape
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds[:1], 6), brain)
    z = sbc.fit_transform(sample_box.run)
    img = sbc.inverse_transform(z[0])
    assert img.shape == shape
    assert img.get_data_dtype() == np.float32
    many = sbc.inverse_transform(z)
    assert many.shape == (*shape, 1)
    np.testing.assert_array_equal(img.dataobj, many.dataobj[..., 0])
    assert sbc.inverse_transform(z[0].tolist()).shape == shape
    assert sbc.inverse_transform(np.vstack([z, z])).shape == (*shape, 2)
    two = SeedCorrelationMap(spheres(sample_box), brain).fit(sample_box.run)
    assert two.inverse_transform(np.tile(z[0], 2)).shape == (*shape, 2)


def test_a_single_row_on_a_surface(surface):
    seeds = SurfaceSeeds([5], hemisphere="left")
    sbc = SeedCorrelationMap(seeds, SurfaceMasker(surface.mask_img))
    z = sbc.fit_transform(surface.run)
    img, many = sbc.inverse_transform(z[0]), sbc.inverse_transform(z)
    assert (img.shape, many.shape) == ((120,), (120, 1))
    for name, part in img.data.parts.items():
        np.testing.assert_array_equal(part, many.data.parts[name][:, 0])


# Space


@pytest.mark.parametrize(
    ("run", "mask", "expected"),
    [
        ((MNI, MNI), (MNI, MNI), (MNI, MNI)),
        ((MNI, 0), (ALIGNED, 0), (MNI, 0)),  # as nilearn writes masks
        ((0, SCANNER), (ALIGNED, 0), (0, SCANNER)),
        ((SCANNER, SCANNER), None, (SCANNER, SCANNER)),
    ],
)
def test_codes_survive(sample_box, run, mask, expected, tmp_path):
    run = with_codes(sample_box.img, *run)
    mask = with_codes(sample_box.mask_img, *mask) if mask else None
    brain = NiftiMasker(mask)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds[:1], 6), brain).fit(run)
    z = sbc.transform(run)
    affine = sample_box.img.affine
    for img in (sbc.inverse_transform(z), sbc.inverse_transform(z[0])):
        np.testing.assert_array_equal(img.affine, affine)
        img.to_filename(tmp_path / "z.nii.gz")
        for found in (img, nib.load(tmp_path / "z.nii.gz")):
            assert codes_of(found) == expected
            np.testing.assert_allclose(found.affine, affine, atol=1e-5)


@pytest.mark.parametrize("brain", ["labels", "maps"])
def test_codes_of_regions(sample_box, brain):
    run = with_codes(sample_box.img, MNI, MNI)
    sbc = SeedCorrelationMap(spheres(sample_box), BRAINS[brain](sample_box)).fit(run)
    assert codes_of(sbc.inverse_transform(sbc.transform(run))) == (MNI, MNI)


def test_two_spaces_in_one_header(sample_box):
    """Coordinates in MNI space by sform, and of the scanner by qform."""
    turned = sample_box.img.affine.copy()
    turned[:3, 3] += 20
    run = with_codes(sample_box.img, MNI, SCANNER, turned)
    np.testing.assert_array_equal(run.affine, sample_box.img.affine)
    sbc = SeedCorrelationMap(spheres(sample_box), NiftiMasker(sample_box.mask_img))
    img = sbc.fit(run).inverse_transform(sbc.transform(run))
    assert codes_of(img) == (MNI, SCANNER)
    np.testing.assert_array_equal(img.affine, sample_box.img.affine)
    np.testing.assert_allclose(img.header.get_qform(), turned, atol=1e-4)


@pytest.mark.parametrize(
    ("field", "value", "expected", "brain"),
    [
        ("quatern_b", 1e26, (MNI, 0), "mask"),  # no turn
        ("quatern_b", np.nan, (MNI, 0), "labels"),
        ("qoffset_x", np.inf, (MNI, 0), "mask"),
        ("qform_code", 17, (MNI, 0), "labels"),  # no code
        ("sform_code", 17, (0, SCANNER), "mask"),
        ("sform_code", 17, (0, SCANNER), "labels"),
    ],
)
def test_spoilt_codes_and_turns_say_nothing(
    sample_box, brain, field, value, expected, tmp_path
):
    img = with_codes(sample_box.img, MNI, SCANNER)
    img.header[field] = value
    img.to_filename(tmp_path / "run.nii")
    run = nib.load(tmp_path / "run.nii")
    masker = (
        NiftiMasker(sample_box.mask_img)
        if brain == "mask"
        else BRAINS[brain](sample_box)
    )
    sbc = SeedCorrelationMap(spheres(sample_box), masker).fit(run)
    found = sbc.inverse_transform(sbc.transform(run))
    assert codes_of(found) == expected
    np.testing.assert_array_equal(found.affine, run.affine)


@pytest.mark.filterwarnings("ignore:imgs are being resampled")
def test_a_mask_on_another_grid_tells_its_own(sample_box):
    run = with_codes(sample_box.img, SCANNER, SCANNER)
    coarse = with_codes(sample_box.coarse_mask_img, MNI, MNI)
    sbc = SeedCorrelationMap(spheres(sample_box), NiftiMasker(coarse)).fit(run)
    img = sbc.inverse_transform(sbc.transform(run))
    assert codes_of(img) == (MNI, MNI)
    np.testing.assert_array_equal(img.affine, coarse.affine)


# Files of another kind


def test_a_file_of_one_hemisphere_says_what_to_do(surface, tmp_path):
    parts = {}
    for side, part in surface.img.data.parts.items():
        parts[side] = tmp_path / f"{side}.func.gii"
        arrays = [nib.gifti.GiftiDataArray(scan.astype("f4")) for scan in part.T]
        nib.gifti.GiftiImage(darrays=arrays).to_filename(parts[side])
    sbc = SeedCorrelationMap(RegionSeeds(surface.labels_img, [1]))
    expected = words("left.func.gii", "GiftiImage", "one hemisphere", "SurfaceImage({")
    with pytest.raises(TypeError, match=expected):
        sbc.fit(parts["left"])
    # As it says, with a mesh in memory.
    joined = SurfaceImage(PolyMesh(**surface.img.mesh.parts), parts)
    z = sbc.fit_transform(joined)
    np.testing.assert_allclose(z, sbc.fit_transform(surface.img), atol=1e-4)
