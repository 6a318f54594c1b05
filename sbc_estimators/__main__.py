"""The command line, `sbc-map`: what it understands, and how it ends.

Next to the standard library only what imports nothing is imported here, so that
`--help` and a mistyped option answer at once. The work is in `_command`.
"""

import argparse
import difflib
import math
import os
import re
import sys
import warnings
import webbrowser
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path

from . import __version__

PROGRAM = "sbc-map"

READ_ERRORS = (OSError, EOFError, zlib.error)
"""What a file that is truncated or corrupt ends in, if nobody says it better."""

LONGEST = 1000.0
"""In mm, as in `_support.checks`, which takes long to import."""

DEFAULT_SEEDS = {"PCC": (0.0, -52.0, 18.0)}
"""The posterior cingulate, hub of the default mode network (mm, MNI space)."""

DESCRIPTION = """\
Map the correlation of seeds with every voxel of a run of functional MRI. Writes Fisher
z maps, pictures of maps and seed time series, and what was done. Without arguments:
the posterior cingulate in the sample run that ships with the package."""

NEEDS = {
    "--seed": "a name and three numbers in mm, as in --seed PCC 0 -52 18",
    "--band": "LOW and HIGH in Hz, as in --band 0.01 0.1",
}
"""What follows options that take several arguments."""

EPILOG = """\
example: sbc-map bold.nii.gz --confounds confounds.tsv --columns white_matter,csf
         --seed PCC 0 -52 18 --seed mPFC 0 52 -6 --out maps"""


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str or None, default=None
        The arguments; None is those of the process.

    Returns
    -------
    status : int
        0, or 2 after one line on standard error where the input cannot be used.

    Raises
    ------
    SystemExit
        From argparse: status 0 after --help and --version, 2 after a mistyped option.
    """
    parser = _make_parser()
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        _refuse_unknown(parser, unknown)
    _check_together(parser, options)
    try:
        _check_paths(options)
        with _warnings_on_one_line():
            (_explore if options.explore else _map)(options)
    # A RuntimeError says which run could not be mapped, a TypeError what is no image,
    # an ImportError which version of a library is needed.
    except (ValueError, TypeError, RuntimeError, ImportError, *READ_ERRORS) as error:
        _say("error", error)
        return 2
    return 0


def _map(options):
    """Map the seeds, and say what was written."""
    # Imports nilearn, which takes seconds.
    from ._command.mapping import describe, map_seeds

    print(describe(map_seeds(options), options.out))


def _explore(options):
    """Show the run on a page until Ctrl-C."""
    from ._command.exploring import open_page

    with open_page(options) as explorer, suppress(KeyboardInterrupt):
        print(f"page          {explorer.url}\nCtrl-C ends it.", flush=True)
        webbrowser.open(explorer.url)
        explorer.wait()


def _make_parser():
    """Return the parser of the arguments."""
    parser = _Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("func", nargs="?", metavar="FUNC", type=Path, help="the run: a 4D image")
    add(
        "--confounds",
        metavar="FILE",
        type=Path,
        help="table of confounds, one row per scan: .tsv, .csv or white space",
    )
    add(
        "--columns",
        metavar="A,B",
        type=_names,
        help="the confounds to use, by name (default: all of the table)",
    )
    add(
        "--seed",
        nargs=4,
        metavar=("NAME", "X", "Y", "Z"),
        dest="seeds",
        action=_AddSeed,
        help="a seed and its centre in mm, can be repeated (default: PCC 0 -52 18)",
    )
    add(
        "--radius",
        metavar="MM",
        type=_radius,
        default=8.0,
        help="radius of the seeds in mm (default: %(default)g)",
    )
    add(
        "--mask-seeds",
        action="store_true",
        help="leave out of the seeds what lies outside the brain mask",
    )
    add(
        "--mask",
        metavar="FILE",
        type=Path,
        help="brain mask (default: computed from the run)",
    )
    add(
        "--smoothing",
        metavar="MM",
        type=_width,
        default=6.0,
        help="full width at half maximum in mm for the brain, 0 for none "
        "(default: %(default)g)",
    )
    add(
        "--band",
        nargs=2,
        metavar=("LOW", "HIGH"),
        action=_Band,
        default=(0.01, 0.1),
        help="frequencies to keep in Hz; 0 and inf leave a side open "
        "(default: 0.01 0.1)",
    )
    add(
        "--t-r",
        metavar="S",
        type=_positive,
        help="repetition time in seconds (default: that of FUNC's sidecar, or else "
        "of its header)",
    )
    add(
        "--scale",
        choices=("fisher_z", "z_score"),
        default="fisher_z",
        help="what maps hold: Fisher z (sbc_z.nii.gz), or a z score that is standard "
        "normal where nothing correlates (sbc_zscore.nii.gz), beside the variance of "
        "Fisher z (sbc_variance.nii.gz) (default: %(default)s)",
    )
    add(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("sbc_map"),
        help="folder to write to, created if missing (default: %(default)s); files "
        "from an earlier call are replaced; with several seeds, each gets its own "
        "pictures, sbc_z_NAME.png and sbc_z_NAME.pdf",
    )
    add(
        "--explore",
        action="store_true",
        help="write nothing, but open a page in the browser on which a click is a "
        "seed; Ctrl-C ends it",
    )
    add(
        "--report",
        action="store_true",
        help="also write report.html: a page about run, seeds, maps, and methods",
    )
    add("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


class _Parser(argparse.ArgumentParser):
    """A parser that says what an option needs, not only how many arguments."""

    def error(self, message):
        for option, needs in NEEDS.items():
            message = re.sub(
                rf"^argument {option}: expected .*?(, got .*)?$",
                lambda match, text=f"{option} needs {needs}": text + (match[1] or ""),
                message,
            )
        super().error(message)


class _AddSeed(argparse.Action):
    """Add NAME X Y Z to a dict of seeds."""

    def __call__(self, parser, namespace, values, option_string=None):
        name, *coordinates = values
        seeds = dict(getattr(namespace, self.dest) or {})
        # Names become parts of file names.
        if not re.fullmatch(r"\w([\w.+ -]*[\w.+-])?", name):
            raise argparse.ArgumentError(
                self,
                f"NAME must be letters, digits, blanks, '_', '.', '+' and '-', and not "
                f"begin with a sign, got {name!r}",
            )
        if _in_file_name(name) in map(_in_file_name, seeds):
            raise argparse.ArgumentError(
                self,
                f"NAME must differ between seeds, also with '_' for each blank, got "
                f"{name!r} twice",
            )
        seeds[name] = tuple(_number(self, value) for value in coordinates)
        setattr(namespace, self.dest, seeds)


def _in_file_name(name):
    """Return what tells the files of a seed apart, on any disk."""
    return name.replace(" ", "_").casefold()


class _Band(argparse.Action):
    """Check LOW HIGH and keep them as a tuple."""

    def __call__(self, parser, namespace, values, option_string=None):
        low, high = (_number(self, value, or_inf=True) for value in values)
        if not 0 <= low < high:
            raise argparse.ArgumentError(
                self, f"LOW must be 0 or more and below HIGH, got {low:g} and {high:g}"
            )
        setattr(namespace, self.dest, (low, high))


def _number(action, text, or_inf=False):
    """Return the number that a text is."""
    value = _float(text)
    if math.isfinite(value) or (or_inf and value == math.inf):
        return value
    raise argparse.ArgumentError(action, f"expected a number, got {text!r}")


def _float(text):
    """Return the number that a text is, NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _positive(text):
    """Return the positive number that a text is."""
    value = _float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f"must be a finite number above 0, got {text!r}"
        )
    return value


