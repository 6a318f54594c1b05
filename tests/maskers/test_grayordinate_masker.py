"""`GrayordinateMasker` by itself: structures, cleaning, smoothing, and images."""

import pickle

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import SeriesAxis
from nilearn.maskers import NiftiMasker
from nilearn.signal import clean, high_variance_confounds
from nilearn.surface import InMemoryMesh, PolyMesh
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from grayordinate_helpers import CORTEX, maps_of, of_axes, save, simulated_acquisition
from helpers import words
from sbc_estimators._images.opening import grid_of
from sbc_estimators.maskers import GrayordinateMasker, SurfaceSeeds


@pytest.fixture(scope="module")
def data():
    return simulated_acquisition(50)


def structures_of(data, names):
    """Return which columns are of some of CIFTI's structures."""
    return np.isin(data.axis.name, [f"CIFTI_STRUCTURE_{name}" for name in names])


# Structures

CHOICES = [
    ("cortex", ["CORTEX_LEFT", "CORTEX_RIGHT"]),
    ("left cortex", ["CORTEX_LEFT"]),
    ("Cortex Right", ["CORTEX_RIGHT"]),
    ("left hippocampus", ["HIPPOCAMPUS_LEFT"]),
    ("LEFT_HIPPOCAMPUS", ["HIPPOCAMPUS_LEFT"]),
    ("hippocampus", ["HIPPOCAMPUS_LEFT", "HIPPOCAMPUS_RIGHT"]),
    ("CIFTI_STRUCTURE_THALAMUS_RIGHT", ["THALAMUS_RIGHT"]),
    ("THALAMUS_RIGHT", ["THALAMUS_RIGHT"]),
    ("brain stem", ["BRAIN_STEM"]),
    (["brain stem", "left thalamus"], ["THALAMUS_LEFT", "BRAIN_STEM"]),
    (("hippocampus", "left hippocampus"), ["HIPPOCAMPUS_LEFT", "HIPPOCAMPUS_RIGHT"]),
]


@pytest.mark.parametrize(("structures", "names"), CHOICES)
def test_structures_by_name(data, structures, names):
    masker = GrayordinateMasker(structures).fit(data.img)
    assert masker.structures_ == [f"CIFTI_STRUCTURE_{name}" for name in names]
    is_own = structures_of(data, names)
    np.testing.assert_array_equal(masker.transform(data.img), data.matrix[:, is_own])
    np.testing.assert_array_equal(masker.is_taken(), is_own)
    assert masker.n_elements_ == is_own.sum()


def test_all_structures(data):
    masker = GrayordinateMasker().fit(data.img)
    np.testing.assert_array_equal(masker.transform(data.img), data.matrix)
    assert len(masker.structures_) == 7


def test_subcortex_is_all_voxels(data):
    found = GrayordinateMasker("subcortex").fit_transform(data.img)
    np.testing.assert_array_equal(found, data.matrix[:, data.is_voxel])


@pytest.mark.parametrize(
    ("structures", "cure"),
    [
        ("left hipocampus", "or 'left hippocampus' or"),
        ("cerebellum", "There are 'left cortex', 'right cortex', 'left thalamus'"),
        (
            ["cortex", "brainstem"],
            "'brainstem' in the image. Did you mean 'brain stem'?",
        ),
        ("", "There are"),
    ],
)
def test_structures_that_are_not_there(data, structures, cure):
    with pytest.raises(ValueError, match=words("there is no structure", cure)):
        GrayordinateMasker(structures).fit(data.img)


@pytest.mark.parametrize("structures", [3, [], [1], {"cortex": 1}])
def test_structures_that_are_no_names(data, structures):
    with pytest.raises(TypeError, match="structures must be the name of a structure"):
        GrayordinateMasker(structures).fit(data.img)


# Cleaning

