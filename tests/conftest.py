"""Small runs that tests share, and plain nilearn to compare with."""

import copy
import gc
import os
import pickle
import warnings
from types import SimpleNamespace

import nibabel as nib
import nilearn
import numpy as np
import pytest
import scipy.signal
import sklearn
from _browser import missing_browser, start_browser
from nilearn.maskers import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    NiftiMasker,
    NiftiSpheresMasker,
)
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from sklearn.base import clone
from threadpoolctl import ThreadpoolController

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.__main__ import main
from sbc_estimators._images.volume import VolumeScans
from sbc_estimators._reporting import niivue
from sbc_estimators.datasets import load_sample_run, make_runs

MULTI_MASKERS = (MultiNiftiMasker, MultiNiftiLabelsMasker, MultiNiftiMapsMasker)


def pytest_collection_modifyitems(items):
    """Let tests come first at which joblib ends its processes, which others share."""
    items.sort(key=lambda item: item.get_closest_marker("ends_processes") is None)


def _set_blas_threads(n_threads):
    """Set the threads of each BLAS library, and let any thread set them afterwards."""
    for library in ThreadpoolController().select(user_api="blas").lib_controllers:
        library.set_num_threads(n_threads)
        # From threadpoolctl 3.7 on, others may not while the thread that was first
        # is alive.
        getattr(library, "clear_controlling_thread", lambda: None)()


