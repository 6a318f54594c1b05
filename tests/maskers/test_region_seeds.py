"""`RegionSeeds` by themselves, and against plain nilearn."""

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from masker_helpers import (
    NAMES,
    TOLERANCE,
    mask_like,
    mask_of,
    moved,
    other_atlas,
    scaled,
)
from nilearn.image import new_img_like
from nilearn.maskers import NiftiLabelsMasker, SurfaceLabelsMasker
from nilearn.surface import SurfaceImage
from sklearn.base import clone

from helpers import save, words
from sbc_estimators.maskers import RegionSeeds


def labels_of(data):
    """Return the labels of the data's atlas."""
    return np.asarray(data.labels_img.dataobj)


def mean_within(img, is_inside):
    """Return the mean signal of some voxels."""
    return img.get_fdata()[is_inside].mean(axis=0)


# Regions of a volume


@pytest.mark.parametrize("options", [{}, {"mask_img": True}, {"background_label": 2}])
def test_all_regions_are_those_of_nilearn(nilearn_signals, sample_box, options):
    if "mask_img" in options:
        options = {**options, "mask_img": sample_box.mask_img}
    ours = RegionSeeds(sample_box.labels_img, **options)
    theirs = NiftiLabelsMasker(sample_box.labels_img, **options)
    found = ours.fit_transform(sample_box.img)
    expected = nilearn_signals(theirs, sample_box.run)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.parametrize(
    ("regions", "labels"),
    [
        (["front", "back"], [3, 1]),
        ([4, "middle", np.int64(1)], [4, 2, 1]),
        ("middle", [2]),
        (3, [3]),
        (None, [1, 2, 3, 4]),
        (np.array(["top"]), [4]),
        (pd.Series([2, 1]), [2, 1]),
    ],
)
def test_only_chosen_regions_become_seeds(nilearn_signals, sample_box, regions, labels):
    seeds = RegionSeeds(sample_box.labels_img, regions, lut=NAMES)
    found = seeds.fit_transform(sample_box.img)
    everything = nilearn_signals(
        NiftiLabelsMasker(sample_box.labels_img), sample_box.run
    )
    expected = everything[:, np.array(labels) - 1]
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
    assert seeds.labels_ == [[label] for label in labels]
    assert seeds.seed_names_ == [NAMES[label] for label in labels]


def test_one_seed_of_several_regions(sample_box):
    regions = ["top", ["front", 1], ["middle", "middle"], (2, "top")]
    seeds = RegionSeeds(sample_box.labels_img, regions, lut=NAMES)
    found = seeds.fit_transform(sample_box.img)
    chosen = [[4], [3, 1], [2], [2, 4]]
    for column, labels in zip(found.T, chosen, strict=True):
        expected = mean_within(sample_box.img, np.isin(labels_of(sample_box), labels))
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    assert seeds.seed_names_[:2] == ["top", "front + back"]
    assert seeds.labels_[1] == [3, 1]
    seeds.set_params(names=["a", "b b", "c", "d"]).fit()
    assert seeds.seed_names_ == ["a", "b b", "c", "d"]


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
        assert clone(seeds).set_params(regions="top").fit().labels_ == [[4]]


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_names_from_a_file(sample_box, tmp_path, suffix):
    path = tmp_path / f"atlas_dseg{suffix}"
    LUT.to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
    for lut in (path, str(path)):
        seeds = RegionSeeds(sample_box.labels_img, ["top", "back"], lut=lut).fit()
        assert seeds.labels_ == [[4], [1]]


def test_labels_without_names(sample_box):
    seeds = RegionSeeds(sample_box.labels_img, [2, 4], lut={4: "top", 9: 7}).fit()
    assert seeds.seed_names_ == ["2", "top"]
    series = pd.Series({4: "D", 3: "C", 2: "B", 1: "A"})
    assert RegionSeeds(sample_box.labels_img, lut=series).fit().seed_names_ == [*"ABCD"]
    two = RegionSeeds(sample_box.labels_img, lut=["a", "b", "a", "a"]).fit()
    assert two.seed_names_ == ["a", "b", "a (2)", "a (3)"]


