"""Grayordinates: r beside np.corrcoef, and beside the same run in its two parts."""

import pickle
import warnings

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import SeriesAxis
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from nilearn.signal import clean
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from grayordinate_helpers import (
    CORTEX,
    column_of,
    labels_of,
    maps_of,
    medial_wall,
    of_axes,
    save,
    save_as,
    simulated_acquisition,
)
from helpers import words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._images.cifti import CiftiScans
from sbc_estimators.datasets import make_grayordinate_runs
from sbc_estimators.maskers import (
    GivenSignals,
    GrayordinateMasker,
    RegionSeeds,
    SphereSeeds,
    SurfaceSeeds,
)

BAND = {"low_pass": 0.1, "high_pass": 0.01, "detrend": True}


@pytest.fixture(scope="module")
def data():
    return simulated_acquisition(90)


def cleaned(signals, data, cleaning, confounds=None):
    """Return signals as nilearn cleans them, in float64."""
    given = {"detrend": False, "standardize": None, "t_r": 2.0, **cleaning}
    # The same numbers, without nilearn's loop over grayordinates in Python.
    clean_args = {"butterworth__copy": True, **given.pop("clean_args", {})}
    return clean(signals, confounds=confounds, **given, **clean_args)


def expected_r(seed, data, cleaning, confounds=None, matrix=None):
    """Return np.corrcoef of a raw seed signal with all grayordinates."""
    return expected_rs([seed], data, cleaning, confounds, matrix)[0]


def expected_rs(seeds, data, cleaning, confounds=None, matrix=None):
    """Return the same of several signals, `(n_seeds, n_grayordinates)`."""
    matrix = data.matrix if matrix is None else matrix
    seeds = np.transpose(seeds)
    both = cleaned(np.column_stack([seeds, matrix]), data, cleaning, confounds)
    n_seeds = seeds.shape[1]
    return np.corrcoef(both, rowvar=False)[:n_seeds, n_seeds:]


def vertex_seed(data, **options):
    """Return the seed of the first network, one vertex of the left hemisphere."""
    return SurfaceSeeds([data.seeds[0]], None, hemisphere="left", **options)


def column(data):
    """Return the column of that seed."""
    return column_of(data.axis, "left", data.seeds[0])


# r

CLEANINGS = [
    {},
    BAND,
    {"detrend": True},
    {"high_pass": 0.02, "clean_args": {"filter": "cosine"}},
    {"low_pass": 0.1, "t_r": 1.3},
]


@pytest.mark.parametrize("with_confounds", [False, True])
@pytest.mark.parametrize("cleaning", CLEANINGS)
def test_r_is_that_of_nilearn_cleaned_signals(data, cleaning, with_confounds):
    confounds = data.confounds if with_confounds else None
    brain = GrayordinateMasker(**cleaning)
    sbc = SeedCorrelationMap(vertex_seed(data), brain).fit(Run(data.img, confounds))
    seed = data.matrix[:, column(data)]
    expected = expected_r(seed, data, cleaning, confounds)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)
    assert sbc.paths_ == {"seed_masker": "streamed", "brain_masker": "streamed"}


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "i2"])
def test_files_of_any_type(data, tmp_path, dtype):
    path = save_as(data.img, tmp_path / "a.dtseries.nii", dtype)
    sbc = SeedCorrelationMap(vertex_seed(data), GrayordinateMasker(**BAND)).fit(path)
    matrix = nib.load(path).get_fdata()
    expected = expected_r(matrix[:, column(data)], data, BAND, matrix=matrix)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)


def test_the_default_brain_is_all_grayordinates(data):
    sbc = SeedCorrelationMap(vertex_seed(data)).fit(data.img)
    assert type(sbc.brain_masker_) is GrayordinateMasker
    assert sbc.n_voxels_ == len(data.axis)
    expected = expected_r(data.matrix[:, column(data)], data, {})
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)


