"""What `sbc-map` understands: its options, and what each of them may be.

Only the standard library is imported here, as `--help` must answer at once.
"""

import argparse
import difflib
import math
import re
from contextlib import suppress
from pathlib import Path

from .. import __version__
from .together import (
    DEFAULT_RADIUS,
    DEFAULT_SMOOTHING,
    STRATEGIES,
    check_together,
)

PROGRAM = "sbc-map"

LONGEST = 1000.0
"""In mm, as in `_support.checks`, which takes long to import."""

DESCRIPTION = """\
Map the correlation of seeds with every voxel of runs of functional MRI. Writes Fisher
z maps, pictures of maps and seed time series, and what was done. Without arguments:
the posterior cingulate in the sample run that ships with the package."""

NEEDS = {
    "--seed": "a name and three numbers in mm, as in --seed PCC 0 -52 18",
    "--band": "LOW and HIGH in Hz, as in --band 0.01 0.1",
    "--mesh": "two files, as in --mesh L.midthickness.surf.gii R.midthickness.surf.gii",
}
"""What follows options that take several arguments."""

EPILOG = """\
one run:  sbc-map bold.nii.gz --confounds confounds.tsv --columns white_matter,csf
                  --seed PCC 0 -52 18 --seed "L IPS" -26 -58 48 --out maps
a study:  sbc-map derivatives/fmriprep --task rest --space MNI152NLin2009cAsym
                  --strategy simple --seeds seeds.tsv --report --out derivatives/sbc

Exit status: 0; 1 where a run failed and the others were mapped; 2 where something
cannot be used, before any work."""


def understood(argv):
    """Return the options in arguments, None for those of the process.

    Raises
    ------
    SystemExit
        With status 0 after --help and --version, 2 after a line on standard error where
        arguments are mistyped or contradict each other.
    """
    parser = _make_parser()
    options, unknown = parser.parse_known_args(argv)
    if any(text.startswith("-") for text in unknown):
        _refuse_unknown(parser, unknown)
    # argparse takes the files before the first option, and leaves those after others.
    options.func += map(Path, unknown)
    check_together(parser.error, options)
    return options


def _make_parser():
    """Return the parser of the arguments."""
    parser = _Parser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for add_options in (_add_runs, _add_confounds, _add_seeds, _add_maps, _add_output):
        add_options(parser)
    return parser


def _add_runs(parser):
    """Add what says which runs."""
    add = parser.add_argument_group("runs").add_argument
    add(
        "func",
        nargs="*",
        metavar="FUNC",
        type=Path,
        help="a run (a 4D image, or grayordinates: .dtseries.nii), several of them, or "
        "a folder that fMRIPrep wrote, with the confounds and brain masks that are "
        "there",
    )
    add(
        "--task",
        metavar="A,B",
        type=_names,
        help="of a folder, only the runs of these tasks",
    )
    add(
        "--space",
        metavar="NAME",
        help="of a folder, the space of the images (default: the only one there is)",
    )
    add(
        "--mask",
        metavar="FILE",
        type=Path,
        help="where to map, in all runs: a mask of the brain, or of targets; seeds may "
        "lie outside, but for --mask-seeds (default: the brain mask beside each run of "
        "a folder or with --strategy, else one computed from the run)",
    )
    add(
        "--t-r",
        metavar="S",
        type=_positive,
        help="repetition time in seconds (default: that of the run's sidecar, the "
        "JSON file beside it, else of its header)",
    )
    add(
        "--sample-mask",
        metavar="FILE",
        type=Path,
        action="append",
        help="the scans to keep: their numbers from 0 on, or a 0 or 1 for each; for "
        "all runs, or repeated for each FUNC",
    )


def _add_confounds(parser):
    """Add what says how signals are cleaned."""
    add = parser.add_argument_group("confounds and filter").add_argument
    add(
        "--confounds",
        metavar="FILE",
        type=Path,
        action="append",
        help="table of confounds, one row per scan: .tsv, .csv or white space; "
        "repeated for each FUNC",
    )
    add(
        "--columns",
        metavar="A,B",
        type=_names,
        help="the confounds to use, by name or pattern, as in 'trans_*,rot_*' "
        "(default: all of the table); of a folder, in place of --strategy",
    )
    add(
        "--strategy",
        metavar="NAME",
        type=_strategy,
        help=f"what fMRIPrep's confounds are used: {', '.join(STRATEGIES)}, or parts "
        "such as motion,wm_csf, as nilearn calls them (default, of a folder: simple)",
    )
    add(
        "--band",
        nargs=2,
        metavar=("LOW", "HIGH"),
        action=_Band,
        help="frequencies to keep in Hz; 0 and inf leave a side open (default: 0.01 "
        "0.1; 0 0.1 with a strategy that removes slow drifts by itself)",
    )
    add("--no-detrend", action="store_true", help="leave linear drifts in the signals")


