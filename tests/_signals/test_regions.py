"""What seeds are made of: every kind against what plain nilearn extracts."""

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
from scipy import sparse

from sbc_estimators._arrays import regions as _regions
from sbc_estimators._arrays.regions import (
    SeedRegions,
    label_regions,
    map_regions,
    mean_regions,
    smoothed_regions,
    voxel_regions,
)
from sbc_estimators._arrays.smoothing import smoothing_matrices
from sbc_estimators._signals.compiled import raw_signals
from sbc_estimators._signals.regions_of_maskers import seed_regions
from sbc_estimators._signals.sources import SignalSource

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


def draw(seed=1):
    """Return a generator of numbers."""
    return np.random.default_rng(seed)


LABELS = draw(1).integers(0, 5, (7, 6, 5)).astype(np.int16)
MASK = (draw(2).random((7, 6, 5)) < 0.6).astype(np.int8)
NOT_3 = (LABELS != 3).astype(np.int8)
MAPS = draw(3).standard_normal((7, 6, 5, 4)) * (draw(4).random((7, 6, 5, 4)) < 0.5)
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
    rng = draw(5)
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


RNG = draw(6)
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
    rng = draw(7)
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
    """Return an image's scans, `(n_voxels, n_scans)`."""
    if hasattr(img, "mesh"):
        return np.concatenate(list(img.data.parts.values()))
    return img.get_fdata().reshape(-1, img.shape[3])


def regions_of(masker, img):
    """Return the regions of a fitted masker."""
    return seed_regions(SignalSource("seed_masker", masker), img, "run 0")


def assert_consistent(regions, n_voxels):
    """Check what a description of seeds promises by itself."""
    assert regions.weights.shape == (len(regions.inputs), regions.n_seeds)
    assert regions.membership.shape == (len(regions.members), regions.n_seeds)
    for places in (regions.inputs, regions.members):
        assert (np.diff(places) > 0).all()
        assert 0 <= places.min() <= places.max() < n_voxels
    if regions.smoothing is None:
        assert regions.inputs is regions.members
    else:
        shape = (len(regions.inputs), len(regions.members))
        assert regions.smoothing.shape == shape


@pytest.mark.parametrize("name", VOLUME)
def test_volume_seeds_are_those_of_nilearn(volume, name):
    masker = fitted(VOLUME[name], volume)
    expected = extracted(masker, volume)
    regions = regions_of(masker, volume)
    assert isinstance(regions, SeedRegions)
    assert_consistent(regions, 7 * 6 * 5)
    signals = regions.signals(flat(volume)[regions.inputs])
    np.testing.assert_allclose(signals, expected, rtol=TOLERANCE, atol=1e-10)
    source = SignalSource("seed_masker", masker)
    in_memory = raw_signals(source, volume, "run 0")
    np.testing.assert_allclose(in_memory, expected, rtol=TOLERANCE, atol=1e-10)


@pytest.mark.parametrize("name", SURFACE)
def test_surface_seeds_are_those_of_nilearn(surface_run, name):
    run = float64(surface_run)
    masker = fitted(SURFACE[name], run)
    expected = extracted(masker, run)
    regions = regions_of(masker, run)
    assert_consistent(regions, 90)
    signals = regions.signals(flat(run)[regions.inputs])
    np.testing.assert_allclose(signals, expected, rtol=TOLERANCE, atol=1e-10)
    source = SignalSource("seed_masker", masker)
    in_memory = raw_signals(source, run, "run 0")
    np.testing.assert_allclose(in_memory, expected, rtol=TOLERANCE, atol=1e-10)


def test_members_are_smoothed_voxels(volume):
    masker = fitted(NiftiLabelsMasker(image(LABELS), smoothing_fwhm=6.0), volume)
    regions = regions_of(masker, volume)
    smoothed = flat(smooth_img(volume, 6.0))[regions.members]
    raw = flat(volume)[regions.inputs]
    np.testing.assert_allclose(raw.T @ regions.smoothing, smoothed.T, rtol=TOLERANCE)
    np.testing.assert_array_equal(regions.members, np.flatnonzero(LABELS))


def test_members_of_maps_have_weight(volume):
    maps = np.zeros((7, 6, 5, 2))
    maps[1:3, 2, 2, 0] = 1, 3
    maps[2:4, 2, 2, 1] = -2, 0.5
    regions = regions_of(fitted(NiftiMapsMasker(image(maps)), volume), volume)
    expected = np.flatnonzero(maps.any(axis=3))
    np.testing.assert_array_equal(regions.members, expected)


