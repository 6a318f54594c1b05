"""Runs, with their confounds and all else, from a folder written by fMRIPrep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._support.checks import check_folder
from .._support.messages import describe_run, naming, some_of
from ._bids import (
    ENTITIES,
    check_one_version,
    find_images,
    labels_of,
    quoted,
    repetition_time,
    select_images,
)
from ._run import Run
from ._strategies import OPTIONS, Strategy, check_tables, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._images.annotations import PathLike

_SURFACES, _GRAYORDINATES = "func.gii", "dtseries.nii"
"""Endings of images that are no volumes."""


def runs_from_fmriprep(
    path: PathLike,
    *,
    task: str | Sequence[str] | None = None,
    space: str | None = None,
    strategy: str | Sequence[str] = "simple",
    strategy_options: dict[str, Any] | None = None,
    **filters: str | Sequence[str] | None,
) -> list[Run]:
    """Find the preprocessed runs in a folder written by fMRIPrep.

    Each run gets its confounds and sample mask from nilearn's
    :func:`~nilearn.interfaces.fmriprep.load_confounds_strategy` or
    :func:`~nilearn.interfaces.fmriprep.load_confounds`, and its repetition time from
    the sidecars. No image is opened.

    Parameters
    ----------
    path : str or pathlib.Path
        The folder that contains fMRIPrep's ``sub-<label>`` folders, often
        ``derivatives/fmriprep``.
    task : str, sequence of str or None, default=None
        One task or several. None means all.
    space : str or None, default=None
        The space of the images, as in their names; "" for images on the scanner's own
        grid, whose names have no space; "fsLR" for grayordinates (``.dtseries.nii``).
        None means the only space of volumes, or where there are none, of grayordinates.
    strategy : str or sequence of str, default="simple"
        Either the name of one of nilearn's strategies, or its components:

        - "simple": 24 motion parameters, mean white matter and CSF signals, and
          cosines against slow drifts. Scans before the steady state are left out, and
          all others are kept.
        - "scrubbing": also leaves out scans with motion (`fd_threshold`,
          `std_dvars_threshold`) and stretches of less than 5 scans between them
          (`scrub`); all 8 white matter and CSF regressors.
        - "compcor": principal components of white matter and CSF instead of their
          means.
        - "ica_aroma": mean white matter and CSF signals and cosines, for images that
          ICA-AROMA has cleaned (``desc-smoothAROMAnonaggr``).
        - components of ``load_confounds``, such as ``("motion", "wm_csf", "scrub")``.
          With "tedana" images are ``desc-optcom``.
    strategy_options : dict or None, default=None
        Further arguments for these two functions, such as ``{"motion": "basic",
        "global_signal": "basic"}`` or ``{"fd_threshold": 0.2}``.
    **filters : str or sequence of str
        Labels of further entities in the names of the images, as text: ``sub="01"``,
        ``sub=["01", "02"]``, ``ses``, ``acq``, ``ce``, ``rec``, ``dir``, ``run``,
        ``echo``, ``part``, ``cohort``, ``res``, ``den``, ``desc``. "" matches names
        without the entity, None all names.

    Returns
    -------
    runs : list of Run
        Sorted by subject, session, task and run. Confounds are a DataFrame with one row
        per scan, or None if the strategy finds none; the sample mask is an ndarray of
        indices, or None if all scans are kept.

    Raises
    ------
    TypeError
        If `path`, the name of a filter, a label or the options have the wrong type.
    FileNotFoundError, NotADirectoryError
        If there is no such folder, or runs lack their table of confounds.
    ValueError
        If nothing matches; if images of several spaces, resolutions (`res`), densities
        (`den`), cohorts or echoes match and none is named; if the strategy or options
        are not nilearn's, or the table lacks what they need; if no sidecar has the
        repetition time.

    Warns
    -----
    UserWarning
        If a run keeps too few scans for a map.

    See Also
    --------
    Run : What a run is made of.

    Notes
    -----
    *Drifts.* Each named strategy includes fMRIPrep's cosines (component "high_pass":
    periods above 128 s), which remove slow drifts together with the other confounds. So
    leave the maskers' `high_pass` at None, and set their `detrend`, as runs too short
    for a cosine have none. A masker with `high_pass` also filters these cosines, and
    each then removes one more dimension in time at the edge of the filter: in the
    sample run r changed by up to 0.3, by 0.05 on average, while either method alone
    gave much the same map (the two correlate at 0.99). To filter in the maskers, leave
    the cosines out: ``strategy=("motion", "wm_csf")``. CompCor needs the cosines: its
    components were computed after they were removed. With the maskers'
    ``filter="cosine"`` nilearn warns, and uses only the cosines among the confounds.

    *Repetition time.* It is the `RepetitionTime` of the image's own sidecar or, by the
    inheritance principle of BIDS, of a less specific one beside or above it, such as
    ``task-rest_bold.json`` in `path`. The header of the image is not used: software
    leaves 1 s there where the time is unknown.

    *Surface images* (``.func.gii``) are left out: fMRIPrep writes no mesh in the
    fsaverage spaces, and nilearn's SurfaceImage holds its scans in memory. Make a
    SurfaceImage from a pair of files and a mesh, and pass ``Run(img, confounds=...)``.
    Grayordinates, which fMRIPrep writes with ``--cifti-output``, are found.

    Examples
    --------
    The sample run, in a folder like those of fMRIPrep:

    >>> import shutil, tempfile
    >>> from pathlib import Path
    >>> from sbc_estimators import datasets, runs_from_fmriprep
    >>> sample = datasets.load_sample_run()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = shutil.copytree(sample.func.parent, Path(folder, "sub-01", "func"))
    ...     runs = runs_from_fmriprep(
    ...         folder,
    ...         task="rest",
    ...         strategy=("motion", "wm_csf"),
    ...         strategy_options={"motion": "basic"},
    ...     )
    >>> [(run.confounds.shape, run.sample_mask, run.t_r) for run in runs]
    [((200, 8), None, 1.5)]

    Groups for cross-validation, from the file names:

    >>> from nilearn.interfaces.bids import parse_bids_filename
    >>> [parse_bids_filename(run.img)["entities"]["sub"] for run in runs]
    ['01']
    """
    strategy = Strategy.checked(strategy, strategy_options)
    filters = _check_filters({**filters, "task": task, "space": space}, strategy)
    folder = check_folder(path, "path")
    images = _find(folder, filters)
    names = [describe_run(i, image.file) for i, image in enumerate(images)]
    times = _repetition_times(images, names, folder)
    check_tables(images, names, strategy)
    runs = []
    for image, where, t_r in zip(images, names, times, strict=True):
        with naming(where):
            confounds, sample_mask = load(image.file, strategy, where)
            runs.append(Run(image.file, confounds, sample_mask, t_r=t_r))
    return runs


def find_preprocessed(path, strategy, **filters):
    """Return the images of a folder, as `runs_from_fmriprep` finds them.

    Parameters
    ----------
    path : str or pathlib.Path
    strategy : Strategy
        Says which of an acquisition's images its confounds are for.
    **filters : str or sequence of str
        Labels of entities.

    Returns
    -------
    images : list of BoldImage

    Raises
    ------
    ValueError, FileNotFoundError, NotADirectoryError
        As `runs_from_fmriprep`.
    """
    return _find(check_folder(path, "path"), _check_filters(filters, strategy))


def _check_filters(filters, strategy):
    """Return what images must match: for each entity the labels it may have."""
    unknown = [name for name in filters if name not in ENTITIES]
    if unknown:
        cure = f"Choose from {', '.join(ENTITIES)}."
        if unknown[0] in OPTIONS:
            cure = f"Write strategy_options={{{unknown[0]!r}: ...}}."
        raise TypeError(
            f"filters must be entities in the names of images, got {unknown[0]!r}. "
            f"{cure}"
        )
    named = {name: filters[name] for name in ENTITIES if filters.get(name) is not None}
    labels = {name: _as_labels(name, value) for name, value in named.items()}
    desc = (strategy.desc,)
    if labels.get("desc", desc) != desc:
        raise ValueError(
            f"desc must be {strategy.desc!r} with {strategy}, got {filters['desc']!r}: "
            "nilearn loads confounds for no other images. Leave desc out."
        )
    return {"desc": desc, **labels}


def _as_labels(entity, labels):
    """Return one label or several as a tuple."""
    labels = (labels,) if isinstance(labels, str) else labels
    is_sequence = isinstance(labels, list | tuple) and len(labels) > 0
    if not is_sequence or not all(isinstance(label, str) for label in labels):
        raise TypeError(
            f"{entity} must be a label as in the names of images or a list of them, "
            f"got {labels!r}. Write it as text: {entity}='01'."
        )
    return tuple(labels)


# What is in the folder


def _find(folder, filters):
    """Return the images that match."""
    images = find_images(folder)
    grayordinates = find_images(folder, _GRAYORDINATES)
    if _are_meant(grayordinates, images, filters):
        # Their names say nothing of how they were processed.
        images, filters = grayordinates, {**filters, "desc": ("",)}
    _check_there_are_some(images, filters, folder)
    images = select_images(images, filters, folder)
    check_one_version(images, filters, folder)
    return images


def _are_meant(grayordinates, volumes, filters):
    """Whether filters mean images of grayordinates and no volumes."""
    wanted = filters.get("space")
    if wanted is None:
        return bool(grayordinates) and not volumes
    spaces = [labels_of(images, "space") for images in (grayordinates, volumes)]
    return any(space in spaces[0] and space not in spaces[1] for space in wanted)


def _check_there_are_some(images, filters, folder):
    """Raise ValueError if there are no images, or none in a space of surfaces."""
    spaces = labels_of(images, "space")
    missing = [space for space in filters.get("space", ()) if space not in spaces]
    if images and not missing:
        return
    surfaces = find_images(folder, _SURFACES)
    surface_spaces = labels_of(surfaces, "space")
    if surfaces and (not images or set(missing) & set(surface_spaces)):
        raise ValueError(
            f"{str(folder)!r} has surface images of space {quoted(surface_spaces)}, "
            "which runs_from_fmriprep does not load. Choose the space of a volume or "
            "of grayordinates ('fsLR'), or make a SurfaceImage of a mesh "
            "(nilearn.datasets.load_fsaverage) and both hemispheres' files, and pass "
            "Run(img, confounds=...)."
        )
    if not images:
        raise ValueError(
            f"no BOLD image in {str(folder)!r}: expected files such as sub-01/func/"
            "sub-01_task-rest_desc-preproc_bold.nii.gz, or with a folder for each "
            "session. Pass the folder that fMRIPrep wrote, often derivatives/fmriprep."
        )


def _repetition_times(images, names, folder):
    """Return each image's repetition time in seconds."""
    times = []
    for image, where in zip(images, names, strict=True):
        with naming(where):
            times.append(repetition_time(image, folder))
    without = [i for i, t_r in enumerate(times) if t_r is None]
    if without:
        image = images[without[0]]
        sidecar = folder / f"task-{image.label('task')}_bold.json"
        raise ValueError(
            f"{some_of([names[i] for i in without])}: no sidecar has a RepetitionTime. "
            f'Write {{"RepetitionTime": <seconds>}} to {str(sidecar)!r}, which then '
            "holds for all runs of the task, or to the image's own .json file."
        )
    return times
