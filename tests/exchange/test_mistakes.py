"""Files that are no model of a supported network: one sentence, naming what is wrong."""

import random
from contextlib import suppress

import numpy as np
import pytest

from fxhw.errors import FxhwError
from fxhw.exchange import import_qonnx, save_qonnx
from tests.exchange.models import QONNX, Builder, unet
from tests.networks import random_network

onnx = pytest.importorskip("onnx")


@pytest.fixture
def model(tmp_path):
    builder, logit = unet(0)
    return builder.save(tmp_path / "model.onnx", logit)


def refused(path, *words):
    with pytest.raises(FxhwError) as error:
        import_qonnx(path)
    for word in words:
        assert word in str(error.value)


def edited(path, change):
    proto = onnx.load_model_from_string(path.read_bytes())
    change(proto.graph)
    path.write_bytes(proto.SerializeToString())
    return path


def node_of(graph, kind):
    return next(node for node in graph.node if node.op_type == kind)


def attribute(node, name):
    return next(a for a in node.attribute if a.name == name)


def test_missing_file(tmp_path):
    refused(tmp_path / "none", "does not exist")


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(90), b"\x89PNG" * 9, b"hello"])
def test_no_onnx_file(tmp_path, data):
    (tmp_path / "m").write_bytes(data)
    refused(tmp_path / "m", "ONNX file")


def test_truncated_anywhere(model):
    data = model.read_bytes()
    for length in range(0, len(data), 53):
        model.write_bytes(data[:length])
        with pytest.raises(FxhwError):
            import_qonnx(model)


def test_damaged_anywhere(tmp_path):
    """Any byte changed: a network or one sentence, never anything else."""
    path = tmp_path / "m"
    save_qonnx(random_network(0, (1,), (4, 4), 3, 4), path)
    data = path.read_bytes()
    rng = random.Random(0)
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 4])):
            damaged[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(damaged)
        with suppress(FxhwError):
            import_qonnx(path)


def test_cycle(model):
    def change(graph):
        graph.node[0].input[0] = graph.node[-1].output[0]

    refused(edited(model, change), "lies on a cycle")


def test_nodes_out_of_order_are_sorted(model):
    def change(graph):
        nodes = list(graph.node)[::-1]
        del graph.node[:]
        graph.node.extend(nodes)

    import_qonnx(edited(model, change))


def test_missing_initializer(model):
    def change(graph):
        del graph.initializer[4]

    refused(edited(model, change), "reads tensor c4, which is neither made by a node nor stored")


@pytest.mark.parametrize("location", ["/etc/passwd", "../outside", "folder/../../outside"])
def test_external_data_outside_the_folder(model, location):
    def change(graph):
        tensor = graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location

    refused(edited(model, change), f"lies in {location}, outside the model's folder")


def test_external_data(model):
    refer = []

    def change(graph):
        tensor = graph.initializer[0]
        refer.append(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", "data"), ("offset", "3"), ("length", str(len(refer[0])))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value

    edited(model, change)
    refused(model, "lies in data, which does not exist")
    (model.parent / "data").write_bytes(b"abc" + refer[0])
    import_qonnx(model)
    (model.parent / "data").write_bytes(b"abc")
    refused(model, "takes bytes 3 to", "which has 3; it may be truncated")


def test_external_data_behind_a_link(model, tmp_path_factory):
    outside = tmp_path_factory.mktemp("other") / "data"
    outside.write_bytes(bytes(64))
    (model.parent / "data").symlink_to(outside)

    def change(graph):
        tensor = graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "data"

    refused(edited(model, change), "outside the model's folder")


@pytest.mark.parametrize(
    ("kind", "name", "value", "words"),
    [
        ("Conv", "pads", [0, 0, 0, 0], "has pads [0, 0, 0, 0]; a border of 1 is supported"),
        ("Conv", "strides", [2, 2], "has strides [2, 2]; [1, 1] is supported"),
        ("Conv", "group", 2, "has group 2; 1 is supported"),
        ("MaxPool", "kernel_shape", [3, 3], "has kernel_shape [3, 3]; [2, 2] is supported"),
        ("MaxPool", "strides", [1, 1], "has strides [1, 1]; [2, 2] is supported"),
        ("Resize", "mode", "linear", "has mode linear; nearest is supported"),
        ("Resize", "nearest_mode", "ceil", "do not repeat every pixel twice"),
        ("Concat", "axis", 2, "along the channels, axis 1, are supported"),
    ],
)
def test_unsupported_attributes(model, kind, name, value, words):
    def change(graph):
        node = node_of(graph, kind)
        for old in [a for a in node.attribute if a.name == name]:
            node.attribute.remove(old)
        node.attribute.append(onnx.helper.make_attribute(name, value))

    refused(edited(model, change), kind, words)


@pytest.mark.parametrize("kind", ["Softmax", "ConvTranspose", "AveragePool", "Loop"])
def test_unsupported_operator(model, kind):
    def change(graph):
        node_of(graph, "Relu").op_type = kind

    refused(edited(model, change), f"({kind}) is not supported; supported are Quant, BipolarQuant")


def test_foreign_domain(model):
    def change(graph):
        node_of(graph, "Relu").domain = "com.example"

    refused(edited(model, change), "(com.example:Relu) is not supported")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"zero": 1.0}, "has a zero point of 1.0; 0 is supported"),
        ({"scale": -0.5}, "has the scale -0.5; it must be positive"),
        ({"scale": [[[[0.5]], [[0.25]]]]}, "has a scale per channel"),
        ({"scale": float("nan")}, "holds NaN or infinity"),
        ({"bits": 17}, "has 17-bit activations; at most 16 bits"),
        ({"bits": 2.5}, "has the bit width [2.5]"),
        ({"narrow": 1}, "has narrow=1 with 6 unsigned bits"),
        ({"rounding": "STOCHASTIC"}, "has rounding_mode STOCHASTIC; supported are ROUND"),
        ({"signed": 1, "rounding": "UP"}, "has rounding_mode UP with signed codes"),
    ],
)
def test_quantizers(tmp_path, more, words):
    b = Builder()
    x = b.conv(b.quant("x", 1 / 256, 8), b.weights(np.ones((2, 1, 3, 3)), [0.5, 0.5]))
    more = {"scale": 0.5, "bits": 6} | more
    x = b.quant(x, more.pop("scale"), more.pop("bits"), **more)
    logit = b.conv(x, b.weights(np.ones((1, 2, 1, 1)), [1.0]), kernel=1)
    refused(b.save(tmp_path / "m", logit), words)


