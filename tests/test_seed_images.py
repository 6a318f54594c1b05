"""Seeds from elsewhere: an image of their own, or signals that come with the run."""

import pickle
from types import SimpleNamespace

import joblib
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)
from nilearn.signal import clean
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from scipy.stats import pearsonr
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from helpers import OwnSpheres, OwnVertices, make_sbc, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._images import volume as _volume
from sbc_estimators._maps.mapping import map_run
from sbc_estimators._signals import reading as _reading
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds
from sbc_estimators.runs._opened import open_run

TOLERANCE = 2e-6
N_SCANS = 80
CENSORED = np.delete(np.arange(N_SCANS), [0, 5, 6, 40])
BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}
COSINE = {"high_pass": 0.01, "clean_args": {"filter": "cosine"}}


# The same acquisitions in images of three kinds


def mesh_of(rng, n):
    """Return a mesh of vertices anywhere and a strip of faces."""
    first = np.arange(n - 2)
    faces = np.stack([first, first + 1, first + 2], axis=1)
    return InMemoryMesh(20 * rng.standard_normal((n, 3)), faces)


def on_surface(img, mask_img, mesh):
    """Return a SurfaceImage with the time courses of a volume's first voxels."""
    scans = nib.load(img).get_fdata()[np.asarray(mask_img.dataobj) != 0]
    return SurfaceImage(mesh, {"left": scans[:50], "right": scans[50:120]})


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four acquisitions: voxels of 4 mm, of 6 mm, and a surface; and their signals."""
    options = {"n_confounds": 2, "group_effect": 1, "random_state": 0}
    fine, coarse = (
        make_runs(
            *(4, N_SCANS, n_voxels),
            voxel_size=size,
            directory=tmp_path_factory.mktemp(f"{size}mm"),
            **options,
        )
        for n_voxels, size in ((300, 4.0), (200, 6.0))
    )
    rng = np.random.default_rng(0)
    mesh = PolyMesh(left=mesh_of(rng, 50), right=mesh_of(rng, 70))
    labels = {"left": np.arange(50) // 15, "right": np.arange(70) // 20}
    names = ["heart rate", "breath", "pupil"]
    return SimpleNamespace(
        y=fine.y,
        fine=[str(run.img) for run in fine.runs],
        coarse=[str(run.img) for run in coarse.runs],
        surface=[on_surface(run.img, fine.mask_img, mesh) for run in fine.runs],
        confounds=[np.asarray(run.confounds) for run in fine.runs],
        mask_img=fine.mask_img,
        coarse_mask_img=coarse.mask_img,
        labels_img=SurfaceImage(mesh, labels),
        mesh=mesh,
        seeds=fine.seeds,
        signals=[
            pd.DataFrame(rng.standard_normal((N_SCANS, 3)).cumsum(axis=0), None, names)
            for _ in range(4)
        ],
    )


# r is that of nilearn's signals of each image


def float64(img):
    """Return a file as an image in float64, in which nilearn then cleans."""
    if hasattr(img, "mesh"):
        return img
    return nib.Nifti1Image(nib.load(img).get_fdata(), nib.load(img).affine)


def expected_r(nilearn_signals, seed, brain, run):
    """Return np.corrcoef of nilearn's signals of both images of a run."""
    shared = {"confounds": run.confounds, "sample_mask": run.sample_mask}
    shared["t_r"] = run.t_r
    seeds = nilearn_signals(seed, Run(float64(run.seed_img), **shared))
    voxels = nilearn_signals(brain, Run(float64(run.img), **shared))
    r = np.corrcoef(seeds, voxels, rowvar=False)
    return r[: seeds.shape[1], seeds.shape[1] :]


PAIRS = {
    "volume on surface": (
        lambda d: NiftiSpheresMasker(d.seeds, 8, allow_overlap=True),
        lambda d: SurfaceMasker(),
        ("surface", "fine"),
    ),
    "surface on volume": (
        lambda d: SurfaceLabelsMasker(d.labels_img),
        lambda d: NiftiMasker(d.mask_img, smoothing_fwhm=6),
        ("fine", "surface"),
    ),
    "fine on coarse": (
        lambda d: NiftiSpheresMasker(d.seeds, 8, allow_overlap=True),
        lambda d: NiftiMasker(d.coarse_mask_img),
        ("coarse", "fine"),
    ),
    "coarse on fine": (
        lambda d: NiftiSpheresMasker(d.seeds, 9, smoothing_fwhm=8, allow_overlap=True),
        lambda d: NiftiMasker(d.mask_img, smoothing_fwhm=5),
        ("fine", "coarse"),
    ),
    "fine on regions": (
        lambda d: NiftiSpheresMasker(d.seeds[:2], 8, allow_overlap=True),
        lambda d: SurfaceLabelsMasker(d.labels_img),
        ("surface", "fine"),
    ),
    "mask of its own grid": (
        lambda d: NiftiMasker(d.coarse_mask_img.slicer[:4]),
        lambda d: NiftiMasker(d.mask_img),
        ("fine", "coarse"),
    ),
}


