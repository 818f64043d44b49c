"""Energy of an image from Horowitz's 45 nm figures: an estimate to compare designs with, no more.

M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014: energy of an
integer operation by its width, and of a memory access by the memory's size.  Between the published
figures values are interpolated: additions by their width, multiplications by the product of the
operands' widths, memory bits by the logarithm of the memory's size.  Wires, clocks, leakage and
what an FPGA adds to all of it are not in the figures.
"""

from dataclasses import asdict, dataclass
from math import exp, log

__all__ = ["EnergyModel", "Work"]


@dataclass(frozen=True)
class Work:
    """What is done for one image.

    Parameters
    ----------
    multiplications : (bits of the weight, bits of the activation, how many).
    additions : (bits of the sum, how many).
    accesses : (memory, its size in bits, bits read and written).
    """

    multiplications: tuple[tuple[int, int, int], ...]
    additions: tuple[tuple[int, int], ...]
    accesses: tuple[tuple[str, int, int], ...] = ()

    def arithmetic(self) -> "Work":
        """This without the memories: what an array alone does."""
        return Work(self.multiplications, self.additions)

    def to_json(self) -> dict:
        """JSON types only."""
        return {name: [list(row) for row in rows] for name, rows in asdict(self).items()}

    @classmethod
    def from_json(cls, entry: dict) -> "Work":
        """The inverse of :meth:`to_json`."""
        return cls(**{name: tuple(map(tuple, rows)) for name, rows in entry.items()})


@dataclass(frozen=True)
class EnergyModel:
    """Picojoules of operations, 45 nm and 0.9 V; the defaults are the published figures.

    Parameters
    ----------
    add : (bits of the sum, pJ), widths rising.
    multiply : (product of the operands' bits, pJ), products rising.
    memory : (size of the memory in bits, pJ of a 64-bit access), sizes rising.
    """

    add: tuple[tuple[int, float], ...] = ((8, 0.03), (32, 0.1))
    multiply: tuple[tuple[int, float], ...] = ((8 * 8, 0.2), (32 * 32, 3.1))
    memory: tuple[tuple[int, float], ...] = (
        (8 << 13, 10.0), (32 << 13, 20.0), (1024 << 13, 100.0)
    )

    def addition(self, bits: int) -> float:
        """pJ of an addition with a sum of ``bits``."""
        return _interpolate(((0, 0.0), *self.add), bits)

    def multiplication(self, wbits: int, abits: int) -> float:
        """pJ of a multiplication of ``wbits`` by ``abits``."""
        return _interpolate(((0, 0.0), *self.multiply), wbits * abits)

    def access(self, size: int, bits: int) -> float:
        """pJ of ``bits`` to or from a memory of ``size`` bits.

        Memories smaller than the smallest published cost what that one costs.
        """
        points = tuple((log(capacity), log(energy)) for capacity, energy in self.memory)
        word = exp(_interpolate(points, max(log(max(size, 1)), points[0][0])))
        return word * bits / 64

    def compute(self, work: Work) -> dict[str, float]:
        """pJ by what it goes to: ``multiply``, ``add`` and each memory by name."""
        energy = {
            "multiply": sum(n * self.multiplication(w, a) for w, a, n in work.multiplications),
            "add": sum(n * self.addition(bits) for bits, n in work.additions),
        }
        for name, size, bits in work.accesses:
            energy[name] = energy.get(name, 0.0) + self.access(size, bits)
        return energy


def _interpolate(points: tuple[tuple[float, float], ...], x: float) -> float:
    """Value at ``x`` of the line through ``points``, whose last piece goes on beyond them."""
    pieces = list(zip(points, points[1:]))
    (x0, y0), (x1, y1) = next((piece for piece in pieces if x <= piece[1][0]), pieces[-1])
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
