"""Content and number of pieces of a package size such as `12 PK/12 OZ`."""

import re

# US measures.
_LITRES = {
    "OZ": 0.0295735, "PT": 0.473176, "QT": 0.946353, "GA": 3.785412, "GAL": 3.785412, "L": 1.0, "ML": 0.001,
}  # fmt: skip

# A larger content means that a slash is missing: `2416.9 OZ` are 24 pieces of 16.9.
_MOST_LITRES = 40

_PIECES = re.compile(r"^(\d+) *(?:PK|P|CT)? *[/-] *|^(\d+) *(?:PK|CT)\b *")
_CONTENT = re.compile(r"^(\d*\.?\d+) *(OZ|PT|QT|GAL?|ML|L)\b")


def litres(package_size: str) -> float | None:
    """Return the content of all pieces in litres; None if the text does not say it."""
    match = _CONTENT.match(_PIECES.sub("", package_size, count=1))
    if match is None:
        return None
    content = (_pieces(package_size) or 1) * float(match[1]) * _LITRES[match[2]]
    return round(content, 3) if content <= _MOST_LITRES else None


def package(package_size: str) -> str | None:
    """Return `multipack` or `single`; None if the text says neither pieces nor content."""
    pieces = _pieces(package_size)
    if pieces is not None:
        return "multipack" if pieces > 1 else "single"
    return "single" if litres(package_size) is not None else None


def _pieces(package_size: str) -> int | None:
    match = _PIECES.match(package_size)
    return int(match[1] or match[2]) if match else None
