"""``fxhw data``: data sets; ``fxhw data import`` converts public downloads."""

from pathlib import Path

import click

__all__ = ["command"]


@click.group()
def command():
    """Make data sets to train on and to score with."""


@command.command("import")
@click.argument("kind", type=click.Choice(["isbi", "scgm", "nih", "glas"]))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, metavar="DIR",
              help="Folder to write, new or empty.")
@click.option("--val-every", type=click.IntRange(min=2), metavar="N",
              help="The second of every N sections, subjects or patients is for validation "
              "(not for glas).  [default: 5]")
@click.option("--with-test-b", is_flag=True,
              help="Take part B of glas too, for validation.")
def import_command(kind, source, output, val_every, with_test_b):
    """Convert SOURCE, the folder a public download was unpacked to, into a data set.

    \b
    isbi  ISBI 2012 EM: train-volume.tif, train-labels.tif
    scgm  spinal cord grey matter: siteS-scNN-image.nii.gz, -mask-r1 to -r4.nii.gz
    nih   Pancreas-CT: PANCREAS_NNNN/.../*.dcm, labelNNNN.nii.gz
    glas  glands: train_N.bmp, testA_N.bmp, and _anno.bmp of each

    The terms of each set's authors hold for what is made of it.
    """
    from ..importers import import_dataset

    with _Progress() as progress:
        counts = import_dataset(
            kind,
            source,
            output,
            val_every=val_every,
            with_test_b=with_test_b,
            progress=progress,
        )
    click.echo(f"wrote {output}: {counts['train']} train and {counts['val']} val images")


class _Progress:
    """A bar with what is being converted, on standard error; nothing where that is no terminal."""

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        console = Console(stderr=True)
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *_):
        self._progress.stop()

    def __call__(self, done: int, total: int, text: str) -> None:
        self._progress.update(self._task, completed=done, total=total, description=text)
