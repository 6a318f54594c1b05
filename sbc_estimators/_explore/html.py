"""One page of HTML from its parts: nothing in it comes from elsewhere."""

import json
from functools import cache
from importlib.resources import files
from string import Template

from .._reporting.niivue import niivue_licence
from .._support.pages import fingerprint

FOLDER = files(__package__) / "page"

SCRIPTS = (
    "spaces.js",
    "sources.js",
    "unpacking.js",
    "colours.js",
    "ribbon.js",
    "planes.js",
    "cortex.js",
    "raster.js",
    "chart.js",
    "taking.js",
    "page.js",
)
"""In the order in which the page runs them."""


@cache
def text_of(name):
    """Return the text of a file of the page."""
    return (FOLDER / name).read_text("utf-8")


def script():
    """Return the page's own script."""
    return "\n".join(text_of(name) for name in SCRIPTS)


def policy(viewer, *, is_file):
    """Return the content security policy of the page.

    Only its own scripts and styles run, and it reaches nothing but its own server.

    Parameters
    ----------
    viewer : str
        The text of NiiVue, which the page's script starts.
    is_file : bool
        Whether the page is a file, without a server.
    """
    scripts = " ".join(map(fingerprint, (script(), viewer)))
    allowed = {
        "default-src": "'none'",
        "script-src": scripts,
        "style-src": fingerprint(text_of("page.css")),
        "img-src": "data: blob:",
        "connect-src": "data: blob:" if is_file else "'self' data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    if not is_file:
        allowed["frame-ancestors"] = "'none'"
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def page(config, viewer, parts=None):
    """Return the page.

    Parameters
    ----------
    config : dict
        What the page's script must know, as JSON has it.
    viewer : str
        The text of NiiVue.
    parts : dict of str to str, or None, default=None
        Data of a page that is a file, as text. None for one with a server.

    Returns
    -------
    html : str
    """
    is_file = parts is not None
    blocks = [
        f'<script type="application/octet-stream" id="part-{name}">{text}</script>'
        for name, text in (parts or {}).items()
    ]
    meta = '<meta http-equiv="Content-Security-Policy" content="{}">'
    return Template(text_of("page.html")).substitute(
        policy=meta.format(policy(viewer, is_file=True)) if is_file else "",
        licence=niivue_licence() if is_file else "",
        style=text_of("page.css"),
        config=_json(config),
        parts="\n".join(blocks),
        script=script(),
    )


def refusal():
    """Return the page that asks for a token, and its content security policy.

    A tab in which the page was open knows the token, and goes on to the page.
    """
    own = text_of("refusal.js")
    markup = Template(text_of("refusal.html")).substitute(script=own)
    scripts = f"script-src {fingerprint(own)}"
    return markup, f"default-src 'none'; {scripts}; frame-ancestors 'none'"


def _json(config):
    """Return JSON that ends no script, whatever names are in it."""
    return json.dumps(config, ensure_ascii=True, allow_nan=False).replace(
        "<", "\\u003c"
    )