# Labels as files hold them


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, ">i2"])
def test_a_mask_image_is_one_region(sample_box, dtype):
    inside = labels_of(sample_box) == 2
    mask_img = nib.Nifti1Image(inside.astype(dtype) * 7, sample_box.mask_img.affine)
    expected = mean_within(sample_box.img, inside)
    seeds = RegionSeeds(mask_img, names=["PCC"])
    found = seeds.fit_transform(sample_box.img)
    np.testing.assert_allclose(found[:, 0], expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == ["PCC"]
    assert clone(seeds).set_params(names=None, lut=["V1"]).fit().seed_names_ == ["V1"]


def test_labels_a_rounding_off_an_integer_and_missing_ones(sample_box, cortex):
    labels = labels_of(sample_box)
    spoilt = labels + np.float32(3e-5)
    spoilt[labels == 2] = np.nan
    spoilt[0] = np.inf
    atlas = nib.Nifti1Image(spoilt, sample_box.labels_img.affine)
    seeds = RegionSeeds(atlas, background_label=3).fit()
    assert seeds.labels_ == [[0], [1], [4]]  # NaN is no 0
    found = seeds.transform(sample_box.img)
    labels = np.where(np.isfinite(spoilt), labels, 3)
    for column, label in zip(found.T, (0, 1, 4), strict=True):
        expected = mean_within(sample_box.img, labels == label)
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    parts = {
        name: np.where(part == 2, np.nan, part + 1e-5)
        for name, part in cortex.labels_img.data.parts.items()
    }
    seeds = RegionSeeds(SurfaceImage(cortex.mesh, parts), background_label=3).fit()
    assert seeds.labels_ == [[0], [1], [4]]


def test_labels_of_a_file_with_a_scale_factor(sample_box, tmp_path):
    path = tmp_path / "atlas.nii.gz"
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_slope_inter(0.1, 0.5)
    nib.save(
        nib.Nifti1Image(
            labels_of(sample_box).astype(float), sample_box.img.affine, header
        ),
        path,
    )
    assert nib.load(path).get_fdata().max() != 4
    assert RegionSeeds(path).fit().labels_ == [[1], [2], [3], [4]]


@pytest.mark.parametrize("label", [2**40, -3, 1_000_000])
def test_large_and_negative_labels(sample_box, label):
    labels = np.where(labels_of(sample_box) == 2, label, 0).astype(float)
    # On another grid, where nearest neighbours are taken.
    atlas = moved(nib.Nifti1Image(labels, sample_box.img.affine), 0.4)
    seeds = RegionSeeds(atlas)
    found = seeds.fit_transform(sample_box.img)
    assert seeds.labels_ == [[label]]
    expected = mean_within(sample_box.img, labels == label)
    np.testing.assert_allclose(found[:, 0], expected, rtol=TOLERANCE)


def test_outside_of_an_atlas_is_background_whatever_its_label(sample_box):
    small = sample_box.labels_img.slicer[3:8]
    inside = np.isin(np.arange(11), np.arange(3, 8))[:, np.newaxis, np.newaxis]
    seeds = RegionSeeds(small, background_label=2)
    found = seeds.fit_transform(sample_box.img)
    for column, (label,) in zip(found.T, seeds.labels_, strict=True):
        expected = mean_within(
            sample_box.img, (labels_of(sample_box) == label) & inside
        )
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    assert [0] in seeds.labels_


def test_atlas_of_another_grid(nilearn_signals, sample_box):
    affine = sample_box.labels_img.affine.copy()
    affine[:3, :3] *= 0.7
    affine[:3, 3] += 1.3
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, (15, 13, 11)).astype(np.int16)
    atlas = nib.Nifti1Image(labels, affine)
    found = RegionSeeds(atlas, [3, 1]).fit_transform(sample_box.img)
    theirs = NiftiLabelsMasker(atlas)
    expected = nilearn_signals(theirs, sample_box.run)[:, [2, 0]]
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


