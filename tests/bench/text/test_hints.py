"""What a wrong word is told."""

from __future__ import annotations

import pytest

from bench.text.hints import did_you_mean, nearest

DTYPES = ("float16", "bfloat16", "float32", "float64")


@pytest.mark.parametrize(
    ("typed", "meant"), [("fp32", "float32"), ("bf16", "bfloat16"), ("flaot64", "float64")]
)
def test_what_was_probably_meant(typed: str, meant: str) -> None:
    assert nearest(typed, DTYPES) == meant
    assert did_you_mean(typed, DTYPES) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("allowed", [DTYPES, (), ("",)])
def test_nothing_is_better_than_a_guess(allowed: tuple[str, ...]) -> None:
    assert nearest("int8", allowed) is None
    assert did_you_mean("int8", allowed) == ""


def test_any_word_where_one_has_to_be_named() -> None:
    assert nearest("int8", DTYPES, alike=0.0) in DTYPES


BACKENDS = ("numpy_ufunc", "jax_jit", "torch_eager", "torch_compile", "torch_graph")


@pytest.mark.parametrize(
    ("typed", "allowed", "told"),
    [
        ("torch", BACKENDS, "; did you mean 'torch_eager', 'torch_compile' or 'torch_graph'?"),
        ("pytorch", BACKENDS[:4], "; did you mean 'torch_eager' or 'torch_compile'?"),
        ("jax", BACKENDS, "; did you mean 'jax_jit'?"),
        ("gpu", ("cpu", "cuda"), "; did you mean 'cuda'?"),
        ("half", DTYPES, "; did you mean 'float16'?"),
        ("float", DTYPES, "; did you mean 'float32'?"),
        ("double", DTYPES, "; did you mean 'float64'?"),
    ],
)
def test_what_others_call_it_and_the_beginning_of_several(
    typed: str, allowed: tuple[str, ...], told: str
) -> None:
    assert did_you_mean(typed, allowed) == told
