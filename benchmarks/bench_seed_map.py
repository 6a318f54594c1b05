"""How long a seed map takes, beside nilearn and beside reading the file alone.

All contestants run in this process and take turns, so that ratios hold where the
machine's speed drifts. Peak memory comes from one fresh process each.

    python benchmarks/bench_seed_map.py                  # a simulated run
    python benchmarks/bench_seed_map.py --func FILE --mask FILE --t-r SECONDS
"""

import argparse
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from _measure import (
    describe_setting,
    peak_memory,
    reference_run,
    seeds_inside,
    time_in_turn,
)
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from sbc_estimators import Run, SeedCorrelationMap

FILTER = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}
RADIUS, FWHM = 8.0, 6.0


@dataclass(frozen=True)
class Job:
    """A run on disk, and what is asked of it."""

    gz: str
    nii: str
    mask: str
    confounds: str | None
    t_r: float
    seeds: tuple

    def maskers(self, n_seeds, **clean_args):
        """Return unfitted maskers of the first `n_seeds` seeds, and of the brain."""
        shared = {**FILTER, "t_r": self.t_r, "standardize": "zscore_sample"}
        shared["clean_args"] = clean_args or None
        seeds = list(self.seeds[:n_seeds])
        return (
            NiftiSpheresMasker(seeds, radius=RADIUS, allow_overlap=True, **shared),
            NiftiMasker(mask_img=self.mask, smoothing_fwhm=FWHM, **shared),
        )

    def confounds_table(self):
        """Return the confounds as an array, or None."""
        if self.confounds is None:
            return None
        return pd.read_csv(self.confounds, sep="\t").to_numpy()


def ours(job, path, n_seeds=1, measure="correlation"):
    """Return r of our estimator, made and fitted afresh."""
    estimator = SeedCorrelationMap(*job.maskers(n_seeds), measure=measure)
    estimator.fit_transform(Run(path, job.confounds_table()))
    return estimator.correlations_


def recipe(job, img, **clean_args):
    """Return r of nilearn's published recipe: two maskers, and a product."""
    seeds, voxels = signals_of_nilearn(job, img, 1, **clean_args)
    return (voxels.T @ seeds).T / (len(seeds) - 1)


def signals_of_nilearn(job, img, n_seeds, **clean_args):
    """Return what nilearn's maskers make of seeds and of voxels, at unit variance."""
    confounds = job.confounds_table()
    seed_masker, brain_masker = job.maskers(n_seeds, **clean_args)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a mask given and images passed
        seeds = seed_masker.fit_transform(img, confounds=confounds)
        voxels = brain_masker.fit_transform(img, confounds=confounds)
    return seeds, voxels


def exact(job):
    """Return r, and partial r of 10 seeds, of nilearn's signals of float64 scans."""
    image = nibabel.load(job.gz)
    scans = nibabel.Nifti1Image(image.get_fdata(), image.affine)
    seeds, voxels = signals_of_nilearn(job, scans, 10, butterworth__copy=True)
    return (seeds[:, :1].T @ voxels) / (len(seeds) - 1), partial(seeds, voxels)


def partial(seeds, voxels):
    """Return r of explicit residuals: each seed and the voxels less the other seeds."""
    rows = []
    for j in range(seeds.shape[1]):
        others, _ = np.linalg.qr(np.delete(seeds, j, axis=1))
        seed = seeds[:, j] - others @ (others.T @ seeds[:, j])
        left = voxels - others @ (others.T @ voxels)
        norms = np.linalg.norm(seed) * np.linalg.norm(left, axis=0)
        rows.append(seed @ left / norms)
    return np.stack(rows)


def read(job):
    """Read the file as everybody does."""
    nibabel.load(job.gz).get_fdata()


def simulated_job(folder, fast):
    """Write a simulated run of the reference size (a small one if `fast`)."""
    run, mask = reference_run(folder, fast)
    confounds = str(Path(folder, "confounds.tsv"))
    run.confounds.to_csv(confounds, sep="\t", index=False)
    return make_job(str(run.img), mask, confounds, run.t_r, folder)


def make_job(gz, mask, confounds, t_r, folder):
    """Return the job of a run, with an uncompressed copy and 100 random seeds."""
    image = nibabel.load(gz)
    nii = str(Path(folder, "uncompressed.nii"))
    scans = image.dataobj.get_unscaled()
    nibabel.save(nibabel.Nifti1Image(scans, image.affine, image.header), nii)
    return Job(gz, nii, mask, confounds, t_r, seeds_inside(mask, 100))


