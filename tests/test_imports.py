"""Imports only go down, use public names, and cost nothing before there is work.

A rule is a test, which names all files that break it.
"""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sbc_estimators
from sbc_estimators._images.opening import FORMATS

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


def by_name(path):
    """Return the words for a file in a message."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
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


def imported_folders(path):
    """Return the folders of the package that a file imports from."""
    names = [name.split(".") for name in imported(path)]
    return {name[1] for name in names if name[0] == PACKAGE.name} & set(FOLDERS)


def test_every_folder_is_in_the_list():
    assert {folder(path) for path in MODULES} == {*FOLDERS, "__init__"}


def test_imports_go_down():
    upward = [
        (by_name(path), used)
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


MAY_ASK_FOR_MASKERS = {"kinds.py", "adapters.py", "nilearn_own.py", "others.py"}
"""Of `_signals`: the table of kinds, and the adapters that it has for nilearn's."""

KINDS_OF_MASKERS = re.compile(r"\w*Masker|\w+Seeds|GivenSignals")

KINDS_OF_IMAGES = re.compile(
    r"SurfaceImage|PolyMesh|\w*Nifti\w*Image|SpatialImage|Cifti2Image|GiftiImage"
)

KINDS_OF_GRIDS = re.compile(r"\w*Grid")

ATTRIBUTES_OF_IMAGES = {"mesh", "dataobj", "affine", "set_data_dtype", "get_fdata"}
"""Those by which one tells what an image is."""


def names_in(node):
    """Return all names in an expression, of attributes the last part."""
    found = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    return found + [p.attr for p in ast.walk(node) if isinstance(p, ast.Attribute)]


@functools.cache
def asked(path):
    """Return the classes and the attributes that a module asks objects for."""
    classes, attributes = [], []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and len(node.args) > 1:
            if names_in(node.func) in (["isinstance"], ["issubclass"]):
                classes += names_in(node.args[1])
            elif names_in(node.func) in (["hasattr"], ["getattr"]):
                name = node.args[1]
                attributes += [name.value] if isinstance(name, ast.Constant) else []
        elif isinstance(node, ast.Compare) and "type" in names_in(node.left):
            classes += [name for part in node.comparators for name in names_in(part)]
    return classes, attributes


def test_few_modules_ask_what_kind_a_masker_is():
    askers = {
        by_name(path): kinds
        for path in MODULES
        if (kinds := [k for k in asked(path)[0] if KINDS_OF_MASKERS.fullmatch(k)])
    }
    allowed = {f"sbc_estimators/_signals/{name}" for name in MAY_ASK_FOR_MASKERS}
    assert {path: kinds for path, kinds in askers.items() if path not in allowed} == {}
    assert "NiftiSpheresMasker" in askers["sbc_estimators/_signals/nilearn_own.py"]


def test_what_an_image_is_is_asked_by_the_class_of_its_format():
    askers = {}
    for path in MODULES:
        classes, attributes = asked(path)
        found = [name for name in classes if KINDS_OF_IMAGES.fullmatch(name)]
        found += [name for name in attributes if name in ATTRIBUTES_OF_IMAGES]
        if found:
            askers[by_name(path)] = found
    assert askers == {}
    marks = {own.__name__: own.marks for own in FORMATS}
    assert marks == {
        "CiftiScans": ("dataobj", "nifti_header"),
        "SurfaceScans": ("mesh", "data"),
        "VolumeScans": ("dataobj", "affine"),
    }


def test_of_what_kind_a_grid_is_is_asked_by_grids():
    askers = {
        by_name(path): kinds
        for path in MODULES
        if (kinds := [k for k in asked(path)[0] if KINDS_OF_GRIDS.fullmatch(k)])
    }
    grids = {f"sbc_estimators/_images/{n}.py" for n in ("grids", "meshes")}
    assert grids <= set(askers) <= grids | {"sbc_estimators/_images/grayordinates.py"}


def test_only_public_names_of_other_packages():
    ours = {"sbc_estimators", "__future__"} | {path.stem for path in SOURCES}
    private = [
        (by_name(path), name)
        for path in SOURCES
        for name in imported(path)
        if name.partition(".")[0] not in ours
        and any(part.startswith("_") for part in name.split("."))
    ]
    assert private == []


def test_what_is_imported_is_declared():
    settings = (ROOT / "pyproject.toml").read_text("utf-8")
    declared = re.search(r"^dependencies = \[(.*?)^\]", settings, re.M | re.S)[1]
    declared = set(re.findall(r'"([\w-]+)', declared)) - {"scikit-learn"} | {"sklearn"}
    known = declared | sys.stdlib_module_names | {"sbc_estimators"}
    missing = [
        (by_name(path), name)
        for path in MODULES
        for name in imported(path)
        if name.partition(".")[0] not in known
    ]
    assert missing == []


@pytest.mark.parametrize("module", ["sbc_estimators", "sbc_estimators.__main__"])
def test_importing_is_free_of_heavy_packages(module):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {"nilearn", "sklearn", "numpy", "scipy", "matplotlib"} == set()


@pytest.mark.parametrize("module", ["datasets", "maskers", "plotting"])
def test_public_modules_are_there_once_asked_for(monkeypatch, module):
    # As long as nobody has imported it, the package has no such attribute.
    monkeypatch.delattr(sbc_estimators, module, raising=False)
    assert getattr(sbc_estimators, module).__name__ == f"sbc_estimators.{module}"
    assert {module, "Run", "SeedCorrelationMap"} <= set(dir(sbc_estimators))


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No sbc_estimators attribute no"):
        sbc_estimators.no  # noqa: B018


LEFTOVERS = {
    "unfinished": r"\b(TODO|FIXME|XXX)\b",
    "a machine's own path": r"""["'](/home|/root|/Users|/work|[A-Z]:\\)""",
}


@pytest.mark.parametrize("pattern", LEFTOVERS.values(), ids=LEFTOVERS)
def test_no_leftovers(pattern):
    others = [path for path in SOURCES if path != Path(__file__).resolve()]
    found = [
        (by_name(path), line)
        for path in others
        for line in path.read_text("utf-8").splitlines()
        if re.search(pattern, line)
    ]
    assert found == []


def test_documents_that_are_cited_are_there():
    folders = (ROOT, ROOT / "benchmarks", ROOT / "docs")
    texts = [*SOURCES, *(path for home in folders for path in home.glob("*.md"))]
    missing = [
        (by_name(path), cited)
        for path in texts
        for cited in re.findall(r"[\w./-]+\.md\b", path.read_text("utf-8"))
        if not any((home / cited).exists() for home in (ROOT, path.parent))
    ]
    assert missing == []
