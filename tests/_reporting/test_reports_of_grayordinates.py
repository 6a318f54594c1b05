"""Reports of maps of grayordinates: their voxels, and their cortex."""

import re

import numpy as np
import pytest
from matplotlib.figure import Figure

from grayordinate_helpers import simulated_acquisition
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting.grayordinates import highest_vertices, voxels_of
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.pictures import map_picture
from sbc_estimators.maskers import GrayordinateMasker, SphereSeeds, SurfaceSeeds
from sbc_estimators.plotting import plot_signals


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


def test_a_report_has_both_parts(data, tmp_path):
    sbc = fitted(data, data.mesh)
    report = sbc.generate_report(Run(data.img, data.confounds))
    report.save_as_html(tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text("utf-8")
    words = text_of(html)
    assert f"{len(data.axis)} grayordinates" in words
    assert f"left cortex, vertex {data.seeds[0]}" in words
    assert "The viewer shows no grayordinates" in words
    assert 'class="map" src="data:image/webp' in html
    # The file tells the repetition time.
    assert "118 s" in words


def test_peaks_are_those_of_vertices_and_of_clusters(data):
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


def test_maps_of_one_part(data):
    cortex = fitted(data, structures="cortex")
    image = Maps(cortex, cortex.correlations_).image(0)
    assert voxels_of(image) is None
    assert len(highest_vertices(image, 0.0)) == 2
    assert map_picture(Maps(cortex, cortex.correlations_), 0, None, 0.4) is None
    deep = fitted(data, structures="subcortex")
    image = Maps(deep, deep.correlations_).image(0)
    assert highest_vertices(image, 0.0) == []
    assert voxels_of(image).shape == data.axis.volume_shape


def test_a_sphere_is_where_it_is(data):
    seeds = SphereSeeds([data.seeds[1]], 6.0)
    sbc = SeedCorrelationMap(seeds, GrayordinateMasker(detrend=True)).fit(data.img)
    assert Maps(sbc, sbc.correlations_).place(0) == (tuple(data.seeds[1]), 6.0)
    assert Maps(fitted(data), sbc.correlations_).place(0) == (None, 0)


def test_time_series_are_over_the_times_of_the_file(data):
    run = Run(data.img, data.confounds)
    figure = plot_signals(fitted(data), run, figure=Figure())
    assert figure.axes[0].get_xlabel() == "time (s)"
