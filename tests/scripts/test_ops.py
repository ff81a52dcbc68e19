"""The table of ops and backends, and that docs/ops.md shows the example as it is."""

from __future__ import annotations

import pytest

from kernels import op_facts, ops
from kernels.api import OPS
from scripts._shared.cli import UsageError
from scripts.ops import main
from tests.running import ROOT


def test_every_op_is_a_row_and_every_refusal_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--backends", "numpy_ufunc", "--why"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{name} " in shown for name in OPS)
    assert "numpy_ufunc: gelu has no expression for numpy: NumPy has no erf" in shown
    row = next(line.split() for line in shown.splitlines() if line.startswith("elu "))
    assert row == ["elu", "alpha=1", "(0", "to", "100)", "8/4,", "4/4", "noi/noi"]


def test_markdown_and_an_op_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        example = ["--op", str(ROOT / "examples" / "own_op.py:Swish"), "--format", "markdown"]
        assert main([*example, "--backends", "numpy_ufunc"]) == 0
    finally:
        ops.own.clear()
        op_facts._OWN.clear()
    assert "| Swish | beta=1.5 | 16/16, 16/16 | noi/- |" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ops", "relo"], "'relo' is not known"),
        (["--op", "nowhere.py:Mine"], "there is no file nowhere.py"),
        (["--backends", "nunpy"], "'nunpy' is not known; allowed: numpy_ufunc"),
    ],
)
def test_usage_errors_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    with pytest.raises((UsageError, SystemExit)) as ended:
        main(arguments)
    assert says in f"{ended.value} {capsys.readouterr().err}"


def test_the_page_shows_the_example_as_it_is() -> None:
    assert (ROOT / "examples" / "own_op.py").read_text() in (ROOT / "docs" / "ops.md").read_text()
