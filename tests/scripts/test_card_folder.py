"""What a run on a card leaves: what its files say, how they are packed, and the report."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts._card import course, packing, report, told
from scripts._card.asked import Asked
from scripts._card.course import Outcome
from scripts._crosscheck.rows import COLUMNS, Row


def asked(folder: Path, **changes: Any) -> Asked:
    return dataclasses.replace(Asked("cuda", 10.0, sys.executable, folder), **changes)


class TestTold:
    def test_crosscheck_is_told_by_backend_and_device(self, tmp_path: Path) -> None:
        row = Row(
            "torch_eager",
            "relu",
            "forward",
            "new",
            "float16",
            "cuda",
            "ok",
            signed_zero="+0",
            nan_payload="kept",
        )
        rows = [
            row,
            dataclasses.replace(row, dtype="float32", nan_payload="kept|quieted"),
            dataclasses.replace(row, device="cpu", signed_zero="-0"),
            dataclasses.replace(row, backend="jax_jit", status="incorrect", reason="drops NaN | at 3"),
            dataclasses.replace(
                row, backend="jax_jit", dtype="float64", status="incorrect", reason="drops NaN | at 3"
            ),
            dataclasses.replace(row, backend="numba_cuda", status="skipped", reason="no libNVVM"),
        ]
        with (tmp_path / "crosscheck.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *(each.as_text() for each in rows)])
            file.write("torch_eager,relu")  # it was ended here
        lines = told.crosscheck(tmp_path)
        assert lines[0] == "6 combinations: 3 ok, 2 incorrect, 1 skipped."
        assert (
            r"- jax_jit on cuda, relu forward new float16 and 1 more: incorrect: drops NaN \| at 3" in lines
        )
        assert "| relu | torch_eager | cuda | +0 | kept (float16); kept or quieted (float32) |" in lines
        assert "| relu | torch_eager | cpu | -0 | kept |" in lines
        assert "- skipped, numba_cuda, 1 x: no libNVVM" in lines

    def test_what_runs_on_the_device_is_what_the_doctor_saw(self, tmp_path: Path) -> None:
        states = {"torch_eager": "broken", "jax_jit": "runs", "triton_jit": "runs"}
        findings = [
            {
                "name": "x",
                "status": "ok",
                "measured": "",
                "figures": {"backend": name, "device": "cuda", "state": state},
            }
            for name, state in states.items()
        ]
        (tmp_path / "doctor.json").write_text(json.dumps({"findings": findings}))
        assert told.runs_on(tmp_path, "cuda") == "triton_jit"
        assert told.runs_on(tmp_path, "cuda:1") == ""
        assert told.runs_on(tmp_path / "nowhere", "cuda") == ""

    def test_where_the_doctor_had_no_time_crosscheck_knows(self, tmp_path: Path) -> None:
        row = Row("jax_jit", "relu", "forward", "new", "float32", "cuda", "ok")
        rows = [row, dataclasses.replace(row, backend="torch_eager", status="failed")]
        with (tmp_path / "crosscheck.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *(each.as_text() for each in rows)])
        assert told.runs_on(tmp_path, "cuda") == "jax_jit"
        assert told.runs_on(tmp_path, "cpu") == ""

    def test_files_that_are_not_there_say_nothing(self, tmp_path: Path) -> None:
        assert (told.doctor(tmp_path), told.integrity(tmp_path), told.same(tmp_path)) == ([], [], [])
        assert told.bench(tmp_path) == ["No cell."]
        assert not told.is_measured(tmp_path)


class TestFolder:
    def made(self, folder: Path) -> None:
        (folder / "logs").mkdir(parents=True)
        for name in ("journal.jsonl", "cells.csv", "report.html", "rounds.csv"):
            (folder / name).write_text("x" * 1000)
        (folder / "logs" / "doctor.txt").write_text(f"in {Path.home() / 'some' / 'place.py'}\n")

    def test_it_is_few_files_without_names(self, tmp_path: Path) -> None:
        self.made(tmp_path / "card")
        assert packing.pack(tmp_path / "card") == []
        assert set(packing.sizes(tmp_path / "card")) == {"cells.csv", "logs.txt", "report.html", "rounds.csv"}
        text = (tmp_path / "card" / "logs.txt").read_text()
        assert "place.py" in text
        assert str(Path.home()) not in text

    def test_what_is_too_large_is_left_out_and_told(self, tmp_path: Path) -> None:
        self.made(tmp_path / "card")
        lines = packing.pack(tmp_path / "card", most_bytes=2500)
        assert [line.partition(" ")[0] for line in lines] == ["logs.txt", "report.html"]
        assert set(packing.sizes(tmp_path / "card")) == {"cells.csv", "rounds.csv"}

    def test_a_folder_that_is_there_is_left_alone(self, tmp_path: Path) -> None:
        names = []
        for _ in range(3):
            names.append(packing.free_folder(tmp_path, "card").name)
            (tmp_path / names[-1]).mkdir()
        assert names == ["card", "card-2", "card-3"]

    @pytest.mark.parametrize("device", ["cuda", "cpu"])
    def test_the_report_says_what_failed_what_is_missing_and_whether_it_counts(
        self, tmp_path: Path, device: str
    ) -> None:
        given = asked(tmp_path, device=device, lacking={"altair": "altair>=6"})
        outcomes = [
            Outcome(
                "bench", "How fast?", course.FAILED, "exit status 3 | boom", 12.0, 60.0, told=("- a line",)
            )
        ]
        report.write(given, outcomes, ["rounds.csv was left out"], datetime.now(UTC))
        page = (tmp_path / "report.md").read_text()
        assert r"| bench | failed: exit status 3 \| boom | 12 s | 60 s |" in page
        assert "python -m pip install 'altair>=6'" in page
        assert "- a line" in page
        assert "rounds.csv was left out" in page
        assert ("rehearsal" in page) == (device == "cpu")
        assert ("results/reference" in report.handed_on(given)) == (device == "cuda")
        found = json.loads((tmp_path / "report.json").read_text())
        assert found["steps"][0]["status"] == "failed"

    def test_without_a_card_nothing_is_to_be_kept(self, tmp_path: Path) -> None:
        finding = {"name": "card", "status": "problem", "measured": "nvidia-smi shows no cuda", "figures": {}}
        (tmp_path / "doctor.json").write_text(json.dumps({"findings": [finding]}))
        line = report.handed_on(asked(tmp_path))
        assert line.startswith("There is no cuda: ")
        assert "results/reference" not in line