def run_of(data, images, i=0, **options):
    """Return a run with the images of two kinds."""
    img, seed_img = (getattr(data, kind)[i] for kind in images)
    return Run(img, t_r=2.0, seed_img=seed_img, **options)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("cleaning", [BAND, COSINE], ids=["band", "censored"])
@pytest.mark.usefixtures("seeds_anywhere")
@pytest.mark.filterwarnings("ignore:imgs are being resampled")
def test_r_is_that_of_both_images(data, nilearn_signals, pair, cleaning):
    make_seed, make_brain, images = PAIRS[pair]
    seed, brain = (
        make(data).set_params(**cleaning) for make in (make_seed, make_brain)
    )
    sample_mask = CENSORED if cleaning is COSINE else None
    run = run_of(data, images, confounds=data.confounds[0], sample_mask=sample_mask)
    sbc = SeedCorrelationMap(seed, brain)
    z = sbc.fit_transform(run)
    expected = expected_r(nilearn_signals, seed, brain, run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(sbc.transform(run), z)
    img = sbc.inverse_transform(z)
    assert hasattr(img, "mesh") == (images[0] == "surface")


def test_time_courses_that_are_the_same(data):
    # The surface has copies of voxels, so both ways give one map.
    places = np.argwhere(np.asarray(data.mask_img.dataobj))[[20, 90]]
    mm = nib.affines.apply_affine(data.mask_img.affine, places).tolist()
    volume = SphereSeeds(mm, None)
    surface = SurfaceSeeds([20, 40], None, hemisphere=["left", "right"])
    surface_run, brain = Run(data.surface[0], t_r=2.0), SurfaceMasker(**BAND)
    expected = SeedCorrelationMap(surface, brain).fit(surface_run).correlations_
    run = run_of(data, ("surface", "fine"))
    found = SeedCorrelationMap(volume, brain).fit(run).correlations_
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    whole = SeedCorrelationMap(surface, NiftiMasker(data.mask_img, **BAND))
    r = whole.fit(run_of(data, ("fine", "surface"))).correlations_
    np.testing.assert_allclose(r[:, :120], expected, rtol=0, atol=TOLERANCE)
    assert (r[0, 20], r[1, 90]) == pytest.approx((1, 1))


@pytest.mark.parametrize("images", [("surface", "fine"), ("fine", "surface")])
def test_default_brain_is_of_the_kind_of_the_run(data, nilearn_signals, images):
    volume = NiftiSpheresMasker(data.seeds[:1], 8, **BAND)
    seed = (
        volume if images[1] == "fine" else SurfaceLabelsMasker(data.labels_img, **BAND)
    )
    run = run_of(data, images)
    sbc = SeedCorrelationMap(seed).fit(run)
    kind = SurfaceMasker if images[0] == "surface" else NiftiMasker
    assert type(sbc.brain_masker_) is kind
    brain = clone(sbc.brain_masker_)
    expected = expected_r(nilearn_signals, seed, brain, run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


def test_high_variance_confounds_are_those_of_each_image(data, nilearn_signals):
    cleaning = {"high_variance_confounds": True, "detrend": True}
    seed = NiftiSpheresMasker(data.seeds, 8, allow_overlap=True, **cleaning)
    brain = NiftiMasker(data.coarse_mask_img, **cleaning)
    run = run_of(data, ("coarse", "fine"), confounds=data.confounds[0])
    sbc = SeedCorrelationMap(seed, brain).fit(run)
    expected = expected_r(nilearn_signals, seed, brain, run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("own", ["seed", "brain", "both"])
def test_maskers_of_another_make(data, nilearn_signals, own):
    cleaning = {"detrend": True, "standardize": None}
    seed = OwnSpheres if own != "brain" else NiftiSpheresMasker
    seed = seed(data.seeds[:2], 8, allow_overlap=True, **cleaning)
    brain = (OwnVertices if own != "seed" else SurfaceMasker)(**cleaning)
    run = run_of(data, ("surface", "fine"), confounds=data.confounds[0])
    sbc = SeedCorrelationMap(seed, brain).fit(run)
    expected = expected_r(nilearn_signals, seed, brain, run)
    # A masker that cleans by itself does so in the file's float32.
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=1e-5)


def test_paths_are_those_of_each_image(data):
    seed = NiftiSpheresMasker(data.seeds, 8, allow_overlap=True)
    sbc = SeedCorrelationMap(seed, SurfaceMasker()).fit(
        run_of(data, ("surface", "fine"))
    )
    assert sbc.paths_["seed_masker"] == "streamed"
    assert sbc.paths_["brain_masker"] == "streamed"
    brain = NiftiLabelsMasker(data.mask_img, strategy="median")
    sbc = SeedCorrelationMap(seed, brain).fit(run_of(data, ("fine", "coarse")))
    assert sbc.paths_["seed_masker"] == "streamed"
    assert sbc.paths_["brain_masker"].startswith("compiled")


def test_signals_of_a_run(data, nilearn_signals):
    seed = NiftiSpheresMasker(data.seeds, 8, allow_overlap=True, detrend=True)
    run = run_of(data, ("surface", "fine"))
    sbc = SeedCorrelationMap(seed).fit(run)
    r = np.corrcoef(sbc.seed_signals(run), sbc.brain_signals(run), rowvar=False)
    np.testing.assert_allclose(sbc.correlations_, r[:3, 3:], rtol=0, atol=TOLERANCE)
    # The voxels of a run need no image of seeds.
    voxels = sbc.brain_signals(Run(data.surface[0], t_r=2.0))
    np.testing.assert_array_equal(voxels, sbc.brain_signals(run))


def test_report_of_seeds_in_an_image_of_their_own(data):
    seed = NiftiSpheresMasker(data.seeds, 8, allow_overlap=True, detrend=True)
    on_volume = SeedCorrelationMap(seed, NiftiMasker(data.mask_img, detrend=True))
    expected = on_volume.fit(Run(data.fine[0], t_r=2.0)).seed_report_
    found = SeedCorrelationMap(seed).fit(run_of(data, ("surface", "fine"))).seed_report_
    rest = ["n_voxels", "homogeneity", "homogeneity_sd", "tsnr"]
    pd.testing.assert_frame_equal(found[rest], expected[rest])
    # Of a mask on a surface no voxel is known to lie within: all that vary count.
    scans = nib.load(data.fine[0]).get_fdata()
    grid = np.indices(scans.shape[:3]).reshape(3, -1).T
    mm = nib.affines.apply_affine(data.mask_img.affine, grid)
    varies = scans.reshape(-1, N_SCANS).std(axis=1) > 0
    members = [np.linalg.norm(mm - place, axis=1) <= 8 for place in data.seeds]
    assert found["coverage"].tolist() == [varies[m].mean() for m in members]


@pytest.mark.parametrize("measure", ["partial", "semipartial"])
def test_measures(data, nilearn_signals, measure):
    seed = NiftiSpheresMasker(data.seeds, 6, allow_overlap=True, **BAND)
    run = run_of(data, ("surface", "fine"))
    sbc = SeedCorrelationMap(seed, measure=measure).fit(run)
    seeds, voxels = sbc.seed_signals(run), sbc.brain_signals(run)
    others = np.linalg.qr(seeds[:, 1:])[0]
    own = seeds[:, 0] - others @ (others.T @ seeds[:, 0])
    if measure == "partial":
        voxels = voxels - others @ (others.T @ voxels)
    r = np.corrcoef(own, voxels, rowvar=False)[0, 1:]
    np.testing.assert_allclose(sbc.correlations_[0], r, rtol=0, atol=1e-5)


def test_label_of_a_surface_atlas_as_published(surface):
    # nilearn's example: a label of one hemisphere, by name, with every vertex of both.
    lut = pd.DataFrame({"index": [0, 1, 2], "name": ["Unknown", "G_front", "G_cingul"]})
    seed = RegionSeeds(surface.labels_img, "G_cingul", lut=lut, hemisphere="left")
    sbc = SeedCorrelationMap(seed).fit(surface.img)
    left, right = surface.img.data.parts.values()
    labels = surface.labels_img.data.parts["left"]
    course = left[labels == 2].mean(axis=0)
    r = [pearsonr(course, vertex).statistic for vertex in (*left, *right)]
    np.testing.assert_allclose(sbc.correlations_[0], r, rtol=0, atol=1e-6)
    r_img = sbc.inverse_transform(sbc.correlations_)
    np.testing.assert_allclose(r_img.data.parts["right"][:, 0], r[60:], atol=1e-6)
    assert sbc.seed_names_ == ["left G_cingul"]


# Several runs, caches, searches


@pytest.fixture
def make(data):
    """The function ``(**parameters) -> estimator`` of coarse seeds on fine voxels."""

    def make(**parameters):
        spheres = {"allow_overlap": True}
        sbc = make_sbc(data, data.seeds, 8, spheres=spheres, cleaning=BAND)
        return sbc.set_params(**parameters)

    return make


@pytest.fixture
def runs(data):
    """Four runs in two files each."""
    return [
        run_of(data, ("fine", "coarse"), i, confounds=data.confounds[i])
        for i in range(4)
    ]


@pytest.fixture
def readings(monkeypatch):
    """What was read of runs, the names of their sides once a reading."""
    prepare, seen = _reading._prepare, []

    def counting(plan, sides, *args):
        seen.append({side.adapter.name for side in sides})
        return prepare(plan, sides, *args)

    monkeypatch.setattr(_reading, "_prepare", counting)
    return seen


SEEDS, BRAIN = {"seed_masker"}, {"brain_masker"}


def test_several_runs(make, runs):
    # The second one's seeds are in the same image as its voxels.
    mixed = [runs[0], Run(runs[1].img, runs[1].confounds, t_r=2.0)]
    z = make().fit_transform(mixed)
    single = [make().fit(run).correlations_ for run in mixed]
    np.testing.assert_allclose(z, np.arctanh(single).reshape(2, -1), atol=1e-6)
    assert np.abs(make().fit(runs[1]).correlations_ - single[1]).max() > 1e-2


def test_jobs_play_no_part(make, runs):
    z = make().fit_transform(runs[:2])
    with joblib.parallel_config("threading"):
        np.testing.assert_array_equal(make(n_jobs=2).fit_transform(runs[:2]), z)


@pytest.mark.parametrize("in_memory", [False, True])
def test_runs_go_to_other_processes(data, in_memory):
    seed_img = nib.load(data.fine[0]) if in_memory else data.fine[0]
    run = Run(data.surface[0], data.confounds[0], t_r=2.0, seed_img=seed_img)
    seed = NiftiSpheresMasker(data.seeds, 8, allow_overlap=True, **BAND)
    sbc = SeedCorrelationMap(seed).fit(run)
    sent = pickle.loads(pickle.dumps((sbc._fitted_mapper(), open_run(run, 3))))
    seed_map = map_run(*sent)
    np.testing.assert_array_equal(seed_map.r, sbc.correlations_)
    assert seed_map.where.startswith("run 3")


def test_changed_seed_image_reads_seeds_alone(data, make, readings, tmp_path):
    image = nib.load(data.coarse[0])
    scans = image.get_fdata(dtype=np.float32)
    path = str(tmp_path / "seeds.nii")
    nib.save(nib.Nifti1Image(scans, image.affine), path)
    run = Run(data.fine[0], t_r=2.0, seed_img=path)
    memory = {"memory": tmp_path / "cache", "memory_level": 2}
    before = make(**memory).fit(run).correlations_
    assert readings == [SEEDS | BRAIN]
    readings.clear()
    again = make(**memory).fit(run).correlations_
    assert readings == []
    np.testing.assert_array_equal(again, before)
    nib.save(nib.Nifti1Image(scans[..., ::-1].copy(), image.affine), path)
    found = make(**memory).fit(run).correlations_
    assert readings == [SEEDS]
    np.testing.assert_array_equal(found, make().fit(run).correlations_)
    assert np.abs(found - before).max() > 0.1


def test_changed_image_reads_voxels_alone(data, make, readings, tmp_path):
    memory = {"memory": tmp_path, "memory_level": 2}
    make(**memory).fit(run_of(data, ("fine", "coarse")))
    readings.clear()
    other = Run(data.fine[1], t_r=2.0, seed_img=data.coarse[0])
    found = make(**memory).fit(other).correlations_
    assert readings == [BRAIN]
    np.testing.assert_array_equal(found, make().fit(other).correlations_)


def test_seed_image_in_memory_in_a_cache(data, make, tmp_path):
    image = nib.load(data.coarse[0])
    scans = image.get_fdata()
    found = []
    for factor in (1, -1):
        seed_img = nib.Nifti1Image(factor * scans, image.affine)
        run = Run(data.fine[0], t_r=2.0, seed_img=seed_img)
        found.append(make(memory=tmp_path).fit(run).correlations_)
    np.testing.assert_allclose(found[1], -found[0], atol=1e-6)


@pytest.mark.parametrize("images", [("fine", "coarse"), ("coarse", "fine")])
def test_voxels_in_a_cache_are_not_those_of_seeds(data, tmp_path, images):
    # They have the same numbers, in another image.
    mask_img = data.mask_img if images[0] == "fine" else data.coarse_mask_img
    seed = NiftiSpheresMasker(data.seeds, 8, allow_overlap=True, **BAND)
    sbc = SeedCorrelationMap(seed, NiftiMasker(mask_img, **BAND))
    run = run_of(data, images)
    expected = clone(sbc).set_params(seed_summary="median").fit(run)
    sbc.set_params(memory=tmp_path, memory_level=2).fit(run)
    found = sbc.set_params(seed_summary="median").fit(run)
    np.testing.assert_array_equal(found.correlations_, expected.correlations_)


def test_in_a_search(make, runs, data):
    pipeline = Pipeline([("map", make()), ("classify", LogisticRegression())])
    grid = {"map__seed_masker__radius": [7, 12]}
    search = GridSearchCV(pipeline, grid, cv=2, scoring="accuracy", error_score="raise")
    search.fit(runs, data.y)
    best = search.best_estimator_["map"]
    radius = search.best_params_["map__seed_masker__radius"]
    expected = make(seed_masker__radius=radius)
    np.testing.assert_array_equal(best.correlations_, expected.fit(runs).correlations_)


# Errors of images


def test_lengths_that_differ(data, make, tmp_path):
    image = nib.load(data.coarse[0])
    path = str(tmp_path / "short.nii")
    nib.save(image.slicer[..., :-2], path)
    run = Run(data.fine[0], seed_img=path)
    expected = words(
        *("run 0", data.fine[0], f"seed_img ({path!r})"),
        *("img has 80 scans and seed_img 78", "the same acquisition"),
    )
    with pytest.raises(ValueError, match=expected):
        make().fit(run)
    sbc = make().fit(run_of(data, ("fine", "coarse")))
    for method in (sbc.transform, sbc.seed_signals):
        with pytest.raises(ValueError, match=expected):
            method(run)


def test_missing_file(data, make):
    expected = words("run 1", "seed_img", "there is no file 'absent.nii'")
    with pytest.raises(FileNotFoundError, match=expected):
        make().fit([data.fine[0], Run(data.fine[0], seed_img="absent.nii")])


def test_seed_image_that_is_none(data, make):
    for seed_img, parts in [
        (data.mask_img, ("seed_img", "must be a 4D image")),
        (np.zeros((3, 3, 3, N_SCANS)), ("seed_img", "ndarray")),
    ]:
        with pytest.raises((TypeError, ValueError), match=words("run 0", *parts)):
            make().fit(Run(data.fine[0], seed_img=seed_img))


def test_truncated_file(data, make, tmp_path):
    path = tmp_path / "cut.nii"
    nib.save(nib.load(data.coarse[0]), path)
    path.write_bytes(path.read_bytes()[:-1000])
    run = Run(data.fine[0], t_r=2.0, seed_img=path)
    expected = words("run 0", f"seed_img ({str(path)!r})", "truncated or corrupt")
    with pytest.raises(OSError, match=expected):
        make().fit(run)


KIND_ERRORS = {
    "surface for a volume masker": (
        lambda d: NiftiSpheresMasker(d.seeds),
        ("fine", "surface"),
        ("seed_masker: a NiftiSpheresMasker", "its seed_img is a surface"),
    ),
    "volume for a surface masker": (
        lambda d: SurfaceLabelsMasker(d.labels_img),
        ("surface", "fine"),
        ("seed_masker: a SurfaceLabelsMasker", "its seed_img is a volume"),
    ),
    "surface for seeds of ours": (
        lambda d: SphereSeeds(d.seeds),
        ("fine", "surface"),
        ("seed_masker", "seed_img: spheres lie in volumes", "the image is a surface"),
    ),
}


@pytest.mark.parametrize("name", KIND_ERRORS)
def test_seed_image_of_the_wrong_kind(data, name):
    make_seed, images, parts = KIND_ERRORS[name]
    with pytest.raises(TypeError, match=words("run 0", *parts)):
        SeedCorrelationMap(make_seed(data)).fit(run_of(data, images))


def test_brain_of_the_wrong_kind(data):
    seed = NiftiSpheresMasker(data.seeds)
    sbc = SeedCorrelationMap(seed, NiftiMasker(data.mask_img))
    expected = words("run 0", "brain_masker", "but the run is a surface")
    with pytest.raises(TypeError, match=expected):
        sbc.fit(run_of(data, ("surface", "fine")))


def test_error_without_a_seed_image_says_how_to_pass_one(data):
    sbc = SeedCorrelationMap(NiftiSpheresMasker(data.seeds))
    with pytest.raises(TypeError, match=words("run 0", "Run(img, seed_img=...)")):
        sbc.fit(data.surface[0])
    sbc.fit(run_of(data, ("surface", "fine")))
    with pytest.raises(ValueError, match=words("run 0", "Run(img, seed_img=...)")):
        sbc.transform(data.surface[0])


def test_seed_image_that_is_missing_after_fit(data):
    seed = NiftiSpheresMasker(data.seeds, radius=8, allow_overlap=True, **BAND)
    sbc = SeedCorrelationMap(seed, NiftiMasker(data.mask_img, **BAND))
    runs = [run_of(data, ("fine", "coarse"), i) for i in (0, 1)]
    sbc.fit(runs)
    bare = Run(data.fine[1], t_r=2.0)
    expected = words(
        "run 1", data.fine[1], "every run had seed_img in fit", "seed_img="
    )
    with pytest.raises(ValueError, match=expected):
        sbc.transform([runs[0], bare])
    with pytest.raises(ValueError, match=words("run 0", "seed_img")):
        sbc.seed_signals(bare)
    assert len(sbc.brain_signals(bare)) == N_SCANS
    sbc.fit([runs[0], bare]).transform(bare)


def test_seed_outside_of_its_image(data):
    sbc = SeedCorrelationMap(NiftiSpheresMasker([(500, 0, 0)], 8))
    expected = words(
        *("run 0", f"seed_img ({data.fine[0]!r})", "seed 0 at (500, 0, 0) mm"),
    )
    with pytest.raises(ValueError, match=expected):
        sbc.fit(run_of(data, ("surface", "fine")))


# Signals that come with the run


def given_r(nilearn_signals, data, columns, run, cleaning):
    """Return np.corrcoef of signals and voxels that nilearn cleaned."""
    arguments = {"detrend": False, **cleaning, **cleaning.get("clean_args", {})}
    arguments.pop("clean_args", None)
    seeds = clean(
        np.array(data.signals[0][columns]),  # which nilearn changes
        standardize=None,
        t_r=run.t_r,
        confounds=run.confounds,
        sample_mask=run.sample_mask,
        **arguments,
    )
    own = Run(float64(run.img), run.confounds, run.sample_mask, run.t_r)
    voxels = nilearn_signals(NiftiMasker(data.mask_img, **cleaning), own)
    n_seeds = len(columns)
    return np.corrcoef(seeds, voxels, rowvar=False)[:n_seeds, n_seeds:]


KINDS = ["DataFrame", "array", "list", "tsv", "csv"]


def as_kind(table, kind, folder):
    """Return a table as a user may pass it."""
    if kind in ("tsv", "csv"):
        path = folder / f"signals.{kind}"
        table.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
        return path
    return {"DataFrame": table, "array": np.asarray(table)}.get(
        kind, np.asarray(table).tolist()
    )


@pytest.mark.parametrize(
    ("kind", "cleaning"), [*((kind, COSINE) for kind in KINDS), ("tsv", BAND)]
)
def test_given_signals(data, nilearn_signals, tmp_path, kind, cleaning):
    sample_mask = CENSORED if cleaning is COSINE else None
    signals = as_kind(data.signals[0], kind, tmp_path)
    run = Run(data.fine[0], data.confounds[0], sample_mask, 2.0, seed_signals=signals)
    brain = NiftiMasker(data.mask_img, **cleaning)
    sbc = SeedCorrelationMap(GivenSignals(), brain)
    z = sbc.fit_transform(run)
    columns = list(data.signals[0].columns)
    expected = given_r(nilearn_signals, data, columns, run, cleaning)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)
    np.testing.assert_array_equal(sbc.transform(run), z)
    has_names = kind in ("DataFrame", "tsv", "csv")
    assert sbc.seed_names_ == (
        columns if has_names else [f"signal{i}" for i in range(3)]
    )
    assert sbc.paths_["seed_masker"] == "given: the signals come with the run"
    r = np.corrcoef(sbc.seed_signals(run), sbc.brain_signals(run), rowvar=False)
    np.testing.assert_allclose(sbc.correlations_, r[:3, 3:], rtol=0, atol=TOLERANCE)


def test_given_signals_are_cleaned_like_the_brain_or_not_at_all(data):
    run = Run(data.fine[0], t_r=2.0, seed_signals=data.signals[0])
    brain = NiftiMasker(data.mask_img, detrend=True)
    band = {"low_pass": 0.1, "high_pass": 0.01}
    sbc = SeedCorrelationMap(GivenSignals(), brain, **band).fit(run)
    own = NiftiMasker(data.mask_img, **BAND)
    alike = SeedCorrelationMap(GivenSignals(), own).fit(run)
    np.testing.assert_array_equal(sbc.correlations_, alike.correlations_)
    raw = SeedCorrelationMap(GivenSignals(clean=False), own).fit(run)
    assert np.abs(raw.correlations_ - sbc.correlations_).max() > 1e-3


@pytest.mark.parametrize("columns", ["breath", ["pupil", "heart rate"], 1])
def test_columns_by_name_in_a_pipeline(data, nilearn_signals, columns):
    brain = NiftiMasker(data.mask_img, **BAND)
    pipeline = Pipeline([("map", SeedCorrelationMap(GivenSignals(), brain))])
    pipeline.set_params(map__seed_masker__columns=columns)
    run = Run(data.fine[0], t_r=2.0, seed_signals=data.signals[0])
    sbc = pipeline.fit([run])["map"]
    names = ["breath"] if columns in ("breath", 1) else columns
    expected = given_r(nilearn_signals, data, names, run, BAND)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)
    assert sbc.seed_names_ == names


