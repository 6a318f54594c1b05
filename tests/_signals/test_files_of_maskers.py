"""What users pass to nilearn's maskers: read by us, and the same wherever it goes."""

import warnings

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
    SurfaceMapsMasker,
    SurfaceMasker,
)
from nilearn.surface import SurfaceImage

from helpers import every_pair, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import RegionSeeds, SphereSeeds

pytestmark = pytest.mark.usefixtures("seeds_anywhere")


def brain(data, **options):
    """Return a masker of the brain."""
    return NiftiMasker(data.mask_img, detrend=True, **options)


def r_of(data, seeds=None, brain_masker=None, img=None):
    """Return the map of seeds."""
    seeds = SphereSeeds(data.seeds, radius=6) if seeds is None else seeds
    brain_masker = brain(data) if brain_masker is None else brain_masker
    sbc = SeedCorrelationMap(seeds, brain_masker)
    return sbc.fit(data.img if img is None else img).correlations_


def changed(img, array=None, affine=None):
    """Return an image of other numbers, or at another place."""
    array = np.asarray(img.dataobj) if array is None else array
    return nib.Nifti1Image(array, img.affine if affine is None else affine)


# The same grid

SHIFTS = [1e-7, 1e-5, 1e-4]
"""Of millimetres; voxels have 4."""


def rounded(img, shift):
    """Return an image whose affine is off by a rounding."""
    affine = img.affine.copy()
    affine[0, 1] += shift
    affine[:3, 3] += shift
    return changed(img, affine=affine)


def slabs(img):
    """Return a label for each x, up to the edge of the image."""
    labels = 1 + np.indices(img.shape[:3])[0]
    return nib.Nifti1Image(labels.astype(np.int16), img.affine)


def everywhere(data):
    """Return a run with a signal up to the edge, and a mask of all of it."""
    noise = np.random.default_rng(0).standard_normal((*data.mask_img.shape, 40))
    mask = np.ones(data.mask_img.shape, np.uint8)
    return changed(data.mask_img, 100 + noise), changed(data.mask_img, mask)


@pytest.mark.parametrize(
    ("shift", "name", "strategy"),
    every_pair(SHIFTS, ["labels_img", "mask_img", "both"], ["mean", "median"]),
)
def test_regions_off_by_a_rounding_are_on_the_grid(simulated, shift, strategy, name):
    """nilearn resampled them, and lost those at the edge, with a warning."""
    img, mask = everywhere(simulated)
    images = {"labels_img": slabs(img), "mask_img": mask}
    options = {"strategy": strategy, "detrend": True}
    expected = r_of(simulated, NiftiLabelsMasker(**images, **options), img=img)
    names = [*images] if name == "both" else [name]
    images |= {own: rounded(images[own], shift) for own in names}
    found = r_of(simulated, NiftiLabelsMasker(**images, **options), img=img)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("options", [{}, {"smoothing_fwhm": 6}])
def test_a_mask_off_by_a_rounding_is_on_the_grid(simulated, shift, options):
    """110 of 1,331 voxels had r = 0."""
    img, mask = everywhere(simulated)
    expected = r_of(simulated, brain_masker=NiftiMasker(mask, **options), img=img)
    own = NiftiMasker(rounded(mask, shift), **options)
    np.testing.assert_array_equal(r_of(simulated, brain_masker=own, img=img), expected)


def test_runs_off_by_a_rounding_share_a_mask(simulated):
    """nilearn refused to compute one."""
    runs = [simulated.img, rounded(simulated.img, 1e-6)]
    sbc = SeedCorrelationMap(SphereSeeds(simulated.seeds, 6), NiftiMasker())
    sbc.fit(runs)
    assert sbc.run_report_["n_without_signal"].tolist() == [0, 0]


@pytest.mark.filterwarnings("ignore:imgs are being resampled", "ignore:overflow")
def test_warning_names_resampling_where_it_is_real(simulated):
    affine = simulated.mask_img.affine.copy()
    affine[0, 3] += 20.0
    mask = changed(*[simulated.mask_img, None, affine])
    expected = words("no signal", "beyond the image", "has to be resampled")
    with pytest.warns(UserWarning, match=expected):
        r_of(simulated, brain_masker=NiftiMasker(mask))


