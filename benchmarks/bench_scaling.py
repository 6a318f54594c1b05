"""What a map costs with more scans, voxels, seeds, runs; of regions; of a large run.

Every line varies one size and holds the others. Beside each time stands that of
reading the same file with nibabel, the peak memory of a fresh process and, where the
run is small enough for nilearn, the largest difference in r from its maskers (of the
first run and at most 10 seeds, from scans in float64).

    python benchmarks/bench_scaling.py
"""

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from _measure import describe_setting, peak_memory, seeds_inside, time_in_turn
from isal import igzip
from nilearn.maskers import NiftiLabelsMasker, NiftiMasker, NiftiSpheresMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.datasets import make_runs

CLEANING = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "standardize": None}
FIELD_OF_VIEW = np.array([180.0, 216.0, 180.0])
BRAIN_FRACTION = 0.26
N_COMPARED = 10
"""Seeds whose r is compared with nilearn's."""

MOST_COMPARED = 200 * 60 * 72 * 60
"""Values in the largest run that is compared: nilearn takes about 10 s and 2 GB."""


@dataclass(frozen=True)
class Size:
    """The sizes of a benchmark; the defaults are what is held."""

    n_scans: int = 176
    voxel_size: float = 3.0
    n_seeds: int = 1
    n_runs: int = 1

    @property
    def shape(self):
        """Grid of the field of view."""
        return tuple(int(n) for n in np.ceil(FIELD_OF_VIEW / self.voxel_size))

    @property
    def n_voxels(self):
        """Voxels in the brain mask."""
        return int(np.prod(self.shape) * BRAIN_FRACTION)


VARIED = {
    "n_scans": [Size(n_scans=n) for n in (100, 200, 400, 800, 1200)],
    "voxel_size": [Size(voxel_size=mm) for mm in (5.0, 4.0, 3.0, 2.5, 2.0)],
    "n_seeds": [Size(n_seeds=n) for n in (1, 10, 100, 1000)],
    "n_runs": [Size(n_runs=n) for n in (1, 2, 4, 8)],
}
LARGE_FORMS = ("float32 .nii", "int16 .nii.gz", "float32 .nii.gz")
"""What the large run is written as; compressed by isal, quickly."""

SMALL = Size(n_scans=60, voxel_size=9.0)
FAST = {
    "n_scans": [SMALL, Size(n_scans=80, voxel_size=9.0)],
    "n_seeds": [Size(n_scans=60, voxel_size=9.0, n_seeds=5)],
    "n_runs": [Size(n_scans=60, voxel_size=9.0, n_runs=2)],
}


def write_runs(size, folder):
    """Write the runs of a size and their mask; return their files and the mask's."""
    simulated = make_runs(
        size.n_runs,
        size.n_scans,
        size.n_voxels,
        n_confounds=0,
        shape=size.shape,
        voxel_size=size.voxel_size,
        dtype="int16",
        directory=folder,
        random_state=0,
    )
    mask = Path(folder, "mask.nii.gz")
    nibabel.save(simulated.mask_img, mask)
    return [str(run.img) for run in simulated.runs], str(mask)


def make_maskers(mask, seeds, **options):
    """Return unfitted maskers of seeds and of the brain."""
    options = {**CLEANING, "t_r": 2.0, **options}
    return (
        NiftiSpheresMasker(seeds, radius=8, allow_overlap=True, **options),
        NiftiMasker(mask_img=mask, smoothing_fwhm=6, **options),
    )


def map_files(files, mask, seeds):
    """Return the fitted estimator of some runs."""
    estimator = SeedCorrelationMap(*make_maskers(mask, seeds))
    estimator.fit_transform([Run(file) for file in files])
    return estimator


def difference(file, mask, seeds):
    """Return the largest difference in r from nilearn's maskers, or None if too large.

    nilearn is given the scans in float64, and its filter tuned, so that it is exact.
    """
    image = nibabel.load(file)
    if np.prod(image.shape) > MOST_COMPARED:
        return None
    seeds = seeds[:N_COMPARED]
    ours = map_files([file], mask, seeds).correlations_
    scans = nibabel.Nifti1Image(image.get_fdata(), image.affine)
    options = {"clean_args": {"butterworth__copy": True}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a mask given and images passed
        signals = [
            masker.fit_transform(scans)
            for masker in make_maskers(mask, seeds, **options)
        ]
    seed, voxels = (x - x.mean(axis=0) for x in signals)
    norms = np.outer(np.linalg.norm(seed, axis=0), np.linalg.norm(voxels, axis=0))
    return np.abs(ours - seed.T @ voxels / norms).max()


def in_words(value):
    """Return the text for a difference in r."""
    return "-" if value is None else f"{value:.1e}"


def read_files(files):
    """Read the scans of some runs as everybody does."""
    for file in files:
        nibabel.load(file).get_fdata()


def measure(size, rounds):
    """Print one line: the cost at a size."""
    with tempfile.TemporaryDirectory() as folder:
        files, mask = write_runs(size, folder)
        seeds = seeds_inside(mask, size.n_seeds)
        calls = {
            "ours": lambda: map_files(files, mask, seeds),
            "reading": lambda: read_files(files),
        }
        timings = time_in_turn(calls, rounds)
        peak = peak_memory(map_files, files, mask, seeds)
        error = in_words(difference(files[0], mask, seeds))
    ratio, low, high = timings.ratio("ours", "reading")
    print(
        f"{size.n_scans:7d} {size.voxel_size:5.1f} {size.n_voxels:7d} "
        f"{size.n_seeds:5d} {size.n_runs:4d} {timings.median('ours'):8.3f} "
        f"{timings.median('reading'):8.3f} {ratio:6.2f} ({low:.2f} to {high:.2f}) "
        f"{peak:6.0f} {error:>8s}"
    )


def write_large_run(folder, shape, n_scans, form):
    """Write a run scan by scan, and a mask of its middle; return both, and its size."""
    rng, dtype = np.random.default_rng(0), np.dtype(form.partition(" ")[0])
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -np.array(shape)
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape((*shape, n_scans))
    header.set_sform(affine, code="mni")
    header.set_slope_inter(1, 0)
    header["vox_offset"], header["magic"] = 352, b"n+1"
    path = Path(folder, f"large{form.partition(' ')[2]}")
    opener = igzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        file.write(header.binaryblock)
        file.write(bytes(352 - len(header.binaryblock)))
        mean = 1000 + 100 * rng.random(shape[::-1], dtype=np.float32)
        for _ in range(n_scans):
            scan = mean + 10 * rng.standard_normal(shape[::-1], dtype=np.float32)
            file.write(scan.astype(dtype).tobytes())
    distances = np.indices(shape) - (np.reshape(shape, (3, 1, 1, 1)) - 1) / 2
    radii = np.reshape(shape, (3, 1, 1, 1)) * 0.4
    mask = ((distances / radii) ** 2).sum(axis=0) < 1
    mask_path = Path(folder, "mask.nii.gz")
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), affine), mask_path)
    return str(path), str(mask_path), int(mask.sum())


