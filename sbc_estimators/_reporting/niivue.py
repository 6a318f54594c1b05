"""NiiVue, the viewer that pages draw with, as nilearn brings it along."""

import re
from functools import cache
from importlib.resources import files

import numpy as np
from nilearn.surface import InMemoryMesh

from ..plotting._nilearn import nilearn_plotting

NEEDED = "0.14.1"
"""The first nilearn with NiiVue inside."""


@cache
def niivue_script():
    """Return the text of NiiVue's script, or None where nilearn has none.

    nilearn gives it away only inside of a page that shows a surface.
    """
    triangle = InMemoryMesh(np.eye(3), np.array([[0, 1, 2]]))
    try:
        page = nilearn_plotting().view_surf(triangle, np.zeros(3), engine="niivue").html
    except TypeError:
        return None
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    # The first is the library, those after it use it.
    found = (text.strip() for text in scripts if "Niivue" in text and "NVMesh" in text)
    return next(found, None)


@cache
def niivue_licence():
    """Return NiiVue's licence as a comment of HTML, for pages that hold NiiVue."""
    return (
        files(__package__).joinpath("templates/niivue-licence.html").read_text("utf-8")
    )
