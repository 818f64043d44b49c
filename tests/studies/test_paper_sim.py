"""The simulation of a whole image, with networks smaller than the paper's."""

import json
from pathlib import Path

import pytest

from fxhw.bundled import find_checkpoint
from fxhw.studies import paper_sim

pytestmark = pytest.mark.cosim


def simulate(tmp_path, base_channels, checkpoint=None, **options):
    told, results = [], tmp_path / "results"
    passed, path = paper_sim.write(
        base_channels, checkpoint, tmp_path, results, told.append, **options
    )
    assert passed
    assert told[0] == "generating"
    assert told[-1] == "comparing with the golden model"
    found = json.loads(path.with_suffix(".json").read_text())
    page = path.read_text()
    assert f"{found['compared']:,} codes, every one right" in page
    assert f"{found['cycles']:,} cycles" in page
    for layer in found["layers"]:
        assert f"| {layer['name']} | {'x'.join(map(str, layer['size']))} |" in page
        assert layer["wrong"] == 0 < layer["compared"]
    return found


@pytest.mark.slow
def test_page_of_a_small_network(tmp_path, monkeypatch):
    for name, value in {"SIZE": (11, 9), "DEPTH": 1, "WEIGHT_WORDS": 6}.items():
        monkeypatch.setattr(paper_sim, name, value)
    found = simulate(tmp_path, 4, lanes=2, bus_bits=128)
    assert (tmp_path / "results" / "paper_sim_2x2_128.md").is_file()
    assert found["size"] == [11, 9]
    assert max(layer["tiles"] for layer in found["layers"]) > 1


@pytest.mark.slow
def test_a_slice_in_strips(tmp_path, monkeypatch):
    """512x512 through a line buffer of a fifth of what it would need: every code."""
    for name, value in {"SIZE": (512, 512), "ROW_WORDS": 300}.items():
        monkeypatch.setattr(paper_sim, name, value)
    found = simulate(tmp_path, 0, find_checkpoint(Path("em")))
    assert found["size"] == [512, 512]
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["enc0b"]["tiles"] >= 2
    assert layers["dec0a"]["tiles"] >= 4
    assert layers["dec0b"]["size"] == [512, 512, 8]


@pytest.mark.slow
def test_sixteen_channels(tmp_path):
    """A whole 200x200 image, every code, within minutes; the array is busy."""
    found = simulate(tmp_path, 16)
    assert found["macs"] > 1.4e9
    assert found["bus"]["utilization"] > 0.95
    assert abs(found["cycles"] / found["estimate"] - 1) < 0.02