def test_voxels_with_negative_weights_alone(volume):
    # nilearn 0.13 leaves them out where there is a mask.
    masker = fitted(NiftiMapsMasker(image(MAPS), mask_img=image(MASK)), volume)
    regions = regions_of(masker, volume)
    inside = MASK.astype(bool) & MAPS.any(axis=3)
    np.testing.assert_array_equal(regions.members, np.flatnonzero(inside))
    expected = np.linalg.lstsq(MAPS[inside], volume.get_fdata()[inside], rcond=None)[0]
    signals = regions.signals(flat(volume)[regions.inputs])
    np.testing.assert_allclose(signals, expected.T, rtol=TOLERANCE)


def test_whole_numbers_are_averaged_in_float64():
    data = draw(8).integers(0, 3, (7, 6, 5, 8)).astype(np.int16)
    run = image(data)
    masker = fitted(NiftiLabelsMasker(image(LABELS)), run)
    regions = regions_of(masker, run)
    expected = [data[label == LABELS].mean(axis=0) for label in range(1, 5)]
    signals = regions.signals(data.reshape(-1, 8)[regions.inputs])
    np.testing.assert_allclose(signals, np.transpose(expected), rtol=1e-13)


def test_names_of_regions_have_no_say(volume):
    lut = NiftiLabelsMasker(image(LABELS)).fit(volume).lut_
    lut = lut[lut["index"] != 3].reset_index(drop=True)
    masker = NiftiLabelsMasker(image(LABELS), lut=lut)
    masker = fitted(masker, volume)
    regions = regions_of(masker, volume)
    signals = regions.signals(flat(volume)[regions.inputs])
    expected = extracted(masker, volume)
    np.testing.assert_allclose(signals, expected, rtol=TOLERANCE)


# Why there are none

MOVED = affine_of() + np.eye(4)[:, [3]] * 0 + np.outer([1, 0, 0, 0], [0, 0, 0, 1.0])
DISJOINT = np.stack([LABELS == 1, LABELS == 2], axis=-1).astype(float)

REASONS = {
    "median": (NiftiLabelsMasker(image(LABELS), strategy="median"), "is no mean"),
    "sum": (NiftiLabelsMasker(image(LABELS), strategy="sum"), "is no mean"),
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
    "maps-overlap": (
        NiftiMapsMasker(image(DISJOINT), allow_overlap=False),
        "allow_overlap=False",
    ),
    "mask-grid": (NiftiMasker(image(MASK, MOVED)), "has to be resampled"),
}


@pytest.mark.parametrize("name", REASONS)
def test_reasons(volume, name):
    masker, reason = REASONS[name]
    masker = fitted(masker, None if "labels-mask" in name else volume)
    assert reason in regions_of(masker, volume)


def test_fast_smoothing_is_no_matrix(volume):
    masker = fitted(NiftiLabelsMasker(image(LABELS)), volume)
    masker.smoothing_fwhm = "fast"
    assert regions_of(masker, volume) == (
        "smoothing_fwhm='fast' is not one matrix an axis"
    )


def test_a_smoothing_matrix_that_is_too_large(volume, monkeypatch):
    masker = fitted(NiftiLabelsMasker(image(LABELS), smoothing_fwhm=6.0), volume)
    expected = extracted(masker, volume)
    monkeypatch.setattr(_regions, "MOST_SMOOTHING_WEIGHTS", 1000)
    n_voxels = np.count_nonzero(LABELS)
    reason = f"{n_voxels} voxels are too many to smooth by one matrix"
    assert regions_of(masker, volume) == reason
    signals = raw_signals(SignalSource("seed_masker", masker), volume, "run 0")
    np.testing.assert_allclose(signals, expected, rtol=TOLERANCE)


def test_another_mesh(surface_run):
    masker = SurfaceLabelsMasker(SURFACE_LABELS).fit()
    other = surface(lambda n: np.ones((n, 8)), mesh_of(40, 51))
    assert regions_of(masker, other) == "the run is on another mesh"


def test_surface_labels_in_a_column(surface_run):
    # nilearn compares each vertex with each label of them.
    parts = {k: v[:, np.newaxis] for k, v in SURFACE_LABELS.data.parts.items()}
    column = SurfaceLabelsMasker(SurfaceImage(MESH, parts)).fit()
    plain = SurfaceLabelsMasker(SURFACE_LABELS).fit()
    found, expected = (regions_of(masker, surface_run) for masker in (column, plain))
    np.testing.assert_array_equal(found.members, expected.members)
    assert (found.membership != expected.membership).nnz == 0


@pytest.mark.parametrize("strategy", ["median", "sum"])
def test_surface_labels_that_are_no_means(surface_run, strategy):
    masker = SurfaceLabelsMasker(SURFACE_LABELS, strategy=strategy).fit()
    assert regions_of(masker, surface_run) == f"strategy={strategy!r} is no mean"


def test_smoothing_on_a_surface(surface_run):
    masker = SurfaceLabelsMasker(SURFACE_LABELS).fit()
    masker.smoothing_fwhm = 4.0
    assert regions_of(masker, surface_run) == "surfaces are smoothed by nilearn"


