"""Models of real scales against their execution in floating point by qonnx, and Brevitas' own."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fxhw.checkpoint import load_checkpoint, save_checkpoint
from fxhw.errors import FxhwError
from fxhw.exchange import import_qonnx, measure
from tests.exchange.models import QONNX, Builder, unet
from tests.networks import random_image

pytest.importorskip("onnx")


DATA = Path(__file__).parent / "data"


def images_of(network, count=3):
    rng = np.random.default_rng(1)
    return np.stack(
        [random_image(rng, network.size, network.image_channels) for _ in range(count)]
    )


def small(rounding="ROUND", signed=0, bias=(0.25,), scale=0.125, wscale=0.5):
    """A Builder with a convolution of known numbers, and the logit."""
    b = Builder((1, 1, 4, 4))
    codes = np.arange(-4, 5).reshape(1, 1, 3, 3)
    x = b.conv(b.quant("x", 1 / 256, 8), b.weights(codes, [wscale]), bias)
    x = b.quant(x, scale, 4, signed=signed, rounding=rounding)
    return b, b.conv(x, b.weights(np.ones((1, 1, 1, 1)), [1.0]), kernel=1)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 1 << 32),
    norm=st.booleans(),
    signed=st.booleans(),
    rounding=st.sampled_from(["ROUND", "FLOOR", "CEIL", "HALF_UP", "HALF_DOWN"]),
    size=st.tuples(st.integers(2, 11), st.integers(2, 11)),
)
def test_arbitrary_scales(tmp_path_factory, seed, norm, signed, rounding, size):
    """Multipliers of 16 bits are within a step of the model, and nearly always equal."""
    pytest.importorskip("qonnx")
    builder, logit = unet(seed, norm=norm, signed=signed, rounding=rounding, size=size)
    path = builder.save(tmp_path_factory.mktemp("import") / "model.onnx", logit)
    network, report = import_qonnx(path)
    assert [op.name for op in network.convs] == ["enc0a", "enc0b", "mida", "midb", "dec0a", "dec0b"]
    assert 0 < report.worst.scale_error < 2**-16
    assert all(layer.step_error < 2**-9 for layer in report.layers)
    found = measure(network, report, images_of(network))
    # The first layer reads equal codes; a code that differs moves sums of the next ones.
    assert found.layers[0].largest <= 1
    assert found.layers[0].share < 0.01
    assert found.share < 0.1


@settings(max_examples=10)
@given(seed=st.integers(0, 1 << 32), rounding=st.sampled_from(["ROUND", "FLOOR", "CEIL"]))
def test_powers_of_two_are_exact(tmp_path_factory, seed, rounding):
    pytest.importorskip("qonnx")
    builder, logit = unet(seed, scales=2.0**-4, norm=False, rounding=rounding)
    path = builder.save(tmp_path_factory.mktemp("import") / "model.onnx", logit)
    network, report = import_qonnx(path)
    assert report.exact
    assert all(conv.multiplier is None for conv in network.convs)
    assert [layer.scale_error for layer in report.layers] == [0] * 6
    found = measure(network, report, images_of(network))
    assert (found.largest, found.share, found.mask_share) == (0, 0, 0)


@pytest.mark.parametrize("name", ["float", "separate", "power"])
def test_brevitas(tmp_path, name):
    """Made by data/make_brevitas.py: real export, batch normalization, odd sizes, depth 2."""
    network, report = import_qonnx(DATA / f"brevitas_{name}.onnx")
    assert network.size == (18, 14)
    assert [op.name for op in network.ops][:4] == ["enc0a", "enc0b", "pool0", "enc1a"]
    assert network.head.name == "head"
    assert report.worst.scale_error < 2**-16
    save_checkpoint(network, tmp_path / "net.safetensors")
    assert load_checkpoint(tmp_path / "net.safetensors").convs[0].multiplier is not None
    assert len(report.notes) == (2 if name == "separate" else 0)
    pytest.importorskip("qonnx")
    found = measure(network, report, images_of(network))
    assert found.layers[0].share < 0.01
    assert found.share < {"float": 0.05, "separate": 0.5, "power": 0.2}[name]
    assert found.mask_share < 0.02


def test_concatenation_of_two_scales_takes_the_wider_range(tmp_path):
    builder, logit = unet(2, skip_scale=0.1)
    network, report = import_qonnx(builder.save(tmp_path / "m", logit))
    (note,) = report.notes
    assert note.startswith("Tensors that share one format get 5 bits of step 0.1; they are ")
    assert report.scales["enc0b"] == report.scales["midb"] == pytest.approx(0.1)
    assert not report.exact


def test_concatenation_with_the_image_is_refused(tmp_path):
    b = Builder()
    image = b.quant("x", 1 / 256, 8)
    x = b.quant(b.conv(image, b.weights(np.ones((2, 1, 3, 3)), [0.1])), 0.1, 8)
    x = b.node("Concat", [image, x], axis=1)
    x = b.quant(b.conv(x, b.weights(np.ones((2, 3, 3, 3)), [0.1])), 0.1, 8)
    logit = b.conv(x, b.weights(np.ones((1, 2, 1, 1)), [0.1]), kernel=1)
    with pytest.raises(FxhwError, match=r"must share one format, but are .*image \(unsigned, 8 b"):
        import_qonnx(b.save(tmp_path / "m", logit))


def test_halves_of_round_to_even_are_named(tmp_path):
    for rounding, notes in (("ROUND", 1), ("FLOOR", 0), ("HALF_UP", 0), ("HALF_DOWN", 0)):
        builder, logit = small(rounding)
        _, report = import_qonnx(builder.save(tmp_path / "m", logit))
        assert len(report.notes) == notes, rounding
    builder, logit = small("ROUND", bias=(0.0001,))  # no sum lies half way
    assert import_qonnx(builder.save(tmp_path / "m", logit))[1].exact


def test_image_without_a_quantizer(tmp_path):
    pytest.importorskip("qonnx")
    builder, logit = unet(4, image=False)
    path = builder.save(tmp_path / "m", logit)
    with pytest.raises(FxhwError, match=r"reads the image without a quantizer; .* --input-scale"):
        import_qonnx(path)
    network, report = import_qonnx(path, input_scale=1 / 255)
    assert measure(network, report, images_of(network)).layers[0].share < 0.01


def test_negative_and_zero_scales(tmp_path):
    pytest.importorskip("qonnx")
    b = Builder()
    rng = np.random.default_rng(0)
    image = b.quant("x", 1 / 255, 8)
    x = b.conv(image, b.weights(rng.integers(-8, 8, (3, 1, 3, 3)), [0.1, 0.1, 0.1]))
    x = b.norm(x, [-1.0, 0.0, 0.7], [0.4, 0.9, 0.1], [0, 0, 0], [1, 1, 1])
    x = b.quant(b.node("Relu", [x]), 0.05, 6)
    logit = b.conv(x, b.weights(rng.integers(-8, 8, (1, 3, 1, 1)), [0.1]), kernel=1)
    logit = b.node("Mul", [logit, b.constant([[[[-0.3]]]])])
    network, report = import_qonnx(b.save(tmp_path / "m", b.node("Sigmoid", [logit])))
    assert not network.convs[0].codes[1].any()
    found = measure(network, report, images_of(network))
    assert found.share < 0.01
    assert found.mask_share < 0.01


def test_mask_of_a_real_head_scale_is_exact(tmp_path):
    """A positive scale does not change the sign of the logit; the bias is rounded down."""
    pytest.importorskip("qonnx")
    rng = np.random.default_rng(0)
    b = Builder((1, 3, 16, 16))
    image = b.quant("x", 1 / 256, 8)
    logit = b.conv(image, b.weights(rng.integers(-8, 8, (1, 3, 1, 1)), [0.0123]), [0.777], kernel=1)
    network, report = import_qonnx(b.save(tmp_path / "m", logit))
    assert report.exact
    assert network.head.bias == int(np.floor(0.777 / (0.0123 / 256)))
    assert measure(network, report, images_of(network)).mask_share == 0


def test_multiplier_width(tmp_path):
    builder, logit = unet(6)
    path = builder.save(tmp_path / "m", logit)
    for bits in (4, 8, 12, 16):
        network, report = import_qonnx(path, mul_bits=bits)
        assert max(int(conv.multiplier.max()) for conv in network.convs) < 1 << bits
        assert 0 < report.worst.scale_error < 2.0**-bits
    network, report = import_qonnx(path, mul_bits=0)
    assert all(conv.multiplier is None for conv in network.convs)
    assert 0.01 < report.worst.scale_error < 0.5


def test_size(tmp_path):
    builder, logit = unet(6)
    path = builder.save(tmp_path / "m", logit)
    assert import_qonnx(path)[0].size == (8, 8)
    assert import_qonnx(path, size=(20, 14))[0].size == (20, 14)


def test_open_size(tmp_path):
    b = Builder((1, 1, "height", "width"))
    logit = b.conv(b.quant("x", 1 / 256, 8), b.weights(np.ones((1, 1, 1, 1)), [1.0]), kernel=1)
    path = b.save(tmp_path / "m", logit)
    with pytest.raises(FxhwError, match=r"leaves the image's size open; give --size HEIGHT WIDTH"):
        import_qonnx(path)
    network, report = import_qonnx(path, size=(6, 5))
    assert network.size == (6, 5)
    pytest.importorskip("qonnx")
    assert measure(network, report, images_of(network)).mask_share == 0


def test_constants_behind_nodes(tmp_path):
    """Sizes computed from shapes, scales from constants: what exporters leave behind."""
    b = Builder()
    scale = b.node("Mul", [b.constant(0.5), b.node("Sqrt", [b.constant(1 / 64)])])
    x = b.node("Quant", ["x", scale, b.constant(0.0), b.constant(8.0)], domain=QONNX,
               signed=0, narrow=0, rounding_mode="ROUND")
    x = b.quant(b.conv(x, b.weights(np.ones((2, 1, 3, 3)), [0.5, 0.5])), 0.5, 6)
    low = b.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    size = b.node("Slice", [b.node("Shape", [x]), b.constant([2], np.int64),
                            b.constant([4], np.int64)])
    sizes = b.node("Concat", [b.constant([1, 2], np.int64), size], axis=0)
    up = b.node("Resize", [low, "", "", sizes], mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric")
    x = b.node("Identity", [b.node("Concat", [up, x], axis=1)])
    x = b.quant(b.conv(x, b.weights(np.ones((2, 4, 3, 3)), [0.5, 0.5])), 0.5, 6)
    logit = b.conv(x, b.weights(np.ones((1, 2, 1, 1)), [1.0]), kernel=1)
    network, report = import_qonnx(b.save(tmp_path / "m", logit))
    assert network.image.frac == 4
    assert [type(op).__name__ for op in network.ops] == [
        "Conv", "MaxPool", "Upsample", "Concat", "Conv", "Head"
    ]
