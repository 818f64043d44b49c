"""The comparison itself: records made from the golden model pass, and every damage is found."""

from dataclasses import replace

import numpy as np
import pytest

from fxhw.cosim.jobs import Job
from fxhw.cosim.scoreboard import check_job, check_records
from fxhw.cosim.traces import Records, Trace
from fxhw.fixed import codes_to_int
from fxhw.golden import run_network
from fxhw.plan import compile_network, design_for
from tests.networks import random_image, random_network

SIZE = (6, 5)


class Recording:
    """What a faultless accelerator would have shown, as lines of the bench's files."""

    def __init__(self, pin=2, pout=3, weight_words=None, logits=False):
        network = random_network(11, (4, 6), SIZE, 4, 3)
        image = random_image(np.random.default_rng(4), SIZE)
        self.job = Job(network, image, logits=logits)
        design = design_for(network, pin, pout, weight_words)
        self.plan = plan = compile_network(network, design)
        self.design, self.cycle = design, 0
        mask, tensors = run_network(network, image, keep=True)
        self.lines = {name: [] for name in ("front", "out", "write", "mask")}
        self._stream("front", 0, tensors[plan.schedule.front.output], pin)
        for index, step in enumerate(plan.schedule.steps):
            channels = slice(step.first_channel, step.first_channel + step.channels)
            self._stream("out", index + 2, tensors[step.out.name][:, :, channels], pout)
            stored = [step.out] if step.store_full else []
            for info in stored + ([step.pooled] if step.pooled else []):
                region = plan.memory_map.regions[info.name]
                base = region.base + step.first_channel // pin
                self._write(index + 2, tensors[info.name][:, :, channels], base, region.groups)
        logit = tensors[plan.schedule.head.output][:, :, 0]
        data = np.where(mask, 255, 0).reshape(-1, 1)
        if logits:
            shifts = 8 * np.arange(design.logit_bytes)
            data = (logit.reshape(-1, 1) >> shifts) & 255
        data = data.reshape(-1)
        for index, value in enumerate(data.tolist()):
            self.lines["mask"].append(f"{self._now()} {int(index == len(data) - 1)} {value:02x}")

    def _now(self):
        self.cycle += 1
        return f"{self.cycle:08x}"

    def _words(self, codes, lanes):
        height, width, channels = codes.shape
        padded = np.zeros((height * width, -(-channels // lanes) * lanes), np.int64)
        padded[:, :channels] = codes.reshape(-1, channels)
        digits = -(-lanes * self.design.abits // 4)
        for pixel in padded:
            yield [
                f"{codes_to_int(word, self.design.abits):0{digits}x}"
                for word in pixel.reshape(-1, lanes)
            ]

    def _stream(self, name, step, codes, lanes):
        for words in self._words(codes, lanes):
            self.lines[name] += [f"{self._now()} {step:04x} {word}" for word in words]

    def _write(self, step, codes, base, stride):
        for pixel, words in enumerate(self._words(codes, self.design.pin)):
            for group, word in enumerate(words):
                address = base + pixel * stride + group
                self.lines["write"].append(f"{self._now()} {step:04x} {address:08x} {word}")

    def check(self, folder):
        for name, lines in self.lines.items():
            (folder / f"{name}.txt").write_text("".join(line + "\n" for line in lines))
        return check_job(self.job, self.plan, folder)


@pytest.fixture
def recording():
    return Recording()


@pytest.mark.parametrize(
    "options",
    [{}, {"pin": 3, "pout": 2}, {"pin": 1, "pout": 1, "weight_words": 24}, {"logits": True}],
)
def test_faultless_records_pass(tmp_path, options):
    recording = Recording(**options)
    verdict = recording.check(tmp_path)
    assert [check for check in verdict.checks if check.mismatches] == []
    assert all(check.compared > 0 for check in verdict.checks)
    if options.get("logits"):
        assert verdict.mask is None
    else:
        np.testing.assert_array_equal(verdict.mask, verdict.golden_mask)


def test_every_tensor_is_compared(tmp_path, recording):
    checks = recording.check(tmp_path).checks
    network = recording.job.network
    compared = {check.layer for check in checks}
    assert {conv.name for conv in network.convs} <= compared
    assert {"pool0", "pool1", "head"} <= compared


@pytest.mark.parametrize("name", ["front", "out", "write"])
def test_a_wrong_code_is_found_and_placed(tmp_path, recording, name):
    line = recording.lines[name][7]
    wrong = int(line[-1], 16) ^ 1
    recording.lines[name][7] = line[:-1] + f"{wrong:x}"
    check = recording.check(tmp_path).first
    assert check.mismatches == 1
    assert check.first.expected ^ 1 == check.first.got
    assert check.first.cycle == int(line.split()[0], 16)


def test_place_of_a_wrong_code(tmp_path, recording):
    # Four channels in words of two: word 7 holds channels 2 and 3 of pixel 3.
    line = recording.lines["front"][7]
    recording.lines["front"][7] = line[:-1] + f"{int(line[-1], 16) ^ 1:x}"
    first = recording.check(tmp_path).first.first
    assert (first.row, first.column, first.channel) == (0, 3, 2)
    assert str(first).startswith("enc0a as computed, row 0, column 3, channel 2: expected ")


def test_unknown_bits_are_wrong(tmp_path, recording):
    line = recording.lines["out"][0]
    recording.lines["out"][0] = line[:-1] + "x"
    check = recording.check(tmp_path).first
    assert "got an unknown value (X)" in str(check.first)


@pytest.mark.parametrize("name", ["front", "out", "write", "mask"])
def test_missing_words_are_found(tmp_path, recording, name):
    del recording.lines[name][-1]
    check = recording.check(tmp_path).first
    assert check.mismatches > 0
    assert "missing" in check.note or "never written" in check.note


@pytest.mark.parametrize("name", ["front", "out", "mask"])
def test_words_too_many_are_found(tmp_path, recording, name):
    recording.lines[name].append(recording.lines[name][-1])
    check = recording.check(tmp_path).first
    assert "too many" in check.note


def test_a_write_where_nothing_belongs_is_found(tmp_path, recording):
    cycle, step, address, word = recording.lines["write"][0].split()
    recording.lines["write"].append(f"{cycle} {step} 0000ffff {word}")
    check = recording.check(tmp_path).first
    assert check.note.startswith("1 words written where nothing belongs, 0 written more than once")


def test_a_word_written_twice_is_found(tmp_path, recording):
    recording.lines["write"].insert(0, recording.lines["write"][0])
    assert "1 written more than once" in recording.check(tmp_path).first.note


def test_words_outside_any_step_are_found(tmp_path, recording):
    recording.lines["out"].append(recording.lines["out"][-1].replace(" 000", " 00f", 1))
    assert recording.check(tmp_path).first.note == "1 words outside any step"


def test_a_wrong_end_of_the_mask_is_found(tmp_path, recording):
    lines = recording.lines["mask"]
    lines[0] = lines[0].replace(" 0 ", " 1 ")
    assert recording.check(tmp_path).first.note == "TLAST wrong on 1 bytes"


def test_nothing_at_all_is_found(tmp_path, recording):
    recording.lines = {name: [] for name in recording.lines}
    verdict = recording.check(tmp_path)
    assert verdict.first.layer == "enc0a"
    assert verdict.first.first.got is None
    assert all(check.mismatches >= check.compared for check in verdict.checks)


# ---- External memory -----------------------------------------------------------------------------


def trace_of(step, codes, lanes):
    height, width, channels = codes.shape
    words = np.zeros((height * width, -(-channels // lanes) * lanes), np.int64)
    words[:, :channels] = codes.reshape(-1, channels)
    words = words.reshape(-1, lanes)
    none = np.zeros(len(words), np.int64)
    return Trace(none + 9, none + step, none, words)


@pytest.fixture
def stored():
    """Job, plan, records of a faultless run with external memory, in tiles."""
    network = random_network(11, (4, 6), SIZE, 4, 3)
    image = random_image(np.random.default_rng(4), SIZE)
    plan = compile_network(network, design_for(network, 2, 2, 12))
    mask, tensors = run_network(network, image, keep=True)
    results, maps = [], {}
    for index, step in enumerate(plan.schedule.steps):
        channels = slice(step.first_channel, step.first_channel + step.channels)
        results.append(trace_of(index + 2, tensors[step.out.name][:, :, channels], 2))
        for info in (step.out if step.store_full else None, step.pooled):
            if info is not None:
                maps[index, info.name] = trace_of(0, tensors[info.name][:, :, channels], 2)
    assert any(step.first_channel for step in plan.schedule.steps)
    parts = zip(*((t.cycle, t.step, t.address, t.codes) for t in results))
    data = np.where(mask, 255, 0).reshape(-1)
    last = np.arange(len(data)) == len(data) - 1
    records = Records(
        trace_of(0, tensors[plan.schedule.front.output], 2),
        Trace(*(np.concatenate(part) for part in parts)),
        (np.zeros(len(data), np.int64), last, data),
        stored=maps,
    )
    return Job(network, image), plan, records


def test_maps_in_external_memory_pass(stored):
    verdict = check_records(*stored)
    assert verdict.first is None
    kept = [check for check in verdict.checks if check.place == "memory"]
    assert len(kept) == len(stored[2].stored)
    assert all(check.compared for check in kept)


def test_a_wrong_code_in_external_memory_is_placed(stored):
    job, plan, records = stored
    index, name = [key for key in records.stored if plan.schedule.steps[key[0]].first_channel][-1]
    trace = records.stored[index, name]
    codes = trace.codes.copy()
    codes[-1, 1] ^= 1
    damaged = dict(records.stored) | {(index, name): replace(trace, codes=codes)}
    check = check_records(job, plan, replace(records, stored=damaged)).first
    assert (check.layer, check.place, check.step, check.mismatches) == (name, "memory", index, 1)
    step, info = plan.schedule.steps[index], plan.memory_map.regions[name].tensor
    first = check.first
    assert (first.row, first.column) == (info.height - 1, info.width - 1)
    assert first.channel == step.first_channel + step.channels - 1
    assert str(first).startswith(f"{name} in external memory, row ")


def test_a_wrong_code_of_a_tile_is_placed(stored):
    job, plan, records = stored
    codes = records.results.codes.copy()
    codes[-1, 0] ^= 1
    results = replace(records.results, codes=codes)
    first = check_records(job, plan, replace(records, results=results)).first.first
    assert first.channel == plan.schedule.steps[-1].first_channel + 2
