"""``fxhw quantize`` as a user calls it: files in, a checkpoint out, mistakes in one line."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from fxhw.checkpoint import load_checkpoint  # noqa: E402
from fxhw.graph import UNetTopology  # noqa: E402
from fxhw.synthetic import make_sample  # noqa: E402
from fxhw.train.loop import train  # noqa: E402
from fxhw.train.recipe import Recipe  # noqa: E402
from fxhw.train.unet import FloatUNet  # noqa: E402
from tests.cli.run import run_command  # noqa: E402
from tests.train.user_nets import Functional, Sequentials, random_net  # noqa: E402

pytestmark = pytest.mark.train

NETS = Path(__file__).with_name("user_nets.py")
SMALL = ("--size", "32", "32", "--calib", "synthetic")


@pytest.fixture(scope="module")
def trained(cells, tmp_path_factory):
    """A small float network that segments the cells; its .float.pt."""
    output = tmp_path_factory.mktemp("trained") / "net.safetensors"
    recipe = Recipe(
        base_channels=4, depth=2, crop=48, batch=2, size=(32, 32), quantizer="float",
        epochs=24, qat_epochs=0, learning_rate=1e-2,
    )
    train(cells, recipe, output)
    return output.with_suffix(".float.pt")


@pytest.fixture
def module_file(tmp_path):
    """State dict of a module of a user's own."""
    path = tmp_path / "mine.pth"
    torch.save(random_net("sequentials").state_dict(), path)
    return path


def quantize(*args, ok=True):
    return run_command("quantize", *args, ok=ok)


def refused(tmp_path, *args):
    """The one line of a refusal that leaves no checkpoint behind."""
    result = quantize(*args, "-o", tmp_path / "out.safetensors", ok=False)
    assert not list(tmp_path.glob("*out.safetensors*"))
    return result.stderr


def test_a_trained_network_keeps_its_dice(trained, cells, tmp_path):
    path = tmp_path / "new" / "net.safetensors"
    result = quantize(trained, "--calib", cells.folder, "--size", 32, 32, "-o", path)
    network = load_checkpoint(path)
    assert network.size == (32, 32)
    assert [conv.weight.bits for conv in network.convs] == [8] + [4] * 9
    assert {conv.out.width for conv in network.convs} == {6}
    assert network.head.weight.bits == 8
    assert network.calibration.shape == (2, 64, 64, 1)
    assert network.meta["source"] == "net.float.pt"
    assert network.meta["calibration"] == "cells"
    dice = network.meta["dice"]
    assert dice["golden model, whole"] == pytest.approx(dice["float"], abs=3)
    assert dice["float"][0] > 90
    for layer in ("enc0a", "dec0b", "head", "golden model, tiled"):
        assert layer in result.stdout
    assert result.stdout.splitlines()[-1] == f"wrote {path}"


def test_the_result_goes_on_to_golden_and_generate(trained, cells, tmp_path):
    path = tmp_path / "net.safetensors"
    quantize(trained, "--calib", cells.folder, "--size", 32, 32, "--no-dice", "-o", path)
    run_command(
        "golden", cells.folder, "--split", "val", "--checkpoint", path, "-o", tmp_path / "masks"
    )
    assert json.loads((tmp_path / "masks" / "metrics.json").read_text())["mean_dice"]
    run_command(
        "generate", "--checkpoint", path, "--pin", 2, "--pout", 2, "-o", tmp_path / "rtl"
    )
    assert (tmp_path / "rtl" / "rtl.v").exists()


def wrapped(state, kind):
    """A state dict the ways that people save it."""
    if kind == "parallel":
        return {"model": {f"module.{name}": tensor for name, tensor in state.items()}}
    if kind == "compiled":
        return {f"_orig_mod.{name}": tensor for name, tensor in state.items()}
    if kind == "lightning":
        tensors = {f"net.{name}": tensor for name, tensor in state.items()}
        return {"epoch": 3, "state_dict": tensors | {"loss.weight": torch.ones(2)}}
    return {"epoch": 3, kind: state, "optimizer": {"lr": 0.1}}


