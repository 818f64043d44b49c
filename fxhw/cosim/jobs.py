"""Jobs for the test bench: lists of commands, and the files they need.

A command is ``(name, arguments)``; the names are the methods of
:class:`fxhw.cosim.bench.Bench`.
"""

from dataclasses import dataclass

import numpy as np

from ..graph import Network
from ..plan import Plan
from ..plan.registers import Control, registers_of

__all__ = ["Job", "Script", "words_of"]

READ_BACK = tuple(
    name
    for name, register in registers_of(external=False).items()
    if register.access != "wo"
)
"""Registers read after a run."""


@dataclass(frozen=True, eq=False)
class Job:
    """One run of one network on one image.

    Parameters
    ----------
    network : the network, meant for the image's size.
    image : (height, width, channels) codes.
    stalls : whether both streams pause at random.
    seed : seed of the pauses.
    logits : ask for logits instead of the mask.
    """

    network: Network
    image: np.ndarray
    stalls: bool = False
    seed: int = 1
    logits: bool = False


class Script:
    """Commands of one job, written down one by one; each method returns its result's index."""

    def __init__(self):
        self.commands: list[tuple[str, dict]] = []
        self.files: dict[str, bytes] = {}

    def _add(self, name: str, **arguments) -> int:
        self.commands.append((name, arguments))
        return len(self.commands) - 1

    def reset(self) -> int:
        """Reset the accelerator."""
        return self._add("reset")

    def write(self, register: str, value: int) -> int:
        """Write a register; the result is the bus response."""
        return self._add("write", register=register, value=int(value))

    def read(self, register: str) -> int:
        """Read a register."""
        return self._add("read", register=register)

    def write_offset(self, offset: int, value: int) -> int:
        """Write at any byte offset; the result is the bus response."""
        return self._add("write_offset", offset=offset, value=int(value))

    def read_offset(self, offset: int) -> int:
        """Read at any byte offset."""
        return self._add("read_offset", offset=offset)

    def load(self, address: int, beats: tuple[int, ...], bus_bits: int) -> int:
        """Write ``beats`` into the parameter memory through LOAD_DATA."""
        name = f"load{len(self.files)}.hex"
        text = "".join(f"{word:08x}\n" for word in words_of(beats, bus_bits))
        self.files[name] = text.encode()
        return self._add("load", address=address, file=name)

    def play(
        self,
        image: np.ndarray,
        last_byte: int | None = None,
        stalls: bool = False,
        seed: int = 1,
    ) -> int:
        """Offer ``image`` (bytes in stream order) and take the mask from now on.

        ``last_byte`` is the index of the byte that carries TLAST (default: the last one).
        """
        data = np.ascontiguousarray(image, np.uint8).tobytes()
        self.files["image.bin"] = data
        rng = np.random.default_rng(seed)
        rates = rng.integers(8, 254, 2).tolist() if stalls else [255, 255]
        return self._add(
            "play",
            image_bytes=len(data),
            last_byte=len(data) - 1 if last_byte is None else last_byte,
            seed=int(rng.integers(1, 1 << 32)),
            rate_in=rates[0],
            rate_out=rates[1],
        )

    def start(self, control: Control = Control.IRQ_ENABLE) -> int:
        """Start a run, with the interrupt on."""
        return self.write("CONTROL", Control.START | control)

    def wait(self, limit: int) -> int:
        """Wait for the interrupt, at most ``limit`` cycles; the result is whether it came."""
        return self._add("wait", limit=int(limit))

    def idle(self, cycles: int) -> int:
        """Let time pass."""
        return self._add("idle", cycles=int(cycles))

    def stop(self) -> int:
        """End recording; the result is (image bytes taken, mask bytes given)."""
        return self._add("stop")


def words_of(beats: tuple[int, ...], bus_bits: int) -> list[int]:
    """32-bit words of parameter beats, in LOAD_DATA's order."""
    return [
        (beat >> position) & 0xFFFF_FFFF for beat in beats for position in range(0, bus_bits, 32)
    ]


def run_script(job: Job, plan: Plan, limit: int, load: bool) -> tuple[Script, dict[str, int]]:
    """The commands of ``job``, and where its results stand: wait, stop and register names.

    Parameters
    ----------
    limit : cycles after which the run counts as hung.
    load : whether the program must be loaded first.
    """
    script, where = Script(), {}
    if load:
        script.load(0, plan.beats, plan.design.bus_bits)
    script.write("PROGRAM", 0)
    script.play(job.image, stalls=job.stalls, seed=job.seed)
    logits = Control.LOGITS if job.logits else Control(0)
    script.start(Control.IRQ_ENABLE | logits)
    where["wait"] = script.wait(limit)
    script.idle(64)
    where["stop"] = script.stop()
    for name in READ_BACK:
        where[name] = script.read(name)
    return script, where
