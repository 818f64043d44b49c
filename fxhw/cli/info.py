"""``fxhw info``: describe a checkpoint or a generated folder."""

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..bundled import find_checkpoint
from ..checkpoint import load_checkpoint
from ..errors import FxhwError
from ..graph import Concat, Conv, Head
from ..quantize import inner_convs, widths
from .tables import print_table

__all__ = ["command"]


@click.command(short_help="Describe a checkpoint or a generated folder.")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(file, as_json):
    """Describe a checkpoint or a folder that 'fxhw generate' wrote.

    FILE may also be em, gm or pancreas, which ship.  Of a checkpoint: the kinds of its weights and
    activations, how images are normalized, every layer with shapes and formats, the exact bits its
    parameters take, the multiply-accumulates per image, the most feature map bits alive at once,
    and where it comes from.
    """
    file = find_checkpoint(file)
    if not file.exists():
        raise FxhwError(f"{file} does not exist; give a checkpoint or a generated folder")
    if file.is_dir():
        _describe_folder(file, as_json)
        return
    facts = _facts(file)
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        _print_facts(facts)


def _describe_folder(folder: Path, as_json: bool) -> None:
    """Print the manifest of a generated folder."""
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise FxhwError(
            f"Folder {folder} has no manifest.json, so 'fxhw generate' did not write it"
        )
    if as_json:
        try:
            click.echo(json.dumps(json.loads(manifest.read_text(encoding="utf-8")), indent=2))
        except ValueError as error:
            raise FxhwError(f"{manifest} is damaged ({error}); generate it again") from error
        return
    from ..emit.manifest import describe

    console = Console()
    for title, rows in describe(folder):
        _print_rows(console, title, rows)


def _facts(path: Path) -> dict:
    """What there is to say of a checkpoint, in JSON types."""
    network = load_checkpoint(path)
    tensors = network.tensors()
    macs = network.macs()
    layers = []
    for op in network.ops:
        out = tensors[op.output]
        layer = {
            "name": op.name,
            "op": type(op).__name__,
            "inputs": list(op.inputs) if isinstance(op, Concat) else [op.input],
            "shape": list(out.shape),
            "format": out.format.name,
        }
        if isinstance(op, Conv | Head):
            source = tensors[op.input].format
            layer |= {
                "weights": op.codes.size,
                "weight_format": op.weight.name,
                "accumulator_bits": op.accumulator(source).width,
                "macs": macs[op.name],
            }
        if isinstance(op, Conv):
            shift = op.shift(source)
            layer["shifts"] = [int(shift.min()), int(shift.max())]
            layer["multiplier_bits"] = op.mul_bits
        layers.append(layer)
    stored = network.stored_bits()
    return {
        "file": str(path),
        "file_bytes": path.stat().st_size,
        "size": list(network.size),
        "image_channels": network.image_channels,
        "image_format": network.image.name,
        "normalization": network.normalization,
        "wbits": widths(network)[0],
        "abits": widths(network)[1],
        "weight_kinds": _kinds(op.weight for op in inner_convs(network) or [network.head]),
        "activation_kinds": _kinds([op.out for op in network.convs] or [network.image]),
        "weights": sum(layer.get("weights", 0) for layer in layers),
        "stored_bits": stored | {"total": sum(stored.values())},
        "macs": sum(macs.values()),
        "peak_activation_bits": network.peak_activation_bits(),
        "calibration_images": len(network.calibration),
        "provenance": dict(network.meta),
        "layers": layers,
    }


def _kinds(formats) -> list[str]:
    """Kinds of formats, binary weights a kind of their own, each once."""
    return sorted({"binary" if fmt.name == "binary" else fmt.kind for fmt in formats})


def _print_facts(facts: dict) -> None:
    """Print a checkpoint's facts as three tables."""
    console = Console()
    height, width = facts["size"]
    stored = facts["stored_bits"]
    rows = [
        ("image", f"{height}x{width}, {facts['image_channels']} x {facts['image_format']}"),
        ("normalization", facts["normalization"]),
        (
            "weights",
            f"{facts['weights']:,} of {facts['wbits']} bits, {', '.join(facts['weight_kinds'])}, "
            "first and last layer aside",
        ),
        ("activations", f"{facts['abits']} bits, {', '.join(facts['activation_kinds'])}"),
        *((f"parameter bits, {name}", f"{bits:,}") for name, bits in stored.items()),
        ("multiply-accumulates", f"{facts['macs']:,} per image"),
        ("peak of activations", f"{facts['peak_activation_bits']:,} bits"),
        ("calibration images", str(facts["calibration_images"])),
        ("file", f"{facts['file_bytes']:,} bytes"),
    ]
    _print_rows(console, facts["file"], rows)

    table = Table(title="Layers", title_justify="left")
    for title in ("layer", "reads"):
        table.add_column(title)
    for title in ("result", "format", "weights", "acc", "shift", "MMAC"):
        table.add_column(title, justify="right")
    for layer in facts["layers"]:
        shifts = sorted(set(layer.get("shifts", [])))
        table.add_row(
            layer["name"],
            " ".join(layer["inputs"]),
            "x".join(map(str, layer["shape"])),
            layer["format"],
            layer.get("weight_format", ""),
            str(layer.get("accumulator_bits", "")),
            "..".join(map(str, shifts)),
            f"{layer['macs'] / 1e6:,.1f}" if "macs" in layer else "",
        )
    print_table(console, table)
    if facts["provenance"]:
        _print_rows(console, "Provenance", _flatten(facts["provenance"]))


def _print_rows(console: Console, title: str, rows) -> None:
    """A table without header; the cells may be anything with a text."""
    table = Table(title=title, title_justify="left", show_header=False)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)


def _flatten(facts: dict, prefix: str = ""):
    """(dotted name, text) of every entry of nested tables."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:.4g}" if isinstance(value, float) else str(value)
