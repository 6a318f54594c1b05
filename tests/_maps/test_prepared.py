"""`PreparedRun`: the r of `fit` for any seed, without the scans."""

import gc
import json
import math
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import joblib
import nibabel as nib
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
from nilearn.signal import clean
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from helpers import OwnSpheres, OwnVoxels, drifting, every_pair, words
from sbc_estimators import PreparedRun, Run, SeedCorrelationMap
from sbc_estimators._maps.seeds import MEASURES, SUMMARIES
from sbc_estimators._support.entries import END
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import (
    GivenSignals,
    RegionSeeds,
    SphereSeeds,
    SurfaceSeeds,
)

pytestmark = [
    pytest.mark.usefixtures("any_dof"),
    pytest.mark.filterwarnings("ignore:seed_masker and brain_masker clean differently"),
]

BAND = {"detrend": True, "high_pass": 0.01, "low_pass": 0.1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two runs in files."""
    folder = tmp_path_factory.mktemp("runs")
    return make_runs(2, 60, 400, n_confounds=2, directory=folder, random_state=0)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def make(data):
    """The function ``(**parameters) -> estimator`` of spheres and smoothed voxels."""

    def made(**parameters):
        seed = SphereSeeds(data.seeds[:2], radius=6)
        brain = NiftiMasker(data.mask_img, smoothing_fwhm=5, **BAND)
        return SeedCorrelationMap(seed, brain).set_params(**parameters)

    return made


def on_disk(folder):
    """Return parameters with which prepared runs lie in files."""
    return {"memory": folder, "memory_level": 2}


def front(mask_img):
    """Return the half of a mask that lies low along y."""
    mask = np.array(mask_img.dataobj)
    mask[:, mask.shape[1] // 2 :] = 0
    return nib.Nifti1Image(mask, mask_img.affine)


def atlas(data):
    """Return four regions of the brain's voxels."""
    labels = np.zeros(data.mask_img.shape, np.int16)
    labels[np.asarray(data.mask_img.dataobj) != 0] = np.arange(400) // 100 + 1
    return nib.Nifti1Image(labels, data.mask_img.affine)


def fitted_r(sbc, run, **parameters):
    """Return r of an estimator with other parameters, fitted without a cache."""
    own = clone(sbc).set_params(memory=None, **parameters)
    return own.fit(run).correlations_


def assert_maps(prepared, sbc, run, **options):
    """Check a map of a prepared run: to the last bit that of an estimator's `fit`."""
    r = prepared.map(**options)
    expected = fitted_r(sbc, run, **options)
    assert r.dtype == np.float32
    np.testing.assert_array_equal(r, expected)


# The r of fit


@pytest.mark.parametrize(
    ("summary", "measure", "with_cache"),
    every_pair(SUMMARIES, MEASURES, [False, True]),
)
def test_every_summary_and_measure(make, data, folder, summary, measure, with_cache):
    run, sbc = data.runs[0], make(**on_disk(folder) if with_cache else {})
    options = {"seed_summary": summary, "measure": measure}
    with sbc.fit(run).prepare(run) as prepared:
        assert_maps(prepared, sbc, run, **options)
    with make(**options).fit(run).prepare(run) as prepared:
        np.testing.assert_array_equal(prepared.map(), fitted_r(sbc, run, **options))


SEEDS = {
    "spheres": lambda data: SphereSeeds([(0, -8, 0), (-8, 12, 0)], radius=5),
    "joined spheres": lambda data: SphereSeeds([[(0, -8, 0), (-8, 12, 0)]], radius=5),
    "ten": lambda data: SphereSeeds([(0, 4 * i - 20, 0) for i in range(10)], radius=0),
    "regions": lambda data: RegionSeeds(atlas(data), [3, [1, 4]]),
    "nilearn's spheres": lambda data: NiftiSpheresMasker(
        [(0, -8, 0)], radius=9, **BAND
    ),
    "nilearn's labels": lambda data: NiftiLabelsMasker(atlas(data), **BAND),
    "nilearn's voxels": lambda data: NiftiMasker(front(data.mask_img), **BAND),
}


@pytest.mark.parametrize("with_cache", [False, True])
@pytest.mark.parametrize("kind", SEEDS)
def test_seeds_of_every_kind(make, data, folder, readings, kind, with_cache):
    run, sbc = data.runs[0], make(**on_disk(folder) if with_cache else {})
    seeds = SEEDS[kind](data)
    with sbc.fit(run).prepare(run) as prepared:
        readings.clear()
        r = prepared.map(seeds)
        assert readings == []
        assert not hasattr(seeds, "seed_names_")
        np.testing.assert_array_equal(r, fitted_r(sbc, run, seed_masker=seeds))


BRAINS = {
    "not smoothed": lambda data: NiftiMasker(data.mask_img, **BAND),
    "not cleaned": lambda data: NiftiMasker(data.mask_img),
    "labels": lambda data: NiftiLabelsMasker(atlas(data), **BAND),
    "labels, smoothed": lambda data: NiftiLabelsMasker(
        atlas(data), smoothing_fwhm=6.0, **BAND
    ),
    "maps": lambda data: NiftiMapsMasker(
        nib.Nifti1Image(
            np.random.default_rng(0).random((*data.mask_img.shape, 3))
            * np.asarray(data.mask_img.dataobj)[..., np.newaxis],
            data.mask_img.affine,
        ),
        **BAND,
    ),
    "no mask": lambda data: NiftiMasker(**BAND),
    "none": lambda data: None,
}


@pytest.mark.parametrize("with_cache", [False, True])
@pytest.mark.parametrize("kind", BRAINS)
def test_brains_of_every_kind(make, data, folder, kind, with_cache):
    run, brain = data.runs[0], BRAINS[kind](data)
    sbc = make(brain_masker=brain, **on_disk(folder) if with_cache else {})
    with sbc.fit(run).prepare(run) as prepared:
        r = prepared.map()
        assert r.shape == (2, sbc.n_voxels_)
        np.testing.assert_array_equal(r, sbc.correlations_)
        seeds = SphereSeeds([(0, -8, 0)], radius=5)
        assert_maps(prepared, sbc, run, seed_masker=seeds)


@pytest.mark.parametrize("with_cache", [False, True])
def test_surfaces(surface, folder, with_cache):
    brain = SurfaceMasker(surface.mask_img, **BAND, t_r=2.0)
    sbc = SeedCorrelationMap(
        SurfaceSeeds([5, 30], radius=None, hemisphere="left"), brain
    )
    sbc.set_params(**on_disk(folder) if with_cache else {})
    run = Run(surface.img, surface.confounds)
    with sbc.fit(run).prepare(run) as prepared:
        np.testing.assert_array_equal(prepared.map(), sbc.correlations_)
        for seeds in (
            SurfaceSeeds([7], radius=1.0, hemisphere="right"),
            RegionSeeds(surface.labels_img),
            SurfaceLabelsMasker(surface.labels_img, **BAND, t_r=2.0),
        ):
            assert_maps(prepared, sbc, run, seed_masker=seeds, seed_summary="median")


@pytest.mark.parametrize("with_cache", [False, True])
def test_every_run_has_its_own_cleaning(make, data, folder, with_cache):
    sbc = make(**on_disk(folder) if with_cache else {}).fit(data.runs)
    (one, other), table = data.runs, np.asarray(data.runs[1].confounds)
    runs = [
        one,
        Run(other.img, other.confounds, t_r=1.5),
        Run(other.img, table[:, :1], t_r=3.0),
        Run(other.img, other.confounds, np.arange(7, 60), t_r=2.0),
    ]
    seeds, ranks = SphereSeeds([(0, -8, 0)], radius=5), []
    for run in runs:
        with sbc.prepare(run) as prepared:
            assert_maps(prepared, sbc, run, seed_masker=seeds)
            ranks.append(prepared.rank)
    assert len(set(ranks)) > 1
    for run, z in zip(runs, sbc.transform(runs), strict=True):
        with sbc.prepare(run) as prepared:
            r = prepared.map().ravel()
        np.testing.assert_allclose(r, np.tanh(z), atol=1e-6)


def test_it_is_that_of_fit_where_parameters_are_changed_afterwards(make, data):
    run = data.runs[0]
    sbc = make(measure="partial", seed_summary="pca", scale="z_score").fit(run)
    sbc.set_params(measure="correlation", seed_summary="mean", scale="r")
    with sbc.prepare(run) as prepared:
        np.testing.assert_array_equal(prepared.map(), sbc.correlations_)


def test_seeds_in_hand_may_be_cleaned_or_smoothed_otherwise(make, data):
    run = data.runs[0]
    for own in ({"smoothing_fwhm": 6.0}, {"low_pass": 0.08}):
        seed = NiftiSpheresMasker(data.seeds[:2], radius=6, **{**BAND, **own})
        sbc = make(seed_masker=seed).fit(run)
        with sbc.prepare(run) as prepared:
            assert_maps(prepared, sbc, run, seed_masker=SphereSeeds([(0, -8, 0)]))
            with pytest.raises(ValueError, match="seed"):
                prepared.map()


def test_given_signals(make, data):
    rng, img = np.random.default_rng(0), data.runs[0].img
    run = Run(img, seed_signals=rng.standard_normal((60, 3)), t_r=2.0)
    sbc = make().fit(run)
    with sbc.prepare(run) as prepared:
        for seeds in (GivenSignals(), GivenSignals(clean=False), GivenSignals([1])):
            for measure in ("correlation", "semipartial"):
                r = prepared.map(seeds, measure=measure)
                expected = fitted_r(sbc, run, seed_masker=seeds, measure=measure)
                np.testing.assert_allclose(r, expected, atol=2e-6)
    with make(seed_masker=GivenSignals()).fit(run).prepare(run) as prepared:
        expected = fitted_r(sbc, run, seed_masker=GivenSignals())
        np.testing.assert_array_equal(prepared.map(), expected)


def test_signals_of_seeds(make, data):
    run = data.runs[0]
    sbc = make().fit(run)
    seeds = SphereSeeds([(0, -8, 0), (-8, 12, 0)], radius=5)
    with sbc.prepare(run) as prepared:
        for own, summary in ((None, None), (seeds, "median")):
            signals = prepared.signals(own, summary)
            assert signals.shape == (60, 2)
            np.testing.assert_allclose(signals.mean(axis=0), 0, atol=1e-6)
            np.testing.assert_allclose(signals.std(axis=0, ddof=1), 1, atol=1e-6)
            other = sbc if own is None else make(seed_masker=own, seed_summary=summary)
            expected = other.fit(run).seed_signals(run)
            np.testing.assert_allclose(signals, expected, atol=2e-5)


def test_rank(make, data):
    run = data.runs[0]
    with make().fit(run).prepare(run) as prepared:
        cleaned = clean(
            np.eye(60), confounds=run.confounds, standardize=None, t_r=2.0, **BAND
        )
        gains = np.linalg.svd(cleaned - cleaned.mean(axis=0), compute_uv=False)
        assert prepared.rank == np.sum(gains > 1e-5)
    with pytest.raises(ValueError, match="closed"):
        _ = prepared.rank


def test_many_threads_map_one_run(make, data, folder):
    run, sbc = data.runs[0], make(**on_disk(folder))
    seeds = [SphereSeeds([(0, 4 * i - 20, 0)], radius=5) for i in range(10)]
    seeds += [SphereSeeds([(0, 4 * i - 20, 0) for i in range(10)], radius=0)]
    with sbc.fit(run).prepare(run) as prepared:
        expected = [prepared.map(own) for own in seeds]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(prepared.map, 3 * seeds))
    for r, own in zip(found, 3 * expected, strict=True):
        np.testing.assert_array_equal(r, own)


