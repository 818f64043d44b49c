"""Dice that others have measured, each with where it comes from."""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

from ..errors import FxhwError
from .operands import ACTIVATIONS, QUANTIZERS, Operands

__all__ = ["KINDS", "Dice", "read_metrics"]

KINDS = {
    "trained": "trained at these widths",
    "requantized": "the network at these widths without training for them",
    "given": "as given, no word on how",
}
"""How a network came to its widths."""

_ROW = re.compile(
    r"(w(?P<fixed>\d)|(?P<kind>ternary|binary)|INQ (?P<inq>\d) bits),? "
    r"(a(?P<abits>\d)|ternary tanh|sign)"
)
"""Rows of Table 1 that an array multiplies, as ``w4 a6``, ``ternary, a6`` or ``binary, sign``."""


@dataclass(frozen=True)
class Dice:
    """A measured dice in percent, and its source.

    Parameters
    ----------
    foreground, background : means over the images; the background may be unknown.
    kind : one of :data:`KINDS`.
    source : file or measurement it comes from, in words.
    """

    foreground: float
    background: float | None
    kind: str
    source: str

    def to_json(self) -> dict:
        """JSON types only."""
        return asdict(self)


def read_metrics(path: str | os.PathLike, dataset: str) -> dict[Operands, Dice]:
    """Operands -> dice that a file has of ``dataset``.

    Read are the table of ``make table1``, the metrics of ``fxhw train`` and of ``fxhw golden``,
    the results of a sweep, and lists of records with ``wbits``, ``abits`` and ``dice``, and with
    ``weights`` and ``activations`` where these are not fixed and unsigned.

    Raises
    ------
    FxhwError if the file cannot be read, or holds no dice of operands that an array has.
    """
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FxhwError(f"Metrics {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FxhwError(f"Metrics {path} are no JSON: {error}") from error
    try:
        found = {}
        for key, dice in _find(value, path.name, dataset):
            if not (0 <= dice.foreground <= 100 and 0 <= (dice.background or 0) <= 100):
                raise FxhwError(
                    f"Metrics {path} give {key.name} a dice of {dice.foreground:g}; "
                    "dice must be in percent, 0 to 100"
                )
            found.setdefault(key, dice)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise FxhwError(
            f"Metrics {path} have a record without {error}; give a list of records with wbits, "
            "abits and dice, or a file of 'make table1', fxhw train, golden or sweep"
        ) from error
    if not found:
        raise FxhwError(
            f"Metrics {path} hold no dice of {dataset} with weights and activations of 1 to 8 "
            "bits; give another file, or another --dataset"
        )
    return found


def _find(value, name: str, dataset: str):
    """Pairs of widths and dice, whatever the file is."""
    if isinstance(value, dict) and "run" in value:
        yield from _of_training(value, name)
    elif isinstance(value, dict) and "mean_dice" in value:
        scores = value["mean_dice"] or {}
        if scores:
            yield Operands(int(value["wbits"]), int(value["abits"])), Dice(
                float(scores["foreground"]), float(scores["background"]), "given", name
            )
    elif isinstance(value, dict) and "points" in value:
        for record in value["points"]:
            if record["dice"] and value["dataset"] == dataset:
                yield _operands(record["point"]), Dice(**record["dice"])
    elif isinstance(value, list):
        for record in value:
            if "row" in record:
                yield from _of_table(record, name, dataset)
            else:
                yield _of_record(record, name)
    else:
        raise KeyError("records")


_TRAINED = ("quantizer", "activation", "wbits", "abits")


def _of_training(value: dict, name: str):
    run = value["run"]
    scores = value.get("golden", {}).get("whole")
    if run["quantizer"] in QUANTIZERS and run["activation"] in ACTIVATIONS and scores:
        foreground, background = scores["slices"]
        source = f"{name}, {run['base_channels']} base channels"
        operands = Operands.trained(*(run[key] for key in _TRAINED))
        yield operands, Dice(foreground, background, "trained", source)


def _of_table(record: dict, name: str, dataset: str):
    """A row of Table 1 as :mod:`fxhw.studies` writes it, if an array multiplies its operands."""
    found = _ROW.fullmatch(record["row"])
    if not found or record["dataset"] != dataset:
        return
    quantizer = found["kind"] or ("inq" if found["inq"] else "fixed")
    wbits, abits = (int(bits or 0) for bits in (found["fixed"] or found["inq"], found["abits"]))
    operands = Operands.trained(quantizer, record["activation"], wbits, abits)
    sides = list(zip(*(score["slices"] for score in record["scores"])))
    seeds = len(record["scores"])
    source = f"{name}, row {record['row']}, {seeds} seed{'s' if seeds > 1 else ''}"
    yield operands, Dice(mean(sides[0]), mean(sides[1]), "trained", source)


def _of_record(record: dict, name: str):
    background = record.get("background")
    return _operands(record), Dice(
        float(record["dice"]),
        None if background is None else float(background),
        record.get("kind", "given"),
        f"{name}: {record['source']}" if "source" in record else name,
    )


def _operands(record: dict) -> Operands:
    """Of a point, or of a record that need not say more than widths.

    Raises
    ------
    ValueError if its kinds are none that there are.
    """
    weights, activations = record.get("weights", "fixed"), record.get("activations", "unsigned")
    for kind, known in ((weights, QUANTIZERS), (activations, ACTIVATIONS)):
        if kind not in known.values():
            raise ValueError(f"a kind of {', '.join(dict.fromkeys(known.values()))}, but {kind!r}")
    return Operands(int(record["wbits"]), int(record["abits"]), weights, activations)
