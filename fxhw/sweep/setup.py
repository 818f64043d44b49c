"""What the points of a sweep have in common, and the jobs that each of them needs."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..dataset import Dataset
from ..dice import score
from ..graph import Network
from .accuracy import Dice
from .jobs import DiceJob, Job, PlanJob, SynthesisJob
from .operands import Operands
from .point import Point
from .stand_in import has_operands
from .store import Store
from .training import TrainingJob

__all__ = ["Needs", "Setup"]

_LANE_BY_LANE = ("generic", "lut")
"""Styles whose output lanes are alike and share nothing: two sizes give every other."""


@dataclass(frozen=True)
class Needs:
    """The jobs a point is put together from.

    Parameters
    ----------
    plan : its cycles and work.
    synthesis : its size, whole or at a few output lanes.
    dice : its dice, where no file has a figure and one is to be measured.
    """

    plan: PlanJob
    synthesis: tuple[SynthesisJob, ...]
    dice: Job | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All of them."""
        return (self.plan, *self.synthesis, *((self.dice,) if self.dice else ()))


@dataclass(frozen=True)
class Setup:
    """What all points have in common.

    Parameters
    ----------
    network : the network that is accelerated, with other operands for every point.
    name, digest : its name, and a hash of its file.
    figures : dice known already.
    dataset : where other dice are measured; None leaves points without.
    training : options of the trainings that give those dice; None requantizes ``network``, which
        gives none of operands that have to be trained.
    """

    network: Network = field(repr=False)
    name: str
    digest: str
    figures: dict[Operands, Dice] = field(default_factory=dict)
    dataset: Dataset | None = None
    training: dict | None = None

    @cached_property
    def _samples(self) -> tuple:
        """Images and labels of ``val``."""
        return () if self.dataset is None else tuple(self.dataset.load("val"))

    @cached_property
    def _samples_digest(self) -> str:
        """Hash (hex) of those."""
        digest = hashlib.sha256()
        for sample in self._samples:
            digest.update(repr((sample.id, sample.image.shape)).encode())
            digest.update(sample.image.tobytes() + sample.label.tobytes())
        return digest.hexdigest()

    @property
    def constant(self) -> float | None:
        """Dice of the answer "foreground everywhere" on ``val``; None where it is not there."""
        if not self._samples:
            return None
        labels = [sample.label for sample in self._samples]
        groups = [sample.group for sample in self._samples]
        return score([np.ones_like(label) for label in labels], labels, groups).slices[0]

    def needs(self, point: Point, store: Store) -> Needs:
        """The jobs of ``point``."""
        recipe = {"network": self.digest, "size": list(self.network.size)}
        shared = Point(**point.to_json() | {"scope": "accelerator"})
        return Needs(
            PlanJob(
                name=f"plan_{shared.name}",
                recipe=recipe | {"point": shared.to_json()},
                network=self.network,
                point=shared,
            ),
            tuple(
                SynthesisJob(
                    name=point.name + (f"_{lanes}of{point.pout}" if lanes < point.pout else ""),
                    recipe=recipe | {"point": point.to_json(), "lanes": lanes},
                    network=self.network,
                    point=point,
                    lanes=lanes,
                )
                for lanes in _measured_lanes(point)
            ),
            self._dice(point, recipe, store),
        )

    def source(self, point: Point, needs: Needs, results: dict[str, dict]) -> Dice | None:
        """The dice of ``point``, from the file that has it or from the job that measured it."""
        known = self.figures.get(point.operands)
        if known is not None or needs.dice is None:
            return known
        found = results[needs.dice.key]
        trained = isinstance(needs.dice, TrainingJob)
        if trained:
            how = f"fxhw train {self.dataset.name}, val"
        else:
            how = f"network {self.name} by the golden model on val of {self.dataset.name}"
        kept = not trained and has_operands(self.network, point.operands)
        kind = "trained" if trained or kept else "requantized"
        return Dice(found["foreground"], found["background"], kind, how)

    def _dice(self, point: Point, recipe: dict, store: Store) -> Job | None:
        operands = point.operands
        if operands in self.figures or self.dataset is None:
            return None
        if self.training is not None:
            return self._training(operands, store)
        if not operands.plain and not has_operands(self.network, operands):
            return None
        return DiceJob(
            name=f"dice_{self.dataset.name}_{operands.name}",
            recipe=recipe | {"operands": operands.name, "data": self._samples_digest},
            network=self.network,
            operands=operands,
            samples=self._samples,
        )

    def real_training(self, store: Store, activation: str = "relu") -> TrainingJob:
        """The training of real numbers that all others of its activation, relu or tanh, start
        from."""
        own = {"quantizer": "float", "qat_epochs": 0}
        if activation == "relu":
            return self._train("float", own, None, store)
        return self._train("float-tanh", own | {"activation": activation}, None, store)

    def _training(self, operands: Operands, store: Store) -> TrainingJob:
        own = {
            "quantizer": operands.quantizer, "wbits": operands.wbits, "abits": operands.abits
        }
        if not operands.plain:
            own["activation"] = operands.activation
        real = "relu" if operands.activation == "relu" else "tanh"
        return self._train(operands.name, own, self.real_training(store, real), store)

    def _train(self, name: str, own: dict, after: TrainingJob | None, store: Store) -> TrainingJob:
        options = self.training | own
        return TrainingJob(
            name=f"train_{self.dataset.name}_{name}",
            recipe={"data": self.dataset.name, "options": options},
            dataset=str(self.dataset.folder.resolve()),
            options=options,
            output=str(store.training(name).resolve()),
            after=after,
        )


def _measured_lanes(point: Point) -> tuple[int, ...]:
    """Output lanes of the arrays that are synthesized to know the size of ``point``."""
    if point.scope == "array" and point.style in _LANE_BY_LANE and point.pout > 2:
        return 1, 2
    return (point.pout,)
