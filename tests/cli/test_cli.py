"""The command line itself: help, errors, exit statuses, and what it imports."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import fxhw
import fxhw.cli
from fxhw.cli import COMMANDS, cli
from fxhw.errors import FxhwError


def invoke(*args):
    return CliRunner().invoke(cli, [str(arg) for arg in args])


@pytest.fixture
def raising(monkeypatch):
    """A sub-command that raises what it is given."""

    def install(error):
        @click.command()
        def command():
            raise error

        monkeypatch.setattr(fxhw.cli._LazyGroup, "get_command", lambda self, ctx, name: command)

    return install


@pytest.mark.parametrize("args", [[], ["--help"], ["-h"]])
def test_help_lists_every_command(args):
    result = invoke(*args)
    assert result.exit_code == 0
    for name, (_, text) in COMMANDS.items():
        assert f"{name} " in result.stdout
        assert text in result.stdout


def test_version():
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"fxhw, version {fxhw.__version__}\n")


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["nonsense"], "No such command 'nonsense'.", "fxhw"),
        (["--nonsense"], "No such option '--nonsense'.", "fxhw"),
        (["golden"], "Missing argument 'IMAGE|FOLDER'.", "fxhw golden"),
        (["golden", "x", "--wat"], "No such option '--wat'.", "fxhw golden"),
        (["golden", "x", "--overlap", "-1"], "Invalid value for '--overlap': -1 is", "fxhw golden"),
    ],
)
def test_usage_errors(args, message, hint):
    result = invoke(*args)
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first.startswith(f"fxhw: error: {message}")
    assert second == f"Try '{hint} --help' for help."
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (FxhwError("Two\nlines"), 2, "fxhw: error: Two lines"),
        (OSError(28, "No space left", "a/b"), 2, "fxhw: error: a/b: No space left"),
        (click.ClickException("broken"), 2, "fxhw: error: broken"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch.nn"),
            2,
            "fxhw: error: This needs the module torch, which is not installed; "
            "run: pip install 'fxhw[train]'",
        ),
        (KeyboardInterrupt(), 130, "fxhw: interrupted"),
    ],
)
def test_errors_are_one_line(raising, error, status, line):
    raising(error)
    result = invoke("golden")
    assert result.exit_code == status
    assert result.stderr.strip().splitlines() == [line]


@pytest.mark.parametrize("error", [ModuleNotFoundError("x", name="x"), ZeroDivisionError()])
def test_bugs_are_not_hidden(raising, error):
    raising(error)
    result = invoke("golden")
    assert result.exception is error


@pytest.mark.parametrize("status", [0, 1])
def test_exit_status_of_a_command(monkeypatch, status):
    command = click.Command("x", callback=lambda: status)
    monkeypatch.setattr(fxhw.cli._LazyGroup, "get_command", lambda self, ctx, name: command)
    assert invoke("golden").exit_code == status


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name):
    pytest.importorskip(COMMANDS[name][0], exc_type=ModuleNotFoundError)
    result = invoke(name, "--help")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"Usage: fxhw {name} ")


def test_import_is_light():
    """``fxhw --help`` must not wait for anything large."""
    code = (
        "import sys, fxhw.cli; "
        "print([m for m in ('torch', 'amaranth', 'numpy', 'PIL', 'rich') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert output.stdout == "[]\n", output.stderr


def test_as_a_program(tmp_path):
    def run(*args):
        return subprocess.run(
            [sys.executable, "-m", "fxhw", *args], capture_output=True, text=True, cwd=tmp_path
        )

    assert run("--help").returncode == 0
    failed = run("info", "none")
    assert failed.returncode == 2
    assert failed.stdout == ""
    assert failed.stderr == (
        "fxhw: error: none does not exist; give a checkpoint or a generated folder\n"
    )
