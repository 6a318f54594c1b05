"""What is kept of runs on disk, what is made anew, and that it is never wrong.

How entries lie on disk `_support/test_store.py` tests.
"""

import os
import shutil
import tracemalloc
import warnings
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import joblib
import nibabel as nib
import nilearn
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
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from helpers import drifting
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._arrays import dimensions as _dimensions
from sbc_estimators._images.opening import open_scans
from sbc_estimators._maps import mapping as _mapping
from sbc_estimators._signals import kept as _kept
from sbc_estimators._support import store as _store
from sbc_estimators._support import threads as _threads
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import (
    GivenSignals,
    RegionSeeds,
    SphereSeeds,
    SurfaceSeeds,
)

pytestmark = pytest.mark.usefixtures("any_dof")

BAND = {"detrend": True, "high_pass": 0.01, "low_pass": 0.1}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four runs in files, two of each group."""
    folder = tmp_path_factory.mktemp("runs")
    return make_runs(
        4, 60, 400, n_confounds=2, group_effect=1, directory=folder, random_state=0
    )


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def make(data, folder):
    """The function ``(**parameters) -> estimator`` with a cache of all levels."""

    def made(**parameters):
        seed = NiftiSpheresMasker(data.seeds[:2], radius=6, **BAND)
        brain = NiftiMasker(data.mask_img, smoothing_fwhm=5, **BAND)
        sbc = SeedCorrelationMap(seed, brain, memory=folder, memory_level=2)
        return sbc.set_params(**parameters)

    return made


def entries(folder, kind="*"):
    """Return the files of entries of a kind."""
    return sorted((folder / "joblib" / "sbc_estimators").glob(f"{kind}/*/entry"))


def counts(folder):
    """Return how many maps and prepared sides of runs are kept."""
    return {kind: len(entries(folder, kind)) for kind in ("maps", "prepared")}


def assert_same(found, expected):
    """Check that two fitted estimators tell the same, to the last bit."""
    np.testing.assert_array_equal(found.correlations_, expected.correlations_)
    assert found.seed_report_.equals(expected.seed_report_)
    assert found.run_report_.equals(expected.run_report_)
    assert found.paths_ == expected.paths_
    assert found.seed_names_ == expected.seed_names_


def mapped_anew(make, run, **parameters):
    """Return an estimator fitted with the cache, checked to be as one without."""
    sbc = make(**parameters).fit(run)
    assert_same(sbc, make(**parameters).set_params(memory=None).fit(run))
    return sbc


def half_of(mask_img, axis):
    """Return the half of a mask that lies low along an axis."""
    mask = np.array(mask_img.dataobj)
    mask[np.indices(mask.shape)[axis] >= mask.shape[axis] // 2] = 0
    return nib.Nifti1Image(mask, mask_img.affine)


def file_of(run):
    """Return the name of a run's file, as it is noted when it is read."""
    return str(run.img)


# What is made anew


def test_second_time_nothing_is_read(make, data, folder, readings):
    z = make().fit_transform(data.runs)
    assert readings == list(map(file_of, data.runs))
    assert counts(folder) == {"maps": 4, "prepared": 4}
    again = make().fit(data.runs)
    np.testing.assert_array_equal(again.transform(data.runs), z)
    assert len(readings) == 4
    assert counts(folder) == {"maps": 4, "prepared": 4}


@pytest.mark.parametrize("level", [1, 2])
def test_results_are_those_without_a_cache(make, data, level):
    plain = make(memory=None).fit(data.runs)
    for _ in ("cold", "warm"):
        assert_same(make(memory_level=level).fit(data.runs), plain)


# Parameters, and whether the run is read for them.
CHANGES = {
    "radius": ({"seed_masker__radius": 4}, False),
    "place": ({"seed_masker__seeds": [(0, -8, 0)]}, False),
    "one seed more": ({"seed_masker__seeds": [(0, -8, 0), (-8, 12, 0)]}, False),
    "seed masker": ({"seed_masker": SphereSeeds([(0, -8, 0)], radius=5)}, False),
    "voxels of a mask": ({"seed_masker": "NiftiMasker"}, False),
    "summary": ({"seed_summary": "pca"}, False),
    "measure": ({"measure": "partial"}, False),
    "measure and summary": (
        {"measure": "semipartial", "seed_summary": "median"},
        False,
    ),
    "low_pass": ({"low_pass": 0.08}, True),
    "low_pass of seeds": ({"seed_masker__low_pass": 0.08}, True),
    "detrend": (
        {"seed_masker__detrend": False, "brain_masker__detrend": False},
        True,
    ),
    "smoothing": ({"brain_masker__smoothing_fwhm": 8}, True),
}

# Parameters on which no map depends.
NO_PART = {
    "scale": {"scale": "z_score"},
    "n_jobs": {"n_jobs": 2},
    "verbose": {"verbose": 1, "seed_masker__verbose": 0},
    "standardize": {"seed_masker__standardize": "zscore_sample"},
    "standardize, brain": {"brain_masker__standardize": "psc"},
    "reports": {"brain_masker__reports": False},
}


