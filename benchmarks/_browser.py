"""A page in headless Chromium, for what can only be seen in a browser; tests use it."""

import shutil
import time
from contextlib import contextmanager
from importlib.util import find_spec

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    # Else it looks up hosts elsewhere at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    # A click must not wait for a page that scrolls.
    "--force-prefers-reduced-motion",
)

SIZE = (1280, 800)
"""Of a page, in pixels."""

PHONE = 500
"""Pixels up to which a page is that of a phone."""

PATIENCE = 60
"""Seconds after which a page will not do any more what it is waited for."""


def missing_browser():
    """Return what is missing to open a page, or an empty text."""
    if find_spec("selenium") is None:
        return "selenium is not installed"
    programs = ("chromium", "chromedriver")
    missing = [name for name in programs if shutil.which(name) is None]
    return f"there is no {missing[0]}" if missing else ""


def start_browser(*flags):
    """Return a driver of Chromium, which draws in software."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, *flags):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(PATIENCE)
    give_size(driver, *SIZE)
    return driver


def give_size(driver, width, height):
    """Give the pages of a browser a size in pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1}
    size["mobile"] = width <= PHONE
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


@contextmanager
def browser():
    """Give a driver of Chromium for pictures, without bars to scroll."""
    driver = start_browser("--hide-scrollbars")
    try:
        yield driver
    finally:
        driver.quit()


def wait_for(driver, condition):
    """Wait until a condition in JavaScript holds."""
    end = time.monotonic() + PATIENCE
    while not driver.execute_script(f"return Boolean({condition})"):
        if time.monotonic() > end:
            text = driver.execute_script("return document.body?.innerText ?? ''")
            raise TimeoutError(f"not within {PATIENCE} s: {condition}; {text[:300]}")
        time.sleep(0.02)


def open_page(driver, address):
    """Open a page of `explore`, and wait until it is drawn."""
    driver.get(address)
    wait_for(driver, "document.body?.dataset.ready === 'yes'")
    settle(driver)


def settle(driver):
    """Wait until the newest seed is drawn, and its z score known."""
    wait_for(driver, "!state.isAsking && cortexTimer === null && state.known")
