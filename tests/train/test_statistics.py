"""Batch-norm's statistics over many batches."""

import pytest

torch = pytest.importorskip("torch")

from fxhw.graph import UNetTopology  # noqa: E402
from fxhw.train.calibrate import calibrate_activations  # noqa: E402
from fxhw.train.norm import NormUNet  # noqa: E402
from fxhw.train.statistics import has_statistics, settle_statistics  # noqa: E402
from fxhw.train.unet import FloatUNet, QuantUNet  # noqa: E402

pytestmark = pytest.mark.train

TOPOLOGY = UNetTopology((3, 4))


def batches(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(2, 1, 12, 12, generator=generator) * n for n in range(1, count + 1)]


def state(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_means_of_all_batches():
    torch.manual_seed(0)
    network = FloatUNet(TOPOLOGY, dropout=0.5)
    convolution, norm, _ = network.blocks["enc0a"]
    norm.running_mean += 7  # what was there before plays no part
    before = state(network)
    settle_statistics(network, batches(5))
    sums = [convolution(batch).detach().double() for batch in batches(5)]
    means = torch.stack([s.mean(dim=(0, 2, 3)) for s in sums]).mean(dim=0)
    variances = torch.stack([s.var(dim=(0, 2, 3)) for s in sums]).mean(dim=0)
    torch.testing.assert_close(norm.running_mean.double(), means, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(norm.running_var.double(), variances, rtol=1e-4, atol=1e-6)
    for name, value in network.state_dict().items():
        if "running" not in name and "tracked" not in name:
            assert torch.equal(value, before[name]), name
    assert norm.momentum == 0.1
    assert network.training


def test_nothing_is_dropped_meanwhile():
    networks = []
    for noise in (1, 2):
        torch.manual_seed(0)
        network = FloatUNet(TOPOLOGY, dropout=0.5).eval()
        torch.manual_seed(noise)
        settle_statistics(network, batches(3))
        assert not network.training
        networks.append(state(network))
    assert all(torch.equal(value, networks[1][name]) for name, value in networks[0].items())


def test_quantized_networks_too():
    torch.manual_seed(0)
    network = NormUNet(FloatUNet(TOPOLOGY), 2, 4)
    calibrate_activations(network, batches(1)[0])
    network.start()
    before = state(network)
    settle_statistics(network, batches(3))
    changed = {n for n, value in network.state_dict().items() if not torch.equal(value, before[n])}
    assert changed
    assert all("running" in name or "tracked" in name for name in changed)


def test_what_has_statistics():
    network = FloatUNet(TOPOLOGY)
    assert has_statistics(network)
    folded = NormUNet(network, 4, 6).fold()
    assert not has_statistics(QuantUNet(TOPOLOGY, folded, 4, 6))
