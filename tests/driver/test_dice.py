"""Dice of what the driver reads back from hardware == the golden model's == what fxhw reports.

On validation slices of the data set the bundled network was trained for where they are there, else
on the synthetic image that ships.
"""

import json

import numpy as np
import pytest
from PIL import Image

from fxhw.bundled import bundled_checkpoint, bundled_image, bundled_label
from fxhw.checkpoint import load_checkpoint
from fxhw.cosim.compiled import build_compiled
from fxhw.dataset import Sample, find_dataset
from fxhw.dice import dice_both, score
from fxhw.driver import Accelerator, Simulation
from fxhw.emit import load_manifest, write_bundle
from fxhw.errors import FxhwError
from fxhw.golden import run_network, run_tiled
from fxhw.images import image_codes, read_image, read_label
from fxhw.plan import compile_network, design_for
from tests.cli.run import run_command

pytestmark = pytest.mark.cosim

SIZE = 44, 56


def load_slices():
    """The validation slices; None where there is no data."""
    try:
        return find_dataset("em").load("val")
    except FxhwError:
        return None


@pytest.fixture(scope="module")
def network():
    return load_checkpoint(bundled_checkpoint("em"))


def build(network, cache, lanes, **options):
    """The bench of an accelerator with external memory for a network."""
    design = design_for(network, lanes, lanes, 64, memory="axi", address_bits=32, **options)
    folder = cache / "design"
    write_bundle(network, compile_network(network, design), folder, top="dice")
    return build_compiled(folder, cache, optimize=lanes > 2)


def segment(bench, image, size=1 << 20, damage=None):
    """The mask (bool) that the driver reads back, and the cycles it took."""
    with Simulation(bench, size=size) as simulation:
        accelerator = Accelerator.open(
            bench.files, simulation.registers, memory=simulation.memory,
            interrupt=simulation.interrupt,
        )
        accelerator.load()
        if damage:
            damage(simulation.memory, accelerator.ranges)
        mask = np.frombuffer(accelerator.run(image.tobytes(), timeout=600), "u1")
        assert simulation.problems() == []
        cycles = accelerator.cycles()["TOTAL"]
    assert set(np.unique(mask)) <= {0, 255}
    return mask.reshape(image.shape[:2]) == 255, cycles


# ---- A piece of a slice --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """Files of an image of ``SIZE`` and of its label: the middle of the first slice."""
    slices = load_slices()
    if slices:
        whole = slices[0]
    else:
        label = read_label(bundled_label())
        whole = Sample("synthetic", read_image(bundled_image(), 1), label)
    top, left = ((have - want) // 2 for have, want in zip(whole.label.shape, SIZE))
    part = slice(top, top + SIZE[0]), slice(left, left + SIZE[1])
    folder = tmp_path_factory.mktemp("piece")
    paths = folder / "image.png", folder / "label.png"
    Image.fromarray(whole.image[part][..., 0]).save(paths[0])
    Image.fromarray(np.where(whole.label[part], 255, 0).astype("u1")).save(paths[1])
    return paths


@pytest.fixture(scope="module")
def prepared(network, piece):
    """Its codes as the network takes them, and its label."""
    codes = image_codes(read_image(piece[0], 1), network.image)
    return network.prepare(codes), read_label(piece[1])


@pytest.fixture(scope="module")
def bench(network, tmp_path_factory):
    return build(network.resized(SIZE), tmp_path_factory.mktemp("bench"), 2)


def test_dice_of_a_slice_is_the_same_on_hardware(network, bench, piece, prepared, tmp_path):
    image, label = prepared
    mask, _ = segment(bench, image)
    found = dice_both(mask, label)
    assert found == dice_both(run_network(network, image)[0], label)
    run_command("golden", piece[0], "--labels", piece[1], "-o", tmp_path / "out")
    reported = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert tuple(reported["images"][0]["dice"].values()) == found
    assert tuple(reported["mean_dice"].values()) == found
    assert np.array_equal(read_label(tmp_path / "out" / "image.png"), mask)
    # Far from what a constant answer scores: there is something to get wrong.
    assert 60 < min(found) < 100


def test_a_wrong_weight_is_seen_in_the_dice(network, bench, prepared):
    image, label = prepared
    manifest = load_manifest(bench.files)
    step = manifest["program"]["descriptors"][manifest["steps"][-1]["descriptor"]]
    offset = step["load_address"] * manifest["external_memory"]["bus_bytes"]

    def damage(memory, ranges):
        address = ranges["PROGRAM"].address + offset
        memory.write(address, bytes(255 - byte for byte in memory.read(address, 8)))

    found = dice_both(segment(bench, image, damage=damage)[0], label)
    assert found != dice_both(run_network(network, image)[0], label)


# ---- Whole slices --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slices():
    found = load_slices()
    if not found:
        pytest.skip("needs the em data set")
    return found


@pytest.mark.slow
def test_dice_of_the_validation_slices_is_what_ships_with_the_network(network, slices):
    """Means over all slices, as ``fxhw/bundled/README.md`` states them."""
    images = [network.prepare(image_codes(each.image, network.image)) for each in slices]
    labels, groups = [each.label for each in slices], [each.group for each in slices]
    whole = score((run_network(network, image)[0] for image in images), labels, groups)
    tiled = score((run_tiled(network, image) for image in images), labels, groups)
    assert np.round(whole.slices, 2).tolist() == [94.48, 81.44]
    assert np.round(tiled.slices, 2).tolist() == [94.47, 81.35]


@pytest.mark.slow
def test_dice_of_a_whole_slice_in_strips(network, slices, tmp_path):
    """512x512 pixels through a line buffer of a fifth of what they would need."""
    first = slices[0]
    image = network.prepare(image_codes(first.image, network.image))
    bench = build(network.resized(first.label.shape), tmp_path, 4, row_words=600)
    strips = {step["first_column"] for step in load_manifest(bench.files)["steps"]}
    assert len(strips) > 4
    mask, cycles = segment(bench, image, size=1 << 24)
    assert cycles > 5e6
    golden = run_network(network, image)[0]
    assert dice_both(mask, first.label) == dice_both(golden, first.label)
    assert np.array_equal(mask, golden)
