"""``fxhw export``: a network as a QONNX model."""

from pathlib import Path

import click

__all__ = ["command"]


@click.command(short_help="Write a checkpoint as a QONNX model.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="The model to write, replaced if there.")
@click.option("--size", type=(click.IntRange(min=1), click.IntRange(min=1)),
              metavar="HEIGHT WIDTH", help="Image size of the model.  [default: the network's]")
@click.option("--inexact", is_flag=True,
              help="Accept sums that float32, in which ONNX computes, does not hold exactly.")
def command(checkpoint, output, size, inexact):
    """Write CHECKPOINT as a QONNX model: standard ONNX with the operators Quant and BipolarQuant.

    Run by qonnx, every tensor has the golden model's value, exactly, and the same name.  The input
    is image codes times their step (pixels / 256), already normalized where the network asks for
    that; the outputs are the logit and the mask.
    """
    from ..bundled import find_checkpoint
    from ..checkpoint import load_checkpoint
    from ..exchange import save_qonnx

    network = load_checkpoint(find_checkpoint(checkpoint))
    if size:
        network = network.resized(size)
    save_qonnx(network, output, inexact)
    height, width = network.size
    click.echo(f"wrote {output}: {len(network.ops)} layers for images of {height}x{width}")
