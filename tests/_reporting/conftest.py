"""Small fitted estimators that the tests of reports share."""

import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from sbc_estimators import Run, SeedCorrelationMap

BAND = {"low_pass": 0.1, "high_pass": 0.01}

CENSORED = np.delete(np.arange(200), [0, 1, 50, 51, 52, 120])
"""Of a run of 200 scans, those that are kept."""


@pytest.fixture(scope="session")
def two_runs(sample_box):
    """The same box of the sample run twice: whole, and with scans left out."""
    options = {"confounds": sample_box.confounds, "t_r": sample_box.t_r}
    return [
        Run(sample_box.img, **options),
        Run(sample_box.img, sample_mask=CENSORED, **options),
    ]


@pytest.fixture(scope="session")
def fitted(sample_box, two_runs):
    """An estimator of three spheres, fitted to two runs."""
    return SeedCorrelationMap(
        NiftiSpheresMasker(sample_box.seeds, radius=6, detrend=True),
        NiftiMasker(sample_box.mask_img, smoothing_fwhm=6, detrend=True),
        **BAND,
    ).fit(two_runs)
