"""The results as one HTML page that needs nothing else."""

import json
from pathlib import Path

from .accuracy import KINDS
from .plot import paper_points
from .tables import HOW

__all__ = ["to_page"]

_TEMPLATE = Path(__file__).with_name("page.html")


def to_page(results: dict) -> str:
    """HTML with style, script and data inside; it asks for no other file."""
    data = results | {"kinds": KINDS, "how": list(HOW.values()), "paper": paper_points(results)}
    # A closing tag within the data would end the element that holds it.
    text = json.dumps(data, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace("@DATA@", text)
