"""What bad input gets: an error that names culprit and cure, before long work."""

import re
import warnings
from functools import partial
from pathlib import Path

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from nilearn.masking import apply_mask
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from helpers import counted, every_pair, images, make_sbc, save, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._maps.many import Attempts
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds

N_SCANS = 40
T_R = 2.0
FAR_AWAY = (500.0, 0.0, 0.0)
FILTER_OPTIONS = {"low_pass": 0.1, "high_pass": 0.01, "t_r": T_R}


@pytest.fixture(scope="module")
def data():
    """Return three simulated runs in memory."""
    return make_runs(3, N_SCANS, 300, n_networks=2, t_r=T_R, random_state=0)


@pytest.fixture(scope="module")
def files(tmp_path_factory, data):
    """Return the paths of the same runs on disk."""
    folder = tmp_path_factory.mktemp("runs")
    paths = [folder / f"sub-{i}_bold.nii.gz" for i in range(3)]
    for run, path in zip(data.runs, paths, strict=True):
        save(run.img, path)
    return paths


@pytest.fixture
def make(data):
    """The function ``(seeds=1, radius=6, ...) -> estimator`` of these runs."""
    return partial(make_sbc, data)


@pytest.fixture
def sbc(make):
    """Return an unfitted estimator that is right for the runs."""
    return make()


def truncated(path, folder, fraction=0.5):
    """Return the path of a copy of a file that holds its beginning alone."""
    whole = Path(path).read_bytes()
    part = folder / f"truncated_{Path(path).name}"
    part.write_bytes(whole[: int(fraction * len(whole))])
    return part


# Files


def test_missing_file(sbc, files, tmp_path):
    path = tmp_path / "absent_bold.nii.gz"
    with pytest.raises(FileNotFoundError, match=words("run 1", str(path), "no file")):
        sbc.fit([files[0], path, files[2]])


def test_missing_file_in_a_string(sbc):
    with pytest.raises(FileNotFoundError, match=words("run 0", "sub-*.nii.gz", "'*'")):
        sbc.fit("sub-*.nii.gz")


@pytest.mark.parametrize("method", ["transform", "seed_signals", "brain_signals"])
def test_missing_file_after_fit(sbc, files, tmp_path, method):
    path = tmp_path / "absent_bold.nii.gz"
    sbc.fit(files)
    with pytest.raises(FileNotFoundError, match=words("run 0", str(path))):
        getattr(sbc, method)(path)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_truncated_data(sbc, data, files, tmp_path, suffix):
    path = tmp_path / f"whole{suffix}"
    save(data.runs[1].img, path)
    part = truncated(path, tmp_path)
    with pytest.raises(OSError, match=words("run 1", str(part), "truncated")):
        sbc.fit([files[0], part, files[2]])


def test_truncated_header(sbc, data, files, tmp_path):
    save(data.runs[1].img, tmp_path / "whole.nii")
    part = truncated(tmp_path / "whole.nii", tmp_path, fraction=1e-4)
    with pytest.raises(ValueError, match=words("run 1", str(part), "not an image")):
        sbc.fit([files[0], part])


@pytest.mark.parametrize("keep", [5, 60, 200])
def test_truncated_compressed_header(sbc, files, tmp_path, keep):
    part = tmp_path / "part_bold.nii.gz"
    part.write_bytes(files[1].read_bytes()[:keep])
    with pytest.raises((ValueError, OSError), match=words("run 1", str(part))):
        sbc.fit([files[0], part])


def test_corrupt_data(sbc, files, tmp_path):
    content = bytearray(files[1].read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path = tmp_path / "corrupt_bold.nii.gz"
    path.write_bytes(content)
    with pytest.raises(OSError, match=words("run 1", str(path), "corrupt")):
        sbc.fit([files[0], path])


def test_corrupt_checksum(sbc, files, tmp_path):
    content = bytearray(files[1].read_bytes())
    content[-8:-4] = bytes(4)
    path = tmp_path / "checksum_bold.nii.gz"
    path.write_bytes(content)
    with pytest.raises(OSError, match=words("run 1", str(path), "corrupt")):
        sbc.fit([files[0], path])


@pytest.mark.parametrize(
    "name", ["notes.nii", "notes.nii.gz", "notes.txt", "empty.nii"]
)
def test_not_an_image(sbc, files, tmp_path, name):
    path = tmp_path / name
    path.write_text("" if "empty" in name else "this is no image\n" * 100)
    with pytest.raises(ValueError, match=words("run 2", str(path), "not an image")):
        sbc.fit([*files[:2], path])


def test_header_that_makes_no_sense(sbc, data, files, tmp_path):
    path = save(data.runs[1].img, tmp_path / "run.nii")
    content = bytearray(path.read_bytes())
    content[116:120] = np.float32(np.nan).tobytes()  # where numbers have their zero
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words("run 1", str(path), "not an image")):
        sbc.fit([files[0], path])


@pytest.mark.parametrize("value", [0, np.nan])
def test_affine_that_makes_no_sense(sbc, data, files, tmp_path, value):
    path = save(data.runs[1].img, tmp_path / "run.nii")
    content = bytearray(path.read_bytes())
    content[280:328] = np.full(12, value, np.float32).tobytes()  # the sform
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words("run 1", str(path), "affine", "sform")):
        sbc.fit([files[0], path])


def test_image_without_an_affine(sbc, data):
    img = nib.Nifti1Image(np.asarray(data.runs[0].img.dataobj), None)
    with pytest.raises(ValueError, match=words("run 0", "affine", "None")):
        sbc.fit(img)


def test_folder_in_place_of_a_file(sbc, tmp_path):
    with pytest.raises(OSError, match=words("run 0", str(tmp_path))):
        sbc.fit(tmp_path)


@pytest.mark.parametrize("kind", [str, nib.load])
def test_truncated_mask(make, data, tmp_path, kind):
    path = tmp_path / "mask.nii.gz"
    save(data.mask_img, path)
    part = truncated(path, tmp_path, fraction=0.95)
    expected = words("brain_masker, mask_img", str(part), "truncated")
    with pytest.raises(OSError, match=expected):
        make(voxels={"mask_img": kind(part)}).fit(data.runs)


SPOILT = ["x.nii", "x.nii.gz", "x.gii", "x.PAR", "x.nii.zst", "x.HEAD"]


@pytest.fixture(params=SPOILT)
def spoilt(request, tmp_path):
    """The path of a file that is no image, in one of the formats that nibabel knows."""
    path = tmp_path / request.param
    path.write_text("this is no image\n" * 100)
    return path


def test_run_of_any_format_that_is_no_image(sbc, files, spoilt):
    with pytest.raises(ValueError, match=words("run 1", str(spoilt), "not an image")):
        sbc.fit([files[0], spoilt])


def test_mask_of_any_format_that_is_no_image(make, data, spoilt):
    expected = words("brain_masker, mask_img", str(spoilt), "not an image")
    with pytest.raises(ValueError, match=expected):
        make(voxels={"mask_img": str(spoilt)}).fit(data.runs)


def test_labels_of_any_format_that_are_no_image(data, files, spoilt):
    brain = NiftiMasker(data.mask_img)
    sbc = SeedCorrelationMap(NiftiLabelsMasker(str(spoilt)), brain)
    expected = words("seed_masker, labels_img", spoilt, "not an image")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(files)
    own = RegionSeeds(str(spoilt), regions=[1])
    with pytest.raises(ValueError, match=words("labels_img", spoilt, "not an image")):
        SeedCorrelationMap(own, brain).fit(files)