def test_scale_out_of_reach(tmp_path):
    b = Builder()
    x = b.conv(b.quant("x", 1 / 256, 8), b.weights(np.ones((2, 1, 3, 3)), [0.5, 0.5]))
    x = b.quant(x, 1e-9, 6)
    logit = b.conv(x, b.weights(np.ones((1, 2, 1, 1)), [1.0]), kernel=1)
    words = "channel 0: a step of its sums is 1.953e+06 steps of its result, which no"
    refused(b.save(tmp_path / "m", logit), words)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda b, q: b.conv(q, b.constant(np.ones((1, 1, 3, 3)))), "weights without a Quant"),
        (lambda b, q: b.conv(q, b.weights(np.ones((1, 1, 5, 5)), [1]), kernel=5), "is 5x5; 3x3 is"),
        (lambda b, q: b.conv(q, b.weights(np.ones((2, 1, 1, 1)), [1]), kernel=1), "1x1 to 2 ch"),
        (lambda b, q: b.conv(q, b.weights(np.ones((1, 2, 3, 3)), [1])), "its input has 1 channels"),
        (lambda b, q: b.conv(q, b.weights(np.ones((1, 1, 3, 3)), [1])), "must end in a 1x1"),
        (lambda b, q: b.node("Add", [q, q]), "combines two feature maps"),
        (lambda b, q: b.node("Mul", [q, b.constant(2.0)]), "must follow a convolution"),
        (lambda b, q: q, "must end in a 1x1 convolution"),
        (lambda b, q: b.constant(1.0), "must end in a 1x1 convolution"),
    ],
)
def test_graphs(tmp_path, build, words):
    b = Builder()
    refused(b.save(tmp_path / "m", build(b, b.quant("x", 1 / 256, 8))), words)


def test_signed_image(tmp_path):
    b = Builder()
    x = b.quant("x", 1 / 128, 8, signed=1)
    logit = b.conv(x, b.weights(np.ones((1, 1, 1, 1)), [1]), kernel=1)
    refused(b.save(tmp_path / "m", logit), "makes the image signed codes of 8 bits")


def test_pooling_that_drops_an_end(tmp_path):
    b = Builder((1, 1, 7, 8))
    x = b.node("MaxPool", [b.quant("x", 1 / 256, 8)], kernel_shape=[2, 2], strides=[2, 2])
    refused(b.save(tmp_path / "m", x), "pools 7x8 and drops the odd end; ceil_mode=1 is supported")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 99999,
        '{"weights": 3}',
        '{"weights": {"Conv_2": 5}}',
        '{"weights": {"Conv_2": [99, 0]}}',
        '{"meta": 4}',
        '{"normalization": "batch"}',
        '{"normalization": [1]}',
    ],
)
def test_damaged_metadata(tmp_path, text):
    b = Builder()
    logit = b.conv(b.quant("x", 1, 8), b.weights(np.ones((1, 1, 1, 1)), [1]), kernel=1)
    assert b.nodes[-1].name == "Conv_2"
    model = b.model(logit, metadata={"fxhw": text})
    (tmp_path / "m").write_bytes(model.SerializeToString())
    refused(tmp_path / "m", "Model ")


def test_sign_activations_need_their_own_border(tmp_path):
    b = Builder()
    x = b.conv(b.quant("x", 1 / 256, 8), b.weights(np.ones((2, 1, 3, 3)), [0.5, 0.5]))
    x = b.node("BipolarQuant", [x, b.constant(1.0)], domain=QONNX)
    x = b.quant(b.conv(x, b.weights(np.ones((2, 2, 3, 3)), [0.5, 0.5])), 0.5, 4)
    logit = b.conv(x, b.weights(np.ones((1, 2, 1, 1)), [1.0]), kernel=1)
    refused(b.save(tmp_path / "m", logit), "that of sign activations must be -1.0, by a Pad node")
