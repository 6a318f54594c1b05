"""The report in a real browser: it opens from disk, and what is clicked is shown."""

import io
import re
import time
from importlib.resources import files

import nibabel as nib
import numpy as np
import pytest
from _browser import PATIENCE, give_size
from matplotlib import image as mpl_image

from browsers import LARGE, PHONE, WIDE, Page
from grayordinate_helpers import column_of, labels_of
from sbc_estimators import SeedCorrelationMap
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.report import Entry, Report, index_of_reports
from sbc_estimators._reporting.summary import summarise
from sbc_estimators.datasets import make_grayordinate_runs
from sbc_estimators.maskers import GrayordinateMasker, RegionSeeds, SurfaceSeeds

needs_viewer = pytest.mark.usefixtures("viewer")


class Reported(Page):
    """A report that is open."""

    def __init__(self, driver, html, folder, size=WIDE):
        (folder / "report.html").write_text(html, encoding="utf-8")
        super().__init__(driver, (folder / "report.html").as_uri(), size)

    def wait_for_viewer(self):
        """Wait until the viewer shows the first map."""
        self.wait_for("document.getElementById('look').dataset.ready")

    def click(self, selector, number=0):
        """Click on one of the elements that a selector finds."""
        self.driver.find_elements("css selector", selector)[number].click()

    def read(self):
        """Return the place and the z below the viewer."""
        text = self.text("read").replace("\N{MINUS SIGN}", "-")
        numbers = re.findall(r"-?[\d.]+", text)
        return tuple(map(float, numbers[:3])), float(numbers[3])

    def read_other_than(self, before):
        """Return the same once it has changed."""
        end = time.monotonic() + PATIENCE
        while self.read() == before:
            assert time.monotonic() < end, f"still {before}"
            time.sleep(0.05)
        return self.read()

    def set_threshold(self, value):
        """Move the slider."""
        self.run(
            "const t = document.getElementById('threshold'); t.value = args[0];"
            "t.dispatchEvent(new Event('input'))",
            value,
        )

    def coloured(self, name="viewer"):
        """Return how many pixels of the viewer, or a part, are red or blue."""
        time.sleep(0.5)  # the next frame
        png = self.element(name).screenshot_as_png
        rgb = mpl_image.imread(io.BytesIO(png), format="png")[..., :3]
        return int((np.abs(rgb[..., 0] - rgb[..., 2]) > 0.25).sum())


def check_pictures(page):
    """Check that every picture of a page is drawn."""
    widths = page.run("return Array.from(document.images, (i) => i.naturalWidth)")
    assert len(widths) == 4
    assert all(widths)


def check_width(page, size):
    """Check that nothing sticks out of a page."""
    wide = "const e = document.documentElement; return [e.scrollWidth, e.clientWidth]"
    scroll, client = page.run(wide)
    assert scroll <= client <= size[0]


@needs_viewer
def test_the_report_opens_and_a_click_on_a_peak_moves_the_viewer(
    browser, html, summary, tmp_path
):
    page = Reported(browser, html, tmp_path)
    check_pictures(page)
    page.wait_for_viewer()
    assert page.console() == []
    place, _ = page.read()
    np.testing.assert_allclose(place, summary["details"][0]["place"], atol=0.51)
    before = page.read()
    detail = summary["details"][1]
    peak = detail["peaks"][2]
    n_before = len(summary["details"][0]["peaks"])
    page.click("button.go", n_before + 2)
    place, z = page.read_other_than(before)
    np.testing.assert_allclose(place, peak["place"], atol=0.51)
    assert z == pytest.approx(peak["z"], abs=0.0056)
    pressed = page.run(
        "return Array.from(document.querySelectorAll('.pill'), "
        "(p) => p.getAttribute('aria-pressed'))"
    )
    assert pressed == ["false", "true", "false"]
    assert page.console() == []


