"""The results as JSON, CSV, Markdown, plot and page."""

import csv
import io
import json
import random
import re

import pytest

from fxhw.errors import FxhwError
from fxhw.published import NOMINAL_BITS, PUBLISHED, RELU_COLUMNS
from fxhw.sweep.page import to_page
from fxhw.sweep.pareto import pareto_front
from fxhw.sweep.plot import draw, paper_points
from fxhw.sweep.results import find_results, load_results, write_results
from fxhw.sweep.tables import fronts, to_csv, to_markdown
from tests.sweep.tiny import tiny_record, tiny_results

RESULTS = tiny_results(
    [
        tiny_record(1, 2, 300, 87.7),
        tiny_record(2, 4, 900, 94.2),
        tiny_record(2, 4, 1900, 94.2, style="generic"),
        tiny_record(4, 6, 2200, 94.5, kind="requantized"),
        tiny_record(8, 8, 5000),
        tiny_record(4, 6, 9000, 94.5, scope="accelerator", block_ram=2.5),
        tiny_record(4, 6, 500, 94.5, style="dsp", dsp=72),
        tiny_record(2, 6, 1000, 94.1, weights="ternary"),
        tiny_record(1, 1, 250, 93.0, activations="sign"),
    ],
    [{"point": tiny_record(3, 4, 1)["point"], "reason": "Yosys ended with </script> | status 1"}],
)


@pytest.mark.parametrize("seed", range(30))
def test_front_is_what_nothing_beats(seed):
    rng = random.Random(seed)
    items = [(rng.randrange(12), rng.randrange(12)) for _ in range(rng.randrange(15))]
    front = pareto_front(items, lambda item: item[0], lambda item: item[1])
    unbeaten = {
        a for a in items
        if not any(b != a and b[0] <= a[0] and b[1] >= a[1] for b in items)
    }
    assert set(front) == unbeaten
    assert front == sorted(front)
    assert len(front) == len(set(front))


def test_fronts_compare_what_compares():
    found = {group: [r["name"] for r in front] for group, front in fronts(RESULTS).items()}
    assert found == {
        # 87.7 is what a constant answer scores.
        ("ecp5-85k", "array", "8x8", False): [
            "ecp5-85k_array_lut_8x8_binary-sign", "ecp5-85k_array_lut_8x8_w2a4",
            "ecp5-85k_array_lut_8x8_w4a6",
        ],
        ("ecp5-85k", "array", "8x8", True): ["ecp5-85k_array_dsp_8x8_w4a6"],
        ("ecp5-85k", "accelerator", "8x8", False): ["ecp5-85k_accelerator_lut_8x8_w4a6"],
        ("ecp5-85k", "accelerator", "8x8", True): [],
    }


def test_csv():
    rows = list(csv.DictReader(io.StringIO(to_csv(RESULTS))))
    assert len(rows) == 9
    assert (rows[0]["wbits"], rows[0]["area"], rows[0]["dice"]) == ("1", "300", "87.7")
    assert rows[4]["dice"] == rows[4]["dice_source"] == ""
    assert rows[5]["block RAM"] == "2.5"
    assert [(row["weights"], row["activations"]) for row in rows[-2:]] == [
        ("ternary", "unsigned"), ("fixed", "sign")
    ]


def test_markdown():
    text = to_markdown(RESULTS)
    assert "## Arrays, ecp5-85k, 8x8 lanes" in text
    assert "## Whole accelerators, ecp5-85k, 8x8 lanes" in text
    assert "| **w2 a4** | lut | 900 |" in text
    assert "| w8 a8 | lut | 5,000 |" in text
    assert "| ecp5-85k array lut 8x8 w3a4 | Yosys ended" in text
    assert "Foreground everywhere would score 87.60" in text
    assert "an estimate" in text


def test_documents_come_back(tmp_path):
    path = write_results(RESULTS, tmp_path)
    assert load_results(path) == load_results(tmp_path) == RESULTS
    for text, message in (
        ("{", "are damaged"),
        ('{"layout": "fxhw-sweep-results-0"}', "have the layout 'fxhw-sweep-results-0'"),
        ("[]", "have the layout None"),
    ):
        path.write_text(text)
        with pytest.raises(FxhwError, match=message):
            load_results(path)
    with pytest.raises(FxhwError, match="cannot be read"):
        load_results(tmp_path / "nothing")


def test_results_that_come_with_fxhw(tmp_path, monkeypatch):
    monkeypatch.setattr("fxhw.sweep.results.__file__", str(tmp_path / "fxhw/sweep/results.py"))
    with pytest.raises(FxhwError, match="make some with 'fxhw sweep'"):
        find_results()
    shipped = write_results(RESULTS, tmp_path / "fxhw" / "bundled")
    assert find_results() == shipped
    assert find_results() != write_results(RESULTS, tmp_path / "docs" / "results")
    assert find_results() == tmp_path / "docs" / "results" / "sweep.json"


def test_page_asks_for_nothing_and_holds_everything():
    page = to_page(RESULTS)
    assert page == to_page(json.loads(json.dumps(RESULTS)))
    addresses = set(re.findall(r"https?://[^\"' ]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe|script src)|@import|url\(|fetch\(|XMLHttp", page)
    assert "default-src 'none'" in page
    assert page.count("</script>") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    assert data["points"] == RESULTS["points"]


def test_paper_points():
    points = {point["label"]: point for point in paper_points(RESULTS)}
    assert points["Q6.0, Q0.4"] == {"label": "Q6.0, Q0.4", "dice": 91.03, "bits": (4, 6)}
    assert points["full precision"]["bits"] is None
    assert set(points) == {*NOMINAL_BITS, "full precision"}
    assert paper_points(RESULTS | {"dataset": "cells"}) == []
    assert all(line[RELU_COLUMNS["em"]] for line in PUBLISHED if line[0] in NOMINAL_BITS)


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    draw(RESULTS, tmp_path / "a.svg")
    draw(RESULTS, tmp_path / "b.svg")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text()
    for label in ("w2a4", "lut, trained", "paper, full precision", "foreground everywhere"):
        assert label in text
    draw(tiny_results([tiny_record(1, 1, 5)]) | {"constant_dice": None}, tmp_path / "none.svg")
