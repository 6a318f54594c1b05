"""What tests see of the page of `explore` in a browser, and what it lets be saved."""

import time

import numpy as np

from browsers import LARGE, PHONE, WIDE

MINUS = "\N{MINUS SIGN}"

SIZES = [WIDE, LARGE, PHONE]


def shown_map(page):
    """Return r of all places as the page has it."""
    return np.array(page.run("return Array.from(state.map.r)"), np.float32)


def seed_of(page):
    """Return the coordinates of the seed, and of the crosshair."""
    return page.run("return probes.seed()")


def readout(page):
    """Return the numbers at the crosshair, by name."""
    words = page.run("return probes.readout()")
    numbers = {name: value.replace(MINUS, "-") for name, value in words}
    return {name: float(text) for name, text in numbers.items() if text != "…"}


def n_coloured(page, name):
    """Return how many pixels of a canvas are warm, and how many cool."""
    return page.run("return probes.coloured(args[0])", name)


def place_at(explorer, xyz):
    """Return the place at coordinates."""
    return explorer._space.place_at(xyz)


def save_to(page, folder):
    """Let downloads go to a folder."""
    where = {"behavior": "allow", "downloadPath": str(folder)}
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)


def downloaded(folder, pattern, n=1):
    """Return files once they are there."""
    end = time.monotonic() + 20
    while len(found := sorted(folder.glob(pattern))) < n:
        assert time.monotonic() < end, list(folder.iterdir())
        time.sleep(0.05)
    return found


def overlapping(boxes):
    """Return the names of boxes that lie on each other."""
    boxes = [one for one in boxes if not one["isInside"]]
    return [
        (a["name"], b["name"])
        for i, a in enumerate(boxes)
        for b in boxes[:i]
        if min(a["right"], b["right"]) - max(a["left"], b["left"]) > 1
        and min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) > 1
    ]


def check_layout(page, size):
    """Check that all can be seen at a size, and nothing lies on anything else."""
    page.resize(*size)
    boxes = page.run("return probes.boxes()")
    width = page.run("return document.documentElement.scrollWidth")
    warm, _ = n_coloured(page, "sagittal")
    page.resize(*SIZES[0])
    assert len(boxes) > 40
    assert overlapping(boxes) == []
    assert [one["name"] for one in boxes if one["isCut"]] == []
    outside = [one for one in boxes if one["right"] > size[0] or one["left"] < 0]
    assert outside == []
    assert width <= size[0]
    if size[0] > 1000:  # all at one sight
        assert max(one["bottom"] for one in boxes) <= size[1]
    assert warm > 300