CLEANINGS = [
    {},
    {"detrend": True},
    {"low_pass": 0.1, "high_pass": 0.01},
    {"low_pass": 0.1, "t_r": 1.1},
    {"high_pass": 0.02, "clean_args": {"filter": "cosine"}},
    {"standardize": "psc"},
    {"standardize": "psc", "detrend": True},
    {"standardize": "psc", "high_pass": 0.01},
    {"standardize": "zscore_sample", "detrend": True, "standardize_confounds": False},
    {"detrend": True, "runs": np.arange(50) // 25},
]


@pytest.mark.parametrize("with_confounds", [False, True])
@pytest.mark.parametrize("cleaning", CLEANINGS)
def test_cleaning_is_that_of_nilearn(data, cleaning, with_confounds):
    confounds = data.confounds if with_confounds else None
    given = {"detrend": False, "standardize": None, "t_r": 2.0, **cleaning}
    clean_args = given.pop("clean_args", {})
    expected = clean(data.matrix, confounds=confounds, **given, **clean_args)
    masker = GrayordinateMasker(**cleaning)
    found = masker.fit_transform(data.img, confounds=confounds)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("is_sent", [False, True])
def test_structures_are_those_of_fit(data, is_sent):
    masker = GrayordinateMasker("left cortex").fit(data.img)
    signals = masker.transform(data.img)
    masker.set_params(structures="right cortex")
    masker = pickle.loads(pickle.dumps(masker)) if is_sent else masker
    np.testing.assert_array_equal(masker.transform(data.img), signals)
    (model,) = masker.inverse_transform(signals).header.get_axis(1).iter_structures()
    assert model[0] == "CIFTI_STRUCTURE_CORTEX_LEFT"


def test_confounds_of_high_variance(data):
    computed = high_variance_confounds(data.matrix)
    confounds = np.hstack([computed, data.confounds])
    expected = clean(data.matrix, standardize=None, detrend=True, confounds=confounds)
    masker = GrayordinateMasker(detrend=True, high_variance_confounds=True)
    found = masker.fit_transform(data.img, confounds=data.confounds)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_censored_scans_are_irrelevant(data):
    kept = np.delete(np.arange(50), [7, 8, 30])
    spoilt = data.matrix.copy()
    spoilt[[7, 8, 30]] = 1e6
    images = [
        of_axes(SeriesAxis(0, 2, 50), data.axis, data=own)
        for own in (data.matrix, spoilt)
    ]
    masker = GrayordinateMasker("cortex", low_pass=0.1, detrend=True)
    first, second = (masker.fit_transform(img, sample_mask=kept) for img in images)
    assert first.shape == (47, masker.n_elements_)
    np.testing.assert_allclose(first, second, atol=1e-9)


def test_what_is_not_finite_is_zero(data):
    spoilt = data.matrix.copy()
    spoilt[3, 5] = np.nan
    img = of_axes(SeriesAxis(0, 2, 50), data.axis, data=spoilt)
    found = GrayordinateMasker(detrend=True).fit_transform(img)
    assert not found[:, 5].any()
    assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"detrend": 1}, "detrend must be True or False, got 1"),
        ({"low_pass": 0.3}, "below the Nyquist frequency 0.25 Hz (t_r=2.0 s)"),
        ({"high_pass": 0.1, "low_pass": 0.05}, "Have they been swapped?"),
        ({"smoothing_fwhm": -1}, "smoothing_fwhm must be a length"),
        ({"mesh": "left.surf.gii"}, "mesh must be a PolyMesh, got str"),
    ],
)
def test_parameters_that_make_no_sense(data, parameters, message):
    error = TypeError if "mesh" in parameters else ValueError
    with pytest.raises(error, match=words(message)):
        GrayordinateMasker(**parameters).fit_transform(data.img)


def test_confounds_must_fit(data):
    masker = GrayordinateMasker().fit(data.img)
    with pytest.raises(ValueError, match="confounds must have one row per scan"):
        masker.transform(data.img, confounds=np.ones((3, 2)))
    with pytest.raises(ValueError, match="sample_mask must hold indices from 0 to 49"):
        masker.transform(data.img, sample_mask=[0, 1, 2, 70])


# Smoothing


def test_voxels_are_smoothed_within_structures(data):
    masker = GrayordinateMasker("subcortex", smoothing_fwhm=6.0)
    found = masker.fit_transform(data.img)
    axis = data.axis[data.is_voxel]
    sigma = 6.0 / np.sqrt(8 * np.log(2)) / 4
    offsets = axis.voxel[:, np.newaxis] - axis.voxel
    weights = np.exp(-0.5 * ((offsets / sigma) ** 2).sum(axis=2))
    weights[(np.abs(offsets) > int(4 * sigma + 0.5)).any(axis=2)] = 0
    weights[axis.name[:, np.newaxis] != axis.name] = 0
    expected = data.matrix[:, data.is_voxel] @ (weights / weights.sum(1)[:, None]).T
    np.testing.assert_allclose(found, expected)


