"""What ships inside the package: a trained network and a synthetic image to try it on."""

from pathlib import Path

__all__ = ["bundled_checkpoint", "bundled_image", "bundled_label"]

_HERE = Path(__file__).parent


def bundled_checkpoint() -> Path:
    """The default network: membranes in electron microscopy, 4-bit weights, 6-bit activations."""
    return _HERE / "em_w4a6.safetensors"


def bundled_image() -> Path:
    """A synthetic image in the manner of electron microscopy."""
    return _HERE / "synthetic.png"


def bundled_label() -> Path:
    """The label of :func:`bundled_image`."""
    return _HERE / "synthetic_label.png"
