"""`SphereSeeds` by themselves, and against plain nilearn."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from masker_helpers import TOLERANCE, mask_like
from nilearn.image import new_img_like
from nilearn.maskers import NiftiSpheresMasker
from sklearn.base import clone

from helpers import save, words
from sbc_estimators import Run
from sbc_estimators._signals.kinds import adapter_of
from sbc_estimators.maskers import SphereSeeds


@pytest.mark.parametrize(
    ("radius", "options"),
    [
        (8.0, {}),
        (None, {}),
        (9, {"mask_img": True}),
        (30, {"allow_overlap": True}),
    ],
)
def test_spheres_are_those_of_nilearn(nilearn_signals, sample_box, radius, options):
    if "mask_img" in options:
        options = {**options, "mask_img": sample_box.mask_img}
    ours = SphereSeeds(sample_box.seeds, radius, **options)
    theirs = NiftiSpheresMasker(sample_box.seeds, radius=radius, **options)
    found = ours.fit_transform(sample_box.img)
    expected = nilearn_signals(theirs, sample_box.run)
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE)


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series])
def test_each_sphere_has_its_own_radius(nilearn_signals, sample_box, container):
    radii = [6.0, 12, 0]
    seeds = SphereSeeds(sample_box.seeds, container(radii))
    found = seeds.fit_transform(sample_box.img)
    for i, (seed, radius) in enumerate(zip(sample_box.seeds, radii, strict=True)):
        alone = NiftiSpheresMasker([seed], radius=radius or None)
        expected = nilearn_signals(alone, sample_box.run)[:, 0]
        np.testing.assert_allclose(found[:, i], expected, rtol=TOLERANCE)
    assert seeds.radii_ == radii


def test_small_spheres_hold_their_seed(sample_box):
    seeds = SphereSeeds(sample_box.seeds, [1.0, 0, np.float64(0.5)])
    found = seeds.fit_transform(sample_box.img)
    voxels = SphereSeeds(sample_box.seeds, None).fit_transform(sample_box.img)
    np.testing.assert_array_equal(found, voxels)


def test_spheres_of_whole_numbers_are_averaged_in_float64(nilearn_signals, sample_box):
    img = sample_box.img
    whole = nib.Nifti1Image(np.rint(img.get_fdata() / 50).astype(np.int16), img.affine)
    floats = nib.Nifti1Image(whole.get_fdata(), img.affine)
    seeds = SphereSeeds(sample_box.seeds, 8.0)
    theirs = NiftiSpheresMasker(sample_box.seeds, radius=8.0)
    expected = nilearn_signals(theirs, Run(floats))
    np.testing.assert_allclose(seeds.fit_transform(whole), expected, rtol=TOLERANCE)


def test_spheres_from_files(sample_box, tmp_path):
    path = save(sample_box.img, tmp_path / "bold.nii.gz")
    mask_path = save(sample_box.mask_img, tmp_path / "mask.nii.gz")
    seeds = SphereSeeds(sample_box.seeds, 8.0, mask_img=str(mask_path))
    expected = clone(seeds).set_params(mask_img=sample_box.mask_img)
    expected = expected.fit_transform(sample_box.img)
    np.testing.assert_allclose(seeds.fit_transform(path), expected)


# One seed in several places


def voxels_of(img, centre, radius):
    """Return which voxels lie within a sphere."""
    places = nib.affines.apply_affine(
        img.affine, np.stack(np.indices(img.shape[:3]), axis=-1)
    )
    return np.linalg.norm(places - centre, axis=-1) <= radius


@pytest.mark.parametrize("container", [list, np.array])
def test_one_seed_of_several_spheres(sample_box, container):
    first, second, third = sample_box.seeds
    # The first two of these share voxels, which count once.
    near = tuple(np.add(second, [5.0, 0, 0]))
    seeds = SphereSeeds([container([second, near, third]), first], [8, 6])
    found = seeds.fit_transform(sample_box.img)
    network = np.zeros(sample_box.img.shape[:3], bool)
    for centre in (second, near, third):
        network |= voxels_of(sample_box.img, centre, 8)
    expected = sample_box.img.get_fdata()[network].mean(axis=0)
    np.testing.assert_allclose(found[:, 0], expected, rtol=TOLERANCE)
    alone = SphereSeeds([first], 6).fit_transform(sample_box.img)[:, 0]
    np.testing.assert_allclose(found[:, 1], alone, rtol=TOLERANCE)
    assert seeds.places_ == [[second, near, third], [tuple(map(float, first))]]
    assert seeds.seed_names_[1] == "(0, -52, 18)"
    assert seeds.seed_names_[0].count(" + ") == 2
    adapter = adapter_of(seeds, "seed_masker")
    assert adapter.sphere(1) == ((0.0, -52.0, 18.0), 6.0)
    assert adapter.sphere(0) is None


def test_seeds_of_several_spheres_must_not_overlap_others(sample_box):
    first, second, third = sample_box.seeds
    near = tuple(np.add(third, [5.0, 0, 0]))
    seeds = SphereSeeds([[first, third], [second, near]], 6, names=["a", "b"])
    places = "seed 'a' at (-17, -38, 33) mm", "seed 'b' at (-12, -38, 33) mm"
    expected = words(*places, "radius=6.0", "overlap")
    with pytest.raises(ValueError, match=expected):
        seeds.fit(sample_box.img)
    seeds.set_params(allow_overlap=True).fit(sample_box.img)


# A mask of their own


def test_what_the_mask_takes_of_a_sphere_is_lost(sample_box):
    img, seeds = sample_box.img, sample_box.seeds
    centre = voxels_of(img, seeds[0], 0.1)
    assert centre.sum() == 0  # the seed lies beside the middle of its voxel
    held = SphereSeeds([seeds[0]], None).fit(img).inverse_transform([1.0]).get_fdata()
    whole = [voxels_of(img, seed, 9) for seed in seeds]
    for takes_centre in (True, False):
        kept = np.ones(img.shape[:3], bool)
        kept[np.nonzero(whole[0])[0].min()] = False
        kept[held > 0] = not takes_centre
        masker = SphereSeeds(seeds, 9, mask_img=mask_like(img, kept)).fit(img)
        laid = masker.on(masker.grid_)
        n_kept = (whole[0] & kept).sum()
        assert laid.sizes()[0] == n_kept
        lost = whole[0].sum() - n_kept if takes_centre else 0
        assert laid.lost.tolist() == [lost, 0, 0]
    assert n_kept < whole[0].sum()


def test_what_the_mask_takes_of_several_spheres(sample_box):
    img, (first, second, third) = sample_box.img, sample_box.seeds
    kept = ~voxels_of(img, first, 5)
    mask_img = mask_like(img, kept)
    masker = SphereSeeds([[first, third], second], 9, mask_img=mask_img).fit(img)
    laid = masker.on(masker.grid_)
    n_lost = (voxels_of(img, first, 9) & ~kept).sum()
    assert laid.lost.tolist() == [n_lost, 0]
    assert SphereSeeds([first]).fit().on(masker.grid_).lost is None


# Names and tables


TABLE = pd.DataFrame(
    {
        "name": ["PCC", "L IPS", "NA"],
        "x": [0, 21.4, -17],
        "y": [-52, -63.2, -38],
        "z": [18, 12.9, 33],
        "radius": [8, 6, 0],
        "network": ["default", "attention", None],
        "t": [3.0, 2.5, 9],
    }
)


def test_names(sample_box):
    names = ["PCC", "left IPS", "a + b"]
    for given in (names, tuple(names), np.array(names), pd.Series(names)):
        seeds = SphereSeeds(sample_box.seeds, names=given).fit()
        assert seeds.seed_names_ == names
    assert SphereSeeds(sample_box.seeds[:1], names="PCC").fit().seed_names_ == ["PCC"]
    twice = SphereSeeds([sample_box.seeds[0]] * 2, [3, 6], allow_overlap=True)
    assert twice.fit().seed_names_ == ["(0, -52, 18)", "(0, -52, 18) (2)"]
    assert twice.seed_table_ is None


@pytest.mark.parametrize("kind", ["frame", ".tsv", ".csv"])
def test_seeds_from_a_table(sample_box, tmp_path, kind):
    table = TABLE
    if kind != "frame":
        table = tmp_path / f"seeds{kind}"
        separator = "\t" if kind == ".tsv" else ","
        TABLE.replace("NA", "SMA").to_csv(table, sep=separator, index=False)
    seeds = SphereSeeds(table)
    found = seeds.fit_transform(sample_box.img)
    by_hand = SphereSeeds(sample_box.seeds, [8, 6, None]).fit_transform(sample_box.img)
    np.testing.assert_array_equal(found, by_hand)
    assert seeds.seed_names_ == ["PCC", "L IPS", "NA" if kind == "frame" else "SMA"]
    assert list(seeds.seed_table_.columns) == ["network", "t"]
    assert seeds.seed_table_["t"].tolist() == [3.0, 2.5, 9]


def test_seeds_from_a_table_with_less():
    three = TABLE[["z", "x", "y"]].set_index(pd.Index([9, 3, 5]))
    seeds = SphereSeeds(three, pd.Series([1, 2, 3]), names=["a", "b", "c"]).fit()
    assert seeds.seed_names_ == ["a", "b", "c"]
    assert seeds.places_[1] == [(21.4, -63.2, 12.9)]
    assert seeds.radii_ == [1, 2, 3]
    assert seeds.seed_table_ is None
    assert SphereSeeds(three).fit().seed_names_[0] == "(0, -52, 18)"
    with_more = SphereSeeds(three.assign(p=[1, 2, 3])).fit()
    assert with_more.seed_table_.index.tolist() == [0, 1, 2]
    numbered = SphereSeeds(three.assign(name=[1, 2, 3])).fit()
    assert numbered.seed_names_ == ["1", "2", "3"]


# Errors


def without(data, point):
    """Return a mask without the voxels around a point."""
    return mask_like(data.img, ~voxels_of(data.img, point, 12))


ERRORS = {
    "seed-outside": (
        lambda d: SphereSeeds([d.seeds[0], (500, 0, 0)], 8.0),
        ("seed '(500, 0, 0)' lies", "outside the image", "spans"),
    ),
    "named-seed-outside": (
        lambda d: SphereSeeds([d.seeds[0], (500, 0, 0)], names=["PCC", "far off"]),
        ("seed 'far off' at (500, 0, 0) mm lies outside the image",),
    ),
    "one-of-several-outside": (
        lambda d: SphereSeeds([[d.seeds[0], (500, 0, 0)]], names=["both"]),
        ("seed 'both' at (500, 0, 0) mm lies outside the image",),
    ),
    "seed-outside-mask": (
        lambda d: SphereSeeds([(0, -52, 18)], 3, mask_img=without(d, (0, -52, 18))),
        ("seed '(0, -52, 18)' lies outside mask_img",),
    ),
    "one-of-several-outside-mask": (
        lambda d: SphereSeeds([d.seeds], 3, mask_img=without(d, (0, -52, 18))),
        ("at (0, -52, 18) mm lies outside mask_img",),
    ),
    "mask-elsewhere": (
        lambda d: SphereSeeds(
            d.seeds, mask_img=nib.Nifti1Image(np.ones((2, 2, 2), "u1"), np.eye(4))
        ),
        ("mask_img", "do not overlap", "same space"),
    ),
    "overlap": (
        lambda d: SphereSeeds(d.seeds[:2], [8.0, 40.0], names=["PCC", "V1"]),
        (
            "seed 'PCC' at (0, -52, 18) mm (radius=8.0",
            "seed 'V1'",
            "allow_overlap=True",
        ),
    ),
    "radii": (lambda d: SphereSeeds(d.seeds, [8.0, 6.0]), ("got 2 for 3 seeds",)),
    "negative": (lambda d: SphereSeeds(d.seeds, [8, -1, 3]), ("radius", "-1")),
    "not-finite": (lambda d: SphereSeeds(d.seeds, np.inf), ("radius", "inf")),
    "nan": (lambda d: SphereSeeds(d.seeds, pd.Series([8, None, 3])), ("radius", "nan")),
    "truth": (lambda d: SphereSeeds(d.seeds, True), ("radius", "True")),
    "complex": (lambda d: SphereSeeds(d.seeds, 8 + 1j), ("radius", "(8+1j)")),
    "radius": (lambda d: SphereSeeds(d.seeds, "8"), ("radius", "'8'")),
    "nested-radii": (
        lambda d: SphereSeeds([d.seeds], [[8, 8, 8]]),
        ("radius", "[8, 8, 8]"),
    ),
    "coordinates": (lambda d: SphereSeeds([(0, 1)], 8.0), ("triplet", "(0, 1)")),
    "one-triplet": (lambda d: SphereSeeds((0, -52, 18)), ("triplets", "got 0.")),
    "nan-coordinates": (
        lambda d: SphereSeeds([(0, np.nan, 1)]),
        ("triplets", "(0, nan, 1)"),
    ),
    "complex-coordinates": (
        lambda d: SphereSeeds(np.array([(0, 1j, 1)])),
        ("triplets", "1.j"),
    ),
    "words-for-coordinates": (
        lambda d: SphereSeeds([("0", "1", "2")]),
        ("triplets", "('0', '1', '2')"),
    ),
    "deeper": (lambda d: SphereSeeds([[d.seeds]]), ("triplets", "[[(0, -52, 18)")),
    "generator": (
        lambda d: SphereSeeds(seed for seed in d.seeds),
        ("a sequence of triplets", "generator"),
    ),
    "set": (lambda d: SphereSeeds({(0, 1, 2)}), ("sequence", "{(0, 1, 2)}")),
    "number": (lambda d: SphereSeeds(3), ("sequence", "got 3")),
    "no-seeds": (lambda d: SphereSeeds([]), ("sequence", "got none")),
    "seed-without-places": (lambda d: SphereSeeds([[]]), ("triplets", "got []")),
    "table-file": (
        lambda d: SphereSeeds("a.tsv"),
        ("seeds: there is no file 'a.tsv'",),
    ),
    "table-columns": (
        lambda d: SphereSeeds(TABLE.drop(columns="y")),
        ("columns x, y and z", "['name', 'x', 'z'"),
    ),
    "table-columns-twice": (
        lambda d: SphereSeeds(pd.concat([TABLE, TABLE[["t"]]], axis=1)),
        ("each column once", "'t', 't'"),
    ),
    "table-names-twice": (
        lambda d: SphereSeeds(TABLE, names=["a", "b", "c"]),
        ("names", "a column name"),
    ),
    "table-radii-twice": (
        lambda d: SphereSeeds(TABLE, radius=6),
        ("radius=6", "a column radius"),
    ),
    "table-of-one-name": (
        lambda d: SphereSeeds(TABLE.assign(name="PCC")),
        ("names must differ", "'PCC'"),
    ),
    "table-without-a-name": (
        lambda d: SphereSeeds(TABLE.assign(name=["a", None, "b"])),
        ("names must hold a text for each seed",),
    ),
    "table-without-a-number": (
        lambda d: SphereSeeds(TABLE.assign(x=[1, None, 2])),
        ("triplets", "nan"),
    ),
    "names": (lambda d: SphereSeeds(d.seeds, names=["a"]), ("got 1 for 3 seeds",)),
    "same-names": (
        lambda d: SphereSeeds(d.seeds, names=["a", "b", "a"]),
        ("names must differ, but 'a'",),
    ),
    "names-of-numbers": (
        lambda d: SphereSeeds(d.seeds, names=[1, 2, 3]),
        ("names must hold a text", "got 1"),
    ),
    "blank-name": (
        lambda d: SphereSeeds(d.seeds, names=["a", " ", "b"]),
        ("names must hold a text", "' '"),
    ),
    "allow-overlap": (
        lambda d: SphereSeeds(d.seeds, allow_overlap="no"),
        ("allow_overlap must be True or False, got 'no'",),
    ),
    "empty-mask": (
        lambda d: SphereSeeds(d.seeds, mask_img=new_img_like(d.mask_img, ZEROS)),
        ("mask_img: it is empty",),
    ),
    "mask-file": (
        lambda d: SphereSeeds(d.seeds, mask_img="absent.nii"),
        ("mask_img ('absent.nii')", "no file 'absent.nii'"),
    ),
    "mask-4d": (
        lambda d: SphereSeeds(d.seeds, mask_img=d.img),
        ("mask_img: it must be a 3D image", "got 200 volumes"),
    ),
    "mask-array": (
        lambda d: SphereSeeds(d.seeds, mask_img=np.ones((2, 2))),
        ("mask_img must be a 3D image, its path", "ndarray"),
    ),
    "complex-mask": (
        lambda d: SphereSeeds(d.seeds, mask_img=nib.Nifti1Image(ZEROS + 1j, np.eye(4))),
        ("mask_img: it must hold real numbers", "complex"),
    ),
}
ZEROS = np.zeros((11, 9, 8), "u1")


@pytest.mark.parametrize("name", ERRORS)
def test_errors(sample_box, name):
    make, parts = ERRORS[name]
    with pytest.raises((TypeError, ValueError, OSError), match=words(*parts)):
        make(sample_box).fit_transform(sample_box.img)


def test_a_mask_with_a_fourth_axis_of_one_or_gaps(sample_box):
    inside = np.asarray(sample_box.mask_img.dataobj)
    expected = SphereSeeds(sample_box.seeds, 9, mask_img=sample_box.mask_img)
    expected = expected.fit_transform(sample_box.img)
    with_nan = np.where(inside, 1.0, np.nan)
    for data in (inside[..., np.newaxis], with_nan):
        mask_img = nib.Nifti1Image(data, sample_box.mask_img.affine)
        found = SphereSeeds(sample_box.seeds, 9, mask_img=mask_img)
        np.testing.assert_array_equal(found.fit_transform(sample_box.img), expected)


def test_spheres_lie_in_volumes(cortex):
    with pytest.raises(TypeError, match=words("spheres", "a surface", "SurfaceSeeds")):
        SphereSeeds([(0, 0, 0)]).fit(cortex.img)
