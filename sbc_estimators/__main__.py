"""The command line, `sbc-map`: how it begins and how it ends.

Next to the standard library only what imports next to nothing is imported here, so that
`--help` and a mistyped option answer at once. The work is in `_command`.
"""

import re
import sys
import warnings
import webbrowser
from contextlib import contextmanager, suppress

from ._command.options import PROGRAM, understood
from ._command.together import check_paths
from ._support.disks import READ_ERRORS


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str or None, default=None
        The arguments; None is those of the process.

    Returns
    -------
    status : int
        0; 1 if a run failed, each of which has its line on standard error, and the
        others were mapped; 2 after one line where the input cannot be used; 130 after
        Ctrl-C.

    Raises
    ------
    SystemExit
        From argparse: status 0 after --help and --version, 2 after a mistyped option.
    """
    options = understood(argv)
    try:
        check_paths(options)
        with _warnings_on_one_line():
            return (_explore if options.explore else _map)(options)
    # A RuntimeError says which run could not be mapped, a TypeError what is no image,
    # an ImportError which version of a library is needed.
    except (TypeError, RuntimeError, ImportError, *READ_ERRORS) as error:
        _say("error", error)
        return 2
    except KeyboardInterrupt:
        is_study = not options.explore and (options.is_folder or len(options.func) > 1)
        _say(
            "stopped", "the same command goes on with what is left" if is_study else ""
        )
        return 130


def _map(options):
    """Map the seeds, say what was written, and return the status."""
    # Imports nilearn, which takes seconds.
    from ._command.study import map_all

    text, failed = map_all(options)
    print(text)
    for name, error in failed.items():
        _say("error", f"{name}: {error}")
    return 1 if failed else 0


def _explore(options):
    """Show the run on a page until Ctrl-C."""
    from ._command.exploring import open_page

    with open_page(options) as explorer, suppress(KeyboardInterrupt):
        print(f"page          {explorer.url}\nCtrl-C ends it.", flush=True)
        webbrowser.open(explorer.url)
        explorer.wait()
    return 0


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
    print(": ".join(filter(None, (PROGRAM, kind, text))), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