def test_labels_of_four_dimensions(data, files):
    labels = nib.Nifti1Image(np.ones((5, 5, 5, 3), np.int16), np.eye(4))
    sbc = SeedCorrelationMap(NiftiLabelsMasker(labels), NiftiMasker(data.mask_img))
    expected = words("seed_masker, labels_img", "3D image", "got 3 volumes")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(files)


def test_mask_that_is_no_image(make, data):
    with pytest.raises(
        TypeError, match=words("brain_masker, mask_img", "3D image", "int")
    ):
        make(voxels={"mask_img": 3}).fit(data.runs)


# Shapes of images and lists


def test_three_dimensional_image(sbc, data):
    img = data.runs[1].img.slicer[..., 0]
    expected = words("run 1", "4D", "3D", img.shape, "concat_imgs")
    with pytest.raises(ValueError, match=expected):
        sbc.fit([data.runs[0].img, img])


def test_three_dimensional_file(sbc, data, files, tmp_path):
    path = tmp_path / "one_volume.nii.gz"
    save(data.runs[1].img.slicer[..., 0], path)
    with pytest.raises(ValueError, match=words("run 1", str(path), "4D")):
        sbc.fit([files[0], path])


def test_five_dimensional_image(sbc, data):
    img = nib.Nifti1Image(np.zeros((3, 3, 3, 1, 9), np.float32), np.eye(4))
    expected = words("run 0", "4D", "5D", "(3, 3, 3, 1, 9)", "one 4D image")
    with pytest.raises(ValueError, match=expected) as info:
        sbc.fit(img)
    assert "concat_imgs" not in str(info.value)


def test_too_few_scans(sbc, data):
    with pytest.raises(ValueError, match=words("run 0", "2 scans", "at least 3")):
        sbc.fit(data.runs[0].img.slicer[..., :2])


def test_one_dimensional_surface_image(surface):
    sbc = SeedCorrelationMap(SurfaceLabelsMasker(surface.labels_img))
    with pytest.raises(ValueError, match=words("run 0", "vertices, scans", "(120,)")):
        sbc.fit(surface.labels_img)


@pytest.mark.parametrize("empty", [[], (), np.array([], object), pd.Series(dtype=str)])
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_empty_sequence(sbc, data, empty, method):
    if method == "transform":
        sbc.fit(images(data))
    with pytest.raises(ValueError, match=words("X", "at least one run", "empty")):
        getattr(sbc, method)(empty)


@pytest.mark.parametrize("name", ["confounds", "sample_mask"])
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_lists_of_different_lengths(sbc, data, name, method):
    entry = np.zeros((N_SCANS, 1)) if name == "confounds" else np.arange(30)
    if method == "transform":
        sbc.fit(images(data))
    with pytest.raises(
        ValueError, match=words("X", name, "3 runs", f"2 entries in {name}")
    ):
        getattr(sbc, method)(images(data), **{name: [entry, entry]})


def test_one_table_of_confounds_for_many_runs(sbc, data):
    table = np.zeros((N_SCANS, 2))
    with pytest.raises(
        ValueError, match=words("confounds", "one entry per run", "3 runs")
    ):
        sbc.fit(images(data), confounds=table)


@pytest.mark.parametrize(
    "X",
    [{"a": 1}, None, 3, 4.5, {"x.nii.gz"}, np.array("x.nii.gz")],
    ids=lambda X: type(X).__name__,
)
def test_neither_run_nor_sequence(sbc, X):
    expected = words("X must be", "sequence of runs", type(X).__name__, "Run")
    with pytest.raises(TypeError, match=expected):
        sbc.fit(X)


def test_numeric_array(sbc):
    with pytest.raises(TypeError, match=words("X", "must be", "run", "path")):
        sbc.fit(np.zeros((3, 10)))


def test_data_frame_of_paths(sbc, files):
    table = pd.DataFrame({"func": [str(path) for path in files], "age": 30})
    expected = words("X must be", "DataFrame of one column", "got DataFrame of shape")
    with pytest.raises(TypeError, match=expected):
        sbc.fit(table)


@pytest.mark.parametrize("wrong", [3, None, np.zeros((4, 4)), {"img": 1}, ["x"]])
def test_list_holds_something_that_is_no_run(sbc, data, wrong):
    expected = words("X[1] must be a run", type(wrong).__name__)
    with pytest.raises(TypeError, match=expected):
        sbc.fit([data.runs[0], wrong])


def test_run_of_something_that_is_no_image(sbc, data):
    with pytest.raises((TypeError, ValueError), match=words("run 1", "ndarray")):
        sbc.fit([data.runs[0], Run(np.zeros((4, 4, 4, 9)), confounds=np.zeros((9, 1)))])


def test_run_of_nothing(sbc, data):
    with pytest.raises((TypeError, ValueError), match=words("run 0", "NoneType")):
        sbc.fit(Run(None))


def test_signals_of_several_runs(sbc, data):
    sbc.fit(data.runs)
    with pytest.raises(ValueError, match=words("run must be one run", "3")):
        sbc.seed_signals(data.runs)


class Failing(NiftiMasker):
    """A third-party masker that fits, and then fails."""

    def transform(self, imgs, confounds=None, sample_mask=None):
        raise KeyError("something inside")


@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_any_other_error_names_the_run_and_is_the_cause(sbc, data, files, method):
    fitted = sbc.fit(images(data))
    fitted.brain_masker = Failing(data.mask_img, detrend=True)
    fitted.brain_masker_ = Failing(data.mask_img).fit()
    expected = words("run 0", files[0], "KeyError", "something inside")
    with pytest.raises(RuntimeError, match=expected) as caught:
        getattr(fitted, method)(files)
    assert isinstance(caught.value.__cause__, KeyError)


def test_any_other_error_of_signals_names_the_run(sbc, data, files):
    fitted = sbc.fit(images(data))
    fitted.brain_masker_ = Failing(data.mask_img).fit()
    with pytest.raises(RuntimeError, match=words("run 0", files[0], "KeyError")):
        fitted.brain_signals(files[0])


# Confounds


def test_confounds_of_another_length(sbc, files):
    runs = [Run(files[0]), Run(files[1], confounds=np.zeros((N_SCANS - 1, 2)))]
    expected = words("run 1", files[1], "confounds", f"({N_SCANS}, ", (N_SCANS - 1, 2))
    with pytest.raises(ValueError, match=expected):
        sbc.fit(runs)


def test_confounds_of_the_kept_scans_alone(sbc, data):
    mask = np.arange(5, N_SCANS)
    run = Run(data.runs[0].img, np.zeros((len(mask), 2)), sample_mask=mask)
    expected = words("run 0", "confounds", "Censored scans stay", "sample_mask")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(run)


def test_confounds_of_three_dimensions(sbc, data):
    run = Run(data.runs[0].img, np.zeros((N_SCANS, 2, 2)))
    with pytest.raises(ValueError, match=words("run 0", "confounds", (N_SCANS, 2, 2))):
        sbc.fit(run)


