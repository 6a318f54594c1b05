"""Runs found in a folder of fMRIPrep's have all that belongs to them, or say why not.

The trees are written here. Where no image has to be read its file is empty, so that
opening it would fail.
"""

import functools
import json
import re
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.interfaces.bids import parse_bids_filename
from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy
from nilearn.maskers import NiftiSpheresMasker
from sklearn.base import clone

import sbc_estimators
from helpers import make_sbc
from sbc_estimators import Run, SeedCorrelationMap, runs_from_fmriprep
from sbc_estimators.datasets import make_runs
from sbc_estimators.runs._bids import BoldImage
from sbc_estimators.runs._strategies import table_of_image
from sbc_estimators.runs._times import told_times

N_SCANS = 80
MNI = "MNI152NLin2009cAsym"
IN_MNI = f"space-{MNI}_res-2_desc-preproc"
IN_T1W = "space-T1w_desc-preproc"
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


def expanded(signals):
    """Return columns with the derivatives and squares that fMRIPrep adds."""
    change = signals.diff()
    return pd.concat(
        [
            signals,
            change.add_suffix("_derivative1"),
            (signals**2).add_suffix("_power2"),
            (change**2).add_suffix("_derivative1_power2"),
        ],
        axis=1,
    )


def one_hot(scans, name):
    """Return a column for each scan that is 1 there."""
    columns = {
        f"{name}{i:02}": np.eye(N_SCANS, dtype=int)[s] for i, s in enumerate(scans)
    }
    return pd.DataFrame(columns, index=range(N_SCANS))


def make_table(rng, n_unsteady=0, spikes=(), confounds=None):
    """Return a table of confounds; white matter and CSF are the simulated run's."""
    motion = rng.normal(scale=0.05, size=(N_SCANS, 6)).cumsum(axis=0)
    tissue = rng.normal(size=(N_SCANS, 2)) if confounds is None else confounds
    tissue = pd.DataFrame(np.asarray(tissue), columns=["csf", "white_matter"]) + 9000
    tissue["global_signal"] = tissue.mean(axis=1)
    moved = np.where(np.isin(np.arange(N_SCANS), spikes), 0.8, 0.1)
    moved[0] = np.nan
    times = (np.arange(N_SCANS) + 0.5) / N_SCANS
    components = rng.normal(size=(N_SCANS, 7))
    return pd.concat(
        [
            expanded(tissue),
            pd.DataFrame({"framewise_displacement": moved, "std_dvars": moved + 0.9}),
            pd.DataFrame(
                {f"cosine{k:02}": np.cos(np.pi * (k + 1) * times) for k in (0, 1)}
            ),
            pd.DataFrame(components, columns=list(COMPONENTS)),
            expanded(pd.DataFrame(motion, columns=MOTION)),
            one_hot(range(n_unsteady), "non_steady_state_outlier"),
            one_hot(spikes, "motion_outlier"),
        ],
        axis=1,
    )


def as_text(table):
    """Return a table as fMRIPrep writes it."""
    return table.to_csv(sep="\t", na_rep="n/a", index=False)


@functools.cache
def default_table():
    """Return the text of a table with nothing special."""
    return as_text(make_table(np.random.default_rng(0)))


COMPONENTS = {
    **{
        f"a_comp_cor_{i:02}": {"Method": "aCompCor", "Mask": "combined"}
        for i in range(3)
    },
    "c_comp_cor_00": {"Method": "aCompCor", "Mask": "CSF"},
    "w_comp_cor_00": {"Method": "aCompCor", "Mask": "WM"},
    "t_comp_cor_00": {"Method": "tCompCor"},
    "t_comp_cor_01": {"Method": "tCompCor"},
}


def write(
    root,
    name,
    table=None,
    *,
    t_r=2.0,
    versions=(IN_MNI,),
    img=None,
    suffix="timeseries",
):
    """Write what fMRIPrep writes of one acquisition, and return its folder.

    Images are empty but for `img` in MNI space.
    """
    labels = re.match("sub-[^_]+(_ses-[^_]+)?", name)[0].split("_")
    folder = Path(root, *labels, "func")
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions:
        file = folder / f"{name}_{version}_bold.nii.gz"
        file.touch()
        (folder / f"{name}_{version.replace('preproc', 'brain')}_mask.nii.gz").touch()
        sidecar = {"SkullStripped": False} | ({"RepetitionTime": t_r} if t_r else {})
        file.with_name(f"{name}_{version}_bold.json").write_text(json.dumps(sidecar))
    if img is not None:
        nib.save(img, folder / f"{name}_{IN_MNI}_bold.nii.gz")
    tsv = folder / f"{name}_desc-confounds_{suffix}.tsv"
    tsv.write_text(default_table() if table is None else as_text(table))
    tsv.with_suffix(".json").write_text(json.dumps(COMPONENTS))
    return folder


