"""What a run on a card finds out about the suite: arms that cheat are noticed, identical ones are counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bench.plan.experiments import Experiment, case_label
from bench.records.schema import STATUSES
from kernels import registry
from kernels.api import Case
from scripts._card import integrity, outcomes, same, told, tricks
from scripts._card.studying import cells_of, options, settings_of
from tests import factories
from tests.serving import problem_of

_PLACES = [
    *((name, placement, 1 << 16) for placement, names in integrity._IN_PLACES.items() for name in names),
    *((name, "out", integrity._SMALL) for name in integrity._WHEN_SMALL),
]


class TestTricks:
    @pytest.mark.parametrize(("name", "placement", "n"), _PLACES)
    def test_each_is_noticed_where_the_cpu_stands_in(
        self, name: str, placement: str, n: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(tricks.BASE, "numpy_ufunc")
        made = next(each for each in vars(tricks).values() if getattr(each, "name", "") == name)
        assert problem_of(made, Case("relu", placement=placement, n=n)) is not None

    def test_who_only_hands_on_is_not_accused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(tricks.BASE, "numpy_ufunc")

        class Honest(tricks._Trick):
            name = "honest"

        assert problem_of(Honest, Case("relu", placement="out", n=1 << 16)) is None

    @pytest.mark.usefixtures("own_registry")
    @pytest.mark.parametrize("placement", ["new", "out"])
    def test_on_a_device_with_memory_of_its_own_who_works_passes_and_who_does_not_is_noticed(
        self, placement: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The stand-in's queue, by its own card."""
        monkeypatch.setenv(tricks.BASE, registry.register("tests.standin:QueueRelu", "queue_relu"))
        case = Case("relu", placement=placement, n=1 << 12, device="cuda")

        class Honest(tricks._Trick):
            name = "honest"

        assert problem_of(Honest, case, rounds=2) is None
        assert problem_of(tricks.ReturnsCached, case, rounds=2) is not None
        if placement == "out":
            assert problem_of(tricks.ReturnsAtOnce, dataclasses.replace(case, n=64), rounds=2) is not None

    def test_every_trick_is_tried_beside_the_honest_and_the_copies(self) -> None:
        chosen = integrity.experiments("cuda", "torch_eager")
        tried = [arm.backend for each in chosen for arm in each.arms if arm.role == "candidate"]
        assert set(tried) == set(tricks.TRICKS)
        sizes = {each.case.n for each in chosen for arm in each.arms if arm.backend == "returns_at_once"}
        assert len(sizes) == 2, "a large array and a small one, for which no copy tells"
        for each in chosen:
            roles = [arm.role for arm in each.arms]
            assert {"baseline", "ceiling", "floor"} <= set(roles)
            assert each.case.device == "cuda"

    def test_what_a_status_means(self) -> None:
        noticed = {
            status for status in STATUSES if integrity.outcome(status, honest=False) == outcomes.CAUGHT
        }
        assert noticed == {"mistrusted", "incorrect"}
        assert integrity.outcome("ok", honest=False) == outcomes.OPEN
        for verdict in ("faster", "unresolved", ""):
            assert integrity.outcome("ok", verdict, honest=False) == outcomes.OPEN
        for verdict in ("same", "slower"):
            assert integrity.outcome("ok", verdict, honest=False) == outcomes.HARMLESS
        assert integrity.outcome("noisy", honest=True) == outcomes.HONEST
        assert integrity.outcome("mistrusted", honest=True) == outcomes.WRONGED
        assert integrity.outcome("skipped", honest=False) == outcomes.UNTRIED


class TestSame:
    def test_twenty_experiments_of_one_backend(self) -> None:
        chosen = same.experiments("cuda:1", "jax_jit")
        assert len({each.case for each in chosen}) == len(chosen) == 20
        assert {each.case.device for each in chosen} == {"cuda:1"}
        for each in chosen:
            assert [arm.backend for arm in each.arms][:3] == ["jax_jit"] * 3
            assert len(set(each.arms)) == 4

    def test_alarms_are_counted_with_the_interval_of_their_rate(self) -> None:
        words = ["same"] * 36 + ["unresolved"] * 2 + ["faster", "slower"]
        cells = [
            factories.cell(
                "numpy_ufunc", variant=f"copy{i % 2 + 1}", n=1024 + i // 2, verdict=word, speedup=1.0
            )
            for i, word in enumerate(words)
        ]
        skipped = factories.cell(
            "numpy_ufunc", None, variant="copy1", n=7, status="skipped", reason="no card"
        )
        found = same.summed_up([*cells, factories.cell(role="baseline"), skipped])
        assert (found["pairs"], found["alarms"]) == (40, 2)
        assert (found["experiments"], found["alarmed"]) == (20, 1), "pairs of one experiment hang together"
        assert 0 < found["lo"] < 0.05 < found["hi"] < 0.3
        assert found["untimed"] == ["skipped: no card"]

    def test_nothing_timed_is_no_answer(self) -> None:
        found = same.summed_up([])
        assert (found["pairs"], found["lo"], found["hi"]) == (0, 0.0, 1.0)


@pytest.mark.slow
def test_what_was_measured_until_it_was_ended_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four experiments the last is interrupted."""
    from bench.run.run import Run

    measure, begun = Run.measure, list[str]()

    def interrupted(self: Run, experiment: Experiment) -> bool:
        begun.append(experiment.label)
        if len(begun) == 4:
            raise KeyboardInterrupt
        return measure(self, experiment)

    monkeypatch.setattr(Run, "measure", interrupted)
    words = ["--device", "cpu", "--base", "numpy_ufunc", "--minutes", "0.1", "--json", "unused"]
    settings = dataclasses.replace(settings_of(options("", words)), inline=True, max_seconds=0.02)
    with np.errstate(invalid="ignore"):  # all in this process, which sees NumPy's warnings of special values
        cells = cells_of(settings, same.experiments("cpu", "numpy_ufunc")[:4])
    assert {case_label(cell.case) for cell in cells} >= set(begun[:3])


def test_the_report_names_the_trick_that_was_not_noticed(tmp_path: object) -> None:
    import json
    from pathlib import Path

    arms = [
        {"arm": name, "placement": "out", "n": 1024, "outcome": outcome, "status": "ok", "reason": ""}
        for name, outcome in (
            ("torch_eager", outcomes.HONEST),
            ("wrong_stream", outcomes.OPEN),
            ("returns_at_once", outcomes.HARMLESS),
            ("returns_cached", outcomes.CAUGHT),
        )
    ]
    folder = Path(str(tmp_path))
    (folder / "integrity.json").write_text(json.dumps({"arms": arms}))
    lines = told.integrity(folder)
    assert lines[0] == "1 of 3 tricks noticed. 1 gained nothing."
    assert "- wrong_stream, placement out, 1,024 elements: **not noticed**: ok" in lines