def test_the_default_brain_is_cleaned_as_the_seeds_of_nilearn(data):
    mask_img = nib.Nifti1Image(voxel_mask(data), data.axis.affine)
    seeds = NiftiMasker(mask_img, detrend=True, runs=np.arange(90) // 45)
    sbc = SeedCorrelationMap(seeds).fit(data.img)
    assert sbc.brain_masker_.detrend
    assert sbc.brain_masker_.runs is not None


def test_true_correlations():
    truth = make_grayordinate_runs(1, 900, 100, 100, noise=0.5, random_state=3)
    seeds = SurfaceSeeds(truth.seeds[::2], None, hemisphere="left")
    sbc = SeedCorrelationMap(seeds).fit(truth.runs[0])
    assert np.abs(sbc.correlations_ - truth.correlations[::2]).mean() < 0.05
    with sbc.prepare(truth.runs[0]) as prepared:
        found = prepared.map(SphereSeeds(truth.seeds[1:2], radius=None))
    assert np.abs(found - truth.correlations[1:2]).mean() < 0.05


def test_signals_are_smoothed_first(data):
    brain = GrayordinateMasker(smoothing_fwhm=9.0, mesh=data.mesh, **BAND)
    sbc = SeedCorrelationMap(vertex_seed(data), brain).fit(data.img)
    smoothed = GrayordinateMasker(smoothing_fwhm=9.0, mesh=data.mesh)
    matrix = smoothed.fit_transform(data.img)
    seed = data.matrix[:, column(data)]
    expected = expected_r(seed, data, BAND, matrix=matrix)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)
    assert sbc.paths_["brain_masker"] == "streamed"


def test_confounds_of_high_variance(data):
    options = {"detrend": True, "high_variance_confounds": True}
    brain = GrayordinateMasker(**options)
    sbc = SeedCorrelationMap(vertex_seed(data), brain).fit(data.img)
    signals = brain.fit_transform(data.img)
    expected = np.corrcoef(signals, rowvar=False)[column(data)]
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)


def test_scores_and_statistics(data):
    brain = GrayordinateMasker(**BAND)
    sbc = SeedCorrelationMap(vertex_seed(data), brain, scale="z_score")
    z = sbc.fit_transform(data.run)
    (statistics,) = sbc.statistics(data.run)
    np.testing.assert_allclose(statistics.z_score, z)
    assert sbc.brain_signals(data.run).shape == (90, len(data.axis))
    assert sbc.seed_signals(data.run).shape == (90, 1)


# Beside its two parts