# Masks and labels


def test_a_mask_may_have_a_fourth_axis_of_one(simulated):
    expected = r_of(simulated)
    for n_axes in (1, 2):
        axes = (..., *[np.newaxis] * n_axes)
        mask = changed(simulated.mask_img, np.asarray(simulated.mask_img.dataobj)[axes])
        found = r_of(simulated, brain_masker=NiftiMasker(mask, detrend=True))
        np.testing.assert_array_equal(found, expected)
        spheres = SphereSeeds(simulated.seeds, radius=6, mask_img=mask)
        plain = SphereSeeds(simulated.seeds, radius=6, mask_img=simulated.mask_img)
        np.testing.assert_array_equal(r_of(simulated, spheres), r_of(simulated, plain))


def test_nan_in_a_mask_is_outside(simulated):
    values = np.asarray(simulated.mask_img.dataobj).astype(np.float32)
    values[values == 0] = np.nan
    mask = changed(simulated.mask_img, values)
    found = r_of(simulated, brain_masker=NiftiMasker(mask, detrend=True))
    np.testing.assert_array_equal(found, r_of(simulated))


def odd_labels(labels, rng):
    """Return labels as a scale factor leaves them, NaN in the background."""
    off = labels + rng.uniform(-1e-4, 1e-4, labels.shape)
    return np.where(labels == 0, np.nan, off).astype(np.float32)


@pytest.mark.parametrize("kind", [NiftiLabelsMasker, RegionSeeds])
def test_labels_a_rounding_off_are_integers(simulated, kind):
    """Each voxel was a region of its own."""
    labels = np.asarray(simulated.labels_img.dataobj)
    odd = odd_labels(labels, np.random.default_rng(0))
    expected = r_of(simulated, NiftiLabelsMasker(simulated.labels_img, detrend=True))
    options = {"detrend": True} if kind is NiftiLabelsMasker else {}
    found = r_of(simulated, kind(changed(simulated.labels_img, odd), **options))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_labels_a_rounding_off_on_a_surface(surface):
    rng = np.random.default_rng(0)
    parts = surface.labels_img.data.parts
    odd = {name: odd_labels(part, rng) for name, part in parts.items()}
    odd = SurfaceImage(surface.labels_img.mesh, odd)
    maps = [
        SeedCorrelationMap(SurfaceLabelsMasker(img), SurfaceMasker(surface.mask_img))
        .fit(surface.run)
        .correlations_
        for img in (surface.labels_img, odd)
    ]
    np.testing.assert_array_equal(maps[1], maps[0])


@pytest.mark.parametrize("kind", [NiftiLabelsMasker, RegionSeeds])
def test_labels_that_are_no_integers_are_an_error(simulated, kind):
    labels = changed(simulated.labels_img, 1.5 * simulated.labels_img.get_fdata())
    with pytest.raises(ValueError, match=words("labels_img", "an integer", 4.5)):
        r_of(simulated, kind(labels))


@pytest.mark.parametrize(
    "make",
    [
        lambda img: {"brain_masker": NiftiMasker(img)},
        lambda img: {"seeds": NiftiLabelsMasker(img)},
        lambda img: {"seeds": NiftiMapsMasker(img)},
        lambda img: {"seeds": NiftiSpheresMasker([(0, 0, 0)], mask_img=img)},
        lambda img: {"seeds": RegionSeeds(img)},
        lambda img: {"seeds": SphereSeeds([(0, 0, 0)], mask_img=img)},
    ],
)
def test_complex_images_are_an_error(simulated, make):
    """Their imaginary part was dropped with a word of numpy's."""
    values = np.asarray(simulated.mask_img.dataobj) * (1 + 1j)
    img = nib.Nifti1Image(values.astype(np.complex64), simulated.mask_img.affine)
    with pytest.raises(TypeError, match="must hold real numbers, got dtype complex64"):
        r_of(simulated, **make(img))


