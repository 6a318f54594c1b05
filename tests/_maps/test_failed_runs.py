"""Runs that fail: the others go on where they may, and those in flight are named."""

import os
import pickle
import re
import signal
import warnings
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
from sklearn.base import BaseEstimator, clone

from helpers import in_turn, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._maps import many
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import SphereSeeds

pytestmark = pytest.mark.usefixtures("any_dof")


@pytest.fixture(scope="module")
def data():
    """Six small runs."""
    return make_runs(6, 20, 150, 1, n_confounds=0, random_state=0)


@pytest.fixture
def files(data, tmp_path):
    """The same as files."""
    paths = [tmp_path / f"sub-{i}_bold.nii.gz" for i in range(6)]
    for run, path in zip(data.runs, paths, strict=True):
        nib.save(nib.Nifti1Image(np.asarray(run.img.dataobj), run.img.affine), path)
    return paths


def make(data, on_error="skip", brain=None, **parameters):
    """Return an unfitted estimator."""
    brain = NiftiMasker(data.mask_img, detrend=True) if brain is None else brain
    seeds = SphereSeeds(data.seeds, radius=6)
    return SeedCorrelationMap(seeds, brain, on_error=on_error, **parameters)


def truncated(path):
    """Cut a file off."""
    path.write_bytes(path.read_bytes()[:-3000])
    return path


def missing(path):
    """Remove a file."""
    path.unlink()
    return path


def silent(path):
    """Take the signal of the seed away."""
    img = nib.load(path)
    nib.save(nib.Nifti1Image(np.ones(img.shape, np.float32), img.affine), path)
    return path


def moved(path):
    """Put a run where no seed is."""
    img, affine = nib.load(path), nib.load(path).affine.copy()
    affine[0, 3] += 500
    nib.save(nib.Nifti1Image(img.get_fdata(dtype=np.float32), affine), path)
    return path


FAULTS = {
    "no such file": (missing, "there is no file"),
    "spoilt file": (truncated, "truncated or corrupt"),
    "silent seed": (silent, "no signal"),
    "seed outside": (moved, "lies outside the image|do not overlap"),
    "confounds": (lambda path: Run(path, np.full((20, 1), np.nan)), "must be finite"),
    "no image": (lambda path: path.write_text("x" * 400) and path, "not an image"),
}


