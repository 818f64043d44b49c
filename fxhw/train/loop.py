"""The training run: real numbers with batch-norm, folding, then quantized fine-tuning.

Every random choice comes from a generator seeded with (seed, phase, epoch), so a run resumed at
an epoch's start goes on exactly as it would have without the break.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..checkpoint import save_checkpoint
from ..dataset import Dataset
from ..errors import FxhwError
from ..graph import Network
from ..synthetic import make_sample
from .augment import crop_size, draw_batch
from .calibrate import calibrate
from .evaluate import evaluate, evaluate_golden
from .export import export
from .fold import fold
from .loss import segmentation_loss
from .recipe import Recipe
from .state import load_state, metrics_path, save_state, state_path, write_metrics
from .unet import FloatUNet, QuantUNet, image_tensor

__all__ = ["Epoch", "Result", "train"]

PHASES = ("float", "qat")

_CALIBRATION_BATCHES = 4
_STORED_CROPS, _STORED_SIDE = 2, 64


@dataclass(frozen=True)
class Epoch:
    """What happened in one epoch; ``dice`` is (foreground, background) on the validation images."""

    phase: str
    epoch: int
    loss: float
    dice: tuple[float, float]


@dataclass(frozen=True)
class Result:
    """A finished run: the exported network, its golden-model dice and the whole metrics."""

    network: Network
    metrics: dict


def train(
    dataset: Dataset,
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    synthetic_calibration: bool = False,
    progress: Callable[[Epoch], None] | None = None,
) -> Result:
    """Train on the data set's ``train`` images and write checkpoint, metrics and state.

    The checkpoint goes to ``output``, the others beside it.  The last epoch is kept whatever its
    validation dice: ``val`` images choose nothing.

    Parameters
    ----------
    resume : go on from the state beside ``output``, if there is one.
    device : ``cpu`` or ``cuda``.
    synthetic_calibration : keep made-up images in the checkpoint instead of crops of the data, so
        that it can be given away where the data cannot.
    progress : called after every epoch, resumed ones included.

    Raises
    ------
    FxhwError for unusable data, a state of another run, a file that cannot be written, a missing
    device, or a loss that is not finite.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise FxhwError("Device cuda is not there, or torch has no CUDA support; use --device cpu")
    run = _Run(dataset, recipe, Path(output), device, progress)
    if synthetic_calibration and run.channels != 1:
        raise FxhwError(
            f"Data set {dataset.folder} has images of {run.channels} channels, made-up calibration "
            "images have 1; leave --synthetic-calibration out"
        )
    run.synthetic_calibration = synthetic_calibration
    run.start(load_state(state_path(run.output), run.identity) if resume else None)
    return run.finish()


