"""What the benchmarks share: timing in turn, memory, seeds, and who ran on what."""

import multiprocessing
import os
import platform
import resource
import statistics
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import distance_transform_edt

from sbc_estimators.datasets import make_runs

PACKAGES = (
    "sbc_estimators",
    "nilearn",
    "nibabel",
    "numpy",
    "scipy",
    "sklearn",
    "joblib",
)


@dataclass(frozen=True)
class Timings:
    """Wall times of several contestants, measured in turn.

    Attributes
    ----------
    seconds : dict of str to list of float
        One time a round for each contestant.
    """

    seconds: dict

    def median(self, name):
        """Return the median time of a contestant in seconds."""
        return statistics.median(self.seconds[name])

    def less(self, name):
        """Return the timings with those of a contestant taken off."""
        return Timings(
            {
                other: [a - b for a, b in zip(own, self.seconds[name], strict=True)]
                for other, own in self.seconds.items()
            }
        )

    def ratio(self, name, peer):
        """Return the median, smallest and largest ratio of two contestants a round."""
        pairs = zip(self.seconds[name], self.seconds[peer], strict=False)
        ratios = [ours / theirs for ours, theirs in pairs]
        return statistics.median(ratios), min(ratios), max(ratios)


def time_in_turn(contestants, rounds, rare=()):
    """Return the `Timings` of callables that take turns.

    Parameters
    ----------
    contestants : dict of str to callable
    rounds : int
        How often each is called, after one call of each that is not timed.
    rare : collection of str
        Names of slow contestants that are called in the first round only, and not
        before it.
    """
    for name, call in contestants.items():
        if name not in rare:
            call()
    seconds = {name: [] for name in contestants}
    for i in range(rounds):
        for name, call in contestants.items():
            if i == 0 or name not in rare:
                start = time.perf_counter()
                call()
                seconds[name].append(time.perf_counter() - start)
    return Timings(seconds)


def peak_memory(function, *args):
    """Return by how many MiB a call raises the peak of a fresh process.

    The process imports what the function's module imports before it starts to count.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report_peak, args=(sender, function, args))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def _report_peak(sender, function, args):
    """Send by how many MiB a call raises this process's peak."""
    before = _peak()
    function(*args)
    sender.send(_peak() - before)


def _peak():
    """Return the largest resident size of this process so far in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux ru_maxrss begins at what the parent process had.
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def seeds_inside(mask, n_seeds, margin=9.0):
    """Return random seeds in mm, so deep in a mask that their spheres lie within it.

    Parameters
    ----------
    mask : str
        Path of the mask.
    n_seeds : int
        There are fewer if the mask has not so many voxels that deep.
    margin : float, default=9.0
        Least distance in mm from a voxel that is not in the mask.
    """
    mask_img = nibabel.load(mask)
    padded = np.pad(mask_img.get_fdata() != 0, 1)
    sizes = nibabel.affines.voxel_sizes(mask_img.affine)
    depths = distance_transform_edt(padded, sampling=sizes)[1:-1, 1:-1, 1:-1]
    voxels = np.argwhere(depths >= margin)
    n_seeds = min(n_seeds, len(voxels))
    chosen = np.random.default_rng(0).choice(len(voxels), n_seeds, replace=False)
    mm = nibabel.affines.apply_affine(mask_img.affine, voxels[chosen])
    return tuple(map(tuple, mm.tolist()))


def reference_run(folder, is_fast):
    """Write a simulated run of the reference size, and return it and its mask's path.

    Parameters
    ----------
    folder : str
    is_fast : bool
        Whether it is to be a small one.
    """
    shape, n_voxels, n_scans = (61, 73, 61), 69765, 176
    if is_fast:
        shape, n_voxels, n_scans = (20, 24, 20), 2000, 80
    made = make_runs(
        1,
        n_scans,
        n_voxels,
        n_confounds=11,
        shape=shape,
        voxel_size=3.0,
        dtype="int16",
        directory=folder,
        random_state=0,
    )
    mask = str(Path(folder, "mask.nii.gz"))
    nibabel.save(made.mask_img, mask)
    return made.runs[0], mask


def folder_size(folder):
    """Return the size of all files in a folder in MiB."""
    return sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file()) / 2**20


def describe_setting():
    """Return lines that say which versions and how many threads took part."""
    from threadpoolctl import threadpool_info

    versions = ", ".join(
        f"{name} {import_module(name).__version__}" for name in PACKAGES
    )
    pools = ", ".join(
        f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()
    )
    python = f"Python {platform.python_version()} on {platform.machine()}"
    return f"{python}, {os.cpu_count()} cores\n{versions}\nthreads: {pools}"
