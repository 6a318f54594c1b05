"""What the page copies: the map in Python, and as a command.

Both are templates: the page fills in the seed between its marks, such as @X@.
"""

import math
import shlex
from dataclasses import dataclass, field
from numbers import Real

from .._reporting.code import Code, in_words, not_defaults, path_of
from .._reporting.used import repetition_time
from .._signals.kinds import adapter_of
from ..maskers import SphereSeeds, SurfaceSeeds

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
    "volume": '.to_filename("seed_z.nii.gz")',
    "surface": '.data.to_filename("seed_z.gii")',
}


@dataclass(frozen=True)
class Recipe:
    """How to make the map on the page again.

    Attributes
    ----------
    python : str
        A script.
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
    space : VolumeSpace or SurfaceSpace
    origins : Origins
    """
    python = _python(sbc, runs, space, origins)
    reason = "" if origins.command else _why_no_command(sbc, runs, space)
    if reason:
        return Recipe(python, why_no_command=reason)
    words = origins.command or _words(sbc, runs[0])
    seed = "--seed seed @X@ @Y@ @Z@ --radius @COMMAND_RADIUS@ --mask-seeds"
    how = "--summary @SUMMARY@ --out seed_map"
    return Recipe(python, f"{shlex.join(words)} {seed} {how}")


# Python


def _python(sbc, runs, space, origins):
    """Return the script."""
    code, is_one = Code(), len(runs) == 1
    suffixes = [""] if is_one else [f"_{i + 1}" for i in range(len(runs))]
    names = [f"run{suffix}" for suffix in suffixes]
    body = [
        f"{name} = {code.run(run, suffix)}"
        for name, run, suffix in zip(names, runs, suffixes, strict=True)
    ]
    fitted = names[0] if is_one else f"[{', '.join(names)}]"
    code.needed.add(("sbc_estimators", "SeedCorrelationMap"))
    body += [
        *_brain(code, sbc, space, fitted),
        f"seed = {_seed(code, sbc, space)}",
        'sbc = SeedCorrelationMap(seed, brain, seed_summary="@SUMMARY@")',
        f"sbc.fit({fitted})",
        "z = np.arctanh(sbc.correlations_)",
        f"sbc.inverse_transform(z){SAVE[space.kind]}",
    ]
    head = ["import numpy as np", *code.imports(), "", *_bring(code, origins)]
    return "\n".join([*head, *body, ""])


def _bring(code, origins):
    """Return the lines that make, or ask for, what no file of the run holds."""
    known = {k: text for k, text in origins.code.items() if k in code.missing}
    lines = [f"{name} = {text}" for name, text in known.items()]
    if any("pd." in line for line in lines):
        lines.insert(0, "import pandas as pd")
    return lines + code.asked(known)


def _brain(code, sbc, space, fitted):
    """Return the lines that make the brain masker, and the mask of seeds."""
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
    lines.append(f"brain = {code.made(type(masker), [], options)}")
    if asked is None and space.kind == "volume":
        any_seed = "SphereSeeds([(@X@, @Y@, @Z@)])"
        lines += [
            f"found = SeedCorrelationMap({any_seed}, brain).fit({fitted})",
            "mask_img = found.brain_masker_.mask_img_",
        ]
    return lines


def _seed(code, sbc, space):
    """Return the code of the seed, with marks where the page fills in."""
    if space.kind == "volume":
        given = {"radius": "@RADIUS@", "mask_img": "mask_img"}
        return code.made(SphereSeeds, ["[(@X@, @Y@, @Z@)]"], given)
    given = {"radius": "@RADIUS@", "hemisphere": '"@HEMISPHERE@"'}
    mesh = sbc.seed_masker_.get_params(deep=False).get("mesh")
    if mesh is not None:
        given["mesh"] = code.expression(mesh, "mesh")
    return code.made(SurfaceSeeds, ["[@VERTEX@]"], given)


def _asked_mask(sbc):
    """Return the mask that was asked for, None if it was computed."""
    return None if sbc.brain_masker is None else sbc.brain_masker.mask_img


# The command


def _why_no_command(sbc, runs, space):
    """Return why `sbc-map` cannot make the map, or an empty text."""
    if space.kind == "surface":
        return "sbc-map takes volumes: copy the Python."
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
