"""A study from one command: its maps, its tables, what is left alone, what fails."""

import json
import os
import re
import sys
import warnings
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker

from helpers import killed_at, times, tree
from sbc_estimators import SeedCorrelationMap, runs_from_fmriprep
from sbc_estimators.__main__ import main
from sbc_estimators._command import study as study_module
from sbc_estimators.maskers import SphereSeeds
from studies import SPACE, write_study

WIDE = ("--strategy", "wm_csf", "--band", "0", "inf", "--smoothing", "0")
"""Cleaning that leaves runs of 40 scans degrees of freedom enough."""


def stem(sub, run, seed):
    """Return what the files of a map begin with."""
    name = f"sub-{sub}_task-rest_run-{run}_{SPACE}_seed-{seed}_stat-effect_statmap"
    return f"sub-{sub}/func/{name}"


@pytest.fixture(scope="module")
def words(people, seeds_table):
    """The command of the study, but for the folder to write to."""
    words = [people.path, *WIDE, "--seeds", seeds_table, "--radius", "1"]
    return list(map(str, words))


@pytest.fixture(scope="module")
def mapped(words, tmp_path_factory):
    """The folder with the maps of fifty seeds in eight runs."""
    out = tmp_path_factory.mktemp("mapped") / "maps"
    assert main([*words, "--out", str(out)]) == 0
    return out


def test_fifty_seeds_in_eight_runs_are_400_maps(mapped):
    expected = {
        f"{stem(sub, run, f'left{seed:02}')}{ending}"
        for sub in ("01", "02", "03", "04")
        for run in (1, 2)
        for seed in range(50)
        for ending in (".nii.gz", ".json")
    }
    assert len(expected) == 800
    tables = {"run_report.tsv", "seed_report.tsv", "dataset_description.json"}
    assert set(tree(mapped)) == expected | tables


def test_maps_are_those_that_python_gives(mapped, people, seeds_table):
    run = runs_from_fmriprep(people.path, strategy=["wm_csf"])[5]
    mask_img = people.data.mask_img
    sbc = SeedCorrelationMap(
        SphereSeeds(seeds_table, radius=1), NiftiMasker(mask_img, detrend=True)
    )
    z = sbc.fit_transform(run).reshape(50, -1)
    mask = np.asarray(mask_img.dataobj) != 0
    for seed in (0, 7, 49):
        img = nib.load(mapped / f"{stem('03', 2, f'left{seed:02}')}.nii.gz")
        assert img.get_data_dtype() == np.float32
        np.testing.assert_allclose(img.get_fdata()[mask], z[seed], atol=1e-6)


def test_sidecars_say_what_was_done(mapped, people, seeds_table):
    text = (mapped / f"{stem('02', 1, 'left03')}.json").read_text("utf-8")
    said = json.loads(text)
    func, table = people.func("02", 1), people.table("02", 1)
    mask = func.name.replace("preproc_bold", "brain_mask")
    assert said["Seed"] == "left 03"
    assert said["Sources"] == [str(func), str(table), str(func.with_name(mask))]
    assert (said["RepetitionTime"], said["RepetitionTimeSource"]) == (2.0, "sidecar")
    assert said["Confounds"] == ["csf", "white_matter"]
    assert said["Threshold"] == 0.4
    assert said["Parameters"]["seed_masker__seeds"] == str(seeds_table)
    assert said["Parameters"]["brain_masker__smoothing_fwhm"] is None
    assert said["NumberOfVoxels"] == 200
    assert 10 < said["EffectiveDegreesOfFreedom"] < 40
    assert said["SeedReport"]["n_voxels"] == 1


