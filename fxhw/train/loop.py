"""The training run: real numbers with batch-norm, then the phases of the recipe's quantizer.

Every random choice comes from a generator seeded with (seed, phase, epoch), so a run resumed at
an epoch's start goes on exactly as it would have without the break.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..checkpoint import save_checkpoint
from ..dataset import Dataset
from ..dice import Scores
from ..errors import FxhwError
from ..fixed import normalize
from ..graph import Network
from ..synthetic import make_sample
from .augment import crop_size, draw_batch
from .calibrate import calibrate_activations
from .evaluate import evaluate, evaluate_golden
from .export import export
from .loss import segmentation_loss
from .norm import NormUNet, PaperUNet
from .pretrained import load_float_network, new_float_network
from .quantizers.inq import SHARES, PowerWeights
from .recipe import Phase, Recipe
from .state import (
    float_path,
    load_state,
    make_folder,
    metrics_path,
    save_float,
    save_state,
    state_path,
    write_metrics,
)
from .statistics import has_statistics, settle_statistics
from .unet import FloatUNet, QuantUNet, image_tensor

__all__ = ["Epoch", "Result", "train"]

_STREAMS = {
    "float": 0, "qat": 1, "calibration": 2, "norm": 3, "tune": 4, "dropout": 5, "paper": 6,
    "statistics": 7,
}
"""Numbers that keep the random choices of different purposes apart."""

_CALIBRATION_BATCHES = 4

_STATISTICS_BATCHES = 60
"""Batches that batch-norm's statistics are taken over when a phase ends."""

_STORED_CROPS, _STORED_SIDE = 2, 64

_STEP_RATE = 3
"""Learned binary points move this many times faster than weights: a whole one is far."""


@dataclass(frozen=True)
class Epoch:
    """What happened in one epoch; ``dice`` is (foreground, background) on the validation images."""

    phase: str
    epoch: int
    loss: float
    dice: tuple[float, float]


@dataclass(frozen=True)
class Result:
    """A finished run: its metrics, and the exported network unless it needs real numbers."""

    network: Network | None
    metrics: dict


