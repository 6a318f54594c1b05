"""What pages of HTML have in common: what may run in them, and how they are framed."""

import base64
import hashlib
from html import escape

HEIGHT = 800
"""Pixels of a page in a notebook."""


def fingerprint(text):
    """Return what a content security policy knows a script or a style by."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def framed(page, title):
    """Return a page in a frame, for notebooks, of which it can reach nothing."""
    # Whatever the notebook's encoding, as scripts are known by their bytes.
    text = escape(page).encode("ascii", "xmlcharrefreplace").decode("ascii")
    return (
        f'<iframe title="{escape(title)}" width="100%" height="{HEIGHT}" '
        'style="border:0;border-radius:12px" '
        'sandbox="allow-scripts allow-downloads allow-modals" '
        f'allow="clipboard-write" srcdoc="{text}"></iframe>'
    )
