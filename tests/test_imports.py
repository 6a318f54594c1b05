"""Imports only go down, use public names, and cost nothing before there is work."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sbc_estimators

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sbc_estimators"

MAY_LOOK_INSIDE_MASKERS = {"_signals", "_command"}
"""The command line only makes them, as a user does."""

MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [
    path
    for folder in ("sbc_estimators", "tests", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def tree():
    """Return the folders and modules of the package, from the list in CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    return re.findall(r"^[|`]-- (\w+)(?:/|\.py)", text, re.MULTILINE)


FOLDERS = tree()


def folder(path):
    """Return the folder of a module, or its own name if it lies in none."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Return the dotted names that a file imports, ours as ``sbc_estimators.x``."""
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            ours = path.relative_to(ROOT).parts[: -node.level] if node.level else ()
            base = ".".join([*ours, *filter(None, [node.module])])
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def by_name(path):
    """Return the words for a file in a test's id."""
    return path.relative_to(ROOT).as_posix()


def imported_folders(path):
    """Return the folders of the package that a file imports from."""
    names = [name.split(".") for name in imported(path)]
    return {name[1] for name in names if name[0] == PACKAGE.name} & set(FOLDERS)


def test_every_folder_is_in_the_list():
    assert {folder(path) for path in MODULES} == {*FOLDERS, "__init__"}


def test_imports_go_down():
    upward = [
        (path.relative_to(ROOT).as_posix(), used)
        for path in MODULES
        if folder(path) != "__init__"
        for used in imported_folders(path)
        if FOLDERS.index(used) < FOLDERS.index(folder(path))
    ]
    assert upward == []


def test_few_folders_look_inside_maskers():
    curious = {
        folder(path)
        for path in MODULES
        if any(name.startswith("nilearn.maskers") for name in imported(path))
    }
    assert curious <= MAY_LOOK_INSIDE_MASKERS


@pytest.mark.parametrize("path", SOURCES, ids=by_name)
def test_only_public_names_of_other_packages(path):
    ours = {"sbc_estimators", "__future__"} | {other.stem for other in SOURCES}
    private = [
        name
        for name in imported(path)
        if name.partition(".")[0] not in ours
        and any(part.startswith("_") for part in name.split("."))
    ]
    assert private == []


@pytest.mark.parametrize("path", MODULES, ids=by_name)
def test_what_is_imported_is_declared(path):
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    declared = re.search(r"^dependencies = \[(.*?)^\]", settings, re.M | re.S)[1]
    declared = set(re.findall(r'"([\w-]+)', declared)) - {"scikit-learn"} | {"sklearn"}
    packages = {name.partition(".")[0] for name in imported(path)}
    assert packages - sys.stdlib_module_names - {"sbc_estimators"} <= declared


@pytest.mark.parametrize("module", ["sbc_estimators", "sbc_estimators.__main__"])
def test_importing_is_free_of_heavy_packages(module):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"nilearn", "sklearn", "numpy", "scipy", "matplotlib"} == set()


@pytest.mark.parametrize("module", ["datasets", "maskers", "plotting"])
def test_public_modules_are_there_once_asked_for(module):
    code = f"import sbc_estimators; print(sbc_estimators.{module}.__name__)"
    code += "; print(*dir(sbc_estimators))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    name, *names = done.stdout.split()
    assert name == f"sbc_estimators.{module}"
    assert {module, "Run", "SeedCorrelationMap"} <= set(names)


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'sbc_estimators' has no attribute 'no'"):
        sbc_estimators.no  # noqa: B018


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name != "test_imports.py"], ids=by_name
)
def test_no_leftovers(path):
    text = path.read_text("utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)
    assert not re.search(r"""["'](/home|/root|/Users|/work|[A-Z]:\\)""", text)
