"""What the page copies: the map in Python, and as a command.

Both are templates: the page fills in the seed between its marks, such as @X@.
"""

import inspect
import math
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

WIDTH = 80
"""Characters of a line of Python."""

LONGEST = 12
"""The most numbers that a script spells out."""

WITHOUT_EFFECT = {
    "cmap",
    "keep_masked_maps",
    "memory",
    "memory_level",
    "reports",
    "runs",
    "standardize",
    "verbose",
}
"""Parameters of maskers that change no r."""

NOT_IN_COMMAND = {
    "detrend": True,
    "high_variance_confounds": False,
    "standardize_confounds": True,
    "clean_args": None,
}
"""Parameters of the brain masker that `sbc-map` leaves no choice of."""


SEEDS = {"volume": "SphereSeeds", "surface": "SurfaceSeeds"}

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
    return Recipe(python, f"{shlex.join(words)} {seed} --out seed_map")


# Python


class _Script:
    """Writes values as Python does, and notes what no file holds."""

    def __init__(self):
        self.missing = []

    def file(self, value, name):
        """Return the path of a file as Python writes it, or a name for its content."""
        path = _path(value)
        return self.literal(value, name) if path is None else repr(path)

    def literal(self, value, name):
        """Return a value as Python writes it, or a name for it."""
        if isinstance(value, np.generic):
            value = value.item()
        if _is_plain(value):
            return repr(value)
        self.missing.append(name)
        return name

    def call(self, function, *words, **named):
        """Return a call, on one line if it fits."""
        words = [*words, *(f"{name}={value}" for name, value in named.items())]
        line = f"{function}({', '.join(words)})"
        if len(line) <= WIDTH:
            return line
        return f"{function}(\n" + "".join(f"    {word},\n" for word in words) + ")"


def _python(sbc, runs, space, origins):
    """Return the script."""
    script, masker = _Script(), sbc.brain_masker_
    names = ["run"] if len(runs) == 1 else [f"run_{i + 1}" for i in range(len(runs))]
    body = [
        f"{name} = {_run(script, run, name)}"
        for name, run in zip(names, runs, strict=True)
    ]
    fitted = names[0] if len(runs) == 1 else f"[{', '.join(names)}]"
    body += _brain(script, sbc, space, fitted)
    body += [
        f"seed = {_seed(script, sbc, space)}",
        'sbc = SeedCorrelationMap(seed, brain, seed_summary="@SUMMARY@")',
        f"sbc.fit({fitted})",
        "z = np.arctanh(sbc.correlations_)",
        f"sbc.inverse_transform(z){SAVE[space.kind]}",
    ]
    head = [*_imports(type(masker), space), *_bring(script, origins)]
    return "\n".join([*head, *body, ""])


def _imports(kind, space):
    """Return the lines that import what the script uses: a kind of brain masker too."""
    ours, module, lines = {SEEDS[space.kind]}, _module(kind), ["import numpy as np"]
    if module == "sbc_estimators.maskers":
        ours.add(kind.__name__)
    else:
        lines.append(f"from {module} import {kind.__name__}")
    return [
        *lines,
        "",
        "from sbc_estimators import Run, SeedCorrelationMap",
        f"from sbc_estimators.maskers import {', '.join(sorted(ours))}",
        "",
    ]


def _bring(script, origins):
    """Return the lines that make, or ask for, what no file of the run holds."""
    names = list(dict.fromkeys(script.missing))
    code = [f"{name} = {origins.code[name]}" for name in names if name in origins.code]
    if any("pd." in line for line in code):
        code.insert(0, "import pandas as pd")
    asked = [name for name in names if name not in origins.code]
    if asked:
        code.append(f"# Not in a file, so bring your own: {', '.join(asked)}.")
    return code


def _run(script, run, name):
    """Return the code of a run."""
    prefix = name.removeprefix("run").lstrip("_")
    suffix = f"_{prefix}" if prefix else ""
    img, rest = script.file(run.img, f"img{suffix}"), {}
    if run.confounds is not None:
        rest["confounds"] = script.file(run.confounds, f"confounds{suffix}")
    if run.sample_mask is not None:
        rest["sample_mask"] = script.literal(run.sample_mask, f"sample_mask{suffix}")
    if run.t_r is not None:
        rest["t_r"] = script.literal(run.t_r, "t_r")
    return script.call("Run", img, **rest)


