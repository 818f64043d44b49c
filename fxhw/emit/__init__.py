"""Generated folders: Verilog, memory contents, program, manifest and documents.

:mod:`~fxhw.emit.yosys` runs Yosys, :mod:`~fxhw.emit.rtlil` edits what it reads,
:mod:`~fxhw.emit.verilog` makes the Verilog of a component, :mod:`~fxhw.emit.documents` the text
files, :mod:`~fxhw.emit.manifest` the JSON that describes them all, :mod:`~fxhw.emit.bundle` writes
the folder of an accelerator and :mod:`~fxhw.emit.block` that of one block alone.
"""

from .block import BLOCKS, write_block
from .bundle import write_bundle
from .manifest import changed_files, describe, load_manifest
from .verilog import emit_verilog
from .yosys import run_yosys

__all__ = [
    "BLOCKS",
    "changed_files",
    "describe",
    "emit_verilog",
    "load_manifest",
    "run_yosys",
    "write_block",
    "write_bundle",
]
