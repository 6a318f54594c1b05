"""The report in a real browser: it opens from disk, and what is clicked is shown.

Needs Chromium, its driver and selenium; with SBC_BROWSER=required in the environment,
that one of these is missing is a failure, otherwise these tests are skipped.
"""

import io
import os
import re
import shutil
import time

import numpy as np
import pytest
from matplotlib import image as mpl_image

from sbc_estimators import SeedCorrelationMap
from sbc_estimators._reporting.maps import Maps
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.report import Entry, index_of_reports
from sbc_estimators._reporting.summary import summarise
from sbc_estimators._reporting.viewer import niivue_script
from sbc_estimators.maskers import SurfaceSeeds

PATIENCE = 60
"""Seconds until a page must be there, on a busy machine without a graphics card."""

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--force-prefers-reduced-motion",  # a click must not wait for a page that scrolls
)

WIDE, LARGE, PHONE = (1280, 800), (1920, 1080), (390, 844)

needs_niivue = pytest.mark.skipif(
    niivue_script() is None, reason="nilearn has no NiiVue: test_viewer.py"
)


def open_browser(*flags):
    """Return a browser; skip, or fail where it is required, without one."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        missing.append("selenium")
    if missing:
        stop = (
            pytest.fail if os.environ.get("SBC_BROWSER") == "required" else pytest.skip
        )
        stop(f"no browser: {', '.join(missing)} missing")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


@pytest.fixture(scope="module")
def browser():
    """A browser with WebGL."""
    driver = open_browser()
    yield driver
    driver.quit()


class Page:
    """A report that is open."""

    def __init__(self, browser, html, folder, size=WIDE):
        (folder / "report.html").write_text(html, encoding="utf-8")
        self.browser = browser
        self.size(size)
        browser.get((folder / "report.html").as_uri())
        self.wait("return document.readyState === 'complete'")

    def size(self, size):
        """Make the window as large as a screen; a narrow one is a phone's."""
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": size[0] < 500}
        )

    def run(self, script, *arguments):
        """Return what a script returns."""
        return self.browser.execute_script(script, *arguments)

    def wait(self, script, *arguments):
        """Return what a script returns once it is true."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = self.run(script, *arguments)
            if found:
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within {PATIENCE} s: {script} {arguments}")

    def wait_for_viewer(self):
        """Wait until the viewer shows the first map."""
        self.wait("return document.getElementById('look').dataset.ready")

    def click(self, selector, number=0):
        """Click on one of the elements that a selector finds."""
        self.browser.find_elements("css selector", selector)[number].click()

    def read(self):
        """Return the place and the z below the viewer."""
        text = self.run("return document.getElementById('read').textContent")
        numbers = re.findall(r"-?[\d.]+", text.replace("\N{MINUS SIGN}", "-"))
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
            "const t = document.getElementById('threshold'); t.value = arguments[0];"
            "t.dispatchEvent(new Event('input'))",
            value,
        )

    def coloured(self):
        """Return how many pixels of the viewer are red or blue."""
        time.sleep(0.5)  # the next frame
        png = self.browser.find_element("id", "gl").screenshot_as_png
        rgb = mpl_image.imread(io.BytesIO(png), format="png")[..., :3]
        return int((np.abs(rgb[..., 0] - rgb[..., 2]) > 0.25).sum())

    def errors(self):
        """Return what the console says."""
        return self.browser.get_log("browser")


@pytest.fixture(scope="module")
def summary(fitted, two_runs):
    return summarise(fitted, two_runs)


@pytest.fixture(scope="module")
def html(summary):
    return render(summary)


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


@needs_niivue
def test_the_report_opens_and_a_click_on_a_peak_moves_the_viewer(
    browser, html, summary, tmp_path
):
    page = Page(browser, html, tmp_path)
    check_pictures(page)
    page.wait_for_viewer()
    assert page.errors() == []
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
    assert page.errors() == []


@needs_niivue
def test_every_peak_is_where_the_viewer_has_its_value(browser, html, summary, tmp_path):
    page = Page(browser, html, tmp_path)
    page.wait_for_viewer()
    number, seen = 0, page.read()
    for detail in summary["details"]:
        for peak in detail["peaks"]:
            page.run("document.querySelectorAll('.go')[arguments[0]].click()", number)
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


@needs_niivue
def test_a_threshold_hides_what_is_below(browser, html, tmp_path):
    page = Page(browser, html, tmp_path)
    page.wait_for_viewer()
    counts = []
    for threshold in (0.4, 0.7, 1.0):
        page.set_threshold(threshold)
        text = page.run("return document.getElementById('threshold-text').textContent")
        assert float(text) == threshold
        counts.append(page.coloured())
    assert counts[0] > 1.2 * counts[1] > 1.44 * counts[2] > 0
    assert page.errors() == []


@needs_niivue
def test_keys_move_the_crosshair(browser, html, tmp_path):
    page = Page(browser, html, tmp_path)
    page.wait_for_viewer()
    page.run("document.getElementById('gl').focus()")
    canvas = browser.find_element("id", "gl")
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


@needs_niivue
@pytest.mark.parametrize("size", [WIDE, LARGE, PHONE])
def test_nothing_sticks_out(browser, html, tmp_path, size):
    page = Page(browser, html, tmp_path, size)
    page.wait_for_viewer()
    check_width(page, size)


@needs_niivue
def test_a_surface(browser, surface, seeds_anywhere, tmp_path):
    seeds = SurfaceSeeds([3, 30], 2.0, hemisphere="left")
    sbc = SeedCorrelationMap(seeds).fit(surface.run)
    summary = summarise(sbc, surface.run)
    page = Page(browser, render(summary), tmp_path)
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
    assert page.errors() == []


@needs_niivue
def test_without_webgl_the_pictures_stay(html, tmp_path):
    browser = open_browser("--disable-3d-apis")
    try:
        page = Page(browser, html, tmp_path)
        page.wait("return !document.getElementById('no-look').hidden")
        check_pictures(page)
        text = browser.find_element("id", "no-look").text
        assert text.startswith("This browser shows no WebGL")
        assert not browser.find_element("id", "look").is_displayed()
        go = page.run("return Array.from(document.querySelectorAll('.go'))")
        assert go
        assert not any(button.is_enabled() for button in go)
    finally:
        browser.quit()


def test_a_page_without_viewer(browser, summary, tmp_path):
    without = {**summary, "viewer": {"why": "This report has no viewer."}}
    page = Page(browser, render(without), tmp_path, PHONE)
    check_pictures(page)
    check_width(page, PHONE)
    assert "This report has no viewer." in browser.find_element("tag name", "main").text
    assert page.errors() == []


def test_an_index(browser, tmp_path):
    entries = [Entry("sub-01", "a.html", facts={"runs": 2}), Entry("b", error="no")]
    page = Page(browser, index_of_reports(entries).html, tmp_path, PHONE)
    check_width(page, PHONE)
    assert page.errors() == []
