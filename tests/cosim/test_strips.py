"""Layers in strips of columns: every strip equals golden, with the columns beside it or without."""

from dataclasses import replace

import pytest

from fxhw.cosim import Folder
from fxhw.cosim.compiled import build_compiled
from fxhw.cosim.compiled_run import Timing, run_compiled
from fxhw.driver import Simulation
from fxhw.emit.bundle import write_bundle
from fxhw.plan import ErrorCode, compile_network, descriptors, design_for
from fxhw.plan.program import Kind
from tests.networks import random_network
from tests.plan.test_preparation import with_fields

from .test_external import BASE, TIMINGS, WIDTHS, Session, assert_equal, job_for

pytestmark = pytest.mark.cosim


@pytest.fixture(scope="session")
def striped(cache):
    """(folder, network): lines of 28 words, so that layers come in up to 7 strips, and tiles."""
    network = network_of((10, 3), (6, 16))
    design = design_for(
        network, 2, 2, 25, 64, memory="axi", address_bits=40, row_words=28
    )
    design = replace(design, pool_words=32)  # for the other networks
    write_bundle(network, compile_network(network, design), cache / "striped", top="striped")
    return cache / "striped", network


@pytest.fixture(scope="session")
def built(striped, cache):
    return build_compiled(striped[0], cache, optimize=False)


def network_of(channels, size, image_channels=3, **options):
    return random_network(5, channels, size, **WIDTHS, image_channels=image_channels, **options)


def strips(folder, network):
    """Layer -> (tiles, strips), and the columns of each step."""
    steps = Folder.open(folder).plan(network).schedule.steps
    layers = {}
    for step in steps:
        tiles, columns = layers.setdefault(step.conv.name, (set(), {}))
        tiles.add(step.first_channel)
        columns[step.first_column] = step.columns
    return {name: (len(tiles), tuple(strips.values())) for name, (tiles, strips) in layers.items()}


@pytest.mark.parametrize("name", TIMINGS)
@pytest.mark.parametrize("logits", [False, True], ids=["mask", "logits"])
def test_every_strip_equals_golden(striped, built, cache, name, logits):
    folder, network = striped
    job = job_for(network, seed=len(name), logits=logits)
    assert_equal(run_compiled(folder, job, timing=TIMINGS[name], cache=cache))


NETWORKS = [
    # channels, size, channels of the image, strips of the second convolution
    ((10, 3), (5, 13), 1, (4, 2, 2, 2, 2, 1)),
    ((10, 2), (4, 15), 2, (4, 2, 2, 2, 2, 2, 1)),
    ((8, 3), (6, 13), 3, (6, 4, 3)),
    ((8, 3), (6, 12), 1, (6, 6)),
    ((4, 3), (5, 16), 3, (8, 8)),
    ((4, 2), (3, 15), 1, (8, 7)),
    ((2, 3), (4, 9), 2, (9,)),
]


@pytest.mark.parametrize(("channels", "size", "image_channels", "second"), NETWORKS, ids=str)
def test_networks_as_programs(striped, built, cache, channels, size, image_channels, second):
    network = network_of(channels, size, image_channels)
    assert strips(striped[0], network)["enc0b"][1] == second
    assert_equal(run_compiled(striped[0], job_for(network), timing=Timing(pause=90), cache=cache))


def test_tiles_come_in_strips(striped):
    found = strips(*striped)
    assert any(tiles > 1 and len(columns) > 1 for tiles, columns in found.values())
    # The head's strips need not be even; upsampled layers' begin at odd columns, too.
    assert any(width % 2 for width in found["dec0b"][1][:-1])
    begins = set()
    for network in (striped[1], network_of((8, 3), (6, 13))):
        steps = Folder.open(striped[0]).plan(network).schedule.steps
        begins |= {step.raster[0] for step in steps if any(s.up for s in step.sources)}
    assert {first % 2 for first in begins - {0}} == {0, 1}


def wrong_side(first, raster):
    """Trims of the other side each."""
    right = {"trim_left": int(first[1] < raster[1]), "trim_right": int(raster[0] < first[0])}
    return {"width": raster[1] - raster[0]} | right


def without(field):
    """A compiler that drops one of the fields of strips."""
    original = descriptors._conv

    def broken(*args):
        return replace(original(*args), **{field: 0})

    return broken


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("_trims", lambda: wrong_side),
        ("_conv", lambda: without("odd")),
        ("_conv", lambda: without("base_a")),
        ("_conv", lambda: without("pool_row_beats")),
    ],
    ids=["halo of the wrong side", "odd dropped", "first column", "rows of the mask"],
)
def test_broken_programs_are_caught(striped, built, cache, monkeypatch, name, broken):
    monkeypatch.setattr(descriptors, name, broken())
    assert run_compiled(striped[0], job_for(striped[1]), cache=cache).problems


