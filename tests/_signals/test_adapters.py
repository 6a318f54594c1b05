"""What maskers do to space: every kind against what plain nilearn extracts."""

import warnings

import nibabel as nib
import numpy as np
import pytest
from nilearn.image import smooth_img
from nilearn.maskers import (
    MultiNiftiLabelsMasker,
    MultiNiftiMapsMasker,
    MultiNiftiMasker,
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage

from sbc_estimators._images.grids import NotLinearError
from sbc_estimators._images.opening import open_scans
from sbc_estimators._signals.kinds import adapter_of
from sbc_estimators._support.threads import OneWorker

TOLERANCE = 1e-10

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*masked_(labels|maps).*:FutureWarning"),
    # nilearn says so of a width of 0.
    pytest.mark.filterwarnings("ignore:The parameter 'fwhm' for smoothing"),
]


def affine_of(sizes=(3.0, 4.0, 5.0)):
    """Return an affine of voxels of these sizes in mm."""
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -10, 4, 7
    return affine


@pytest.fixture(scope="module")
def volume():
    """A run of 7 x 6 x 5 voxels and 8 scans."""
    rng = np.random.default_rng(0)
    return nib.Nifti1Image(100 + rng.standard_normal((7, 6, 5, 8)), affine_of())


def image(data, affine=None):
    """Return data as a volume on the grid of the run."""
    return nib.Nifti1Image(data, affine_of() if affine is None else affine)


LABELS = np.random.default_rng(1).integers(0, 5, (7, 6, 5)).astype(np.int16)
MASK = (np.random.default_rng(2).random((7, 6, 5)) < 0.6).astype(np.int8)
NOT_3 = (LABELS != 3).astype(np.int8)
MAPS = np.random.default_rng(3).standard_normal((7, 6, 5, 4))
MAPS *= np.random.default_rng(4).random(MAPS.shape) < 0.5
POSITIVE = np.abs(MAPS)
SEEDS = [(-1, 12, 17), (5, 16, 22)]


def with_nan(values):
    """Return values as floats of which one is not a number."""
    values = values.astype(np.float64)
    values[1, 2, 3] = np.nan
    return values


def one_map_outside(maps, mask):
    """Return maps of which the second lies outside of a mask."""
    maps = maps.copy()
    maps[..., 1] *= mask == 0
    return maps


VOLUME = {
    "mask": NiftiMasker(image(MASK)),
    "mask-smoothed": NiftiMasker(image(MASK), smoothing_fwhm=7.0),
    "mask-smoothed-0": NiftiMasker(image(MASK), smoothing_fwhm=0),
    "multi-mask": MultiNiftiMasker(image(MASK)),
    "labels": NiftiLabelsMasker(image(LABELS)),
    "labels-background": NiftiLabelsMasker(image(LABELS), background_label=2),
    "labels-no-background": NiftiLabelsMasker(image(LABELS), background_label=-1),
    "labels-float": NiftiLabelsMasker(image(with_nan(LABELS))),
    "labels-smoothed": NiftiLabelsMasker(image(LABELS), smoothing_fwhm=6.0),
    "labels-mask": NiftiLabelsMasker(image(LABELS), mask_img=image(MASK)),
    "labels-mask-smoothed": NiftiLabelsMasker(
        image(LABELS), mask_img=image(MASK), smoothing_fwhm=6.0
    ),
    "labels-mask-loses-one": NiftiLabelsMasker(image(LABELS), mask_img=image(NOT_3)),
    "labels-mask-keeps-lost": NiftiLabelsMasker(
        image(LABELS), mask_img=image(NOT_3), keep_masked_labels=True
    ),
    "labels-target-labels": NiftiLabelsMasker(
        image(LABELS), mask_img=image(MASK), resampling_target="labels"
    ),
    "labels-target-none": NiftiLabelsMasker(image(LABELS), resampling_target=None),
    "labels-names": NiftiLabelsMasker(image(LABELS), labels=["a", "b", "c", "d"]),
    "multi-labels": MultiNiftiLabelsMasker(image(LABELS)),
    "maps": NiftiMapsMasker(image(MAPS)),
    "maps-float32": NiftiMapsMasker(image(MAPS.astype(np.float32))),
    "maps-whole": NiftiMapsMasker(image((3 * MAPS).astype(np.int16))),
    "maps-smoothed": NiftiMapsMasker(image(MAPS), smoothing_fwhm=6.0),
    "maps-mask": NiftiMapsMasker(image(POSITIVE), mask_img=image(MASK)),
    "maps-mask-smoothed": NiftiMapsMasker(
        image(POSITIVE), mask_img=image(MASK), smoothing_fwhm=6.0
    ),
    "maps-mask-loses-one": NiftiMapsMasker(
        image(one_map_outside(POSITIVE, MASK)), mask_img=image(MASK)
    ),
    "maps-mask-keeps-lost": NiftiMapsMasker(
        image(one_map_outside(POSITIVE, MASK)),
        mask_img=image(MASK),
        keep_masked_maps=True,
    ),
    "maps-dependent": NiftiMapsMasker(image(MAPS[..., [0, 1, 0, 2]])),
    "maps-one-empty": NiftiMapsMasker(image(MAPS * [1, 0, 1, 1])),
    "maps-target-maps": NiftiMapsMasker(image(MAPS), resampling_target="maps"),
    "multi-maps": MultiNiftiMapsMasker(image(MAPS)),
    "spheres": NiftiSpheresMasker(SEEDS, radius=6.1, allow_overlap=True),
    "spheres-voxel": NiftiSpheresMasker(SEEDS),
    "spheres-mask": NiftiSpheresMasker(
        SEEDS, radius=9.1, mask_img=image(MASK), allow_overlap=True
    ),
    "spheres-smoothed": NiftiSpheresMasker(
        SEEDS, radius=6.1, smoothing_fwhm=7.0, allow_overlap=True
    ),
}


