"""One block of the accelerator by itself, for people who want only that."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ..plan import Design
from .documents import fusesoc_core, markdown_table
from .folder import write_folder
from .manifest import MANIFEST, SCHEMA, content_hash, tool_versions
from .names import is_name
from .verilog import emit_verilog

__all__ = ["BLOCKS", "Block", "write_block"]


@dataclass(frozen=True)
class Block:
    """A block that can be generated alone.

    Parameters
    ----------
    title : what it is.
    make : component of a design.
    works : multiply-accumulates per cycle of a design's block; 0 if it has none.
    """

    title: str
    make: Callable[[Design], object]
    works: Callable[[Design], int] = lambda design: 0


def _exact(spec):
    """An engine whose sums are exact: here no compiler makes up for what they have too much."""
    return replace(spec, may_exceed=False)


def _mac_array(design):
    from ..gateware.array_styles import make_array

    return make_array(_exact(design.main))


def _accumulating_array(design):
    from ..gateware.accumulating_array import AccumulatingArray

    return AccumulatingArray(_exact(design.main))


def _accumulators(design):
    from ..gateware.accumulators import Accumulators

    return Accumulators(design.main)


def _bursts(design):
    from ..plan.bursts import BurstSpec

    return BurstSpec(design.bus_bits // 8)


def _burst_reader(design):
    from ..gateware.burst_reader import BurstReader

    return BurstReader(_bursts(design), target=design.target)


def _burst_writer(design):
    from ..gateware.burst_writer import BurstWriter

    return BurstWriter(_bursts(design), target=design.target)


def _read_share(design):
    from ..gateware.bus_share import ReadShare

    return ReadShare(_bursts(design), weights=(1, 1))


def _write_share(design):
    from ..gateware.bus_share import WriteShare

    return WriteShare(_bursts(design), weights=(1, 1))


def _conv_engine(design):
    from ..gateware.conv_engine import ConvEngine

    return ConvEngine(_exact(design.main), design.bus_bits, banks=2)


def _first_conv(design):
    from ..gateware.conv_engine import ConvEngine

    return ConvEngine(_exact(design.front), design.bus_bits)


def _head(design):
    from ..gateware.head import Head

    return Head(design)


def _line_buffer(design):
    from ..gateware.line_buffer import LineBuffer

    return LineBuffer(design.main.word_bits, design.main.row_words, design.target)


def _max_pool(design):
    from ..gateware.max_pool import MaxPool

    signed = design.activation.twos_complement
    return MaxPool(
        design.abits,
        design.pout,
        design.pool_words,
        max_size=max(design.max_width, design.max_height),
        max_groups=design.max_groups_out,
        signed=signed,
        lut_ram=design.pool_in_lut_ram,
        target=design.target,
    )


def _requantizer(design):
    from ..gateware.requantizer import Requantizer

    return Requantizer(design.main.requantize, design.pixels * design.pout)


def _sequencer(design):
    from ..gateware.sequencer import Sequencer

    return Sequencer(design)


def _weight_store(design):
    from ..gateware.weight_store import WeightStore

    main = design.main
    return WeightStore(
        main.weight_bits, main.weight_words, design.bus_bits, banks=2, target=design.target
    )


def _window(design):
    from ..gateware.column_pairs import ColumnPairs
    from ..gateware.window import Window

    if design.pixels == 2:
        return ColumnPairs(design.main.word_bits, design.max_groups_in)
    return Window(design.main.word_bits, design.max_groups_in)


def _macs(design):
    return design.macs_per_cycle


BLOCKS = {
    "mac-array": Block("MAC array, products and adder trees", _mac_array, _macs),
    "accumulating-array": Block("MAC array with its accumulators", _accumulating_array, _macs),
    "accumulators": Block("output-stationary accumulators", _accumulators),
    "requantizer": Block("clamp/shift requantizer", _requantizer),
    "line-buffer": Block("line buffer, three rows of words", _line_buffer),
    "window": Block("3x3 windows with their border, or the columns of two pixels", _window),
    "weight-store": Block("double-buffered weight store", _weight_store),
    "max-pool": Block("2x2 max-pool on a stream", _max_pool),
    "conv-engine": Block("3x3 convolution engine", _conv_engine, _macs),
    "first-conv": Block(
        "convolution engine of the image", _first_conv, lambda d: d.front.macs_per_cycle
    ),
    "head": Block("1x1 convolution and threshold", _head),
    "sequencer": Block("layer sequencer", _sequencer),
    "burst-reader": Block("AXI4 burst reader", _burst_reader),
    "burst-writer": Block("AXI4 burst writer", _burst_writer),
    "read-share": Block("two readers on one AXI4 port", _read_share),
    "write-share": Block("two writers on one AXI4 port", _write_share),
}
"""The blocks by name."""


def write_block(
    name: str, design: Design, folder: str | os.PathLike, *, top: str, force: bool = False,
    component=None,
) -> dict:
    """Generate block ``name`` as ``design`` has it into ``folder``; all of it or nothing.

    Equal arguments give equal bytes.

    Parameters
    ----------
    name : of :data:`BLOCKS`.
    top : name of the top module.
    force : replace a folder even if it was not generated.
    component : the block otherwise than ``design`` alone says.

    Returns
    -------
    The manifest.

    Raises
    ------
    FxhwError if the folder cannot be written or must not be replaced.
    """
    return write_folder(
        folder, force, lambda temporary: _fill(name, design, temporary, top, component)
    )


def _fill(name: str, design: Design, folder: Path, top: str, component) -> dict:
    block = BLOCKS[name]
    component = component or block.make(design)
    ports = _ports(component)
    header = f"{top}: {block.title}; generated by fxhw, see {MANIFEST}"
    emitted = emit_verilog(component, top, header)
    texts = {
        f"{top}.v": ("Verilog", emitted.verilog),
        "ports.md": ("ports", _ports_page(top, block, component, ports)),
        f"{top}.core": ("FuseSoC core", fusesoc_core(top, sorted(emitted.memories))),
    }
    for file, text in emitted.memories.items():
        use = "synthesis" if file.endswith(".vh") else "$readmemh"
        texts[file] = (f"memory contents, for {use}", text)
    files = {}
    for file, (role, text) in sorted(texts.items()):
        data = text.encode()
        (folder / file).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        files[file] = {"role": role, "bytes": len(data), "sha256": digest}
    manifest = {
        "schema": SCHEMA,
        "block": name,
        "top": top,
        "tools": tool_versions(),
        "design": design.to_json(),
        "macs_per_cycle": block.works(design),
        "latency": getattr(component, "latency", None),
        "ports": ports,
        "files": files,
    }
    manifest["content_hash"] = content_hash(manifest)
    text = json.dumps(manifest, indent=1) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return manifest


def _ports(component) -> list[dict]:
    """Name in the Verilog, direction and width of each port, clock and reset first."""
    from amaranth.hdl import Shape
    from amaranth.lib.wiring import In

    ports = [{"name": name, "direction": "in", "width": 1} for name in ("clk", "rst")]
    for path, member, value in component.signature.flatten(component):
        ports.append({
            "name": "__".join(str(part) for part in path),
            "direction": "in" if member.flow is In else "out",
            "width": Shape.cast(value.shape()).width,
        })
    return ports


def _ports_page(top: str, block: Block, component, ports: list[dict]) -> str:
    """Ports and behaviour in Markdown."""
    rows = [("port", "direction", "bits")]
    rows += [(port["name"], port["direction"], port["width"]) for port in ports]
    escaped = ", ".join(f"`\\{p['name']} `" for p in ports if not is_name(p["name"]))
    keywords = f"Keywords of Verilog are escaped there: {escaped}.\n\n" if escaped else ""
    latency = getattr(component, "latency", None)
    known = f"Latency: {latency} cycles.\n\n" if latency is not None else ""
    return (
        f"# Ports of {top}\n\n{block.title.capitalize()}. One clock, `clk`; `rst` is synchronous "
        "and high. Ports `x__payload`,\n`x__valid` and `x__ready` are a stream: a word passes in "
        "each cycle with valid and ready, and valid\nand its payload stay until then. Arrays lie "
        f"lowest index first.\n\n{keywords}{known}{markdown_table(rows)}"
    )