def test_atlas_and_mask_of_other_grids(nilearn_signals, sample_box):
    options = {"mask_img": sample_box.coarse_mask_img}
    seeds = RegionSeeds(sample_box.labels_img, **options)
    with pytest.warns(UserWarning, match="2 of 4 regions"):
        found = seeds.fit_transform(sample_box.img)
    theirs = NiftiLabelsMasker(sample_box.labels_img, **options)
    expected = nilearn_signals(theirs, sample_box.run)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


def test_atlas_with_a_fourth_axis_of_one(sample_box):
    data = labels_of(sample_box)[..., np.newaxis]
    atlas = nib.Nifti1Image(data, sample_box.labels_img.affine)
    found = RegionSeeds(atlas).fit_transform(sample_box.img)
    expected = RegionSeeds(sample_box.labels_img).fit_transform(sample_box.img)
    np.testing.assert_array_equal(found, expected)


def test_lost_regions_are_left_out_of_all(sample_box):
    mask_img = mask_of(sample_box, 0, 1, 2, 4)
    seeds = RegionSeeds(sample_box.labels_img, mask_img=mask_img, names=list("abcd"))
    with pytest.warns(UserWarning, match=words("RegionSeeds", "1 of 4", "labels 3")):
        seeds.fit(sample_box.img)
    assert seeds.labels_ == [[1], [2], [4]]
    assert seeds.seed_names_ == ["a", "b", "d"]
    assert seeds.transform(sample_box.img).shape == (200, 3)


# Several masks


@pytest.fixture
def masks(sample_box, tmp_path):
    """Return the paths of masks of regions 1, 2 and 3."""
    return [
        save(mask_of(sample_box, n), tmp_path / f"{NAMES[n]}.v2_mask.nii.gz")
        for n in (1, 2, 3)
    ]


def test_masks_are_seeds(sample_box, masks):
    first, second, third = masks
    seeds = RegionSeeds([third, [str(first), second], nib.load(second)])
    found = seeds.fit_transform(sample_box.img)
    expected = RegionSeeds(sample_box.labels_img, [3, [1, 2], 2])
    expected = expected.fit_transform(sample_box.img)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
    third, second = "front.v2_mask", "middle.v2_mask"
    assert seeds.seed_names_ == [third, f"back.v2_mask + {second}", second]


def test_a_mask_is_called_as_its_file(masks):
    assert RegionSeeds(masks[0]).fit().seed_names_ == ["back.v2_mask"]
    assert RegionSeeds(nib.load(masks[0])).fit().seed_names_ == ["back.v2_mask"]
    two = RegionSeeds([masks[0], masks[0]], names=["a", "b"]).fit()
    assert two.seed_names_ == ["a", "b"]


def test_masks_may_share_voxels_and_have_grids_of_their_own(sample_box):
    both, one = mask_of(sample_box, 1, 2), moved(mask_of(sample_box, 2), 0.3)
    for masks in ([both, one], [[one, both], one]):
        seeds = RegionSeeds(masks)
        found = seeds.fit_transform(sample_box.img)
        expected = RegionSeeds(sample_box.labels_img, [[1, 2], 2])
        expected = expected.fit_transform(sample_box.img)
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == ["mask0 + mask1", "mask2"]
    with pytest.raises(ValueError, match="fitted without an image"):
        seeds.fit().inverse_transform([1, 2])
    assert RegionSeeds([both]).fit().inverse_transform([1]).shape == (11, 9, 8)


# Regions of a surface


