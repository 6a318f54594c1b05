"""A run's confounds and sample mask, by nilearn's strategies for fMRIPrep's tables."""

import inspect
import warnings
from dataclasses import dataclass
from pathlib import Path

from nilearn.interfaces.bids import parse_bids_filename
from nilearn.interfaces.fmriprep import load_confounds, load_confounds_strategy

from .._images.opening import MIN_SCANS
from .._support.disks import READ_ERRORS
from .._support.messages import ignoring, some_of, warn

OPTIONS = tuple(inspect.signature(load_confounds).parameters)[2:]
"""Arguments of `load_confounds` after the files and the components."""

_COMPONENTS = {
    "fd_threshold": "scrub",
    "std_dvars_threshold": "scrub",
    "n_compcor": "compcor",
}
"""The component an option belongs to, where they differ in name."""


@dataclass(frozen=True)
class Strategy:
    """The name of one of nilearn's strategies, or components, and their options."""

    strategy: str | tuple | list
    options: dict

    def __str__(self):
        options = f", strategy_options={self.options!r}" if self.options else ""
        return f"strategy={self.strategy!r}{options}"

    @classmethod
    def checked(cls, strategy, options):
        """Return what the user passed, if nilearn takes it.

        Raises
        ------
        TypeError
            If the options are no dict.
        ValueError
            If nilearn does not know strategy or options, or an option has no effect.
        """
        if options is not None and not isinstance(options, dict):
            raise TypeError(
                f"strategy_options must be a dict or None, got {options!r}. Write "
                "strategy_options={'motion': 'basic'}."
            )
        checked = cls(strategy, dict(options or {}))
        _check_with_nilearn(checked)
        if not isinstance(strategy, str):
            _check_options_have_effect(checked)
        return checked

    @property
    def components(self):
        """The components, or the strategy's name alone."""
        return (self.strategy,) if isinstance(self.strategy, str) else self.strategy

    @property
    def desc(self):
        """The `desc` of the images that nilearn loads these confounds for."""
        if "tedana" in self.components:
            return "optcom"
        is_full = self.options.get("ica_aroma", "full") == "full"
        if "ica_aroma" in self.components and is_full:
            return "smoothAROMAnonaggr"
        return "preproc"

    def call(self, files):
        """Return what nilearn's function returns for a file or a list of files."""
        if isinstance(self.strategy, str):
            return load_confounds_strategy(files, self.strategy, **self.options)
        return load_confounds(files, self.strategy, **self.options)


def _check_with_nilearn(strategy):
    """Raise ValueError unless nilearn takes strategy and options as they are."""
    try:
        with warnings.catch_warnings():
            # It warns where something will have no effect.
            warnings.simplefilter("error", UserWarning)
            strategy.call([])  # without a file it checks all the same
    except (ValueError, TypeError, KeyError, UserWarning) as error:
        reason = " ".join(str(error.args[0]).split())
        raise ValueError(
            f"nilearn does not take {strategy}: {reason} Pass the name of a "
            "strategy of load_confounds_strategy, such as 'simple', or a list of "
            "components of load_confounds, such as ['motion', 'wm_csf']."
        ) from error


def _check_options_have_effect(strategy):
    """Raise ValueError if an option's component is not there: nilearn ignores it."""
    for option in strategy.options:
        component = _COMPONENTS.get(option, option)
        if component not in (*strategy.components, "demean"):
            raise ValueError(
                f"{strategy}: {option!r} has no effect without the component "
                f"{component!r}. Add it to strategy, or leave the option out."
            )


def check_tables(images, names, strategy):
    """Raise FileNotFoundError naming all runs that have no table of confounds.

    Parameters
    ----------
    images : list of BoldImage
    names : list of str
        Each run's words in messages.
    strategy : Strategy
    """
    if "tedana" in strategy.components:
        return  # its tables have other names, which nilearn checks
    pairs = zip(images, names, strict=True)
    without = [where for image, where in pairs if table_of_image(image) is None]
    if without:
        raise FileNotFoundError(
            f"{some_of(without)}: no table of confounds beside the image. fMRIPrep "
            "calls it *_desc-confounds_timeseries.tsv. Was fMRIPrep "
            "interrupted? Run it again, or choose the other runs, such as with "
            "sub=[...]."
        )


def table_of_image(image):
    """Return the table of confounds that lies where nilearn looks, None without one.

    Its name has the image's entities or some of them; of several, the one that has
    most is meant.
    """
    own, found = {**image.entities, "desc": "confounds"}, []
    for path in Path(image.file).parent.glob("*desc-confounds_*.tsv"):
        name = parse_bids_filename(path)
        is_table = name["suffix"] in ("timeseries", "regressors") and path.is_file()
        if is_table and name["entities"].items() <= own.items():
            found.append((len(name["entities"]), path))
    return max(found)[1] if found else None


def load(file, strategy, where):
    """Load an image's confounds and sample mask; the image itself stays closed.

    Parameters
    ----------
    file : str
    strategy : Strategy
    where : str
        Names the run in warnings.

    Returns
    -------
    confounds : DataFrame of shape (n_scans, n_confounds) or None
        None if there are no columns.
    sample_mask : ndarray of shape (n_kept_scans,) or None
        None if all scans are kept.

    Raises
    ------
    ValueError
        If nilearn cannot load them.
    """
    try:
        # Rounding of means, which cleaning takes out again; and what is said below.
        with ignoring("Numerical issues were encountered", "All volumes were marked"):
            confounds, sample_mask = strategy.call(file)
    except (LookupError, TypeError, *READ_ERRORS) as error:
        raise ValueError(
            f"no confounds with {strategy}: {type(error).__name__}: {error}"
        ) from error
    if sample_mask is not None and len(sample_mask) < MIN_SCANS:
        warn(
            f"{where}: {strategy} keeps {len(sample_mask)} of {len(confounds)} scans, "
            "too few for a map. Leave the run out, or be less strict."
        )
    return (confounds if confounds.size else None), sample_mask
