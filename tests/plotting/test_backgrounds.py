"""What lies under a map: a template only where the run is in its space."""

import nibabel as nib
import nilearn.plotting
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from sbc_estimators import SeedCorrelationMap
from sbc_estimators.maskers import SphereSeeds
from sbc_estimators.plotting import plot_seed_map
from sbc_estimators.plotting._backgrounds import (
    background_of,
    mean_of_first_scans,
    without_air,
)


@pytest.fixture
def fit(sample_box, tmp_path):
    """Return the function that fits a run in a file of some name and code."""

    def fit(name, code=2, mask_code=2, removed=False):
        img = nib.Nifti1Image(sample_box.img.dataobj, sample_box.img.affine)
        img.set_sform(img.affine, code)
        img.set_qform(img.affine, code)
        mask_img = nib.Nifti1Image(
            np.asarray(sample_box.mask_img.dataobj), sample_box.mask_img.affine
        )
        mask_img.set_sform(mask_img.affine, mask_code)
        run = tmp_path / name if name else img
        if name:
            img.to_filename(run)
        seeds = SphereSeeds(sample_box.seeds[:1], radius=6)
        estimator = SeedCorrelationMap(seeds, NiftiMasker(mask_img)).fit(run)
        if removed:
            run.unlink()
        return estimator

    return fit


SPACE_MNI = "sub-01_task-rest_space-MNI152NLin2009cAsym_desc-preproc_bold.nii"
SPACE_T1W = "sub-01_task-rest_space-T1w_desc-preproc_bold.nii"


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        (SPACE_MNI, {}, "MNI152"),
        (SPACE_MNI, {"code": 1}, "MNI152"),
        (SPACE_T1W, {"code": 4, "mask_code": 4}, "mean"),
        (SPACE_MNI.replace("152NLin2009cAsym", "PediatricAsym"), {}, "mean"),
        ("bold.nii", {}, "mean"),
        ("bold.nii", {"code": 1, "mask_code": 4}, "mean"),
        ("bold.nii", {"code": 4}, "MNI152"),
        ("bold.nii", {"code": 1, "mask_code": 4, "removed": True}, "MNI152"),
        ("bold.nii", {"code": 1, "removed": True}, "none"),
        ("", {"mask_code": 4}, "MNI152"),
        ("", {"mask_code": 2}, "none"),
    ],
)
def test_background(fit, sample_box, name, options, expected):
    background = background_of(fit(name, **options))
    if expected == "mean":
        mean = sample_box.img.get_fdata()[..., :10].mean(axis=-1)
        np.testing.assert_allclose(background.get_fdata(), mean, rtol=1e-6)
    else:
        assert background == (None if expected == "none" else expected)


def test_a_run_that_is_at_hand_tells(fit, sample_box):
    estimator = fit("", mask_code=2)
    assert background_of(estimator, sample_box.img) is not None
    img = nib.Nifti1Image(sample_box.img.dataobj, sample_box.img.affine)
    img.set_sform(img.affine, 4)
    assert background_of(estimator, img) == "MNI152"


def test_where_nothing_is_known_the_brain_is_grey(fit):
    figure = plot_seed_map(fit("", mask_code=2), threshold=3, vmax=4).frame_axes.figure
    figure.canvas.draw()
    shades = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    assert (abs(shades - 0.85 * 255) < 1.5).all(axis=-1).mean() > 0.3


def test_template_is_nilearns(fit, monkeypatch):
    seen = []

    def remember(img, **options):
        seen.append(options)
        raise RuntimeError("enough")

    monkeypatch.setattr(nilearn.plotting, "plot_stat_map", remember)
    for options in ({}, {"bg_img": "MNI152"}, {"bg_img": None}):
        with pytest.raises(RuntimeError, match="enough"):
            plot_seed_map(fit(SPACE_MNI), **options)
    assert ["bg_img" in options for options in seen] == [False, False, True]
    assert [options["black_bg"] for options in seen] == [False] * 3


def test_a_mean_image_is_not_on_black(draw, fitted, sample_box):
    for bg_img in (sample_box.img, sample_box.img.slicer[..., 0]):
        figure = draw(fitted, bg_img=bg_img).frame_axes.figure
        figure.canvas.draw()
        shades = np.asarray(figure.canvas.buffer_rgba())[..., :3]
        assert (shades[:3, :3] == 255).all()
        greys = shades[(np.ptp(shades.astype(int), axis=-1) == 0)]
        # Black are words and the seed's circle alone.
        assert (greys < 80).mean() < 0.08
        assert ((greys > 85) & (greys < 240)).mean() > 0.2


def test_air_is_white_and_ventricles_are_not():
    head = np.zeros((12, 12, 12))
    head += np.random.default_rng(0).random(head.shape) * 5
    head[2:10, 2:10, 2:10] = 100
    head[5:7, 5:7, 5:7] = 0
    head[0, 0, 0] = 90
    shown = without_air(head)
    inside = np.zeros(head.shape, bool)
    inside[2:10, 2:10, 2:10] = True
    assert (shown[inside] > 0).all()
    assert (shown[~inside] == 0).all()
    assert shown[5, 5, 5] < 1


def test_an_image_that_is_no_mean_stays_as_it_is():
    values = np.random.default_rng(0).normal(size=(4, 4, 4))
    np.testing.assert_array_equal(without_air(values), values)
    np.testing.assert_array_equal(without_air(values * 0), values * 0)


def test_one_volume_is_its_own_mean_however_many_slices_it_has():
    values = np.random.default_rng(0).random((4, 5, 14))
    for data in (values, values[..., np.newaxis], np.stack([values] * 12, axis=-1)):
        mean = mean_of_first_scans(nib.Nifti1Image(data, np.eye(4)))
        np.testing.assert_allclose(mean.dataobj, values)
