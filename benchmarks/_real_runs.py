"""Real runs of files, some signals of each: for bench_statistics.py."""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from nilearn.image import smooth_img


@dataclass(frozen=True, eq=False)
class RealRun:
    """Some signals of a run in random places, and what it is cleaned of."""

    name: str
    signals: np.ndarray
    confounds: np.ndarray | None
    t_r: float


def read_run(words, n_places):
    """Return a run from words as ``func=FILE``."""
    given = dict(word.split("=", 1) for word in words)
    files = given["func"].split(",")
    scans = read_scans(files, given.get("mask"), float(given.get("fwhm", 0)))
    varying = np.flatnonzero(np.ptp(scans, axis=0) > 0)
    n_places = min(n_places, len(varying))
    places = np.random.default_rng(0).choice(varying, n_places, replace=False)
    signals = scans[:, np.sort(places)].astype(np.float64)
    confounds = read_confounds(given.get("confounds"))
    return RealRun(Path(files[0]).name, signals, confounds, float(given["t_r"]))


def read_scans(files, mask, fwhm):
    """Return the signals in a mask of a NIfTI file, or of all vertices in GIFTI."""
    if mask is None:
        parts = [[array.data for array in nibabel.load(f).darrays] for f in files]
        return np.hstack([np.stack(part) for part in parts])
    img = nibabel.load(files[0])
    img = smooth_img(img, fwhm) if fwhm else img
    return img.get_fdata(dtype=np.float32)[nibabel.load(mask).get_fdata() > 0].T


def read_confounds(file):
    """Return a table of confounds, with 0 for what is missing, or None without one."""
    if file is None:
        return None
    if Path(file).suffix == ".tsv":
        return pd.read_csv(file, sep="\t").fillna(0).to_numpy()
    return np.loadtxt(file, ndmin=2)