def given_runs(data):
    """Return four runs with signals and confounds."""
    return [
        Run(*which[:2], t_r=2.0, seed_signals=which[2])
        for which in zip(data.fine, data.confounds, data.signals, strict=True)
    ]


@pytest.fixture
def given(data):
    """The function ``(**parameters) -> estimator`` of given signals."""

    def given(**parameters):
        brain = NiftiMasker(data.mask_img, **BAND)
        return SeedCorrelationMap(GivenSignals(), brain).set_params(**parameters)

    return given


def test_signals_of_several_runs(data, given):
    runs = given_runs(data)[:2]
    sbc = given()
    z = sbc.fit_transform(runs)
    single = [given().fit(run).correlations_ for run in runs]
    np.testing.assert_allclose(z, np.arctanh(single).reshape(2, -1), atol=1e-6)
    with joblib.parallel_config("threading"):
        np.testing.assert_array_equal(given(n_jobs=2).fit_transform(runs), z)
    copied = pickle.loads(pickle.dumps(sbc))
    np.testing.assert_array_equal(copied.transform(runs), z)
    np.testing.assert_array_equal(clone(sbc).fit_transform(runs), z)


def test_search_over_columns(data, given):
    pipeline = Pipeline([("map", given()), ("classify", LogisticRegression())])
    grid = {"map__seed_masker__columns": ["breath", "pupil"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(given_runs(data), data.y)
    best = search.best_estimator_["map"]
    assert best.seed_names_ == [search.best_params_["map__seed_masker__columns"]]


def test_signals_on_a_surface(data):
    signals = np.asarray(data.signals[0])
    run = Run(data.surface[0], t_r=2.0, seed_signals=signals)
    sbc = SeedCorrelationMap(GivenSignals(), SurfaceMasker(detrend=True)).fit(run)
    scans = np.concatenate(list(data.surface[0].data.parts.values())).T
    time = np.vander(np.arange(float(N_SCANS)), 2)
    left = [
        x - time @ np.linalg.lstsq(time, x, rcond=None)[0] for x in (signals, scans)
    ]
    expected = np.corrcoef(*left, rowvar=False)[:3, 3:]
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("in_file", [False, True])
def test_changed_signals_in_a_cache(data, given, readings, tmp_path, in_file):
    memory = {"memory": tmp_path / "cache", "memory_level": 2}
    path = tmp_path / "signals.tsv"

    def run_with(table):
        table.to_csv(path, sep="\t", index=False)
        return Run(data.fine[0], t_r=2.0, seed_signals=path if in_file else table)

    before = given(**memory).fit(run_with(data.signals[0])).correlations_
    readings.clear()
    again = given(**memory).fit(run_with(data.signals[0])).correlations_
    assert readings == []
    np.testing.assert_array_equal(again, before)
    found = given(**memory).fit(run_with(data.signals[1])).correlations_
    assert readings == []
    expected = given().fit(run_with(data.signals[1])).correlations_
    np.testing.assert_array_equal(found, expected)
    assert np.abs(found - before).max() > 0.1


# Errors of signals, before any scan is read


@pytest.fixture
def unreadable(monkeypatch):
    """Let no scans be read."""

    def refuse(dataobj, n_scans):
        raise AssertionError("scans are read")

    monkeypatch.setattr(_volume, "_reader", refuse)


def bad_signals(data, name):
    """Return signals of a run that are wrong in some way, and what is said of them."""
    table = data.signals[1]
    holes = table.copy()
    holes.loc[[3, 7], "breath"] = np.nan
    return {
        "short": (table[:-3], ("one row per scan, 80, got 77",)),
        "nan": (holes, ("must be finite, column 'breath'", "scans 3, 7")),
        "missing": (None, ("brings no signals", "Run(img, seed_signals=...)")),
        "column": (table.drop(columns="pupil"), ("2 signals, in fit there were 3",)),
        "file": ("absent.tsv", ("there is no file 'absent.tsv'",)),
        "words": (table.astype(str) + "x", ("must be numbers",)),
    }[name]


@pytest.mark.usefixtures("unreadable")
@pytest.mark.parametrize("name", ["short", "nan", "missing", "column", "file", "words"])
@pytest.mark.parametrize("with_mask", [True, False])
def test_errors_before_any_scan_is_read(data, given, name, with_mask):
    signals, parts = bad_signals(data, name)
    runs = given_runs(data)[:2]
    runs[1] = Run(data.fine[1], data.confounds[1], t_r=2.0, seed_signals=signals)
    sbc = given() if with_mask else given(brain_masker__mask_img=None)
    expected = words(f"run 1 ({data.fine[1]!r})", *parts)
    with pytest.raises((ValueError, TypeError, OSError), match=expected):
        sbc.fit(runs)


@pytest.mark.parametrize("name", ["short", "nan", "missing", "column", "file", "words"])
def test_errors_in_transform(data, given, monkeypatch, name):
    signals, parts = bad_signals(data, name)
    sbc = given().fit(given_runs(data)[0])
    monkeypatch.setattr(_volume, "_reader", None)
    run = Run(data.fine[1], data.confounds[1], t_r=2.0, seed_signals=signals)
    expected = words(f"run 1 ({data.fine[1]!r})", *parts)
    with pytest.raises((ValueError, TypeError, OSError), match=expected):
        sbc.transform([given_runs(data)[0], run])


def test_column_that_a_run_lacks(data, given):
    runs = given_runs(data)[:2]
    runs[1] = Run(
        data.fine[1],
        data.confounds[1],
        t_r=2.0,
        seed_signals=data.signals[1].rename(columns={"breath": "breathing"}),
    )
    expected = words("run 1", "seed_signals", "no column 'breath'", "'breathing'")
    with pytest.raises(ValueError, match=expected):
        given(seed_masker__columns="breath").fit(runs)


def test_holes_in_censored_scans_play_no_part(data, given):
    signals = data.signals[0].copy()
    run = Run(data.fine[0], None, CENSORED, 2.0, seed_signals=signals)
    expected = given().fit(run).correlations_
    holes = signals.copy()
    holes.iloc[[0, 5]] = np.nan
    run = Run(data.fine[0], None, CENSORED, 2.0, seed_signals=holes)
    np.testing.assert_allclose(given().fit(run).correlations_, expected, atol=1e-6)
    holes.iloc[[0, 5]] = 1e6
    run = Run(data.fine[0], None, CENSORED, 2.0, seed_signals=holes)
    np.testing.assert_allclose(given().fit(run).correlations_, expected, atol=1e-6)


def test_runs_tell_what_they_bring(data):
    run = Run("a.nii", seed_img="b.nii", seed_signals=data.signals[0])
    expected = (
        "Run('a.nii', seed_img='b.nii', seed_signals=<DataFrame of shape (80, 3)>)"
    )
    assert repr(run) == expected