@pytest.mark.filterwarnings("ignore:seed_masker and brain_masker clean differently")
@pytest.mark.parametrize("change", CHANGES)
def test_only_what_a_parameter_changes_is_read(make, data, folder, readings, change):
    parameters, is_read = CHANGES[change]
    if parameters.get("seed_masker") == "NiftiMasker":
        few = np.zeros(data.mask_img.shape, np.uint8)
        few[6, 6:8, 6] = 1
        few = nib.Nifti1Image(few, data.mask_img.affine)
        parameters = {"seed_masker": NiftiMasker(few, **BAND)}
    run = data.runs[0]
    make().fit(run)
    readings.clear()
    sbc = make(**parameters).fit(run)
    assert readings == [file_of(run)] * is_read
    assert counts(folder)["maps"] == 2
    assert_same(sbc, make(**parameters).set_params(memory=None).fit(run))


@pytest.mark.parametrize("change", NO_PART)
def test_what_has_no_part_in_a_map_computes_none(make, data, folder, readings, change):
    expected = make().fit(data.runs[:2])
    readings.clear()
    with joblib.parallel_config("threading"):  # processes share a cache below
        sbc = make(**NO_PART[change]).fit(data.runs[:2])
    assert readings == []
    assert counts(folder)["maps"] == 2
    assert_same(sbc, expected)


def test_another_scale_computes_nothing(make, data, monkeypatch):
    run, rows = data.runs[0], {}
    for scale in ("fisher_z", "z_score", "r"):
        rows[scale] = make(scale=scale, memory=None).fit_transform(run)
    make(scale="r").fit(run)
    # Nothing that maps are made of, or degrees of freedom.
    for room, name in ((_mapping, "_mapped"), (_dimensions, "band_shares")):
        monkeypatch.setattr(room, name, None)
    for scale, expected in rows.items():
        found = make(scale=scale).fit_transform(run)
        np.testing.assert_array_equal(found, expected)


def test_grid_search_reads_each_file_once_a_filter(make, data, folder, readings):
    pipeline = Pipeline([("map", make()), ("classify", LogisticRegression())])
    grid = {"map__seed_masker__radius": [4, 6, 8], "map__low_pass": [0.08, 0.1]}
    search = GridSearchCV(pipeline, grid, scoring="accuracy", cv=2)
    search.fit(data.runs, data.y)
    assert counts(folder) == {"maps": 4 * 3 * 2, "prepared": 4 * 2}
    assert sorted(readings) == sorted(2 * list(map(file_of, data.runs)))


def test_levels(make, data, folder):
    for level, expected in [
        (0, {"maps": 0, "prepared": 0}),
        (1, {"maps": 4, "prepared": 0}),
        (2, {"maps": 4, "prepared": 0}),  # the maps are there already
    ]:
        make(memory_level=level).fit(data.runs)
        assert counts(folder) == expected
    make(memory_level=2, seed_masker__radius=4).fit(data.runs)
    assert counts(folder) == {"maps": 8, "prepared": 4}


@pytest.mark.parametrize(
    "kind", [str, Path, lambda path: joblib.Memory(str(path), verbose=0)]
)
def test_kinds_of_memory(make, data, folder, kind):
    memory = kind(folder)
    sbc = make(memory=memory, memory_level=1).fit(data.runs)
    assert sbc.memory is memory
    assert sbc.memory_level == 1
    assert counts(folder) == {"maps": 4, "prepared": 0}


def test_position_of_a_run_plays_no_part(make, data, folder):
    make().fit(data.runs)
    sbc = make().fit(data.runs[::-1])
    assert counts(folder)["maps"] == 4
    assert sbc.run_report_["run"].tolist() == [0, 1, 2, 3]
    assert sbc.run_report_["img"][0] == str(data.runs[3].img)


def test_names_are_those_of_the_masker_in_hand(make, data, folder):
    for names in (["a", "b"], ["c", "d"]):
        seeds = SphereSeeds(data.seeds[:2], radius=6, names=names)
        sbc = make(seed_masker=seeds).fit(data.runs[0])
        assert sbc.seed_names_ == names
        assert list(sbc.seed_report_["seed"]) == names
    assert counts(folder)["maps"] == 1


# Sides, and positions beside the brain


@pytest.mark.filterwarnings("ignore:seed_masker and brain_masker clean differently")
def test_sides_that_are_cleaned_differently_are_kept_each(make, data, folder, readings):
    run = data.runs[0]
    make(seed_masker__low_pass=0.08).fit(run)
    assert counts(folder) == {"maps": 1, "prepared": 2}
    assert readings == [file_of(run)]
    # Of seeds smaller or elsewhere the positions are others; the brain's are not.
    mapped = make(seed_masker__low_pass=0.08, seed_masker__radius=4).fit(run)
    assert readings == 2 * [file_of(run)]
    assert counts(folder) == {"maps": 2, "prepared": 3}
    readings.clear()
    smooth = make(seed_masker__low_pass=0.08, brain_masker__smoothing_fwhm=8).fit(run)
    assert readings == [file_of(run)]
    assert counts(folder) == {"maps": 3, "prepared": 4}
    for sbc in (mapped, smooth):
        assert_same(sbc, clone(sbc).set_params(memory=None).fit(run))
    make(low_pass=0.08).fit(run)
    assert counts(folder) == {"maps": 4, "prepared": 5}


