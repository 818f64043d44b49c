"""``fxhw info``."""

import json
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from fxhw.checkpoint import save_checkpoint
from fxhw.fixed import FixedFormat, WeightFormat
from fxhw.graph import Head, Network
from tests.networks import random_network

from .run import run_command


@pytest.fixture
def network():
    network = random_network(0, (3, 4), (20, 16), 4, 6, image_channels=3)
    return replace(network, meta={"dataset": "glas", "dice": {"val": 91.23456}})


@pytest.fixture
def net(tmp_path, network):
    save_checkpoint(network, tmp_path / "net.safetensors")
    return tmp_path / "net.safetensors"


def info(*args, ok=True):
    return run_command("info", *args, ok=ok)


def test_tables(net, network):
    text = info(net).stdout
    for op in network.ops:
        assert f" {op.name} " in text
    for fact in ("20x16, 3 x u8.8", "20x16x7", "s4", "91.23", "dice.val", "glas"):
        assert fact in text
    assert f"{sum(network.macs().values()):,} per image" in text
    assert f"{network.peak_activation_bits():,} bits" in text
    assert f"{network.stored_bits()['weights']:,}" in text


def test_json(net, network):
    facts = json.loads(info(net, "--json").stdout)
    assert facts["size"] == [20, 16]
    assert (facts["wbits"], facts["abits"], facts["image_format"]) == (4, 6, "u8.8")
    assert facts["file_bytes"] == net.stat().st_size
    stored = network.stored_bits()
    assert facts["stored_bits"] == stored | {"total": sum(stored.values())}
    assert facts["macs"] == sum(network.macs().values())
    assert facts["provenance"] == network.meta
    tensors = network.tensors()
    for layer, op in zip(facts["layers"], network.ops, strict=True):
        assert layer["name"] == op.name
        assert layer["shape"] == list(tensors[op.output].shape)
        assert layer["format"] == tensors[op.output].format.name
        assert ("weights" in layer) == hasattr(op, "codes")
        if hasattr(op, "codes"):
            source = tensors[op.input].format
            assert layer["accumulator_bits"] == op.accumulator(source).width
            assert layer["macs"] == network.macs()[op.name]


@pytest.mark.parametrize(
    ("kinds", "weights", "activations", "shown"),
    [
        ({}, "fixed", "unsigned", "of 4 bits, fixed"),
        ({"weights": "power", "activations": "signed"}, "power", "signed", "pow4"),
        ({"weights": "ternary", "activations": "ternary"}, "ternary", "ternary", "of 2 bits"),
        ({"wbits": 1, "activations": "sign", "multipliers": True}, "binary", "sign", "multipliers"),
    ],
)
def test_kinds_and_normalization(tmp_path, kinds, weights, activations, shown):
    network = random_network(0, (2,), (8, 8), **{"wbits": 4, "abits": 6} | kinds)
    save_checkpoint(replace(network, normalization="zscore"), tmp_path / "net")
    facts = json.loads(info(tmp_path / "net", "--json").stdout)
    assert facts["normalization"] == "zscore"
    assert (facts["weight_kinds"], facts["activation_kinds"]) == ([weights], [activations])
    bits = {layer["multiplier_bits"] for layer in facts["layers"] if layer["op"] == "Conv"}
    assert (bits == {0}) == ("multipliers" not in kinds)
    text = info(tmp_path / "net").stdout
    for fact in ("zscore", weights, activations, shown):
        assert fact in text


def test_head_alone(tmp_path):
    head = Head("head", "image", "logit", WeightFormat(8), np.array([3], np.int8), 0, -6)
    save_checkpoint(Network(FixedFormat(8), 1, (head,), (2, 2)), tmp_path / "net")
    facts = json.loads(info(tmp_path / "net", "--json").stdout)
    assert (facts["weight_kinds"], facts["activation_kinds"]) == (["fixed"], ["unsigned"])


def test_markup_in_facts_is_text(tmp_path, network):
    save_checkpoint(replace(network, meta={"note": "[red]x[/nonsense]"}), tmp_path / "net")
    assert "[red]x[/nonsense]" in info(tmp_path / "net").stdout


def test_generated_folder(tmp_path, monkeypatch):
    manifest = types.ModuleType("fxhw.emit.manifest")
    manifest.describe = lambda folder: [("Design", [("top", "unet"), ("lanes", 4)])]
    monkeypatch.setitem(sys.modules, "fxhw.emit.manifest", manifest)
    (tmp_path / "manifest.json").write_text('{"top": "unet"}')
    text = info(tmp_path).stdout
    for fact in ("Design", "top", "unet", "lanes", "4"):
        assert fact in text
    assert json.loads(info(tmp_path, "--json").stdout) == {"top": "unet"}


def test_damaged_manifest(tmp_path):
    (tmp_path / "manifest.json").write_text("{")
    assert "manifest.json is damaged (" in info(tmp_path, "--json", ok=False).stderr


def test_refusals(tmp_path, net):
    assert "does not exist; give a checkpoint or" in info(tmp_path / "none", ok=False).stderr
    assert "has no manifest.json, so 'fxhw generate'" in info(tmp_path, ok=False).stderr
    net.write_bytes(net.read_bytes()[:100])
    assert "is not a sound safetensors file" in info(net, ok=False).stderr
