"""Reports of maps of grayordinates: their voxels, and their cortex."""

import re

import nibabel as nib
import numpy as np
import pytest
from matplotlib.figure import Figure

from grayordinate_helpers import CORTEX, column_of, save, simulated_acquisition
from helpers import unpacked
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._images.opening import grid_of
from sbc_estimators._reporting.backgrounds import as_image, background_of
from sbc_estimators._reporting.grayordinates import highest_vertices
from sbc_estimators._reporting.images import SURFACE, VOLUME
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.pictures import map_picture
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.summary import summarise
from sbc_estimators._reporting.viewer import MESH_CURE, viewer_parts
from sbc_estimators.maskers import GrayordinateMasker, SphereSeeds, SurfaceSeeds
from sbc_estimators.plotting import plot_signals
from sbc_estimators.plotting._backgrounds import TEMPLATE


@pytest.fixture(scope="module")
def data():
    return simulated_acquisition(60)


def fitted(data, mesh=None, structures=None):
    """Return an estimator of a vertex, which may bring a mesh."""
    seeds = SurfaceSeeds(
        data.seeds[:1], None, hemisphere="left", names=["V1"], mesh=mesh
    )
    brain = GrayordinateMasker(structures, detrend=True, low_pass=0.1)
    return SeedCorrelationMap(seeds, brain).fit(Run(data.img, data.confounds))


