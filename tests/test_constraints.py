"""constraints.txt pins all that the set-up installs, and nothing else; constraints-hashes.txt has its hashes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution

import pytest
from packaging.requirements import Requirement

from tests.running import ROOT

OURS = "relu-bench"
EXTRAS = ("dev", "examples", "fleet", "heavy-tests", "cuda")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Name, and what follows ==, of each line that is no comment."""
    for line in text.replace("\\\n", "").splitlines():
        if not line.startswith("#"):
            name, _, rest = line.partition("==")
            yield plain(name), rest


def pins() -> dict[str, str]:
    """Version by name, as constraints.txt has them."""
    return dict(entries((ROOT / "constraints.txt").read_text()))


def lines_of(name: str) -> list[str]:
    """The requirements of a distribution, ours as this checkout has them; none of one that is not installed."""
    if name != OURS:
        try:
            return distribution(name).requires or []
        except PackageNotFoundError:
            return []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    return [
        *project["dependencies"],
        *(f"{each}; extra == '{extra}'" for extra in extras for each in extras[extra]),
    ]


def wanted(name: str, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a distribution requires on this machine with these extras."""
    for requirement in map(Requirement, lines_of(name)):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or ("",)):
            yield plain(requirement.name), tuple(sorted(requirement.extras))


def reached(*extras: str) -> set[str]:
    """All that is needed, directly or not, by name."""
    found, left = set(), [(OURS, extras)]
    while left:
        each = left.pop()
        if each not in found:
            found.add(each)
            left += wanted(*each)
    return {name for name, _ in found} - {OURS}


def installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


@pytest.fixture
def _as_pinned() -> None:
    """What an environment of other versions needs is its own affair (CONTRIBUTING.md lists some that are tried)."""
    there = {name: distribution(name).version.partition("+")[0] for name in pins() if installed(name)}
    other = sorted(name for name, version in there.items() if version != pins()[name])
    if other:
        pytest.skip(f"not the versions of constraints.txt: {', '.join(other)}")


@pytest.mark.usefixtures("_as_pinned")
def test_whatever_the_set_up_installs_is_pinned() -> None:
    missing = {name for name in reached("dev") if installed(name)} - pins().keys()
    assert not missing


@pytest.mark.usefixtures("_as_pinned")
def test_whatever_is_pinned_is_needed() -> None:
    needed = reached(*EXTRAS)
    absent = {name for name in needed if not installed(name)}
    superfluous = {name for name in pins().keys() - needed if installed(name) or not absent}
    assert not superfluous


def test_every_pin_has_its_hashes_and_the_file_names_no_other_place() -> None:
    """What `.ci/hashes` writes; pip takes no file but one of these, wherever it comes from."""
    text = (ROOT / "constraints-hashes.txt").read_text()
    hashed = {name: rest.split() for name, rest in entries(text)}
    assert {name: version for name, (version, *_) in hashed.items()} == pins()
    for name, (_, *hashes) in hashed.items():
        assert hashes, name
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), name
