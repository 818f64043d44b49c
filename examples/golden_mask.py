"""Segment the bundled synthetic image with the golden model, without any hardware."""

from fxhw.bundled import bundled_checkpoint, bundled_image, bundled_label
from fxhw.checkpoint import load_checkpoint
from fxhw.dice import dice_both
from fxhw.golden import run_network
from fxhw.images import image_codes, read_image, read_label

network = load_checkpoint(bundled_checkpoint())
pixels = read_image(bundled_image(), channels=network.image_channels)
mask, tensors = run_network(network, image_codes(pixels, network.image), keep=True)

for name, codes in tensors.items():
    print(f"{name:7} {str(codes.shape):14} codes {codes.min()} .. {codes.max()}")
cell, membrane = dice_both(mask, read_label(bundled_label()))
print(f"dice: cell {cell:.1f}, membrane {membrane:.1f}")
