"""``fxhw quantize``: a network of real numbers in, a checkpoint out, nothing trained."""

import json
from pathlib import Path

import click

__all__ = ["command"]

_TRAINED_BELOW = 3
"""Weight bits below which much is lost without training (EM, base 8, membranes: 10 points)."""


@click.command(short_help="Quantize a trained float network without training.")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--calib", metavar="DATASET|FOLDER|synthetic",
              help="Images to choose the steps on: a data set's train images, or a folder's.")
@click.option("--wbits", type=click.IntRange(1, 16), default=4, show_default=True,
              help="Bits of a weight; 1 is binary.")
@click.option("--abits", type=click.IntRange(1, 16), default=6, show_default=True,
              help="Bits of an activation.")
@click.option("--first-wbits", type=click.IntRange(1, 16), default=8, show_default=True,
              help="Bits of the first convolution's weights.")
@click.option("--last-wbits", type=click.IntRange(1, 16), default=8, show_default=True,
              help="Bits of the 1x1 head's weights.")
@click.option("--module", metavar="FILE.py:CLASS",
              help="The torch module MODEL belongs to; the file is imported, so its code runs.")
@click.option("--module-args", metavar="JSON", help="Keyword arguments of the class.")
@click.option("--normalization", type=click.Choice(["none", "zscore"]),
              help="Of every image, before all else.  [default: the model's, or none]")
@click.option("--input-scale", metavar="STEP",
              help="The module's input per step of an 8-bit pixel.  [default: 1/255]")
@click.option("--input-mean", metavar="NUMBERS",
              help="Taken off that: one number, or one per channel.  [default: 0]")
@click.option("--input-std", metavar="NUMBERS",
              help="What the rest was divided by.  [default: 1]")
@click.option("--size", type=(click.IntRange(min=1), click.IntRange(min=1)), default=(128, 128),
              show_default=True, metavar="HEIGHT WIDTH", help="Image size it is meant for.")
@click.option("--no-dice", is_flag=True, help="Leave the data set's val images alone.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("."),
              help="Checkpoint file (.safetensors), or the folder to put it in.")
def command(model, calib, module, module_args, normalization, size, no_dice, output, **options):
    """Quantize MODEL, a PyTorch file with the state dict of a trained U-Net, without training.

    It is one of 'fxhw train' (.float.pt), or that of your own module, named by --module.  Batch
    normalization is folded, steps are powers of two of least squared error on the images of
    --calib, and biases are corrected.  Few bits need training instead.
    """
    from ..errors import FxhwError

    try:
        from ..train.ptq import quantize
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise FxhwError("Quantizing needs torch; get it by: pip install 'fxhw[train]'") from error
    from rich.console import Console

    from ..checkpoint import save_checkpoint
    from ..train.calibration_images import SYNTHETIC, find_images

    scale = {name: options.pop(f"input_{name}") for name in ("scale", "mean", "std")}
    if not calib:
        raise FxhwError(
            "Quantizing needs images like those the network is for: give a data set or a folder "
            f"with --calib, or --calib {SYNTHETIC} for made-up ones"
        )
    path = _checkpoint_path(output, model, options)
    source, normalization = _source(model, module, module_args, normalization, scale)
    images = find_images(calib, source.topology.image_channels, normalization)
    with Console(stderr=True).status("Choosing the steps"):
        result = quantize(
            source, images.crops, size, **options, stored=images.stored,
            normalization=normalization,
        )
    scores = {} if no_dice else _scores(result, images.val)
    network = _with_facts(result.network, model, images.name, scores, options)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FxhwError(f"Folder {path.parent} cannot be made: {error.strerror}") from error
    save_checkpoint(network, path)
    _print(result, scores)
    notes = _notes(network, options)
    if calib == SYNTHETIC:
        notes.append(
            "calibrated on made-up images of cells; masks of other images may suffer. Give some "
            "of yours with --calib"
        )
    if module and (scale["mean"] or normalization == "zscore"):
        notes.append(
            "the input's mean is folded into the first convolution, exact but for the image's "
            "outermost pixels"
        )
    for note in notes:
        click.echo(f"Note: {note}.", err=True)
    click.echo(f"wrote {path}")


def _checkpoint_path(output: Path, model: Path, options: dict) -> Path:
    """File to write."""
    from ..errors import FxhwError

    path = output
    if output.is_dir() or output.suffix != ".safetensors":
        stem = model.name.partition(".")[0] or "network"
        path = output / f"{stem}_w{options['wbits']}a{options['abits']}.safetensors"
    if path.is_dir():
        raise FxhwError(f"Output {path} is a folder; choose another name with -o")
    return path