@pytest.mark.parametrize(
    "kind", ["state_dict", "model", "network", "parallel", "compiled", "lightning"]
)
def test_wrapped_state_dicts(tmp_path, kind):
    torch.manual_seed(0)
    bare = FloatUNet(UNetTopology((3, 5), 3)).state_dict()
    torch.save(bare, tmp_path / "bare.pt")
    torch.save(wrapped(bare, kind), tmp_path / "wrapped.pt")
    for name in ("bare", "wrapped"):
        quantize(tmp_path / f"{name}.pt", *SMALL, "-o", tmp_path / name)
    paths = [tmp_path / name / f"{name}_w4a6.safetensors" for name in ("bare", "wrapped")]
    first, second = map(load_checkpoint, paths)
    assert first.image_channels == 3
    assert [conv.out_channels for conv in first.convs][:4] == [3, 3, 5, 5]
    for a, b in zip(first.convs, second.convs):
        np.testing.assert_array_equal(a.codes, b.codes)


def test_the_state_of_a_float_training_is_taken(trained, tmp_path):
    state = trained.with_name("net.state.pt")
    assert state.exists()
    quantize(state, *SMALL, "-o", tmp_path / "net.safetensors")


def test_the_normalization_comes_from_the_file(trained, tmp_path):
    content = torch.load(trained, weights_only=True)
    recipe = json.loads(content["recipe"]) | {"normalization": "zscore"}
    torch.save(content | {"recipe": json.dumps(recipe)}, tmp_path / "z.float.pt")
    quantize(tmp_path / "z.float.pt", *SMALL, "-o", tmp_path / "net.safetensors")
    assert load_checkpoint(tmp_path / "net.safetensors").normalization == "zscore"
    message = refused(tmp_path, tmp_path / "z.float.pt", *SMALL, "--normalization", "none")
    assert "was trained with the normalization zscore" in message


def test_a_module_of_ones_own(module_file, tmp_path):
    result = quantize(
        module_file, "--module", f"{NETS}:Sequentials", *SMALL, "--wbits", 8, "--abits", 8,
        "-o", tmp_path / "net.safetensors",
    )
    assert "made-up images" in result.stderr
    assert "accelerator cannot" not in result.stderr
    network = load_checkpoint(tmp_path / "net.safetensors")
    assert [conv.name for conv in network.convs][:2] == ["inc_0", "inc_3"]
    assert not list(NETS.parent.glob("__pycache__/user_nets.cpython*.tmp"))


def test_arguments_of_the_module(tmp_path):
    torch.save(Functional(1, [3, 2]).state_dict(), tmp_path / "net.pt")
    quantize(
        tmp_path / "net.pt", "--module", f"{NETS}:Functional", "--module-args",
        '{"depth": 1, "widths": [3, 2]}', *SMALL, "-o", tmp_path / "net.safetensors",
    )
    convs = load_checkpoint(tmp_path / "net.safetensors").convs
    assert [conv.out_channels for conv in convs] == [3, 3, 2, 2, 3]


