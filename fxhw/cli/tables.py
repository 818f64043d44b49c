"""Tables on the terminal."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

__all__ = ["print_table"]

_UNBOUNDED = 10_000


def print_table(console: Console, table: Table) -> None:
    """Print a table of figures without cutting one.

    Where it is wider than the terminal, the terminal wraps its lines; a file gets them whole.
    """
    options = console.options.update(max_width=_UNBOUNDED)
    needed = Measurement.get(console, options, table).maximum
    width = console.width
    console.width = max(width, needed)
    try:
        console.print(table)
    finally:
        console.width = width
