"""``fxhw generate``: the Verilog of a network, or of one block."""

import re
import time
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ..bundled import find_checkpoint
from ..checkpoint import load_checkpoint
from ..emit import BLOCKS, write_block, write_bundle
from ..emit.folder import check_target, top_name
from ..errors import FxhwError
from ..graph import Network
from ..plan import ROW_WORDS, STYLES, choose_style, compile_network, design_for
from ..plan.cycles import utilization
from ..plan.schedule import least_weight_words
from ..quantize import requantize, widths
from ..synth import find_target
from .tables import print_table

__all__ = ["command", "parse_size", "tile_words"]

_TILE_WORDS = 256

_TRAINED_BELOW = 4
"""Weight bits below which requantization alone loses much (w3: 6 points of dice on EM, w2: all)."""


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) of ``HxW``.

    Raises
    ------
    FxhwError if ``text`` is anything else.
    """
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.strip().lower())
    if not found or "0" in (found[1].lstrip("0") or "0", found[2].lstrip("0") or "0"):
        raise FxhwError(f"--image-size must be HEIGHTxWIDTH in pixels, as 128x128, not {text!r}")
    return int(found[1]), int(found[2])


def tile_words(network: Network, pin: int, pout: int) -> int:
    """Weight words of a step where parameters come from external memory: both banks fill the 512
    words of a block RAM, unless a layer needs more."""
    return max(_TILE_WORDS, least_weight_words(network, pin, pout))


@click.command(short_help="Write the Verilog of a network, ready to synthesize.")
@click.option("--wbits", type=click.IntRange(1, 8), help="Weight bits.  [default: the network's]")
@click.option(
    "--abits", type=click.IntRange(1, 8), help="Activation bits.  [default: the network's]"
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="The network: a file, or em, gm or pancreas, which ship.  [default: em]",
)
@click.option(
    "--pin", type=click.IntRange(1, 16), default=8, show_default=True, help="Channels in per cycle."
)
@click.option(
    "--pout",
    type=click.IntRange(1, 16),
    default=8,
    show_default=True,
    help="Channels out per cycle.",
)
@click.option(
    "--image-size", metavar="HxW", help="Largest image, in pixels.  [default: the network's size]"
)
@click.option(
    "--weight-words",
    type=click.IntRange(min=1),
    help="Weight words of one step; larger layers run in tiles.  "
    "[default: the largest layer's; at most 256 with --memory axi or wishbone]",
)
@click.option(
    "--row-words",
    type=click.IntRange(min=1),
    help="Words of a row of the line buffer, with --memory axi; layers with longer rows run in "
    f"strips of columns.  [default: what the network needs, at most {ROW_WORDS}]",
)
@click.option(
    "--memory",
    type=click.Choice(["onchip", "axi", "wishbone"]),
    default="onchip",
    show_default=True,
    help="Where feature maps, parameters and program lie: on chip, or behind an AXI4 or a Wishbone "
    "master.",
)
@click.option(
    "--bus-width",
    "--bus-bits",
    type=click.Choice(["32", "64", "128", "256"]),
    default="64",
    show_default=True,
    help="Width of the master's bus (64 to 256), or of the parameter memory on chip (32 to 128).",
)
@click.option(
    "--address-bits",
    type=click.IntRange(32, 64),
    help="Bits of a byte address, with --memory axi or wishbone.  [default: 32]",
)
@click.option(
    "--target",
    default="generic",
    show_default=True,
    help="FPGA family or part whose cells may be used, as ecp5-85k; generic runs on all.",
)
@click.option(
    "--style",
    type=click.Choice(list(STYLES)),
    help="How the MAC array is made.  [default: lut where the target has cells for it]",
)
@click.option(
    "--pixels",
    type=click.Choice(["1", "2"]),
    default="1",
    show_default=True,
    help="Pixels per cycle, of --pout channels each; 2 fill multiplier blocks (dsp, mixed).",
)
@click.option(
    "--dsps",
    type=click.IntRange(min=0),
    default=0,
    help="Most multiplier blocks, all in the main array, with --style mixed.",
)
@click.option(
    "--block",
    type=click.Choice(list(BLOCKS)),
    help="Write one block alone, as the accelerator has it.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Folder to write; its name becomes the top module's.  "
    "[default: rtl_out/unet_wXaY, or rtl_out/BLOCK_wXaY]",
)
@click.option("--force", is_flag=True, help="Replace the folder even if it was not generated.")
def command(
    wbits, abits, checkpoint, pin, pout, image_size, weight_words, row_words, memory, bus_width,
    address_bits, target, style, pixels, dsps, block, output, force,
):
    """Write a folder with the Verilog of a quantized U-Net, its program and its manifest.

    A network of other widths is requantized first, without training; the folder holds the result.
    With --block, only that block, of the widths asked for, and a page about its ports.
    """
    if memory == "onchip" and address_bits:
        raise FxhwError("Addresses are those of external memory: give --memory axi or "
                        "wishbone with them")
    size = parse_size(image_size) if image_size else None
    family = find_target(target).family
    network = load_checkpoint(find_checkpoint(checkpoint))
    present = widths(network)
    wanted = wbits or present[0], abits or present[1]
    name = f"{block.replace('-', '_') if block else 'unet'}_w{wanted[0]}a{wanted[1]}"
    output = output or Path("rtl_out") / name
    check_target(output, force)
    if wanted != present and not block:
        network = requantize(network, *wanted)
    if size:
        network = network.resized(size)
    style = style or choose_style(family)
    cells = family if family in STYLES[style] else "generic"
    if memory != "onchip":
        address_bits = address_bits or 32
        weight_words = weight_words or tile_words(network, pin, pout)
    design = design_for(
        network, pin, pout, weight_words, int(bus_width), style=style, target=cells,
        pixels=int(pixels), dsps=dsps, memory=memory, address_bits=address_bits or 0,
        row_words=row_words,
    )
    console = Console()
    start = time.monotonic()
    with console.status("Yosys writes the Verilog (it compiles itself first, once per machine)"):
        if block:
            design = replace(design, wbits=wanted[0], abits=wanted[1])
            manifest = write_block(block, design, output, top=top_name(output), force=force)
        else:
            plan = compile_network(network, design)
            manifest = write_bundle(network, plan, output, force=force)
    seconds = time.monotonic() - start
    if block:
        _print_block(console, manifest, output)
        console.print(f"Made in {seconds:.1f} s.")
        return
    _print(console, manifest, output, plan, present, wanted)
    console.print(f"Made in {seconds:.1f} s. Check it bit for bit:")
    console.print(f"  fxhw sim {output}", soft_wrap=True, highlight=False)


def _print_block(console, manifest, output):
    """What was made of a block."""
    facts = Table(show_header=False, box=None, pad_edge=False)
    design = manifest["design"]
    rows = [("block", f"{manifest['block']}, {BLOCKS[manifest['block']].title}")]
    if manifest["macs_per_cycle"]:
        rows.append(("array", f"{manifest['macs_per_cycle']} MAC per cycle"))
    if manifest["latency"] is not None:
        rows.append(("latency", f"{manifest['latency']} cycles"))
    rows += [
        ("style", f"{design.get('style', 'generic')}, {design.get('target', 'generic')} cells"),
        ("files", f"{output}: {', '.join(sorted(['manifest.json', *manifest['files']]))}"),
        ("content hash", manifest["content_hash"][:16]),
    ]
    for name, value in rows:
        facts.add_row(name, value)
    console.print(facts)


def _shape(design):
    pixels = f" x {design.pixels} pixels" if design.pixels > 1 else ""
    return f"{design.pin} x {design.pout} x 9{pixels}"


def _print(console, manifest, output, plan, present, wanted):
    """What was made."""
    design = plan.design
    layers = Table(title=f"{top_name(output)}: steps of the main array", title_justify="left")
    for name in ("layer", "output", "MACs", "cycles", "utilization", "bound"):
        layers.add_column(name, justify="left" if name in ("layer", "output") else "right")
    for step in manifest["steps"]:
        tensor = manifest["tensors"][step["output"]]
        share = utilization(step["macs"], step["estimated_cycles"], design.macs_per_cycle)
        layers.add_row(
            step["layer"],
            f"{tensor['height']}x{step.get('columns', tensor['width'])}x{step['channels']}",
            f"{step['macs']:,}",
            f"{step['estimated_cycles']:,}",
            f"{share:.1%}",
            step["estimate"]["bound"],
        )
    print_table(console, layers)
    facts = Table(show_header=False, box=None, pad_edge=False)
    made = f"w{wanted[0]}a{wanted[1]}"
    if wanted != present:
        made += f", requantized from w{present[0]}a{present[1]} without training"
    memories = ", ".join(f"{name} {bits:,}" for name, bits in manifest["memory_bits"].items())
    height, width = manifest["network"]["size"]
    for name, value in (
        ("network", f"{made}, {height}x{width}, {len(manifest['layers'])} layers"),
        ("array", f"{_shape(design)} = {design.macs_per_cycle} MAC per cycle"),
        ("estimated cycles", f"{plan.estimate.total:,}"),
        ("array utilization", f"{plan.estimate.utilization:.1%}"),
        ("memory bits", f"{sum(manifest['memory_bits'].values()):,} ({memories})"),
        ("files", f"{output}: {', '.join(sorted(['manifest.json', *manifest['files']]))}"),
        ("content hash", manifest["content_hash"][:16]),
    ):
        facts.add_row(name, value)
    console.print(facts)
    if wanted[0] < min(present[0], _TRAINED_BELOW):
        console.print(
            f"Note: {wanted[0]}-bit weights made without training rarely segment well; check with "
            f"'fxhw golden --wbits {wanted[0]} --abits {wanted[1]}', or train: "
            f"fxhw train DATASET --wbits {wanted[0]} --abits {wanted[1]}",
            soft_wrap=True,
            highlight=False,
        )
