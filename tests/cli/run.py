"""Runs a command in this process, as its user would."""

from click.testing import CliRunner

from fxhw.cli import cli

__all__ = ["run_command"]


def run_command(name, *args, ok=True):
    """Result of ``fxhw name args``; a refusal must be one line and status 2."""
    result = CliRunner(env={"COLUMNS": "120"}).invoke(cli, [name, *map(str, args)])
    assert (result.exit_code == 0) == ok, (result.stderr, result.exception)
    if not ok:
        assert result.exit_code == 2
        assert result.stderr.startswith("fxhw: error: ")
        assert result.stderr.count("\n") == 1
    return result
