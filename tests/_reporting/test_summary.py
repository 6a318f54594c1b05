"""What a report says: numbers are the estimator's, texts name what was done."""

import json
import pickle

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)
from nilearn.masking import apply_mask
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting import summary as summaries
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.summary import THRESHOLD, summarise
from sbc_estimators._reporting.tables import lowest_quality, run_files, run_labels
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SurfaceSeeds

BAND = {"low_pass": 0.1, "high_pass": 0.01}


@pytest.fixture
def no_pictures(monkeypatch):
    """Draw no maps, which takes most of the time."""
    monkeypatch.setattr(summaries, "map_picture", lambda *_: "data:,")


def test_runs_are_those_of_the_estimator(fitted, two_runs, summary):
    report = fitted.run_report_
    counts = ("n_scans", "n_kept_scans", "n_without_signal", "n_explained")
    for name in (*counts, "effective_dof"):
        assert [run[name] for run in summary["runs"]] == report[name].tolist()
    assert [run["n_confounds"] for run in summary["runs"]] == [8, 8]
    assert summary["cards"] == {
        "n_runs": 2,
        "n_seeds": 3,
        "n_voxels": fitted.n_voxels_,
        "n_scans": 400,
        "n_kept_scans": 200 + len(two_runs[1].sample_mask),
        "least_dof": report["effective_dof"].min(),
    }


def test_seeds_are_those_of_the_estimator(fitted, summary):
    means = fitted.seed_report_.groupby("seed", sort=False).mean(numeric_only=True)
    for name in ("n_voxels", "coverage", "homogeneity", "tsnr"):
        found = [seed[name] for seed in summary["seeds"]]
        np.testing.assert_allclose(found, means[name].astype(float), rtol=1e-12)
    beyond = (np.abs(np.arctanh(fitted.correlations_)) > THRESHOLD).mean(axis=1)
    found = [seed["beyond"] for seed in summary["seeds"]]
    np.testing.assert_allclose(found, beyond, atol=1e-12)
    assert [seed["name"] for seed in summary["seeds"]] == fitted.seed_names_


def test_agreement_of_runs_is_the_correlation_of_their_maps(fitted, two_runs, summary):
    z = fitted.transform(two_runs).reshape(2, 3, -1)
    expected = [np.corrcoef(z[:, seed])[0, 1] for seed in range(3)]
    found = [seed["agreement"] for seed in summary["seeds"]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_correlations_among_seeds_are_means_over_runs(fitted, two_runs, summary):
    each = [np.corrcoef(fitted.seed_signals(run).T) for run in two_runs]
    expected = np.tanh(np.mean(np.arctanh(np.clip(each, -1 + 1e-15, 1 - 1e-15)), 0))
    np.testing.assert_allclose(summary["correlations"]["r"], expected, atol=1e-7)


def test_time_series_are_the_seeds_with_gaps(fitted, two_runs, summary):
    whole, censored = summary["details"][1]["series"]
    expected = fitted.seed_signals(two_runs[1])[:, 1]
    assert whole["unit"] == "s"
    np.testing.assert_allclose(whole["times"][:3], [0, 1.5, 3])
    kept = [scan for scan, value in enumerate(censored["values"]) if value is not None]
    assert kept == two_runs[1].sample_mask.tolist()
    found = [value for value in censored["values"] if value is not None]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_histograms_count_every_voxel_of_each_run(fitted, summary):
    for detail in summary["details"]:
        assert [sum(row) for row in detail["histogram"]] == [fitted.n_voxels_] * 2


def test_peaks_lie_where_the_map_has_their_value(fitted, sample_box, summary):
    z = np.arctanh(fitted.correlations_)
    for detail in summary["details"]:
        row = z[detail["position"]]
        img = fitted.brain_masker_.inverse_transform(row)
        assert detail["peaks"]
        for peak in detail["peaks"]:
            voxel = np.linalg.inv(img.affine) @ [*peak["place"], 1]
            value = img.get_fdata()[tuple(np.rint(voxel[:3]).astype(int))]
            assert value == pytest.approx(peak["z"], abs=1e-5)
            assert abs(value) > THRESHOLD
        sizes = [abs(peak["z"]) for peak in detail["peaks"]]
        assert sizes == sorted(sizes, reverse=True)
        strongest = row[np.abs(row).argmax()]
        assert detail["peaks"][0]["z"] == pytest.approx(strongest, abs=1e-5)


def test_seeds_are_where_they_are(sample_box, summary):
    for detail, centre in zip(summary["details"], sample_box.seeds, strict=True):
        assert detail["place"] == pytest.approx(centre)
        assert detail["radius"] == 6


def test_without_runs_there_is_what_fit_keeps(fitted, summary, no_pictures):
    found = summarise(fitted)
    assert not found["has_runs"]
    assert found["correlations"] is None
    assert [seed["agreement"] for seed in found["seeds"]] == [None] * 3
    assert [detail["series"] for detail in found["details"]] == [None] * 3
    assert [run["n_confounds"] for run in found["runs"]] == [None] * 2
    assert found["cards"] == summary["cards"]
    for own, other in zip(found["details"], summary["details"], strict=True):
        assert own["peaks"] == other["peaks"]
    assert "generate_report" in found["methods"]["text"]
    assert "#   runs: the runs" in found["script"]


def test_nothing_is_kept_and_nothing_changes(fitted, two_runs, no_pictures):
    before, names = pickle.dumps(fitted.get_params(deep=False)), set(vars(fitted))
    correlations = fitted.correlations_.copy()
    summarise(fitted, two_runs)
    assert set(vars(fitted)) == names
    assert pickle.dumps(fitted.get_params(deep=False)) == before
    np.testing.assert_array_equal(fitted.correlations_, correlations)


def test_a_summary_but_for_its_pictures_is_json(summary):
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text)["cards"] == summary["cards"]


