"""What all seed maskers do alike: signals, images, names, copies, places of runs."""

import pickle
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from masker_helpers import NAMES, TOLERANCE, disc_by_looking, mask_of
from nilearn.maskers import NiftiLabelsMasker
from nilearn.surface import SurfaceImage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from helpers import words
from sbc_estimators.maskers import RegionSeeds, SphereSeeds, SurfaceSeeds


def case(make, changes, img, names, changed_names):
    """Return what the tests of all kinds need of one."""
    return SimpleNamespace(
        make=make, changes=changes, img=img, names=names, changed_names=changed_names
    )


KINDS = {
    "spheres": lambda data, _: case(
        SphereSeeds(data.seeds[:2], [8.0, 6.0]),
        {"radius": [6.0, 12.0], "names": ["a", "b b"]},
        data.img,
        ["(0, -52, 18)", "(21.4, -63.2, 12.9)"],
        ["a", "b b"],
    ),
    "regions": lambda data, _: case(
        RegionSeeds(data.labels_img, ["front", "back"], lut=NAMES),
        {"regions": ["top", [2, 3]]},
        data.img,
        ["front", "back"],
        ["top", "middle + front"],
    ),
    "masks": lambda data, _: case(
        RegionSeeds([mask_of(data, 2), mask_of(data, 1)], names=["PCC", "V1"]),
        {"labels_img": [mask_of(data, 3)], "names": "one"},
        data.img,
        ["PCC", "V1"],
        ["one"],
    ),
    "surface-regions": lambda _, cortex: case(
        RegionSeeds(cortex.labels_img, ["front", "back"], lut=NAMES, hemisphere="left"),
        {"regions": ["top"], "hemisphere": "right"},
        cortex.img,
        ["left front", "left back"],
        ["right top"],
    ),
    "discs": lambda _, cortex: case(
        SurfaceSeeds([22, 77], 7.0, hemisphere="right"),
        {"radius": [3.0, None], "seeds": [3, [22, 77]]},
        cortex.img,
        ["right 22", "right 77"],
        ["right 3", "right 22 + right 77"],
    ),
}


@pytest.fixture(params=KINDS)
def kind(request, sample_box, cortex):
    """Return one kind of seed masker, and a run for it."""
    return KINDS[request.param](sample_box, cortex)


def some_scans(img, scans):
    """Return some scans of a run; a single one without an axis for scans."""
    if hasattr(img, "mesh"):
        parts = {name: part[:, scans] for name, part in img.data.parts.items()}
        return SurfaceImage(img.mesh, parts)
    return nib.Nifti1Image(np.asarray(img.dataobj)[..., scans], img.affine)


# Signals


@pytest.mark.parametrize("n_scans", [1, 2, 3])
def test_signals_of_any_number_of_scans(kind, n_scans):
    masker = kind.make.fit(kind.img)
    expected = masker.transform(kind.img)
    few = masker.transform(some_scans(kind.img, np.arange(n_scans)))
    np.testing.assert_allclose(few, expected[:n_scans], rtol=TOLERANCE)
    assert few.shape == (n_scans, len(kind.names))
    single = masker.transform(some_scans(kind.img, 5))
    np.testing.assert_allclose(single, expected[5:6], rtol=TOLERANCE)
    fitted = clone(kind.make).fit(some_scans(kind.img, 5))
    np.testing.assert_array_equal(fitted.transform(kind.img), expected)


def test_signals_are_raw(kind):
    masker = kind.make.fit(kind.img)
    signals = masker.transform(kind.img)
    scaled = clone(masker).fit_transform(
        nib.Nifti1Image(3 * kind.img.get_fdata() - 50, kind.img.affine)
        if hasattr(kind.img, "affine")
        else SurfaceImage(
            kind.img.mesh, {n: 3 * p - 50 for n, p in kind.img.data.parts.items()}
        )
    )
    np.testing.assert_allclose(scaled, 3 * signals - 50, rtol=1e-9)
    assert signals.dtype == np.float64


def test_fit_without_an_image(kind):
    masker = clone(kind.make).fit()
    assert masker.seed_names_ == kind.names
    expected = clone(kind.make).fit_transform(kind.img)
    np.testing.assert_array_equal(masker.transform(kind.img), expected)


