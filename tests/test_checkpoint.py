"""Checkpoint files: what is written is read back, and nothing else is believed."""

import json
import os
import struct
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from fxhw.bundled import bundled_checkpoint
from fxhw.checkpoint import SCHEMA, load_checkpoint, save_checkpoint
from fxhw.errors import FxhwError
from fxhw.fixed import FixedFormat, WeightFormat
from fxhw.graph import Concat, Conv, Head, MaxPool, Network, Upsample
from tests.networks import random_network

SAMPLE = Path(__file__).parents[1] / "rtl_out" / "tiny_w4a4"


def assert_same(first: Network, second: Network):
    assert (first.image, first.image_channels, first.size) == (
        second.image, second.image_channels, second.size
    )
    assert first.meta == second.meta
    assert first.normalization == second.normalization
    np.testing.assert_array_equal(first.calibration, second.calibration)
    assert len(first.ops) == len(second.ops)
    for a, b in zip(first.ops, second.ops):
        if isinstance(a, Conv | Head):
            assert type(a) is type(b)
            for field in ("name", "input", "output", "weight"):
                assert getattr(a, field) == getattr(b, field)
            np.testing.assert_array_equal(a.codes, b.codes)
            np.testing.assert_array_equal(a.weight_frac, b.weight_frac)
            np.testing.assert_array_equal(a.bias, b.bias)
            assert a.codes.dtype == b.codes.dtype == a.weight.dtype
        else:
            assert isinstance(a, MaxPool | Upsample | Concat)
            assert a == b
        if isinstance(a, Conv):
            assert a.out == b.out
            assert (a.multiplier is None) == (b.multiplier is None)
            if a.multiplier is not None:
                np.testing.assert_array_equal(a.multiplier, b.multiplier)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "net.safetensors"
    save_checkpoint(random_network(0, (2, 3), (9, 8), 3, 5), path)
    return path


@pytest.fixture
def newer(tmp_path):
    """A network that takes schema 2."""
    path = tmp_path / "newer.safetensors"
    network = random_network(
        0, (2, 3), (9, 8), 4, 5, weights="power", activations="signed", multipliers=True
    )
    save_checkpoint(replace(network, normalization="zscore"), path)
    return path


def header_of(path):
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["fxhw"])


def rewrite(path, change_header=None, **tensors):
    """Write ``path`` again with other tensors (None removes) and a changed header."""
    header = header_of(path)
    content = load_file(path)
    for name, value in tensors.items():
        if value is None:
            del content[name]
        else:
            content[name] = value
    if change_header:
        header = change_header(header) or header
    save_file(content, path, metadata={"fxhw": json.dumps(header)})


def layer(header, name):
    return next(op for op in header["ops"] if op["name"] == name)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1 << 32),
    channels=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    wbits=st.integers(1, 8),
    abits=st.integers(1, 8),
    image_channels=st.sampled_from([1, 3]),
    first=st.integers(1, 8),
    last=st.integers(1, 8),
    ibits=st.integers(1, 8),
    extreme=st.booleans(),
)
def test_round_trip(
    tmp_path, seed, channels, wbits, abits, image_channels, first, last, ibits, extreme
):
    network = random_network(
        seed, channels, (8, 9), wbits, abits, image_channels, first, last, ibits, extreme
    )
    save_checkpoint(network, tmp_path / "a")
    assert_same(network, load_checkpoint(tmp_path / "a"))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 1 << 32),
    wbits=st.integers(1, 16),
    abits=st.integers(1, 16),
    weights=st.sampled_from(["fixed", "ternary", "power"]),
    end_weights=st.sampled_from(["fixed", "ternary", "power"]),
    activations=st.sampled_from(["unsigned", "signed", "ternary", "sign"]),
    multipliers=st.booleans(),
    normalization=st.sampled_from(["none", "zscore"]),
)
def test_round_trip_of_every_kind(tmp_path, seed, wbits, abits, normalization, **kinds):
    network = random_network(seed, (2, 3), (5, 4), wbits, abits, **kinds)
    network = replace(network, normalization=normalization)
    save_checkpoint(network, tmp_path / "a")
    assert_same(network, load_checkpoint(tmp_path / "a"))
    plain = {wbits <= 8, abits <= 8, kinds["weights"] == kinds["end_weights"] == "fixed"}
    plain |= {kinds["activations"] == "unsigned", not kinds["multipliers"]}
    plain |= {normalization == "none"}
    assert header_of(tmp_path / "a")["schema"] == (1 if plain == {True} else 2)


