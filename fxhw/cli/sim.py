"""``fxhw sim``: generated Verilog against the golden model."""

import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
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

__all__ = ["command"]


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
    type=click.Choice(["verilator", "icarus"]),
    default="verilator",
    show_default=True,
)
@click.option("--stalls", is_flag=True, help="Pause both streams at random.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
@click.option("--waves", is_flag=True, help="Write the waveforms of the whole run.")
@click.option("--mask", type=click.Path(path_type=Path), help="Write the mask as a PNG.")
def command(folder, image, label, checkpoint, simulator, stalls, seed, waves, mask):
    """Run an image through the generated Verilog in FOLDER and compare every layer bit for bit.

    Compared with the exact NumPy model: the first convolution's words, every word that leaves the
    requantizer, every word written to the feature memory, and the mask.  The cycle counters are
    compared with the estimate.  The image is normalized as the network asks, as a whole, before
    it is cropped or streamed in.  Exit status 1 if anything differs.
    """
    from ..cosim import Folder, check_simulator, simulate
    from ..cosim.report import layer_rows

    check_simulator(simulator)
    opened = Folder.open(folder)
    network = load_checkpoint(find_checkpoint(checkpoint)) if checkpoint else opened.network
    limits = opened.design.max_height, opened.design.max_width
    picture = _own_picture(network, image, label) if image else _default_picture(network)
    height, width = picture.codes.shape[:2]
    if height > limits[0] or width > limits[1]:
        raise FxhwError(
            f"Image {picture.source} has {height}x{width} pixels, the design takes at most "
            f"{limits[0]}x{limits[1]}; crop it, or generate with --image-size {height}x{width}"
        )
    console = Console()
    for name in changed_files(folder, opened.manifest):
        console.print(f"Note: {folder / name} is not as it was generated", soft_wrap=True)
    console.print(f"{opened.manifest['top']}: {picture.source}, {height}x{width}", soft_wrap=True)
    start = time.monotonic()
    with console.status("starting") as status:
        result = simulate(
            folder,
            network,
            picture.codes,
            simulator=simulator,
            stalls=stalls,
            seed=seed,
            waves=waves,
            progress=status.update,
        )
    seconds = time.monotonic() - start
    _print(console, layer_rows(result), result, stalls)
    if picture.label is not None and result.verdict.mask is not None:
        foreground, background = dice_both(result.verdict.mask, picture.label)
        console.print(f"Dice: foreground {foreground:.2f}, background {background:.2f}")
    if mask:
        write_mask(mask, result.verdict.mask)
        console.print(f"Mask: {mask}", soft_wrap=True)
    if result.waves:
        console.print(f"Waveforms: {result.waves}", soft_wrap=True)
    if not result.passed:
        for problem in result.problems:
            console.print(f"FAILED: {problem}", soft_wrap=True, markup=False)
        return 1
    console.print(f"All equal, in {seconds:.1f} s with {simulator}.")
    return 0


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


def _print(console, rows, result, stalls):
    """The table of layers, then the cycles by cause."""
    table = Table(title="Against the golden model", title_justify="left")
    for name in rows[0]:
        table.add_column(name, justify="left" if name in ("layer", "shape") else "right")
    for row in rows[1:]:
        table.add_row(*row, style="bold red" if row[3] != "0" else None)
    console.print(table)
    causes = ", ".join(f"{name.lower()} {count:,}" for name, count in result.causes.items())
    console.print(f"Cycles: {result.cycles:,} ({causes})")
    estimate = result.plan.estimate.total
    if stalls:
        console.print(f"Estimate without pauses: {estimate:,}")
    else:
        error = (result.cycles - estimate) / estimate
        console.print(f"Estimate: {estimate:,}, measured {error:+.2%}")
    console.print(f"Array utilization: {result.utilization:.1%}")