def test_nan_in_a_named_confound(sbc, data, files):
    table = data.runs[1].confounds.rename(columns={"confound_1": "csf"})
    table.loc[[0, 7], "csf"] = np.nan
    expected = words("run 1", files[1], "confounds", "'csf'", "[0, 7]", "sample_mask")
    with pytest.raises(ValueError, match=expected):
        sbc.fit([Run(files[0]), Run(files[1], table)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite_confound_of_an_array(sbc, data, value):
    table = np.zeros((N_SCANS, 3))
    table[12, 2] = value
    with pytest.raises(
        ValueError, match=words("run 0", "confounds", "column 2", "[12]")
    ):
        sbc.fit(Run(data.runs[0].img, table))


def test_missing_values_in_a_file_of_confounds(sbc, data, tmp_path):
    path = tmp_path / "confounds.tsv"
    table = data.runs[0].confounds.copy()
    table.insert(1, "framewise_displacement", np.arange(N_SCANS, dtype=float))
    table.loc[0, "framewise_displacement"] = np.nan
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    expected = words("run 0", "'framewise_displacement'", "[0]", "fMRIPrep")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(Run(data.runs[0].img, path))


def test_nan_at_a_censored_scan_is_accepted(sbc, data):
    table = data.runs[0].confounds.copy()
    table.iloc[0] = np.nan
    run = Run(data.runs[0].img, table, sample_mask=np.arange(1, N_SCANS))
    assert np.isfinite(sbc.fit_transform(run)).all()


def test_confounds_that_are_words(sbc, data):
    table = data.runs[1].confounds.copy()
    table.insert(1, "trial_type", ["rest"] * N_SCANS)
    runs = [data.runs[0], Run(data.runs[1].img, table)]
    expected = words("run 1", "confounds", "numbers", "'trial_type'", "'rest'")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(runs)


def test_words_in_a_file_of_confounds(sbc, data, tmp_path):
    path = tmp_path / "confounds.tsv"
    table = data.runs[0].confounds.copy()
    table.insert(1, "trial_type", ["rest"] * N_SCANS)
    table.to_csv(path, sep="\t", index=False)
    with pytest.raises(ValueError, match=words("run 0", "confounds", "'trial_type'")):
        sbc.fit(Run(data.runs[0].img, path))


def test_missing_file_of_confounds(sbc, files, tmp_path):
    path = tmp_path / "absent.tsv"
    expected = words("run 1", files[1], "confounds", str(path))
    with pytest.raises(FileNotFoundError, match=expected):
        sbc.fit([Run(files[0], np.zeros((N_SCANS, 1))), Run(files[1], path)])


def test_empty_file_of_confounds(sbc, files, tmp_path):
    path = tmp_path / "empty.tsv"
    path.write_text("")
    with pytest.raises(ValueError, match=words("run 0", "confounds", str(path))):
        sbc.fit(Run(files[0], path))


def test_ragged_file_of_confounds(sbc, files, tmp_path):
    path = tmp_path / "ragged.tsv"
    path.write_text("a\tb\n1\t2\n" + "1\t2\t3\t4\n" * (N_SCANS - 1))
    with pytest.raises(ValueError, match=words("run 0", "confounds", str(path))):
        sbc.fit(Run(files[0], path))


def test_confounds_that_leave_nothing(sbc, files):
    table = np.random.default_rng(0).standard_normal((N_SCANS, N_SCANS))
    expected = words(
        "run 1", files[1], "nothing is left", f"{N_SCANS} confounds", "fewer"
    )
    with pytest.raises(ValueError, match=expected):
        sbc.fit([Run(files[0], table[:, :2]), Run(files[1], table)])


# Sample masks


BAD_SAMPLE_MASKS = {
    "too high": (np.arange(N_SCANS + 1), ["0 to 39", "0 to 40"]),
    "negative": (np.arange(-1, 30), ["0 to 39", "-1 to 29"]),
    "unsorted": (np.array([4, 3, 2, 1, 0]), ["ascending", "[4 3 2 1 0]", "np.unique"]),
    "repeated": (np.array([1, 2, 2, 3, 4]), ["without repeats", "[1 2 2 3 4]"]),
    "too few": (np.array([3, 7]), ["2 scans kept", "at least 3"]),
    "none": (np.array([], int), ["0 scans kept", "at least 3"]),
    "float": (np.arange(30.0), ["indices or of booleans", "float64"]),
    "0 and 1": (np.arange(N_SCANS) % 2, ["0 or 1 for each", "astype(bool)"]),
    "all 1": (np.ones(N_SCANS, np.uint8), ["0 or 1 for each", "astype(bool)"]),
    "words": (np.array(["a", "b", "c"]), ["indices or of booleans"]),
    "two dimensions": (np.arange(30)[np.newaxis], ["1D", "(1, 30)"]),
    "boolean, short": (np.ones(30, bool), ["boolean", "40", "30"]),
    "boolean, long": (np.ones(50, bool), ["boolean", "40", "50"]),
    "boolean, too few": (np.arange(N_SCANS) < 2, ["2 scans kept", "at least 3"]),
}


@pytest.mark.parametrize("case", BAD_SAMPLE_MASKS)
def test_bad_sample_mask(sbc, files, case):
    mask, parts = BAD_SAMPLE_MASKS[case]
    runs = [Run(files[0]), Run(files[1], sample_mask=mask)]
    with pytest.raises(
        ValueError, match=words("run 1", files[1], "sample_mask")
    ) as info:
        sbc.fit(runs)
    assert re.search(words(*parts), str(info.value))


def test_bad_sample_mask_beside_runs(sbc, files):
    masks = [np.arange(20), np.arange(N_SCANS + 1), None]
    with pytest.raises(ValueError, match=words("run 1", files[1], "sample_mask")):
        sbc.fit(files, sample_mask=masks)


@pytest.mark.parametrize("kind", [np.asarray, list])
def test_boolean_sample_mask_equals_indices(make, data, kind):
    keep = np.ones(N_SCANS, bool)
    keep[[3, 4, 20]] = False
    run = data.runs[0]
    sbc = make(cleaning=FILTER_OPTIONS)
    z = sbc.fit_transform(Run(run.img, run.confounds, sample_mask=kind(keep)))
    indices = kind(np.flatnonzero(keep))
    expected = sbc.fit_transform(Run(run.img, run.confounds, sample_mask=indices))
    np.testing.assert_array_equal(z, expected)


# Filters


BAD_BANDS = {
    "above Nyquist": (
        {"low_pass": 0.3, "t_r": 2.0},
        ["low_pass", "0.25", "low_pass=0.3"],
    ),
    "at Nyquist": ({"low_pass": 0.25, "t_r": 2.0}, ["Nyquist", "t_r=2.0"]),
    "high above Nyquist": ({"high_pass": 0.3, "t_r": 2.0}, ["high_pass", "Nyquist"]),
    "swapped": (
        {"low_pass": 0.01, "high_pass": 0.1, "t_r": 2.0},
        ["high_pass=0.1", "low_pass=0.01", "swapped"],
    ),
    "equal": (
        {"low_pass": 0.1, "high_pass": 0.1, "t_r": 2.0},
        ["high_pass", "below low_pass"],
    ),
    "negative low": ({"low_pass": -0.1, "t_r": 2.0}, ["low_pass", "positive", "-0.1"]),
    "negative high": (
        {"high_pass": -0.1, "t_r": 2.0},
        ["high_pass", "positive", "-0.1"],
    ),
    "zero low": ({"low_pass": 0.0, "t_r": 2.0}, ["low_pass", "positive", "0.0"]),
    "infinite": ({"low_pass": np.inf, "t_r": 2.0}, ["low_pass", "positive", "inf"]),
    "no t_r": ({"low_pass": 0.1}, ["low_pass=0.1", "t_r=None", "seconds", "Run"]),
    "zero t_r": ({"low_pass": 0.1, "t_r": 0}, ["t_r", "positive", "0"]),
    "negative t_r": ({"low_pass": 0.1, "t_r": -2.0}, ["t_r", "positive", "-2.0"]),
    "word for t_r": ({"low_pass": 0.1, "t_r": "2"}, ["t_r"]),
}


@pytest.mark.parametrize("place", ["both maskers", "estimator"])
@pytest.mark.parametrize("case", BAD_BANDS)
def test_bad_band(make, files, place, case):
    band, parts = BAD_BANDS[case]
    sbc = make(cleaning=band) if place == "both maskers" else make().set_params(**band)
    with pytest.raises((ValueError, TypeError), match=words(*parts)) as info:
        sbc.fit(files[:1])
    if "positive" in parts:  # wrong whatever the run
        assert str(info.value).startswith("seed_masker: ")
    elif not isinstance(band.get("t_r"), str):
        assert re.search(words("run 0", files[0], "seed_masker"), str(info.value))


def test_missing_t_r_tells_what_the_header_says(make, data, tmp_path):
    image = nib.Nifti1Image(np.asarray(data.runs[0].img.dataobj), np.eye(4))
    image.header.set_zooms((4, 4, 4, 720))
    image.header.set_xyzt_units("mm", "msec")
    with pytest.raises(ValueError, match=r"got t_r=None.*Its header says 0\.72 s"):
        make(cleaning={"low_pass": 0.1}).fit(image)
    image.header.set_xyzt_units("mm", "unknown")
    with pytest.raises(ValueError, match=r"got t_r=None.*or to Run\.$"):
        make(cleaning={"low_pass": 0.1}).fit(image)


@pytest.mark.parametrize("masker", ["seed_masker", "brain_masker"])
def test_bad_band_names_the_masker(sbc, files, masker):
    sbc.set_params(**{f"{masker}__low_pass": 0.3, f"{masker}__t_r": 2.0})
    with pytest.raises(ValueError, match=words("run 0", files[0], masker, "Nyquist")):
        sbc.fit(files[0])


@pytest.mark.parametrize(
    ("masker", "name", "value"),
    every_pair(
        ["seed_masker", "brain_masker"],
        ["detrend", "standardize_confounds"],
        ["yes", 1, None],
    ),
)
def test_cleaning_that_is_neither_on_nor_off(sbc, files, masker, name, value):
    sbc.set_params(**{f"{masker}__{name}": value})
    expected = rf"^{masker}: {name} must be True or False, got {value!r}\."
    with pytest.raises(ValueError, match=expected):
        sbc.fit(files)


@pytest.mark.parametrize(
    "name", ["detrend", "standardize", "low_pass", "t_r", "confounds", "sample_mask"]
)
def test_clean_args_that_a_masker_has_itself(make, data, name):
    expected = words("seed_masker: clean_args must not hold", repr(name))
    with pytest.raises(ValueError, match=expected):
        make(cleaning={"clean_args": {name: np.ones(3)}}).fit(data.runs)


def test_bad_band_at_a_run_of_its_own_t_r(make, files):
    runs = [Run(files[0], t_r=2.0), Run(files[1], t_r=8.0)]
    expected = words("run 1", files[1], "low_pass", "0.0625", "t_r=8.0")
    with pytest.raises(ValueError, match=expected):
        make(cleaning=FILTER_OPTIONS).fit(runs)


@pytest.mark.parametrize("t_r", [0, -1.0, np.nan, "2"])
def test_bad_t_r_of_a_run(make, files, t_r):
    runs = [Run(files[0], t_r=2.0), Run(files[1], t_r=t_r)]
    with pytest.raises(ValueError, match=words("run 1", files[1], "t_r", repr(t_r))):
        make(cleaning=FILTER_OPTIONS).fit(runs)


@pytest.mark.parametrize("name", ["low_pass", "high_pass", "t_r"])
def test_shared_parameter_of_a_wrong_word(sbc, data, name):
    sbc.set_params(**{name: "maskers"})
    with pytest.raises(ValueError, match=words(name, '"masker"', "'maskers'")):
        sbc.fit(data.runs)


@pytest.mark.parametrize("n_scans", [4, 10])
def test_run_too_short_for_the_filter(make, files, tmp_path, n_scans):
    path = tmp_path / "short_bold.nii.gz"
    save(nib.load(files[1]).slicer[..., :n_scans], path)
    sbc = make(cleaning=FILTER_OPTIONS)
    expected = words("run 1", str(path), f"{n_scans} scans")
    with pytest.raises(ValueError, match=expected):
        sbc.fit([files[0], path])


# Seeds


def test_seed_outside_the_image(make, data, files):
    sbc = make(seeds=[data.seeds[0], FAR_AWAY])
    expected = words(
        "run 0", files[0], "seed 1", "(500, 0, 0)", "seed_masker", "outside the image"
    )
    with pytest.raises(ValueError, match=expected) as info:
        sbc.fit(files)
    assert re.search(words("spans [-20.0, ", " mm"), str(info.value))


@pytest.mark.parametrize("kind", [NiftiSpheresMasker, SphereSeeds])
def test_seed_outside_the_image_that_its_sphere_reaches_into(data, kind):
    inner, edge = data.seeds[0], data.runs[0].img.affine[2, 3]
    for beyond, radius in ((2.1, 20), (6.0, 20), (3.0, 8)):
        seeds = [inner, (*inner[:2], edge - beyond)]
        sbc = SeedCorrelationMap(
            kind(seeds, radius=radius, allow_overlap=True), NiftiMasker(data.mask_img)
        )
        name = "seed 1" if kind is NiftiSpheresMasker else f"seed '(0, {inner[1]:g}, "
        expected = words("run 0", name, "seed_masker", "outside the image", "spans")
        with pytest.raises(ValueError, match=expected):
            sbc.fit(data.runs[0])


def test_seed_outside_one_run_alone(sbc, data):
    affine = data.mask_img.affine.copy()
    affine[0, 3] += 300
    moved = nib.Nifti1Image(np.asarray(data.runs[1].img.dataobj), affine)
    with pytest.raises(ValueError, match=words("run 1", "seed 0", "outside the image")):
        sbc.fit([data.runs[0].img, moved])


def test_seed_outside_its_mask(make, data, files):
    mask = np.zeros(data.mask_img.shape, np.uint8)
    mask[1:3, 1:3, 1:3] = 1
    spheres = {"mask_img": nib.Nifti1Image(mask, data.mask_img.affine)}
    expected = words("run 0", "seed 0", "seed_masker", "outside mask_img", "Move")
    with pytest.raises(ValueError, match=expected):
        make(spheres=spheres).fit(files[0])


def test_overlapping_spheres(make, data, files):
    sbc = make(seeds=[(0, 0, 0), (40, 0, 0), (4, 0, 0)][::2], radius=8)
    expected = words(
        "run 0",
        files[0],
        "(0, 0, 0)",
        "(4, 0, 0)",
        "overlap",
        "radius=8",
        "allow_overlap",
    )
    with pytest.raises(ValueError, match=expected):
        sbc.fit(files)


def test_overlapping_spheres_may_be_allowed(make, data):
    sbc = make([(0, 0, 0), (4, 0, 0)], 8, spheres={"allow_overlap": True})
    assert np.isfinite(sbc.fit_transform(data.runs)).all()


@pytest.mark.parametrize("seeds", [[(0, 0)], [(0, 0, "a")], []])
def test_seeds_that_are_no_coordinates(make, data, seeds):
    with pytest.raises(ValueError, match=words("seed")):
        make(seeds=seeds).fit(data.runs)


@pytest.mark.parametrize(
    "radius",
    [-1.0, "6", np.nan, np.inf, 1e9, np.float32(-2), True, False, np.False_, 6j],
)
def test_bad_radius(make, data, radius):
    expected = words("radius must be a length from 0 to 1000 mm or N", repr(radius))
    with pytest.raises(ValueError, match=expected):
        make(radius=radius).fit(data.runs)
    with pytest.raises(ValueError, match=expected):
        SphereSeeds(data.seeds, radius=[6, radius]).fit()


@pytest.mark.parametrize("radius", [0, 0.0, np.float32(0), np.int64(0), None])
def test_radius_of_one_voxel(make, data, radius):
    z = make(radius=radius).fit(data.runs[0]).correlations_
    np.testing.assert_array_equal(z, make(radius=None).fit(data.runs[0]).correlations_)


def silent(img, seed):
    """Return a copy of an image that is 0 around a coordinate."""
    values = np.array(img.dataobj)
    centre = nib.affines.apply_affine(np.linalg.inv(img.affine), seed)
    x, y, z = np.rint(centre).astype(int)
    values[x - 2 : x + 3, y - 2 : y + 3, z - 2 : z + 3] = 0
    return nib.Nifti1Image(values, img.affine)


def test_seed_without_signal(make, data, tmp_path):
    path = tmp_path / "silent_bold.nii.gz"
    save(silent(data.runs[1].img, data.seeds[1]), path)
    sbc = make(seeds=data.seeds)
    expected = words(
        "run 1", str(path), "seed '(", "of seed_masker has no signal", "Move"
    )
    with pytest.raises(ValueError, match=expected):
        sbc.fit([data.runs[0].img, path])


def test_seed_without_signal_in_transform(sbc, data):
    sbc.fit(images(data))
    wrong = silent(data.runs[1].img, data.seeds[0])
    with pytest.raises(ValueError, match=words("run 1", "seed '(", "no signal")):
        sbc.transform([data.runs[0].img, wrong])


# Too few scans


@pytest.mark.usefixtures("any_dof")
@pytest.mark.parametrize(
    ("options", "least"),
    [({"low_pass": 0.1, "high_pass": 0.01}, 34), ({"low_pass": 0.1}, 19)],
)
def test_a_filter_says_how_many_scans_it_needs(data, tmp_path, options, least):
    path = tmp_path / "short_bold.nii"
    save(data.runs[0].img.slicer[..., : least - 1], path)
    sbc = SeedCorrelationMap(
        SphereSeeds(data.seeds[:1], 6), NiftiMasker(data.mask_img), t_r=2.0, **options
    )
    expected = words(
        *("run 0", str(path), "brain_masker", f"{least - 1} scans", "are too few"),
        *(f"it needs {least} from", "butterworth__padlen"),
    )
    with pytest.raises(ValueError, match=expected) as info:
        sbc.fit(path)
    assert "seed_masker" not in str(info.value)
    sbc.fit(data.runs[0].img.slicer[..., :least])
    # Censored scans count where they lie between others.
    mask = np.r_[0:8, least - 2]
    with pytest.raises(ValueError, match=words(f"it needs {least} from the first")):
        sbc.fit(Run(data.runs[0].img, sample_mask=mask))
    shorter = {"butterworth__padlen": 10}
    sbc.set_params(brain_masker__clean_args=shorter).fit(path)


# Masks


@pytest.mark.parametrize("masker", ["seed_masker", "brain_masker"])
def test_empty_mask(sbc, data, tmp_path, masker):
    empty = nib.Nifti1Image(
        np.zeros(data.mask_img.shape, np.uint8), data.mask_img.affine
    )
    sbc.set_params(**{f"{masker}__mask_img": empty})
    with pytest.raises(ValueError, match=words(masker, "mask_img", "is empty", "Pass")):
        sbc.fit(data.runs)
    path = save(empty, tmp_path / "nothing.nii")
    sbc.set_params(**{f"{masker}__mask_img": path})
    with pytest.raises(ValueError, match=words(masker, "mask_img", path, "is empty")):
        sbc.fit(data.runs)


@pytest.mark.filterwarnings("ignore:Computed an empty mask")
@pytest.mark.parametrize("order", ["last", "first", "only"])
def test_run_in_which_no_brain_is_found(make, data, files, tmp_path, order):
    nothing = nib.Nifti1Image(
        np.zeros(data.runs[0].img.shape, np.float32), data.runs[0].img.affine
    )
    path = save(nothing, tmp_path / "nothing_bold.nii")
    runs = {"last": [files[0], path], "first": [path, files[0]], "only": [path]}[order]
    where = f"run {runs.index(path)} ({str(path)!r})"
    expected = words("mask_strategy='background' finds no brain", "Pass mask_img")
    with pytest.raises(ValueError, match=expected) as info:
        make(voxels={"mask_img": None}).fit(runs)
    assert where in str(info.value)


def test_mask_strategy_that_is_none(make, data, files):
    sbc = make(voxels={"mask_img": None})
    sbc.brain_masker.set_params(mask_strategy="nose")
    with pytest.raises(
        ValueError, match=words("brain_masker", "could not be fitted", "nose")
    ):
        sbc.fit(files)


def test_runs_that_share_no_brain(make, data):
    halves = [np.array(data.runs[0].img.dataobj) for _ in range(2)]
    middle = halves[0].shape[0] // 2
    halves[0][:middle], halves[1][middle:] = 0, 0
    runs = [nib.Nifti1Image(half, data.runs[0].img.affine) for half in halves]
    sbc = make(voxels={"mask_img": None})
    sbc.brain_masker.set_params(mask_args={"border_size": 0, "opening": 0})
    with pytest.raises(ValueError, match=words("no brain that the 2 runs share")):
        sbc.fit(runs)


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("masker", ["seed_masker", "brain_masker"])
def test_missing_mask_file(sbc, data, tmp_path, masker, kind):
    path = tmp_path / "absent_mask.nii.gz"
    sbc.set_params(**{f"{masker}__mask_img": kind(path)})
    expected = words(masker, "mask_img", str(path))
    with pytest.raises(FileNotFoundError, match=expected):
        sbc.fit(data.runs)


def test_missing_labels_file(data, tmp_path):
    path = tmp_path / "absent_labels.nii.gz"
    sbc = SeedCorrelationMap(NiftiLabelsMasker(str(path)), NiftiMasker(data.mask_img))
    expected = words("seed_masker, labels_img", "there is no file", str(path))
    with pytest.raises(FileNotFoundError, match=expected):
        sbc.fit(data.runs)


def moved(img, shift=1000.0):
    """Return the same voxels far away along x."""
    affine = img.affine.copy()
    affine[0, 3] += shift
    return nib.Nifti1Image(np.asarray(img.dataobj), affine)


def test_mask_and_image_do_not_overlap(make, data, files):
    sbc = make(voxels={"mask_img": moved(data.mask_img)})
    expected = words("run 0", files[0], "brain_masker", "do not overlap", "space")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(files)


def test_seed_mask_and_image_do_not_overlap(data, files):
    sbc = SeedCorrelationMap(
        NiftiMasker(moved(data.mask_img)), NiftiMasker(data.mask_img)
    )
    with pytest.raises(
        ValueError, match=words("run 0", "seed_masker", "do not overlap")
    ):
        sbc.fit(files)


# nilearn 0.13 warns before it raises.
@pytest.mark.filterwarnings("ignore:After resampling the label image")
@pytest.mark.parametrize("kind", ["labels", "maps"])
def test_regions_and_image_do_not_overlap(data, files, kind):
    regions = moved(data.mask_img)
    masker = NiftiLabelsMasker(regions)
    if kind == "maps":
        maps = np.asarray(regions.dataobj, dtype=np.float32)[..., np.newaxis]
        masker = NiftiMapsMasker(nib.Nifti1Image(maps, regions.affine))
    sbc = SeedCorrelationMap(masker, NiftiMasker(data.mask_img))
    expected = words("run 0", "seed_masker", f"{kind}_img", "space")
    with pytest.raises(ValueError, match=expected):
        sbc.fit(files)


def test_mask_and_second_run_do_not_overlap(sbc, data):
    with pytest.raises(ValueError, match=words("run 1")):
        sbc.fit([data.runs[0].img, moved(data.runs[1].img)])


# Volumes and surfaces


def test_volume_maskers_with_a_surface_image(sbc, surface):
    expected = words(
        "run 0", "seed_masker", "NiftiSpheresMasker", "a volume", "a surface", "Use"
    )
    with pytest.raises(TypeError, match=expected):
        sbc.fit([surface.img])


def test_volume_brain_masker_with_a_surface_image(data, surface):
    sbc = SeedCorrelationMap(
        SurfaceLabelsMasker(surface.labels_img), NiftiMasker(data.mask_img)
    )
    with pytest.raises(TypeError, match=words("run 0", "brain_masker", "NiftiMasker")):
        sbc.fit(surface.img)


def test_volume_masker_without_mask_with_a_surface_image(surface):
    sbc = SeedCorrelationMap(SurfaceLabelsMasker(surface.labels_img), NiftiMasker())
    with pytest.raises(TypeError, match=words("run 0", "brain_masker", "NiftiMasker")):
        sbc.fit(surface.img)


def test_surface_seed_masker_with_a_volume(data, surface):
    sbc = SeedCorrelationMap(
        SurfaceLabelsMasker(surface.labels_img), NiftiMasker(data.mask_img)
    )
    expected = words("run 0", "seed_masker", "SurfaceLabelsMasker", "a surface")
    with pytest.raises(TypeError, match=expected):
        sbc.fit(data.runs)


@pytest.mark.parametrize("has_mask", [True, False])
def test_surface_brain_masker_with_a_volume(data, surface, has_mask):
    mask = surface.mask_img if has_mask else None
    sbc = SeedCorrelationMap(NiftiSpheresMasker(data.seeds[:1]), SurfaceMasker(mask))
    expected = words("run 0", "brain_masker", "SurfaceMasker", "a surface", "a volume")
    with pytest.raises(TypeError, match=expected):
        sbc.fit(data.runs)


def test_surface_run_among_volumes(sbc, data, surface):
    with pytest.raises(TypeError, match=words("run 1", "a surface")):
        sbc.fit([data.runs[0], surface.img])


def test_surface_run_in_transform(sbc, data, surface):
    sbc.fit(images(data))
    with pytest.raises(TypeError, match=words("run 1", "seed_masker", "a surface")):
        sbc.transform([data.runs[0].img, surface.img])


# Maskers


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_seed_masker_is_a_class(data, method):
    sbc = SeedCorrelationMap(NiftiSpheresMasker)
    expected = words("seed_masker", "instance", "class NiftiSpheresMasker", "Pass")
    with pytest.raises(TypeError, match=expected):
        getattr(sbc, method)(data.runs)


def test_brain_masker_is_a_class(data):
    sbc = SeedCorrelationMap(NiftiSpheresMasker(data.seeds), NiftiMasker)
    with pytest.raises(TypeError, match=words("brain_masker", "class NiftiMasker")):
        sbc.fit(data.runs)


class NoMethods(BaseEstimator):
    """It can be cloned, and has none of a masker's methods."""


@pytest.mark.parametrize("wrong", [None, "mask.nii.gz", (0, -52, 18), NoMethods(), 3])
def test_seed_masker_without_methods(data, wrong):
    expected = words("seed_masker", "lacks", "transform", "Pass")
    with pytest.raises(TypeError, match=expected):
        SeedCorrelationMap(wrong).fit(data.runs)


@pytest.mark.parametrize("wrong", ["mask.nii.gz", NoMethods(), 3])
def test_brain_masker_without_methods(data, wrong):
    sbc = SeedCorrelationMap(NiftiSpheresMasker(data.seeds), wrong)
    with pytest.raises(TypeError, match=words("brain_masker", "lacks", "Pass")):
        sbc.fit(data.runs)


def test_parameter_that_a_masker_does_not_have(data):
    class Plain(BaseEstimator):
        def fit(self, img):
            return self

        def transform(self, img):
            return np.zeros((N_SCANS, 1))

        def inverse_transform(self, X):
            return X

    sbc = SeedCorrelationMap(Plain(), NiftiMasker(data.mask_img), low_pass=0.1)
    with pytest.raises(ValueError, match=words("low_pass=0.1", "seed_masker", "Plain")):
        sbc.fit(data.runs)


# Order of calls


def test_before_fit(sbc, data):
    rows = np.zeros((1, 300))
    for call in (
        lambda: sbc.transform(data.runs),
        lambda: sbc.inverse_transform(rows),
        lambda: sbc.seed_signals(data.runs[0]),
        lambda: sbc.brain_signals(data.runs[0]),
        sbc.get_feature_names_out,
    ):
        with pytest.raises(NotFittedError, match=words("SeedCorrelationMap", "fit")):
            call()


@pytest.mark.parametrize("shape", [(1, 299), (301,), (2, 600), (1, 1, 300), (1, 0), ()])
def test_inverse_transform_of_a_wrong_width(sbc, data, shape):
    sbc.fit(images(data))
    expected = words("X must have", "1 * 300 = 300 columns", shape, "transform")
    with pytest.raises(ValueError, match=expected):
        sbc.inverse_transform(np.zeros(shape))


@pytest.mark.parametrize("dtype", ["U3", object, complex, "M8[s]"])
def test_inverse_transform_of_what_is_no_number(sbc, data, dtype):
    sbc.fit(images(data))
    expected = words("X must hold real numbers", np.dtype(dtype), "transform")
    with pytest.raises(ValueError, match=expected):
        sbc.inverse_transform(np.zeros((1, 300)).astype(dtype))


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, ">f4", bool, np.int64])
def test_inverse_transform_of_any_real_number(sbc, data, dtype):
    sbc.fit(images(data))
    rows = np.arange(300).astype(dtype)
    img = sbc.inverse_transform(rows)
    found = apply_mask(img, data.mask_img)
    np.testing.assert_array_equal(found.ravel(), rows.astype(np.float32))