def test_seeds_beside_the_brain_are_read_once(make, data, folder, readings):
    run = data.runs[0]
    both = {"seed_masker__seeds": data.seeds[:3], "brain_masker__smoothing_fwhm": None}
    half = {"brain_masker__mask_img": half_of(data.mask_img, 1), **both}
    first = make(**half).fit(run)
    assert 0 < first.seed_report_["in_mask"].mean() < 1
    # In one reading with the brain, of which nobody needs the same.
    assert readings == [file_of(run)]
    assert counts(folder) == {"maps": 1, "prepared": 2}
    make(**half, seed_summary="median").fit(run)
    assert len(readings) == 1
    elsewhere = make(**half, seed_masker__radius=4).fit(run)
    assert len(readings) == 2
    assert counts(folder) == {"maps": 3, "prepared": 3}
    make(**half, seed_masker__radius=4, seed_summary="pca").fit(run)
    assert len(readings) == 2
    for sbc in (first, elsewhere):
        assert_same(sbc, clone(sbc).set_params(memory=None).fit(run))


@pytest.mark.parametrize("where", ["brain", "seeds", "seeds beside"])
def test_signals_that_drift_are_the_same_to_the_last_bit(
    make, data, tmp_path, readings, where
):
    mask = np.asarray(data.mask_img.dataobj) != 0
    low = np.asarray(half_of(data.mask_img, 1).dataobj) != 0
    run = drifting(data.runs[0], tmp_path, {"brain": low}.get(where, mask & ~low))
    options = {"seed_masker__seeds": data.seeds[:3]}
    if where != "seeds":
        options["brain_masker__smoothing_fwhm"] = None
    options["brain_masker__mask_img"] = half_of(data.mask_img, 1)
    for radius in (6, 4):
        mapped_anew(make, run, **options, seed_masker__radius=radius)
    readings.clear()
    mapped_anew(make, run, **options, seed_summary="median")
    assert len(readings) == 2  # without a cache alone


def other_kind(data, kind):
    """Return maskers of a path that is not the usual one."""
    labels = np.zeros(data.mask_img.shape, np.int16)
    labels[np.asarray(data.mask_img.dataobj) != 0] = np.arange(400) // 100 + 1
    labels_img = nib.Nifti1Image(labels, data.mask_img.affine)
    coarse = np.diag([7.0, 7, 7, 1])
    coarse[:3, 3] = [-10, -10, -5]
    box = np.ones((3, 2, 2), np.uint8)
    box[0] = 0  # nilearn warns of an overflow where a mask has no zeros
    coarse = nib.Nifti1Image(box, coarse)
    maps = np.random.default_rng(0).random((*labels.shape, 3)) * (labels[..., None] > 0)
    return {
        "labels": {"seed_masker": NiftiLabelsMasker(labels_img, **BAND)},
        "labels, brain": {"brain_masker": NiftiLabelsMasker(labels_img, **BAND)},
        "maps, brain": {
            "brain_masker": NiftiMapsMasker(
                nib.Nifti1Image(maps, data.mask_img.affine), **BAND
            )
        },
        "resampled, brain": {"brain_masker": NiftiMasker(coarse, **BAND)},
        "resampled": {"seed_masker": NiftiMasker(coarse, **BAND)},
        "variance": {
            "seed_masker__high_variance_confounds": True,
            "brain_masker__high_variance_confounds": True,
        },
    }[kind]


@pytest.mark.filterwarnings("ignore:.*being resampled")
@pytest.mark.parametrize(
    "kind",
    ["labels", "labels, brain", "maps, brain", "resampled, brain", "resampled"]
    + ["variance"],
)
def test_all_paths_are_kept(make, data, folder, readings, kind):
    options, run = other_kind(data, kind), data.runs[0]
    make(**options).fit(run)
    n_read = len(readings)
    assert n_read == (2 if kind == "variance" else 1)
    make(**options).fit(run)
    assert len(readings) == n_read
    # From what is prepared.
    shutil.rmtree(folder / "joblib" / "sbc_estimators" / "maps")
    sbc = make(**options).fit(run)
    assert len(readings) == n_read
    assert_same(sbc, make(**options).set_params(memory=None).fit(run))


@pytest.mark.filterwarnings("ignore:.*being resampled")
@pytest.mark.parametrize("kind", ["resampled, brain", "labels, brain"])
def test_other_seeds_beside_a_brain_that_is_kept(make, data, readings, kind):
    options = other_kind(data, kind)
    for radius in (6, 4):
        mapped_anew(make, data.runs[0], **options, seed_masker__radius=radius)


@pytest.mark.filterwarnings("ignore:seed_masker and brain_masker clean differently")
@pytest.mark.filterwarnings("ignore:.*being resampled")
def test_scans_in_memory_are_not_taken_for_those_of_the_file(make, data, tmp_path):
    # They round otherwise: here with a slope before the sums, there after them.
    img = nib.load(data.runs[0].img)
    img = nib.Nifti1Image(1.2345 * np.asarray(img.dataobj), img.affine)
    img.set_data_dtype(np.int16)
    nib.save(img, tmp_path / "run.nii.gz")
    run = Run(tmp_path / "run.nii.gz", t_r=2.0)
    options = {"seed_masker__low_pass": 0.08}
    resampled = other_kind(data, "resampled, brain")
    mapped_anew(make, run, **options, **resampled)
    mapped_anew(make, run, **options)


