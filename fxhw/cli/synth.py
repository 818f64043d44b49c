"""``fxhw synth``: the size of generated Verilog on real FPGAs and in gates, and its speed."""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..emit import load_manifest
from ..errors import FxhwError
from .tables import print_table

__all__ = ["command"]


@click.command(short_help="Synthesize generated Verilog and report its size.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--target",
    default="ecp5-85k",
    show_default=True,
    help="FPGA part (ecp5-85k, xc7a100t, xczu3eg, gw1nr9, up5k, ...), family (ecp5, xc7, xcup, "
    "gowin, ice40), generic for gates, or all for one of each family.",
)
@click.option("--no-dsp", is_flag=True, help="Make multipliers of look-up tables alone.")
@click.option("--pnr", is_flag=True, help="Place and route too: Fmax and the critical path.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the placer.")
@click.option(
    "--freq",
    type=click.FloatRange(1, 1000),
    default=125.0,
    show_default=True,
    help="Clock in MHz that place and route aims at.",
)
@click.option("--require-fit", is_flag=True, help="End with status 2 if the part is too small.")
def command(folder, target, no_dsp, pnr, seed, freq, require_fit):
    """Synthesize the Verilog in FOLDER with Yosys and print what it takes, block by block.

    Refuses designs with latches, combinational loops or undriven nets.  The numbers also go to
    FOLDER/reports as JSON, Markdown and a picture.
    """
    from ..synth import check_design, misfit, write_reports
    from ..synth.netlist import load_netlist

    manifest = load_manifest(folder)
    targets = _targets(folder, target)
    if pnr:
        from ..synth.nextpnr import find_device

        for each in targets:
            find_device(each)  # refused before minutes of synthesis
    console = Console()
    with console.status("Yosys checks the design"), _keeping_log(folder, "check"):
        check_design(folder)
    console.print("No latches, no loops, nothing undriven.")
    results, placements = [], {}
    with tempfile.TemporaryDirectory(prefix="fxhw-") as work:
        for each in targets:
            netlist = Path(work) / each.name if pnr else None
            results.append(_synthesize(console, folder, each, not no_dsp, netlist))
        _print(console, manifest, results)
        paths = write_reports(folder, manifest, results) + _draw(console, folder, manifest, results)
        if pnr:
            for each in targets:
                netlist = load_netlist(Path(work) / each.name, manifest["top"])
                placements[each.name] = _place(console, folder, each, netlist, seed, freq)
            write_reports(folder, manifest, results, placements)
    console.print(f"Reports: {', '.join(map(str, paths))}", soft_wrap=True, markup=False)
    if require_fit and (sentences := list(filter(None, map(misfit, results)))):
        raise FxhwError("; ".join(sentences))


def _targets(folder, name):
    """The targets that ``name`` stands for."""
    from ..synth import TARGETS, find_target
    from ..synth.families import FAMILIES
    from ..synth.synthesize import made_for

    if name != "all":
        return [find_target(name)]
    family = made_for(folder)
    return [TARGETS[each] for each in FAMILIES if family in ("generic", each)]


@contextmanager
def _keeping_log(folder, name):
    """Keeps what a tool printed in ``reports`` if it fails, and says where."""
    from ..synth.report import write_texts

    try:
        yield
    except FxhwError as error:
        output = getattr(error, "output", "")
        if not output:
            raise
        try:
            (log,) = write_texts(folder, {f"{name}.log": output})
        except FxhwError:
            raise error from None
        raise FxhwError(f"{error}; all it said is in {log}") from error


def _synthesize(console, folder, target, dsp, netlist):
    from ..synth import synthesize

    with (
        console.status(f"Yosys synthesizes for {target.title}; large arrays take minutes"),
        _keeping_log(folder, f"yosys-{target.name}"),
    ):
        result = synthesize(folder, target, dsp=dsp, netlist=netlist)
    console.print(f"{target.title}: synthesized in {result.seconds:.0f} s")
    return result


def _place(console, folder, target, netlist, seed, freq):
    from ..synth.nextpnr import place

    start = time.monotonic()
    with (
        console.status(f"nextpnr places for {target.title}") as status,
        _keeping_log(folder, f"nextpnr-{target.name}"),
    ):

        def show(line):
            passed = time.monotonic() - start
            said = escape(line.removeprefix("Info:").strip()[:60])
            status.update(f"nextpnr places for {target.title}, {passed:.0f} s: {said}")

        placement = place(netlist, target, seed=seed, goal=freq, progress=show)
    console.print(f"{target.title}: placed and routed in {time.monotonic() - start:.0f} s")
    _print_table(console, f"{target.title}: the slowest path", placement.path_rows())
    _print_table(console, f"{target.title}: the slowest by block", placement.arrival_rows())
    console.print(f"{target.title}: {placement.verdict()}.")
    return placement


def _print(console, manifest, results):
    """The tables of the synthesis, and a sentence on what does not fit."""
    from ..synth import misfit, resource_rows
    from ..synth.report import block_rows, share_rows

    macs = manifest.get("macs_per_cycle")
    _print_table(console, f"{manifest['top']}, out of context", resource_rows(results, macs))
    rows = share_rows(results)
    if len(rows) > 1:
        _print_table(console, "share of the part", rows)
    for result in results:
        rows = block_rows(result, macs)
        _print_table(console, f"blocks on {result.target.title}", rows, left=2)
    for sentence in filter(None, map(misfit, results)):
        console.print(f"{sentence}.", style="yellow")


def _print_table(console, title, rows, left=1):
    """A table; its first ``left`` columns are text, the others numbers."""
    table = Table(title=title, title_justify="left")
    for index, name in enumerate(rows[0]):
        table.add_column(name, justify="left" if index < left or name == "net" else "right")
    for row in rows[1:]:
        table.add_row(*map(escape, row))
    print_table(console, table)


def _draw(console, folder, manifest, results):
    """The picture, or a sentence on why there is none."""
    from ..synth.picture import draw_blocks, has_matplotlib
    from ..synth.report import write_texts

    if not has_matplotlib():
        why = "No picture without matplotlib; pip install 'fxhw[plots]' brings it."
        console.print(why, markup=False)
        return []
    picture = draw_blocks(manifest["top"], results)
    return write_texts(folder, {"synthesis.svg": picture})