def text_of(html):
    """Return the words of a page."""
    bare = re.sub(r"<(script|style).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare))


@pytest.mark.usefixtures("viewer")
def test_a_report_has_both_parts(data, tmp_path):
    sbc = fitted(data, data.mesh)
    report = sbc.generate_report(Run(data.img, data.confounds))
    report.save_as_html(tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    words = text_of(html)
    assert f"{len(data.axis)} grayordinates" in words
    assert "Drag the cortex to turn it" in words
    assert 'class="map" src="data:image/webp' in html
    # The file tells the repetition time.
    assert "118 s" in words


def test_peaks_without_a_mesh_are_those_of_vertices_and_of_clusters(data):
    sbc = fitted(data)
    z = np.zeros(len(data.axis), np.float32)
    voxels = np.flatnonzero(data.is_voxel)
    z[voxels] = 0.7
    z[voxels[5]] = 1.5
    z[data.axis.vertex == 12] = -0.9
    peaks = Maps(sbc, z[np.newaxis]).peaks(0, 0.4)
    assert [peak["name"] for peak in peaks] == [
        None,
        "left cortex, vertex 12",
        "right cortex, vertex 12",
    ]
    affine, voxel = data.axis.affine, data.axis.voxel[voxels[5]]
    np.testing.assert_allclose(
        peaks[0]["place"], affine[:3, :3] @ voxel + affine[:3, 3]
    )
    assert peaks[0]["z"] == pytest.approx(1.5)


def test_peaks_on_a_mesh_are_those_of_clusters(data):
    z = np.where(data.is_voxel, 0.7, 0.0).astype(np.float32)
    z[np.flatnonzero(data.is_voxel)[5]] = 1.5
    (disc,) = grid_of(data.img).discs([100], ["left"], [30.0], data.mesh)
    z[disc] = -0.6
    z[column_of(data.axis, "left", 100)] = -0.9
    maps = Maps(fitted(data, data.mesh), z[np.newaxis])
    peaks = maps.peaks(0, 0.4)
    assert [(peak["name"], peak["unit"]) for peak in peaks] == [
        (None, "mm³"),
        ("left", "vertices"),
    ]
    assert peaks[1]["z"] == pytest.approx(-0.9)
    assert peaks[1]["size"] == len(disc)
    xyz = data.mesh.parts["left"].coordinates[100]
    np.testing.assert_allclose(peaks[1]["place"], xyz, atol=0.006)


@pytest.mark.usefixtures("viewer")
def test_maps_of_one_part(data):
    cortex = fitted(data, structures="cortex")
    maps = Maps.of(cortex)
    assert maps.parts(0) == {}
    assert maps.highest(0) is None
    assert len(highest_vertices(maps.image(0), 0.0)) == 2
    assert map_picture(maps, 0, None, 0.4) is None
    assert viewer_parts(maps, [0], None) == {"why": MESH_CURE}
    on_mesh = Maps.of(fitted(data, data.mesh, "cortex"))
    assert [*on_mesh.parts(0)] == [SURFACE]
    deep = Maps.of(fitted(data, structures="subcortex"))
    assert highest_vertices(deep.image(0), 0.0) == []
    assert deep.parts(0)[VOLUME].shape == data.axis.volume_shape
    assert not deep.lacks_mesh


def test_a_seed_is_where_it_is(data):
    seeds = SphereSeeds([data.seeds[1]], 6.0)
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(detrend=True)).fit(data.img)
    assert Maps.of(sbc).place(0) == (tuple(data.seeds[1]), 6.0)
    assert Maps.of(fitted(data)).place(0) == (None, 0)
    place, radius = Maps.of(fitted(data, data.mesh)).place(0)
    xyz = data.mesh.parts["left"].coordinates[data.seeds[0]]
    np.testing.assert_allclose(place, xyz, atol=0.006)
    assert radius == 0


# The viewer


@pytest.mark.usefixtures("viewer")
def test_the_viewer_has_both_parts(data):
    maps = Maps.of(fitted(data, data.mesh))
    parts = viewer_parts(maps, [0], None)
    assert parts["note"] == ""
    img = nib.Nifti1Image.from_bytes(unpacked(parts["volume"]["maps"][0]))
    voxels = data.axis.voxel[data.is_voxel]
    points = nib.affines.apply_affine(data.axis.affine, voxels)
    found = nib.affines.apply_affine(np.linalg.inv(img.affine), points)
    found = img.get_fdata()[tuple(np.rint(found).astype(int).T)]
    np.testing.assert_allclose(found, maps.z[0][data.is_voxel], atol=0.00051)
    surface = parts["surface"]
    values = np.frombuffer(unpacked(surface["maps"][0]), "<i2") * surface["step"]
    own = data.axis.name == CORTEX["right"]
    found = values[200 + data.axis.vertex[own]]
    np.testing.assert_allclose(found, maps.z[0][own], atol=0.00051)
    assert [mesh["name"] for mesh in surface["meshes"]] == ["left", "right"]


@pytest.mark.usefixtures("viewer")
def test_all_of_the_brain_lies_under_voxels(data):
    maps = Maps.of(fitted(data, data.mesh))
    text = viewer_parts(maps, [0], as_image(TEMPLATE))["volume"]["background"]
    grey = nib.Nifti1Image.from_bytes(unpacked(text))
    ends = nib.affines.apply_affine(
        grey.affine, [(0, 0, 0), np.subtract(grey.shape, 1)]
    )
    # As large as MNI's brain.
    np.testing.assert_allclose(np.ptp(ends, axis=0), (150, 186, 158), atol=16)


@pytest.mark.usefixtures("viewer")
def test_without_a_mesh_the_viewer_shows_voxels_and_says_so(data):
    summary = summarise(fitted(data))
    assert {*summary["viewer"]} == {"note", "volume", "seeds"}
    assert "CIFTI files hold no mesh" in text_of(render(summary))


@pytest.mark.parametrize("name", ["sub-01_space-fsLR_den-91k_bold", "sub-01_bold"])
def test_the_template_lies_under_voxels_of_fslr(data, tmp_path, name):
    path = save(data.img, tmp_path / f"{name}.dtseries.nii")
    seeds = SurfaceSeeds(data.seeds[:1], None, hemisphere="left")
    sbc = SeedCorrelationMap(seeds).fit(path)
    expected = TEMPLATE if "fsLR" in name else None
    assert background_of(Maps.of(sbc), None) == expected


def test_time_series_are_over_the_times_of_the_file(data):
    run = Run(data.img, data.confounds)
    figure = plot_signals(fitted(data), run, figure=Figure())
    assert figure.axes[0].get_xlabel() == "time (s)"
