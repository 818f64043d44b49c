"""``fxhw import``: a QONNX model as a checkpoint."""

from pathlib import Path

import click
import numpy as np

__all__ = ["command"]


@click.command("import", short_help="Make a checkpoint of a QONNX model, as Brevitas writes.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="The checkpoint to write, replaced if there.")
@click.option("--size", type=(click.IntRange(min=1), click.IntRange(min=1)),
              metavar="HEIGHT WIDTH", help="Image size.  [default: the model's]")
@click.option("--calib", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Images or a data set to compare the model and the network on; needs qonnx.")
@click.option("--images", type=click.IntRange(min=1), default=4, show_default=True,
              help="How many of them.")
@click.option("--input-scale", type=float, metavar="STEP",
              help="The model's input per step of an 8-bit pixel, if it does not quantize it.")
@click.option("--mul-bits", type=click.IntRange(0, 16), default=16, show_default=True,
              help="Widest multiplier of scales that are not powers of two.")
@click.option("--normalization", type=click.Choice(["none", "zscore"]),
              help="What is done to an image first.  [default: as exported by fxhw, or none]")
def command(model, output, size, calib, images, input_scale, mul_bits, normalization):
    """Make a checkpoint of MODEL, a U-Net in QONNX, as exported by Brevitas or 'fxhw export'.

    Batch normalization is folded.  A scale that is no power of two becomes an integer multiplier
    and a shift; the largest error is printed, and with --calib what it does to images.
    """
    from ..checkpoint import save_checkpoint
    from ..exchange import import_qonnx, measure

    arguments = (model, size, input_scale, mul_bits, normalization)
    network, report = import_qonnx(*arguments)
    measured = None
    if calib:
        codes = _codes(network, calib, images)
        network, report = import_qonnx(*arguments, calibration=codes)
        measured = measure(network, report, codes)
    save_checkpoint(network, output)
    for note in report.notes:
        click.echo(f"note: {note}.")
    _print(network, report, measured, output)


def _print(network, report, measured, output: Path) -> None:
    """What was written, and how far it is from the model."""
    scaled = sum(layer.multiplier for layer in report.layers)
    height, width = network.size
    click.echo(
        f"wrote {output}: {len(network.ops)} layers for images of {height}x{width}, "
        f"{scaled} of {len(report.layers)} convolutions with multipliers"
    )
    if scaled:
        worst = report.worst
        steps = max(layer.step_error for layer in report.layers)
        click.echo(
            f"largest relative error of a scale: {worst.scale_error:.2g}, in {worst.name}; "
            f"the errors move a result by at most {steps:.2g} of a step"
        )
    if measured:
        click.echo(
            f"on {measured.images} image{'s' if measured.images > 1 else ''}: codes are at most "
            f"{measured.largest:.3g} steps off the model's, {100 * measured.share:.3g} % of the "
            f"worst layer's are off; mask pixels: {100 * measured.mask_share:.3g} %"
        )


def _codes(network, folder: Path, count: int) -> np.ndarray:
    """Prepared codes of the middles of the first ``count`` images, (n, height, width, channels)."""
    from ..dataset import Dataset
    from ..errors import FxhwError
    from ..images import image_codes, list_images, read_image

    if (folder / "index.csv").is_file():
        paths = [folder / "images" / f"{name}.png" for name in Dataset(folder).ids("train")]
    else:
        paths = list_images(folder)
    result = []
    for path in paths[:count]:
        pixels = read_image(path, network.image_channels)
        spare = [have - need for have, need in zip(pixels.shape, network.size)]
        if min(spare) < 0:
            raise FxhwError(
                f"Image {path} is {pixels.shape[0]}x{pixels.shape[1]}, smaller than the network's "
                f"{network.size[0]}x{network.size[1]}; give a smaller --size or larger images"
            )
        codes = network.prepare(image_codes(pixels, network.image))
        top, left = (n // 2 for n in spare)
        result.append(codes[top : top + network.size[0], left : left + network.size[1]])
    return np.stack(result)
