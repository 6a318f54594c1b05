"""NiiVue, the viewer that draws the cortex, as nilearn brings it along."""

import inspect
import re
from functools import cache

import nilearn
import numpy as np
from nilearn.plotting import view_surf
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage

NEEDED = "0.14.1"
"""The first version of nilearn that brings NiiVue."""


def check_nilearn():
    """Raise ImportError where nilearn is too old to bring NiiVue along."""
    if "engine" not in inspect.signature(view_surf).parameters:
        raise ImportError(
            f"explore needs nilearn {NEEDED} or newer, which brings along the viewer "
            f"NiiVue; nilearn {nilearn.__version__} does not. Run: pip install -U "
            f"'nilearn>={NEEDED}'"
        )


@cache
def niivue_script():
    """Return the text of NiiVue, from a page that nilearn makes with it."""
    points = np.array([[0, 0, 0], [0, 0, 9], [0, 9, 0], [9, 0, 0]], dtype=float)
    faces = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    mesh = PolyMesh(left=InMemoryMesh(points, faces))
    img = SurfaceImage(mesh, {"left": np.arange(4.0)})
    page = view_surf(surf_map=img, hemi="left", engine="niivue").html
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    # The first is the library, those after it use it.
    found = [text for text in scripts if "Niivue" in text and "NVMesh" in text]
    if not found:
        raise ImportError(
            f"explore finds no NiiVue in nilearn {nilearn.__version__}. Please report "
            "this, and use a nilearn with which it worked, such as 0.14.1."
        )
    return found[0].strip()
