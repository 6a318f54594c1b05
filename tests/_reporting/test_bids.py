"""Files with BIDS names: what they hold; nothing is half done, or done twice."""

import json
import os
import pickle
import platform
import threading
from dataclasses import replace
from pathlib import Path

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker, SurfaceMasker
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

import sbc_estimators
from helpers import OwnSpheres, killed_at, times, tree
from sbc_estimators import Run, SeedCorrelationMap, save_to_bids
from sbc_estimators._reporting import bids
from sbc_estimators._reporting.bids_names import places_of
from sbc_estimators.datasets import make_grayordinate_runs
from sbc_estimators.maskers import (
    GivenSignals,
    GrayordinateMasker,
    RegionSeeds,
    SurfaceSeeds,
)

SPACE = "space-MNI152NLin2009cAsym"
LUT = {1: "PCC", 2: "L IPS", 3: "mPFC", 4: "V1"}


@pytest.fixture(scope="module")
def study(sample_box, tmp_path_factory):
    """Two people's runs in files, one of them with a session and censored scans."""
    folder = tmp_path_factory.mktemp("study")
    names = (
        f"sub-01_task-rest_{SPACE}_desc-preproc_bold.nii.gz",
        f"sub-02_ses-1_task-rest_run-2_{SPACE}_desc-preproc_bold.nii.gz",
    )
    data = sample_box.img.get_fdata(dtype=np.float32)
    for i, name in enumerate(names):
        img = nib.Nifti1Image(np.roll(data, i, 3), sample_box.img.affine)
        img.header["sform_code"] = img.header["qform_code"] = 4  # MNI
        img.set_qform(img.affine, 4)
        nib.save(img, folder / name)
    first, second = (folder / name for name in names)
    kept = np.delete(np.arange(200), [3, 4])
    return [
        Run(first, sample_box.confounds, t_r=1.5),
        Run(second, sample_box.confounds, kept, t_r=1.5),
    ]


@pytest.fixture(scope="module")
def sbc(sample_box, study):
    """An estimator with the seeds PCC and L IPS, fitted to both runs."""
    return SeedCorrelationMap(
        RegionSeeds(sample_box.labels_img, ["PCC", "L IPS"], lut=LUT),
        NiftiMasker(sample_box.mask_img),
        low_pass=0.1,
        high_pass=0.01,
    ).fit(study)


@pytest.fixture(scope="module")
def saved(sbc, study, tmp_path_factory):
    """The folder that holds all maps of both runs, and the paths returned."""
    folder = tmp_path_factory.mktemp("saved") / "maps"
    return folder, save_to_bids(sbc, study, folder)


def test_names_are_those_of_bids(saved):
    folder, files = saved
    second = f"sub-02_ses-1_task-rest_run-2_{SPACE}"
    expected = [
        f"sub-01/func/sub-01_task-rest_{SPACE}_seed-PCC_stat-effect_statmap.nii.gz",
        f"sub-01/func/sub-01_task-rest_{SPACE}_seed-LIPS_stat-effect_statmap.nii.gz",
        f"sub-02/ses-1/func/{second}_seed-PCC_stat-effect_statmap.nii.gz",
        f"sub-02/ses-1/func/{second}_seed-LIPS_stat-effect_statmap.nii.gz",
    ]
    assert [path.relative_to(folder).as_posix() for path in files] == expected
    sidecars = [name.replace(".nii.gz", ".json") for name in expected]
    assert set(tree(folder)) == {*expected, *sidecars, "dataset_description.json"}


def test_files_hold_the_maps(sbc, study, saved):
    z = sbc.transform(study).reshape(4, -1)
    mask = sbc.brain_masker_.mask_img_.get_fdata() != 0
    for path, expected in zip(saved[1], z, strict=True):
        img = nib.load(path)
        assert img.get_data_dtype() == np.float32
        assert img.shape == mask.shape
        assert img.header["sform_code"] == img.header["qform_code"] == 4
        np.testing.assert_array_equal(img.get_fdata(dtype=np.float32)[mask], expected)


