"""Whatever is typed for an option is taken, or refused in one line; nothing else happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.plan.option_table import OPTIONS, OptionSpec
from bench.plan.options import OptionError, parse

_RUNS_CODE = ("plugin", "callable")
"""What these name is imported, in a process of its own."""
TOO_LONG = "x" * 300
TYPED = [spec for spec in OPTIONS if spec.action != "store_true" and spec.name not in _RUNS_CODE]
_WORDS = (
    *(
        "relu",
        "leaky_relu",
        "float32",
        "torch_eager",
        "cpu",
        "cuda:1",
        "1Ki:64Mi:x4",
        "10-5-3",
        "quick",
        "thp",
        "nan",
    ),
    *(
        "1e999",
        "-0",
        "0x1F",
        "1_000",
        "٣",
        "²",
        "9" * 40,
        "9" * 5000,
        "inf",
        "5%",
        "%",
        "1Ki:2Ki:x1",
        "1:2:x",
        "K=V",
        "alpha=0.5",
        ";",
    ),
    *(
        "A",
        "=",
        ",",
        ":",
        "@",
        "-",
        ".",
        "/",
        "..",
        "\0",
        "\n",
        "\x1b[2J",
        "\u202e",
        "\ud800",
        " ",
        "'",
        '"',
        "\\",
        "*",
    ),
)
text = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(_WORDS), max_size=6).map("".join))


@settings(max_examples=25, deadline=None)
@given(spec=st.sampled_from(TYPED), typed=text)
@example(spec=TYPED[0], typed="9" * 5000)
def test_what_is_typed_is_taken_or_refused_in_one_line(spec: OptionSpec, typed: str) -> None:
    given_value: Any = [typed] if spec.action == "append" else typed
    try:
        parse({spec.name: given_value})
    except OptionError as error:
        said = str(error)
        assert said.startswith("--")
        assert said.isprintable()
        assert len(said) < 1100


@pytest.mark.parametrize(
    ("option", "typed"),
    [
        ("op", f"{TOO_LONG}.py:Mine"),
        ("op", f"{TOO_LONG}/own.py:Mine"),
        ("callable", f"{TOO_LONG}.py:f"),
        ("callable", f"c:{TOO_LONG}/own.so:f"),
        ("arm", f"old@numpy_ufunc:python=/{TOO_LONG}/python"),
    ],
)
def test_a_name_that_is_too_long_for_a_file_is_none(option: str, typed: str) -> None:
    with pytest.raises(OptionError, match="no file") as refused:
        parse({option: [typed]})
    assert str(refused.value).isprintable()