@pytest.mark.skipif(
    nilearn.__version__.startswith("0.13"), reason="it smooths no surfaces"
)
def test_what_nilearn_smooths_is_not_taken_for_what_it_does_not(surface, folder):
    # On surfaces, where it is known which vertices a masker takes after smoothing.
    clean = {**BAND, "t_r": 2.0}
    widths = [(None, None), (None, 5.0), (5.0, None), (8.0, None), (8.0, 8.0)]
    maps = []
    for of_seeds, of_brain in widths:
        sbc = SeedCorrelationMap(
            SurfaceLabelsMasker(surface.labels_img, smoothing_fwhm=of_seeds, **clean),
            SurfaceMasker(surface.mask_img, smoothing_fwhm=of_brain, **clean),
        )
        for summary in ("mean", "median"):
            kept = clone(sbc).set_params(
                memory=folder, memory_level=2, seed_summary=summary
            )
            expected = clone(sbc).set_params(seed_summary=summary).fit(surface.img)
            assert_same(kept.fit(surface.img), expected)
        maps.append(expected.correlations_)
    for i, r in enumerate(maps):
        assert all(np.abs(r - other).max() > 0.01 for other in maps[:i])


def test_a_large_run_is_read_once(make, data, tmp_path, monkeypatch, readings):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(_threads, "MOST_IN_MEMORY", 1)
    for radius in (6, 4):
        make(seed_masker__radius=radius).fit(data.runs[0])
    assert readings == [file_of(data.runs[0])]
    monkeypatch.undo()
    for radius in (6, 4):
        mapped_anew(make, data.runs[0], seed_masker__radius=radius)


# Signals by themselves, and given ones


def test_voxels_are_had_without_the_signals_of_seeds(make, data):
    signals = np.random.default_rng(0).standard_normal((60, 2))
    img = data.runs[0].img
    sbc = make(seed_masker=GivenSignals())
    sbc.fit(Run(img, seed_signals=signals, t_r=2.0))
    expected = clone(sbc).set_params(memory=None)
    expected.fit(Run(img, seed_signals=signals, t_r=2.0))
    run = Run(img, t_r=2.0)
    np.testing.assert_array_equal(sbc.brain_signals(run), expected.brain_signals(run))


def test_signals_are_kept(make, data, readings):
    run = data.runs[0]
    sbc, plain = make().fit(run), make(memory=None).fit(run)
    expected = plain.seed_signals(run), plain.brain_signals(run)
    for _ in ("cold", "warm"):
        readings.clear()
        for name, signals in zip(("seed", "brain"), expected, strict=True):
            found = getattr(sbc, f"{name}_signals")(run)
            np.testing.assert_array_equal(found, signals)
    assert readings == []


def test_cleaning_is_kept_with_what_it_left(make, data, readings):
    # Of confounds that are computed from the scans.
    signals = np.random.default_rng(0).standard_normal((60, 2))
    run = Run(data.runs[0].img, seed_signals=signals, t_r=2.0)
    options = {"brain_masker__high_variance_confounds": True}
    options["seed_masker"] = GivenSignals()
    make(**options).fit(run)
    readings.clear()
    sbc = make(**options, measure="semipartial").fit(run)
    assert readings == []
    assert_same(sbc, clone(sbc).set_params(memory=None).fit(run))


def test_given_signals_count_by_their_numbers(make, data, folder, readings):
    rng, img = np.random.default_rng(0), data.runs[0].img
    signals = rng.standard_normal((60, 2))
    first = make(seed_masker=GivenSignals())
    first.fit(Run(img, seed_signals=signals, t_r=2.0))
    readings.clear()
    other = signals.copy()
    other[30, 1] += 1e-3
    for given, clean in ((other, True), (signals, False), (signals[:, ::-1], True)):
        run = Run(img, seed_signals=given, t_r=2.0)
        sbc = make(seed_masker=GivenSignals(clean=clean))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*clean differently")
            sbc.fit(run)
            plain = clone(sbc).set_params(memory=None)
            n_read = len(readings)
            assert_same(sbc, plain.fit(run))
            assert len(readings) == n_read + 1
    # Clean signals are not cleaned as the voxels are, which are kept another time.
    assert len(readings) == 4
    assert counts(folder) == {"maps": 4, "prepared": 2}


# Another run is another result


def rolled(scans):
    """Return other scans that are as well compressed."""
    return np.roll(scans, 3, axis=3)


@pytest.fixture
def file(data, tmp_path):
    """The path of a run's file that tests may change."""
    path = tmp_path / "run.nii"
    img = nib.load(data.runs[0].img)
    nib.save(nib.Nifti1Image(np.asarray(img.dataobj), img.affine), path)
    return path


def replace_alike(path):
    """Put a file with other scans in place, of the same size and date (`cp -p`)."""
    img, before = nib.load(path), path.stat()
    other = path.with_name("other.nii")
    nib.save(nib.Nifti1Image(rolled(np.asarray(img.dataobj)), img.affine), other)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert other.stat().st_size == before.st_size
    os.replace(other, path)


def rewrite(path):
    """Change the scans of a file in place, with the same size and an older date."""
    img, before = nib.load(path), path.stat()
    scans = rolled(np.asarray(img.dataobj))
    nib.save(nib.Nifti1Image(scans, img.affine, img.header), path)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 1000))


