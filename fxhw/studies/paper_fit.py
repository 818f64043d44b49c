"""The paper's network on two parts: what its accelerator takes there, and how fast it would be."""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager
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
            if fit is not None:
                speed = _speed(variant, fit["content"], folder, progress, variant in to_place)
                found.append(fit["found"] | speed)
        write_json(found, results / "paper_fit.json")
        write_text(_page(found), results / "paper_fit.md")


_TOP = "paper"


def _fit(variant: Variant, folder: Path, progress: Callable, wanted: bool) -> dict | None:
    """What a variant takes and how many cycles an image takes it, and the hash of what was
    synthesized; None if there is no record.

    A record is of this design and of these sources, or it is none.  Where only the sources are
    others, and what they generate is the same, its figures stay.
    """
    network, design = variant.plan()
    target, blocks = find_target(variant.part), variant.style != "lut"
    generated, record = folder / variant.name, folder / f"{variant.name}.json"
    text = json.dumps([design.to_json(), network.size, fingerprint(_SOURCES)])
    key = hashlib.sha256(text.encode()).hexdigest()
    entry = read_json(record, {})
    if entry.get("key") != key:
        if not wanted:
            return None
        progress(f"{variant.name}: generating")
        folder.mkdir(parents=True, exist_ok=True)
        write_bundle(network, compile_network(network, design), generated, top=_TOP, force=True)
        made, netlist = content(generated, target, blocks), _netlist(variant, folder)
        if entry.get("content") != made or not netlist.is_dir():
            progress(f"{variant.name}: synthesizing")
            shutil.rmtree(netlist, ignore_errors=True)
            with _log_of(variant.name, folder):
                resources = synthesize(generated, target, blocks, netlist)
            entry = {
                "content": made,
                "used": target.used(resources.classes),
                "share": shares(resources),
                "misfit": misfit(resources),
                "cells": resources.cells,
            }
        write_json(entry | {"key": key}, record)
    forecast = forecast_network(network, design, CLOCK, LATENCY)
    found = {name: entry[name] for name in ("used", "share", "misfit", "cells")} | {
        "part": variant.part,
        "title": target.title,
        "design": design.to_json(),
        "macs_per_cycle": design.macs_per_cycle,
        "macs": forecast.macs,
        "cycles": forecast.cycles,
    }
    return {"content": entry["content"], "found": found}


def _speed(variant: Variant, made: str, folder: Path, progress: Callable, wanted: bool) -> dict:
    """The clock that a variant reaches, None if there is no record of it; ``made`` is the hash of
    what was synthesized."""
    record, key = folder / f"{variant.name}_placed.json", [made, SEED, CLOCK]
    entry = read_json(record, {})
    if entry.get("key") != key:
        if not wanted:
            return {"fmax_mhz": None}
        with _log_of(f"{variant.name}_placed", folder):
            placement = place(
                load_netlist(_netlist(variant, folder), _TOP), find_target(variant.part),
                seed=SEED, goal=CLOCK / 1e6,
                progress=lambda line: progress(f"{variant.name}: placing: {line[:60]}"),
            )
        found = {"fmax_mhz": round(placement.fmax, 2), "placement": placement.to_json()}
        entry = {"key": key, "found": found}
        write_json(entry, record)
    return entry["found"]


def _netlist(variant: Variant, folder: Path) -> Path:
    """Where a variant's netlist stays, from synthesis to placement."""
    return folder / f"{variant.name}_netlist"


@contextmanager
def _log_of(name: str, folder: Path):
    """What a tool that fails said is kept, and its error says where."""
    try:
        yield
    except ToolError as error:
        log = folder / f"{name}.log"
        write_text(error.output, log)
        raise FxhwError(f"{name}: {error}; all it said is in {log}") from error


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
