"""The compiled bench's memory model by itself: right to correct masters, and strict to others."""

import subprocess
from pathlib import Path

import pytest

import fxhw.cosim

HERE = Path(__file__).parent
MODEL = Path(fxhw.cosim.__file__).parent / "model"


@pytest.mark.cosim
def test_memory_model(tmp_path):
    program = tmp_path / "axi_memory_test"
    sources = [HERE / "axi_memory_test.cpp", MODEL / "axi_memory.cpp", MODEL / "memory.cpp"]
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{MODEL}"]
    subprocess.run(["g++", *flags, *map(str, sources), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "all well\n")
