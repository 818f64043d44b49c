"""Results as CSV and as Markdown."""

import csv
import io

from ..emit.documents import markdown_table
from .accuracy import KINDS
from .pareto import pareto_front
from .point import Point

__all__ = ["HOW", "fronts", "grouped", "to_csv", "to_markdown"]

HOW = {
    "size": "Size: Yosys, out of context, no placement, without multiplier blocks for the styles "
    "generic and lut. An array is the 9 x pin x pout multipliers, of two pixels twice as many, "
    "with adder trees and accumulators, as the accelerator has it. Area counts look-up tables "
    "with the places that carry cells take, for ASIC gates NAND2-equivalents. Output lanes of an "
    "array are alike: its size is that of one and two lanes, continued on their line; accelerators "
    "are synthesized whole.",
    "cycles": "Cycles: the planner's estimate, from the first image word to the last of the mask, "
    "which co-simulation confirms; frames per second at the clock stated, whatever the design "
    "reaches.",
    "energy": "Energy: an estimate. Operations and memory bits counted from the plan times the "
    "45 nm figures of M. Horowitz (ISSCC 2014), additions scaled by width, multiplications by the "
    "product of the widths, powers of two as if they were that wide, memory bits by the memory's "
    "size; arrays by operations alone, "
    "accelerators with their memories. It compares designs; it is not what an FPGA draws.",
    "dice": "Dice: foreground, mean over whole images of val, from the source named. A network "
    "not trained at its widths scores less than it could; where no figure is known there is none.",
    "front": "Front: points that no other of the same target, kind and lanes is smaller than and "
    "as good as; those with multiplier blocks, which area does not count, have one of their own. "
    "What is less than a point better than answering foreground everywhere is left "
    "out: it has learnt nothing.",
    "paper": "The paper's points are its own dice, of another split, drawn at the area that the "
    "array here takes at the bits its formats are named after.",
}
"""How each figure came about."""


def to_csv(results: dict) -> str:
    """A line per point."""
    kinds = sorted({kind for record in results["points"] for kind in record["classes"]})
    heading = [
        "target", "scope", "style", "pin", "pout", "pixels", "wbits", "abits", "weights",
        "activations", "area", "area_unit",
        "area_per_mac", *kinds, "cycles", "frames_per_second", "utilization", "memory_bits",
        "energy_nj", "dice", "dice_background", "dice_kind", "dice_source", "basis",
    ]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(heading)
    for record in results["points"]:
        dice = record["dice"] or {}
        values = record["point"] | record | {
            "energy_nj": record["energy_total_nj"],
            "dice": dice.get("foreground"),
            "dice_background": dice.get("background"),
            "dice_kind": dice.get("kind"),
            "dice_source": dice.get("source"),
        } | record["classes"]
        writer.writerow([_plain(values.get(name)) for name in heading])
    return file.getvalue()


def to_markdown(results: dict) -> str:
    """Tables by target and scope, each with its front, and how the figures came about."""
    network = results["network"]
    height, width = network["size"]
    parts = [
        "# Area against dice\n\n"
        f"Network {network['name']}, {height}x{width}, {network['macs']:,} MAC per image, with "
        f"other weights and activations for every point; dice of {results['dataset']}; "
        f"{results['clock_mhz']:g} MHz.\n"
        "Points in bold are on their front: none is smaller and as good.\n"
        "Made by `fxhw sweep`; the [page](sweep.html) sorts and filters the same, "
        "[sweep.json](sweep.json) and [sweep.csv](sweep.csv) hold everything.\n\n"
        "![area against dice](sweep.svg)\n"
    ]
    best = {record["name"] for front in fronts(results).values() for record in front}
    for (target, scope, lanes), records in grouped(results).items():
        unit = records[0]["area_unit"]
        rows = [(
            "widths", "style", f"{unit}", f"{unit} per MAC", "FF", "DSP", "block RAM",
            "cycles", "frames/s", "energy, uJ", "dice", "dice is of a network",
        )]
        rows += [_row(record, record["name"] in best) for record in records]
        title = "Arrays" if scope == "array" else "Whole accelerators"
        parts.append(f"## {title}, {target}, {lanes} lanes\n\n{markdown_table(rows)}")
    if results["failed"]:
        rows = [("point", "reason")]
        for failure in results["failed"]:
            point = Point(**failure["point"])
            words = point.target, point.scope, point.style, point.lanes, point.operands.name
            rows.append((" ".join(words), failure["reason"]))
        parts.append(f"## Failed\n\n{markdown_table(rows)}")
    sources = sorted({r["dice"]["source"] for r in results["points"] if r["dice"]})
    constant = results["constant_dice"]
    if constant is not None:
        parts[0] += f"\nForeground everywhere would score {constant:.2f}.\n"
    notes = [*HOW.values()] + ([f"Dice from: {'; '.join(sources)}."] if sources else [])
    parts.append("## How\n\n" + "".join(f"- {note}\n" for note in notes))
    return "\n".join(parts)


def fronts(results: dict) -> dict[tuple[str, str, str, bool], list[dict]]:
    """(target, scope, lanes, whether with multiplier blocks) -> records on the front of area
    against dice."""
    return {
        (*group, blocks): pareto_front(
            [
                record for record in records
                if record["dice"]
                and is_better(record, results)
                and (record["classes"].get("DSP", 0) > 0) == blocks
            ],
            lambda record: record["area"],
            lambda record: record["dice"]["foreground"],
        )
        for group, records in grouped(results).items()
        for blocks in (False, True)
    }


def is_better(record: dict, results: dict) -> bool:
    """Whether a record's dice is a point or more above that of a constant answer, if known."""
    constant = results["constant_dice"]
    return constant is None or record["dice"]["foreground"] >= constant + 1


def grouped(results: dict) -> dict[tuple[str, str, str], list[dict]]:
    """(target, scope, lanes) -> records that compare: as fast, of the same part."""
    groups: dict[tuple[str, str, str], list[dict]] = {}
    for record in results["points"]:
        point = record["point"]
        group = point["target"], point["scope"], record["lanes"]
        groups.setdefault(group, []).append(record)
    return groups


def _row(record: dict, best: bool) -> tuple[str, ...]:
    point, classes, dice = record["point"], record["classes"], record["dice"]
    bits = record["operands"]
    score = "" if dice is None else f"{dice['foreground']:.2f}"
    return (
        f"**{bits}**" if best else bits,
        point["style"],
        f"{record['area']:,.0f}",
        f"{record['area_per_mac']:.2f}",
        *(f"{classes[k]:,.10g}" if k in classes else "" for k in ("FF", "DSP", "block RAM")),
        f"{record['cycles']:,}",
        f"{record['frames_per_second']:,.1f}",
        f"{record['energy_total_nj'] / 1000:,.4g}",
        f"**{score}**" if best else score,
        "" if dice is None else KINDS[dice["kind"]],
    )


def _plain(value):
    """Whole numbers without a point."""
    return int(value) if isinstance(value, float) and value == int(value) else value
