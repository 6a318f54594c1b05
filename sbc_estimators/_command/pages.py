"""Pages that `sbc-map --report` writes; imported late, as templates take a while."""

from .._reporting.report import Entry, index_of_reports, report_on
from .rows import in_short


def page_about(sbc, run, threshold):
    """Return the page about a fitted estimator and its only run."""
    return report_on(sbc, run, threshold).html


def page_of_pages(out, runs, failed):
    """Return the page that leads to the reports of a study.

    Parameters
    ----------
    out : Path
        The folder that it will lie in.
    runs : list of MapsInBids or of MapsInFolder
    failed : dict of str
        By name, why there is no report.
    """
    entries = []
    for own in runs:
        error = failed.get(own.name)
        if error is None:
            path = own.report.relative_to(out).as_posix()
            entries.append(Entry(own.name, path, None, _facts(own)))
        else:
            entries.append(Entry(own.name, None, error))
    return index_of_reports(entries).html


def _facts(own):
    """Return what the line of a run says."""
    run, seeds, dof, coverage = in_short(own, "unknown")
    return {
        "seeds": str(len(seeds)),
        "scans": f"{run['n_kept_scans']} of {run['n_scans']}",
        "degrees of freedom": dof,
        "least coverage": coverage,
    }