def _brain(script, sbc, space, fitted):
    """Return the lines that make the brain masker, and the mask of seeds."""
    masker = sbc.brain_masker_
    options = {
        name: script.literal(value, name)
        for name, value in _what_differs(masker).items()
        if name != "mask_img"
    }
    asked, lines = _asked_mask(sbc), []
    if asked is not None:
        code = script.file(asked, "mask_img")
        lines = [] if code == "mask_img" else [f"mask_img = {code}"]
        options = {"mask_img": "mask_img", **options}
    lines.append(f"brain = {script.call(type(masker).__name__, **options)}")
    if asked is None and space.kind == "volume":
        any_seed = "SphereSeeds([(@X@, @Y@, @Z@)])"
        lines += [
            f"found = SeedCorrelationMap({any_seed}, brain).fit({fitted})",
            "mask_img = found.brain_masker_.mask_img_",
        ]
    return lines


def _seed(script, sbc, space):
    """Return the code of the seed, with marks where the page fills in."""
    if space.kind == "volume":
        centre = "[(@X@, @Y@, @Z@)]"
        return script.call(
            "SphereSeeds", centre, radius="@RADIUS@", mask_img="mask_img"
        )
    rest = {"radius": "@RADIUS@", "hemisphere": '"@HEMISPHERE@"'}
    mesh = sbc.seed_masker_.get_params(deep=False).get("mesh")
    if mesh is not None:
        rest["mesh"] = script.literal(mesh, "mesh")
    return script.call("SurfaceSeeds", "[@VERTEX@]", **rest)


def _asked_mask(sbc):
    """Return the mask that was asked for, None if it was computed."""
    return None if sbc.brain_masker is None else sbc.brain_masker.mask_img


def _module(kind):
    """Return the module from which a masker is imported."""
    public = ("nilearn.maskers", "sbc_estimators.maskers")
    homes = [name for name in public if kind.__module__.startswith(name)]
    return homes[0] if homes else kind.__module__


def _what_differs(masker):
    """Return the parameters of a masker that are not its defaults and change r."""
    parameters = inspect.signature(type(masker)).parameters
    return {
        name: value
        for name, value in masker.get_params(deep=False).items()
        if name not in WITHOUT_EFFECT and not _same(value, parameters[name].default)
    }


def _same(value, default):
    """Whether a parameter has its default."""
    return value is default or (_is_plain(value) and value == default)


def _is_plain(value):
    """Whether a value is written in code as it is."""
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    if isinstance(value, list | tuple):
        return len(value) <= LONGEST and all(map(_is_plain, value))
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int | str)


def _path(value):
    """Return the absolute path of a file, or of the file an image is from, or None."""
    if isinstance(value, str | os.PathLike):
        return str(Path(value).absolute())
    name = getattr(value, "get_filename", lambda: None)()
    return None if name is None else str(Path(name).absolute())


# The command


def _why_no_command(sbc, runs, space):
    """Return why `sbc-map` cannot make the map, or an empty text."""
    if space.kind == "surface":
        return "sbc-map takes volumes: copy the Python."
    if len(runs) > 1:
        return "sbc-map takes one run: choose a run, or copy the Python."
    run, masker = runs[0], sbc.brain_masker_
    inputs = {"img": run.img, "confounds": run.confounds, "mask_img": _asked_mask(sbc)}
    for name, value in inputs.items():
        if value is not None and _path(value) is None:
            return f"sbc-map takes files, and {name} is none: copy the Python."
    if run.sample_mask is not None:
        return "sbc-map censors no scans, as this run does: copy the Python."
    for name, needed in NOT_IN_COMMAND.items():
        value = getattr(masker, name, needed)
        if value != needed:
            return f"sbc-map has no option for {name}={value!r}: copy the Python."
    return ""


def _words(sbc, run):
    """Return the words of the command that make the run and its cleaning."""
    masker, mask = sbc.brain_masker_, _asked_mask(sbc)
    low, high = masker.high_pass or 0, masker.low_pass or math.inf
    t_r = masker.t_r if run.t_r is None else run.t_r
    words = ["sbc-map", _path(run.img)]
    words += [] if run.confounds is None else ["--confounds", _path(run.confounds)]
    words += [] if mask is None else ["--mask", _path(mask)]
    words += ["--smoothing", f"{masker.smoothing_fwhm or 0:g}"]
    words += ["--band", f"{low:g}", f"{high:g}"]
    return words + ([] if t_r is None else ["--t-r", repr(float(t_r))])
