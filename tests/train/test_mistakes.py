"""What goes wrong around a training: one sentence, exit status 2, nothing of value lost."""

import errno
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from fxhw.dataset import find_dataset  # noqa: E402
from fxhw.errors import FxhwError  # noqa: E402
from fxhw.train import loop, state  # noqa: E402
from fxhw.train.loop import train  # noqa: E402
from fxhw.train.recipe import Recipe  # noqa: E402
from tests.cli.run import run_command  # noqa: E402

pytestmark = pytest.mark.train

OPTIONS = {
    "epochs": 2, "qat-epochs": 2, "base-channels": 2, "depth": 1, "crop": 32, "batch": 2,
}
TINY = {"base_channels": 2, "depth": 1, "crop": 32, "batch": 2, "size": (32, 32)}


def arguments(folder, output, *more, **options):
    """Of ``fxhw train``."""
    chosen = OPTIONS | {name.replace("_", "-"): value for name, value in options.items()}
    words = [word for name, value in chosen.items() for word in (f"--{name}", value)]
    return [str(word) for word in (folder, *words, "-o", output, *more)]


def refuse(folder, output, *more, **options):
    """The sentence with which a training is refused."""
    return run_command("train", *arguments(folder, output, *more, **options), ok=False).stderr


def files(folder):
    """Name -> bytes of all that lies below a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def data(cells, tmp_path):
    """A copy of the cells that may be spoilt."""
    return shutil.copytree(cells.folder, tmp_path / "cells")


def save(path, pixels):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def spoil_label_size(data):
    save(data / "labels" / "3.png", np.zeros((64, 71)))


def spoil_label_values(data):
    save(data / "labels" / "1.png", np.arange(64 * 72).reshape(64, 72) % 3)


def spoil_label_colour(data):
    save(data / "labels" / "1.png", np.tile([255, 0, 0], (64, 72, 1)))


def spoil_png(data):
    path = data / "images" / "2.png"
    path.write_bytes(path.read_bytes()[:-200])


def spoil_split(data):
    path = data / "index.csv"
    path.write_text(path.read_text().replace("val", "train"))


def spoil_train(data):
    path = data / "index.csv"
    path.write_text(path.read_text().replace("train", "val"))


def drop_image(data):
    (data / "images" / "0.png").unlink()


def drop_index(data):
    (data / "index.csv").unlink()


def index_of(content):
    def spoil(data):
        (data / "index.csv").write_bytes(content)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_label_size, r"labels/3\.png is 64x71, but its image is 64x72"),
        (spoil_label_values, r"labels/1\.png has 3 different values \(0, 1, 2\)"),
        (spoil_label_colour, r"labels/1\.png is coloured"),
        (spoil_png, r"images/2\.png is damaged or truncated"),
        (spoil_split, "has no val images"),
        (spoil_train, "has no train images"),
        (drop_image, r"images/0\.png does not exist"),
        (drop_index, r"index\.csv cannot be read: .*No such file"),
        (index_of(b""), "has no train images"),
        (index_of(b"id;group;split\n0;a;train\n"), "line 2: id None with split None"),
        (index_of(b"\x89PNG\r\n\x1a\n\x00\xff" * 40), "cannot be read"),
        (index_of(b'id,group,split\n"0,a,train\n1,b,val\n'), "line 2: id '0,a,train"),
        (index_of(b'id,group,split\n"0\n1",a,train\n'), r"id '0\\n1' is .* not a plain file"),
        (index_of(b"id,group,split\n%b,a,train\n" % (b"7" * 300)), "File name too long"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_bad_data_is_refused_before_anything_is_written(data, tmp_path, spoil, words):
    spoil(data)
    message = refuse(data, tmp_path / "runs" / "deep")
    assert re.search(words, message), message
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_device_is_refused_before_anything_is_written(cells, tmp_path):
    message = refuse(cells.folder, tmp_path / "runs", "--device", "cuda")
    assert "Device cuda is not there" in message
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module")
def finished(cells, tmp_path_factory):
    """The folder of a finished run."""
    folder = tmp_path_factory.mktemp("finished")
    run_command("train", *arguments(cells.folder, folder / "net.safetensors"))
    return folder


@pytest.fixture
def output(finished, tmp_path):
    """The checkpoint of a copy of it."""
    return shutil.copytree(finished, tmp_path / "runs") / "net.safetensors"


def test_a_state_of_another_network_is_refused(cells, output):
    before = files(output.parent)
    message = refuse(cells.folder, output, "--resume", base_channels=4)
    assert "belongs to a run with base_channels 2 (now 4)" in message
    assert files(output.parent) == before


def test_a_state_for_other_images_is_refused(data, output):
    """The options are the same; the images have become coloured."""
    for path in (data / "images").iterdir():
        Image.open(path).convert("RGB").save(path)
    before = files(output.parent)
    message = refuse(data, output, "--resume")
    assert "net.state.pt does not have this network's layers" in message
    assert files(output.parent) == before


@pytest.mark.parametrize("entry", ["phase", "epoch", "network", "optimizer", "history"])
def test_a_state_that_lacks_something_is_refused(cells, output, entry):
    path = state.state_path(output)
    held = torch.load(path, weights_only=True)
    del held[entry]
    torch.save(held, path)
    message = refuse(cells.folder, output, "--resume")
    assert f"net.state.pt is damaged (KeyError: '{entry}')" in message


def test_real_numbers_of_another_network_are_refused(cells, output, tmp_path):
    source = state.float_path(output)
    for more, words in (
        ({"base_channels": 4}, r"trained with base_channels 2 \(now 4\)"),
        ({"depth": 2}, r"trained with depth 1 \(now 2\)"),
    ):
        message = refuse(cells.folder, tmp_path / "other", "--float-from", source, **more)
        assert re.search(words, message), message
        assert not (tmp_path / "other").exists()


def test_what_holds_no_real_numbers_is_refused(cells, data, output, tmp_path):
    held = torch.load(state.float_path(output), weights_only=True)
    torch.save(held | {"network": {"head.weight": torch.zeros(1)}}, tmp_path / "layers.pt")
    torch.save(held | {"network": 7}, tmp_path / "number.pt")
    for source, words in (
        (output, "net.safetensors"),
        (state.state_path(output), "was not written by 'fxhw train'"),
        (state.metrics_path(output), "net.metrics.json"),
        (tmp_path / "layers.pt", "does not have this network's layers"),
        (tmp_path / "number.pt", "does not have this network's layers"),
        (output.parent, "does not exist"),
    ):
        message = refuse(cells.folder, tmp_path / "other", "--float-from", source)
        assert words in message
        assert "Traceback" not in message
        assert not (tmp_path / "other").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_training(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "draw_batch", lambda *_: pytest.fail("it trains"))
    (tmp_path / "file").write_text("in the way")
    message = refuse(cells.folder, tmp_path / "file" / "runs")
    assert "runs cannot be written: Not a directory; give another with -o" in message
    assert files(tmp_path) == {"file": b"in the way"}


def test_a_read_only_folder_is_refused_before_training(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "draw_batch", lambda *_: pytest.fail("it trains"))
    folder = tmp_path / "runs"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):  # root may write anywhere but where the kernel forbids it
        def read_only(*_, dir, **__):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(dir))

        monkeypatch.setattr(state.tempfile, "TemporaryFile", read_only)
    assert f"Folder {folder} cannot be written: " in refuse(cells.folder, folder)
    assert not list(folder.iterdir())


def full(monkeypatch, suffix):
    """Let every file end half written whose name, temporary or not, has ``suffix`` in it."""
    write = Path.write_bytes

    def write_bytes(self, content):
        if suffix in self.name:
            write(self, bytes(content)[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


@pytest.mark.parametrize(
    ("suffix", "what"),
    [
        (".state.pt", "File"), (".float.pt", "File"), (".metrics.json", "File"),
        (".safetensors", "Checkpoint"),
    ],
)
def test_a_full_disk_harms_no_file(cells, output, monkeypatch, suffix, what):
    before = files(output.parent)
    with monkeypatch.context() as patch:
        full(patch, suffix)
        with pytest.raises(FxhwError) as caught:
            train(cells, Recipe(**TINY, epochs=1, qat_epochs=1, seed=1), output)
    path = output.with_suffix(suffix)
    assert str(caught.value) == f"{what} {path} cannot be written: No space left on device"
    after = files(output.parent)
    assert set(after) == set(before)
    assert after[path.name] == before[path.name]


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(cells, finished, tmp_path):
    """A real failed write: the kernel limits the size of files, here to that of two kilobytes."""
    output = tmp_path / "net.safetensors"
    command = [sys.executable, "-W", "error", "-m", "fxhw", "train"]
    command += arguments(cells.folder, output)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))

    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 2
    assert done.stderr == (
        f"fxhw: error: File {state.state_path(output)} cannot be written: File too large\n"
    )
    assert files(tmp_path) == {}


def test_a_loss_that_is_not_a_number_keeps_the_last_epoch(cells, tmp_path, monkeypatch):
    real, output = loop.segmentation_loss, tmp_path / "net.safetensors"
    steps = 0

    def loss(*args):
        nonlocal steps
        steps += 1
        return real(*args) * (float("nan") if steps > 8 else 1)  # eight steps are an epoch

    kept = []
    monkeypatch.setattr(loop, "segmentation_loss", loss)
    recipe = Recipe(**TINY, epochs=3, qat_epochs=0)
    with pytest.raises(FxhwError, match=r"diverged in float epoch 2: the loss is nan; lower the"):
        train(cells, recipe, output, progress=lambda _: kept.append(files(tmp_path)))
    assert len(kept) == 1
    assert files(tmp_path) == kept[0]
    assert set(kept[0]) == {"net.state.pt", "net.metrics.json"}


def test_a_diverging_run_ends_in_one_sentence(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "segmentation_loss", lambda logits, *_: logits.mean() * float("inf"))
    assert "Training diverged in float epoch 1" in refuse(cells.folder, tmp_path)
    assert files(tmp_path) == {}


def test_an_interrupted_run_resumes_to_the_same_bytes(cells, finished, tmp_path):
    """Ctrl-C in the middle of an epoch of the real command."""
    output = tmp_path / "net.safetensors"
    command = [sys.executable, "-W", "error", "-m", "fxhw", "train"]
    command += arguments(cells.folder, output)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    lines = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        for line in process.stderr:
            lines.append(line)
            if line.startswith("norm"):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert lines[-1] == "fxhw: interrupted\n"
    assert not output.exists()
    assert set(files(tmp_path)) == {"net.float.pt", "net.state.pt", "net.metrics.json"}

    run_command("train", *arguments(cells.folder, output, "--resume"))
    assert files(tmp_path) == files(finished)


def test_an_interrupted_write_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "net.metrics.json"
    state.write_metrics({"old": 1}, path)
    before = files(tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        state.write_metrics({"new": 1}, path)
    assert files(tmp_path) == before


def test_the_cells_are_as_good_as_they_were(cells):
    """The other tests spoil copies."""
    assert len(find_dataset(cells.folder).load("train")) == 3
