"""The paper's network on a whole image, simulated with external memory, every layer compared."""

import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..checkpoint import load_checkpoint
from ..dataset import find_dataset
from ..errors import FxhwError
from ..graph import UNetTopology
from ..images import image_codes, read_image
from ..synthetic import make_sample
from .results import markdown_table, write_json, write_text
from .untrained import untrained_network

__all__ = ["write"]

SIZE = 200, 200
DEPTH = 3
LANES, BUS_BITS = 8, 64
WEIGHT_WORDS, LATENCY = 256, 40
ROW_WORDS = None
"""Words of a row of the line buffer; fewer than the network needs cut it into strips."""

_HEADING = [
    "layer", "result", "tiles", "compared", "wrong", "cycles", "estimated", "off", "array",
    "kB in", "kB out",
]


def write(
    base_channels: int,
    checkpoint: Path | None,
    work: Path,
    results: Path,
    progress: Callable[[str], None],
    lanes: int = LANES,
    bus_bits: int = BUS_BITS,
) -> tuple[bool, Path]:
    """Write ``paper_sim.json`` and ``paper_sim.md``, of other lanes or another bus
    ``paper_sim_16x16_128.md`` and the like; whether every code was right, and the page.

    Parameters
    ----------
    base_channels : of a network of random weights, where there is no checkpoint.
    checkpoint : the network.
    work : folder for what is generated and built.
    progress : called with a phrase, now and then.
    lanes : channels in, and out, per cycle.
    bus_bits : width of the AXI4 bus.
    """
    from ..cosim import Job, Timing, run_compiled
    from ..cosim.report import summarize
    from ..emit.bundle import write_bundle
    from ..plan import compile_network, design_for

    pixels, source = _picture()
    if checkpoint:
        network = load_checkpoint(checkpoint).resized(SIZE)
    else:
        topology = UNetTopology.doubling(base_channels, DEPTH)
        network = untrained_network(topology, _crop(pixels), 4, 6)
    image = _crop(network.prepare(image_codes(pixels, network.image)))
    design = design_for(
        network, lanes, lanes, WEIGHT_WORDS, bus_bits, memory="axi", address_bits=32,
        row_words=ROW_WORDS,
    )
    name = "paper_sim"
    if (lanes, bus_bits) != (LANES, BUS_BITS):
        name += f"_{lanes}x{lanes}_{bus_bits}"
    began, folder = _times(), work / name
    progress("generating")
    write_bundle(network, compile_network(network, design), folder, top="paper", force=True)
    generated = _times()
    result = run_compiled(
        folder,
        Job(network, image),
        timing=Timing(read_latency=LATENCY),
        cache=work / "cosim",
        progress=progress,
    )
    found = summarize(result) | {
        "network": "trained" if checkpoint else "random weights",
        "base_channels": network.convs[0].out_channels,
        "image": source,
        "memory_latency": LATENCY,
        "design": design.to_json(),
        "seconds": {
            what: {"real": after[0] - before[0], "processor": after[1] - before[1]}
            for what, before, after in (
                ("generate", began, generated),
                ("build, simulate and compare", generated, _times()),
            )
        },
    }
    write_json(found, results / f"{name}.json")
    write_text(_page(found), results / f"{name}.md")
    return result.passed, results / f"{name}.md"


def _times() -> tuple[int, int]:
    """Seconds by the clock, and of the processor's time that this and its children have had."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(time.monotonic()), round(sum(who.ru_utime + who.ru_stime for who in used))


def _picture() -> tuple[np.ndarray, str]:
    """Pixels of a real image where there is one, else of a synthetic one, and what they are."""
    try:
        dataset = find_dataset("em")
        name = dataset.ids("val")[0]
        return read_image(dataset.folder / "images" / f"{name}.png", 1), f"em val image {name}"
    except (FxhwError, IndexError):
        return make_sample(*SIZE, seed=0)[0], "synthetic image, seed 0"


def _crop(image: np.ndarray) -> np.ndarray:
    """The centre."""
    top, left = ((have - want) // 2 for have, want in zip(image.shape, SIZE))
    return image[top : top + SIZE[0], left : left + SIZE[1]]


def _page(found: dict) -> str:
    rows = [_row(layer) for layer in found["layers"]]
    bus = found["bus"]
    real, processor = (
        sum(part[what] for part in found["seconds"].values()) for what in ("real", "processor")
    )
    wrong = "every one right" if found["passed"] else "FAILED: " + "; ".join(found["problems"])
    off = found["cycles"] / found["estimate"] - 1
    design, size = found["design"], "x".join(map(str, found["size"]))
    return f"""# The paper's network, simulated

{found["base_channels"]} base channels, {DEPTH} levels, {found["network"]};
{size}, {found["image"]};
w{design["wbits"]} a{design["abits"]}, an array of 9x{design["pin"]}x{design["pout"]},
{design["bus_bits"]}-bit AXI4 bus,
{found["memory_latency"]} cycles from a read's address to its data.
The generated Verilog in Verilator, all codes compared with the golden model:
{found["compared"]:,} codes, {wrong}. It took
{processor} seconds of processor time, {real} by the clock.
`make sim-paper`

- {found["cycles"]:,} cycles from START, {found["estimate"]:,} estimated ({off:+.2%}).
- Array: {bus["utilization"]:.2%} of its multipliers at useful work from the first request to the
  last write ({bus["cycles"]:,} cycles).
- Memory: {bus["read_bytes"] / 1e6:.1f} MB in, {bus["write_bytes"] / 1e6:.1f} MB out.

{markdown_table(_HEADING, rows)}
"""


def _row(layer: dict) -> list[str]:
    row = [layer["name"], "x".join(map(str, layer["size"]))]
    counts = [f"{layer['compared']:,}", f"{layer['wrong']:,}"]
    if not layer["tiles"]:
        return [*row, "", *counts, *[""] * (len(_HEADING) - 5)]
    off = layer["cycles"] / layer["estimate"] - 1
    return [
        *row, str(layer["tiles"]), *counts, f"{layer['cycles']:,}", f"{layer['estimate']:,}",
        f"{off:+.2%}", f"{layer['utilization']:.2%}",
        *(f"{layer[name] / 1e3:,.0f}" for name in ("read_bytes", "write_bytes")),
    ]  # fmt: skip
