"""What ships inside the package: trained networks and a synthetic image to try them on."""

from pathlib import Path

__all__ = ["BUNDLED", "bundled_checkpoint", "bundled_image", "bundled_label", "find_checkpoint"]

_HERE = Path(__file__).parent

BUNDLED = ("em", "gm", "pancreas")
"""Names of the networks: membranes in electron microscopy, grey matter of the spinal cord, and
the pancreas in CT; all with 4-bit weights and 6-bit activations."""


def bundled_checkpoint(name: str = BUNDLED[0]) -> Path:
    """The network called ``name``, one of :data:`BUNDLED`."""
    return _HERE / f"{name}_w4a6.safetensors"


def find_checkpoint(given: Path | None) -> Path:
    """The file that a user means: a path, a name in :data:`BUNDLED`, or the default by None."""
    if given is None:
        return bundled_checkpoint()
    if str(given) in BUNDLED and not given.exists():
        return bundled_checkpoint(str(given))
    return given


def bundled_image() -> Path:
    """A synthetic image in the manner of electron microscopy."""
    return _HERE / "synthetic.png"


def bundled_label() -> Path:
    """The label of :func:`bundled_image`."""
    return _HERE / "synthetic_label.png"
