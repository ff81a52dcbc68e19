"""What a run's files tell of who made it: no secret ever, and neither host nor user nor folders where asked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.running import ROOT, bench

pytestmark = pytest.mark.slow

SECRET = "ghp_" + "a1B2" * 9


def test_no_secret_and_where_asked_no_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "telltale.py").write_text(
        "from tests.mutants import HonestNumpy\n"
        "class Tells(HonestNumpy):\n"
        "    name = 'tells'\n"
        "    def compile(self, *given):\n"
        "        raise OSError(f'{__file__} is not there')\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (tmp_path / "away", ROOT))))
    monkeypatch.setenv("TORCH_HUB_TOKEN", SECRET)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    one = (
        "--backends numpy_ufunc --sizes 64 --ops relu --directions forward --placements new --dtypes float32"
    )
    case = f"{one} --plugin telltale:Tells --isolation inline".split()
    done = bench(tmp_path / "results", *case, "--variant", f"v@numpy_ufunc:MY_TOKEN={SECRET}", "--anonymise")
    reasons = {cell["backend"]: cell["reason"] for cell in done.cells}
    assert "OSError: …/telltale.py is not there" in reasons["tells"]
    told = json.loads((done.folder / "environment.json").read_bytes())
    assert told["options"]["variants"] == {"v": {"MY_TOKEN": "(masked)"}}
    for path in done.folder.iterdir():
        written = path.read_text(encoding="utf-8")
        assert SECRET not in written
        assert str(tmp_path) not in written
