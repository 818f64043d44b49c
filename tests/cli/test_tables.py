"""Tables keep their figures on any terminal."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from fxhw.cli.tables import print_table


@pytest.mark.parametrize("width", [20, 80, 200])
def test_no_figure_is_cut(width):
    console = Console(file=io.StringIO(), width=width)
    table = Table("layer", *(f"count {n}" for n in range(8)))
    figures = [f"{7**n * 1234567:,}" for n in range(8)]
    table.add_row("dec0a", *figures)
    print_table(console, table)
    lines = console.file.getvalue().splitlines()
    assert any(all(figure in line for figure in figures) for line in lines)
    assert console.width == width