@pytest.mark.parametrize("first", ["sub-1_task-rest", "sub-1_task-rest_dir-AP"])
def test_the_table_whose_name_says_most_is_an_image_s_own(tmp_path, first):
    names = [first, "sub-1_task-rest_dir-AP_run-2"]
    folders = [write(tmp_path, name) for name in names]
    for name, folder in zip(names, folders, strict=True):
        entities = parse_bids_filename(f"{name}_bold.nii.gz")["entities"]
        table = table_of_image(BoldImage(str(folder / f"{name}_bold.nii.gz"), entities))
        assert table.name == f"{name}_desc-confounds_timeseries.tsv"


@pytest.mark.parametrize("session", ["", "_ses-1"])
def test_sidecars_above_people_hold_without_a_description(tmp_path, session):
    name = f"sub-1{session}_task-rest"
    folder = write(tmp_path / "fmriprep", name, t_r=None)
    sidecar = tmp_path / "fmriprep" / "task-rest_bold.json"
    sidecar.write_text('{"RepetitionTime": 2.5}')
    (tmp_path / "task-rest_bold.json").write_text('{"RepetitionTime": 9}')
    (told, *_) = told_times(folder / f"{name}_{IN_MNI}_bold.nii.gz", 1.0)
    assert (told.t_r, told.source) == (2.5, "sidecar")


@pytest.fixture(scope="module")
def data():
    """Return four simulated runs of the same brain."""
    return make_runs(4, N_SCANS, 200, n_networks=2, dtype="int16", random_state=0)


@pytest.fixture(scope="module")
def tree(tmp_path_factory, data):
    """Return a folder of two subjects with two sessions each, in two spaces.

    The sessions differ in repetition time; sub-01's first has two scans before the
    steady state, sub-02's first has motion at scans 30 and 33.
    """
    root = tmp_path_factory.mktemp("study") / "derivatives" / "fmriprep"
    rng = np.random.default_rng(1)
    kinds = [{"n_unsteady": 2}, {}, {"spikes": (30, 33)}, {"spikes": (50,)}]
    names = [f"sub-{sub}_ses-{ses}_task-rest" for sub in ("01", "02") for ses in "12"]
    for name, kind, run in zip(names, kinds, data.runs, strict=True):
        table = make_table(rng, confounds=run.confounds, **kind)
        t_r = 2.0 if "ses-1" in name else 1.5
        write(root, name, table, t_r=t_r, versions=(IN_MNI, IN_T1W), img=run.img)
    write(root, "sub-01_ses-2_task-nback", versions=(IN_MNI, IN_T1W))
    for sub in ("01", "02"):
        (root / f"sub-{sub}.html").touch()
        (root / f"sub-{sub}" / "anat").mkdir()
        (root / f"sub-{sub}" / "figures").mkdir()
    (root / "dataset_description.json").write_text('{"DatasetType": "derivative"}')
    return root


@pytest.fixture(scope="module")
def simple(tree):
    """Return the runs at rest with the default strategy."""
    return rest(tree)


@pytest.fixture(scope="module")
def scrubbed(tree):
    """Return the runs at rest with scans censored."""
    return rest(tree, strategy="scrubbing")


@pytest.fixture
def small(tmp_path):
    """Return a folder with one run in each of two subjects, in MNI space alone."""
    for name in ("sub-01_task-rest", "sub-02_task-rest"):
        write(tmp_path, name)
    return tmp_path


def names(runs):
    """Return the file names of runs, without what they share."""
    return [Path(run.img).name.removesuffix("_bold.nii.gz") for run in runs]


def rest(tree, **arguments):
    """Return the runs at rest in MNI space."""
    return runs_from_fmriprep(tree, task="rest", space=MNI, **arguments)


# What a run gets


def test_runs_in_order(simple):
    assert names(simple) == [
        f"sub-{sub}_ses-{ses}_task-rest_{IN_MNI}"
        for sub in ("01", "02")
        for ses in "12"
    ]


def test_repetition_time_is_each_runs_own(simple):
    assert [run.t_r for run in simple] == [2.0, 1.5, 2.0, 1.5]


def test_default_keeps_all_scans_but_unsteady_ones(simple):
    masks = [run.sample_mask for run in simple]
    np.testing.assert_array_equal(masks[0], np.arange(2, N_SCANS))
    assert masks[1:] == [None] * 3