@pytest.mark.parametrize("name", ["confounds", "sample_mask"])
@pytest.mark.parametrize("method", ["transform", "seed_signals", "brain_signals"])
def test_lost_between_fit_and_transform(sbc, data, files, name, method):
    entry = data.runs[0].confounds if name == "confounds" else np.arange(5, N_SCANS)
    sbc.fit([Run(path, **{name: entry}) for path in files])
    expected = words("run 0", files[0], f"every run had {name} in fit", "Run(img, ")
    with pytest.raises(ValueError, match=expected):
        getattr(sbc, method)(files[0])


def test_confounds_lost_for_one_run(sbc, data, files):
    tables = [run.confounds for run in data.runs]
    sbc.fit(files, confounds=tables)
    with pytest.raises(ValueError, match=words("run 2", files[2], "confounds in fit")):
        sbc.transform(files, confounds=[*tables[:2], None])


def test_runs_may_differ_where_not_all_had_confounds(sbc, data):
    sbc.fit([data.runs[0], data.runs[1].img])
    assert sbc.transform(images(data)).shape == (3, 300)


@pytest.mark.parametrize("name", ["confounds", "sample_mask"])
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_twice_in_the_run_and_beside(sbc, data, files, name, method):
    entry = data.runs[1].confounds if name == "confounds" else np.arange(5, N_SCANS)
    runs = [Run(files[0]), Run(files[1], **{name: entry})]
    if method == "transform":
        sbc.fit(images(data))
    expected = words("run 1", files[1], name, "beside X", "one place")
    with pytest.raises(ValueError, match=expected):
        getattr(sbc, method)(runs, **{name: [entry, entry]})


