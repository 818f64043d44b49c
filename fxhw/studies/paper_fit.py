"""The paper's network on two parts: what its accelerator takes there, and how fast it would be."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..estimate import ExternalMemory, forecast_network
from ..graph import UNetTopology, outline_network
from ..plan import compile_network, design_for
from ..published import ACCELERATORS
from ..synth import find_target, misfit, shares, synthesize
from .results import markdown_table, read_json, write_json, write_text

__all__ = ["VARIANTS", "Variant", "write"]

CLOCK = 125e6
"""Hz; what the report states rates at."""

LANES, WEIGHT_WORDS, BUS_BITS, LATENCY = 8, 256, 64, 40

_CLASSES = ("LUT", "FF", "DSP", "block RAM")


@dataclass(frozen=True)
class Variant:
    """An accelerator for a part.

    Parameters
    ----------
    part : of :data:`fxhw.synth.TARGETS`.
    style, pixels, dsps : of the main array, see :class:`fxhw.plan.Design`.
    """

    part: str
    style: str
    pixels: int = 1
    dsps: int = 0

    @property
    def name(self) -> str:
        """As files are called."""
        return f"{self.part}_{self.style}_{self.pixels}"


VARIANTS = (
    Variant("ecp5-85k", "lut"),
    Variant("ecp5-85k", "mixed", 1, 156),
    Variant("xczu3eg", "lut"),
    Variant("xczu3eg", "mixed", 2, 360),
)


def write(
    work: Path, results: Path, progress: Callable[[str], None], wanted=VARIANTS
) -> None:
    """Write ``paper_fit.json`` and ``paper_fit.md``; what is in ``work`` is not done again.

    Parameters
    ----------
    work : folder for what is generated.
    progress : called with a phrase, now and then.
    """
    found = []
    for variant in VARIANTS:
        record = work / "paper_fit" / f"{variant.name}.json"
        entry = read_json(record, None)
        if entry is None and variant in wanted:
            progress(f"{variant.name}: generating and synthesizing")
            entry = _measure(variant, work / "paper_fit" / variant.name)
            write_json(entry, record)
        if entry is not None:
            found.append(entry)
    write_json(found, results / "paper_fit.json")
    write_text(_page(found), results / "paper_fit.md")


def _measure(variant: Variant, folder: Path) -> dict:
    from ..emit import write_bundle

    # What weights there are does not matter to the accelerator: they lie in external memory.
    network = outline_network(UNetTopology.doubling(64, 3), (200, 200), 4, 6)
    target = find_target(variant.part)
    design = design_for(
        network, LANES, LANES, WEIGHT_WORDS, BUS_BITS, memory="axi", address_bits=32,
        style=variant.style, target=target.family, pixels=variant.pixels, dsps=variant.dsps,
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(network, compile_network(network, design), folder, top="paper", force=True)
    blocks = variant.style != "lut"
    resources = synthesize(folder, target, blocks, folder.with_suffix(".netlist"))
    forecast = forecast_network(network, design, ExternalMemory(BUS_BITS, LATENCY), CLOCK)
    return {
        "part": variant.part,
        "title": target.title,
        "design": design.to_json(),
        "macs_per_cycle": design.macs_per_cycle,
        "used": target.used(resources.classes),
        "share": shares(resources),
        "misfit": misfit(resources),
        "cells": resources.cells,
        "macs": forecast.macs,
        "cycles": forecast.cycles,
    }


def _page(found: list[dict]) -> str:
    rows = []
    for entry in found:
        design, used, share = entry["design"], entry["used"], entry["share"]
        frames = CLOCK / entry["cycles"]
        gops = 2 * entry["macs"] * frames / 1e9
        array = f"9x{design['pin']}x{design['pout']}"
        pixels = design.get("pixels", 1)
        array += f"x{pixels}" if pixels > 1 else ""
        rows.append(
            [f"{entry['title']}, {design['style']}, {array}"]
            + [f"{used[kind]:,.0f} ({share[kind]:.0%})" for kind in _CLASSES]
            + [
                "no" if entry["misfit"] else "yes",
                f"{2 * entry['macs_per_cycle'] * CLOCK / 1e9:.0f}",
                f"{gops:.0f}",
                f"{gops / used['LUT'] * 1000:.1f}",
                f"{frames:.2f}",
            ]
        )
    heading = [
        "part, style, array", "LUT", "FF", "DSP", "block RAM", "fits", "peak GOPS", "GOPS",
        "GOPS/kLUT", "frames/s",
    ]
    return f"""# The paper's network on FPGAs

64 base channels, 3 levels, 200x200, w4 a6; {BUS_BITS}-bit AXI4 bus to external memory,
{WEIGHT_WORDS} weight words a step, {LATENCY} cycles from a read's address to its data.
`make paper-fit`

{markdown_table(heading, rows)}

- Resources are Yosys's, of the whole accelerator without its memory controller; LUT counts places,
  those that carry cells and LUT RAM take included.
- GOPS and frames per second assume {CLOCK / 1e6:.0f} MHz, a multiply-accumulate being two
  operations.  They come from the cycles that `fxhw estimate` forecasts, not from a board, and the
  clock is a goal, not a result of place and route.
- GOPS counts useful operations alone; peak GOPS is what the main array could do.
- mixed is the style that keeps to the part's multiplier blocks and makes the rest of LUTs.

## Beside others

Rates that others' abstracts give. Networks, images and parts differ, so they tell an order of
magnitude and nothing about which design is better; the paper itself gives none for FPGAs.

{markdown_table(["network", "board", "rate", "source"], [list(row) for row in ACCELERATORS])}
"""
