"""Every example runs, and says what its text promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"

PROMISES = {
    "custom_block.py": "module requantizer8",
    "golden_mask.py": "dice: cell 9",
    "requantize_by_hand.py": "72 products of s4 x u6.3 take 17 bits",
    "tiny_unet.py": "every code equal: True",
}


def test_every_example_is_listed():
    assert sorted(path.name for path in EXAMPLES.glob("*.py")) == sorted(PROMISES)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.cosim if name == "tiny_unet.py" else ())
        for name in PROMISES
    ],
)
def test_example(name):
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert PROMISES[name] in done.stdout, done.stdout
