"""A page in headless Chromium, for what can only be seen in a browser."""

import shutil
import time
from contextlib import contextmanager

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
)

PATIENCE = 60
"""Seconds after which a page will not be ready any more."""


def missing_browser():
    """Return what is missing to open a page, or an empty text."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    programs = ("chromium", "chromedriver")
    missing = [name for name in programs if shutil.which(name) is None]
    return f"there is no {missing[0]}" if missing else ""


@contextmanager
def browser(width=1280, height=800, ratio=1):
    """Give a driver of Chromium, which draws in software."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in FLAGS:
        options.add_argument(flag)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(PATIENCE)
    size = {"width": width, "height": height, "mobile": False}
    size["deviceScaleFactor"] = ratio
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield driver
    finally:
        driver.quit()


def open_page(driver, address):
    """Open a page of `explore`, and wait until it is drawn."""
    driver.get(address)
    end = time.monotonic() + PATIENCE
    while not driver.execute_script("return document.body?.dataset.ready === 'yes'"):
        if time.monotonic() > end:
            message = driver.execute_script("return document.body.innerText")
            raise TimeoutError(f"the page does not open: {message[:300]}")
        time.sleep(0.05)
    settle(driver)


def settle(driver):
    """Wait until the newest seed is drawn, and its z score known."""
    done = "!state.isAsking && cortexTimer === null && state.known"
    while not driver.execute_script(f"return Boolean({done})"):
        time.sleep(0.02)