# Readings


@pytest.mark.parametrize("with_cache", [False, True])
def test_a_file_is_read_once(make, data, folder, readings, with_cache):
    run, sbc = data.runs[0], make(**on_disk(folder) if with_cache else {})
    sbc.fit(run)
    readings.clear()
    for n in (1, 2):
        with sbc.prepare(run) as prepared:
            for radius in (0, 4, 6, 8):
                prepared.map(SphereSeeds([(0, -8, 0)], radius=radius))
        assert len(readings) == (0 if with_cache else n)


@pytest.mark.parametrize("with_cache", [False, True])
@pytest.mark.parametrize("fwhm", [None, 5.0])
def test_seeds_elsewhere_cost_one_reading(
    make, data, folder, readings, with_cache, fwhm
):
    run = data.runs[0]
    brain = NiftiMasker(front(data.mask_img), smoothing_fwhm=fwhm, **BAND)
    sbc = make(brain_masker=brain, **on_disk(folder) if with_cache else {})
    partly, wholly = (SphereSeeds([(0, y, 0)], radius=6) for y in (4, 12))
    sbc.set_params(seed_masker=SphereSeeds([(0, -12, 0)], radius=4)).fit(run)
    with sbc.prepare(run) as prepared:
        for seeds in (partly, wholly):
            readings.clear()
            for summary in ("mean", "pca"):
                r = prepared.map(seeds, summary)
            assert readings == [str(run.img)]
            expected = fitted_r(sbc, run, seed_masker=seeds, seed_summary="pca")
            np.testing.assert_array_equal(r, expected)
        both = SphereSeeds([(0, -12, 0), (0, 4, 0), (0, 16, 0)], radius=4)
        assert_maps(prepared, sbc, run, seed_masker=both)
    readings.clear()
    with sbc.prepare(run) as prepared:
        prepared.map(partly)
    assert len(readings) == (0 if with_cache else 2)