def test_seeds_are_laid_once_on_the_grid_of_fit(kind, monkeypatch):
    masker = clone(kind.make).fit(kind.img)
    laid, grid = [], masker.grid_
    lay = type(masker)._lay
    monkeypatch.setattr(
        type(masker), "_lay", lambda self, grid: laid.append(grid) or lay(self, grid)
    )
    first = masker.transform(kind.img)
    masker.inverse_transform(np.zeros(len(kind.names)))
    assert laid == []
    masker.fit()
    np.testing.assert_array_equal(masker.transform(kind.img), first)
    assert [each.key for each in laid] == [grid.key]


def test_images_on_other_grids_than_that_of_fit(sample_box):
    other = sample_box.img.slicer[1:, :, 1:]
    for seeds in (SphereSeeds(sample_box.seeds), RegionSeeds(sample_box.labels_img)):
        found = seeds.fit(sample_box.img).transform(other)
        np.testing.assert_array_equal(found, clone(seeds).fit_transform(other))


def test_nothing_of_cleaning_is_a_parameter(kind):
    names = set(kind.make.get_params())
    cleaning = {"detrend", "standardize", "low_pass", "high_pass", "t_r", "clean_args"}
    assert not names & {*cleaning, "smoothing_fwhm", "runs", "high_variance_confounds"}
    for argument in ("confounds", "sample_mask"):
        with pytest.raises(TypeError, match=argument):
            kind.make.fit(kind.img).transform(kind.img, **{argument: None})


def test_not_finite_values_count_as_0(sample_box):
    data = sample_box.img.get_fdata().copy()
    centre = SphereSeeds(sample_box.seeds[:1], None).fit(sample_box.img)
    place = np.argwhere(centre.inverse_transform([1]).get_fdata())[0]
    data[(*place, 3)] = np.nan
    img = nib.Nifti1Image(data, sample_box.img.affine)
    found = SphereSeeds(sample_box.seeds[:1], 6).fit_transform(img)
    data[tuple(place)] = 0
    zeroed = nib.Nifti1Image(data, sample_box.img.affine)
    expected = SphereSeeds(sample_box.seeds[:1], 6).fit_transform(zeroed)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.parametrize("img", ["absent.nii.gz", 3, None, [1, 2]])
def test_what_is_no_image(sample_box, img):
    masker = SphereSeeds(sample_box.seeds).fit()
    with pytest.raises((TypeError, FileNotFoundError), match=r"must be|no file"):
        masker.transform(img)


@pytest.mark.parametrize("shape", [(4,), (4, 4), (4, 4, 4, 2, 5)])
def test_images_of_other_dimensions(shape):
    img = nib.Nifti1Image(np.ones(shape, np.float32), np.eye(4))
    expected = words("three axes of space", shape)
    with pytest.raises(ValueError, match=expected):
        SphereSeeds([(0, 0, 0)]).fit().transform(img)
    with pytest.raises(ValueError, match=words("mask_img: an image must", shape)):
        SphereSeeds([(0, 0, 0)], mask_img=img).fit()


def test_scans_on_the_fifth_axis():
    img = nib.Nifti1Image(np.ones((4, 4, 4, 1, 5), np.float32), np.eye(4))
    assert SphereSeeds([(0, 0, 0)]).fit_transform(img).shape == (5, 1)


# Back to images


def test_spheres_back_to_an_image(sample_box):
    centre = nib.affines.apply_affine(sample_box.img.affine, (5, 4, 4))
    seeds = SphereSeeds([centre, sample_box.seeds[1]], [5.1, None])
    seeds.fit(sample_box.img)
    img = seeds.inverse_transform([[1.0, 2.0], [3.0, -4.0]])
    assert img.shape == (*sample_box.img.shape[:3], 2)
    np.testing.assert_array_equal(img.affine, sample_box.img.affine)
    first = img.get_fdata()[..., 1]
    # Nearest neighbours of 5 mm, and the voxel itself.
    assert np.count_nonzero(first == 3) == 7
    assert np.count_nonzero(first == -4) == 1
    assert np.count_nonzero(first) == 8
    single = seeds.inverse_transform([3.0, -4.0])
    np.testing.assert_array_equal(single.get_fdata(), first)