def test_before_fit_there_is_no_report():
    with pytest.raises(NotFittedError):
        SeedCorrelationMap(NiftiSpheresMasker([(0, 0, 0)])).generate_report()


def test_an_estimator_that_returns_tables(fitted, two_runs, summary, no_pictures):
    tables = pickle.loads(pickle.dumps(fitted)).set_output(transform="pandas")
    assert summarise(tables, two_runs)["seeds"] == summary["seeds"]


def test_maps_of_zeros_do_not_agree(fitted, two_runs):
    zeros = summaries.Mapped(two_runs, np.zeros((2, 1, 5)), [], [])
    assert summaries._agreements(zeros) == [None]


# Runs that are not those of fit


def test_other_runs_are_an_error(fitted, two_runs, sample_box):
    with pytest.raises(ValueError, match="the runs of fit: they give 1 map"):
        summarise(fitted, two_runs[:1])
    other = [two_runs[0], Run(two_runs[1].img, sample_box.confounds, t_r=1.5)]
    with pytest.raises(ValueError, match="their correlations differ from"):
        summarise(fitted, other)


# Warnings


def test_warnings_of_fit_are_heard_while_runs_are_mapped(sample_box, no_pictures):
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker(sample_box.seeds[:1], radius=6, detrend=True, t_r=1.5),
        NiftiMasker(sample_box.mask_img, t_r=1.5),
    )
    with pytest.warns(UserWarning, match="clean differently"):
        sbc.fit(sample_box.run)
    (text,) = summarise(sbc, sample_box.run)["warnings"]
    assert text.startswith("seed_masker and brain_masker clean differently, in detrend")
    # The tables of fit do not know.
    assert summarise(sbc)["warnings"] == []


def test_voxels_without_signal_are_told_with_and_without_runs(sample_box, no_pictures):
    data = sample_box.img.get_fdata().copy()
    data[5:8, 0] = 100
    run = Run(nib.Nifti1Image(data, sample_box.img.affine), t_r=1.5)
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker(sample_box.seeds[:1], radius=6, detrend=True),
        NiftiMasker(sample_box.mask_img, detrend=True),
    )
    with pytest.warns(UserWarning, match="have no signal"):
        sbc.fit(run)
    n_silent = int(sbc.run_report_["n_without_signal"].iloc[0])
    for X in (run, None):
        found = summarise(sbc, X)
        (text,) = found["warnings"]
        assert f"run 0: {n_silent} of" in text
        assert "no signal" in text
        assert f"up to {n_silent} voxels had no signal" in found["methods"]["text"]


def test_low_coverage_is_told_without_runs(fitted, no_pictures):
    report = fitted.seed_report_.copy()
    report.loc[4, "coverage"] = 0.25
    altered = _altered(fitted, seed_report_=report)
    (text,) = summarise(altered)["warnings"]
    assert text == (
        "run 1: the coverage of these seeds is below one half: "
        f"{fitted.seed_names_[1]} (25%)."
    )


def _altered(estimator, **attributes):
    """Return a copy of a fitted estimator with other attributes."""
    copy = pickle.loads(pickle.dumps(estimator))
    for name, value in attributes.items():
        setattr(copy, name, value)
    return copy


# Degrees of freedom


def test_degrees_of_freedom_are_told_where_they_are_known(fitted, no_pictures):
    report = fitted.run_report_.assign(effective_dof=np.nan)
    page = render(summarise(_altered(fitted, run_report_=report)))
    assert "degrees of freedom" not in page
    report = fitted.run_report_.assign(effective_dof=[41.26, 8.5])
    found = summarise(_altered(fitted, run_report_=report))
    assert found["cards"]["least_dof"] == 8.5
    assert [run["effective_dof"] for run in found["runs"]] == [41.26, 8.5]
    assert "Cleaning left 8.5 to 41.3 effective degrees" in found["methods"]["text"]
    assert "only 8.5 effective degrees of freedom" in found["warnings"][0]
    assert "effective degrees of freedom" in render(found)


