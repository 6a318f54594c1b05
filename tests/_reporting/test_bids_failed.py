"""Runs that cannot be mapped, among those whose maps `save_to_bids` writes."""

import os
import re
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from helpers import times
from sbc_estimators import Run, SeedCorrelationMap, save_to_bids
from sbc_estimators._reporting import bids
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import SphereSeeds

BAD = 1
"""The position of the run whose file will be spoilt."""


@pytest.fixture
def data():
    """Three runs of 40 scans."""
    return make_runs(n_runs=3, n_scans=40, random_state=0)


@pytest.fixture
def runs(data, tmp_path):
    """The same in files."""
    found = []
    for i, run in enumerate(data.runs):
        path = tmp_path / f"sub-0{i}_task-rest_bold.nii"
        nib.save(run.img, path)
        found.append(Run(path, t_r=2.0))
    return found


@pytest.fixture
def sbc(data, runs):
    """An estimator that leaves out runs that fail, fitted to runs that are whole."""
    seeds = SphereSeeds(data.seeds[:1], radius=4)
    brain = NiftiMasker(data.mask_img)
    return SeedCorrelationMap(seeds, brain, on_error="skip").fit(runs)


def cut(run):
    """Cut off the end of a run's file, which its header does not tell."""
    os.truncate(run.img, os.path.getsize(run.img) // 2)


def without_signal(run):
    """Let all scans of a run be the same, which is seen when it is mapped."""
    img = nib.load(run.img)
    nib.save(nib.Nifti1Image(np.ones(img.shape, np.float32), img.affine), run.img)


SPOILT = {
    "cut": cut,
    "without signal": without_signal,
    "missing": lambda run: os.unlink(run.img),
}


def named(run):
    """Return the pattern of the words that name the spoilt run."""
    return re.escape(f"run {BAD} ({str(run.img)!r})")


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("stats", [("effect",), ("effect", "dof")])
@pytest.mark.parametrize("n_jobs", [None, 3])
def test_a_run_that_fails_is_left_out(sbc, runs, tmp_path, spoil, stats, n_jobs):
    SPOILT[spoil](runs[BAD])
    sbc.set_params(n_jobs=n_jobs)
    with pytest.warns(UserWarning, match=f"{named(runs[BAD])}.*left out"):
        files = save_to_bids(sbc, runs, tmp_path / "maps", stats=stats)
    assert len(files) == 2 * len(stats)
    for path, i in zip(files, np.repeat([0, 2], len(stats)), strict=True):
        assert path.name.startswith(f"sub-0{i}_")
        assert np.isfinite(nib.load(path).get_fdata()).any()
    assert len([*(tmp_path / "maps").rglob("*_statmap.nii.gz")]) == len(files)
    (z,) = sbc.transform(runs[2])
    mask = sbc.brain_masker_.mask_img_.get_fdata() != 0
    last = nib.load(files[-len(stats)]).get_fdata(dtype=np.float32)[mask]
    np.testing.assert_array_equal(last, z)


@pytest.mark.parametrize("spoil", SPOILT)
@pytest.mark.parametrize("n_jobs", [None, 3])
def test_an_error_names_the_run(sbc, runs, tmp_path, spoil, n_jobs):
    SPOILT[spoil](runs[BAD])
    sbc.set_params(on_error="raise", n_jobs=n_jobs)
    with pytest.raises((OSError, ValueError), match=f"^{named(runs[BAD])}"):
        save_to_bids(sbc, runs, tmp_path / "maps")


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_run_that_fails_again_is_left_out_again(sbc, runs, tmp_path, spoil):
    """Though it is the only one that is not there."""
    SPOILT[spoil](runs[BAD])
    with pytest.warns(UserWarning, match=named(runs[BAD])):
        files = save_to_bids(sbc, runs, tmp_path / "maps")
    before = times(tmp_path / "maps")
    with pytest.warns(UserWarning, match=named(runs[BAD])):
        assert save_to_bids(sbc, runs, tmp_path / "maps") == files
    assert times(tmp_path / "maps") == before


def test_what_is_there_of_a_run_that_fails_is_told(sbc, runs, tmp_path, monkeypatch):
    files = save_to_bids(sbc, runs, tmp_path / "maps")
    real = bids.run_statistics

    def fail(mapper, opened):
        if opened.position == BAD:
            raise ValueError("no dof")
        return real(mapper, opened)

    monkeypatch.setattr(bids, "run_statistics", fail)
    with pytest.warns(UserWarning, match=f"{named(runs[BAD])}: no dof"):
        found = save_to_bids(sbc, runs, tmp_path / "maps", stats=("effect", "dof"))
    assert len(found) == 5
    assert [path for path in found if "stat-effect" in path.name] == files


@pytest.mark.filterwarnings("ignore:run \\d ")
@pytest.mark.parametrize("spoil", SPOILT)
def test_where_all_fail_the_first_error_is_raised(sbc, runs, tmp_path, spoil):
    for run in runs:
        SPOILT[spoil](run)
    with pytest.raises((OSError, ValueError), match=r"^run 0 \("):
        save_to_bids(sbc, runs, tmp_path / "maps")
    assert not [*tmp_path.rglob("*statmap*")]


def test_a_run_that_lacks_what_fit_had_is_named(data, runs, tmp_path):
    confounds = np.random.default_rng(0).standard_normal((40, 2))
    whole = [replace(run, confounds=confounds) for run in runs]
    seeds = SphereSeeds(data.seeds[:1], radius=4)
    sbc = SeedCorrelationMap(seeds, NiftiMasker(data.mask_img)).fit(whole)
    with pytest.raises(ValueError, match=f"^{named(runs[BAD])}.*confounds"):
        save_to_bids(sbc, [whole[0], runs[BAD], whole[2]], tmp_path / "maps")
    assert not (tmp_path / "maps").exists()
