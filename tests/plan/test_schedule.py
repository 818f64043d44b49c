"""Lowering: what is read, stored, pooled and cut into tiles; what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.errors import FxhwError
from fxhw.graph import MaxPool
from fxhw.plan.schedule import schedule_network
from tests.networks import random_network


def test_unet():
    schedule = schedule_network(random_network(0, (4, 6), (8, 8), 4, 4), 4, 4)
    assert schedule.front.name == "enc0a"
    names = [step.conv.name for step in schedule.steps]
    assert names == [
        "enc0b", "enc1a", "enc1b", "mida", "midb", "dec1a", "dec1b", "dec0a", "dec0b",
    ]  # fmt: skip
    steps = dict(zip(names, schedule.steps))
    assert steps["enc0b"].sources == ()
    assert [(s.tensor.name, s.up) for s in steps["dec0a"].sources] == [
        ("dec1b", True),
        ("enc0b", False),
    ]
    assert steps["enc0b"].pooled.name == "pool0"
    assert steps["enc0b"].store_full
    assert steps["dec1b"].pooled is None
    assert [step.to_head for step in schedule.steps] == [False] * 8 + [True]
    assert not schedule.steps[-1].store_full


@pytest.mark.parametrize(("pin", "pout", "words"), [(2, 2, 6), (2, 4, 8), (3, 2, 9)])
def test_tiles_cover_all_channels_and_fit(pin, pout, words):
    network = random_network(0, (2, 13), (8, 8), 4, 4)
    schedule = schedule_network(network, pin, pout, 40)
    tiles = {}
    for step in schedule.steps:
        tiles.setdefault(step.conv.name, []).append((step.first_channel, step.channels))
        assert step.first_channel % pin == 0
        assert step.first_channel % pout == 0
    assert any(len(parts) > 1 for parts in tiles.values())
    for conv in network.convs[1:]:
        ends = [first + count for first, count in tiles[conv.name]]
        assert [first for first, _ in tiles[conv.name]] == [0, *ends[:-1]]
        assert ends[-1] == conv.out_channels


def refuse(network, match, **options):
    with pytest.raises(FxhwError, match=match):
        schedule_network(network, options.get("pin", 2), 2, options.get("weight_words"))


def insert(network, index, *ops):
    """The network with ``ops`` before operator ``index``."""
    return replace(network, ops=(*network.ops[:index], *ops, *network.ops[index:]))


def test_refusals():
    network = random_network(0, (2, 4), (8, 8), 4, 4)
    refuse(network, "dec1a needs 4 weight words for its smallest tile", weight_words=3)
    refuse(insert(network, 3, MaxPool("again", "enc0b", "again")), "enc0b is pooled twice")
    refuse(insert(network, 1, MaxPool("early", "enc0a", "early")), "enc0a must feed exactly one")
    refuse(insert(network, 1, MaxPool("early", "image", "early")), "image must be read by")
    unread = replace(network.convs[3], name="unread", output="unread")
    refuse(insert(network, 6, unread), "unread has a result nothing reads")
    head = replace(network.head, input="enc0a")
    refuse(replace(network, ops=(network.ops[0], head)), "at least 2 convolutions, not 1")
    refuse(replace_head(network, "dec1b"), "dec0b has a result nothing reads|dec1b feeds the head")


def replace_head(network, tensor):
    """The network with the head on another tensor, of as many channels as it reads."""
    producer = network.producer(tensor)
    codes = np.ones(producer.out_channels, np.int8)
    head = replace(network.head, input=tensor, codes=codes)
    return replace(network, ops=(*network.ops[:-1], head))


def test_head_layer_must_fit_one_tile():
    network = random_network(0, (9, 1), (8, 8), 4, 4)
    refuse(network, "must fit in one", weight_words=24)


def covers(steps, width, grain):
    """Strips of one tile lie beside each other, begin at multiples of ``grain``, and are about as
    wide as each other."""
    columns = [step.strip for step in steps]
    assert columns[0][0] == 0
    assert columns[-1][1] == width
    assert [first for first, _ in columns[1:]] == [end for _, end in columns[:-1]]
    assert all(first % grain == 0 for first, _ in columns)
    widths = [step.columns for step in steps]
    assert max(widths) - min(widths[:-1], default=max(widths)) <= grain
    for step in steps:
        first, end = step.raster
        assert (first, end) == (max(0, step.strip[0] - 1), min(width, step.strip[1] + 1))


@pytest.mark.parametrize("width", [1, 2, 3, 8, 13, 16])
@pytest.mark.parametrize("row_words", [16, 17, 21, 30, 100])
def test_strips_cover_all_columns_and_fit(width, row_words):
    network = random_network(0, (5, 2), (6, width), 4, 4)
    schedule = schedule_network(network, 2, 2, 9, row_words)
    layers = {}
    for step in schedule.steps:
        layers.setdefault(step.conv.name, {}).setdefault(step.first_channel, []).append(step)
        inputs = [source.tensor for source in step.sources] or [schedule.front_out]
        groups = sum(-(-tensor.channels // 2) for tensor in inputs)
        first, end = step.raster
        assert (end - first) * groups <= row_words
    for tiles in layers.values():
        for steps in tiles.values():
            covers(steps, steps[0].out.width, 2 if steps[0].pooled else 1)
    names = [step.conv.name for step in schedule.steps]
    assert sorted(names, key=names.index) == names, "the strips of a layer come together"
    if (width, row_words) == (16, 16):
        assert len(layers["enc0b"][0]) == 7
        assert len(layers["dec0a"]) > 1, "tiles come in strips, too"
    if row_words == 100:
        assert all(step.columns == step.out.width for step in schedule.steps)


def test_a_row_that_not_even_a_strip_fits():
    network = random_network(0, (5, 2), (6, 16), 4, 4)
    with pytest.raises(FxhwError, match="dec0a needs 16 line buffer words for a strip of 2 col"):
        schedule_network(network, 2, 2, None, 15)
    schedule_network(network, 2, 2, None, 16)


def test_columns_of_stored_maps():
    schedule = schedule_network(random_network(0, (5, 2), (6, 13), 4, 4), 2, 2, None, 16)
    pooled = [step for step in schedule.steps if step.conv.name == "enc0b"]
    stored = [dict((info.name, columns) for info, columns in step.stored) for step in pooled]
    assert [maps["enc0b"] for maps in stored] == [slice(*step.strip) for step in pooled]
    halves = [maps["pool0"] for maps in stored]
    assert [half.start for half in halves] == [0, *(half.stop for half in halves[:-1])]
    assert halves[-1].stop == 7
