"""The published example runs on files that are named, and prints what it should."""

import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from sbc_estimators.datasets import load_sample_run

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "reproduce_gallery_example.py"


@pytest.fixture(scope="module")
def example():
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return some scans as the published subject comes: tabs in a .csv file."""
    sample, folder = load_sample_run(), tmp_path_factory.mktemp("subject")
    func, confounds_file = folder / "rest.nii.gz", folder / "regressors.csv"
    nib.save(nib.load(sample.func).slicer[..., :90], func)
    table = sample.run.confounds[:90].assign(constant=1.0)
    table.to_csv(confounds_file, sep="\t", index=False)
    return str(func), str(confounds_file), table


def published_recipe(func, confounds, t_r):
    """Return the example's numbers as plain nilearn computes them."""
    img = nib.load(func)
    img = nib.Nifti1Image(img.get_fdata(dtype=np.float64), img.affine)
    options = {"detrend": True, "standardize": "zscore_sample"}
    options |= {"low_pass": 0.1, "high_pass": 0.01, "t_r": t_r}
    # The same numbers, without a loop over voxels in Python.
    options["clean_args"] = {"butterworth__copy": True}
    seeds = NiftiSpheresMasker([(0, -52, 18)], radius=8, **options)
    brain = NiftiMasker(smoothing_fwhm=6, **options)
    seeds, brain = (
        masker.fit(img).transform(img, confounds=confounds) for masker in (seeds, brain)
    )
    return (brain.T @ seeds / len(seeds)).ravel(), brain.shape


def test_on_named_files_it_agrees_with_the_recipe(example, files, capsys):
    func, confounds_file, table = files
    ours = example.main(["--func", func, "--confounds", confounds_file, "--t-r", "1.5"])
    recipe, shape = published_recipe(func, table, 1.5)
    n_scans = len(table)
    assert ours.seed_shape == (n_scans, 1)
    assert ours.brain_shape == shape
    expected = np.array([recipe.min(), recipe.max()]) * n_scans / (n_scans - 1)
    np.testing.assert_allclose(ours.r, expected, atol=1e-5)
    np.testing.assert_allclose(ours.z, np.arctanh(ours.r), atol=1e-6)


def test_it_prints_the_published_figures_beside_its_own(example, capsys):
    ours = example.main(["--fast"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("  ")[0] == "seed signals"
    assert "(176, 1)" in lines[1]
    assert str(ours.seed_shape) in lines[1]
    assert "(176, 69681)" in lines[2]
    assert "-0.710 to 0.972" in lines[3]
    assert "{:.3f} to {:.3f}".format(*ours.r) in lines[3]
    assert "-0.887 to 2.128" in lines[4]
    assert "Pearson" in "\n".join(lines)


def test_without_files_it_asks_nilearn_for_one_subject(example, files, monkeypatch):
    func, confounds_file, _ = files
    asked = []

    def fetch_adhd(n_subjects):
        asked.append(n_subjects)
        return pd.Series({"func": [func], "confounds": [confounds_file]})

    monkeypatch.setattr("nilearn.datasets.fetch_adhd", fetch_adhd)
    options = example._parser().parse_args([])
    run, mask_img = example._run(options)
    assert asked == [1]
    assert run.t_r == 2.0
    assert mask_img is None
    assert list(run.confounds.columns)[-1] == "constant"
