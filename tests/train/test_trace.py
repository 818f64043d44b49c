"""Tracing: what is recorded computes what the module does, and all else is refused by name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from fxhw.errors import FxhwError  # noqa: E402
from fxhw.graph import Concat, Upsample  # noqa: E402
from fxhw.train.floatfile import FloatNetwork  # noqa: E402
from fxhw.train.ptq import quantize  # noqa: E402
from fxhw.train.tracing import trace  # noqa: E402
from fxhw.train.unet import QuantUNet  # noqa: E402
from tests.train.user_nets import (  # noqa: E402
    NETS,
    Applied,
    Chain,
    Functional,
    OneByOne,
    Sequentials,
    double,
    random_net,
)

pytestmark = pytest.mark.train


def mask_or_probability(network, image):
    """What a module of ``NETS`` answers, as the probability of the foreground, or its mask."""
    answer = network(image)
    if isinstance(answer, dict):
        return torch.sigmoid(answer["out"])[:, 0]
    if answer.dim() == 4:
        return answer[:, 1]
    return answer.double()


@torch.no_grad()
def assert_same(network, size, seed=1):
    topology, parameters = trace(network)
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand((2, topology.image_channels, *size), generator=generator).double()
    logits = QuantUNet(topology, parameters, 8, 8).double()(image)[:, 0]
    expected = mask_or_probability(network.double(), image)
    assert logits.std() > 1e-3
    if set(expected.unique().tolist()) <= {0, 1}:
        clear = logits.abs() > 1e-5
        assert torch.equal((logits >= 0)[clear], expected[clear] == 1)
    else:
        torch.testing.assert_close(torch.sigmoid(logits), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_the_traced_network_equals_the_module(name):
    assert_same(random_net(name), (48, 80))


@settings(max_examples=15)
@given(
    depth=st.integers(1, 4),
    widths=st.lists(st.integers(1, 6), min_size=5, max_size=5),
    seed=st.integers(0, 1000),
)
def test_any_depth_and_widths(depth, widths, seed):
    network = random_net(lambda: Functional(depth, widths), seed)
    topology, parameters = trace(network)
    assert topology.depth == depth
    assert [conv.out_channels for conv in topology.convs[1::2]][:depth] == widths[:depth]
    image = torch.rand(1, 1, 32, 16)
    with torch.no_grad():
        logits = QuantUNet(topology, parameters, 8, 8)(image)
        torch.testing.assert_close(
            torch.sigmoid(logits)[:, 0], network(image), rtol=1e-4, atol=1e-4
        )


def test_odd_sizes_where_the_module_pools_and_crops_as_the_hardware_does():
    assert_same(random_net("functional3"), (37, 51))


def test_both_orders_of_a_concatenation():
    first = [layer for layer in trace(random_net("sequentials"))[0].layers
             if isinstance(layer, Concat)]
    second = [layer for layer in trace(random_net("functional3"))[0].layers
              if isinstance(layer, Concat)]
    assert [layer.inputs[1].startswith("up_") for layer in first] == [True, True]
    assert [layer.inputs[0].startswith("up_") for layer in second] == [True] * 3


def test_names_come_from_the_module_and_do_not_clash():
    topology, parameters = trace(random_net("one by one"))
    assert [conv.name for conv in topology.convs] == [
        "encoder_0", "encoder_3", "keys_2", "keys_3", "squeeze", "decoder_0", "decoder_2",
    ]
    assert sorted(parameters) == sorted([conv.name for conv in topology.convs] + ["head"])
    assert len({layer.name for layer in topology.layers}) == len(topology.layers)


def test_what_does_not_lead_to_the_logits_is_left_out():
    topology, _ = trace(random_net("one by one"))
    assert sum(layer.name.startswith("pool") for layer in topology.layers) == 1
    assert [layer.like for layer in topology.layers if isinstance(layer, Upsample)] == ["encoder_3"]


def test_tracing_leaves_no_hooks_behind():
    network = random_net(OneByOne)
    trace(network)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


def test_a_traced_network_goes_all_the_way():
    topology, parameters = trace(random_net("wide"))
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 32, 32, 1), generator=generator, dtype=torch.uint8).numpy()
    result = quantize(FloatNetwork(topology, parameters), images, (32, 32))
    assert [conv.name for conv in result.network.convs] == [conv.name for conv in topology.convs]


REFUSED = {
    "transposed": (nn.ConvTranspose2d(4, 4, 2, stride=2), r"Layer layer: operator conv_transpose2d "
                   r"is not supported; upsample by nn\.Upsample"),
    "stride": (nn.Conv2d(4, 4, 3, stride=2, padding=1), r"kernel 3x3, stride \(2, 2\)"),
    "kernel": (nn.Conv2d(4, 4, 5, padding=2), "kernel 5x5"),
    "no padding": (nn.Conv2d(4, 4, 3), r"padding \(0, 0\)"),
    "dilation": (nn.Conv2d(4, 4, 3, padding=2, dilation=2), r"dilation \(2, 2\)"),
    "groups": (nn.Conv2d(4, 4, 3, padding=1, groups=2), r"2 group\(s\)"),
    "reflected border": (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "operator pad"),
    "leaky": (nn.LeakyReLU(), "leaky_relu is not supported; use ReLU"),
    "relu6": (nn.ReLU6(), "hardtanh is not supported; use ReLU"),
    "average": (nn.AvgPool2d(2), "avg_pool2d is not supported; use 2x2 max-pooling"),
    "pool 3": (nn.MaxPool2d(3, 2, 1), r"max_pool2d .* kernel 3, stride 2, padding 1"),
    "bilinear": (nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="bilinear")),
                 r"Layer layer\.1: operator interpolate .* mode bilinear and makes"),
    "by 4": (nn.Sequential(nn.MaxPool2d(2), nn.Upsample(scale_factor=4)), "supported is nearest"),
    "too large": (nn.Upsample(scale_factor=2), "larger than the image"),
    "group norm": (nn.GroupNorm(2, 4), "group_norm is not supported; only batch-norm folds"),
    "late norm": (nn.BatchNorm2d(4), "batch_norm is not supported; it must follow a convolution"),
    "linear pool": (nn.Sequential(nn.Conv2d(4, 4, 1), nn.MaxPool2d(2)),
                    r"reads convolution layer\.0 without a ReLU"),
    "residual": (Applied(lambda x: x + x), "residual sums have no hardware"),
    "scaled": (Applied(lambda x: 2 * x), "operator mul"),
    "in place": (Applied(lambda x: x.mul_(2)), "operator mul_"),
    "three": (Applied(lambda x: torch.cat([x, x, x], 1)), "joins 3 tensors along axis 1"),
    "rows": (Applied(lambda x: torch.cat([x, x], 2)), "joins 2 tensors along axis 2"),
    "foreign": (Applied(lambda x: torch.cat([x, torch.zeros_like(x)], 1)), "operator zeros_like"),
    "cut": (Applied(lambda x: x[:, :2]), "slicing is not supported"),
    "reversed": (Applied(lambda x: x.flip(2)), "operator flip"),
    "padded": (Applied(lambda x: F.pad(x, (1, 1, 1, 1))), "operator pad"),
    "steered": (Applied(lambda x: x if bool(x.shape[0] > 0) and x.sum() > 1 else -x),
                "operator sum"),
    "written": (Applied(lambda x: x.__setitem__(0, 0.0) or x), "operator __setitem__"),
    "numpy": (Applied(lambda x: torch.from_numpy(x.numpy())), "must not steer the network"),
    "dropout": (Applied(lambda x: F.dropout(x, 0.5)), r"drops in evaluation too"),
    "half": (Applied(lambda x: x.half()), "operator half"),
    "attribute": (Applied(lambda x: x.data), "a tensor's attribute is not supported"),
    "low head": (nn.MaxPool2d(2), "a feature map of the image's size"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_operators_that_are_refused(name):
    layer, message = REFUSED[name]
    with pytest.raises(FxhwError, match=message):
        trace(Chain(layer))


def broken_head(head):
    return nn.Sequential(double(1, 4, norm=False), *head)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ([nn.Conv2d(4, 3, 1)], "has 3 channels; fxhw segments two classes"),
        ([nn.Conv2d(4, 1, 3, padding=1)], "the last convolution must be 1x1, not 3x3"),
        ([nn.Conv2d(4, 2, 1), nn.Sigmoid()], r"a sigmoid of 2 channel\(s\) is no answer"),
        ([nn.Conv2d(4, 1, 1), nn.Softmax(1)], r"a softmax of 1 channel\(s\) is no answer"),
        ([nn.Conv2d(4, 2, 1), nn.Softmax(2)], "goes along axis 2"),
        ([nn.Conv2d(4, 1, 1), nn.ReLU()], "returns a feature map"),
        ([nn.Conv2d(4, 1, 1), nn.Sigmoid(), nn.Sigmoid()], "only follow the last convolution"),
        ([nn.Conv2d(4, 1, 1), Applied(lambda x: x > 1)], "the mask is where the logit"),
        ([nn.Conv2d(4, 1, 1), Applied(lambda x: (x, x))], "returns tuple, not one tensor"),
        ([nn.Conv2d(4, 2, 1), Applied(lambda x: x[:, 1])], "slicing is not supported"),
    ],
)
def test_heads_that_are_refused(head, message):
    with pytest.raises(FxhwError, match=message):
        trace(broken_head(head))


@pytest.mark.parametrize(
    "head",
    [
        [nn.Conv2d(4, 1, 1), Applied(lambda x: x > 0)],
        [nn.Conv2d(4, 1, 1), nn.Sigmoid(), Applied(lambda x: (x >= 0.5).float())],
        [nn.Conv2d(4, 1, 1), Applied(lambda x: x[:, 0])],
        [nn.Conv2d(4, 2, 1), nn.Softmax(1), Applied(lambda x: x[:, 1])],
        [nn.Conv2d(4, 2, 1), nn.LogSoftmax(1), Applied(lambda x: [x])],
    ],
)
def test_heads_that_are_understood(head):
    topology, parameters = trace(broken_head(head))
    assert topology.head_input == "0_2"
    assert parameters["head"][0].shape == (1, 4, 1, 1)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Linear(3, 3)), "Module Sequential has no convolution"),
        (nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(1, 1, 1)), "can be read by convolutions alone"),
        (nn.Sequential(nn.BatchNorm2d(1), nn.Conv2d(1, 4, 3, padding=1)), "must follow a conv"),
        (Chain(nn.Linear(5, 5)), "operator linear|fails on an image of 1 channel"),
        (Chain(nn.Identity(), channels=9), "fails on an image of 1 channel.s., 64x96 .RuntimeErr"),
        (Chain(nn.BatchNorm2d(4, track_running_stats=False)), "must follow a convolution"),
        (nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4, track_running_stats=False)),
         "no running statistics"),
        (Chain(nn.Sequential(*(nn.MaxPool2d(2) for _ in range(9)))), "at most 8 poolings"),
        (Chain(torch.jit.ScriptModule()), "fails on an image|returns"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_modules_that_are_refused(network, message):
    with pytest.raises(FxhwError, match=message):
        trace(network)


def test_work_behind_the_recorders_back_is_noticed():
    network = random_net(Sequentials)
    shift = nn.Parameter(torch.ones(5))

    def hook(module, inputs, output):
        with torch._C.DisableTorchFunction():
            output += shift.view(1, 5, 1, 1)

    network.inc[0].register_forward_hook(hook)
    with pytest.raises(FxhwError, match="something that was not recorded"):
        trace(network)
