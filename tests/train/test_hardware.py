"""What the trainer exports runs in generated hardware: every quantizer, every activation."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fxhw.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from fxhw.cosim import Job, run_jobs  # noqa: E402
from fxhw.emit import write_bundle  # noqa: E402
from fxhw.graph import UNetTopology  # noqa: E402
from fxhw.plan import compile_network, design_for  # noqa: E402
from fxhw.train.export import export  # noqa: E402

from .test_unet import quantized, random_image  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.cosim, pytest.mark.slow]


@pytest.mark.parametrize("style", ["generic", "lut"])
@pytest.mark.parametrize(
    ("quantizer", "wbits", "activation", "abits", "kinds"),
    [
        ("fixed", 4, "relu", 6, ("s4", "unsigned")),
        ("fixed", 4, "tanh", 6, ("s4", "signed")),
        ("ternary", 2, "relu", 6, ("ternary", "unsigned")),
        ("ternary", 2, "ternary", 2, ("ternary", "ternary")),
        ("binary", 1, "relu", 6, ("binary", "unsigned")),
        ("binary", 1, "sign", 1, ("binary", "sign")),
        ("inq", 5, "relu", 8, ("pow5", "unsigned")),
        ("inq", 7, "tanh", 4, ("pow7", "signed")),
    ],
)
def test_an_exported_checkpoint(quantizer, wbits, activation, abits, kinds, style, tmp_path):
    size = (13, 10)
    image = random_image(size, 1, 6)
    trained = quantized(
        UNetTopology((3, 5)), image, 2,
        wbits=wbits, abits=abits, quantizer=quantizer, activation=activation,
    )  # fmt: skip
    save_checkpoint(export(trained, size), tmp_path / "trained.safetensors")
    network = load_checkpoint(tmp_path / "trained.safetensors")
    design = design_for(network, 2, 3, style=style)
    assert (design.weight.name, design.activation.kind) == kinds
    write_bundle(network, compile_network(network, design), tmp_path / "dut")
    (result,) = run_jobs(tmp_path / "dut", [Job(network, image)], cache=tmp_path / "cache")
    assert result.passed, result.problems
    assert 0 < np.count_nonzero(result.verdict.mask) < image.size