def mesh_of(n_left=40, n_right=50):
    """Return a mesh of two parts with vertices anywhere."""
    rng = np.random.default_rng(5)
    parts = {}
    for name, n_vertices in (("left", n_left), ("right", n_right)):
        faces = np.arange(n_vertices - 2)[:, np.newaxis] + np.arange(3)
        parts[name] = InMemoryMesh(rng.standard_normal((n_vertices, 3)), faces)
    return PolyMesh(**parts)


MESH = mesh_of()


def surface(make, mesh=MESH):
    """Return an image of what a function makes of each part's number of vertices."""
    parts = {name: make(part.n_vertices) for name, part in mesh.parts.items()}
    return SurfaceImage(mesh, parts)


RNG = np.random.default_rng(6)
SURFACE_LABELS = surface(lambda n: RNG.integers(0, 6, n))
SURFACE_MASK = surface(lambda n: RNG.random(n) < 0.6)
SURFACE_MAPS = surface(lambda n: RNG.standard_normal((n, 3)))

SURFACE = {
    "mask": SurfaceMasker(SURFACE_MASK),
    "all": SurfaceMasker(),
    "labels": SurfaceLabelsMasker(SURFACE_LABELS),
    "labels-background": SurfaceLabelsMasker(SURFACE_LABELS, background_label=2),
    "labels-mask": SurfaceLabelsMasker(SURFACE_LABELS, mask_img=SURFACE_MASK),
    "maps": SurfaceMapsMasker(SURFACE_MAPS),
    "maps-mask": SurfaceMapsMasker(SURFACE_MAPS, mask_img=SURFACE_MASK),
}


@pytest.fixture(scope="module")
def surface_run():
    """A surface run of 8 scans; nilearn has maps in float32, so its numbers are."""
    rng = np.random.default_rng(7)
    return surface(lambda n: rng.standard_normal((n, 8)).astype(np.float32) + 0.0)


def float64(img):
    """Return a SurfaceImage in float64."""
    return SurfaceImage(
        img.mesh, {k: v.astype(np.float64) for k, v in img.data.parts.items()}
    )


def fitted(masker, img):
    """Return a masker as it is fitted by itself, without a word."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return masker.set_params(standardize=None).fit(img)


def extracted(masker, img):
    """Return what a fitted nilearn masker extracts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signals = np.asarray(masker.transform([img] if is_multi(masker) else img))
    return signals[0] if is_multi(masker) else signals


