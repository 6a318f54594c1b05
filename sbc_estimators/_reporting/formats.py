"""Numbers, coordinates and paths as text."""

from pathlib import PurePath
from urllib.parse import quote

from .._support.messages import in_mm

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def number(value, digits=0):
    """Return a number as text, a dash where it is not known.

    Examples
    --------
    >>> number(16139), number(0.456, 2), number(None) == DASH
    ('16,139', '0.46', True)
    """
    if value is None:
        return DASH
    return f"{value:,.{digits}f}".replace("-", MINUS)


def percent(value):
    """Return a part as text in percent."""
    return DASH if value is None else f"{100 * value:.0f} %"


def place(coordinates):
    """Return coordinates as text, to a tenth of a millimetre."""
    return in_mm([round(value, 1) for value in coordinates]).replace("-", MINUS)


def address(path):
    """Return a relative path as the address of a link, never as anything else.

    Examples
    --------
    >>> address("sub-01/report 1.html"), address("javascript:alert(1)")
    ('sub-01/report%201.html', 'javascript%3Aalert%281%29')
    """
    return quote(PurePath(path).as_posix())
