"""``fxhw sweep``: area, speed, energy and dice of many designs."""

import os
from itertools import product
from pathlib import Path

import click

__all__ = ["command"]

_WBITS = {"fixed": "1-4,6,8", "inq": "5"}
"""Weight bits unless told otherwise."""


@click.command(short_help="Measure area, speed, energy and dice of many designs.")
@click.option("--quantizers", default="fixed", show_default=True,
              help="Kinds of weights, a list of fixed, ternary, binary and inq as of fxhw train.")
@click.option("--activations",
              help="Kinds of activations, a list of relu, tanh, ternary and sign.  "
              "[default: each quantizer's own: relu, but ternary of ternary, sign of binary]")
@click.option("--wbits", help="Weight bits of fixed and inq, a list.  "
              "[default: 1-4,6,8 of fixed, 5 of inq]")
@click.option("--abits", default="2,4,6,8", show_default=True,
              help="Activation bits of relu and tanh, a list.")
@click.option("--styles", default="lut,generic", show_default=True,
              help="How the MAC arrays are made, a list.")
@click.option("--accelerator-styles", help="Styles of the whole accelerators, which take minutes "
              "each; or none.  [default: the first of --styles]")
@click.option("--targets", default="ecp5-85k", show_default=True,
              help="FPGA families or parts, a list.")
@click.option("--pin", default="8", show_default=True, help="Channels in per cycle, a list.")
@click.option("--pout", default="8", show_default=True, help="Channels out per cycle, a list.")
@click.option("--pixels", default="1", show_default=True,
              help="Pixels per cycle, a list of 1 and 2; 2 in styles dsp and mixed alone.")
@click.option("--scopes", default="array,accelerator", show_default=True,
              help="What is measured: MAC arrays with accumulators, whole accelerators, or both.")
@click.option("--checkpoint", type=click.Path(path_type=Path),
              help="The network: a file, or em, gm or pancreas, which ship.  [default: em]")
@click.option("--dataset", help="Data set of the dice, by name or folder.  "
              "[default: the network's, where it is there]")
@click.option("--metrics", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Dice known already: of 'make table1', fxhw train, golden or sweep, or a list "
              "of records with wbits, abits and dice; may be given more than once.")
@click.option("--train", is_flag=True, help="Train the widths that no file has a dice of.")
@click.option("--epochs", type=int, help="With --train: epochs with real numbers.")
@click.option("--qat-epochs", type=int, help="With --train: epochs with quantized numbers.")
@click.option("--clock-mhz", type=click.FloatRange(min=0, min_open=True), default=100.0,
              show_default=True, help="Clock that frames per second are stated at.")
@click.option("--processes", type=click.IntRange(1), default=os.cpu_count(),
              help="Jobs at a time on this machine.  [default: its cores]")
@click.option("--scheduler", metavar="ADDRESS",
              help="Run on a Dask cluster instead, as tcp://host:8786.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("runs/sweep"),
              show_default=True, help="Sweep folder: what was measured is kept there.")
@click.option("--results", type=click.Path(path_type=Path),
              help="Folder for sweep.csv, .json, .md, .svg and .html.  [default: FOLDER/results]")
def command(**options):
    """Generate and synthesize a design per point, with its cycles, energy and dice.

    What a sweep folder has already is not measured again: the same command goes on after any
    break, and a wider one adds to it.  The dice of a point is that of --metrics, else trained by
    --train, else of the network requantized to its widths, by the golden model on the data set's
    val images; where neither is to be had, there is none.  Ternary weights, powers of two and
    activations other than ReLU have to be trained for: no requantized network has them.
    """
    from ..sweep.results import make_results
    from ..sweep.run import run_sweep
    from ..sweep.store import Store

    points = _points(options)
    setup, dataset = _setup(options)
    store = Store(options["output"])
    _announce(points, setup, dataset)
    with _Progress() as progress:
        try:
            records, failed = run_sweep(points, setup, store, _executor(options), progress)
        except KeyboardInterrupt:
            click.echo("What is finished is kept; the same command goes on from here.", err=True)
            raise
    if records:
        results = make_results(setup, dataset, options["clock_mhz"], records, failed)
        for path in _write(results, options["results"] or store.folder / "results"):
            click.echo(f"wrote {path}")
    if not failed:
        return 0
    for failure in failed:
        click.echo(
            f"failed: {failure.point.name}: {failure.reason}; log: {failure.log}", err=True
        )
    names = ", ".join(failure.point.name for failure in failed)
    others = "all others are done" if records else "there is nothing to write"
    click.echo(f"fxhw: {len(failed)} of {len(points)} points failed, {others}: {names}", err=True)
    return 1