def test_seeds_in_hand_are_read_with_the_brain(make, data, readings):
    run = data.runs[0]
    sbc = make(brain_masker=NiftiMasker(front(data.mask_img), **BAND)).fit(run)
    assert sbc.seed_report_["in_mask"].min() < 1
    readings.clear()
    with sbc.prepare(run) as prepared:
        for _ in range(2):
            np.testing.assert_array_equal(prepared.map(), sbc.correlations_)
    assert len(readings) == 1


def test_scans_that_are_gone_are_not_missed(make, data, tmp_path):
    run = Run(shutil.copy(data.runs[0].img, tmp_path / "run.nii.gz"), t_r=2.0)
    sbc = make().fit(run)
    with sbc.prepare(run) as prepared:
        Path(run.img).unlink()
        np.testing.assert_array_equal(prepared.map(), sbc.correlations_)


@pytest.mark.parametrize("fwhm", [None, 5.0])
def test_seeds_that_drift(make, data, tmp_path, folder, fwhm):
    brain = NiftiMasker(front(data.mask_img), smoothing_fwhm=fwhm, **BAND)
    behind = np.asarray(front(data.mask_img).dataobj) == 0
    run = drifting(data.runs[0], tmp_path, behind)
    sbc = make(brain_masker=brain, **on_disk(folder))
    seeds = SphereSeeds([(0, -12, 0), (0, 4, 0), (0, 16, 0)], radius=4)
    with sbc.fit(run).prepare(run) as prepared:
        assert_maps(prepared, sbc, run, seed_masker=seeds)


