"""`GivenSignals`: seeds whose signals are measured or computed elsewhere."""

import os

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._support.checks import check_rows, check_sample_mask
from .._support.messages import close_matches
from .._support.tables import load_table
from ._base import cleaned


# No set_output: it would put the index of the signals on scans that are fewer.
class GivenSignals(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Signals that come with a run, such as physiology or a model's prediction.

    In a `SeedCorrelationMap` they are the `seed_signals` of each :class:`Run`.

    Parameters
    ----------
    columns : sequence of str or int, one of these, or None, default=None
        Names or positions of the columns to use as seeds, in this order. None means
        all.
    detrend : bool, default=False
        Whether to remove the linear trend of each signal.
    standardize : "zscore_sample", "psc" or None, default=None
        How `transform` scales the signals. It does not affect correlations.
    standardize_confounds : bool, default=True
        Whether to centre and scale confounds.
    low_pass, high_pass : float or None, default=None
        Cut-off frequencies in Hz.
    t_r : float or None, default=None
        Repetition time in seconds.
    clean_args : dict or None, default=None
        Further arguments for :func:`nilearn.signal.clean`.

    Attributes
    ----------
    seed_names_ : list of str
        Names of the columns, or signal0, signal1, ... if they have none.

    Notes
    -----
    A signal has one value per scan, including censored scans. Resample signals that
    were recorded at another rate, and convolve with a haemodynamic response where that
    is wanted, before passing them.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sbc_estimators.maskers import GivenSignals
    >>> rng = np.random.default_rng(0)
    >>> table = pd.DataFrame(rng.random((100, 2)), columns=["heart rate", "breath"])
    >>> GivenSignals("breath", detrend=True).fit_transform(table).shape
    (100, 1)
    """

    def __init__(
        self,
        columns=None,
        *,
        detrend=False,
        standardize=None,
        standardize_confounds=True,
        low_pass=None,
        high_pass=None,
        t_r=None,
        clean_args=None,
    ):
        self.columns = columns
        self.detrend = detrend
        self.standardize = standardize
        self.standardize_confounds = standardize_confounds
        self.low_pass = low_pass
        self.high_pass = high_pass
        self.t_r = t_r
        self.clean_args = clean_args

    def fit(self, X=None, y=None):
        """Find the columns in the signals of a run.

        Parameters
        ----------
        X : array-like of shape (n_scans, n_signals), DataFrame, path or None, \
                default=None
            The signals of one run; may be None if `columns` are names.
        y : None
            Ignored.

        Returns
        -------
        self : GivenSignals

        Raises
        ------
        TypeError, ValueError
            If X is not a table of signals, or lacks a column.
        FileNotFoundError
            If a file does not exist.
        """
        name = type(self).__name__
        wanted = self._wanted()
        if X is not None:
            self.seed_names_ = list(_chosen(_table(X, name), wanted, name).columns)
        elif wanted is not None and all(isinstance(column, str) for column in wanted):
            self.seed_names_ = wanted
        else:
            raise ValueError(
                f"{name}: the names of columns={self.columns!r} are known from signals "
                "alone. Pass those of a run to fit."
            )
        return self

    def transform(self, X, confounds=None, sample_mask=None):
        """Return the cleaned signals of one run.

        Parameters
        ----------
        X : array-like of shape (n_scans, n_signals) or (n_scans,), DataFrame or path
            A path is a table, with or without a header: .tsv, .csv, or white space.
        confounds : array-like, DataFrame, path, list of these or None, default=None
            Regressed out, as :func:`nilearn.signal.clean` does it.
        sample_mask : array-like of int or bool, or None, default=None
            The scans to keep; the values of others have no say in anything.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_seeds)

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            If X is not a table of signals, lacks a column, or is not finite in a kept
            scan, or if confounds do not fit its scans.
        FileNotFoundError
            If a file does not exist.
        """
        name = type(self).__name__
        signals = self.read(X, sample_mask=sample_mask, where=name)
        kept = check_sample_mask(sample_mask, len(signals), name)
        return cleaned(self, signals[kept], confounds, len(signals), kept)

    def read(self, X, n_scans=None, sample_mask=None, where="signals"):
        """Return the chosen columns of a run, checked but not cleaned.

        Parameters
        ----------
        X : array-like of shape (n_scans, n_signals) or (n_scans,), DataFrame or path
        n_scans : int or None, default=None
            The expected number of scans; None accepts any number.
        sample_mask : array-like of int or bool, or None, default=None
            The scans that must be finite. Values that are not finite in other scans
            are replaced by the mean of these.
        where : str, default="signals"
            Names the signals in errors.

        Returns
        -------
        signals : ndarray of shape (n_scans, n_seeds), float64

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError, FileNotFoundError
            As in `transform`, and if the number of scans or signals differs.
        """
        check_is_fitted(self)
        table = _chosen(_table(X, where), self._wanted(), where)
        if n_scans is not None and len(table) != n_scans:
            raise ValueError(
                f"{where}: signals must have one row per scan, {n_scans}, got "
                f"{len(table)}. Censored scans stay in: sample_mask takes them out."
            )
        if table.shape[1] != len(self.seed_names_):
            raise ValueError(
                f"{where}: there are {table.shape[1]} signals, in fit there were "
                f"{len(self.seed_names_)}. Name the columns."
            )
        kept = check_sample_mask(sample_mask, len(table), where)
        return _finite(table, kept, where)

    def fit_transform(self, X, y=None, confounds=None, sample_mask=None):
        """Find the columns and return the cleaned signals of one run.

        Parameters
        ----------
        X, confounds, sample_mask
            As in `transform`.
        y : None
            Ignored.

        Returns
        -------
        signals : ndarray of shape (n_kept_scans, n_seeds)

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            As in `fit` and `transform`.
        """
        return self.fit(X).transform(X, confounds, sample_mask)

    def inverse_transform(self, X):
        """Return values of seeds as a table with their names as columns.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_seeds) or (n_seeds,)

        Returns
        -------
        table : DataFrame of shape (n_rows, n_seeds)

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X has another number of columns.
        """
        check_is_fitted(self)
        rows = check_rows(X, len(self.seed_names_), type(self).__name__)
        return pd.DataFrame(rows, columns=self.seed_names_)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the seeds.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects of shape (n_seeds,)

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return np.asarray(self.seed_names_, dtype=object)

    def _wanted(self):
        """Return the columns as a list, or None for all."""
        if self.columns is None or isinstance(self.columns, list | tuple | np.ndarray):
            return None if self.columns is None else list(self.columns)
        return [self.columns]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


def _table(signals, where):
    """Return signals as a DataFrame whose columns have names."""
    if isinstance(signals, str | os.PathLike):
        signals = load_table(signals, f"{where}: signals")
    if isinstance(signals, pd.DataFrame | pd.Series):
        table = pd.DataFrame(signals)
    else:
        array = np.asarray(signals)
        if array.ndim not in (1, 2) or array.dtype.kind not in "biuf":
            raise TypeError(
                f"{where}: signals must be numbers of shape (n_scans, n_signals), a "
                f"DataFrame or a path, got {type(signals).__name__} of shape "
                f"{array.shape}."
            )
        table = pd.DataFrame(array)
    names = [
        name if isinstance(name, str) else f"signal{position}"
        for position, name in enumerate(table.columns)
    ]
    return table.set_axis(names, axis=1)


def _chosen(table, wanted, where):
    """Return the columns that a user means, by name or position."""
    if wanted is None:
        return table
    names = list(table.columns)
    places = [_place_of(column, names, where) for column in wanted]
    if not places:
        raise ValueError(f"{where}: columns must hold at least one column, got none.")
    return table.iloc[:, places]


def _place_of(column, names, where):
    """Return the position of one column."""
    if isinstance(column, str):
        if column not in names:
            cure = close_matches(column, names)
            raise ValueError(f"{where}: there is no column {column!r}. {cure}")
        return names.index(column)
    if not isinstance(column, int | np.integer) or isinstance(column, bool):
        raise TypeError(
            f"{where}: a column must be a name or a position, got {column!r}."
        )
    if not 0 <= column < len(names):
        raise ValueError(
            f"{where}: columns are numbered from 0 to {len(names) - 1}, got {column}."
        )
    return int(column)


def _finite(table, kept, where):
    """Return a table in float64, checked in its kept rows."""
    try:
        signals = table.to_numpy(dtype=np.float64, copy=True)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{where}: signals must be numbers: {error}. Choose other columns."
        ) from error
    bad = ~np.isfinite(signals)
    for position in np.flatnonzero(bad[kept].any(axis=0)):
        rows = kept[bad[kept, position]].tolist()
        shown = f"{rows[:5]}{' and more' if len(rows) > 5 else ''}"
        raise ValueError(
            f"{where}: signals must be finite, column {table.columns[position]!r} has "
            f"NaN or infinite values at scans {shown}. Fill them, or leave the scans "
            "out with sample_mask."
        )
    return np.where(bad, signals[kept].mean(axis=0), signals)
