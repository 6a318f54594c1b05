"""The page of grayordinates in a real browser: planes and cortex of one map."""

import re
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from explored import (
    SIZES,
    check_layout,
    downloaded,
    n_coloured,
    readout,
    save_to,
    seed_of,
    shown_map,
)
from sbc_estimators import SeedCorrelationMap, explore
from sbc_estimators.datasets import make_grayordinate_runs
from sbc_estimators.maskers import GrayordinateMasker, SphereSeeds, SurfaceSeeds


@pytest.fixture(scope="module")
def gray():
    """Two runs of grayordinates, and an estimator of a vertex."""
    data = make_grayordinate_runs(2, 80, 400, 400, random_state=0)
    seeds = SurfaceSeeds(
        [data.seeds[0]], 20, hemisphere="left", mesh=data.mesh, names=["V1"]
    )
    brain = GrayordinateMasker(detrend=True, smoothing_fwhm=6, mesh=data.mesh)
    sbc = SeedCorrelationMap(seeds, brain).fit(data.runs)
    return SimpleNamespace(
        sbc=sbc, runs=data.runs, brain=brain, mesh=data.mesh, seeds=data.seeds
    )


@pytest.fixture(scope="module")
def explored_gray(gray, viewer):
    with explore(gray.sbc, gray.runs[0], open_browser=False) as explored:
        yield explored


@pytest.fixture
def gray_page(browser, explored_gray, open_page):
    """The page of one run of grayordinates."""
    return open_page(browser, explored_gray.url)


def vertex_of(page):
    """Return hemisphere and number of the vertex that is the seed."""
    found = page.run("return state.space.cortex.nameOf(state.seed)")
    return found["hemisphere"], found["vertex"]


def check_map(page, gray, seed, atol=1e-4):
    """Check that the page shows the estimator's map of a seed."""
    expected = SeedCorrelationMap(seed, gray.brain).fit(gray.runs[0]).correlations_[0]
    np.testing.assert_allclose(shown_map(page), expected, atol=min(atol, 1e-5))
    here = expected[page.run("return state.here")]
    assert readout(page)["r"] == pytest.approx(here, abs=atol)


def test_grayordinates_are_planes_and_cortex(gray_page, gray):
    page = gray_page
    assert f"{gray.sbc.n_voxels_:,} grayordinates · 80 scans" in page.text("about")
    for name in ("planes", "cortex", "series"):
        assert page.element(name).is_displayed()
    assert vertex_of(page) == ("left", gray.seeds[0])
    assert page.run("return probes.cortexColoured()")[0] > 1500
    for name in ("axial", "sagittal"):  # the cortex that they cut
        assert n_coloured(page, name)[0] > 100
    assert page.console() == []


def test_a_click_on_the_cortex_of_grayordinates(gray_page, gray):
    page = gray_page
    page.run("state.cortex.show(VIEWS.Right)")
    page.click("stage", 20, -15)
    page.settle()
    hemisphere, vertex = vertex_of(page)
    assert hemisphere == "right"
    seed = SurfaceSeeds([vertex], 16, hemisphere=hemisphere, mesh=gray.mesh)
    check_map(page, gray, seed)
    assert "vertices" in page.text("members")
    told = rf'SurfaceSeeds\(\n? *\[{vertex}\],\s+radius=16,\s+hemisphere="right"'
    assert re.search(told, page.run("return pythonText()"))


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_click_on_a_plane_of_grayordinates(gray_page, gray, plane):
    page = gray_page
    middle = np.median(explored_points(page), axis=0)
    page.seed_at(middle)
    page.click(plane, *pixel_of(page, plane, middle + 5))
    page.settle()
    seed, here = seed_of(page)
    assert seed == here
    assert np.abs(np.subtract(seed, middle)).max() <= 8
    check_map(page, gray, SphereSeeds([seed], 16))
    assert "voxels" in page.text("members")
    assert f"SphereSeeds([({seed[0]:g}, " in page.run("return pythonText()")
    assert page.console() == []


def explored_points(page):
    """Return the coordinates of all voxels of a page."""
    return np.array(
        page.run(
            "const { volume } = state.space, all = [];"
            "volume.voxelOf.forEach((voxel, place) => {"
            "  if (voxel >= 0) all.push(volume.point(place)); });"
            "return all"
        )
    )


