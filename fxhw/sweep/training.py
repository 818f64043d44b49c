"""Trainings as jobs: one of real numbers, which every width is then fine-tuned from."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import FxhwError
from .jobs import Job

__all__ = ["TrainingJob"]


@dataclass(frozen=True, kw_only=True)
class TrainingJob(Job):
    """A training on one of the data set's recipes, resumed where a break has left it.

    Result: ``foreground`` and ``background`` dice in percent on ``val``, means over the whole
    images, of the golden model; of torch, where the network is one of real numbers.

    Parameters
    ----------
    dataset : the data set's folder.
    options : of :func:`fxhw.train.presets.preset`.
    output : checkpoint to write.
    after : the training whose real numbers this one starts from.
    """

    SOURCES: ClassVar = (
        "errors", "fixed", "graph", "golden", "checkpoint", "dataset", "dice", "images",
        "synthetic", "train",
    )

    dataset: str
    options: dict
    output: str
    after: "TrainingJob | None" = None

    @property
    def cost(self) -> float:
        return 600.0

    def _run(self, known):
        try:
            from ..train.loop import train
            from ..train.presets import preset
            from ..train.state import float_path
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise FxhwError(
                "Training needs torch; get it by: pip install 'fxhw[train]'"
            ) from error
        from ..dataset import find_dataset

        data = find_dataset(self.dataset)
        metrics = train(
            data,
            preset(data.name, **self.options),
            Path(self.output),
            resume=True,
            float_from=None if self.after is None else float_path(Path(self.after.output)),
        ).metrics
        scores = metrics["golden"]["whole"] if "golden" in metrics else metrics["torch"]
        foreground, background = scores["slices"]
        return {"foreground": foreground, "background": background}
