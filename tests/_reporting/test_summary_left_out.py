"""A report says which runs were left out, and takes the runs of fit as they are."""

import json

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting import summary as summaries
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.summary import summarise
from sbc_estimators.maskers import SphereSeeds
from sbc_estimators.plotting._backgrounds import files_of


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch):
    """Draw no maps, which takes most of the time."""
    monkeypatch.setattr(summaries, "map_picture", lambda *_: "data:,")


def _estimator(box):
    """Return an estimator that leaves out runs that cannot be mapped."""
    brain = NiftiMasker(box.mask_img, detrend=True)
    return SeedCorrelationMap(SphereSeeds(box.seeds, 6), brain, on_error="skip")


@pytest.fixture
def left_out(sample_box, two_runs):
    """An estimator of three runs, of which the second was left out, and these."""
    zeros = np.zeros(sample_box.img.shape)
    runs = [
        two_runs[0],
        Run(nib.Nifti1Image(zeros, sample_box.img.affine)),
        two_runs[1],
    ]
    sbc = _estimator(sample_box)
    with pytest.warns(UserWarning, match="left out"):
        sbc.fit(runs)
    return sbc, runs


def _saved(img, path):
    """Return the path of a file of an image."""
    nib.save(nib.Nifti1Image(np.asarray(img.dataobj), img.affine), path)
    return path


@pytest.fixture
def files(sample_box, tmp_path):
    """The files of three runs, of which the second was cut off."""
    names = [f"sub-0{i}_task-rest_bold.nii" for i in (1, 2, 3)]
    paths = [_saved(sample_box.img, tmp_path / name) for name in names]
    paths[1].write_bytes(paths[1].read_bytes()[:-5000])
    return list(map(str, paths))


def test_runs_that_were_left_out_are_told(left_out):
    found = summarise(left_out[0])
    (warning,) = found["warnings"]
    assert warning.startswith("run 1: seed ")
    assert warning.endswith(" The run was left out.")
    assert "has no signal" in warning
    assert (
        "The data were 2 runs of 200 scans; 1 of 3 runs was left out, as it could not "
        "be mapped." in found["methods"]["text"]
    )
    assert [run["label"] for run in found["runs"]] == ["run 0", "run 2"]
    page = render(found)
    assert "No warnings" not in page
    assert "1 warning" in page


def test_the_runs_of_fit_are_those_of_the_report(left_out, two_runs):
    sbc, runs = left_out
    found = summarise(sbc, runs)
    assert found["warnings"] == summarise(sbc)["warnings"]
    labels = ["run 0", "run 2"]
    assert [run["label"] for run in found["runs"]] == labels
    assert [own["label"] for own in found["details"][0]["series"]] == labels
    assert [run["n_confounds"] for run in found["runs"]] == [8, 8]
    kept = [run["n_kept_scans"] for run in found["runs"]]
    assert kept == [200, len(two_runs[1].sample_mask)]
    z = sbc.transform(two_runs).reshape(2, 3, -1)
    expected = [np.corrcoef(z[:, seed])[0, 1] for seed in range(3)]
    agreement = [seed["agreement"] for seed in found["seeds"]]
    np.testing.assert_allclose(agreement, expected, rtol=1e-6)
    assert "(repetition time 1.5 s); 1 of 3 runs was" in found["methods"]["text"]
    json.dumps(found, allow_nan=False)


def test_the_runs_that_were_mapped_will_do(left_out, two_runs):
    sbc, _ = left_out
    found = summarise(sbc, two_runs)
    assert [run["label"] for run in found["runs"]] == ["run 0", "run 2"]
    assert len(found["warnings"]) == 1


def test_several_that_were_left_out(left_out):
    sbc, runs = left_out
    with pytest.warns(UserWarning, match="left out"):
        sbc.fit([*runs, runs[1]])
    found = summarise(sbc)
    words = "; 2 of 4 runs were left out, as they could not be mapped."
    assert words in found["methods"]["text"]
    assert len(found["warnings"]) == 2


def test_a_file_that_cannot_be_read(sample_box, files):
    sbc = _estimator(sample_box)
    with pytest.warns(UserWarning, match="left out"):
        sbc.fit(files)
    for X in (None, files):
        found = summarise(sbc, X)
        (warning,) = found["warnings"]
        assert warning.startswith(f"run 1 ({files[1]!r}): ")
        assert warning.count(files[1]) == 1
        assert warning.endswith(". The run was left out.")
        labels = [run["label"] for run in found["runs"]]
        assert labels == ["sub-01 task-rest", "sub-03 task-rest"]
    assert files[1] in found["script"]


def test_no_background_is_looked_for_in_it(sample_box, files):
    runs = [files[1], nib.load(files[0])]
    with pytest.warns(UserWarning, match="left out"):
        sbc = _estimator(sample_box).fit(runs)
    assert files_of(sbc) == [files[0]]