# Before long work


def short(img):
    """Return the first 8 scans."""
    return counted(img.slicer[..., :8])


def cut_short(img, folder):
    """Return the path of an uncompressed file that ends within its scans."""
    return truncated(save(img, folder / "whole.nii"), folder)


KNOWN_BEFORE = {
    "missing file": lambda img, _: "absent.nii.gz",
    "truncated file": cut_short,
    "3D image": lambda img, _: img.slicer[..., 0],
    "no run": lambda img, _: None,
    "length of confounds": lambda img, _: Run(counted(img), np.zeros((7, 1))),
    "NaN in confounds": lambda img, _: Run(counted(img), np.full((N_SCANS, 1), np.nan)),
    "missing confounds": lambda img, _: Run(counted(img), "absent.tsv"),
    "too many confounds": lambda img, _: Run(counted(img), np.eye(N_SCANS)),
    "sample mask": lambda img, _: Run(counted(img), sample_mask=[1, 2, 1000]),
    "Nyquist": lambda img, _: Run(counted(img), t_r=30.0),
    "too short to filter": lambda img, _: short(img),
    "other space": lambda img, _: counted(moved(img)),
}


@pytest.mark.parametrize(
    ("case", "method", "mask"),
    every_pair(KNOWN_BEFORE, ["fit", "fit_transform"], ["given", "computed"]),
)
def test_known_before_any_run_is_read(make, data, tmp_path, case, method, mask):
    first = [counted(run.img) for run in data.runs[:2]]
    voxels = {} if mask == "given" else {"mask_img": None}
    sbc = make(voxels=voxels, cleaning=FILTER_OPTIONS)
    last = KNOWN_BEFORE[case](data.runs[2].img, tmp_path)
    expected = "X[2]" if case == "no run" else "run 2"
    with pytest.raises((TypeError, ValueError, OSError), match=words(expected)):
        getattr(sbc, method)([*first, last])
    assert not any(img.dataobj.n_reads.any() for img in first)


