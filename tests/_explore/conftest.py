"""Explored runs, and their pages in a browser."""

from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from _browser import give_size
from nilearn.maskers import NiftiMasker

from browsers import Page
from sbc_estimators import Run, SeedCorrelationMap, explore
from sbc_estimators.datasets import load_sample_run
from sbc_estimators.maskers import SphereSeeds

PROBES = (Path(__file__).parent / "probes.js").read_text("utf-8")

BAND = {"low_pass": 0.1, "high_pass": 0.01}


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
def explorer(sample, viewer):
    """The explored sample run."""
    with explore(sample.sbc, sample.run, open_browser=False) as explorer:
        yield explorer


@pytest.fixture(scope="session")
def file_page(explorer, tmp_path_factory):
    """The page of the sample run as one file."""
    path = tmp_path_factory.mktemp("file") / "page.html"
    explorer.save_as_html(path)
    return path


class Explored(Page):
    """The page of `explore` in a browser, with what tests ask of it."""

    ready = "document.body?.dataset.ready === 'yes'"

    def __init__(self, driver, address=None):
        super().__init__(driver, address)
        driver.execute_script(PROBES)

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
        give_size(self.driver, width, height)
        self.run("await new Promise(requestAnimationFrame); await drawSoon(false);")


@pytest.fixture(scope="session")
def open_page():
    """The function ``(driver, address) -> Explored``, which waits until it is ready."""
    return Explored


@pytest.fixture
def page(browser, explorer):
    """The page of the sample run, opened anew if another one was seen meanwhile."""
    if browser.current_url == explorer.url.partition("?")[0]:
        return Explored(browser)
    return Explored(browser, explorer.url)