def assert_mapped_anew(make, before, run):
    """Check that a run is not mapped as it was before, and correctly."""
    r = mapped_anew(make, run, t_r=2.0).correlations_
    assert np.abs(r - before).max() > 0.01


@pytest.mark.parametrize("change", [rewrite, replace_alike])
@pytest.mark.parametrize("level", [1, 2])
def test_edited_or_replaced_file_is_mapped_anew(make, file, change, level):
    before = make(t_r=2.0, memory_level=level).fit(file).correlations_
    change(file)
    assert_mapped_anew(make, before, file)


def test_link_to_another_file_is_mapped_anew(make, file, tmp_path):
    link, other = tmp_path / "link.nii", tmp_path / "second.nii"
    other.write_bytes(file.read_bytes())
    replace_alike(other)
    date = file.stat()
    os.utime(other, ns=(date.st_atime_ns, date.st_mtime_ns))
    link.symlink_to(file)
    before = make(t_r=2.0).fit(link).correlations_
    link.unlink()
    link.symlink_to(other)
    assert_mapped_anew(make, before, link)


def test_image_saved_elsewhere_is_still_that_of_its_file(make, file, tmp_path):
    img = nib.load(file)
    img.to_filename(tmp_path / "elsewhere.nii")
    before = make(t_r=2.0).fit(img).correlations_
    replace_alike(file)
    assert_mapped_anew(make, before, img)


@pytest.mark.parametrize("is_read", [True, False])
def test_image_named_after_no_file_counts_by_its_numbers(
    make, file, folder, tmp_path, is_read
):
    img = nib.load(file)
    if not is_read:
        img = nib.Nifti1Image(np.asarray(img.dataobj), img.affine)
    img.set_filename(tmp_path / "nowhere.nii")
    first = make(t_r=2.0).fit(img).correlations_
    np.testing.assert_array_equal(make(t_r=2.0).fit(img).correlations_, first)
    assert counts(folder)["maps"] == 1


def test_image_of_a_file_that_is_gone_names_the_run(make, file):
    img = nib.load(file)
    file.unlink()
    with pytest.raises((OSError, RuntimeError), match=r"run 0 \(.*run\.nii"):
        make(t_r=2.0).fit(img)


@pytest.mark.parametrize("order", ["C", "F"])
def test_image_in_memory_is_not_copied_to_know_it(order):
    def known(scans):
        return open_scans(nib.Nifti1Image(scans, np.eye(4))).fingerprint

    scans = np.random.default_rng(0).random((20, 20, 20, 50))
    img = open_scans(nib.Nifti1Image(np.array(scans, order=order), np.eye(4)))
    tracemalloc.start()
    own = img.fingerprint
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < scans.nbytes / 10
    assert known(scans) == own
    assert known(scans[..., ::-1]) != own


def in_memory(run):
    """Return a run with its image in memory."""
    img = nib.load(run.img)
    return nib.Nifti1Image(np.asarray(img.dataobj), img.affine)


