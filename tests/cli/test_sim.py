"""``fxhw sim`` on the committed sample."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from fxhw.bundled import bundled_image
from fxhw.checkpoint import load_checkpoint, save_checkpoint
from fxhw.cli import cli
from fxhw.cli.sim import _default_picture
from fxhw.emit import load_manifest
from fxhw.emit.bundle import write_bundle
from fxhw.emit.manifest import content_hash
from fxhw.errors import FxhwError
from fxhw.fixed import normalize
from fxhw.golden import run_network
from fxhw.images import image_codes, read_image, read_label, write_mask
from fxhw.plan import compile_network, design_for
from tests.networks import random_network

from .run import run_command

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


def sim(*args, status=0):
    result = CliRunner().invoke(cli, ["sim", *map(str, args)])
    assert result.exit_code == status, (result.stdout, result.stderr, result.exception)
    if status == 2:
        assert result.stderr.startswith("fxhw: error: ")
        assert result.stderr.count("\n") == 1
    return result


def save_image(path, size, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.cosim
def test_sample_on_the_default_image():
    result = sim(SAMPLE)
    assert "All equal" in result.stdout
    assert "Dice: foreground" in result.stdout
    for layer in ("enc0a", "pool0", "midb", "dec0b", "head"):
        assert layer in result.stdout


@pytest.mark.cosim
def test_own_image_and_label_smaller_than_the_design(tmp_path):
    image = save_image(tmp_path / "x.png", (7, 9))
    write_mask(tmp_path / "label.png", np.zeros((7, 9), bool))
    flags = ["--label", tmp_path / "label.png", "--stalls", "--seed", 3]
    result = sim(SAMPLE, "--image", image, *flags, "--mask", tmp_path / "mask.png")
    assert "7x9" in result.stdout
    assert "Estimate without pauses" in result.stdout
    assert read_label(tmp_path / "mask.png").shape == (7, 9)


@pytest.mark.cosim
def test_compiled_bench_says_the_same(tmp_path):
    image = save_image(tmp_path / "x.png", (12, 10))
    found = {}
    for simulator in ("verilator", "compiled"):
        flags = ["--simulator", simulator, "--image", image, "--json"]
        found[simulator] = json.loads(sim(SAMPLE, *flags).stdout)
        assert found[simulator].pop("simulator") == simulator
        assert found[simulator].pop("seconds") > 0
    assert found["verilator"] == found["compiled"]
    assert found["compiled"]["passed"]
    names = [layer["name"] for layer in found["compiled"]["layers"]]
    assert names == ["enc0a", "enc0b", "pool0", "mida", "midb", "dec0a", "dec0b", "head"]
    flags = ["--simulator", "compiled", "--stalls", "--mask", tmp_path / "mask.png"]
    assert "All equal" in sim(SAMPLE, *flags).stdout
    assert read_label(tmp_path / "mask.png").shape == (12, 10)


@pytest.mark.slow
@pytest.mark.cosim
def test_strips_from_generation_to_the_mask(tmp_path):
    """The commands as a user gives them, for a line buffer of fewer words than rows have."""
    checkpoint = SAMPLE / "checkpoint.safetensors"
    folder = tmp_path / "striped"
    flags = ["--memory", "axi", "--pin", 2, "--pout", 2, "--row-words", 20, "-o", folder]
    made = run_command("generate", "--checkpoint", checkpoint, "--image-size", "10x30", *flags)
    assert "fxhw sim" in made.stdout
    columns = {step["layer"]: set() for step in load_manifest(folder)["steps"]}
    for step in load_manifest(folder)["steps"]:
        columns[step["layer"]].add(step["first_column"])
    assert len(columns["dec0b"]) > 1
    image = save_image(tmp_path / "x.png", (10, 30))
    mask = tmp_path / "mask.png"
    found = json.loads(sim(folder, "--image", image, "--json", "--mask", mask).stdout)
    assert found["passed"]
    tiles = {layer["name"]: layer["tiles"] for layer in found["layers"]}
    assert all(tiles[name] >= len(firsts) for name, firsts in columns.items())
    network = load_checkpoint(checkpoint).resized((10, 30))
    codes = network.prepare(image_codes(read_image(image, network.image_channels), network.image))
    assert np.array_equal(read_label(mask), run_network(network, codes)[0])
    # The same from the command's own default image, which fits no strip alone.
    assert "All equal" in sim(folder, "--stalls").stdout


def test_waveforms_come_from_the_other_bench():
    result = sim(SAMPLE, "--simulator", "compiled", "--waves", status=2)
    assert "writes no waveforms; take --simulator verilator" in result.stderr


@pytest.fixture(scope="module")
def external(tmp_path_factory):
    """The sample's network, with external memory."""
    folder = tmp_path_factory.mktemp("external") / "tiny_axi"
    network = load_checkpoint(SAMPLE / "checkpoint.safetensors")
    design = design_for(network, 2, 2, bus_bits=64, memory="axi", address_bits=32)
    write_bundle(network, compile_network(network, design), folder)
    return folder


def test_external_memory_is_for_the_compiled_bench(external):
    for simulator in ("verilator", "icarus"):
        result = sim(external, "--simulator", simulator, status=2)
        assert "has external memory, which only the compiled bench has" in result.stderr


@pytest.mark.slow
@pytest.mark.cosim
def test_external_memory(external):
    found = json.loads(sim(external, "--json").stdout)
    assert found["passed"]
    assert found["simulator"] == "compiled"
    flags = ["--memory-latency", 200, "--memory-reorder", "beats", "--stalls", "--seed", 3]
    shown = sim(external, *flags).stdout
    assert "All equal" in shown
    assert "kB out" in shown
    assert "of the array from first request to last write" in " ".join(shown.split())
    slower = json.loads(sim(external, *flags, "--json").stdout)
    assert slower["bus"]["cycles"] > found["bus"]["cycles"] > 0
    assert slower["bus"]["write_bytes"] == found["bus"]["write_bytes"]