def _radius(text):
    """Return the length above 0 that a text is."""
    value = _positive(text)
    if value > LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be at most {LONGEST:g} mm, got {text!r}"
        )
    return value


def _width(text):
    """Return the length, 0 or more, that a text is."""
    value = _float(text)
    if not 0 <= value <= LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be a length from 0 to {LONGEST:g} mm, got {text!r}"
        )
    return value


def _names(text):
    """Return the names in a list with commas."""
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(
            f"must be different names with commas between them, got {text!r}"
        )
    return names


def _refuse_unknown(parser, arguments):
    """Exit with the arguments that are not understood, and the options like them."""
    known = re.findall(r"--[\w-]+", parser.format_usage()) + ["--help"]
    options = [text.partition("=")[0] for text in arguments if text.startswith("-")]
    near = [difflib.get_close_matches(option, known, 1) for option in options]
    meant = ", ".join(dict.fromkeys(name for names in near for name in names))
    question = f". Did you mean {meant}?" if meant else ""
    parser.error(f"unrecognized arguments: {' '.join(arguments)}{question}")


def _check_together(parser, options):
    """Fill in the default seeds, and exit where options contradict each other."""
    options.seeds = options.seeds or DEFAULT_SEEDS
    if options.func is None:
        for name in ("confounds", "mask", "t_r"):
            if getattr(options, name) is not None:
                option = f"--{name.replace('_', '-')}"
                parser.error(f"{option} needs FUNC: the sample run has its own")
    elif options.columns is not None and options.confounds is None:
        parser.error("--columns needs --confounds, the table that has them")


def _check_paths(options):
    """Raise an error where a file is missing or the folder cannot be written to."""
    named = (
        ("FUNC", options.func),
        ("--confounds", options.confounds),
        ("--mask", options.mask),
    )
    for name, path in named:
        if path is not None and not path.is_file():
            raise FileNotFoundError(f"{name}: there is no file {str(path)!r}")
    above = (options.out, *options.out.absolute().parents)
    # A link to nowhere is there, and is no folder.
    nearest = next(path for path in above if os.path.lexists(path))
    if nearest.is_symlink() and not nearest.exists():
        raise NotADirectoryError(
            f"--out: {str(nearest)!r} is a link to {os.readlink(nearest)!r}, which "
            "does not exist; make that folder, or give another one"
        )
    if not nearest.is_dir():
        raise NotADirectoryError(
            f"--out: {str(nearest)!r} is a file; give another folder"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(f"--out: cannot write to {str(nearest)!r}")


@contextmanager
def _warnings_on_one_line():
    """Show each warning once, in the command's own words, without a line of code."""
    said = set()

    def show(message, *_, **__):
        if str(message) not in said:
            said.add(str(message))
            _say("warning", message)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _say(kind, message):
    """Print one line to standard error, in which the only run has no number."""
    text = " ".join(str(message).split())
    text = re.sub(r"\brun (0 \('[^']*'\)|'[^']*')", "the run", text)
    print(f"{PROGRAM}: {kind}: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