def test_cortex_is_smoothed_along_a_mesh(data):
    masker = GrayordinateMasker("cortex", smoothing_fwhm=20.0, mesh=data.mesh)
    found = masker.fit_transform(data.img)
    raw = data.matrix[:, ~data.is_voxel]
    # Each vertex follows its neighbours, and the noise averages out.
    assert found.std(axis=0).mean() < 0.8 * raw.std(axis=0).mean()
    left = data.axis.name[~data.is_voxel] == CORTEX["left"]
    alone = GrayordinateMasker("left cortex", smoothing_fwhm=20.0, mesh=data.mesh)
    np.testing.assert_allclose(found[:, left], alone.fit_transform(data.img))


def test_both_parts_are_smoothed_together(data):
    options = {"smoothing_fwhm": 12.0, "mesh": data.mesh}
    found = GrayordinateMasker(**options).fit_transform(data.img)
    parts = [
        GrayordinateMasker(structures, **options).fit_transform(data.img)
        for structures in ("cortex", "subcortex")
    ]
    np.testing.assert_allclose(found, np.hstack(parts))


def test_keys_tell_what_smooths(data):
    # A cache would give the map of another mesh.
    grid = grid_of(data.img)
    parts = {
        side: InMemoryMesh(1.2 * part.coordinates, part.faces)
        for side, part in data.mesh.parts.items()
    }
    larger, keys = PolyMesh(**parts), set()
    for mesh, fwhm in ((data.mesh, 9.0), (larger, 9.0), (data.mesh, 10.0)):
        masker = GrayordinateMasker(smoothing_fwhm=fwhm, mesh=mesh).fit(data.img)
        keys.add(masker.on(grid).key)
    keys.add(GrayordinateMasker().fit(data.img).on(grid).key)
    assert len(keys) == 4


def test_cortex_is_not_smoothed_without_a_mesh(data):
    with pytest.raises(
        ValueError,
        match=words("smoothing_fwhm=4 smooths left cortex along a mesh", "Pass mesh="),
    ):
        GrayordinateMasker(smoothing_fwhm=4).fit(data.img)


def test_a_mesh_of_another_size(data):
    part = data.mesh.parts["left"]
    other = InMemoryMesh(part.coordinates[:150], np.array([[0, 1, 2]]))
    mesh = PolyMesh(left=other, right=data.mesh.parts["right"])
    expected = "the image has 200 left and 200 right vertices|200 left vertices and 200"
    with pytest.raises(ValueError, match=expected) as error:
        GrayordinateMasker(smoothing_fwhm=4, mesh=mesh).fit(data.img)
    assert "mesh has 150 left" in str(error.value)


# Images


def test_maps_round_trip(data):
    masker = GrayordinateMasker().fit(data.img)
    maps = np.random.default_rng(0).random((2, masker.n_elements_)).astype("f4")
    img = masker.inverse_transform(maps)
    np.testing.assert_array_equal(masker.transform(img), maps)
    assert img.header.get_axis(1) == data.axis
    one = masker.inverse_transform(maps[0])
    np.testing.assert_array_equal(one.get_fdata()[0], maps[0])


def test_maps_are_not_cleaned(data):
    masker = GrayordinateMasker(detrend=True, low_pass=0.1).fit(data.img)
    maps = np.random.default_rng(0).random((4, masker.n_elements_))
    found = masker.transform(maps_of(data.axis, maps))
    np.testing.assert_array_equal(found, maps.astype("f4"))


def test_a_file_of_maps_is_read_by_nibabel(data, tmp_path):
    masker = GrayordinateMasker(["left hippocampus", "cortex"]).fit(data.img)
    maps = np.random.default_rng(0).random((2, masker.n_elements_)).astype("f4")
    masker.inverse_transform(maps).to_filename(tmp_path / "a.dscalar.nii")
    img = nib.load(tmp_path / "a.dscalar.nii")
    assert img.nifti_header.get_intent()[0] == "ConnDenseScalar"
    names = ["CORTEX_LEFT", "CORTEX_RIGHT", "HIPPOCAMPUS_LEFT"]
    assert img.header.get_axis(1) == data.axis[structures_of(data, names)]
    np.testing.assert_array_equal(img.get_fdata(), maps)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.ones((2, 5)), "X must have a column for each of 518 grayordinates"),
        (np.ones((1, 2, 518)), "got shape (1, 2, 518)"),
        (np.full(518, "a"), "X must hold real numbers, got dtype <U1"),
    ],
)
def test_rows_that_are_none(data, rows, message):
    with pytest.raises((ValueError, TypeError), match=words(message)):
        GrayordinateMasker().fit(data.img).inverse_transform(rows)


