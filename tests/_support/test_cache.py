"""What a cache keeps, what it computes anew, and that it is never wrong."""

import os
import pickle
import tracemalloc
import warnings
import weakref
from importlib import import_module

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._images.fingerprints import fingerprint
from sbc_estimators._signals import run_signals as _signals
from sbc_estimators._support.cache import Cache, digest, sealed, unsealed
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SurfaceSeeds

STAGES = {name: f"_signals/run_signals/{name}_stage" for name in ("seed", "brain")}
STAGES["map"] = "_maps/engine/map_stage"
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


def entries(folder, stage):
    """Return the files of a stage's results."""
    return sorted(
        (folder / "joblib" / "sbc_estimators").glob(f"{STAGES[stage]}/*/output.pkl")
    )


def counts(folder):
    """Return how many results of each stage are kept."""
    return {stage: len(entries(folder, stage)) for stage in STAGES}


@pytest.fixture
def readings(monkeypatch):
    """What was read of runs, a set of sources' names a reading."""
    read, seen = _signals._read, []

    def counting(task, names):
        seen.append(set(names))
        return read(task, names)

    monkeypatch.setattr(_signals, "_read", counting)
    return seen


BOTH = {"seed_masker", "brain_masker"}


# What is computed anew


def test_second_time_nothing_is_read(make, data, folder, readings):
    z = make().fit_transform(data.runs)
    assert readings == 4 * [BOTH]
    assert counts(folder) == {"seed": 4, "brain": 4, "map": 4}
    again = make().fit(data.runs)
    np.testing.assert_array_equal(again.transform(data.runs), z)
    assert len(readings) == 4
    assert counts(folder) == {"seed": 4, "brain": 4, "map": 4}


def test_results_are_those_without_a_cache(make, data):
    cold, warm = (make().fit(data.runs) for _ in range(2))
    plain = make(memory=None).fit(data.runs)
    for sbc in (cold, warm):
        np.testing.assert_array_equal(sbc.correlations_, plain.correlations_)
        assert sbc.seed_report_.equals(plain.seed_report_)
        assert sbc.run_report_.equals(plain.run_report_)
        assert sbc.paths_ == plain.paths_