def test_default_confounds(simple):
    run = simple[1]
    cosines = ["cosine00", "cosine01"]
    motion = expanded(pd.DataFrame(columns=MOTION, dtype=float)).columns
    assert set(run.confounds) == {*cosines, *motion, "csf", "white_matter"}
    assert len(run.confounds) == N_SCANS
    assert np.isfinite(run.confounds).all(axis=None)


def test_sample_mask_of_scrubbing(scrubbed):
    masks = [run.sample_mask for run in scrubbed]
    np.testing.assert_array_equal(masks[0], np.arange(2, N_SCANS))
    assert masks[1] is None
    # The two scans between 30 and 33 are a stretch of less than 5.
    np.testing.assert_array_equal(
        masks[2], np.delete(np.arange(N_SCANS), range(30, 34))
    )
    np.testing.assert_array_equal(masks[3], np.delete(np.arange(N_SCANS), 50))


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("simple", None),
        ("simple", {"motion": "basic", "global_signal": "full", "demean": False}),
        ("scrubbing", {"fd_threshold": 0.9, "std_dvars_threshold": 1.6, "scrub": 1}),
        ("compcor", {"n_compcor": 2}),
        (["motion", "scrub"], {"motion": "power2", "scrub": 0}),
        (("high_pass", "compcor"), {"compcor": "temporal_anat_separated"}),
    ],
    ids=str,
)
def test_confounds_are_nilearns(tree, strategy, options):
    load = load_confounds_strategy if isinstance(strategy, str) else load_confounds
    runs = rest(tree, strategy=strategy, strategy_options=options)
    assert len(runs) == 4
    for run in runs:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Numerical issues were encountered")
            confounds, sample_mask = load(run.img, strategy, **(options or {}))
        pd.testing.assert_frame_equal(run.confounds, confounds)
        np.testing.assert_array_equal(run.sample_mask, sample_mask)


def by_hand(tree, sub, ses, t_r, kept):
    """Return a run made of the files without nilearn."""
    start = (
        tree / f"sub-{sub}" / f"ses-{ses}" / "func" / f"sub-{sub}_ses-{ses}_task-rest"
    )
    table = pd.read_csv(f"{start}_desc-confounds_timeseries.tsv", sep="\t")
    motion = [name for name in table if name.startswith(("trans", "rot"))]
    tissue = [name for name in table if name.startswith(("csf", "white_matter"))]
    confounds = table[["cosine00", "cosine01", *motion, *tissue]].bfill(limit=1)
    return Run(f"{start}_{IN_MNI}_bold.nii.gz", confounds, kept, t_r)


@pytest.fixture
def sbc(data):
    """Return an unfitted estimator of one seed."""
    return make_sbc(data, low_pass=0.2, high_pass=0.01)


# Headers say another time than sidecars.
@pytest.mark.filterwarnings("ignore:.*, but its header says")
def test_maps_are_those_of_runs_written_by_hand(tree, scrubbed, sbc):
    scans = np.arange(N_SCANS)
    hand = [
        by_hand(tree, "01", "1", 2.0, scans[2:]),
        by_hand(tree, "01", "2", 1.5, None),
        by_hand(tree, "02", "1", 2.0, np.delete(scans, range(30, 34))),
        by_hand(tree, "02", "2", 1.5, np.delete(scans, 50)),
    ]
    with pytest.warns(UserWarning, match="drifts are removed twice"):
        found = clone(sbc).fit(scrubbed)
    with pytest.warns(UserWarning, match="drifts are removed twice"):
        expected = sbc.fit(hand)
    np.testing.assert_allclose(found.correlations_, expected.correlations_, atol=1e-6)
    assert list(found.run_report_["n_kept_scans"]) == [78, 80, 76, 79]


@pytest.mark.usefixtures("any_dof")
@pytest.mark.filterwarnings("ignore:.*, but its header says")
def test_from_a_folder_to_maps(tree, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tree.parents[1])
    runs = runs_from_fmriprep("derivatives/fmriprep", task="rest", space=MNI)
    seed = NiftiSpheresMasker(data.seeds[:1], radius=6, detrend=True)
    sbc = SeedCorrelationMap(seed, low_pass=0.1)
    z = sbc.fit_transform(runs)  # one row a run
    sbc.inverse_transform(z).to_filename(tmp_path / "z.nii.gz")
    assert nib.load(tmp_path / "z.nii.gz").shape == (11, 13, 11, 4)


def test_images_on_other_grids_give_runs_too(small, tmp_path):
    write(tmp_path, "sub-03_task-rest", versions=["desc-preproc"])
    (run,) = runs_from_fmriprep(tmp_path, space="")
    assert names([run]) == ["sub-03_task-rest_desc-preproc"]


