"""The script that makes the same maps again."""

from .code import Code, on_lines


def script_of(sbc, runs=None):
    """Return Python code that makes the maps of a fitted estimator again.

    Parameters
    ----------
    sbc : SeedCorrelationMap
    runs : list of Run or None, default=None
        Those of `fit`.

    Returns
    -------
    script : str
        It asks at the top for what only exists in memory.
    """
    code = Code()
    estimator, listed = code.estimator(sbc, "sbc"), []
    if runs is None:
        code.missing["runs"] = "the runs"
    else:
        written = [code.run(run, f"_{position}") for position, run in enumerate(runs)]
        listed = [f"runs = {on_lines(written, '[]')}"]
    lines = [
        *code.imports(),
        "",
        *code.asked(),
        *listed,
        f"sbc = {estimator}",
        "sbc.fit(runs)",
        'sbc.generate_report(runs).save_as_html("report.html")',
    ]
    return "\n".join(lines) + "\n"