@pytest.mark.parametrize("case", KNOWN_BEFORE)
def test_known_before_any_run_is_read_in_transform(make, data, tmp_path, case):
    sbc = make(cleaning=FILTER_OPTIONS).fit(images(data))
    first = [counted(run.img) for run in data.runs[:2]]
    last = KNOWN_BEFORE[case](data.runs[2].img, tmp_path)
    expected = "X[2]" if case == "no run" else "run 2"
    with pytest.raises((TypeError, ValueError, OSError), match=words(expected)):
        sbc.transform([*first, last])
    assert not any(img.dataobj.n_reads.any() for img in first)


def slabs(data, **options):
    """Return a masker of the brain's two halves as labels."""
    half = 1 + (np.indices(data.mask_img.shape)[0] > 5)
    labels = (np.asarray(data.mask_img.dataobj) * half).astype(np.int16)
    return NiftiLabelsMasker(nib.Nifti1Image(labels, data.mask_img.affine), **options)


def soft_maps(data, **options):
    """Return a masker of two maps."""
    maps = np.random.default_rng(0).random((*data.mask_img.shape, 2))
    maps *= np.asarray(data.mask_img.dataobj)[..., np.newaxis] != 0
    maps_img = nib.Nifti1Image(maps.astype(np.float32), data.mask_img.affine)
    return NiftiMapsMasker(maps_img, **options)


