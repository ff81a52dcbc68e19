"""`scripts/recommend.py` at sizes that were not measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import experiment, write_run
from tests.recommending import ENVIRONMENT, asked, one, planted, said, settings_of


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return planted(tmp_path / "run1")


class TestBetweenSizes:
    def test_the_time_is_told_within_the_stated_miss(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sizes = [1 << power for power in range(10, 25, 2)]
        bend = 0.03  # every second size is slower than any line has it

        def seconds(n: int, latency_s: float, rate: float) -> float:
            return (latency_s + 8 * n / rate) * (1 + bend * ((n.bit_length() // 2) % 2))

        cells = [
            cell
            for n in sizes
            for cell in experiment(
                {"numpy_ufunc": seconds(n, 1e-6, 10e9), "torch_eager": seconds(n, 4e-6, 40e9)}, n=n
            )
        ]
        run = write_run(tmp_path / "run1", cells, environment=ENVIRONMENT)
        found = one(capsys, "--n", "3Mi", "--now", "numpy_ufunc", run)
        truth = 4e-6 + 8 * (3 << 20) / 40e9
        worst = found["fits"]["torch_eager"]["worst_miss"]
        assert found["basis"] == "fitted"
        assert bend / 2 < worst < 3 * bend
        assert abs(found["time_s"] / truth - 1) <= worst
        assert found["over_now"]["lo"] < 4 < found["over_now"]["hi"]

    def test_the_crossover_is_where_it_was_planted(
        self, run: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = one(capsys, "--n", "64Ki", run)["crossovers"]  # 1 us + 0.8 ns n = 4 us + 0.2 ns n
        assert (first["name"], second["name"]) == ("numpy_ufunc", "torch_eager")
        assert second["first"] == pytest.approx(5000, rel=0.05)

    @pytest.mark.parametrize(("size", "leader"), [("2Ki", "numpy_ufunc"), ("64Ki", "torch_eager")])
    def test_each_side_of_it_has_its_leader(
        self, run: Path, capsys: pytest.CaptureFixture[str], size: str, leader: str
    ) -> None:
        assert one(capsys, "--n", size, run)["use"]["name"] == leader

    def test_beyond_the_sizes_nothing_is_sure(self, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
        found = one(capsys, "--n", "256Mi", "--now", "numpy_ufunc", run)
        assert (found["basis"], found["sure"]) == ("extrapolated", False)
        assert found["over_now"]["lo"] is found["over_now"]["hi"] is None
        assert settings_of(found["measure"][0]).grids[0]["n"] == (1 << 28,)
        text = said(capsys, "--n", "256Mi", "--placement", "new", "--now", "numpy_ufunc", run)
        assert text.startswith(
            "Probably torch_eager; measure to know: it comes out 4.00 times (interval unknown)"
        )
        assert "told from extrapolated curves; measured: 4.00 times at 16Mi" in text

    def test_between_sizes_the_answer_agrees_with_the_table(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Curves that miss by more than what they tell: no verdict, and still no "keep" above a table that says 2x."""
        bends = {10: 1.0, 14: 1.4, 18: 0.6, 22: 1.5, 26: 0.9}
        cells = [
            each
            for power, bend in bends.items()
            for each in experiment(
                {"torch_eager": 4e-9 * 2**power * bend, "jax_jit": 2e-9 * 2**power}, n=1 << power
            )
        ]
        run = write_run(tmp_path / "run1", cells, environment=ENVIRONMENT)
        found = one(capsys, "--n", "1Mi", run)
        assert (found["basis"], found["sure"], found["keep"], found["use"]["name"]) == (
            "fitted",
            False,
            False,
            "jax_jit",
        )
        assert found["over_now"]["verdict"] == "unresolved"
        assert [each["n"] for each in found["neighbours"]] == [1 << 18, 1 << 22]
        assert [each["over_now"] for each in found["neighbours"]] == pytest.approx([1.2, 3.0])
        text = said(capsys, "--n", "1Mi", "--placement", "new", run)
        assert text.startswith("Probably jax_jit; measure to know: it comes out ")
        assert "measured: 1.20 times at 256Ki and 3.00 times at 4Mi" in text.splitlines()[0]
        assert settings_of(text.splitlines()[-2]).grids[0]["n"] == (1 << 20,)
        assert ": sure" not in text

    def test_one_size_is_no_curve(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run = write_run(tmp_path / "run1", experiment({"numpy_ufunc": 1e-3, "jax_jit": 2e-3}))
        found = asked(capsys, "--n", "4Ki", "--placement", "new", run, code=1)
        assert "only measured at 1Ki elements" in found["missing"][0]["reason"]
