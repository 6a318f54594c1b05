"""Against plain nilearn in float64: each masker cleans by itself, np.corrcoef does r.

The promise is 1e-5; a float32 r, from sums over a few hundred scans, can do better.
"""

import nibabel as nib
import numpy as np
import pytest
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

from helpers import every_pair, in_turn, save
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.datasets import load_sample_run

pytestmark = [
    # nilearn says so of every masker with another grid, asked for or not,
    pytest.mark.filterwarnings("ignore:imgs are being resampled"),
    # and numpy when nilearn crops a mask of unsigned integers that has no zeros.
    pytest.mark.filterwarnings("ignore:overflow encountered in scalar negative"),
    pytest.mark.usefixtures("seeds_anywhere", "any_dof"),
]

TOLERANCE = 2e-6

BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}


def spheres(radius, **options):
    """Return what makes a masker of spheres from data and cleaning."""
    return lambda data, **cleaning: NiftiSpheresMasker(
        data.seeds, radius=radius, **options, **cleaning
    )


def voxels(**options):
    """Return what makes a masker of all voxels."""
    return lambda data, **cleaning: NiftiMasker(data.mask_img, **options, **cleaning)


def labels(kind=NiftiLabelsMasker, **options):
    """Return what makes a masker of labelled regions."""
    return lambda data, **cleaning: kind(data.labels_img, **options, **cleaning)


def maps(kind=NiftiMapsMasker, **options):
    """Return what makes a masker of maps."""
    return lambda data, **cleaning: kind(data.maps_img, **options, **cleaning)


