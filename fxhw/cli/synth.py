"""``fxhw synth``: the size of generated Verilog on real FPGA families."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..emit import load_manifest

__all__ = ["command"]

_NAMES = ("ecp5", "xc7", "gowin")


@click.command(short_help="Synthesize generated Verilog and report its size.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--target",
    type=click.Choice([*_NAMES, "all"]),
    default="ecp5",
    show_default=True,
    help="FPGA family.",
)
@click.option("--no-dsp", is_flag=True, help="Make multipliers of look-up tables alone.")
def command(folder, target, no_dsp):
    """Synthesize the Verilog in FOLDER with Yosys and print what it takes.

    Refuses designs with latches, combinational loops or undriven nets.  The numbers also go to
    FOLDER/reports as JSON and Markdown.
    """
    from ..synth import TARGETS, check_design, resource_rows, synthesize, write_reports

    manifest = load_manifest(folder)
    console = Console()
    with console.status("Yosys checks the design"):
        check_design(folder)
    console.print("No latches, no loops, nothing undriven.")
    results = []
    for name in _NAMES if target == "all" else (target,):
        title = TARGETS[name].title
        with console.status(f"Yosys synthesizes for {title}; large arrays take minutes"):
            results.append(synthesize(folder, TARGETS[name], dsp=not no_dsp))
        console.print(f"{title}: {results[-1].seconds:.0f} s")
    rows = resource_rows(results)
    table = Table(title=f"{manifest['top']}, out of context", title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="left" if name == "family" else "right")
    for row in rows[1:]:
        table.add_row(*row)
    console.print(table)
    paths = write_reports(folder, manifest, results)
    console.print(f"Reports: {', '.join(map(str, paths))}", soft_wrap=True)
