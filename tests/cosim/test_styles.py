"""Whole networks on arrays of every style equal the golden model, in both simulators."""

import pytest

from fxhw.cosim.simulators import lint
from fxhw.errors import FxhwError
from fxhw.plan.conv_spec import STYLES
from fxhw.synth import TARGETS, check_design, synthesize

from .designs import Case, check_case, generate


def case_of(wbits, abits, target, **changes):
    widths = {"wbits": wbits, "abits": abits}
    return Case(7, (3, 5), (8, 10), widths, style="lut", target=target, **changes)


@pytest.mark.cosim
@pytest.mark.parametrize("target", STYLES["lut"])
@pytest.mark.parametrize(("wbits", "abits"), [(1, 1), (4, 6), (8, 8)])
def test_widths(wbits, abits, target, tmp_path):
    assert check_case(case_of(wbits, abits, target, extreme=True), tmp_path) == 1


@pytest.mark.cosim
@pytest.mark.parametrize("target", STYLES["lut"])
def test_cycles_are_those_estimated(target, tmp_path):
    assert check_case(case_of(4, 6, target, stalls=False), tmp_path) == 1


@pytest.mark.cosim
def test_icarus(tmp_path):
    assert check_case(case_of(3, 4, "ecp5"), tmp_path, "icarus") == 1


@pytest.mark.cosim
def test_verilog_is_clean_and_bound_to_its_family(tmp_path):
    folder = generate(case_of(4, 6, "ecp5"), tmp_path)
    check_design(folder)
    assert lint(folder / "dut.v") == []
    with pytest.raises(FxhwError, match="made of ecp5 cells and cannot be synthesized for gowin"):
        synthesize(folder, TARGETS["gowin"])
