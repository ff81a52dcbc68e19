"""`scripts/compare.py --confirm`: suspected cells are measured again, and that decides."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.machine.environment import describe
from scripts._compare import again
from scripts._shared.cli import UsageError
from scripts.compare import main
from tests.factories import cell, write_run

PLUGIN = """\
import os
from tests.honest import HonestNumpy

class Mine(HonestNumpy):
    name = "mine"

    def compile(self, case, x, dy, out):
        call = super().compile(case, x, dy, out)

        def often():
            for _ in range({more}):
                call()
            return call()

        return often if {slow} else call
"""
MORE = 9
"""Calls that a slow one makes besides: so many that a busy machine does not hide them."""
STEADY = {"processes": 2, "process_sd": 0.01, "process_df": 12.0, "rounds": 16, "n": 1 << 15}


def run(
    folder: Path, factor: float, variants: Mapping[str, Any], environment: Mapping[str, Any] | None = None
) -> str:
    """A run with a lone cell of each variant of the plugin, which takes `factor` times 10 us."""
    cells = [
        cell("mine", 1e-5 * factor, variant=name, run_id=folder.name, role=role, baseline="mine", **STEADY)
        for name, role in zip(variants, ("baseline", "candidate"), strict=False)
    ]
    options = {
        "plugins": {"mine": "kernel_of_a_test:Mine"},
        "variants": {name: values for name, values in variants.items() if name},
    }
    return str(write_run(folder, cells, None, environment or describe(options)))


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(again, "_SECONDS", 0.3)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Two states of one plugin, of which the second takes longer."""
    for name, slow in (("old_code", False), ("new_code", True)):
        (tmp_path / name).mkdir()
        text = PLUGIN.format(slow=slow, more=MORE)
        (tmp_path / name / "kernel_of_a_test.py").write_text(text, encoding="utf-8")
    return str(tmp_path / "old_code"), str(tmp_path / "new_code")


@pytest.mark.slow
@pytest.mark.usefixtures("quickly")
class TestMeasuring:
    def test_two_folders_are_arms_of_one_experiment(
        self,
        tmp_path: Path,
        folders: tuple[str, str],
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(folders[0])  # where Python would look first
        old, new = (run(tmp_path / name, factor, {"": {}}) for name, factor in (("old", 1.0), ("new", 1.1)))
        sides = ("--old-path", folders[0], "--new-path", folders[1])
        common = ("--results", str(tmp_path / "results"), "--format", "csv")
        assert main([old, new, "--confirm", *sides, *common]) == 1
        (row,) = rows(capsys)
        assert row["change"] == "slower"
        assert float(row["again_ratio"]) > 4
        assert len(list((tmp_path / "results").glob("confirm-*/rounds.csv"))) > 0

    @pytest.mark.daily  # as two folders are, whose code differs
    def test_the_same_code_in_both_folders_is_measured_twice(
        self, tmp_path: Path, folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        old, new = (run(tmp_path / name, factor, {"": {}}) for name, factor in (("old", 1.0), ("new", 1.3)))
        sides = ("--old-path", folders[0], "--new-path", folders[0])
        main([old, new, "--confirm", *sides, "--results", str(tmp_path / "results"), "--format", "markdown"])
        text = capsys.readouterr().out
        assert f"1 on both sides, old and new side by side (the code of OLD is in {folders[0]})" in text
        (line,) = (
            line
            for line in text[text.index("Measured again", text.index("1 on both")) :].splitlines()
            if "relu-" in line
        )
        assert 0.25 < float(line.split("|")[3].strip().partition("x")[0]) < 4

    @pytest.mark.daily  # as two folders are
    def test_two_environments_are_arms_of_one_experiment(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = PLUGIN.format(slow='os.environ["OF_A_TEST"] == "slow"', more=MORE)
        (tmp_path / "kernel_of_a_test.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        old, new = (
            run(tmp_path / name, factor, {"": {"OF_A_TEST": "quick"}, "v": {"OF_A_TEST": name}})
            for name, factor in (("quick", 1.0), ("slow", 1.1))
        )
        common = ("--results", str(tmp_path / "results"), "--output", str(tmp_path / "out.csv"))
        assert main([old, new, "--confirm", "--format", "csv", *common]) == 1
        found = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8"))))
        # The plain plugin lacks its variable, so it could not be measured again.
        assert {row["variant"]: row["change"] for row in found} == {"v": "slower", "": "unresolved"}


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--confirm", "--old-path", "no/where"), "--old-path: 'no/where' is no folder"),
            (("--new-path", "."), "--new-path is of use with --confirm only"),
        ],
    )
    def test_folders_that_are_of_no_use(self, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
        old, new = (run(tmp_path / name, 1.0, {"": {}}) for name in ("old", "new"))
        with pytest.raises(UsageError, match=said) as caught:
            main([old, new, *arguments])
        assert "\n" not in str(caught.value)

    def test_nothing_suspected_is_nothing_measured(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        old, new = (run(tmp_path / name, 1.0, {"": {}}) for name in ("old", "new"))
        assert main([old, new, "--confirm", "--results", str(tmp_path / "results")]) == 0
        assert "nothing was measured again" in capsys.readouterr().out
        assert not (tmp_path / "results").exists()

    def test_another_machine_by_now(self, tmp_path: Path) -> None:
        elsewhere = describe({}) | {"kernel": "another"}
        old, new = (
            run(tmp_path / name, factor, {"": {}}, elsewhere) for name, factor in (("old", 1.0), ("new", 1.1))
        )
        with pytest.raises(UsageError, match="kernel is not what it was in NEW") as caught:
            main([old, new, "--confirm"])
        assert "\n" not in str(caught.value)

    def test_a_variable_that_was_not_set(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        old, new = (run(tmp_path / name, factor, {"": {}}) for name, factor in (("old", 1.0), ("new", 1.1)))
        monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
        with pytest.raises(UsageError, match="OMP_THREAD_LIMIT is set, and was not when OLD was measured"):
            main([old, new, "--confirm"])

    def test_a_plugin_that_was_another(self, tmp_path: Path) -> None:
        old = run(tmp_path / "old", 1.0, {"": {}})
        other = describe({"plugins": {"mine": "elsewhere:Mine"}, "variants": {}})
        new = run(tmp_path / "new", 1.1, {"": {}}, other)
        with pytest.raises(
            UsageError, match=r"the plugin mine is kernel_of_a_test:Mine in one run and elsewhere"
        ):
            main([old, new, "--confirm"])

    def test_a_variant_of_which_nothing_is_known(self, tmp_path: Path) -> None:
        plain = describe({"plugins": {}, "variants": {}})
        old, new = (
            run(tmp_path / name, factor, {"": {}, "v": {}}, plain)
            for name, factor in (("old", 1.0), ("new", 1.1))
        )
        with pytest.raises(UsageError, match=r"environment\.json does not say what the variant 'v' sets"):
            main([old, new, "--confirm"])