def test_shared_voxels_have_the_mean(sample_box):
    seeds = [sample_box.seeds[0], np.add(sample_box.seeds[0], [5, 0, 0])]
    seeds = SphereSeeds(seeds, 6.0, allow_overlap=True).fit(sample_box.img)
    values = seeds.inverse_transform([2.0, 4.0]).get_fdata()
    assert set(np.unique(values)) == {0, 2, 3, 4}
    both = SphereSeeds([seeds.seeds], 6.0).fit(sample_box.img)
    np.testing.assert_array_equal(
        both.inverse_transform([2.0]).get_fdata() > 0, values > 0
    )


def test_regions_back_to_an_image(sample_box):
    atlas = sample_box.labels_img
    theirs = NiftiLabelsMasker(atlas, standardize=None).fit()
    rows = np.random.default_rng(7).standard_normal((2, 2))
    full = np.zeros((2, 4))
    full[:, [2, 0]] = rows
    expected = theirs.inverse_transform(full)
    # Without an image, on the grid of the atlas.
    for img in (None, sample_box.img):
        found = RegionSeeds(atlas, [3, 1]).fit(img).inverse_transform(rows)
        np.testing.assert_array_equal(found.get_fdata(), expected.get_fdata())
        np.testing.assert_array_equal(found.affine, atlas.affine)


def test_surface_regions_back_to_an_image(cortex):
    for run, mesh in ((cortex.img, cortex.img.mesh), (None, cortex.labels_img.mesh)):
        seeds = RegionSeeds(cortex.labels_img, [3, 1]).fit(run)
        img = seeds.inverse_transform([[1.0, 2.0]])
        assert img.mesh is mesh
        for name, part in img.data.parts.items():
            labels = cortex.labels_img.data.parts[name]
            expected = np.where(labels == 3, 1.0, np.where(labels == 1, 2.0, 0))
            np.testing.assert_array_equal(part, expected[:, np.newaxis])


def test_discs_back_to_an_image(cortex):
    seeds = SurfaceSeeds([40, 7], 4.5, hemisphere="right").fit(cortex.img)
    img = seeds.inverse_transform(np.eye(2))
    assert not img.data.parts["left"].any()
    disc = disc_by_looking(cortex.mesh.parts["right"], 40, 4.5)
    np.testing.assert_array_equal(np.flatnonzero(img.data.parts["right"][:, 0]), disc)


def test_back_to_an_image_of_wrong_rows(kind):
    masker = clone(kind.make).fit()
    if masker.grid_ is None:
        with pytest.raises(ValueError, match="was fitted without an image"):
            masker.inverse_transform(np.zeros((1, len(kind.names))))
    masker.fit(kind.img)
    for shape in ((1, 9), (9,), (), (1, 1, len(kind.names))):
        with pytest.raises(ValueError, match=words("column for each", len(kind.names))):
            masker.inverse_transform(np.zeros(shape))
    for rows in (["a"] * len(kind.names), [1j] * len(kind.names)):
        with pytest.raises(TypeError, match="X must hold real numbers"):
            masker.inverse_transform(rows)


# In scikit-learn


def test_parameters_are_set_from_outside(kind):
    masker = clone(kind.make).fit(kind.img)
    before = masker.transform(kind.img)
    masker.set_params(**kind.changes).fit(kind.img)
    after = masker.transform(kind.img)
    assert masker.seed_names_ == kind.changed_names
    assert after.shape != before.shape or np.abs(after - before).max() > 1e-3
    fresh = clone(kind.make).set_params(**kind.changes)
    np.testing.assert_array_equal(fresh.fit_transform(kind.img), after)


def test_cloned_and_pickled(kind):
    masker = clone(kind.make)
    signals = masker.fit_transform(kind.img)
    for copied in (
        clone(masker).fit(kind.img),
        pickle.loads(pickle.dumps(masker)),
        pickle.loads(pickle.dumps(clone(masker))).fit(kind.img),
    ):
        np.testing.assert_array_equal(copied.transform(kind.img), signals)


def test_init_stores_and_nothing_else(kind):
    masker = clone(kind.make)
    names = set(masker.get_params())
    assert set(vars(masker)) == names
    for name in names:
        assert getattr(masker, name) is masker.get_params(deep=False)[name]
    for method in ("transform", "inverse_transform", "get_feature_names_out"):
        with pytest.raises(NotFittedError):
            getattr(masker, method)(kind.img)


