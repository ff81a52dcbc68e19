"""Parameters of an op, as text: whole, within what is allowed, and each spelled in one way."""

from __future__ import annotations

import pytest

from kernels.api import Case
from kernels.op_facts import params_for, params_of_text, whole_params


def test_a_case_has_all_parameters_of_its_op_however_they_are_spelled() -> None:
    assert Case("elu").params == "alpha=1.0"
    assert Case("relu").params == Case("leaky_relu").params == ""
    assert Case("elu", params="alpha=1") == Case("elu") != Case("elu", params="alpha=.5")
    assert Case("elu", params=" alpha = 5e-1 ").params == "alpha=0.5"
    assert Case("prelu", params="slope=-2").values == {"slope": -2.0}


@pytest.mark.parametrize(
    ("op", "text", "says"),
    [
        ("relu", "alpha=1", "relu has no parameter 'alpha'; it has none"),
        ("elu", "slope=1", "elu has no parameter 'slope'; it has alpha"),
        ("elu", "alpha=-0.5", "alpha=-0.5 is out of the range of elu; allowed: 0 to 100"),
        ("prelu", "slope=1e9", r"slope=1e\+09 is out of the range of prelu; allowed: -100 to 100"),
        ("elu", "alpha", "'alpha' gives no parameters; allowed: NAME=NUMBER, as in alpha=0.5"),
        ("elu", "alpha=x", "'alpha=x' gives no parameters"),
        ("elu", "alpha=nan", "'alpha=nan' gives no parameters"),
        ("elu", "alpha=1e999", "gives no parameters"),
        ("elu", "alpha=1;", "gives no parameters"),
        ("elu", "alpha=1;alpha=2", "gives alpha twice"),
    ],
)
def test_what_an_op_does_not_have_or_allow_is_a_sentence(op: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^.*{says}"):
        Case(op, params=text)


def test_of_several_an_op_takes_its_own() -> None:
    asked = ("alpha=0.5", "alpha=2", "slope=0.1")
    assert params_for("elu", asked) == ("alpha=0.5", "alpha=2.0")
    assert params_for("prelu", asked) == ("slope=0.1",)
    assert params_for("relu", asked) == ("",)
    assert params_for("elu", ("",)) == params_for("elu", ("slope=0.1",)) == ("alpha=1.0",)


def test_an_op_that_nobody_here_knows_keeps_what_its_file_says() -> None:
    assert whole_params("Somebodys", "gamma=2;beta=1.5") == "beta=1.5;gamma=2.0"
    assert params_of_text("beta=1.5;gamma=2.0") == {"beta": 1.5, "gamma": 2.0}
