"""``fxhw sim``: generated Verilog against the golden model."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ..bundled import bundled_image, bundled_label, find_checkpoint
from ..checkpoint import load_checkpoint
from ..dataset import find_dataset
from ..dice import dice_both
from ..emit import changed_files
from ..errors import FxhwError
from ..graph import Network
from ..images import image_codes, read_image, read_label, write_mask
from .tables import print_table

__all__ = ["command"]

_STALLS = 64
"""Of 256 cycles, in how many everything pauses with --stalls on the compiled bench."""

_REORDER = {"none": 0, "bursts": 1, "beats": 2}


@dataclass(frozen=True, eq=False)
class _Picture:
    """What is segmented: codes, the label if there is one, and where both come from."""

    codes: np.ndarray
    label: np.ndarray | None
    source: str


@click.command(short_help="Simulate generated Verilog on an image and check every bit.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    help="Image to segment.  [default: a crop of an EM image, else the bundled one]",
)
@click.option("--label", type=click.Path(path_type=Path), help="Its label, for the dice.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="Another network of the same widths, loaded as a program through the registers.",
)
@click.option(
    "--simulator",
    type=click.Choice(["verilator", "icarus", "compiled"]),
    help="compiled is Verilator with the bench in C++: fast, external memory, no waveforms.  "
    "[default: verilator; compiled with external memory]",
)
@click.option("--stalls", is_flag=True, help="Pause streams, or memory channels, at random.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option(
    "--memory-latency",
    type=click.IntRange(1, 100_000),
    default=40,
    show_default=True,
    help="Cycles from a read's address to its first beat, with external memory.",
)
@click.option(
    "--memory-reorder",
    type=click.Choice(list(_REORDER)),
    default="none",
    show_default=True,
    help="Answer bursts of different IDs in any order, or mix their beats too.",
)
@click.option("--waves", is_flag=True, help="Write the waveforms of the whole run.")
@click.option("--mask", type=click.Path(path_type=Path), help="Write the mask as a PNG.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(
    folder, image, label, checkpoint, simulator, stalls, seed, memory_latency, memory_reorder,
    waves, mask, as_json,
):
    """Run an image through the generated Verilog in FOLDER and compare every layer bit for bit.

    Compared with the exact NumPy model: the first convolution's words, every word that leaves the
    requantizer, every word written to the feature memory, on chip or external, and the mask.  The
    cycle counters are compared with the estimate.  The image is normalized as the network asks, as
    a whole, before it is cropped or streamed in.  Exit status 1 if anything differs.
    """
    from ..cosim import Folder
    from ..cosim.report import summarize

    opened = Folder.open(folder)
    simulator = _choose_simulator(simulator, opened, waves)
    if opened.design.memory == "wishbone" and memory_reorder != "none":
        raise FxhwError(
            f"Accelerator {folder} has its memory behind Wishbone, which answers in order; leave "
            "--memory-reorder out"
        )
    network = load_checkpoint(find_checkpoint(checkpoint)) if checkpoint else opened.network
    limits = opened.design.max_height, opened.design.max_width
    picture = _own_picture(network, image, label) if image else _default_picture(network)
    height, width = picture.codes.shape[:2]
    if height > limits[0] or width > limits[1]:
        raise FxhwError(
            f"Image {picture.source} has {height}x{width} pixels, the design takes at most "
            f"{limits[0]}x{limits[1]}; crop it, or generate with --image-size {height}x{width}"
        )
    console = Console(quiet=as_json)
    for name in changed_files(folder, opened.manifest):
        console.print(f"Note: {folder / name} is not as it was generated", soft_wrap=True)
    console.print(f"{opened.manifest['top']}: {picture.source}, {height}x{width}", soft_wrap=True)
    start = time.monotonic()
    with Console(stderr=as_json).status("starting") as status:
        result = _simulate(
            opened, network, picture.codes, simulator, stalls, seed, waves, status.update,
            {"read_latency": memory_latency, "reorder": _REORDER[memory_reorder]},
        )
    seconds = time.monotonic() - start
    _print(console, result, stalls)
    summary = summarize(result) | {"simulator": simulator, "seconds": round(seconds, 3)}
    if picture.label is not None and result.verdict.mask is not None:
        foreground, background = dice_both(result.verdict.mask, picture.label)
        console.print(f"Dice: foreground {foreground:.2f}, background {background:.2f}")
        summary["dice"] = {"foreground": foreground, "background": background}
    if mask:
        write_mask(mask, result.verdict.mask)
        console.print(f"Mask: {mask}", soft_wrap=True)
    if result.waves:
        console.print(f"Waveforms: {result.waves}", soft_wrap=True)
    if as_json:
        click.echo(json.dumps(summary, indent=2))
    if not result.passed:
        for problem in result.problems:
            console.print(f"FAILED: {problem}", soft_wrap=True, markup=False)
        return 1
    console.print(f"All equal, in {seconds:.1f} s with {simulator}.")
    return 0


def _choose_simulator(simulator: str | None, folder, waves: bool) -> str:
    """The simulator asked for, if it can run the folder's accelerator."""
    from ..cosim import check_simulator
    from ..cosim.simulators import check_verilator

    external = "external_memory" in folder.manifest
    simulator = simulator or ("compiled" if external else "verilator")
    if simulator != "compiled":
        if external:
            raise FxhwError(
                f"Accelerator {folder.path} has external memory, which only the compiled bench "
                f"has, not {simulator}; leave --simulator out"
            )
        check_simulator(simulator)
        return simulator
    if waves:
        raise FxhwError("The compiled bench writes no waveforms; take --simulator verilator")
    check_verilator()
    return simulator


