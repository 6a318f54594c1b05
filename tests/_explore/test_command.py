"""`sbc-map --explore`: a page of one run, and seeds that keep to the brain mask."""

import json
import re
import signal
import subprocess
import sys
import webbrowser

import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.masking import apply_mask

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.__main__ import main
from sbc_estimators._command import exploring
from sbc_estimators._command.options import understood
from sbc_estimators._explore.explorer import Explorer
from sbc_estimators.maskers import SphereSeeds
from sbc_estimators.runs._opened import open_run

EDGE = (-10, -30, 58)
"""Beside what the sample's mask leaves out here, with signals all the same."""


@pytest.fixture
def seen(monkeypatch):
    """What is opened in a browser, and the explorer that is waited for."""
    seen = []
    monkeypatch.setattr(webbrowser, "open", seen.append)
    monkeypatch.setattr(Explorer, "wait", lambda explored: seen.append(explored))
    return seen


def test_a_page_of_the_sample(explorer, seen, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--smoothing", "0", "--seed", "mine", "4", "-60", "20"]
    assert main(["--explore", *words]) == 0
    url, explored = seen
    printed, errors = capsys.readouterr()
    assert printed == f"page          {url}\nCtrl-C ends it.\n"
    assert errors == ""
    assert explored._stopped.is_set()
    assert list(tmp_path.iterdir()) == []
    (recipe,) = explored._contents["recipes"]
    start = "sbc-map --smoothing 0.0 --band 0.01 0.1 --seed "
    assert recipe["command"].startswith(start)
    code = r"\nimport pandas as pd\nconfounds = pd\.read_csv\(.*\[\['"
    assert re.search(code, recipe["python"]["volume"])
    xyz = explored._space.point(explored._contents["start"]["place"])
    np.testing.assert_allclose(xyz, (4, -60, 20), atol=2.5)


def test_the_words_that_are_copied_are_those_that_were_given(
    explorer, seen, sample, tmp_path
):
    table = pd.DataFrame(np.random.default_rng(0).random((200, 3)), columns=list("abc"))
    table.to_csv(tmp_path / "table.csv", index=False)
    words = ["--confounds", str(tmp_path / "table.csv"), "--mask", str(sample.mask_img)]
    words += ["--columns", "a,c", "--smoothing", "4.0", "--band", "0.01", "inf"]
    words = [str(sample.func), *words, "--t-r", "1.5"]
    assert main([*words, "--explore"]) == 0
    (recipe,) = seen[1]._contents["recipes"]
    assert recipe["command"].startswith(
        " ".join(["sbc-map", *words, "--seed seed @X@"])
    )
    code = f"confounds = pd.read_csv('{tmp_path}/table.csv', sep=',')[['a', 'c']]"
    assert code in recipe["python"]["volume"]


def opened(options, monkeypatch):
    """Return what the page that a command opens would copy as confounds."""
    given = []
    monkeypatch.setattr(exploring, "Explorer", lambda *args: given.append(args))
    assert exploring.open_page(understood([*options, "--explore"])) is None
    (_, run, *_, origins) = given[0]
    left = {"pd": pd}
    exec(f"confounds = {origins.code['confounds']}", left)
    return open_run(run, 0).confounds, left["confounds"]


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize("columns", [[], ["--columns", "a,a_derivative1"]])
def test_changes_from_scan_to_scan_are_filled_as_the_command_does(
    sample, tmp_path, monkeypatch, columns
):
    table = pd.DataFrame(np.random.default_rng(0).random((200, 2)), columns=["a", "b"])
    for name in ("a", "b"):
        table[f"{name}_derivative1"] = table[name].diff()
    table.to_csv(tmp_path / "table.tsv", sep="\t", index=False, na_rep="n/a")
    words = [str(sample.func), "--confounds", str(tmp_path / "table.tsv"), *columns]
    expected, copied = opened(words, monkeypatch)
    np.testing.assert_array_equal(copied, expected)
    assert copied["a_derivative1"][0] == copied["a_derivative1"][1]


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("columns", [[], ["--columns", "a,b"]])
def test_tables_are_copied_as_they_were_read(
    sample, tmp_path, monkeypatch, separator, columns
):
    table = pd.DataFrame(np.random.default_rng(0).random((200, 3)), columns=list("abc"))
    table.to_csv(tmp_path / "table.csv", sep=separator, index=False)
    words = [str(sample.func), "--confounds", str(tmp_path / "table.csv"), *columns]
    expected, copied = opened(words, monkeypatch)
    if isinstance(copied, str):
        copied = open_run(Run(sample.func, copied), 0).confounds
    np.testing.assert_array_equal(copied, expected)


@pytest.mark.usefixtures("viewer")
@pytest.mark.parametrize(
    ("header", "columns"),
    [("", ["--columns", "0,2"]), ("# a b c\n", ["--columns", "a"])],
)
def test_tables_without_a_header_are_copied_as_they_were_read(
    sample, tmp_path, monkeypatch, header, columns
):
    rows = np.random.default_rng(0).random((200, 3))
    with open(tmp_path / "table.txt", "w") as file:
        file.write(header)
        np.savetxt(file, rows)
    words = [str(sample.func), "--confounds", str(tmp_path / "table.txt"), *columns]
    expected, copied = opened(words, monkeypatch)
    np.testing.assert_array_equal(copied, expected)


def test_an_old_nilearn_is_told(older_nilearn, capsys):
    assert main(["--explore"]) == 2
    assert "error: explore needs nilearn 0.14.1 or newer" in capsys.readouterr().err


def test_ctrl_c_ends_it(explorer):
    code = (
        # Else ignored, where the tests run in the background of a shell.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import webbrowser; webbrowser.open = lambda url: None;"
        "from sbc_estimators.__main__ import main;"
        "raise SystemExit(main(['--explore']))"
    )
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline().startswith("page          http://127.0.0.1:")
        try:
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # else a page that goes on would be waited for
    assert (process.returncode, errors) == (0, "")


def test_seeds_that_keep_to_the_mask(sample, tmp_path):
    words = ["--mask", str(sample.mask_img), "--smoothing", "0", "--t-r", "1.5"]
    words += ["--seed", "edge", *map(str, EDGE), "--radius", "12"]
    maps = []
    for switch in ([], ["--mask-seeds"]):
        assert main([str(sample.func), *words, *switch, "--out", str(tmp_path)]) == 0
        (path,) = tmp_path.rglob("*_seed-edge_stat-effect_statmap.nii.gz")
        z = apply_mask(path, sample.mask_img)
        maps.append(np.tanh(z.ravel()))
    brain = NiftiMasker(sample.mask_img, detrend=True, low_pass=0.1, high_pass=0.01)
    seeds = SphereSeeds([EDGE], 12, mask_img=sample.mask_img)
    expected = SeedCorrelationMap(seeds, brain).fit(Run(sample.func, t_r=1.5))
    np.testing.assert_allclose(maps[1], expected.correlations_[0], atol=1e-5)
    assert np.abs(maps[0] - maps[1]).max() > 1e-3


def test_seeds_keep_to_a_mask_that_is_computed(sample, tmp_path):
    words = ["--mask-seeds", "--smoothing", "0", "--t-r", "1.5"]
    assert main([str(sample.func), *words, "--out", str(tmp_path)]) == 0
    (path,) = tmp_path.rglob("*_seed-PCC_stat-effect_statmap.json")
    assert json.loads(path.read_text("utf-8"))["SeedsWithinMask"] is True