def test_complex_images_of_a_surface_are_an_error(surface):
    def complex_of(img):
        parts = {name: part + 1j for name, part in img.data.parts.items()}
        return SurfaceImage(img.mesh, parts)

    masker = SurfaceMasker(surface.mask_img)
    with pytest.raises(ValueError, match=r"run 0: .* real numbers, got dtype complex"):
        SeedCorrelationMap(masker, masker).fit(complex_of(surface.img))
    masker = SurfaceMasker(complex_of(surface.mask_img))
    with pytest.raises(TypeError, match="mask_img: it must hold real numbers"):
        SeedCorrelationMap(masker, masker).fit(surface.img)


def test_parameters_of_users_and_clones_are_left_alone(simulated, tmp_path):
    path = str(tmp_path / "mask.nii.gz")
    nib.save(changed(simulated.mask_img), path)
    masker = NiftiMasker(path, detrend=True)
    sbc = SeedCorrelationMap(SphereSeeds(simulated.seeds, radius=6), masker)
    sbc.fit(simulated.img)
    assert masker.mask_img == sbc.brain_masker_.mask_img == path


# Maps that must not overlap


def apart(data, sign):
    """Return three maps that share no voxel, of weights of a sign or of both."""
    mask = np.asarray(data.mask_img.dataobj) != 0
    thirds = np.indices(mask.shape)[0] // 5
    weights = np.random.default_rng(0).standard_normal(mask.shape) + 0.3
    weights = weights if sign == 0 else sign * np.abs(weights)
    maps = [np.where(mask & (thirds == k), weights, 0.0) for k in range(3)]
    return nib.Nifti1Image(np.stack(maps, axis=-1), data.mask_img.affine)


@pytest.mark.parametrize("sign", [0, -1, 1])
@pytest.mark.parametrize("options", [{}, {"smoothing_fwhm": 5}])
def test_maps_apart_are_the_same_wherever_overlaps_are_looked_for(
    simulated, sign, options
):
    """Negative weights became 0: r was off by 0.60, and a negative map was dropped."""
    maps = apart(simulated, sign)
    options = {"detrend": True, "mask_img": simulated.mask_img, **options}
    options["keep_masked_maps"] = False
    expected = r_of(simulated, NiftiMapsMasker(maps, **options))
    found = r_of(simulated, NiftiMapsMasker(maps, allow_overlap=False, **options))
    assert len(found) == 3
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("scale", [1, 1e-17, -1e-17])
def test_maps_apart_on_a_grid_of_their_own(simulated, scale):
    maps = apart(simulated, 0)
    maps = changed(maps, scale * np.asarray(maps.dataobj))
    affine = maps.affine.copy()
    affine[:3, 3] += 1.0
    maps = changed(maps, affine=affine)
    options = {"detrend": True, "resampling_target": "maps"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nilearn's resampling
        expected = r_of(simulated, NiftiMapsMasker(maps, **options))
        own = NiftiMapsMasker(maps, allow_overlap=False, **options)
        found = r_of(simulated, own)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("scale", [1, 1e-17])
def test_maps_that_overlap_are_an_error_of_any_sign(simulated, sign, scale):
    maps = np.abs(simulated.maps_img.get_fdata()) * sign * scale
    masker = NiftiMapsMasker(changed(simulated.maps_img, maps), allow_overlap=False)
    expected = words("run 0", "seed_masker", "maps 0 and 1", "overlap")
    with pytest.raises(ValueError, match=expected):
        r_of(simulated, masker)


def test_maps_that_overlap_on_a_surface(surface):
    """nilearn has the parameter, and looks for nothing."""
    masker = SurfaceMapsMasker(surface.maps_img, allow_overlap=False)
    sbc = SeedCorrelationMap(masker, SurfaceMasker(surface.mask_img))
    with pytest.raises(ValueError, match="maps 0 and 1 of maps_img overlap, in 120"):
        sbc.fit(surface.run)


# Tables of names


def test_names_of_nilearns_regions_are_read_as_ours(simulated, tmp_path):
    """A region called "NA" became a missing one."""
    names = ["NA", "007", "null", "a"]
    lut = pd.DataFrame({"index": range(1, 5), "name": names})
    for separator in ("\t", ";", ","):
        lut.to_csv(tmp_path / "lut.tsv", sep=separator, index=False)
        masker = NiftiLabelsMasker(
            simulated.labels_img, lut=str(tmp_path / "lut.tsv"), detrend=True
        )
        sbc = SeedCorrelationMap(masker, brain(simulated)).fit(simulated.img)
        assert sbc.seed_names_ == names


def test_names_of_nilearns_regions_are_never_fetched(simulated, monkeypatch):
    def fetched(*_, **__):
        raise AssertionError("something was fetched")

    monkeypatch.setattr("urllib.request.urlopen", fetched)
    address = "http://localhost/lut.tsv"
    masker = NiftiLabelsMasker(simulated.labels_img, lut=address)
    with pytest.raises(FileNotFoundError, match=words("seed_masker: lut", address)):
        r_of(simulated, masker)


@pytest.mark.parametrize("lut", [3, ["a"], "twice.tsv"])
def test_tables_of_names_that_make_no_sense(simulated, tmp_path, lut):
    (tmp_path / "twice.tsv").write_text("index\tname\n1\ta\n1\tb\n")
    lut = str(tmp_path / lut) if isinstance(lut, str) else lut
    with pytest.raises((TypeError, ValueError), match="seed_masker: lut"):
        r_of(simulated, NiftiLabelsMasker(simulated.labels_img, lut=lut))


# Doubts


def of_header(img, path, **fields):
    """Write an image with other values in its header, and return the path."""
    nib.save(changed(img), path)
    content = path.read_bytes()
    header = nib.Nifti1Header(content[:348])
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[348:])
    return path


