"""Maps of grayordinates: cortex on a mesh that is given, and cuts of voxels."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from nilearn.surface import InMemoryMesh, PolyMesh

from grayordinate_helpers import save, simulated_acquisition
from helpers import words
from sbc_estimators import SeedCorrelationMap
from sbc_estimators.maskers import GrayordinateMasker, SphereSeeds, SurfaceSeeds
from sbc_estimators.plotting import _seed_map, plot_seed_map


@pytest.fixture(scope="module")
def data():
    return simulated_acquisition(60)


def fitted(data, seeds, structures=None, **parameters):
    """Return an estimator of seeds in grayordinates."""
    brain = GrayordinateMasker(structures, detrend=True, **parameters)
    return SeedCorrelationMap(seeds, brain).fit(data.img)


def disc(data):
    """Return a disc of the left cortex, which brings the mesh."""
    return SurfaceSeeds([data.seeds[0]], 25, hemisphere="left", mesh=data.mesh)


def vertex(data):
    """Return a vertex of the left cortex, without a mesh."""
    return SurfaceSeeds([data.seeds[0]], None, hemisphere="left")


def panels(figure):
    """Return how many views of cortex and how many cuts a figure has."""
    views = [axes for axes in figure.axes if axes.name == "3d"]
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    return len(views), sum(word[:2] in ("x=", "y=", "z=") for word in words)


@pytest.mark.parametrize("seeds", [disc, vertex])
def test_cortex_and_voxels_are_drawn_together(data, seeds, tmp_path):
    sbc, path = fitted(data, seeds(data)), tmp_path / "map.png"
    mesh = None if seeds is disc else data.mesh
    figure = plot_seed_map(sbc, surf_mesh=mesh, bg_img=None, output_file=path)
    assert isinstance(figure, Figure)
    assert panels(figure) == (4, 3)
    assert path.stat().st_size > 10_000
    assert figure.texts[-1].get_text().startswith(sbc.seed_names_[0])


def test_voxels_alone_are_said_to_be_alone(data):
    sbc = fitted(data, SphereSeeds([data.seeds[1]], 6))
    with pytest.warns(UserWarning, match=r"cortex of the map is not drawn.*surf_mesh="):
        display = plot_seed_map(sbc, bg_img=None)
    assert panels(display.frame_axes.figure) == (0, 3)


def test_structures_of_voxels_need_no_mesh(data):
    sbc = fitted(data, SphereSeeds([data.seeds[1]], 6), "subcortex")
    display = plot_seed_map(sbc, bg_img=None)
    assert panels(display.frame_axes.figure) == (0, 3)


def test_cortex_alone(data):
    sbc = fitted(data, vertex(data), "cortex")
    assert panels(plot_seed_map(sbc, surf_mesh=data.mesh)) == (4, 0)
    with pytest.raises(ValueError, match="surf_mesh=None: the map is of cortex alone"):
        plot_seed_map(sbc)


def test_one_hemisphere_alone(data):
    sbc = fitted(data, vertex(data), "left cortex")
    assert panels(plot_seed_map(sbc, surf_mesh=data.mesh)) == (2, 0)


def test_values_are_those_of_the_map(data, monkeypatch):
    kind = "a CIFTI image"
    own = _seed_map.KINDS[kind][0], lambda picture: picture
    monkeypatch.setitem(_seed_map.KINDS, kind, own)
    sbc = fitted(data, disc(data))
    z = np.arange(len(data.axis), dtype=np.float32) + 1
    surface, volume = plot_seed_map(sbc, z, vmax=1e6, bg_img=None).parts
    axis = data.axis
    voxels = axis.voxel[axis.volume_mask]
    found = volume.img.get_fdata()[tuple(voxels.T)]
    np.testing.assert_array_equal(found, z[axis.volume_mask])
    left = axis.name == "CIFTI_STRUCTURE_CORTEX_LEFT"
    parts = surface.img.data.parts
    np.testing.assert_array_equal(parts["left"].ravel()[axis.vertex[left]], z[left])
    # The seed lies in cortex, and so in no cut.
    assert surface.seed.region() is not None
    assert volume.seed.region() is None


def test_a_mesh_of_another_size(data):
    part = data.mesh.parts["left"]
    small = InMemoryMesh(part.coordinates[:120], np.array([[0, 1, 2]]))
    sbc = fitted(data, vertex(data))
    mesh = PolyMesh(left=small, right=data.mesh.parts["right"])
    with pytest.raises(
        ValueError, match=words("the image has 200 left", "surf_mesh has 120 left")
    ):
        plot_seed_map(sbc, surf_mesh=mesh)
    with pytest.raises(ValueError, match="surf_mesh has no right hemisphere"):
        plot_seed_map(sbc, surf_mesh=PolyMesh(left=part))


@pytest.mark.parametrize("space", ["fsLR", "other"])
def test_the_template_is_under_voxels_where_the_file_says_fs_lr(data, space, tmp_path):
    name = f"sub-01_space-{space}_den-91k_bold.dtseries.nii"
    path = save(data.img, tmp_path / name)
    brain = GrayordinateMasker("subcortex", detrend=True)
    sbc = SeedCorrelationMap(SphereSeeds([data.seeds[1]], 6), brain).fit(path)
    display = plot_seed_map(sbc)
    shown = [axes.get_images() for axes in display.frame_axes.figure.axes]
    extents = [np.ptp(image.get_extent()[:2]) for own in shown for image in own]
    assert (max(extents) > 150) == (space == "fsLR")


def test_a_figure_that_is_given(data):
    figure = plt.figure(figsize=(6, 7))
    sbc = fitted(data, disc(data))
    assert plot_seed_map(sbc, figure=figure, bg_img=None) is figure
    assert panels(figure) == (4, 3)
    assert figure.get_size_inches().tolist() == [6, 7]
