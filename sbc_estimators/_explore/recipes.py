"""What the page copies: the map in Python, and as a command.

Both are templates: the page fills in the seed between its marks, such as @X@.
"""

import math
import shlex
from dataclasses import dataclass, field
from numbers import Real

from .._images.grayordinates import GrayordinateGrid
from .._images.grids import VolumeGrid
from .._images.meshes import SurfaceGrid
from .._reporting.code import Code, in_words, not_defaults, path_of
from .._reporting.used import repetition_time
from .._signals.kinds import adapter_of
from ..maskers import SphereSeeds, SurfaceSeeds
from ..plotting._grayordinate_views import mesh_of

WITHOUT_EFFECT = {
    "cmap",
    "keep_masked_maps",
    "memory",
    "memory_level",
    "n_jobs",
    "reports",
    "standardize",
    "verbose",
}
"""Parameters of maskers that change no r."""

IN_COMMAND = {"mask_img", "smoothing_fwhm", "detrend", "low_pass", "high_pass", "t_r"}
"""Parameters of the brain masker that `sbc-map` has options for."""

OF_COMPUTED_MASKS = {"mask_strategy", "mask_args"}
"""Parameters that change no r where the mask was given."""

SAVE = {
    VolumeGrid.kind: '.to_filename("seed_z.nii.gz")',
    SurfaceGrid.kind: '.data.to_filename("seed_z.gii")',
    GrayordinateGrid.kind: '.to_filename("seed_z.dscalar.nii")',
}
"""How a map is saved, by the kind of its grid."""


IMPORTS = {
    "pd.": "import pandas as pd",
    "PolyMesh(": "from nilearn.surface import PolyMesh",
}
"""What code that makes a thing needs, by what stands in it."""


@dataclass(frozen=True)
class Recipe:
    """How to make the map on the page again.

    Attributes
    ----------
    python : dict of str to str
        A script for a seed in each part of the space, by the part's name.
    command : str
        Of `sbc-map`, or empty.
    why_no_command : str
        A sentence where there is no command.
    """

    python: str
    command: str = ""
    why_no_command: str = ""


@dataclass(frozen=True)
class Origins:
    """Where things come from that a run holds in memory.

    Attributes
    ----------
    code : dict of str to str
        Python that makes what stands under a name, such as ``confounds``.
    command : tuple of str
        The words of `sbc-map` that make the run and its cleaning; empty if unknown.
    """

    code: dict = field(default_factory=dict)
    command: tuple = ()


def recipe(sbc, runs, space, origins):
    """Return the `Recipe` for the maps of some runs.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    runs : list of Run
    space : Space
    origins : Origins
    """
    python = {
        part.name: _python(sbc, runs, space, part, origins) for part in space.parts
    }
    reason = _why_no_command(sbc, runs, space, origins)
    if reason:
        return Recipe(python, why_no_command=reason)
    words = origins.command or _words(sbc, runs[0])
    seed = "--seed seed @X@ @Y@ @Z@ --radius @COMMAND_RADIUS@ --mask-seeds"
    how = "--summary @SUMMARY@ --out seed_map"
    return Recipe(python, f"{shlex.join(words)} {seed} {how}")


# Python


def _python(sbc, runs, space, part, origins):
    """Return the script for a seed in a part of the space."""
    code = Code()
    suffixes = [""] if len(runs) == 1 else [f"_{i + 1}" for i in range(len(runs))]
    names = [f"run{suffix}" for suffix in suffixes]
    body = [
        f"{name} = {code.run(run, suffix)}"
        for name, run, suffix in zip(names, runs, suffixes, strict=True)
    ]
    fitted = _together(names)
    code.imported("sbc_estimators", "SeedCorrelationMap")
    body += [
        *_brain(code, sbc),
        *_mask(sbc, part, names),
        f"seed = {_seed(code, sbc, part)}",
        'sbc = SeedCorrelationMap(seed, brain, seed_summary="@SUMMARY@")',
        f"sbc.fit({fitted})",
        "z = np.arctanh(sbc.correlations_)",
        f"sbc.inverse_transform(z){SAVE[space.grid.kind]}",
    ]
    head = ["import numpy as np", *code.imports(), "", *_bring(code, origins)]
    return "\n".join([*head, *body, ""])


def _together(names):
    """Return the code of one run, or of several."""
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


def _bring(code, origins):
    """Return the lines that make, or ask for, what no file of the run holds."""
    known = {k: text for k, text in origins.code.items() if k in code.missing}
    lines = [f"{name} = {text}" for name, text in known.items()]
    imports = [own for mark, own in IMPORTS.items() if mark in "".join(lines)]
    return [*imports, *lines, *code.asked(known)]


def _brain(code, sbc):
    """Return the lines that make the brain masker."""
    masker, asked, lines = sbc.brain_masker_, _asked_mask(sbc), []
    options = {
        name: code.expression(value, name)
        for name, value in not_defaults(masker).items()
        if name != "mask_img" and name not in WITHOUT_EFFECT
    }
    if asked is not None:
        mask = code.file(asked, "mask_img")
        lines = [] if mask == "mask_img" else [f"mask_img = {mask}"]
        options = {"mask_img": "mask_img", **options}
    return [*lines, f"brain = {code.made(type(masker), [], options)}"]


