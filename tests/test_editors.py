"""What editors and type checkers see: names, signatures, docstrings, annotations."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_args

import jedi
import pytest

import sbc_estimators
from sbc_estimators import datasets, maskers, plotting
from sbc_estimators._explore.explorer import Explorer
from sbc_estimators._maps.mapping import SCALES
from sbc_estimators._maps.seeds import MEASURES, SUMMARIES, Measure, Summary
from sbc_estimators._reporting.report import Report
from sbc_estimators.plotting._checks import DIRECTIONS, DisplayMode

PACKAGE = Path(sbc_estimators.__file__).parent
STUB = PACKAGE / "__init__.pyi"
MODULES = {"datasets": datasets, "maskers": maskers, "plotting": plotting}


def public():
    """Return all that is public, and can be called, by its name."""
    found = {"Explorer": Explorer, "Report": Report}
    for module in (sbc_estimators, *MODULES.values()):
        for name in module.__all__:
            value = getattr(module, name)
            if not inspect.ismodule(value):
                found[name] = value
    return found


def functions():
    """Yield what is public and written by us: functions, `__init__`s and methods."""
    for name, value in public().items():
        if inspect.isfunction(value):
            yield name, value
            continue
        for key in dir(value):
            own = inspect.getattr_static(value, key)
            own = own.fget if isinstance(own, property) else own
            own = inspect.unwrap(own) if inspect.isfunction(own) else own
            is_named = key == "__init__" or not key.startswith("_")
            is_ours = inspect.isfunction(own) and own.__module__.startswith("sbc_")
            if is_named and is_ours:
                yield f"{name}.{key}", own


def test_the_stub_names_what_there_is():
    tree = ast.parse(STUB.read_text("utf-8"))
    (names,) = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    ]
    assert names == sbc_estimators.__all__ == dir(sbc_estimators)
    assert {"PreparedRun", "Run", "SeedCorrelationMap", "explore"} < set(names)
    assert {*MODULES, "runs_from_fmriprep", "save_to_bids"} < set(names)
    assert all(getattr(sbc_estimators, name) is not None for name in names)


def test_types_are_shipped():
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("name", MODULES)
def test_tab_shows_what_is_public(name):
    module = MODULES[name]
    assert dir(module) == sorted(module.__all__)
    assert all(inspect.getdoc(getattr(module, own)) for own in module.__all__)
    # Nothing public is forgotten.
    theirs = {
        own
        for own, value in vars(module).items()
        if getattr(value, "__module__", "").startswith(module.__name__)
        and not own.startswith("_")
        and "._simulation" not in value.__module__
    }
    assert theirs == set(module.__all__)


def test_all_that_is_public_is_annotated():
    bare = []
    for name, function in functions():
        signature = inspect.signature(function)
        parameters = [p for key, p in signature.parameters.items() if key != "self"]
        annotations = [p.annotation for p in parameters]
        if inspect.Signature.empty in (*annotations, signature.return_annotation):
            bare.append(name)
    assert bare == []


def test_some_of_what_is_public():
    names = {name for name, _ in functions()}
    expected = {"Run.__init__", "SeedCorrelationMap.fit", "SphereSeeds.__init__"}
    expected |= {"PreparedRun.rank", "make_runs", "plot_seed_map", "explore"}
    assert expected <= names


def test_annotations_name_the_options_there_are():
    assert get_args(Summary) == tuple(SUMMARIES)
    assert get_args(Measure) == tuple(MEASURES)
    assert get_args(DisplayMode) == tuple(DIRECTIONS)
    source = inspect.getsource(sbc_estimators.SeedCorrelationMap.__init__)
    words = ", ".join(f'"{scale}"' for scale in SCALES)
    assert f"scale: Literal[{words}]" in source


# jedi, which is what IPython, Jupyter, Spyder, vim and others ask


def completed(code):
    """Return what jedi offers at the end of some code."""
    return {completion.name for completion in jedi.Script(code).complete()}


def test_names_are_completed():
    assert set(sbc_estimators.__all__) <= completed(
        "import sbc_estimators\nsbc_estimators."
    )
    own = {"fit", "transform", "prepare", "inverse_transform", "statistics"}
    code = "from sbc_estimators import SeedCorrelationMap\nSeedCorrelationMap."
    assert own <= completed(code)


CALLS = {
    "SeedCorrelationMap(": ("seed_masker", "Correlation of a seed's time series"),
    "Run(": ("img", "One acquisition"),
    "runs_from_fmriprep(": ("path", "Find the preprocessed runs"),
    "save_to_bids(": ("sbc", "Map runs, and write one file"),
    "explore(": ("sbc", "Open a page"),
    "PreparedRun.map(": ("self", "Return r of seeds"),
    "SeedCorrelationMap(1).fit(2).transform(": ("X", "Return the map of each run"),
    "SeedCorrelationMap(1).prepare(2).signals(": ("seed_masker", "Return the cleaned"),
    "plotting.plot_seed_map(": ("estimator", "Plot the correlation map"),
    "datasets.make_runs(": ("n_runs", "Simulate runs"),
}


@pytest.mark.parametrize("call", CALLS)
def test_signatures_and_docstrings_are_shown(call):
    first, words = CALLS[call]
    name = call.partition("(")[0].partition(".")[0]
    (shown,) = jedi.Script(
        f"from sbc_estimators import {name}\n{call}"
    ).get_signatures()
    assert shown.params[0].name == first
    assert ": " in shown.to_string()
    assert words in shown.docstring()


def test_importing_is_quick():
    code = (
        "import sys, time; start = time.perf_counter(); import sbc_estimators; "
        "print(time.perf_counter() - start, len(sys.modules))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(5)
    ]
    assert min(float(seconds) for seconds, _ in runs) < 0.05
    assert int(runs[0][1]) < 150
