"""What several tests of the sweep start from."""

import json

import pytest

from tests.sweep.tiny import save_tiny


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Arguments that name a tiny checkpoint and a file of dice."""
    folder = tmp_path_factory.mktemp("tiny")
    metrics = folder / "dice.json"
    metrics.write_text(json.dumps([
        {"wbits": w, "abits": 2, "dice": 80 + w, "source": "a test"} for w in (1, 2, 3, 4)
    ]))
    return ["--checkpoint", str(save_tiny(folder)), "--metrics", str(metrics)]
