"""Warnings are shown once: what two of them differ in is a difference to the user."""

import warnings

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from helpers import save
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._support.messages import warn
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import SphereSeeds

MAP = "seedcorrelationmap__"


@pytest.fixture
def study(tmp_path):
    """Files of three runs, each with voxels without a signal, and all with cosines."""
    data = make_runs(3, 60, 300, random_state=2)
    inside = np.argwhere(np.asarray(data.mask_img.dataobj))
    cosine = np.cos(np.linspace(0, np.pi, 60))
    for i, run in enumerate(data.runs):
        array = np.array(run.img.dataobj)
        array[tuple(inside[5])] = array[tuple(inside[9 + i])] = 0
        img = nib.Nifti1Image(array, run.img.affine)
        path = save(img, tmp_path / f"sub-{i}_bold.nii")
        confounds = run.confounds.assign(cosine00=cosine)
        data.runs[i] = Run(path, confounds, t_r=2.0)
    return data


def make(data, **parameters):
    """Return an estimator whose seed lies for the most part where there is nothing."""
    corner = nib.affines.apply_affine(data.mask_img.affine, (0, 0, 0))
    seeds = SphereSeeds(
        [corner, data.seeds[0]], [30, 4], names=["corner", "PCC"], allow_overlap=True
    )
    brain = NiftiMasker(data.mask_img, high_pass=0.02)
    return SeedCorrelationMap(seeds, brain, **parameters)


def test_a_grid_search_shows_each_warning_once(study, capsys):
    pipeline = make_pipeline(make(study, verbose=1), Ridge())
    grid = {
        f"{MAP}seed_masker__radius": [[30, 4], [28, 4], [28, 3]],
        f"{MAP}low_pass": [0.06, 0.05],
    }
    scoring = "neg_mean_squared_error"
    search = GridSearchCV(pipeline, grid, cv=3, scoring=scoring)
    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = lambda message, *_, **__: lines.append(str(message))
        search.fit(study.runs, [0.0, 1, 2])
    files = [str(run.img) for run in study.runs]
    told = ("have no signal", "degrees of freedom", "less than half")
    for words in told:
        own = [line.split("'")[1] for line in lines if words in line]
        assert sorted(own) == files
    assert sum("removed twice" in line for line in lines) == 1
    assert len(lines) == 3 * 3 + 1
    assert capsys.readouterr() == ("", "")  # nor progress of what takes no time


def shown(action, *lines, **options):
    """Return what is shown of warnings, with a filter in front."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        if action is not None:
            warnings.filterwarnings(action, **options)
        for line in lines:
            line()
            warnings.filterwarnings("ignore", "of somebody else")  # and forget
    return len(caught)


def test_python_s_filters_have_the_last_word():
    def one():
        warn("said here")

    def other():
        warn("said here")

    assert shown(None, one, one, other, one) == 2
    assert shown(None, one, other) == 0
    assert shown("always", one, one, other) == 3
    assert shown("always", one, one, message="said") == 2
    assert shown("always", one, one, category=RuntimeWarning) == 0
    assert shown("always", one, one, module="no.such") == 0
    assert shown("always", one, module=__name__) == 1
    assert shown("ignore", one, one) == 0
    with pytest.raises(UserWarning, match="said here"):
        shown("error", one)


def test_what_was_not_shown_is_shown_later():
    def line():
        warn("ignored at first")

    assert shown("ignore", line) == 0
    assert shown(None, line) == 1
