"""The kinds of seeds that nilearn's own maskers make, as the docs list them.

Our seed maskers are in test_maskers.py, seeds in an image of their own and given
signals in test_seed_images.py, third-party maskers in test_scikit_learn.py.
"""

import pickle

import numpy as np
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sbc_estimators import SeedCorrelationMap

pytestmark = [
    pytest.mark.usefixtures("seeds_anywhere"),
    pytest.mark.filterwarnings("ignore:.* clean differently"),
]

TOLERANCE = 2e-6
BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0}

ROWS = {
    "spheres": (lambda d: NiftiSpheresMasker(d.seeds[:2], 8), {"radius": 5}),
    "all regions": (lambda d: NiftiLabelsMasker(d.labels_img), {"smoothing_fwhm": 6}),
    "maps": (lambda d: NiftiMapsMasker(d.maps_img), {"smoothing_fwhm": 6}),
    "each voxel": (lambda d: NiftiMasker(d.mask_img), {"low_pass": 0.08}),
    "surface regions": (
        lambda d: SurfaceLabelsMasker(d.labels_img),
        {"low_pass": 0.08},
    ),
    "each vertex": (lambda d: SurfaceMasker(d.mask_img), {"low_pass": 0.08}),
}


@pytest.mark.parametrize("row", ROWS)
def test_row(nilearn_r, sample_box, surface, row):
    make, change = ROWS[row]
    is_surface = row in ("surface regions", "each vertex")
    data, kind = (surface, SurfaceMasker) if is_surface else (sample_box, NiftiMasker)
    seed = make(data).set_params(**BAND, standardize=None)
    brain = kind(data.mask_img, **BAND, standardize=None)
    pipeline = Pipeline([("map", SeedCorrelationMap(seed, brain))])
    z = pipeline.fit_transform([data.run])
    expected = nilearn_r(seed, brain, data.run)
    np.testing.assert_allclose(np.tanh(z[0]), expected.ravel(), atol=TOLERANCE)
    copy = pickle.loads(pickle.dumps(clone(pipeline).fit([data.run])))
    np.testing.assert_array_equal(copy.transform([data.run]), z)
    changed = {f"map__seed_masker__{name}": value for name, value in change.items()}
    other = np.tanh(clone(pipeline).set_params(**changed).fit_transform([data.run])[0])
    expected = nilearn_r(clone(seed).set_params(**change), brain, data.run)
    np.testing.assert_allclose(other, expected.ravel(), atol=TOLERANCE)
    assert np.abs(other - np.tanh(z[0])).max() > 1e-3