# What is refused


def test_before_fit(make, data):
    with pytest.raises(NotFittedError):
        make().prepare(data.runs[0])


@pytest.mark.parametrize("n_runs", [0, 2])
def test_sequence_of_runs(make, data, n_runs):
    sbc = make().fit(data.runs[0])
    with pytest.raises(ValueError, match=r"run must be one run|at least one run"):
        sbc.prepare(data.runs[:n_runs])


def test_sequence_of_one_run_is_that_run(make, data):
    sbc = make().fit(data.runs[0])
    with sbc.prepare(data.runs[:1]) as prepared:
        np.testing.assert_array_equal(prepared.map(), sbc.correlations_)


def test_run_that_lacks_what_runs_had_in_fit(make, data):
    sbc = make().fit(data.runs)
    with pytest.raises(ValueError, match=r"^run 0 .*every run had confounds in fit"):
        sbc.prepare(data.runs[0].img)


def coarse(mask_img):
    """Return a mask on another grid."""
    affine = np.diag([7.0, 7, 7, 1])
    affine[:3, 3] = [-10, -10, -5]
    box = np.ones((3, 2, 2), np.uint8)
    box[0] = 0  # nilearn warns of an overflow where a mask has no zeros
    return nib.Nifti1Image(box, affine)


REFUSED = {
    "low_pass": (
        lambda data: NiftiSpheresMasker([(0, 0, 0)], **{**BAND, "low_pass": 0.08}),
        "cleaned like the brain.*low_pass .0.08 and 0.1.*fit_transform",
    ),
    "several": (
        lambda data: NiftiSpheresMasker([(0, 0, 0)]),
        "detrend .False and True., .*high_pass .None and 0.01",
    ),
    "smoothing_fwhm": (
        lambda data: NiftiSpheresMasker([(0, 0, 0)], smoothing_fwhm=6.0, **BAND),
        "seed_masker has smoothing_fwhm=6.0.*not smoothed.*None",
    ),
    "resampled": (
        lambda data: NiftiMasker(coarse(data.mask_img), **BAND),
        "seed_masker must be a linear map.*not on the grid.*fit_transform",
    ),
    "other package": (
        lambda data: OwnSpheres([(0, 0, 0)], **BAND),
        "seed_masker must be a linear map.*OwnSpheres.*fit_transform",
    ),
    "outside": (
        lambda data: SphereSeeds([(0, 0, 0), (500, 0, 0)]),
        "seed '.500, 0, 0.' lies outside the image",
    ),
    "overlap": (
        lambda data: SphereSeeds([(0, 0, 0), (4, 0, 0)]),
        "seed '.0, 0, 0.' .* and seed '.4, 0, 0.' .* overlap",
    ),
    "no signal": (
        lambda data: SphereSeeds([(0, 0, 0), (-24, -28, -24)], radius=0),
        "seed .\\(-24, -28, -24\\). .*no signal",
    ),
    "no given signals": (lambda data: GivenSignals(), "seed_masker: .*seed_signals"),
    "radius": (lambda data: SphereSeeds([(0, 0, 0)], radius=-1), "radius"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_seeds_that_are_refused(make, data, case):
    seeds, message = REFUSED[case]
    run = data.runs[0]
    with make().fit(run).prepare(run) as prepared:
        for method in (prepared.map, prepared.signals):
            with pytest.raises(
                ValueError, match=rf"(?s)^(seed_masker|run 0 ).*{message}"
            ):
                method(seeds(data))
        # And goes on.
        assert prepared.map().shape == (2, 400)


@pytest.mark.parametrize("seeds", [SphereSeeds, "PCC", [(0, 0, 0)], 3])
def test_what_is_no_masker(make, data, seeds):
    run = data.runs[0]
    with (
        make().fit(run).prepare(run) as prepared,
        pytest.raises(TypeError, match="seed_masker must"),
    ):
        prepared.map(seeds)


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("seed_summary", "mode", ["mean", "median"]),
        ("measure", "partal", ["partial"]),
        ("measure", 1, ["correlation"]),
        ("seed_summary", ["mean"], ["standardized_mean"]),
    ],
)
def test_options_that_there_are_not(make, data, name, value, known):
    run = data.runs[0]
    with (
        make().fit(run).prepare(run) as prepared,
        pytest.raises(ValueError, match=words(name, repr(value), *known)),
    ):
        prepared.map(**{name: value})


