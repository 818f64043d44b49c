"""The paper's network on two parts: what its accelerator takes there, and how fast it would be."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..emit import write_bundle
from ..emit.sources import fingerprint
from ..errors import FxhwError, ToolError
from ..estimate import forecast_network
from ..graph import Network, UNetTopology, outline_network
from ..plan import Design, compile_network, design_for
from ..published import ACCELERATORS
from ..synth import content, find_target, misfit, shares, synthesize
from ..synth.netlist import load_netlist
from ..synth.nextpnr import DEVICES, find_device, place
from .results import markdown_table, read_json, write_json, write_text

__all__ = ["VARIANTS", "Variant", "write"]

CLOCK = 125e6
"""Hz; what the report states rates at, beside the clock that was reached."""

BASE_CHANNELS, DEPTH, SIZE = 64, 3, (200, 200)
LANES, WEIGHT_WORDS, BUS_BITS, LATENCY = 8, 256, 64, 40

SEED = 1

_CLASSES = ("LUT", "FF", "DSP", "block RAM")

_SOURCES = (
    "emit", "estimate", "fixed", "gateware", "graph", "plan", "synth", "studies/paper_fit",
)
"""What a record depends on, beside its design."""


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

    def plan(self) -> tuple[Network, Design]:
        """The network and its accelerator."""
        # What weights there are does not matter to the accelerator: they lie in external memory.
        network = outline_network(UNetTopology.doubling(BASE_CHANNELS, DEPTH), SIZE, 4, 6)
        return network, design_for(
            network, LANES, LANES, WEIGHT_WORDS, BUS_BITS, memory="axi", address_bits=32,
            style=self.style, target=find_target(self.part).family, pixels=self.pixels,
            dsps=self.dsps,
        )


VARIANTS = (
    Variant("ecp5-85k", "lut"),
    Variant("ecp5-85k", "mixed", 1, 156),
    Variant("xczu3eg", "lut"),
    Variant("xczu3eg", "mixed", 2, 360),
)


def write(
    work: Path,
    results: Path,
    progress: Callable[[str], None],
    wanted=VARIANTS,
    pnr: bool = True,
) -> None:
    """Write ``paper_fit.json`` and ``paper_fit.md``.

    What ``work`` has of an earlier call is not done again, unless the sources have changed since;
    then what is left out of ``wanted`` is left out of the results, too.

    Parameters
    ----------
    work : folder for what is generated, and for a record of each variant's synthesis and placement.
    progress : called with a phrase, now and then.
    wanted : variants that are measured where there is no record of them.
    pnr : whether those are placed and routed, too.

    Raises
    ------
    FxhwError naming the variant and the log if a tool fails.
    """
    folder = work / "paper_fit"
    placeable = [variant for variant in wanted if pnr and variant.part in DEVICES]
    for variant in placeable:
        find_device(find_target(variant.part))  # refused before an hour of synthesis
    for to_place in ([], placeable):  # what takes longest comes last
        found = []
        for variant in VARIANTS:
            fit = _fit(variant, folder, progress, variant in wanted)
            speed = _speed(variant, folder, progress, variant in to_place)
            if fit is not None:
                found.append(fit | speed)
        write_json(found, results / "paper_fit.json")
        write_text(_page(found), results / "paper_fit.md")


def _fit(variant: Variant, folder: Path, progress: Callable, wanted: bool) -> dict | None:
    """What a variant takes and how many cycles an image takes it; None if there is no record."""
    network, design = planned = variant.plan()
    target = find_target(variant.part)

    def synthesized(generated: Path, netlist: Path) -> dict:
        progress(f"{variant.name}: synthesizing")
        resources = synthesize(generated, target, _blocks(variant), netlist)
        return {
            "used": target.used(resources.classes),
            "share": shares(resources),
            "misfit": misfit(resources),
            "cells": resources.cells,
        }

    where = folder / variant.name
    found = _recorded(variant, *planned, where, synthesized, progress, wanted)
    if found is None:
        return None
    forecast = forecast_network(network, design, CLOCK, LATENCY)
    return found | {
        "part": variant.part,
        "title": target.title,
        "design": design.to_json(),
        "macs_per_cycle": design.macs_per_cycle,
        "macs": forecast.macs,
        "cycles": forecast.cycles,
    }


def _speed(variant: Variant, folder: Path, progress: Callable, wanted: bool) -> dict:
    """The clock that a variant reaches, None if there is no record of it."""
    unknown = {"fmax_mhz": None}
    if variant.part not in DEVICES:
        return unknown
    target = find_target(variant.part)

    def placed(generated: Path, netlist: Path) -> dict:
        progress(f"{variant.name}: synthesizing what is to be placed")
        synthesize(generated, target, _blocks(variant), netlist)
        placement = place(
            load_netlist(netlist, _TOP), target, seed=SEED, goal=CLOCK / 1e6,
            progress=lambda line: progress(f"{variant.name}: placing: {line[:60]}"),
        )
        return {"fmax_mhz": round(placement.fmax, 2), "placement": placement.to_json()}

    where = folder / f"{variant.name}_placed"
    return _recorded(variant, *variant.plan(), where, placed, progress, wanted) or unknown


_TOP = "paper"


def _blocks(variant: Variant) -> bool:
    """Whether a variant's multiplications may go into multiplier blocks."""
    return variant.style != "lut"