def train(
    dataset: Dataset,
    recipe: Recipe,
    output: Path,
    *,
    resume: bool = False,
    device: str = "cpu",
    float_from: Path | None = None,
    synthetic_calibration: bool = False,
    progress: Callable[[Epoch], None] | None = None,
) -> Result:
    """Train on the data set's ``train`` images and write checkpoint, metrics and state.

    The checkpoint goes to ``output``, whose folder is made if need be, the others beside it: the
    network with real numbers (``.float.pt``), the metrics (``.metrics.json``) and the state to
    resume from (``.state.pt``).  The last epoch is kept whatever its validation dice: ``val``
    images choose nothing.

    Parameters
    ----------
    resume : go on from the state beside ``output``, if there is one.
    device : ``cpu`` or ``cuda``.
    float_from : network with real numbers of another run, in place of the first phase.
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
    run.start(load_state(state_path(run.output), run.identity) if resume else None, float_from)
    return run.finish()


class _Run:
    """The state of a run between epochs: phase, epoch, network, optimizer and history."""

    def __init__(self, dataset, recipe, output, device, progress):
        self.recipe, self.output, self.device, self.progress = recipe, output, device, progress
        self.dataset = dataset
        self.samples, self.val = (
            [
                replace(sample, image=normalize(sample.image, recipe.normalization))
                for sample in dataset.load(split)
            ]
            for split in ("train", "val")
        )
        self.channels = self.samples[0].image.shape[2]
        self.topology = recipe.topology(self.channels)
        self.crop = crop_size([sample.image for sample in self.samples], recipe.crop)
        self._check()
        self.identity = recipe.to_json() | {"dataset": dataset.name, "device": device}
        self.history: list[Epoch] = []
        self.scores: Scores | None = None
        self.synthetic_calibration = False
        self.teacher: FloatUNet | None = None

    def start(self, state: dict | None, float_from: Path | None) -> None:
        """Train from the beginning or from ``state`` to the end of the last phase."""
        phases = list(self.recipe.phases)
        names = [phase.name for phase in phases]
        first = 0
        source = float_from or float_path(self.output)
        if state is not None:
            first = names.index(state["phase"])
            self.history = [
                Epoch(entry["phase"], entry["epoch"], entry["loss"], tuple(entry["dice"]))
                for entry in json.loads(state["history"])
            ]
        elif float_from is not None:
            first = 1
            self.network = self._load_float(source)
        make_folder(self.output)
        for index, phase in enumerate(phases[first:], start=first):
            fresh = state is None
            if fresh and index:
                self.network.cpu()
            if not fresh:
                self.network = None
                for name in names[: index + 1]:
                    self.network = self._next_network(name, calibrated=False)
            elif index or float_from is None:
                self.network = self._next_network(phase.name, calibrated=True)
            if index and self.recipe.distillation:
                self.teacher = self._load_float(source).eval().to(self.device)
            self._run_phase(phase, state)
            state = None
            if phase.name == "float":
                save_float(
                    self.network.state_dict(), self.recipe.float_json(), float_path(self.output)
                )

    def _load_float(self, path: Path) -> FloatUNet:
        return load_float_network(path, self.recipe, self.channels)

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
        """Export if there is an integer network, judge it, write checkpoint and metrics."""
        if self.scores is None:
            self.scores = evaluate(self.network, self.val)
        metrics = self._metrics() | {"torch": self.scores.to_json()}
        network = None
        if self.recipe.exports:
            network = self._export()
            golden = evaluate_golden(network, self.val)
            golden = {name: scores.to_json() for name, scores in golden.items()}
            network = replace(network, meta=self._facts(golden))
            save_checkpoint(network, self.output)
            metrics |= {
                "golden": golden,
                "stored_bits": network.stored_bits(),
                "peak_activation_bits": network.peak_activation_bits(),
            }
        write_metrics(metrics, metrics_path(self.output))
        return Result(network, metrics)

    def _export(self) -> Network:
        return export(
            self.network, self.recipe.size, self._stored_crops(),
            normalization=self.recipe.normalization,
        )

    def _facts(self, golden: dict) -> dict:
        """What the checkpoint says of itself."""
        return {
            "dataset": self.dataset.name,
            "recipe": self.recipe.to_json(),
            "dice": {
                name: [round(value, 2) for value in scores["slices"]]
                for name, scores in golden.items()
            },
            "licence": _LICENCES.get(self.dataset.name, "see the terms of the data set"),
        }

    def _run_phase(self, phase: Phase, state) -> None:
        self.network.to(self.device, memory_format=torch.channels_last)
        optimizer = self._optimizer(phase)
        first = 0
        if state is not None:
            first = state["epoch"]
            self._restore(state, optimizer)
            for entry in self.history:
                self._report(entry)
        stages = _InqStages(self.network, phase.epochs)
        for epoch in range(first, phase.epochs):
            if stages.begin(epoch):
                optimizer = self._optimizer(phase)
            loss = self._train_epoch(phase, epoch, optimizer, stages.share_done)
            stages.end(epoch)
            self.scores = evaluate(self.network, self.val)
            self.history.append(Epoch(phase.name, epoch, loss, self.scores.slices))
            self._save(phase, epoch + 1, optimizer)
            self._report(self.history[-1])
        if phase.epochs == 0:
            stages.end(-1)
        elif has_statistics(self.network):
            settle_statistics(self.network, self._statistics_batches(phase))
            self.scores = evaluate(self.network, self.val)

    def _statistics_batches(self, phase: Phase) -> Iterator[torch.Tensor]:
        """Crops drawn as in training."""
        rng = np.random.default_rng(
            [self.recipe.seed, _STREAMS["statistics"], _STREAMS[phase.name]]
        )
        order = np.empty(0, np.int64)
        for _ in range(_STATISTICS_BATCHES):
            while len(order) < self.recipe.batch:
                order = np.concatenate([order, self._order(rng)])
            chosen, order = np.split(order, [self.recipe.batch])
            samples = [self.samples[i] for i in chosen]
            images, _ = draw_batch(samples, self.crop, rng, self.recipe.augmentation)
            yield image_tensor(images, self.device)

    def _restore(self, state: dict, optimizer) -> None:
        """Put the state's tensors where they belong."""
        try:
            self.network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).strip().split("\n")[-1].strip()
            raise FxhwError(
                f"Training state {state_path(self.output)} does not have this network's layers "
                f"({reason}); if its images had other channels, train from the start"
            ) from error

    def _optimizer(self, phase: Phase):
        exponents = [p for name, p in self.network.named_parameters() if "exponent" in name]
        others = [p for name, p in self.network.named_parameters() if "exponent" not in name]
        decay = self.recipe.weight_decay if phase.name in ("float", "tune") else 0.0
        groups = [
            {"params": others, "rate": phase.learning_rate, "weight_decay": decay},
            {"params": exponents, "rate": phase.learning_rate * _STEP_RATE, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW([group for group in groups if group["params"]])

    def _train_epoch(self, phase: Phase, epoch: int, optimizer, share_done) -> float:
        rng = np.random.default_rng([self.recipe.seed, _STREAMS[phase.name], epoch])
        order = self._order(rng)
        steps = math.ceil(len(order) / self.recipe.batch)
        self.network.train()
        total = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_mixed(self.recipe.seed, _STREAMS["dropout"], len(self.history)))
            for step in range(steps):
                done = share_done(epoch + step / steps)
                for group in optimizer.param_groups:
                    group["lr"] = group["rate"] * (1 + math.cos(math.pi * done)) / 2
                chosen = order[step * self.recipe.batch : (step + 1) * self.recipe.batch]
                total += self._step([self.samples[i] for i in chosen], optimizer, rng)
        if not math.isfinite(total):
            raise FxhwError(
                f"Training diverged in {phase.name} epoch {epoch + 1}: the loss is "
                f"{total / steps}; lower the learning rate ({phase.learning_rate})"
            )
        return total / steps

    def _step(self, samples, optimizer, rng) -> float:
        images, labels = draw_batch(samples, self.crop, rng, self.recipe.augmentation)
        optimizer.zero_grad()
        images = image_tensor(images, self.device)
        target = self._target(images, torch.as_tensor(labels, device=self.device))
        loss = segmentation_loss(self.network(images), target, self.recipe.loss)
        loss.backward()
        optimizer.step()
        if isinstance(self.network, NormUNet | QuantUNet):
            self.network.restrict()
        return float(loss.detach())

    def _target(self, images, labels) -> torch.Tensor:
        """Labels (n, h, w), mixed with what the network of real numbers makes of the images."""
        if self.teacher is None:
            return labels
        with torch.no_grad():
            known = torch.sigmoid(self.teacher(images))[:, 0]
        share = self.recipe.distillation
        return (1 - share) * labels.to(known.dtype) + share * known

    def _order(self, rng) -> np.ndarray:
        """Indices of the images to crop from: each as often as crops cover it, shuffled."""
        area = self.crop[0] * self.crop[1]
        counts = [math.ceil(sample.label.size / area) for sample in self.samples]
        return rng.permutation(np.repeat(np.arange(len(counts)), counts))

    def _next_network(self, phase: str, calibrated: bool):
        """The network of ``phase`` made from that of the phase before.

        Not ``calibrated``, it is one whose state is still to be loaded.
        """
        recipe = self.recipe
        if phase == "float":
            return new_float_network(recipe, self.channels)
        if phase == "tune":
            return self.network
        if phase == "paper":
            return PaperUNet(self.network, recipe.wbits, recipe.abits)
        if phase == "norm":
            network = NormUNet(
                self.network, recipe.wbits, recipe.abits, recipe.first_wbits, recipe.quantizer,
                recipe.activation,
            )
            if calibrated:
                calibrate_activations(network, self._calibration_images())
                network.start()
            return network
        network = QuantUNet(
            self.topology, self.network.fold(), recipe.wbits, recipe.abits,
            recipe.first_wbits, recipe.last_wbits, recipe.quantizer, recipe.activation,
            recipe.dropout,
        )
        if calibrated:
            self.network.hand_over(network)
        return network

    def _calibration_images(self) -> torch.Tensor:
        rng = np.random.default_rng([self.recipe.seed, _STREAMS["calibration"]])
        count = _CALIBRATION_BATCHES * self.recipe.batch
        chosen = [self.samples[i] for i in rng.integers(len(self.samples), size=count)]
        return image_tensor(draw_batch(chosen, self.crop, rng, self.recipe.augmentation)[0])

    def _stored_crops(self) -> np.ndarray:
        """uint8 (n, side, side, channels): corners of training images, or made-up images."""
        height, width = (min(side, _STORED_SIDE) for side in self.crop)
        if self.synthetic_calibration:
            seeds = range(1, _STORED_CROPS + 1)
            images = [make_sample(height, width, seed)[0] for seed in seeds]
            return np.stack([normalize(image, self.recipe.normalization) for image in images])
        chosen = np.linspace(0, len(self.samples) - 1, _STORED_CROPS).astype(int)
        return np.stack([self.samples[i].image[:height, :width] for i in chosen])

    def _metrics(self) -> dict:
        epochs = [vars(epoch) | {"dice": list(epoch.dice)} for epoch in self.history]
        return {"run": self.identity, "epochs": epochs}

    def _save(self, phase: Phase, epoch: int, optimizer) -> None:
        metrics = self._metrics()
        state = {
            "run": json.dumps(self.identity),
            "phase": phase.name,
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


class _InqStages:
    """The stages of an ``inq`` network: what is frozen when; with other quantizers, nothing.

    Each stage is one restart of the learning rate and the optimizer.  After the last epoch all
    weights are quantized.
    """

    def __init__(self, network, epochs: int):
        self.epochs = epochs
        blocks = network.blocks.values() if isinstance(network, NormUNet) else ()
        self.blocks = [block for block in blocks if isinstance(block.weights, PowerWeights)]
        stages = min(len(SHARES), epochs) if self.blocks else 1
        self.starts = [epochs * stage // stages for stage in range(stages)] if epochs else []

    def begin(self, epoch: int) -> bool:
        """Freeze what the stage that starts with ``epoch`` freezes; whether one starts."""
        if not self.blocks or epoch not in self.starts:
            return False
        share = SHARES[self.starts.index(epoch) + len(SHARES) - len(self.starts)]
        for block in self.blocks:
            if epoch == 0:
                block.weights.thaw()
            block.weights.freeze(block.weight, share, block.weight_low)
        return True

    def end(self, epoch: int) -> None:
        """After the last epoch, freeze all."""
        if epoch + 1 >= self.epochs:
            for block in self.blocks:
                block.weights.freeze(block.weight, 1.0, block.weight_low)

    def share_done(self, position: float) -> float:
        """How much of the present stage is over at ``position`` (in epochs), 0 .. 1."""
        start = max(begin for begin in self.starts if begin <= position)
        later = [begin for begin in self.starts if begin > position]
        return (position - start) / ((later[0] if later else self.epochs) - start)


def _mixed(*numbers: int) -> int:
    """One seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


_LICENCES = {
    "em": "trained on ISBI 2012 EM data: non-commercial segmentation research; "
    "cite Cardona et al. 2010 (PLoS Biol 8:e1000502)",
    "gm": "trained on the 2018 GM imaging challenge's data: CC0, one subject MIT",
    "pancreas": "trained on NIH Pancreas-CT: CC BY 3.0; cite Roth et al. 2016 (TCIA)",
    "glas": "trained on MICCAI 2015 GlaS: research only, no commercial use; "
    "cite Sirinukunwattana et al. 2017",
}
