"""What README and docs/ show works: their Python runs here, the commands in .ci/run.

The lines for a cluster run in test_dask.py.
"""

import dataclasses
import gc
import re
import shlex
import warnings
from copy import deepcopy
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import nilearn.image
import nilearn.maskers
import nilearn.reporting
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import IncrementalPCA
from sklearn.model_selection import GridSearchCV

from sbc_estimators import Run, SeedCorrelationMap, maskers
from sbc_estimators.datasets import make_grayordinate_runs

# What nilearn 0.13's SecondLevelModel makes its own masker say.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:\[NiftiMasker.fit\] Generation of a mask has been requested"
)

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCS = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}

ROWS = re.findall(r"^\| ([^|]+) \| `(.+)` \|$", README, re.MULTILINE)
"""Of the table of wishes: what is wanted, and the line of code."""


def blocks(language, text=README):
    """Return the code blocks of a text in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_blocks(text, folder):
    """Return the names that the Python of a text defines, run in a folder."""
    names = {}
    with pytest.MonkeyPatch.context() as patch, mpl.rc_context({"backend": "agg"}):
        patch.chdir(folder)
        for number, block in enumerate(blocks("python", text)):
            exec(compile(block, f"Python block {number}", "exec"), names)
            names.setdefault("first_sbc", names.get("sbc"))  # others come later
    return names


@pytest.fixture(scope="module")
def readme(tmp_path_factory):
    """Return the names that the README's Python defines, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("readme")
    return run_blocks(README, folder), folder


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """Return the names that the Python of docs/groups.md defines."""
    with warnings.catch_warnings():
        # It leaves a file of its own open.
        warnings.simplefilter("ignore", ResourceWarning)
        import_module("pymare")
        gc.collect()
    return run_blocks(DOCS["groups"], tmp_path_factory.mktemp("groups"))


# The README


def test_every_block_is_run():
    assert len(blocks("python")) == 4
    assert len(blocks("bash")) == 2
    assert README.count("```") == 2 * 6
    python = {name: len(blocks("python", text)) for name, text in DOCS.items()}
    assert python == {"accuracy": 0, "groups": 3, "runs": 2, "seeds": 0}
    assert "dask" in blocks("python", DOCS["runs"])[1]


def test_three_screens():
    assert len(README.splitlines()) <= 190


def test_command_and_its_picture_come_first_then_python_then_tests():
    run, test = blocks("bash")
    picture, python = "](benchmarks/sample_pcc_z.png)", blocks("python")[0]
    headings = ["## Start", "## The same in Python", "## Tests"]
    assert re.findall("^## .*", README, re.MULTILINE)[:3] == headings
    places = [README.index(part) for part in (run, picture, python, test)]
    assert places == sorted(places)


def test_first_example_has_ten_lines():
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 10


def test_first_example_maps_as_the_command_does(readme, default_maps):
    _, folder = readme
    example = np.squeeze(nib.load(folder / "pcc_z.nii.gz").get_fdata())
    command = nib.load(default_maps / "sbc_z.nii.gz").get_fdata()
    np.testing.assert_allclose(example, command, atol=1e-6)
    assert (folder / "pcc_z.png").read_bytes().startswith(b"\x89PNG")


def test_what_you_get_is_there(readme):
    names, _ = readme
    listed = README.partition("What you get:")[2].partition("\n\nThe map")[0]
    attributes = re.findall(r"`sbc\.(\w+)`", listed)
    methods = re.findall(r"`sbc\.(\w+)\(run\)`", listed)
    assert len(attributes) == 5
    assert all(hasattr(names["first_sbc"], name) for name in attributes)
    run = names["sample"].run
    shapes = [getattr(names["first_sbc"], name)(run).shape for name in methods]
    assert shapes == [(200, 1), (200, 16139)]


def test_your_own_run_is_mapped(readme):
    names, _ = readme
    assert names["z"].shape == (1, 16139)
    assert names["run"].confounds.shape == (200, 7)


def test_pipeline_tells_the_groups_apart(readme):
    names, _ = readme
    assert names["search"].best_score_ > 0.8
    assert names["weights_img"].shape[:3] == names["data"].mask_img.shape


def test_pattern_is_that_of_haufe(readme):
    names, _ = readme
    maps, weights = names["maps"], names["best"]["classify"].coef_[0]
    scores = maps @ weights
    expected = np.cov(maps.T) @ weights / scores.var(ddof=1)
    pattern = names["pattern"] / names["decision"].var()
    np.testing.assert_allclose(pattern, expected, rtol=1e-3, atol=1e-5)