def _points(options):
    """The grid of the command line's lists."""
    from ..errors import FxhwError
    from ..plan import STYLES
    from ..sweep.point import SCOPES, parse_names, parse_numbers, span_grid
    from ..synth import find_target

    styles = parse_names(options["styles"], "--styles", STYLES)
    whole = options["accelerator_styles"]
    if whole is None:
        accelerators = styles[:1]
    else:
        accelerators = (
            [] if whole == "none" else parse_names(whole, "--accelerator-styles", STYLES)
        )
    targets = [name.strip() for name in options["targets"].split(",")]
    for name, style in product(targets, [*styles, *accelerators]):
        target = find_target(name)
        if style == "mixed" and "DSP" not in (target.capacity or {}):
            raise FxhwError(
                f"Style mixed fills the multiplier blocks of a part, but {name} is a family; name "
                "a part, or style dsp"
            )
    pixels = parse_numbers(options["pixels"], "--pixels", 1, 2)
    operands = _operands(options)
    _check_blocks(operands, [*styles, *accelerators], pixels)
    points = span_grid(
        operands,
        list(dict.fromkeys(targets)),
        styles,
        accelerators,
        parse_numbers(options["pin"], "--pin", 1, 16),
        parse_numbers(options["pout"], "--pout", 1, 16),
        parse_names(options["scopes"], "--scopes", SCOPES),
        pixels,
    )
    if not points:
        raise FxhwError("There is no point: accelerators alone were asked for, of no style")
    return points


def _operands(options):
    """What the points multiply."""
    from ..sweep.operands import ACTIVATIONS, QUANTIZERS, WEIGHT_BITS, list_operands
    from ..sweep.point import parse_names, parse_numbers

    quantizers = parse_names(options["quantizers"], "--quantizers", QUANTIZERS)
    activations = options["activations"]
    if activations is not None:
        activations = parse_names(activations, "--activations", ACTIVATIONS)
    wbits = {
        name: parse_numbers(
            options["wbits"] or _WBITS[name],
            "--wbits" if name == "fixed" else f"--wbits of {name}",
            *WEIGHT_BITS[name],
        )
        for name in quantizers if name in WEIGHT_BITS
    }
    abits = parse_numbers(options["abits"], "--abits", 1, 8)
    return list_operands(quantizers, activations, wbits, abits)


def _check_blocks(operands, styles, pixels):
    """Refuse what multiplier blocks cannot do, and what only they can."""
    from ..errors import FxhwError
    from ..plan.conv_spec import BLOCK_STYLES

    blocks = [style for style in styles if style in BLOCK_STYLES]
    other = [o for o in operands if o.weights == "power" or o.activations != "unsigned"]
    if blocks and other:
        raise FxhwError(
            f"Style {blocks[0]} takes fixed and ternary weights and relu activations, not "
            f"{other[0].title}; leave one of them out, or sweep them one after the other into the "
            "same folder"
        )
    if 2 in pixels and not blocks:
        raise FxhwError(
            f"--pixels 2 needs style {' or '.join(BLOCK_STYLES)}, not {', '.join(styles)}"
        )


