"""Synthesis of the committed sample."""

import shutil
from pathlib import Path

import pytest

from fxhw.errors import FxhwError
from fxhw.synth import TARGETS, check_design, synthesize

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


def test_the_sample_has_no_latches_loops_or_undriven_nets():
    check_design(SAMPLE)


def test_a_latch_is_found(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    (tmp_path / "tiny" / "tiny_w4a4.v").write_text(
        "module tiny_w4a4(input e, input d, output reg q);\n"
        "  always @* if (e) q = d;\nendmodule\n"
    )
    with pytest.raises(FxhwError, match="Yosys ended with status 1"):
        check_design(tmp_path / "tiny")


def test_a_missing_file_is_named(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "tiny")
    (tmp_path / "tiny" / "tiny_w4a4.v").unlink()
    with pytest.raises(FxhwError, match=r"tiny_w4a4\.v is missing; run 'fxhw generate' again"):
        check_design(tmp_path / "tiny")


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_the_sample_on_every_family(name):
    classes = synthesize(SAMPLE, TARGETS[name]).classes
    assert classes["LUT"] > 500
    assert classes["FF"] > 500
    assert classes["block RAM"] >= 1
    assert classes["DSP"] > 0
    without = synthesize(SAMPLE, TARGETS[name], dsp=False).classes
    assert without["DSP"] == 0
    assert without["LUT"] > classes["LUT"]