def test_rank_is_no_word_of_a_report(fitted, no_pictures):
    found = summarise(fitted)
    del found["viewer"]
    assert "rank" not in render({**found, "viewer": {"why": ""}}).replace(
        "mean rank", ""
    )


# Many seeds


@pytest.fixture(scope="module")
def many(sample_box):
    """An estimator with each voxel of a small mask as a seed."""
    few = np.zeros(sample_box.mask_img.shape, np.uint8)
    few[3:6, 2:5, 3:6] = np.asarray(sample_box.mask_img.dataobj)[3:6, 2:5, 3:6]
    seeds = NiftiMasker(nib.Nifti1Image(few, sample_box.mask_img.affine), detrend=True)
    brain = NiftiMasker(sample_box.mask_img, detrend=True)
    return SeedCorrelationMap(seeds, brain).fit(sample_box.run)


def test_of_many_seeds_the_worst_have_pictures(many, sample_box, no_pictures):
    found = summarise(many, sample_box.run)
    assert many.n_seeds_ > 12
    assert len(found["seeds"]) == many.n_seeds_
    worst = np.sort(np.argsort([seed["tsnr"] for seed in found["seeds"]])[:12])
    assert found["pictured"] == worst.tolist()
    assert [detail["position"] for detail in found["details"]] == found["pictured"]
    if "why" not in found["viewer"]:
        assert len(found["viewer"]["volume"]["maps"]) == many.n_seeds_
    page = render(found)
    assert page.count("<article") == 12
    assert "12 seeds of lowest quality" in page


def test_quality_is_a_mean_of_ranks():
    rows = [
        {"coverage": 1.0, "homogeneity": 0.5, "tsnr": 100},
        {"coverage": 0.2, "homogeneity": 0.1, "tsnr": 20},
        {"coverage": 1.0, "homogeneity": None, "tsnr": 50},
    ]
    assert lowest_quality(rows, 1) == [1]
    assert lowest_quality(rows, 2) == [1, 2]
    assert lowest_quality(rows, 5) == [0, 1, 2]


def test_seeds_of_no_known_quality_come_as_they_are():
    rows = [{"coverage": None, "homogeneity": None, "tsnr": None}] * 4
    assert lowest_quality(rows, 2) == [0, 1]


# Names of runs


def test_runs_have_short_names_no_two_alike():
    file = "data/sub-01_ses-2_task-rest_run-1_space-MNI_desc-preproc_bold.nii.gz"
    assert run_labels([file]) == ["sub-01 ses-2 task-rest run-1"]
    assert run_labels([file, file])[1] == "run 1: sub-01 ses-2 task-rest run-1"
    assert run_labels(["data\\a.nii", ""]) == ["a.nii", "run 1"]


def test_runs_without_a_file_have_an_empty_name():
    report = pd.DataFrame({"run": [0, 1], "img": ["a/b.nii", None]})
    assert run_files(report) == ["a/b.nii", ""]


# Every kind of seed and brain


class Own(TransformerMixin, BaseEstimator):
    """A masker of another package: the mean of the brain, and no image of it."""

    def __init__(self, mask_img=None):
        self.mask_img = mask_img

    def fit(self, X=None, y=None):
        return self

    def transform(self, X, confounds=None, sample_mask=None):
        return apply_mask(X, self.mask_img).mean(axis=1, keepdims=True)

    def inverse_transform(self, X):
        return np.asarray(X)


class OwnParcel(Own):
    """The same, which calls the brain a region."""

    def __init__(self, labels_img=None):
        self.labels_img = self.mask_img = labels_img


def _volume_kinds(box):
    """Return pairs of maskers of a volume by name."""
    spheres = NiftiSpheresMasker(box.seeds[:2], radius=6)
    brain = NiftiMasker(box.mask_img)
    one = (np.asarray(box.labels_img.dataobj) == 2).astype(np.uint8)
    return {
        "labels": (NiftiLabelsMasker(box.labels_img), brain),
        "regions": (RegionSeeds(box.labels_img, [2, 1]), brain),
        "a mask": (RegionSeeds(nib.Nifti1Image(one, box.labels_img.affine)), brain),
        "maps": (NiftiMapsMasker(box.maps_img), brain),
        "given signals": (GivenSignals(), brain),
        "parcels": (spheres, NiftiLabelsMasker(box.labels_img)),
        "maps as brain": (spheres, NiftiMapsMasker(box.maps_img)),
        "spheres as brain": (spheres, NiftiSpheresMasker(box.seeds, 6)),
        "another package": (Own(box.mask_img), brain),
        "no image": (spheres, Own(box.mask_img)),
        "its parcel": (spheres, OwnParcel(box.mask_img)),
    }


