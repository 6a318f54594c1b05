"""Numbers and lists in sentences."""


def joined(words):
    """Return words as a list in a sentence.

    Examples
    --------
    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def counted(number, noun):
    """Return a number with its noun, in the plural if need be."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def spanned(values):
    """Return numbers as one, or as their range."""
    low, high = min(values), max(values)
    return f"{low:,g}" if low == high else f"{low:,g} to {high:,g}"


def named(names, most):
    """Return names, not too many of them."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return joined([*map(str, names[:most]), *more])