def test_sidecars_say_what_was_done(sbc, study, saved, sample_box):
    sidecar = json.loads(
        saved[1][3]
        .with_name(saved[1][3].name.replace(".nii.gz", ".json"))
        .read_text("utf-8")
    )
    assert sidecar["Description"] == "Fisher z of the correlation with seed L IPS"
    assert sidecar["Seed"] == "L IPS"
    assert sidecar["Sources"] == [os.path.abspath(study[1].img)]
    assert sidecar["RepetitionTime"] == 1.5
    assert sidecar["NumberOfScans"] == 200
    assert sidecar["NumberOfKeptScans"] == 198
    assert sidecar["CensoredScans"] == [3, 4]
    assert sidecar["Confounds"] == list(sample_box.confounds.columns)
    assert sidecar["Parameters"]["brain_masker__high_pass"] == 0.01
    assert sidecar["Parameters"]["seed_masker__regions"] == ["PCC", "L IPS"]
    assert sidecar["Parameters"]["brain_masker__mask_img"].startswith("<Nifti1Image")
    assert sidecar["Versions"]["sbc_estimators"] == sbc_estimators.__version__
    assert sidecar["Versions"]["Python"] == platform.python_version()
    assert sidecar["Files"] == [saved[1][3].name]


def test_the_folder_says_what_it_is(saved):
    text = (saved[0] / "dataset_description.json").read_text("utf-8")
    content = json.loads(text)
    assert content["DatasetType"] == "derivative"
    assert content["GeneratedBy"][0]["Name"] == "sbc_estimators"


def test_what_others_said_of_a_folder_stays(sbc, study, tmp_path):
    description = tmp_path / "dataset_description.json"
    for text in ('{"Name": "mine", "GeneratedBy": [{"Name": "fMRIPrep"}]}', "[]", "{"):
        description.write_text(text, encoding="utf-8")
        save_to_bids(sbc, study[0], tmp_path)
        assert description.read_text("utf-8") == text


def test_an_estimator_that_returns_tables(sbc, study, saved, tmp_path):
    tables = pickle.loads(pickle.dumps(sbc)).set_output(transform="pandas")
    save_to_bids(tables, study, tmp_path)
    assert tree(tmp_path) == tree(saved[0])


# Again


@pytest.fixture
def no_work(monkeypatch):
    """Fail where runs are mapped."""

    def mapped(*_):
        raise AssertionError("a run is mapped again")

    monkeypatch.setattr(bids, "run_statistics", mapped)


def test_what_is_there_is_left_as_it_is(sbc, study, saved, no_work):
    before = times(saved[0])
    assert save_to_bids(sbc, study, saved[0]) == saved[1]
    assert times(saved[0]) == before


def test_a_missing_map_alone_is_made_again(sbc, study, saved, tmp_path):
    folder = tmp_path / "maps"
    files = save_to_bids(sbc, study, folder)
    expected, before = tree(folder), times(folder)
    files[1].unlink()
    save_to_bids(sbc, study, folder)
    assert tree(folder) == expected == tree(saved[0])
    after = times(folder)
    changed = {
        path.name.partition(".")[0] for path in after if after[path] != before[path]
    }
    assert changed == {files[1].name.partition(".")[0]}