def _recorded(
    variant: Variant,
    network: Network,
    design: Design,
    folder: Path,
    measure: Callable[[Path, Path], dict],
    progress: Callable[[str], None],
    wanted: bool,
) -> dict | None:
    """What ``measure`` finds out about the design generated in ``folder``.

    A record beside the folder is of this design and of these sources, or it is none.  Where only
    the sources are others, and what they generate is the same, its figures stay.
    """
    record = folder.with_name(f"{folder.name}.json")
    text = json.dumps([design.to_json(), network.size, CLOCK, SEED, fingerprint(_SOURCES)])
    key = hashlib.sha256(text.encode()).hexdigest()
    entry = read_json(record, {})
    if entry.get("key") == key:
        return entry["found"]
    if not wanted:
        return None
    progress(f"{folder.name}: generating")
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(network, compile_network(network, design), folder, top=_TOP, force=True)
    made = content(folder, find_target(variant.part), _blocks(variant))
    if entry.get("content") != made:
        with tempfile.TemporaryDirectory(prefix="fxhw-") as temporary:
            try:
                entry = {"content": made, "found": measure(folder, Path(temporary) / "netlist")}
            except ToolError as error:
                log = folder.with_name(f"{folder.name}.log")
                write_text(error.output, log)
                raise FxhwError(f"{folder.name}: {error}; all it said is in {log}") from error
    write_json(entry | {"key": key}, record)
    return entry["found"]


def _page(found: list[dict]) -> str:
    rows = []
    for entry in found:
        design, used, share = entry["design"], entry["used"], entry["share"]
        frames, fmax = CLOCK / entry["cycles"], entry["fmax_mhz"]
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
                f"{fmax:.0f}" if fmax else "",
                f"{frames * fmax * 1e6 / CLOCK:.2f}" if fmax else "",
            ]
        )
    assumed = f"{CLOCK / 1e6:.0f} MHz"
    heading = [
        "part, style, array", "LUT", "FF", "DSP", "block RAM", "fits", "peak GOPS", "GOPS",
        "GOPS/kLUT", f"frames/s at {assumed}", "MHz routed", "frames/s there",
    ]
    return f"""# The paper's network on FPGAs

{BASE_CHANNELS} base channels, {DEPTH} levels, {"x".join(map(str, SIZE))}, w4 a6; \
{BUS_BITS}-bit AXI4 bus to external memory,
{WEIGHT_WORDS} weight words a step, {LATENCY} cycles from a read's address to its data.
`make paper-fit`

{markdown_table(heading, rows)}

- Resources are Yosys's, of the whole accelerator without its memory controller; LUT counts places,
  those that carry cells and LUT RAM take included.
- GOPS and frames per second assume {assumed}, a multiply-accumulate being two
  operations.  They come from the cycles that `fxhw estimate` forecasts, not from a board.
- MHz routed is what nextpnr reaches with the whole accelerator (seed {SEED}, ports between shift
  registers).  No open place and route takes UltraScale+.
- GOPS counts useful operations alone; peak GOPS is what the main array could do.
- mixed is the style that keeps to the part's multiplier blocks and makes the rest of LUTs.

## Beside others

Rates that others' abstracts give. Networks, images and parts differ, so they tell an order of
magnitude and nothing about which design is better; the paper itself gives none for FPGAs.

{markdown_table(["network", "board", "rate", "source"], [list(row) for row in ACCELERATORS])}
"""
