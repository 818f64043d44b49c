"""The default design on a real image: every bit, the cycles and the use of the array."""

import numpy as np
import pytest

from fxhw.bundled import bundled_checkpoint, bundled_image
from fxhw.checkpoint import load_checkpoint
from fxhw.cosim import simulate
from fxhw.emit import write_bundle
from fxhw.images import image_codes, read_image
from fxhw.plan import compile_network, design_for

pytestmark = [pytest.mark.cosim, pytest.mark.slow]


def test_default_design(tmp_path):
    network = load_checkpoint(bundled_checkpoint())
    plan = compile_network(network, design_for(network))
    write_bundle(network, plan, tmp_path / "unet_w4a6")
    pixels = read_image(bundled_image(), network.image_channels)
    height, width = (min(a, b) for a, b in zip(network.size, pixels.shape))
    image = image_codes(pixels[:height, :width], network.image)
    result = simulate(tmp_path / "unet_w4a6", image=image)
    assert result.problems == []
    np.testing.assert_array_equal(result.verdict.mask, result.verdict.golden_mask)
    assert abs(result.cycles - result.plan.estimate.total) <= 0.01 * result.plan.estimate.total
    assert result.utilization >= 0.90
