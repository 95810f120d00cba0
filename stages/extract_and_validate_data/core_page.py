"""The quality report as a page: what came in, what became of it, volumes by week, what was put right."""

from collections.abc import Mapping
from typing import Any

from sodai.pages import page


def quality_page(quality: Mapping[str, Any]) -> str:
    """The page of one quality record."""
    return page("Quality of the input", "", f"As of {quality['as_of']}")
