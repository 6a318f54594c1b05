"""`Report`: a page that is shown, opened or saved; on an estimator, or an index."""

from __future__ import annotations

import os
import tempfile
import webbrowser
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._support.files import whole
from .._support.pages import framed
from .render import render, render_index
from .summary import summarise

if TYPE_CHECKING:
    from .._images.annotations import PathLike


class Report:
    """A page that is one file: nothing is loaded from elsewhere.

    Parameters
    ----------
    html : str
        The page.

    Notes
    -----
    Not nilearn's `HTMLReport`, which saves a page as a frame of a fixed size.
    """

    def __init__(self, html: str) -> None:
        self.html = html

    def __str__(self) -> str:
        return self.html

    def _repr_html_(self):
        return framed(self.html, "Report")

    def save_as_html(self, path: PathLike) -> None:
        """Write the page to a file, whole or not at all.

        Parameters
        ----------
        path : str or path
            In a folder that exists.

        Raises
        ------
        FileNotFoundError
            If there is no such folder.
        """
        with whole(path, "path") as file:
            file.write_text(self.html, encoding="utf-8")

    def open_in_browser(self) -> str:
        """Open the page in the browser, from a file in the folder for temporary files.

        Returns
        -------
        path : str
            The file, which only you can read and which is left there.
        """
        number, path = tempfile.mkstemp(".html", "sbc-report-")
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(self.html)
        webbrowser.open(Path(path).as_uri())
        return path


def report_on(sbc, X=None, threshold=None):
    """Return the `Report` on a fitted estimator, as `summarise` describes it."""
    return Report(render(summarise(sbc, X, threshold)))


@dataclass(frozen=True)
class Entry:
    """A line of an index of reports.

    Attributes
    ----------
    name : str
        Of the person or run.
    path : str, path or None
        Of the report, relative to the index; None where there is none.
    error : str or None
        Why there is none.
    facts : dict of str
        What else the line says, by the names of columns.
    """

    name: str
    path: Any = None
    error: str | None = None
    facts: dict = field(default_factory=dict)


def index_of_reports(entries):
    """Return the page that leads to the reports of a study.

    Parameters
    ----------
    entries : list of Entry
        What failed is listed with its error.

    Returns
    -------
    index : Report
        To be saved in the folder that paths are relative to.
    """
    return Report(render_index(entries))