MASKERS_OF_REGIONS = {
    "labels": (slabs, {}, ("labels_img", "do not overlap", "space")),
    "maps": (soft_maps, {}, ("maps_img", "do not overlap", "space")),
    "labels stay": (
        *(slabs, {"resampling_target": "labels"}),
        ("labels_img", "do not overlap"),
    ),
    "maps stay": (
        *(soft_maps, {"resampling_target": "maps"}),
        ("maps_img", "do not overlap"),
    ),
    "labels as they are": (
        *(slabs, {"resampling_target": None}),
        ("labels_img", "resampling_target=None", 'Set resampling_target="data"'),
    ),
}


@pytest.mark.parametrize("masker", ["seed_masker", "brain_masker"])
@pytest.mark.parametrize("case", MASKERS_OF_REGIONS)
def test_regions_that_miss_a_run_are_known_before_any_is_read(data, case, masker):
    kind, options, parts = MASKERS_OF_REGIONS[case]
    maskers = {"seed_masker": GivenSignals(), "brain_masker": slabs(data)}
    sbc = SeedCorrelationMap(**{**maskers, masker: kind(data, **options)})
    signals = np.random.default_rng(0).standard_normal((N_SCANS, 1))
    first = [counted(run.img) for run in data.runs[:2]]
    last = counted(moved(data.runs[2].img))
    runs = [Run(img, seed_signals=signals) for img in (*first, last)]
    with pytest.raises(ValueError, match=words("run 2", masker, *parts)):
        sbc.fit(runs)
    sbc.fit(Run(data.runs[0].img, seed_signals=signals))
    with pytest.raises(ValueError, match=words("run 2", masker, *parts)):
        sbc.transform(runs)
    assert not any(img.dataobj.n_reads.any() for img in first)


def on_mesh(n_left, n_right, make):
    """Return a SurfaceImage with what `make` gives for the vertices of each part."""
    faces = np.array([[0, 1, 2]])
    parts = {"left": n_left, "right": n_right}
    mesh = {
        name: InMemoryMesh(np.zeros((n, 3)) + np.arange(n)[:, np.newaxis], faces)
        for name, n in parts.items()
    }
    data = {name: make(n) for name, n in parts.items()}
    return SurfaceImage(PolyMesh(**mesh), data)