def test_cortex_is_as_on_the_surface(data):
    brain = SurfaceMasker(**BAND)
    seed = vertex_seed(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the medial wall
        surface = SeedCorrelationMap(seed, brain).fit(
            Run(data.surface_img, data.confounds, t_r=2.0)
        )
    ours = SeedCorrelationMap(seed, GrayordinateMasker("cortex", **BAND))
    found = ours.fit(data.run).correlations_[0]
    vertices = [data.axis.vertex[data.axis.name == name] for name in CORTEX.values()]
    expected = surface.correlations_[0][np.r_[vertices[0], 200 + vertices[1]]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_discs_are_as_on_the_surface(data):
    places = [data.seeds[0], tuple(data.mesh.parts["right"].coordinates[60].tolist())]
    options = {"radius": [25.0, 12.0], "hemisphere": ["left", None]}
    on_surface = SurfaceSeeds(places, **options).fit(data.surface_img)
    expected = on_surface.transform(data.surface_img)
    ours = SurfaceSeeds(places, mesh=data.mesh, **options).fit(data.img)
    found = ours.transform(data.img)
    np.testing.assert_allclose(
        np.corrcoef(found.T, expected.T)[:2, 2:].diagonal(), 1, atol=1e-12
    )
    values = ours.inverse_transform([1.0, 2.0]).get_fdata()[0]
    assert set(values) == {0.0, 1.0, 2.0}


def test_voxels_are_as_in_a_volume(data):
    mask_img = nib.Nifti1Image(
        (data.volume_img.get_fdata()[..., 0] != 0).astype("u1"), data.axis.affine
    )
    seed = SphereSeeds([data.seeds[1]], radius=6.0)
    run = Run(data.volume_img, data.confounds, t_r=2.0)
    volume = SeedCorrelationMap(seed, NiftiMasker(mask_img, **BAND)).fit(run)
    ours = SeedCorrelationMap(seed, GrayordinateMasker("subcortex", **BAND))
    img = ours.inverse_transform(ours.fit_transform(data.run))
    axis = img.header.get_axis(1)
    expected = volume.inverse_transform(volume.fit_transform(run)).get_fdata()
    expected = expected[tuple(axis.voxel.T)][:, 0]
    np.testing.assert_allclose(img.get_fdata()[0], expected, atol=1e-6)
    assert ours.seed_report_.n_voxels[0] < volume.seed_report_.n_voxels[0] + 1


def test_cortex_of_seeds_in_voxels(data):
    seed = SphereSeeds([data.seeds[1]], radius=6.0)
    run = Run(data.img, seed_img=data.volume_img)
    apart = SeedCorrelationMap(seed, GrayordinateMasker(**BAND)).fit(run)
    together = SeedCorrelationMap(seed, GrayordinateMasker(**BAND)).fit(data.img)
    np.testing.assert_allclose(apart.correlations_, together.correlations_, atol=1e-6)


# Seeds


def test_spheres_and_what_is_left_of_them(data):
    seeds = SphereSeeds([data.seeds[1]], radius=9.0)
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(**BAND)).fit(data.img)
    voxels = data.axis.voxel[data.is_voxel]
    mm = nib.affines.apply_affine(data.axis.affine, voxels)
    inside = np.linalg.norm(mm - data.seeds[1], axis=1) <= 9
    signal = data.matrix[:, data.is_voxel][:, inside].mean(axis=1)
    np.testing.assert_allclose(
        sbc.correlations_[0], expected_r(signal, data, BAND), atol=1e-5
    )
    report = sbc.seed_report_.iloc[0]
    grid = np.indices(data.axis.volume_shape).reshape(3, -1).T
    places = nib.affines.apply_affine(data.axis.affine, grid)
    n_whole = (np.linalg.norm(places - data.seeds[1], axis=1) <= 9).sum()
    assert report.n_voxels == inside.sum()
    assert report.coverage == pytest.approx(inside.sum() / n_whole)
    np.testing.assert_allclose(seeds.fit_transform(data.img)[:, 0], signal)


def atlas_codes(data):
    """Return an atlas of four regions over all grayordinates, 0 in some."""
    return np.arange(len(data.axis)) * 5 // len(data.axis)


NAMES = {1: "V1", 2: "V2", 3: "thalamic", 4: "deep"}


def test_regions_of_a_dlabel_by_name(data, tmp_path):
    codes = atlas_codes(data)
    path = save(labels_of(data.axis, codes, NAMES), tmp_path / "atlas.dlabel.nii")
    seeds = RegionSeeds(path, ["deep", ["V1", "V2"]])
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(**BAND)).fit(data.img)
    assert sbc.seed_names_ == ["deep", "V1 + V2"]
    for r, labels in zip(sbc.correlations_, ([4], [1, 2]), strict=True):
        signal = data.matrix[:, np.isin(codes, labels)].mean(axis=1)
        np.testing.assert_allclose(r, expected_r(signal, data, BAND), atol=1e-5)


def test_regions_of_a_dlabel_of_cortex_alone(data):
    is_cortex = ~data.is_voxel
    codes = atlas_codes(data)[is_cortex]
    img = labels_of(data.axis[is_cortex], codes, NAMES)
    seeds = RegionSeeds(img, "V1", hemisphere="right")
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(**BAND)).fit(data.img)
    is_own = (atlas_codes(data) == 1) & (data.axis.name == CORTEX["right"])
    signal = data.matrix[:, is_own].mean(axis=1)
    expected = expected_r(signal, data, BAND)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)
    assert sbc.seed_names_ == ["right V1"]


def test_a_region_that_is_not_in_the_dlabel(data):
    atlas = labels_of(data.axis, atlas_codes(data), NAMES)
    with pytest.raises(ValueError, match=words("no region 'V3'. There are 'V1', 'V2'")):
        SeedCorrelationMap(RegionSeeds(atlas, "V3")).fit(data.img)


