"""Draw the README's picture of the page: that of sbc-map --explore, the seed held.

python benchmarks/picture_of_page.py
"""

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from _browser import browser, missing_browser, open_page, settle

PICTURE = Path(__file__).parent / "explore_page.png"

PCC, MPFC = (0, -52, 18), (0, 48, 4)
"""The seed, and where the crosshair looks: both of the default mode network, mm."""

LOOK = """
const [seed, here, done] = arguments;
$("hold").checked = false;
newSeed(state.space.placeAt(seed));
setTimeout(() => {
  $("hold").checked = true;
  pointAt(state.space.placeAt(here));
  setTimeout(done, 1000);
}, 1000);
"""


@contextmanager
def explored():
    """Give the address of the page that the command opens."""
    command = [sys.executable, "-m", "sbc_estimators", "--explore"]
    # No other browser than ours.
    settings = {**os.environ, "BROWSER": "true"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=settings
    ) as process:
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            # Not as Ctrl-C, which is ignored in the background of a shell.
            process.terminate()


def draw(path):
    """Write the picture of the page."""
    with explored() as address, browser() as driver:
        open_page(driver, address)
        for seed in (MPFC, PCC):  # the first is slow, as all at first
            driver.execute_async_script(LOOK, seed, MPFC)
            settle(driver)
        driver.save_screenshot(str(path))
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main():
    """Read the arguments, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="leave the picture alone")
    options = parser.parse_args()
    if missing := missing_browser():
        raise SystemExit(f"no picture: {missing}")
    if not options.fast:
        draw(PICTURE)
        return
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / PICTURE.name)


if __name__ == "__main__":
    main()