def test_a_folder_of_colour_images_for_a_grey_network(module_file, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(3):
        pixels = make_sample(40, 50 + seed, seed)[0].repeat(3, axis=2)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    quantize(
        module_file, "--module", f"{NETS}:Sequentials", "--calib", folder, "--input-scale", "1/128",
        "--input-mean", "0.5", "--input-std", "0.25", "-o", tmp_path / "net.safetensors",
    )
    network = load_checkpoint(tmp_path / "net.safetensors")
    assert network.calibration.shape == (2, 40, 50, 1)
    assert network.size == (128, 128)


def test_zscore_for_a_module(module_file, tmp_path):
    result = quantize(
        module_file, "--module", f"{NETS}:Sequentials", *SMALL, "--normalization", "zscore",
        "-o", tmp_path / "net.safetensors",
    )
    assert "outermost pixels" in result.stderr
    assert load_checkpoint(tmp_path / "net.safetensors").normalization == "zscore"


def test_few_bits_and_networks_for_the_golden_model_alone_are_noted(tmp_path):
    torch.save(Functional(1, [3, 2]).state_dict(), tmp_path / "net.pt")
    result = quantize(
        tmp_path / "net.pt", "--module", f"{NETS}:Functional", "--module-args",
        '{"depth": 1, "widths": [3, 2]}', *SMALL, "--wbits", 2, "--abits", 12,
        "-o", tmp_path / "net.safetensors",
    )
    assert "2-bit weights made without training rarely segment well" in result.stderr
    assert "the accelerator cannot run this network" in result.stderr


def test_images_are_asked_for(trained, tmp_path):
    message = refused(tmp_path, trained)
    assert "--calib synthetic for made-up ones" in message
    assert "neither a data set" in refused(tmp_path, trained, "--calib", tmp_path / "none")
    assert "holds no image" in refused(tmp_path, trained, "--calib", tmp_path)


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_files_that_are_no_models(trained, module_file, tmp_path, capfd):
    data = trained.read_bytes()
    files = {
        "cut.pt": data[: len(data) // 2],
        "empty.pt": b"",
        "text.pt": b"hello, this is not a model at all" * 9,
        "image.pt": (data[:2] + bytes(600)),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        message = refused(tmp_path, tmp_path / name, *SMALL)
        assert name in message
        assert "damaged" in message
    assert "does not exist" in refused(tmp_path, tmp_path / "none.pt", *SMALL)
    assert "is not a file" in refused(tmp_path, tmp_path, *SMALL)
    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    message = refused(tmp_path, tmp_path / "evil.pt", *SMALL)
    assert "could run any code" in message
    assert "print" in message
    assert "executed" not in capfd.readouterr().out
    torch.save(random_net("sequentials"), tmp_path / "whole.pt")
    message = refused(tmp_path, tmp_path / "whole.pt", *SMALL)
    assert "user_nets.Sequentials" in message
    assert "torch.save(model.state_dict(), FILE)" in message
    shutil.copy(trained, tmp_path / "net.safetensors")
    assert "quantized already" in refused(tmp_path, tmp_path / "net.safetensors", *SMALL)
    with zipfile.ZipFile(tmp_path / "program.pt2", "w") as archive:
        archive.writestr("program/models/model.json", "{}")
    assert "an exported program" in refused(tmp_path, tmp_path / "program.pt2", *SMALL)
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/data.pkl", "")
        archive.writestr("script/code/net.py", "")
    assert "a TorchScript program" in refused(tmp_path, tmp_path / "script.pt", *SMALL)


def unet_state(**changes):
    torch.manual_seed(0)
    return FloatUNet(UNetTopology((3, 4))).state_dict() | changes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: [1, 2], ["holds a list, not a state dict"]),
        (lambda: {"epoch": 3}, ["holds no state dict", "epoch"]),
        (lambda: torch.ones(3), ["holds a Tensor"]),
        (lambda: unet_state(**{"head.bias": torch.tensor([float("nan")])}), ["head.bias", "NaN"]),
        (lambda: {n: t for n, t in unet_state().items() if "mida.1" not in n},
         ["lacks blocks.mida.1.weight (4,)", "1 more"]),
        (lambda: unet_state(extra=torch.ones(2, 3)), ["also has extra (2, 3)"]),
        (lambda: unet_state(**{"blocks.enc1b.0.weight": torch.ones(4, 4, 1, 1)}),
         ["blocks.enc1b.0.weight (4, 4, 1, 1) in place of (4, 4, 3, 3)"]),
        (lambda: unet_state(**{"blocks.enc0a.0.weight": torch.ones(4)}),
         ["blocks.enc0a.0.weight", "shape (4,)"]),
        (lambda: random_net("functional1").state_dict(),
         ["not fxhw's own U-Net", "convs.0.weight (4, 1, 3, 3)", "--module FILE.py:CLASS"]),
        (lambda: {"phase": "qat", "network": unet_state()}, ["phase qat", ".float.pt"]),
        (lambda: {"blocks.enc0a.weight": torch.ones(1, 1, 3, 3)}, ["quantized numbers already"]),
        (lambda: {"recipe": '{"activation": "tanh"}', "network": unet_state()},
         ["activation tanh", "--float-from"]),
        (lambda: {"recipe": "{", "network": unet_state()}, ["its recipe is not JSON"]),
    ],
)
def test_contents_that_do_not_fit(tmp_path, content, words):
    torch.save(content(), tmp_path / "net.pt")
    message = refused(tmp_path, tmp_path / "net.pt", *SMALL)
    for word in ["net.pt", *words]:
        assert word in message