def _simulate(folder, network, codes, simulator, stalls, seed, waves, progress, memory):
    """Run on either bench; ``memory`` holds settings of external memory."""
    from ..cosim import Job, Timing, run_compiled, simulate

    if simulator != "compiled":
        return simulate(
            folder.path, network, codes, simulator=simulator, stalls=stalls, seed=seed,
            waves=waves, progress=progress,
        )  # fmt: skip
    pauses = {"pause": _STALLS, "stream_pause": _STALLS} if stalls else {}
    job = Job(network.resized(codes.shape[:2]), codes, seed=seed)
    return run_compiled(folder, job, timing=Timing(**memory, **pauses), progress=progress)


def _own_picture(network: Network, image: Path, label: Path | None) -> _Picture:
    """The user's image, whole."""
    pixels = read_image(image, network.image_channels)
    codes = network.prepare(image_codes(pixels, network.image))
    truth = read_label(label) if label else None
    if truth is not None and truth.shape != codes.shape[:2]:
        sizes = ["x".join(map(str, shape)) for shape in (truth.shape, codes.shape[:2])]
        raise FxhwError(f"Label {label} has {sizes[0]} pixels, image {image} has {sizes[1]}")
    return _Picture(codes, truth, str(image))


def _default_picture(network: Network) -> _Picture:
    """The centre of an EM image where the data is at hand, else of the bundled image."""
    try:
        dataset = find_dataset("em")
        name = dataset.ids("val")[0]
        image = dataset.folder / "images" / f"{name}.png"
        label = dataset.folder / "labels" / f"{name}.png"
        source = f"em val image {name}"
        pixels, truth = read_image(image, network.image_channels), read_label(label)
    except (FxhwError, IndexError):
        source = "bundled image"
        pixels = read_image(bundled_image(), network.image_channels)
        truth = read_label(bundled_label())
    height, width = (min(a, b) for a, b in zip(network.size, pixels.shape))
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    window = slice(top, top + height), slice(left, left + width)
    if (height, width) != pixels.shape[:2]:
        source += f", rows {top} .. {top + height - 1}, columns {left} .. {left + width - 1}"
    codes = network.prepare(image_codes(pixels, network.image))
    return _Picture(codes[window], truth[window], source)


def _print(console, result, stalls):
    """The table of layers, then the cycles by cause."""
    from ..cosim.report import layer_results, summarize

    layers, bus = layer_results(result), summarize(result).get("bus")
    table = Table(title="Against the golden model", title_justify="left")
    columns = ["layer", "shape", "compared", "wrong", "cycles", "estimate", "array"]
    if bus:
        table.box = SIMPLE_HEAD  # all of them within 80 characters
        columns = ["layer", "shape", "tiles", "wrong", *columns[4:], "kB in", "kB out"]
    for name in columns:
        table.add_column(name, justify="left" if name in ("layer", "shape") else "right")
    for layer in layers:
        row = [layer.name, "x".join(map(str, layer.size))]
        row += [str(layer.tiles or "") if bus else f"{layer.compared:,}", f"{layer.wrong:,}"]
        if layer.tiles:
            row += [f"{layer.cycles:,}", f"{layer.estimate:,}", f"{layer.utilization:.1%}"]
        if layer.tiles and bus:
            row += [f"{count / 1e3:,.0f}" for count in (layer.read_bytes, layer.write_bytes)]
        table.add_row(*row, style="bold red" if layer.wrong else None)
    print_table(console, table)
    causes = ", ".join(f"{name.lower()} {count:,}" for name, count in result.causes.items())
    console.print(f"Cycles: {result.cycles:,} ({causes})")
    estimate = result.plan.estimate.total
    bus_of = ", with AXI4" if result.plan.design.memory == "wishbone" else ""
    if stalls:
        console.print(f"Estimate without pauses{bus_of}: {estimate:,}")
    else:
        error = (result.cycles - estimate) / estimate
        console.print(f"Estimate{bus_of}: {estimate:,}, measured {error:+.2%}")
    console.print(f"Array utilization: {result.utilization:.1%}")
    if bus:
        console.print(
            f"Memory: {bus['read_bytes'] / 1e6:.2f} MB in, {bus['write_bytes'] / 1e6:.2f} MB out; "
            f"{bus['utilization']:.1%} of the array from first request to last write, "
            f"{bus['cycles']:,} cycles"
        )
