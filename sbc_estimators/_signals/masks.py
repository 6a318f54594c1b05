"""The mask that nilearn computes over runs, from their mean scans alone."""

import numpy as np
from nilearn.maskers import MultiNiftiMasker
from sklearn.base import clone

from .._support.messages import ignoring


def computed_mask(masker, name, runs):
    """Return the mask that nilearn computes over all runs, whose grids must be one.

    Parameters
    ----------
    masker : NiftiMasker
    name : str
        Names the masker in errors.
    runs : list of OpenedRun

    Raises
    ------
    ValueError
        If the grids differ, or nilearn finds no brain.
    """
    _check_same_grid(masker, name, runs)
    grids = [run.scans.grid for run in runs]
    if masker.target_affine is None:
        grids = [grids[0]] * len(grids)  # the same but for rounding
    means = [
        grid.image_of(run.scans.mean(run.kept))
        for grid, run in zip(grids, runs, strict=True)
    ]
    mask = _mask_of(masker, means)
    if mask is None:
        raise ValueError(_why_no_mask(masker, name, runs, means))
    return mask


def _check_same_grid(masker, name, runs):
    """Raise ValueError where runs that shall share a mask have different grids."""
    if masker.target_affine is not None:
        return
    first = runs[0]
    for run in runs[1:]:
        if not first.scans.grid.same_as(run.scans.grid):
            raise ValueError(
                f"{run.where} is not on the grid of {first.where}, so {name} cannot "
                "compute one mask for both. Pass a mask as its mask_img, or set its "
                "target_affine."
            )


def _why_no_mask(masker, name, runs, means):
    """Return the words that say in which of the runs there is no brain to be found."""
    strategy = f"nilearn's mask_strategy={masker.mask_strategy!r}"
    cure = f"Pass mask_img to {name}, or another mask_strategy."
    with ignoring():  # the same once more
        for run, mean in zip(runs, means, strict=True):
            if _mask_of(masker, [mean]) is None:
                return f"{run.where}: {strategy} finds no brain in it. {cure}"
    return f"{strategy} finds no brain that the {len(runs)} runs share. {cure}"


def _mask_of(masker, means):
    """Return the mask that nilearn computes over mean scans, None if it is empty."""
    names = ("mask_strategy", "mask_args", "target_affine", "target_shape")
    try:
        if len(means) == 1:
            mask_img = clone(masker).fit(means[0]).mask_img_
        else:
            given = {name: masker.get_params(deep=False)[name] for name in names}
            mask_img = MultiNiftiMasker(**given).fit(means).mask_img_
    except ValueError as error:
        if "empty" not in str(error):
            raise
        return None
    return mask_img if np.any(np.asarray(mask_img.dataobj)) else None