def is_multi(masker):
    """Whether a masker takes lists of images."""
    return type(masker).__name__.startswith("Multi")


def flat(img):
    """Return an image's scans, `(n_positions, n_scans)`."""
    if hasattr(img, "mesh"):
        return np.concatenate(list(img.data.parts.values()))
    return img.get_fdata().reshape(-1, img.shape[3])


def adapter(masker):
    """Return the adapter of a fitted masker."""
    return adapter_of(masker, "seed_masker")


def map_of(masker, img):
    """Return what a fitted masker does to space on the grid of a run."""
    return adapter(masker).on(open_scans(img).grid)


def reason_of(masker, img):
    """Return why a fitted masker is no map that is known."""
    with pytest.raises(NotLinearError) as caught:
        map_of(masker, img)
    return str(caught.value)


def members_of(spatial, img):
    """Return the scans of a map's members, smoothed if it smooths."""
    rows = flat(img)[spatial.inputs].T
    return spatial.member_rows(spatial.inputs, rows, OneWorker())


def signals_of(spatial, img):
    """Return the raw signals of a map's outputs, `(n_scans, n_outputs)`."""
    members = members_of(spatial, img)
    if spatial.weights is None:
        return members
    return (spatial.weights.T @ members.T).T


def in_memory(masker, img):
    """Return what the adapter extracts of scans in memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what nilearn says of masks
        signals, spoilt = adapter(masker).extract(img, None)
    assert spoilt is None
    return signals


def assert_consistent(spatial, n_positions):
    """Check what a map promises by itself."""
    for places in (spatial.inputs, spatial.members):
        assert (np.diff(places) > 0).all()
        assert 0 <= places.min() <= places.max() < n_positions
    if spatial.smoothing is None:
        assert spatial.inputs is spatial.members
    if spatial.weights is not None:
        assert spatial.weights.shape == (len(spatial.members), spatial.n_outputs)
    assert len(list(spatial.members_of_outputs())) == spatial.n_outputs


@pytest.mark.parametrize("name", VOLUME)
def test_volume_seeds_are_those_of_nilearn(volume, name):
    masker = fitted(VOLUME[name], volume)
    expected = extracted(masker, volume)
    spatial = map_of(masker, volume)
    assert_consistent(spatial, 7 * 6 * 5)
    found = signals_of(spatial, volume)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-10)
    found = in_memory(masker, volume)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-10)


@pytest.mark.parametrize("name", SURFACE)
def test_surface_seeds_are_those_of_nilearn(surface_run, name):
    run = float64(surface_run)
    masker = fitted(SURFACE[name], run)
    expected = extracted(masker, run)
    spatial = map_of(masker, run)
    assert_consistent(spatial, 90)
    found = signals_of(spatial, run)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-10)
    found = in_memory(masker, run)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-10)


def test_members_are_smoothed_voxels(volume):
    masker = fitted(NiftiLabelsMasker(image(LABELS), smoothing_fwhm=6.0), volume)
    spatial = map_of(masker, volume)
    smoothed = flat(smooth_img(volume, 6.0))[spatial.members]
    np.testing.assert_allclose(members_of(spatial, volume), smoothed.T, rtol=TOLERANCE)
    np.testing.assert_array_equal(spatial.members, np.flatnonzero(LABELS))


def test_members_of_maps_have_weight(volume):
    maps = np.zeros((7, 6, 5, 2))
    maps[1:3, 2, 2, 0] = 1, 3
    maps[2:4, 2, 2, 1] = -2, 0.5
    spatial = map_of(fitted(NiftiMapsMasker(image(maps)), volume), volume)
    expected = np.flatnonzero(maps.any(axis=3))
    np.testing.assert_array_equal(spatial.members, expected)


def test_voxels_with_negative_weights_alone(volume):
    # nilearn 0.13 leaves them out where there is a mask.
    masker = fitted(NiftiMapsMasker(image(MAPS), mask_img=image(MASK)), volume)
    spatial = map_of(masker, volume)
    inside = MASK.astype(bool) & MAPS.any(axis=3)
    np.testing.assert_array_equal(spatial.members, np.flatnonzero(inside))
    expected = np.linalg.lstsq(MAPS[inside], volume.get_fdata()[inside], rcond=None)[0]
    signals = signals_of(spatial, volume)
    np.testing.assert_allclose(signals, expected.T, rtol=TOLERANCE)


def test_whole_numbers_are_averaged_in_float64():
    data = np.random.default_rng(8).integers(0, 3, (7, 6, 5, 8)).astype(np.int16)
    run = image(data)
    masker = fitted(NiftiLabelsMasker(image(LABELS)), run)
    spatial = map_of(masker, run)
    expected = [data[label == LABELS].mean(axis=0) for label in range(1, 5)]
    signals = open_scans(run).signals(spatial)
    np.testing.assert_allclose(signals, np.transpose(expected), rtol=1e-13)


def test_names_of_regions_have_no_say(volume):
    lut = NiftiLabelsMasker(image(LABELS)).fit(volume).lut_
    lut = lut[lut["index"] != 3].reset_index(drop=True)
    masker = NiftiLabelsMasker(image(LABELS), lut=lut)
    masker = fitted(masker, volume)
    spatial = map_of(masker, volume)
    signals = signals_of(spatial, volume)
    expected = extracted(masker, volume)
    np.testing.assert_allclose(signals, expected, rtol=TOLERANCE)


# Why there are none

MOVED = affine_of() + np.eye(4)[:, [3]] * 0 + np.outer([1, 0, 0, 0], [0, 0, 0, 1.0])

REASONS = {
    "median": (NiftiLabelsMasker(image(LABELS), strategy="median"), "is no mean"),
    "maximum": (NiftiLabelsMasker(image(LABELS), strategy="maximum"), "is no mean"),
    "labels-grid": (
        NiftiLabelsMasker(image(LABELS, MOVED), resampling_target="labels"),
        "not on the grid of the labels",
    ),
    "labels-mask-grid": (
        NiftiLabelsMasker(image(LABELS), mask_img=image(MASK, MOVED)),
        "not on the grid of the mask",
    ),
    "maps-grid": (
        NiftiMapsMasker(image(MAPS, MOVED), resampling_target="maps"),
        "not on the grid of the maps",
    ),
    "mask-grid": (NiftiMasker(image(MASK, MOVED)), "has to be resampled"),
}


@pytest.mark.parametrize("name", REASONS)
def test_reasons(volume, name):
    masker, reason = REASONS[name]
    masker = fitted(masker, None if "labels-mask" in name else volume)
    assert reason in reason_of(masker, volume)


def test_fast_smoothing_is_no_matrix(volume):
    masker = fitted(NiftiLabelsMasker(image(LABELS)), volume)
    masker.smoothing_fwhm = "fast"
    reason = "smoothing_fwhm='fast' is not one matrix an axis"
    assert reason_of(masker, volume) == reason


def test_another_mesh(surface_run):
    masker = SurfaceLabelsMasker(SURFACE_LABELS).fit()
    other = surface(lambda n: np.ones((n, 8)), mesh_of(40, 51))
    assert reason_of(masker, other) == "the run is on another mesh"


def test_surface_labels_in_a_column(surface_run):
    # nilearn compares each vertex with each label of them.
    parts = {k: v[:, np.newaxis] for k, v in SURFACE_LABELS.data.parts.items()}
    column = SurfaceLabelsMasker(SurfaceImage(MESH, parts)).fit()
    plain = SurfaceLabelsMasker(SURFACE_LABELS).fit()
    found, expected = (map_of(masker, surface_run) for masker in (column, plain))
    np.testing.assert_array_equal(found.members, expected.members)
    assert (found.weights != expected.weights).nnz == 0


@pytest.mark.parametrize("strategy", ["median", "maximum"])
def test_surface_labels_that_are_no_means(surface_run, strategy):
    masker = SurfaceLabelsMasker(SURFACE_LABELS, strategy=strategy).fit()
    assert reason_of(masker, surface_run) == f"strategy={strategy!r} is no mean"


def test_smoothing_on_a_surface(surface_run):
    masker = SurfaceLabelsMasker(SURFACE_LABELS).fit()
    masker.smoothing_fwhm = 4.0
    assert reason_of(masker, surface_run) == "surfaces are smoothed by nilearn"
