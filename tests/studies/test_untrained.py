"""Networks of random weights that stand in for trained ones."""

import numpy as np
import pytest

from fxhw.checkpoint import load_checkpoint, save_checkpoint
from fxhw.golden import run_network
from fxhw.graph import UNetTopology
from fxhw.studies.untrained import untrained_network
from tests.networks import random_image


@pytest.fixture(scope="module")
def image():
    return random_image(np.random.default_rng(0), (24, 20))


@pytest.mark.parametrize(("wbits", "abits"), [(4, 6), (1, 1), (8, 8), (2, 4)])
def test_activations_are_alive(image, wbits, abits):
    network = untrained_network(UNetTopology.doubling(8, 2), image, wbits, abits)
    mask, tensors = run_network(network, image, keep=True)
    top = (1 << abits) - 1
    for conv in network.convs:
        codes = tensors[conv.output]
        assert 0.1 < np.mean(codes > 0) < 0.9, conv.name
        assert np.mean(codes == top) < (0.9 if abits == 1 else 0.15), conv.name
        assert len(np.unique(codes)) > (1 << abits) / 2, conv.name
    assert 0.2 < mask.mean() < 0.8


def test_equal_arguments_give_an_equal_network(image, tmp_path):
    topology = UNetTopology.doubling(4, 1)
    files = []
    for seed in (0, 0, 1):
        path = tmp_path / f"{len(files)}.safetensors"
        save_checkpoint(untrained_network(topology, image, 4, 6, seed), path)
        files.append(path.read_bytes())
    assert files[0] == files[1] != files[2]
    assert load_checkpoint(path).size == (24, 20)
