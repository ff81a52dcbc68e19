"""A run goes on only under what it was begun with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.machine.environment import DIFFERS
from bench.plan.options import parse
from bench.records.errors import RunFilesError
from bench.records.lock import alone_in
from bench.run.identity import check_same, conditions, new_run_id

_VARIANT = {"variant": ["pages@numpy_ufunc:OMP_NUM_THREADS=1"]}


def _conditions(options: dict[str, Any]) -> dict[str, Any]:
    return conditions(parse(options), processes=2, devices=("cpu",))


def test_the_same_conditions_go_on() -> None:
    now = _conditions(_VARIANT)
    check_same("mine", _conditions(_VARIANT), now)
    check_same("mine", _conditions({}), now)  # another variant is more of the same run
    check_same(
        "mine", {name: now[name] for name in DIFFERS}, now
    )  # files of earlier versions say nothing of options


def test_a_variant_keeps_its_meaning() -> None:
    """Rows of two settings under one name could not be told apart."""
    now = _conditions({"variant": ["pages@numpy_ufunc:OMP_NUM_THREADS=2"]})
    with pytest.raises(RunFilesError, match=r"in run mine pages is .*1.*, and .*2.* now; use another name"):
        check_same("mine", _conditions(_VARIANT), now)


def test_results_that_no_folder_can_have_get_a_name_and_are_refused_when_they_are_made() -> None:
    results = Path("x" * 300)
    with (
        pytest.raises(RunFilesError, match=r"cannot write to x+/.*File name too long"),
        alone_in(results / new_run_id(results)),
    ):
        pass
