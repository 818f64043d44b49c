"""Table 1 of the paper, ours: dice against stored bits, each row fine-tuned from one float net.

Every figure is of the ``val`` images, of the last epoch: they choose nothing.  The row "float"
goes on with real numbers for as many steps as the others are fine-tuned.
"""

from dataclasses import dataclass
from pathlib import Path

from ..fixed import PaperFormat
from .jobs import Job, load_metrics
from .real_bits import parameter_bits, peak_activation_bits

__all__ = ["DATASETS", "ROWS", "Row", "collect", "jobs", "planned", "recorded"]

DATASETS = ("em", "gm", "pancreas")

BASE_CHANNELS = 16

EPOCHS = {"em": (15, 6), "gm": (7, 3), "pancreas": (35, 16)}
"""Data set -> epochs with real numbers and of fine-tuning; some 320 steps of the latter."""

SEEDS = 3


@dataclass(frozen=True, eq=False)
class Row:
    """A line of the table.

    Parameters
    ----------
    name : as printed.
    key : as in file names.
    options : of the recipe.
    activations : kinds of the activations, each a column, and whether the pancreas has it.
    claim : trained from :data:`SEEDS` seeds.
    published : the line of the paper's table it stands beside.
    """

    name: str
    key: str
    options: dict
    activations: tuple[str, ...] = ("relu",)
    claim: bool = False
    published: str | None = None


_REAL = "real"
"""Key of the row of the networks that all others start from."""

_WIDE = {"first_wbits": 16, "last_wbits": 16}
_BOTH = ("relu", "tanh")

ROWS = (
    Row("float", "float", {"quantizer": "float"}, _BOTH, True, "full precision"),
    Row("float, not fine-tuned", _REAL, {}, _BOTH, True),
    Row("w16 a16", "w16a16", {"wbits": 16, "abits": 16, **_WIDE}, _BOTH, False, "Q8.8, Q8.8"),
    Row("w8 a8", "w8a8", {"wbits": 8, "abits": 8}, _BOTH, False, "Q8.0, Q0.8"),
    Row("w4 a6", "w4a6", {"wbits": 4, "abits": 6}, _BOTH, True, "Q6.0, Q0.4"),
    Row("w2 a4", "w2a4", {"wbits": 2, "abits": 4}, ("relu",), True, "Q4.0, Q0.2"),
    Row("ternary, a6", "t_a6", {"quantizer": "ternary", "abits": 6}, ("relu",), True),
    Row("ternary, ternary tanh", "t_t", {"quantizer": "ternary"}, ("ternary",), True,
        "TernaryNet"),
    Row("binary, a6", "b_a6", {"quantizer": "binary", "abits": 6}, ("relu",)),
    Row("binary, sign", "b_sign", {"quantizer": "binary"}, ("sign",), True, "BNN"),
    Row("INQ 7 bits, a8", "inq7", {"quantizer": "inq", "wbits": 7}),
    Row("INQ 5 bits, a8", "inq5", {"quantizer": "inq", "wbits": 5}),
    Row("paper Q6.0, Q0.4", "paper64", {"quantizer": "paper", "wbits": 4, "abits": 6}, _BOTH,
        False, "Q6.0, Q0.4"),
    Row("paper Q4.0, Q0.2", "paper42", {"quantizer": "paper", "wbits": 2, "abits": 4}, _BOTH,
        False, "Q4.0, Q0.2"),
)


def job(dataset: str, row: Row, activation: str, seed: int) -> Job:
    """The training of one cell; cells of one seed and real activation share their float net."""
    epochs, qat_epochs = EPOCHS[dataset]
    common = {
        "base_channels": BASE_CHANNELS, "epochs": epochs, "qat_epochs": qat_epochs, "seed": seed
    }
    real = "relu" if activation == "relu" else "tanh"
    source = Job(
        f"{dataset}_real_{real}_s{seed}",
        dataset,
        common | {"quantizer": "float", "activation": real, "qat_epochs": 0},
    )
    if row.key == _REAL:
        return source
    options = common | row.options | {"activation": activation}
    return Job(f"{dataset}_{row.key}_{activation}_s{seed}", dataset, options, source)


def planned(datasets=DATASETS) -> dict[tuple[Row, str, str], list[int]]:
    """(row, data set, activation) -> seeds: every cell of the table.

    Tanh columns are of EM and GM, as in the paper, and of one seed.
    """
    cells = {}
    for row in ROWS:
        for dataset in datasets:
            for activation in row.activations:
                if activation != "tanh":
                    cells[row, dataset, activation] = list(range(SEEDS if row.claim else 1))
                elif dataset != "pancreas":
                    cells[row, dataset, activation] = [0]
    return cells


def jobs(datasets=DATASETS) -> list[Job]:
    """Every training of the table, what matters most first.

    Seed 0 of the rows that carry a claim, of the others, then the claims' other seeds, then tanh.
    """
    cells = [(*cell, seed) for cell, seeds in planned(datasets).items() for seed in seeds]
    cells.sort(key=lambda cell: (cell[2] == "tanh", cell[3], not cell[0].claim))
    return [job(dataset, row, activation, seed) for row, dataset, activation, seed in cells]


def collect(work: Path, record: list[dict] = ()) -> list[dict]:
    """One entry per row, data set and activation: seeds, their scores and stored bits.

    Trainings that are neither finished below ``work`` nor on ``record`` are left out.

    Parameters
    ----------
    record : what an earlier call gave; its scores count where the recipe is still the same.
    """
    known = {
        (score.get("job"), score.get("recipe")): entry
        for entry in record for score in entry["scores"]
    }
    entries = []
    for (row, dataset, activation), seeds in planned().items():
        scores, bits, peak = [], None, None
        for seed in seeds:
            training = job(dataset, row, activation, seed)
            metrics = load_metrics(training, work)
            name = {"seed": seed, "job": training.name, "recipe": training.digest()}
            if metrics is not None:
                scores.append(name | _scores(metrics))
                bits, peak = metrics.get("stored_bits"), metrics.get("peak_activation_bits")
            elif entry := known.get((name["job"], name["recipe"])):
                scores += [score for score in entry["scores"] if score["seed"] == seed]
                bits, peak = entry["stored_bits"], entry["peak_activation_bits"]
        if scores and bits is None:
            bits, peak = _real_bits(training.recipe())
        if scores:
            entries.append({
                "row": row.name,
                "dataset": dataset,
                "activation": activation,
                "scores": scores,
                "stored_bits": bits,
                "peak_activation_bits": peak,
            })
    return entries


def recorded(entries: list[dict]) -> set[str]:
    """Names of the trainings that ``entries`` have the figures of."""
    return {score["job"] for entry in entries for score in entry["scores"]}


def _scores(metrics: dict) -> dict:
    """Dice per slice and per subject: of the golden model where there is one, else of torch."""
    return metrics["golden"]["whole"] if "golden" in metrics else metrics["torch"]


def _real_bits(recipe) -> tuple[dict, int]:
    """Stored and peak activation bits of a network that has no integer form."""
    topology = recipe.topology(1)
    paper = recipe.quantizer == "paper"
    return (
        parameter_bits(topology, PaperFormat(0, recipe.wbits) if paper else None),
        peak_activation_bits(topology, recipe.size, recipe.abits if paper else None),
    )