def volume_atlas(data, fill=False):
    """Return an atlas in the volume part, on the run's own grid: two slabs."""
    slabs = np.indices(data.axis.volume_shape)[1] > 4
    return nib.Nifti1Image((1 + slabs).astype("u1"), data.axis.affine)


def voxel_mask(data):
    """Return a mask of some of the voxels of the file."""
    mask = np.zeros(data.axis.volume_shape, "u1")
    voxels = data.axis.voxel[data.is_voxel]
    mask[tuple(voxels[voxels[:, 2] == 5].T)] = 1
    return mask


def signal_of_slab(data):
    """Return the mean of the voxels of the second region of the atlas."""
    return data.matrix[:, data.is_voxel & (data.axis.voxel[:, 1] > 4)].mean(axis=1)


def test_regions_of_a_volume_atlas(data):
    seeds = RegionSeeds(volume_atlas(data), [2])
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(**BAND)).fit(data.img)
    expected = expected_r(signal_of_slab(data), data, BAND)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)


def test_regions_of_a_surface_atlas(data):
    labels = {side: np.arange(200) // 60 for side in CORTEX}
    atlas = SurfaceImage(data.mesh, labels)
    seeds = RegionSeeds(atlas, [2], hemisphere="left")
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(**BAND)).fit(data.img)
    is_own = (data.axis.name == CORTEX["left"]) & (data.axis.vertex // 60 == 2)
    expected = expected_r(data.matrix[:, is_own].mean(axis=1), data, BAND)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)


def test_a_mask_of_grayordinates_as_a_seed(data):
    mask = (np.arange(len(data.axis)) % 7 == 0).astype("f4")
    seeds = RegionSeeds(maps_of(data.axis, mask), names=["sevenths"])
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(**BAND)).fit(data.img)
    expected = expected_r(data.matrix[:, mask > 0].mean(axis=1), data, BAND)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)


def test_given_signals(data):
    course = np.random.default_rng(0).standard_normal(90)
    run = Run(data.img, seed_signals=course)
    sbc = SeedCorrelationMap(GivenSignals(), GrayordinateMasker(**BAND)).fit(run)
    expected = expected_r(course, data, BAND)
    np.testing.assert_allclose(sbc.correlations_[0], expected, atol=1e-5)


def nilearn_seeds(data):
    """Return nilearn's maskers as seeds, and the signals that they should have."""
    voxels = data.matrix[:, data.is_voxel]
    indices = tuple(data.axis.voxel[data.is_voxel].T)
    maps = np.random.default_rng(0).random((*data.axis.volume_shape, 2))
    # As in a volume that is 0 where the file holds nothing.
    fitted = np.linalg.lstsq(
        maps.reshape(-1, 2), data.volume_img.get_fdata().reshape(-1, 90), rcond=None
    )[0]
    mask = voxel_mask(data)
    labels = {side: np.arange(200) // 60 for side in CORTEX}
    vertices = data.axis.vertex // 60
    is_cortex = ~data.is_voxel
    weights = {side: np.random.default_rng(1).random((200, 2)) for side in CORTEX}
    surface = np.concatenate([*data.surface_img.data.parts.values()])
    on_surface = np.linalg.lstsq(
        np.concatenate([*weights.values()]), surface, rcond=None
    )[0]
    flags = {side: np.arange(200) == data.seeds[0] for side in CORTEX}
    flags["right"] = np.zeros(200, bool)
    affine = data.axis.affine
    return {
        "labels": (
            NiftiLabelsMasker(volume_atlas(data), **BAND),
            [
                voxels[:, indices[1] <= 4].mean(axis=1),
                voxels[:, indices[1] > 4].mean(axis=1),
            ],
        ),
        "maps": (NiftiMapsMasker(nib.Nifti1Image(maps, affine), **BAND), fitted),
        "mask": (
            NiftiMasker(nib.Nifti1Image(mask, affine), **BAND),
            data.volume_img.get_fdata()[mask != 0],
        ),
        "surface labels": (
            SurfaceLabelsMasker(SurfaceImage(data.mesh, labels), **BAND),
            [
                data.matrix[:, is_cortex & (vertices == label)].mean(axis=1)
                for label in (1, 2, 3)
            ],
        ),
        "surface maps": (
            SurfaceMapsMasker(SurfaceImage(data.mesh, weights), **BAND),
            on_surface,
        ),
        "surface mask": (
            SurfaceMasker(SurfaceImage(data.mesh, flags), **BAND),
            data.matrix[:, [column(data)]].T,
        ),
    }


KINDS = ["labels", "maps", "mask", "surface labels", "surface maps", "surface mask"]


@pytest.mark.usefixtures("seeds_anywhere")
@pytest.mark.parametrize("kind", KINDS)
def test_nilearn_maskers_as_seeds(data, kind):
    masker, signals = nilearn_seeds(data)[kind]
    sbc = SeedCorrelationMap(masker, GrayordinateMasker(**BAND), t_r=2.0).fit(data.img)
    assert sbc.paths_["seed_masker"] == "streamed"
    expected = expected_rs(signals, data, BAND)
    np.testing.assert_allclose(sbc.correlations_, expected, atol=1e-5)


def test_structures_as_seeds(data):
    seeds = GrayordinateMasker("left hippocampus", **BAND)
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker("cortex", **BAND)).fit(data.img)
    assert sbc.n_seeds_ == (data.axis.name == "CIFTI_STRUCTURE_HIPPOCAMPUS_LEFT").sum()
    assert (sbc.seed_report_.in_mask == 0).all()