OTHER_MESHES = {
    "labels": lambda img: SurfaceLabelsMasker(img(lambda n: 1 + np.arange(n) // 30)),
    "maps": lambda img: SurfaceMapsMasker(img(lambda n: np.ones((n, 2)))),
    "mask": lambda img: SurfaceMasker(img(lambda n: np.arange(n) > 3)),
}


@pytest.mark.parametrize("masker", ["seed_masker", "brain_masker"])
@pytest.mark.parametrize("case", OTHER_MESHES)
@pytest.mark.parametrize("sizes", [(70, 60), (50, 70)])
def test_meshes_that_differ_are_known_before(surface, monkeypatch, sizes, case, masker):
    monkeypatch.setattr(Attempts, "maps", None)
    maskers = {
        "seed_masker": SurfaceLabelsMasker(surface.labels_img),
        "brain_masker": SurfaceMasker(surface.mask_img),
    }
    maskers[masker] = OTHER_MESHES[case](partial(on_mesh, *sizes))
    expected = words(
        *("run 0", "the image has 60 left vertices", f"{case}_img has {sizes[0]} left"),
        *(masker, "same mesh"),
    )
    with pytest.raises(ValueError, match=expected):
        SeedCorrelationMap(**maskers).fit(surface.img)


@pytest.mark.parametrize("mask", ["given", "computed"])
@pytest.mark.parametrize("sizes", [(70, 60), (50, 70)])
def test_runs_of_other_meshes_are_known_before(surface, monkeypatch, sizes, mask):
    signals = np.random.default_rng(0).standard_normal((90, 1))
    runs = [Run(surface.img, seed_signals=signals)] * 2
    brain = SurfaceMasker(surface.mask_img if mask == "given" else None)
    sbc = SeedCorrelationMap(GivenSignals(), brain).fit(runs)
    other = on_mesh(*sizes, lambda n: np.random.default_rng(n).random((n, 90)))
    runs.append(Run(other, seed_signals=signals))
    monkeypatch.setattr(Attempts, "maps", None)
    origin = "mask_img has" if mask == "given" else "the first run of fit has"
    expected = words("run 2", f"image has {sizes[0]} left", origin, "brain_masker")
    for method in (sbc.fit, sbc.transform):
        with pytest.raises(ValueError, match=expected):
            method(runs)


def test_counting_proxy_counts(make, data):
    img = counted(data.runs[0].img)
    z = make(cleaning=FILTER_OPTIONS).fit_transform(img)
    assert img.dataobj.n_reads.all()
    expected = make(cleaning=FILTER_OPTIONS).fit_transform(data.runs[0].img)
    np.testing.assert_allclose(z, expected, atol=1e-6)


def test_no_file_is_read_before_the_last_is_checked(sbc, files, tmp_path):
    # A file cut in half passes as long as its header alone is read.
    cut = [truncated(path, tmp_path) for path in files[:2]]
    wrong = Run(files[2], confounds=np.zeros((3, 1)))
    with pytest.raises(ValueError, match=words("run 2", files[2], "confounds")):
        sbc.fit([*cut, wrong])


@pytest.mark.parametrize(
    "wrong",
    [{"seeds": [FAR_AWAY]}, {"cleaning": {"low_pass": 0.3, "t_r": 2.0}}],
    ids=["seed outside", "Nyquist"],
)
def test_parameters_are_checked_before_a_mask_is_computed(make, data, wrong):
    img = counted(data.runs[0].img)
    with pytest.raises(ValueError, match="run 0"):
        make(voxels={"mask_img": None}, **wrong).fit(img)
    assert not img.dataobj.n_reads.any()


# After an error


def test_inputs_are_unchanged_after_an_error(sbc, data, files):
    tables = [run.confounds.copy() for run in data.runs]
    tables[2].iloc[4, 0] = np.nan
    masks = [np.arange(N_SCANS), np.arange(N_SCANS), np.arange(N_SCANS)]
    X, before = list(files), [table.copy() for table in tables]
    parameters = sbc.get_params()
    with pytest.raises(ValueError, match=words("run 2", "confounds", "[4]")):
        sbc.fit(X, confounds=tables, sample_mask=masks)
    assert tuple(X) == tuple(files)
    for table, expected in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, expected)
    assert all(np.array_equal(mask, np.arange(N_SCANS)) for mask in masks)
    after = sbc.get_params()
    assert after.keys() == parameters.keys()
    assert all(after[name] is parameters[name] for name in parameters)
    assert not hasattr(sbc.seed_masker, "seeds_")
    assert not hasattr(sbc.brain_masker, "mask_img_")


def late_error(data):
    """Return runs of which the last fails only once its data is read."""
    return [data.runs[0].img, silent(data.runs[1].img, data.seeds[0])]


def early_error(data):
    """Return runs of which the last fails at its header."""
    return [data.runs[0].img, data.runs[1].img.slicer[..., 0]]


@pytest.mark.parametrize("bad_runs", [early_error, late_error])
@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_not_fitted_after_a_failed_fit(sbc, data, bad_runs, method):
    with pytest.raises(ValueError, match="run 1"):
        getattr(sbc, method)(bad_runs(data))
    assert [name for name in vars(sbc) if name.endswith("_")] == []
    with pytest.raises(NotFittedError):
        sbc.transform(images(data))


@pytest.mark.parametrize("bad_runs", [early_error, late_error])
@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_old_fit_stays_whole_after_a_failed_one(sbc, data, bad_runs, method):
    expected = sbc.fit(data.runs).transform(data.runs)
    before = dict(vars(sbc))
    with pytest.raises(ValueError, match="run 1"):
        getattr(sbc, method)(bad_runs(data))
    assert all(vars(sbc)[name] is before[name] for name in before)
    np.testing.assert_array_equal(sbc.transform(data.runs), expected)


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True])
def test_bad_n_jobs(sbc, data, n_jobs):
    with pytest.raises(ValueError, match=words("n_jobs must be None", repr(n_jobs))):
        sbc.set_params(n_jobs=n_jobs).fit(data.runs)


def test_fit_after_a_failed_fit(sbc, data):
    with pytest.raises(ValueError, match="run 1"):
        sbc.fit(late_error(data))
    assert sbc.fit(data.runs).n_runs_ == 3


def test_error_in_a_worker_names_the_run(sbc, data):
    sbc.set_params(n_jobs=2)
    error = pytest.raises(ValueError, match=words("run 1", "seed '(", "no signal"))
    with error, joblib.parallel_config("threading"):
        sbc.fit(late_error(data))


# Warnings


def quiet_voxel(img, mask_img, value):
    """Return a copy of an image with one voxel of the brain at one value."""
    values = np.array(img.dataobj)
    values[tuple(np.argwhere(np.asarray(mask_img.dataobj))[0])] = value
    return nib.Nifti1Image(values, img.affine)


@pytest.mark.parametrize("value", [0.0, 7.0, np.nan, np.inf])
@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_voxel_without_signal_warns_once_a_run(sbc, data, value, method):
    if method == "transform":
        sbc.fit(images(data))
    img = quiet_voxel(data.runs[1].img, data.mask_img, value)
    with pytest.warns(
        UserWarning, match=words("run 1", "some voxels have no signal")
    ) as caught:
        getattr(sbc, method)([data.runs[0].img, img])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        z = sbc.transform(img)
    assert z[0, 0] == 0
    assert np.all(z[0, 1:] != 0)
    assert np.isfinite(z).all()


@pytest.mark.parametrize("method", ["fit", "fit_transform", "transform"])
def test_warning_points_at_the_caller(sbc, data, method):
    if method == "transform":
        sbc.fit(images(data))
    img = quiet_voxel(data.runs[0].img, data.mask_img, 0.0)
    with pytest.warns(UserWarning, match="no signal") as caught:
        getattr(sbc, method)(img)
    assert caught[0].filename == __file__
