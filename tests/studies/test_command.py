"""``python -m fxhw.studies``."""

import subprocess
import sys

STUDIES = ("table1", "weights", "dropout", "ends", "activation-time", "full-size")

WITHOUT_HEAVY = """
import sys
sys.modules["torch"] = sys.modules["matplotlib"] = None
sys.argv = ["fxhw.studies", *sys.argv[1:]]
import runpy
runpy.run_module("fxhw.studies", run_name="__main__")
"""


def studies(*arguments):
    """The command where neither torch nor matplotlib can be imported."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_HEAVY, *map(str, arguments)],
        capture_output=True, text=True,
    )


def test_help_needs_neither_torch_nor_matplotlib():
    done = studies("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name in STUDIES:
        assert f"  {name} " in done.stdout


def test_torch_is_asked_for_in_a_sentence(tmp_path):
    done = studies("weights", "--work", tmp_path / "work", "--results", tmp_path / "results")
    assert done.returncode == 2
    assert done.stderr == (
        "error: studies need torch; get it by: pip install 'fxhw[train,plots]'\n"
    )


def test_wrong_options_are_refused_without_a_traceback():
    done = studies("table1", "--dataset", "glas")
    assert done.returncode == 2
    assert "'glas' is not one of 'em', 'gm', 'pancreas'" in done.stderr
    assert "Traceback" not in done.stderr