CHANGES = {
    "the file": lambda run, sbc: os.utime(run.img, (1, 1)),
    "confounds": lambda run, sbc: replace(run, confounds=run.confounds * 2 + 1),
    "sample mask": lambda run, sbc: replace(run, sample_mask=np.arange(150)),
    "repetition time": lambda run, sbc: replace(run, t_r=1.6),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_made_again(sbc, study, tmp_path, change):
    file = tmp_path / study[0].img.name
    file.write_bytes(study[0].img.read_bytes())
    run = replace(study[0], img=file)
    save_to_bids(sbc, run, tmp_path / "maps")
    before = times(tmp_path / "maps")
    changed = CHANGES[change](run, sbc) or run
    save_to_bids(sbc, changed, tmp_path / "maps")
    after = times(tmp_path / "maps")
    assert before.keys() == after.keys()
    maps = [path for path in after if path.name.startswith("sub-01_")]
    assert len(maps) == 4
    assert all(after[path] > before[path] for path in maps)


def test_another_estimator_makes_maps_again(sbc, study, sample_box, tmp_path):
    save_to_bids(sbc, study[0], tmp_path)
    before = tree(tmp_path)
    other = SeedCorrelationMap(
        RegionSeeds(sample_box.labels_img, ["PCC", "L IPS"], lut=LUT),
        NiftiMasker(sample_box.mask_img, smoothing_fwhm=6),
        low_pass=0.1,
        high_pass=0.01,
    ).fit(study)
    files = save_to_bids(other, study[0], tmp_path)
    after = tree(tmp_path)
    assert before.keys() == after.keys()
    for path in files:
        name = path.relative_to(tmp_path).as_posix()
        assert after[name] != before[name]


def test_a_sidecar_is_written_last(sbc, study, tmp_path, monkeypatch):
    """Else a map of before would pass for that of the new parameters."""
    written, real = [], os.replace

    def replaced(source, target):
        written.append(Path(target).name)
        real(source, target)

    monkeypatch.setattr(os, "replace", replaced)
    save_to_bids(sbc, study[0], tmp_path)
    maps = [name for name in written if "statmap" in name]
    assert [name.endswith(".json") for name in maps] == [False, True] * 2


def test_an_error_leaves_no_half_file(sbc, study, tmp_path, monkeypatch):
    real = nib.save

    def save(img, path):
        real(img, path)
        raise OSError("the disk is full")

    monkeypatch.setattr(nib, "save", save)
    with pytest.raises((OSError, RuntimeError), match="the disk is full"):
        save_to_bids(sbc, study[0], tmp_path)
    assert set(tree(tmp_path)) == {"dataset_description.json"}


@pytest.mark.parametrize("n_files", [5, 6])
def test_killed_and_called_again_gives_the_same_bits(
    sbc, study, saved, tmp_path, n_files
):
    """Killed before a sidecar, or a map, takes the place that it should have."""
    killed_at(n_files, save_to_bids, sbc, study, tmp_path)
    left = tree(tmp_path)
    assert len(left) == n_files
    assert len([name for name in left if Path(name).name.startswith(".")]) == 1
    save_to_bids(sbc, study, tmp_path)
    assert tree(tmp_path) == tree(saved[0])


def test_two_calls_at_once_both_end_well(sbc, study, saved, tmp_path, monkeypatch):
    """Both write what the folder is, and the other one was a moment earlier."""
    real = os.replace

    def replaced(source, target):
        real(source, target)
        if Path(target).name == "dataset_description.json":
            raise FileNotFoundError(source)

    monkeypatch.setattr(os, "replace", replaced)
    save_to_bids(sbc, study, tmp_path)
    assert tree(tmp_path) == tree(saved[0])


# Names that cannot be


def refused(sbc, X, folder, match, **options):
    """Check that a call is an error before any work."""
    with pytest.raises(ValueError, match=match):
        save_to_bids(sbc, X, folder / "maps", **options)
    assert not (folder / "maps").exists()


def test_a_run_of_nobody(sbc, sample_box, tmp_path, no_work):
    refused(sbc, sample_box.img, tmp_path, "run 0 has no name that tells its subject")
    run = Run("task-rest_bold.nii.gz")
    refused(sbc, run, tmp_path, r"run 0 \('task-rest_bold.nii.gz'\) has no name")


def test_two_runs_of_one_name(sbc, study, tmp_path, no_work):
    other = Run(str(study[0].img).replace("desc-preproc", "desc-smooth"))
    match = (
        f"run 0 .* and run 2 .* would get one name, 'sub-01_task-rest_{SPACE.lower()}"
    )
    refused(sbc, [*study, other], tmp_path, match)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["L IPS", "LIPS"], "seeds 'L IPS' and 'LIPS' would get one name, seed-LIPS"),
        (["pcc", "PCC"], "seeds 'pcc' and 'PCC' would get one name"),
        (["PCC", "(-,-)"], r"seed '\(-,-\)' has no letter or digit"),
        (["PCC", "\u6d77\u9a6c"], "has no letter or digit"),
    ],
)
def test_seeds_without_names_of_their_own(
    sbc, study, tmp_path, no_work, monkeypatch, names, match
):
    monkeypatch.setattr(sbc, "seed_names_", names)
    refused(sbc, study, tmp_path, match)


def test_a_name_leads_nowhere_else(sbc, tmp_path, no_work):
    run = Run("sub-../../x_task-rest_bold.nii.gz")
    refused(sbc, run, tmp_path, "has no name that tells its subject")


@pytest.mark.parametrize("stats", [("effect", "p"), (), "beta"])
def test_statistics_that_nobody_knows(sbc, study, tmp_path, no_work, stats):
    refused(sbc, study, tmp_path, "stats must be some of 'effect'", stats=stats)


def test_before_fit(tmp_path):
    with pytest.raises(NotFittedError):
        save_to_bids(SeedCorrelationMap(NiftiSpheresMasker([(0, 0, 0)])), "a", tmp_path)


# Names from a Series


def test_the_index_of_a_series_names_runs(sbc, study, sample_box, tmp_path):
    img = sample_box.img
    runs = [Run(img, study[0].confounds, t_r=1.5) for _ in range(2)]
    index = ["sub-03_task-rest_run-1", "sub-03_task-rest_run-2"]
    files = save_to_bids(sbc, pd.Series(runs, index=index), tmp_path)
    names = [path.name for path in files]
    assert names[0] == "sub-03_task-rest_run-1_seed-PCC_stat-effect_statmap.nii.gz"
    assert names[2].startswith("sub-03_task-rest_run-2_seed-PCC")


