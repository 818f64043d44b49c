"""The paper's 64-channel network on EM: one epoch of each kind, its time and memory."""

import resource
import time
from pathlib import Path

from .results import markdown_table, write_json, write_text

__all__ = ["write"]


def write(work: Path, results: Path) -> None:
    """Write ``full_size.json`` and ``full_size.md``."""
    from ..dataset import find_dataset
    from ..train.loop import train
    from ..train.presets import preset

    began, marks = time.monotonic(), []
    recipe = preset("em", base_channels=64, epochs=1, qat_epochs=1, size=(200, 200), crop=200)
    work.mkdir(parents=True, exist_ok=True)
    result = train(
        find_dataset("em"), recipe, work / "em_full_size.safetensors",
        progress=lambda epoch: marks.append((epoch.phase, time.monotonic(), epoch.loss)),
    )
    rows = []
    for phase, end, loss in marks:
        rows.append({"phase": phase, "seconds": end - began, "loss": loss})
        began = end
    found = {
        "epochs": rows,
        "peak_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "parameters": sum(conv.codes.size for conv in result.network.convs),
        "stored_bits": result.network.stored_bits(),
    }
    write_json(found, results / "full_size.json")
    table = markdown_table(
        ["epoch", "seconds", "loss"],
        [[row["phase"], f"{row['seconds']:.0f}", f"{row['loss']:.3f}"] for row in rows],
    )
    write_text(
        f"""# The paper's network trains

EM, 64 base channels, 200x200 crops, batch 4, one epoch of {_crops()} crops with real numbers and
one quantized (w4 a6), on the CPU, validation included. {found['parameters']:,} weights in the
convolutions; at most {found['peak_memory_gib']:.1f} GiB of memory.
`python -m fxhw.studies full-size`

{table}
""",
        results / "full_size.md",
    )


def _crops() -> int:
    return 20 * -(-512 * 512 // (200 * 200))
