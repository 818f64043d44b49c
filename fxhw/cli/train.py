"""``fxhw train``: a data set in, a checkpoint out."""

from pathlib import Path

import click

__all__ = ["command"]


def _preset(flag: str, kind, help: str, **more):
    """An option that the data set's recipe gives where the user does not."""
    return click.option(flag, type=kind, default=None, help=help, **more)


@click.command()
@click.argument("dataset")
@click.option("--quantizer", default="fixed", show_default=True,
              type=click.Choice(["fixed", "paper", "ternary", "binary", "inq", "float"]),
              help="How weights are quantized; float trains real numbers alone.")
@_preset("--wbits", click.IntRange(1, 32),
         "Bits of a weight: 4 of fixed (1 is binary), 5 of inq; fraction bits of paper.")
@_preset("--abits", click.IntRange(1, 32),
         "Bits of an activation: 6 of fixed, 8 of inq; integer bits of paper.")
@_preset("--activation", click.Choice(["relu", "tanh", "ternary", "sign"]),
         "Activation: relu, but ternary of ternary and sign of binary.")
@click.option("--first-wbits", type=click.IntRange(1, 32), default=8, show_default=True,
              help="Bits of the first convolution's weights; 32 is full precision.")
@click.option("--last-wbits", type=click.IntRange(1, 32), default=8, show_default=True,
              help="Bits of the 1x1 head's weights; 32 is full precision.")
@click.option("--base-channels", type=int, default=8, show_default=True,
              help="Channels of the finest level; they double per level.")
@click.option("--depth", type=int, default=3, show_default=True,
              help="Levels above the bottom.")
@_preset("--epochs", int, "Epochs with real numbers.")
@_preset("--qat-epochs", int, "Epochs with quantized numbers, after those.")
@_preset("--batch", int, "Crops per step.")
@_preset("--crop", int, "Side of a crop in pixels.")
@_preset("--learning-rate", float, "Rate at the start, with real numbers.")
@_preset("--qat-learning-rate", float, "Rate at the start, with quantized numbers.")
@_preset("--dropout", float, "Share of channels that training drops.")
@_preset("--distillation", float,
         "Share of the network of real numbers in the targets of quantized training.")
@_preset("--normalization", click.Choice(["none", "zscore"]), "Of every image, before all else.")
@_preset("--size", (int, int), "Image size the network is meant for.", metavar="HEIGHT WIDTH")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--float-from", type=click.Path(path_type=Path), metavar="FILE",
              help="Start from the real numbers (.float.pt) that another run has left.")
@click.option("--synthetic-calibration", is_flag=True,
              help="Keep made-up images in the checkpoint instead of crops of the data.")
@click.option("--resume", is_flag=True, help="Go on from where an interrupted run stopped.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("."),
              help="Checkpoint file (.safetensors), or the folder to put it in.")
def command(dataset, output, resume, device, float_from, synthetic_calibration, **options):
    """Train a quantized U-Net on DATASET, a folder or one of em, gm, pancreas and glas.

    What is not given, the data set's own recipe decides.  Beside the checkpoint go the network
    with real numbers (.float.pt), a file of metrics (.metrics.json) and the state that --resume
    goes on from (.state.pt).  The quantizers float and paper, and full precision, leave no
    checkpoint: they are no integers.
    """
    from ..dataset import find_dataset
    from ..errors import FxhwError

    try:
        from ..train.loop import train
        from ..train.presets import preset
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise FxhwError("Training needs torch; get it by: pip install 'fxhw[train]'") from error

    data = find_dataset(dataset)
    recipe = preset(data.name, **options)
    path = _checkpoint_path(output, data.name, recipe)
    with _Progress(recipe.phases) as progress:
        result = train(
            data,
            recipe,
            path,
            resume=resume,
            device=device,
            float_from=float_from,
            synthetic_calibration=synthetic_calibration,
            progress=progress,
        )
    _show(result.metrics)
    if result.network is not None:
        click.echo(f"wrote {path}")
    else:
        click.echo(f"no integer network to write; metrics are in {path.stem}.metrics.json")


def _show(metrics: dict) -> None:
    """Print the dice of the finished network."""
    scores = metrics.get("golden") or {"torch": metrics["torch"]}
    for name, kinds in scores.items():
        who = "torch" if name == "torch" else f"golden model, {name}"
        for kind, (foreground, background) in kinds.items():
            click.echo(
                f"{who:20} dice per {kind[:-1]:7} {foreground:6.2f} foreground, "
                f"{background:6.2f} background"
            )


def _checkpoint_path(output: Path, dataset: str, recipe) -> Path:
    """File to write."""
    if output.suffix == ".safetensors" and not output.is_dir():
        return output
    kind = "" if recipe.quantizer == "fixed" else f"_{recipe.quantizer}"
    return output / f"{dataset}{kind}_w{recipe.wbits}a{recipe.abits}.safetensors"


class _Progress:
    """A bar over all epochs with the last one's loss and dice; called after each epoch.

    Where standard error is no terminal, a line per epoch instead.
    """

    def __init__(self, phases):
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._done = 0
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[phase]:5}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task(
            "", total=sum(phase.epochs for phase in phases), phase="float", facts=""
        )

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *_):
        self._progress.stop()

    def __call__(self, epoch):
        self._done += 1
        facts = f"loss {epoch.loss:.4f}  dice {epoch.dice[0]:.2f} / {epoch.dice[1]:.2f}"
        self._progress.update(self._task, completed=self._done, phase=epoch.phase, facts=facts)
        if not self._console.is_terminal:
            click.echo(f"{epoch.phase:5} epoch {epoch.epoch + 1}  {facts}", err=True)
