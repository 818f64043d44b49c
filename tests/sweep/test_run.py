"""A sweep of real designs, as small as they come."""

from dataclasses import replace

import pytest

from fxhw.sweep.accuracy import Dice
from fxhw.sweep.jobs import DiceJob, SynthesisJob, plan_point
from fxhw.sweep.local import Failure, attempt
from fxhw.sweep.operands import Operands
from fxhw.sweep.point import Point, span_grid
from fxhw.sweep.record import extrapolate
from fxhw.sweep.run import run_sweep
from fxhw.sweep.store import Store
from tests.sweep.tiny import tiny_setup


def here(jobs, known):
    """Runs jobs in this process."""
    for job in jobs:
        yield job, attempt(job, known)


def nobody(jobs, known):
    raise AssertionError(f"There was something left to do: {[job.name for job in jobs]}")


def arrays(wbits, abits=(2,), pouts=(2,)):
    operands = [Operands(w, a) for w in wbits for a in abits]
    return span_grid(operands, ["ecp5-85k"], ["lut"], [], [1], pouts, ["array"])


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Setup, store, and records of w1a2 and w2a2."""
    folder = tmp_path_factory.mktemp("swept")
    setup = tiny_setup(folder, figures={Operands(1, 2): Dice(80.0, 60.0, "trained", "a test")})
    store = Store(folder / "sweep")
    records, failed = run_sweep(arrays([1, 2]), setup, store, here)
    assert failed == []
    return setup, store, records


def test_records(swept):
    _, store, records = swept
    one, two = records
    assert one["point"]["wbits"] == 1
    assert 0 < one["area"] < two["area"]
    assert one["area"] == one["classes"]["LUT"] + 2 * one["classes"]["carry"]
    assert one["area_per_mac"] == pytest.approx(one["area"] / 18, abs=1e-3)
    assert one["basis"] == "synthesized whole"
    assert one["dice"]["foreground"] == 80
    assert two["dice"] is None
    assert set(one["energy_nj"]) == {"multiply", "add"}
    assert store.points() == [Point(**record["point"]) for record in records]


def test_the_same_again_does_nothing(swept):
    setup, store, records = swept
    assert run_sweep(arrays([1, 2]), setup, store, nobody) == (records, [])


def test_a_wider_one_does_only_what_is_new(swept):
    setup, store, records = swept
    done = []

    def watched(jobs, known):
        done.extend(job.name for job in jobs)
        yield from here(jobs, known)

    more, failed = run_sweep(arrays([2, 3]), setup, store, watched)
    assert failed == []
    assert sorted(done) == [
        "ecp5-85k_array_lut_1x2_w3a2", "plan_ecp5-85k_accelerator_lut_1x2_w3a2"
    ]
    assert more[:2] == records
    assert [record["point"]["wbits"] for record in more] == [1, 2, 3]


def test_equal_verilog_is_synthesized_once(swept, monkeypatch):
    """Other sources that make the same Verilog: only generation is repeated."""
    setup, store, records = swept
    monkeypatch.setattr("fxhw.sweep.jobs.synthesize", None)
    point = Point(**records[0]["point"])
    job, = setup.needs(point, store).synthesis
    again = job.run(store.contents())
    assert again.keys() == {"content"}
    assert store.save(job, again)["cells"] == records[0]["cells"]
    with pytest.raises(TypeError):
        job.run(frozenset())


def test_a_failure_keeps_its_log_and_stops_nothing(tmp_path):
    setup = tiny_setup(tmp_path)

    def crashing(jobs, known):
        for job in jobs:
            if isinstance(job, SynthesisJob) and job.point.wbits == 2:
                yield job, Failure("Yosys ended with status -9", "all it said")
            else:
                yield job, attempt(job, known)

    store = Store(tmp_path / "sweep")
    records, (failed,) = run_sweep(arrays([1, 2]), setup, store, crashing)
    assert [record["point"]["wbits"] for record in records] == [1]
    assert failed.point.wbits == 2
    assert failed.log.read_text() == "all it said\n"
    records, failures = run_sweep(arrays([1, 2]), setup, store, here)
    assert (len(records), failures) == (2, [])
    assert not failed.log.exists()


def test_dice_by_the_golden_model(tmp_path, cells):
    setup = tiny_setup(tmp_path, dataset=cells)
    store = Store(tmp_path / "sweep")
    own, other = (setup.needs(Point("ecp5", "array", "lut", 1, 2, w, 4), store) for w in (4, 3))
    assert isinstance(own.dice, DiceJob)
    results = {need.dice.key: need.dice.run() for need in (own, other)}
    found = setup.source(Point("ecp5", "array", "lut", 1, 2, 4, 4), own, results)
    assert found.kind == "trained"
    assert 0 <= found.foreground <= 100
    found = setup.source(Point("ecp5", "array", "lut", 1, 2, 3, 4), other, results)
    assert found.kind == "requantized"
    assert found.source == "network tiny by the golden model on val of cells"


def test_lines_through_lanes():
    counts = {1: {"LUT4": 10, "FF": 7}, 2: {"LUT4": 18, "FF": 7, "CCU2C": 3}}
    assert extrapolate(counts, 8) == {"LUT4": 66, "FF": 7, "CCU2C": 21}
    assert extrapolate({4: {"LUT4": 9}}, 4) == {"LUT4": 9}


def test_what_has_to_be_trained_for_has_no_dice_without(tmp_path, cells):
    setup, store = tiny_setup(tmp_path, dataset=cells), Store(tmp_path / "sweep")
    assert setup.needs(Point("ecp5", "array", "lut", 1, 2, 2, 4), store).dice is not None
    assert setup.needs(Point("ecp5", "array", "lut", 1, 2, 2, 4, "ternary"), store).dice is None


def test_lanes_are_planned_as_the_whole_array_is(tmp_path):
    """At 8 x 8 bits products are made in pairs from some lanes on, which two alone would not."""
    spec = plan_point(
        tiny_setup(tmp_path).network, Point("ecp5-85k", "array", "lut", 1, 16, 8, 8)
    )[1].design.main
    whole, part = spec.dot_product, replace(spec, lanes_out=1, planned_lanes=16).dot_product
    assert whole.shared is not None
    assert part == whole
    assert replace(spec, lanes_out=1).dot_product.shared is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("style", "operands"),
    [
        ("lut", Operands(3, 3)),
        ("lut", Operands(8, 8)),
        ("lut", Operands(2, 3, "ternary")),
        ("generic", Operands(3, 3)),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_lanes_are_alike(tmp_path, style, operands):
    """What one and two lanes say of four is what four take, but for rounding in memories."""
    setup, store = tiny_setup(tmp_path), Store(tmp_path / "sweep")
    point, = span_grid([operands], ["ecp5-85k"], [style], [], [2], [4], ["array"])
    jobs = setup.needs(point, store).synthesis
    assert [job.lanes for job in jobs] == [1, 2]
    whole = SynthesisJob(name="whole", recipe={}, network=setup.network, point=point, lanes=4)
    said = extrapolate({job.lanes: job.run()["classes"] for job in jobs}, 4)
    took = whole.run()["classes"]
    for kind in ("LUT", "carry", "FF"):
        assert said[kind] == pytest.approx(took[kind], rel=0.02, abs=8)