@pytest.fixture(scope="session")
def set_blas_threads():
    """The function ``n_threads -> None`` for each BLAS library there is."""
    return _set_blas_threads


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread():
    """Let BLAS use one thread: the matrices are small, and more would only wait.

    test_threads.py asks for two, and test_streaming.py compares.
    """
    _set_blas_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _filters_are_designed_once():
    """Keep what scipy computes of a filter from its band alone.

    nilearn asks for it at each call, and for small runs waits longer for it than for
    the filtering.
    """
    design, designed = scipy.signal.butter, {}

    def butter(*args, **options):
        key = pickle.dumps((args, options))
        if key not in designed:
            designed[key] = design(*args, **options)
        return copy.deepcopy(designed[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scipy.signal, "butter", butter)
        yield


@pytest.fixture(scope="module", autouse=True)
def _little_to_collect():
    """Leave what there is before a file's tests out of garbage collection.

    nilearn 0.13 collects garbage each time it reads an image, which takes as long as
    there are objects to look at. Nothing may unfreeze: that would bring back all that
    was imported.
    """
    gc.collect()
    gc.freeze()


def _nilearn_signals(masker, run):
    """Return what a masker makes of a run by itself, not standardized."""
    masker = clone(masker).set_params(standardize=None)
    # The same numbers, without nilearn's loop over voxels in Python.
    clean_args = {"butterworth__copy": True, **(masker.clean_args or {})}
    masker.set_params(clean_args=clean_args)
    if run.t_r is not None:
        masker.set_params(t_r=run.t_r)
    confounds, sample_mask = run.confounds, run.sample_mask
    if isinstance(masker, MULTI_MASKERS):
        confounds, sample_mask = [confounds], [sample_mask]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what nilearn says of itself
        masker.fit(run.img)
        return masker.transform(run.img, confounds=confounds, sample_mask=sample_mask)


def _nilearn_r(seed_masker, brain_masker, run):
    """Return np.corrcoef of seed and voxel signals, `(n_seeds, n_voxels)`."""
    seeds = _nilearn_signals(seed_masker, run)
    voxels = _nilearn_signals(brain_masker, run)
    return np.corrcoef(seeds, voxels, rowvar=False)[: seeds.shape[1], seeds.shape[1] :]


@pytest.fixture(scope="session")
def nilearn_signals():
    """The function ``(masker, run) -> signals`` of plain nilearn."""
    return _nilearn_signals


@pytest.fixture(scope="session")
def nilearn_r():
    """The function ``(seed_masker, brain_masker, run) -> r`` of plain nilearn."""
    return _nilearn_r


def _float64(img):
    """Return an image with its data in float64, in memory."""
    return nib.Nifti1Image(np.array(img.dataobj, dtype=np.float64), img.affine)


def _regions(mask_img, n_regions):
    """Return a label image: slabs of the brain along y, 0 outside and at the edge."""
    mask = np.zeros(mask_img.shape, dtype=bool)
    inner = (slice(1, -1),) * 3
    mask[inner] = np.asarray(mask_img.dataobj)[inner] != 0
    slabs = np.linspace(1, n_regions + 1, mask.shape[1], endpoint=False).astype(int)
    labels = np.where(mask, slabs[np.newaxis, :, np.newaxis], 0)
    return nib.Nifti1Image(labels.astype(np.int16), mask_img.affine)


def _soft_maps(mask_img, n_maps):
    """Return maps of positive weights that overlap, 0 outside the brain."""
    mask = np.asarray(mask_img.dataobj) != 0
    weights = np.random.default_rng(0).random((*mask.shape, n_maps))
    weights[~mask] = 0
    return nib.Nifti1Image(weights, mask_img.affine)


def _coarser(mask_img, voxel_size):
    """Return a mask of other voxels, shifted, in the middle half of the image."""
    shape = np.array(mask_img.shape)
    edges = shape * nib.affines.voxel_sizes(mask_img.affine)
    affine = np.diag([voxel_size] * 3 + [1.0])
    affine[:3, 3] = mask_img.affine[:3, 3] + edges / 4 + [0.3, 0.7, -0.4]
    data = np.ones(np.floor(edges / 2 / voxel_size).astype(int), dtype=np.uint8)
    data[0] = 0  # nilearn warns of an overflow where a mask has no zeros
    return nib.Nifti1Image(data, affine)


def _volume_data(img, mask_img, seeds, confounds, t_r):
    """Return everything that maskers of a run's voxels are made of."""
    return SimpleNamespace(
        img=img,
        mask_img=mask_img,
        seeds=seeds,
        confounds=confounds,
        t_r=t_r,
        n_scans=img.shape[-1],
        labels_img=_regions(mask_img, 4),
        maps_img=_soft_maps(mask_img, 3),
        coarse_mask_img=_coarser(mask_img, 7.0),
        run=Run(img, t_r=t_r),
    )


@pytest.fixture(scope="session")
def sample_box():
    """The sample run around the posterior cingulate: float64, 11 x 9 x 8 voxels."""
    sample = load_sample_run()
    box = (slice(11, 22), slice(8, 17), slice(13, 21))
    return _volume_data(
        _float64(nib.load(sample.func).slicer[box]),
        nib.load(sample.mask_img).slicer[box],
        [(0, -52, 18), (21.4, -63.2, 12.9), (-17, -38, 33)],
        sample.run.confounds,
        sample.t_r,
    )


@pytest.fixture(scope="session")
def two_runs(sample_box):
    """The same box of the sample run twice: whole, and with scans left out."""
    options = {"confounds": sample_box.confounds, "t_r": sample_box.t_r}
    kept = np.delete(np.arange(sample_box.n_scans), [0, 1, 50, 51, 52, 120])
    return [
        Run(sample_box.img, **options),
        Run(sample_box.img, sample_mask=kept, **options),
    ]


@pytest.fixture(scope="session")
def fitted(sample_box, two_runs):
    """An estimator of three spheres, fitted to two runs."""
    return SeedCorrelationMap(
        NiftiSpheresMasker(sample_box.seeds, radius=6, detrend=True),
        NiftiMasker(sample_box.mask_img, smoothing_fwhm=6, detrend=True),
        low_pass=0.1,
        high_pass=0.01,
    ).fit(two_runs)


def _simulated(n_voxels, random_state):
    """Return a simulated run of voxels of 4 mm, 100 scans, in float64."""
    data = make_runs(1, 100, n_voxels, n_confounds=3, random_state=random_state)
    run = data.runs[0]
    return _volume_data(
        _float64(run.img), data.mask_img, data.seeds, run.confounds, run.t_r
    )


@pytest.fixture(scope="session")
def simulated():
    """A simulated run of 600 voxels.

    A draw in which no masker of these tests has a voxel without signal, and with
    room for spheres of 10 mm.
    """
    return _simulated(600, 15)


@pytest.fixture(scope="session")
def larger():
    """A simulated run of 1000 voxels, of which spheres leave some out."""
    return _simulated(1000, 0)


def _random_mesh(rng, n_vertices):
    """Return a mesh of vertices anywhere and a strip of faces."""
    first = np.arange(n_vertices - 2)
    faces = np.stack([first, first + 1, first + 2], axis=1)
    return InMemoryMesh(rng.standard_normal((n_vertices, 3)), faces)


@pytest.fixture(scope="session")
def surface():
    """A surface run of 2 x 60 vertices and 90 scans, with masks, labels and maps."""
    rng = np.random.default_rng(1)
    parts = ("left", "right")
    mesh = PolyMesh(**{part: _random_mesh(rng, 60) for part in parts})

    def image(make):
        return SurfaceImage(mesh, {part: make() for part in parts})

    common = rng.standard_normal(90).cumsum()
    img = image(lambda: 100 + rng.random((60, 1)) * common + rng.normal(size=(60, 90)))
    confounds = rng.standard_normal((90, 3)) + common[:, np.newaxis]
    return SimpleNamespace(
        img=img,
        mask_img=image(lambda: rng.random(60) < 0.7),
        labels_img=image(lambda: np.arange(60) // 20),
        maps_img=image(lambda: rng.random((60, 3))),
        confounds=confounds,
        t_r=2.0,
        n_scans=90,
        run=Run(img, t_r=2.0),
    )


@pytest.fixture(scope="session")
def default_maps(tmp_path_factory):
    """The folder that the command writes without arguments."""
    folder = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([]) == 0
    return folder / "sbc_map"


@pytest.fixture
def routing():
    """Turn scikit-learn's metadata routing on."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def seeds_anywhere(monkeypatch):
    """Let seeds lie where runs have no signal, which tests of arithmetic do at times.

    That less than half of a seed gives a warning, `test_seed_quality.py` tests.
    """
    monkeypatch.setattr("sbc_estimators._maps.reports.LEAST_COVERAGE", -1.0)


@pytest.fixture
def readings(monkeypatch):
    """The files whose scans have been read, one entry a reading."""
    blocks, seen = VolumeScans.blocks, []

    def noted(self, kept):
        if self.image.get_filename():
            seen.append(self.image.get_filename())
        return blocks(self, kept)

    monkeypatch.setattr(VolumeScans, "blocks", noted)
    return seen


@pytest.fixture
def any_dof(monkeypatch):
    """Let cleaning leave few degrees of freedom, as in small runs it may.

    That it gives a warning, `test_statistics.py` tests.
    """
    monkeypatch.setattr("sbc_estimators._maps.reports.LEAST_DOF", 0.0)


# Pages


@pytest.fixture(scope="session")
def started_browser():
    """The function ``(*flags) -> driver`` that starts Chromium."""
    missing = missing_browser()
    if missing and os.environ.get("SBC_NEEDS_BROWSER"):
        pytest.fail(f"{missing}, and SBC_NEEDS_BROWSER is set")
    if missing:
        pytest.skip(f"{missing}, so that no page is opened")
    started = []

    def start(*flags):
        started.append(start_browser(*flags))
        return started[-1]

    yield start
    for driver in started:
        driver.quit()


@pytest.fixture(scope="session")
def browser(started_browser):
    """Chromium with WebGL."""
    return started_browser()


@pytest.fixture(scope="session")
def browser_without_webgl(started_browser):
    """Chromium without WebGL."""
    return started_browser("--disable-3d-apis")


@pytest.fixture(scope="session")
def viewer():
    """Skip what needs the viewer where nilearn has none."""
    if niivue.niivue_script() is None:
        pytest.skip("this nilearn brings no viewer along")


@pytest.fixture
def older_nilearn(monkeypatch):
    """Let nilearn be one that brings no viewer along."""

    class Older:
        @staticmethod
        def view_surf(surf_mesh, surf_map):
            raise AssertionError("is never called as it was")

    monkeypatch.setattr(niivue, "nilearn_plotting", lambda: Older)
    monkeypatch.setattr(nilearn, "__version__", "0.13.0")
    niivue.niivue_script.cache_clear()
    yield
    niivue.niivue_script.cache_clear()
