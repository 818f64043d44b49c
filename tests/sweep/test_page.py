"""The page in a browser: its own script, driven by events, says what it shows."""

import shutil
import subprocess

import pytest

from fxhw.sweep.page import to_page
from tests.sweep.test_results import RESULTS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

CHECK = """
<script>
const trouble = [];
addEventListener("error", event => trouble.push("error: " + event.message));
const names = () => [...$("rows").rows].map(row => row.dataset.name);
const must = (what, is) => { if (!is) trouble.push(what); };
const choose = (id, value) => { $(id).value = value; $(id).onchange(); };
const press = key => document.querySelector(`[data-key="${key}"] button`).click();
const dots = () => [...document.querySelectorAll(".dot")].map(dot => dot.dataset.name);
try {
  must("arrays first", names().length === 8 && names().every(name => name.includes("_array_")));
  must("points with a dice drawn", dots().length === 7);
  must("front marked", document.querySelectorAll("tr.front").length === 4);
  must("front drawn", document.querySelectorAll("path.front").length === 2);
  must("paper drawn", document.querySelectorAll("path.cross").length === 3 - 1);
  for (const key of ["dice", "bits", "per", "area"]) {
    press(key);
    const rising = names();
    press(key);
    must("sort by " + key, rising.length === 8 && names().join() !== rising.join());
  }
  press("area");
  const areas = names().map(name => POINTS.find(p => p.name === name).area);
  must("areas rise", areas.every((area, i) => !i || areas[i - 1] <= area));
  must("sort is told", $("head").querySelectorAll("[aria-sort=ascending]").length === 1);
  document.querySelector(".chip[data-style=generic]").click();
  must("filter by style", names().length === 7 && !names().some(n => n.includes("generic")));
  document.querySelector(".chip[data-style=generic]").click();
  $("only").click();
  must("front only", names().length === 4);
  $("only").click();
  choose("scope", "accelerator");
  must("filter by scope", names().length === 1 && dots().length === 1);
  choose("scope", "all");
  must("all", names().length === 9);
  choose("across", "energy");
  must("kinds are named", POINTS.some(p => p.bits === "ternary a6")
    && [...$("rows").rows].some(row => row.cells[0].textContent.includes("binary sign")));
  const dot = document.querySelector('.dot[data-name$="array_lut_8x8_w4a6"]');
  dot.dispatchEvent(new MouseEvent("mouseenter"));
  must("hover tells", !$("tip").hidden && $("tip").textContent.includes("94.50 %"));
  must("hover marks the row", document.querySelectorAll("tr.on").length === 1);
  dot.dispatchEvent(new MouseEvent("mouseleave"));
  must("hover ends", $("tip").hidden && !document.querySelector("tr.on"));
  const before = getComputedStyle(document.body).backgroundColor;
  $("theme").click();
  must("dark differs", getComputedStyle(document.body).backgroundColor !== before);
  must("failures are told", $("failed").textContent.includes("| status 1"));
} catch (error) { trouble.push(String(error)); }
document.documentElement.dataset.check = trouble.join("; ") || "fine";
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not there")
def test_in_a_browser(tmp_path):
    assert look(to_page(RESULTS), tmp_path) == "fine"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not there")
def test_the_check_sees_a_broken_page(tmp_path):
    broken = to_page(RESULTS).replace("state.down ? -by : by", "by")
    assert "sort by dice" in look(broken, tmp_path)


def look(page, folder):
    """What the check says of ``page``, opened as a file."""
    path = folder / "page.html"
    path.write_text(page.replace("</body>", f"{CHECK}</body>"), encoding="utf-8")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        f"--user-data-dir={folder / 'profile'}", path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.partition('data-check="')[2].partition('"')[0]
