"""The script of a report makes the same maps, and says what is missing."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from sbc_estimators import Run, SeedCorrelationMap, datasets
from sbc_estimators._reporting.code import Code, as_plain, in_words
from sbc_estimators._reporting.scripts import script_of
from sbc_estimators.maskers import RegionSeeds, SphereSeeds


@pytest.fixture(scope="module")
def sample():
    return datasets.load_sample_run()


def executed(script, **names):
    """Return what a script defines, without its report."""
    lines = [line for line in script.splitlines() if "generate_report" not in line]
    exec("\n".join(lines), names)
    return names


def test_a_script_of_files_gives_the_same_maps(sample):
    table = pd.read_csv(sample.confounds_file, sep="\t").iloc[:, :2]
    confounds = table.to_numpy().round(3).tolist()
    run = Run(sample.func, confounds, np.arange(5, 200), t_r=1.5)
    seeds = NiftiSpheresMasker([(0, -52, 18)], radius=np.float64(6), detrend=True)
    brain = NiftiMasker(sample.mask_img, smoothing_fwhm=6, detrend=True)
    sbc = SeedCorrelationMap(seeds, brain, low_pass=0.1, high_pass=0.01).fit(run)
    script = script_of(sbc, [run])
    assert "Only in memory" not in script
    found = executed(script)["sbc"]
    np.testing.assert_array_equal(found.correlations_, sbc.correlations_)


def test_what_is_only_in_memory_is_named(sample_box, two_runs, fitted):
    script = script_of(fitted, two_runs)
    for line in (
        "# Only in memory, so bring your own:",
        "#   img_1: Nifti1Image of shape (11, 9, 8, 200)",
        "#   sbc_brain_masker_mask_img: Nifti1Image of shape (11, 9, 8)",
        "    Run(img_0, confounds=confounds_0, t_r=1.5),",
    ):
        assert line in script.splitlines()
    assert "#   confounds_0: DataFrame of shape (200, 8): white_matter, " in script
    known = {
        "img_0": sample_box.img,
        "img_1": sample_box.img,
        "confounds_0": sample_box.confounds,
        "confounds_1": sample_box.confounds,
        "sbc_brain_masker_mask_img": sample_box.mask_img,
    }
    assert set(re.findall(r"^#   (\w+): ", script, re.MULTILINE)) == set(known)
    names = executed(script, **known)
    np.testing.assert_array_equal(names["sbc"].correlations_, fitted.correlations_)


def test_without_runs_a_script_asks_for_them(fitted):
    assert "#   runs: the runs" in script_of(fitted).splitlines()


def test_maskers_are_imported_from_where_they_are_public():
    sbc = SeedCorrelationMap(RegionSeeds("a.nii", ["b'c", 2], lut={2: "d"}), memory="m")
    script = script_of(sbc)
    assert "from sbc_estimators import SeedCorrelationMap\n" in script
    assert "from sbc_estimators.maskers import RegionSeeds\n" in script
    assert (
        "RegionSeeds(labels_img='a.nii', lut={2: 'd'}, regions=[\"b'c\", 2])" in script
    )
    compile(script, "script", "exec")


def test_classes_of_one_name_are_told_apart():
    own = type("NiftiMasker", (NiftiMasker,), {"__module__": "theirs"})
    script = script_of(SeedCorrelationMap(own(), NiftiMasker()))
    assert "from nilearn.maskers import NiftiMasker\n" in script
    assert "from theirs import NiftiMasker as NiftiMasker_2\n" in script
    assert "brain_masker=NiftiMasker(), seed_masker=NiftiMasker_2()" in script


def test_files_of_maskers_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mask.nii", "table.tsv"):
        Path(name).touch()
    brain = NiftiMasker("mask.nii", mask_strategy="epi")
    script = script_of(SeedCorrelationMap(SphereSeeds("table.tsv"), brain))
    for name in ("mask.nii", "table.tsv"):
        assert repr(str(tmp_path / name)) in script


def test_names_are_no_code():
    evil = "a'\"\n)\nimport os #"
    table = pd.DataFrame({evil: [1.0]})
    sbc = SeedCorrelationMap(SphereSeeds([(0, 0, 0)], mask_img=evil))
    script = script_of(sbc, [Run("run.nii", confounds=table)])
    compile(script, "script", "exec")
    assert all(not line.startswith("import os") for line in script.splitlines())


def test_files_are_found_from_anywhere(sample):
    code, here = Code(), Path.cwd()
    run = Run("run.nii", confounds=Path("a", "b.tsv"), t_r=np.float32(2))
    expected = f"Run({str(here / 'run.nii')!r}, confounds="
    written = " ".join(code.run(run).split())
    assert written.replace("Run( ", "Run(").startswith(expected)
    assert f"confounds={str(here / 'a' / 'b.tsv')!r}" in written
    assert "t_r=2.0" in written
    # Of an image that was read from one, too.
    assert code.expression(nib.load(sample.func), "img") == repr(str(sample.func))
    assert code.missing == {}


def test_numbers_that_python_does_not_read_back_are_asked_for():
    code = Code()
    assert code.expression([0.1, np.inf], "band") == "band"
    assert code.expression(np.inf, "high") == "high"
    assert code.asked()[1:] == ["#   band: list", "#   high: inf"]
    assert code.asked(known=["high", "band"]) == []
    assert in_words(np.nan) == "<nan>"


def test_what_is_as_by_default_is_left_out():
    brain = NiftiMasker(detrend=False, smoothing_fwhm=np.float64(6), memory_level=1)
    assert Code().estimator(brain, "b") == "NiftiMasker(smoothing_fwhm=6.0)"


def test_values_in_words():
    table = pd.DataFrame({"a": [1.0]})
    assert in_words(np.array([[1.5, 2]])) == "[[1.5, 2.0]]"
    assert in_words(table) == "<DataFrame of shape (1, 1): a>"
    assert as_plain({"a": np.float32(1)}) == {"a": 1.0}
    assert as_plain(table) == "<DataFrame of shape (1, 1): a>"