# As an estimator


def test_maps_are_named_by_their_seeds(data):
    seeds = SurfaceSeeds(data.seeds[::2], None, hemisphere="left", names=["a", "b"])
    sbc = SeedCorrelationMap(seeds)
    img = sbc.inverse_transform(sbc.fit_transform(data.img))
    assert img.header.get_axis(0).name.tolist() == ["a", "b"]
    assert img.get_data_dtype() == np.float32
    img = sbc.inverse_transform(sbc.fit_transform([data.img, data.run]))
    names = ["a, row 0", "b, row 0", "a, row 1", "b, row 1"]
    assert img.header.get_axis(0).name.tolist() == names


@pytest.fixture
def runs(tmp_path):
    """Four runs on disk."""
    return make_grayordinate_runs(4, 60, 200, 150, directory=tmp_path, random_state=1)


@pytest.fixture
def readings(monkeypatch):
    """The CIFTI files whose scans have been read, one entry a reading."""
    blocks, seen = CiftiScans.blocks, []

    def noted(self, kept):
        seen.extend(self.files)
        return blocks(self, kept)

    monkeypatch.setattr(CiftiScans, "blocks", noted)
    return seen


def estimator(runs, **parameters):
    """Return an estimator of a vertex and a voxel."""
    seeds = SphereSeeds([runs.seeds[1]], radius=5)
    return SeedCorrelationMap(seeds, GrayordinateMasker(**BAND), **parameters)


@pytest.mark.parametrize("level", [1, 2])
def test_cache(runs, tmp_path, readings, level):
    plain = estimator(runs).fit_transform(runs.runs)
    readings.clear()
    sbc = estimator(runs, memory=tmp_path / "kept", memory_level=level)
    first = sbc.fit_transform(runs.runs)
    assert len(readings) == 4
    np.testing.assert_array_equal(clone(sbc).fit_transform(runs.runs), first)
    np.testing.assert_array_equal(first, plain)
    assert len(readings) == 4
    other = clone(sbc).set_params(seed_masker__radius=9).fit_transform(runs.runs)
    assert len(readings) == (8 if level == 1 else 4)
    radius = estimator(runs).set_params(seed_masker__radius=9)
    np.testing.assert_allclose(other, radius.fit_transform(runs.runs), atol=1e-6)


def test_cache_of_other_structures(runs, tmp_path):
    sbc = estimator(runs, memory=tmp_path / "kept", memory_level=2).fit(runs.runs[0])
    for structures in ("cortex", "subcortex"):
        other = clone(sbc).set_params(brain_masker__structures=structures)
        found = other.fit(runs.runs[0]).correlations_
        expected = clone(other).set_params(memory=None).fit(runs.runs[0]).correlations_
        np.testing.assert_array_equal(found, expected)


