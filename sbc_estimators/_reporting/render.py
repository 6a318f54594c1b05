"""Summaries to pages: templates filled with text, all of which is escaped."""

from functools import cache
from importlib.resources import files

import jinja2

from .._support.pages import fingerprint
from .formats import address, number, percent, place
from .niivue import niivue_licence, niivue_script
from .pictures import MOST_NUMBERS

RULES = (
    "default-src 'none'; script-src {scripts}; style-src {styles}; "
    "img-src data: blob:; connect-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""What a page may do (its Content-Security-Policy): only its own scripts run."""

MOST_ROWS = 500
"""How many rows of a table a page shows."""


def render(summary):
    """Return the page that says what a summary holds.

    Parameters
    ----------
    summary : dict
        From `summarise`.

    Returns
    -------
    html : str
        Loads nothing from elsewhere. The same summary gives the same page.
    """
    has_viewer = "why" not in summary["viewer"]
    scripts = [niivue_script()] if has_viewer else []
    scripts.append(_part("report.js"))
    viewer = {"has_viewer": has_viewer, "licence": niivue_licence()}
    return _filled("report.html.jinja", scripts, s=summary, **viewer)


def render_index(entries):
    """Return the page that lists reports, as `index_of_reports` describes it."""
    columns = list(dict.fromkeys(name for entry in entries for name in entry.facts))
    return _filled("index.html.jinja", [], entries=entries, columns=columns)


def _filled(name, scripts, **content):
    """Return a template filled with content, styles and scripts."""
    style = _part("report.css")
    rules = RULES.format(
        scripts=" ".join(map(fingerprint, scripts)) or "'none'",
        styles=fingerprint(style),
    )
    template = _environment().get_template(name)
    limits = {"most_rows": MOST_ROWS, "most_numbers": MOST_NUMBERS}
    return template.render(
        rules=rules, style=style, scripts=scripts, **limits, **content
    )


@cache
def _environment():
    """Return jinja2 with our templates and filters."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_part),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (address, number, percent, place)
    environment.filters.update({own.__name__: own for own in filters})
    return environment


@cache
def _part(name):
    """Return the text of one file beside this one."""
    return files(__package__).joinpath("templates", name).read_text("utf-8")
