"""``fxhw import`` and ``fxhw export`` from end to end."""

import numpy as np
import pytest
from PIL import Image

from fxhw.checkpoint import load_checkpoint, save_checkpoint
from tests.cli.run import run_command
from tests.exchange.models import unet
from tests.exchange.test_export import assert_same_network
from tests.exchange.test_import import DATA
from tests.networks import random_image, random_network


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        Image.fromarray(random_image(rng, (20, 24))[:, :, 0]).save(folder / f"{index}.png")
    return folder


def test_there_and_back(tmp_path):
    network = random_network(0, (2, 3), (9, 8), 4, 6)
    checkpoint, model, back = tmp_path / "net", tmp_path / "m.onnx", tmp_path / "back"
    save_checkpoint(network, checkpoint)
    done = run_command("export", checkpoint, "-o", model)
    assert done.stdout == f"wrote {model}: 17 layers for images of 9x8\n"
    done = run_command("import", model, "-o", back)
    assert done.stdout == (
        f"wrote {back}: 17 layers for images of 9x8, 0 of 10 convolutions with multipliers\n"
    )
    assert_same_network(network, load_checkpoint(back))


def test_export_at_another_size(tmp_path):
    save_checkpoint(random_network(0, (2,), (9, 8), 4, 6), tmp_path / "net")
    done = run_command("export", tmp_path / "net", "-o", tmp_path / "m", "--size", 5, 12)
    assert done.stdout.endswith("for images of 5x12\n")
    run_command("import", tmp_path / "m", "-o", tmp_path / "back")
    assert load_checkpoint(tmp_path / "back").size == (5, 12)


def test_brevitas(tmp_path, images):
    pytest.importorskip("qonnx")
    model = DATA / "brevitas_separate.onnx"
    done = run_command("import", model, "-o", tmp_path / "net", "--calib", images, "--images", 2)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("note: Tensors that share one format get 6 bits of step 0.06")
    assert lines[2].endswith("for images of 18x14, 10 of 10 convolutions with multipliers")
    assert lines[3].startswith("largest relative error of a scale: 1")
    assert lines[4].startswith("on 2 images: codes are at most ")
    assert load_checkpoint(tmp_path / "net").calibration.shape == (2, 18, 14, 1)


def test_images_too_small(tmp_path, images):
    pytest.importorskip("qonnx")
    model = DATA / "brevitas_float.onnx"
    done = run_command(
        "import", model, "-o", tmp_path / "net", "--calib", images, "--size", 64, 64, ok=False
    )
    assert "0.png is 20x24, smaller than the network's 64x64; give a smaller --size" in done.stderr
    assert not (tmp_path / "net").exists()


def test_a_model_that_needs_an_input_scale(tmp_path):
    builder, logit = unet(0, image=False)
    model = builder.save(tmp_path / "m", logit)
    done = run_command("import", model, "-o", tmp_path / "net", ok=False)
    assert "--input-scale" in done.stderr
    run_command("import", model, "-o", tmp_path / "net", "--input-scale", 0.0039)
    run_command("import", model, "-o", tmp_path / "net", "--input-scale", "nan", ok=False)
    run_command("import", model, "-o", tmp_path / "net", "--input-scale", -1, ok=False)


def test_folder_in_the_way(tmp_path):
    save_checkpoint(random_network(0, (2,), (9, 8), 4, 6), tmp_path / "net")
    done = run_command("export", tmp_path / "net", "-o", tmp_path, ok=False)
    assert "cannot be written" in done.stderr
    done = run_command("export", tmp_path / "net", "-o", tmp_path / "no" / "m", ok=False)
    assert "cannot be written" in done.stderr