def test_names_keep_what_tells_images_of_one_acquisition_apart(sbc, study, sample_box):
    run = Run(sample_box.img, study[0].confounds, t_r=1.5)
    index = [f"sub-01_task-rest_space-fsLR_den-{own}_bold" for own in ("32k", "91k")]
    places = places_of([run, run], pd.Series([run, run], index=index), ["PCC"])
    assert [own.stem("effect") for (own,) in places] == [
        f"sub-01_task-rest_space-fsLR_den-{own}_seed-PCC_stat-effect_statmap"
        for own in ("32k", "91k")
    ]


# Statistics


def test_all_statistics(sbc, study, tmp_path):
    stats = ("effect", "zscore", "variance", "dof")
    files = save_to_bids(sbc, study[0], tmp_path, stats=stats)
    assert [path.name.split("_stat-")[1] for path in files[:4]] == [
        f"{stat}_statmap.nii.gz" for stat in stats
    ]
    mask = sbc.brain_masker_.mask_img_.get_fdata() != 0
    (expected,) = sbc.statistics(study[0])
    for seed in range(2):
        found = [
            nib.load(path).get_fdata(dtype=np.float32)[mask]
            for path in files[4 * seed : 4 * seed + 4]
        ]
        for values, field in zip(
            found, ("effect", "z_score", "variance", "dof"), strict=True
        ):
            np.testing.assert_array_equal(values, expected[field][seed])
    sidecars = sorted(tmp_path.rglob("*seed-PCC*.json"))
    contents = [json.loads(path.read_text("utf-8")) for path in sidecars]
    dof = np.median(expected.dof[0])
    found = [content["EffectiveDegreesOfFreedom"] for content in contents]
    np.testing.assert_allclose(found, [dof] * 4, rtol=1e-6)
    assert 10 < dof < 198


def test_more_statistics_later(sbc, study, saved, tmp_path):
    save_to_bids(sbc, study, tmp_path)
    before = times(tmp_path)
    save_to_bids(sbc, study, tmp_path, stats=("effect", "zscore"))
    after = times(tmp_path)
    assert {path: after[path] for path in before} == before
    assert len(list(tmp_path.rglob("*stat-zscore*"))) == 8


@pytest.mark.parametrize("scale", ["r", "z_score"])
def test_effects_are_fisher_z_on_any_scale(sbc, study, saved, tmp_path, scale):
    other = SeedCorrelationMap(**{**sbc.get_params(deep=False), "scale": scale})
    files = save_to_bids(other.fit(study), study, tmp_path)
    for path, expected in zip(files, saved[1], strict=True):
        assert path.read_bytes() == expected.read_bytes()


# Other brains


def test_a_surface_has_a_file_a_hemisphere(surface, seeds_anywhere, tmp_path):
    sbc = SeedCorrelationMap(
        SurfaceSeeds([3], 2.0, hemisphere="left"),
        SurfaceMasker(surface.mask_img),
    ).fit(surface.run)
    runs = pd.Series([surface.run], index=["sub-01_task-rest_space-fsaverage5"])
    files = save_to_bids(sbc, runs, tmp_path)
    label = "seed-left3_stat-effect_statmap"
    assert [path.name for path in files] == [
        f"sub-01_task-rest_hemi-{side}_space-fsaverage5_{label}.func.gii"
        for side in "LR"
    ]
    z = sbc.transform(runs)
    expected = sbc.inverse_transform(z).data.parts
    for path, part in zip(files, ("left", "right"), strict=True):
        found = nib.load(path).darrays[0].data
        np.testing.assert_array_equal(found, np.ravel(expected[part]))


class Brain(TransformerMixin, BaseEstimator):
    """A masker of another package, whose images are what it is told."""

    def __init__(self, mask_img=None, as_image=None):
        self.mask_img = mask_img
        self.as_image = as_image

    def fit(self, X=None, y=None):
        return self

    def transform(self, X, confounds=None, sample_mask=None):
        mask = np.asarray(self.mask_img.dataobj) != 0
        return X.get_fdata()[mask].T

    def inverse_transform(self, X):
        return self.as_image(np.asarray(X, np.float32))


def test_seeds_that_clean_by_themselves(sample_box, study, tmp_path):
    seeds = OwnSpheres(sample_box.seeds[:1], 6, standardize=None)
    brain = NiftiMasker(sample_box.mask_img, standardize=None)
    sbc = SeedCorrelationMap(seeds, brain).fit(study[0])
    (path,) = save_to_bids(sbc, study[0], tmp_path)
    found = sbc.brain_masker_.transform(nib.load(path))
    np.testing.assert_array_equal(np.ravel(found), sbc.transform(study[0])[0])