def test_grid_search(runs):
    steps = [("map", estimator(runs)), ("classify", LogisticRegression())]
    grid = {
        "map__seed_masker__radius": [4, 8],
        "map__brain_masker__structures": ["cortex", None],
        "map__low_pass": [0.1],
    }
    search = GridSearchCV(Pipeline(steps), grid, cv=2, error_score="raise")
    search.fit(runs.runs, [0, 1, 0, 1])
    best = search.best_estimator_
    img = best["map"].inverse_transform(best["classify"].coef_)
    assert isinstance(img, nib.Cifti2Image)


@pytest.mark.parametrize("level", [None, 2])
def test_prepared_runs(runs, tmp_path, level):
    kept = {} if level is None else {"memory": tmp_path / "kept", "memory_level": level}
    sbc = estimator(runs, **kept).fit(runs.runs[0])
    others = [
        SphereSeeds([runs.seeds[1]], radius=9),
        SurfaceSeeds([runs.seeds[0]], None, hemisphere="left"),
        SurfaceSeeds([runs.seeds[0]], 12, hemisphere="left", mesh=runs.mesh),
    ]
    with sbc.prepare(runs.runs[0]) as prepared:
        found = [prepared.map(seeds) for seeds in others]
        np.testing.assert_allclose(prepared.map(), sbc.correlations_, atol=1e-6)
        copy = pickle.loads(pickle.dumps(prepared)) if level else prepared
        np.testing.assert_allclose(copy.map(others[1]), found[1])
    for seeds, r in zip(others, found, strict=True):
        whole = SeedCorrelationMap(seeds, GrayordinateMasker(**BAND)).fit(runs.runs[0])
        np.testing.assert_allclose(r, whole.correlations_, atol=1e-6)


def test_prepared_runs_read_seeds_elsewhere(runs, readings):
    brain = GrayordinateMasker("subcortex", **BAND)
    sbc = SeedCorrelationMap(SphereSeeds([runs.seeds[1]], 5), brain).fit(runs.runs[0])
    seeds = SurfaceSeeds([runs.seeds[0]], None, hemisphere="left")
    readings.clear()
    with sbc.prepare(runs.runs[0]) as prepared:
        r = prepared.map(seeds)
        assert len(readings) == 2
        np.testing.assert_array_equal(prepared.map(seeds), r)
        assert len(readings) == 2
    whole = SeedCorrelationMap(seeds, brain).fit(runs.runs[0]).correlations_
    np.testing.assert_allclose(r, whole, atol=1e-6)


def test_censored_scans_are_irrelevant(data):
    kept = np.delete(np.arange(90), [10, 11, 50])
    maps = []
    for value in (0.0, 1e6):
        spoilt = data.matrix.copy()
        spoilt[[10, 11, 50]] = value
        img = of_axes(SeriesAxis(0, 2, 90), data.axis, data=spoilt)
        run = Run(img, data.confounds, sample_mask=kept)
        sbc = SeedCorrelationMap(vertex_seed(data), GrayordinateMasker(**BAND))
        maps.append(sbc.fit(run).correlations_)
    np.testing.assert_allclose(*maps, atol=1e-6)


def test_a_grayordinate_without_a_signal(data):
    matrix = data.matrix.copy()
    matrix[:, 7], matrix[3, 9] = 5.0, np.inf
    img = of_axes(SeriesAxis(0, 2, 90), data.axis, data=matrix)
    sbc = SeedCorrelationMap(vertex_seed(data), GrayordinateMasker(**BAND))
    with pytest.warns(UserWarning, match="some voxels have no signal"):
        sbc.fit(img)
    assert np.flatnonzero(sbc.correlations_[0] == 0).tolist() == [7, 9]