def test_nothing_to_regress_is_no_confounds(tmp_path):
    table = make_table(np.random.default_rng(0), spikes=(20,))
    write(
        tmp_path,
        "sub-01_task-rest",
        table.drop(columns=["cosine00", "cosine01"]),
    )
    (run,) = runs_from_fmriprep(tmp_path, strategy=["high_pass"])
    assert run.confounds is None
    assert run.sample_mask is None
    (run,) = runs_from_fmriprep(tmp_path, strategy=["scrub"])
    assert run.confounds is None
    np.testing.assert_array_equal(run.sample_mask, np.delete(np.arange(N_SCANS), 20))


def test_large_confounds_raise_no_warning(tmp_path):
    rng = np.random.default_rng(0)
    tissue = 1e6 * rng.random((N_SCANS, 2))
    write(
        tmp_path,
        "sub-01_task-rest",
        make_table(rng, confounds=tissue),
    )
    options = {"wm_csf": "full"}
    with pytest.warns(UserWarning, match="Numerical issues"):
        load_confounds_strategy(runs_from_fmriprep(tmp_path)[0].img, **options)
    (run,) = runs_from_fmriprep(tmp_path, strategy_options=options)
    assert run.confounds.shape == (N_SCANS, 2 + 24 + 8)


def test_a_run_that_keeps_too_few_scans_is_named(tree):
    options = {"fd_threshold": 0.01}
    with pytest.warns(
        UserWarning, match=r"run 0 \('.*sub-01_ses-1_.*keeps 0 of 80 scans"
    ):
        (run,) = rest(
            tree, strategy="scrubbing", strategy_options=options, sub="01", ses="1"
        )
    assert len(run.sample_mask) == 0


def test_images_cleaned_by_aroma(tmp_path):
    space = "space-MNI152NLin6Asym"
    versions = [f"{space}_desc-preproc", f"{space}_desc-smoothAROMAnonaggr"]
    table = make_table(np.random.default_rng(0)).assign(aroma_motion_01=1.0)
    write(tmp_path, "sub-01_task-rest", table, versions=versions)
    for strategy in ("ica_aroma", ["ica_aroma", "wm_csf"]):
        (run,) = runs_from_fmriprep(tmp_path, strategy=strategy)
        assert names([run]) == [f"sub-01_task-rest_{versions[1]}"]
        assert {"csf", "white_matter"} <= set(run.confounds)
    (run,) = runs_from_fmriprep(
        tmp_path, strategy=["ica_aroma"], strategy_options={"ica_aroma": "basic"}
    )
    assert names([run]) == [f"sub-01_task-rest_{versions[0]}"]
    assert list(run.confounds) == ["aroma_motion_01"]


def test_images_combined_by_tedana(tmp_path):
    folder = write(tmp_path, "sub-01_task-rest", versions=["desc-optcom"])
    (folder / "sub-01_task-rest_desc-confounds_timeseries.tsv").unlink()
    mixing = np.random.default_rng(0).normal(size=(N_SCANS, 2))
    mixing = pd.DataFrame(mixing, columns=["ICA_00", "ICA_01"])
    mixing.to_csv(
        folder / "sub-01_task-rest_desc-ICA_mixing.tsv", sep="\t", index=False
    )
    metrics = {
        "Component": ["ICA_00", "ICA_01"],
        "classification": ["accepted", "rejected"],
    }
    metrics_file = folder / "sub-01_task-rest_desc-tedana_metrics.tsv"
    pd.DataFrame(metrics).to_csv(metrics_file, sep="\t", index=False)
    (run,) = runs_from_fmriprep(tmp_path, strategy=["tedana"])
    assert names([run]) == ["sub-01_task-rest_desc-optcom"]
    assert list(run.confounds) == ["rejected_ICA_01"]


# Which images


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"sub": "02"}, ["02_1", "02_2"]),
        ({"sub": ["02", "01"], "ses": ("2",)}, ["01_2", "02_2"]),
        (
            {"res": "2", "sub": None, "desc": "preproc"},
            ["01_1", "01_2", "02_1", "02_2"],
        ),
        ({"run": "", "ses": "1"}, ["01_1", "02_1"]),
    ],
    ids=str,
)
def test_filters(tree, filters, expected):
    found = [
        re.match("sub-(.*)_ses-(.)", name).groups()
        for name in names(rest(tree, **filters))
    ]
    assert ["_".join(labels) for labels in found] == expected


def test_tasks(tree):
    tasks = [
        name.split("_")[2]
        for name in names(runs_from_fmriprep(tree, space=MNI, sub="01", ses="2"))
    ]
    assert tasks == ["task-nback", "task-rest"]
    both = runs_from_fmriprep(tree, space=MNI, task=["rest", "nback"])
    assert len(both) == 5


