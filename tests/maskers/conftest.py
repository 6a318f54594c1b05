"""Runs that the tests of seed maskers share."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from masker_helpers import sheet
from nilearn.surface import PolyMesh, SurfaceImage

from sbc_estimators import Run


@pytest.fixture(scope="session")
def cortex():
    """A run on two sheets of 81 and 100 vertices, with an atlas and confounds."""
    rng = np.random.default_rng(3)
    mesh = PolyMesh(left=sheet(9, -60), right=sheet(10, 20))
    common = rng.standard_normal(80).cumsum()

    def image(make):
        parts = {name: make(part.n_vertices) for name, part in mesh.parts.items()}
        return SurfaceImage(mesh, parts)

    img = image(lambda n: 50 + rng.random((n, 1)) * common + rng.normal(size=(n, 80)))
    return SimpleNamespace(
        mesh=mesh,
        img=img,
        labels_img=image(lambda n: np.arange(n) // 20),
        mask_img=image(lambda n: np.arange(n) % 3 > 0),
        confounds=rng.standard_normal((80, 2)),
        t_r=1.5,
        run=Run(img, t_r=1.5),
    )


@pytest.fixture(scope="session")
def physiology():
    """Three signals of 200 scans with names."""
    rng = np.random.default_rng(5)
    columns = ["heart rate", "breath", "pupil"]
    return pd.DataFrame(rng.standard_normal((200, 3)).cumsum(axis=0), columns=columns)