def measure_large_run(shape, n_scans):
    """Print the time and peak memory of a run that does not fit in them, by its form.

    A map and the reading of the file are timed once each, from the page cache.
    """
    print(f"\nlarge run {(*shape, n_scans)}")
    print("form              MiB  voxels   ours s  reading  ratio   peak        r")
    for form in LARGE_FORMS:
        with tempfile.TemporaryDirectory() as folder:
            path, mask, n_voxels = write_large_run(folder, shape, n_scans, form)
            seeds = seeds_inside(mask, 1)
            calls = {
                "ours": lambda own=(path, mask, seeds): map_files([own[0]], *own[1:]),
                "reading": lambda own=path: read_files([own]),
            }
            timings = time_in_turn(calls, 1, rare=calls)
            peak = peak_memory(map_files, [path], mask, seeds)
            error = in_words(difference(path, mask, seeds))
            size = Path(path).stat().st_size / 2**20
        ours, reading = timings.median("ours"), timings.median("reading")
        print(
            f"{form:15s} {size:5.0f} {n_voxels:7d} {ours:8.1f} {reading:8.1f} "
            f"{ours / reading:6.2f} {peak:6.0f} {error:>8s}"
        )


def write_regions(mask, n_regions, path):
    """Write an atlas of a mask's voxels, in regions of about the same size."""
    mask_img = nibabel.load(mask)
    inside = np.asarray(mask_img.dataobj) != 0
    labels = np.zeros(inside.shape, np.int16)
    n_voxels = int(inside.sum())
    labels[inside] = 1 + np.arange(n_voxels) * n_regions // n_voxels
    nibabel.save(nibabel.Nifti1Image(labels, mask_img.affine), path)


def map_regions(file, seeds, atlas):
    """Return the fitted estimator of a run whose brain is an atlas."""
    options = {**CLEANING, "t_r": 2.0}
    brain = NiftiLabelsMasker(atlas, **options)
    seed_masker = NiftiSpheresMasker(seeds, radius=8, allow_overlap=True, **options)
    return SeedCorrelationMap(seed_masker, brain).fit(Run(file))


def measure_regions(size, n_regions, rounds):
    """Print what a map of regions costs beside reading the run."""
    with tempfile.TemporaryDirectory() as folder:
        files, mask = write_runs(size, folder)
        seeds, atlas = seeds_inside(mask, 1), str(Path(folder, "atlas.nii.gz"))
        write_regions(mask, n_regions, atlas)
        calls = {
            "ours": lambda: map_regions(files[0], seeds, atlas),
            "reading": lambda: read_files(files),
        }
        timings = time_in_turn(calls, rounds)
        peak = peak_memory(map_regions, files[0], seeds, atlas)
    ratio, low, high = timings.ratio("ours", "reading")
    print(
        f"\nbrain of {n_regions} regions: {timings.median('ours'):.3f} s, reading "
        f"{timings.median('reading'):.3f} s, ratio {ratio:.2f} ({low:.2f} to "
        f"{high:.2f}), peak {peak:.0f} MiB"
    )


def main(argv=None):
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    choices = [*VARIED, "regions", "large"]
    parser.add_argument("--only", choices=choices, help="one table")
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    print(describe_setting())
    tables = FAST if options.fast else VARIED
    rounds = 1 if options.fast else options.rounds
    header = "  scans    mm  voxels seeds runs   ours s reading s"
    header += "  ratio (of rounds), peak MiB, difference in r"
    for varied, sizes in tables.items():
        if options.only in (None, varied):
            print(f"\n{varied} varies\n{header}")
            for size in sizes:
                measure(size, rounds)
    if options.only in (None, "regions"):
        size, n_regions = (SMALL, 20) if options.fast else (Size(), 400)
        measure_regions(size, n_regions, rounds)
    if options.only in (None, "large"):
        shape, n_scans = ((20, 24, 20), 100) if options.fast else ((91, 109, 91), 1200)
        measure_large_run(shape, n_scans)


if __name__ == "__main__":
    main()