def test_surface_regions_are_those_of_nilearn(nilearn_signals, cortex):
    for options in ({}, {"mask_img": cortex.mask_img}, {"background_label": 2}):
        found = RegionSeeds(cortex.labels_img, **options).fit_transform(cortex.img)
        theirs = SurfaceLabelsMasker(cortex.labels_img, **options)
        expected = nilearn_signals(theirs, cortex.run)
        np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.parametrize(
    ("hemisphere", "names"),
    [
        ("left", ["left front", "left back + top"]),
        (None, ["front", "back + top"]),
        (["right", None], ["right front", "back + top"]),
    ],
)
def test_hemispheres_of_an_atlas(cortex, hemisphere, names):
    seeds = RegionSeeds(
        cortex.labels_img,
        ["front", ["back", "top"]],
        lut=NAMES,
        hemisphere=hemisphere,
    )
    found = seeds.fit_transform(cortex.img)
    sides = hemisphere if isinstance(hemisphere, list) else [hemisphere] * 2
    for column, labels, side in zip(found.T, ([3], [1, 4]), sides, strict=True):
        chosen = [
            part[np.isin(cortex.labels_img.data.parts[name], labels)]
            for name, part in cortex.img.data.parts.items()
            if side in (name, None)
        ]
        expected = np.concatenate(chosen).mean(axis=0)
        np.testing.assert_allclose(column, expected, rtol=TOLERANCE)
    assert seeds.seed_names_ == names
    assert seeds.hemispheres_ == sides


def test_one_label_of_both_hemispheres_as_two_seeds(cortex):
    seeds = RegionSeeds(cortex.labels_img, [2, 2], hemisphere=["left", "right"])
    assert seeds.fit(cortex.img).seed_names_ == ["left 2", "right 2"]


def test_all_regions_of_a_hemisphere(cortex):
    parts = {**cortex.labels_img.data.parts, "left": np.repeat([0, 1, 4], 27)}
    atlas = SurfaceImage(cortex.mesh, parts)
    for side, labels in (("left", [1, 4]), ("right", [1, 2, 3, 4])):
        seeds = RegionSeeds(atlas, hemisphere=side).fit(cortex.img)
        assert seeds.labels_ == [[label] for label in labels]
    atlas = SurfaceImage(cortex.mesh, {**parts, "left": np.zeros(81, int)})
    with pytest.raises(ValueError, match="0 in the left hemisphere"):
        RegionSeeds(atlas, hemisphere="left").fit(cortex.img)


def test_masks_of_a_surface(cortex):
    def mask(label):
        parts = cortex.labels_img.data.parts.items()
        return SurfaceImage(cortex.mesh, {n: part == label for n, part in parts})

    seeds = RegionSeeds([mask(1), [mask(2), mask(3)]], hemisphere=["left", None])
    found = seeds.fit_transform(cortex.img)
    expected = RegionSeeds(cortex.labels_img, [1, [2, 3]], hemisphere=["left", None])
    np.testing.assert_array_equal(found, expected.fit_transform(cortex.img))
    assert seeds.seed_names_ == ["left mask0", "mask1 + mask2"]


def test_labels_as_a_column(cortex):
    parts = {n: p[:, np.newaxis] for n, p in cortex.labels_img.data.parts.items()}
    found = RegionSeeds(SurfaceImage(cortex.mesh, parts)).fit_transform(cortex.img)
    expected = RegionSeeds(cortex.labels_img).fit_transform(cortex.img)
    np.testing.assert_array_equal(found, expected)


def test_atlas_on_another_mesh_of_the_same_vertices(cortex):
    atlas = SurfaceImage(scaled(cortex.mesh, 2), cortex.labels_img.data.parts)
    found = RegionSeeds(atlas, [1]).fit_transform(cortex.img)
    expected = RegionSeeds(cortex.labels_img, [1]).fit_transform(cortex.img)
    np.testing.assert_array_equal(found, expected)


# Errors


ZEROS = np.zeros((11, 9, 8), "u1")


def of(data, array):
    """Return an atlas of other labels."""
    return nib.Nifti1Image(array, data.labels_img.affine)


def lut_with(**columns):
    """Return a table of names with other columns."""
    return LUT.assign(**columns)


