"""How pictures become files, and which figures stay open."""

import os
from contextlib import contextmanager

import matplotlib.pyplot as plt
from matplotlib.backend_bases import FigureCanvasBase

from .._support.files import SAVING, check_target, whole


def check_output_file(output_file):
    """Raise an error unless a picture can be written to a file, or it is None."""
    if output_file is None:
        return
    suffix = check_target(output_file, "output_file").suffix
    formats = FigureCanvasBase.get_supported_filetypes()
    # Without a suffix it is matplotlib's own, which is not checked here.
    if suffix and suffix[1:].lower() not in formats:
        raise ValueError(
            f"output_file must end in one of {', '.join(sorted(formats))}, got "
            f"{os.fspath(output_file)!r}. Its suffix is the format."
        )


def write(drawn, output_file):
    """Write a figure or nilearn display to a file, whole or not at all."""
    with whole(output_file, "output_file") as path, plt.rc_context(SAVING):
        drawn.savefig(path)


@contextmanager
def closing(keep):
    """Close the figures pyplot gains in here after an error, and unless kept."""
    before = set(plt.get_fignums())
    try:
        yield
    except BaseException:
        keep = False
        raise
    finally:
        for number in () if keep else set(plt.get_fignums()) - before:
            plt.close(number)
