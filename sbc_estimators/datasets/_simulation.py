"""Simulated runs with known truth: the brain, its networks, and the scans."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from .._support.checks import check_place, is_finite, is_integer
from ..runs._run import Run

BOLD_MEAN = 1000.0
"""Mean signal of simulated voxels, in grey levels."""

GREY_LEVELS = 10.0
"""Grey levels of a simulated signal of variance 1: 1 % of the mean."""

BAND = (0.01, 0.1)
"""Frequencies (Hz) of simulated network time courses."""


@dataclass(frozen=True, eq=False)
class Brain:
    """Where the voxels lie: the grid, and each voxel's indices and place in mm."""

    shape: tuple
    affine: np.ndarray
    indices: np.ndarray
    points: np.ndarray


@dataclass(frozen=True, eq=False)
class Model:
    """What all simulated runs have in common.

    Attributes
    ----------
    image : callable
        Makes an image of the values in each scan, from a generator of these.
    groups : ndarray of shape (2, n_networks, n_voxels)
        Loadings in either group.
    noise : float
    n_scans, n_confounds : int
    t_r : float
    """

    image: Any
    groups: np.ndarray
    noise: float
    n_scans: int
    n_confounds: int
    t_r: float


# What is true of all runs: the brain, its networks, their correlations


def make_brain(n_voxels, shape, voxel_size):
    """Return the `n_voxels` voxels nearest to the centre of a grid."""
    shape = _smallest_grid(n_voxels) if shape is None else tuple(shape)
    inner = np.array(shape) - 2
    indices = np.indices(inner).reshape(3, -1).T
    distances = (((2 * indices + 1 - inner) / inner) ** 2).sum(axis=1)
    nearest = np.argsort(distances, kind="stable")[:n_voxels]
    indices = indices[np.sort(nearest)] + 1  # in C order, as maskers have them
    affine = np.diag([voxel_size, voxel_size, voxel_size, 1.0])
    affine[:3, 3] = -0.5 * voxel_size * (np.array(shape) - 1)
    return Brain(shape, affine, indices, nib.affines.apply_affine(affine, indices))


def _smallest_grid(n_voxels):
    """Return the odd sizes that hold an ellipsoid of `n_voxels` and its margin."""
    proportions = np.array([1.0, 1.2, 1.0])
    scale = np.cbrt(n_voxels / (4.0 / 3.0 * np.pi * proportions.prod()))
    return tuple(int(n) for n in 2 * np.ceil(scale * proportions) + 3)


