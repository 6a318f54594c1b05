"""The methods paragraph says what was done, in ten settings, and nothing else."""

import platform
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)

from sbc_estimators import Run, SeedCorrelationMap, __version__
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.methods import methods
from sbc_estimators._reporting.methods_seeds import placed_by_runs
from sbc_estimators._reporting.references import REFERENCES
from sbc_estimators.maskers import (
    GivenSignals,
    RegionSeeds,
    SphereSeeds,
    SurfaceSeeds,
)

STEPS = ", in one step so that none brings back what another removed"


def text_of(sbc, X=None):
    """Return the paragraph on a fitted estimator."""
    return written(sbc, X)["text"]


def written(sbc, X=None):
    """Return paragraph and references on a fitted estimator."""
    runs = None if X is None else X if isinstance(X, list) else [X]
    return methods(sbc, Maps.of(sbc), runs)


def brain(box, **options):
    """Return a masker of the voxels of a box."""
    return NiftiMasker(box.mask_img, **{"detrend": True, **options})


def spheres(box, n_seeds=1, **options):
    """Return a masker of spheres in a box."""
    options = {"radius": 6, "detrend": True, **options}
    return NiftiSpheresMasker(box.seeds[:n_seeds], **options)


def test_1_one_sphere_band_confounds_smoothing(sample_box):
    run = Run(sample_box.img, sample_box.confounds, t_r=1.5)
    sbc = SeedCorrelationMap(
        spheres(sample_box),
        brain(sample_box, smoothing_fwhm=6),
        low_pass=0.1,
        high_pass=0.01,
    ).fit(run)
    text = text_of(sbc, run)
    names = list(sample_box.confounds.columns)
    for sentence in (
        f"computed with sbc_estimators {__version__}, which builds on nilearn ",
        f"(Python {platform.python_version()}). The data were one",
        "The data were one run of 200 scans (repetition time 1.5 s).",
        "The seed was a sphere of 6 mm radius around (0, -52, 18 mm).",
        "The time series of seeds and voxels were linearly detrended, band-pass "
        "filtered from 0.01 to 0.1 Hz (Butterworth, order 5, forwards and backwards) "
        f"and cleaned of 8 confounds ({', '.join(names[:-1])} and {names[-1]}) by "
        f"linear regression{STEPS} (Lindquist et al., 2019).",
        "Images were smoothed with a Gaussian kernel of 6 mm full width at half "
        "maximum; seeds were read from the images as they were.",
        "The signal of a seed was the mean of its voxels.",
        f"Pearson's correlation of each seed with each of {sbc.n_voxels_} voxels in "
        "the brain mask was transformed to Fisher z.",
    ):
        assert sentence in text
    for word in ("censored", "averaged", "partial", "[", "median", "had no signal"):
        assert word not in text


def test_2_censoring_and_several_runs(fitted, two_runs):
    text = text_of(fitted, two_runs)
    for sentence in (
        "The data were 2 runs of 200 scans (repetition time 1.5 s).",
        "The 3 seeds were spheres of 6 mm radius around (0, -52, 18 mm), ",
        "6 scans of 400 (1.5%) were censored (Power et al., 2014), and filters saw "
        "splines through the kept scans instead.",
        "was transformed to Fisher z and averaged over 2 runs (Silver & Dunlap, 1987).",
    ):
        assert sentence in text


def test_3_nothing_is_cleaned(sample_box):
    run = Run(sample_box.img)
    masker = spheres(sample_box, detrend=False)
    sbc = SeedCorrelationMap(masker, brain(sample_box, detrend=False)).fit(run)
    text = text_of(sbc, run)
    assert "The time series of seeds and voxels were used as they were" in text
    assert "The data were one run of 200 scans." in text
    for word in ("confound", "Lindquist", "filtered", "detrended", "smoothed"):
        assert word not in text


def test_4_high_pass_only_and_confounds_without_names(sample_box):
    run = Run(sample_box.img, sample_box.confounds.to_numpy()[:, :1])
    masker = spheres(sample_box, high_pass=0.02, t_r=1.5, detrend=False)
    own = brain(sample_box, high_pass=0.02, t_r=1.5, detrend=False)
    text = text_of(SeedCorrelationMap(masker, own).fit(run), run)
    assert (
        "were high-pass filtered at 0.02 Hz (Butterworth, order 5, forwards and "
        f"backwards) and cleaned of 1 confound by linear regression{STEPS}" in text
    )
    assert "(repetition time 1.5 s)" in text


