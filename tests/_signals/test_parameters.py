"""What parameters of nilearn's maskers, and of ours, may not be: before long work."""

import time

import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._signals.parameters import CHECKS, CLEANING
from sbc_estimators.maskers import GivenSignals, SphereSeeds

LENGTH = "must be a length from 0 to 1000 mm or None"
SWITCH = "must be True or False"

WRONG = {
    # Meant none, or ended within, or never.
    "smoothing_fwhm": [
        *[(value, LENGTH) for value in (-4, np.nan, np.inf, "6", 1e9, True, 6j)],
        ([1, 2], r"for all axes, three \(one each\) or None, got"),
        ([4, -4, 4], "each must be a length"),
        (np.array([4, np.nan, 4]), "each must be a length"),
    ],
    "clean_args": [
        *[(value, "must be a dict of names") for value in ("x", [1], 3, {1: 2})],
        ({"padtype": "odd"}, "must hold arguments of nilearn.signal.clean, got 'padt"),
        ({"filter": "nope"}, r"\['filter'\] must be 'butterworth' or 'cos"),
        ({"butterworth__order": 0}, "an integer of at least 1, got 0"),
        ({"butterworth__order": 2.5}, "an integer of at least 1, got 2.5"),
        ({"butterworth__padtype": "x"}, "must be 'odd', 'even', 'constant' or None"),
        ({"extrapolate": "no"}, SWITCH),
        ({"ensure_finite": 1}, SWITCH),
    ],
    "detrend": [(value, SWITCH) for value in ("yes", 1, None)],
    "standardize_confounds": [(value, SWITCH) for value in ("psc", 0)],
    "high_variance_confounds": [(value, SWITCH) for value in ("no", 3, None)],
    "low_pass": [
        (value, "must be a positive number in Hz or None")
        for value in (0, -0.1, np.nan, "0.1", [0.1], np.array([0.1]), True, 0.1j)
    ],
    "high_pass": [(np.inf, "must be a positive number in Hz or None")],
    "t_r": [
        (value, "must be a positive number in s or None")
        for value in (0, "2", [2], np.timedelta64(2))
    ],
    "verbose": [(value, "an integer of at least 0") for value in ("x", None, 1.5, -1)],
    "memory_level": [(-1, "an integer of at least 0")],
    "mask_args": [("x", "must be a dict")],
    "reports": [(3, SWITCH)],
}


def cases(wrong):
    """Return names, values and what is said of them."""
    return [(name, *case) for name, own in wrong.items() for case in own]


@pytest.mark.parametrize("masker", ["seed_masker", "brain_masker"])
@pytest.mark.parametrize(("name", "value", "said"), cases(WRONG))
def test_values_that_make_no_sense(simulated, masker, name, value, said):
    wrong = NiftiMasker(simulated.mask_img, **{name: value})
    right = NiftiMasker(simulated.mask_img)
    both = {"seed_masker": right, "brain_masker": right, masker: wrong}
    started = time.monotonic()
    with pytest.raises(ValueError, match=rf"^{masker}: {name}.*{said}"):
        SeedCorrelationMap(**both).fit(simulated.img)
    assert time.monotonic() - started < 5


def labels(data, **options):
    return NiftiLabelsMasker(data.labels_img, **options)


def maps(data, **options):
    return NiftiMapsMasker(data.maps_img, **options)


def spheres(data, **options):
    return NiftiSpheresMasker(data.seeds, **options)


OF_SEEDS = [
    *[
        (spheres, "radius", value, LENGTH)
        for value in (-1, "6", np.nan, 1e9, True, [6, 6])
    ],
    *[
        (make, "allow_overlap", value, SWITCH)
        for make in (spheres, maps)
        for value in ("no", 0, None)
    ],
    *[
        (labels, "background_label", value, "must be a finite number")
        for value in (None, "0", np.nan, True)
    ],
    (labels, "strategy", "average", "must be 'mean', 'median', "),
    (labels, "strategy", 3, "must be 'mean', 'median', "),
    (labels, "resampling_target", "run", "must be 'data', 'labels', "),
    (labels, "keep_masked_labels", "no", SWITCH),
    (maps, "keep_masked_maps", 0, SWITCH),
]


@pytest.mark.parametrize(("make", "name", "value", "said"), OF_SEEDS)
def test_values_of_seeds_that_make_no_sense(simulated, make, name, value, said):
    seeds = make(simulated, **{name: value})
    sbc = SeedCorrelationMap(seeds, NiftiMasker(simulated.mask_img))
    with pytest.raises(ValueError, match=rf"^seed_masker: {name}.*{said}"):
        sbc.fit(simulated.img)


def test_values_on_a_surface_that_make_no_sense(surface):
    for wrong in ({"smoothing_fwhm": -4}, {"clean_args": "x"}, {"detrend": 1}):
        masker = SurfaceLabelsMasker(surface.labels_img, **wrong)
        sbc = SeedCorrelationMap(masker, SurfaceMasker(surface.mask_img))
        with pytest.raises(ValueError, match=f"^seed_masker: {next(iter(wrong))} must"):
            sbc.fit(surface.run)


@pytest.mark.parametrize("value", ["x", None, 1.5, -1, [1]])
def test_verbose_of_the_estimator(simulated, value):
    masker = NiftiMasker(simulated.mask_img)
    sbc = SeedCorrelationMap(masker, masker, verbose=value)
    with pytest.raises(ValueError, match=r"^verbose must be an integer of at least 0"):
        sbc.fit(simulated.img)


@pytest.mark.parametrize("kind", [SphereSeeds, NiftiSpheresMasker])
def test_seeds_that_can_be_read_once(simulated, kind):
    """scikit-learn copies parameters, which ended in a word of pickle's."""
    masker = kind(seed for seed in simulated.seeds)
    sbc = SeedCorrelationMap(masker, NiftiMasker(simulated.mask_img))
    with pytest.raises(TypeError, match=r"seed_masker: seeds must be a list .*onc"):
        sbc.fit(simulated.img)
    sbc.set_params(seed_masker__seeds=list(simulated.seeds)).fit(simulated.img)


@pytest.mark.parametrize(
    "signals", [pd.DataFrame(index=range(100)), np.empty((100, 0))]
)
def test_signals_without_a_column(simulated, signals):
    sbc = SeedCorrelationMap(GivenSignals(), NiftiMasker(simulated.mask_img))
    with pytest.raises(ValueError, match=r"seed_signals: .* at least one column"):
        sbc.fit(Run(simulated.img, seed_signals=signals))


def test_what_is_checked_is_what_maskers_have():
    """A name that no masker has would check nothing."""
    names = set()
    for kind in (NiftiMasker, NiftiLabelsMasker, NiftiMapsMasker, NiftiSpheresMasker):
        names |= set(kind._get_param_names())
    assert names >= CHECKS.keys()
    defaults = NiftiMasker().get_params()
    for name in CHECKS.keys() & defaults.keys():
        CHECKS[name](defaults[name], name)
    assert len(CLEANING) == 7