def test_repetition_time_of_the_file_holds_unless_another_is_told(data):
    def r(run, **parameters):
        brain = GrayordinateMasker(**{**BAND, **parameters})
        return SeedCorrelationMap(vertex_seed(data), brain).fit(run).correlations_[0]

    seed = data.matrix[:, column(data)]
    for run, told, t_r in (
        (data.img, {}, 2.0),
        (data.img, {"t_r": 1.0}, 1.0),
        (Run(data.img, t_r=1.5), {"t_r": 1.0}, 1.5),
    ):
        expected = expected_r(seed, data, {**BAND, "t_r": t_r})
        np.testing.assert_allclose(r(run, **told), expected, atol=1e-5)


# What cannot be used


def fit(seeds, img, brain=None):
    """Fit an estimator."""
    return SeedCorrelationMap(seeds, brain).fit(img)


def test_seeds_on_the_medial_wall(data):
    vertex = int(medial_wall(data.axis)[0])
    message = f"vertex {vertex} of the left hemisphere is on the medial wall"
    with pytest.raises(ValueError, match=message):
        fit(SurfaceSeeds([vertex], None, hemisphere="left"), data.img)
    place = tuple(data.mesh.parts["left"].coordinates[vertex].tolist())
    with pytest.raises(ValueError, match=message):
        fit(SurfaceSeeds([place], 10, hemisphere="left", mesh=data.mesh), data.img)


def test_vertices_that_are_not_there(data):
    with pytest.raises(ValueError, match="the left part has vertices 0 to 199"):
        fit(SurfaceSeeds([200], None, hemisphere="left"), data.img)
    with pytest.raises(ValueError, match='needs hemisphere="left" or "right"'):
        fit(SurfaceSeeds([20], None), data.img)


@pytest.mark.parametrize(
    ("places", "radius", "message"),
    [
        ([30], 8.0, "its radius of 8.0 mm is measured"),
        ([(0, 0, 0)], None, "coordinates"),
    ],
)
def test_what_needs_a_mesh(data, places, radius, message):
    seeds = SurfaceSeeds(places, radius, hemisphere="left")
    with pytest.raises(ValueError, match=words(message, "on a mesh", "Pass mesh=")):
        fit(seeds, data.img)


def test_a_mesh_of_another_size(data):
    part = data.mesh.parts["left"]
    small = InMemoryMesh(part.coordinates[:120], np.array([[0, 1, 2]]))
    mesh = PolyMesh(left=small, right=data.mesh.parts["right"])
    with pytest.raises(
        ValueError, match=words("the image has 200 left vertices", "mesh has 120 left")
    ):
        fit(SurfaceSeeds([30], 8, hemisphere="left", mesh=mesh), data.img)


def test_spheres_where_there_are_no_voxels(data):
    grid = np.indices(data.axis.volume_shape).reshape(3, -1).T
    corner = nib.affines.apply_affine(data.axis.affine, grid[0])
    with pytest.raises(
        ValueError,
        match=words("lies in none of the voxels", "left thalamus", "Use SurfaceSeeds"),
    ):
        fit(SphereSeeds([tuple(corner)], 3), data.img)
    with pytest.raises(ValueError, match="lies outside the image; the image spans"):
        fit(SphereSeeds([(500, 0, 0)], 3), data.img)


def test_spheres_without_a_volume(data):
    cortex = of_axes(SeriesAxis(0, 2, 90), data.axis[data.axis.surface_mask])
    with pytest.raises(TypeError, match="spheres lie in volumes, but the image is a"):
        fit(SphereSeeds([(0, 0, 0)], 3), cortex)
    with pytest.raises(TypeError, match="needs a volume, but the run is a CIFTI image"):
        fit(NiftiSpheresMasker([(0, 0, 0)]), cortex)


def test_discs_without_a_cortex(data):
    voxels = of_axes(SeriesAxis(0, 2, 90), data.axis[data.is_voxel])
    with pytest.raises(TypeError, match="discs lie on surfaces, but the image is a"):
        fit(SurfaceSeeds([3], None, hemisphere="left"), voxels)


@pytest.mark.parametrize("brain", [NiftiMasker(), SurfaceMasker()])
def test_brain_maskers_of_a_part(data, brain):
    with pytest.raises(
        TypeError,
        match=words("but the run is a CIFTI image", "(GrayordinateMasker)"),
    ):
        fit(vertex_seed(data), data.img, brain)


