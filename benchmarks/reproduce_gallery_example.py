"""Reproduce nilearn's gallery example 8.4.9, published figures beside our own.

The example is "Producing single subject maps of seed-to-voxel correlation": the
posterior cingulate in subject 0010042 of the ADHD-200 sample. nilearn downloads the
subject, or the files are named::

    python benchmarks/reproduce_gallery_example.py
    python benchmarks/reproduce_gallery_example.py --func bold.nii.gz --confounds c.csv
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.datasets import load_sample_run

PCC = (0, -52, 18)
CLEANING = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01}
T_R = 2.0


@dataclass(frozen=True)
class Figures:
    """What the example prints: shapes, and the ranges of r and Fisher z."""

    seed_shape: tuple
    brain_shape: tuple
    r: tuple
    z: tuple


PUBLISHED = Figures((176, 1), (176, 69681), (-0.710, 0.972), (-0.887, 2.128))


def main(argv=None):
    """Print the table; return the figures of the run that was mapped."""
    options = _parser().parse_args(argv)
    run, mask_img = _run(options)
    sbc = SeedCorrelationMap(
        NiftiSpheresMasker([PCC], radius=8, **CLEANING),
        NiftiMasker(mask_img, smoothing_fwhm=6, **CLEANING),
        t_r=run.t_r,
    )
    ours = figures(sbc, run)
    print(_table(ours))
    return ours


def figures(sbc, run):
    """Fit the estimator to a run and return what the example prints of it."""
    z = sbc.fit_transform(run)
    r = sbc.correlations_
    return Figures(
        sbc.seed_signals(run).shape,
        sbc.brain_signals(run).shape,
        (float(r.min()), float(r.max())),
        (float(z.min()), float(z.max())),
    )


def _parser():
    """Return the parser of the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--func", metavar="FILE", help="4D image (default: the subject, downloaded)")
    add("--confounds", metavar="FILE", help="table, one row per scan, all columns used")
    add("--mask", metavar="FILE", help="brain mask (default: computed, as published)")
    add("--t-r", type=float, default=T_R, metavar="S", help="default: %(default)g s")
    add("--fast", action="store_true", help="the package's sample run, no download")
    return parser


def _run(options):
    """Return the run to map and its mask, if there is one."""
    if options.fast:
        sample = load_sample_run()
        return sample.run, sample.mask_img
    func, confounds = options.func, options.confounds
    if func is None:
        # Not needed, and slow to import, where files are named.
        from nilearn.datasets import fetch_adhd

        subject = fetch_adhd(n_subjects=1)
        func, confounds = subject.func[0], subject.confounds[0]
    if confounds is not None:
        # The sample's .csv files are separated by tabs.
        confounds = pd.read_csv(Path(confounds), sep=r"[,\t]", engine="python")
    return Run(func, confounds=confounds, t_r=options.t_r), options.mask


def _table(ours):
    """Return the comparison as text."""
    n_scans = ours.seed_shape[0]
    recipe = np.array(ours.r) * (n_scans - 1) / n_scans
    rows = [
        ("", "published", "here"),
        ("seed signals", PUBLISHED.seed_shape, ours.seed_shape),
        ("brain signals", PUBLISHED.brain_shape, ours.brain_shape),
        ("r", _span(PUBLISHED.r), _span(ours.r)),
        ("z", _span(PUBLISHED.z), _span(ours.z)),
        ("r (n - 1) / n", "", _span(recipe)),
        ("its arctanh", "", _span(np.arctanh(recipe))),
    ]
    lines = [f"{name:<15}{published!s:<18}{here!s}" for name, published, here in rows]
    return "\n".join([*lines, "", NOTE])


NOTE = """\
"here" is Pearson's r and its Fisher z. The published recipe divides a product of
standardized signals by n: r itself where nilearn standardizes by the population's
standard deviation, r (n - 1) / n where by the sample's (newer versions). The published
figures can only be had from the published subject, with the mask computed from it."""


def _span(values):
    """Return a range as the example prints it."""
    return "{:.3f} to {:.3f}".format(*values)


if __name__ == "__main__":
    main()
