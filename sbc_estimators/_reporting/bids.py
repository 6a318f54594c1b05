"""`save_to_bids`: one file a run and seed, with a name by BIDS and a sidecar."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
from nibabel.gifti import GiftiDataArray, GiftiImage
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from .._arrays.correlation import fisher_z
from .._images.headers import write_map
from .._images.opening import as_maps, grid_of, in_space
from .._maps.many import Attempts
from .._maps.statistics import run_statistics
from .._support.checks import check_place
from .._support.files import replacing, write_json
from .._support.messages import naming
from ..runs._opened import as_runs
from .bids_names import places_of, without_resolution
from .bids_sidecars import STATS, targets_of
from .images import GRAYORDINATES, SURFACE, VOLUME, hemispheres, kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .._images.annotations import PathLike
    from ..runs._annotations import Runs

DESCRIPTION = "dataset_description.json"

BIDS_VERSION = "1.10.0"

HEMISPHERES = {"left": "L", "right": "R"}


def save_to_bids(
    sbc: Any,
    X: Runs,
    out_dir: PathLike,
    *,
    stats: Sequence[str] = ("effect",),
) -> list[Path]:
    """Map runs, and write one file a run and seed, named by BIDS.

    Below ``sub-<label>/[ses-<label>/]func/`` in `out_dir`, such as
    ``sub-01_task-rest_space-MNI152NLin2009cAsym_seed-PCC_stat-effect_statmap.nii.gz``,
    each with a JSON sidecar.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    X : run or sequence of runs
        As in :meth:`SeedCorrelationMap.transform`. Their files' names say the subject
        and all else; the index of a Series of runs may say it instead.
    out_dir : str or path
        Created if missing.
    stats : sequence of str, default=("effect",)
        What to write: "effect" (Fisher z), "variance", "dof" (effective degrees of
        freedom) and "zscore", as :meth:`SeedCorrelationMap.statistics` has them.

    Returns
    -------
    files : list of pathlib.Path
        The maps, by run, seed and statistic, those that were there already too, but
        none of a run that failed, where `on_error` is "skip". On a surface, each
        hemisphere has a file.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If `stats` has another word; if a run's name does not say its subject; if two
        runs, or two seeds, would get one name; if a map of another seed has the name of
        one. All before any work.
    TypeError
        If maps of the brain masker are no images.
    TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
        As :meth:`SeedCorrelationMap.transform`; what is written by then stays.

    Notes
    -----
    *Names* keep the entities of the run's name but ``desc``, and ``res`` where maps are
    on another grid, such as that of a mask. A seed's label is its name without what
    BIDS does not allow, which is all but letters and digits; that of a seed without a
    name, such as (-8, 12, 2.5), is ``xm8y12z2p5``. Maps of a volume are ``.nii.gz``, of
    a surface ``.func.gii``, of grayordinates ``.dscalar.nii``.

    *Again.* Each file appears whole or not at all, the sidecar last. A map whose
    sidecar has the same sources (files by path, size and date), parameters and versions
    is left as it is, so that a call that was cut off is simply made again, and gives
    the same bytes.

    Examples
    --------
    >>> import tempfile
    >>> from sbc_estimators import SeedCorrelationMap, save_to_bids
    >>> from sbc_estimators.datasets import load_sample_run
    >>> from sbc_estimators.maskers import SphereSeeds
    >>> sample = load_sample_run()
    >>> sbc = SeedCorrelationMap(SphereSeeds([(0, -52, 18)])).fit(sample.run)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (file,) = save_to_bids(sbc, sample.run, folder)
    >>> file.name
    'sub-01_task-rest_space-MNI152NLin2009cAsym_res-5_seed-x0ym52z18_stat-effect_statmap.nii.gz'
    """
    check_is_fitted(sbc)
    stats = _checked_stats(stats)
    runs, out = as_runs(X), check_place(out_dir, "out_dir")
    places = places_of(runs, X, sbc.seed_names_)
    image = _blank(sbc)
    endings = _endings(sbc, image)
    attempts = Attempts(sbc.on_error)
    mapper, opened = sbc._like_fit(X, runs, {}, attempts)
    if not _is_effect_alone(mapper, stats):
        mapper.check_known("statistics")
    moved = [run.position for run in opened if _is_on_another_grid(image, run)]
    places = without_resolution(places, runs, moved)
    targets = targets_of(sbc, opened, places, stats)
    todo = {i: [t for t in own if not t.is_done(out)] for i, own in targets.items()}
    out.mkdir(parents=True, exist_ok=True)
    write_description(out)
    wanted = [run for run in opened if todo[run.position]]
    results = _results(sbc, mapper, wanted, stats, attempts)
    if len(wanted) < len(opened):
        results = _unless_all_failed(results, attempts)
    for i, result in results:
        for target in todo.pop(i):
            _write(sbc, target, result, out, endings)
    there = [t for i, own in targets.items() for t in own if t not in todo.get(i, ())]
    return [path for target in there for path in _paths(target, out, endings)]


def _checked_stats(stats):
    """Return the statistics as a tuple; ValueError for one that is not known."""
    wanted = (stats,) if isinstance(stats, str) else tuple(stats)
    unknown = [stat for stat in wanted if stat not in STATS]
    if unknown or not wanted:
        raise ValueError(
            f"stats must be some of {', '.join(map(repr, STATS))}, got "
            f"{unknown[0] if unknown else stats!r}."
        )
    return tuple(dict.fromkeys(wanted))


def endings_of(sbc):
    """Return for each file of a map what its name has further, and its ending."""
    return _endings(sbc, _blank(sbc))


def _blank(sbc):
    """Return a map of zeros as an image."""
    return _image(sbc, np.zeros(sbc.n_voxels_, np.float32))


def _is_on_another_grid(image, run):
    """Whether maps in a volume have other voxels than an `OpenedRun`."""
    is_volume = kind_of(image) == VOLUME
    return is_volume and not grid_of(image).same_as(run.scans.grid)


def _endings(sbc, image):
    """Return for each file of a map, of which there is an image, what names have."""
    kind = kind_of(image)
    if kind is None:
        raise TypeError(
            "brain_masker must put maps back into images, inverse_transform of "
            f"{type(sbc.brain_masker_).__name__} gives {type(image).__name__}."
        )
    parts = [None]
    if kind == SURFACE:
        parts = [HEMISPHERES.get(part, part) for part, _, _ in hemispheres(image)]
    return dict.fromkeys(parts, FORMATS[kind][0])


def files_of_kind(kind, target, out):
    """Return the paths of the files of a map in images of a kind."""
    parts = list(HEMISPHERES.values()) if kind == SURFACE else [None]
    return _paths(target, out, dict.fromkeys(parts, FORMATS[kind][0]))


def _image(sbc, values):
    """Return the values of a map as an image, in the space that runs and mask tell."""
    img = sbc.brain_masker_.inverse_transform(values[np.newaxis])
    return in_space(img, sbc._space)


def _paths(target, out, endings):
    """Return the paths of the files of a map."""
    further = [{} if part is None else {"hemi": part} for part in endings]
    names = [target.place.stem(target.stat, **own) for own in further]
    folder = out / target.place.folder
    pairs = zip(names, endings.values(), strict=True)
    return [folder / f"{name}{ending}" for name, ending in pairs]


# Maps


def _is_effect_alone(mapper, stats):
    """Whether r alone is asked for, of cleaning that nobody knows."""
    is_known = mapper.seeds.is_known and mapper.brain.is_known
    return stats == ("effect",) and not is_known


def _results(sbc, mapper, wanted, stats, attempts):
    """Yield the position of each run, and its statistics by name.

    Each is of shape `(n_seeds, n_voxels)`. As many runs are mapped at a time as the
    estimator's `n_jobs` says. A run that fails is left out where it may.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    mapper : Mapper
    wanted : list of OpenedRun
    stats : tuple of str
    attempts : Attempts
    """
    if not wanted:
        return
    if _is_effect_alone(mapper, stats):
        shape = sbc.n_seeds_, sbc.n_voxels_
        for position, seed_map in attempts.maps(mapper, wanted, shape):
            yield position, {"effect": fisher_z(seed_map.r)}
        return
    for position, found in attempts.results(run_statistics, mapper, wanted, most=1):
        yield position, {stat: found[field] for stat, (field, _) in STATS.items()}
        del found


def _unless_all_failed(results, attempts):
    """Yield results without the error that all of them failed: others are there."""
    try:
        yield from results
    except Exception as error:
        if all(own.error is not error for own in attempts.failed):
            raise


def _write(sbc, target, result, out, endings):
    """Write the files of one map of a fitted estimator."""
    told = {"EffectiveDegreesOfFreedom": _median(result.get("dof"), target.seed)}
    write_target(sbc, target, result[target.stat][target.seed], told, out, endings)


def write_target(sbc, target, values, told, out, endings):
    """Write the files of one map, its sidecar last.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    target : Target
    values : ndarray of shape (n_voxels,)
    told : dict
        What the sidecar says that is only known now.
    out : Path
        The folder of all maps.
    endings : dict
        As `endings_of` returns them.
    """
    folder = out / target.place.folder
    folder.mkdir(parents=True, exist_ok=True)
    image = _image(sbc, np.asarray(values, np.float32))
    paths = _paths(target, out, endings)
    for part, path in enumerate(paths):
        with naming(str(path)), replacing(path) as file:
            write = FORMATS[kind_of(image)][1]
            write(image, part, file, target.content["Description"])
    content = {**target.content, **told, "Files": [path.name for path in paths]}
    with replacing(target.sidecar(out)) as file:
        write_json(content, file)


def _median(dof, seed):
    """Return the median over the voxels that have a signal, None if it is not known."""
    if dof is None or not np.isfinite(dof[seed]).any():
        return None
    return float(np.nanmedian(dof[seed]))


def _write_volume(image, part, file, description):
    """Write a map in a volume."""
    write_map(image, file, description[:79])


def _write_hemisphere(image, part, file, description):
    """Write one hemisphere of a map on a surface."""
    values = hemispheres(image)[part][1].astype(np.float32)
    array = GiftiDataArray(values, "NIFTI_INTENT_ESTIMATE")
    nibabel.save(GiftiImage(darrays=[array]), file)


def _write_grayordinates(image, part, file, description):
    """Write maps of grayordinates, with their description in each one's name."""
    names = list(image.header.get_axis(0).name)
    names = [description] if len(names) == 1 else [f"{n}: {description}" for n in names]
    nibabel.save(as_maps(image, names), file)


FORMATS = {
    VOLUME: (".nii.gz", _write_volume),
    SURFACE: (".func.gii", _write_hemisphere),
    GRAYORDINATES: (".dscalar.nii", _write_grayordinates),
}
"""How files of each kind of image end, and what writes one."""


def write_description(out):
    """Write what the folder is, unless somebody else has said so."""
    path = out / DESCRIPTION
    generated = [{"Name": "sbc_estimators", "Version": __version__}]
    content = {
        "Name": "Seed-based correlation maps",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": generated,
    }
    try:
        found = json.loads(path.read_text("utf-8"))
        is_ours = found["GeneratedBy"][0]["Name"] == "sbc_estimators"
    except FileNotFoundError:
        is_ours, found = True, None
    except (ValueError, KeyError, IndexError, TypeError):
        is_ours = False
    if is_ours and found != content:
        with replacing(path) as file:
            write_json(content, file)