# ---- Other arrays, another bus -------------------------------------------------------------------


@pytest.fixture(scope="session")
def paired(cache):
    """(folder, network): the same lines, two pixels per cycle in multiplier blocks."""
    network = network_of((6, 3), (6, 14))
    design = design_for(
        network, 2, 2, 25, 64, memory="axi", address_bits=32, row_words=20, style="dsp", pixels=2
    )
    write_bundle(network, compile_network(network, design), cache / "paired", top="paired")
    return cache / "paired", network


@pytest.mark.parametrize("name", ["even", "any order"])
def test_two_pixels_per_cycle(paired, cache, name):
    folder, network = paired
    found = strips(folder, network)
    assert max(len(columns) for _, columns in found.values()) > 2
    # Rasters of even and of odd widths: the last pixel of a row alone in its pair, or not.
    steps = Folder.open(folder).plan(network).schedule.steps
    assert {(step.raster[1] - step.raster[0]) % 2 for step in steps} == {0, 1}
    job = job_for(network, logits=name == "even")
    assert_equal(run_compiled(folder, job, timing=TIMINGS[name], cache=cache))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "size", "image_channels"),
    [((6, 3), (5, 13), 1), ((5, 2), (4, 14), 2), ((2, 3), (4, 9), 2), ((6, 2), (2, 3), 1)],
    ids=str,
)
def test_networks_on_two_pixels(paired, cache, channels, size, image_channels):
    network = network_of(channels, size, image_channels)
    for timing in (Timing(), Timing(pause=90)):
        assert_equal(run_compiled(paired[0], job_for(network), timing=timing, cache=cache))


@pytest.fixture(scope="session")
def bridged(cache):
    """(folder, network): strips and tiles behind Wishbone."""
    network = network_of((6, 3), (6, 14), image_channels=1)
    design = design_for(
        network, 2, 2, 12, 64, memory="wishbone", address_bits=32, row_words=20
    )
    write_bundle(network, compile_network(network, design), cache / "bridged", top="bridged")
    return cache / "bridged", network


@pytest.mark.parametrize("logits", [False, True], ids=["mask", "logits"])
def test_strips_behind_wishbone(bridged, cache, logits):
    folder, network = bridged
    found = strips(folder, network)
    assert any(tiles > 1 and len(columns) > 1 for tiles, columns in found.values())
    timing = Timing(read_latency=3, write_latency=2, pause=120 * logits)
    assert_equal(run_compiled(folder, job_for(network, logits=logits), timing=timing, cache=cache))


class TestErrors:
    @pytest.fixture
    def session(self, striped, built):
        with Simulation(built, BASE, 1 << 20, clock_mhz=0.1, read_latency=20) as simulation:
            yield Session(simulation, *striped)

    def test_order_of_first_convolutions(self, session, striped):
        """A FRONT too many, one that is missing, one that would load what is in use."""
        folder, network = striped
        descriptors = Folder.open(folder).plan(network).descriptors
        second = [d.kind for d in descriptors].index(Kind.FRONT, 1)
        place, memory = session.ranges["PROGRAM"].address, session.simulation.memory
        again = descriptors[second]
        for index, changed in (
            (second, replace(again, keep=0)),
            (second + 1, again),
            (second, replace(descriptors[second - 1], from_front=1)),
            (second - 1, again),
        ):
            bits = with_fields(changed.encode())
            original = memory.read(place + 64 * index, 64)
            memory.write(place + 64 * index, bits.to_bytes(64, "little"))
            session.fails(ErrorCode.ORDER)
            memory.write(place + 64 * index, original)
        session.works()

    def test_abort_at_any_time(self, session):
        session.works()
        total = session.accelerator.cycles()["TOTAL"]
        for part in range(1, 12):
            session.accelerator.start()
            session.simulation.run(part * total // 12)
            session.accelerator.abort()
        session.works()

    def test_an_image_cut_short(self, session):
        buffer = session.ranges["IMAGE"]
        session.accelerator.write("IMAGE_BYTES", buffer.size - 8)
        session.simulation.guard(buffer.address + buffer.size - 8, buffer.address + buffer.size)
        session.fails(ErrorCode.RANGE_LIMIT)
