"""What a run's files tell of who made it: no secret ever, and neither host nor user nor folders where asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.running import bench

pytestmark = pytest.mark.slow

SECRET = "ghp_" + "a1B2" * 9


def test_no_secret_and_where_asked_no_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "telltale.py").write_text(
        "import os\n"
        "from tests.honest import HonestNumpy\n"
        "class Tells(HonestNumpy):\n"
        "    name = 'tells'\n"
        "    def compile(self, *given):\n"
        "        raise OSError(f'{__file__} is not there, nor is {os.environ[\"TORCH_HUB_TOKEN\"]}')\n"
    )
    monkeypatch.setenv("TORCH_HUB_TOKEN", SECRET)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    one = (
        "--backends numpy_ufunc --sizes 64 --ops relu --directions forward --placements new --dtypes float32"
    )
    case = f"{one} --plugin telltale:Tells --isolation inline".split()
    away = ("-o", f"pythonpath={tmp_path / 'away'}")
    options = (*away, "--variant", f"v@numpy_ufunc:MY_TOKEN={SECRET}", "--anonymise")
    report = tmp_path / "benchmark.json"
    done = bench(tmp_path / "results", *case, *options, "--benchmark-json", str(report))
    reasons = {cell["backend"]: cell["reason"] for cell in done.cells}
    assert "OSError: …/telltale.py is not there, nor is (masked)" in reasons["tells"]
    told = json.loads((done.folder / "environment.json").read_bytes())
    assert told["options"]["variants"] == {"v": {"MY_TOKEN": "(masked)"}}
    assert json.loads(report.read_bytes())["benchmarks"]
    for path in (report, *done.folder.iterdir()):
        written = path.read_text(encoding="utf-8")
        assert SECRET not in written
        assert str(tmp_path) not in written