def test_summary_that_needs_regions(make, data):
    run = data.runs[0]
    run = Run(run.img, run.confounds, t_r=2.0, seed_signals=np.eye(60)[:, :2])
    with (
        make().fit(run).prepare(run) as prepared,
        pytest.raises(ValueError, match="seed_summary='pca' needs seeds that are"),
    ):
        prepared.map(GivenSignals(), "pca")


def test_partial_of_copies(make, data):
    run, seeds = data.runs[0], SphereSeeds(2 * [(0, 0, 0)], allow_overlap=True)
    with (
        make().fit(run).prepare(run) as prepared,
        pytest.raises(ValueError, match="measure='partial' takes the other seeds"),
    ):
        prepared.map(seeds, measure="partial")


def test_seeds_in_an_image_of_their_own(make, data):
    (one, other), seeds = data.runs, SphereSeeds([(0, 0, 0)])
    run = Run(
        one.img,
        one.confounds,
        t_r=2.0,
        seed_img=other.img,
        seed_signals=np.random.default_rng(0).standard_normal((60, 1)),
    )
    with make().fit(run).prepare(run) as prepared:
        for own in (None, seeds, NiftiSpheresMasker([(0, 0, 0)], **BAND)):
            with pytest.raises(ValueError, match=r"seeds are in seed_img.*only img"):
                prepared.map(own)
        # Signals that come with the run are in no image.
        assert prepared.map(GivenSignals()).shape == (1, 400)


