"""The page as one file that needs no server, no Python and no internet."""

from . import html
from .anatomy import halved
from .packing import as_text, packed, places_before

IN_FILES = ("mean", "pca", "standardized_mean")
"""Summaries of seeds that a file offers: what it leaves out changes a median more."""


def page_as_file(contents, space, anatomy, signals, viewer):
    """Return the page with all that it needs.

    Parameters
    ----------
    contents : dict
        From `page_contents`.
    space : Space
    anatomy : Anatomy
    signals : iterable of Signals
        One for each run.
    viewer : str
        The text of NiiVue.

    Returns
    -------
    html : str
    """
    anatomy = halved(anatomy)
    arrays = {**space.arrays(), **anatomy.parts}
    before, told = places_before(space), []
    for i, of_run in enumerate(signals):
        parts, config = packed(of_run, before)
        arrays |= {f"{name}-{i}": array for name, array in parts.items()}
        told.append(config)
    texts = {name: as_text(array) for name, array in arrays.items()}
    texts["niivue"] = as_text(viewer.encode("utf-8"))
    start = contents["start"]
    summary = start["summary"] if start["summary"] in IN_FILES else "mean"
    contents = {
        **contents,
        "anatomy": anatomy.config,
        "packed": told,
        "start": {**start, "summary": summary},
        "summaries": list(IN_FILES),
    }
    return html.page(contents, viewer, texts)
