"""Generated folders: whole or not at all, and always the same."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from fxhw.checkpoint import load_checkpoint
from fxhw.emit import changed_files, describe, load_manifest, write_bundle
from fxhw.emit.documents import program_hex
from fxhw.emit.folder import check_target, top_name
from fxhw.emit.manifest import SCHEMA, content_hash
from fxhw.errors import FxhwError
from fxhw.plan import Design, compile_network, design_for
from tests.networks import random_network

SAMPLE = Path(__file__).parents[2] / "rtl_out" / "tiny_w4a4"


@pytest.fixture(scope="module")
def made():
    network = random_network(np.random.default_rng(3), (2,), (6, 4), 3, 2)
    return network, compile_network(network, design_for(network, 1, 2))


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "tiny"
    write_bundle(*made, path)
    return path


@pytest.fixture
def copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "tiny")
    return tmp_path / "tiny"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files(folder):
    assert sorted(contents(folder)) == [
        "checkpoint.safetensors",
        "fxhw_driver.c",
        "fxhw_driver.h",
        "fxhw_registers.h",
        "manifest.json",
        "parameters.mem",
        "program.hex",
        "program.md",
        "registers.md",
        "tiny.core",
        "tiny.v",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_same_inputs_same_bytes(made, folder, tmp_path):
    write_bundle(*made, tmp_path / "tiny")
    assert contents(tmp_path / "tiny") == contents(folder)


def test_manifest_describes_the_design(made, folder):
    network, plan = made
    manifest = load_manifest(folder)
    assert Design.from_json(manifest["design"]) == plan.design
    assert manifest["content_hash"] == content_hash(manifest)
    assert manifest["estimated_cycles"] == plan.estimate.total
    ports = {port["name"]: port for port in manifest["ports"]}
    assert ports["s_axis_tdata"] == {"name": "s_axis_tdata", "direction": "in", "width": 8}
    assert ports["trace_front_data"]["width"] == plan.design.feature_bits
    assert manifest["tensors"]["image"]["format"] == network.image.name
    assert len(manifest["program"]["descriptors"]) == len(plan.descriptors)
    assert set(manifest["files"]) == set(contents(folder)) - {"manifest.json"}
    assert changed_files(folder, manifest) == []


def test_the_network_is_kept_as_compiled(made, folder):
    plan = made[1]
    again = compile_network(load_checkpoint(folder / "checkpoint.safetensors"), plan.design)
    assert again.beats == plan.beats


def test_memory_file_and_program_words_agree(made, folder):
    beats = [int(line, 16) for line in (folder / "parameters.mem").read_text().split()]
    assert tuple(beats) == made[1].beats
    words = [int(line, 16) for line in (folder / "program.hex").read_text().split()]
    assert words[0] | words[1] << 32 == beats[0]
    assert program_hex(made[1]).count("\n") == 2 * len(beats)


def test_documents_name_every_layer_and_register(folder):
    listing = (folder / "program.md").read_text()
    assert "## 0: first convolution, enc0a" in listing
    assert "reads mida" in listing
    assert "| 0x08 | CONTROL | rw |" in (folder / "registers.md").read_text()
    assert "file_type: verilogSource" in (folder / "tiny.core").read_text()


def test_documents_mention_kinds(folder, tmp_path):
    network = random_network(3, (2,), (6, 4), 3, 2, weights="power", activations="signed")
    plan = compile_network(network, design_for(network, 1, 2))
    manifest = write_bundle(network, plan, tmp_path / "tiny")
    assert (manifest["design"]["weights"], manifest["design"]["activations"]) == ("power", "signed")
    assert {d["weight_bits"] for d in manifest["program"]["descriptors"]} == {3 | 2 << 4}
    assert {d["activation_bits"] for d in manifest["program"]["descriptors"]} == {2 | 1 << 4}
    made, before = contents(tmp_path / "tiny"), contents(folder)
    assert b"3-bit power weights, 2-bit signed activations" in made["tiny.v"]
    assert b"3-bit weights, 2-bit activations" in before["tiny.v"]
    assert b"with their kinds in bits 7..4" in made["registers.md"]
    assert b"kinds" not in before["registers.md"]
    facts = dict(dict(describe(tmp_path / "tiny"))["Design"])
    assert facts["weights x activations"] == "3 x 2 bits, power x signed"


def test_documents_mention_multipliers(folder, tmp_path):
    network = random_network(3, (2,), (6, 4), 3, 2, multipliers=True)
    plan = compile_network(network, design_for(network, 1, 2))
    bits = plan.design.mul_bits
    write_bundle(network, plan, tmp_path / "tiny")
    manifest = load_manifest(tmp_path / "tiny")
    assert manifest["design"]["mul_bits"] == bits
    assert Design.from_json(manifest["design"]) == plan.design
    assert manifest["program"]["descriptors"][2]["multiplier_bits"] == bits
    assert manifest["program"]["descriptors"][2]["kernel"] == "CONV3X3_MULTIPLIER"
    of_layers = [layer.get("multiplier_bits", 0) for layer in manifest["layers"]]
    assert max(of_layers) == bits
    facts = dict(dict(describe(tmp_path / "tiny"))["Design"])
    assert facts["multipliers"] == f"{bits} bits"
    texts = {
        "tiny.v": f"{bits}-bit multipliers, ",
        "registers.md": f"bits of a beat \\| bits of a multiplier ({bits}) << 16",
        "program.md": "their shifts\n",
    }
    for name, text in texts.items():
        assert text in (tmp_path / "tiny" / name).read_text(), name
        assert text not in (folder / name).read_text(), name
    assert "mul" not in (folder / "manifest.json").read_text()


def test_describe_is_made_of_tables(folder):
    tables = dict(describe(folder))
    assert list(tables) == ["Design", "Steps", "Memories", "Feature memory", "Files"]
    for rows in tables.values():
        assert len({len(row) for row in rows}) == 1
        assert all(isinstance(cell, str) for row in rows for cell in row)
    assert ("top module", "tiny") in tables["Design"]


def test_a_generated_folder_is_replaced(made, copy):
    (copy / "reports").mkdir()
    (copy / "reports" / "old.txt").write_text("old")
    write_bundle(*made, copy)
    assert not (copy / "reports").exists()
    assert [path.name for path in copy.parent.iterdir()] == ["tiny"]


def test_another_folder_is_not_replaced_unless_forced(made, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.txt").write_text("precious")
    with pytest.raises(FxhwError, match=r"was not generated by this version .*--force"):
        write_bundle(*made, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["work.txt"]
    write_bundle(*made, tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "mine.v").is_file()


def test_an_empty_folder_is_filled(tmp_path):
    check_target(tmp_path)


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FxhwError, match="file is a file; name a folder"):
        check_target(tmp_path / "file")


def test_a_place_that_cannot_be_written_is_left_alone(made, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FxhwError, match="cannot be written: .*; choose another with -o"):
        write_bundle(*made, tmp_path / "file" / "tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failure_leaves_nothing_behind(made, copy, monkeypatch):
    before = contents(copy)
    monkeypatch.setattr("fxhw.emit.verilog._SCRIPT", "nonsense\n")
    with pytest.raises(FxhwError, match="Yosys ended with status 1"):
        write_bundle(*made, copy)
    assert contents(copy) == before
    assert [path.name for path in copy.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    ("name", "top"),
    [
        ("unet_w4a6", "unet_w4a6"),
        ("4-bit net", "fxhw_4_bit_net"),
        ("µ", "_"),
        ("small", "fxhw_small"),
    ],
)
def test_top_name_is_an_identifier(name, top):
    assert top_name(Path("rtl_out") / name) == top


def test_manifest_of_a_missing_folder(tmp_path):
    with pytest.raises(FxhwError, match="none does not exist; make it with 'fxhw generate"):
        load_manifest(tmp_path / "none")
    with pytest.raises(FxhwError, match=r"has no manifest\.json"):
        load_manifest(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "has the layout None"),
        (json.dumps({"schema": "fxhw-manifest-0"}), "has the layout 'fxhw-manifest-0'"),
        (json.dumps({"schema": SCHEMA}), "does not match its own content hash"),
    ],
)
def test_damaged_manifests(tmp_path, text, message):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(FxhwError, match=message):
        load_manifest(tmp_path)


def test_changed_files_are_named(copy):
    (copy / "tiny.v").write_text("module tiny; endmodule\n")
    os.remove(copy / "program.md")
    assert changed_files(copy, load_manifest(copy)) == ["program.md", "tiny.v"]
    facts = dict(dict(describe(copy))["Design"])
    assert facts["changed files"] == "program.md, tiny.v"


def test_the_committed_sample_is_reproduced(tmp_path):
    """``make sample`` renews it after a change that is meant to change it."""
    manifest = load_manifest(SAMPLE)
    network = load_checkpoint(SAMPLE / "checkpoint.safetensors")
    plan = compile_network(network, Design.from_json(manifest["design"]))
    again = write_bundle(network, plan, tmp_path / SAMPLE.name)
    made, kept = contents(tmp_path / SAMPLE.name), contents(SAMPLE)
    kept.pop("reports", None)
    if again["tools"] != manifest["tools"]:
        # Another Yosys words the Verilog differently; what fxhw writes itself must not change.
        for name in ("manifest.json", f"{SAMPLE.name}.v"):
            made.pop(name), kept.pop(name)
    assert sorted(made) == sorted(kept)
    for name in made:
        assert made[name] == kept[name], name