ERRORS = {
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
        lambda d: RegionSeeds(d.labels_img, [[1, 9]]),
        ("the label 9", "there are 1, 2, 3, 4."),
    ),
    "background": (lambda d: RegionSeeds(d.labels_img, [0]), ("the label 0",)),
    "twice": (
        lambda d: RegionSeeds(d.labels_img, [2, "middle"], lut=NAMES),
        ("label 2 more than once",),
    ),
    "twice-in-another-order": (
        lambda d: RegionSeeds(d.labels_img, [[2, 1], [1, 2]]),
        ("more than once",),
    ),
    "no-regions": (lambda d: RegionSeeds(d.labels_img, []), ("regions", "got none")),
    "region-kind": (
        lambda d: RegionSeeds(d.labels_img, [1.5]),
        ("regions must be a sequence of names or labels (integers)", "got 1.5"),
    ),
    "one-region": (lambda d: RegionSeeds(d.labels_img, 1.5), ("regions", "got 1.5")),
    "truth": (lambda d: RegionSeeds(d.labels_img, [True]), ("regions", "got True")),
    "generator": (
        lambda d: RegionSeeds(d.labels_img, (i for i in (1, 2))),
        ("regions must be a sequence", "generator"),
    ),
    "deeper": (
        lambda d: RegionSeeds(d.labels_img, [[[1, 2]]]),
        ("regions must be a sequence", "got [[1, 2]]"),
    ),
    "list-too-short": (
        lambda d: RegionSeeds(d.labels_img, lut=["a", "b"]),
        ("lists 2 names for 4 labels", ".lut"),
    ),
    "lut-columns": (
        lambda d: RegionSeeds(d.labels_img, lut=pd.DataFrame({"label": [1]})),
        ("columns index and name", "['label']"),
    ),
    "lut-columns-twice": (
        lambda d: RegionSeeds(d.labels_img, lut=pd.concat([LUT, LUT["name"]], axis=1)),
        ("columns index and name, each once", "'name', 'name'"),
    ),
    "lut-label-twice": (
        lambda d: RegionSeeds(d.labels_img, lut=lut_with(index=[0, 1, 2, 2, 4])),
        ("label 2 twice, as 'middle' and 'front'",),
    ),
    "lut-label-between": (
        lambda d: RegionSeeds(d.labels_img, lut=lut_with(index=[0, 1.9, 2, 3, 4])),
        ("an integer, got 1.9 with the name 'back'",),
    ),
    "lut-label-missing": (
        lambda d: RegionSeeds(d.labels_img, lut=lut_with(index=[0, None, 2, 3, 4])),
        ("an integer, got nan with the name 'back'",),
    ),
    "lut-name-missing": (
        lambda d: RegionSeeds(d.labels_img, lut=lut_with(name=["a", None, *"bcd"])),
        ("a name for each label, got", "keep_default_na=False"),
    ),
    "lut-words": (
        lambda d: RegionSeeds(d.labels_img, lut={"front": 3}),
        ("a name to each label, an integer", "'front'"),
    ),
    "lut-kind": (lambda d: RegionSeeds(d.labels_img, lut=3), ("got int",)),
    "lut-generator": (
        lambda d: RegionSeeds(d.labels_img, lut=(n for n in "abcd")),
        ("lut must be", "got generator"),
    ),
    "lut-file": (lambda d: RegionSeeds(d.labels_img, lut="a.tsv"), ("file 'a.tsv'",)),
    "lut-address": (
        lambda d: RegionSeeds(d.labels_img, lut="http://localhost/a.tsv"),
        ("lut: there is no file 'http://localhost/a.tsv'",),
    ),
    "labels-file": (lambda d: RegionSeeds("a.nii"), ("labels_img", "file 'a.nii'")),
    "labels-none": (
        lambda d: RegionSeeds(None),
        ("labels_img", "must be a 3D image", "None"),
    ),
    "no-masks": (lambda d: RegionSeeds([]), ("labels_img", "got none")),
    "mask-kind": (lambda d: RegionSeeds([d.mask_img, 3]), ("labels_img:", "got int")),
    "mask-of-none": (lambda d: RegionSeeds([None]), ("masks", "got None")),
    "masks-of-labels": (
        lambda d: RegionSeeds([mask_of(d, 1), d.labels_img]),
        ("each must be a mask", "got 4 others"),
    ),
    "empty-mask": (
        lambda d: RegionSeeds([mask_of(d, 1), of(d, ZEROS)]),
        ("each must be a mask", "got 0 others"),
    ),
    "masks-with-regions": (
        lambda d: RegionSeeds([mask_of(d, 1)], [1]),
        ("regions=[1] is for an atlas", "a sequence of masks"),
    ),
    "masks-with-lut": (
        lambda d: RegionSeeds([mask_of(d, 1)], lut=LUT),
        ("lut=", "is for an atlas", "names"),
    ),
    "masks-with-background": (
        lambda d: RegionSeeds([mask_of(d, 1)], background_label=1),
        ("background_label=1 is for an atlas",),
    ),
    "mask-elsewhere": (
        lambda d: RegionSeeds([mask_of(d, 1), moved(mask_of(d, 2), 1000)]),
        ("labels_img", "do not overlap", "same space"),
    ),
    "probabilities": (
        lambda d: RegionSeeds(of(d, ZEROS + 0.5)),
        ("labels_img: an atlas must hold an integer", "0.5", "MapSeeds"),
    ),
    "several-volumes": (
        lambda d: RegionSeeds(of(d, np.ones((11, 9, 8, 3), "u1"))),
        ("labels_img: it must be a 3D image", "got 3 volumes"),
    ),
    "complex": (
        lambda d: RegionSeeds(of(d, ZEROS + 1j)),
        ("labels_img: it must hold real numbers", "complex128"),
    ),
    "background-of-none": (
        lambda d: RegionSeeds(d.labels_img, background_label=None),
        ("background_label must be an integer, got None",),
    ),
    "background-between": (
        lambda d: RegionSeeds(d.labels_img, background_label=0.5),
        ("background_label must be an integer, got 0.5",),
    ),
    "only-background": (
        lambda d: RegionSeeds(of(d, ZEROS)),
        ("nothing but the background label 0",),
    ),
    "masked-region": (
        lambda d: RegionSeeds(
            d.labels_img, ["front"], lut=NAMES, mask_img=mask_of(d, 1, 2, 4)
        ),
        ("no voxel is left of region 'front'", "within mask_img"),
    ),
    "masked-part": (
        lambda d: RegionSeeds(
            d.labels_img, [[1, 3]], names=["a"], mask_img=mask_of(d, 1, 2, 4)
        ),
        ("no voxel is left of part 2 of region 'a'", "within mask_img"),
    ),
    "all-masked": (
        lambda d: RegionSeeds(
            d.labels_img, mask_img=mask_like(d.img, labels_of(d) == 0)
        ),
        ("none of the 4 regions", "same space"),
    ),
    "elsewhere": (
        lambda d: RegionSeeds(moved(d.labels_img, 1000), [1]),
        ("labels_img", "do not overlap", "same space"),
    ),
    "mask-img-elsewhere": (
        lambda d: RegionSeeds(d.labels_img, mask_img=moved(d.mask_img, 1000)),
        ("mask_img", "do not overlap", "same space"),
    ),
    "names": (
        lambda d: RegionSeeds(d.labels_img, names=["a"]),
        ("names", "got 1 for 4 seeds"),
    ),
    "hemisphere": (
        lambda d: RegionSeeds(d.labels_img, hemisphere="left"),
        ("hemisphere='left'", "is a volume"),
    ),
    "hemisphere-of-one": (
        lambda d: RegionSeeds(d.labels_img, [1, 2], hemisphere=["left", None]),
        ("hemisphere='left'", "is a volume"),
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_in_a_volume(sample_box, name):
    make, parts = ERRORS[name]
    with pytest.raises((TypeError, ValueError, OSError), match=words(*parts)):
        make(sample_box).fit_transform(sample_box.img)


SURFACE_ERRORS = {
    "another-atlas": (
        lambda c: RegionSeeds(other_atlas(), [1]),
        ("labels_img has 16 left", "81 left vertices"),
    ),
    "no-such-side": (
        lambda c: RegionSeeds(c.labels_img, [1], hemisphere="top"),
        ('"left", "right" or None', "'top'"),
    ),
    "no-such-side-of-all": (
        lambda c: RegionSeeds(c.labels_img, hemisphere="top"),
        ('"left", "right" or None', "'top'"),
    ),
    "sides": (
        lambda c: RegionSeeds(c.labels_img, [1, 2], hemisphere=["left"]),
        ("hemisphere", "got 1 for 2 seeds"),
    ),
    "volume-mask": (
        lambda c: RegionSeeds(c.labels_img, [1], mask_img=np.zeros(3)),
        ("mask_img must be", "SurfaceImage", "ndarray"),
    ),
    "another-mask": (
        lambda c: RegionSeeds(c.labels_img, [1], mask_img=other_atlas()),
        ("mask_img has 16 left",),
    ),
    "twice": (
        lambda c: RegionSeeds(c.labels_img, [2, 2], hemisphere="left"),
        ("label 2 more than once",),
    ),
}


@pytest.mark.parametrize("name", SURFACE_ERRORS)
def test_errors_on_a_surface(cortex, name):
    make, parts = SURFACE_ERRORS[name]
    with pytest.raises((TypeError, ValueError), match=words(*parts)):
        make(cortex).fit_transform(cortex.img)


def test_atlas_of_a_volume_for_a_surface(sample_box, cortex):
    expected = words("labels_img is a volume", "the run is a surface")
    with pytest.raises(TypeError, match=expected):
        RegionSeeds(sample_box.labels_img, [1]).fit(cortex.img)
    expected = words("labels_img is a surface", "the run is a volume")
    with pytest.raises(TypeError, match=expected):
        RegionSeeds(cortex.labels_img, [1]).fit(sample_box.img)
    expected = words("mask_img is a surface", "the run is a volume")
    with pytest.raises(TypeError, match=expected):
        RegionSeeds(sample_box.labels_img, [1], mask_img=cortex.mask_img).fit(
            sample_box.img
        )


def test_labels_of_a_surface_that_are_no_numbers(cortex):
    words_for = {n: p.astype(str) for n, p in cortex.labels_img.data.parts.items()}
    atlas = SimpleNamespace(mesh=cortex.mesh, data=SimpleNamespace(parts=words_for))
    with pytest.raises(TypeError, match="labels_img: it must hold real numbers"):
        RegionSeeds(atlas).fit()


def test_hemispheres_of_a_volume_are_an_error_before_any_image(sample_box):
    for hemisphere in ("left", [None, "right"]):
        seeds = RegionSeeds(sample_box.labels_img, [1, 2], hemisphere=hemisphere)
        with pytest.raises(ValueError, match=words("hemisphere=", "is a volume")):
            seeds.fit()


def test_an_error_names_the_file_of_an_atlas(sample_box, tmp_path):
    path = tmp_path / "atlas.nii.gz"
    nib.save(new_img_like(sample_box.labels_img, labels_of(sample_box)), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(OSError, match=words("labels_img", path, "corrupt")):
        RegionSeeds(path).fit()


# Tables of names that are spoilt

LUT_FILE = b"index\tname\n1\tleft\n2\tNA\n3\tright front\n4\tnull\n"


def spoilt_tables(n, seed):
    """Yield tables of names with some bytes changed, removed or doubled."""
    rng = np.random.default_rng(seed)
    for _ in range(n):
        content = bytearray(LUT_FILE)
        for place in rng.integers(0, len(LUT_FILE) - 2, rng.integers(1, 4)):
            kind = rng.integers(3)
            if kind == 0:
                content[place] = rng.choice(list(b"\t\n;, 12a\x00\xff"))
            elif kind == 1:
                del content[place]
            else:
                content[place:place] = content[place : place + 3]
        yield bytes(content)


def test_spoilt_tables_of_names_are_read_as_they_are_or_refused(sample_box, tmp_path):
    """Each of 200 changed files gives the names in it, or an error that says lut."""
    path, ends = tmp_path / "lut.tsv", []
    for content in spoilt_tables(200, seed=0):
        path.write_bytes(content)
        said, names = "lut", []
        try:
            names = RegionSeeds(sample_box.labels_img, lut=path).fit().seed_names_
        except (ValueError, TypeError) as error:
            said = str(error)
        assert "lut" in said
        words_there = content.decode("utf-8", "replace")
        assert all(name in words_there or name in "1234" for name in names)
        ends.append(len(names))
    assert ends.count(4) > 30
    assert ends.count(0) > 30