def test_numbers_are_sorted_as_numbers(tmp_path):
    labels = [
        "sub-2_task-a_run-2",
        "sub-2_task-a_run-10",
        "sub-2_task-b_run-1",
        "sub-10_task-a_run-1",
    ]
    for label in reversed(labels):
        write(tmp_path, label)
    assert names(runs_from_fmriprep(tmp_path)) == [
        f"{label}_{IN_MNI}" for label in labels
    ]


def test_subjects_with_and_without_sessions(tmp_path):
    for name in ("sub-01_ses-1_task-rest", "sub-02_task-rest"):
        write(tmp_path, name)
    assert len(runs_from_fmriprep(tmp_path)) == 2


def test_the_only_space_needs_no_name(small):
    assert len(runs_from_fmriprep(small)) == 2


@pytest.mark.parametrize("folder", ["[study] *", "a.b tsv"])
def test_folders_of_any_name(tmp_path, folder):
    write(tmp_path / folder, "sub-01_task-rest")
    (run,) = runs_from_fmriprep(str(tmp_path / folder))
    assert Path(run.img).is_file()


def test_relative_path(small, monkeypatch):
    monkeypatch.chdir(small)
    (small / "task-rest_bold.json").write_text('{"RepetitionTime": 3.0}')
    assert [run.t_r for run in runs_from_fmriprep(".")] == [2.0, 2.0]


def test_older_name_of_the_table(tmp_path):
    write(tmp_path, "sub-01_task-rest", suffix="regressors")
    assert len(runs_from_fmriprep(tmp_path)) == 1


@pytest.mark.parametrize(
    ("versions", "filters", "message"),
    [
        (
            [IN_MNI, IN_T1W],
            {},
            f"4 images in .* of several space: '{MNI}', 'T1w'. .*='T1w'",
        ),
        (
            [IN_MNI, "desc-preproc"],
            {},
            rf"several space: '', '{MNI}' \('': not in the name",
        ),
        (
            [IN_MNI, f"space-{MNI}_res-1_desc-preproc"],
            {"space": MNI},
            "several res: '1', '2'. Name one, such as res='2'",
        ),
        (
            ["desc-preproc", "echo-1_desc-preproc", "echo-2_desc-preproc"],
            {"space": ""},
            "several echo: '', '1', '2'",
        ),
        (
            [f"space-{MNI}_cohort-{i}_desc-preproc" for i in (1, 2)],
            {},
            "several cohort: '1', '2'",
        ),
        (
            [IN_T1W, "space-T2w_desc-preproc"],
            {"space": ["T2w", "T1w"]},
            "sub-01_.*' and '.*sub-01_.*' are images of one acquisition. Name a single",
        ),
    ],
    ids=["space", "no space", "res", "echo", "cohort", "several asked for"],
)
def test_versions_of_an_image_must_be_chosen(tmp_path, versions, filters, message):
    for name in ("sub-01_task-rest", "sub-02_task-rest"):
        write(tmp_path, name, versions=versions)
    with pytest.raises(ValueError, match=message):
        runs_from_fmriprep(tmp_path, **filters)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (
            {"task": "rset"},
            "matches desc='preproc', task='rset'. The images with desc='preproc' "
            "\\(10\\) have task 'nback', 'rest'. In all there are: sub '01', '02'; "
            f"task 'nback', 'rest'; space '{MNI}', 'T1w'; desc 'preproc'.",
        ),
        ({"sub": "sub-01"}, "sub='sub-01'. .* have sub '01', '02'"),
        ({"sub": ["01", "99"]}, "sub='99'. .* have sub '01', '02'"),
        (
            {"sub": ["01", "02"], "task": "nback"},
            "sub='02', task='nback'. The images with desc='preproc', sub='02' .* have "
            "task 'rest'",
        ),
        ({"space": "MNI"}, f"space='MNI'. .* have space '{MNI}', 'T1w'"),
        ({"run": "1"}, r"run='1'. .* have run ''.*run '' \('': not in the name"),
    ],
    ids=str,
)
def test_nothing_matches(tree, filters, message):
    with pytest.raises(ValueError, match=f"no BOLD image in '.*fmriprep' .*{message}"):
        runs_from_fmriprep(tree, **filters)


def test_many_subjects_are_not_all_listed(tmp_path):
    for i in range(13):
        write(tmp_path, f"sub-{i}_task-rest")
    with pytest.raises(ValueError, match=r"sub '0', '1',.*, '9' and 3 more\. In all"):
        runs_from_fmriprep(tmp_path, sub="x")


