"""``fxhw synth``."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from fxhw.cli import cli

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


def test_a_folder_that_was_not_generated(tmp_path):
    result = CliRunner().invoke(cli, ["synth", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.startswith("fxhw: error: ")


@pytest.mark.slow
def test_sample(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    result = CliRunner().invoke(cli, ["synth", "--target", "ecp5", str(tmp_path / "tiny")])
    assert result.exit_code == 0, result.stderr
    assert "Lattice ECP5" in result.stdout
    assert (tmp_path / "tiny" / "reports" / "synthesis.json").is_file()
