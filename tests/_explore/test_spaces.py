"""Places: which voxel or vertex stands for coordinates, and which lie around it."""

from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiLabelsMasker, SurfaceMasker
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from sklearn.base import clone

from grayordinate_helpers import column_of, of_axes, simulated_acquisition
from sbc_estimators import SeedCorrelationMap
from sbc_estimators._explore.spaces import Space, SurfaceSpace, VolumeSpace, space_of
from sbc_estimators._images.grids import VolumeGrid
from sbc_estimators._images.meshes import SurfaceGrid
from sbc_estimators._images.opening import grid_of, read_still
from sbc_estimators._signals.kinds import adapter_of
from sbc_estimators.maskers import GrayordinateMasker, SphereSeeds, SurfaceSeeds

OBLIQUE = np.array([[2, 0.3, 0, -9], [-0.3, 2, 0.1, -8], [0, 0.1, 3, -7], [0, 0, 0, 1]])


def places(inside):
    """Return the place at each position, of those that are inside."""
    return np.where(inside, np.cumsum(inside) - 1, -1)


@pytest.fixture(scope="module")
def volume():
    mask = np.zeros((9, 8, 6), np.uint8)
    mask[1:-1, 1:-1, 1:-1] = 1
    mask[4, 4, 3] = 0
    grid = VolumeGrid(mask.shape, OBLIQUE)
    return Space(grid, VolumeSpace(grid, places(mask.ravel() != 0)), None)


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
    grid = SurfaceGrid(mesh)
    return Space(grid, None, SurfaceSpace(grid, places(np.arange(44) >= 4)))


def test_a_place_is_a_voxel_of_the_mask_in_order(volume):
    assert volume.n_places == 7 * 6 * 4 - 1
    voxels = np.argwhere(volume.volume.mask)
    np.testing.assert_allclose(volume.points, nib.affines.apply_affine(OBLIQUE, voxels))
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
    regions = volume.seed(17, 4.0).fit(volume.volume.mask_img).on(volume.grid)
    gaps = np.linalg.norm(volume.points - volume.point(17), axis=1)
    inside = volume.volume.positions[gaps <= 4.0]
    np.testing.assert_array_equal(np.sort(regions.members), inside)


def test_a_seed_of_no_radius_is_its_voxel(volume):
    regions = volume.seed(17, 0.0).fit(volume.volume.mask_img).on(volume.grid)
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
    assert surface.cortex.faces.max() == 43


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("place", [1, (2.4, 0, 0)])
def test_a_seed_at_the_midline_is_in_its_hemisphere(side, place):
    left, right = strip(12), strip(12)
    right.coordinates[:, 0] += 0.5
    rng, mesh = np.random.default_rng(0), PolyMesh(left=left, right=right)
    parts = {name: rng.standard_normal((24, 40)) for name in ("left", "right")}
    seeds = SurfaceSeeds([place], 3, hemisphere=side)
    brain = SurfaceMasker(standardize=None)
    sbc = SeedCorrelationMap(seeds, brain).fit(SurfaceImage(mesh, parts))
    space = space_of(sbc, SurfaceGrid(mesh))
    found, radius = space.sphere_of(adapter_of(sbc.seed_masker_, "seed_masker"), 0)
    again = space.seed(found, radius)
    assert again.hemisphere == side
    other = clone(sbc).set_params(seed_masker=again).fit(SurfaceImage(mesh, parts))
    np.testing.assert_array_equal(other.correlations_, sbc.correlations_)


def test_the_header_tells_the_space_of_maps(sample):
    grid = grid_of(sample.sbc.brain_masker_.mask_img_)
    header = space_of(sample.sbc, grid).arrays()["header"]
    found = nib.Nifti1Header(header[:348].tobytes())
    row = np.zeros(sample.sbc.n_voxels_)
    expected = sample.sbc.inverse_transform(row).header
    for code in ("sform_code", "qform_code"):
        assert found[code] == expected[code] != 0


def test_the_header_makes_an_image(volume):
    header = nib.Nifti1Header(volume.arrays()["header"][:348].tobytes())
    np.testing.assert_allclose(header.get_best_affine(), OBLIQUE, atol=1e-6)
    assert header.get_data_shape() == volume.grid.shape
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


# Grayordinates


@pytest.fixture(scope="module")
def acquired():
    return simulated_acquisition(60)


def space_of_grayordinates(data, img=None, **options):
    """Return the space of the maps of a vertex, with the fitted estimator."""
    img = data.img if img is None else img
    seeds = SurfaceSeeds([data.seeds[0]], None, hemisphere="left")
    brain = GrayordinateMasker(**{"mesh": data.mesh, **options})
    sbc = SeedCorrelationMap(seeds, brain).fit(img)
    return space_of(sbc, grid_of(img)), sbc


