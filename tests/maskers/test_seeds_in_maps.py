"""Our own seeds in `SeedCorrelationMap`: cleaned as the brain is, never smoothed."""

import pickle
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from masker_helpers import NAMES, mask_of
from nilearn.maskers import NiftiMasker, SurfaceMasker
from nilearn.signal import clean
from nilearn.surface import SurfaceImage
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from helpers import every_pair, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds

TOLERANCE = 2e-6
COPY = {"butterworth__copy": True}
CLEANINGS = {
    "filter": {"detrend": True, "low_pass": 0.1, "high_pass": 0.01},
    "cosine": {"high_pass": 0.01, "clean_args": {"filter": "cosine"}},
    "trend": {"detrend": True},
}


def case(make, changes, brain, run, names):
    """Return what the tests of all kinds need of one."""
    return SimpleNamespace(
        make=make, changes=changes, brain=brain, run=run, names=names
    )


KINDS = {
    "spheres": lambda data, _: case(
        SphereSeeds(data.seeds[:2], [8.0, 6.0], names=["PCC", "a b"]),
        {"radius": [6.0, 12.0]},
        NiftiMasker(data.mask_img, smoothing_fwhm=6.0),
        data,
        ["PCC", "a b"],
    ),
    "regions": lambda data, _: case(
        RegionSeeds(data.labels_img, ["front", ["back", "top"]], lut=NAMES),
        {"regions": ["top", 2]},
        NiftiMasker(data.mask_img, smoothing_fwhm=6.0),
        data,
        ["front", "back + top"],
    ),
    "mask-image": lambda data, _: case(
        RegionSeeds(mask_of(data, 2), names=["PCC"]),
        {"labels_img": mask_of(data, 3)},
        NiftiMasker(data.mask_img),
        data,
        ["PCC"],
    ),
    "surface-regions": lambda _, cortex: case(
        RegionSeeds(cortex.labels_img, ["front", "back"], lut=NAMES, hemisphere="left"),
        {"regions": ["top"], "hemisphere": "right"},
        SurfaceMasker(cortex.mask_img),
        cortex,
        ["left front", "left back"],
    ),
    "discs": lambda _, cortex: case(
        SurfaceSeeds([22, [77, 99]], 7.0, hemisphere="right", names=["V1", "both"]),
        {"radius": [3.0, None], "seeds": [3, 22]},
        SurfaceMasker(cortex.mask_img),
        cortex,
        ["V1", "both"],
    ),
}


@pytest.fixture(params=KINDS)
def kind(request, sample_box, cortex):
    """Return one kind of seed masker, and a run and brain masker for it."""
    return KINDS[request.param](sample_box, cortex)


def cleaned_seeds(seeds, brain, run):
    """Return raw signals of seeds, cleaned as a brain masker says."""
    own = brain.get_params()
    return clean(
        clone(seeds).fit_transform(run.img),
        standardize=None,
        detrend=own["detrend"],
        low_pass=own["low_pass"],
        high_pass=own["high_pass"],
        t_r=run.t_r,
        confounds=run.confounds,
        sample_mask=run.sample_mask,
        **{**COPY, **(own["clean_args"] or {})},
    )


def expected_r(seeds, brain, run):
    """Return np.corrcoef of cleaned seeds and what the brain masker makes."""
    options = {"standardize": None, "t_r": run.t_r}
    options["clean_args"] = {**COPY, **(brain.clean_args or {})}
    brain = clone(brain).set_params(**options)
    voxels = brain.fit().transform(
        run.img, confounds=run.confounds, sample_mask=run.sample_mask
    )
    signals = cleaned_seeds(seeds, brain, run)
    n_seeds = signals.shape[1]
    return np.corrcoef(signals, voxels, rowvar=False)[:n_seeds, n_seeds:]


@pytest.mark.parametrize("cleaning", CLEANINGS)
def test_seeds_are_cleaned_as_the_brain_is_and_never_smoothed(kind, cleaning):
    confounds = np.asarray(kind.run.confounds)[:, :2]
    kept = np.arange(2, kind.run.img.shape[-1])
    run = Run(kind.run.img, confounds, sample_mask=kept, t_r=kind.run.t_r)
    brain = clone(kind.brain).set_params(**CLEANINGS[cleaning])
    sbc = SeedCorrelationMap(kind.make, brain).fit([run])
    expected = expected_r(kind.make, brain, run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)
    signals = cleaned_seeds(kind.make, brain, run)
    signals = (signals - signals.mean(axis=0)) / signals.std(axis=0, ddof=1)
    np.testing.assert_allclose(signals, sbc.seed_signals(run), atol=1e-6)
    assert sbc.seed_names_ == kind.names
    assert sbc.paths_["seed_masker"] == "streamed"


