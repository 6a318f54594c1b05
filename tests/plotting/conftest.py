"""Estimators whose maps are drawn, and what a figure shows."""

import functools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from nilearn.maskers import (
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)

from sbc_estimators import SeedCorrelationMap
from sbc_estimators.plotting import plot_seed_map


@pytest.fixture(autouse=True)
def _no_figure_left_open():
    """Close what a test opened; fail where figures were open before."""
    assert plt.get_fignums() == []
    yield
    plt.close("all")


@pytest.fixture(scope="package")
def fitted(sample_box):
    """An estimator of three seeds, fitted on part of the sample run."""
    return SeedCorrelationMap(
        NiftiSpheresMasker(sample_box.seeds, radius=6, detrend=True),
        NiftiMasker(sample_box.mask_img, detrend=True),
    ).fit(sample_box.run)


@pytest.fixture(scope="package")
def fitted_surface(surface):
    """An estimator of labelled seeds on a surface."""
    return SeedCorrelationMap(
        SurfaceLabelsMasker(surface.labels_img, detrend=True),
        SurfaceMasker(surface.mask_img, detrend=True),
    ).fit(surface.run)


@pytest.fixture(scope="package")
def draw(sample_box):
    """`plot_seed_map` over a background of few voxels.

    Most of the time goes to nilearn's own, which other tests leave as it is.
    """
    return functools.partial(plot_seed_map, bg_img=sample_box.mask_img)


def _pixels(figure):
    """Return which pixels of a figure are not white, rows from the top."""
    figure.canvas.draw()
    return (np.asarray(figure.canvas.buffer_rgba())[..., :3] < 250).any(axis=2)


@pytest.fixture(scope="session")
def pixels():
    """The function ``figure -> mask`` of pixels that are not white."""
    return _pixels
