"""What pip installs has all that it needs, wherever the sources are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from sbc_estimators import SeedCorrelationMap
from sbc_estimators.datasets import load_sample_run

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "sbc_estimators"
AS_IT_IS = ("--no-deps", "--no-index", "--no-build-isolation", "--no-compile")
"""Nothing is looked for on the internet: setuptools is there, and all else."""

SCRIPT = """
import numpy as np
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
import sbc_estimators

sample = sbc_estimators.datasets.load_sample_run()
seed = NiftiSpheresMasker([(0, -52, 18)], radius=8, detrend=True)
brain = NiftiMasker(sample.mask_img, detrend=True)
sbc = sbc_estimators.SeedCorrelationMap(seed, brain).fit(sample.run)
np.save("r.npy", sbc.correlations_)
print(sbc_estimators.__file__)
"""


def python(folder, *arguments, **environment):
    """Run Python in a folder, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return the folder into which pip has put what it made of the sources."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("source", "target"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / PACKAGE, source / PACKAGE, ignore=without)
    python(source, "-m", "pip", "install", *AS_IT_IS, "--target", target, source)
    return target


def files(folder):
    """Return the files below a folder, by their path from it."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if "__pycache__" not in path.parts}


def test_every_file_is_installed(installed):
    assert files(installed / PACKAGE) == files(ROOT / PACKAGE)


def test_the_sample_run_is_mapped_in_a_fresh_process(installed, tmp_path):
    printed = python(tmp_path, "-c", SCRIPT, PYTHONPATH=str(installed))
    assert Path(printed.strip()) == installed / PACKAGE / "__init__.py"
    sample = load_sample_run()
    seed = NiftiSpheresMasker([(0, -52, 18)], radius=8, detrend=True)
    brain = NiftiMasker(sample.mask_img, detrend=True)
    r = SeedCorrelationMap(seed, brain).fit(sample.run).correlations_
    np.testing.assert_allclose(np.load(tmp_path / "r.npy"), r, rtol=0, atol=1e-6)
