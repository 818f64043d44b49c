"""The examples of docs/driver.md run."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from fxhw.checkpoint import load_checkpoint
from fxhw.cosim import compiled
from fxhw.driver import Program
from fxhw.golden import run_network
from tests.driver.conftest import SAMPLE, Simulation
from tests.driver.pynq_stand_in import make_pynq
from tests.driver.test_c_driver import build, run
from tests.networks import random_image

PAGE = (Path(__file__).parents[2] / "docs/driver.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)

MAIN = """
#include <stdio.h>
#include "fxhw_bench.h"
@example@
static uint8_t program[FXHW_PROGRAM_SIZE], image[FXHW_IMAGE_SIZE], mask[FXHW_MASK_SIZE];
int main(void) {
    void *bench = fxhw_bench_open(0x40000000u, 1u << 23, 1);
    static fxhw_device device;
    FILE *file = fopen("program.hex", "r");
    unsigned word, i, k;
    device.registers.context = device.memory.context = bench;
    device.registers.read32 = fxhw_bench_read32;
    device.registers.write32 = fxhw_bench_write32;
    device.memory.write = fxhw_bench_memory_write;
    device.memory.read = fxhw_bench_memory_read;
    for (i = 0; file && fscanf(file, "%x", &word) == 1; i += 4)
        for (k = 0; k < 4; ++k) program[i + k] = word >> 8 * k & 0xff;
    file = fopen("image.bin", "rb");
    if (!file || !fread(image, sizeof image, 1, file)) return 3;
    printf("%s\\n", fxhw_result_text(segment(&device, program, image, mask)));
    file = fopen("mask.bin", "wb");
    return fwrite(mask, sizeof mask, 1, file) != 1 || fclose(file);
}
"""


@pytest.fixture(scope="module")
def case():
    """An image of the sample's network, and its mask as bytes."""
    network = load_checkpoint(SAMPLE / "checkpoint.safetensors")
    image = random_image(np.random.default_rng(8), network.size)
    mask, _ = run_network(network, image)
    return image, np.where(mask, 255, 0).astype("u1").tobytes()


def test_there_are_three_examples():
    assert [language for language, _ in BLOCKS] == ["python", "c", "python"]


@pytest.mark.cosim
def test_pynq(sample_bench, case, monkeypatch, capsys):
    monkeypatch.chdir(SAMPLE.parents[1])
    with Simulation(sample_bench) as simulation:
        monkeypatch.setitem(sys.modules, "pynq", make_pynq(simulation))
        names = {"image": case[0]}
        exec(BLOCKS[0][1], names)
    assert names["mask"] == case[1]
    assert "'TOTAL': 2" in capsys.readouterr().out


@pytest.mark.cosim
def test_bench(sample_bench, case, monkeypatch, capsys):
    import fxhw.cosim

    monkeypatch.chdir(SAMPLE.parents[1])
    assert fxhw.cosim.build_compiled is compiled.build_compiled
    monkeypatch.setattr(fxhw.cosim, "build_compiled", lambda folder: sample_bench)
    names = {"image": case[0]}
    exec(BLOCKS[2][1], names)
    assert names["mask"] == case[1]
    assert capsys.readouterr().out.endswith(" []\n")


@pytest.mark.cosim
def test_c(inverter_bench, picture, tmp_path):
    image, mask = picture
    main = tmp_path / "example.c"
    main.write_text(MAIN.replace("@example@", BLOCKS[1][1]))
    program = build(inverter_bench, tmp_path, Program.from_folder(inverter_bench.files), main)
    assert run(program, inverter_bench.files, image) == (["done"], mask)