@pytest.mark.filterwarnings("ignore:.*being resampled")
@pytest.mark.filterwarnings("ignore:.*Generation of a mask has been requested")
@pytest.mark.parametrize("kind", ["other package", "resampled", "strategy"])
def test_brain_that_is_no_known_linear_map(make, data, kind):
    run, brain = (
        data.runs[0],
        {
            "other package": OwnVoxels(data.mask_img, standardize=None, **BAND),
            "resampled": NiftiMasker(coarse(data.mask_img), **BAND),
            "strategy": NiftiLabelsMasker(atlas(data), strategy="median", **BAND),
        }[kind],
    )
    sbc = make(brain_masker=brain).fit(run)
    message = r"^run 0 .*brain_masker must be a linear map.*fit_transform"
    with pytest.raises(ValueError, match=message):
        sbc.prepare(run)


# Closing and sending


def mapped_files(folder):
    """Return what of a folder is mapped into memory."""
    gc.collect()
    maps = Path("/proc/self/maps")
    lines = maps.read_text().splitlines() if maps.exists() else []
    return [line for line in lines if str(folder) in line]


def test_closed(make, data, folder):
    run = data.runs[0]
    for sbc in (make(), make(**on_disk(folder))):
        prepared = sbc.fit(run).prepare(run)
        with prepared as entered:
            assert entered is prepared
            prepared.map()
        for method in (prepared.map, prepared.signals, prepared.__getstate__):
            with pytest.raises(ValueError, match=r"run is closed\. Call prepare once"):
                method()
        prepared.close()
        assert mapped_files(folder) == []


def test_files_are_let_go_after_an_error(make, data, folder):
    run = data.runs[0]
    sbc = make(**on_disk(folder)).fit(run)
    with sbc.prepare(run) as prepared:
        for seeds in (None, SphereSeeds([(500, 0, 0)])):
            with suppress(ValueError):
                prepared.map(seeds)
    assert mapped_files(folder) == []


def test_arrays_lie_in_files(make, data, folder):
    run = data.runs[0]
    sbc = make().fit(run).set_params(**on_disk(folder))
    # Also those that have just been written.
    with sbc.prepare(run) as prepared:
        np.testing.assert_array_equal(prepared.map(), sbc.correlations_)
        assert mapped_files(folder) != [] or not Path("/proc/self/maps").exists()


def test_sent_is_a_path_and_a_key(make, data, folder):
    run = data.runs[0]
    sbc = make(**on_disk(folder)).fit(run)
    with sbc.prepare(run) as prepared:
        prepared.map(SphereSeeds([(0, 0, 0)]))
        sent = pickle.dumps(prepared)
        assert len(sent) < 5000
        assert b"float32" not in sent
        with pickle.loads(sent) as arrived:
            assert isinstance(arrived, PreparedRun)
            np.testing.assert_array_equal(arrived.map(), prepared.map())
            assert arrived.rank == prepared.rank
            mapped = arrived.coordinates()
            np.testing.assert_array_equal(mapped, prepared.coordinates())
            with pytest.raises(ValueError, match=r"plain=True needs .* once more\."):
                arrived.coordinates(plain=True)
            assert len(pickle.dumps(arrived)) < 5000


def in_memory_of(run):
    """Return a run with its image in memory."""
    img = nib.load(run.img)
    img = nib.Nifti1Image(np.asarray(img.dataobj), img.affine)
    return Run(img, run.confounds, t_r=2.0)


def test_of_an_atlas_no_more_than_its_path_is_sent(make, data, folder, tmp_path):
    run, path = data.runs[0], tmp_path / "atlas.nii.gz"
    nib.save(atlas(data), path)
    seeds = RegionSeeds(path, [2, 3])
    sbc = make(seed_masker=seeds, **on_disk(folder)).fit(run)
    with sbc.prepare(run) as prepared:
        sent = pickle.dumps(prepared)
    assert len(sent) < 5000
    with pickle.loads(sent) as arrived:
        np.testing.assert_array_equal(arrived.map(), sbc.correlations_)


def mapped_there(prepared, seeds):
    """Return r of the seeds in hand and of others."""
    with prepared:
        return [prepared.map(), prepared.map(seeds, "median")]