def test_parameters_are_left_alone(kind):
    masker = clone(kind.make)
    before = {name: id(value) for name, value in masker.get_params().items()}
    text = pickle.dumps(masker.get_params())
    masker.fit(kind.img).transform(kind.img)
    assert {name: id(v) for name, v in masker.get_params().items()} == before
    assert pickle.dumps(masker.get_params()) == text


def test_names_and_pandas(kind):
    masker = clone(kind.make).set_output(transform="pandas")
    table = masker.fit_transform(kind.img)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == kind.names
    assert masker.get_feature_names_out().tolist() == kind.names


# Places that come with each run


def places_of_runs(sample_box, cortex):
    """Return maskers of the places of runs, two runs' places each, and an image."""
    one, other = sample_box.seeds[:2], sample_box.seeds[1:]
    table = pd.DataFrame(one, columns=["x", "y", "z"])
    masks = [[mask_of(sample_box, n)] for n in (1, 2)]
    labels = np.asarray(sample_box.labels_img.dataobj)
    return {
        "spheres": (SphereSeeds("run", names=["a", "b"]), one, other, sample_box.img),
        "tables": (
            SphereSeeds("run", 6.0),
            table.assign(name=["a", "b"]),
            table.iloc[::-1].assign(name=["a", "b"]),
            sample_box.img,
        ),
        "masks": (RegionSeeds("run", names=["a"]), *masks, sample_box.img),
        "labels": (
            RegionSeeds("run", ["b", "a"], lut=["a", "b", "c", "d"]),
            sample_box.labels_img,
            nib.Nifti1Image(np.where(labels, 5 - labels, 0), sample_box.img.affine),
            sample_box.img,
        ),
        "discs": (
            SurfaceSeeds("run", hemisphere="left", names=["a"]),
            [12],
            [40],
            cortex.img,
        ),
    }


@pytest.mark.parametrize("name", ["spheres", "tables", "masks", "labels", "discs"])
def test_places_of_each_run(sample_box, cortex, name):
    masker, one, other, img = places_of_runs(sample_box, cortex)[name]
    assert masker.takes_places
    masker.fit(one)
    for places in (one, other):
        laid = masker.with_places(places)
        assert type(laid) is type(masker)
        assert not laid.takes_places
        parameters = {**masker.get_params(), masker._where: places}
        expected = type(masker)(**parameters).fit_transform(img)
        np.testing.assert_array_equal(laid.transform(img), expected)
        assert laid.seed_names_ == masker.seed_names_
        assert masker.get_feature_names_out().tolist() == masker.seed_names_
    assert isinstance(getattr(masker, masker._where), str)
    for method, argument in (
        ("transform", img),
        ("on", None),
        ("inverse_transform", [1.0]),
    ):
        with pytest.raises(ValueError, match=words('"run"', "Run(img, seed_places=")):
            getattr(masker, method)(argument)


def test_names_of_places_of_runs(sample_box):
    masker = SphereSeeds("run", names=["a", "b"]).fit()
    assert masker.seed_names_ == ["a", "b"]
    with pytest.raises(ValueError, match=words("seed_places: names", "2 for 3 seeds")):
        masker.with_places(sample_box.seeds)
    with pytest.raises(ValueError, match=words('"run"', "from the places of a run")):
        SphereSeeds("run").fit()
    masker = SphereSeeds("run").fit(sample_box.seeds[:2])
    expected = words("called ['(-17, -38, 33)']", "in fit they were", "names")
    with pytest.raises(ValueError, match=expected):
        masker.with_places(sample_box.seeds[2:])
    # Fitted again, it takes other seeds.
    assert masker.fit(sample_box.seeds[2:]).seed_names_ == ["(-17, -38, 33)"]


def test_errors_of_places_of_runs(sample_box):
    with pytest.raises(ValueError, match=words("brings none", "Run(img, seed_places=")):
        SphereSeeds("run").with_places(None)
    with pytest.raises(ValueError, match=words("seed_places", 'SphereSeeds("run")')):
        SphereSeeds(sample_box.seeds).with_places(sample_box.seeds)
    with pytest.raises(TypeError, match=r"^seed_places: seeds must be a sequence"):
        SphereSeeds("run").with_places(3)
    with pytest.raises(TypeError, match=words("seed_places, labels_img", "float")):
        RegionSeeds("run").with_places(3.0)
