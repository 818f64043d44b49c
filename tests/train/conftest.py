"""What the training tests share; torch is imported only when a fixture is used."""

import csv

import numpy as np
import pytest
from PIL import Image

from fxhw.dataset import find_dataset
from fxhw.synthetic import make_sample


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """The networks here are too small for threads to pay."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)


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