def _add_seeds(parser):
    """Add what says where seeds are."""
    add = parser.add_argument_group("seeds (default: --seed PCC 0 -52 18)").add_argument
    add(
        "--seed",
        nargs=4,
        metavar=("NAME", "X", "Y", "Z"),
        action=_AddSeed,
        help="a seed and its centre in mm, can be repeated",
    )
    add(
        "--seeds",
        metavar="TABLE",
        type=Path,
        help="table with the columns name, x, y, z in mm and, if wanted, radius",
    )
    add(
        "--atlas",
        metavar="IMG",
        type=Path,
        help="image of labels, each region a seed",
    )
    add(
        "--lut",
        metavar="TSV",
        type=Path,
        help="the names of an atlas's regions: a table with the columns index and name",
    )
    add(
        "--regions",
        metavar="A,B",
        type=_names,
        help="of an atlas, only these regions, by name or label",
    )
    add(
        "--seed-mask",
        metavar="IMG",
        type=Path,
        action="append",
        help="a mask that is a seed, named by its file, can be repeated",
    )
    add(
        "--radius",
        metavar="MM",
        type=_radius,
        help=f"radius of spheres in mm (default: {DEFAULT_RADIUS:g})",
    )
    add(
        "--mask-seeds",
        action="store_true",
        help="leave out of the seeds what lies outside of --mask, or of its default",
    )
    add(
        "--summary",
        choices=("mean", "median", "pca", "standardized_mean"),
        default="mean",
        help="how the voxels of a seed become one signal (default: %(default)s)",
    )


def _add_maps(parser):
    """Add what says what maps are."""
    add = parser.add_argument_group("maps").add_argument
    add(
        "--smoothing",
        metavar="MM",
        type=_width,
        help="full width at half maximum in mm for the brain, 0 for none "
        f"(default: {DEFAULT_SMOOTHING:g}; 0 for grayordinates without --mesh)",
    )
    add(
        "--mesh",
        nargs=2,
        metavar=("LEFT", "RIGHT"),
        type=Path,
        help="surfaces of both hemispheres (.surf.gii), along which the cortex of "
        "grayordinates is smoothed, and on which it is drawn",
    )
    add(
        "--measure",
        choices=("correlation", "partial", "semipartial"),
        default="correlation",
        help="correlation, or what is left of it once the other seeds are regressed "
        "out, of both sides or of the seed only (default: %(default)s)",
    )
    add(
        "--scale",
        choices=("fisher_z", "z_score"),
        default="fisher_z",
        help="what maps hold: Fisher z (sbc_z.nii.gz), or a z score that is standard "
        "normal where nothing correlates (sbc_zscore.nii.gz), beside the variance of "
        "Fisher z (sbc_variance.nii.gz); of grayordinates the files end in "
        ".dscalar.nii (default: %(default)s)",
    )
    add(
        "--threshold",
        metavar="Z",
        type=_positive,
        help="where pictures begin to show a map (default: 0.4 of Fisher z, 3.29 of a "
        "z score)",
    )


def _add_output(parser):
    """Add what says where results go, and how."""
    add = parser.add_argument_group("output").add_argument
    add(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("sbc_map"),
        help="folder to write to, created if missing (default: %(default)s); files "
        "from an earlier call are replaced; with several seeds, each gets its own "
        "pictures, sbc_z_NAME.png and sbc_z_NAME.pdf; runs with names by BIDS give "
        "maps with such names, and what is there already and unchanged is left; "
        "several other runs get a folder each",
    )
    add(
        "--report",
        action="store_true",
        help="also write report.html: a page about run, seeds, maps, and methods; of "
        "several runs one each, and index.html, which leads there",
    )
    add(
        "--n-jobs",
        metavar="N",
        type=_jobs,
        default=1,
        help="how many runs to map at a time, -1 for one a core (default: %(default)s)",
    )
    add(
        "--explore",
        action="store_true",
        help="write nothing, but open a page in the browser on which a click is a "
        "seed; Ctrl-C ends it",
    )
    add("--version", action="version", version=f"%(prog)s {__version__}")


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


def _strategy(text):
    """Return the name of a strategy, or its parts as a tuple."""
    return text if text in STRATEGIES else tuple(_names(text))


def _jobs(text):
    """Return the number of jobs that a text is."""
    with suppress(ValueError):
        if (number := int(text)) != 0:
            return number
    raise argparse.ArgumentTypeError(
        f"must be a whole number, but not 0; a negative one counts from all cores "
        f"down, got {text!r}"
    )


def _refuse_unknown(parser, arguments):
    """Exit with the arguments that are not understood, and the options like them."""
    known = re.findall(r"--[\w-]+", parser.format_usage()) + ["--help"]
    options = [text.partition("=")[0] for text in arguments if text.startswith("-")]
    near = [difflib.get_close_matches(option, known, 1) for option in options]
    meant = ", ".join(dict.fromkeys(name for names in near for name in names))
    question = f". Did you mean {meant}?" if meant else ""
    parser.error(f"unrecognized arguments: {' '.join(arguments)}{question}")