VOLUME_KINDS = (
    *("labels", "regions", "a mask", "maps", "given signals"),
    *(
        "parcels",
        "maps as brain",
        "spheres as brain",
        "another package",
        "no image",
        "its parcel",
    ),
)


@pytest.mark.parametrize("kind", VOLUME_KINDS)
def test_every_kind_in_a_volume(sample_box, kind):
    seeds, brain = _volume_kinds(sample_box)[kind]
    table = pd.DataFrame({"heart rate": np.sin(np.arange(200) / 3)})
    run = Run(sample_box.img, t_r=1.5, seed_signals=table)
    _check_page(SeedCorrelationMap(seeds, brain).fit(run), run)


def _surface_kinds(surface):
    """Return pairs of maskers of a surface by name."""
    brain = SurfaceMasker(surface.mask_img)
    labels = SurfaceLabelsMasker(surface.labels_img)
    return {
        "labels": (labels, brain),
        "discs": (SurfaceSeeds([3], 2.0, hemisphere="left"), brain),
        "parcels": (SurfaceSeeds([3], 2.0, hemisphere="left"), labels),
    }


@pytest.mark.parametrize("kind", ["labels", "discs", "parcels"])
def test_every_kind_on_a_surface(surface, kind, seeds_anywhere):
    seeds, brain = _surface_kinds(surface)[kind]
    sbc = SeedCorrelationMap(seeds, brain).fit(surface.run)
    found = _check_page(sbc, surface.run)
    parts = surface.img.mesh.parts
    everywhere = np.concatenate([parts[part].coordinates for part in parts])
    for detail in found["details"]:
        for place in (detail["place"], *(peak["place"] for peak in detail["peaks"])):
            nearest = np.abs(everywhere - place).max(axis=1).min()
            assert nearest < 0.01


def _check_page(sbc, run):
    """Check pages with and without the run; return what the first says."""
    found = [summarise(sbc, run)]
    with pytest.MonkeyPatch.context() as patch:
        # The same once more, which takes most of the time.
        patch.setattr(summaries, "map_picture", lambda *_: "data:,")
        found.append(summarise(sbc))
    for own in found:
        page = render(own)
        shown = page[page.index("<main>") : page.index("</main>")]
        assert not {"nan", "None", "inf"} & set(shown.replace("<", " ").split())
        assert shown.count("<article") == min(sbc.n_seeds_, 12)
        assert all(str(name) in shown for name in sbc.seed_names_)
    return found[0]


def test_regions_of_the_brain_are_named_and_sorted(sample_box, no_pictures):
    seeds, brain = _volume_kinds(sample_box)["parcels"]
    sbc = SeedCorrelationMap(seeds, brain).fit(sample_box.run)
    found = summarise(sbc)
    z = np.arctanh(sbc.correlations_[0])
    order = np.argsort(-np.abs(z))
    order = order[np.abs(z[order]) > THRESHOLD]
    names = sbc.get_feature_names_out()[: len(z)]
    prefix = f"{sbc.seed_names_[0]} "
    peaks = found["details"][0]["peaks"]
    assert found["unit"] == "regions"
    assert [f"{prefix}{peak['name']}" for peak in peaks] == names[order].tolist()
    np.testing.assert_allclose([peak["z"] for peak in peaks], z[order], rtol=1e-6)
    data = np.asarray(sample_box.labels_img.dataobj)
    labels = np.unique(data)[1:]
    for peak, region in zip(peaks, order, strict=True):
        voxel = np.linalg.inv(sample_box.labels_img.affine) @ [*peak["place"], 1]
        assert data[tuple(np.rint(voxel[:3]).astype(int))] == labels[region]


def test_a_parcel_of_another_package_is_a_region(sample_box, no_pictures):
    seeds, brain = _volume_kinds(sample_box)["its parcel"]
    found = summarise(SeedCorrelationMap(seeds, brain).fit(sample_box.run))
    assert found["unit"] == "regions"
    assert found["details"][0]["peaks"][0]["name"] == "region0"


@pytest.mark.parametrize("measure", ["partial", "semipartial"])
def test_other_measures_and_summaries(sample_box, measure, no_pictures):
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker(sample_box.seeds, radius=6, detrend=True),
        NiftiMasker(sample_box.mask_img, detrend=True),
        measure=measure,
        seed_summary="pca",
        **BAND,
    ).fit(sample_box.run)
    found = summarise(sbc, sample_box.run)
    assert found["measure"] == measure
    assert "other seeds regressed out" in render(found)
