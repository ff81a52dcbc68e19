"""Others' text: whatever it holds, it is shown and does nothing."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.text.foreign import in_csv, in_latex, in_markdown, plain


@settings(max_examples=50)
@given(st.text())
def test_plain_text_is_one_line_that_steers_nothing(text: str) -> None:
    shown = plain(text)
    assert shown.isprintable()
    assert plain(shown) == shown
    assert len(shown.encode()) >= len(shown)  # no lone surrogate


def test_what_steers_terminals_and_the_direction_of_writing_is_seen() -> None:
    assert plain("a\x1b[2Jb\u202ec\u2066d\u200be\x7f\x9b\ud800") == "a?[2Jb?c?d?e???"
    assert plain(" two\n\twords\x00 ") == "two words?"
    assert plain("naïve ﬀ 日本 ±") == "naïve ﬀ 日本 ±"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("![a](http://x/y.png)", r"![a\](http://x/y.png)"),
        ("[a](javascript:x)", r"[a\](javascript:x)"),
        ("[a][b]", r"[a\][b]"),
        ("[a]: http://x", r"[a\]: http://x"),
        ("<img src=x>|*b*", r"&lt;img src=x>\|\*b\*"),
        ("torch_eager[thp] 2.31x [2.25, 2.38]", "torch_eager[thp] 2.31x [2.25, 2.38]"),
    ],
)
def test_markdown_has_no_link_image_tag_or_cell_of_theirs(text: str, written: str) -> None:
    assert in_markdown(text) == written


def test_latex_prints_it() -> None:
    assert in_latex(r"\input{/etc/passwd} 5 % $x$") == r"\textbackslash{}input\{/etc/passwd\} 5 \% \$x\$"


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1"])
def test_no_field_is_a_formula(text: str) -> None:
    assert in_csv(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "-", "-1.5e-3", "+2", "a=b", "relu(-0)=+0"])
def test_numbers_and_usual_words_stay_as_they_are(text: str) -> None:
    assert in_csv(text) == text


@settings(max_examples=50)
@given(st.text())
def test_whatever_a_reason_was_its_field_is_read_back_and_no_formula(text: str) -> None:
    field = in_csv(plain(text))
    file = io.StringIO()
    csv.writer(file).writerow([field])
    assert next(csv.reader(io.StringIO(file.getvalue()))) == ([field] if field else [""])
    assert len(field) < 2 or field[0] not in "=@" or field[0] == "'"
