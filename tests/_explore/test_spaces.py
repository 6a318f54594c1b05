"""Places: which voxel or vertex stands for coordinates, and which lie around it."""

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker
from nilearn.surface import InMemoryMesh, PolyMesh

from sbc_estimators import SeedCorrelationMap
from sbc_estimators._explore.spaces import SurfaceSpace, VolumeSpace, space_of
from sbc_estimators._images.grids import VolumeGrid
from sbc_estimators._images.meshes import SurfaceGrid
from sbc_estimators._images.opening import grid_of
from sbc_estimators.datasets import make_grayordinate_runs
from sbc_estimators.maskers import SphereSeeds, SurfaceSeeds

OBLIQUE = np.array([[2, 0.3, 0, -9], [-0.3, 2, 0.1, -8], [0, 0.1, 3, -7], [0, 0, 0, 1]])


@pytest.fixture(scope="module")
def volume():
    mask = np.zeros((9, 8, 6), np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    mask[4, 4, 3] = 0
    grid = VolumeGrid(mask.shape, OBLIQUE)
    return VolumeSpace(nib.Nifti1Image(mask, OBLIQUE), grid, mask.ravel() != 0)


def strip(n):
    """Return a strip of two rows of n vertices, 2 mm apart."""
    x, y = np.indices((n, 2)).reshape(2, -1)
    first = 2 * np.arange(n - 1)
    faces = [(i, i + 1, i + 2) for i in first] + [(i + 1, i + 3, i + 2) for i in first]
    return InMemoryMesh(np.stack([2.0 * x, 2.0 * y, 0.0 * x], axis=1), np.array(faces))


@pytest.fixture(scope="module")
def surface():
    left, right = strip(12), strip(10)
    right.coordinates[:, 0] += 100
    mesh = PolyMesh(left=left, right=right)
    return SurfaceSpace(SurfaceGrid(mesh), np.arange(44) >= 4)


def test_a_place_is_a_voxel_of_the_mask_in_order(volume):
    assert volume.n_places == 7 * 6 * 4 - 1
    np.testing.assert_array_equal(volume.voxels, np.argwhere(volume.mask))
    for place in (0, 17, volume.n_places - 1):
        assert volume.place_at(volume.point(place)) == place
    nudged = np.array(volume.point(17)) + 0.4
    assert volume.place_at(nudged) == 17


@pytest.mark.parametrize("xyz", [(-99, 0, 0), (1e6, 0, 0)])
def test_no_place_outside_of_the_mask(volume, xyz):
    with pytest.raises(ValueError, match="mm lies outside the brain mask"):
        volume.place_at(xyz)
    hole = nib.affines.apply_affine(OBLIQUE, (4, 4, 3))
    with pytest.raises(ValueError, match="outside the brain mask"):
        volume.place_at(hole)


def test_a_seed_holds_voxels_of_the_mask_around_the_place(volume):
    regions = volume.seed(17, 4.0).fit(volume.mask_img).on(volume.grid)
    gaps = np.linalg.norm(volume.points - volume.point(17), axis=1)
    inside = np.flatnonzero(volume.inside)[gaps <= 4.0]
    np.testing.assert_array_equal(np.sort(regions.members), inside)


def test_a_seed_of_no_radius_is_its_voxel(volume):
    regions = volume.seed(17, 0.0).fit(volume.mask_img).on(volume.grid)
    assert len(regions.members) == 1


def test_a_place_on_a_surface_is_a_vertex_of_the_mask(surface):
    assert surface.n_places == 40
    assert surface.place_at((100.2, 0.1, 0)) == 20
    np.testing.assert_allclose(surface.point(0), (4, 0, 0))
    with pytest.raises(ValueError, match="mm lies 50 mm from the nearest vertex"):
        surface.place_at((100, 0, 50))


def test_a_seed_on_a_surface_is_a_disc(surface):
    seed = surface.seed(surface.place_at((106, 0, 0)), 2.0)
    assert (seed.seeds, seed.hemisphere, seed.radius) == ([6], "right", 2.0)
    assert surface.seed(3, 0.0).radius == 0


def test_faces_are_counted_through_the_parts(surface):
    assert surface.faces.max() == 43


def test_the_header_makes_an_image(volume):
    header = nib.Nifti1Header(volume.parts()["header"][:348].tobytes())
    np.testing.assert_allclose(header.get_best_affine(), OBLIQUE, atol=1e-6)
    assert header.get_data_shape() == volume.mask.shape
    assert header.get_data_dtype() == np.float32


def test_maps_of_regions_cannot_be_explored(simulated):
    brain = NiftiLabelsMasker(simulated.labels_img)
    seeds = SphereSeeds(simulated.seeds[:1], radius=8)
    sbc = SeedCorrelationMap(seeds, brain).fit(simulated.run)
    with pytest.raises(TypeError, match=r"got the brain_masker NiftiLabelsMasker\. Pa"):
        space_of(sbc, grid_of(simulated.img))


def test_maps_without_a_mask_cannot_be_explored():
    sbc = SimpleNamespace(brain_masker_=object(), n_voxels_=3)
    with pytest.raises(TypeError, match="brain_masker object"):
        space_of(sbc, None)


def test_grayordinates_are_refused_with_a_cure():
    data = make_grayordinate_runs(1, 60, 200, 150, random_state=0)
    seeds = SurfaceSeeds(data.seeds[:1], None, hemisphere="left")
    sbc = SeedCorrelationMap(seeds).fit(data.runs[0])
    with pytest.raises(TypeError, match="Of grayordinates no page can be shown yet"):
        space_of(sbc, grid_of(data.runs[0].img))