def _small_mask(data, size=(2, 1, 2)):
    """Return a mask of a few voxels in the middle of the brain."""
    mask = np.zeros(data.img.shape[:3], dtype=np.uint8)
    mask[
        tuple(slice(m // 2, m // 2 + n) for m, n in zip(mask.shape, size, strict=True))
    ] = 1
    return nib.Nifti1Image(mask, data.img.affine)


def _turned(affine, voxel_sizes):
    """Return an oblique affine with voxels of these sizes around the same place."""
    turned = np.eye(4)
    angle = np.deg2rad(12)
    turned[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned[:3, :3] = turned[:3, :3] @ np.diag(voxel_sizes)
    turned[:3, 3] = affine[:3, 3] + 12
    return turned


VOLUME_SEEDS = {
    "voxel": spheres(None),
    "sphere-within-voxel": spheres(1.5),
    "sphere-4": spheres(4),
    "sphere-8": spheres(8),
    "sphere-10.5": spheres(10.5),
    "spheres-overlap": spheres(30, allow_overlap=True),
    "spheres-mask": lambda data, **cleaning: NiftiSpheresMasker(
        data.seeds, radius=9, mask_img=data.mask_img, **cleaning
    ),
    "spheres-mask-other-grid": lambda data, **cleaning: NiftiSpheresMasker(
        data.seeds[:1], radius=9, mask_img=data.coarse_mask_img, **cleaning
    ),
    "spheres-smoothed": spheres(6, smoothing_fwhm=6),
    "spheres-one-tuple": lambda data, **cleaning: NiftiSpheresMasker(
        [data.seeds[0]], radius=6, **cleaning
    ),
    "labels": labels(),
    "labels-median": labels(strategy="median"),
    "labels-maximum": labels(strategy="maximum"),
    "labels-minimum": labels(strategy="minimum"),
    "labels-sum": labels(strategy="sum"),
    "labels-deviation": labels(strategy="standard_deviation"),
    "labels-variance": labels(strategy="variance"),
    "labels-background": lambda data, **cleaning: NiftiLabelsMasker(
        nib.Nifti1Image(
            np.asarray(data.labels_img.dataobj) + np.int16(3), data.labels_img.affine
        ),
        background_label=3,
        **cleaning,
    ),
    "labels-smoothed": labels(smoothing_fwhm=5),
    "labels-mask": lambda data, **cleaning: NiftiLabelsMasker(
        data.labels_img, mask_img=data.mask_img, **cleaning
    ),
    "maps": maps(),
    "maps-smoothed": maps(smoothing_fwhm=5),
    "maps-mask": lambda data, **cleaning: NiftiMapsMasker(
        data.maps_img, mask_img=data.mask_img, **cleaning
    ),
    "mask": lambda data, **cleaning: NiftiMasker(_small_mask(data), **cleaning),
    "multi-labels": labels(MultiNiftiLabelsMasker),
    "multi-maps": maps(MultiNiftiMapsMasker),
    "multi-mask": lambda data, **cleaning: MultiNiftiMasker(
        _small_mask(data), **cleaning
    ),
}

VOLUME_BRAINS = {
    "voxels-smoothed": voxels(smoothing_fwhm=6),
    "voxels-smoothed-much": voxels(smoothing_fwhm=25),
    "voxels-no-mask": lambda data, **cleaning: NiftiMasker(**cleaning),
    "voxels-background-mask": lambda data, **cleaning: NiftiMasker(
        mask_strategy="background", smoothing_fwhm=5, **cleaning
    ),
    "voxels-target-affine": voxels(target_affine=np.diag([6.0, 6.0, 6.0])),
    "voxels-target-affine-smoothed": voxels(
        target_affine=np.diag([6.0, 7.0, 8.0]), smoothing_fwhm=7
    ),
    "voxels-target-shape": lambda data, **cleaning: NiftiMasker(
        data.mask_img,
        target_affine=_turned(data.img.affine, [4, 5, 6]),
        target_shape=(6, 5, 4),
        **cleaning,
    ),
    "voxels-other-grid": lambda data, **cleaning: NiftiMasker(
        data.coarse_mask_img, **cleaning
    ),
    "voxels-other-grid-smoothed": lambda data, **cleaning: NiftiMasker(
        data.coarse_mask_img, smoothing_fwhm=8, **cleaning
    ),
    "voxels-float32": voxels(dtype="float32"),
    "one-voxel": lambda data, **cleaning: NiftiMasker(
        nib.Nifti1Image(
            (np.cumsum(np.asarray(data.mask_img.dataobj)) == 300)
            .reshape(data.mask_img.shape)
            .astype(np.uint8),
            data.mask_img.affine,
        ),
        smoothing_fwhm=5,
        **cleaning,
    ),
    "small-mask": lambda data, **cleaning: NiftiMasker(
        _small_mask(data, (3, 4, 3)), **cleaning
    ),
    "multi-voxels": lambda data, **cleaning: MultiNiftiMasker(
        data.mask_img, smoothing_fwhm=6, **cleaning
    ),
    "multi-voxels-no-mask": lambda data, **cleaning: MultiNiftiMasker(**cleaning),
    "labels": labels(),
    "labels-median-smoothed": labels(strategy="median", smoothing_fwhm=6),
    "labels-resampled": labels(resampling_target="labels"),
    "maps": maps(),
    "maps-resampled": maps(resampling_target="maps"),
    "multi-labels": labels(MultiNiftiLabelsMasker),
    "multi-maps": maps(MultiNiftiMapsMasker),
    "spheres": spheres(9),
}

SURFACE_MASKERS = {
    "vertices": lambda data, **cleaning: SurfaceMasker(**cleaning),
    "vertices-mask": lambda data, **cleaning: SurfaceMasker(data.mask_img, **cleaning),
    "labels": lambda data, **cleaning: SurfaceLabelsMasker(data.labels_img, **cleaning),
    "labels-median": lambda data, **cleaning: SurfaceLabelsMasker(
        data.labels_img, strategy="median", **cleaning
    ),
    "maps": lambda data, **cleaning: SurfaceMapsMasker(data.maps_img, **cleaning),
    "maps-mask": lambda data, **cleaning: SurfaceMapsMasker(
        data.maps_img, mask_img=data.mask_img, **cleaning
    ),
}

CLEANING = {
    "none": {},
    "detrend": {"detrend": True},
    "low-pass": {"low_pass": 0.08},
    "high-pass": {"high_pass": 0.02},
    "high-pass-detrend": {"high_pass": 0.005, "detrend": True},
    "band": BAND,
    "band-no-detrend": {"low_pass": 0.1, "high_pass": 0.01},
    "narrow-band": {"low_pass": 0.05, "high_pass": 0.03, "detrend": True},
    "low-pass-near-nyquist": {"low_pass": 0.2499, "detrend": True},
    "cosine": {"high_pass": 0.01, "clean_args": {"filter": "cosine"}},
    "cosine-detrend": {
        "high_pass": 0.02,
        "detrend": True,
        "clean_args": {"filter": "cosine"},
    },
    "filter-false": {"detrend": True, "clean_args": {"filter": False}},
    "filter-butterworth": {**BAND, "clean_args": {"filter": "butterworth"}},
    "order-1": {**BAND, "clean_args": {"butterworth__order": 1}},
    "order-3-low": {"low_pass": 0.1, "clean_args": {"butterworth__order": 3}},
    "padtype-even": {**BAND, "clean_args": {"butterworth__padtype": "even"}},
    "padtype-constant": {
        "low_pass": 0.1,
        "clean_args": {"butterworth__padtype": "constant"},
    },
    "padtype-none": {**BAND, "clean_args": {"butterworth__padtype": None}},
    "padlen-0": {**BAND, "clean_args": {"butterworth__padlen": 0}},
    "padlen-50": {**BAND, "clean_args": {"butterworth__padlen": 50}},
    "copy-true": {**BAND, "clean_args": {"butterworth__copy": True}},
    "ensure-finite": {**BAND, "clean_args": {"ensure_finite": True}},
    "extrapolate": {**BAND, "clean_args": {"extrapolate": True}},
    "all-clean-args": {
        "low_pass": 0.1,
        "clean_args": {
            "filter": "butterworth",
            "butterworth__order": 2,
            "butterworth__padtype": "even",
            "butterworth__padlen": 30,
            "butterworth__copy": True,
            "ensure_finite": True,
            "extrapolate": True,
        },
    },
    "high-variance": {"high_variance_confounds": True},
    "high-variance-band": {**BAND, "high_variance_confounds": True},
    "high-variance-confounds-cosine": {
        "high_variance_confounds": True,
        "high_pass": 0.01,
        "clean_args": {"filter": "cosine"},
        "confounds": True,
    },
    "confounds": {"confounds": True},
    "confounds-detrend": {"confounds": True, "detrend": True},
    "confounds-band": {**BAND, "confounds": True},
    "confounds-band-no-detrend": {
        "low_pass": 0.1,
        "high_pass": 0.01,
        "confounds": True,
    },
    "confounds-low-pass": {"low_pass": 0.1, "confounds": True},
    "confounds-cosine": {
        "high_pass": 0.01,
        "detrend": True,
        "clean_args": {"filter": "cosine"},
        "confounds": True,
    },
    "confounds-as-they-are": {
        "detrend": True,
        "standardize_confounds": False,
        "confounds": True,
    },
    "confounds-as-they-are-band": {
        **BAND,
        "standardize_confounds": False,
        "confounds": True,
    },
    "confounds-array": {**BAND, "confounds": "array"},
    "confounds-one-column": {**BAND, "confounds": "column"},
    "confounds-constant": {"detrend": True, "confounds": "constant"},
    "sample-mask": {"sample_mask": "indices"},
    "sample-mask-boolean": {"sample_mask": "boolean", "detrend": True},
    "sample-mask-ends": {"sample_mask": "ends", "detrend": True},
    "sample-mask-confounds": {
        "sample_mask": "indices",
        "detrend": True,
        "confounds": True,
    },
    "sample-mask-cosine": {
        "sample_mask": "indices",
        "high_pass": 0.01,
        "clean_args": {"filter": "cosine"},
    },
    "sample-mask-cosine-confounds": {
        "sample_mask": "ends",
        "high_pass": 0.01,
        "detrend": True,
        "clean_args": {"filter": "cosine", "extrapolate": True},
        "confounds": True,
    },
}

BLOCKS = {
    "runs": {"runs": "halves", "detrend": True},
    "runs-labels": {"runs": "labels", "detrend": True},
    "runs-mixed": {"runs": "mixed", "detrend": True},
    "runs-band": {**BAND, "runs": "halves"},
    "runs-band-confounds": {**BAND, "runs": "halves", "confounds": True},
    "runs-three": {"runs": "thirds", "detrend": True, "confounds": True},
}

STANDARDIZE = [True, False, None, "zscore_sample", "psc"]


def _confounds(data, kind):
    """Return confounds in one of the forms that people pass."""
    if kind is True:
        return data.confounds
    array = np.asarray(data.confounds, dtype=float)
    return {
        None: None,
        "array": array,
        "column": array[:, 0],
        "constant": np.hstack([array, np.full((len(array), 1), 7.0)]),
    }[kind]


def _sample_mask(n_scans, kind):
    """Return the scans to keep, some missing in the middle or at the ends."""
    kept = np.setdiff1d(np.arange(n_scans), [11, 12, 13, 40, 41, 55, 70])
    if kind == "ends":
        kept = np.arange(4, n_scans - 3)
    if kind == "boolean":
        return np.isin(np.arange(n_scans), kept)
    return None if kind is None else kept


def _blocks(n_scans, kind):
    """Return one label a scan, for cleaning in blocks."""
    scans = np.arange(n_scans)
    return {
        "halves": scans // (n_scans // 2 + 5),
        "labels": 3 + 2 * (scans // (n_scans // 2)),
        "mixed": scans % 2,
        "thirds": scans * 3 // n_scans,
    }[kind]


def _check(nilearn_r, data, seed, brain, run=None, cleaning=None, **options):
    """Compare the estimator with plain nilearn."""
    cleaning = dict(BAND if cleaning is None else cleaning)
    confounds = _confounds(data, cleaning.pop("confounds", None))
    sample_mask = _sample_mask(data.n_scans, cleaning.pop("sample_mask", None))
    if "runs" in cleaning:
        cleaning["runs"] = _blocks(data.n_scans, cleaning["runs"])
    reference_run = Run(data.img, confounds, sample_mask, t_r=data.t_r)
    cleaning.update({"t_r": data.t_r, **options})
    seed_masker, brain_masker = seed(data, **cleaning), brain(data, **cleaning)
    run = Run(data.img if run is None else run, confounds, sample_mask)
    sbc = SeedCorrelationMap(seed_masker, brain_masker).fit(run)
    expected = nilearn_r(seed_masker, brain_masker, reference_run)
    assert sbc.correlations_.shape == expected.shape
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


@pytest.fixture
def data(request):
    """A small run: of the sample, or simulated."""
    return request.getfixturevalue(request.param)


VOLUMES = ["sample_box", "simulated"]


@pytest.mark.parametrize("seed", VOLUME_SEEDS.values(), ids=VOLUME_SEEDS)
def test_seeds(nilearn_r, simulated, seed):
    """Every kind of seed, with the voxels of the brain."""
    _check(nilearn_r, simulated, seed, voxels())


@pytest.mark.parametrize("brain", VOLUME_BRAINS.values(), ids=VOLUME_BRAINS)
def test_brains(nilearn_r, simulated, brain):
    """Every kind of brain masker, with a sphere as the seed."""
    _check(nilearn_r, simulated, spheres(8), brain)


@pytest.mark.parametrize(
    ("cleaning", "data"), in_turn(CLEANING, VOLUMES), indirect=["data"]
)
def test_cleaning(nilearn_r, data, cleaning):
    """Everything that acts on time, of spheres and smoothed voxels."""
    cleaning = CLEANING[cleaning]
    _check(nilearn_r, data, spheres(8), voxels(smoothing_fwhm=6), cleaning=cleaning)


@pytest.mark.parametrize(
    ("cleaning", "data"), in_turn(BLOCKS, VOLUMES), indirect=["data"]
)
def test_runs_of_a_masker(nilearn_r, data, cleaning):
    """Blocks of scans that a NiftiMasker cleans by themselves."""
    # Here nilearn forgets butterworth__copy, and loops over voxels.
    seed, brain = VOLUME_SEEDS["mask"], VOLUME_BRAINS["small-mask"]
    _check(nilearn_r, data, seed, brain, cleaning=BLOCKS[cleaning])


@pytest.mark.parametrize(
    ("seed", "brain", "cleaning"),
    every_pair(
        ["labels-median", "maps", "mask"],
        ["labels", "voxels-target-affine", "multi-maps"],
        ["confounds-band", "sample-mask-cosine-confounds"],
    ),
)
def test_combinations(nilearn_r, sample_box, seed, brain, cleaning):
    """Kinds of seed and brain and cleaning, each two of which meet."""
    seed, brain = VOLUME_SEEDS[seed], VOLUME_BRAINS[brain]
    _check(nilearn_r, sample_box, seed, brain, cleaning=CLEANING[cleaning])


@pytest.mark.parametrize(
    ("seed", "brain"),
    # Both sides alike, which is one reading, and not.
    [
        *zip(SURFACE_MASKERS, SURFACE_MASKERS, strict=True),
        *zip(SURFACE_MASKERS, [*SURFACE_MASKERS][1:] + ["vertices"], strict=True),
    ],
)
def test_surface_maskers(nilearn_r, surface, seed, brain):
    """Every surface masker, as seeds and as the brain."""
    _check(nilearn_r, surface, SURFACE_MASKERS[seed], SURFACE_MASKERS[brain])


@pytest.mark.parametrize("cleaning", CLEANING.values(), ids=CLEANING)
def test_surface_cleaning(nilearn_r, surface, cleaning):
    """Everything that acts on time, on a surface."""
    if cleaning.get("high_variance_confounds"):
        cleaning = {**cleaning, "high_variance_confounds": False}
    labels, vertices = SURFACE_MASKERS["labels"], SURFACE_MASKERS["vertices-mask"]
    _check(nilearn_r, surface, labels, vertices, cleaning=cleaning)


@pytest.mark.parametrize(
    ("standardize", "cleaning"),
    in_turn(STANDARDIZE * 2, ["none", "band", "confounds-cosine"]),
)
def test_standardize_changes_nothing(nilearn_r, simulated, standardize, cleaning):
    """r does not depend on the scale of signals."""
    cleaning = CLEANING[cleaning]
    seed, brain = spheres(8), voxels(smoothing_fwhm=6)
    options = {"cleaning": cleaning, "standardize": standardize}
    _check(nilearn_r, simulated, seed, brain, **options)


def test_standardize_may_differ_between_maskers(simulated):
    """Bit for bit: what is left out cannot round."""
    cleaning = {**BAND, "t_r": simulated.t_r}
    maps = [
        SeedCorrelationMap(
            spheres(8)(simulated, standardize=seed, **cleaning),
            voxels()(simulated, standardize=brain, **cleaning),
        )
        .fit(simulated.img)
        .correlations_
        for seed, brain in [(None, None), ("psc", "zscore_sample"), (False, True)]
    ]
    np.testing.assert_array_equal(maps[1], maps[0])
    np.testing.assert_array_equal(maps[2], maps[0])


def test_butterworth_voxel_by_voxel(nilearn_r, simulated):
    """nilearn's own default, which loops over voxels."""
    cleaning = {**BAND, "clean_args": {"butterworth__copy": False}}
    _check(nilearn_r, simulated, spheres(8), labels(), cleaning=cleaning)


def _saved(img, path, dtype, slope=None):
    """Write an image in a data type, and return the file and what it holds, float64."""
    data = np.asarray(img.dataobj)
    if slope is not None:
        data = np.rint((data - 500) / slope)
    data = data.astype(dtype)
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    out = nib.Nifti1Image(data, img.affine, header)
    out.set_data_dtype(dtype)
    if slope is not None:
        out.header.set_slope_inter(slope, 500)
    nib.save(out, path)
    return nib.Nifti1Image(nib.load(path).get_fdata(dtype=np.float64), img.affine)


@pytest.mark.parametrize(
    ("dtype", "slope", "name", "smoothing_fwhm"),
    in_turn(
        [
            ("<f8", None),
            ("<f4", None),
            (">f4", None),
            ("<i2", None),
            (">i2", None),
            ("<i2", 0.037),
            (">i2", -0.037),
            ("<u1", 3.9),
            ("<i4", None),
            ("<u2", None),
        ],
        [("bold.nii.gz", 6), ("bold.nii", None), ("bold.nii.gz", None)],
    ),
)
def test_files(nilearn_r, simulated, tmp_path, name, dtype, slope, smoothing_fwhm):
    """A run as a file of any data type; nilearn gets the same numbers in float64."""
    path = tmp_path / name
    held = _saved(simulated.img, path, dtype, slope)
    data = type(simulated)(**{**vars(simulated), "img": held})
    brain = voxels(smoothing_fwhm=smoothing_fwhm)
    cleaning = CLEANING["confounds-band"]
    _check(nilearn_r, data, spheres(8), brain, run=path, cleaning=cleaning)


@pytest.mark.filterwarnings("ignore:When confounds are provided")
@pytest.mark.parametrize(
    ("smoothing_fwhm", "stored", "sample_mask"),
    every_pair([None, 6], [("<f8", None), ("<i2", -0.037)], [None, "indices"]),
)
def test_a_mean_that_cleaning_mixes_in(
    nilearn_r, simulated, tmp_path, stored, smoothing_fwhm, sample_mask
):
    """Confounds with a mean, and neither detrended nor standardized: nilearn warns."""
    dtype, slope = stored
    path = tmp_path / "bold.nii.gz"
    held = _saved(simulated.img, path, dtype, slope)
    confounds = simulated.confounds + [3, -1, 0.5]
    changed = {"img": held, "confounds": confounds}
    data = type(simulated)(**{**vars(simulated), **changed})
    cleaning = {"standardize_confounds": False, "confounds": True}
    cleaning["sample_mask"] = sample_mask
    brain = voxels(smoothing_fwhm=smoothing_fwhm)
    _check(nilearn_r, data, spheres(8), brain, run=path, cleaning=cleaning)


@pytest.mark.parametrize("source", ["file", "proxy", "array"])
def test_ways_to_hold_a_run(nilearn_r, sample_box, tmp_path, source):
    """A path, an image that nibabel has not read, and one in memory."""
    path = save(sample_box.img, tmp_path / "bold.nii.gz")
    run = {
        "file": str(path),
        "proxy": nib.load(path),
        "array": sample_box.img,
    }[source]
    _check(nilearn_r, sample_box, spheres(8), voxels(smoothing_fwhm=6), run=run)


@pytest.mark.parametrize(
    "affine",
    [
        np.diag([-4.0, 4.0, 4.0, 1.0]),
        np.diag([3.0, 3.5, 5.0, 1.0]),
        np.array([[0, 4.0, 0, 0], [0, 0, 4.0, 0], [4.0, 0, 0, 0], [0, 0, 0, 1]]),
        _turned(np.zeros((4, 4)), [3.0, 3.0, 4.0]),
    ],
    ids=["flipped", "anisotropic", "permuted", "oblique"],
)
@pytest.mark.parametrize("smoothing_fwhm", [None, 6.5])
def test_orientations(nilearn_r, simulated, affine, smoothing_fwhm):
    """Spheres and smoothing are in mm, however voxels lie."""
    img = nib.Nifti1Image(np.asarray(simulated.img.dataobj), affine)
    middle = np.array(img.shape[:3]) // 2
    seeds = [tuple(nib.affines.apply_affine(affine, middle) + [0.4, 0.3, 0.2])]
    mask_img = nib.Nifti1Image(np.asarray(simulated.mask_img.dataobj), affine)
    replaced = {"img": img, "mask_img": mask_img, "seeds": seeds}
    data = type(simulated)(**{**vars(simulated), **replaced})
    _check(nilearn_r, data, spheres(9.7), voxels(smoothing_fwhm=smoothing_fwhm))


def test_shared_parameters(nilearn_r, simulated):
    """low_pass, high_pass and t_r of the estimator hold for both maskers."""
    seed, brain = (
        NiftiSpheresMasker(simulated.seeds, 8),
        NiftiMasker(simulated.mask_img),
    )
    shared = {"low_pass": 0.09, "high_pass": 0.02, "t_r": 1.1}
    sbc = SeedCorrelationMap(seed, brain, **shared).fit(simulated.img)
    run = Run(simulated.img)
    expected = nilearn_r(seed.set_params(**shared), brain.set_params(**shared), run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("of_maskers", [None, 0.8])
def test_repetition_time_of_a_run_wins(nilearn_r, simulated, of_maskers):
    """Whatever the maskers say."""
    seed = NiftiSpheresMasker(simulated.seeds, 8, t_r=of_maskers, **BAND)
    brain = NiftiMasker(simulated.mask_img, t_r=of_maskers, **BAND)
    run = Run(simulated.img, t_r=2.9)
    sbc = SeedCorrelationMap(seed, brain).fit(run)
    expected = nilearn_r(seed, brain, run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


def test_maskers_may_clean_differently(nilearn_r, simulated):
    """Seed and voxels each as their own masker says, with a warning."""
    seed = NiftiSpheresMasker(simulated.seeds, 8, t_r=2.0, detrend=True)
    brain = NiftiMasker(simulated.mask_img, t_r=2.0, **BAND)
    run = Run(simulated.img, confounds=simulated.confounds)
    with pytest.warns(UserWarning, match="low_pass"):
        sbc = SeedCorrelationMap(seed, brain).fit(run)
    expected = nilearn_r(seed, brain, run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


def test_no_brain_masker(nilearn_r, simulated):
    """None means all voxels of nilearn's own mask, cleaned as the seeds are."""
    seed = NiftiSpheresMasker(simulated.seeds, 8, t_r=2.0, **BAND)
    run = Run(simulated.img, confounds=simulated.confounds)
    sbc = SeedCorrelationMap(seed).fit(run)
    expected = nilearn_r(seed, NiftiMasker(t_r=2.0, **BAND), run)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=TOLERANCE)


def test_default_mode_network_of_the_sample():
    """The whole sample run: the posterior cingulate goes with the prefrontal cortex."""
    sample = load_sample_run()
    cleaning = {**BAND, "t_r": sample.t_r}
    seed = NiftiSpheresMasker([(0, -52, 18)], radius=8, **cleaning)
    brain = NiftiMasker(sample.mask_img, smoothing_fwhm=6, **cleaning)
    sbc = SeedCorrelationMap(seed, brain)
    img = sbc.inverse_transform(sbc.fit_transform(sample.run))
    r = np.tanh(img.get_fdata()[..., 0])
    to_voxel = np.linalg.inv(img.affine)
    prefrontal, motor = (
        r[tuple(np.rint(nib.affines.apply_affine(to_voxel, place)).astype(int))]
        for place in [(0, 52, -6), (-36, -22, 56)]
    )
    assert prefrontal - motor > 0.3