@pytest.mark.parametrize("in_memory", [False, True])
def test_maps_in_other_processes(make, data, folder, in_memory):
    runs = data.runs
    if in_memory:
        runs = [in_memory_of(run) for run in runs]
    sbc = make(**on_disk(folder)).fit(runs)
    seeds = SphereSeeds([(0, -8, 0)], radius=5)
    prepared = [sbc.prepare(run) for run in runs]
    jobs = [joblib.delayed(mapped_there)(own, seeds) for own in prepared]
    found = joblib.Parallel(n_jobs=2)(jobs)
    for own, maps in zip(prepared, found, strict=True):
        for r, expected in zip(maps, mapped_there(own, seeds), strict=True):
            np.testing.assert_array_equal(r, expected)


@pytest.mark.parametrize(
    "seeds",
    [
        NiftiSpheresMasker([(0, -8, 0)], radius=6, **BAND),
        SphereSeeds([(0, -8, 0), (0, 12, 0)], radius=6),
        GivenSignals(),
    ],
)
def test_seeds_in_hand_are_sent(make, data, folder, seeds):
    run = data.runs[0]
    run = Run(run.img, run.confounds, t_r=2.0, seed_signals=np.eye(60)[:, 20:22])
    sbc = make(seed_masker=seeds, measure="semipartial", **on_disk(folder)).fit(run)
    with sbc.prepare(run) as prepared:
        arrived = pickle.loads(pickle.dumps(prepared))
    with arrived:
        np.testing.assert_array_equal(arrived.map(), sbc.correlations_)


def test_seeds_elsewhere_after_it_was_sent(make, data, folder, readings, tmp_path):
    path = shutil.copy(data.runs[0].img, tmp_path / "run.nii.gz")
    run = Run(path, data.runs[0].confounds, t_r=2.0)
    brain = NiftiMasker(front(data.mask_img), **BAND)
    sbc = make(brain_masker=brain, **on_disk(folder))
    sbc.set_params(seed_masker=SphereSeeds([(0, -12, 0)], radius=4)).fit(run)
    with sbc.prepare(run) as prepared:
        sent = pickle.dumps(prepared)
    seeds, others = (SphereSeeds([(0, y, 0)], radius=4) for y in (12, 16))
    expected = fitted_r(sbc, run, seed_masker=seeds)
    readings.clear()
    for _ in range(2):
        with pickle.loads(sent) as arrived:
            np.testing.assert_array_equal(arrived.map(seeds), expected)
    assert len(readings) == 1
    shutil.copy(data.runs[1].img, path)
    with pickle.loads(sent) as arrived:
        np.testing.assert_array_equal(arrived.map(seeds), expected)
        with pytest.raises(
            ValueError, match=r"^run 0 .*has changed.*prepare once more"
        ):
            arrived.map(others)
    Path(path).unlink()
    with pickle.loads(sent) as arrived:
        np.testing.assert_array_equal(arrived.map(seeds), expected)
        with pytest.raises(FileNotFoundError, match=r"^run 0 .*run.nii.gz"):
            arrived.map(others)


def test_image_in_memory_is_not_sent(make, data, folder):
    run = in_memory_of(data.runs[0])
    brain = NiftiMasker(front(data.mask_img), **BAND)
    sbc = make(brain_masker=brain, **on_disk(folder))
    sbc.set_params(seed_masker=SphereSeeds([(0, -12, 0)], radius=4)).fit(run)
    with sbc.prepare(run) as prepared:
        sent = pickle.dumps(prepared)
        beside = SphereSeeds([(0, 12, 0)], radius=4)
        expected = prepared.map(beside)
    assert len(sent) < 5000
    with pickle.loads(sent) as arrived:
        np.testing.assert_array_equal(arrived.map(), sbc.correlations_)
        # Which has been read already.
        np.testing.assert_array_equal(arrived.map(beside), expected)
        with pytest.raises(
            ValueError, match=r"^run 0.*in the memory of another process"
        ):
            arrived.map(SphereSeeds([(0, 16, 0)], radius=4))


