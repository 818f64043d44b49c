"""``python -m fxhw.studies NAME``: run a study and write its results."""

import sys
from pathlib import Path

import click
from rich.console import Console

from ..errors import FxhwError
from . import (
    activation_time,
    dropout,
    ends,
    full_size,
    paper_fit,
    paper_sim,
    table1,
    table1_report,
    weights,
)
from .jobs import run_jobs
from .results import read_json, write_json


def _announce(job, seconds, count, total):
    click.echo(f"{count:3} of {total}  {job.name}  {seconds:.0f} s", err=True)


@click.group(help=__doc__)
def main():
    pass


def _study(name, help):
    """A command with the options that all share."""

    def decorate(function):
        for option in (
            click.option("--work", type=click.Path(path_type=Path), default=Path("runs"),
                         show_default=True, help="Folder of the trainings."),
            click.option("--results", type=click.Path(path_type=Path),
                         default=Path("docs/results"), show_default=True,
                         help="Folder to write to."),
            click.option("--processes", type=click.IntRange(1), default=2, show_default=True,
                         help="Trainings at a time."),
        ):
            function = option(function)
        return main.command(name, help=help)(function)

    return decorate


@_study("table1", "Dice of every quantizer on every data set: hours, goes on after a break.")
@click.option("--dataset", "datasets", multiple=True, type=click.Choice(table1.DATASETS),
              help="Only this data set; may be given more than once.")
@click.option("--match", default="", help="Only trainings with this in their name.")
@click.option("--report-only", is_flag=True, help="Write the table of what is finished.")
def _table1(work, results, processes, datasets, match, report_only):
    folder = work / "table1"
    record = read_json(results / "table1.json", [])

    def announce(*progress):
        _announce(*progress)
        write_json(table1.collect(folder, record), results / "table1.json")

    known = table1.recorded(table1.collect(folder, record))
    if not report_only:
        wanted = table1.jobs(datasets or table1.DATASETS)
        run_jobs(
            [job for job in wanted if match in job.name], folder, processes, announce, known
        )
    table1_report.write_report(table1.collect(folder, record), results)


@_study("weights", "Distribution of a float network's weights, as in the paper's S.1.")
def _weights(work, results, processes):
    run_jobs(weights.JOBS, work / "studies", processes, _announce)
    weights.write(work / "studies", results)


@_study("dropout", "Dropout with and without quantization, as in the paper's S.3.")
def _dropout(work, results, processes):
    run_jobs(dropout.JOBS, work / "studies", processes, _announce)
    dropout.write(work / "studies", results)


@_study("ends", "First and last layer at 4 and 8 bits and at full precision.")
def _ends(work, results, processes):
    run_jobs(ends.JOBS, work / "studies", processes, _announce)
    ends.write(work / "studies", results)


@_study("activation-time", "Run time of ReLU and tanh on this CPU, as in the paper's Table 2.")
def _activation_time(work, results, processes):
    activation_time.write(results)


@_study("full-size", "One epoch of the paper's 64-channel network: time and memory.")
def _full_size(work, results, processes):
    full_size.write(work / "studies", results)


@_study("paper-sim", "The paper's network on a whole image in Verilator: every code, cycles.")
@click.option("--checkpoint", type=click.Path(path_type=Path),
              help="The network.  [default: what full-size has trained, else random weights]")
@click.option("--base-channels", type=click.IntRange(1, 256),
              help="Instead: random weights, so many channels.")
@click.option("--lanes", type=click.IntRange(1, 16), default=paper_sim.LANES, show_default=True,
              help="Channels in, and out, per cycle.")
@click.option("--bus-width", type=click.Choice(["64", "128", "256"]), default="64",
              show_default=True, help="Bits of the AXI4 bus.")
def _paper_sim(work, results, processes, checkpoint, base_channels, lanes, bus_width):
    trained = work / "studies" / "em_full_size.safetensors"
    if not base_channels and trained.is_file():
        checkpoint = checkpoint or trained
    with Console(stderr=True).status("starting") as status:
        passed, page = paper_sim.write(
            base_channels or 64, checkpoint, work, results, status.update, lanes, int(bus_width)
        )
    click.echo(page.read_text(encoding="utf-8"))
    return 0 if passed else 1


@_study("paper-fit", "The paper's network on an ECP5 and a Zynq: resources, frames per second.")
@click.option("--match", default="", help="Only variants with this in their name.")
@click.option("--pnr/--no-pnr", default=True, help="Place and route what has not been, too.")
def _paper_fit(work, results, processes, match, pnr):
    wanted = [variant for variant in paper_fit.VARIANTS if match in variant.name]
    with Console(stderr=True).status("starting") as status:
        paper_fit.write(work, results, status.update, wanted, pnr)
    click.echo((results / "paper_fit.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    try:
        sys.exit(main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("torch", "matplotlib"):
            raise
        click.echo(
            f"error: studies need {error.name}; get it by: pip install 'fxhw[train,plots]'",
            err=True,
        )
        sys.exit(2)
    except FxhwError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; the same command goes on from here", err=True)
        sys.exit(130)