def taken(call):
    """Return what a call returns, and what it says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    return result, [str(w.message) for w in caught]


@pytest.mark.parametrize(
    ("fault", "place"),
    # The first run is what others are compared with.
    [*((fault, 0) for fault in FAULTS), *in_turn(FAULTS, [3, 5])],
)
def test_others_go_on(data, files, fault, place):
    spoil, said = FAULTS[fault]
    good = [path for i, path in enumerate(files) if i != place]
    expected = make(data, "raise").fit(good)
    runs = [*files]
    runs[place] = spoil(files[place])
    sbc = make(data)
    z, messages = taken(lambda: sbc.fit_transform(runs))
    own = [text for text in messages if "is left out" in text]
    assert len(own) == 1
    assert own[0].startswith(f"run {place} (")
    assert re.search(said, own[0])
    assert np.isnan(z[place]).all()
    np.testing.assert_array_equal(np.delete(z, place, axis=0), expected.transform(good))
    np.testing.assert_array_equal(sbc.correlations_, expected.correlations_)
    assert sbc.n_runs_ == 5
    report = sbc.run_report_
    assert len(report) == 6
    assert report["error"].notna().tolist() == [i == place for i in range(6)]
    assert re.search(said, report["error"][place])
    assert report["n_scans"].isna().tolist() == [i == place for i in range(6)]
    assert report["n_scans"].dropna().tolist() == [20] * 5
    # What is fitted goes on with others, too.
    z, messages = taken(lambda: sbc.transform(runs))
    assert sum("is left out" in text for text in messages) == 1
    np.testing.assert_array_equal(np.isnan(z).all(axis=1), report["error"].notna())
    statistics, _ = taken(lambda: sbc.statistics(runs))
    for name, values in statistics[place].items():
        assert values.shape == statistics[place - 1][name].shape
        assert np.isnan(values).all()
    np.testing.assert_allclose(
        np.tanh(statistics[place - 1].effect), np.tanh(z[place - 1])[np.newaxis]
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_ends_all_by_default(data, files, fault):
    spoil, said = FAULTS[fault]
    runs = [*files[:3], spoil(files[3]), *files[4:]]
    sbc = make(data, "raise")
    with pytest.raises((OSError, ValueError), match=rf"(?s)run 3 \(.*({said})"):
        sbc.fit(runs)
    assert make(data).get_params()["on_error"] == "skip"
    assert SeedCorrelationMap(SphereSeeds([(0, 0, 0)])).on_error == "raise"


def test_a_mask_is_computed_over_those_that_can_be_read(data, files):
    expected = make(data, "raise", NiftiMasker(detrend=True)).fit(files[:5])
    truncated(files[5])
    sbc = make(data, "skip", NiftiMasker(detrend=True))
    _, messages = taken(lambda: sbc.fit(files))
    assert len([text for text in messages if "is left out" in text]) == 1
    np.testing.assert_array_equal(sbc.correlations_, expected.correlations_)


def test_a_run_of_other_voxels_is_left_out(data, files):
    """Of the same seeds, but one more voxel in a masker that takes what there is."""
    img = nib.load(files[2])
    small = img.slicer[:, :, :-1]
    nib.save(small, files[2])
    brain = NiftiMasker(data.mask_img, detrend=True)
    sbc = make(data, "skip", brain)
    _, messages = taken(lambda: sbc.fit(files))
    assert sbc.n_runs_ + sum("is left out" in text for text in messages) == 6


def test_all_that_fail_are_an_error(data, files):
    for path in files:
        truncated(path)
    with (
        pytest.warns(UserWarning, match="is left out"),
        pytest.raises(OSError, match=words("run 0", "truncated")),
    ):
        make(data).fit(files)
    for path in files:
        path.unlink()
    with pytest.raises(FileNotFoundError, match="run 0"):
        make(data).fit(files)


@pytest.mark.parametrize("wrong", ["ignore", None, True, 3])
def test_other_words_are_none(data, wrong):
    with pytest.raises(ValueError, match="on_error must be 'raise' or 'skip', got"):
        make(data, wrong).fit(data.runs)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed_masker": NiftiSpheresMasker([(0, 0, 0)], radius=-1)},
        {"brain_masker": NiftiMasker(smoothing_fwhm=-4)},
        {"seed_masker": SphereSeeds},
        {"scale": "none"},
    ],
)
def test_what_no_run_is_at_fault_for_is_an_error(data, wrong):
    sbc = make(data).set_params(**wrong)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((TypeError, ValueError), match=r"masker|scale"):
            sbc.fit(data.runs)


def test_it_is_a_parameter_like_others(data):
    sbc = clone(make(data)).fit(data.runs)
    assert pickle.loads(pickle.dumps(sbc)).on_error == "skip"
    assert sbc.run_report_["error"].isna().all()


@pytest.mark.parametrize("level", [1, 2])
def test_good_maps_are_kept(data, files, tmp_path, readings, level):
    """A fit of many runs of which one fails loses nothing."""
    truncated(files[3])
    sbc = make(data, memory=tmp_path / "cache", memory_level=level)
    taken(lambda: sbc.fit(files))
    readings.clear()
    taken(lambda: sbc.fit(files))
    assert set(readings) == {str(files[3])}


def test_nothing_holds_the_scans_of_what_failed(data, files):
    silent(files[1])
    sbc = make(data)
    taken(lambda: sbc.fit(files))
    error = sbc.run_report_["error"][1]
    assert isinstance(error, str)


# Workers that are killed


class Killer(BaseEstimator):
    """A masker that kills the process in which it meets some runs."""

    def __init__(self, seeds=None, victims=(), mother=0):
        self.seeds = seeds
        self.victims = victims
        self.mother = mother

    def fit(self, imgs=None, y=None):
        self.masker_ = NiftiSpheresMasker(self.seeds, radius=6, standardize=None)
        self.masker_.fit(imgs)
        return self

    def transform(self, imgs):
        is_victim = any(str(imgs).endswith(name) for name in self.victims)
        if is_victim and os.getpid() != self.mother:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.masker_.transform(imgs)

    def inverse_transform(self, X):
        return self.masker_.inverse_transform(X)


def killer(data, files, *places):
    """Return a masker that kills where it meets some of the files."""
    return Killer(data.seeds, [files[i].name for i in places], os.getpid())


def test_killed_worker_names_the_runs_in_flight(files, monkeypatch):
    """As they are noted, and no others of the hundred that may be waiting."""

    def die(function, mapper, batch, skips, folder):
        for position in (2, 4):
            Path(folder, str(position)).touch()
        yield batch[0], "a map"
        raise BrokenProcessPool

    monkeypatch.setattr(many, "_of_batch", die)
    mapper = SimpleNamespace(n_jobs=2, verbose=0)
    with pytest.raises(RuntimeError, match="killed while these runs were") as error:
        list(many.Attempts().results(None, mapper, opened(files)))
    found = re.findall(r"run \d", str(error.value))
    assert found == ["run 2", "run 4"]
    assert "Use a smaller n_jobs" in str(error.value)


def opened(files):
    """Return what stands for opened runs."""
    names = [f"run {i} ({path})" for i, path in enumerate(files)]
    return [
        SimpleNamespace(position=i, where=name, run=Run(path))
        for i, (name, path) in enumerate(zip(names, files, strict=True))
    ]


@pytest.mark.ends_processes
@pytest.mark.filterwarnings("ignore:A worker stopped", "ignore:.*resource_tracker")
def test_others_go_on_where_a_worker_is_killed(data, files):
    paths = [str(path) for path in files]
    sbc = make(data, "skip", n_jobs=2).set_params(seed_masker=killer(data, files, 4))
    z, messages = taken(lambda: sbc.fit_transform(paths))
    left_out = sbc.run_report_["error"].notna()
    assert left_out[4]
    assert left_out.sum() <= 2
    assert "process was killed" in sbc.run_report_["error"][4]
    assert any("run 4" in text and "is left out" in text for text in messages)
    sbc.set_params(seed_masker=killer(data, files), n_jobs=None)
    expected = sbc.fit_transform(paths)
    np.testing.assert_array_equal(z[~left_out], expected[~left_out])
    assert np.isnan(z[left_out]).all()