def _mask(sbc, part, runs):
    """Return the lines that make the mask of seeds, where nothing else has made it."""
    if not _is_masked(sbc, part) or _asked_mask(sbc) is not None:
        return []
    adapter = adapter_of(sbc.brain_masker_, "brain_masker")
    if adapter.grid_kind == GrayordinateGrid.kind:
        ones = "np.ones(brain.n_elements_)"
        return [f"mask_img = brain.fit({runs[0]}.img).inverse_transform({ones})"]
    any_seed = "SphereSeeds([(@X@, @Y@, @Z@)])"
    return [
        f"found = SeedCorrelationMap({any_seed}, brain).fit({_together(runs)})",
        "mask_img = found.brain_masker_.mask_img_",
    ]


def _is_masked(sbc, part):
    """Whether seeds in a part need a mask to be made of places alone."""
    adapter = adapter_of(sbc.brain_masker_, "brain_masker")
    takes_all = adapter.still("mask_img") is None
    return part.grid.kind == VolumeGrid.kind and not takes_all


def _seed(code, sbc, part):
    """Return the code of the seed, with marks where the page fills in."""
    given = {"radius": "@RADIUS@"}
    if part.grid.kind == VolumeGrid.kind:
        given |= {"mask_img": "mask_img"} if _is_masked(sbc, part) else {}
        return code.made(SphereSeeds, ["[(@X@, @Y@, @Z@)]"], given)
    given["hemisphere"] = '"@HEMISPHERE@"'
    mesh = mesh_of(sbc)
    if mesh is not None:
        given["mesh"] = code.expression(mesh, "mesh")
    return code.made(SurfaceSeeds, ["[@VERTEX@]"], given)


def _asked_mask(sbc):
    """Return the mask that was asked for, None if it was computed."""
    return getattr(sbc.brain_masker, "mask_img", None)


# The command


def _why_no_command(sbc, runs, space, origins):
    """Return why `sbc-map` cannot make the map, or an empty text."""
    if space.cortex is not None:
        return "sbc-map has no option for seeds of vertices: copy the Python."
    if origins.command:
        return ""
    if len(runs) > 1:
        return "sbc-map maps each run by itself: choose a run, or copy the Python."
    run, mask = runs[0], _asked_mask(sbc)
    inputs = {"img": run.img, "confounds": run.confounds, "mask_img": mask}
    inputs["sample_mask"] = run.sample_mask
    for name, value in inputs.items():
        if value is not None and path_of(value) is None:
            return f"sbc-map takes files, and {name} is none: copy the Python."
    return _why_no_option(sbc.brain_masker_, run, has_mask=mask is not None)


def _why_no_option(masker, run, has_mask):
    """Return what `sbc-map` has no option for, or an empty text."""
    if not adapter_of(masker, "brain_masker").is_known:
        kind = type(masker).__name__
        return f"sbc-map has no option for a {kind} as the brain: copy the Python."
    told = IN_COMMAND | WITHOUT_EFFECT | (OF_COMPUTED_MASKS if has_mask else set())
    given = {k: v for k, v in not_defaults(masker).items() if k not in told}
    if not isinstance(masker.smoothing_fwhm, Real | None):
        given["smoothing_fwhm"] = masker.smoothing_fwhm
    if run.seed_img is not None:
        given["seed_img"] = run.seed_img
    words = ", ".join(f"{name}={in_words(value)}" for name, value in given.items())
    return f"sbc-map has no option for {words}: copy the Python." if words else ""


def _words(sbc, run):
    """Return the words of the command that make the run and its cleaning."""
    masker, mask = sbc.brain_masker_, _asked_mask(sbc)
    words = ["sbc-map", path_of(run.img)]
    words += [] if run.confounds is None else ["--confounds", path_of(run.confounds)]
    words += [] if mask is None else ["--mask", path_of(mask)]
    band = masker.high_pass or 0, masker.low_pass or math.inf
    t_r = repetition_time(sbc, run)
    return words + cleaning_words(masker.detrend, masker.smoothing_fwhm, band, t_r)


def cleaning_words(detrend, smoothing, band, t_r):
    """Return the words of the command that say how a run is cleaned, unrounded.

    Parameters
    ----------
    detrend : bool
    smoothing : float or None
        In mm.
    band : tuple of 2 float
        The frequencies to keep in Hz, from 0 or to infinity where a side is open.
    t_r : float or None
        In seconds; None where it is not said.
    """
    words = [] if detrend else ["--no-detrend"]
    words += ["--smoothing", _exactly(smoothing or 0), "--band", *map(_exactly, band)]
    return words + ([] if t_r is None else ["--t-r", _exactly(t_r)])


def _exactly(number):
    """Return a number as text that Python reads back as the same."""
    return repr(float(number))