def own_brain(sample_box, study, as_image):
    """Return an estimator with a masker of another package as brain."""
    table = pd.DataFrame({"breath": np.sin(np.arange(200))})
    run = replace(study[0], img=nib.load(study[0].img), seed_signals=table)
    brain = Brain(sample_box.mask_img, as_image)
    return SeedCorrelationMap(GivenSignals(), brain).fit(run), run


def test_a_brain_that_cleans_by_itself(sample_box, study, tmp_path):
    """Nobody knows what it leaves of time, but there are maps."""
    mask = np.asarray(sample_box.mask_img.dataobj) != 0

    def as_image(rows):
        data = np.zeros((*mask.shape, len(rows)), np.float32)
        data[mask] = rows.T
        return nib.Nifti1Image(data, sample_box.mask_img.affine)

    sbc, run = own_brain(sample_box, study, as_image)
    (path,) = save_to_bids(sbc, run, tmp_path)
    found = nib.load(path).get_fdata(dtype=np.float32)[mask]
    np.testing.assert_array_equal(found, sbc.transform(run)[0])
    (sidecar,) = tmp_path.rglob("*statmap.json")
    content = json.loads(sidecar.read_text("utf-8"))
    assert content["EffectiveDegreesOfFreedom"] is None
    # Whether a function made in another one is the same, nobody can tell.
    before = times(tmp_path)[path]
    save_to_bids(sbc, run, tmp_path)
    assert times(tmp_path)[path] > before
    sbc.scale = "r"
    (path,) = save_to_bids(sbc, run, tmp_path / "again")
    again = nib.load(path).get_fdata(dtype=np.float32)[mask]
    np.testing.assert_allclose(again, found, rtol=1e-5)
    with pytest.raises(ValueError, match="brain_masker"):
        save_to_bids(sbc, run, tmp_path / "again", stats=("zscore",))


def test_maps_that_are_no_images(sample_box, study, tmp_path):
    sbc, run = own_brain(sample_box, study, np.array)
    with pytest.raises(TypeError, match="inverse_transform of Brain gives ndarray"):
        save_to_bids(sbc, run, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_as_many_runs_at_a_time_as_jobs(sbc, study, tmp_path, monkeypatch):
    real, write = bids.run_statistics, bids._write
    events, both = [], None

    def mapped(mapper, opened):
        events.append("map")
        if both is not None:
            both.wait(30)
        return real(mapper, opened)

    def written(*given):
        events.append("write")
        write(*given)

    monkeypatch.setattr(bids, "run_statistics", mapped)
    monkeypatch.setattr(bids, "_write", written)
    save_to_bids(sbc, study, tmp_path / "one")
    assert events == ["map", "write", "write"] * 2
    both = threading.Barrier(2)
    monkeypatch.setattr(sbc, "n_jobs", 2)
    with joblib.parallel_config(backend="threading"):
        save_to_bids(sbc, study, tmp_path / "two")
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_grayordinates_are_dscalar_files(tmp_path):
    data = make_grayordinate_runs(1, 80, 200, 150, random_state=0)
    name = "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii"
    nib.save(data.runs[0].img, tmp_path / name)
    seeds = SurfaceSeeds(data.seeds[::2], None, hemisphere="left", names=["V1", "PCC"])
    brain = GrayordinateMasker("cortex", detrend=True)
    run = Run(tmp_path / name, sample_mask=np.delete(np.arange(80), [3, 79]))
    sbc = SeedCorrelationMap(seeds, brain).fit(run)
    stats = ("effect", "zscore")
    files = save_to_bids(sbc, run, tmp_path / "maps", stats=stats)
    stem = "sub-01_task-rest_space-fsLR_den-91k_seed-V1_stat-effect_statmap"
    assert files[0].name == f"{stem}.dscalar.nii"
    assert len(files) == 4
    img = nib.load(files[0])
    effect = np.arctanh(sbc.correlations_[0])
    np.testing.assert_allclose(img.get_fdata()[0], effect, rtol=1e-5)
    assert img.nifti_header.get_intent()[0] == "ConnDenseScalar"
    (name,) = img.header.get_axis(0).name
    assert "V1" in name
    content = json.loads(files[0].with_name(f"{stem}.json").read_text())
    assert content["Files"] == [files[0].name]
    assert (content["NumberOfScans"], content["NumberOfKeptScans"]) == (80, 78)
    assert content["CensoredScans"] == [3, 79]