def contestants(job, with_shipped):
    """Return what is timed, by name."""
    calls = {
        "get_fdata alone, .nii.gz": lambda: read(job),
        "ours, .nii.gz": lambda: ours(job, job.gz),
        "ours, .nii": lambda: ours(job, job.nii),
        "ours, .nii.gz, 10 seeds": lambda: ours(job, job.gz, 10),
        "ours, .nii.gz, 10 seeds, partial": lambda: ours(job, job.gz, 10, "partial"),
        "ours, .nii.gz, 100 seeds": lambda: ours(job, job.gz, 100),
        "nilearn, tuned": lambda: recipe(job, job.gz, butterworth__copy=True),
    }
    if with_shipped:
        calls["nilearn, as shipped"] = lambda: recipe(job, job.gz)
    return calls


def memory(job, with_shipped):
    """Return each contestant's peak memory in MiB."""
    peaks = {
        "get_fdata alone, .nii.gz": peak_memory(read, job),
        "ours, .nii.gz": peak_memory(ours, job, job.gz),
        "ours, .nii": peak_memory(ours, job, job.nii),
        "ours, .nii.gz, 10 seeds": peak_memory(ours, job, job.gz, 10),
        "ours, .nii.gz, 10 seeds, partial": peak_memory(
            ours, job, job.gz, 10, "partial"
        ),
        "ours, .nii.gz, 100 seeds": peak_memory(ours, job, job.gz, 100),
        "nilearn, tuned": peak_memory(_tuned, job),
    }
    if with_shipped:
        peaks["nilearn, as shipped"] = peak_memory(recipe, job, job.gz)
    return peaks


def _tuned(job):
    """Call the tuned recipe in another process."""
    recipe(job, job.gz, butterworth__copy=True)


def report(job, rounds, with_shipped):
    """Measure and print everything."""
    shape = nibabel.load(job.gz).shape
    n_voxels = int(np.count_nonzero(nibabel.load(job.mask).get_fdata()))
    print(f"run {shape}, {n_voxels} voxels in the mask, fwhm {FWHM} mm, {FILTER}")
    print(describe_setting())
    timings = time_in_turn(
        contestants(job, with_shipped), rounds, rare=("nilearn, as shipped",)
    )
    peaks = memory(job, with_shipped)
    print(f"\n{'':32s} {'median s':>9s} {'peak MiB':>9s}  rounds")
    for name, seconds in timings.seconds.items():
        median = timings.median(name)
        print(f"{name:32s} {median:9.3f} {peaks[name]:9.0f}  {len(seconds)}")
    print("\nratio (median, smallest and largest of the rounds)")
    for name, peer in ratios(with_shipped):
        median, low, high = timings.ratio(name, peer)
        print(f"{name} / {peer}: {median:.3f} ({low:.3f} to {high:.3f})")
    truth, partial_truth = exact(job)
    print("\nlargest difference in r from nilearn's signals of float64 scans")
    for path in (job.gz, job.nii):
        difference = np.abs(ours(job, path) - truth).max()
        print(f"ours, {''.join(Path(path).suffixes[-2:])}: {difference:.1e}")
    difference = np.abs(ours(job, job.gz, 10, "partial") - partial_truth).max()
    print(f"ours, partial, from explicit residuals: {difference:.1e}")
    shipped = recipe(job, job.gz, butterworth__copy=True)
    print(f"nilearn, from the file: {np.abs(shipped - truth).max():.1e}")


def ratios(with_shipped):
    """Return the pairs of contestants to compare."""
    reading = "get_fdata alone, .nii.gz"
    pairs = [
        ("ours, .nii.gz", reading),
        ("ours, .nii", reading),
        ("ours, .nii.gz, 10 seeds, partial", "ours, .nii.gz, 10 seeds"),
        ("ours, .nii.gz, 100 seeds", "ours, .nii.gz"),
        ("nilearn, tuned", "ours, .nii.gz"),
    ]
    shipped = [("nilearn, as shipped", "ours, .nii.gz")]
    return pairs + shipped if with_shipped else pairs


def main(argv=None):
    """Read the command line and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--func", help="4D run, .nii.gz; default: a simulated one")
    parser.add_argument("--mask", help="brain mask on the run's grid")
    parser.add_argument("--confounds", help="TSV, all of its columns are used")
    parser.add_argument("--t-r", type=float, help="repetition time in s")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-shipped", action="store_true", help="skip the minute")
    parser.add_argument("--fast", action="store_true", help="small, for a smoke test")
    options = parser.parse_args(argv)
    if options.func and not (options.mask and options.t_r):
        parser.error("--func needs --mask and --t-r")
    with tempfile.TemporaryDirectory() as folder:
        if options.func:
            files = (options.func, options.mask, options.confounds, options.t_r)
            job = make_job(*files, folder)
        else:
            job = simulated_job(folder, options.fast)
        rounds = 2 if options.fast else options.rounds
        report(job, rounds, with_shipped=not options.no_shipped)


if __name__ == "__main__":
    main()