@needs_viewer
def test_every_peak_is_where_the_viewer_has_its_value(browser, html, summary, tmp_path):
    page = Reported(browser, html, tmp_path)
    page.wait_for_viewer()
    number, seen = 0, page.read()
    for detail in summary["details"]:
        for peak in detail["peaks"]:
            page.run("document.querySelectorAll('.go')[args[0]].click()", number)
            expected = np.array([*peak["place"], peak["z"]])
            end = time.monotonic() + PATIENCE
            off = np.inf
            while off > 1 and time.monotonic() < end:
                place, z = page.read()
                off = np.max(np.abs([*place, z] - expected) / [0.51] * 3 + [0.0056])
                time.sleep(0.02)
            number, seen = number + 1, (place, z)
            np.testing.assert_allclose(seen[0], peak["place"], atol=0.51)
            assert seen[1] == pytest.approx(peak["z"], abs=0.0056)


@needs_viewer
def test_a_threshold_hides_what_is_below(browser, html, tmp_path):
    page = Reported(browser, html, tmp_path)
    page.wait_for_viewer()
    counts = []
    for threshold in (0.4, 0.7, 1.0):
        page.set_threshold(threshold)
        assert float(page.text("threshold-text")) == threshold
        counts.append(page.coloured())
    assert counts[0] > 1.2 * counts[1] > 1.44 * counts[2] > 0
    assert page.console() == []


@needs_viewer
def test_keys_move_the_crosshair(browser, html, tmp_path):
    page = Reported(browser, html, tmp_path)
    page.wait_for_viewer()
    page.run("document.getElementById('volume').focus()")
    canvas = browser.find_element("id", "volume")
    for key, axis, sign in (
        ("\ue014", 0, 1),  # right
        ("\ue013", 1, 1),  # up
        ("\ue00f", 2, -1),  # page down
    ):
        before = page.read()
        canvas.send_keys(key)
        after = page.read_other_than(before)
        moved = np.subtract(after[0], before[0])
        assert sign * moved[axis] > 0
        assert np.count_nonzero(moved) == 1


@needs_viewer
def test_nothing_sticks_out(browser, html, tmp_path):
    page = Reported(browser, html, tmp_path, PHONE)
    page.wait_for_viewer()
    for size in (PHONE, WIDE, LARGE):
        give_size(browser, *size)
        check_width(page, size)


@needs_viewer
def test_a_surface(browser, surface, seeds_anywhere, tmp_path):
    seeds = SurfaceSeeds([3, 30], 2.0, hemisphere="left")
    sbc = SeedCorrelationMap(seeds).fit(surface.run)
    summary = summarise(sbc, surface.run)
    page = Reported(browser, render(summary), tmp_path)
    page.wait_for_viewer()
    detail = summary["details"][0]
    place, z = page.read()
    np.testing.assert_allclose(place, detail["place"], atol=0.51)
    parts = surface.img.mesh.parts
    everywhere = np.concatenate([parts[part].coordinates for part in parts])
    vertex = np.linalg.norm(everywhere - detail["place"], axis=1).argmin()
    expected = np.concatenate(list(Maps.of(sbc).image(0).data.parts.values()))[vertex]
    assert z == pytest.approx(expected, abs=0.0056)
    before = page.read()
    page.click(".pill", 1)
    place, _ = page.read_other_than(before)
    np.testing.assert_allclose(place, summary["details"][1]["place"], atol=0.51)
    assert page.coloured() > 0
    assert page.console() == []


@pytest.fixture(scope="module")
def gray():
    """The summary of two regions in grayordinates, one with a cluster in each part."""
    data = make_grayordinate_runs(1, 80, 400, 1500, random_state=0)
    (run,), (vertex, xyz, _) = data.runs, data.seeds
    axis = run.img.header.get_axis(1)
    points = nib.affines.apply_affine(axis.affine, axis.voxel)
    codes = (axis.volume_mask & (np.linalg.norm(points - xyz, axis=1) < 9)).astype(int)
    codes[column_of(axis, "left", vertex)] = 1
    codes[column_of(axis, "right", 100)] = 2
    atlas = labels_of(axis, codes, {1: "both", 2: "cortex"})
    brain = GrayordinateMasker(detrend=True, smoothing_fwhm=8, mesh=data.mesh)
    return summarise(SeedCorrelationMap(RegionSeeds(atlas), brain).fit(run), run)