def test_a_grayordinate_masker_of_other_images(data):
    for img, other in (
        (data.volume_img, NiftiMasker),
        (data.surface_img, SurfaceMasker),
    ):
        with pytest.raises(
            TypeError, match=words("needs a CIFTI image", f"({other.__name__})")
        ):
            fit(vertex_seed(data), img, GrayordinateMasker())


def test_nilearn_maskers_that_are_no_linear_map(data):
    seeds = NiftiLabelsMasker(volume_atlas(data), strategy="median")
    with pytest.raises(
        ValueError, match=words("strategy='median' is no mean", "seed_img=")
    ):
        fit(seeds, data.img)
    smooth = NiftiLabelsMasker(volume_atlas(data), smoothing_fwhm=5.0)
    with pytest.raises(ValueError, match=r"smoothing_fwhm would blur .* it to None"):
        fit(smooth, data.img)


@pytest.mark.parametrize("kind", [NiftiMasker, SurfaceMasker])
def test_nilearn_masks_must_be_given(data, kind):
    with pytest.raises(ValueError, match=words("mask_img=None", "Pass mask_img")):
        fit(kind(), data.img)


@pytest.mark.parametrize("is_cifti", [False, True])
def test_a_mask_without_voxels_for_spheres(data, is_cifti):
    cortex = data.axis[data.axis.surface_mask]
    mask_img = SurfaceImage(data.mesh, {side: np.ones(200) for side in CORTEX})
    if is_cifti:
        mask_img = maps_of(cortex, np.ones(len(cortex)))
    seeds = SphereSeeds([data.seeds[1]], 6, mask_img=mask_img)
    told = (
        "seed_masker",
        "mask_img is ",
        "without voxels, but spheres lie in the voxels",
    )
    with pytest.raises(TypeError, match=words(*told, "Pass a mask that is a volume")):
        fit(seeds, data.img)


def test_runs_of_different_brain_models(data):
    fewer = np.delete(np.arange(len(data.axis)), [3, 4, 7])
    other = of_axes(SeriesAxis(0, 2, 90), data.axis[fewer], data=data.matrix[:, fewer])
    with pytest.raises(
        ValueError,
        match=words(
            "run 1, brain_masker: the image has 181 grayordinates of left cortex, but "
            "that of fit has 184",
            "-cifti-create-dense-from-template",
        ),
    ):
        fit(vertex_seed(data), [data.img, other])
    sbc = fit(vertex_seed(data), data.img)
    with pytest.raises(ValueError, match="181 grayordinates of left cortex"):
        sbc.transform(other)
    # Those of the chosen structures are the same, in other columns.
    brain = GrayordinateMasker("subcortex", **BAND)
    both = SeedCorrelationMap(vertex_seed(data), brain).fit_transform([data.img, other])
    np.testing.assert_allclose(both[0], both[1], atol=1e-6)


def test_a_structure_that_is_not_there(data):
    with pytest.raises(
        ValueError,
        match=words("brain_masker", "no structure 'left putamen'", "Did you mean"),
    ):
        fit(vertex_seed(data), data.img, GrayordinateMasker("left putamen"))


def test_maps_as_runs(data):
    with pytest.raises(ValueError, match=r"^run 1: a run must be a .dtseries.nii"):
        fit(vertex_seed(data), [data.img, maps_of(data.axis, np.ones(len(data.axis)))])


def test_smoothing_without_a_mesh(data):
    with pytest.raises(
        ValueError,
        match=words(
            "brain_masker", "smoothing_fwhm=5 smooths left cortex", "subcortex"
        ),
    ):
        fit(vertex_seed(data), data.img, GrayordinateMasker(smoothing_fwhm=5))


def test_an_atlas_of_several_maps(data):
    maps = maps_of(data.axis, np.ones((2, len(data.axis))))
    with pytest.raises(ValueError, match="a CIFTI image of one map, got 2 volumes"):
        fit(RegionSeeds(maps), data.img)
