"""Runs on the compiled bench, recorded from C++ and compared with the golden model."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fxhw.cosim import Folder, Job
from fxhw.cosim.compiled_run import Timing, run_compiled
from fxhw.emit import load_manifest
from fxhw.emit.bundle import write_bundle
from fxhw.plan import compile_network, design_for
from tests.networks import random_image, random_network

pytestmark = pytest.mark.cosim

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("builds")


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
    ("pin", "pout", "abits", "weight_words"),
    [(9, 11, 8, None), (3, 5, 7, 4), (1, 16, 5, None), (16, 1, 3, None)],
)
def test_words_of_any_width(cache, tmp_path, pin, pout, abits, weight_words):
    network = random_network(3, (13, 18), (8, 7), 2, abits)
    design = design_for(network, pin, pout, weight_words and weight_words * -(-62 // pin))
    write_bundle(network, compile_network(network, design), tmp_path / "wide")
    result = run_compiled(tmp_path / "wide", job_for(network), cache=cache)
    assert_complete(result)
    if weight_words:
        assert len(result.plan.schedule.steps) > len(network.convs) - 1
