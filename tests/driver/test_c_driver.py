"""The driver in C, compiled with all warnings and run against the Verilated hardware."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fxhw.checkpoint import load_checkpoint
from fxhw.driver import Program
from fxhw.driver.c_files import DRIVER_FILES, HEADER, driver_files, registers_header
from fxhw.golden import run_network
from fxhw.plan.registers import ERROR_TEXT, errors_of, registers_of
from tests.driver.conftest import SAMPLE
from tests.networks import random_image

HERE = Path(__file__).parent


def write_driver(folder, program):
    """The C driver's files for a program."""
    for name, text in driver_files().items():
        (folder / name).write_text(text)
    (folder / HEADER).write_text(registers_header("dut", program))


def build(bench, folder, program, main=HERE / "run_image.c"):
    """A C program with the driver and a bench."""
    write_driver(folder, program)
    shutil.copy(main, folder / "main.c")
    return bench.link([folder / "main.c", folder / "fxhw_driver.c"], folder / "main")


def run(program, files, image, *arguments):
    """Output and mask of a built program; it runs where the Verilog's files are."""
    folder = program.parent
    for path in files.iterdir():
        if path.suffix in (".hex", ".mem"):
            shutil.copy(path, folder)
    (folder / "image.bin").write_bytes(image)
    done = subprocess.run(
        [program, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode in (0, 1), done
    return done.stdout.splitlines(), (folder / "mask.bin").read_bytes()


@pytest.fixture(scope="module")
def sample_program(sample_bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("c-sample")
    return build(sample_bench, folder, Program.from_folder(SAMPLE))


@pytest.fixture(scope="module")
def inverter_program(inverter_bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("c-inverter")
    return build(inverter_bench, folder, Program.from_folder(inverter_bench.files))


@pytest.mark.cosim
@pytest.mark.parametrize("logits", [False, True], ids=["mask", "logits"])
def test_on_chip_memory(sample_program, logits):
    network = load_checkpoint(SAMPLE / "checkpoint.safetensors")
    image = random_image(np.random.default_rng(3), network.size)
    mask, tensors = run_network(network, image)
    commands = ["set stream_pause 100", *(["logits"] if logits else []), "run"]
    said, data = run(sample_program, SAMPLE, image.tobytes(), 4096, 0, *commands)
    assert said[:4] == [
        "open: done",
        "wait: no run has ended",
        "prepare: done",
        "wrong size: image, mask, program or a range has a wrong size",
    ]
    assert said[5:7] == ["run: done", "run: done"]
    if logits:
        expected = tensors["logit"].astype("<i2").tobytes()
    else:
        expected = np.where(mask, 255, 0).astype("u1").tobytes()
    assert data == expected
    total, *causes = map(int, said[7].split()[1:])
    assert total == sum(causes) > 2000
    assert said[8] == "unknown, the main array took a window, unknown"
    assert said[9:] == ["ok 0"], "the bench has seen a breach of a protocol"


@pytest.mark.cosim
def test_external_memory(inverter_program, inverter_bench, picture):
    image, mask = picture
    commands = ["set pause 90", "set reorder 2", "hurry"]
    files = inverter_bench.files
    said, data = run(inverter_program, files, image, 1 << 16, 0x12_3456_7000, *commands)
    assert data == mask
    assert said == [
        "open: done",
        "wait: no run has ended",
        "overlap: two ranges overlap",
        "misaligned: a range is not aligned to the bus",
        "small range: image, mask, program or a range has a wrong size",
        "prepare: done",
        "wrong size: image, mask, program or a range has a wrong size",
        "ok",
        "ok",
        "hurry: the run has not ended in time",
        "again: a run is under way",
        "end: done",
        "run: done",
        said[-3],
        "unknown, the main array took a window, unknown",
        "ok 0",
    ]


@pytest.mark.cosim
@pytest.mark.parametrize(
    ("kind", "error", "layer"), [("r", "MEMORY_READ", "first"), ("w", "MEMORY_WRITE", "second")]
)
def test_errors_have_text_and_layer(inverter_program, inverter_bench, picture, kind, error, layer):
    arguments = 1 << 16, 0x1000, f"fault {kind} beat 3 2", "run"
    said, data = run(inverter_program, inverter_bench.files, picture[0], *arguments)
    texts = {code.name: text for code, text in ERROR_TEXT.items()}
    assert f"run: the run ended with an error, {texts[error]}, layer {layer}" in said
    assert said[-4] == "run: done"
    assert data == picture[1]


@pytest.mark.cosim
def test_another_design_is_refused(sample_bench, tmp_path):
    program = replace(Program.from_folder(SAMPLE), digest="12345678" * 8)
    said, _ = run(build(sample_bench, tmp_path, program), SAMPLE, bytes(120), 4096, 0)
    assert said[0] == "open: the hardware is another design than fxhw_registers.h"


@pytest.mark.parametrize("external", [False, True])
def test_header_says_what_the_table_says(external):
    program = replace(Program.from_folder(SAMPLE), bus_bytes=8 * external)
    header = registers_header("dut", program)
    values = dict(re.findall(r"#define FXHW_(\w+) (\w+)", header))
    for name, register in registers_of(external).items():
        assert int(values[name].rstrip("u"), 16) == register.offset
    for code in errors_of(external):
        assert values[f"ERROR_{code.name}"] == f"{code.value}u"
    assert ("IMAGE_BASE_LOW" in values) == ("ERROR_RANGE_LIMIT" in values) == external
    # Whatever has a value has it once.
    assert len(re.findall(r"#define FXHW_(\w+)", header)) == len(
        set(re.findall(r"#define FXHW_(\w+)", header))
    )


@pytest.mark.parametrize("external", [False, True])
def test_driver_needs_no_library(tmp_path, external):
    program = replace(Program.from_folder(SAMPLE), bus_bytes=8 * external)
    write_driver(tmp_path, program)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([HEADER, *DRIVER_FILES])
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-O2"]
    source, target = tmp_path / "fxhw_driver.c", tmp_path / "fxhw_driver.o"
    subprocess.run(["gcc", *strict, "-c", source, "-o", target], check=True)
    names = subprocess.run(["nm", "-u", target], capture_output=True, text=True, check=True)
    assert names.stdout.strip() == ""
    header = ["g++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c++"]
    subprocess.run([*header, tmp_path / "fxhw_driver.h"], check=True)
