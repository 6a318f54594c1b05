"""What options of the command mean: seeds, scans, confounds, repetition times."""

import json
import re
import shlex
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._command import bids_maps, mapping
from sbc_estimators._command.options import PROGRAM, understood
from sbc_estimators.maskers import RegionSeeds, SphereSeeds
from studies import SPACE

ROOT = Path(__file__).resolve().parents[2]

FAST = ("--band", "0", "inf", "--smoothing", "0")
"""No filter and nothing smoothed."""


@pytest.fixture
def maps(call, tmp_path, pair):
    """The function ``(*words) -> (z by seed, sidecars by seed)`` of sub-01's run."""
    mask = np.asarray(pair.data.mask_img.dataobj) != 0

    def mapped(*words, status=0):
        out = tmp_path / "out"
        found, _, errors = call(*words, "--out", out)
        assert found == status, errors
        paths = sorted(out.glob("sub-01/func/*_stat-effect_statmap.json"))
        said = [json.loads(path.read_text("utf-8")) for path in paths]
        z = [
            nib.load(path.with_suffix(".nii.gz")).get_fdata(dtype=np.float32)[mask]
            for path in paths
        ]
        names = [own["Seed"] for own in said]
        return dict(zip(names, z, strict=True)), dict(zip(names, said, strict=True))

    return mapped


@pytest.fixture
def bare_run(pair):
    """The words for sub-01's run alone in its folder, with its mask."""
    mask = pair.func("01", 1).name.replace("preproc_bold", "brain_mask")
    mask = pair.func("01", 1).with_name(mask)
    return [pair.func("01", 1), "--mask", mask, *FAST]


@pytest.fixture
def python(pair):
    """The function ``(seeds, run=..., **options) -> z`` of the same run in Python."""

    def mapped(seeds, detrend=True, run=None, **options):
        brain = NiftiMasker(pair.data.mask_img, detrend=detrend)
        run = Run(pair.func("01", 1), t_r=2.0) if run is None else run
        sbc = SeedCorrelationMap(seeds, brain, **options)
        return sbc.fit_transform(run).reshape(-1, 200)

    return mapped


@pytest.fixture
def no_pictures(monkeypatch):
    """Draw nothing, which takes most of the time."""

    def write(_, stem):
        for suffix in ("png", "pdf"):
            stem.with_name(f"{stem.name}.{suffix}").touch()

    for module in (bids_maps, mapping):
        monkeypatch.setattr(module, "draw_map", lambda *_: None)
        monkeypatch.setattr(module, "draw_signals", lambda *_: None)
        monkeypatch.setattr(module, "write_figure", write)


pytestmark = pytest.mark.usefixtures("no_pictures")


# Seeds


