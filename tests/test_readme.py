"""What the README shows works: its Python runs here, its commands in .ci/run.

The lines for a cluster run in test_dask.py.
"""

import gc
import re
import shlex
import warnings
from importlib import import_module
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import numpy as np
import pytest

# What nilearn 0.13's SecondLevelModel makes its own masker say.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:\[NiftiMasker.fit\] Generation of a mask has been requested"
)

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(language):
    """Return the README's code blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the names that the README's Python defines, and the folder it ran in."""
    folder = tmp_path_factory.mktemp("readme")
    names = {}
    with warnings.catch_warnings():
        # It leaves a file of its own open.
        warnings.simplefilter("ignore", ResourceWarning)
        import_module("pymare")
        gc.collect()
    with pytest.MonkeyPatch.context() as patch, mpl.rc_context({"backend": "agg"}):
        patch.chdir(folder)
        for number, block in enumerate(blocks("python")):
            if "dask" in block:
                continue
            exec(compile(block, f"README.md, Python block {number}", "exec"), names)
            names.setdefault("first_sbc", names["sbc"])  # a later block has its own
    return names, folder


def test_every_block_is_run():
    assert len(blocks("python")) == 7
    assert sum("dask" in block for block in blocks("python")) == 1
    assert len(blocks("bash")) == 2
    assert README.count("```") == 2 * 9


def test_command_and_its_picture_come_first_then_python_then_tests():
    run, test = blocks("bash")
    parts = [run, "](benchmarks/sample_pcc_z.png)", blocks("python")[0], test]
    places = [README.index(part) for part in parts]
    assert places == sorted(places)


def test_first_example_has_ten_lines():
    assert len([line for line in blocks("python")[0].splitlines() if line]) <= 10


def test_first_example_maps_as_the_command_does(results, default_maps):
    names, folder = results
    example = np.squeeze(nib.load(folder / "pcc_z.nii.gz").get_fdata())
    command = nib.load(default_maps / "sbc_z.nii.gz").get_fdata()
    np.testing.assert_allclose(example, command, atol=1e-6)
    assert names["z"].shape == (1, 16139)
    assert (folder / "pcc_z.png").read_bytes().startswith(b"\x89PNG")


def test_what_you_get_is_there(results):
    names, _ = results
    listed = README.partition("What you get:")[2].partition("\n\nHere")[0]
    attributes = re.findall(r"`sbc\.(\w+)`", listed)
    methods = re.findall(r"`sbc\.(\w+)\(run\)`", listed)
    assert len(attributes) == 5
    assert all(hasattr(names["first_sbc"], name) for name in attributes)
    run = names["sample"].run
    shapes = [getattr(names["first_sbc"], name)(run).shape for name in methods]
    assert shapes == [(200, 1), (200, 16139)]


def test_pipeline_tells_the_groups_apart(results):
    names, _ = results
    assert names["search"].best_score_ > 0.8
    assert names["weights_img"].shape == (*names["data"].mask_img.shape, 1)


def test_only_an_effect_that_is_there_is_found(results):
    scores = results[0]["scores"]
    # As the text has them: 92 %, p = 0.01, and 50 %, p = 0.51.
    np.testing.assert_allclose(list(scores[1].values()), [0.92, 0.01], atol=0.005)
    np.testing.assert_allclose(list(scores[0].values()), [0.50, 0.51], atol=0.005)


def test_the_groups_differ_where_they_should(results):
    names, _ = results
    data = names["data"]
    inside = data.mask_img.get_fdata() > 0
    found = names["found_img"].get_fdata()[inside] != 0
    true_z = np.arctanh(np.minimum(data.group_correlations[:, 0], 0.999))
    difference = (true_z[1] - true_z[0])[found]
    assert abs(found.sum() - 42) <= 1  # a voxel more or less for another platform
    assert abs(np.sum(difference > 0.2) - 39) <= 1
    assert difference.min() > 0.03


def test_statistics_of_people(results):
    names, _ = results
    effects, dofs, first = names["effects"], names["dofs"], names["pairs"][0]
    weights = [run.weight[0] for run in first]
    expected = np.average([run.effect[0] for run in first], axis=0, weights=weights)
    np.testing.assert_allclose(effects[0, 0], expected, rtol=1e-5)
    assert dofs[0, 0, 0] == pytest.approx(sum(weights))
    # The covariate has no effect.
    assert 0.5 < names["z_of_covariate"].std() < 1.5


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


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
