"""A study of four people, one of two for tests to change, and the command as called."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from sbc_estimators.__main__ import main
from studies import write_study


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """Four people with two runs each."""
    folder = tmp_path_factory.mktemp("people") / "fmriprep"
    return write_study(folder, ["01", "02", "03", "04"])


@pytest.fixture
def pair(tmp_path):
    """Two people with a run each, for a test to change."""
    return write_study(tmp_path / "fmriprep", ["01", "02"], n_runs=1)


@pytest.fixture(scope="session")
def seeds_table(people, tmp_path_factory):
    """A table of fifty seeds, each a voxel, with names of two words."""
    mask_img = people.data.mask_img
    voxels = np.argwhere(np.asarray(mask_img.dataobj))[::4][:50]
    points = nib.affines.apply_affine(mask_img.affine, voxels)
    table = pd.DataFrame(points, columns=list("xyz"))
    table.insert(0, "name", [f"left {i:02}" for i in range(len(table))])
    path = tmp_path_factory.mktemp("seeds") / "seeds.tsv"
    table.to_csv(path, sep="\t", index=False)
    return path


@pytest.fixture
def one_seed(people):
    """The words for a single seed."""
    return ["--seed", "L IPS", *map(str, people.data.seeds[0])]


@pytest.fixture
def call(capsys):
    """The function ``(*words) -> (status, text, errors)`` of the command."""

    def called(*words):
        try:
            status = main(list(map(str, words)))
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return called