def test_grayordinates_are_voxels_and_vertices(acquired):
    space, _ = space_of_grayordinates(acquired)
    axis = acquired.axis
    assert space.n_places == len(axis)
    voxels = axis.voxel[acquired.is_voxel]
    expected = nib.affines.apply_affine(axis.affine, voxels)
    np.testing.assert_allclose(space.points[acquired.is_voxel], expected)
    vertex, column = acquired.seeds[0], column_of(axis, "left", acquired.seeds[0])
    xyz = acquired.mesh.parts["left"].coordinates[vertex]
    np.testing.assert_allclose(space.point(column), xyz, atol=1e-5)
    assert space.place_at(xyz) == column
    first = int(np.flatnonzero(acquired.is_voxel)[0])
    assert space.place_at(space.point(first)) == first
    assert space.place_at(acquired.seeds[1]) == column_of_voxel(acquired)


def column_of_voxel(data):
    """Return the column of the seed in voxels."""
    points = nib.affines.apply_affine(data.axis.affine, data.axis.voxel)
    gaps = np.linalg.norm(points - data.seeds[1], axis=1)
    return int(np.where(data.is_voxel, gaps, np.inf).argmin())


def test_seeds_of_grayordinates_are_discs_and_spheres(acquired):
    space, sbc = space_of_grayordinates(acquired)
    place = column_of(acquired.axis, "right", 60)
    disc, sphere = space.seed(place, 12.0), space.seed(column_of_voxel(acquired), 6.0)
    assert (disc.seeds, disc.hemisphere, disc.radius) == ([60], "right", 12.0)
    grid = grid_of(acquired.img)
    members = sphere.fit_on(grid).on(grid).members
    assert acquired.is_voxel[members].all()
    assert len(members) > 1
    seeds = adapter_of(sbc.seed_masker_, "seed_masker")
    place = column_of(acquired.axis, "left", acquired.seeds[0])
    assert space.sphere_of(seeds, 0) == (place, 0.0)


def test_no_place_far_from_both(acquired):
    space, _ = space_of_grayordinates(acquired)
    told = r"outside the brain mask and \d+ mm from the nearest vertex"
    with pytest.raises(ValueError, match=told):
        space.place_at((0, 0, 900))


@pytest.mark.parametrize("structures", ["left cortex", "subcortex", "thalamus"])
def test_grayordinates_of_some_structures(acquired, structures):
    space, sbc = space_of_grayordinates(acquired, structures=structures)
    assert space.n_places == sbc.n_voxels_
    assert (space.volume is None) == (structures == "left cortex")
    assert (space.cortex is None) == (structures != "left cortex")
    for place in (0, space.n_places - 1):
        assert space.place_at(space.point(place)) == place
    assert space.config().keys() == {part.name for part in space.parts}


def test_grayordinates_in_another_order(acquired):
    axis = acquired.axis
    order = [
        *np.flatnonzero(axis.volume_mask)[::-1],
        *np.flatnonzero(~axis.volume_mask),
    ]
    shuffled = sum((axis[[i]] for i in order[1:]), axis[[order[0]]])
    matrix = np.asarray(acquired.img.dataobj)[:, order]
    series = acquired.img.header.get_axis(0)
    space, _ = space_of_grayordinates(acquired, of_axes(series, shuffled, data=matrix))
    usual, _ = space_of_grayordinates(acquired)
    np.testing.assert_allclose(space.points, usual.points[order], atol=1e-5)


def test_the_header_makes_a_file_of_grayordinates(acquired, tmp_path):
    space, sbc = space_of_grayordinates(acquired)
    z = np.linspace(-1, 1, space.n_places).astype("<f4")
    path = tmp_path / "z.dscalar.nii"
    path.write_bytes(space.arrays()["header"].tobytes() + z.tobytes())
    img = nib.load(path)
    np.testing.assert_array_equal(img.get_fdata()[0], z)
    expected = sbc.inverse_transform(z[np.newaxis])
    assert img.header.get_axis(1) == expected.header.get_axis(1)
    assert read_still(path, "map").grid.same_as(space.grid)


def test_cortex_without_a_mesh_is_refused_with_a_cure(acquired):
    told = r"a mesh of 200 left and 200 right vertices.*structures='subcortex'"
    with pytest.raises(ValueError, match=told):
        space_of_grayordinates(acquired, mesh=None)
    space, _ = space_of_grayordinates(acquired, mesh=None, structures="subcortex")
    assert space.cortex is None


def test_a_mesh_of_another_size_is_refused(acquired):
    part = acquired.mesh.parts["left"]
    mesh = PolyMesh(left=part)
    with pytest.raises(ValueError, match="mesh has no right hemisphere"):
        space_of_grayordinates(acquired, mesh=mesh)
    mesh = PolyMesh(left=strip(12), right=strip(10))
    with pytest.raises(ValueError, match="but mesh has 24 left vertices and 20 right"):
        space_of_grayordinates(acquired, mesh=mesh)
