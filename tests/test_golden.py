"""r of the sample run as it was, so that no version of anything moves it unseen.

``python tests/test_golden.py`` writes the values anew; the newest and the lowest
versions must then agree with them. Only a fault that is mended may change them.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.datasets import load_sample_run

FILE = Path(__file__).parent / "golden" / "sample_run.tsv"
EVERY = 32
"""One voxel of so many has its r in the file."""

SEEDS = {"pcc": (0, -52, 18), "mpfc": (0, 52, -6), "angular": (-46, -68, 32)}
KEPT = np.delete(np.arange(200), [0, 1, 2, 4, 47, 48, 120, 197, 199])
BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}

SETTINGS = {
    "spheres": {},
    "band_confounds": {"cleaning": BAND, "confounds": True},
    "smoothing": {"cleaning": {"detrend": True}, "smoothing_fwhm": 6},
    "partial": {"cleaning": BAND, "measure": "partial"},
    "sample_mask_filter": {"cleaning": {"low_pass": 0.08}, "sample_mask": KEPT},
}
"""What differs from the plain correlation of a sphere of 8 mm with each voxel."""


def r_of(setting):
    """Return r at some voxels of the sample run, a column for each seed."""
    options = dict(SETTINGS[setting])
    cleaning = options.pop("cleaning", {})
    sample, measure = load_sample_run(), options.pop("measure", "correlation")
    run = Run(
        sample.func,
        confounds=sample.run.confounds if options.pop("confounds", False) else None,
        sample_mask=options.pop("sample_mask", None),
        t_r=sample.t_r,
    )
    seeds = SEEDS if measure == "partial" else ["pcc"]
    places = [SEEDS[name] for name in seeds]
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker(places, radius=8, **cleaning),
        NiftiMasker(sample.mask_img, **cleaning, **options),
        measure=measure,
    ).fit(run)
    columns = [f"{setting}_{name}" for name in seeds]
    return pd.DataFrame(sbc.correlations_[:, ::EVERY].T, columns=columns)


@pytest.mark.parametrize("setting", SETTINGS)
def test_r_is_what_it_was(setting):
    r = r_of(setting)
    golden = pd.read_csv(FILE, sep="\t")
    assert len(golden) == 505
    np.testing.assert_allclose(r, golden[list(r)], rtol=0, atol=1e-6)


def test_settings_differ():
    """Each says something that the others do not."""
    golden = pd.read_csv(FILE, sep="\t")
    assert len(golden.columns) == len(SETTINGS) + 2
    for name in golden:
        others = golden.drop(columns=name).sub(golden[name], axis=0)
        assert others.abs().max().min() > 0.05


if __name__ == "__main__":
    table = pd.concat([r_of(setting) for setting in SETTINGS], axis=1)
    table.to_csv(FILE, sep="\t", index=False, float_format="%.8f")
