"""A generated folder as the driver sees it: the program, its sizes and its layers' names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import FxhwError
from ..manifest import changed_files, load_manifest

__all__ = ["PROGRAM_FILE", "Program"]

PROGRAM_FILE = "program.hex"
"""32-bit words, lowest first, one per line."""


@dataclass(frozen=True)
class Program:
    """What the accelerator is to run.

    Parameters
    ----------
    name : where it comes from.
    digest : SHA-256 (hex) of the design it was compiled for.
    data : program and parameters, little-endian.
    height, width, channels : the image's size.
    image_bits : bits of its codes.
    logit_bytes : bytes of a logit.
    layers : step -> name of its layer.
    estimated_cycles : cycles a run should take.
    bus_bytes : bytes of a beat of external memory; 0 with on-chip memory.
    feature_bytes : bytes of external memory for the feature maps.
    """

    name: str
    digest: str
    data: bytes
    height: int
    width: int
    channels: int
    image_bits: int
    logit_bytes: int
    layers: Mapping[int, str]
    estimated_cycles: int
    bus_bytes: int = 0
    feature_bytes: int = 0

    @property
    def external(self) -> bool:
        """Whether its accelerator has external memory."""
        return self.bus_bytes != 0

    @property
    def image_bytes(self) -> int:
        """Bytes of an image, one per code."""
        return self.height * self.width * self.channels

    def mask_bytes(self, logits: bool = False) -> int:
        """Bytes of a mask, or of the logits."""
        return self.height * self.width * (self.logit_bytes if logits else 1)

    def layer(self, step: int) -> str:
        """Name of a step's layer."""
        return self.layers.get(step, "none of the program")

    def logits(self, data: bytes) -> list[int]:
        """Logits, row by row, of the bytes that a run with ``logits`` gives."""
        size = self.logit_bytes
        return [
            int.from_bytes(data[i : i + size], "little", signed=True)
            for i in range(0, len(data), size)
        ]

    @classmethod
    def from_folder(cls, folder: str | os.PathLike) -> "Program":
        """The program of a generated folder.

        Raises
        ------
        FxhwError if the folder is none, or its program is not the one that was generated.
        """
        folder = Path(folder)
        manifest = load_manifest(folder, block=False)
        if PROGRAM_FILE in changed_files(folder, manifest):
            raise FxhwError(
                f"File {folder / PROGRAM_FILE} is missing or not as it was generated; "
                "run 'fxhw generate' again"
            )
        words = (folder / PROGRAM_FILE).read_text(encoding="utf-8")
        return cls.from_manifest(str(folder), manifest, words)

    @classmethod
    def from_manifest(cls, name: str, manifest: Mapping, words: str) -> "Program":
        """The program of a ``manifest`` and the text of its program file."""
        network, design = manifest["network"], manifest["design"]
        memory = manifest.get("external_memory") or {}
        return cls(
            name=name,
            digest=manifest["design_digest"],
            data=b"".join(int(word, 16).to_bytes(4, "little") for word in words.split()),
            height=network["size"][0],
            width=network["size"][1],
            channels=network["image_channels"],
            image_bits=design["ibits"],
            logit_bytes=manifest["logit_bytes"],
            layers=_layers(manifest),
            estimated_cycles=manifest["estimated_cycles"],
            bus_bytes=memory.get("bus_bytes", 0),
            feature_bytes=memory.get("feature_bytes", 0),
        )


def _layers(manifest: dict) -> dict[int, str]:
    """Step -> layer; the first convolution and the head come before the steps of the array."""
    ops = {"FRONT": "Conv", "HEAD": "Head"}
    layers = {}
    for step, descriptor in enumerate(manifest["program"]["descriptors"]):
        op = ops.get(descriptor["kind"])
        named = [layer["name"] for layer in manifest["layers"] if layer["op"] == op]
        if named:
            layers[step] = named[0]
    return layers | {step["descriptor"]: step["layer"] for step in manifest["steps"]}