def _setup(options):
    """What all points share, and the name of the data set of their dice."""
    import hashlib

    from ..bundled import find_checkpoint
    from ..checkpoint import load_checkpoint
    from ..dataset import DATASETS, find_dataset
    from ..errors import FxhwError
    from ..graph import MaxPool
    from ..sweep.accuracy import read_metrics
    from ..sweep.setup import Setup

    path = find_checkpoint(options["checkpoint"])
    network = load_checkpoint(path)
    own = network.meta.get("dataset")
    name = options["dataset"] or (own if own in DATASETS else DATASETS[0])
    try:
        data = find_dataset(name)
    except FxhwError:
        if options["dataset"] and not options["metrics"] or options["train"]:
            raise
        data = None
    name = data.name if data else name
    figures = {}
    for file in options["metrics"]:
        figures = read_metrics(file, name) | figures
    training = None
    if options["train"]:
        shape = {
            "base_channels": network.convs[0].out_channels,
            "depth": sum(isinstance(op, MaxPool) for op in network.ops),
        }
        given = {"epochs": options["epochs"], "qat_epochs": options["qat_epochs"]}
        training = shape | {key: value for key, value in given.items() if value is not None}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Setup(network, path.stem, digest, figures, data, training), name


def _executor(options):
    """What runs the jobs."""
    from ..sweep.local import run_local

    scheduler, processes = options["scheduler"], options["processes"]
    if scheduler is None:
        return lambda jobs, known: run_local(jobs, processes, known)
    from ..sweep.cluster import run_cluster

    return lambda jobs, known: run_cluster(jobs, scheduler, known)


def _announce(points, setup, dataset):
    """Say what is to be measured, and where its dice come from."""
    operands = {point.operands for point in points}
    left = operands - set(setup.figures)
    plain = sum(one.plain for one in left)
    parts = [f"{len(operands) - len(left)} from files"] if len(left) < len(operands) else []
    if left and setup.dataset is None:
        parts.append(f"none for the {len(left)} others, as data set {dataset} is not there")
    elif setup.training is not None:
        parts += [f"{len(left)} trained"] * bool(left)
    else:
        if plain:
            parts.append(
                f"{plain} by the golden model on val, {setup.name} requantized without training"
            )
        if plain < len(left):
            parts.append(f"none for {len(left) - plain} that have to be trained for")
    click.echo(
        f"{len(points)} point{'s' * (len(points) > 1)}; dice of {dataset} for {len(operands)} "
        f"pair{'s' * (len(operands) > 1)} of weights and activations: " + "; ".join(parts)
    )


def _write(results, folder):
    """Write every form of the results; yields the paths."""
    from ..sweep.page import to_page
    from ..sweep.plot import draw
    from ..sweep.results import write_results
    from ..sweep.store import write_atomic
    from ..sweep.tables import to_csv, to_markdown

    yield write_results(results, folder)
    for name, make in (("csv", to_csv), ("md", to_markdown), ("html", to_page)):
        path = folder / f"sweep.{name}"
        write_atomic(make(results), path)
        yield path
    try:
        draw(results, folder / "sweep.svg")
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        click.echo("no sweep.svg: matplotlib is not there; pip install 'fxhw[plots]'", err=True)
    else:
        yield folder / "sweep.svg"


class _Progress:
    """A bar over all jobs with the time left, each counted by about how long it takes.

    Where standard error is no terminal, a line per job instead.
    """

    def __init__(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True)
        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.fields[done]} of {task.fields[jobs]} jobs"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._done = self._jobs = None

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, *_):
        self._progress.stop()

    def __call__(self, what, outcome=None):
        if outcome is None:
            self._done, self._jobs = 0, len(what)
            total = sum(job.cost for job in what)
            self._task = self._progress.add_task("", total=total, done=0, jobs=len(what))
            return
        self._done += 1
        how = "" if isinstance(outcome, dict) else " failed"
        self._progress.update(
            self._task, advance=what.cost, done=self._done, description=what.name + how
        )
        if not self._console.is_terminal:
            click.echo(f"{self._done:4} of {self._jobs}  {what.name}{how}", err=True)