def test_raw_images_are_not_taken(tmp_path):
    write(tmp_path, "sub-01_task-rest", versions=["acq-fast"])
    with pytest.raises(
        ValueError, match=r"desc='preproc'\. The images there \(1\) have desc ''"
    ):
        runs_from_fmriprep(tmp_path)


@pytest.mark.parametrize("inside", [[], ["derivatives", "fmriprep"]])
def test_folder_without_images(tmp_path, inside):
    write(tmp_path.joinpath("study", "derivatives", "fmriprep"), "sub-01_task-rest")
    with pytest.raises(
        ValueError, match=r"no BOLD image in .*study'.* derivatives/fmriprep"
    ):
        runs_from_fmriprep(tmp_path / "study")


SURFACES = [
    "hemi-L_space-fsaverage5_bold.func.gii",
    "hemi-R_space-fsaverage5_bold.func.gii",
]


@pytest.mark.parametrize("versions", [[], [IN_MNI]], ids=["alone", "beside volumes"])
def test_surfaces_are_left_out_openly(tmp_path, versions):
    folder = write(tmp_path, "sub-01_task-rest", versions=versions)
    for end in SURFACES:
        (folder / f"sub-01_task-rest_{end}").touch()
    message = "surface images of space 'fsaverage5'.*'fsLR'.*make a SurfaceImage"
    with pytest.raises(ValueError, match=message):
        runs_from_fmriprep(tmp_path, space="fsaverage5")
    if versions:
        assert len(runs_from_fmriprep(tmp_path)) == 1


def write_grayordinates(folder, name, den="91k", t_r=1.5):
    """Write what fMRIPrep writes of grayordinates, the image empty."""
    image = folder / f"{name}_space-fsLR_den-{den}_bold.dtseries.nii"
    image.touch()
    set_time(image.with_name(image.name.replace("dtseries.nii", "json")), t_r)
    return str(image)


@pytest.mark.parametrize("versions", [[], [IN_MNI]], ids=["alone", "beside volumes"])
@pytest.mark.parametrize("strategy", ["simple", "scrubbing", ["motion", "wm_csf"]])
def test_grayordinates_with_their_confounds(tmp_path, versions, strategy):
    images = []
    for name in ("sub-01_task-rest", "sub-02_task-rest"):
        folder = write(tmp_path, name, versions=versions)
        images.append(write_grayordinates(folder, name))
    runs = runs_from_fmriprep(tmp_path, space="fsLR", strategy=strategy)
    assert [str(run.img) for run in runs] == images
    assert [run.t_r for run in runs] == [1.5, 1.5]
    assert all(len(run.confounds) == N_SCANS for run in runs)
    (one,) = runs_from_fmriprep(tmp_path, space="fsLR", sub="02", strategy=strategy)
    assert str(one.img) == images[1]
    if versions:
        volumes = runs_from_fmriprep(tmp_path, strategy=strategy)
        assert all(str(run.img).endswith("bold.nii.gz") for run in volumes)
        pd.testing.assert_frame_equal(runs[0].confounds, volumes[0].confounds)
    else:
        assert len(runs_from_fmriprep(tmp_path, strategy=strategy)) == 2


def test_grayordinates_of_several_densities(tmp_path):
    folder = write(tmp_path, "sub-01_task-rest")
    for den in ("91k", "170k"):
        write_grayordinates(folder, "sub-01_task-rest", den)
    with pytest.raises(ValueError, match="of several den: '91k', '170k'"):
        runs_from_fmriprep(tmp_path, space="fsLR")
    (run,) = runs_from_fmriprep(tmp_path, space="fsLR", den="170k")
    assert "den-170k" in str(run.img)
    with pytest.raises(ValueError, match="have den '91k', '170k'"):
        runs_from_fmriprep(tmp_path, space="fsLR", den="32k")


def test_grayordinates_that_are_processed_further_are_left_out(tmp_path):
    folder = write(tmp_path, "sub-01_task-rest", versions=[])
    image = write_grayordinates(folder, "sub-01_task-rest")
    Path(image.replace("_bold", "_desc-denoised_bold")).touch()
    assert [str(run.img) for run in runs_from_fmriprep(tmp_path)] == [image]


# Repetition times


def set_time(path, t_r):
    """Write a sidecar."""
    path.write_text(json.dumps({} if t_r is None else {"RepetitionTime": t_r}))


