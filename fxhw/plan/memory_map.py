"""Places feature maps in the feature memory so that those alive together do not overlap."""

from dataclasses import dataclass

from ..graph import TensorInfo
from .schedule import Schedule

__all__ = ["MemoryMap", "Region", "map_memory"]


@dataclass(frozen=True)
class Region:
    """Where a feature map lies: word (y * width + x) * groups + g holds ``pin`` channels.

    Parameters
    ----------
    tensor : the feature map.
    base : address of its first word.
    groups : words per pixel.
    born, dies : first step that writes it and last step that reads it.
    """

    tensor: TensorInfo
    base: int
    groups: int
    born: int
    dies: int

    @property
    def words(self) -> int:
        """Words it takes."""
        return self.tensor.height * self.tensor.width * self.groups

    @property
    def end(self) -> int:
        """Address past its last word."""
        return self.base + self.words


@dataclass(frozen=True)
class MemoryMap:
    """All regions by tensor name."""

    regions: dict[str, Region]

    @property
    def words(self) -> int:
        """Depth the feature memory needs."""
        return max((region.end for region in self.regions.values()), default=1)


def map_memory(schedule: Schedule, pin: int) -> MemoryMap:
    """Place every stored feature map, largest first, at the lowest address that is free."""
    born: dict[str, int] = {}
    dies: dict[str, int] = {}
    tensors: dict[str, TensorInfo] = {}
    for index, step in enumerate(schedule.steps):
        written = [step.out] if step.store_full else []
        written += [step.pooled] if step.pooled else []
        for tensor in written:
            tensors[tensor.name] = tensor
            born.setdefault(tensor.name, index)
            dies[tensor.name] = index
        for source in step.sources:
            dies[source.tensor.name] = index
    placed: list[Region] = []

    def size(name):
        return tensors[name].height * tensors[name].width * -(-tensors[name].channels // pin)

    for name in sorted(tensors, key=lambda name: (-size(name), born[name], name)):
        neighbours = sorted(
            (r for r in placed if r.born <= dies[name] and born[name] <= r.dies),
            key=lambda r: r.base,
        )
        base = 0
        for region in neighbours:
            if base + size(name) <= region.base:
                break
            base = max(base, region.end)
        groups = -(-tensors[name].channels // pin)
        placed.append(Region(tensors[name], base, groups, born[name], dies[name]))
    return MemoryMap({region.tensor.name: region for region in placed})