def changed(img):
    """Return a copy of an image in which one number of its middle is another."""
    scans = np.array(img.dataobj)
    scans[tuple(n // 2 for n in scans.shape)] += 50
    return nib.Nifti1Image(scans, img.affine)


OTHER_RUNS = {
    "one number": lambda run, img: Run(changed(img), run.confounds, t_r=2.0),
    "confounds": lambda run, img: Run(img, run.confounds * [1, 0], t_r=2.0),
    "no confounds": lambda run, img: Run(img, t_r=2.0),
    "sample mask": lambda run, img: Run(img, run.confounds, np.arange(5, 60), t_r=2.0),
    "one scan for another": lambda run, img: Run(
        img, None, np.r_[0:30, 31:60], t_r=2.0
    ),
    "t_r": lambda run, img: Run(img, run.confounds, t_r=1.7),
    "affine": lambda run, img: Run(
        nib.Nifti1Image(np.asarray(img.dataobj), img.affine * [[1], [1], [-1], [1]]),
        run.confounds,
        t_r=2.0,
    ),
}


@pytest.mark.parametrize("change", OTHER_RUNS)
def test_other_run_in_memory_is_mapped_anew(make, data, folder, change):
    img = in_memory(data.runs[0])
    # Of level 2, where maps are looked for first.
    options = {"brain_masker__mask_img": None, "memory_level": 2}
    if change == "affine":
        options["seed_masker"] = NiftiMasker(**BAND)
    first = Run(img, data.runs[0].confounds, t_r=2.0)
    if change == "one scan for another":
        first = Run(img, None, np.r_[0:29, 30:60], t_r=2.0)
    make(**options).fit(first)
    mapped_anew(make, OTHER_RUNS[change](data.runs[0], img), **options)
    assert counts(folder)["maps"] == 2


@pytest.mark.parametrize("kind", ["nilearn", "ours"])
def test_image_of_the_seeds_counts(make, data, folder, readings, kind):
    run, other, *_ = data.runs

    def mapped(own, radius):
        masker = NiftiSpheresMasker(data.seeds[:2], radius=radius, **BAND)
        if kind == "ours":
            masker = SphereSeeds(data.seeds[:2], radius=radius)
        options = {"brain_masker__smoothing_fwhm": None, "seed_masker": masker}
        return mapped_anew(make, own, **options).correlations_

    found = []
    for seeds in (run, other):
        own = Run(run.img, run.confounds, t_r=2.0, seed_img=seeds.img)
        found.append(mapped(own, 6))
        # Now that the brain is kept, of which seeds are no part.
        mapped(own, 4)
    assert np.abs(found[1] - found[0]).max() > 0.1
    assert counts(folder) == {"maps": 4, "prepared": 1 + 4}
    # Four times without a cache; with one, each side of each image once a radius.
    of_brain = 4 + 1
    assert readings.count(file_of(other)) == 2 * 2
    assert readings.count(file_of(run)) == of_brain + 2 * 2


# What of maskers counts


def test_mask_counts_by_content(make, data, folder, tmp_path):
    path = tmp_path / "mask.nii.gz"
    nib.save(data.mask_img, path)
    make().fit(data.runs[0])
    make(brain_masker__mask_img=str(path)).fit(data.runs[0])
    assert counts(folder) == {"maps": 1, "prepared": 1}
    smaller = np.array(data.mask_img.dataobj)
    smaller[:3] = 0
    assert smaller.sum() < np.asarray(data.mask_img.dataobj).sum()
    nib.save(nib.Nifti1Image(smaller, data.mask_img.affine), path)
    sbc = mapped_anew(make, data.runs[0], brain_masker__mask_img=str(path))
    assert sbc.n_voxels_ == smaller.sum()


def test_mask_counts_where_only_seeds_are_told_of_it(make, data):
    low = half_of(data.mask_img, 1)
    labels = nib.Nifti1Image(np.asarray(low.dataobj).astype("i2"), low.affine)
    told = []
    for mask_img in (low, data.mask_img):
        brain = NiftiLabelsMasker(labels, mask_img=mask_img, **BAND)
        sbc = mapped_anew(make, data.runs[0], brain_masker=brain)
        told.append(sbc.seed_report_["in_mask"].mean())
    assert told[0] < told[1]


def atlas(data, shift=0):
    """Return four regions of the brain's voxels, counted from another one."""
    labels = np.zeros(data.mask_img.shape, np.int16)
    labels[np.asarray(data.mask_img.dataobj) != 0] = (np.arange(400) // 100 + shift) % 4
    return nib.Nifti1Image(labels + np.int16(1), data.mask_img.affine)


OTHER_REGIONS = {
    "atlas": lambda data: {"labels_img": atlas(data, 1)},
    "a mask": lambda data: {"mask_img": half_of(data.mask_img, 1)},
    "region": lambda data: {"regions": [4]},
    "background": lambda data: {"regions": None, "background_label": 1},
}


@pytest.mark.filterwarnings("ignore:.*less than half of the voxels")
@pytest.mark.parametrize("change", OTHER_REGIONS)
def test_other_regions_of_our_own_masker_are_mapped_anew(make, data, change):
    seeds = RegionSeeds(atlas(data), None if change == "background" else [3])
    first = make(seed_masker=seeds).fit(data.runs[0]).correlations_
    seeds = clone(seeds).set_params(**OTHER_REGIONS[change](data))
    r = mapped_anew(make, data.runs[0], seed_masker=seeds).correlations_
    if change == "background":
        assert len(r) == len(first) - 1
    else:
        assert np.abs(r - first).max() > 0.01


def test_files_of_regions_count_by_content(make, data, folder, tmp_path):
    image, mask, table = (tmp_path / name for name in ("a.nii", "m.nii", "names.tsv"))

    def write(shift=0, axis=0, names="abcd"):
        nib.save(atlas(data, shift), image)
        nib.save(half_of(data.mask_img, axis), mask)
        names = pd.DataFrame({"index": [1, 2, 3, 4], "name": list(names)})
        names.to_csv(table, sep="\t", index=False)

    seeds = RegionSeeds(image, ["b"], lut=table, mask_img=mask)
    changes = [{}, {"shift": 1}, {"axis": 1}, {"axis": 1, "names": "bacd"}]
    for n_maps, change in enumerate([*changes, {}], start=1):
        write(**change)
        mapped_anew(make, data.runs[0], seed_masker=seeds)
        assert counts(folder)["maps"] == min(n_maps, len(changes))


def test_faces_of_a_mesh_count(folder, tmp_path):
    coordinates = np.stack([np.arange(12.0), np.arange(12) % 2, np.zeros(12)], axis=1)
    scans = np.random.default_rng(0).standard_normal((12, 40))
    strip = np.arange(10)[:, np.newaxis] + [0, 1, 2]
    maps = []
    for memory in (folder, None):
        for faces in (strip, strip[[0, 9]]):
            mesh = PolyMesh(left=InMemoryMesh(coordinates, faces))
            run = SurfaceImage(mesh, {"left": scans})
            for masker in (SurfaceSeeds([5], 2.5, hemisphere="left"),) * 2 + (
                SurfaceSeeds([5], 2.5, hemisphere="left", mesh=mesh),
            ):
                sbc = SeedCorrelationMap(masker, SurfaceMasker(), memory=memory)
                maps.append(sbc.set_params(memory_level=2).fit(run).correlations_)
    np.testing.assert_array_equal(maps[:6], maps[6:])
    assert np.abs(maps[0] - maps[3]).max() > 0.01


SAME = {
    "radius": {"seed_masker__radius": np.float64(6)},
    "radius, float": {"seed_masker__radius": 6.0},
    "smoothing": {"brain_masker__smoothing_fwhm": 5.0},
    "low_pass": {"low_pass": np.float64(0.1)},
    "order of the filter": {"brain_masker__clean_args": {"butterworth__order": 3.0}},
}


@pytest.mark.filterwarnings("ignore:seed_masker and brain_masker clean differently")
@pytest.mark.parametrize("same", SAME)
def test_numbers_count_whatever_their_type(make, data, folder, same):
    start = {"brain_masker__clean_args": {"butterworth__order": 3}}
    make(**start).fit(data.runs[0])
    make(**{**start, **SAME[same]}).fit(data.runs[0])
    assert counts(folder) == {"maps": 1, "prepared": 2}


def test_seeds_and_runs_count_whatever_their_form(make, data, folder):
    run = data.runs[0]
    table = np.array(run.confounds)
    kept = np.arange(5, 60)
    make().fit(Run(run.img, table, kept, t_r=2.0))
    censored = np.array(table, order="F")
    censored[:5] = np.nan
    seeds = np.array(data.seeds[:2])
    for other in (
        Run(str(run.img), pd.DataFrame(table), np.arange(60) >= 5, t_r=2),
        Run(nib.load(run.img), censored, kept.astype(np.int32), t_r=np.float32(2)),
    ):
        make(seed_masker__seeds=seeds).fit(other)
    assert counts(folder) == {"maps": 1, "prepared": 1}


@pytest.mark.parametrize("package", ["nilearn", "sbc_estimators._signals.sides"])
def test_other_versions_compute_anew(make, data, folder, monkeypatch, package):
    make().fit(data.runs[0])
    monkeypatch.setattr(import_module(package), "__version__", "0.99")
    make().fit(data.runs[0])
    assert counts(folder) == {"maps": 2, "prepared": 2}


@pytest.mark.filterwarnings("ignore:.*Generation of a mask has been requested")
@pytest.mark.parametrize("side", ["seed_masker", "brain_masker"])
def test_maskers_of_another_make_are_asked_each_time(make, data, folder, side):
    asked = []

    class Own(NiftiMasker):
        def transform(self, *args, **kwargs):
            asked.append(side)
            return super().transform(*args, **kwargs)

    few = half_of(data.mask_img, 0)
    own = Own(few if side == "seed_masker" else data.mask_img, standardize=None, **BAND)
    maps = [make(**{side: own}).fit(data.runs[0]).correlations_ for _ in range(2)]
    np.testing.assert_array_equal(*maps)
    assert len(asked) == 2
    # The other side is known, and kept.
    assert counts(folder) == {"maps": 0, "prepared": 1}


# Never wrong


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    """Change one bit in the middle: where the numbers are."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_first(path):
    """Change one bit of the first array."""
    content = bytearray(path.read_bytes())
    content[3] ^= 64
    path.write_bytes(content)


def text(path):
    path.write_text("not an entry")


def gone(path):
    path.unlink()


def folder_instead(path):
    path.unlink()
    path.mkdir()


SPOILING = [cut, empty, flip, flip_first, text, gone, folder_instead]


BOTH = ["maps", "prepared"]


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [*((spoil, BOTH) for spoil in SPOILING), (flip, BOTH[1:]), (flip_first, BOTH[1:])],
)
def test_spoilt_entries_are_made_anew(make, data, folder, readings, spoil, kinds):
    expected = make(memory=None).fit(data.runs[:2])
    options = [{}, {"seed_masker__radius": 4}]
    make().fit(data.runs[:2])
    for kind in kinds:
        for path in entries(folder, kind):
            spoil(path)
    for sbc in (make(), make()):
        assert_same(sbc.fit(data.runs[:2]), expected)
    for own in options:
        sbc = make(**own).fit(data.runs[:2])
        assert_same(sbc, clone(sbc).set_params(memory=None).fit(data.runs[:2]))
    assert counts(folder) == {"maps": 4, "prepared": 2}
    readings.clear()
    make(seed_summary="pca").fit(data.runs[:2])
    assert readings == []


@pytest.mark.parametrize("spoil", SPOILING)
def test_spoilt_positions_beside_the_brain(make, data, folder, spoil):
    options = {"brain_masker__mask_img": half_of(data.mask_img, 1)}
    options |= {"brain_masker__smoothing_fwhm": None, "seed_masker__radius": 8}
    first = make(**options).fit(data.runs[0])
    assert counts(folder)["prepared"] == 2
    small = min(entries(folder, "prepared"), key=lambda path: path.stat().st_size)
    spoil(small)
    shutil.rmtree(folder / "joblib" / "sbc_estimators" / "maps")
    assert_same(make(**options).fit(data.runs[0]), first)
    assert counts(folder) == {"maps": 1, "prepared": 2}


def test_swapped_entries_give_no_other_run(make, data, folder):
    runs = data.runs[:2]
    expected = make(memory=None).fit_transform(runs)
    make().fit(runs)
    for kind in ("maps", "prepared"):
        one, other = entries(folder, kind)
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)
    np.testing.assert_array_equal(make().fit_transform(runs), expected)


def test_entry_of_another_kind_in_its_place(make, data, folder):
    expected = make(memory=None).fit(data.runs[0])
    make().fit(data.runs[0])
    (of_map,), (of_run,) = entries(folder, "maps"), entries(folder, "prepared")
    of_run.write_bytes(of_map.read_bytes())
    of_map.write_bytes(of_map.read_bytes()[::-1])
    assert_same(make().fit(data.runs[0]), expected)


class KilledError(BaseException):
    """Ends a process in the midst of its work."""


@pytest.mark.parametrize("at", ["norms", "positions", "r"])
def test_remains_of_a_killed_writer(make, data, folder, monkeypatch, at):
    expected = make(memory=None).fit(data.runs[0])
    array = _store.Writing.array

    def until(self, name, *args):
        if name == at:
            raise KilledError
        return array(self, name, *args)

    with monkeypatch.context() as patch:
        patch.setattr(_store.Writing, "array", until)
        patch.setattr(_store.Writing, "discard", lambda self: self._draft.close())
        with pytest.raises(KilledError):
            make().fit(data.runs[0])
    half = counts(folder)
    assert half == {"maps": 0, "prepared": at == "r"}
    for _ in ("anew", "kept"):
        assert_same(make().fit(data.runs[0]), expected)
    assert counts(folder) == {"maps": 1, "prepared": 1}


def test_disk_that_is_full_keeps_nothing(make, data, folder, monkeypatch):
    full = SimpleNamespace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.warns(UserWarning, match=r"memory: .* no room left on its disk"):
        sbc = make().fit(data.runs[0])
    assert counts(folder) == {"maps": 0, "prepared": 0}
    assert_same(sbc, make(memory=None).fit(data.runs[0]))


@pytest.mark.filterwarnings("ignore:memory. the folder")
def test_cache_that_fails_is_done_without(make, data, folder):
    (folder / "joblib").mkdir(parents=True)
    (folder / "joblib" / "sbc_estimators").write_text("a file where a folder should be")
    for level in (1, 2):
        sbc = make(memory_level=level).fit(data.runs[0])
        assert_same(sbc, make(memory=None).fit(data.runs[0]))


def test_error_of_the_work_is_no_failure_of_the_cache(make, data, folder, monkeypatch):
    def failing(*_):
        raise OSError("of the work")

    monkeypatch.setattr(_mapping, "_mapped", failing)
    with pytest.raises(RuntimeError, match=r"^run 0 .*of the work"):
        make().fit(data.runs[0])
    assert counts(folder) == {"maps": 0, "prepared": 0}


# Processes


def fit_strictly(sbc, runs):
    """Return a fitted estimator, where a warning would be an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*effective degrees of freedom")
        return sbc.fit(runs)


def test_two_processes_on_one_cache(make, data):
    jobs = [joblib.delayed(fit_strictly)(make(), data.runs) for _ in range(4)]
    found = joblib.Parallel(n_jobs=2, batch_size=1)(jobs)
    expected = make(memory=None).fit(data.runs)
    for sbc in [*found, make().fit(data.runs)]:
        assert_same(sbc, expected)


@pytest.mark.parametrize("level", [1, 2])
def test_jobs_share_a_cache(make, data, folder, readings, level):
    expected = make(memory=None).fit(data.runs)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*effective degrees of freedom")
        for n_jobs in (2, 1):
            readings.clear()
            sbc = make(n_jobs=n_jobs, memory_level=level).fit(data.runs)
            assert_same(sbc, expected)
    assert readings == []
    assert counts(folder) == {"maps": 4, "prepared": 4 * (level == 2)}


@pytest.mark.parametrize("header", [np.int16, np.float32, np.float64])
def test_images_in_memory_are_the_same_in_other_processes(make, data, folder, header):
    runs = []
    for run in data.runs[:2]:
        img = in_memory(run)
        scans = np.asarray(img.dataobj) + np.random.default_rng(0).random(img.shape)
        img = nib.Nifti1Image(scans, img.affine)
        img.set_data_dtype(header)
        runs.append(Run(img, run.confounds, t_r=2.0))
    expected = make(memory=None).fit(runs)
    for memory in (None, folder):
        assert_same(make(n_jobs=2, memory=memory).fit(runs), expected)
    assert_same(make(n_jobs=1).fit(runs), expected)
    assert counts(folder)["maps"] == 2


# Parameters that are none


@pytest.mark.parametrize("level", [-1, 1.5, "2", None, True])
def test_level_that_is_none(make, data, level):
    with pytest.raises(ValueError, match="memory_level must be"):
        make(memory_level=level).fit(data.runs)


class OnlyCaches:
    """What scikit-learn takes for a memory, and has no folder."""

    def cache(self, function):
        return function


@pytest.mark.parametrize("memory", [3, OnlyCaches()])
def test_memory_that_is_none(make, data, memory):
    with pytest.raises(ValueError, match=r"memory.* (path|string).*joblib\.Memory"):
        make(memory=memory).fit(data.runs)


def test_folder_that_cannot_be_made(make, data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"memory=.*file.*no folder.*Pass another path"):
        make(memory=tmp_path / "file").fit(data.runs)


def test_no_memory_asks_for_no_key(make, data, monkeypatch):
    for name in ("map_key", "prepared_key", "digest"):
        monkeypatch.setattr(_kept, name, None)
    monkeypatch.setattr(_mapping, "map_key", None)
    make(memory=None).fit(data.runs[0])
