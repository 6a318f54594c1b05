"""Files that appear whole or not at all."""

import json
import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context

from .checks import check_folder

SAVING = {"savefig.dpi": 300, "pdf.fonttype": 42, "ps.fonttype": 42}
"""How figures are saved: sharp in print, and with fonts that programs can edit."""


@contextmanager
def staged(folder, before=()):
    """Give a place to write files in; move them to `folder` if all went well.

    Parameters
    ----------
    folder : Path
        Created if missing. After an error nothing in it has changed, and neither it nor
        a parent is left behind if it was made here.
    before : collection of str, default=()
        Names of files in `folder` that the new ones take the place of: those that are
        not written anew are removed.

    Yields
    ------
    stage : Path
        A hidden folder inside of `folder`, gone in the end.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".sbc-map-") as stage:
            yield Path(stage)
            written = sorted(Path(stage).iterdir())
            check_targets(folder, [path.name for path in written])
            for path in left_over(folder, before, {path.name for path in written}):
                path.unlink()
            for path in written:
                os.replace(path, folder / path.name)
    except BaseException:
        for path in made:
            # Not empty, if the disk filled up between two files that were moved.
            with suppress(OSError):
                path.rmdir()
        raise


def check_targets(folder, names):
    """Raise IsADirectoryError where a file is to be put in the place of a folder."""
    for name in names:
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            raise IsADirectoryError(
                f"{str(folder / name)!r} is a folder, and a file of that name is to be "
                "written. Move it away."
            )


def left_over(folder, before, written):
    """Return the files of `before` in a folder that are not among those written.

    Nothing that lies elsewhere is among them, whatever names `before` has.
    """
    names = set(before) - set(written)
    return sorted(p for p in folder.iterdir() if p.name in names and p.is_file())


def listed_files(path):
    """Return the names under "files" in a file of `write_json`, none without a list."""
    names = read_json(path).get("files")
    names = names if isinstance(names, list) else []
    return [name for name in names if isinstance(name, str)]


def read_json(path):
    """Return the dict in a file of JSON, an empty one where there is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextmanager
def whole(path, name):
    """Give the path to write one file to; move it to `path` if all went well.

    Parameters
    ----------
    path : str or path
        As `check_target` lets through. After an error, what was there before still is.
    name : str
        Names the path in errors.

    Yields
    ------
    path : Path
        With the same ending.
    """
    path = check_target(path, name)
    with staged(path.parent) as stage:
        yield stage / path.name


def check_target(path, name):
    """Return the path of a file that can be written; raise an error if it is none.

    Parameters
    ----------
    path : str or path
    name : str
        Names the path in errors.

    Raises
    ------
    TypeError, ValueError
        If it is no path, or names no file.
    FileNotFoundError, NotADirectoryError, IsADirectoryError
        If its folder is none, or the path is a folder itself.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be the path of a file, got {path!r}.")
    target = Path(path)
    if not target.name:
        raise ValueError(
            f"{name} must be the path of a file, got {os.fspath(path)!r}. Name a file, "
            "such as 'map.png'."
        )
    if target.is_dir():
        raise IsADirectoryError(
            f"{name} must be a file, got the folder {os.fspath(path)!r}. Name a file "
            "in it."
        )
    check_folder(target.parent, f"{name} {os.fspath(path)!r}")
    return target


@contextmanager
def replacing(path):
    """Give a path to write a file to that takes the place of another if all went well.

    It is hidden, beside the other, and always the same: what a process that was killed
    left there is overwritten by the next one.

    Parameters
    ----------
    path : Path
        In a folder that exists.

    Yields
    ------
    hidden : Path
        With the same ending.
    """
    hidden = path.with_name(f".{path.name}")
    try:
        yield hidden
        _put(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)


def _put(hidden, path):
    """Move a file to its place, unless another process that wrote it has done so."""
    try:
        os.replace(hidden, path)
    except FileNotFoundError:
        if not path.exists():
            raise


def write_table(array, names, path):
    """Write columns with a header as TSV, to six digits."""
    table = pd.DataFrame(array, columns=names)
    table.to_csv(path, sep="\t", index=False, float_format="%.6g")


def write_json(content, path):
    """Write a dict as JSON; what JSON does not know becomes its text."""
    text = json.dumps(content, indent=2, default=_plain, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _plain(value):
    """Return a value in terms of JSON."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)


def write_figure(figure, stem):
    """Write a figure as PNG and PDF."""
    with rc_context(SAVING):
        figure.savefig(f"{stem}.png")
        # Without its date, the same input gives the same file.
        figure.savefig(f"{stem}.pdf", metadata={"CreationDate": None})