def network_centres(points, n_networks):
    """Return the positions of voxels far from each other, and from the brain's edge.

    The first is the hindmost, each next the farthest from those before. The two
    hemispheres are folded onto each other, as the networks are symmetric.
    """
    folded = _fold(points)
    radii = np.linalg.norm(points, axis=1)
    inner = np.argsort(radii, kind="stable")[: (len(points) + 1) // 2]
    centres = [inner[np.argmin(folded[inner, 1])]]
    gaps = np.full(len(inner), np.inf)
    for _ in range(n_networks - 1):
        latest = np.linalg.norm(folded[inner] - folded[centres[-1]], axis=1)
        gaps = np.minimum(gaps, latest)
        centres.append(inner[np.argmax(gaps)])
    return np.array(centres)


def _fold(points):
    """Return points in mm with the left hemisphere mirrored onto the right."""
    return np.abs(points) * [1, 0, 0] + points * [0, 1, 1]


def network_loadings(points, centres):
    """Return Gaussian blobs around the centres, (n_networks, n_voxels)."""
    folded = _fold(points)
    width = 0.4 * np.linalg.norm(points, axis=1).max() / np.cbrt(len(centres))
    offsets = folded[centres][:, np.newaxis] - folded
    return np.exp(-0.5 * (offsets**2).sum(axis=2) / width**2)


def group_loadings(networks, group_effect):
    """Return the loadings of both groups, (2, n_networks, n_voxels)."""
    groups = np.stack([networks, networks])
    if group_effect:
        groups[1, 0] += group_effect * networks[1]
    return groups


def true_correlations(loadings, centres, noise_variance):
    """Return the population correlation of the centres with all voxels."""
    covariances = loadings[:, centres].T @ loadings
    covariances[np.arange(len(centres)), centres] += noise_variance
    variances = (loadings**2).sum(axis=0) + noise_variance
    return covariances / np.sqrt(variances[centres][:, np.newaxis] * variances)


def noise_variance(noise, dtype):
    """Return the variance of a voxel's noise, that of rounding to integers included."""
    rounding = 1.0 / 12.0 / GREY_LEVELS**2 if dtype == "int16" else 0.0
    return noise**2 + rounding


# One run


def make_run(model, group, stream, path):
    """Simulate one run, and write its image if there is a path."""
    rng = np.random.default_rng(stream)
    confounds = rng.standard_normal((model.n_scans, model.n_confounds))
    img = _simulate_image(model, group, confounds, rng)
    if path is not None:
        _save_whole(img, path)
        img = path
    names = [f"confound_{i}" for i in range(model.n_confounds)]
    table = pd.DataFrame(confounds, columns=names) if names else None
    return Run(img, confounds=table, t_r=model.t_r)


def _simulate_image(model, group, confounds, rng):
    """Return a run's image, made scan by scan so that it is in memory only once."""
    networks = model.groups[group]
    courses = _band_limited_noise(model.n_scans, len(networks), model.t_r, rng)
    weights = _confound_weights(model.n_confounds, networks.shape[1], rng)
    courses = np.hstack([courses, confounds]).astype(np.float32)
    loadings = np.vstack([networks, weights]).astype(np.float32)
    return model.image(_simulate_scans(courses, loadings, model.noise, rng))


def _band_limited_noise(n_scans, n_series, t_r, rng):
    """Return Gaussian series of population variance 1 with no power out of `BAND`."""
    frequencies = np.fft.rfftfreq(n_scans, t_r)
    kept = (frequencies >= BAND[0]) & (frequencies <= BAND[1])
    if not kept.any():
        kept = frequencies > 0
    spectra = np.fft.rfft(rng.standard_normal((n_scans, n_series)), axis=0)
    series = np.fft.irfft(spectra * kept[:, np.newaxis], n_scans, axis=0)
    has_nyquist = n_scans % 2 == 0 and kept[-1]
    degrees_of_freedom = 2 * kept.sum() - has_nyquist
    return series * np.sqrt(n_scans / degrees_of_freedom)


def _confound_weights(n_confounds, n_voxels, rng):
    """Return loadings that give the confounds about a network's variance in all."""
    weights = rng.normal(1.0, 0.5, (n_confounds, n_voxels))
    return weights / np.sqrt(max(n_confounds, 1))


def _simulate_scans(courses, loadings, noise, rng):
    """Yield the voxels' values in grey levels, float32, one scan after the other."""
    n_voxels = loadings.shape[1]
    means = rng.normal(BOLD_MEAN, 0.05 * BOLD_MEAN, n_voxels).astype(np.float32)
    for course in courses:
        scan = rng.standard_normal(n_voxels, dtype=np.float32)
        scan *= noise
        scan += course @ loadings
        scan *= GREY_LEVELS
        scan += means
        yield scan


def volume_image(scans, brain, n_scans, t_r, dtype):
    """Return scans of voxels as an image of a type, zero out of the brain."""
    grid = brain.shape[::-1]  # as in a NIfTI file: scans outermost, x innermost
    places = np.ravel_multi_index(brain.indices.T[::-1], grid)
    volumes = np.zeros((n_scans, *grid), dtype=dtype)
    for volume, scan in zip(volumes, scans, strict=True):
        volume.reshape(-1)[places] = np.rint(scan) if dtype == "int16" else scan
    img = nib.Nifti1Image(volumes.T, brain.affine)
    img.header.set_xyzt_units("mm", "sec")
    img.header.set_zooms((*img.header.get_zooms()[:3], t_r))
    return img


def mask_image(brain):
    """Return the brain mask as an image."""
    mask = np.zeros(brain.shape, dtype=np.uint8)
    mask[tuple(brain.indices.T)] = 1
    return nib.Nifti1Image(mask, brain.affine)


def run_paths(directory, n_runs, ending="nii.gz"):
    """Return the runs' files in a folder made if missing, or None for each run."""
    if directory is None:
        return [None] * n_runs
    folder = check_place(directory, "directory")
    folder.mkdir(parents=True, exist_ok=True)
    return [folder / f"run-{i + 1:02d}_bold.{ending}" for i in range(n_runs)]


def _save_whole(img, path):
    """Write an image such that its file is never there in part."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        nib.save(img, Path(folder) / path.name)
        os.replace(Path(folder) / path.name, path)


def seed_sequences(random_state, n_runs):
    """Return an independent stream of random numbers for each run."""
    if isinstance(random_state, np.random.RandomState):
        random_state = int(random_state.randint(2**31 - 1))
    elif isinstance(random_state, np.random.Generator):
        random_state = int(random_state.integers(2**31 - 1))
    elif random_state is not None:
        _check_count("random_state", random_state, 0, "Or pass None or a Generator.")
    return np.random.SeedSequence(random_state).spawn(n_runs)


# Checks


def check_sizes(n_runs, n_scans, n_voxels, n_networks, n_confounds):
    """Raise ValueError unless there is enough of everything."""
    _check_count("n_runs", n_runs, 1, "Ask for one run or more.")
    _check_count("n_networks", n_networks, 1, "Each network has one seed.")
    _check_count("n_confounds", n_confounds, 0, "0 makes runs without confounds.")
    _check_count(
        "n_scans",
        n_scans,
        n_confounds + 3,
        f"Scans must outnumber n_confounds={n_confounds} by 3: pass more scans or "
        "fewer confounds.",
    )
    _check_count(
        "n_voxels",
        n_voxels,
        8 * n_networks,
        f"Each of n_networks={n_networks} takes 8 voxels: pass more voxels or fewer "
        "networks.",
    )


def check_signals(noise, group_effect, n_networks):
    """Raise ValueError unless images can hold the signals and correlations exist."""
    _check_range("noise", noise, 0.1, 100, "Less is lost when rounded to int16.")
    _check_range("group_effect", group_effect, -10, 10, "0 makes the groups equal.")
    if group_effect and n_networks < 2:
        raise ValueError(
            f"group_effect={group_effect!r} couples network 0 with network 1, so "
            f"n_networks must be at least 2, got {n_networks!r}. Pass n_networks=2 or "
            "group_effect=0."
        )


def check_sampling(t_r):
    """Raise ValueError unless an image can have this repetition time."""
    _check_range("t_r", t_r, 0.01, 100, "It is in seconds.")


def check_vertices(n_vertices, n_networks):
    """Raise ValueError unless hemispheres have vertices enough."""
    _check_count(
        "n_vertices",
        n_vertices,
        max(100, 8 * n_networks),
        f"Each of n_networks={n_networks} takes 8 vertices, and a mesh 100.",
    )


def check_image(voxel_size, dtype, shape, n_voxels):
    """Raise ValueError unless an image can have this grid and type."""
    _check_range("voxel_size", voxel_size, 0.01, 100, "It is in mm.")
    if dtype not in ("float32", "int16"):
        raise ValueError(f"dtype must be 'float32' or 'int16', got {dtype!r}.")
    if shape is None:
        return
    if not isinstance(shape, tuple | list) or len(shape) != 3:
        raise ValueError(
            f"shape must be 3 integers (x, y, z) or None, got {shape!r}. The number of "
            "scans is n_scans."
        )
    for size in shape:
        _check_count("each size in shape", size, 3, "The brain has a margin all round.")
    room = int(np.prod([size - 2 for size in shape]))
    if n_voxels > room:
        raise ValueError(
            f"n_voxels={n_voxels} do not fit shape={tuple(shape)}, which holds {room} "
            "voxels inside its margin. Pass a larger shape, fewer voxels or shape=None."
        )


def _check_count(name, value, least, cure):
    """Raise ValueError unless `value` is an integer of at least `least`."""
    if not is_integer(value) or value < least:
        raise ValueError(
            f"{name} must be an integer of at least {least}, got {value!r}. {cure}"
        )


def _check_range(name, value, low, high, cure):
    """Raise ValueError unless `value` is a number from `low` to `high`."""
    if not is_finite(value) or not low <= value <= high:
        raise ValueError(
            f"{name} must be a number from {low} to {high}, got {value!r}. {cure}"
        )
