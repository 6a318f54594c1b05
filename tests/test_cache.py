"""What a cache keeps, what it computes anew, and that it is never wrong."""

import os
import pickle
import warnings
from importlib import import_module

import joblib
import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker, NiftiSpheresMasker
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sbc_estimators import Run, SeedCorrelationMap, _stages
from sbc_estimators._cache import Cache, digest, sealed, unsealed
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import RegionSeeds, SurfaceSeeds

STAGES = {"seed": "_stages/seed_stage", "brain": "_stages/brain_stage"}
STAGES["map"] = "_engine/map_stage"
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
    read, seen = _stages._read, []

    def counting(task, names):
        seen.append(set(names))
        return read(task, names)

    monkeypatch.setattr(_stages, "_read", counting)
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


def test_position_of_a_run_plays_no_part(make, data, folder):
    make().fit(data.runs)
    sbc = make().fit(data.runs[::-1])
    assert counts(folder)["map"] == 4
    assert [name.split()[1] for name in sbc.run_report_["run"]] == list("0123")
    assert sbc.run_report_["run"][0].endswith(f"({str(data.runs[3].img)!r})")


def test_parts_of_a_large_brain_are_kept_one_by_one(make, data, folder, monkeypatch):
    expected = make(memory=None).fit(data.runs[0]).correlations_
    monkeypatch.setattr("sbc_estimators._signals.PART_BYTES", 2**15)
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


@pytest.mark.parametrize("name", ["labels_img", "mask_img", "lut"])
def test_atlases_of_our_own_count_by_content(make, data, folder, tmp_path, name):
    labels = np.zeros(data.mask_img.shape, np.int16)
    labels[np.asarray(data.mask_img.dataobj) != 0] = np.arange(400) // 200 + 1
    atlas = nib.Nifti1Image(labels, data.mask_img.affine)
    smaller = nib.Nifti1Image((labels == 1).astype(np.int16), data.mask_img.affine)
    lut = tmp_path / "lut.tsv"
    values = {
        "labels_img": (atlas, smaller),
        "mask_img": (None, smaller),
        "lut": (lut, lut),
    }[name]
    found, plain = [], []
    for value, words in zip(values, ("a\tb", "b\ta"), strict=True):
        first, second = words.split()
        lut.write_text(f"index\tname\n1\t{first}\n2\t{second}\n")
        seed = RegionSeeds(atlas, "a" if name == "lut" else 1, lut=lut, **BAND)
        seed.set_params(**{name: value})
        sbc = make(seed_masker=seed)
        found.append(sbc.fit(data.runs[0]).correlations_)
        plain.append(clone(sbc).set_params(memory=None).fit(data.runs[0]).correlations_)
    np.testing.assert_array_equal(found, plain)
    assert counts(folder)["brain"] == 1


@pytest.mark.parametrize("where", ["run", "masker"])
def test_faces_of_a_mesh_count(make, folder, where):
    # They say how far vertices are from each other.
    rng = np.random.default_rng(0)
    scans = rng.standard_normal((30, 60)).cumsum(axis=1)
    places = rng.standard_normal((30, 3))
    found = []
    for step in (1, 7):
        order = (step * np.arange(30)) % 30
        faces = np.stack([order, np.roll(order, 1), np.roll(order, 2)], axis=1)
        mesh = PolyMesh(left=InMemoryMesh(places, faces))
        own = PolyMesh(left=InMemoryMesh(places, np.array([[0, 1, 2]])))
        run = SurfaceImage(mesh if where == "run" else own, {"left": scans})
        seed = SurfaceSeeds([4], radius=2, mesh=mesh if where == "masker" else None)
        sbc = make(seed_masker=seed.set_params(hemisphere="left"), brain_masker=None)
        sbc.set_params(t_r=2.0).fit(run)
        found.append(sbc.seed_report_["n_voxels"].item())
        plain = clone(sbc).set_params(memory=None).fit(run)
        np.testing.assert_array_equal(sbc.correlations_, plain.correlations_)
    assert found[0] != found[1]


@pytest.mark.parametrize("package", ["nilearn", "sbc_estimators._keys"])
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
    assert cache.get(_stages.seed_stage, 1, "key", lambda: 7) == 7
    assert not cache.holds(_stages.seed_stage, 1, "key")


@pytest.mark.parametrize("level", [-1, 1.5, "2", None, True])
def test_level_that_is_none(make, data, level):
    with pytest.raises(ValueError, match="memory_level must be"):
        make(memory_level=level).fit(data.runs)


def test_memory_that_is_none(make, data):
    with pytest.raises(ValueError, match="memory"):
        make(memory=3).fit(data.runs)