# nilearn 0.14.1 lets in those with a censored scan as far from the other end.
CENSORED = [0, 20, 21, -21]


def with_a_jump(values, jump):
    """Return numbers whose last axis is scans with a jump in the censored ones."""
    values = np.array(values, dtype=np.float64)
    values[..., CENSORED] += jump
    return values


@pytest.mark.parametrize(
    ("name", "cleaning", "jump"), every_pair(KINDS, CLEANINGS, [500.0, np.nan])
)
def test_censored_scans_have_no_say(sample_box, cortex, name, cleaning, jump):
    kind = KINDS[name](sample_box, cortex)
    img = kind.run.img
    if hasattr(img, "mesh"):
        parts = {name: with_a_jump(x, jump) for name, x in img.data.parts.items()}
        other = SurfaceImage(img.mesh, parts)
    else:
        other = nib.Nifti1Image(with_a_jump(img.get_fdata(), jump), img.affine)
    confounds = np.asarray(kind.run.confounds)[:, :2]
    kept = np.delete(np.arange(img.shape[-1]), CENSORED)
    run = Run(img, confounds, sample_mask=kept, t_r=kind.run.t_r)
    spoilt = with_a_jump(confounds.T, jump).T
    spoilt = Run(other, spoilt, sample_mask=kept, t_r=kind.run.t_r)
    brain = clone(kind.brain).set_params(**CLEANINGS[cleaning])
    sbc = SeedCorrelationMap(kind.make, brain).fit([run])
    np.testing.assert_allclose(sbc.transform([spoilt]), sbc.transform([run]), atol=1e-6)


def test_given_signals_are_cleaned_unless_they_are_clean(sample_box, physiology):
    signals = physiology[["breath", "pupil"]]
    confounds = np.asarray(sample_box.confounds)[:, :2]
    run = Run(sample_box.img, confounds, t_r=sample_box.t_r, seed_signals=signals)
    brain = NiftiMasker(sample_box.mask_img, **CLEANINGS["filter"])
    options = {"standardize": None, "t_r": run.t_r, "clean_args": COPY}
    voxels = clone(brain).set_params(**options).fit()
    voxels = voxels.transform(run.img, confounds=confounds)
    cleaning = {"low_pass": 0.1, "high_pass": 0.01, "t_r": run.t_r, **COPY}
    cleaned = clean(
        signals.to_numpy(), standardize=None, confounds=confounds, **cleaning
    )
    for is_clean, expected in ((True, cleaned), (False, signals.to_numpy())):
        seeds = GivenSignals(["breath", "pupil"], clean=is_clean)
        sbc = SeedCorrelationMap(seeds, brain).fit(run)
        expected = np.corrcoef(expected, voxels, rowvar=False)[:2, 2:]
        np.testing.assert_allclose(sbc.correlations_, expected, atol=TOLERANCE)
        assert sbc.seed_names_ == ["breath", "pupil"]


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_given_signals_are_no_brain(sample_box, physiology, method):
    run = Run(sample_box.img, seed_signals=physiology)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds), GivenSignals())
    expected = words("brain_masker", "must give", "got GivenSignals", "as seed_masker")
    with pytest.raises(TypeError, match=expected):
        getattr(sbc, method)(run)


def test_parameters_are_set_from_outside(kind):
    brain = clone(kind.brain).set_params(detrend=True)
    pipeline = Pipeline([("map", SeedCorrelationMap(kind.make, brain))])
    before = pipeline.fit_transform([kind.run.run])
    changes = {f"map__seed_masker__{k}": v for k, v in kind.changes.items()}
    if "seeds" in kind.changes or "regions" in kind.changes:
        changes["map__seed_masker__names"] = None
    after = pipeline.set_params(**changes).fit_transform([kind.run.run])
    assert after.shape != before.shape or np.abs(after - before).max() > 1e-3
    changed = clone(kind.make).set_params(**kind.changes)
    expected = expected_r(changed, brain, kind.run.run)
    r = pipeline["map"].correlations_
    np.testing.assert_allclose(r, expected, rtol=0, atol=TOLERANCE)
    # What the user passed is as it was.
    assert not hasattr(kind.make, "seed_names_")


def test_cloned_and_pickled(kind):
    brain = clone(kind.brain).set_params(detrend=True)
    sbc = SeedCorrelationMap(kind.make, brain)
    z = sbc.fit_transform([kind.run.run])
    for copied in (clone(sbc).fit(kind.run.run), pickle.loads(pickle.dumps(sbc))):
        np.testing.assert_array_equal(copied.transform([kind.run.run]), z)