def test_a_surface_is_sent_as_its_mesh(surface, folder):
    brain = SurfaceMasker(surface.mask_img, **BAND, t_r=2.0)
    seeds = SurfaceSeeds([5, 30], radius=1.0, hemisphere="left")
    sbc = SeedCorrelationMap(seeds, brain, **on_disk(folder)).fit(surface.img)
    with sbc.prepare(surface.img) as prepared:
        sent = pickle.dumps(prepared)
    assert len(sent) < 5000 + 2 * 120 * 3 * 8
    with pickle.loads(sent) as arrived:
        np.testing.assert_array_equal(arrived.map(), sbc.correlations_)


@pytest.mark.parametrize("level", [None, 0, 1])
def test_arrays_that_lie_in_no_files_are_not_sent(make, data, folder, level):
    run = data.runs[0]
    options = {} if level is None else {"memory": folder, "memory_level": level}
    with (
        make(**options).fit(run).prepare(run) as prepared,
        pytest.raises(TypeError, match=r"memory= and memory_level=2"),
    ):
        pickle.dumps(prepared)


def test_disk_that_is_full(make, data, folder, monkeypatch):
    run = data.runs[0]
    sbc = make().fit(run)
    monkeypatch.setattr(
        "sbc_estimators._support.disks.shutil.disk_usage",
        lambda _: type("Usage", (), {"free": 10}),
    )
    sbc.set_params(**on_disk(folder))
    with pytest.warns(UserWarning, match="no room left"):
        prepared = sbc.prepare(run)
    with prepared:
        np.testing.assert_array_equal(prepared.map(), sbc.correlations_)
        with pytest.raises(TypeError, match="lie in files"):
            pickle.dumps(prepared)


def test_files_that_are_gone(make, data, folder):
    run = data.runs[0]
    with make(**on_disk(folder)).fit(run).prepare(run) as prepared:
        sent, expected = pickle.dumps(prepared), prepared.map()
        shutil.rmtree(folder / "joblib")
        # Here they are in use.
        np.testing.assert_array_equal(prepared.map(), expected)
    arrived = pickle.loads(sent)
    for _ in range(2):
        with pytest.raises(
            FileNotFoundError, match=words("run 0", str(folder), "gone")
        ):
            arrived.map()


# Spoilt files


def spoil(folder, size, name):
    """Change a bit in each 64 bytes of an array of the largest or smallest entry."""
    paths = (folder / "joblib" / "sbc_estimators" / "prepared").glob("*/entry")
    path = size(paths, key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    _, length, _ = END.unpack(content[-END.size :])
    about = json.loads(content[-END.size - length : -END.size])["arrays"][name]
    n_bytes = np.dtype(about["dtype"]).itemsize * math.prod(about["shape"])
    for i in range(about["start"], about["start"] + n_bytes, 64):
        content[i] ^= 16
    with open(path, "r+b") as file:  # in place, where it is mapped
        file.write(content)


SPOILING = [(max, "plain"), (max, "outputs"), (min, "plain")]


@pytest.mark.parametrize(("size", "name"), SPOILING)
def test_spoilt_files_are_made_anew(make, data, folder, readings, size, name):
    run = data.runs[0]
    brain = NiftiMasker(front(data.mask_img), **BAND)
    sbc = make(brain_masker=brain, **on_disk(folder)).fit(run)
    for when in ("before it is opened", "while it is open"):
        if (when, name) == ("while it is open", "outputs"):
            break  # which have been checked, once
        readings.clear()
        if when == "before it is opened":
            spoil(folder, size, name)
        with sbc.prepare(run) as prepared:
            if when == "while it is open":
                spoil(folder, size, name)
            for _ in range(2):
                np.testing.assert_array_equal(prepared.map(), sbc.correlations_)
            assert readings == [str(run.img)]


@pytest.mark.parametrize(("size", "name"), SPOILING)
def test_spoilt_files_where_it_was_sent(make, data, folder, size, name):
    run = data.runs[0]
    brain = NiftiMasker(front(data.mask_img), **BAND)
    sbc = make(brain_masker=brain, **on_disk(folder)).fit(run)
    with sbc.prepare(run) as prepared:
        sent = pickle.dumps(prepared)
    spoil(folder, size, name)
    with pickle.loads(sent) as arrived:
        if size is min:  # soon read again
            np.testing.assert_array_equal(arrived.map(), sbc.correlations_)
            return
        for _ in range(2):
            with pytest.raises(FileNotFoundError, match="prepare once more"):
                arrived.map()
