"""`Run`: an image that carries its own confounds, sample mask and repetition time."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from .._images.annotations import ImageLike, TableLike


@dataclass(frozen=True, eq=False)
class Run:
    """One acquisition: a 4D image with its confounds and all else that belongs to it.

    A run that carries its own confounds, sample mask and repetition time cannot lose
    them: scikit-learn's cross-validation splits, copies and passes on whole runs, while
    arguments beside X reach `fit` but not always `transform`.

    Parameters
    ----------
    img : str, path, nibabel image or SurfaceImage
        The 4D image (x, y, z, scans), nilearn's SurfaceImage (vertices, scans), or
        grayordinates (``.dtseries.nii``, Cifti2Image).
    confounds : array-like of shape (n_scans, n_confounds), DataFrame, path or None, \
            default=None
        Regressed out of all signals. A path is that of a table, with or without a
        header: .tsv, .csv, or separated by white space. All its columns are used.
    sample_mask : array-like of int or bool or None, default=None
        The scans to keep: ascending indices, or one boolean per scan.
    t_r : float or None, default=None
        Repetition time in seconds. It takes precedence over that of the maskers; that
        of a CIFTI file holds where nobody tells another one. A warning tells where a
        filter uses another one than a sidecar of the file says.
    seed_img : str, path, nibabel image, SurfaceImage or None, default=None
        The same acquisition in the form that the seed masker takes, if that is not
        `img`: a volume for subcortical seeds of a map on the surface, or the reverse.
        Both must have the same scans, so that confounds, sample mask and repetition
        time hold for both.
    seed_signals : array-like of shape (n_scans, n_signals), DataFrame, path or None, \
            default=None
        The signals that :class:`sbc_estimators.maskers.GivenSignals` uses as seeds,
        such as physiology or a model's prediction. A path is as for `confounds`.
    seed_places : object or None, default=None
        The places of this run's own seeds, for a masker of
        :mod:`sbc_estimators.maskers` that has "run" in their place, and as it takes
        them: coordinates or a table of these (``SphereSeeds("run")``), an atlas, a
        lesion's mask or several masks (``RegionSeeds("run")``), vertices or coordinates
        (``SurfaceSeeds("run")``). Seeds are called the same in all runs. Other maskers
        leave it alone.

    Examples
    --------
    >>> from sbc_estimators import Run
    >>> Run("sub-01_bold.nii.gz", confounds="sub-01_confounds.tsv", t_r=2.0)
    Run('sub-01_bold.nii.gz', confounds='sub-01_confounds.tsv', t_r=2.0)

    A seed of each person, for ``RegionSeeds("run", names=["lesion"])``:

    >>> Run("sub-01_bold.nii.gz", seed_places="sub-01_lesion.nii.gz")
    Run('sub-01_bold.nii.gz', seed_places='sub-01_lesion.nii.gz')
    """

    img: ImageLike
    confounds: TableLike | None = None
    sample_mask: ArrayLike | None = None
    t_r: float | None = None
    seed_img: ImageLike | None = None
    seed_signals: TableLike | None = None
    seed_places: object = None

    def __repr__(self) -> str:
        parts = [_summary(self.img)]
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is not None:
                parts.append(f"{field.name}={_summary(value)}")
        return f"Run({', '.join(parts)})"


def _summary(value):
    """Return a short text of an image, table, path or number."""
    if isinstance(value, str | os.PathLike):
        return repr(os.fspath(value))
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"<{type(value).__name__} of shape {tuple(shape)}>"
    text = repr(value)
    return text if len(text) < 60 else f"<{type(value).__name__}>"