# Arrays


def test_means_may_share_voxels():
    regions = mean_regions([np.array([7, 3]), np.array([3]), np.array([9, 7, 3])])
    assert regions.members.tolist() == [3, 7, 9]
    expected = [[1 / 2, 1, 1 / 3], [1 / 2, 0, 1 / 3], [0, 0, 1 / 3]]
    np.testing.assert_allclose(regions.membership.toarray(), expected)
    assert regions.sizes().tolist() == [2, 1, 3]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32", ">i2", ">f8"])
def test_means_in_float64(dtype, order):
    data = draw(11).integers(0, 120, (120, 30)).astype(dtype, order=order)
    regions = mean_regions([np.array([0]), np.array([1, 7, 50]), np.arange(120)])
    signals = regions.signals(data[regions.inputs])
    numbers = data.astype(np.float64)
    expected = [numbers[[0]], numbers[[1, 7, 50]], numbers]
    expected = np.stack([voxels.mean(axis=0) for voxels in expected], axis=1)
    assert signals.dtype == np.float64
    np.testing.assert_allclose(signals, expected, rtol=1e-13)


def test_means_of_integers_do_not_overflow():
    data = np.full((8, 3), 30_001, dtype=np.int16)
    data[0] = 30_000
    signals = mean_regions([np.arange(8)]).signals(data)
    np.testing.assert_allclose(signals, 30_000.875, rtol=1e-14)


def test_means_of_float32_keep_small_fluctuations():
    data = (1e4 + draw(12).standard_normal((1000, 5))).astype(np.float32)
    expected = data.astype(np.float64).mean(axis=0)
    signals = mean_regions([np.arange(1000)]).signals(data)
    np.testing.assert_allclose(signals[:, 0], expected, rtol=1e-14)


def test_a_mean_over_nothing_is_0():
    regions = mean_regions([np.array([4]), np.array([], dtype=int)])
    assert regions.membership.toarray().tolist() == [[1, 0]]
    assert regions.sizes().tolist() == [1, 0]


def test_labels_in_the_order_wanted():
    labels = np.array([5, 0, 2, 5, 9, 2, 2])
    regions = label_regions(labels, [9, 2, 4])
    assert regions.members.tolist() == [2, 4, 5, 6]
    expected = [[0, 1 / 3, 0], [1, 0, 0], [0, 1 / 3, 0], [0, 1 / 3, 0]]
    np.testing.assert_allclose(regions.membership.toarray(), expected)
    assert regions.sizes().tolist() == [1, 3, 0]


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_means(seed):
    rng = draw(seed)
    labels, values = rng.integers(-3, 9, 200), rng.standard_normal((200, 4))
    wanted = rng.permutation(np.unique(labels))[:5]
    regions = label_regions(labels, wanted)
    expected = [values[labels == label].mean(axis=0) for label in wanted]
    signals = regions.signals(values[regions.inputs])
    np.testing.assert_allclose(signals, np.transpose(expected), rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 3, 4])
def test_maps_are_least_squares(rank):
    rng = draw(9)
    maps = rng.standard_normal((60, rank)) @ rng.standard_normal((rank, 4))
    maps[::3] = 0
    values = rng.standard_normal((60, 5))
    regions = map_regions(maps)
    assert len(regions.members) == 40
    expected = np.linalg.pinv(maps, rcond=1e-12) @ values
    signals = regions.signals(values[regions.inputs])
    np.testing.assert_allclose(signals, expected.T, atol=1e-11)


def test_no_maps_at_all():
    regions = map_regions(np.zeros((6, 2)))
    assert regions.membership.shape == (0, 2)


def test_voxels_are_themselves():
    regions = voxel_regions(np.array([2, 5]))
    assert regions.membership.toarray().tolist() == [[1, 0], [0, 1]]
    raw = np.array([[1, 2], [3, 4]], dtype=np.int8)
    assert regions.signals(raw).tolist() == [[1, 3], [2, 4]]
    assert regions.signals(raw).dtype == np.float64


def test_smoothing_joins_the_weights():
    shape = (6, 5, 4)
    matrices = smoothing_matrices(5.0, affine_of(), shape)
    plain = mean_regions([np.array([3, 50]), np.array([50, 51, 119])])
    regions = smoothed_regions(plain, matrices, shape)
    volumes = draw(10).standard_normal((*shape, 3))
    smoothed = smooth_img(image(volumes), 5.0).get_fdata().reshape(-1, 3)
    expected = plain.signals(smoothed[plain.inputs])
    raw = volumes.reshape(-1, 3)
    np.testing.assert_allclose(regions.signals(raw[regions.inputs]), expected)
    assert sparse.issparse(regions.weights)
    assert regions.membership is plain.membership