def test_5_the_median_of_regions_and_a_low_pass(sample_box, tmp_path):
    nib.save(sample_box.labels_img, tmp_path / "atlas.nii.gz")
    lut = {1: "first", 2: "second", 3: "third", 4: "fourth"}
    sbc = SeedCorrelationMap(
        RegionSeeds(tmp_path / "atlas.nii.gz", ["second", "first"], lut=lut),
        brain(sample_box, detrend=False),
        low_pass=0.1,
        t_r=1.5,
        seed_summary="median",
    ).fit(sample_box.run)
    text = text_of(sbc, sample_box.run)
    for sentence in (
        "The 2 seeds were the regions second and first in atlas.nii.gz.",
        "low-pass filtered at 0.1 Hz (Butterworth, order 5, forwards and backwards).",
        "The signal of a seed was the median of its voxels after cleaning.",
    ):
        assert sentence in text


def test_a_filter_of_another_order(sample_box):
    clean = {"clean_args": {"butterworth__order": 2}, "t_r": 1.5, "low_pass": 0.1}
    own = spheres(sample_box, **clean), brain(sample_box, **clean)
    text = text_of(SeedCorrelationMap(*own).fit(sample_box.run))
    assert "low-pass filtered at 0.1 Hz (Butterworth, order 2, forwards" in text


@pytest.mark.parametrize(
    ("measure", "words"),
    [
        ("partial", "The partial correlation of each seed with each of {}, the other "),
        ("semipartial", "The semipartial correlation of each seed with each of {}, "),
    ],
)
def test_6_other_measures(sample_box, measure, words):
    sbc = SeedCorrelationMap(
        spheres(sample_box, 3), brain(sample_box), measure=measure, seed_summary="pca"
    ).fit(sample_box.run)
    text = text_of(sbc, sample_box.run)
    assert words.format(f"{sbc.n_voxels_} voxels in the brain mask") in text
    assert "(Marrelec et al., 2006), was transformed to Fisher z." in text
    assert "the first principal component of its voxels" in text
    assert "Pearson" not in text


def test_7_maps_as_seeds_and_parcels_as_brain(sample_box):
    sbc = SeedCorrelationMap(
        NiftiMapsMasker(sample_box.maps_img, detrend=True),
        NiftiLabelsMasker(sample_box.labels_img, detrend=True),
    ).fit(sample_box.run)
    text = text_of(sbc, sample_box.run)
    assert "The 3 seeds were weighted maps (seed0, seed1 and seed2)." in text
    assert "The signals of the maps were found by least squares, all at once." in text
    assert "with each of 4 regions was transformed" in text
    assert "The time series of seeds and regions were linearly detrended." in text


def test_8_signals_that_came_with_the_run(sample_box):
    table = pd.DataFrame(np.random.default_rng(0).random((200, 2)))
    table.columns = ["heart rate", "breath"]
    run = Run(sample_box.img, seed_signals=table)
    own = brain(sample_box, smoothing_fwhm=5, detrend=False)
    sbc = SeedCorrelationMap(GivenSignals(), own).fit(run)
    text = text_of(sbc, run)
    assert (
        "The 2 seeds were time series that came with the runs (heart rate and breath)."
        in text
    )
    assert "kernel of 5 mm full width at half maximum." in text
    assert "The signal of a seed" not in text


def test_9_a_surface(surface, seeds_anywhere):
    sbc = SeedCorrelationMap(
        SurfaceSeeds([3], 2.0, hemisphere="left"),
        SurfaceMasker(surface.mask_img),
    ).fit(surface.run)
    text = text_of(sbc, surface.run)
    assert "a disc of 2 mm radius along the surface around " in text
    assert f"each of {sbc.n_voxels_} vertices in the brain mask" in text
    assert "the mean of its vertices" in text


def test_10_seeds_cleaned_and_smoothed_in_another_way(sample_box):
    masker = spheres(sample_box, smoothing_fwhm=4, detrend=False)
    sbc = SeedCorrelationMap(masker, brain(sample_box))
    with pytest.warns(UserWarning, match="clean differently"):
        sbc.fit(sample_box.run)
    text = text_of(sbc, sample_box.run)
    assert "The time series of seeds were used as they were, uncleaned." in text
    assert "Those of voxels were linearly detrended." in text
    assert "half maximum for seeds, and not smoothed for the maps." in text


