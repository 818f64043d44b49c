# amaranth: UnusedElaboratable=no
"""Verilog of small components."""

import gc
import re
import shutil
import subprocess

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from fxhw.cosim.simulators import lint
from fxhw.emit import emit_verilog
from fxhw.emit.yosys import run_yosys
from fxhw.errors import FxhwError
from fxhw.gateware.stream import StreamFifo


class Blend(wiring.Component):
    """A table, a memory and a queue: every construct that the emission treats specially."""

    def __init__(self, words=(3, 1, 4)):
        self._words = words
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "address": In(3),
                "data": In(8),
                "write": In(1),
                "queued": Out(9),
                "sum": Out(9),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.table = table = memory.Memory(shape=8, depth=8, init=self._words)
        m.submodules.store = store = memory.Memory(shape=8, depth=8, init=[])
        m.submodules.queue = queue = StreamFifo(9, 4)
        read, write = table.read_port(), store.write_port()
        back = store.read_port()
        m.d.comb += [
            read.addr.eq(self.address),
            back.addr.eq(self.address),
            write.addr.eq(self.address),
            write.data.eq(self.data),
            write.en.eq(self.write),
            self.sum.eq(read.data + back.data),
            queue.i.payload.eq(self.sum),
            queue.i.valid.eq(1),
            queue.o.ready.eq(1),
            self.queued.eq(queue.o.payload),
        ]
        return m


@pytest.fixture(scope="module")
def emitted():
    return emit_verilog(Blend(), "blend", "A test.")


def test_equal_components_give_equal_text(emitted):
    assert emit_verilog(Blend(), "blend", "A test.") == emitted


def test_every_module_starts_with_the_top(emitted):
    modules = re.findall(r"^module (\S+?)\(", emitted.verilog, re.M)
    assert modules[0] == "blend"
    assert set(modules) == {"blend", "blend_queue"}


def test_contents_lie_in_files(emitted):
    assert emitted.memories == {"table.mem": "03\n01\n04\n" + "00\n" * 5}
    assert emitted.verilog.count("$readmemh") == 1
    assert '  initial $readmemh("table.mem", \\table );' in emitted.verilog


def test_zeros_leave_a_memory_alone(emitted):
    assert re.search(r"reg \[7:0\] store \[7:0\];\n  always", emitted.verilog)


def test_no_combinational_process_is_left(emitted):
    assert "always @*" not in emitted.verilog
    assert "always @(*)" not in emitted.verilog


def test_header_comes_first(emitted):
    assert emitted.verilog.startswith("// A test.\n")


@pytest.mark.cosim
def test_verilator_has_nothing_to_say(emitted, tmp_path):
    path = tmp_path / "blend.v"
    path.write_text(emitted.verilog)
    assert lint(path) == []


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus is not installed")
def test_icarus_compiles_it_as_verilog_2001(emitted, tmp_path):
    path = tmp_path / "blend.v"
    path.write_text(emitted.verilog)
    subprocess.run(
        ["iverilog", "-g2001", "-Wall", "-o", tmp_path / "blend.vvp", path], check=True
    )


@pytest.mark.parametrize("name", ["4bit", "a b", "", "small"])
def test_a_top_that_is_no_name_is_refused(name):
    with pytest.raises(FxhwError, match=f"cannot be called {name!r}"):
        emit_verilog(Blend(), name)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled, monkeypatch):
    """Also where a component cannot be elaborated."""
    monkeypatch.setattr(Blend, "elaborate", lambda *_: 1 // gc.isenabled())
    if not enabled:
        gc.disable()
    try:
        with pytest.raises(ZeroDivisionError):  # because it is paused meanwhile
            emit_verilog(Blend(), "blend")
        assert gc.isenabled() == enabled
    finally:
        gc.enable()


def test_yosys_errors_become_sentences(tmp_path):
    with pytest.raises(FxhwError, match=r"status 1; it said: ERROR: .*nonsense"):
        run_yosys("nonsense\n", tmp_path)
    assert list(tmp_path.iterdir()) == []
