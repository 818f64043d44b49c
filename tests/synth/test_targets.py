"""What cells count as, and the reports made of it."""

import json

import pytest

from fxhw.synth import TARGETS, Resources, resource_rows, write_reports


@pytest.mark.parametrize(
    ("target", "cells", "classes"),
    [
        (
            "ecp5",
            {"LUT4": 7, "CCU2C": 2, "TRELLIS_FF": 5, "DP16KD": 3, "PFUMX": 1, "MULT18X18D": 4},
            {"LUT": 7, "carry": 2, "LUT RAM": 0, "FF": 5, "DSP": 4, "block RAM": 3},
        ),
        (
            "xc7",
            {"LUT2": 1, "LUT6": 2, "FDRE": 3, "FDSE": 1, "RAMB18E1": 1, "RAMB36E1": 2, "RAM32M": 4},
            {"LUT": 3, "carry": 0, "LUT RAM": 4, "FF": 4, "DSP": 0, "block RAM": 2.5},
        ),
        (
            "gowin",
            {"LUT1": 1, "LUT4": 2, "ALU": 3, "DFFRE": 4, "SDPX9B": 5, "RAM16SDP4": 6, "MULT9X9": 7},
            {"LUT": 3, "carry": 3, "LUT RAM": 6, "FF": 4, "DSP": 7, "block RAM": 5},
        ),
    ],
)
def test_classes(target, cells, classes):
    assert TARGETS[target].classify(cells) == classes


def test_reports(tmp_path):
    target = TARGETS["ecp5"]
    cells = {"LUT4": 1234, "TRELLIS_FF": 1}
    result = Resources(target, False, target.classify(cells), cells, 2.4)
    rows = resource_rows([result])
    assert rows[1] == ("Lattice ECP5, no DSP", "1,234", "0", "0", "1", "0", "0", "2")
    paths = write_reports(tmp_path, {"top": "x", "content_hash": "y"}, [result])
    assert json.loads(paths[0].read_text())["targets"][0]["cells"] == cells
    assert "| Lattice ECP5, no DSP | 1,234 |" in paths[1].read_text()
