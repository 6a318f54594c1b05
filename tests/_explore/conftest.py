"""Explored runs, and a browser in which their pages open."""

import inspect
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker
from nilearn.plotting import view_surf

from sbc_estimators import Run, SeedCorrelationMap, explore
from sbc_estimators.datasets import load_sample_run
from sbc_estimators.maskers import SphereSeeds

HAS_VIEWER = "engine" in inspect.signature(view_surf).parameters

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    # Else it looks up hosts elsewhere at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PROBES = (Path(__file__).parent / "probes.js").read_text("utf-8")

PATIENCE = 15
"""Seconds after which a page will not do any more what it is waited for."""

BAND = {"low_pass": 0.1, "high_pass": 0.01}


def pytest_collection_modifyitems(items):
    """Skip what needs the viewer where nilearn has none: all that opens a page."""
    needs = pytest.mark.skip(reason="this nilearn brings no viewer along")
    for item in items:
        if "explorer" in getattr(item, "fixturenames", ()) and not HAS_VIEWER:
            item.add_marker(needs)


@pytest.fixture(scope="session")
def sample(tmp_path_factory):
    """The sample run with its confounds in a file, and an estimator fitted to it.

    Its mask lacks the top of the brain, so that there are signals outside of it.
    """
    found, folder = load_sample_run(), tmp_path_factory.mktemp("sample")
    found.run.confounds.to_csv(folder / "confounds.tsv", sep="\t", index=False)
    img = nib.load(found.mask_img)
    mask = np.asarray(img.dataobj).copy()
    mask[:, :, 25:] = 0
    nib.save(nib.Nifti1Image(mask, img.affine), folder / "mask.nii.gz")
    run = Run(found.func, confounds=folder / "confounds.tsv", t_r=found.t_r)
    brain = NiftiMasker(folder / "mask.nii.gz", smoothing_fwhm=6, detrend=True, **BAND)
    sbc = SeedCorrelationMap(SphereSeeds([(0, -52, 18)], radius=6), brain).fit(run)
    return SimpleNamespace(
        run=run, sbc=sbc, brain=brain, func=found.func, mask_img=folder / "mask.nii.gz"
    )


@pytest.fixture(scope="session")
def explorer(sample):
    """The explored sample run."""
    with explore(sample.sbc, sample.run, open_browser=False) as explorer:
        yield explorer


@pytest.fixture(scope="session")
def file_page(explorer, tmp_path_factory):
    """The page of the sample run as one file."""
    path = tmp_path_factory.mktemp("file") / "page.html"
    explorer.save_as_html(path)
    return path


def missing_browser():
    """Return what is missing to open a page, or an empty text."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    return ""


@pytest.fixture(scope="session")
def start_browser():
    """The function ``(*flags) -> driver`` that starts Chromium."""
    missing = missing_browser()
    if missing and os.environ.get("SBC_NEEDS_BROWSER"):
        pytest.fail(f"{missing}, and SBC_NEEDS_BROWSER is set")
    if missing:
        pytest.skip(f"{missing}, so that no page is opened")
    from selenium import webdriver

    started = []

    def start(*flags):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, *flags):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(shutil.which("chromedriver"))
        driver = webdriver.Chrome(options=options, service=service)
        driver.set_script_timeout(PATIENCE)
        give_size(driver, 1280, 800)
        started.append(driver)
        return driver

    yield start
    for driver in started:
        driver.quit()


@pytest.fixture(scope="session")
def browser(start_browser):
    """Chromium with WebGL."""
    return start_browser()


def give_size(driver, width, height):
    """Give a browser's pages a size in pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


class Page:
    """A page in a browser."""

    def __init__(self, driver, address=None):
        self.driver = driver
        if address is not None:
            driver.get_log("browser")  # of the page before
            driver.get(address)
        self.wait_for("document.body.dataset.ready === 'yes'")
        driver.execute_script(PROBES)

    def run(self, code, *values):
        """Return what JavaScript returns, which may wait for something."""
        whole = (
            "const [args, done] = [[...arguments].slice(0, -1), [...arguments].at(-1)];"
            f"(async () => {{ {code} }})()"
            ".then((value) => done([value]), (error) => done(String(error.stack)))"
        )
        result = self.driver.execute_async_script(whole, *values)
        assert isinstance(result, list), result
        return result[0]

    def wait_for(self, condition):
        """Wait until a condition in JavaScript holds."""
        end = time.monotonic() + PATIENCE
        while not self.driver.execute_script(f"return Boolean({condition})"):
            assert time.monotonic() < end, (condition, self.text("message"))
            time.sleep(0.02)

    def element(self, name):
        """Return the element of an id."""
        return self.driver.find_element("id", name)

    def text(self, name):
        """Return the text of the element of an id."""
        return self.run("return document.getElementById(args[0]).textContent", name)

    def settle(self):
        """Wait until the newest seed is drawn, cortex and all."""
        self.wait_for("!state.isAsking && cortexTimer === null")

    def seed_at(self, xyz):
        """Fill in coordinates, ask for their map, and wait for it."""
        self.run("probes.go(args[0])", [str(value) for value in xyz])
        self.settle()

    def chain(self):
        """Return what moves the pointer, without taking its time."""
        from selenium.webdriver import ActionChains

        return ActionChains(self.driver, duration=0)

    def click(self, name, right, down):
        """Click some pixels right of and below the middle of an element."""
        target = self.element(name)
        self.chain().move_to_element_with_offset(target, right, down).click().perform()

    def press(self, *keys):
        """Press keys, on what has the focus."""
        self.chain().send_keys(*keys).perform()

    def resize(self, width, height):
        """Give the page another size in pixels."""
        size = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": False,
        }
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.run("await new Promise(requestAnimationFrame); await drawSoon(false);")

    def console(self):
        """Return what the console says."""
        return self.driver.get_log("browser")


@pytest.fixture(scope="session")
def open_page():
    """The function ``(driver, address) -> Page``, which waits until it is ready."""
    return Page


@pytest.fixture
def page(browser, explorer):
    """The page of the sample run, opened anew if another one was seen meanwhile."""
    if browser.current_url == explorer.url.partition("?")[0]:
        return Page(browser)
    return Page(browser, explorer.url)