@pytest.fixture
def atlas(pair, tmp_path):
    """An atlas of two regions with names, and its table."""
    mask = np.asarray(pair.data.mask_img.dataobj)
    labels = mask * (1 + (np.indices(mask.shape)[0] > mask.shape[0] // 2))
    img = nib.Nifti1Image(labels.astype(np.uint8), pair.data.mask_img.affine)
    nib.save(img, tmp_path / "atlas.nii.gz")
    lut = pd.DataFrame({"index": [1, 2], "name": ["Left Lobe", "Right Lobe"]})
    lut.to_csv(tmp_path / "lut.tsv", sep="\t", index=False)
    return tmp_path / "atlas.nii.gz", tmp_path / "lut.tsv"


def test_seeds_of_a_table(bare_run, maps, python, pair, tmp_path):
    table = pd.DataFrame(pair.data.seeds, columns=list("xyz"))
    table = table.assign(name=["L IPS", "R IPS"], radius=[3, 6], network="x")
    table.to_csv(tmp_path / "seeds.csv", index=False)
    z, said = maps(*bare_run, "--seeds", tmp_path / "seeds.csv")
    expected = python(SphereSeeds(table, allow_overlap=True))
    np.testing.assert_allclose([z["L IPS"], z["R IPS"]], expected, atol=1e-6)
    assert said["R IPS"]["SeedReport"]["n_voxels"] > 1


def test_regions_of_an_atlas(bare_run, maps, python, atlas):
    image, lut = atlas
    z, _ = maps(*bare_run, "--atlas", image, "--lut", lut, "--regions", "Right Lobe")
    (expected,) = python(RegionSeeds(image, ["Right Lobe"], lut=lut))
    np.testing.assert_allclose(z["Right Lobe"], expected, atol=1e-6)
    assert list(z) == ["Right Lobe"]


def test_labels_of_an_atlas_without_names(bare_run, maps, python, atlas):
    z, _ = maps(*bare_run, "--atlas", atlas[0], "--regions", "2,1")
    expected = python(RegionSeeds(atlas[0], [2, 1]))
    np.testing.assert_allclose([z["2"], z["1"]], expected, atol=1e-6)


def test_all_of_an_atlas(bare_run, maps, atlas):
    z, _ = maps(*bare_run, "--atlas", atlas[0], "--lut", atlas[1])
    assert set(z) == {"Left Lobe", "Right Lobe"}


def test_masks_as_seeds(bare_run, maps, python, atlas, tmp_path):
    img = nib.load(atlas[0])
    paths = [tmp_path / "left.nii.gz", tmp_path / "right.nii.gz"]
    for label, path in enumerate(paths, 1):
        mask = (np.asarray(img.dataobj) == label).astype(np.uint8)
        nib.save(nib.Nifti1Image(mask, img.affine), path)
    masks = [word for path in paths for word in ("--seed-mask", path)]
    z, _ = maps(*bare_run, *masks)
    expected = python(RegionSeeds(paths))
    np.testing.assert_allclose([z["left"], z["right"]], expected, atol=1e-6)


def test_summary_and_measure(bare_run, maps, python, pair):
    seeds = [
        word
        for name, place in zip("ab", pair.data.seeds, strict=True)
        for word in ("--seed", name, *place)
    ]
    how = ("--summary", "pca", "--measure", "partial", "--no-detrend")
    z, said = maps(*bare_run, *seeds, "--radius", 6, *how)
    masker = SphereSeeds(pair.data.seeds, 6, allow_overlap=True)
    options = {"seed_summary": "pca", "measure": "partial"}
    expected = python(masker, detrend=False, **options)
    np.testing.assert_allclose([z["a"], z["b"]], expected, atol=1e-6)
    given = said["a"]["Parameters"]
    assert given["seed_summary"] == "pca"
    assert given["brain_masker__detrend"] is False


def test_seeds_within_the_mask(bare_run, maps, python, pair):
    edge = nib.affines.apply_affine(
        pair.data.mask_img.affine, np.argwhere(pair.data.mask_img.get_fdata())[0]
    )
    seed = ["--seed", "edge", *edge, "--radius", 8]
    z, said = maps(*bare_run, *seed, "--mask-seeds")
    masker = SphereSeeds([edge], 8, mask_img=pair.data.mask_img)
    np.testing.assert_allclose(z["edge"], python(masker)[0], atol=1e-6)
    assert said["edge"]["SeedsWithinMask"] is True


# Scans


@pytest.mark.parametrize("form", ["numbers", "switches"])
def test_sample_mask(bare_run, one_seed, maps, python, pair, tmp_path, form):
    kept = np.delete(np.arange(40), [0, 1, 17])
    rows = kept if form == "numbers" else np.isin(np.arange(40), kept).astype(int)
    np.savetxt(tmp_path / "kept.txt", rows, fmt="%d")
    z, said = maps(*bare_run, *one_seed, "--sample-mask", tmp_path / "kept.txt")
    run = Run(pair.func("01", 1), sample_mask=kept, t_r=2.0)
    (expected,) = python(SphereSeeds(pair.data.seeds[:1], 8), run=run)
    np.testing.assert_allclose(z["L IPS"], expected, atol=1e-6)
    assert said["L IPS"]["CensoredScans"] == [0, 1, 17]


def test_sample_masks_and_strategies_are_both_heeded(pair, one_seed, maps, tmp_path):
    for sub in ("01", "02"):
        table = pd.read_csv(pair.table(sub, 1), sep="\t")
        table["non_steady_state_outlier00"] = np.eye(40, dtype=int)[0]
        table.to_csv(pair.table(sub, 1), sep="\t", index=False, na_rep="n/a")
    np.savetxt(tmp_path / "kept.txt", np.arange(39), fmt="%d")
    words = [pair.path, *FAST, *one_seed, "--strategy", "wm_csf"]
    _, said = maps(*words, "--sample-mask", tmp_path / "kept.txt")
    assert said["L IPS"]["CensoredScans"] == [0, 39]


def test_confounds_need_not_be_there_in_scans_that_are_left_out(
    bare_run, one_seed, maps, pair, tmp_path
):
    np.savetxt(tmp_path / "kept.txt", np.arange(1, 40), fmt="%d")
    table = ["--confounds", pair.table("01", 1), "--columns", "framewise*,csf"]
    words = [*bare_run, *one_seed, *table]
    maps(*words, status=2)
    _, said = maps(*words, "--sample-mask", tmp_path / "kept.txt")
    assert said["L IPS"]["Confounds"] == ["framewise_displacement", "csf"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("1 2\n3 4\n", r"must have one column of whole numbers"),
        ("0.5\n1\n", r"must have one column of whole numbers"),
        ("5\n3\n9\n", r"--sample-mask \('.*'\): sample_mask must be ascending"),
        ("1\n2\n40\n", "must hold indices from 0 to 39"),
        ("a\n1\nb\n", "--sample-mask"),
    ],
)
def test_files_that_tell_no_scans(bare_run, one_seed, call, tmp_path, text, match):
    (tmp_path / "kept.txt").write_text(text)
    words = [*bare_run, *one_seed, "--sample-mask", tmp_path / "kept.txt"]
    status, _, errors = call(*words, "--out", tmp_path / "out")
    assert status == 2
    assert re.search(match, errors)


# Confounds


@pytest.mark.parametrize("of_folder", [True, False])
def test_columns_by_patterns(pair, bare_run, one_seed, maps, python, of_folder):
    words = [pair.path, *FAST]
    if not of_folder:
        words = [*bare_run, "--confounds", pair.table("01", 1)]
    z, said = maps(*words, *one_seed, "--columns", "trans_*,csf")
    names = [f"trans_{axis}{end}" for end in ("", "_derivative1") for axis in "xyz"]
    assert said["L IPS"]["Confounds"] == [*names, "csf"]
    # Changes from scan to scan have no first value: that of the second scan, as nilearn
    # does it.
    table = pd.read_csv(pair.table("01", 1), sep="\t")[[*names, "csf"]].bfill(limit=1)
    run = Run(pair.func("01", 1), table, t_r=2.0)
    (expected,) = python(SphereSeeds(pair.data.seeds[:1], 8), run=run)
    np.testing.assert_allclose(z["L IPS"], expected, atol=1e-6)


def test_a_table_for_each_file(pair, one_seed, call, tmp_path):
    files = [pair.func(sub, 1) for sub in ("01", "02")]
    tables = []
    for sub in ("01", "02"):
        table = pd.read_csv(pair.table(sub, 1), sep="\t")[["csf"]]
        table.columns = [f"csf{sub}"]
        table.to_csv(tmp_path / f"{sub}.tsv", sep="\t", index=False)
        tables += ["--confounds", tmp_path / f"{sub}.tsv"]
    assert call(*files, *FAST, *one_seed, *tables, "--out", tmp_path / "out")[0] == 0
    said = [json.loads(p.read_text()) for p in sorted(tmp_path.rglob("*effect*.json"))]
    assert [own["Confounds"] for own in said] == [["csf01"], ["csf02"]]


@pytest.mark.parametrize(
    ("strategy", "band"),
    [([], [None, 0.1]), (["--strategy", "wm_csf"], [0.01, 0.1])],
    ids=["with cosines", "without"],
)
@pytest.mark.filterwarnings("default::UserWarning")
def test_drifts_are_removed_once(pair, one_seed, maps, strategy, band):
    """Confounds by name have cosines, beside which the default band is open below."""
    for sub in ("01", "02"):
        table = pd.read_csv(pair.table(sub, 1), sep="\t")
        squares = table.filter(regex="trans|rot") ** 2
        table = table.join(squares.add_suffix("_power2"))
        table.to_csv(pair.table(sub, 1), sep="\t", index=False, na_rep="n/a")
    _, said = maps(pair.path, *strategy, *one_seed)
    given = said["L IPS"]["Parameters"]
    assert [given["high_pass"], given["low_pass"]] == band
    assert ("cosine00" in said["L IPS"]["Confounds"]) == (band[0] is None)


def test_files_with_a_strategy_have_what_lies_beside_them(pair, one_seed, maps):
    words = [pair.func("01", 1), *FAST, *one_seed, "--strategy", "wm_csf"]
    _, said = maps(*words)
    mask = pair.func("01", 1).name.replace("preproc_bold", "brain_mask")
    mask = pair.func("01", 1).with_name(mask)
    assert said["L IPS"]["Parameters"]["brain_masker__mask_img"] == str(mask)
    assert said["L IPS"]["Confounds"] == ["csf", "white_matter"]


@pytest.mark.parametrize("there", [f"_{SPACE}_res-2", "", "_space-T1w"])
def test_a_mask_of_another_space_is_not_taken(pair, one_seed, maps, there):
    for sub in ("01", "02"):
        name = pair.func(sub, 1).name.replace("preproc_bold", "brain_mask")
        mask = pair.func(sub, 1).with_name(name)
        mask.rename(str(mask).replace(f"_{SPACE}", there))
    _, said = maps(pair.path, *FAST, *one_seed, "--strategy", "wm_csf")
    assert said["L IPS"]["Parameters"]["brain_masker__mask_img"] is None


# Repetition times


def set_sidecar(pair, sub, t_r):
    """Write a repetition time to the sidecar of a run, None to remove the sidecar."""
    path = pair.func(sub, 1).with_name(
        pair.func(sub, 1).name.replace(".nii.gz", ".json")
    )
    path.unlink()
    if t_r is not None:
        path.write_text(json.dumps({"RepetitionTime": t_r}))


def test_the_sidecar_comes_before_the_header_and_says_so(
    pair, one_seed, call, tmp_path
):
    for sub in ("01", "02"):
        set_sidecar(pair, sub, 2.5)
    words = [pair.path, *FAST, "--strategy", "wm_csf", *one_seed]
    words += ["--band", "0", "0.1"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        _, text, errors = call(*words, "--out", tmp_path / "out")
        assert errors.count("\n") == 1
        assert "sub-01" in errors
        assert "sub-02" in errors
        assert "that is used is 2.5 s, but its header says 2 s" in errors
        assert "t_r           2.5 s (sidecar)" in text
        _, text, errors = call(*words, "--t-r", 3, "--out", tmp_path / "out")
    assert "that is used is 3 s, but its sidecar says 2.5 s" in errors
    assert "t_r           3 s (--t-r)" in text


def test_without_a_sidecar_the_header_counts(pair, one_seed, maps):
    set_sidecar(pair, "01", None)
    words = [pair.path, *FAST, "--strategy", "wm_csf", *one_seed]
    _, said = maps(*words)
    assert said["L IPS"]["RepetitionTime"] == 2
    assert said["L IPS"]["RepetitionTimeSource"] == "header"


def test_a_sidecar_for_the_whole_task(pair, one_seed, maps):
    set_sidecar(pair, "01", None)
    (pair.path / "dataset_description.json").write_text("{}")
    (pair.path / "task-rest_bold.json").write_text('{"RepetitionTime": 2.0}')
    words = [pair.path, *FAST, "--strategy", "wm_csf", *one_seed]
    assert maps(*words)[1]["L IPS"]["RepetitionTimeSource"] == "sidecar"


def test_the_sidecar_of_a_file_with_any_name(pair, one_seed, call, tmp_path):
    func = tmp_path / "scan.nii.gz"
    func.write_bytes(pair.func("01", 1).read_bytes())
    (tmp_path / "scan.json").write_text('{"RepetitionTime": 2.0}')
    _, text, _ = call(func, *FAST, *one_seed, "--out", tmp_path / "out")
    assert "t_r           2 s (sidecar)" in text


# Contradictions


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--task", "rest"], "--task needs a folder that fMRIPrep wrote as FUNC"),
        (["b.nii", "--space", "T1w"], "--space needs a folder"),
        (["b.nii", "FOLDER"], "FUNC must be files or folders, not both"),
        (["FOLDER", "--confounds", "c"], "--confounds is for files"),
        (["a.nii", "b.nii", "--confounds", "c"], "once for each FUNC, .* got 1 for 2"),
        (["FOLDER", "--strategy", "simple", "--columns", "a"], "give one of them"),
        (["b.nii", "--strategy", "a", "--confounds", "c"], "give one of them"),
        (["--strategy", "simple"], "--strategy needs FUNC"),
        (["FOLDER", "--explore"], "--explore needs a single run"),
        (["a.nii", "b.nii", "--explore"], "--explore needs a single run"),
        (
            ["FOLDER", "--sample-mask", "a", "--sample-mask", "b"],
            "--sample-mask must be given once for all runs, or once for each FUNC",
        ),
        (["--seeds", "a", "--atlas", "b"], "--seeds and --atlas: give one of them"),
        (["--seed", "a", 0, 0, 0, "--seed-mask", "b"], "--seed and --seed-mask: give"),
        (["--lut", "a"], "--lut needs --atlas"),
        (["--regions", "a"], "--regions needs --atlas"),
        (["--atlas", "a", "--radius", 5], "--radius is for spheres, and --atlas gives"),
        (["--n-jobs", 0], "--n-jobs: must be a whole number, but not 0"),
        (["--n-jobs", "two"], "--n-jobs: must be a whole number"),
        (["--radius", 2000], "--radius: must be at most 1000 mm, got '2000'"),
        (["--threshold", -1], "--threshold: must be a finite number above 0"),
        (["--sumary", "pca"], "Did you mean --summary?"),
        (["--seedmask", "a"], "Did you mean --seed-mask?"),
        (["--njobs", 2], "Did you mean --n-jobs?"),
        (["--strategies", "simple"], "Did you mean --strategy?"),
    ],
)
def test_what_does_not_go_together(call, tmp_path, words, match):
    words = [tmp_path if word == "FOLDER" else word for word in words]
    status, text, errors = call(*words)
    assert (status, text) == (2, "")
    assert re.search(match, errors.splitlines()[-1])


def test_files_may_stand_after_options(bare_run, one_seed, pair, call, tmp_path):
    func, *words = bare_run
    words = [func, *words, pair.func("02", 1), *one_seed, "--out", tmp_path / "out"]
    status, text, _ = call(*words)
    assert status == 0
    assert "2 maps to" in text


def test_the_command_of_the_docs_is_understood():
    text = (ROOT / "docs/runs.md").read_text("utf-8")
    block = re.search("```bash\n(.*?)```", text, re.S)[1].replace("\\\n", "")
    program, *words = shlex.split(block)
    options = understood(words)
    assert program == PROGRAM
    assert options.func == [Path("derivatives/fmriprep")]
    assert (options.strategy, options.n_jobs) == (("motion", "wm_csf"), 2)
