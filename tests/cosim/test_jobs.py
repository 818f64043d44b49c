"""Commands for the test bench."""

import numpy as np
import pytest

from fxhw.cosim.bench import Bench
from fxhw.cosim.jobs import Job, Script, run_script, words_of
from fxhw.plan import compile_network, design_for
from fxhw.plan.registers import Control
from tests.networks import random_image, random_network


@pytest.fixture(scope="module")
def job():
    network = random_network(1, (2,), (6, 4), 2, 2)
    return Job(network, random_image(np.random.default_rng(0), (6, 4)))


def test_every_command_is_one_the_bench_has(job):
    script, where = run_script(job, compile_network(job.network, design_for(job.network)), 9, True)
    for name, _ in script.commands:
        assert callable(getattr(Bench, name))
    assert script.commands[where["wait"]] == ("wait", {"limit": 9})
    assert script.commands[where["CYCLES"]] == ("read", {"register": "CYCLES"})


def test_program_is_loaded_only_on_demand(job):
    plan = compile_network(job.network, design_for(job.network))
    names = [name for name, _ in run_script(job, plan, 9, False)[0].commands]
    assert "load" not in names
    assert names.index("play") < names.index("wait") < names.index("stop")


def test_start_asks_for_the_interrupt():
    script = Script()
    script.start()
    (_, arguments), = script.commands
    assert arguments == {"register": "CONTROL", "value": Control.START | Control.IRQ_ENABLE}


def test_pauses_follow_the_seed(job):
    def play(**options):
        script = Script()
        script.play(job.image, **options)
        return script.commands[0][1]

    assert play(stalls=True, seed=4) == play(stalls=True, seed=4)
    assert play(stalls=True, seed=4) != play(stalls=True, seed=5)
    assert play()["rate_in"] == play()["rate_out"] == 255
    assert play()["last_byte"] == job.image.size - 1


@pytest.mark.parametrize("bus_bits", [32, 64, 128])
def test_words_of_beats(bus_bits):
    beats = (int.from_bytes(bytes(range(16)), "little") & ((1 << bus_bits) - 1),)
    assert words_of(beats, bus_bits)[0] == 0x03020100
    assert len(words_of(beats, bus_bits)) == bus_bits // 32
