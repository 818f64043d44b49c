# amaranth: UnusedElaboratable=no

"""StreamArbiter loses nothing, keeps every stream's order and gives turns by weight."""

from collections import Counter

import pytest

from fxhw.gateware.stream_arbiter import StreamArbiter

from .simulate import simulate_stream


def arbitrate(weights, counts, **options):
    inputs = {f"i.{n}": [16 * n + k % 16 for k in range(count)] for n, count in enumerate(counts)}
    dut = StreamArbiter(8, weights)
    run = simulate_stream(dut, inputs, {"o": sum(counts)}, **options)
    return inputs, run


@pytest.mark.parametrize("weights", [(1,), (1, 1), (3, 1, 2), (1, 1, 1, 1, 5)])
@pytest.mark.parametrize("pauses", [{}, {"idle": 0.6, "stall": 0.5}])
def test_every_word_once_in_its_stream_s_order(weights, pauses):
    counts = [30 + n for n in range(len(weights))]
    inputs, run = arbitrate(weights, counts, **pauses)
    for n in range(len(weights)):
        got = [o["word"] for o in run.outputs["o"] if o["source"] == n]
        assert got == inputs[f"i.{n}"]


def test_turns_by_weight():
    weights = (3, 1, 2)
    _, run = arbitrate(weights, [60, 20, 40])
    sources = [o["source"] for o in run.outputs["o"]]
    for start in range(0, 114, 6):
        assert Counter(sources[start + 6 : start + 12] or sources[start:]) == {0: 3, 1: 1, 2: 2}
    cycles = run.given["o"]
    assert {b - a for a, b in zip(cycles, cycles[1:])} == {3}


def test_who_is_alone_gets_every_turn():
    _, run = arbitrate((1, 1), [0, 40])
    cycles = run.given["o"]
    assert {b - a for a, b in zip(cycles, cycles[1:])} == {3}


@pytest.mark.parametrize("weights", [(), (1, 0), (1.5,)])
def test_refused_weights(weights):
    with pytest.raises(ValueError, match="weights must be positive integers, one per stream"):
        StreamArbiter(8, weights)