@pytest.mark.parametrize(
    "path", [bundled_checkpoint(), SAMPLE / "checkpoint.safetensors"], ids=lambda path: path.name
)
def test_files_of_schema_1_stay_as_they_are(path, tmp_path):
    save_checkpoint(load_checkpoint(path), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_power_weights_take_their_exact_width(newer):
    codes = next(op for op in load_checkpoint(newer).ops if op.name == "enc1b").codes
    assert load_file(newer)["enc1b.weight"].nbytes == -(-codes.size * 4 // 8)


def test_round_trip_without_calibration(tmp_path):
    head = Head("head", "image", "logit", WeightFormat(8), np.array([1, 2, 3], np.int8), 4, -5)
    network = Network(FixedFormat(8), 3, (head,), (4, 6), meta={"nested": {"x": [1, None, "ü"]}})
    save_checkpoint(network, tmp_path / "a")
    assert_same(network, load_checkpoint(tmp_path / "a"))


def test_equal_networks_give_equal_bytes(tmp_path):
    for name in "ab":
        save_checkpoint(random_network(7, (2, 3), (9, 8), 3, 5), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    save_checkpoint(load_checkpoint(tmp_path / "a"), tmp_path / "c")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "c").read_bytes()


def test_weights_take_their_exact_width(path):
    content = load_file(path)
    codes = next(op for op in load_checkpoint(path).ops if op.name == "enc1b").codes
    assert content["enc1b.weight"].nbytes == -(-codes.size * 3 // 8)


def test_file_has_ordinary_permissions(path):
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_missing_file(tmp_path):
    with pytest.raises(FxhwError, match=r"^Checkpoint .*none does not exist; train one with"):
        load_checkpoint(tmp_path / "none")


def test_truncated_anywhere(path):
    data = path.read_bytes()
    for length in range(0, len(data), 37):
        path.write_bytes(data[:length])
        with pytest.raises(FxhwError, match=r"is not a sound safetensors file .* truncated"):
            load_checkpoint(path)


@pytest.mark.parametrize("data", [b"PK\x03\x04" + bytes(100), b"\x89PNG" * 20, b"\xff" * 64])
def test_another_kind_of_file(path, data):
    path.write_bytes(data)
    with pytest.raises(FxhwError, match=r"is not a sound safetensors file"):
        load_checkpoint(path)


def test_foreign_safetensors(path):
    save_file({"layer.weight": np.zeros((3, 3), np.float32)}, path, metadata={"format": "pt"})
    with pytest.raises(FxhwError, match=r"is a safetensors file, but not one of fxhw"):
        load_checkpoint(path)


@pytest.mark.parametrize("fxhw", [False, True])
def test_bfloat16_tensors(path, fxhw):
    """NumPy has no such type; foreign files often do."""
    header = {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    if fxhw:
        header["__metadata__"] = {"fxhw": "{}"}
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    with pytest.raises(FxhwError, match="not one of fxhw|not a sound|damaged metadata"):
        load_checkpoint(path)


def test_other_schema(path):
    rewrite(path, lambda header: header | {"schema": SCHEMA + 1})
    message = rf"its schema is version {SCHEMA + 1}, this fxhw reads versions 1 to {SCHEMA}; train"
    with pytest.raises(FxhwError, match=message):
        load_checkpoint(path)


def test_unknown_operator(path):
    rewrite(path, lambda header: layer(header, "enc0b").update(op="Softmax"))
    with pytest.raises(FxhwError, match=r"layer enc0b has the unknown operator 'Softmax'$"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["enc1a.weight", "mida.bias", "head.weight_frac", "calibration"])
def test_missing_tensor(path, name):
    rewrite(path, **{name: None})
    with pytest.raises(FxhwError, match=rf"^Checkpoint .*: tensor {name} is missing$"):
        load_checkpoint(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_or_infinity(path, value):
    rewrite(path, **{"mida.bias": np.array([0.0, value, 1.0])})
    with pytest.raises(FxhwError, match=r"tensor mida\.bias holds NaN or infinity; a checkpoint"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "dtype", "expected"),
    [
        ("mida.bias", np.int32, "int64"),
        ("mida.bias", np.float32, "int64"),
        ("mida.weight", np.int8, "uint8"),
        ("mida.weight_frac", np.int64, "int16"),
        ("calibration", np.uint16, "uint8"),
    ],
)
def test_tensor_of_wrong_type(path, name, dtype, expected):
    rewrite(path, **{name: load_file(path)[name].astype(dtype)})
    shown = np.dtype(dtype)
    with pytest.raises(FxhwError, match=rf"tensor {name} is {shown}, expected {expected}$"):
        load_checkpoint(path)


def test_weights_of_wrong_length(path):
    rewrite(path, **{"mida.weight": np.zeros(7, np.uint8)})
    message = r"layer mida has 7 bytes of weights, but shape \(3, 3, 3, 3\) at 3 bits takes 31$"
    with pytest.raises(FxhwError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("shape", [[3, 3], [3, 3, 3, 0], [-1, 3, 3, 3]])
def test_impossible_shape(path, shape):
    rewrite(path, lambda header: layer(header, "mida").update(shape=shape))
    with pytest.raises(FxhwError, match=r"layer mida has weights of the impossible shape \("):
        load_checkpoint(path)


def test_enormous_shape_is_not_allocated(path):
    rewrite(path, lambda header: layer(header, "mida").update(shape=[1 << 40, 1 << 40, 3, 3]))
    with pytest.raises(FxhwError, match=r"layer mida has \d+ bytes of weights, but shape"):
        load_checkpoint(path)


@pytest.mark.parametrize("what", ["bias", "weight_frac"])
def test_channel_vector_of_wrong_shape(path, what):
    name = f"enc1a.{what}"
    rewrite(path, **{name: load_file(path)[name][:2]})
    with pytest.raises(FxhwError, match=rf"layer enc1a has {what} of shape \(2,\), expected \(3,"):
        load_checkpoint(path)


def test_multiplier_of_wrong_shape(newer):
    rewrite(newer, **{"enc1a.multiplier": np.ones(2, np.int64)})
    with pytest.raises(FxhwError, match=r"layer enc1a has multiplier of shape \(2,\), expected"):
        load_checkpoint(newer)


def test_missing_multiplier(newer):
    rewrite(newer, **{"enc1a.multiplier": None})
    with pytest.raises(FxhwError, match=r": tensor enc1a\.multiplier is missing$"):
        load_checkpoint(newer)


def test_patterns_without_a_code(newer):
    """Four bits of a power of two: a sign, then at most 4."""
    rewrite(newer, **{"mida.weight": np.full_like(load_file(newer)["mida.weight"], 0x77)})
    with pytest.raises(FxhwError, match=r": layer mida has weights that are no pow4 codes$"):
        load_checkpoint(newer)


def test_unknown_normalization(newer):
    rewrite(newer, lambda header: header | {"normalization": "minmax"})
    with pytest.raises(FxhwError, match=r": The normalization is 'minmax', but must be one of"):
        load_checkpoint(newer)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.pop("normalization") and None,
        lambda header: layer(header, "mida").pop("kind") and None,
        lambda header: layer(header, "mida").pop("multiplier") and None,
        lambda header: layer(header, "mida")["out"].pop("codes") and None,
        lambda header: layer(header, "mida").update(kind="float"),
        lambda header: layer(header, "mida").update(kind=["power"]),
        lambda header: layer(header, "mida").update(bits=8),
        lambda header: layer(header, "mida")["out"].update(codes="gray"),
        lambda header: layer(header, "mida")["out"].update(codes="sign"),
    ],
)
def test_damaged_metadata_of_schema_2(newer, change):
    rewrite(newer, change)
    with pytest.raises(FxhwError, match=r"has damaged metadata \(\w+: "):
        load_checkpoint(newer)


def test_calibration_of_wrong_shape(path):
    rewrite(path, calibration=np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(FxhwError, match=r"Calibration images have shape \(2, 4, 4, 3\), expected"):
        load_checkpoint(path)


@pytest.mark.parametrize("out", [{"width": 9, "frac": 0, "signed": False},
                                 {"width": 4, "frac": 0, "signed": True}])
def test_activation_format_wrong(path, out):
    rewrite(path, lambda header: layer(header, "enc1a").update(out=out))
    with pytest.raises(FxhwError, match=r"layer enc1a has activations of format [us]\d\.0, expec"):
        load_checkpoint(path)


def test_graph_errors_name_the_file(path):
    rewrite(path, lambda header: layer(header, "up1").update(like="nowhere"))
    message = rf"^Checkpoint {path}: Layer up1 reads tensor nowhere, which nothing makes$"
    with pytest.raises(FxhwError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: {"schema": SCHEMA},
        lambda header: [SCHEMA],
        lambda header: header | {"size": 4},
        lambda header: header | {"size": [4, "x"]},
        lambda header: header | {"size": [4, 1e400]},
        lambda header: header | {"ops": [{}]},
        lambda header: header | {"ops": [None]},
        lambda header: header | {"image": {"width": 8}},
        lambda header: header | {"image": {"width": 8, "frac": 10**40, "signed": False}},
        lambda header: header | {"image_channels": None},
        lambda header: layer(header, "cat1").update(inputs=["enc1b"]),
        lambda header: layer(header, "mida").update(bits=11),
        lambda header: layer(header, "mida").update(shape=7),
    ],
)
def test_damaged_metadata(path, change):
    rewrite(path, change)
    with pytest.raises(FxhwError, match=r"has damaged metadata \(\w+: "):
        load_checkpoint(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\x00"])
def test_metadata_is_not_json(path, text):
    save_file(load_file(path), path, metadata={"fxhw": text})
    with pytest.raises(FxhwError, match=r"has damaged metadata \("):
        load_checkpoint(path)


def test_facts_are_a_table(path):
    rewrite(path, lambda header: header | {"meta": [1]})
    with pytest.raises(FxhwError, match=r": its facts are \[1\], not a table$"):
        load_checkpoint(path)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_bytes_give_a_network_or_one_sentence(tmp_path, data):
    """Whatever the damage, nothing but FxhwError comes out."""
    path = tmp_path / "fuzz"
    if not path.exists():
        save_checkpoint(random_network(0, (2,), (8, 8), 4, 4), path)
    sound = bytearray(path.read_bytes())
    header = 8 + struct.unpack("<Q", sound[:8])[0]
    damaged = sound.copy()
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, header))] = data.draw(st.integers(0, 255))
    (tmp_path / "damaged").write_bytes(damaged)
    with suppress(FxhwError):
        load_checkpoint(tmp_path / "damaged")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), value=_JSON, weights=st.sampled_from(["fixed", "power"]))
