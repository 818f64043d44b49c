"""Feature maps that are alive together never overlap, and the memory is not wasted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fxhw.plan.memory_map import map_memory
from fxhw.plan.schedule import schedule_network
from tests.networks import random_network


@given(
    channels=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    size=st.tuples(st.integers(1, 21), st.integers(1, 21)),
    pin=st.integers(1, 5),
)
def test_no_overlap(channels, size, pin):
    schedule = schedule_network(random_network(0, channels, size, 4, 4), pin, pin)
    regions = list(map_memory(schedule, pin).regions.values())
    for index, one in enumerate(regions):
        for other in regions[index + 1 :]:
            together = one.born <= other.dies and other.born <= one.dies
            apart = one.end <= other.base or other.end <= one.base
            assert apart or not together, (one, other)


def test_every_source_is_alive_when_read():
    schedule = schedule_network(random_network(0, (4, 8, 8), (16, 12), 4, 4), 4, 4)
    regions = map_memory(schedule, 4).regions
    for index, step in enumerate(schedule.steps):
        for source in step.sources:
            region = regions[source.tensor.name]
            assert region.born < index <= region.dies


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_no_waste(depth):
    """The peak is what the worst step's own tensors and the skips alive beside it take."""
    channels = tuple(8 << level for level in range(depth))
    schedule = schedule_network(random_network(0, channels, (32, 32), 4, 4), 8, 8)
    memory = map_memory(schedule, 8)
    regions = memory.regions.values()
    alive = [
        sum(r.words for r in regions if r.born <= index <= r.dies)
        for index in range(len(schedule.steps))
    ]
    assert memory.words <= 1.05 * np.max(alive)
