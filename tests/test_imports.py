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

BESIDE = {"__init__", "datasets", "_simulation"}
"""`__init__` hands out names when asked; the others know `Run` and nothing else."""

MASKER_ROOMS = {
    "_sources",
    "_regions_of_maskers",
    "_run_checks",
    "_plans",
    "_path_compiled",
    "_path_streamed",
    "_fitting",
    "_command",
}
"""These look inside maskers; the command line only makes them, as a user does."""

MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [
    path
    for folder in ("sbc_estimators", "tests", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def room(path):
    """Return the name of a module of the package, such as ``maskers._base``."""
    name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    return name.removesuffix(".__init__")


def rooms():
    """Return each module's row and floor, from the table in CONTRIBUTING.md."""
    table = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) \| (`[^|]+`) \|", table, re.MULTILINE)
    return {
        room(PACKAGE / module): (row, int(floor))
        for row, (floor, modules) in enumerate(rows)
        for module in re.findall(r"`([\w/]+\.py)`", modules)
    }


ROOMS = rooms()


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


def imported_rooms(path):
    """Return the modules of the package that a file imports."""
    known = {room(module) for module in MODULES} - {"__init__"}
    found = set()
    for name in imported(path):
        package, *parts = name.split(".")
        if package == PACKAGE.name:
            names = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
            found.update(next(([x] for x in names if x in known), []))
    return found


def by_name(path):
    """Return the words for a file in a test's id."""
    return path.relative_to(ROOT).as_posix()


def test_every_module_has_a_row():
    assert {room(path) for path in MODULES} == ROOMS.keys() | BESIDE


def test_floors_rise():
    floors = [floor for _, floor in ROOMS.values()]
    assert floors == sorted(floors)


@pytest.mark.parametrize("path", MODULES, ids=by_name)
def test_imports_go_down(path):
    used = imported_rooms(path)
    if room(path) in BESIDE:
        assert used - BESIDE <= {"runs"}
        return
    row, _ = ROOMS[room(path)]
    assert {name for name in used - BESIDE if ROOMS[name][0] >= row} == set()


@pytest.mark.parametrize("path", MODULES, ids=by_name)
def test_few_rooms_look_inside_maskers(path):
    maskers = [name for name in imported(path) if name.startswith("nilearn.maskers")]
    assert not maskers or path.stem in MASKER_ROOMS


@pytest.mark.parametrize("path", MODULES, ids=by_name)
def test_few_rooms_read_what_maskers_keep(path):
    read = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) != "self"
    }
    kept = {"seeds_", "mask_img_", "labels_img_", "maps_img_", "radius"}
    assert not read & kept or room(path) in MASKER_ROOMS


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
