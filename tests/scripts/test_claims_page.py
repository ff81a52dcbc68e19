"""`docs/article.md`: it says what `scripts/claims.py` measured, all of it, and its examples run."""

from __future__ import annotations

import re

import pytest

from scripts import claims
from scripts._claims.catalogue import CATALOGUE
from scripts._claims.stored import FILES, claims_csv, read
from scripts._claims.table import sentences
from tests.running import ROOT

pytestmark = pytest.mark.slow


class TestPage:
    def test_says_what_was_measured(self, capsys: pytest.CaptureFixture[str]) -> None:
        options = [
            "--read",
            str(ROOT / "results/article"),
            "--update",
            str(ROOT / "docs/article.md"),
            "--check",
        ]
        assert claims.main(options) == 0, capsys.readouterr().out

    def test_its_figures_exist_and_its_numbers_are_all_there(self) -> None:
        page = (ROOT / "docs/article.md").read_text(encoding="utf-8")
        linked = re.findall(r"\]\(\.\./(results/[^)]+)\)", page)
        assert len([name for name in linked if name.endswith(".svg")]) == 4
        for name in (*linked, *(f"results/article/{file}" for file in FILES)):
            assert (ROOT / name).is_file(), name
        measured = read(ROOT / "results/article")
        assert [claim.key for claim in measured.claims] == list(CATALOGUE)
        assert claims_csv(measured.claims) == (ROOT / "results/article/claims.csv").read_text()

    def test_an_experiment_is_explained_before_its_verdict_and_every_work_says_something(self) -> None:
        for text in (ROOT / "docs/article.md").read_text(encoding="utf-8").split("\n### ")[1:]:
            told = [
                text.index(word) for word in ("**What is tried.**", "**Verdict: ", "**Why.**", "<details>")
            ]
            assert told == sorted(told)
            assert "(source): " in text

    def test_the_network_is_five_rows_and_the_rest_an_appendix(self) -> None:
        text = (ROOT / "docs/article.md").read_text(encoding="utf-8")
        first, everything = (
            text.split(f"<!-- {name}:begin -->")[1].split(f"<!-- {name}:end -->")[0]
            for name in ("network", "all-networks")
        )
        assert len(re.findall(r"^\| 10-5-3", first, re.MULTILINE)) == 5
        assert len(re.findall(r"^\| \d+-", everything, re.MULTILINE)) > 50
        assert text.index("## Appendix") > text.index("<!-- claims:end -->")

    def test_every_figure_in_its_sentences_was_measured(self) -> None:
        for claim in read(ROOT / "results/article").claims:
            assert not re.search(r"[{}]| -[ .,;]", sentences(claim)), sentences(claim)

    def test_its_examples_print_what_stands_beside_them(self, capsys: pytest.CaptureFixture[str]) -> None:
        pytest.importorskip("torch", reason="they are programs in PyTorch")
        page = (ROOT / "docs/article.md").read_text(encoding="utf-8")
        (program,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
        exec(program, {})  # the page's own text
        wanted = [line.removeprefix("# ") for line in program.splitlines() if line.startswith("# ")]
        assert capsys.readouterr().out.splitlines() == wanted
