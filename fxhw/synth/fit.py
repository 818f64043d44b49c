"""How much of a part a design takes, and what it costs per multiply-accumulate."""

from .synthesize import Resources

__all__ = ["luts_per_mac", "misfit", "shares"]


def shares(result: Resources) -> dict[str, float]:
    """Part of each capacity that is used, 1.0 being all; empty for a whole family."""
    capacity = result.target.capacity or {}
    used = result.target.used(result.classes)
    return {kind: used[kind] / count for kind, count in capacity.items() if count}


def misfit(result: Resources) -> str | None:
    """A sentence on what a part has too little of; None if the design fits, or for a family."""
    capacity = result.target.capacity or {}
    used = result.target.used(result.classes)
    over = [
        f"{used[kind]:,.0f} {kind} where there are {count:,}"
        for kind, count in capacity.items()
        if used[kind] > count
    ]
    if not over:
        return None
    hint = "take fewer lanes (--pin, --pout) or fewer bits"
    if "DSP" in [kind for kind, count in capacity.items() if used[kind] > count] and result.dsp:
        hint += ", or keep multipliers out of DSPs (--no-dsp)"
    return f"Does not fit {result.target.title}: it takes {' and '.join(over)}; {hint}"


def luts_per_mac(result: Resources, macs: int | None) -> float | None:
    """Places of look-up tables, or NAND2-equivalents, per multiply-accumulate and cycle.

    Memories made of look-up tables are not counted.  None for a design without multipliers.
    """
    if not macs:
        return None
    gates = result.classes.get("NAND2")
    return (result.target.logic_luts(result.classes) if gates is None else gates) / macs
