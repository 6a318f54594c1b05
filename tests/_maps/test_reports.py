"""`run_report_`, `seed_report_`, `valid_voxels_`: tables that merge with others."""

import re
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker
from sklearn.compose import ColumnTransformer

from helpers import save
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import SphereSeeds

NAMES = ["PCC", "left IPS"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Files of two people with two sessions each, and a table of participants."""
    folder = tmp_path_factory.mktemp("a folder_sub-99 with a long name" * 3)
    data = make_runs(4, 60, 300, random_state=2)
    paths = [
        folder / f"sub-{sub}_ses-{ses}_task-rest_run-1_bold.nii.gz"
        for sub in ("02", "01")
        for ses in ("a", "b")
    ]
    data.paths = [
        save(run.img, path) for run, path in zip(data.runs, paths, strict=True)
    ]
    data.participants = folder / "participants.tsv"
    data.participants.write_text(
        "participant_id\tage\tgroup\nsub-01\t31\tcontrol\nsub-02\t64\tpatient\n"
    )
    return data


def make(data, names=NAMES, **parameters):
    """Return an estimator of two named spheres."""
    seeds = SphereSeeds(data.seeds[:2], 5, names=names)
    return SeedCorrelationMap(seeds, NiftiMasker(data.mask_img), **parameters)


def test_who_and_what_a_row_is_of(study):
    sbc = make(study).fit(study.paths)
    report = sbc.run_report_
    assert report["run"].tolist() == [0, 1, 2, 3]
    assert report["img"].tolist() == [str(path) for path in study.paths]
    assert report["subject"].tolist() == ["sub-02"] * 2 + ["sub-01"] * 2
    assert report["session"].tolist() == ["ses-a", "ses-b"] * 2
    assert report["task"].tolist() == ["rest"] * 4
    seeds = sbc.seed_report_
    assert seeds["seed"].tolist() == NAMES * 4
    for name in ("run", "subject", "session", "task", "img"):
        assert seeds[name].tolist() == np.repeat(report[name], 2).tolist()


def test_they_are_short_to_look_at(study):
    """Paths are cut or left out, and what is told of a run or seed is seen."""
    sbc = make(study).fit(study.paths)
    for report in (sbc.run_report_, sbc.seed_report_):
        with pd.option_context("display.width", 80, "display.max_columns", 0):
            lines = repr(report).splitlines()
        assert max(map(len, lines)) <= 80
        assert "subject" in lines[0]
        assert report.columns[-1] in lines[0]
        cells = re.findall("<td>(.*?)</td>", report._repr_html_())
        assert max(map(len, cells)) <= 50


def test_a_table_of_participants_merges_in_one_line(study):
    sbc = make(study).fit(study.paths)
    participants = pd.read_csv(study.participants, sep="\t")
    keys = {"left_on": "subject", "right_on": "participant_id"}
    runs = sbc.run_report_.merge(participants, **keys)
    assert runs["run"].tolist() == [0, 1, 2, 3]
    assert runs["age"].tolist() == [64, 64, 31, 31]
    seeds = sbc.seed_report_.merge(participants, **keys)
    assert seeds["group"].tolist() == ["patient"] * 4 + ["control"] * 4
    assert seeds[["run", "seed"]].equals(sbc.seed_report_[["run", "seed"]])


def test_what_a_name_does_not_tell_is_missing(study, tmp_path):
    img = study.runs[0].img
    path = save(img, tmp_path / "sub-7_rest.nii")
    report = make(study).fit([img, path, nib.load(path)]).run_report_
    assert report["run"].tolist() == [0, 1, 2]
    assert report["subject"].isna().tolist() == [True, False, False]
    assert report["subject"].tolist()[1:] == ["sub-7"] * 2
    assert report[["session", "task"]].isna().all(axis=None)
    assert report["img"].isna().tolist() == [True, False, False]
    assert report["img"].tolist()[1:] == [str(path)] * 2


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
@pytest.mark.parametrize("is_table", [False, True])
def test_the_index_of_runs_is_kept(study, method, is_table):
    people = pd.Index(["p", "q", "r", "s"], name="person")
    table = pd.Series(study.paths, index=people).to_frame("run")
    X = table if is_table else table["run"]
    sbc = make(study)
    getattr(sbc, method)(X)
    expected = make(study).fit(study.paths)
    assert sbc.run_report_.index.equals(people)
    assert sbc.run_report_.index.name == "person"
    assert sbc.seed_report_.index.tolist() == list("ppqqrrss")
    ages = pd.Series([64, 64, 31, 31], index=people, name="age")
    assert sbc.seed_report_.join(ages)["age"].tolist() == [64] * 4 + [31] * 4
    for name in ("run_report_", "seed_report_"):
        found = getattr(sbc, name).reset_index(drop=True)
        pd.testing.assert_frame_equal(found, getattr(expected, name))
    # That of a Series, scikit-learn keeps from 1.7 on.
    z = sbc.set_output(transform="pandas").transform(table)
    assert z.index.equals(people)
    np.testing.assert_array_equal(z, expected.transform(study.paths))


def test_one_column_of_a_table_beside_others(study):
    table = pd.DataFrame({"run": study.paths, "age": [64, 64, 31, 31]})
    z = make(study).fit_transform(study.paths)
    for column in ("run", ["run"]):
        both = ColumnTransformer(
            [("map", make(study), column)], remainder="passthrough"
        )
        found = both.fit_transform(table)
        np.testing.assert_array_equal(
            found[:, :-1], make(study).fit_transform(table["run"])
        )
        np.testing.assert_array_equal(found[:, -1], table["age"])
    array = np.array([*map(str, study.paths)], dtype=object)[:, np.newaxis]
    np.testing.assert_array_equal(make(study).fit_transform(array), z)
    with pytest.raises(TypeError, match="got DataFrame"):
        make(study).fit(table)


@pytest.mark.parametrize("options", [{}, {"n_jobs": 2}, {"memory": True}])
def test_they_are_the_same_however_they_were_made(study, tmp_path, options):
    expected = make(study).fit(study.paths)
    options = {"memory": tmp_path} if "memory" in options else options
    sbc = make(study, **options)
    for _ in range(2):
        sbc.fit(study.paths)
        for name in ("run_report_", "seed_report_"):
            found = getattr(sbc, name)
            pd.testing.assert_frame_equal(found, getattr(expected, name))
        np.testing.assert_array_equal(sbc.valid_voxels_, expected.valid_voxels_)


def test_what_a_table_tells_of_seeds(study, tmp_path):
    table = pd.DataFrame(study.seeds[:2], columns=["x", "y", "z"])
    table = table.assign(name=NAMES, network=["DMN", "DAN"], run=[7.0, 9.0])
    sbc = make(study, None)
    sbc.set_params(seed_masker__seeds=table, memory=tmp_path)
    for _ in range(2):
        report = sbc.fit(study.paths[:2]).seed_report_
        assert report["seed"].tolist() == NAMES * 2
        assert report["network"].tolist() == ["DMN", "DAN"] * 2
        assert report["run"].tolist() == [0, 0, 1, 1]
        assert report["seed_run"].tolist() == [7, 9] * 2


def test_what_tables_of_runs_tell_of_seeds(study):
    table = pd.DataFrame(study.seeds[:2], columns=["x", "y", "z"]).assign(name=NAMES)
    tables = table, table.assign(side=["L", "R"])
    pairs = zip(study.paths, tables, strict=False)
    runs = [Run(path, seed_places=own) for path, own in pairs]
    sbc = make(study, None).set_params(seed_masker__seeds="run").fit(runs)
    assert sbc.seed_report_["side"].isna().tolist() == [True, True, False, False]
    assert sbc.seed_report_["side"].tolist()[2:] == ["L", "R"]


# Voxels with a signal in every run


def with_holes(data):
    """Return runs in which voxels have no signal, other ones in each, and where."""
    inside = np.flatnonzero(np.asarray(data.mask_img.dataobj).ravel())
    lost, runs = [inside[[5, 9]], inside[[9, 40]], inside[:0]], []
    for run, own in zip(data.runs, lost, strict=False):
        array = np.array(run.img.dataobj, order="C")
        array.reshape(-1, array.shape[-1])[own] = 0
        runs.append(nib.Nifti1Image(array, run.img.affine))
    return runs, np.isin(inside, np.concatenate(lost))


@pytest.mark.parametrize("options", [{}, {"n_jobs": 2}, {"memory": True}])
def test_voxels_that_had_a_signal_in_every_run(study, tmp_path, options):
    runs, is_lost = with_holes(study)
    options = {"memory": tmp_path} if "memory" in options else options
    sbc = make(study, **options)
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*voxels have no signal")
            z = sbc.fit_transform(runs)
        assert sbc.valid_voxels_.dtype == bool
        np.testing.assert_array_equal(sbc.valid_voxels_, ~is_lost)
        assert sbc.run_report_["n_without_signal"].tolist() == [2, 2, 0]
        z = z.reshape(3, 2, -1)
        assert (z[:, :, is_lost] == 0).any(axis=0).all()
        assert (z[:, :, sbc.valid_voxels_] != 0).all()
