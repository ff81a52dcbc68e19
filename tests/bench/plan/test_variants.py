"""--variant and --arm: what they take, and what they refuse in a line; and an arm in another Python, for real."""

from __future__ import annotations

import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from bench.plan.option_values import OptionError
from bench.plan.options import parse
from tests.running import Outcome, bench, equal_python


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python of this version without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another Python that has this one's packages, by its own path."""
    return equal_python(tmp_path_factory.mktemp("other"))


def test_an_arm_is_a_variant_in_another_python(other: Path) -> None:
    (found,) = parse({"arm": [f"old@numpy_ufunc:python={other},A=1"]}).variants
    assert (found.name, found.backend, found.python) == ("old", "numpy_ufunc", str(other))
    assert found.environ == (("A", "1"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("old", "'old' is no arm; allowed: NAME@BACKEND:python=PATH"),
        ("old@numpy_ufunc:A=1", "names no Python; allowed"),
        ("old:python=/bin/sh", "names no Python; allowed"),
        ("old@numpy_ufunk:python=/bin/sh", "did you mean 'numpy_ufunc'"),
        ("old@numpy_ufunc:python=/no/such/python", "'/no/such/python' is no file"),
        ("old@numpy_ufunc:python=/bin/cat", "'/bin/cat' is no Python"),
        ("old@numpy_ufunc:python=/", "'/' is no file"),
    ],
)
def test_what_is_no_arm_is_refused_in_a_line(text: str, said: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse({"arm": [text]})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_another_python_lacks_comes_with_the_command(bare: Path) -> None:
    with pytest.raises(OptionError, match=r"lacks numpy, ml_dtypes, psutil: .*python -m pip install numpy"):
        parse({"arm": [f"bare@numpy_ufunc:python={bare}"]})


@pytest.mark.parametrize("version", ["3.9.18", "3.14.0", "4.11.0"])
def test_a_python_of_another_age_is_refused(tmp_path: Path, version: str) -> None:
    old = tmp_path / "python"
    old.write_text(f"#!/bin/sh\necho {version}\n")
    old.chmod(0o755)
    with pytest.raises(
        OptionError, match=rf"is Python {version[:-2].rstrip('.')[:4]}.*; allowed: 3.11 to 3.13"
    ):
        parse({"arm": [f"a@numpy_ufunc:python={old}"]})


def test_two_of_one_name_are_refused(other: Path) -> None:
    with pytest.raises(OptionError, match="'a' is given twice"):
        parse({"variant": ["a@numpy_ufunc:K=V"], "arm": [f"a@numpy_ufunc:python={other}"]})


def test_a_name_stands_for_one_thing(other: Path) -> None:
    """In environment.json, and for who reads it, a variant goes by its name."""
    same = parse({"variant": ["a@numpy_ufunc:K=V", "a@numba_jit:K=V"]}).variants
    assert [each.backend for each in same] == ["numpy_ufunc", "numba_jit"]
    with pytest.raises(OptionError, match="'a' is two different things"):
        parse({"variant": ["a@numpy_ufunc:K=V", "a@numba_jit:K=W"]})
    with pytest.raises(OptionError, match="'a' is two different things"):
        parse({"variant": ["a@numba_jit:K=V"], "arm": [f"a@numpy_ufunc:python={other},K=V"]})


@pytest.fixture(scope="module")
def side_by_side(other: Path, bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A run with arms of two other installs: one has all that this one has, one the worker's own needs alone."""
    (packages,) = (bare.parents[1] / "lib").glob("python*/site-packages")
    for name in ("numpy", "numpy.libs", "ml_dtypes", "psutil"):
        if (found := Path(sysconfig.get_path("purelib"), name)).exists() and not (packages / name).exists():
            (packages / name).symlink_to(found)
    arms = f"--arm other@numpy_ufunc:python={other} --arm bare@numba_jit:python={bare} --max-seconds 0.3"
    few = "--ops relu --directions forward --placements out --sizes 1Ki --benchmark-quiet"
    asked = f"--backends numpy_ufunc,numba_jit --baseline numpy_ufunc {arms} {few}"
    return bench(tmp_path_factory.mktemp("installs"), *asked.split())


@pytest.mark.slow
def test_two_installs_are_measured_side_by_side(side_by_side: Outcome) -> None:
    assert side_by_side.code == 0, side_by_side.text[-3000:]
    rows = {
        row["variant"]: row
        for row in side_by_side.cells
        if row["backend"] == "numpy_ufunc" and row["role"] != "twin"
    }
    assert set(rows) == {"", "other"}
    for row in rows.values():
        assert row["status"] in ("ok", "noisy")
        assert row["python"] == sys.version.split()[0]
        assert row["versions"].startswith("numpy ")
    assert rows["other"]["verdict"] in ("same", "unresolved", "faster", "slower")


@pytest.mark.slow
def test_what_a_framework_lacks_there_is_said_with_its_place(side_by_side: Outcome, bare: Path) -> None:
    (row,) = [row for row in side_by_side.cells if row["variant"] == "bare"]
    assert row["status"] == "skipped"
    assert "numba" in row["reason"]
    assert str(bare) in row["reason"]
