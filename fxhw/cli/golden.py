"""``fxhw golden``: segment images with the exact NumPy model alone."""

import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..bundled import find_checkpoint
from ..checkpoint import load_checkpoint
from ..dataset import SPLITS, Dataset
from ..dice import dice_both
from ..errors import FxhwError
from ..golden import run_tiled
from ..images import image_codes, list_images, read_image, read_label, write_mask
from ..quantize import requantize, widths
from .tables import print_table

__all__ = ["command"]


@dataclass(frozen=True)
class _Case:
    """One image to segment, with its label if there is one."""

    image: Path
    label: Path | None

    @property
    def mask_name(self) -> str:
        return f"{self.image.stem}.png"


@click.command(short_help="Segment images with the exact NumPy model alone.")
@click.argument("images", type=click.Path(path_type=Path), metavar="IMAGE|FOLDER")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    help="The network to run: a file, or em, gm or pancreas, which ship.  [default: em]",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="Labels of the same names as the images, or the one image's label file.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("runs/golden"),
    show_default=True,
    help="Folder for masks and metrics.json; files of the same names are replaced.",
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    help="Pixels that tiles of a large image share.  [default: a quarter of a tile]",
)
@click.option("--split", type=click.Choice(SPLITS), help="Only this part of a data set.")
@click.option("--wbits", type=click.IntRange(1, 8), help="Requantize the weights first.")
@click.option("--abits", type=click.IntRange(1, 8), help="Requantize the activations first.")
def command(images, checkpoint, labels, output, overlap, split, wbits, abits):
    """Segment an image or a folder of images with the exact NumPy model.

    The masks are those of the generated hardware, bit for bit.  Images larger than the network
    are cut into overlapping tiles, after each image as a whole is normalized as the network asks.
    A FOLDER is a plain folder of images or a data set with images/, labels/ and index.csv.
    """
    cases = _find_cases(images, labels, split)
    _check_output(output, cases)
    path = find_checkpoint(checkpoint)
    network = load_checkpoint(path)
    if wbits or abits:
        present = widths(network)
        network = requantize(network, wbits or present[0], abits or present[1])
    start = time.perf_counter()
    with _folder_in_place(output) as folder:
        results = _segment(network, cases, folder, overlap)
        metrics = {
            "checkpoint": str(checkpoint or path.name),
            "wbits": widths(network)[0],
            "abits": widths(network)[1],
            "images": results,
            "mean_dice": _mean_dice(results),
        }
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    _print(results, metrics["mean_dice"])
    seconds = time.perf_counter() - start
    count = f"{len(results)} image{'s' if len(results) > 1 else ''}"
    click.echo(f"{count} in {seconds:.1f} s; masks and metrics.json in {output}")


def _find_cases(images: Path, labels: Path | None, split: str | None) -> list[_Case]:
    """The images to segment, each with its label.

    Raises
    ------
    FxhwError if there is none, two would give one mask, or an image lacks its label.
    """
    if not images.exists():
        raise FxhwError(f"{images} does not exist; give an image or a folder of images")
    dataset = images.is_dir() and (images / "images").is_dir()
    if split and not (dataset and (images / "index.csv").is_file()):
        raise FxhwError(f"--split needs a data set with images/ and index.csv, not {images}")
    if images.is_file():
        paths = [images]
    elif split:
        paths = [images / "images" / f"{name}.png" for name in Dataset(images).ids(split)]
    else:
        paths = list_images(images / "images" if dataset else images)
    if not paths:
        raise FxhwError(f"Data set {images} has no {split} images; its index.csv must name some")
    if labels is None and dataset and (images / "labels").is_dir():
        labels = images / "labels"
    cases = [_Case(path, _find_label(path, labels, len(paths))) for path in paths]
    names = {}
    for case in cases:
        other = names.setdefault(case.mask_name, case.image)
        if other != case.image:
            raise FxhwError(
                f"{other.name} and {case.image.name} would both give the mask {case.mask_name}; "
                "rename one"
            )
    return cases


def _find_label(image: Path, labels: Path | None, count: int) -> Path | None:
    if labels is None:
        return None
    if labels.is_file() and count == 1:
        return labels
    if not labels.is_dir():
        raise FxhwError(f"Labels {labels} is not a folder, and there are {count} image(s)")
    for path in (labels / image.name, labels / f"{image.stem}.png"):
        if path.is_file():
            return path
    raise FxhwError(f"Image {image} has no label of the name {image.name} in {labels}")


def _check_output(output: Path, cases: list[_Case]) -> None:
    if output.exists() and not output.is_dir():
        raise FxhwError(f"Output {output} exists and is not a folder; choose another with -o")
    sources = {path.resolve() for case in cases for path in (case.image, case.label) if path}
    for case in cases:
        if (output / case.mask_name).resolve() in sources:
            raise FxhwError(
                f"The mask of {case.image} would replace {output / case.mask_name}, "
                "which is being read; choose another folder with -o"
            )


@contextmanager
def _folder_in_place(output: Path):
    """A temporary folder beside ``output`` whose files move into it once all is well.

    Raises
    ------
    FxhwError if the folder cannot be made or the files cannot be moved.
    """
    temporary = None
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
        yield temporary
        output.mkdir(exist_ok=True)
        for path in sorted(temporary.iterdir()):
            os.replace(path, output / path.name)
    except OSError as error:
        raise FxhwError(
            f"Output {output} cannot be written: {error.strerror or error}"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _segment(network, cases: list[_Case], folder: Path, overlap: int | None) -> list[dict]:
    """Write the mask of every case into ``folder`` and return what metrics.json says of it."""
    console = Console(stderr=True)
    results = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("Segmenting", total=len(cases))
        for index, case in enumerate(cases):
            pixels = read_image(case.image, network.image_channels)
            label = read_label(case.label) if case.label else None
            if label is not None and label.shape != pixels.shape[:2]:
                raise FxhwError(
                    f"Label {case.label} is {label.shape[0]}x{label.shape[1]}, but its image is "
                    f"{pixels.shape[0]}x{pixels.shape[1]}; they must have the same size"
                )
            mask = run_tiled(
                network,
                network.prepare(image_codes(pixels, network.image)),
                overlap,
                lambda done, tiles, index=index: progress.update(
                    bar, completed=index + done / tiles
                ),
            )
            write_mask(folder / case.mask_name, mask)
            result = {
                "image": case.image.name,
                "mask": case.mask_name,
                "height": mask.shape[0],
                "width": mask.shape[1],
                "foreground": float(mask.mean()),
            }
            if label is not None:
                foreground, background = dice_both(mask, label)
                result["dice"] = {"foreground": foreground, "background": background}
            results.append(result)
    return results


def _mean_dice(results: list[dict]) -> dict | None:
    """Mean over the images of the dice of both classes, None without labels."""
    scores = [result["dice"] for result in results if "dice" in result]
    if not scores:
        return None
    return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}


def _print(results: list[dict], mean: dict | None) -> None:
    table = Table("image")
    for title in ("size", "foreground"):
        table.add_column(title, justify="right")
    if mean:
        for title in ("dice foreground", "dice background"):
            table.add_column(title, justify="right")

    def scores(dice):
        return [f"{dice[name]:.2f} %" for name in ("foreground", "background")] if dice else []

    for result in results:
        table.add_row(
            result["image"],
            f"{result['height']}x{result['width']}",
            f"{100 * result['foreground']:.1f} %",
            *scores(result.get("dice")),
        )
    if mean and len(results) > 1:
        table.add_section()
        table.add_row("mean", "", "", *scores(mean))
    print_table(Console(), table)
