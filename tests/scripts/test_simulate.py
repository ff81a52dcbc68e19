"""simulate.py: recordings are kept and read, and simulated rates are those of noise whose truth is known."""

from __future__ import annotations

import gzip
import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from scripts import simulate
from scripts._shared.cli import UsageError
from scripts._simulate.condense import condense
from scripts._simulate.coverage import coverage_table
from scripts._simulate.disturbance import CANDIDATES, SUITE, disturbance_table
from scripts._simulate.figures import Figure, markdown
from scripts._simulate.host import host_table
from scripts._simulate.noise import Noise
from scripts._simulate.racing import racing_table
from scripts._simulate.rates import rate_table
from scripts._simulate.recordings import Batch, Experiment, experiments, read, write
from tests.factories import sampled, write_run

ARMS = {
    "numpy_ufunc": ("numpy_ufunc", "baseline", 0),
    "numpy_ufunc (twin)": ("numpy_ufunc", "twin", 0),
    "numba_jit": ("numba_jit", "candidate", 0),
    "numba_parallel": ("numba_parallel", "candidate", 1),
    "torch_eager": ("torch_eager", "candidate", 1),
}


def batches(
    cases: int = 6,
    processes: int = 3,
    rounds: int = 10,
    *,
    process_sd: float = 0.005,
    round_sd: float = 0.01,
    slow_parallel: float = 0.0,
    apart: float = 0.0,
    last_behind: float = 0.0,
    third_off: Mapping[str, float] = MappingProxyType({}),
) -> list[Batch]:
    """Arms of one speed, or each so much slower than the one before.

    Where parallel arms find slow CPUs, they do in every other round, and in all of the second process.
    """
    rng = np.random.default_rng(1)
    made = []
    for case in range(cases):
        for process in range(1, processes + 1):
            for place, (name, (backend, role, parallel)) in enumerate(ARMS.items()):
                offset = rng.normal(0.0, process_sd) + place * apart + (name == "torch_eager") * last_behind
                offset += (process == 3) * third_off.get(name, 0.0)
                for number in range(rounds):
                    slow = slow_parallel * parallel * (number % 2 == 0 or process == 2)
                    seconds = 1e-3 * math.exp(offset + slow + rng.normal(0.0, round_sd))
                    readings = (1e-5 * math.exp(slow), 0.0)
                    made.append(
                        Batch(
                            f"case {case}", 8192, backend, name, role, parallel, process, number, 20,
                            seconds, seconds, seconds, *readings,
                        )
                    )  # fmt: skip
    return made


def values(figures: list[Figure], column: str) -> dict[str, float]:
    return {figure.row: figure.value for figure in figures if figure.column == column}


def plain(found: list[Experiment]) -> list[list[np.ndarray]]:
    return CANDIDATES["median of parts"](found)


@pytest.mark.parametrize("name", ["one.csv", "one.csv.gz"])
def test_a_recording_is_read_back_and_is_the_same_file_for_the_same_batches(
    name: str, tmp_path: Path
) -> None:
    made = batches(cases=1)
    write(tmp_path / name, made)
    first = (tmp_path / name).read_bytes()
    again = read(tmp_path / name)
    assert [each.arm for each in again] == [each.arm for each in made]
    assert [each.seconds for each in again] == pytest.approx([each.seconds for each in made], rel=1e-4)
    write(tmp_path / name, again)
    assert (tmp_path / name).read_bytes() == first
    assert not name.endswith("gz") or first[4:8] == bytes(4), "the file tells when it was written"


@pytest.mark.parametrize("content", [b"", b"case,arm\n1,2\n", gzip.compress(b"x", mtime=0)[:9], b"\xff\xfe"])
def test_a_file_that_is_no_recording_is_told_in_one_line(content: bytes, tmp_path: Path) -> None:
    for name in ("no.csv", "no.csv.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UsageError) as caught:
            simulate.main([str(tmp_path / name)])
        assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="No such file"):
        simulate.main([str(tmp_path / "nothing.csv")])


def test_without_anything_to_read_it_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        simulate.main([])
    assert caught.value.code == 2
    assert "name a recording" in capsys.readouterr().err


def test_an_arm_with_few_rounds_and_a_round_that_others_lack_are_left_out() -> None:
    made = [each for each in batches(cases=1) if each.arm != "numba_jit" or each.round < 3]
    made = [each for each in made if each.arm != "torch_eager" or each.round != 4]
    (found,) = experiments(made)
    assert found.backends == ("numpy_ufunc", "numpy_ufunc", "numba_parallel", "torch_eager")
    assert [visit.seconds.shape for visit in found.visits] == [(4, 9)] * 3


def test_without_rounds_of_its_baseline_an_experiment_is_left_out() -> None:
    """All that others are compared with; races end some arms early."""
    made = [
        each
        for each in batches(cases=2)
        if each.arm != "numpy_ufunc" or each.case != "case 0" or each.round < 3
    ]
    assert [each.case for each in experiments(made)] == ["case 1"]


def test_networks_of_a_run_are_left_out() -> None:
    run = Path(__file__).parents[2] / "results" / "reference" / "amd-epyc-2c-network"
    assert condense([run]) == []


def test_the_model_takes_off_what_slow_cpus_cost_parallel_arms() -> None:
    found = experiments(batches(slow_parallel=0.4))
    between = values(list(disturbance_table("disturbance", found)), "process, parallel")
    assert between["median of parts"] > 5.0
    assert between[SUITE] < 2.0


def test_without_slow_cpus_the_model_changes_nothing() -> None:
    found = experiments(batches())
    assert np.array_equal(np.concatenate(CANDIDATES[SUITE](found), 2), np.concatenate(plain(found), 2))


