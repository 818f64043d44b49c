"""``fxhw explore``: a design for a budget."""

from pathlib import Path

import click

__all__ = ["command"]


@click.command(short_help="Pick widths, parallelism and style for a budget.")
@click.option("--target", default="ecp5-85k", show_default=True, help="FPGA part or family.")
@click.option("--min-dice", type=click.FloatRange(0, 100), required=True,
              help="Least dice of the foreground, in percent.")
@click.option("--max-luts", type=click.FloatRange(min=0, min_open=True),
              help="Most look-up tables' places.  [default: the part's, times --fill]")
@click.option("--min-fps", type=click.FloatRange(min=0, min_open=True),
              help="Least frames per second; the smallest design that reaches it is picked.  "
              "[default: the fastest design that fits is]")
@click.option("--clock-mhz", type=click.FloatRange(min=0, min_open=True), default=100.0,
              show_default=True, help="Clock that frames per second are counted at.")
@click.option("--fill", type=click.FloatRange(0, 1, min_open=True), default=0.8,
              show_default=True, help="Share of the part's look-up tables that may be used.")
@click.option("--sweep", type=click.Path(path_type=Path), metavar="FOLDER|FILE",
              help="Results to pick from.  [default: those that come with fxhw]")
@click.option("--checkpoint", type=click.Path(path_type=Path),
              help="The network of the results, where it is none that ships.")
def command(target, min_dice, max_luts, min_fps, clock_mhz, fill, sweep, checkpoint):
    """Pick widths, lanes and style of an accelerator from measured designs, and say why.

    Lanes that were not measured are estimated from those that were.  Frames per second count at
    the clock given: what clock a design reaches is for place and route to say.
    """
    from rich.console import Console

    from ..sweep.explore import Budget, choose, list_candidates, planner
    from ..sweep.results import find_results, load_results
    from ..synth import find_target

    part = find_target(target)
    path = sweep or find_results()
    results = load_results(path)
    budget = Budget(part, min_dice, max_luts, min_fps, clock_mhz, fill)
    network = _network(results, checkpoint)
    with Console(stderr=True).status("Planning the designs that look best"):
        choice = choose(list_candidates(results, part), budget, planner(network, part))
    _print(choice, budget, results, network is not None)


def _network(results, checkpoint):
    """The network of the results: the one given or a bundled one; None if neither is it."""
    import hashlib

    from ..bundled import BUNDLED, bundled_checkpoint
    from ..checkpoint import load_checkpoint
    from ..errors import FxhwError

    paths = [checkpoint] if checkpoint else [bundled_checkpoint(name) for name in BUNDLED]
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FxhwError(f"Checkpoint {path} cannot be read: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() == results["network"]["sha256"]:
            return load_checkpoint(path)
    if checkpoint:
        raise FxhwError(
            f"Checkpoint {checkpoint} is not the network {results['network']['name']} of the "
            "results; give that one, or none"
        )
    return None


def _print(choice, budget, results, planned):
    """The design, its figures, the reasons, and the command that makes it."""
    from rich.console import Console
    from rich.table import Table

    from ..sweep.accuracy import KINDS

    c, part, console = choice.candidate, budget.target, Console()
    o = c.operands
    facts = Table(show_header=False, box=None, pad_edge=False)
    how = c.basis or "synthesized as it stands"
    counted = "the planner's estimate" if planned else "scaled from the lanes measured"
    rows = [
        ("weights, activations", o.title + (f": {o.wbits}, {o.abits} bits" if o.plain else "")),
        ("array", f"{c.lanes.replace('x', ' x ')} x 9 = {c.macs_per_cycle} MAC per cycle, style "
                  f"{c.style}"),
        *_resources(c, part),
        ("size is", how),
        ("cycles", f"{c.cycles:,.0f} per image, {counted}"),
        ("frames/s", f"{budget.clock_mhz * 1e6 / c.cycles:,.1f} at {budget.clock_mhz:g} MHz"),
        ("dice", f"{c.score:.2f} on {results['dataset']}: {KINDS[c.dice['kind']]} "
                 f"({c.dice['source']})"),
    ]
    for name, value in rows:
        facts.add_row(name, value)
    console.print(f"{c} on {part.title}, for {budget}:", highlight=False)
    console.print(facts)
    console.print(" ".join(choice.reasons), highlight=False, soft_wrap=True)
    # Other kinds than these are in the checkpoint alone.
    wanted = f"--wbits {o.wbits} --abits {o.abits} " if o.plain else ""
    own = "" if c.dice["kind"] == "requantized" else ", with the network of that dice"
    console.print(f"Make it by{own}:")
    console.print(
        f"  fxhw generate {wanted}--pin {c.pin} --pout {c.pout} "
        f"--style {c.style} --target {part.name}"
        + (f" --dsps {part.capacity['DSP']}" if c.style == "mixed" else "")
        + (f" --pixels {c.pixels}" if c.pixels > 1 else "")
        + (" --checkpoint FILE" if own else ""),
        soft_wrap=True,
        highlight=False,
    )


def _resources(candidate, part):
    """Rows of what the design takes, of a part with how much there is."""
    if not part.capacity:
        return [("LUT", f"{candidate.luts:,.0f}")]
    return [
        (kind, f"{candidate.used.get(kind, 0):,.0f} of {count:,}")
        for kind, count in part.capacity.items()
    ]