def test_replaced_entries_give_a_network_or_one_sentence(tmp_path, data, value, weights):
    path = tmp_path / "fuzz"
    save_checkpoint(random_network(0, (1,), (4, 4), 4, 4, weights=weights), path)

    def replace_one(header):
        where = header
        while True:
            keys = list(where) if isinstance(where, dict) else list(range(len(where)))
            key = data.draw(st.sampled_from(keys))
            inner = where[key]
            if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
                where = inner
                continue
            where[key] = value
            return header

    rewrite(path, replace_one)
    with suppress(FxhwError):
        load_checkpoint(path)


@pytest.mark.parametrize("where", ["none/net", "folder"])
def test_place_that_cannot_be_written(tmp_path, where):
    (tmp_path / "folder").mkdir()
    network = random_network(0, (2,), (8, 8), 4, 4)
    with pytest.raises(FxhwError, match=rf"^Checkpoint .*{where} cannot be written: \w"):
        save_checkpoint(network, tmp_path / where)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FxhwError, match=r"cannot be written: Permission denied$"):
        save_checkpoint(random_network(0, (2,), (8, 8), 4, 4), tmp_path / "net")


def test_failed_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(FxhwError, match=r"cannot be written: No space left on device$"):
        save_checkpoint(random_network(1, (2,), (8, 8), 4, 4), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]
