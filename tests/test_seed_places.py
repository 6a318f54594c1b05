"""Seeds of each person: places that come with each run, `Run.seed_places`."""

import pickle
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker, SurfaceMasker
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from helpers import image_like, save, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._images.opening import grid_of
from sbc_estimators.maskers import RegionSeeds, SphereSeeds, SurfaceSeeds
from sbc_estimators.plotting import plot_seed_map
from sbc_estimators.plotting._seeds import SeedInImage

ONE, OTHER = [(0, -52, 18), (21, -63, 13)], [(-17, -38, 33), (5, -55, 20)]


def thirds(data, order):
    """Return an atlas of three slabs of the brain, numbered in an order."""
    slabs = np.asarray(order)[np.indices(data.mask_img.shape)[1] * 3 // 9]
    return image_like(data.mask_img, slabs * np.asarray(data.mask_img.dataobj))


def lesion(data, x):
    """Return a mask of one slab."""
    return image_like(data.mask_img, np.indices(data.mask_img.shape)[0] == x)


def table(places, names, **columns):
    """Return a table of seeds."""
    rows = pd.DataFrame(places, columns=["x", "y", "z"])
    return rows.assign(name=names, **columns)


PLACES = {
    "coordinates": lambda data: (
        SphereSeeds("run", 6, names=["PCC", "IPS"]),
        [ONE, OTHER],
    ),
    "tables": lambda data: (
        SphereSeeds("run", 6),
        [table(ONE, ["a", "b"]), table(OTHER, ["a", "b"])],
    ),
    "lesions": lambda data: (
        RegionSeeds("run", names=["lesion"]),
        [lesion(data, 4), lesion(data, 6)],
    ),
    "masks": lambda data: (
        RegionSeeds("run", names=["a", "b"]),
        [[lesion(data, 2), lesion(data, 4)], [lesion(data, 3), lesion(data, 6)]],
    ),
    "labels": lambda data: (
        RegionSeeds("run", ["b", ["a", "c"]], lut=["a", "b", "c"]),
        [thirds(data, [1, 2, 3]), thirds(data, [2, 3, 1])],
    ),
}
"""Maskers, and what two runs bring."""


@pytest.fixture(params=PLACES)
def own(request, sample_box):
    """Return a masker of the places of runs, two runs with these, and the brain."""
    masker, places = PLACES[request.param](sample_box)
    halves = sample_box.img.slicer[..., :100], sample_box.img.slicer[..., 100:]
    pairs = zip(halves, places, strict=True)
    return SimpleNamespace(
        masker=masker,
        places=places,
        runs=[Run(img, t_r=1.5, seed_places=place) for img, place in pairs],
        brain=NiftiMasker(sample_box.mask_img, detrend=True, low_pass=0.2),
    )


def placed(masker, places):
    """Return a masker that has places of its own."""
    return clone(masker).set_params(**{masker._where: places})


def test_maps_are_those_of_each_run_s_own_places(own):
    sbc = SeedCorrelationMap(own.masker, own.brain)
    z = sbc.fit_transform(own.runs)
    for row, run, places in zip(z, own.runs, own.places, strict=True):
        expected = SeedCorrelationMap(placed(own.masker, places), own.brain)
        np.testing.assert_array_equal(row, expected.fit_transform(run)[0])
        assert sbc.seed_names_ == expected.seed_names_
        np.testing.assert_array_equal(sbc.seed_signals(run), expected.seed_signals(run))
        (found,), (own_found,) = sbc.statistics(run), expected.statistics(run)
        np.testing.assert_array_equal(found.z_score, own_found.z_score)
    np.testing.assert_array_equal(sbc.transform(own.runs), z)
    np.testing.assert_array_equal(sbc.transform(own.runs[::-1]), z[::-1])
    np.testing.assert_allclose(
        sbc.correlations_.ravel(), np.tanh(z.mean(axis=0)), atol=1e-6
    )


@pytest.mark.parametrize("own", ["tables", "masks"], indirect=True)
def test_jobs_play_no_part(own):
    alone, together = (
        SeedCorrelationMap(own.masker, own.brain, n_jobs=n_jobs) for n_jobs in (None, 2)
    )
    z = alone.fit_transform(own.runs)
    np.testing.assert_array_equal(together.fit_transform(own.runs), z)
    assert together.seed_names_ == alone.seed_names_


def test_on_a_surface(surface):
    brain = SurfaceMasker(surface.mask_img, detrend=True)
    masker = SurfaceSeeds("run", None, hemisphere="left", names=["V1"])
    runs = [Run(surface.img, t_r=2.0, seed_places=[place]) for place in (12, 40)]
    z = SeedCorrelationMap(masker, brain).fit_transform(runs)
    for row, run in zip(z, runs, strict=True):
        own = placed(masker, run.seed_places)
        expected = SeedCorrelationMap(own, brain).fit_transform(run)
        np.testing.assert_array_equal(row, expected[0])


def test_rows_of_the_report_are_of_each_run_s_places(own):
    report = SeedCorrelationMap(own.masker, own.brain).fit(own.runs).seed_report_
    parts = [
        SeedCorrelationMap(placed(own.masker, places), own.brain).fit(run).seed_report_
        for run, places in zip(own.runs, own.places, strict=True)
    ]
    expected = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(
        report.drop(columns="run"), expected.drop(columns="run")
    )


@pytest.mark.parametrize("own", ["tables", "masks", "labels"], indirect=True)
def test_a_cache_tells_places_apart(own, tmp_path, readings):
    runs = [
        Run(save(run.img, tmp_path / f"{i}.nii"), t_r=1.5, seed_places=run.seed_places)
        for i, run in enumerate(own.runs)
    ]
    kept = {"memory": tmp_path / "cache", "memory_level": 2}
    sbc = SeedCorrelationMap(own.masker, own.brain, **kept)
    plain = SeedCorrelationMap(own.masker, own.brain).fit(runs)
    z = sbc.fit_transform(runs)
    np.testing.assert_array_equal(z, plain.transform(runs))
    swapped = [
        Run(run.img, t_r=1.5, seed_places=other.seed_places)
        for run, other in zip(runs, runs[::-1], strict=True)
    ]
    expected = plain.transform(swapped)
    readings.clear()
    np.testing.assert_array_equal(sbc.transform(runs), z)
    np.testing.assert_array_equal(sbc.transform(swapped), expected)
    assert readings == []  # all of it lies in the brain, which is kept


@pytest.mark.parametrize("own", ["tables", "masks", "labels"], indirect=True)
def test_prepared(own, tmp_path):
    sbc = SeedCorrelationMap(
        own.masker, own.brain, memory=tmp_path / "cache", memory_level=2
    ).fit(own.runs)
    run = Run(
        save(own.runs[1].img, tmp_path / "run.nii"),
        t_r=1.5,
        seed_places=own.runs[1].seed_places,
    )
    other = placed(own.masker, own.places[0])
    with sbc.prepare(run) as prepared:
        expected = np.tanh(sbc.transform(run))
        sent = pickle.loads(pickle.dumps(prepared))
        for one in (prepared, sent):
            np.testing.assert_allclose(one.map().reshape(1, -1), expected, atol=1e-6)
            np.testing.assert_array_equal(one.map(), one.map(clone(own.masker)))
            expected_other = SeedCorrelationMap(other, own.brain).fit(run)
            r = one.map(other)
            np.testing.assert_allclose(r, expected_other.correlations_, atol=1e-6)
        sent.close()


def test_a_search_over_radii(sample_box):
    quarters = [sample_box.img.slicer[..., i : i + 50] for i in range(0, 200, 50)]
    runs = [
        Run(img, t_r=1.5, seed_places=places[:1])
        for img, places in zip(quarters, [ONE, OTHER] * 2, strict=True)
    ]
    sbc = SeedCorrelationMap(
        SphereSeeds("run", names=["PCC"]), NiftiMasker(sample_box.mask_img)
    )
    grid = {"seedcorrelationmap__seed_masker__radius": [4, 8]}
    search = GridSearchCV(make_pipeline(sbc, Ridge()), grid, cv=2)
    search.fit(runs, [0.0, 1, 2, 3])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_a_masker_with_places_leaves_those_of_runs_alone(sample_box):
    """So that one search compares seeds of a group with those of each person."""
    brain = NiftiMasker(sample_box.mask_img)
    sbc = SeedCorrelationMap(SphereSeeds(ONE), brain)
    run = Run(sample_box.img, seed_places=OTHER)
    expected = sbc.fit_transform(sample_box.img)
    np.testing.assert_array_equal(sbc.fit_transform(run), expected)


def test_nothing_is_drawn_of_seeds_that_lie_elsewhere_in_each_run(own, sample_box):
    sbc = SeedCorrelationMap(own.masker, own.brain).fit(own.runs)
    seed = SeedInImage(sbc, 0, grid_of(sample_box.mask_img))
    assert (seed.sphere(), seed.region(), seed.voxels()) == ((None, 0), None, None)


@pytest.mark.parametrize("own", ["coordinates", "labels"], indirect=True)
def test_a_map_is_drawn_without_them(own, sample_box):
    sbc = SeedCorrelationMap(own.masker, own.brain).fit(own.runs)
    plot_seed_map(sbc, bg_img=sample_box.mask_img, cut_coords=(0, -52, 18)).close()


# Errors


def refused(sample_box, masker, *runs):
    """Return what an estimator says of runs."""
    sbc = SeedCorrelationMap(masker, NiftiMasker(sample_box.mask_img))
    with pytest.raises((TypeError, ValueError, FileNotFoundError)) as info:
        sbc.fit(list(runs))
    return str(info.value)


@pytest.mark.parametrize(
    ("masker", "places", "said"),
    [
        (
            SphereSeeds("run", names=["PCC"]),
            None,
            ("the run brings none", "Run(img, seed_places=...)"),
        ),
        (
            SphereSeeds("run", names=["PCC"]),
            [(0, -52, 300)],
            ("seed 'PCC' at (0, -52, 300) mm lies outside the image",),
        ),
        (SphereSeeds("run", names=["PCC"]), ONE, ("1 for 2 seeds",)),
        (SphereSeeds("run"), OTHER[:1], ("(-17, -38, 33)", "(0, -52, 18)", "names")),
        (SphereSeeds("run", names=["PCC"]), "none.tsv", ("there is no file",)),
        (
            SphereSeeds("run"),
            table(OTHER[:1], ["IPS"]),
            ("called ['IPS']", "in fit they were", "All runs must have the same"),
        ),
        (RegionSeeds("run", names=["lesion"]), 3.0, ("seed_places", "float")),
    ],
)
def test_errors_name_the_run_before_any_scan_is_read(
    sample_box, tmp_path, readings, masker, places, said
):
    first = lesion(sample_box, 4) if isinstance(masker, RegionSeeds) else ONE[:1]
    if places is not None and isinstance(places, pd.DataFrame):
        first = table(ONE[:1], ["PCC"])
    path = save(sample_box.img, tmp_path / "run.nii")
    runs = Run(path, seed_places=first), Run(path, seed_places=places)
    expected = ("run 1", "run.nii", "seed_masker", *said)
    text = refused(sample_box, masker, *runs)
    assert all(part in text for part in expected), text
    sbc = SeedCorrelationMap(masker, NiftiMasker(sample_box.mask_img)).fit(runs[0])
    readings.clear()
    error = (TypeError, ValueError, FileNotFoundError)
    for method in (sbc.transform, sbc.prepare, sbc.seed_signals, sbc.statistics):
        with pytest.raises(error, match=words("run 0", *expected[1:])):
            method(runs[1])
    assert readings == []


def test_the_first_run_must_tell_names(sample_box):
    text = refused(sample_box, SphereSeeds("run"), Run(sample_box.img))
    assert text.startswith("run 0, seed_masker: SphereSeeds takes the places of each")
    bad = Run(sample_box.img, seed_places=[(0, 1)])
    text = refused(sample_box, SphereSeeds("run"), bad)
    assert text.startswith("seed_masker, run 0, seed_places: seeds must be a sequence")


def test_targets_are_the_same_in_all_runs(sample_box):
    sbc = SeedCorrelationMap(SphereSeeds(ONE), RegionSeeds("run", names=["target"]))
    with pytest.raises(TypeError, match=words("brain_masker", "as seed_masker")):
        sbc.fit(Run(sample_box.img, seed_places=lesion(sample_box, 4)))


def test_a_table_from_a_file_of_each_person(sample_box, tmp_path):
    runs = []
    for i, places in enumerate((ONE, OTHER)):
        path = tmp_path / f"sub-{i}_seeds.tsv"
        table(places, ["L IPS", "PCC"]).to_csv(path, sep="\t", index=False)
        runs.append(Run(sample_box.img, seed_places=path))
    brain = NiftiMasker(sample_box.mask_img)
    z = SeedCorrelationMap(SphereSeeds("run", 6), brain).fit_transform(runs)
    for row, places in zip(z, (ONE, OTHER), strict=True):
        expected = SeedCorrelationMap(SphereSeeds(places, 6), brain)
        np.testing.assert_array_equal(row, expected.fit_transform(sample_box.img)[0])


def test_seeds_in_another_image(sample_box):
    finer = nib.Nifti1Image(
        np.repeat(np.asarray(sample_box.img.dataobj), 2, axis=0),
        sample_box.img.affine @ np.diag([0.5, 1, 1, 1]),
    )
    masker = SphereSeeds("run", 6, names=["PCC", "IPS"])
    brain = NiftiMasker(sample_box.mask_img)
    run = Run(sample_box.img, seed_img=finer, seed_places=ONE)
    z = SeedCorrelationMap(masker, brain).fit_transform(run)
    expected = SeedCorrelationMap(SphereSeeds(ONE, 6), brain)
    np.testing.assert_array_equal(z, expected.fit_transform(run))