def test_equal_arms_are_hardly_ever_called_different_and_a_tenth_is_found() -> None:
    found = experiments(batches(cases=12, apart=0.2))
    rates = list(rate_table("rates", Noise(found, plain(found))))
    assert max(values(rates, "equal: different").values()) <= 3.0
    assert values(rates, "10 %: found")["16 rounds"] >= 90.0
    assert values(rates, "5 %: same")["16 rounds"] <= 1.0
    assert values(rates, "equal: same")["48 rounds"] >= values(rates, "equal: same")["8 rounds"]


def test_processes_that_differ_more_leave_more_unresolved() -> None:
    calm, wild = (experiments(batches(cases=12, process_sd=sd)) for sd in (0.002, 0.08))
    shares = [
        values(list(rate_table("rates", Noise(each, plain(each)))), "10 %: found") for each in (calm, wild)
    ]
    assert shares[0]["48 rounds"] > 90.0
    assert shares[1]["48 rounds"] < 60.0


def test_made_up_pairs_differ_by_what_their_processes_do() -> None:
    found = experiments(batches(process_sd=0.05, round_sd=1e-5, apart=0.2))
    for sample in Noise(found, plain(found)).run(np.random.default_rng(1), 16, 2):
        for one, visits in zip(sample.arms.against, sample.paired, strict=True):
            for alone, paired in zip(sample.alone, visits, strict=True):
                assert np.median(paired, 1) == pytest.approx(np.median(alone - alone[one], 1), abs=1e-3)


def test_made_up_processes_share_what_arms_of_a_kind_shared() -> None:
    found = experiments(batches(cases=12, third_off={"numba_parallel": 0.4, "torch_eager": 0.4}))
    noise, rng = Noise(found, plain(found)), np.random.default_rng(1)
    medians = [np.median(sample.alone[0], 1) for _ in range(10) for sample in noise.run(rng, 16, 2)]
    serial, one, other = np.array(medians).T[2:]
    assert np.std(one - other) < 0.03
    assert np.std(one - serial) > 0.06


def test_on_a_made_up_host_only_the_model_is_fair_to_parallel_arms() -> None:
    biases = values(list(host_table("host")), "500 ms")
    assert biases["median of parts"] > 15.0
    assert abs(biases[SUITE]) < 8.0


def test_racing_saves_the_rounds_of_arms_that_are_far_behind() -> None:
    far, near = (experiments(batches(last_behind=by)) for by in (0.5, 0.0))
    row = "4 rounds, behind by 10 %"
    lost, kept = (list(racing_table("racing", each, plain(each))) for each in (far, near))
    assert values(lost, "dropped")[row] == pytest.approx(25.0)
    assert values(kept, "dropped")[row] == 0.0
    assert values(lost, "time saved")[row] > values(kept, "time saved")[row] > 0.0
    assert values(lost, "of them within 5 % at the end")[row] == 0.0


def test_intervals_hold_a_third_process_as_often_as_is_meant() -> None:
    found = experiments(batches(cases=30))
    table = list(coverage_table("coverage", found, plain(found)))
    for row, held in values(table, "held").items():
        assert held == pytest.approx(values(table, "meant")[row], abs=15.0)
    found = experiments(batches(third_off={"numba_jit": 0.5, "torch_eager": -0.5}))
    assert values(list(coverage_table("coverage", found, plain(found))), "held")["process 3"] < 40.0


def test_a_table_has_rows_and_columns_in_their_order() -> None:
    figures = [Figure("t", "b", "y", 1.25), Figure("t", "b", "x", 2.0, 0), Figure("t", "a", "x", math.nan)]
    header, _, *rows = (line.strip("|").split("|") for line in markdown(figures, "row").splitlines())
    assert [[cell.strip() for cell in row] for row in (header, *rows)] == [
        ["row", "y", "x"],
        ["b", "1.2", "2"],
        ["a", "", ""],
    ]


def test_runs_become_one_recording_with_their_processes_numbered_on(tmp_path: Path) -> None:
    samples = {"numpy_ufunc": [1e-3] * 16, "numba_parallel": [2e-3] * 16, "twin": [1.1e-3] * 16}
    cells, rounds = sampled(samples, processes=2)
    runs = [str(write_run(tmp_path / name, cells, rounds)) for name in ("one", "two")]
    kept = tmp_path / "kept.csv.gz"
    assert simulate.main([*runs, "--keep", str(kept)]) == 0
    found = read(kept)
    assert {each.process for each in found} == {1, 2, 3, 4}
    assert {(each.arm, each.role) for each in found} == {
        ("numpy_ufunc", "baseline"),
        ("numba_parallel", "candidate"),
        ("numpy_ufunc (twin)", "twin"),
    }
    assert {each.seconds for each in found if each.role == "twin"} == {1.1e-3}


def test_what_was_simulated_is_kept_shown_and_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, kept = tmp_path / "page.md", str(tmp_path / "kept")
    page.write_text("<!-- simulate:begin -->\n\n<!-- simulate:end -->\n", encoding="utf-8")
    write(tmp_path / "calm.csv.gz", batches(cases=2))
    assert simulate.main([str(tmp_path / "calm.csv.gz"), "--save", kept, "--update", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    assert "Noise of `calm`" in text
    assert "recordings calm.csv.gz." in text
    assert str(tmp_path) not in text
    assert simulate.main(["--read", kept, "--update", str(page), "--check"]) == 0
    page.write_text(text.replace("16 rounds", "17 rounds"), encoding="utf-8")
    assert simulate.main(["--read", kept, "--update", str(page), "--check"]) == 1
    capsys.readouterr()
    assert simulate.main(["--read", kept]) == 0
    assert "16 rounds" in capsys.readouterr().out
