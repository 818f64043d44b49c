"""What the tests of the studies share."""

import pytest
from PIL import Image

from fxhw.studies import table1


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    """``$FXHW_DATA`` with the three data sets of the table, of one black image per split."""
    root = tmp_path / "data"
    for name in table1.DATASETS:
        for kind in ("images", "labels"):
            (root / name / kind).mkdir(parents=True)
            for number in "01":
                Image.new("L", (8, 8)).save(root / name / kind / f"{number}.png")
        (root / name / "index.csv").write_text("id,group,split\n0,a,train\n1,b,val\n")
    monkeypatch.setenv("FXHW_DATA", str(root))
    return root
