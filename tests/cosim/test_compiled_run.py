"""Runs on the compiled bench, recorded from C++ and compared with the golden model."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fxhw.cosim import Folder, Job, compiled_run
from fxhw.cosim.compiled_run import Timing, run_compiled
from fxhw.cosim.report import layer_results, summarize
from fxhw.driver import Simulation
from fxhw.emit import load_manifest
from fxhw.emit.bundle import write_bundle
from fxhw.plan import compile_network, design_for
from fxhw.plan.schedule import least_weight_words
from tests.networks import random_image, random_network

pytestmark = pytest.mark.cosim

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


@pytest.fixture(scope="session")
def sample():
    return Folder.open(SAMPLE)


def job_for(network, seed=1, **options):
    rng = np.random.default_rng(seed)
    image = random_image(rng, network.size, network.image_channels, network.image.width)
    return Job(network, image, seed=seed, **options)


def assert_complete(result):
    """Everything was compared, as the bench in Verilog has it compared."""
    assert result.problems == []
    plan, checks = result.plan, result.verdict.checks
    places = {(check.layer, check.place) for check in checks if check.compared}
    assert (plan.schedule.front.name, "stream") in places
    assert (plan.schedule.head.name, "mask") in places
    for step in plan.schedule.steps:
        assert (step.conv.name, "stream") in places
        assert not step.store_full or (step.out.name, "memory") in places
        assert not step.pooled or (step.pooled.name, "memory") in places
    assert all(result.step_cycles)


@pytest.mark.parametrize("pause", [0, 150], ids=["flowing", "pausing"])
@pytest.mark.parametrize("logits", [False, True], ids=["mask", "logits"])
def test_all_is_compared(cache, sample, pause, logits):
    told = []
    job = job_for(sample.network, seed=pause, logits=logits)
    result = run_compiled(
        sample, job, timing=Timing(stream_pause=pause), cache=cache, progress=told.append
    )
    assert_complete(result)
    if not pause:
        estimate = result.plan.estimate.total
        assert abs(result.cycles - estimate) <= 0.01 * estimate
        assert result.cycles == sum(result.causes.values())
        assert sum(result.step_cycles) < result.cycles
    for layer in ("enc0b, step 2 of 6", "dec0b, step 6 of 6", "comparing"):
        assert any(layer in phrase for phrase in told), told


def test_another_network_is_loaded_through_the_registers(cache, sample):
    network = random_network(np.random.default_rng(20), (2,), (9, 8), 4, 4)
    assert_complete(run_compiled(sample, job_for(network), cache=cache))


@pytest.mark.parametrize("step", [0, -1], ids=["first", "last"])
def test_a_mismatch_is_placed(cache, tmp_path, step):
    damaged = tmp_path / "damaged"
    shutil.copytree(SAMPLE, damaged)
    memory, manifest = damaged / "parameters.mem", load_manifest(SAMPLE)
    lines = memory.read_text().splitlines(keepends=True)
    found = manifest["steps"][step]
    weights = manifest["program"]["descriptors"][found["descriptor"]]["load_address"]
    lines[weights] = f"{int(lines[weights], 16) ^ 0x7777_7777:016x}\n"
    memory.write_text("".join(lines))
    folder = Folder.open(damaged)
    result = run_compiled(folder, job_for(folder.network), cache=cache)
    assert not result.passed
    assert result.verdict.first.layer == found["layer"]
    first = result.verdict.first.first
    assert result.problems[0] == str(first)
    assert str(first).startswith(f"{found['layer']} as computed, row ")
    assert first.expected != first.got


def test_a_run_that_hangs_is_told(cache, sample):
    # The stream pauses for good.
    timing = Timing(stream_pause=256)
    result = run_compiled(sample, job_for(sample.network), timing=timing, cache=cache)
    assert result.problems[0].startswith("The run did not end: STATUS 0x")
    assert result.verdict.first.note == "240 of 240 words missing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pin", "pout", "abits", "tiles"),
    [(9, 11, 8, False), (3, 5, 7, True), (1, 16, 5, False), (16, 1, 3, False)],
)
def test_words_of_any_width(cache, tmp_path, pin, pout, abits, tiles):
    network = random_network(3, (13, 18), (8, 7), 2, abits)
    words = least_weight_words(network, pin, pout) if tiles else None
    design = design_for(network, pin, pout, words)
    write_bundle(network, compile_network(network, design), tmp_path / "wide")
    result = run_compiled(tmp_path / "wide", job_for(network), cache=cache)
    assert_complete(result)
    if tiles:
        assert len(result.plan.schedule.steps) > len(network.convs) - 1


# ---- External memory -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def external(tmp_path_factory):
    """An accelerator with external memory, whose layers take several tiles."""
    folder = tmp_path_factory.mktemp("external") / "tiny_axi"
    network = random_network(11, (4, 6), (10, 9), 3, 4)
    design = design_for(network, 2, 2, 10, 64, memory="axi", address_bits=32)
    plan = compile_network(network, design)
    assert len(plan.schedule.steps) > len(network.convs)
    write_bundle(network, plan, folder)
    return Folder.open(folder)


TIMINGS = {
    "as it comes": Timing(),
    "mixing beats": Timing(reorder=2, pause=60, read_latency=9),
}


@pytest.mark.parametrize("timing", TIMINGS.values(), ids=TIMINGS)
def test_external_memory(cache, external, timing):
    job = job_for(external.network, logits=timing.pause > 0)
    result = run_compiled(external, job, timing=timing, cache=cache)
    assert_complete(result)
    bus, design = result.bus, result.plan.design
    assert 0 < bus.first_request < bus.last_write
    assert bus.cycles <= result.cycles
    assert sum(read for read, _ in bus.steps) == bus.read_bytes
    assert sum(written for _, written in bus.steps) == bus.write_bytes
    shapes = [check.shape for check in result.verdict.checks if check.place == "memory"]
    words = sum(height * width * -(-channels // design.pin) for height, width, channels in shapes)
    mask = job.image.size * (design.logit_bytes if job.logits else 1)
    assert bus.write_bytes == words * design.packed.word_bytes + mask


def test_layers_sum_up(cache, external):
    result = run_compiled(external, job_for(external.network), cache=cache)
    layers = {layer.name: layer for layer in layer_results(result)}
    assert set(layers) == {conv.name for conv in external.network.convs} | {
        "pool0", "pool1", "head"
    }
    steps = result.plan.schedule.steps
    assert sum(layer.tiles for layer in layers.values()) == len(steps)
    assert sum(layer.cycles for layer in layers.values()) == sum(result.step_cycles)
    assert layers["mida"].size == (3, 3, 6)
    assert max(layer.tiles for layer in layers.values()) > 1
    summary = summarize(result)
    assert summary["passed"]
    assert summary["bus"]["read_bytes"] == sum(layer["read_bytes"] for layer in summary["layers"])
    assert summary["compared"] == sum(layer["compared"] for layer in summary["layers"])


def test_another_network_in_external_memory(cache, external):
    network = random_network(5, (3, 2), (7, 10), 3, 4)
    network = network if network.size[1] < 10 else network.resized((8, 9))
    assert_complete(run_compiled(external, job_for(network), cache=cache))


def spoil(monkeypatch, when, act):
    """Call ``act(run)`` once, before what a run does ``when``."""
    original, done = getattr(compiled_run._Run, when), []

    def replacement(run, *arguments):
        if not done and (when != "_end_step" or arguments[0] == 3):
            done.append(act(run))
        return original(run, *arguments)

    monkeypatch.setattr(compiled_run._Run, when, replacement)


def feature_byte(run, name):
    """Address of the first byte of a feature map."""
    feature = run._accelerator.ranges["FEATURE"].address
    return feature + run._plan.memory_map.regions[name].base


def test_a_wrong_code_in_memory_is_placed(cache, external, monkeypatch):
    steps = compile_network(external.network, external.design).schedule.steps
    name = steps[1].out.name
    assert steps[1].store_full

    def flip(run):
        address = feature_byte(run, name)
        (byte,) = run._simulation.memory.read(address, 1)
        run._simulation.memory.write(address, bytes([byte ^ 1]))

    spoil(monkeypatch, "_end_step", flip)
    result = run_compiled(external, job_for(external.network), cache=cache)
    first = result.verdict.first
    assert (first.layer, first.place, first.mismatches) == (name, "memory", 1)
    assert result.problems[0].startswith(f"{name} in external memory, row 0, column 0, channel 0")


def test_touching_what_is_not_the_drivers_is_told(cache, external, monkeypatch):
    def guard(run):
        mask = run._accelerator.ranges["MASK"].address
        run._simulation.guard(mask + 8, mask + 9)

    spoil(monkeypatch, "watch", guard)
    result = run_compiled(external, job_for(external.network), cache=cache)
    assert result.verdict.first is None
    assert "guarded address 0x" in result.problems[0]
    assert not result.passed


@pytest.mark.parametrize("name", ["PROGRAM", "IMAGE"])
def test_inputs_that_change_are_told(cache, external, monkeypatch, name):
    def flip(run):
        address = run._accelerator.ranges[name].address
        (byte,) = run._simulation.memory.read(address, 1)
        run._simulation.memory.write(address, bytes([byte ^ 1]))

    spoil(monkeypatch, "read", flip)
    result = run_compiled(external, job_for(external.network), cache=cache)
    assert result.problems == [f"Range {name} is not as the driver wrote it"]


@pytest.mark.parametrize(("kind", "name"), [("r", "MEMORY_READ"), ("w", "MEMORY_WRITE")])
def test_an_error_of_the_memory_ends_the_run(cache, external, monkeypatch, kind, name):
    spoil(monkeypatch, "_end_step", lambda run: run._simulation.fail_beat(kind, 20))
    result = run_compiled(external, job_for(external.network), cache=cache)
    assert result.error.name == name
    assert result.problems[0].startswith(f"The run ended with error {int(result.error)} at step")
    assert summarize(result)["passed"] is False
    assert sum(layer.wrong for layer in layer_results(result)) > 0


def test_a_memory_that_does_not_answer(cache, external, monkeypatch):
    timing = Timing(read_latency=1 << 40)
    monkeypatch.setattr(Timing, "slowdown", 1)
    result = run_compiled(external, job_for(external.network), timing=timing, cache=cache)
    assert result.problems[0].startswith("The run did not end: STATUS 0x")
    assert result.bus.cycles == 0


def test_interrupted_by_the_user(cache, external, monkeypatch):
    closed = []
    monkeypatch.setattr(
        Simulation, "close", lambda self, close=Simulation.close: closed.append(close(self))
    )

    def press(phrase):
        if "simulating" in phrase:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_compiled(external, job_for(external.network), cache=cache, progress=press)
    assert closed
