"""Post-training quantization: close to the float network, equal to the golden model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from fxhw.errors import FxhwError  # noqa: E402
from fxhw.fixed import normalize  # noqa: E402
from fxhw.golden import run_network  # noqa: E402
from fxhw.plan import compile_network, design_for  # noqa: E402
from fxhw.synthetic import make_sample  # noqa: E402
from fxhw.train import ptq  # noqa: E402
from fxhw.train.evaluate import exact_logits, predict  # noqa: E402
from fxhw.train.floatfile import FloatNetwork  # noqa: E402
from fxhw.train.ptq import InputScale, quantize, scale_input  # noqa: E402
from fxhw.train.tracing import trace  # noqa: E402
from fxhw.train.unet import QuantUNet, image_tensor  # noqa: E402
from tests.train.user_nets import NETS, random_net  # noqa: E402

pytestmark = pytest.mark.train


def random_images(channels=1, count=3, size=(48, 40)):
    planes = [
        [make_sample(*size, seed + 10 * channel)[0] for channel in range(channels)]
        for seed in range(count)
    ]
    return np.stack([np.concatenate(image, axis=2) for image in planes])


def source_of(name, seed=0):
    """A traced random network whose logits are balanced on :func:`random_images`."""
    source = FloatNetwork(*trace(random_net(name, seed)))
    images = random_images(source.topology.image_channels)
    with torch.no_grad():
        logits = QuantUNet(source.topology, source.parameters, 8, 8)(image_tensor(images))
    weight, bias = source.parameters["head"]
    source.parameters["head"] = weight, bias - logits.median()
    return source, images


@settings(max_examples=15)
@given(
    name=st.sampled_from(list(NETS)),
    seed=st.integers(0, 100),
    wbits=st.integers(1, 8),
    abits=st.integers(1, 8),
)
def test_torch_and_golden_give_the_same_logits(name, seed, wbits, abits):
    source, images = source_of(name, seed)
    result = quantize(source, images, (32, 32), wbits=wbits, abits=abits)
    for image in (images[0], images[1][:37, :29]):
        mask, tensors = run_network(result.network, image)
        np.testing.assert_array_equal(
            exact_logits(result.quantized, image), tensors["logits"][:, :, 0]
        )
        np.testing.assert_array_equal(predict(result.quantized, image), mask)


@pytest.mark.parametrize("name", NETS)
def test_eight_bits_are_nearly_the_float_network(name):
    source, images = source_of(name)
    result = quantize(source, images, (32, 32), wbits=8, abits=8)
    for image in images:
        wanted = predict(result.real, image)
        assert 0.1 < wanted.mean() < 0.9
        assert (run_network(result.network, image)[0] == wanted).mean() > 0.95


def test_figures_improve_with_the_bits():
    source, images = source_of("functional3")
    figures = [
        quantize(source, images, (32, 32), wbits=bits, abits=bits).layers for bits in (3, 5, 8)
    ]
    names = [conv.name for conv in source.topology.convs] + ["head"]
    for coarse, fine in zip(figures, figures[1:]):
        assert [layer.name for layer in fine] == names
        for before, after in zip(coarse[1:-1], fine[1:-1]):
            assert after.weight_db > before.weight_db + 6
            assert after.output_db > before.output_db
    for layer in figures[0][:-1]:
        low, high = layer.shifts
        assert 0 <= low <= high
    assert figures[0][-1].shifts is None


def test_bias_correction_brings_every_mean_back(monkeypatch):
    source, images = source_of("functional3")
    corrected = mean_errors(quantize(source, images, (32, 32), wbits=3), images)
    monkeypatch.setattr(ptq, "_correct_biases", lambda *_: None)
    monkeypatch.setattr("fxhw.train.calibrate._centre", lambda *_: None)
    plain = mean_errors(quantize(source, images, (32, 32), wbits=3), images)
    assert np.mean(corrected) < 0.05 * np.mean(plain)


@torch.no_grad()
def mean_errors(result, images):
    """How far each channel's mean before its activation is off, all layers' channels."""
    means = []
    for network in (result.real, result.quantized):
        seen = []
        ptq._walk(
            network, image_tensor(images),
            lambda name, block, x, seen=seen: seen.append(block.accumulate(x).mean((0, 2, 3))),
        )
        means.append(torch.cat(seen))
    return (means[0] - means[1]).abs().numpy()


@pytest.mark.parametrize("wbits", [2, 3, 4])
def test_the_share_of_foreground_stays(wbits):
    source, images = source_of("functional3")
    result = quantize(source, images, (32, 32), wbits=wbits)
    shares = [
        np.mean([predict(network, image) for image in images])
        for network in (result.real, result.quantized)
    ]
    assert shares[0] == pytest.approx(0.5, abs=0.02)
    assert shares[1] == pytest.approx(shares[0], abs=0.05)


def test_a_network_that_never_finds_anything_is_quantized_all_the_same():
    source, images = source_of("functional1")
    weight, bias = source.parameters["head"]
    source.parameters["head"] = weight * 0, bias * 0 - 1
    result = quantize(source, images, (32, 32))
    assert not run_network(result.network, images[0])[0].any()


def test_channels_that_hardly_vary_get_a_bias_that_fits():
    source, images = source_of("functional3")
    weight, bias = source.parameters["convs_2"]
    weight[1] *= 1e-5
    bias[1] = 3.0
    weight[2] = 0
    result = quantize(source, images, (32, 32))
    op = next(op for op in result.network.convs if op.name == "convs_2")
    tensors = result.network.tensors()
    limit = 1 << op.accumulator(tensors[op.input].format).width
    assert np.abs(op.rounded_bias(tensors[op.input].format)).max() < limit
    compile_network(result.network, design_for(result.network))
    np.testing.assert_array_equal(
        exact_logits(result.quantized, images[0]),
        run_network(result.network, images[0])[1]["logits"][:, :, 0],
    )


def scaled_by(factor):
    source, images = source_of("functional1")
    for name, (weight, bias) in source.parameters.items():
        source.parameters[name] = weight * factor, bias * factor
    return source, images


@pytest.mark.parametrize("factor", [0.0, 1e-30, 1e-6, 4.0])
def test_extreme_weights_still_give_a_network(factor):
    source, images = scaled_by(factor)
    run_network(quantize(source, images, (32, 32)).network, images[0])


@pytest.mark.parametrize("factor", [1e6, 1e30])
def test_values_out_of_every_range_are_refused(factor):
    source, images = scaled_by(factor)
    with pytest.raises(FxhwError, match="Layer convs_. computes values up to .*--input-scale"):
        quantize(source, images, (32, 32))


@torch.no_grad()
def interior(source, images, scale, module, margin=0):
    """Logits of the scaled traced network, and of the module on what it was trained on."""
    network = scale_input(source, scale)
    logits = QuantUNet(network.topology, network.parameters, 8, 8)(image_tensor(images))[:, 0]
    codes = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    wide = [torch.tensor(values).view(1, -1, 1, 1) for values in (scale.mean, scale.std)]
    wanted = module((codes * scale.step - wide[0]) / wide[1])
    wanted = wanted[:, 1] if wanted.dim() == 4 else wanted
    inside = slice(margin, -margin or None)
    return torch.sigmoid(logits)[:, inside, inside], wanted[:, inside, inside]


@pytest.mark.parametrize("step", [1.0, 1 / 255, 1 / 256])
def test_a_step_is_folded_exactly(step):
    module = random_net("functional1")
    source = FloatNetwork(*trace(module))
    result, wanted = interior(source, random_images(), InputScale(step), module)
    torch.testing.assert_close(result, wanted, rtol=1e-4, atol=1e-4)


def test_mean_and_std_are_folded_exactly_away_from_the_border():
    module = random_net("colour")
    source = FloatNetwork(*trace(module))
    scale = InputScale(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    images = random_images(3, size=(128, 128))
    result, wanted = interior(source, images, scale, module, margin=44)
    torch.testing.assert_close(result, wanted, rtol=1e-3, atol=1e-4)
    result, wanted = interior(source, images, scale, module)
    assert (result - wanted).abs().max() > 1e-3


def test_zscore_images_are_standard_deviations():
    scale = InputScale.usual("zscore")
    codes = normalize(random_images()[0], "zscore")
    values = (codes * scale.step - scale.mean[0]) / scale.std[0]
    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (InputScale(0.0), "must be positive and finite, not step 0"),
        (InputScale(1 / 255, std=(0.0,)), "must be positive"),
        (InputScale(float("nan")), "must be positive and finite"),
        (InputScale(1.0, mean=(1.0, 2.0)), r"--input-mean has 2 numbers, but the image 1 channel"),
    ],
)
def test_scales_that_are_refused(scale, message):
    source = FloatNetwork(*trace(random_net("functional1")))
    with pytest.raises(FxhwError, match=message):
        scale_input(source, scale)
