# amaranth: UnusedElaboratable=no

"""Readers and writers on one port: a full bus for all of them together, turns by weight."""

from collections import Counter

import pytest

from fxhw.gateware.bus_share import ReadShare, WriteShare
from fxhw.plan.bursts import BurstSpec

from .axi_memory import AxiMemory
from .bus_design import BusDesign
from .simulate import simulate_stream
from .test_burst_reader import expected_beats
from .test_burst_writer import words_of, written

SPEC = BurstSpec(8, 16)
SIZE = 1 << 15


def streams(ends):
    """Ends of all four blocks, those not given silent."""
    names = [f"reader{n}_commands" for n in range(2)]
    names += [f"writer{n}_{port}" for n in range(2) for port in ("commands", "i")]
    return {name: ends.get(name, []) for name in names}


def test_readers_fill_the_bus_and_take_turns_by_weight():
    """A beat per cycle at 40 cycles of latency, shared one to two."""
    memory = AxiMemory(SPEC, SIZE, latency=40, most=5)
    dut = BusDesign(SPEC, weights=(1, 2), depth=128, outstanding=7)
    commands = [[{"address": 8 * 400 * n, "beats": 400}] for n in range(2)]
    counts = {f"reader{n}_o": 400 for n in range(2)}
    run = simulate_stream(
        dut, streams({f"reader{n}_commands": commands[n] for n in range(2)}), counts,
        background=[memory.serve_reads(dut.bus)],
    )
    for n in range(2):
        assert run.outputs[f"reader{n}_o"] == expected_beats(memory, commands[n])
    cycles = sorted(run.given["reader0_o"] + run.given["reader1_o"])
    assert cycles[-1] - cycles[0] <= 800 + 4
    # While the second is not done, the first one's share is a third.
    assert Counter(memory.readers[6:36]) == {0: 10, 1: 20}


def test_writers_fill_the_bus():
    """Two writers: the cycle of one between bursts is the other's."""
    memory = AxiMemory(SPEC, SIZE, latency=20)
    dut = BusDesign(SPEC, weights=(1, 1), depth=64, outstanding=7)
    commands = [[{"address": 0x4000 * n + 3, "bytes": 8 * 300}] for n in range(2)]
    words = [words_of(SPEC, commands[n], seed=n) for n in range(2)]
    expected = memory.bytes
    for n in range(2):
        expected, _ = written(SPEC, expected, commands[n], words[n])
    ends = {f"writer{n}_commands": commands[n] for n in range(2)}
    ends |= {f"writer{n}_i": words[n] for n in range(2)}
    run = simulate_stream(
        dut, streams(ends), {}, surplus=400, background=[memory.serve_writes(dut.bus)]
    )
    assert memory.bytes == expected
    cycles = sorted(run.taken["writer0_i"] + run.taken["writer1_i"])
    assert cycles[-1] - cycles[0] < 602 + 10


@pytest.mark.parametrize("share", [ReadShare, WriteShare])
def test_refused_parameters(share):
    with pytest.raises(ValueError, match="3 clients of a bus need an ID each, but there are 2"):
        share(SPEC, (1, 1, 1), id_bits=1)
    with pytest.raises(ValueError, match="one per stream"):
        share(SPEC, (0, 1))