class _Run:
    """The state of a run between epochs: phase, epoch, network, optimizer and history."""

    def __init__(self, dataset, recipe, output, device, progress):
        self.recipe, self.output, self.device, self.progress = recipe, output, device, progress
        self.dataset = dataset
        self.samples, self.val = dataset.load("train"), dataset.load("val")
        self.channels = self.samples[0].image.shape[2]
        self.topology = recipe.topology(self.channels)
        self.crop = crop_size([sample.image for sample in self.samples], recipe.crop)
        self._check()
        self.identity = recipe.to_json() | {"dataset": dataset.name, "device": device}
        self.history: list[Epoch] = []
        self.synthetic_calibration = False

    def start(self, state: dict | None) -> None:
        """Train from the beginning or from ``state`` to the end of the last phase."""
        phase, epoch = PHASES[0], 0
        if state is not None:
            phase, epoch = state["phase"], state["epoch"]
            self.history = [
                Epoch(entry["phase"], entry["epoch"], entry["loss"], tuple(entry["dice"]))
                for entry in json.loads(state["history"])
            ]
            for entry in self.history:
                self._report(entry)
        if phase == "float":
            self.network = self._float_network()
            self._run_phase("float", epoch, self.recipe.epochs, self.recipe.learning_rate, state)
            self.network, state, epoch = self._quantized(calibrated=True), None, 0
        else:
            self.network = self._quantized(calibrated=False)
        self._run_phase("qat", epoch, self.recipe.qat_epochs, self.recipe.qat_learning_rate, state)

    def _check(self) -> None:
        """Refuse data the network cannot be trained on."""
        other = self.val[0].image.shape[2]
        if other != self.channels:
            raise FxhwError(
                f"Data set {self.dataset.folder} has train images of {self.channels} channels, "
                f"but val images of {other}; they must agree"
            )
        height, width = (-(-side // (1 << self.recipe.depth)) for side in self.crop)
        if height * width < 2:
            raise FxhwError(
                f"Crops of {self.crop[0]}x{self.crop[1]} shrink to one pixel at depth "
                f"{self.recipe.depth}, which batch-norm cannot train on; "
                "take a larger crop or a smaller depth"
            )

    def finish(self) -> Result:
        """Export, judge by the golden model, write checkpoint and metrics."""
        network = export(self.network, self.recipe.size, self._stored_crops())
        golden = evaluate_golden(network, self.val)
        meta = {
            "dataset": self.dataset.name,
            "recipe": self.recipe.to_json(),
            "dice": {name: [round(value, 2) for value in pair] for name, pair in golden.items()},
            "licence": _LICENCES.get(self.dataset.name, "see the terms of the data set"),
        }
        network = export(self.network, self.recipe.size, network.calibration, meta)
        save_checkpoint(network, self.output)
        metrics = self._metrics() | {"golden": golden}
        write_metrics(metrics, metrics_path(self.output))
        return Result(network, metrics)

    def _run_phase(self, phase, first, epochs, rate, state) -> None:
        network = self.network.to(self.device, memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(network.parameters(), lr=rate)
        if state is not None:
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
        for epoch in range(first, epochs):
            loss = self._train_epoch(phase, epoch, epochs, rate, optimizer)
            self.history.append(Epoch(phase, epoch, loss, evaluate(network, self.val)))
            self._save(phase, epoch + 1, optimizer)
            self._report(self.history[-1])

    def _train_epoch(self, phase, epoch, epochs, rate, optimizer) -> float:
        rng = np.random.default_rng([self.recipe.seed, PHASES.index(phase), epoch])
        order = self._order(rng)
        steps = math.ceil(len(order) / self.recipe.batch)
        self.network.train()
        total = 0.0
        for step in range(steps):
            done = (epoch + step / steps) / epochs
            for group in optimizer.param_groups:
                group["lr"] = rate * (1 + math.cos(math.pi * done)) / 2
            chosen = order[step * self.recipe.batch : (step + 1) * self.recipe.batch]
            images, labels = draw_batch([self.samples[i] for i in chosen], self.crop, rng)
            optimizer.zero_grad()
            logits = self.network(image_tensor(images, self.device))
            loss = segmentation_loss(logits, torch.as_tensor(labels, device=self.device))
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        if not math.isfinite(total):
            raise FxhwError(
                f"Training diverged in {phase} epoch {epoch + 1}: the loss is {total / steps}; "
                f"lower the learning rate ({rate})"
            )
        return total / steps

    def _order(self, rng) -> np.ndarray:
        """Indices of the images to crop from: each as often as crops cover it, shuffled."""
        area = self.crop[0] * self.crop[1]
        counts = [math.ceil(sample.label.size / area) for sample in self.samples]
        return rng.permutation(np.repeat(np.arange(len(counts)), counts))

    def _float_network(self) -> FloatUNet:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            return FloatUNet(self.topology)

    def _quantized(self, calibrated: bool) -> QuantUNet:
        """The folded network; not ``calibrated``, it is one whose state is still to be loaded."""
        source = self.network if calibrated else self._float_network()
        recipe = self.recipe
        network = QuantUNet(
            self.topology, fold(source.cpu()), recipe.wbits, recipe.abits,
            recipe.first_wbits, recipe.last_wbits,
        )
        if calibrated:
            rng = np.random.default_rng([recipe.seed, len(PHASES)])
            count = _CALIBRATION_BATCHES * recipe.batch
            chosen = [self.samples[i] for i in rng.integers(len(self.samples), size=count)]
            calibrate(network, image_tensor(draw_batch(chosen, self.crop, rng)[0]))
        return network

    def _stored_crops(self) -> np.ndarray:
        """uint8 (n, side, side, channels): corners of training images, or made-up images."""
        height, width = (min(side, _STORED_SIDE) for side in self.crop)
        if self.synthetic_calibration:
            seeds = range(1, _STORED_CROPS + 1)
            return np.stack([make_sample(height, width, seed)[0] for seed in seeds])
        chosen = np.linspace(0, len(self.samples) - 1, _STORED_CROPS).astype(int)
        return np.stack([self.samples[i].image[:height, :width] for i in chosen])

    def _metrics(self) -> dict:
        epochs = [vars(epoch) | {"dice": list(epoch.dice)} for epoch in self.history]
        return {"run": self.identity, "epochs": epochs}

    def _save(self, phase, epoch, optimizer) -> None:
        metrics = self._metrics()
        state = {
            "run": json.dumps(self.identity),
            "phase": phase,
            "epoch": epoch,
            "network": self.network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "history": json.dumps(metrics["epochs"]),
        }
        save_state(state, state_path(self.output))
        write_metrics(metrics, metrics_path(self.output))

    def _report(self, epoch: Epoch) -> None:
        if self.progress:
            self.progress(epoch)


_LICENCES = {
    "em": "trained on ISBI 2012 EM data: non-commercial segmentation research; "
    "cite Cardona et al. 2010 (PLoS Biol 8:e1000502)",
    "gm": "trained on the 2018 GM imaging challenge's data: CC0, one subject MIT",
    "pancreas": "trained on NIH Pancreas-CT: CC BY 3.0; cite Roth et al. 2016 (TCIA)",
    "glas": "trained on MICCAI 2015 GlaS: research only, no commercial use; "
    "cite Sirinukunwattana et al. 2017",
}
