"""`GivenSignals`: seeds whose signals are measured or computed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from .._support.checks import check_switch, is_integer
from .._support.messages import close_matches, some_of
from .._support.tables import numbers_of, table_of
from ._base import NamedSeeds
from ._places import is_sequence, names_of_seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from .._images.annotations import TableLike


class GivenSignals(NamedSeeds):
    """Signals that come with a run, such as physiology or a model's prediction.

    In a `SeedCorrelationMap` they are the `seed_signals` of each :class:`Run`.

    Parameters
    ----------
    columns : sequence of str or int, one of these, or None, default=None
        Names or positions of the columns to use as seeds, in this order. None means
        all.
    clean : bool, default=True
        Whether a `SeedCorrelationMap` cleans the signals as its brain masker says.
        False is for signals that are clean already, in the same way as the brain's.

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
    >>> GivenSignals("breath").fit_transform(table).shape
    (100, 1)
    """

    def __init__(
        self,
        columns: str | int | Sequence[str | int] | None = None,
        *,
        clean: bool = True,
    ) -> None:
        self.columns = columns
        self.clean = clean

    def fit(self, X: TableLike | None = None, y: None = None) -> GivenSignals:
        """Find the columns in the signals of a run.

        Parameters
        ----------
        X : array-like of shape (n_scans, n_signals) or (n_scans,), DataFrame, path or \
                None, default=None
            The signals of one run; may be None if `columns` are names.
        y : None
            Ignored.

        Returns
        -------
        self : GivenSignals

        Raises
        ------
        TypeError, ValueError
            If a parameter is not what it must be, or X is not a table of signals or
            lacks a column.
        FileNotFoundError
            If a file does not exist.
        """
        check_switch(self.clean, "clean")
        wanted = self._wanted()
        if X is not None:
            names = list(_chosen(_table(X), wanted).columns)
            self.seed_names_ = names_of_seeds(None, names)
        elif wanted is not None and all(isinstance(column, str) for column in wanted):
            self.seed_names_ = wanted
        else:
            raise ValueError(
                f"the names of columns={self.columns!r} are known from signals alone. "
                "Pass those of a run to fit."
            )
        return self

    def transform(self, X: TableLike) -> np.ndarray:
        """Return the signals of one run, not cleaned.

        Parameters
        ----------
        X : array-like of shape (n_scans, n_signals) or (n_scans,), DataFrame or path
            A path is a table, with or without a header: .tsv, .csv, or white space.

        Returns
        -------
        signals : ndarray of shape (n_scans, n_seeds)

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            If X is not a table of signals, lacks a column, or is not finite.
        FileNotFoundError
            If a file does not exist.
        """
        return self.read(X)

    def read(
        self,
        signals: TableLike,
        n_scans: int | None = None,
        kept: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return the chosen columns of a run, checked.

        Parameters
        ----------
        signals : array-like of shape (n_scans, n_signals) or (n_scans,), DataFrame or \
                path
        n_scans : int or None, default=None
            The expected number of scans; None accepts any number.
        kept : ndarray of int of shape (n_kept_scans,) or None, default=None
            The scans that must be finite, None for all. What is not finite in others
            becomes the mean of these.

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
        table = _chosen(_table(signals), self._wanted())
        if n_scans is not None and len(table) != n_scans:
            raise ValueError(
                f"signals must have one row per scan, {n_scans}, got {len(table)}. "
                "Censored scans stay in: sample_mask takes them out."
            )
        self._check_names(table)
        return _finite(table, np.arange(len(table)) if kept is None else kept)

    def inverse_transform(self, X: ArrayLike) -> pd.DataFrame:
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
        TypeError
            If X does not hold real numbers.
        ValueError
            If X has another number of columns.
        """
        check_is_fitted(self)
        return pd.DataFrame(np.atleast_2d(self._rows(X)), columns=self.seed_names_)

    def _check_names(self, table):
        """Raise ValueError unless a table has the signals of `fit`, in their order."""
        names = names_of_seeds(None, list(table.columns))
        if table.shape[1] != len(self.seed_names_):
            raise ValueError(
                f"there are {table.shape[1]} signals, in fit there were "
                f"{len(self.seed_names_)}. Name the columns."
            )
        has_names = names != [f"signal{i}" for i in range(len(names))]
        if self.columns is None and has_names and names != self.seed_names_:
            raise ValueError(
                f"signals are called {names}, in fit they were {self.seed_names_}. "
                "Name the columns."
            )

    def _wanted(self):
        """Return the columns as a list of names and positions, or None for all."""
        if self.columns is None:
            return None
        wanted = list(self.columns) if is_sequence(self.columns) else [self.columns]
        if not wanted:
            raise ValueError("columns must hold at least one column, got none.")
        for position, column in enumerate(wanted):
            if not isinstance(column, str) and not is_integer(column):
                raise TypeError(
                    f"columns must be a name, a position or a list of these, got "
                    f"{column!r}."
                )
            if column in wanted[:position]:
                raise ValueError(f"columns holds {column!r} twice.")
        return [str(c) if isinstance(c, str) else int(c) for c in wanted]


def _table(signals):
    """Return signals as a DataFrame whose columns have names."""
    table = table_of(signals, "signals")
    if not table.shape[1]:
        raise ValueError(
            f"signals must have at least one column, got shape {table.shape}."
        )
    names = [
        name if isinstance(name, str) else f"signal{position}"
        for position, name in enumerate(table.columns)
    ]
    return table.set_axis(names, axis=1)


def _chosen(table, wanted):
    """Return the columns that a user means, by name or position."""
    if wanted is None:
        return table
    names = list(table.columns)
    return table.iloc[:, [_place_of(column, names) for column in wanted]]


def _place_of(column, names):
    """Return the position of one column."""
    if is_integer(column):
        if not 0 <= column < len(names):
            raise ValueError(
                f"columns are numbered from 0 to {len(names) - 1}, got {column}."
            )
        return column
    if column not in names:
        cure = close_matches(column, names)
        raise ValueError(f"there is no column {column!r}. {cure}")
    if names.count(column) > 1:
        places = [i for i, name in enumerate(names) if name == column]
        raise ValueError(
            f"there are several columns {column!r}, at positions {places}. Choose one "
            "by its position."
        )
    return names.index(column)


def _finite(table, kept):
    """Return a table in float64, checked in its kept rows."""
    signals, names = numbers_of(table, "signals")
    bad = ~np.isfinite(signals)
    for position in np.flatnonzero(bad[kept].any(axis=0)):
        rows = some_of(list(map(str, kept[bad[kept, position]])), 5)
        raise ValueError(
            f"signals must be finite, column {names[position]!r} has NaN or infinite "
            f"values at scans {rows}. Fill them, or leave the scans out with "
            "sample_mask."
        )
    return np.where(bad, signals[kept].mean(axis=0), signals)