def pixel_of(page, plane, xyz):
    """Return where a point is on a plane, from its middle."""
    code = (
        "const plane = state.planes.all.find((one) => one.canvas.id === args[0]);"
        "const [x, y] = plane.toPixels(args[1]), [width, height] = plane.size;"
        "return [Math.round(x - width / 2), Math.round(y - height / 2)]"
    )
    return page.run(code, plane, list(map(float, xyz)))


def test_a_click_on_the_cortex_that_a_plane_cuts(gray_page, gray):
    page, points = gray_page, gray.mesh.parts["left"].coordinates
    middle = np.median(explored_points(page), axis=0)
    # The outermost of those that lie in the plane, nearly.
    vertex = np.where(np.abs(points[:, 1] - middle[1]) < 2, points[:, 0], 0).argmin()
    page.seed_at(middle)
    page.click("coronal", *pixel_of(page, "coronal", points[vertex]))
    page.settle()
    assert vertex_of(page) == ("left", vertex)


def test_a_drag_goes_through_voxels_and_vertices(gray_page, gray):
    page = gray_page
    page.seed_at(np.median(explored_points(page), axis=0))
    chain = page.chain().move_to_element_with_offset(
        page.element("axial"), *pixel_of(page, "axial", seed_of(page)[0])
    )
    chain.click_and_hold()
    for _ in range(12):
        chain.move_by_offset(-8, 0)
    chain.release().perform()
    page.settle()
    hemisphere, vertex = vertex_of(page)
    assert hemisphere == "left"
    seed = SurfaceSeeds([vertex], 16, hemisphere="left", mesh=gray.mesh)
    check_map(page, gray, seed)


def test_the_image_of_grayordinates_is_the_map(gray_page, gray, tmp_path):
    page = gray_page
    assert page.text("save-image") == "Save CIFTI"
    save_to(page, tmp_path)
    page.element("save-image").click()
    (path,) = downloaded(tmp_path, "seed_*_z.dscalar.nii")
    img = nib.load(path)
    z = img.get_fdata()[0]
    np.testing.assert_allclose(z, np.arctanh(shown_map(page)), atol=1e-5)
    expected = gray.sbc.inverse_transform(z[np.newaxis])
    assert img.header.get_axis(1) == expected.header.get_axis(1)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nothing_of_grayordinates_overlaps_or_is_cut_off(gray_page, size):
    check_layout(gray_page, size)


def test_one_file_of_grayordinates(browser, explored_gray, gray, open_page, tmp_path):
    explored_gray.save_as_html(tmp_path / "page.html")
    page = open_page(browser, (tmp_path / "page.html").as_uri())
    for place in (3, gray.sbc.n_voxels_ - 20):
        page.run("seedAt(args[0])", place)
        page.settle()
        xyz = explored_gray._space.point(place)
        expected = explored_gray.map(xyz, radius=16)
        np.testing.assert_allclose(shown_map(page), expected, atol=5e-3)
        assert readout(page)["r"] == pytest.approx(expected[place], abs=5e-3)
    assert page.console() == []


def test_several_runs_of_grayordinates(browser, explored_gray, gray, open_page):
    with explore(gray.sbc, gray.runs, open_browser=False) as explored:
        page = open_page(browser, explored.url)
        assert "2 runs" in page.text("about")
        assert page.run("return settings().run") == "mean"
        xyz = gray.seeds[1]
        page.seed_at(xyz)
        seed = SphereSeeds([seed_of(page)[0]], 16)
        expected = SeedCorrelationMap(seed, gray.brain).fit(gray.runs).correlations_[0]
        np.testing.assert_allclose(shown_map(page), expected, atol=1e-5)
        assert page.console() == []


@pytest.mark.parametrize(("structures", "shown"), [("cortex", 1), ("subcortex", 3)])
def test_one_part_of_grayordinates(
    browser, explorer, gray, open_page, structures, shown
):
    brain = GrayordinateMasker(structures, detrend=True, mesh=gray.mesh)
    sbc = SeedCorrelationMap(gray.sbc.seed_masker, brain).fit(gray.runs[0])
    with explore(sbc, gray.runs[0], open_browser=False) as explored:
        page = open_page(browser, explored.url)
        canvases = page.driver.find_elements("css selector", "figure canvas, #mesh")
        assert sum(one.is_displayed() for one in canvases) == shown
        expected = explored.map(seed_of(page)[0])
        np.testing.assert_allclose(shown_map(page), expected, atol=1e-6)
        assert page.text("save-image") == "Save CIFTI"
        assert page.console() == []