def _source(model: Path, module, module_args, normalization, scale: dict):
    """The network to quantize, for images of values code / 256, and its normalization."""
    from ..errors import FxhwError
    from ..train.floatfile import load_float_unet, load_module
    from ..train.ptq import InputScale, scale_input

    if module is None:
        given = [f"--input-{name}" for name, text in scale.items() if text]
        given += ["--module-args"] if module_args else []
        if given:
            raise FxhwError(f"{given[0]} is for a module of yours; name it with --module")
        network = load_float_unet(model)
        found = network.normalization
        if found and normalization and found != normalization:
            raise FxhwError(
                f"Model {model} was trained with the normalization {found}; leave "
                f"--normalization {normalization} out"
            )
        return network, normalization or found or "none"
    arguments = _arguments(module_args)
    normalization = normalization or "none"
    usual = InputScale.usual(normalization)
    scale = InputScale(
        _numbers("--input-scale", scale["scale"], (usual.step,))[0],
        _numbers("--input-mean", scale["mean"], (0.0,) if scale["scale"] else usual.mean),
        _numbers("--input-std", scale["std"], usual.std),
    )
    return scale_input(load_module(model, module, arguments), scale), normalization


def _arguments(text: str | None) -> dict:
    """Keyword arguments given as JSON."""
    from ..errors import FxhwError

    try:
        arguments = json.loads(text) if text else {}
    except ValueError as error:
        raise FxhwError(f"--module-args is not JSON ({error})") from error
    if not isinstance(arguments, dict):
        raise FxhwError(f'--module-args must be a JSON object, as {{"channels": 16}}, not {text}')
    return arguments


def _numbers(option: str, text: str | None, default: tuple[float, ...]) -> tuple[float, ...]:
    """Numbers with commas between them; each may be a fraction, as 1/255."""
    from ..errors import FxhwError

    if text is None:
        return default
    numbers = []
    for part in text.split(","):
        above, slash, below = part.partition("/")
        try:
            numbers.append(float(above) / float(below) if slash else float(above))
        except (ValueError, ZeroDivisionError) as error:
            raise FxhwError(
                f"{option} must be numbers with commas between, as 0.5 or 1/255, not {text!r}"
            ) from error
    if option == "--input-scale" and len(numbers) != 1:
        raise FxhwError(f"--input-scale is one number, not {text!r}")
    return tuple(numbers)


def _scores(result, val) -> dict:
    """Dice of the labelled images: who computed it -> (foreground, background)."""
    from rich.console import Console

    from ..train.evaluate import evaluate, evaluate_golden

    if not val:
        return {}
    with Console(stderr=True).status(f"Segmenting {len(val)} val images"):
        scores = {"float": evaluate(result.real, val)}
        for name, score in evaluate_golden(result.network, val).items():
            scores[f"golden model, {name}"] = score
    return {name: score.slices for name, score in scores.items()}


def _with_facts(network, model: Path, calibration: str, scores: dict, options: dict):
    """``network`` with what its checkpoint says of itself."""
    from dataclasses import replace

    facts = {
        "source": model.name,
        "quantized": "after training, not retrained",
        "calibration": calibration,
        "widths": options,
        "licence": "see the terms of the model and of the calibration images",
    }
    if scores:
        facts["dice"] = {name: [round(x, 2) for x in pair] for name, pair in scores.items()}
    return replace(network, meta=facts)


def _print(result, scores: dict) -> None:
    """How well each layer came through, and the dice."""
    from rich.console import Console
    from rich.table import Table

    from .tables import print_table

    table = Table("layer")
    for title in ("weights, dB", "output, dB", "shifts"):
        table.add_column(title, justify="right")
    for layer in result.layers:
        numbers = [
            "exact" if value == float("inf") else "-" if value == float("-inf") else f"{value:.1f}"
            for value in (layer.weight_db, layer.output_db)
        ]
        shifts = "{} .. {}".format(*layer.shifts) if layer.shifts else ""
        table.add_row(layer.name, *numbers, shifts)
    print_table(Console(), table)
    for name, (foreground, background) in scores.items():
        click.echo(f"{name:20} dice {foreground:6.2f} foreground, {background:6.2f} background")


def _notes(network, options: dict) -> list[str]:
    """What to know before going on."""
    from ..errors import FxhwError
    from ..plan import compile_network, design_for

    notes = []
    if options["wbits"] < _TRAINED_BELOW:
        notes.append(
            f"{options['wbits']}-bit weights made without training rarely segment well; "
            "'fxhw train' makes them with it"
        )
    try:
        compile_network(network, design_for(network))
    except FxhwError as error:
        notes.append(f"the accelerator cannot run this network: {error}")
    return notes
