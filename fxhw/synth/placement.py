"""What place and route found: speed, utilization, and the slowest paths by block."""

from dataclasses import dataclass

from ..emit.documents import markdown_table

__all__ = ["Hop", "Placement"]


@dataclass(frozen=True)
class Hop:
    """A stretch of a path inside one block, with the wire that leads into it.

    Parameters
    ----------
    block : path of the block.
    logic, routing : ns in cells and on wires.
    net : a name on the way, the last one from the Verilog; empty if there is none.
    """

    block: str
    logic: float
    routing: float
    net: str


@dataclass(frozen=True)
class Placement:
    """A placed and routed design.

    Parameters
    ----------
    tool : nextpnr's name and version.
    method : how the ports were treated.
    seed : of the placer.
    goal, fmax : clock in MHz that was asked for and that was reached.
    utilization : what is used and available, by kind of place in the part.
    critical : the slowest path from register to register, by block.
    arrivals : ns of the slowest path that ends in each block, without the setup time.
    """

    tool: str
    method: str
    seed: int
    goal: float
    fmax: float
    utilization: dict[str, tuple[int, int]]
    critical: tuple[Hop, ...]
    arrivals: dict[str, float]

    def to_json(self) -> dict:
        """All of it as JSON types."""
        return {
            "tool": self.tool,
            "method": self.method,
            "seed": self.seed,
            "goal_mhz": self.goal,
            "fmax_mhz": round(self.fmax, 2),
            "utilization": {kind: list(pair) for kind, pair in self.utilization.items()},
            "critical_path": [
                {
                    "block": hop.block,
                    "logic_ns": round(hop.logic, 3),
                    "routing_ns": round(hop.routing, 3),
                    "net": hop.net,
                }
                for hop in self.critical
            ],
            "slowest_ns_by_block": {path: round(ns, 3) for path, ns in self.arrivals.items()},
        }

    def verdict(self) -> str:
        """Speed in a sentence."""
        reached = "reached" if self.fmax >= self.goal else "missed"
        return f"{self.fmax:.1f} MHz; the goal of {self.goal:g} MHz is {reached}"

    def path_rows(self) -> list[tuple[str, ...]]:
        """The critical path as a table; the first row is the header."""
        rows = [("block", "logic ns", "routing ns", "net")]
        for hop in self.critical:
            rows.append((hop.block or "top", f"{hop.logic:.2f}", f"{hop.routing:.2f}", hop.net))
        logic, routing = (sum(getattr(h, k) for h in self.critical) for k in ("logic", "routing"))
        rows.append(("all", f"{logic:.2f}", f"{routing:.2f}", ""))
        return rows

    def arrival_rows(self) -> list[tuple[str, ...]]:
        """The slowest path into each block as a table; the first row is the header."""
        rows = [("slowest path that ends in", "ns", "MHz")]
        for path, ns in sorted(self.arrivals.items(), key=lambda item: (-item[1], item[0])):
            rows.append((path or "top", f"{ns:.2f}", f"{1000 / ns:.0f}" if ns else ""))
        return rows

    def use_rows(self) -> list[tuple[str, ...]]:
        """What is used as a table; the first row is the header."""
        rows = [("place", "used", "of", "share")]
        for kind, (used, available) in self.utilization.items():
            if used and available:  # kinds without places are nextpnr's own bookkeeping
                rows.append((kind, f"{used:,}", f"{available:,}", f"{used / available:.0%}"))
        return rows

    def to_markdown(self) -> str:
        """The part of a report on it."""
        return (
            f"{self.tool}, {self.method}, seed {self.seed}: {self.verdict()}.\n\n"
            f"{markdown_table(self.use_rows())}\nThe slowest path:\n\n"
            f"{markdown_table(self.path_rows())}\n{markdown_table(self.arrival_rows())}"
        )