# Its table


@pytest.fixture(scope="module")
def wishes(readme, tmp_path_factory):
    """Return the names that the table uses, and a folder with the files it uses."""
    names, _ = readme
    folder, data = tmp_path_factory.mktemp("wishes"), names["data"]
    inside = np.asarray(data.mask_img.dataobj) > 0
    labels = np.zeros(inside.shape, np.int16)
    labels[inside] = 1 + np.arange(inside.sum()) % 2
    nib.save(data.mask_img, folder / "thalamus_mask.nii.gz")
    nib.save(nib.Nifti1Image(labels, data.mask_img.affine), folder / "atlas.nii.gz")
    lut = pd.DataFrame({"index": [1, 2], "name": ["Precuneus", "Hippocampus"]})
    lut.to_csv(folder / "atlas.tsv", sep="\t", index=False)
    seeds = pd.DataFrame(data.seeds[:2], columns=["x", "y", "z"])
    seeds.insert(0, "name", ["A", "B"])
    seeds.to_csv(folder / "seeds.tsv", sep="\t", index=False)
    (img,) = [own.img for own in make_grayordinate_runs(1, 60, 200, 100).runs]
    nib.save(img, folder / "bold.dtseries.nii")
    brain, seed = names["brain"], names["seed"]
    two = maskers.SphereSeeds(data.seeds[:2], radius=4)
    ages = np.arange(20, 36)
    nib.save(data.runs[0].img, folder / "sub-1_bold.nii.gz")
    named = dataclasses.replace(data.runs[0], img=folder / "sub-1_bold.nii.gz")
    tools = (nilearn.image, nilearn.maskers, nilearn.reporting, maskers)
    found = {
        **{key: value for tool in tools for key, value in vars(tool).items()},
        "np": np,
        "pd": pd,
        "replace": dataclasses.replace,
        "GridSearchCV": GridSearchCV,
        "ColumnTransformer": ColumnTransformer,
        "SeedCorrelationMap": SeedCorrelationMap,
        "runs": data.runs,
        "run": data.runs[0],
        "y": data.y,
        "brain": brain,
        "seed": seed,
        # Of a run one map a seed, which serves every fold.
        "pipeline": clone(names["pipeline"]).set_params(map__memory=folder),
        "sbc": SeedCorrelationMap(seed, brain).fit([named, *data.runs[1:]]),
        "two": SeedCorrelationMap(two, brain).fit(data.runs),
        "later": SeedCorrelationMap(maskers.GivenSignals(), brain),
        "signal": pd.Series(np.random.default_rng(0).standard_normal(60), name="s"),
        "a": tuple(data.seeds[0]),
        "b": tuple(data.seeds[1]),
        "person": np.repeat(np.arange(8), 2),
        "people": pd.DataFrame({"run": data.runs, "age": ages}),
        "motion": pd.DataFrame({"framewise_displacement": [np.nan, 0.1, 0.9] * 20}),
    }
    found["z"] = found["sbc"].transform(data.runs)
    found["img"], found["pca"] = data.runs[0].img, IncrementalPCA(2)
    lesion = (labels == 1).astype(np.uint8)
    found["mask"], found["Run"] = nib.Nifti1Image(lesion, data.mask_img.affine), Run
    found["participants"] = pd.DataFrame({"participant_id": ["sub-1"], "age": [31]})
    return found, folder