@pytest.mark.filterwarnings("ignore:run 0. cleaning leaves")  # drifts, here
def test_as_brain_masker(kind):
    seeds = clone(kind.make)
    sbc = SeedCorrelationMap(seeds, clone(seeds)).fit(kind.run.run)
    expected = np.corrcoef(seeds.fit_transform(kind.run.img), rowvar=False)
    np.testing.assert_allclose(sbc.correlations_, np.atleast_2d(expected), atol=1e-6)
    assert sbc.inverse_transform(sbc.transform([kind.run.run])).shape[-1] == len(
        kind.names
    )


def test_targets_of_ours_are_not_filtered_without_a_word(kind):
    sbc = SeedCorrelationMap(kind.make, clone(kind.make), low_pass=0.1)
    with pytest.raises(ValueError, match=words("low_pass=0.1", "brain_masker", "no")):
        sbc.fit(kind.run.run)


def test_default_brain_is_of_the_seeds_kind(kind):
    sbc = SeedCorrelationMap(kind.make).fit(kind.run.run)
    if hasattr(kind.run.img, "mesh"):
        assert isinstance(sbc.brain_masker_, SurfaceMasker)
        assert sbc.n_voxels_ == 181
    else:
        assert isinstance(sbc.brain_masker_, NiftiMasker)


def test_search_over_radii(sample_box):
    runs = [
        Run(sample_box.img.slicer[..., a : a + 50], t_r=1.5) for a in (0, 50, 100, 150)
    ]
    seeds = SphereSeeds(sample_box.seeds[:2])
    brain = NiftiMasker(sample_box.mask_img, detrend=True)
    pipeline = Pipeline([("map", SeedCorrelationMap(seeds, brain)), ("fit", Ridge())])
    grid = {"map__seed_masker__radius": [6.0, [4.0, 9.0]]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(runs, [0.0, 1, 2, 3])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_runs_of_different_grids(sample_box):
    other = sample_box.img.slicer[1:, :, 1:]
    seeds = RegionSeeds(sample_box.labels_img, [2, 3])
    brain = SphereSeeds(sample_box.seeds, 8.0)
    sbc = SeedCorrelationMap(seeds, brain).fit([sample_box.img, other])
    expected = [
        np.corrcoef(seeds.fit_transform(img), brain.fit_transform(img), rowvar=False)[
            :2, 2:
        ]
        for img in (sample_box.img, other)
    ]
    expected = np.tanh(np.mean(np.arctanh(expected), axis=0))
    np.testing.assert_allclose(sbc.correlations_, expected, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda d: SphereSeeds([d.seeds[0], (500, 0, 0)], names=["PCC", "far"]),
            "seed 'far' at (500, 0, 0) mm lies outside the image",
        ),
        (lambda d: SphereSeeds(d.seeds, 40), "allow_overlap=True"),
        (
            lambda d: RegionSeeds(d.labels_img, [3], mask_img=mask_of(d, 1)),
            "no voxel is left of region '3'",
        ),
    ],
)
def test_errors_name_run_and_masker(sample_box, make, said):
    sbc = SeedCorrelationMap(make(sample_box), NiftiMasker(sample_box.mask_img))
    with pytest.raises(ValueError, match=words("seed_masker", said)):
        sbc.fit(sample_box.img)


def test_kinds_that_do_not_match(sample_box, cortex):
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds), SurfaceMasker())
    with pytest.raises(TypeError, match=words("seed_masker", "spheres", "a surface")):
        sbc.fit(cortex.img)
    sbc = SeedCorrelationMap(RegionSeeds(cortex.labels_img), NiftiMasker())
    with pytest.raises(TypeError, match=words("seed_masker", "the run is a volume")):
        sbc.fit(sample_box.img)


def test_subclass_does_all_by_itself(sample_box):
    class Louder(SphereSeeds):
        def transform(self, X):
            return 2 * super().transform(X)

    brain = NiftiMasker(sample_box.mask_img)
    sbc = SeedCorrelationMap(Louder(sample_box.seeds[:1]), brain).fit(sample_box.img)
    assert sbc.paths_["seed_masker"].startswith("reference")


def test_parameters_are_not_the_fault_of_a_run(sample_box):
    labels = nib.Nifti1Image(np.ones((3, 3, 3), np.int16), np.eye(4))
    sbc = SeedCorrelationMap(RegionSeeds(labels, ["frond"], lut=["front"]))
    with pytest.raises(ValueError, match=r"there is no region 'frond'\. Did") as info:
        sbc.fit(sample_box.img)
    assert str(info.value).startswith("seed_masker")
    assert "run 0" not in str(info.value)