@pytest.mark.parametrize(
    ("sidecars", "expected"),
    [
        ({"task-rest_bold.json": 1.1}, 1.1),
        ({"bold.json": 1.1, "task-rest_bold.json": 1.2}, 1.2),
        ({"task-rest_bold.json": 1.1, "sub-01/sub-01_task-rest_bold.json": 1.2}, 1.2),
        (
            {"sub-01/func/sub-01_task-rest_bold.json": 1, "task-rest_bold.json": 1.2},
            1.0,
        ),
        ({"task-rest_bold.json": 1.1, "sub-01/sub-01_bold.json": None}, 1.1),
        ({"task-rest_bold.json": 1.1, "sub-01/sub-01_task-x_bold.json": 1.2}, 1.1),
        (
            {
                "task-rest_bold.json": 1.1,
                "sub-01/func/sub-01_task-rest_sbold.json": 1.2,
            },
            1.1,
        ),
    ],
    ids=str,
)
def test_repetition_time_is_inherited(tmp_path, sidecars, expected):
    write(tmp_path, "sub-01_task-rest", t_r=None)
    for name, t_r in sidecars.items():
        set_time(tmp_path / name, t_r)
    (run,) = runs_from_fmriprep(tmp_path)
    assert run.t_r == expected
    assert isinstance(run.t_r, float)


def test_own_sidecar_comes_first(small):
    set_time(small / "sub-01" / "func" / "sub-01_task-rest_bold.json", 3.0)
    set_time(small / "task-rest_bold.json", 4.0)
    assert [run.t_r for run in runs_from_fmriprep(small)] == [2.0, 2.0]


def test_no_repetition_time(tmp_path):
    study = tmp_path / "study"
    for name in ("sub-01_task-rest", "sub-02_task-rest"):
        write(study, name, t_r=None)
    set_time(tmp_path / "task-rest_bold.json", 2.0)  # above the derivatives
    set_time(study / "task-nback_bold.json", 2.0)
    message = (
        r"run 0 \('.*sub-01.*'\), run 1 \('.*sub-02.*'\): no sidecar has a "
        r"RepetitionTime\..*\{\"RepetitionTime\": <seconds>\} to "
        r"'.*study.task-rest_bold.json'"
    )
    with pytest.raises(ValueError, match=message):
        runs_from_fmriprep(study)
    set_time(study / "task-rest_bold.json", 2.5)  # the cure
    assert [run.t_r for run in runs_from_fmriprep(study)] == [2.5, 2.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"RepetitionTime": "2"}',
            "RepetitionTime must be a positive number in s, got '2'",
        ),
        (
            '{"RepetitionTime": 0}',
            "RepetitionTime must be a positive number in s, got 0",
        ),
        ('{"RepetitionTime": ', "cannot be read: Expecting value"),
        ("[2.0]", "cannot be read: it holds a list, not an object"),
    ],
)
def test_bad_sidecar(small, content, message):
    name = f"sub-02_task-rest_{IN_MNI}_bold.json"
    (small / "sub-02" / "func" / name).write_text(content)
    with pytest.raises(
        ValueError, match=rf"run 1 \('.*'\).{{1,2}} sidecar '.*{name}'.*{message}"
    ):
        runs_from_fmriprep(small)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".dtseries.nii"])
@pytest.mark.parametrize(
    "name", ["x.json", "x_bold.json", "task-rest_bold.json", "x_bold.dtseries.json"]
)
def test_sidecars_of_all_formats(tmp_path, ending, name):
    start = "x" if name == "x.json" else "sub-01_task-rest_bold"
    sidecar = tmp_path / name.replace("x_bold", start)
    set_time(sidecar, 2.5)
    (told, *others) = told_times(tmp_path / f"{start}{ending}", 2.0)
    is_known = "dtseries" not in name or "dtseries" in ending
    expected = (2.5, "sidecar") if is_known else (2.0, "header")
    assert (told.t_r, told.source) == expected
    assert len(others) == is_known


# Tables of confounds


def test_missing_tables_are_all_named(tree, small):
    for name in ("sub-03_task-rest", "sub-04_task-rest"):
        folder = write(small, name)
        (folder / f"{name}_desc-confounds_timeseries.tsv").unlink()
    # Another run's table is none of this one's.
    (folder / "sub-04_task-nback_desc-confounds_timeseries.tsv").touch()
    message = (
        r"^run 2 \('[^']*sub-03[^']*'\), run 3 \('[^']*sub-04[^']*'\): no table of "
        r"confounds beside the image.*\*_desc-confounds_timeseries.tsv"
    )
    with pytest.raises(FileNotFoundError, match=message):
        runs_from_fmriprep(small)
    assert len(runs_from_fmriprep(small, sub=["01", "02"])) == 2


