"""`MapSeeds`: the signals of nilearn's maps maskers, with names."""

import nibabel as nib
import numpy as np
import pytest
from masker_helpers import mask_of, moved
from nilearn.maskers import (
    NiftiMapsMasker,
    NiftiMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from nilearn.surface import SurfaceImage

from helpers import save, words
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.maskers import MapSeeds
from sbc_estimators.plotting import plot_seed_map

NAMES = ["visual", "L motor", "default mode"]


def surface_maps(cortex, n_maps=2):
    """Return maps on a surface."""
    rng = np.random.default_rng(0)
    mesh = cortex.mesh
    parts = {name: rng.random((p.n_vertices, n_maps)) for name, p in mesh.parts.items()}
    return SurfaceImage(mesh, parts)


def test_signals_are_nilearn_s(nilearn_signals, sample_box, cortex):
    for mask_img in (None, mask_of(sample_box, 1, 2)):
        masker = NiftiMapsMasker(sample_box.maps_img, mask_img=mask_img)
        found = MapSeeds(sample_box.maps_img, mask_img=mask_img)
        expected = nilearn_signals(masker, sample_box.run)
        np.testing.assert_allclose(found.fit_transform(sample_box.img), expected)
    maps_img = surface_maps(cortex)
    found = MapSeeds(maps_img).fit_transform(cortex.img)
    expected = nilearn_signals(SurfaceMapsMasker(maps_img), cortex.run)
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("cleaning", [{}, {"low_pass": 0.1, "high_pass": 0.01}])
def test_maps_are_those_of_nilearn_s_masker(sample_box, cleaning):
    own = {"detrend": True, "t_r": 1.5, **cleaning}
    brain = NiftiMasker(sample_box.mask_img, smoothing_fwhm=5, **own)
    sbc = SeedCorrelationMap(MapSeeds(sample_box.maps_img, NAMES), brain)
    sbc.fit(sample_box.run)
    assert sbc.seed_names_ == NAMES
    assert sbc.seed_report_["seed"].tolist() == NAMES
    assert sbc.get_feature_names_out()[-1].startswith("default mode voxel")
    nilearn_own = NiftiMapsMasker(sample_box.maps_img, **own)
    expected = SeedCorrelationMap(nilearn_own, brain).fit(sample_box.run)
    np.testing.assert_allclose(sbc.correlations_, expected.correlations_, atol=1e-6)
    for name in ("n_voxels", "coverage", "in_mask", "tsnr"):
        found = sbc.seed_report_[name].astype(float)
        np.testing.assert_allclose(found, expected.seed_report_[name].astype(float))


def test_as_targets(sample_box, cortex):
    seeds = MapSeeds(sample_box.maps_img, NAMES)
    sbc = SeedCorrelationMap(seeds, MapSeeds(sample_box.maps_img, NAMES))
    sbc.fit(sample_box.run)
    assert sbc.get_feature_names_out()[0] == "visual visual"
    np.testing.assert_allclose(np.diag(sbc.correlations_), 1, atol=1e-6)
    maps_img = surface_maps(cortex)
    sbc = SeedCorrelationMap(MapSeeds(maps_img), SurfaceMasker(cortex.mask_img))
    sbc.fit(cortex.run)
    assert sbc.seed_names_ == ["map0", "map1"]


def test_names(sample_box, tmp_path):
    single = sample_box.maps_img.slicer[..., 0]
    assert MapSeeds(single).fit().seed_names_ == ["map0"]
    path = save(single, tmp_path / "component 7.nii.gz")
    assert MapSeeds(path).fit().seed_names_ == ["component 7"]
    assert MapSeeds(sample_box.maps_img).fit().seed_names_ == ["map0", "map1", "map2"]
    with pytest.raises(ValueError, match=words("names", "2 for 3 seeds")):
        MapSeeds(sample_box.maps_img, NAMES[:2]).fit()


def test_images_are_sums_of_the_maps(sample_box, cortex):
    seeds = MapSeeds(sample_box.maps_img, mask_img=mask_of(sample_box, 2)).fit()
    img = seeds.inverse_transform([1.0, -2, 0])
    maps = np.asarray(sample_box.maps_img.dataobj)
    inside = np.asarray(mask_of(sample_box, 2).dataobj)
    expected = (maps[..., 0] - 2 * maps[..., 1]) * inside
    np.testing.assert_allclose(img.get_fdata(), expected)
    assert seeds.inverse_transform(np.eye(3)).shape == maps.shape
    maps_img = surface_maps(cortex)
    img = MapSeeds(maps_img).fit().inverse_transform(np.eye(2))
    for name, part in img.data.parts.items():
        np.testing.assert_allclose(part, maps_img.data.parts[name])


def test_maps_of_each_person(sample_box):
    other = nib.Nifti1Image(
        np.asarray(sample_box.maps_img.dataobj)[..., ::-1], sample_box.maps_img.affine
    )
    places = sample_box.maps_img, other
    runs = [Run(sample_box.img, seed_places=own) for own in places]
    sbc = SeedCorrelationMap(MapSeeds("run", NAMES), NiftiMasker(sample_box.mask_img))
    z = sbc.fit_transform(runs).reshape(2, 3, -1)
    np.testing.assert_allclose(z[0], z[1, ::-1], atol=1e-5)
    assert sbc.seed_report_["seed"].tolist() == NAMES * 2


def test_a_picture(sample_box):
    sbc = SeedCorrelationMap(
        MapSeeds(sample_box.maps_img, NAMES), NiftiMasker(sample_box.mask_img)
    ).fit(sample_box.run)
    display = plot_seed_map(sbc, seed="L motor", bg_img=sample_box.mask_img)
    display.close()


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda d: MapSeeds("none.nii"), FileNotFoundError, ("maps_img", "none.nii")),
        (lambda d: MapSeeds(3), TypeError, ("maps_img", "int")),
        (
            lambda d: MapSeeds(d.maps_img, NAMES, mask_img=moved(d.mask_img, 500)),
            ValueError,
            ("mask_img", "do not overlap"),
        ),
        (
            lambda d: MapSeeds(half_empty(d), NAMES[:2]),
            ValueError,
            ("nothing is left of map 'L motor'", "Leave it out"),
        ),
    ],
)
def test_errors(sample_box, make, error, said):
    sbc = SeedCorrelationMap(make(sample_box), NiftiMasker(sample_box.mask_img))
    with pytest.raises(error, match=words("seed_masker", *said)):
        sbc.fit(sample_box.run)


def half_empty(data):
    """Return two maps, one of them empty."""
    maps = np.asarray(data.maps_img.dataobj)[..., :2] * [1, 0]
    return nib.Nifti1Image(maps, data.maps_img.affine)