@pytest.fixture
def zscore():
    network = random_network(np.random.default_rng(20), (2,), (9, 8), 4, 4)
    return replace(network, normalization="zscore")


@pytest.mark.cosim
def test_own_image_is_normalized(tmp_path, zscore):
    save_checkpoint(zscore, tmp_path / "other.safetensors")
    image = save_image(tmp_path / "x.png", (9, 8))
    flags = ["--checkpoint", tmp_path / "other.safetensors", "--mask", tmp_path / "mask.png"]
    assert "All equal" in sim(SAMPLE, "--image", image, *flags).stdout
    expected = run_network(zscore, normalize(read_image(image), "zscore"))[0]
    np.testing.assert_array_equal(read_label(tmp_path / "mask.png"), expected)


def test_default_image_is_normalized_before_it_is_cropped(zscore, monkeypatch):
    def nothing(name):
        raise FxhwError(name)

    monkeypatch.setattr("fxhw.cli.sim.find_dataset", nothing)
    whole = normalize(read_image(bundled_image()), "zscore")
    top, left = (whole.shape[0] - 9) // 2, (whole.shape[1] - 8) // 2
    codes = _default_picture(zscore).codes
    np.testing.assert_array_equal(codes, whole[top : top + 9, left : left + 8])


@pytest.mark.cosim
def test_another_network_is_loaded_through_the_registers(tmp_path):
    other = random_network(np.random.default_rng(20), (2,), (9, 8), 4, 4)
    save_checkpoint(other, tmp_path / "other.safetensors")
    assert "All equal" in sim(SAMPLE, "--checkpoint", tmp_path / "other.safetensors").stdout


@pytest.mark.cosim
def test_a_mismatch_is_placed_and_has_a_waveform(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "damaged")
    memory = tmp_path / "damaged" / "parameters.mem"
    lines = memory.read_text().splitlines(keepends=True)
    weights = load_manifest(SAMPLE)["program"]["descriptors"][-1]["load_address"]
    lines[weights] = f"{int(lines[weights], 16) ^ 0x7777_7777:016x}\n"
    memory.write_text("".join(lines))
    result = sim(tmp_path / "damaged", status=1)
    assert "parameters.mem is not as it was generated" in result.stdout
    assert "FAILED: dec0b as computed, row " in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("Waveforms: ")]
    waves = Path(line.partition(": ")[2])
    assert waves.stat().st_size > 1000
    shutil.rmtree(waves.parent)


def test_an_image_larger_than_the_design(tmp_path):
    image = save_image(tmp_path / "x.png", (13, 10))
    result = sim(SAMPLE, "--image", image, status=2)
    assert "13x10 pixels, the design takes at most 12x10" in result.stderr


def test_a_label_of_another_size(tmp_path):
    image = save_image(tmp_path / "x.png", (8, 8))
    write_mask(tmp_path / "label.png", np.zeros((8, 9), bool))
    result = sim(SAMPLE, "--image", image, "--label", tmp_path / "label.png", status=2)
    assert "has 8x9 pixels" in result.stderr


def test_a_folder_that_was_not_generated(tmp_path):
    assert "has no manifest.json" in sim(tmp_path, status=2).stderr


@pytest.fixture(scope="module")
def wishbone(tmp_path_factory):
    """A generated folder whose ports are Wishbone."""
    path = tmp_path_factory.mktemp("wishbone")
    save_checkpoint(random_network(3, (3, 4), (6, 7), 4, 6), path / "net.safetensors")
    flags = ["--checkpoint", path / "net.safetensors", "--pin", 2, "--pout", 2]
    flags += ["--memory", "wishbone", "-o", path / "wb"]
    result = CliRunner().invoke(cli, ["generate", *map(str, flags)])
    assert result.exit_code == 0, (result.stdout, result.stderr, result.exception)
    return path / "wb"


class TestWishbone:
    @pytest.mark.slow
    @pytest.mark.cosim
    def test_every_layer_equals_golden(self, wishbone):
        image = save_image(wishbone.parent / "x.png", (6, 7))
        result = sim(wishbone, "--image", image, "--stalls")
        assert "All equal" in result.stdout
        assert "Memory: " in result.stdout

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (("--simulator", "icarus"), "which only the compiled bench has, not icarus"),
            (("--memory-reorder", "beats"), "which answers in order; leave --memory-reorder out"),
        ],
    )
    def test_says_what_it_cannot_do(self, wishbone, flags, said):
        assert said in sim(wishbone, *flags, status=2).stderr

    def test_says_what_it_cannot_simulate(self, wishbone, tmp_path):
        folder = shutil.copytree(wishbone, tmp_path / "other")
        manifest = json.loads((folder / "manifest.json").read_text())
        for port in manifest["ports"]:
            port["name"] = port["name"].replace("s_wb_", "s_bus_")
        manifest["content_hash"] = content_hash(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))
        said = sim(folder, status=2).stderr
        assert "cannot be simulated: its top wb has its registers neither at AXI4-Lite" in said

    def test_pages_and_ports(self, wishbone):
        assert "Wishbone, 32-bit words" in (wishbone / "registers.md").read_text()
        manifest = load_manifest(wishbone)
        ports = {port["name"]: port["width"] for port in manifest["ports"]}
        assert (ports["m_wb_adr"], ports["m_wb_sel"], ports["s_wb_adr"]) == (29, 8, 6)
        assert {"clk", "rst", "irq"} <= set(ports)
        assert manifest["design"]["memory"] == "wishbone"