def test_two_tables(small):
    folder = small / "sub-02" / "func"
    (folder / "sub-02_desc-confounds_timeseries.tsv").touch()
    message = r"run 1 \('.*'\): no confounds with strategy='simple': .*more than one"
    with pytest.raises(ValueError, match=message):
        runs_from_fmriprep(small)


@pytest.mark.parametrize(
    ("dropped", "strategy", "options", "message"),
    [
        (
            "csf",
            "simple",
            {"motion": "basic"},
            "options={'motion': 'basic'}: KeyError.*csf",
        ),
        ("rot_x", "simple", None, "strategy='simple': ValueError: .*missing.*'rot_x'"),
        ("std_dvars", "scrubbing", None, "strategy='scrubbing': KeyError: 'std_dvars'"),
        (None, ["motion"], {"motion": "most"}, "'motion': 'most'"),
    ],
    ids=["tissue", "motion", "dvars", "option"],
)
def test_table_without_what_is_needed(tmp_path, dropped, strategy, options, message):
    table = make_table(np.random.default_rng(0)).drop(columns=dropped or [])
    write(tmp_path, "sub-01_task-rest", table)
    with pytest.raises(ValueError, match=message):
        runs_from_fmriprep(tmp_path, strategy=strategy, strategy_options=options)


# What the user passes


@pytest.mark.parametrize(
    ("strategy", "options", "message"),
    [
        (
            "simpel",
            None,
            "does not take strategy='simpel': .*simpel.*'simple'.*load_confounds",
        ),
        (
            "motion",
            None,
            "does not take strategy='motion'.*such as .'motion', 'wm_csf'",
        ),
        (["motoin"], None, "does not take strategy=.'motoin'.*non_steady_state"),
        (
            None,
            None,
            "does not take strategy=None: strategy needs to be a tuple or list",
        ),
        ([], None, "does not take strategy=..: strategy is empty"),
        (["compcor"], None, "When using compcor, `high_pass` must be included"),
        (["non_steady_state"], None, "Non-steady state volumes are always detected"),
        ("simple", {"fd_threshold": 1}, "'fd_threshold': 1}: .* not needed"),
        ("simple", {"moton": "full"}, "'moton': 'full'}: .* not needed"),
        (["motion"], {"moton": "full"}, "unexpected keyword argument 'moton'"),
        (
            ["motion"],
            {"fd_threshold": 1},
            "'fd_threshold' has no effect without .*'scrub'",
        ),
        (["motion"], {"wm_csf": "full"}, "'wm_csf' has no effect without .*'wm_csf'"),
        (
            ["motion"],
            {"strategy": ["scrub"]},
            "multiple values for argument 'strategy'",
        ),
    ],
    ids=str,
)
@pytest.mark.filterwarnings(
    "ignore"
)  # of nilearn's, which are errors here all the same
def test_bad_strategy(small, strategy, options, message):
    with pytest.raises(ValueError, match=message):
        runs_from_fmriprep(small, strategy=strategy, strategy_options=options)


def test_options_are_a_dict(small):
    with pytest.raises(
        TypeError, match="strategy_options must be a dict or None, got 'full'"
    ):
        runs_from_fmriprep(small, strategy_options="full")


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (
            {"subject": "01"},
            "filters must be entities .* got 'subject'. Choose from sub, ses",
        ),
        ({"motion": "full"}, "got 'motion'. Write strategy_options={'motion': ...}"),
        ({"run": 1}, "run must be a label .* got 1. Write it as text: run='01'"),
        ({"sub": ["01", 2]}, r"sub must be a label .* got \['01', 2\]"),
        ({"sub": []}, r"sub must be a label .* got \[\]"),
        ({"task": 5}, "task must be a label .* got 5"),
    ],
    ids=str,
)
def test_bad_filters(small, filters, message):
    with pytest.raises(TypeError, match=message):
        runs_from_fmriprep(small, **filters)


def test_images_that_have_no_confounds(small):
    message = "desc must be 'preproc' with strategy='simple', got 'denoised': nilearn"
    with pytest.raises(ValueError, match=message):
        runs_from_fmriprep(small, desc="denoised")


def test_bad_path(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"path: there is no folder '.*nowhere'"
    ):
        runs_from_fmriprep(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"path must be a folder, got .*file'"):
        runs_from_fmriprep(tmp_path / "file")
    with pytest.raises(TypeError, match="path must be the path of a folder, got None"):
        runs_from_fmriprep(None)


def test_it_is_where_the_readme_says():
    assert "runs_from_fmriprep" in dir(sbc_estimators)
    assert (
        sbc_estimators.runs_from_fmriprep
        is sbc_estimators.runs._fmriprep.runs_from_fmriprep
    )
