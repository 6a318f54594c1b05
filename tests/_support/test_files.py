"""Files that appear whole or not at all, and what they keep."""

import os

import nibabel as nib
import numpy as np
import pytest

from sbc_estimators._support.files import replacing, staged, write_map


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


def test_a_folder_in_the_place_of_a_file_is_seen_before_any_is_moved(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("of before")

    def write():
        with staged(tmp_path) as stage:
            for name in "abc":
                (stage / name).write_text("new")

    with pytest.raises(IsADirectoryError, match=r"'.*b' is a folder"):
        write()
    assert (tmp_path / "a").read_text() == "of before"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_file_that_is_not_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "file"):
        pass
