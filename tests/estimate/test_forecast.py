"""Forecasts against what the plan of the same network says, and against each other."""

import json
from dataclasses import replace

import pytest

from fxhw.errors import FxhwError
from fxhw.estimate import forecast_network
from fxhw.estimate.roofline import draw_roofline
from fxhw.graph import UNetTopology, outline_network
from fxhw.plan import compile_network, design_for
from fxhw.plan.external_map import map_external
from fxhw.plan.packed_words import PackedWords
from fxhw.plan.schedule import schedule_network
from tests.networks import random_network

CLOCK = 125e6


def outline(base=8, depth=2, size=(24, 40), wbits=4, abits=6):
    return outline_network(UNetTopology.doubling(base, depth), size, wbits, abits)


def external(network, pin, pout, weight_words=None, bus_bits=64):
    return design_for(
        network, pin, pout, weight_words, bus_bits, memory="axi", address_bits=32
    )


@pytest.fixture(scope="module")
def paper():
    return outline(64, 3, (200, 200))


def test_on_chip_equals_the_plan():
    network = random_network(5, (4, 6), (12, 20), 4, 6)
    design = design_for(network, 2, 2)
    plan = compile_network(network, design)
    forecast = forecast_network(network, design, CLOCK)
    assert forecast.cycles == plan.estimate.total
    assert forecast.utilization == pytest.approx(plan.estimate.utilization)
    assert forecast.bytes == 0
    assert forecast.overhead is None
    macs = network.macs()
    assert forecast.macs == sum(macs.values())
    assert forecast.array_macs == plan.estimate.macs
    assert forecast.array_macs == forecast.macs - macs[network.convs[0].name] - macs["head"]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_no_layer_keeps_the_array_busier_than_it_can_be(lanes):
    network = outline(size=(32, 32))
    forecast = forecast_network(network, design_for(network, lanes, lanes), CLOCK)
    for layer in forecast.layers:
        assert layer.array_macs <= layer.cycles * forecast.macs_per_cycle
    assert forecast.utilization < 1


def test_the_papers_network(paper):
    design = external(paper, 8, 8, 256)
    forecast = forecast_network(paper, design, CLOCK)
    weights = sum(op.codes.size for op in (*paper.convs, paper.head))
    assert weights == pytest.approx(4_837_249, rel=0.002)  # which counts batch-norms
    assert forecast.macs == pytest.approx(22.9e9, rel=0.002)
    assert forecast.utilization >= 0.97
    assert forecast.parameter_bytes <= 2.45e6
    assert forecast.overhead <= 1.05
    assert {layer.bound for layer in forecast.layers} == {"array"}
    assert sum(layer.tiles for layer in forecast.layers) == len(
        schedule_network(paper, 8, 8, 256).steps
    )


def test_a_wider_array_meets_the_bus(paper):
    narrow, wide = (
        forecast_network(paper, external(paper, 16, 16, 32, bus), CLOCK)
        for bus in (64, 256)
    )
    assert "external memory" in {layer.bound for layer in narrow.layers}
    assert "external memory" not in {layer.bound for layer in wide.layers}
    assert narrow.cycles > wide.cycles


def test_a_larger_weight_store_saves_traffic(paper):
    small, large = (
        forecast_network(paper, external(paper, 8, 8, words), CLOCK)
        for words in (64, 256)
    )
    assert small.bytes > 1.5 * large.bytes
    assert sum(layer.write_bytes for layer in small.layers) == sum(
        layer.write_bytes for layer in large.layers
    )


def test_latency_costs_every_step_something():
    network = outline()
    design = external(network, 4, 4)
    quick, slow = (
        forecast_network(network, design, CLOCK, latency) for latency in (0, 100)
    )
    steps = sum(layer.tiles for layer in quick.layers)
    # Every step but the first waits for its source; before it, three descriptors and what belongs
    # to them.
    assert 100 * (steps - 1) < slow.cycles - quick.cycles <= 100 * (steps - 1 + 9)


def test_rows_begin_at_beats():
    network = outline(8, 2, (9, 7))
    packed = PackedWords(48, 128)
    layout = map_external(schedule_network(network, 8, 8), 8, packed)
    assert all(region.row_stride % 16 == 0 and region.base % 16 == 0
               for region in layout.regions.values())
    assert layout.overhead > 1
    assert layout.regions["enc0b"].row_stride == 48  # 7 pixels of 6 bytes


def test_narrow_lanes_are_padded_to_bytes():
    network = outline(4, 1, (8, 8), abits=3)
    packed = PackedWords(3, 64)
    layout = map_external(schedule_network(network, 1, 1), 1, packed)
    assert layout.overhead == pytest.approx(8 / 3)


def test_roofline_is_deterministic(paper):
    pytest.importorskip("matplotlib")
    design = external(paper, 8, 8, 256)
    forecast = forecast_network(paper, design, CLOCK)
    text = draw_roofline(forecast, "paper")
    assert text == draw_roofline(forecast, "paper")
    assert all(layer.name in text for layer in forecast.layers)
    with pytest.raises(ValueError, match="needs an external memory"):
        draw_roofline(replace(forecast, bus_bytes=None), "paper")


def test_json(paper):
    design = external(paper, 8, 8, 256)
    entry = forecast_network(paper, design, CLOCK).to_json()
    assert json.loads(json.dumps(entry))["cycles"] == entry["cycles"]


@pytest.mark.parametrize("latency", [-1, 100_001])
def test_latency_out_of_range(latency):
    network = outline()
    with pytest.raises(FxhwError, match=f"0 .. 100000 cycles, not {latency}"):
        forecast_network(network, external(network, 4, 4), CLOCK, latency)
