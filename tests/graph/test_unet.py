"""The U-Net's layers in order."""

import pytest

from fxhw.graph import Concat, MaxPool, UNetTopology, Upsample
from fxhw.graph.unet import ConvShape


def test_layers_of_depth_two():
    layers = UNetTopology((4, 6), image_channels=3).layers
    assert layers == [
        ConvShape("enc0a", "image", "enc0a", 3, 4),
        ConvShape("enc0b", "enc0a", "enc0b", 4, 4),
        MaxPool("pool0", "enc0b", "pool0"),
        ConvShape("enc1a", "pool0", "enc1a", 4, 6),
        ConvShape("enc1b", "enc1a", "enc1b", 6, 6),
        MaxPool("pool1", "enc1b", "pool1"),
        ConvShape("mida", "pool1", "mida", 6, 6),
        ConvShape("midb", "mida", "midb", 6, 6),
        Upsample("up1", "midb", "up1", "enc1b"),
        Concat("cat1", ("up1", "enc1b"), "cat1"),
        ConvShape("dec1a", "cat1", "dec1a", 12, 6),
        ConvShape("dec1b", "dec1a", "dec1b", 6, 6),
        Upsample("up0", "dec1b", "up0", "enc0b"),
        Concat("cat0", ("up0", "enc0b"), "cat0"),
        ConvShape("dec0a", "cat0", "dec0a", 10, 4),
        ConvShape("dec0b", "dec0a", "dec0b", 4, 4),
    ]


def test_doubling():
    topology = UNetTopology.doubling(64, 4)
    assert topology.channels == (64, 128, 256, 512)
    assert topology.depth == 4
    assert len(topology.convs) == 18
    assert topology.head_input == topology.layers[-1].output


@pytest.mark.parametrize("channels", [(), (4, 0), (-1,)])
def test_channels_wrong(channels):
    with pytest.raises(ValueError, match=r"^U-Net channels must be positive, not \("):
        UNetTopology(channels)
