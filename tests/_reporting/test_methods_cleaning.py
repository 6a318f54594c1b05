"""The methods paragraph says what cleaned each side, and how fast runs were."""

import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.masking import apply_mask, unmask
from sklearn.base import BaseEstimator, TransformerMixin

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.methods import methods
from sbc_estimators.maskers import GivenSignals, SphereSeeds


def text_of(sbc, runs=None):
    """Return the paragraph on a fitted estimator."""
    return methods(sbc, Maps.of(sbc), runs)["text"]


def brain(box, **options):
    """Return a masker of the voxels of a box."""
    return NiftiMasker(box.mask_img, **{"detrend": True, **options})


class Third(TransformerMixin, BaseEstimator):
    """A brain masker of another package, with some of the usual parameters."""

    def __init__(self, mask_img=None, detrend=True, t_r=None):
        self.mask_img = mask_img
        self.detrend = detrend
        self.t_r = t_r

    def fit(self, X=None, y=None):
        return self

    def transform(self, X, confounds=None, sample_mask=None):
        return apply_mask(X, self.mask_img)

    def inverse_transform(self, X):
        return unmask(X, self.mask_img)


# Cleaning


@pytest.mark.parametrize("is_cleaned", [True, False])
def test_given_signals_are_cleaned_only_where_they_are(sample_box, is_cleaned):
    signals = np.random.default_rng(0).random((200, 2))
    run = Run(sample_box.img, sample_box.confounds, seed_signals=signals)
    sbc = SeedCorrelationMap(GivenSignals(clean=is_cleaned), brain(sample_box)).fit(run)
    text = text_of(sbc, [run])
    cleaned = "were linearly detrended and cleaned of 8 confounds"
    if is_cleaned:
        assert f"The time series of seeds and voxels {cleaned}" in text
        return
    assert "The time series of seeds were used as they came with the runs. " in text
    assert f"Those of voxels {cleaned}" in text
    assert "seeds and voxels" not in text
    assert "The time series of seeds were used as they came" in text_of(sbc)


def test_without_runs_nothing_is_called_uncleaned(sample_box):
    run = Run(sample_box.img, sample_box.confounds)
    own = brain(sample_box, detrend=False)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds, 6), own).fit(run)
    text = text_of(sbc)
    assert "of seeds and voxels were neither detrended nor filtered. [Conf" in text
    assert "uncleaned" not in text
    assert "cleaned of 8 confounds" in text_of(sbc, [run])


@pytest.mark.parametrize("detrend", [True, False])
def test_our_seeds_beside_a_brain_of_another_package(sample_box, detrend):
    run = Run(sample_box.img, sample_box.confounds, t_r=1.5)
    third = Third(sample_box.mask_img, detrend)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds, 6), third).fit(run)
    text = text_of(sbc, [run])
    first = "linearly detrended and " if detrend else ""
    assert f"The time series of seeds were {first}cleaned of 8 confounds" in text
    assert "Those of voxels were cleaned by Third." in text


def test_both_sides_cleaned_by_another_package(sample_box):
    few = np.zeros(sample_box.mask_img.shape, np.uint8)
    few[4:6, 3:5, 3:5] = 1
    few = type(sample_box.mask_img)(few, sample_box.mask_img.affine)
    sbc = SeedCorrelationMap(Third(few), Third(sample_box.mask_img))
    text = text_of(sbc.fit(sample_box.run), [sample_box.run])
    assert "The time series of seeds and voxels were cleaned by Third." in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"filter": "butterworth"}, "filters saw splines through the kept scans"),
        ({"filter": "cosine"}, "cosines were taken out of the kept scans alone"),
    ],
)
def test_what_censoring_means_to_a_filter(sample_box, options, words):
    kept = np.delete(np.arange(200), [3, 50, 51])
    run = Run(sample_box.img, t_r=1.5, sample_mask=kept)
    own = brain(sample_box, high_pass=0.01, clean_args=options)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds, 6), own).fit(run)
    text = text_of(sbc, [run])
    assert f"(Power et al., 2014), and {words}" in text
    assert ("splines" in text) == (options["filter"] == "butterworth")


# Repetition times


def test_a_repetition_time_is_that_of_the_runs_or_none(sample_box):
    run = Run(sample_box.img, t_r=1.5)
    own = brain(sample_box, t_r=2.0)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds, 6), own).fit(run)
    assert "repetition time" not in text_of(sbc)
    assert "one run of 200 scans (repetition time 1.5 s)." in text_of(sbc, [run])


def test_a_repetition_time_that_is_known_of_some_runs(sample_box):
    runs = [Run(sample_box.img, t_r=2.0), Run(sample_box.img)]
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds, 6), brain(sample_box))
    text = text_of(sbc.fit(runs), runs)
    assert "2 runs of 200 scans (repetition time 2 s, known of 1 of them)." in text