@pytest.mark.parametrize(
    ("text", "spec", "words"),
    [
        (None, "net.py", ["--module must be FILE.py:CLASS"]),
        (None, "net.py:Net", ["net.py does not exist"]),
        ("x = (", "net.py:Net", ["cannot be imported", "SyntaxError"]),
        ("import no_such_thing", "net.py:Net", ["ModuleNotFoundError", "no_such_thing"]),
        ("raise ValueError('one\\ntwo')", "net.py:Net", ["ValueError: one two"]),
        ("raise SystemExit(3)", "net.py:Net", ["SystemExit"]),
        ("from torch import nn\nclass Other(nn.Module): pass", "net.py:Net",
         ["has no class Net; it has Other"]),
        ("x = 1", "net.py:Net", ["it has none at all"]),
        ("class Net: pass", "net.py:Net", ["not a class derived from nn.Module"]),
        ("from torch import nn\nclass Net(nn.Module):\n def __init__(self, width): pass",
         "net.py:Net", ["Class Net(width)", "missing a required argument: 'width'",
                        "--module-args"]),
        ("from torch import nn\nclass Net(nn.Module):\n def __init__(self): 1 / 0",
         "net.py:Net", ["fails to be made (ZeroDivisionError"]),
        ("from torch import nn\nclass Net(nn.Conv2d):\n def __init__(self):"
         " super().__init__(1, 1, 3)", "net.py:Net",
         ["does not fit class Net: it lacks weight (1, 1, 3, 3), bias (1,); it also has inc.0.",
          "inc.0.weight (5, 1, 3, 3)"]),
    ],
)
def test_module_files_that_do_not_work(module_file, tmp_path, monkeypatch, text, spec, words):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "net.py").write_text(text)
    message = refused(tmp_path, module_file, "--module", spec, *SMALL)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--module-args", "{"], ["--module-args is not JSON"]),
        (["--module-args", "[1]"], ["must be a JSON object"]),
        (["--module-args", '{"colour": 1}'], ["unexpected keyword argument 'colour'"]),
        (["--input-scale", "1/0"], ["--input-scale must be numbers"]),
        (["--input-scale", "1,2"], ["--input-scale is one number"]),
        (["--input-mean", "many"], ["--input-mean must be numbers"]),
        (["--input-mean", "1,2,3"], ["--input-mean has 3 numbers, but the image 1 channel"]),
        (["--input-std", "0"], ["must be positive"]),
    ],
)
def test_options_that_do_not_work(module_file, tmp_path, options, words):
    message = refused(tmp_path, module_file, "--module", f"{NETS}:Sequentials", *SMALL, *options)
    for word in words:
        assert word in message


def test_options_for_modules_need_one(trained, tmp_path):
    for option in (["--input-scale", "1/255"], ["--module-args", "{}"]):
        assert "name it with --module" in refused(tmp_path, trained, *SMALL, *option)


def test_a_module_that_is_no_such_network_is_refused_by_layer(tmp_path):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 1))\n"
    )
    state = {"0.weight": torch.ones(4, 1, 3, 3), "0.bias": torch.ones(4),
             "2.weight": torch.ones(1, 4, 1, 1), "2.bias": torch.ones(1)}
    torch.save(state, tmp_path / "net.pt")
    message = refused(tmp_path, tmp_path / "net.pt", "--module", f"{tmp_path}/net.py:Net", *SMALL)
    assert "Layer 1: operator tanh is not supported; use ReLU" in message
    assert not (tmp_path / "__pycache__").exists()


def test_a_folder_in_the_way_is_refused(trained, tmp_path):
    (tmp_path / "net.safetensors").mkdir()
    (tmp_path / "net.safetensors" / "net_w4a6.safetensors").mkdir()
    message = quantize(trained, *SMALL, "-o", tmp_path / "net.safetensors", ok=False).stderr
    assert "is a folder" in message
    (tmp_path / "file").write_text("in the way")
    message = quantize(trained, *SMALL, "-o", tmp_path / "file" / "x.safetensors", ok=False).stderr
    assert "cannot be made" in message


def test_sequentials_need_a_state_dict_of_their_own(module_file, tmp_path):
    torch.save(Sequentials(3).state_dict(), module_file)
    message = refused(tmp_path, module_file, "--module", f"{NETS}:Sequentials", *SMALL)
    assert "inc.0.weight (3, 1, 3, 3) in place of (5, 1, 3, 3)" in message
    assert "more" in message