def test_participants_merge_with_both_tables_in_one_line(mapped):
    people = pd.DataFrame({"participant_id": [f"sub-0{i}" for i in "1234"]})
    people["age"] = [20, 30, 40, 50]
    keys = {"left_on": "subject", "right_on": "participant_id"}
    for name, n_rows in (("run_report", 8), ("seed_report", 400)):
        report = pd.read_csv(mapped / f"{name}.tsv", sep="\t")
        merged = report.merge(people, **keys)
        assert len(merged) == len(report) == n_rows
        assert (
            merged["age"].tolist() == np.repeat([20, 30, 40, 50], n_rows // 4).tolist()
        )
    assert report["run"].tolist() == np.repeat(range(8), 50).tolist()
    assert report["seed"][:2].tolist() == ["left 00", "left 01"]
    assert report["img"].str.endswith("_bold.nii.gz").all()


def test_what_is_there_is_left_as_it_is(words, mapped, call, monkeypatch):
    def fit(*_, **__):
        raise AssertionError("a run is mapped again")

    monkeypatch.setattr(SeedCorrelationMap, "fit", fit)
    maps = {path: time for path, time in times(mapped).items() if "sub-" in path.name}
    before = tree(mapped)
    status, text, errors = call(*words, "--out", mapped)
    assert (status, errors) == (0, "")
    assert text.count("50 maps there already") == 8
    assert "0 maps to " in text
    assert "beside 400 that were there already" in text
    assert tree(mapped) == before
    after = times(mapped)
    assert {path: after[path] for path in maps} == maps


def test_killed_in_the_middle_and_started_again_gives_the_same_bits(
    words, mapped, tmp_path, call
):
    command = [*words, "--out", str(tmp_path)]
    killed_at(445, main, command)
    assert len(tree(tmp_path)) == 445
    status, text, _ = call(*command)
    assert status == 0
    assert text.count("there already") == 5
    assert text.count("50 maps written") == 4
    assert tree(tmp_path) == tree(mapped)


def test_as_many_runs_at_a_time_as_jobs_and_the_same_bits(
    pair, one_seed, tmp_path, call
):
    for n_jobs in (1, 2):
        out = tmp_path / str(n_jobs)
        words = [pair.path, *WIDE, *one_seed, "--n-jobs", n_jobs, "--out", out]
        assert call(*words)[0] == 0
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
    assert len(tree(tmp_path / "1")) == 7


def test_a_bar_where_there_is_a_terminal_and_a_table_in_the_end(
    pair, one_seed, tmp_path, call, monkeypatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    status, text, errors = call(pair.path, *WIDE, *one_seed, "--out", tmp_path / "o")
    assert status == 0
    (bar,) = set(re.findall(r"(\w+): +\d+%", errors))
    assert bar == "runs"
    assert re.search(r"scans +dof +coverage\n", text)
    for sub in ("01", "02"):
        line = rf"run +sub-{sub} task-rest run-1 +40/40 +\d+ +100% +1 map written\n"
        assert re.search(line, text)
    assert "t_r           2 s (sidecar)\n" in text
    assert "confounds     csf, white_matter\n" in text
    assert "mask          from files\n" in text
    assert f"wrote         2 maps to {tmp_path / 'o'}\n" in text


# Runs that fail


def cut(path):
    """Spoil the scans of a run, whose header is still right."""
    content = bytearray(path.read_bytes())
    content[-1000] ^= 255
    path.write_bytes(content)


def test_a_run_that_fails_is_named_and_the_others_are_done(
    pair, one_seed, tmp_path, call
):
    cut(pair.func("01", 1))
    out = tmp_path / "out"
    command = [pair.path, *WIDE, *one_seed, "--out", out]
    status, text, errors = call(*command)
    assert status == 1
    assert re.match("sbc-map: error: sub-01 task-rest run-1: .*truncated", errors)
    assert errors.count("\n") == 1
    assert re.search("run +sub-01 task-rest run-1 +failed: .*truncated", text)
    assert "1 map to " in text
    assert "; 1 of 2 runs failed\n" in text
    assert (out / f"{stem('02', 1, 'LIPS')}.nii.gz").is_file()
    report = pd.read_csv(out / "run_report.tsv", sep="\t")
    assert report[["run", "subject"]].to_numpy().tolist() == [[1, "sub-02"]]
    write_study(pair.path, ["01", "02"], n_runs=1)  # mended
    assert call(*command)[0] == 0
    assert (out / f"{stem('01', 1, 'LIPS')}.nii.gz").is_file()


def test_all_runs_fail(pair, one_seed, tmp_path, call):
    for sub in ("01", "02"):
        cut(pair.func(sub, 1))
    status, text, errors = call(pair.path, *WIDE, *one_seed, "--out", tmp_path / "out")
    assert status == 1
    assert errors.count("sbc-map: error: ") == 2
    assert set(tree(tmp_path / "out")) == {"dataset_description.json"}
    assert "0 maps to " in text


def test_a_worker_that_dies(pair, one_seed, tmp_path, call, monkeypatch):
    def parallel(*_, **__):
        raise BrokenProcessPool

    monkeypatch.setattr(study_module, "Parallel", parallel)
    status, _, errors = call(pair.path, *WIDE, *one_seed, "--out", tmp_path / "out")
    assert status == 1
    assert errors.count("a worker process died before it was done") == 2


def test_ctrl_c(pair, one_seed, tmp_path, call, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SeedCorrelationMap, "fit", interrupted)
    status, _, errors = call(pair.path, *WIDE, *one_seed, "--out", tmp_path / "out")
    assert status == 130
    assert errors == "sbc-map: stopped: the same command goes on with what is left\n"
    status, _, errors = call(pair.func("01", 1), *WIDE, *one_seed, "--out", tmp_path)
    assert (status, errors) == (130, "sbc-map: stopped\n")


@pytest.mark.usefixtures("viewer")
def test_ctrl_c_before_a_page(pair, one_seed, call, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SeedCorrelationMap, "fit", interrupted)
    words = [pair.func("01", 1), *WIDE, *one_seed, "--explore"]
    assert call(*words)[::2] == (130, "sbc-map: stopped\n")


def test_warnings_name_the_run(pair, one_seed, tmp_path, call):
    img = nib.load(pair.func("02", 1))
    data = np.asarray(img.dataobj)
    data[tuple(np.argwhere(np.asarray(pair.data.mask_img.dataobj))[0])] = 5
    nib.save(nib.Nifti1Image(data, img.affine, img.header), pair.func("02", 1))
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # they are shown, and no errors
        words = [pair.path, *WIDE, *one_seed, "--out", tmp_path / "out"]
        status, _, errors = call(*words)
    assert status == 0
    start = "sbc-map: warning: sub-02 task-rest run-1: .* voxels have no signal"
    assert re.match(start, errors)
    assert errors.count("\n") == 1


# Reports


def test_reports_and_a_page_that_leads_to_them(pair, one_seed, tmp_path, call):
    cut(pair.func("01", 1))
    out = tmp_path / "out"
    command = [pair.path, *WIDE, *one_seed, "--threshold", "0.3", "--out", out]
    assert call(*command)[0] == 1
    assert list(out.rglob("*.html")) == []
    assert call(*command, "--report")[0] == 1
    index = (out / "index.html").read_text("utf-8")
    path = f"sub-02/func/sub-02_task-rest_run-1_{SPACE}_report.html"
    assert f'<a href="{path}">sub-02 task-rest run-1</a>' in index
    assert "<b>sub-01 task-rest run-1</b>: " in index
    assert "40 of 40" in index
    assert "beyond ±0.3" in (out / path).read_text("utf-8")
    before = times(out)
    assert call(*command, "--report")[0] == 1
    assert times(out)[out / path] == before[out / path]
    # A page never stands beside maps that it is not about.
    assert call(*command, "--smoothing", "5")[0] == 1
    assert not (out / path).exists()


# Nothing is done where something cannot be


def test_a_folder_in_the_place_of_a_map(pair, one_seed, tmp_path, call):
    out = tmp_path / "out"
    path = out / f"{stem('02', 1, 'LIPS')}.nii.gz"
    path.mkdir(parents=True)
    before = sorted(out.rglob("*"))
    status, text, errors = call(pair.path, *WIDE, *one_seed, "--out", out)
    assert (status, text) == (2, "")
    assert f"error: {str(path)!r} is a folder, and a file of that name" in errors
    assert sorted(out.rglob("*")) == before


@pytest.mark.parametrize("name", ["run_report.tsv", "dataset_description.json"])
def test_a_folder_in_the_place_of_a_table(pair, one_seed, tmp_path, call, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    status, _, errors = call(pair.path, *WIDE, *one_seed, "--out", tmp_path / "out")
    assert status == 2
    assert f"{name}' is a folder" in errors
    assert list((tmp_path / "out").iterdir()) == [tmp_path / "out" / name]


def test_all_places_are_known_beforehand(pair, one_seed, tmp_path, monkeypatch):
    planned, real = [], study_module._check_targets

    def check(runs, further):
        planned.extend(path for own in runs for path in own.paths())
        real(runs, further)

    monkeypatch.setattr(study_module, "_check_targets", check)
    words = [*WIDE, *one_seed, "--scale", "z_score", "--out", tmp_path / "out"]
    main(list(map(str, [pair.func("01", 1), *words])))
    further = {"run_report.tsv", "seed_report.tsv", "dataset_description.json"}
    assert {path.name for path in planned} | further == {
        path.name for path in (tmp_path / "out").rglob("*.*")
    }


def test_a_file_in_the_place_of_a_folder(pair, one_seed, tmp_path, call):
    out = tmp_path / "out"
    (out / "sub-02").mkdir(parents=True)
    (out / "sub-02" / "func").touch()
    status, _, errors = call(pair.path, *WIDE, *one_seed, "--out", out)
    assert status == 2
    assert f"{str(out / 'sub-02' / 'func')!r} is in the place of a folder" in errors
    assert not (out / "sub-01").exists()


def test_a_link_to_nowhere_as_out(pair, one_seed, tmp_path, call):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    for out in (link, link / "deep"):
        status, _, errors = call(pair.path, *WIDE, *one_seed, "--out", out)
        assert status == 2
        assert f"--out: {str(link)!r} is a link to {str(tmp_path / 'gone')!r}" in errors


def test_a_folder_that_cannot_be_written_to(
    pair, one_seed, tmp_path, call, monkeypatch
):
    out = tmp_path / "out"
    closed, real = out / "sub-02", os.access
    closed.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda p, m: Path(p) != closed and real(p, m))
    status, _, errors = call(pair.path, *WIDE, *one_seed, "--out", out)
    assert status == 2
    assert f"--out: cannot write to {str(closed)!r}" in errors


SPOILS = {
    "no table": (
        lambda pair: pair.table("02", 1).unlink(),
        r"FUNC \('.*sub-02.*bold.nii.gz'\): no table of confounds beside the image",
    ),
    "a short table": (
        lambda pair: pair.table("02", 1).write_text("csf\twhite_matter\n1\t2\n2\t1"),
        r"FUNC \('.*sub-02.*'\): --confounds '.*' has 2 rows, but FUNC has 40 sc",
    ),
    "no image": (
        lambda pair: pair.func("02", 1).write_bytes(b"none"),
        r"FUNC \('.*sub-02.*'\).*not an image",
    ),
    "another space": (
        lambda pair: pair.func("02", 1).rename(
            str(pair.func("02", 1)).replace(SPACE, "space-T1w")
        ),
        r"of several space: .* Name one, such as space='T1w'",
    ),
    "a sidecar in milliseconds": (
        lambda pair: (
            pair.func("02", 1)
            .with_name(pair.func("02", 1).name.replace(".nii.gz", ".json"))
            .write_text('{"RepetitionTime": 2000}')
        ),
        "has a RepetitionTime of 2000, .* If milliseconds are meant, write 2 there",
    ),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_what_is_wrong_with_any_run_is_told_before_work(
    pair, one_seed, tmp_path, call, spoil
):
    change, match = SPOILS[spoil]
    change(pair)
    status, text, errors = call(pair.path, *WIDE, *one_seed, "--out", tmp_path / "out")
    assert (status, text) == (2, "")
    assert re.search(match, errors)
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--task", "nback"], "no BOLD image in .* matches .*task='nback'"),
        (["--space", "T1w"], "no BOLD image in .* matches .*space='T1w'"),
        (["--strategy", "best"], r"nilearn does not take strategy=\('best',\)"),
        (
            ["--strategy", "wm_csf", "--seed", "far", 0, 900, 0],
            r"FUNC \('.*'\): seed 'far' .*outside the image",
        ),
        (["--columns", "motion*"], r"has no column 'motion\*'; it has trans_x"),
        (["--mask", "PAIR/sub-01"], "--mask: there is no file"),
        (["--seeds", "none.tsv"], "--seeds: there is no file 'none.tsv'"),
    ],
)
def test_what_is_not_there_is_told_before_work(pair, tmp_path, call, words, match):
    words = [str(word).replace("PAIR", str(pair.path)) for word in words]
    status, text, errors = call(pair.path, *words, "--out", tmp_path / "out")
    assert (status, text) == (2, "")
    assert re.search(match, errors)
    assert not (tmp_path / "out").exists()


def test_two_files_of_one_name(pair, one_seed, tmp_path, call):
    other = tmp_path / pair.func("01", 1).name
    other.write_bytes(pair.func("01", 1).read_bytes())
    files = [pair.func("01", 1), other]
    status, _, errors = call(*files, *one_seed, "--out", tmp_path / "out")
    assert status == 2
    assert "would get one name, 'sub-01_task-rest_run-1" in errors


# Runs in files


@pytest.fixture
def bare(pair, tmp_path):
    """Two runs in files whose names say nothing of people."""
    files = [tmp_path / "data" / f"{name}.nii.gz" for name in ("first", "second")]
    for sub, file in zip(("01", "02"), files, strict=True):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(pair.func(sub, 1).read_bytes())
    return files


def test_runs_without_names_by_bids_get_a_folder_each(
    bare, one_seed, tmp_path, call, monkeypatch
):
    out = tmp_path / "out"
    command = [*bare, "--band", "0", "inf", *one_seed, "--out", out, "--report"]
    cut(bare[1])
    status, text, errors = call(*command)
    assert status == 1
    assert "second: " in errors
    assert "first: " not in errors
    assert not (out / "second").exists()
    first = {path.name for path in (out / "first").iterdir()}
    assert {"sbc_z.nii.gz", "sbc_z.png", "sbc_z.json", "report.html"} <= first
    assert '<a href="first/report.html">first</a>' in (out / "index.html").read_text()
    before = times(out / "first")
    _, text, _ = call(*command)
    assert "1 map there already" in text
    assert times(out / "first") == before


def test_two_runs_of_one_folder(bare, one_seed, tmp_path, call):
    other = bare[0].with_suffix("").with_suffix(".nii")
    nib.save(nib.load(bare[0]), other)
    status, _, errors = call(bare[0], other, *one_seed, "--out", tmp_path / "out")
    assert status == 2
    assert "runs 'first' and 'first' would have files of one name, 'first'" in errors


def test_one_run_with_a_name_by_bids_has_pictures_too(pair, one_seed, tmp_path, call):
    status, text, _ = call(
        *(pair.func("01", 1), "--confounds", pair.table("01", 1)),
        *("--columns", "csf,trans_?", "--band", "0", "inf", "--threshold", "0.5"),
        *(*one_seed, "--scale", "z_score", "--out", tmp_path / "out"),
    )
    assert status == 0
    name = f"sub-01_task-rest_run-1_{SPACE}"
    maps = f"{name}_seed-LIPS_stat-zscore_statmap"
    expected = {f"{maps}.{ending}" for ending in ("nii.gz", "json", "png", "pdf")}
    expected |= {
        f"{name}_desc-seeds_timeseries.{ending}"
        for ending in ("tsv", "png", "pdf", "json")
    }
    expected |= {
        f"{name}_seed-LIPS_stat-variance_statmap.{ending}"
        for ending in ("nii.gz", "json")
    }
    folder = tmp_path / "out" / "sub-01" / "func"
    assert {path.name for path in folder.iterdir()} == expected
    said = json.loads((folder / f"{maps}.json").read_text("utf-8"))
    assert said["Confounds"] == ["csf", "trans_x", "trans_y", "trans_z"]
    assert said["Threshold"] == 0.5
    assert "mask          computed of the run\n" in text
    table = pd.read_csv(folder / f"{name}_desc-seeds_timeseries.tsv", sep="\t")
    assert table.shape == (40, 1)
    assert list(table) == ["L IPS"]


def test_what_is_beside_maps_is_theirs_and_not_of_other_seeds(pair, tmp_path, call):
    out, data = tmp_path / "out", pair.data
    words = [pair.func("01", 1), "--band", "0", "inf", "--report", "--out", out]
    for name in ("first", "second"):
        assert call(*words, "--seed", name, *data.seeds[0])[0] == 0
    again = [*words, "--seed", "first", *data.seeds[0]]
    assert "1 map there already" not in call(*again)[1]
    (table,), (page,) = out.rglob("*_timeseries.tsv"), out.rglob("*_report.html")
    assert list(pd.read_csv(table, sep="\t")) == ["first"]
    assert ">first<" in page.read_text("utf-8")
    before = times(out)
    assert "1 map there already" in call(*again)[1]
    own = (out / "sub-01").rglob("*")
    assert all(before[path] == times(out)[path] for path in own if path.is_file())


def test_tables_of_another_time_go_where_all_runs_fail(pair, one_seed, tmp_path, call):
    command = [pair.path, *WIDE, *one_seed, "--out", tmp_path / "out"]
    assert call(*command)[0] == 0
    for sub in ("01", "02"):
        cut(pair.func(sub, 1))
    assert call(*command)[0] == 1
    assert list((tmp_path / "out").glob("*_report.tsv")) == []


@pytest.mark.parametrize("gone", ["*statmap.png", "*statmap.pdf", "*series.*"])
def test_pictures_that_are_gone_are_drawn_again(pair, one_seed, tmp_path, call, gone):
    out = tmp_path / "out"
    words = [pair.func("01", 1), "--band", "0", "inf", *one_seed, "--out", out]
    assert call(*words)[0] == 0
    before, written = tree(out), times(out)
    lost = list(out.rglob(gone))
    assert lost
    for path in lost:
        path.unlink()
    assert "1 map written" in call(*words)[1]
    assert tree(out) == before
    maps = [path for path in written if path.name.endswith(("map.nii.gz", "map.json"))]
    after = times(out)
    assert {path: after[path] for path in maps} == {p: written[p] for p in maps}
    assert "there already" in call(*words)[1]