# As a masker


def test_files_are_as_images(data, tmp_path):
    path = save(data.img, tmp_path / "a.dtseries.nii")
    masker = GrayordinateMasker("cortex", detrend=True)
    from_file = masker.fit_transform(path)
    np.testing.assert_array_equal(from_file, masker.fit_transform(data.img))


def test_images_of_other_kinds(data):
    masker = GrayordinateMasker()
    for img, kind in ((data.volume_img, "a volume"), (data.surface_img, "a surface")):
        with pytest.raises(TypeError, match=f"needs a CIFTI image, got {kind}"):
            masker.fit(img)
        with pytest.raises(TypeError, match=f"needs a CIFTI image, got {kind}"):
            clone(masker).fit(data.img).transform(img)


def test_images_with_other_brain_models(data):
    masker = GrayordinateMasker().fit(data.img)
    fewer = np.delete(np.arange(len(data.axis)), [3, 4, 7])
    img = of_axes(SeriesAxis(0, 2, 50), data.axis[fewer])
    with pytest.raises(
        ValueError,
        match="the image has 181 grayordinates of left cortex, but that of fit has 184",
    ):
        masker.transform(img)
    # Those that are taken are all there.
    thalamus = GrayordinateMasker("thalamus").fit(data.img)
    assert thalamus.transform(img).shape[1] == thalamus.n_elements_
    without = of_axes(SeriesAxis(0, 2, 50), data.axis[data.axis.name != CORTEX["left"]])
    with pytest.raises(ValueError, match="has no left cortex, but that of fit has 184"):
        masker.transform(without)


def test_before_fit(data):
    masker = GrayordinateMasker()
    for call in (masker.transform, masker.inverse_transform, masker.on):
        with pytest.raises(NotFittedError):
            call(data.img)


def test_it_is_an_estimator(data):
    masker = GrayordinateMasker("cortex", 4.0, mesh=data.mesh, low_pass=0.1)
    copied = {**clone(masker).get_params(), "mesh": None}
    assert copied == {**masker.get_params(), "mesh": None}
    assert masker.set_params(structures=None).structures is None
    assert "structures='cortex'" in repr(clone(masker).set_params(structures="cortex"))


def test_a_fitted_masker_is_pickled_without_its_weights(data):
    masker = GrayordinateMasker(smoothing_fwhm=30.0, mesh=data.mesh, detrend=True)
    expected = masker.fit_transform(data.img)
    content = pickle.dumps(masker)
    assert len(content) < 60_000
    copy = pickle.loads(content)
    np.testing.assert_array_equal(copy.transform(data.img), expected)
    assert copy.is_taken().all()
    assert pickle.loads(pickle.dumps(clone(masker))).get_params()["detrend"]


def test_parameters_are_those_of_nilearn():
    ours = GrayordinateMasker().get_params()
    theirs = NiftiMasker().get_params()
    shared = {name: ours[name] for name in ours.keys() & theirs.keys()}
    assert len(shared) == 10
    standard = shared.pop("standardize")
    assert standard is None
    assert shared == {name: theirs[name] for name in shared}


# Seeds by themselves


def test_discs_by_themselves(data):
    seeds = SurfaceSeeds([data.seeds[0]], radius=None, hemisphere="left")
    found = seeds.fit_transform(data.img)
    is_left = data.axis.name == CORTEX["left"]
    column = np.flatnonzero(is_left & (data.axis.vertex == data.seeds[0]))
    np.testing.assert_array_equal(found, data.matrix[:, column])
    img = seeds.inverse_transform([2.0])
    assert grid_of(img).same_as(grid_of(data.img))
    assert np.flatnonzero(img.get_fdata()).tolist() == column.tolist()