@needs_viewer
def test_grayordinates(browser, gray, tmp_path):
    page = Reported(browser, render(gray), tmp_path)
    page.wait_for_viewer()
    assert page.console() == []
    place, _ = page.read()
    np.testing.assert_allclose(place, gray["details"][0]["place"], atol=0.51)
    peaks = gray["details"][0]["peaks"]
    kinds = [peak["unit"] for peak in peaks]
    assert {*kinds} == {"mm³", "vertices"}
    for kind in ("mm³", "vertices", "mm³"):
        before, number = page.read(), kinds.index(kind)
        page.click("button.go", number)
        place, z = page.read_other_than(before)
        np.testing.assert_allclose(place, peaks[number]["place"], atol=0.51)
        assert z == pytest.approx(peaks[number]["z"], abs=0.0056)
    before = page.read()
    page.click(".pill", 1)
    place, _ = page.read_other_than(before)
    np.testing.assert_allclose(place, gray["details"][1]["place"], atol=0.51)
    counts = {}
    for threshold in (0.1, 0.5):
        page.set_threshold(threshold)
        counts[threshold] = [page.coloured(name) for name in ("surface", "volume")]
    assert np.greater(counts[0.1], counts[0.5]).all()
    assert page.console() == []


@needs_viewer
@pytest.mark.parametrize("size", [WIDE, LARGE, PHONE])
def test_nothing_of_grayordinates_sticks_out(browser, gray, tmp_path, size):
    page = Reported(browser, render(gray), tmp_path, size)
    page.wait_for_viewer()
    check_width(page, size)
    boxes = page.run(
        "return ['surface', 'volume'].map((id) => {"
        "  const box = document.getElementById(id).getBoundingClientRect();"
        "  return [box.width, box.height]; })"
    )
    assert np.min(boxes) > 300


@needs_viewer
def test_without_webgl_the_pictures_stay(browser_without_webgl, html, tmp_path):
    page = Reported(browser_without_webgl, html, tmp_path)
    page.wait_for("!document.getElementById('no-look').hidden")
    check_pictures(page)
    assert page.element("no-look").text.startswith("This browser shows no WebGL")
    assert not page.element("look").is_displayed()
    go = page.run("return Array.from(document.querySelectorAll('.go'))")
    assert go
    assert not any(button.is_enabled() for button in go)


@needs_viewer
def test_a_notebook_shows_it_in_a_frame(browser, summary, tmp_path):
    frame = Report(render(summary))._repr_html_()
    page = Reported(browser, f"<!DOCTYPE html><body>{frame}", tmp_path)
    browser.switch_to.frame(0)
    page.wait_for_viewer()
    np.testing.assert_allclose(
        page.read()[0], summary["details"][0]["place"], atol=0.51
    )
    check_pictures(page)
    assert page.console() == []
    browser.switch_to.default_content()


def test_a_page_without_viewer(browser, summary, tmp_path):
    without = {**summary, "viewer": {"why": "This report has no viewer."}}
    page = Reported(browser, render(without), tmp_path, PHONE)
    check_pictures(page)
    check_width(page, PHONE)
    assert "This report has no viewer." in browser.find_element("tag name", "main").text
    assert page.console() == []


def test_an_index(browser, tmp_path):
    entries = [Entry("sub-01", "a.html", facts={"runs": 2}), Entry("b", error="no")]
    page = Reported(browser, index_of_reports(entries).html, tmp_path, PHONE)
    check_width(page, PHONE)
    assert page.console() == []


def test_a_z_next_to_0_has_no_sign(browser):
    script = files("sbc_estimators") / "_reporting" / "templates" / "report.js"
    (line,) = re.findall(r"const minus = .*;", script.read_text("utf-8"))
    code = f"{line} return ['-0.00', '-0.30', '2'].map(minus)"
    assert browser.execute_script(code) == ["0.00", "\N{MINUS SIGN}0.30", "2"]
