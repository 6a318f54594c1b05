"""How fast gzip streams are read by libraries of which one had to be chosen.

Reads a .nii.gz from start to end in pieces of 16 MiB, as the package reads scans, with
Python's own gzip and with each of isal and zlib-ng that is installed.

    python -m pip install isal zlib-ng
    python benchmarks/bench_decompression.py                  # a simulated run
    python benchmarks/bench_decompression.py --func FILE
"""

import argparse
import importlib
import tempfile
from importlib.metadata import version

from _measure import describe_setting, time_in_turn

from sbc_estimators.datasets import make_runs

READERS = {"gzip": "gzip", "isal": "isal.igzip", "zlib-ng": "zlib_ng.gzip_ng"}
PIECE_BYTES = 2**24


def read(module, path):
    """Read a file to its end, where its checksum is looked at, too."""
    piece = memoryview(bytearray(PIECE_BYTES))
    with module.open(path, "rb") as stream:
        while stream.readinto(piece):
            pass


def installed():
    """Return the modules that can read gzip streams, by the names of their packages."""
    found = {}
    for name, module in READERS.items():
        try:
            found[name] = importlib.import_module(module)
        except ImportError:
            print(f"{name} is not installed")
    return found


def report(path, rounds):
    """Print the time of each library and its ratio to Python's own."""
    modules = installed()
    calls = {name: lambda m=module: read(m, path) for name, module in modules.items()}
    timings = time_in_turn(calls, rounds)
    for name in modules:
        ratio, low, high = timings.ratio(name, "gzip")
        release = "" if name == "gzip" else f" {version(name)}"
        print(
            f"{name + release:16s} {timings.median(name):8.3f} s, of gzip's "
            f"{ratio:.2f} ({low:.2f} to {high:.2f})"
        )


def simulated_run(folder, fast):
    """Write a simulated run of the reference size (a small one if `fast`)."""
    size = {"n_scans": 176, "n_voxels": 69765, "shape": (61, 73, 61)}
    if fast:
        size = {"n_scans": 40, "n_voxels": 2000, "shape": (20, 24, 20)}
    options = {"voxel_size": 3.0, "dtype": "int16", "random_state": 0}
    return str(make_runs(1, directory=folder, **size, **options).runs[0].img)


def main(argv=None):
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--func", help="a .nii.gz; default: a simulated run")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    print(describe_setting())
    with tempfile.TemporaryDirectory() as folder:
        path = options.func or simulated_run(folder, options.fast)
        report(path, 1 if options.fast else options.rounds)


if __name__ == "__main__":
    main()
