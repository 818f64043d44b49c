"""``fxhw train``: a data set in, a checkpoint out."""

from pathlib import Path

import click

__all__ = ["command"]


@click.command()
@click.argument("dataset")
@click.option("--wbits", type=click.IntRange(1, 8), default=4, show_default=True,
              help="Bits of a weight; 1 is binary.")
@click.option("--abits", type=click.IntRange(1, 8), default=6, show_default=True,
              help="Bits of an activation.")
@click.option("--first-wbits", type=click.IntRange(1, 8), default=8, show_default=True,
              help="Bits of the first convolution's weights.")
@click.option("--last-wbits", type=click.IntRange(1, 8), default=8, show_default=True,
              help="Bits of the 1x1 head's weights.")
@click.option("--base-channels", type=int, default=8, show_default=True,
              help="Channels of the finest level; they double per level.")
@click.option("--depth", type=int, default=3, show_default=True,
              help="Levels above the bottom.")
@click.option("--epochs", type=int, default=45, show_default=True,
              help="Epochs with real numbers.")
@click.option("--qat-epochs", type=int, default=20, show_default=True,
              help="Epochs with quantized numbers, after those.")
@click.option("--batch", type=int, default=4, show_default=True, help="Crops per step.")
@click.option("--crop", type=int, default=192, show_default=True, help="Side of a crop in pixels.")
@click.option("--size", type=(int, int), default=(128, 128), show_default=True,
              metavar="HEIGHT WIDTH", help="Image size the network is meant for.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--synthetic-calibration", is_flag=True,
              help="Keep made-up images in the checkpoint instead of crops of the data.")
@click.option("--resume", is_flag=True, help="Go on from where an interrupted run stopped.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("."),
              help="Checkpoint file (.safetensors), or the folder to put it in.")
def command(dataset, output, resume, device, synthetic_calibration, **options):
    """Train a quantized U-Net on DATASET, a folder or one of em, gm, pancreas and glas.

    Beside the checkpoint go a file of metrics (.metrics.json) and the state that --resume goes
    on from (.state.pt).
    """
    from ..dataset import find_dataset
    from ..errors import FxhwError

    try:
        from ..train.loop import train
        from ..train.recipe import Recipe
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise FxhwError("Training needs torch; get it by: pip install 'fxhw[train]'") from error

    data = find_dataset(dataset)
    recipe = Recipe(**options)
    path = _checkpoint_path(output, data.name, recipe)
    with _Progress({"float": recipe.epochs, "qat": recipe.qat_epochs}) as progress:
        result = train(
            data,
            recipe,
            path,
            resume=resume,
            device=device,
            synthetic_calibration=synthetic_calibration,
            progress=progress,
        )
    for name, (foreground, background) in result.metrics["golden"].items():
        click.echo(
            f"golden model, {name:5}: dice {foreground:.2f} foreground, {background:.2f} background"
        )
    click.echo(f"wrote {path}")


def _checkpoint_path(output: Path, dataset: str, recipe) -> Path:
    """File to write; its folder is made if need be."""
    from ..errors import FxhwError

    path = output
    if output.is_dir() or output.suffix != ".safetensors":
        path = output / f"{dataset}_w{recipe.wbits}a{recipe.abits}.safetensors"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FxhwError(f"Folder {path.parent} cannot be made: {error.strerror}") from error
    return path


class _Progress:
    """A bar over all epochs with the last one's loss and dice; called after each epoch.

    Where standard error is no terminal, a line per epoch instead.
    """

    def __init__(self, epochs: dict[str, int]):
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._epochs = epochs
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.fields[phase]:5}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task(
            "", total=sum(epochs.values()), phase="float", facts=""
        )

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *_):
        self._progress.stop()

    def __call__(self, epoch):
        done = epoch.epoch + 1 + (self._epochs["float"] if epoch.phase == "qat" else 0)
        facts = f"loss {epoch.loss:.4f}  dice {epoch.dice[0]:.2f} / {epoch.dice[1]:.2f}"
        self._progress.update(self._task, completed=done, phase=epoch.phase, facts=facts)
        if not self._console.is_terminal:
            click.echo(f"{epoch.phase:5} epoch {epoch.epoch + 1}  {facts}", err=True)
