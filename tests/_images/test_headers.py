"""What files of maps keep of the headers of volumes."""

import nibabel as nib
import numpy as np
import pytest

from sbc_estimators._images.headers import write_map


@pytest.mark.parametrize("codes", [(4, 4), (1, 0), (0, 1), (2, 4)])
def test_maps_keep_the_codes_of_their_space(tmp_path, codes):
    c, s = 3 * np.cos(0.1), 3 * np.sin(0.1)
    affine = np.array([[c, -s, 0, 5], [s, c, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1]])
    img = nib.Nifti1Image(np.ones((4, 3, 2, 1), np.float32), affine)
    img.set_sform(affine, codes[0])
    img.set_qform(affine, codes[1])
    write_map(img, tmp_path / "map.nii.gz", "a map")
    found = nib.load(tmp_path / "map.nii.gz")
    header = found.header
    assert (header["sform_code"], header["qform_code"]) == codes
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)
    assert header.get_xyzt_units()[0] == "mm"


def test_an_image_without_codes_keeps_its_place(tmp_path):
    img = nib.Nifti1Image(np.ones((4, 3, 2, 1), np.float32), np.diag([2, 3, 4, 1]))
    img.header["sform_code"] = img.header["qform_code"] = 0
    write_map(img, tmp_path / "map.nii.gz", "a map")
    found = nib.load(tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(found.affine, img.affine)