DOUBTS = {
    "meter": ({"xyzt_units": 1}, ["'meter'", "as mm", "1000, 1000, 1000, 1"]),
    "micron": ({"xyzt_units": 3}, ["'micron'", "as mm", "0.001, 0.001, 0.001, 1"]),
    "no place": (
        {"sform_code": 0, "qform_code": 0},
        ["sform and qform", "both 0", "set_sform"],
    ),
}


@pytest.mark.parametrize("name", DOUBTS)
def test_doubts_about_places_are_said_of_every_image(simulated, tmp_path, name):
    fields, said = DOUBTS[name]
    run = of_header(simulated.img, tmp_path / "run.nii", **fields)
    mask = of_header(simulated.mask_img, tmp_path / "mask.nii", **fields)
    labels = of_header(simulated.labels_img, tmp_path / "labels.nii", **fields)
    images = {
        "run": lambda: SeedCorrelationMap(
            RegionSeeds(str(mask)), NiftiMasker(str(mask))
        ).fit(run),
        "mask_img": lambda: r_of(simulated, brain_masker=NiftiMasker(str(mask))),
        "labels_img": lambda: r_of(simulated, RegionSeeds(str(labels))),
    }
    for what, use in images.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if name == "no place" and what != "run":
                # It lies somewhere else than the run.
                with np.errstate(all="ignore"):
                    try_to(use)
            else:
                use()
        own = [str(w.message) for w in caught if what in str(w.message)]
        assert any(all(word in text for word in said) for text in own)


def try_to(use):
    """Call what may fail for reasons of its own."""
    try:
        use()
    except ValueError:
        return


@pytest.mark.parametrize("code", [127, 7, 64, 255])
def test_units_that_nobody_knows_are_unknown(simulated, tmp_path, code):
    """Byte 123 of a header: a bare KeyError."""
    path = of_header(simulated.img, tmp_path / "run.nii", xyzt_units=code)
    run = Run(path, t_r=2.0)
    np.testing.assert_array_equal(r_of(simulated, img=run), r_of(simulated))
    with pytest.raises(ValueError, match=r"got t_r=None.*or to Run\.$"):
        r_of(simulated, brain_masker=brain(simulated, low_pass=0.1), img=path)
