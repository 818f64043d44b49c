"""The energy model: the published figures, and what lies between them."""

import pytest

from fxhw.plan import compile_network, design_for
from fxhw.sweep.energy import EnergyModel, Work
from fxhw.sweep.work import count_work
from tests.networks import random_network


def test_published_figures_come_out():
    model = EnergyModel()
    assert model.addition(8) == pytest.approx(0.03)
    assert model.addition(32) == pytest.approx(0.1)
    assert model.multiplication(8, 8) == pytest.approx(0.2)
    assert model.multiplication(32, 32) == pytest.approx(3.1)
    for kib, energy in ((8, 10), (32, 20), (1024, 100)):
        assert model.access(kib * 8192, 64) == pytest.approx(energy)


def test_between_and_beyond_them():
    model = EnergyModel()
    assert model.multiplication(4, 6) == pytest.approx(0.2 * 24 / 64)
    assert model.addition(4) == pytest.approx(0.015)
    assert model.access(100, 64) == pytest.approx(10)
    assert model.access(8 * 8192, 6) == pytest.approx(10 * 6 / 64)
    grid = [model.multiplication(w, a) for w in range(1, 9) for a in (w, w + 1)]
    assert all(low < high for low, high in zip(grid, grid[1:]))
    sums = [model.addition(bits) for bits in range(1, 60)]
    assert all(low < high for low, high in zip(sums, sums[1:]))
    sizes = [model.access(size << 13, 64) for size in (8, 16, 32, 64, 1024, 4096)]
    assert all(low < high for low, high in zip(sizes, sizes[1:]))


def test_work_is_added_up():
    work = Work(((8, 8, 10),), ((32, 100), (8, 1)), (("a", 8 << 13, 64), ("a", 8 << 13, 128)))
    energy = EnergyModel().compute(work)
    assert energy == pytest.approx({"multiply": 2.0, "add": 10.03, "a": 30.0})
    assert EnergyModel().compute(work.arithmetic()) == pytest.approx(
        {"multiply": 2.0, "add": 10.03}
    )
    assert Work.from_json(work.to_json()) == work


@pytest.mark.parametrize(("pin", "pout"), [(2, 2), (1, 4), (3, 2)])
def test_work_of_a_plan(pin, pout):
    """Counted again from the network's tensors, not from descriptors."""
    network = random_network(3, (3, 5), (6, 10), 3, 5)
    design = design_for(network, pin, pout)
    plan = compile_network(network, design)
    work = count_work(network, plan)
    assert sum(n for *_, n in work.multiplications) == sum(network.macs().values())
    assert {(w, a) for w, a, _ in work.multiplications} == {(8, 8), (3, 5), (8, 5)}

    tensors = network.tensors()
    uses = reads = 0
    for conv in network.convs[1:]:
        producer = network.producer(conv.input)
        names = getattr(producer, "inputs", [conv.input])
        groups = sum(-(-tensors[name].channels // pin) for name in names)
        pixels = tensors[conv.output].height * tensors[conv.output].width
        uses += pixels * groups * -(-conv.out_channels // pout)
        if conv is not network.convs[1]:
            reads += pixels * groups
    memories = {name: bits for name, _, bits in work.accesses}
    loaded = len(plan.beats) * design.bus_bits
    assert memories["weight store"] == uses * 9 * pin * pout * 3 + loaded
    assert memories["parameters"] == loaded
    stored = 0
    for step in plan.schedule.steps:
        words = -(-step.channels // pin)
        for tensor in (step.out if step.store_full else None, step.pooled):
            stored += words * tensor.height * tensor.width if tensor else 0
    assert memories["features"] == (reads + stored) * pin * 5
