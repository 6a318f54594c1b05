"""`Report`: a page about a fitted estimator, shown, opened or saved."""

import os
import tempfile
import webbrowser
from html import escape
from pathlib import Path

from .._support.files import whole
from .render import render
from .summary import summarise


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

    def __init__(self, html):
        self.html = html

    def __str__(self):
        return self.html

    def _repr_html_(self):
        return (
            f'<iframe srcdoc="{escape(self.html)}" title="Report" width="100%" '
            'height="800" style="border:0" allow="clipboard-write"></iframe>'
        )

    def save_as_html(self, path):
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

    def open_in_browser(self):
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


def report_on(sbc, X=None):
    """Return the `Report` on a fitted estimator; raises as `summarise` does."""
    return Report(render(summarise(sbc, X)))
