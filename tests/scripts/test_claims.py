"""Verdicts follow the figures, figures repeat for a seed, and what is written can be read back."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scripts import claims
from scripts._claims.catalogue import CATALOGUE
from scripts._claims.figures import as_svg
from scripts._claims.model import FAILS, HOLDS, OPEN, PARTLY, Claim, Figure, Part, Rule, over
from scripts._claims.stored import Measured, read, texts
from scripts._claims.table import as_markdown
from scripts._shared.cli import UsageError
from scripts._shared.markers import MarkerError
from scripts._shared.stored import StoredError

torch = pytest.importorskip("torch", reason="the experiments train torch networks")

from scripts._claims import cheap, dying, nets, remedy, saturation, sparsity  # noqa: E402  # after the skip
from scripts._claims.data import stacked  # noqa: E402

pytestmark = pytest.mark.slow

ENVIRONMENT = {
    "machine": "toy-1c",
    "packages": {"torch": "2"},
    "started_utc": "2026-01-01",
    "options": {"seeds": 5},
}


def _part(values: tuple[float, ...], rule: Rule = Rule("<=", 0.1), name: str = "p") -> Part:  # noqa: B008
    return Part(name, "few die", "an experiment", Figure("dead", values, "share"), rule)


def _claim(*parts: Part) -> Claim:
    return Claim("dead", CATALOGUE["dead"].quote, CATALOGUE["dead"].literature, parts)


class TestVerdicts:
    @pytest.mark.parametrize(
        ("values", "verdict"),
        [
            ((0.0, 0.0, 0.05, 0.1, 0.1), HOLDS),
            ((0.0, 0.0, 0.05, 0.1, 0.9), HOLDS),
            ((0.0, 0.0, 0.05, 0.9, 0.9), PARTLY),
            ((0.0, 0.9, 0.9, 0.9, 0.9), FAILS),
        ],
    )
    def test_flip_when_the_figures_do(self, values: tuple[float, ...], verdict: str) -> None:
        assert _part(values).verdict == verdict

    def test_flip_with_the_sense_of_the_rule(self) -> None:
        values = (0.0, 0.0, 0.0)
        assert _part(values, Rule(">=", 0.1)).verdict == FAILS
        assert _part(values, Rule(">", 0.0)).verdict == FAILS
        assert _part(values, Rule(">=", 0.0)).verdict == HOLDS

    def test_a_diverged_run_is_no_evidence_either_way(self) -> None:
        figure = Figure("dead", (0.9, math.nan, math.nan), "share")
        assert Rule("<=", 0.1).met(figure) == (0, 1)
        assert Rule("<=", 0.1).verdict(figure) == FAILS
        assert "2 of 3 diverged" in figure.text
        assert Rule("<=", 0.1).verdict(Figure("dead", (math.nan,))) == OPEN

    def test_a_claim_is_counted_from_its_parts(self) -> None:
        good, bad, open_ = _part((0.0,)), _part((1.0,)), _part((math.nan,))
        assert _claim(good, good).verdict == HOLDS
        assert _claim(good, bad).verdict == PARTLY
        assert _claim(good, bad, bad).verdict == FAILS
        assert _claim(good, open_).verdict == PARTLY
        assert _claim(open_).verdict == OPEN


@pytest.fixture
def fresh() -> Iterator[None]:
    """What was trained before, or here with fewer steps, is not used again."""
    dying._high.cache_clear()
    yield
    dying._high.cache_clear()


class TestExperiments:
    def test_derivatives_are_the_known_ones(self) -> None:
        parts = {part.name: part for part in saturation.derivatives(range(2)).parts}
        judged = {name: part.judged.median for name, part in parts.items()}
        assert judged == pytest.approx(
            {"relu_at_+10": 1, "leaky_relu_at_+10": 1, "relu_at_-10": 0, "leaky_relu_at_-10": 0.01}
        )
        beside = {figure.name: figure.median for figure in parts["relu_at_-10"].beside}
        assert beside["sigmoid"] == pytest.approx(math.exp(-10), rel=1e-3)
        assert beside["tanh in float64"] == pytest.approx(4 * math.exp(-20), rel=1e-6)

    def test_additivity_fails_for_half_of_all_pairs_but_not_for_a_line(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (part,) = cheap.additivity([0, 1]).parts
        assert part.judged.median == pytest.approx(0.5, abs=0.01)
        assert part.verdict == FAILS
        line = nets.Activation("relu", lambda x: 0.5 * x, 1.0)
        monkeypatch.setattr(cheap, "ACTIVATIONS", {**nets.ACTIVATIONS, "relu": line})
        assert cheap.additivity([0, 1]).parts[0].verdict == HOLDS

    def test_a_cost_is_judged_by_its_interval(self) -> None:
        copy = np.full(20, 1e-6)
        seconds = dict.fromkeys(("copy", "relu", "leaky_relu", "square"), copy)
        parts = cheap._cost_parts({**seconds, "sigmoid": 2 * copy, "tanh": 3 * copy}, "1Ki")
        assert [part.verdict for part in parts] == [HOLDS, HOLDS, FAILS]
        slow = {**seconds, "relu": 2 * copy, "sigmoid": copy, "tanh": copy}
        assert [part.verdict for part in cheap._cost_parts(slow, "1Ki")] == [FAILS] * 3
        noisy = copy * np.linspace(0.8, 1.9, 20)
        parts = cheap._cost_parts({**seconds, "relu": noisy, "sigmoid": copy, "tanh": copy}, "1Ki")
        assert parts[0].verdict == PARTLY

    def test_gradients_survive_depth_under_he_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(saturation, "_DEPTHS", (50,))
        he, glorot = saturation.depth([0, 1]).parts
        assert (he.verdict, glorot.verdict) == (HOLDS, FAILS)
        assert glorot.judged.median == pytest.approx(
            2**-25, rel=0.9
        )  # half of the variance goes in every layer

    def test_narrow_deep_networks_are_born_dead_and_leaky_ones_are_not(self) -> None:
        relu, leaky = nets.ACTIVATIONS["relu"], nets.ACTIVATIONS["leaky_relu"]
        assert dying.born_share(relu, 2, 20, 0) > 0.9
        assert dying.born_share(relu, 16, 5, 0) == 0
        assert dying.born_share(leaky, 2, 20, 0) == 0

    def test_a_rate_that_is_too_high_diverges_and_cures_nothing(
        self, monkeypatch: pytest.MonkeyPatch, fresh: None
    ) -> None:
        monkeypatch.setattr(dying, "_STEPS", 100)
        found = dying.high("leaky_relu", 0.3, (0, 1))
        assert found.diverged.all()
        assert np.isnan(found.dead).all()
        part = remedy.still_diverges((0, 1)).parts[-1]
        assert part.verdict == FAILS
        assert {figure.name: figure.median for figure in part.beside}["leaky_relu runs diverged"] == 1

    def test_only_a_slope_recovers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remedy, "_STEPS", 1000)
        stuck, *cured = (part.judged for part in remedy.recovery([0, 1]).parts)
        assert set(stuck.values) == {math.inf}
        assert max(cured[-1].values) < 1000

    def test_zeros_are_counted_before_and_after_training(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sparsity, "_STEPS", 20)
        init, trained, *_ = sparsity.generalisation("spirals", [0, 1]).parts
        for part in (init, trained):
            assert part.judged.median == pytest.approx(0.5, abs=0.15)
            assert [figure.median for figure in part.beside] == [0, 0, 0]


class TestSeeds:
    def _losses(self, seeds: list[int]) -> np.ndarray:
        relu = nets.ACTIVATIONS["relu"]
        with nets.fixed():
            problem = stacked("waves", seeds)
            stack = nets.Stack(seeds, (8, 16, 1), relu.gain)
            return nets.fit(problem, stack, relu, rate=0.1, steps=30).losses

    def test_the_same_seeds_give_the_same_figures_and_others_others(self) -> None:
        first, again = self._losses([3, 4]), self._losses([3, 4])
        np.testing.assert_array_equal(first, again)
        assert first[-1, 0] != first[-1, 1]
        assert first[-1, 0] < first[0, 0]

    def test_neighbours_do_not_touch_each_other(self) -> None:
        np.testing.assert_allclose(self._losses([3])[:, 0], self._losses([5, 3])[:, 1], rtol=1e-4)

    def test_threads_and_mode_are_given_back(self) -> None:
        before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        with nets.fixed():
            assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == (1, True)
        assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


class TestFiles:
    @pytest.fixture
    def measured(self) -> Measured:
        beside = Figure("loss", (0.1 + 0.2, math.inf, math.nan))
        part = replace(_part((0.0, math.nan, 0.05)), beside=(beside,))
        points = {"born_dead": [over("relu", "width 2", x, [0.1, 0.2]) for x in (2.0, 5.0)]}
        return Measured([_claim(part, _part((1.0,), name="q"))], points, ENVIRONMENT)

    def test_read_back_exactly(self, measured: Measured, tmp_path: Path) -> None:
        for name, text in texts(measured).items():
            (tmp_path / name).write_text(text)
        again = read(tmp_path)
        assert texts(again) == texts(measured)
        assert as_markdown(again.claims, [], "f") == as_markdown(measured.claims, [], "f")

    def test_broken_ones_are_one_line(self, measured: Measured, tmp_path: Path) -> None:
        with pytest.raises(StoredError, match="No such file"):
            read(tmp_path)
        for name, text in texts(measured).items():
            (tmp_path / name).write_text(text.replace("<=", "~"))
        with pytest.raises(StoredError, match="measure again"):
            as_markdown(read(tmp_path).claims, [], None)

    def test_figures_repeat_byte_for_byte(self, measured: Measured) -> None:
        pytest.importorskip("altair", reason="figures need altair and vl-convert-python")
        svg = as_svg("born_dead", measured.points["born_dead"])
        assert svg == as_svg("born_dead", measured.points["born_dead"])
        assert 'fill="white"' in svg
        assert "width 2" in svg

    def test_markdown_cannot_be_broken_by_a_cell(self) -> None:
        part = replace(_part((0.0,)), says="a | b * c < d")
        text = as_markdown([_claim(part)], [], None)
        assert r"a \| b \* c &lt; d" in text
        assert "![" not in text


class TestCommand:
    def test_prints_csv_the_same_twice(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, fresh: None
    ) -> None:
        monkeypatch.setattr(dying, "_STEPS", 100)
        printed = []
        for _ in range(2):
            dying._high.cache_clear()
            assert claims.main(["--only", "dead", "--seeds", "2", "--format", "csv"]) == 0
            printed.append(capsys.readouterr().out)
        assert printed[0] == printed[1]
        rows = list(csv.DictReader(io.StringIO(printed[0])))
        assert {row["claim_verdict"] for row in rows} == {FAILS}
        assert all(len(row["values"].split()) == 2 for row in rows)

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ("--only ded", "did you mean 'dead'|nearest|dead"),
            ("--seeds 1", "too few; allowed: 2 to 100"),
            ("--seeds few", "a whole number"),
            ("--format html", "allowed: terminal, markdown, csv"),
            ("--update x.md --only dead", "leave out --only"),
            ("--update x.md --format csv", "leave out --format"),
            ("--check", "--check needs --read"),
            ("--read results/article --seeds 3", "leave out --only and --seeds"),
        ],
    )
    def test_a_mistake_is_one_line(self, options: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            claims.main(options.split())
        assert stopped.value.code == 2
        told = capsys.readouterr().err
        assert re.search(says, told)
        assert told.count("\n") == 1

    def test_what_cannot_be_written_is_said_before_measuring(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="is not a directory"):
            claims.main(["--output", str(tmp_path / "no" / "claims.csv")])
        (tmp_path / "page.md").write_text("no markers")
        with pytest.raises(MarkerError, match="claims:begin"):
            claims.main(["--update", str(tmp_path / "page.md")])
