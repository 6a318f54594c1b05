"""The sample run that ships with the package, and simulated runs with known truth."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from .._support.tables import read_table
from ..runs._run import Run
from ._simulation import (
    Model,
    check_image,
    check_sampling,
    check_signals,
    check_sizes,
    check_vertices,
    group_loadings,
    make_brain,
    make_run,
    mask_image,
    network_centres,
    network_loadings,
    noise_variance,
    run_paths,
    seed_sequences,
    true_correlations,
    volume_image,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sklearn.utils import Bunch

    from .._images.annotations import PathLike

__all__ = ["load_sample_run", "make_grayordinate_runs", "make_runs"]

_SAMPLE = "sub-01_task-rest_"
_SAMPLE_SPACE = f"{_SAMPLE}space-MNI152NLin2009cAsym_res-5_desc-"
_MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
_DESCRIPTION = """\
One subject at rest in MNI152NLin2009cAsym space: 33 x 39 x 31 voxels of 5 mm, 200
scans, TR 1.5 s, int16, zero outside the brain mask, with confounds named as fMRIPrep
names them. Derived from sub-RAPIDTIDETEST of rapidtide 2.0, Copyright Blaise Frederick,
Apache License 2.0; resampled and scaled. The files NOTICE and LICENSE-APACHE-2.0 lie
beside the data."""


def __dir__() -> list[str]:
    return __all__


# The sample run


def load_sample_run(
    columns: Sequence[str] | None = ("white_matter", "csf", *_MOTION),
) -> Bunch:
    """Load the resting-state run that ships with the package.

    Nothing is downloaded, and the image itself stays on disk.

    Parameters
    ----------
    columns : sequence of str or None, default=("white_matter", "csf", "trans_x", \
            "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
        The confounds that the run carries. Also there: "global_signal" and
        "framewise_displacement", whose first scan is NaN. None gives a run without
        confounds.

    Returns
    -------
    sample : sklearn.utils.Bunch
        run : Run
            `func` with the confounds as DataFrame of shape (200, n_columns), and `t_r`.
        func : pathlib.Path
            The 4D image, (33, 39, 31, 200), int16, zero outside the brain.
        mask_img : pathlib.Path
            The brain mask, (33, 39, 31).
        confounds_file : pathlib.Path
            The table of all ten confounds.
        t_r : float
            Repetition time, 1.5 s.
        description : str
            What the run is, its source and its licence.

    Raises
    ------
    ValueError
        If `columns` is not a sequence of names, or a name is not in the table.

    Examples
    --------
    >>> from sbc_estimators.datasets import load_sample_run
    >>> sample = load_sample_run(columns=["white_matter", "csf"])
    >>> sample.run.confounds.shape, sample.run.t_r
    ((200, 2), 1.5)
    >>> print(sample.func.name)
    sub-01_task-rest_space-MNI152NLin2009cAsym_res-5_desc-preproc_bold.nii.gz
    """
    folder = Path(str(files(__package__).joinpath("data")))
    func = folder / f"{_SAMPLE_SPACE}preproc_bold.nii.gz"
    confounds_file = folder / f"{_SAMPLE}desc-confounds_timeseries.tsv"
    sidecar = folder / f"{_SAMPLE_SPACE}preproc_bold.json"
    t_r = json.loads(sidecar.read_text("utf-8"))["RepetitionTime"]
    confounds = None if columns is None else _read_columns(confounds_file, columns)
    return _bunch(
        run=Run(func, confounds=confounds, t_r=t_r),
        func=func,
        mask_img=folder / f"{_SAMPLE_SPACE}brain_mask.nii.gz",
        confounds_file=confounds_file,
        t_r=t_r,
        description=_DESCRIPTION,
    )


def _read_columns(path, columns):
    """Return some columns of a table of confounds, in the order they are named."""
    table = read_table(path, "the sample run's confounds")
    available = ", ".join(table.columns)
    is_list = isinstance(columns, list | tuple | np.ndarray | pd.Series | pd.Index)
    if not is_list or len(columns) == 0:
        raise ValueError(
            f"columns must be a sequence of at least one name, got {columns!r}. Write "
            f"columns=['csf'], or None for a run without confounds; there are "
            f"{available}."
        )
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(
            f"columns must name confounds of the sample run, got {missing[0]!r}. "
            f"Choose from {available}."
        )
    return table[list(columns)]


def _bunch(**fields):
    """Return a Bunch; scikit-learn, slow to import, is loaded only now."""
    from sklearn.utils import Bunch

    return Bunch(**fields)


# Simulated runs


def make_runs(
    n_runs: int = 2,
    n_scans: int = 150,
    n_voxels: int = 4000,
    n_networks: int = 3,
    *,
    noise: float = 1.0,
    n_confounds: int = 2,
    group_effect: float = 0.0,
    t_r: float = 2.0,
    voxel_size: float = 4.0,
    dtype: Literal["float32", "int16"] = "float32",
    shape: tuple[int, int, int] | None = None,
    directory: PathLike | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> Bunch:
    """Simulate runs whose true seed-based correlations are known.

    Each network is a pair of blobs, mirrored in the mid-sagittal plane, with one time
    course. The brain and the networks depend only on the sizes: two calls that differ
    in `random_state`, `n_runs` or `n_scans` share them, so one can make training runs
    and the other test runs.

    Parameters
    ----------
    n_runs : int, default=2
        Number of runs.
    n_scans : int, default=150
        Number of scans per run, at least `n_confounds` + 3.
    n_voxels : int, default=4000
        Exact number of voxels in the brain, at least 8 per network.
    n_networks : int, default=3
        Number of networks; each has one seed.
    noise : float, default=1.0
        Standard deviation of each voxel's own white noise, from 0.1 to 100; a network's
        time course has 1.
    n_confounds : int, default=2
        Number of white-noise confounds. They are in every voxel, with mostly positive
        weights, so that a map is visibly too high if they are not removed. 0 gives
        runs without confounds.
    group_effect : float, default=0.0
        In runs of group 1, the voxels of network 1 also follow the time course of
        network 0, this many times as strongly as their own; from -10 to 10. The groups
        then differ in the map of seed 0 at network 1, and in that of seed 1 at
        network 0.
    t_r : float, default=2.0
        Repetition time in seconds.
    voxel_size : float, default=4.0
        Edge of the voxels in mm.
    dtype : {"float32", "int16"}, default="float32"
        Data type of the images.
    shape : tuple of 3 int or None, default=None
        The grid, which must leave a margin of one voxel around the brain. None is the
        smallest grid for an ellipsoid that is 1.2 times as long (y) as it is wide.
    directory : str, pathlib.Path or None, default=None
        Folder to write the runs to, as run-01_bold.nii.gz and so on; made if missing.
        Existing files of these names are replaced. None keeps the images in memory.
    random_state : int, Generator, RandomState or None, default=None
        Makes the runs reproducible; run i does not depend on `n_runs`. From a Generator
        or RandomState one integer is drawn.

    Returns
    -------
    data : sklearn.utils.Bunch
        runs : list of Run
            Each with a Nifti1Image or, if there is a `directory`, its path; a DataFrame
            of confounds named confound_0, confound_1, ..., or None; and `t_r`.
        mask_img : Nifti1Image
            The brain, uint8.
        seeds : list of tuple of 3 float
            A voxel centre in mm for each network, where its loading is 1.
        correlations : ndarray of shape (n_networks, n_voxels)
            True correlation of each seed's voxel with every voxel, in group 0, once
            the confounds are removed. Voxels are in the order of nilearn's NiftiMasker.
        group_correlations : ndarray of shape (2, n_networks, n_voxels)
            The same in group 0 and in group 1.
        y : ndarray of shape (n_runs,)
            Group of each run: 0, 1, 0, 1, ...
        networks : ndarray of shape (n_networks, n_voxels)
            Loading of each voxel on each network, in group 0.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the brain does not fit the grid.

    Notes
    -----
    With loadings A, time courses s of variance 1 in 0.01-0.1 Hz (in all frequencies
    but 0 where `n_scans` and `t_r` leave none of these), noise e of standard deviation
    `noise` and confounds c with loadings B, voxel v at scan t is

        x_v(t) = m_v + 10 (sum_k A_kv s_k(t) + sum_c B_cv c(t) + e_v(t))

    around a mean m_v of 1000. All of s, c and e are independent, hence

        r_kv = sum_j A_jk A_jv / sqrt((sum_j A_jk^2 + n) (sum_j A_jv^2 + n)),

    where A_jk is taken at seed k and n is the noise's variance, plus that of rounding
    for int16 (1/12 of a squared grey level); r is 1 at the seed itself.

    This is the truth for voxels that are neither smoothed nor filtered. A band-pass
    removes noise and raises correlations; spheres and smoothing average it out. The r
    of a run differs from the truth by sampling error, 1 / sqrt(n_scans) or a little
    more, since band-limited time courses have fewer degrees of freedom than scans.

    There are no haemodynamics, motion or spatially smooth noise: with them there would
    be no formula for the truth.

    Examples
    --------
    >>> from sbc_estimators.datasets import make_runs
    >>> data = make_runs(n_runs=2, n_scans=60, n_voxels=500, random_state=0)
    >>> data.runs[0].img.shape, int(data.mask_img.dataobj.sum())
    ((13, 15, 13, 60), 500)
    >>> data.correlations.shape, data.y
    ((3, 500), array([0, 1]))
    """
    check_sizes(n_runs, n_scans, n_voxels, n_networks, n_confounds)
    check_signals(noise, group_effect, n_networks)
    check_sampling(t_r)
    check_image(voxel_size, dtype, shape, n_voxels)
    streams = seed_sequences(random_state, n_runs)
    brain = make_brain(n_voxels, shape, voxel_size)
    centres = network_centres(brain.points, n_networks)
    networks = network_loadings(brain.points, centres)
    groups = group_loadings(networks, group_effect)
    truth = [
        true_correlations(g, centres, noise_variance(noise, dtype)) for g in groups
    ]
    t_r = float(t_r)
    options = {"brain": brain, "n_scans": n_scans, "t_r": t_r, "dtype": dtype}
    image = partial(volume_image, **options)
    model = Model(image, groups, noise, n_scans, n_confounds, t_r)
    paths = run_paths(directory, n_runs)
    y = np.arange(n_runs) % 2
    return _bunch(
        runs=[make_run(model, *which) for which in zip(y, streams, paths, strict=True)],
        mask_img=mask_image(brain),
        seeds=[tuple(point.tolist()) for point in brain.points[centres]],
        correlations=truth[0],
        group_correlations=np.stack(truth),
        y=y,
        networks=networks,
    )


def make_grayordinate_runs(
    n_runs: int = 2,
    n_scans: int = 150,
    n_vertices: int = 400,
    n_voxels: int = 300,
    n_networks: int = 3,
    *,
    noise: float = 1.0,
    n_confounds: int = 2,
    t_r: float = 2.0,
    directory: str | os.PathLike[str] | None = None,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
) -> Bunch:
    """Simulate CIFTI runs whose true seed-based correlations are known.

    Each has two small cortices, parts of which, the medial walls, hold no data, and the
    voxels of five structures below them. What a run is made of is told in `make_runs`.

    Parameters
    ----------
    n_runs : int, default=2
        Number of runs.
    n_scans : int, default=150
        Number of scans per run, at least `n_confounds` + 3.
    n_vertices : int, default=400
        Number of vertices of each hemisphere's mesh, at least 100, of which 8 % are its
        medial wall.
    n_voxels : int, default=300
        Number of voxels of 4 mm, at least 8 per network.
    n_networks : int, default=3
        Number of networks, each a pair of mirrored blobs. Seeds lie by turns in the
        left cortex and in a voxel.
    noise : float, default=1.0
        Standard deviation of the white noise of each grayordinate, from 0.1 to 100; a
        network's time course has 1.
    n_confounds : int, default=2
        Number of white-noise confounds. 0 gives runs without confounds.
    t_r : float, default=2.0
        Repetition time in seconds.
    directory : str, pathlib.Path or None, default=None
        Folder to write the runs to, as run-01_bold.dtseries.nii and so on; made if
        missing. Existing files of these names are replaced. None keeps the images in
        memory.
    random_state : int, Generator, RandomState or None, default=None
        Makes the runs reproducible, as in `make_runs`.

    Returns
    -------
    data : sklearn.utils.Bunch
        runs : list of Run
            Each with a Cifti2Image or, if there is a `directory`, its path, and a
            DataFrame of confounds or None. The image tells the repetition time.
        mesh : PolyMesh
            Both hemispheres, in mm.
        points : ndarray of shape (n_grayordinates, 3)
            Where grayordinates lie in mm.
        seeds : list of int or tuple of 3 float
            The centre of each network: in cortex the number of a vertex of the left
            hemisphere, else that of a voxel in mm.
        correlations : ndarray of shape (n_networks, n_grayordinates)
            True correlation of each seed with every grayordinate, once the confounds
            are removed.
        networks : ndarray of shape (n_networks, n_grayordinates)
            Loading of each grayordinate on each network.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from sbc_estimators.datasets import make_grayordinate_runs
    >>> data = make_grayordinate_runs(1, n_scans=60, random_state=0)
    >>> data.runs[0].img.shape
    (60, 1036)
    >>> data.seeds
    [207, (4.0, 12.0, -4.0), 10]
    """
    # Imports nilearn, which takes seconds.
    from ._grayordinates import (
        centres_of_networks,
        cifti_image,
        make_grayordinates,
        places_of_seeds,
    )

    check_sizes(n_runs, n_scans, n_voxels, n_networks, n_confounds)
    check_signals(noise, 0.0, n_networks)
    check_sampling(t_r)
    check_vertices(n_vertices, n_networks)
    streams = seed_sequences(random_state, n_runs)
    brain = make_grayordinates(n_vertices, n_voxels)
    centres = centres_of_networks(brain, n_networks)
    networks = network_loadings(brain.points, centres)
    options = {"grid": brain.grid, "t_r": float(t_r), "n_scans": n_scans}
    image, groups = partial(cifti_image, **options), networks[np.newaxis]
    model = Model(image, groups, noise, n_scans, n_confounds, float(t_r))
    paths = run_paths(directory, n_runs, "dtseries.nii")
    runs = [make_run(model, 0, *which) for which in zip(streams, paths, strict=True)]
    return _bunch(
        runs=[replace(run, t_r=None) for run in runs],
        mesh=brain.mesh,
        points=brain.points,
        seeds=places_of_seeds(brain, centres),
        correlations=true_correlations(networks, centres, noise**2),
        networks=networks,
    )
