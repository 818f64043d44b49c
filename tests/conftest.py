"""What every test runs under."""

import os

# The tests run in one process per core; threads inside NumPy would only fight for the same cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import csv
import gc

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from fxhw.dataset import find_dataset
from fxhw.synthetic import make_sample

# Amaranth's netlists and simulators are many small objects that live on; looking through them for
# garbage as often as Python does takes a seventh of the time of the gateware's tests.
gc.set_threshold(100_000, 50, 50)

settings.register_profile("ci", derandomize=True, database=None, deadline=None, max_examples=60)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Folder for builds of the compiled bench; all share the simulator's own objects."""
    return tmp_path_factory.mktemp("builds")


@pytest.fixture(scope="session")
def cells(tmp_path_factory):
    """A data set of three synthetic train images and one val image, 64x72."""
    folder = tmp_path_factory.mktemp("data") / "cells"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    with open(folder / "index.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "group", "split"))
        for seed in range(4):
            image, label = make_sample(64, 72, seed)
            Image.fromarray(image[:, :, 0]).save(folder / "images" / f"{seed}.png")
            mask = np.where(label, 255, 0).astype(np.uint8)
            Image.fromarray(mask).save(folder / "labels" / f"{seed}.png")
            writer.writerow((seed, "synthetic", "train" if seed < 3 else "val"))
    return find_dataset(folder)