CHECKS = {
    "map a target only, such as the thalamus": lambda found, names: (
        found.correlations_.shape == (1, 500)
    ),
    "have values of parcels, not voxels": lambda found, names: (
        found.correlations_.shape == (1, 2)
    ),
    "take seeds from a table of name, x, y, z": lambda found, names: (
        list(found.seed_names_) == ["A", "B"]
    ),
    "take regions of an atlas": lambda found, names: (
        list(found.fit(names["run"].img).seed_names_) == ["Precuneus", "Hippocampus"]
    ),
    "map grayordinates, and save `.dscalar.nii`": lambda found, names: (
        found.inverse_transform(found.correlations_).shape == (1, 468)
    ),
    "take a seed of each person, such as a lesion": lambda found, names: (
        found.seed_names_ == ["lesion"] and found.seed_report_["n_voxels"][0] == 250
    ),
    "correlate the seeds with each other": lambda found, names: (
        found.shape == (2, 2) and found[0, 1] == pytest.approx(found[1, 0])
    ),
    "subtract one seed's map from another's": lambda found, names: (
        np.abs(found.get_fdata()).max() > 0.1
    ),
    "regress out the other seeds": lambda found, names: (
        found.correlations_.shape == (2, 500)
    ),
    "try another seed on a run, in milliseconds": lambda found, names: np.allclose(
        found, np.tanh(names["z"][:1]), atol=2e-6
    ),
    "choose a seed by cross-validation": lambda found, names: (
        found.best_params_["map__seed_masker__seeds"] == [names["a"]]
    ),
    "leave out scans with motion": lambda found, names: len(found.sample_mask) == 40,
    "slide a window over a run": lambda found, names: found.shape == (4, 500),
    "map what a signal does two scans later": lambda found, names: (
        found.run_report_["n_kept_scans"].tolist() == [58]
    ),
    "average the runs of each person": lambda found, names: found.shape == (8, 500),
    "leave out voxels that some run lacks": lambda found, names: (
        found.shape == (16, 500)
    ),
    "have age beside the quality of each seed": lambda found, names: (
        found[["run", "age"]].to_numpy().tolist() == [[0, 31]] and "tsnr" in found
    ),
    "use age beside the maps": lambda found, names: found.shape == (16, 501),
    "list clusters and their peaks": lambda found, names: (
        {"Cluster ID", "X", "Peak Stat"} <= set(found.columns) and len(found)
    ),
    "learn from more runs than memory holds": lambda found, names: (
        found[-1].n_samples_seen_ == 16
    ),
    "test each voxel for no correlation": lambda found, names: (
        found.shape == (16, 500) and 0.5 < np.median(np.abs(found)) < 5
    ),
}
"""What the result of each row must be."""


def test_each_row_is_checked():
    assert [wish for wish, _ in ROWS] == list(CHECKS)


@pytest.mark.parametrize(("wish", "line"), ROWS, ids=[wish for wish, _ in ROWS])
def test_row_does_what_is_wanted(wish, line, wishes, monkeypatch):
    names, folder = wishes
    monkeypatch.chdir(folder)
    names = {**names, **{key: deepcopy(names[key]) for key in ("sbc", "two")}}
    assert CHECKS[wish](eval(line, names), names)


# Many runs


def test_partial_fit_in_batches(wishes):
    names, _ = wishes
    names = {"sbc": names["sbc"], "runs": names["runs"]}
    exec(blocks("python", DOCS["runs"])[0], names)
    assert names["pca"].n_samples_seen_ == 16
    assert names["pca"].components_.shape == (5, 500)


# From runs to a group


def test_classifier_is_right_at_the_other_site(groups):
    assert groups["scores"].mean() == pytest.approx(
        0.92, abs=0.005
    )  # as the text has it


def test_the_groups_differ_where_they_should(groups):
    data = groups["a"]
    inside = data.mask_img.get_fdata() > 0
    found = groups["found_img"].get_fdata()[inside] != 0
    true_z = np.arctanh(np.minimum(data.group_correlations[:, 0], 0.999))
    difference = (true_z[1] - true_z[0])[found]
    assert abs(found.sum() - 42) <= 1  # a voxel more or less for another platform
    assert abs(np.sum(difference > 0.2) - 39) <= 1
    assert difference.min() > 0.03


def test_statistics_of_people(groups):
    effects, dofs, first = groups["effects"], groups["dofs"], groups["pairs"][0]
    weights = [run.weight[0] for run in first]
    expected = np.average([run.effect[0] for run in first], axis=0, weights=weights)
    np.testing.assert_allclose(effects[0, 0], expected, rtol=1e-5)
    assert dofs[0, 0, 0] == pytest.approx(sum(weights))
    # The covariate has no effect.
    assert 0.5 < groups["z_of_covariate"].std() < 1.5


# Commands and links


def test_commands_are_one_line_and_make_an_environment_of_their_own():
    for block in blocks("bash"):
        (line,) = block.splitlines()
        steps = [shlex.split(step) for step in line.split("&&")]
        assert steps[0] == ["python3", "-m", "venv", ".venv"]
        assert all(step[0].startswith(".venv/bin/") for step in steps[1:])


def test_ci_runs_the_commands_as_the_readme_has_them():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "readme_command 1" in script
    assert "readme_command 2" in script
    assert "sbc-map" not in script, "the command's text comes from README.md alone"


@pytest.mark.parametrize("folder", [".", "docs"])
def test_links_lead_somewhere(folder):
    texts = {".": [README], "docs": DOCS.values()}[folder]
    for text in texts:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (ROOT / folder / target).exists(), target
