"""``fxhw estimate``: what an accelerator will do with a network, before it is built."""

import json
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..bundled import find_checkpoint
from ..checkpoint import load_checkpoint
from ..errors import FxhwError
from ..estimate import Forecast, forecast_network
from ..graph import Network, UNetTopology, outline_network
from ..plan import ROW_WORDS, design_for
from ..plan.cycles import utilization
from ..quantize import requantize, widths
from .generate import parse_size, tile_words
from .tables import print_table

__all__ = ["command"]

@click.command(short_help="Forecast cycles, traffic and frames per second.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="The network: a file, or em, gm or pancreas, which ship.  [default: em]",
)
@click.option(
    "--base-channels", type=click.IntRange(1, 256), help="Instead: a U-Net of so many channels."
)
@click.option(
    "--depth", type=click.IntRange(1, 6), default=3, show_default=True, help="Its levels."
)
@click.option(
    "--image-channels", type=click.IntRange(1, 16), default=1, help="Its image's channels."
)
@click.option("--image-size", metavar="HxW", help="Image, in pixels.  [default: 200x200]")
@click.option("--wbits", type=click.IntRange(1, 8), help="Weight bits.  [default: 4]")
@click.option("--abits", type=click.IntRange(1, 8), help="Activation bits.  [default: 6]")
@click.option("--pin", type=click.IntRange(1, 16), default=8, show_default=True,
              help="Channels in per cycle.")
@click.option("--pout", type=click.IntRange(1, 16), default=8, show_default=True,
              help="Channels out per cycle.")
@click.option("--memory", type=click.Choice(["axi", "onchip"]), default="axi", show_default=True,
              help="Where feature maps and parameters lie.")
@click.option("--bus-width", type=click.Choice(["64", "128", "256"]), default="64",
              show_default=True, help="Bits of the AXI4 bus.")
@click.option("--memory-latency", type=click.IntRange(0, 100_000), default=40, show_default=True,
              help="Cycles from a read's address to its first beat.")
@click.option("--weight-words", type=click.IntRange(min=1),
              help="Weight words of one step; larger layers run in tiles.  "
              "[default: 256 with axi, the largest layer's on chip]")
@click.option("--row-words", type=click.IntRange(min=1),
              help="Words of a row of the line buffer; layers with longer rows run in strips of "
              f"columns, with axi.  [default: what the network needs, at most {ROW_WORDS}]")
@click.option("--clock-mhz", type=click.FloatRange(1, 2000), default=125.0, show_default=True,
              help="Clock that frames per second are stated at.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("-o", "--output", type=click.Path(path_type=Path),
              help="Draw the roofline into this file (SVG).")
def command(
    checkpoint, base_channels, depth, image_channels, image_size, wbits, abits, pin, pout, memory,
    bus_width, memory_latency, weight_words, row_words, clock_mhz, as_json, output,
):
    """Forecast cycles, memory traffic and footprint of a network on an accelerator.

    Nothing is generated: a network of any size takes a second.  Every layer names its bound: the
    array, the line buffer, the external memory.
    """
    size = parse_size(image_size) if image_size else None
    if base_channels:
        if checkpoint:
            raise FxhwError("Give either --checkpoint or --base-channels, not both")
        topology = UNetTopology.doubling(base_channels, depth, image_channels)
        network = outline_network(topology, size or (200, 200), wbits or 4, abits or 6)
        name = f"{base_channels} channels, {depth} levels"
    else:
        network = _load(checkpoint, size, wbits, abits)
        name = str(checkpoint or "em")
    external = memory == "axi"
    if output and not external:
        raise FxhwError(f"A roofline needs a memory bus: take --memory axi, or leave {output} out")
    if external:
        words = weight_words or tile_words(network, pin, pout)
        design = design_for(
            network, pin, pout, words, int(bus_width), memory="axi", address_bits=32,
            row_words=row_words,
        )
    else:
        design = design_for(network, pin, pout, weight_words, row_words=row_words)
    forecast = forecast_network(network, design, clock_mhz * 1e6, memory_latency)
    height, width = network.size
    title = f"{name}, {height}x{width}, w{design.wbits}a{design.abits}, 9x{pin}x{pout}"
    if output:
        from ..estimate.roofline import draw_roofline
        from ..sweep.store import write_atomic

        write_atomic(draw_roofline(forecast, title), output)
    if as_json:
        entry = {"network": name, "size": [height, width], "design": design.to_json()}
        click.echo(json.dumps(entry | forecast.to_json(), indent=2))
    else:
        _print(forecast, title)


def _load(checkpoint, size, wbits, abits) -> Network:
    """The checkpoint's network at the size and widths asked for."""
    network = load_checkpoint(find_checkpoint(checkpoint))
    wanted = wbits or widths(network)[0], abits or widths(network)[1]
    if wanted != widths(network):
        network = requantize(network, *wanted)
    return network.resized(size) if size else network


def _print(forecast: Forecast, title: str) -> None:
    """Print the layers and the sums."""
    console = Console()
    external = forecast.bus_bytes is not None
    # The paper's network within 80 characters.
    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    striped = any(layer.strips > 1 for layer in forecast.layers)
    tiles = "tiles x\nstrips" if striped else "tiles"
    for column in ("layer", "result", tiles, "MMAC", "cycles", "array"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    if external:
        for column in ("kB\nin", "kB\nweights", "kB\nout"):
            table.add_column(column, justify="right")
    table.add_column("bound")
    for layer in forecast.layers:
        row = [
            layer.name, "x".join(map(str, layer.size)),
            f"{layer.tiles} x {layer.strips}" if striped else str(layer.tiles),
            f"{layer.macs / 1e6:,.{1 if layer.macs < 1e9 else 0}f}", f"{layer.cycles:,}",
            f"{utilization(layer.array_macs, layer.cycles, forecast.macs_per_cycle):.1%}",
        ]
        if external:
            moved = layer.read_bytes, layer.parameter_bytes, layer.write_bytes
            row += [f"{count / 1e3:,.0f}" for count in moved]
        table.add_row(*row, layer.bound)
    print_table(console, table)
    console.print()
    seconds = forecast.cycles / forecast.clock
    rows = [
        ("cycles", f"{forecast.cycles:,}, {forecast.utilization:.1%} of the array"),
        ("at the clock", f"{forecast.clock / 1e6:g} MHz: {seconds * 1e3:,.1f} ms an image, "
         f"{forecast.frames_per_second:,.2f} frames per second"),
        ("parameters", f"{forecast.parameter_bytes:,} bytes with the program"),
        ("feature maps", f"{forecast.feature_bytes:,} bytes alive at once"),
    ]
    if external:
        rate = forecast.bytes / seconds / 1e6
        rows[3] = (rows[3][0], f"{rows[3][1]}, {forecast.overhead:.3f} x their codes")
        rows.append(("traffic", f"{forecast.bytes / 1e6:,.1f} MB an image, {rate:,.0f} MB/s"))
    sums = Table(show_header=False, box=None)
    for row in rows:
        sums.add_row(*row)
    console.print(sums)
