"""Our own seed maskers: by themselves, against plain nilearn, and in pipelines."""

import pickle
import re
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.image import new_img_like, smooth_img
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)
from nilearn.signal import clean
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from scipy.sparse.csgraph import floyd_warshall
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds

TOLERANCE = 1e-10
R_TOLERANCE = 2e-6
BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}
COPY = {"clean_args": {"butterworth__copy": True}}
NAMES = {1: "back", 2: "middle", 3: "front", 4: "top"}


def words(*parts):
    """Return a pattern for `match` that wants all these parts, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(str(part))})" for part in parts)


def nilearn_signals(masker, run, confounds=None, sample_mask=None):
    """Return what a nilearn masker makes of a run, not standardized."""
    masker = clone(masker).set_params(standardize=None)
    masker.fit(run)
    return masker.transform(run, confounds=confounds, sample_mask=sample_mask)


# Surfaces


def sheet(n, shift):
    """Return a bent sheet of `n` x `n` vertices, 3 mm apart and not quite even."""
    i, j = np.indices((n, n)).reshape(2, -1)
    rng = np.random.default_rng(n)
    places = np.stack([3.0 * i + shift, 3.0 * j, 4 * np.sin(i / 2)], axis=1)
    corner = (i < n - 1) & (j < n - 1)
    a = np.flatnonzero(corner)
    faces = [np.stack([a, a + 1, a + n], 1), np.stack([a + 1, a + n + 1, a + n], 1)]
    return InMemoryMesh(
        places + 0.4 * rng.standard_normal(places.shape), np.concatenate(faces)
    )


@pytest.fixture(scope="module")
def cortex():
    """A run on two sheets of 81 and 100 vertices, with an atlas and confounds."""
    rng = np.random.default_rng(3)
    mesh = PolyMesh(left=sheet(9, -60), right=sheet(10, 20))
    common = rng.standard_normal(80).cumsum()

    def image(make):
        parts = {name: make(part.n_vertices) for name, part in mesh.parts.items()}
        return SurfaceImage(mesh, parts)

    img = image(lambda n: 50 + rng.random((n, 1)) * common + rng.normal(size=(n, 80)))
    return SimpleNamespace(
        mesh=mesh,
        img=img,
        labels_img=image(lambda n: np.arange(n) // 20),
        mask_img=image(lambda n: np.arange(n) % 3 > 0),
        confounds=rng.standard_normal((80, 2)),
        t_r=1.5,
        run=Run(img, t_r=1.5),
    )


def disc_by_looking(mesh, vertex, radius):
    """Return the vertices of a disc, from the shortest paths between all."""
    lengths = np.zeros((mesh.n_vertices, mesh.n_vertices))
    for face in mesh.faces:
        for a, b in zip(face, np.roll(face, 1), strict=True):
            length = np.linalg.norm(mesh.coordinates[a] - mesh.coordinates[b])
            lengths[a, b] = lengths[b, a] = length
    return np.flatnonzero(floyd_warshall(lengths)[vertex] <= radius)


# Spheres


@pytest.mark.parametrize(
    ("radius", "options"),
    [
        (8.0, {}),
        (None, {}),
        (9, {"mask_img": True}),
        (6, {"smoothing_fwhm": 6.0}),
        (6, {"mask_img": True, "smoothing_fwhm": 6.0}),
        (30, {"allow_overlap": True}),
        (6, {**BAND, "t_r": 1.5, **COPY}),
    ],
)
def test_spheres_are_those_of_nilearn(sample_box, radius, options):
    if "mask_img" in options:
        options = {**options, "mask_img": sample_box.mask_img}
    ours = SphereSeeds(sample_box.seeds, radius, **options)
    theirs = NiftiSpheresMasker(sample_box.seeds, radius=radius, **options)
    confounds = np.asarray(sample_box.confounds)[:, :3] if "t_r" in options else None
    found = ours.fit_transform(sample_box.img, confounds=confounds)
    expected = nilearn_signals(theirs, sample_box.img, confounds)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-9)


def test_each_sphere_has_its_own_radius(sample_box):
    radii = [6.0, 12, None]
    seeds = SphereSeeds(sample_box.seeds, radii)
    found = seeds.fit_transform(sample_box.img)
    for i, (seed, radius) in enumerate(zip(sample_box.seeds, radii, strict=True)):
        alone = NiftiSpheresMasker([seed], radius=radius)
        expected = nilearn_signals(alone, sample_box.img)[:, 0]
        np.testing.assert_allclose(found[:, i], expected, rtol=TOLERANCE)


def test_small_spheres_hold_their_seed(sample_box):
    seeds = SphereSeeds(sample_box.seeds, [1.0, 0, np.float64(0.5)])
    found = seeds.fit_transform(sample_box.img)
    voxels = SphereSeeds(sample_box.seeds, None).fit_transform(sample_box.img)
    np.testing.assert_array_equal(found, voxels)


def test_spheres_of_whole_numbers_are_averaged_in_float64(sample_box):
    img = sample_box.img
    whole = nib.Nifti1Image(np.rint(img.get_fdata() / 50).astype(np.int16), img.affine)
    floats = nib.Nifti1Image(whole.get_fdata(), img.affine)
    seeds = SphereSeeds(sample_box.seeds, 8.0)
    expected = nilearn_signals(NiftiSpheresMasker(sample_box.seeds, radius=8.0), floats)
    np.testing.assert_allclose(seeds.fit_transform(whole), expected, rtol=TOLERANCE)


def test_spheres_from_files(sample_box, save_copy, tmp_path):
    paths = tmp_path / "bold.nii.gz", tmp_path / "mask.nii.gz"
    save_copy(sample_box.img, paths[0])
    save_copy(sample_box.mask_img, paths[1])
    seeds = SphereSeeds(sample_box.seeds, 8.0, mask_img=str(paths[1]))
    expected = clone(seeds).set_params(mask_img=sample_box.mask_img)
    expected = expected.fit_transform(sample_box.img)
    np.testing.assert_allclose(seeds.fit_transform(paths[0]), expected)


def test_high_variance_confounds(sample_box):
    options = {"high_variance_confounds": True, "detrend": True}
    ours = SphereSeeds(sample_box.seeds, 8.0, **options)
    theirs = NiftiSpheresMasker(sample_box.seeds, radius=8.0, **options)
    confounds = np.asarray(sample_box.confounds)[:, :2]
    for given in (None, confounds, [confounds[:, :1], confounds[:, 1:]]):
        found = ours.fit_transform(sample_box.img, confounds=given)
        expected = nilearn_signals(theirs, sample_box.img, given)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("boolean", [False, True])
def test_sample_mask(sample_box, boolean):
    kept = np.arange(10, 190)
    seeds = SphereSeeds(sample_box.seeds, 8.0, detrend=True)
    theirs = NiftiSpheresMasker(sample_box.seeds, radius=8.0, detrend=True)
    expected = nilearn_signals(theirs, sample_box.img, sample_mask=kept)
    mask = np.isin(np.arange(200), kept) if boolean else kept
    found = seeds.fit_transform(sample_box.img, sample_mask=mask)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


def test_standardize(sample_box):
    seeds = SphereSeeds(sample_box.seeds, 8.0, standardize="zscore_sample")
    signals = seeds.fit_transform(sample_box.img)
    np.testing.assert_allclose(signals.std(axis=0, ddof=1), 1)


# Regions of a volume


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mask_img": True},
        {"smoothing_fwhm": 6.0},
        {"mask_img": True, "smoothing_fwhm": 6.0},
        {"background_label": 2},
        {**BAND, "t_r": 1.5, **COPY},
    ],
)
def test_all_regions_are_those_of_nilearn(sample_box, options):
    if "mask_img" in options:
        options = {**options, "mask_img": sample_box.mask_img}
    ours = RegionSeeds(sample_box.labels_img, **options)
    theirs = NiftiLabelsMasker(sample_box.labels_img, **options)
    found = ours.fit_transform(sample_box.img)
    expected = nilearn_signals(theirs, sample_box.img)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=1e-9)


@pytest.mark.parametrize(
    ("regions", "labels"),
    [
        (["front", "back"], [3, 1]),
        ([4, "middle", np.int64(1)], [4, 2, 1]),
        ("middle", [2]),
        (3, [3]),
        (None, [1, 2, 3, 4]),
        (np.array(["top"]), [4]),
    ],
)
def test_only_chosen_regions_become_seeds(sample_box, regions, labels):
    seeds = RegionSeeds(sample_box.labels_img, regions, lut=NAMES)
    found = seeds.fit_transform(sample_box.img)
    everything = nilearn_signals(
        NiftiLabelsMasker(sample_box.labels_img), sample_box.img
    )
    expected = everything[:, np.array(labels) - 1]
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
    assert seeds.labels_ == labels
    assert seeds.seed_names_ == [NAMES[label] for label in labels]


LUT = pd.DataFrame({"index": [0, *NAMES], "name": ["Background", *NAMES.values()]})
LUTS = {
    "table": LUT,
    "without-background": LUT[1:],
    "of-more-labels": pd.concat([LUT, LUT[1:].assign(index=lambda t: t["index"] + 9)]),
    "floats": LUT.astype({"index": float}),
    "dict": NAMES,
    "list": list(NAMES.values()),
    "list-with-background": ["Background", *NAMES.values()],
    "list-in-lower-case": ["background", *NAMES.values()],
    "tuple": tuple(NAMES.values()),
    "series": LUT["name"],
    "bytes": [name.encode() for name in NAMES.values()],
}


@pytest.mark.parametrize("name", LUTS)
def test_names_as_atlases_have_them(sample_box, name):
    seeds = RegionSeeds(sample_box.labels_img, [3, 1], lut=LUTS[name]).fit()
    assert seeds.seed_names_ == ["front", "back"]
    if name != "of-more-labels":
        assert clone(seeds).set_params(regions="top").fit().labels_ == [4]


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_names_from_a_file(sample_box, tmp_path, suffix):
    path = tmp_path / f"atlas_dseg{suffix}"
    LUT.to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
    seeds = RegionSeeds(sample_box.labels_img, ["top", "back"], lut=path).fit()
    assert seeds.labels_ == [4, 1]


def test_labels_without_names(sample_box):
    seeds = RegionSeeds(sample_box.labels_img, [2, 4], lut={4: "top"}).fit()
    assert seeds.seed_names_ == ["2", "top"]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, ">i2"])
def test_a_mask_image_is_one_region(sample_box, dtype):
    mask = np.asarray(sample_box.labels_img.dataobj) == 2
    mask_img = new_img_like(sample_box.mask_img, mask.astype("u1"))
    expected = sample_box.img.get_fdata()[mask].mean(axis=0)
    img = SimpleNamespace(dataobj=mask.astype(dtype), affine=mask_img.affine)
    for labels_img in (mask_img, img):
        found = RegionSeeds(labels_img, lut=["PCC"]).fit_transform(sample_box.img)
        np.testing.assert_allclose(found[:, 0], expected, rtol=TOLERANCE)


@pytest.mark.filterwarnings("ignore:Resampling labels")
def test_atlas_of_another_grid(sample_box):
    affine = sample_box.labels_img.affine.copy()
    affine[:3, :3] *= 0.7
    affine[:3, 3] += 1.3
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (15, 13, 11)).repeat(1, axis=0).astype(np.int16)
    atlas = nib.Nifti1Image(labels, affine)
    found = RegionSeeds(atlas, [3, 1]).fit_transform(sample_box.img)
    theirs = NiftiLabelsMasker(atlas)
    expected = nilearn_signals(theirs, sample_box.img)[:, [2, 0]]
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.filterwarnings("ignore:After applying mask")
def test_atlas_and_mask_of_other_grids(sample_box):
    options = {"mask_img": sample_box.coarse_mask_img}
    seeds = RegionSeeds(sample_box.labels_img, **options)
    with pytest.warns(UserWarning, match="2 of 4 regions"):
        found = seeds.fit_transform(sample_box.img)
    theirs = NiftiLabelsMasker(sample_box.labels_img, **options)
    expected = nilearn_signals(theirs, sample_box.img)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


def test_atlas_with_a_fourth_axis_of_one(sample_box):
    data = np.asarray(sample_box.labels_img.dataobj)[..., np.newaxis]
    atlas = nib.Nifti1Image(data, sample_box.labels_img.affine)
    found = RegionSeeds(atlas).fit_transform(sample_box.img)
    expected = RegionSeeds(sample_box.labels_img).fit_transform(sample_box.img)
    np.testing.assert_array_equal(found, expected)


def lost_region(sample_box):
    """Return a mask that region 3 lies outside of."""
    labels = np.asarray(sample_box.labels_img.dataobj)
    return nib.Nifti1Image((labels != 3).astype("u1"), sample_box.labels_img.affine)


def test_lost_regions_are_left_out_of_all(sample_box):
    seeds = RegionSeeds(sample_box.labels_img, mask_img=lost_region(sample_box))
    with pytest.warns(UserWarning, match=words("RegionSeeds", "1 of 4", "labels 3")):
        seeds.fit(sample_box.img)
    assert seeds.labels_ == [1, 2, 4]
    assert seeds.transform(sample_box.img).shape == (200, 3)


# Regions of a surface


def test_surface_regions_are_those_of_nilearn(cortex):
    for options in ({}, {"mask_img": cortex.mask_img}, {"background_label": 2}):
        found = RegionSeeds(cortex.labels_img, **options).fit_transform(cortex.img)
        theirs = SurfaceLabelsMasker(cortex.labels_img, **options)
        expected = nilearn_signals(theirs, cortex.img)
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.parametrize(
    ("hemisphere", "names"),
    [
        ("left", ["left front", "left back"]),
        (None, ["front", "back"]),
        (["right", None], ["right front", "back"]),
    ],
)
def test_hemispheres_of_an_atlas(cortex, hemisphere, names):
    seeds = RegionSeeds(
        cortex.labels_img, ["front", "back"], lut=NAMES, hemisphere=hemisphere
    )
    found = seeds.fit_transform(cortex.img)
    sides = hemisphere if isinstance(hemisphere, list) else [hemisphere] * 2
    for column, label, side in zip(found.T, (3, 1), sides, strict=True):
        chosen = [
            part[cortex.labels_img.data.parts[name] == label]
            for name, part in cortex.img.data.parts.items()
            if side in (name, None)
        ]
        expected = np.concatenate(chosen).mean(axis=0)
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == names


def test_one_label_of_both_hemispheres_as_two_seeds(cortex):
    seeds = RegionSeeds(cortex.labels_img, [2, 2], hemisphere=["left", "right"])
    assert seeds.fit(cortex.img).seed_names_ == ["left 2", "right 2"]


def test_all_regions_of_a_hemisphere(cortex):
    # The last label is in the right one alone.
    for side, labels in (("left", [1, 2, 3, 4]), ("right", [1, 2, 3, 4])):
        seeds = RegionSeeds(cortex.labels_img, hemisphere=side).fit(cortex.img)
        assert seeds.labels_ == labels
    parts = {**cortex.labels_img.data.parts, "left": np.zeros(81, int)}
    atlas = SurfaceImage(cortex.mesh, parts)
    with pytest.raises(ValueError, match="0 in the left hemisphere"):
        RegionSeeds(atlas, hemisphere="left").fit(cortex.img)


def test_atlas_on_another_mesh_of_the_same_vertices(cortex):
    parts = {
        name: InMemoryMesh(2 * part.coordinates, part.faces)
        for name, part in cortex.mesh.parts.items()
    }
    atlas = SurfaceImage(PolyMesh(**parts), cortex.labels_img.data.parts)
    found = RegionSeeds(atlas, [1]).fit_transform(cortex.img)
    expected = RegionSeeds(cortex.labels_img, [1]).fit_transform(cortex.img)
    np.testing.assert_array_equal(found, expected)


# Discs on a surface


@pytest.mark.parametrize("radius", [None, 0, 2.0, 7.0, [12, None]])
def test_discs_around_vertices(cortex, radius):
    seeds = SurfaceSeeds([40, 7], radius, hemisphere=["left", "right"])
    found = seeds.fit_transform(cortex.img)
    radii = radius if isinstance(radius, list) else [radius] * 2
    for column, (side, vertex), own in zip(
        found.T, [("left", 40), ("right", 7)], radii, strict=True
    ):
        disc = disc_by_looking(cortex.mesh.parts[side], vertex, own or 0)
        expected = cortex.img.data.parts[side][disc].mean(axis=0)
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == ["left 40", "right 7"]


@pytest.mark.parametrize("hemisphere", [None, ["right", "left"]])
def test_discs_around_coordinates(cortex, hemisphere):
    vertices = [("right", 55), ("left", 3)]
    points = [cortex.mesh.parts[side].coordinates[v] + 0.2 for side, v in vertices]
    found = SurfaceSeeds(points, 6.0, hemisphere=hemisphere).fit_transform(cortex.img)
    sides, numbers = zip(*vertices, strict=True)
    by_number = SurfaceSeeds(numbers, 6.0, hemisphere=list(sides))
    np.testing.assert_array_equal(found, by_number.fit_transform(cortex.img))


def test_vertices_and_coordinates_together(cortex):
    point = cortex.mesh.parts["left"].coordinates[12].tolist()
    seeds = SurfaceSeeds([np.int32(70), point], 3.0, hemisphere="left")
    assert seeds.fit_transform(cortex.img).shape == (80, 2)
    assert seeds.seed_names_[0] == "left 70"


def test_coordinates_on_another_mesh_than_the_run(cortex):
    blown_up = PolyMesh(
        **{
            name: InMemoryMesh(5 * part.coordinates, part.faces)
            for name, part in cortex.mesh.parts.items()
        }
    )
    run = SurfaceImage(blown_up, cortex.img.data.parts)
    point = cortex.mesh.parts["right"].coordinates[31]
    on_own = SurfaceSeeds([point], 6.0).fit_transform(cortex.img)
    on_other = SurfaceSeeds([point], 6.0, mesh=cortex.mesh).fit_transform(run)
    np.testing.assert_array_equal(on_own, on_other)
    with pytest.raises(ValueError, match="mm from the nearest vertex"):
        SurfaceSeeds([point], 6.0).fit_transform(run)


def test_a_surface_of_one_part(cortex):
    mesh = PolyMesh(right=cortex.mesh.parts["right"])
    run = SurfaceImage(mesh, {"right": cortex.img.data.parts["right"]})
    seeds = SurfaceSeeds([7], 6.0)
    expected = SurfaceSeeds([7], 6.0, hemisphere="right").fit_transform(cortex.img)
    np.testing.assert_array_equal(seeds.fit_transform(run), expected)
    assert seeds.seed_names_ == ["vertex 7"]


# Given signals


@pytest.fixture(scope="module")
def physiology():
    """Two signals of 200 scans with names."""
    rng = np.random.default_rng(5)
    columns = ["heart rate", "breath", "pupil"]
    return pd.DataFrame(rng.standard_normal((200, 3)).cumsum(axis=0), columns=columns)


@pytest.mark.parametrize(
    ("columns", "places"),
    [
        (None, [0, 1, 2]),
        ("breath", [1]),
        (["pupil", "heart rate"], [2, 0]),
        (1, [1]),
        ([2, "breath"], [2, 1]),
        (np.array([0, 2]), [0, 2]),
    ],
)
def test_columns_of_given_signals(physiology, columns, places):
    seeds = GivenSignals(columns)
    expected = physiology.to_numpy()[:, places]
    np.testing.assert_array_equal(seeds.fit_transform(physiology), expected)
    assert seeds.seed_names_ == [physiology.columns[place] for place in places]


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".txt"])
def test_given_signals_from_a_file(physiology, tmp_path, suffix, header):
    path = tmp_path / f"physio{suffix}"
    separator = {".tsv": "\t", ".csv": ",", ".txt": " "}[suffix]
    table = physiology.set_axis(["heart", "breath", "pupil"], axis=1)
    table.to_csv(path, sep=separator, index=False, header=header)
    seeds = GivenSignals("breath" if header else 1)
    found = seeds.fit_transform(path)
    np.testing.assert_allclose(found[:, 0], physiology["breath"], rtol=1e-12)
    assert seeds.seed_names_ == ["breath" if header else "signal1"]


def test_given_signals_in_other_shapes(physiology):
    array = physiology.to_numpy()
    for signals in (array, array.tolist(), array.astype(np.float32)):
        seeds = GivenSignals().fit(signals)
        np.testing.assert_allclose(seeds.transform(signals), array, rtol=1e-5)
        assert seeds.seed_names_ == ["signal0", "signal1", "signal2"]
    for one in (array[:, 1], physiology["breath"], array[:, 1].tolist()):
        np.testing.assert_allclose(GivenSignals().fit_transform(one)[:, 0], array[:, 1])


def test_given_signals_are_cleaned_as_nilearn_does(physiology):
    options = {**BAND, "t_r": 2.0, **COPY}
    confounds = np.random.default_rng(6).standard_normal((200, 2))
    seeds = GivenSignals(["breath"], **options)
    found = seeds.fit_transform(physiology, confounds=confounds)
    expected = clean(
        physiology[["breath"]].to_numpy(),
        standardize=None,
        confounds=confounds,
        low_pass=0.1,
        high_pass=0.01,
        t_r=2.0,
        butterworth__copy=True,
    )
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


def test_censored_values_of_given_signals_need_not_be_finite(physiology):
    signals = physiology.copy()
    signals.iloc[[3, 90], 1] = np.nan
    kept = np.delete(np.arange(200), [3, 90])
    seeds = GivenSignals("breath", detrend=True)
    found = seeds.fit_transform(signals, sample_mask=kept)
    expected = seeds.fit_transform(physiology, sample_mask=kept)
    np.testing.assert_array_equal(found, expected)
    raw = seeds.read(signals, 200, kept)
    np.testing.assert_array_equal(raw[kept, 0], physiology["breath"].to_numpy()[kept])
    assert np.isfinite(raw).all()
    assert np.isnan(signals.iloc[3, 1])


def test_names_of_given_signals_before_any_run():
    seeds = GivenSignals(["breath", "pupil"]).fit()
    assert seeds.get_feature_names_out().tolist() == ["breath", "pupil"]
    for columns in (None, [0]):
        with pytest.raises(ValueError, match="are known from signals alone"):
            GivenSignals(columns).fit()


def test_given_signals_back_to_a_table(physiology):
    seeds = GivenSignals(["pupil", "breath"]).fit(physiology)
    table = seeds.inverse_transform(seeds.transform(physiology))
    pd.testing.assert_frame_equal(table, physiology[["pupil", "breath"]])
    assert seeds.inverse_transform([1, 2]).to_dict("list") == {
        "pupil": [1],
        "breath": [2],
    }


@pytest.mark.parametrize("shape", [(2, 3), (1,), (1, 2, 2), ()])
def test_given_signals_back_from_a_wrong_width(physiology, shape):
    seeds = GivenSignals(["pupil", "breath"]).fit(physiology)
    expected = words("GivenSignals", "a column for each of 2 seeds", shape, "transform")
    with pytest.raises(ValueError, match=expected):
        seeds.inverse_transform(np.zeros(shape))


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_given_signals_are_no_brain(sample_box, physiology, method):
    run = Run(sample_box.img, seed_signals=physiology)
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds), GivenSignals())
    expected = words("brain_masker must give", "got GivenSignals", "as seed_masker")
    with pytest.raises(TypeError, match=expected):
        getattr(sbc, method)(run)


SIGNAL_ERRORS = {
    "name": (GivenSignals("breaht"), 0, ("no column 'breaht'", "mean 'breath'")),
    "position": (GivenSignals(3), 0, ("numbered from 0 to 2", "got 3")),
    "kind": (GivenSignals(1.5), 0, ("a name or a position", "1.5")),
    "none": (GivenSignals([]), 0, ("columns must hold at least one",)),
    "cube": (GivenSignals(), np.zeros((4, 3, 2)), ("ndarray of shape (4, 3, 2)",)),
    "words": (GivenSignals(), [["a"], ["b"]], ("must be numbers",)),
    "column-of-words": (
        GivenSignals(),
        pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}),
        ("must be numbers", "Choose other columns"),
    ),
    "nan": (
        GivenSignals(),
        pd.DataFrame({"a": [1.0, 2, 3], "b": [1.0, np.nan, np.inf]}),
        ("must be finite", "column 'b'", "scans [1, 2]", "sample_mask"),
    ),
    "file": (GivenSignals(), "absent.tsv", ("signals: there is no file",)),
}


@pytest.mark.parametrize("name", SIGNAL_ERRORS)
def test_errors_of_given_signals(physiology, name):
    seeds, signals, parts = SIGNAL_ERRORS[name]
    signals = physiology if isinstance(signals, int) else signals
    with pytest.raises((TypeError, ValueError, OSError), match=words(*parts)):
        seeds.fit_transform(signals)


def test_lengths_of_given_signals(physiology):
    seeds = GivenSignals().fit(physiology)
    with pytest.raises(
        ValueError, match=words("run 3", "one row per scan, 190", "200")
    ):
        seeds.read(physiology, 190, where="run 3")
    with pytest.raises(ValueError, match=words("are 2 signals", "in fit there were 3")):
        seeds.transform(physiology.iloc[:, :2])
    assert seeds.read(physiology, 200).shape == (200, 3)


def test_confounds_of_given_signals_are_checked(physiology):
    with pytest.raises(ValueError, match=words("GivenSignals", "one row per scan")):
        GivenSignals().fit_transform(physiology, confounds=np.zeros((150, 1)))


# All of them: in a pipeline, changed, cloned and pickled


def case(make, changes, brain, run, names):
    """Return what the tests of all kinds need of one."""
    return SimpleNamespace(
        make=make, changes=changes, brain=brain, run=run, names=names
    )


def of_label_2(data):
    """Return the second region as a mask image."""
    mask = np.asarray(data.labels_img.dataobj) == 2
    return nib.Nifti1Image(mask.astype("u1"), data.labels_img.affine)


KINDS = {
    "spheres": lambda data, _: case(
        SphereSeeds(data.seeds[:2], [8.0, 6.0]),
        {"radius": [6.0, 12.0], "smoothing_fwhm": 5.0},
        NiftiMasker(data.mask_img, smoothing_fwhm=6.0),
        data,
        ["(0, -52, 18)", "(21.4, -63.2, 12.9)"],
    ),
    "regions": lambda data, _: case(
        RegionSeeds(data.labels_img, ["front", "back"], lut=NAMES),
        {"regions": ["top", 2], "smoothing_fwhm": 5.0},
        NiftiMasker(data.mask_img, smoothing_fwhm=6.0),
        data,
        ["front", "back"],
    ),
    "mask-image": lambda data, _: case(
        RegionSeeds(of_label_2(data), lut=["PCC"]),
        {"smoothing_fwhm": 4.0},
        NiftiMasker(data.mask_img),
        data,
        ["PCC"],
    ),
    "surface-regions": lambda _, cortex: case(
        RegionSeeds(cortex.labels_img, ["front", "back"], lut=NAMES, hemisphere="left"),
        {"regions": ["top"], "hemisphere": "right"},
        SurfaceMasker(cortex.mask_img),
        cortex,
        ["left front", "left back"],
    ),
    "discs": lambda _, cortex: case(
        SurfaceSeeds([22, 77], 7.0, hemisphere="right"),
        {"radius": [3.0, None], "seeds": [3, 22]},
        SurfaceMasker(cortex.mask_img),
        cortex,
        ["right 22", "right 77"],
    ),
}


@pytest.fixture(params=KINDS)
def kind(request, sample_box, cortex):
    """Return one kind of seed masker, and a run and brain masker for it."""
    return KINDS[request.param](sample_box, cortex)


def own_r(seeds, brain, run, confounds):
    """Return np.corrcoef of what both maskers make of a run by themselves."""
    clean_args = {"t_r": run.t_r, **COPY}
    seeds = clone(seeds).set_params(**clean_args)
    brain = clone(brain).set_params(standardize=None, **clean_args)
    signals = seeds.fit_transform(run.img, confounds=confounds)
    voxels = brain.fit().transform(run.img, confounds=confounds)
    n_seeds = signals.shape[1]
    return np.corrcoef(signals, voxels, rowvar=False)[:n_seeds, n_seeds:]


# nilearn 0.14.1 lets in those with a censored scan as far from the other end.
CENSORED = [0, 20, 21, -21]
CLEANINGS = {
    "filter": BAND,
    "cosine": {"high_pass": 0.01, "clean_args": {"filter": "cosine"}},
    "trend": {"detrend": True, "standardize": "psc"},
}


def with_a_jump(values, jump):
    """Return numbers whose last axis is scans with a jump in the censored ones."""
    values = np.array(values, dtype=np.float64)
    values[..., CENSORED] += jump
    return values


@pytest.mark.parametrize("jump", [500.0, np.nan])
@pytest.mark.parametrize("cleaning", CLEANINGS)
def test_censored_scans_have_no_say(kind, cleaning, jump):
    img = kind.run.img
    options = {**CLEANINGS[cleaning], "t_r": kind.run.t_r}
    if hasattr(img, "mesh"):
        parts = {name: with_a_jump(x, jump) for name, x in img.data.parts.items()}
        other = SurfaceImage(img.mesh, parts)
    else:
        options["high_variance_confounds"] = True
        other = nib.Nifti1Image(with_a_jump(img.get_fdata(), jump), img.affine)
    masker = clone(kind.make).set_params(**options).fit(img)
    confounds = np.asarray(kind.run.confounds)[:, :2]
    kept = np.delete(np.arange(img.shape[-1]), CENSORED)
    found = masker.transform(other, with_a_jump(confounds.T, jump).T, kept)
    expected = masker.transform(img, confounds, kept)
    assert found.shape == (len(kept), len(kind.names))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("jump", [500.0, np.nan])
@pytest.mark.parametrize("cleaning", CLEANINGS)
def test_censored_values_of_given_signals_have_no_say(physiology, cleaning, jump):
    masker = GivenSignals(t_r=2.0, **CLEANINGS[cleaning]).fit(physiology)
    kept = np.delete(np.arange(200), CENSORED)
    found = masker.transform(with_a_jump(physiology.T, jump).T, sample_mask=kept)
    expected = masker.transform(physiology, sample_mask=kept)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("cleaning", CLEANINGS)
def test_signals_are_those_of_a_map_but_for_their_scale(kind, cleaning):
    options = {**CLEANINGS[cleaning], "t_r": kind.run.t_r}
    seeds = clone(kind.make).set_params(**options)
    kept = np.delete(np.arange(kind.run.img.shape[-1]), CENSORED)
    run = Run(kind.run.img, np.asarray(kind.run.confounds)[:, :2], sample_mask=kept)
    signals = seeds.fit(run.img).transform(run.img, run.confounds, kept)
    signals = (signals - signals.mean(axis=0)) / signals.std(axis=0, ddof=1)
    expected = SeedCorrelationMap(seeds, clone(seeds)).fit(run).seed_signals(run)
    np.testing.assert_allclose(signals, expected, atol=1e-6)


def test_in_a_pipeline(kind):
    confounds = np.asarray(kind.run.confounds)[:, :2]
    run = Run(kind.run.img, confounds, t_r=kind.run.t_r)
    brain = clone(kind.brain).set_params(**BAND)
    pipeline = Pipeline([("map", SeedCorrelationMap(kind.make, brain, **BAND_OF_BOTH))])
    pipeline.set_params(map__seed_masker__detrend=True)
    pipeline.fit([run])
    sbc = pipeline["map"]
    expected = own_r(sbc.seed_masker_, sbc.brain_masker_, kind.run, confounds)
    np.testing.assert_allclose(sbc.correlations_, expected, rtol=0, atol=R_TOLERANCE)
    assert sbc.seed_names_ == kind.names
    is_surface = hasattr(kind.run.img, "mesh")
    path = "compiled: the run is on a surface" if is_surface else "streamed"
    assert sbc.paths_["seed_masker"] == path


BAND_OF_BOTH = {"low_pass": 0.1, "high_pass": 0.01}


def test_parameters_are_set_from_outside(kind):
    brain = clone(kind.brain).set_params(detrend=True)
    seeds = clone(kind.make).set_params(detrend=True)
    pipeline = Pipeline([("map", SeedCorrelationMap(seeds, brain))])
    before = pipeline.fit_transform([kind.run.run])
    changes = {f"map__seed_masker__{k}": v for k, v in kind.changes.items()}
    after = pipeline.set_params(**changes).fit_transform([kind.run.run])
    assert after.shape != before.shape or np.abs(after - before).max() > 1e-3
    changed = clone(seeds).set_params(**kind.changes)
    expected = own_r(changed, brain, kind.run, None)
    r = pipeline["map"].correlations_
    np.testing.assert_allclose(r, expected, rtol=0, atol=R_TOLERANCE)
    # What the user passed is as it was.
    assert seeds.get_params().keys() == kind.make.get_params().keys()
    assert not hasattr(seeds, "seed_names_")


def test_cloned_and_pickled(kind):
    img = kind.run.img
    masker = clone(kind.make).set_params(detrend=True)
    signals = masker.fit_transform(img)
    for copied in (
        clone(masker).fit(img),
        pickle.loads(pickle.dumps(masker)),
        pickle.loads(pickle.dumps(clone(masker))).fit(img),
    ):
        np.testing.assert_array_equal(copied.transform(img), signals)
    sbc = SeedCorrelationMap(masker, clone(kind.brain).set_params(detrend=True))
    z = sbc.fit_transform([kind.run.run])
    for copied in (clone(sbc).fit(kind.run.run), pickle.loads(pickle.dumps(sbc))):
        np.testing.assert_array_equal(copied.transform([kind.run.run]), z)


def test_init_stores_and_nothing_else(kind):
    names = set(kind.make.get_params())
    assert set(vars(kind.make)) == names
    for name in names:
        assert getattr(kind.make, name) is kind.make.get_params(deep=False)[name]
    with pytest.raises(NotFittedError):
        kind.make.transform(kind.run.img)


def test_parameters_are_left_alone(kind):
    masker = clone(kind.make)
    before = {name: id(value) for name, value in masker.get_params().items()}
    text = pickle.dumps(masker.get_params())
    masker.fit(kind.run.img).transform(kind.run.img)
    assert {name: id(v) for name, v in masker.get_params().items()} == before
    assert pickle.dumps(masker.get_params()) == text


def test_names_and_pandas(kind):
    masker = clone(kind.make).set_output(transform="pandas")
    table = masker.fit_transform(kind.run.img)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == kind.names
    assert masker.get_feature_names_out().tolist() == kind.names


def test_as_brain_masker(kind):
    seeds = clone(kind.make).set_params(detrend=True)
    sbc = SeedCorrelationMap(seeds, clone(seeds)).fit(kind.run.run)
    expected = np.corrcoef(seeds.fit_transform(kind.run.img), rowvar=False)
    np.testing.assert_allclose(sbc.correlations_, np.atleast_2d(expected), atol=1e-6)
    assert sbc.inverse_transform(sbc.transform([kind.run.run])).shape[-1] == len(
        kind.names
    )


def test_default_brain_is_of_the_seeds_kind(kind):
    seeds = clone(kind.make).set_params(detrend=True)
    sbc = SeedCorrelationMap(seeds)
    if hasattr(kind.run.img, "mesh"):
        assert isinstance(sbc.fit(kind.run.run).brain_masker_, SurfaceMasker)
        assert sbc.n_voxels_ == 181
    else:
        assert isinstance(sbc.fit(kind.run.run).brain_masker_, NiftiMasker)


def test_search_over_radii(sample_box):
    runs = [
        Run(sample_box.img.slicer[..., a : a + 50], t_r=1.5) for a in (0, 50, 100, 150)
    ]
    seeds = SphereSeeds(sample_box.seeds[:2], detrend=True)
    brain = NiftiMasker(sample_box.mask_img, detrend=True)
    pipeline = Pipeline([("map", SeedCorrelationMap(seeds, brain)), ("fit", Ridge())])
    grid = {"map__seed_masker__radius": [6.0, [4.0, 9.0]]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(runs, [0.0, 1, 2, 3])
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_runs_of_different_grids(sample_box):
    other = sample_box.img.slicer[1:, :, 1:]
    seeds = RegionSeeds(sample_box.labels_img, [2, 3], detrend=True)
    brain = SphereSeeds(sample_box.seeds, 8.0, detrend=True)
    sbc = SeedCorrelationMap(seeds, brain).fit([sample_box.img, other])
    expected = [
        np.corrcoef(seeds.fit_transform(img), brain.fit_transform(img), rowvar=False)[
            :2, 2:
        ]
        for img in (sample_box.img, other)
    ]
    expected = np.tanh(np.mean(np.arctanh(expected), axis=0))
    np.testing.assert_allclose(sbc.correlations_, expected, atol=R_TOLERANCE)


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


def test_shared_voxels_have_the_mean(sample_box):
    seeds = [sample_box.seeds[0], np.add(sample_box.seeds[0], [5, 0, 0])]
    seeds = SphereSeeds(seeds, 6.0, allow_overlap=True).fit(sample_box.img)
    values = seeds.inverse_transform([2.0, 4.0]).get_fdata()
    assert set(np.unique(values)) == {0, 2, 3, 4}


def test_regions_back_to_an_image(sample_box):
    seeds = RegionSeeds(sample_box.labels_img, [3, 1]).fit(sample_box.img)
    theirs = NiftiLabelsMasker(sample_box.labels_img, standardize=None).fit()
    rows = np.random.default_rng(7).standard_normal((2, 2))
    full = np.zeros((2, 4))
    full[:, [2, 0]] = rows
    found, expected = (
        m.inverse_transform(x) for m, x in ((seeds, rows), (theirs, full))
    )
    np.testing.assert_array_equal(found.get_fdata(), expected.get_fdata())


def test_surface_regions_back_to_an_image(cortex):
    seeds = RegionSeeds(cortex.labels_img, [3, 1]).fit(cortex.img)
    img = seeds.inverse_transform([[1.0, 2.0]])
    assert img.mesh is cortex.mesh
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


def test_back_to_an_image_there_is_none_of(kind):
    masker = clone(kind.make).fit()
    with pytest.raises(ValueError, match="was fitted without an image"):
        masker.inverse_transform(np.zeros((1, len(kind.names))))
    masker.fit(kind.run.img)
    with pytest.raises(ValueError, match=words("column for each", len(kind.names))):
        masker.inverse_transform(np.zeros((1, 9)))


# Errors

BOX_ERRORS = {
    "seed-outside": (
        lambda d: SphereSeeds([d.seeds[0], (500, 0, 0)], 8.0),
        ("seed 1 at (500, 0, 0) mm", "outside the image", "spans"),
    ),
    "seed-outside-mask": (
        lambda d: SphereSeeds([(0, -52, 18)], 3, mask_img=without(d, (0, -52, 18))),
        ("seed 0 at (0, -52, 18) mm", "outside its mask_img"),
    ),
    "overlap": (
        lambda d: SphereSeeds(d.seeds[:2], [8.0, 40.0]),
        ("seeds 0 (0, -52, 18) and 1", "radius=[8.0, 40.0]", "allow_overlap=True"),
    ),
    "radii": (lambda d: SphereSeeds(d.seeds, [8.0, 6.0]), ("got 2 for 3 seeds",)),
    "negative": (lambda d: SphereSeeds(d.seeds, [8, -1, 3]), ("radius", "-1")),
    "radius": (lambda d: SphereSeeds(d.seeds, "8"), ("radius", "'8'")),
    "coordinates": (lambda d: SphereSeeds([(0, 1)], 8.0), ("triplet",)),
    "empty-mask": (
        lambda d: SphereSeeds(d.seeds, mask_img=new_img_like(d.mask_img, ZEROS)),
        ("SphereSeeds: mask_img is empty",),
    ),
    "mask-file": (
        lambda d: SphereSeeds(d.seeds, mask_img="absent.nii"),
        ("SphereSeeds: mask_img", "no file 'absent.nii'"),
    ),
    "mask-4d": (
        lambda d: SphereSeeds(d.seeds, mask_img=d.img),
        ("mask_img must be a 3D image", "(11, 9, 8, 200)"),
    ),
    "mask-array": (
        lambda d: SphereSeeds(d.seeds, mask_img=np.ones((2, 2))),
        ("mask_img must be a 3D image or its path",),
    ),
    "no-such-name": (
        lambda d: RegionSeeds(d.labels_img, ["frond"], lut=NAMES),
        ("no region 'frond'", "Did you mean 'front'?"),
    ),
    "no-such-name-in-other-case": (
        lambda d: RegionSeeds(d.labels_img, "FRONT", lut=NAMES),
        ("no region 'FRONT'", "Did you mean 'front'?"),
    ),
    "nothing-alike": (
        lambda d: RegionSeeds(d.labels_img, ["xyz"], lut=NAMES),
        ("no region 'xyz'", "There are 'back', 'middle', 'front', 'top'."),
    ),
    "no-names": (lambda d: RegionSeeds(d.labels_img, "front"), ("pass lut",)),
    "two-of-a-name": (
        lambda d: RegionSeeds(d.labels_img, "a", lut=["a", "b", "a", "c"]),
        ("'a' stands for the labels [1, 3]",),
    ),
    "no-such-label": (
        lambda d: RegionSeeds(d.labels_img, [9]),
        ("the label 9", "there are 1, 2, 3, 4."),
    ),
    "background": (lambda d: RegionSeeds(d.labels_img, [0]), ("the label 0",)),
    "twice": (
        lambda d: RegionSeeds(d.labels_img, [2, "middle"], lut=NAMES),
        ("label 2 more than once",),
    ),
    "no-regions": (lambda d: RegionSeeds(d.labels_img, []), ("at least one region",)),
    "region-kind": (lambda d: RegionSeeds(d.labels_img, [1.5]), ("integer, got 1.5",)),
    "list-too-short": (
        lambda d: RegionSeeds(d.labels_img, lut=["a", "b"]),
        ("lists 2 names for 4 labels", ".lut"),
    ),
    "lut-columns": (
        lambda d: RegionSeeds(d.labels_img, lut=pd.DataFrame({"label": [1]})),
        ("columns index and name", "lacks index and name", "['label']"),
    ),
    "lut-words": (
        lambda d: RegionSeeds(d.labels_img, lut={"front": 3}),
        ("a name to each label, an integer",),
    ),
    "lut-kind": (lambda d: RegionSeeds(d.labels_img, lut=3), ("got int",)),
    "lut-file": (lambda d: RegionSeeds(d.labels_img, lut="a.tsv"), ("file 'a.tsv'",)),
    "labels-file": (lambda d: RegionSeeds("a.nii"), ("labels_img", "file 'a.nii'")),
    "labels-none": (lambda d: RegionSeeds(None), ("labels_img must be", "None")),
    "probabilities": (
        lambda d: RegionSeeds(d.labels_img.__class__(HALF, d.labels_img.affine)),
        ("an integer for each region", "0.5", "NiftiMapsMasker"),
    ),
    "only-background": (
        lambda d: RegionSeeds(new_img_like(d.labels_img, ZEROS)),
        ("nothing but the background label 0",),
    ),
    "masked-region": (
        lambda d: RegionSeeds(d.labels_img, ["front"], lut=NAMES, mask_img=no_3(d)),
        ("no voxel is left of region 'front'", "within its mask_img"),
    ),
    "elsewhere": (
        lambda d: RegionSeeds(far_away(d), [1]),
        ("no voxel is left of region '1'", "same space"),
    ),
    "all-elsewhere": (
        lambda d: RegionSeeds(far_away(d)),
        ("none of the 4 regions", "same space"),
    ),
    "hemisphere": (
        lambda d: RegionSeeds(d.labels_img, hemisphere="left"),
        ("hemisphere='left'", "is a volume"),
    ),
    "discs-in-a-volume": (
        lambda d: SurfaceSeeds([1], hemisphere="left"),
        ("is a volume", "SurfaceSeeds lie in a surface", "SphereSeeds"),
    ),
    "band": (
        lambda d: SphereSeeds(d.seeds, 6.0, low_pass=0.1),
        ("SphereSeeds", "t_r=None"),
    ),
}
ZEROS = np.zeros((11, 9, 8), "u1")
HALF = np.full((11, 9, 8), 0.5)


def no_3(data):
    """Return a mask that region 3 lies outside of."""
    return lost_region(data)


def without(data, point):
    """Return a mask without the voxels around a point."""
    voxel = nib.affines.apply_affine(np.linalg.inv(data.img.affine), point)
    mask = np.ones(data.img.shape[:3], "u1")
    mask[tuple(slice(max(int(v) - 2, 0), int(v) + 3) for v in voxel)] = 0
    return nib.Nifti1Image(mask, data.img.affine)


def far_away(data):
    """Return the labels one metre away."""
    affine = data.labels_img.affine.copy()
    affine[:3, 3] += 1000
    return nib.Nifti1Image(np.asarray(data.labels_img.dataobj), affine)


@pytest.mark.parametrize("name", BOX_ERRORS)
def test_errors_in_a_volume(sample_box, name):
    make, parts = BOX_ERRORS[name]
    with pytest.raises((TypeError, ValueError, OSError), match=words(*parts)):
        make(sample_box).fit_transform(sample_box.img)


SURFACE_ERRORS = {
    "vertex": (
        lambda c: SurfaceSeeds([40, 81], hemisphere="left"),
        ("seed 1 (left 81)", "vertices 0 to 80"),
    ),
    "negative-vertex": (
        lambda c: SurfaceSeeds([-1], hemisphere="right"),
        ("seed 0 (right -1)", "vertices 0 to 99"),
    ),
    "which": (lambda c: SurfaceSeeds([7]), ("left or right", 'hemisphere="left"')),
    "side": (
        lambda c: SurfaceSeeds([7], hemisphere="both"),
        ('"left", "right" or None, got \'both\'',),
    ),
    "sides": (
        lambda c: SurfaceSeeds([7, 50], hemisphere=["left"]),
        ("hemisphere", "got 1 for 2 seeds"),
    ),
    "far": (
        lambda c: SurfaceSeeds([(200.0, 0, 0)]),
        ("seed 0 ((200, 0, 0))", "mm from the nearest vertex", "10 mm"),
    ),
    "overlap": (
        lambda c: SurfaceSeeds([40, 41], 7.0, hemisphere="left"),
        ("discs of seeds 0 (left 40) and 1 (left 41)", "radius=7.0", "allow_overlap"),
    ),
    "radii": (
        lambda c: SurfaceSeeds([1, 2], [3.0], hemisphere="left"),
        ("radius", "got 1 for 2 seeds"),
    ),
    "radius": (lambda c: SurfaceSeeds([1], -3, hemisphere="left"), ("radius", "-3")),
    "seeds": (lambda c: SurfaceSeeds(7), ("sequence of vertex numbers", "7")),
    "no-seeds": (lambda c: SurfaceSeeds([]), ("sequence of vertex numbers", "[]")),
    "seed": (lambda c: SurfaceSeeds([(1.0, 2.0)]), ("three coordinates", "(1.0, 2.0)")),
    "seed-word": (lambda c: SurfaceSeeds(["left"]), ("three coordinates", "'left'")),
    "mesh": (lambda c: SurfaceSeeds([1], mesh="pial"), ("a PolyMesh, got str",)),
    "another-mesh": (
        lambda c: SurfaceSeeds([1], hemisphere="left", mesh=other_mesh()),
        ("mesh of SurfaceSeeds has 16 left", "81 left vertices and 100 right"),
    ),
    "another-atlas": (
        lambda c: RegionSeeds(other_atlas(), [1]),
        ("labels_img has 16 left", "81 left vertices"),
    ),
    "no-such-side": (
        lambda c: RegionSeeds(c.labels_img, [1], hemisphere="top"),
        ('"left", "right" or None',),
    ),
    "smoothed": (
        lambda c: RegionSeeds(c.labels_img, [1], smoothing_fwhm=5.0),
        ("smoothing_fwhm=5.0 is for volumes",),
    ),
    "volume-mask": (
        lambda c: RegionSeeds(c.labels_img, [1], mask_img=np.zeros(3)),
        ("mask_img must be a SurfaceImage",),
    ),
    "another-mask": (
        lambda c: RegionSeeds(c.labels_img, [1], mask_img=other_atlas()),
        ("mask_img has 16 left",),
    ),
    "spheres-on-a-surface": (
        lambda c: SphereSeeds([(0, 0, 0)]),
        ("is a surface", "SphereSeeds", "SurfaceSeeds"),
    ),
    "twice": (
        lambda c: RegionSeeds(c.labels_img, [2, 2], hemisphere="left"),
        ("label 2 more than once",),
    ),
}


def other_mesh():
    """Return a mesh of 16 vertices a part."""
    return PolyMesh(left=sheet(4, 0), right=sheet(4, 1))


def other_atlas():
    """Return an atlas on a mesh of 16 vertices a part."""
    return SurfaceImage(other_mesh(), {p: np.arange(16) % 3 for p in ("left", "right")})


@pytest.mark.parametrize("name", SURFACE_ERRORS)
def test_errors_on_a_surface(cortex, name):
    make, parts = SURFACE_ERRORS[name]
    with pytest.raises((TypeError, ValueError), match=words(*parts)):
        make(cortex).fit_transform(cortex.img)


def test_atlas_of_a_volume_for_a_surface(sample_box, cortex):
    with pytest.raises(TypeError, match=words("X is a surface", "lie in a volume")):
        RegionSeeds(sample_box.labels_img, [1]).fit(cortex.img)
    with pytest.raises(TypeError, match=words("X is a volume", "lie in a surface")):
        RegionSeeds(cortex.labels_img, [1]).fit(sample_box.img)


@pytest.mark.parametrize("name", ["seed-outside", "overlap", "masked-region"])
def test_errors_in_a_map_name_run_and_masker(sample_box, name):
    seeds = BOX_ERRORS[name][0](sample_box)
    sbc = SeedCorrelationMap(seeds, NiftiMasker(sample_box.mask_img))
    with pytest.raises(ValueError, match=words("seed_masker", "run 0")):
        sbc.fit(sample_box.img)


def test_kinds_that_do_not_match_in_a_map(sample_box, cortex):
    sbc = SeedCorrelationMap(SphereSeeds(sample_box.seeds), SurfaceMasker())
    with pytest.raises(TypeError, match=words("SphereSeeds", "a volume (4D image)")):
        sbc.fit(cortex.img)
    sbc = SeedCorrelationMap(RegionSeeds(cortex.labels_img), NiftiMasker())
    with pytest.raises(TypeError, match=words("RegionSeeds", "needs a SurfaceImage")):
        sbc.fit(sample_box.img)


def test_subclass_does_all_by_itself(sample_box):
    class Louder(SphereSeeds):
        def transform(self, X, confounds=None, sample_mask=None):
            return 2 * super().transform(X, confounds, sample_mask)

    brain = NiftiMasker(sample_box.mask_img, detrend=True)
    seeds = Louder(sample_box.seeds[:1], detrend=True)
    sbc = SeedCorrelationMap(seeds, brain).fit(sample_box.img)
    assert sbc.paths_["seed_masker"].startswith("reference")


def test_members_are_smoothed_first(sample_box):
    seeds = RegionSeeds(sample_box.labels_img, [2], smoothing_fwhm=7.0)
    smoothed = smooth_img(sample_box.img, 7.0).get_fdata()
    inside = np.asarray(sample_box.labels_img.dataobj) == 2
    expected = smoothed[inside].mean(axis=0)
    found = seeds.fit_transform(sample_box.img)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


def test_parameters_of_our_own_maskers_are_not_the_fault_of_a_run(sample_box):
    labels = nib.Nifti1Image(np.ones((3, 3, 3), np.int16), np.eye(4))
    sbc = SeedCorrelationMap(RegionSeeds(labels, ["frond"], lut=["front"]))
    expected = r"^seed_masker, RegionSeeds: there is no region 'frond'\. Did you mean"
    with pytest.raises(ValueError, match=expected) as info:
        sbc.fit(sample_box.img)
    assert "lies in the space" not in str(info.value)
