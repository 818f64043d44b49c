"""Reading the test bench's records."""

import numpy as np
import pytest

from fxhw.cosim.traces import (
    UNKNOWN,
    read_mask,
    read_steps,
    read_track,
    read_words,
    steps_of_track,
    unpack_words,
)
from fxhw.fixed import codes_to_int


def test_words_are_unpacked_lowest_lane_first(tmp_path):
    path = tmp_path / "out.txt"
    # Lanes 5 and 33 at 6 bits: 33 << 6 | 5 = 0x845, in 12 bits.
    path.write_text("0000000a 0002 845\n0000000b 0003 fff\n")
    trace = read_words(path, lanes=2, bits=6)
    assert trace.cycle.tolist() == [10, 11]
    assert trace.step.tolist() == [2, 3]
    assert trace.codes.tolist() == [[5, 33], [63, 63]]
    assert trace.of_step(3).codes.tolist() == [[63, 63]]


def test_addresses_stand_before_the_word(tmp_path):
    path = tmp_path / "write.txt"
    path.write_text("00000001 0002 000000ff 3\n")
    trace = read_words(path, lanes=1, bits=2, addressed=True)
    assert trace.address.tolist() == [255]
    assert trace.codes.tolist() == [[3]]


def test_unknown_bits_are_unknown_codes(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("00000001 0002 x3\n00000002 0002 1X\n")
    assert read_words(path, lanes=2, bits=4).codes.tolist() == [[3, UNKNOWN], [UNKNOWN, 1]]


def test_a_line_cut_short_is_left_out(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("00000001 0002 3\n00000002 00")
    assert read_words(path, lanes=1, bits=4).cycle.tolist() == [1]


def test_no_record_is_empty(tmp_path):
    trace = read_words(tmp_path / "none.txt", lanes=3, bits=4)
    assert trace.codes.shape == (0, 3)
    assert [part.size for part in read_mask(tmp_path / "none.txt")] == [0, 0, 0]
    assert read_steps(tmp_path / "none.txt").shape == (0, 3)


def test_mask_and_steps(tmp_path):
    (tmp_path / "mask.txt").write_text("00000001 0 ff\n00000002 1 00\n")
    cycle, last, data = read_mask(tmp_path / "mask.txt")
    assert (cycle.tolist(), last.tolist(), data.tolist()) == ([1, 2], [0, 1], [255, 0])
    (tmp_path / "steps.txt").write_text("00000001 0 0000\n00000007 1 0002\n")
    np.testing.assert_array_equal(read_steps(tmp_path / "steps.txt"), [[1, 0, 0], [7, 1, 2]])


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("lanes", [1, 3, 8, 16])
def test_packed_words_are_unpacked(lanes, bits):
    codes = np.random.default_rng(bits).integers(0, 1 << bits, (20, lanes))
    size = -(-lanes * bits // 8)
    # What lies above a word's bits does not count.
    above = 1 << (8 * size) if lanes * bits % 8 == 0 else 1 << (lanes * bits)
    words = [(codes_to_int(row, bits) | above) % (1 << (8 * size)) for row in codes]
    data = np.array([list(word.to_bytes(size, "little")) for word in words], np.uint8)
    np.testing.assert_array_equal(unpack_words(data, lanes, bits), codes)


def test_tracks():
    word = (5 | 33 << 6).to_bytes(2, "little")
    data = b"".join(
        cycle.to_bytes(8, "little") + step.to_bytes(2, "little") + word
        for cycle, step in ((10, 2), (1 << 40, 3))
    )
    trace = read_track(data, lanes=2, bits=6)
    assert trace.cycle.tolist() == [10, 1 << 40]
    assert trace.step.tolist() == [2, 3]
    assert trace.codes.tolist() == [[5, 33]] * 2
    data = bytes(8) + b"\x02\x00" + b"\xff\x01\x00\x00" + b"\x03"
    trace = read_track(data, lanes=1, bits=2, addressed=True)
    assert (trace.address.tolist(), trace.codes.tolist()) == ([511], [[3]])
    assert read_track(b"", lanes=3, bits=4).codes.shape == (0, 3)


def test_steps_of_a_track():
    data = (7).to_bytes(8, "little") + b"\x01\x00\x02\x00"
    assert steps_of_track(data).tolist() == [[7, 1, 2]]
    assert steps_of_track(b"").shape == (0, 3)