def test_without_runs_the_confounds_are_asked_for(fitted):
    text = text_of(fitted)
    assert "[Confounds: fit does not keep their names; pass the runs to " in text
    assert "repetition time" not in text
    assert "6 scans of 400 (1.5%) were censored" in text


def test_many_seeds_are_counted(sample_box):
    masker = NiftiMasker(sample_box.mask_img, detrend=True)
    sbc = SeedCorrelationMap(masker, brain(sample_box)).fit(sample_box.run)
    assert f"The {sbc.n_seeds_} seeds were single voxels." in text_of(sbc)


def test_radii_names_and_single_voxels(sample_box):
    first, second, third = sample_box.seeds
    radii = SphereSeeds([first, second], [6, 8], names=["PCC", "b"])
    voxels = SphereSeeds([first, second], None)
    several = SphereSeeds([[first, third]], 6, names=["both"])
    for seeds, words in (
        (
            radii,
            "The 2 seeds were spheres of 6 to 8 mm radius around PCC (0, -52, 18 mm) "
            "and b (21.4, -63.2, 12.9 mm).",
        ),
        (voxels, "single voxels around (0, -52, 18 mm) and (21.4, "),
        (
            several,
            "The seed was a sphere of 6 mm radius around both (0, -52, 18 and -17, "
            "-38, 33 mm).",
        ),
    ):
        own = brain(sample_box, detrend=False)
        sbc = SeedCorrelationMap(seeds, own).fit(sample_box.run)
        assert words in text_of(sbc)


@pytest.mark.parametrize("kind", [SphereSeeds, RegionSeeds, SurfaceSeeds])
def test_places_that_each_run_brings(kind):
    assert placed_by_runs(kind("run")) == ", placed anew in each run"
    assert placed_by_runs(kind([(0, 0, 0)])) == ""


def test_high_variance_confounds_and_cosines(sample_box):
    options = {"high_variance_confounds": True, "high_pass": 0.01, "t_r": 1.5}
    options["clean_args"] = {"filter": "cosine"}
    own = spheres(sample_box, **options), brain(sample_box, **options)
    text = text_of(SeedCorrelationMap(*own).fit(sample_box.run))
    assert "freed of drifts below 0.01 Hz by discrete cosines" in text
    assert "voxels of highest variance (Behzadi et al., 2007)" in text


def test_scales_of_maps(fitted):
    """What the estimator will call `scale` is read where it is there."""
    for scale, words in (("z_score", "z scores, which are standard"), ("r", "hold r")):
        assert words in methods(_Scaled(fitted, scale), Maps.of(fitted))["text"]


class _Scaled:
    """A fitted estimator with one more parameter."""

    def __init__(self, sbc, scale):
        self.sbc, self.scale = sbc, scale

    def __getattr__(self, name):
        return getattr(self.sbc, name)

    def get_params(self, deep=True):
        return {**self.sbc.get_params(deep), "scale": self.scale}


def test_every_citation_has_its_reference_and_no_other(fitted, two_runs):
    found = written(fitted, two_runs)
    cited = {ref.cited for ref in REFERENCES.values() if ref.cited in found["text"]}
    assert {"Biswal et al., 1995", "Power et al., 2014"} <= cited
    assert found["references"].count("\n\n") + 1 == len(cited)
    entries = re.findall(r"^@article\{(\w+),$", found["bibtex"], re.MULTILINE)
    assert sorted(entries) == sorted(
        key for key, ref in REFERENCES.items() if ref.cited in cited
    )
    assert found["bibtex"].count("{") == found["bibtex"].count("}")
    # In brackets stands what has an entry.
    years = re.findall(r"\(([^()]*\b(?:19|20)\d\d)\)", found["text"])
    assert set(years) == cited


@pytest.mark.parametrize("key", sorted(REFERENCES))
def test_references_are_complete(key):
    reference = REFERENCES[key]
    assert re.fullmatch(r"10\.\d{4,}/\S+", reference.doi)
    assert f"https://doi.org/{reference.doi}" in reference.in_full()
    assert key.endswith(str(reference.year))
    assert str(reference.year) in reference.cited
    assert reference.authors.split(",")[0] in reference.cited