CHANGES = {
    "radius": ({"seed_masker__radius": 4}, {"seed_masker"}),
    "seeds' smoothing": ({"seed_masker__smoothing_fwhm": 5}, {"seed_masker"}),
    "low_pass": ({"low_pass": 0.08}, {"brain_masker"}),
    "detrend": (
        {"seed_masker__detrend": False, "brain_masker__detrend": False},
        {"brain_masker"},
    ),
    "smoothing": ({"brain_masker__smoothing_fwhm": 8}, {"brain_masker"}),
    "summary": ({"seed_summary": "pca"}, None),
    "n_jobs": ({"n_jobs": 2}, None),
    "verbose": ({"verbose": 1, "seed_masker__verbose": 0}, None),
    "standardize": ({"seed_masker__standardize": "zscore_sample"}, None),
    "standardize, brain": ({"brain_masker__standardize": "psc"}, None),
    "reports": ({"brain_masker__reports": False}, None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_a_parameter_changes_is_read(make, data, readings, change):
    parameters, read_anew = CHANGES[change]
    run = data.runs[0]
    make().fit(run)
    readings.clear()
    sbc = make(**parameters).fit(run)
    assert readings == ([] if read_anew is None else [read_anew])
    expected = make(**parameters, memory=None).fit(run)
    np.testing.assert_array_equal(sbc.correlations_, expected.correlations_)


def test_what_has_no_part_in_a_map_computes_none(make, data, folder):
    make().fit(data.runs)
    for name in ("n_jobs", "verbose", "standardize", "standardize, brain", "reports"):
        make(**CHANGES[name][0]).fit(data.runs)
    assert counts(folder)["map"] == 4


def test_grid_search_computes_each_stage_once(make, data, folder, readings):
    pipeline = Pipeline([("map", make()), ("classify", LogisticRegression())])
    grid = {"map__seed_masker__radius": [4, 6, 8], "map__low_pass": [0.08, 0.1]}
    search = GridSearchCV(pipeline, grid, scoring="accuracy", cv=2)
    search.fit(data.runs, data.y)
    assert counts(folder) == {"seed": 4 * 3, "brain": 4 * 2, "map": 4 * 6}
    asked = [name for names in readings for name in names]
    assert asked.count("seed_masker") == 4 * 3
    assert asked.count("brain_masker") == 4 * 2


def test_levels(make, data, folder):
    for level, expected in [
        (0, {"seed": 0, "brain": 0, "map": 0}),
        (1, {"seed": 4, "brain": 0, "map": 4}),
        (2, {"seed": 4, "brain": 0, "map": 4}),  # the maps are there already
    ]:
        make(memory_level=level).fit(data.runs)
        assert counts(folder) == expected
    make(memory_level=2, seed_masker__radius=4).fit(data.runs)
    assert counts(folder) == {"seed": 8, "brain": 4, "map": 8}


@pytest.mark.parametrize(
    "kind", [str, lambda path: joblib.Memory(str(path), verbose=0)]
)
def test_kinds_of_memory(make, data, folder, kind):
    memory = kind(folder)
    sbc = make(memory=memory, memory_level=1).fit(data.runs)
    assert sbc.memory is memory
    assert sbc.memory_level == 1
    assert counts(folder) == {"seed": 4, "brain": 0, "map": 4}


def test_voxels_are_had_without_the_signals_of_seeds(make, data):
    signals = np.random.default_rng(0).standard_normal((60, 2))
    img = data.runs[0].img
    sbc = make(seed_masker=GivenSignals(**BAND))
    sbc.fit(Run(img, seed_signals=signals, t_r=2.0))
    expected = clone(sbc).set_params(memory=None)
    expected.fit(Run(img, seed_signals=signals, t_r=2.0))
    run = Run(img, t_r=2.0)
    np.testing.assert_array_equal(sbc.brain_signals(run), expected.brain_signals(run))


def test_position_of_a_run_plays_no_part(make, data, folder):
    make().fit(data.runs)
    sbc = make().fit(data.runs[::-1])
    assert counts(folder)["map"] == 4
    assert [name.split()[1] for name in sbc.run_report_["run"]] == list("0123")
    assert sbc.run_report_["run"][0].endswith(f"({str(data.runs[3].img)!r})")


def test_parts_of_a_large_brain_are_kept_one_by_one(make, data, folder, monkeypatch):
    expected = make(memory=None).fit(data.runs[0]).correlations_
    monkeypatch.setattr("sbc_estimators._signals.streamed.PART_BYTES", 2**15)
    for radius in (6, 4, 6):
        sbc = make(seed_masker__radius=radius).fit(data.runs[0])
    np.testing.assert_allclose(sbc.correlations_, expected, atol=1e-6)
    assert counts(folder)["brain"] > 2
    assert counts(folder)["map"] == 2


def test_labels_and_compiled_paths_are_kept(make, data, folder, readings):
    labels = np.zeros(data.mask_img.shape, np.int16)
    labels[np.asarray(data.mask_img.dataobj) != 0] = np.arange(400) // 100 + 1
    img = nib.Nifti1Image(labels, data.mask_img.affine)
    coarse = np.diag([7.0, 7, 7, 1]) @ [
        [1, 0, 0, -2],
        [0, 1, 0, -2],
        [0, 0, 1, -2],
        [0, 0, 0, 1],
    ]
    brain = NiftiMasker(nib.Nifti1Image(np.ones((4, 4, 4), np.uint8), coarse), **BAND)
    sbc = make(seed_masker=NiftiLabelsMasker(img, **BAND), brain_masker=brain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn says that it resamples
        maps = [clone(sbc).fit(data.runs[0]).correlations_ for _ in range(2)]
    np.testing.assert_array_equal(*maps)
    assert readings == [BOTH]


# Another run is another result


def rewrite(path, change):
    """Change the scans of a file in place, with the same size and an older date."""
    img = nib.load(path)
    scans = change(np.asarray(img.dataobj))
    before = path.stat()
    nib.save(nib.Nifti1Image(scans, img.affine, img.header), path)
    assert path.stat().st_size == before.st_size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 1000))


def test_edited_file_is_mapped_anew(make, data, tmp_path):
    path = tmp_path / "run.nii"
    nib.save(nib.load(data.runs[0].img), path)
    first = make(t_r=2.0).fit(path).correlations_
    rewrite(path, lambda scans: np.roll(scans, 3, axis=3))
    second = make(t_r=2.0).fit(path).correlations_
    assert np.abs(second - first).max() > 0.01
    plain = make(t_r=2.0, memory=None).fit(path)
    np.testing.assert_array_equal(plain.correlations_, second)


def replace_alike(path, change):
    """Put a file with other scans in place, of the same size and date (`cp -p`)."""
    img, before = nib.load(path), path.stat()
    other = path.with_name("other.nii")
    nib.save(nib.Nifti1Image(change(np.asarray(img.dataobj)), img.affine), other)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert other.stat().st_size == before.st_size
    os.replace(other, path)


def rolled(scans):
    return np.roll(scans, 3, axis=3)


@pytest.fixture
def file(data, tmp_path):
    """The path of a run's file that tests may change."""
    path = tmp_path / "run.nii"
    img = nib.load(data.runs[0].img)
    nib.save(nib.Nifti1Image(np.asarray(img.dataobj), img.affine), path)
    return path


def assert_mapped_anew(make, before, run):
    """Check that a run is not mapped as it was before, and correctly."""
    r = make(t_r=2.0).fit(run).correlations_
    assert np.abs(r - before).max() > 0.01
    expected = make(t_r=2.0, memory=None).fit(run).correlations_
    np.testing.assert_array_equal(r, expected)


def test_file_replaced_by_one_of_the_same_date_is_mapped_anew(make, file):
    before = make(t_r=2.0).fit(file).correlations_
    replace_alike(file, rolled)
    assert_mapped_anew(make, before, file)


def test_link_to_another_file_is_mapped_anew(make, file, tmp_path):
    link, other = tmp_path / "link.nii", tmp_path / "second.nii"
    other.write_bytes(file.read_bytes())
    replace_alike(other, rolled)
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
    replace_alike(file, rolled)
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
    assert counts(folder)["map"] == 1


def test_image_of_a_file_that_is_gone_names_the_run(make, file):
    img = nib.load(file)
    file.unlink()
    with pytest.raises((OSError, RuntimeError), match=r"run 0 \(.*run\.nii"):
        make(t_r=2.0).fit(img)


@pytest.mark.parametrize("order", ["C", "F"])
def test_image_in_memory_is_not_copied_to_know_it(order):
    scans = np.random.default_rng(0).random((20, 20, 20, 50))
    img = nib.Nifti1Image(np.array(scans, order=order), np.eye(4))
    tracemalloc.start()
    known = fingerprint(img)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < scans.nbytes / 10
    assert fingerprint(nib.Nifti1Image(scans, np.eye(4))) == known
    assert fingerprint(nib.Nifti1Image(scans[..., ::-1], np.eye(4))) != known


def in_memory(run):
    """Return a run with its image in memory."""
    img = nib.load(run.img)
    return nib.Nifti1Image(np.asarray(img.dataobj), img.affine)


OTHER_RUNS = {
    "one number": lambda run, img: Run(changed(img), run.confounds),
    "confounds": lambda run, img: Run(img, run.confounds * [1, 0]),
    "no confounds": lambda run, img: Run(img),
    "sample mask": lambda run, img: Run(img, run.confounds, np.arange(5, 60)),
    "t_r": lambda run, img: Run(img, run.confounds, t_r=1.7),
    "affine": lambda run, img: Run(
        nib.Nifti1Image(np.asarray(img.dataobj), img.affine * [[1], [1], [-1], [1]])
    ),
}


def changed(img):
    """Return a copy of an image in which one number of its middle is another."""
    scans = np.array(img.dataobj)
    scans[tuple(n // 2 for n in scans.shape)] += 50
    return nib.Nifti1Image(scans, img.affine)


@pytest.mark.parametrize("change", OTHER_RUNS)
def test_other_run_in_memory_is_mapped_anew(make, data, folder, change):
    img = in_memory(data.runs[0])
    options = {"t_r": 2.0, "brain_masker__mask_img": None}
    if change == "affine":
        options["seed_masker"] = NiftiMasker(data.mask_img, **BAND).set_params(
            mask_img=None
        )
    run = Run(img, data.runs[0].confounds)
    make(**options).fit(run)
    other = OTHER_RUNS[change](data.runs[0], img)
    sbc = make(**options).fit(other)
    assert counts(folder)["map"] == 2
    expected = make(**options, memory=None).fit(other)
    np.testing.assert_array_equal(sbc.correlations_, expected.correlations_)


def test_mask_counts_by_content(make, data, folder, tmp_path):
    path = tmp_path / "mask.nii.gz"
    nib.save(data.mask_img, path)
    make().fit(data.runs[0])
    make(brain_masker__mask_img=str(path)).fit(data.runs[0])
    assert counts(folder)["map"] == 1
    smaller = np.array(data.mask_img.dataobj)
    smaller[:3] = 0
    assert smaller.sum() < np.asarray(data.mask_img.dataobj).sum()
    nib.save(nib.Nifti1Image(smaller, data.mask_img.affine), path)
    sbc = make(brain_masker__mask_img=str(path))
    assert sbc.fit(data.runs[0]).n_voxels_ == smaller.sum()


def atlas(data, shift=0):
    """Return four regions of the brain's voxels, counted from another one."""
    labels = np.zeros(data.mask_img.shape, np.int16)
    labels[np.asarray(data.mask_img.dataobj) != 0] = (np.arange(400) // 100 + shift) % 4
    return nib.Nifti1Image(labels + np.int16(1), data.mask_img.affine)


def half_of(mask_img, axis):
    """Return the half of a mask that lies low along an axis."""
    mask = np.array(mask_img.dataobj)
    mask[np.indices(mask.shape)[axis] >= mask.shape[axis] // 2] = 0
    return nib.Nifti1Image(mask, mask_img.affine)


OTHER_REGIONS = {
    "atlas": lambda data: {"labels_img": atlas(data, 1)},
    "a mask": lambda data: {"mask_img": half_of(data.mask_img, 1)},
    "region": lambda data: {"regions": [4]},
    "background": lambda data: {"regions": None, "background_label": 1},
}


@pytest.mark.filterwarnings("ignore:.*less than half of the voxels")
@pytest.mark.parametrize("change", OTHER_REGIONS)
def test_other_regions_of_our_own_masker_are_mapped_anew(make, data, change):
    seeds = RegionSeeds(atlas(data), None if change == "background" else [3], **BAND)
    first = make(seed_masker=seeds).fit(data.runs[0]).correlations_
    seeds = clone(seeds).set_params(**OTHER_REGIONS[change](data))
    sbc = make(seed_masker=seeds).fit(data.runs[0])
    expected = make(seed_masker=seeds, memory=None).fit(data.runs[0])
    np.testing.assert_array_equal(sbc.correlations_, expected.correlations_)
    if change == "background":
        assert len(sbc.correlations_) == len(first) - 1
    else:
        assert np.abs(sbc.correlations_ - first).max() > 0.01


def test_files_of_regions_count_by_content(make, data, folder, tmp_path):
    image, mask, table = (tmp_path / name for name in ("a.nii", "m.nii", "names.tsv"))

    def write(shift=0, axis=0, names="abcd"):
        nib.save(atlas(data, shift), image)
        nib.save(half_of(data.mask_img, axis), mask)
        names = pd.DataFrame({"index": [1, 2, 3, 4], "name": list(names)})
        names.to_csv(table, sep="\t", index=False)

    seeds = RegionSeeds(image, ["b"], lut=table, mask_img=mask, **BAND)
    changes = [{}, {"shift": 1}, {"axis": 1}, {"names": "bacd"}]
    for n_maps, change in enumerate([*changes, {}], start=1):
        write(**change)
        sbc = make(seed_masker=seeds).fit(data.runs[0])
        expected = make(seed_masker=seeds, memory=None).fit(data.runs[0])
        np.testing.assert_array_equal(sbc.correlations_, expected.correlations_)
        assert counts(folder)["map"] == min(n_maps, len(changes))


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
                maps.append(sbc.fit(run).correlations_)
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
    assert counts(folder) == {"seed": 1, "brain": 1, "map": 1}


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
    assert counts(folder) == {"seed": 1, "brain": 1, "map": 1}


@pytest.mark.parametrize("package", ["nilearn", "sbc_estimators._signals.keys"])
def test_other_versions_compute_anew(make, data, folder, monkeypatch, package):
    make().fit(data.runs[0])
    monkeypatch.setattr(import_module(package), "__version__", "0.99")
    make().fit(data.runs[0])
    assert counts(folder) == {"seed": 2, "brain": 2, "map": 2}


def test_maskers_of_another_make_are_asked_each_time(make, data, folder):
    class Own(NiftiMasker):
        pass

    maps = [
        make(brain_masker=Own(data.mask_img, standardize=None, **BAND))
        .fit(data.runs[0])
        .correlations_
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*maps)
    assert counts(folder) == {"seed": 1, "brain": 0, "map": 0}


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


def another(path):
    """Put something else that can be loaded."""
    joblib.dump(sealed("else")[::-1], path)


def text(path):
    path.write_text("not a pickle")


@pytest.mark.parametrize("spoil", [cut, empty, flip, another, text])
def test_spoilt_entries_are_computed_anew(make, data, folder, spoil):
    expected = make().fit(data.runs[:2]).correlations_
    for stage in STAGES:
        for path in entries(folder, stage):
            spoil(path)
    np.testing.assert_array_equal(make().fit(data.runs[:2]).correlations_, expected)
    assert counts(folder)["map"] == 2
    np.testing.assert_array_equal(make().fit(data.runs[:2]).correlations_, expected)


def as_in_a_new_process(monkeypatch):
    """Let joblib look at the code that it stored beside entries, as it does once."""
    known = weakref.WeakKeyDictionary()
    monkeypatch.setattr(joblib.memory, "_FUNCTION_HASHES", known)


CODES = {
    "empty": lambda code: b"",
    "cut in its first words": lambda code: code[:5],
    "cut before the number": lambda code: code[:14],
    "cut in the number": lambda code: code[:15],
    "not text": lambda code: code + b"\xff\xfe",
    "zeros": lambda code: bytes(len(code)),
}


@pytest.mark.parametrize("spoil", CODES)
def test_spoilt_code_beside_entries(make, data, folder, monkeypatch, readings, spoil):
    as_in_a_new_process(monkeypatch)
    expected = make().fit(data.runs[0]).correlations_
    codes = sorted(folder.rglob("func_code.py"))
    assert len(codes) == len(STAGES)
    for path in codes:
        path.write_bytes(CODES[spoil](path.read_bytes()))
    as_in_a_new_process(monkeypatch)
    np.testing.assert_array_equal(make().fit(data.runs[0]).correlations_, expected)
    readings.clear()
    as_in_a_new_process(monkeypatch)
    np.testing.assert_array_equal(make().fit(data.runs[0]).correlations_, expected)
    assert readings == []


def test_cache_that_fails_is_done_without(make, data, monkeypatch):
    expected = make(memory=None).fit(data.runs[0]).correlations_

    def failing(*_, **__):
        raise PermissionError(13, "Permission denied")

    memorized = joblib.memory.MemorizedFunc
    monkeypatch.setattr(memorized, "_check_previous_func_code", failing)
    with pytest.warns(UserWarning, match=r"memory: .*Permission denied.*without"):
        sbc = make().fit(data.runs[0])
    np.testing.assert_array_equal(sbc.correlations_, expected)


def test_error_of_the_work_is_no_failure_of_the_cache(folder):
    calls = []

    def work():
        calls.append(1)
        raise ValueError("of the work")

    cache = Cache(joblib.Memory(folder, verbose=0))
    with pytest.raises(ValueError, match="of the work"):
        cache.get(_signals.seed_stage, 1, "key", work)
    assert calls == [1]


def test_remains_of_a_killed_writer(make, data, folder):
    expected = make().fit(data.runs[0]).correlations_
    for stage in STAGES:
        (path,) = entries(folder, stage)
        # joblib writes under another name first.
        path.rename(path.with_name("output.pkl.thread-1-pid-1"))
        cut(path.with_name("output.pkl.thread-1-pid-1"))
    np.testing.assert_array_equal(make().fit(data.runs[0]).correlations_, expected)


def fit_strictly(sbc, runs):
    """Return r, where a warning would be an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return sbc.fit(runs).correlations_


def test_two_processes_on_one_cache(make, data):
    jobs = [joblib.delayed(fit_strictly)(make(), data.runs) for _ in range(4)]
    found = joblib.Parallel(n_jobs=2, batch_size=1)(jobs)
    expected = make(memory=None).fit(data.runs).correlations_
    for r in [*found, make().fit(data.runs).correlations_]:
        np.testing.assert_array_equal(r, expected)


# The pieces


def test_digest_is_of_contents():
    array = np.arange(5.0)
    assert digest(array, "a") == digest(array.copy(), "".join("a"))
    assert digest(array, array) == digest(array, array.copy())
    different = [(array,), (array + 1,), (array.astype(int),), (array, None), ("ab",)]
    different += [("a", "b"), (("a", "b"),), (array[:, np.newaxis],)]
    assert len({digest(*parts) for parts in different}) == len(different)


def test_sealed_bytes_tell_when_they_change():
    content, checksum = sealed({"a": np.arange(3)})
    np.testing.assert_array_equal(unsealed((content, checksum))["a"], np.arange(3))
    assert unsealed((content[:-1] + b"?", checksum)) is None


def test_no_memory_means_no_sealing(monkeypatch):
    monkeypatch.setattr(pickle, "dumps", None)
    cache = Cache(joblib.Memory(None))
    assert cache.get(_signals.seed_stage, 1, "key", lambda: 7) == 7
    assert not cache.holds(_signals.seed_stage, 1, "key")


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


def test_disk_that_is_full_keeps_nothing(make, data, folder, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(joblib.numpy_pickle, "dump", full)
    with pytest.warns(Warning, match="Unable to cache"):
        sbc = make().fit(data.runs[0])
    expected = make(memory=None).fit(data.runs[0]).correlations_
    np.testing.assert_array_equal(sbc.correlations_, expected)
