"""What environment.json says of the code."""

from __future__ import annotations

import json
import platform
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from bench.machine import environment
from tests.running import ROOT

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(folder: Path, *arguments: str) -> str:
    named = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *named, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module's file, in a git repository that does not have it."""
    file = tmp_path / "bench" / "environment.py"
    file.parent.mkdir()
    file.write_text("one = 1\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "somebody else's")
    monkeypatch.setattr(environment, "__file__", str(file))
    return file


def test_a_run_knows_the_commit_of_the_code(module: Path) -> None:
    git(module.parent, "add", ".")
    git(module.parent, "commit", "--quiet", "--message", "ours")
    assert environment.describe({})["commit"] == git(module.parent, "rev-parse", "--short=7", "HEAD")
    module.write_text("one = 2\n")
    assert environment.commit() == git(module.parent, "rev-parse", "--short=7", "HEAD") + "+"


def test_installed_within_somebodys_repository_it_has_no_commit(module: Path) -> None:
    assert environment.commit() == ""


def test_without_git_it_has_no_commit(module: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    git(module.parent, "add", ".")
    assert environment.commit() != ""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.commit() == ""


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_this_checkout_is_told() -> None:
    assert environment.commit().rstrip("+") == git(ROOT, "rev-parse", "--short=7", "HEAD")


def test_of_the_environment_only_what_moves_figures_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCH_HUB_TOKEN", "JAX_API_KEY", "NUMBA_CACHE_DIR", "CUDA_HOME", "XLA_ANYTHING"):
        monkeypatch.setenv(name, "mine")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=https://me:word@example.org")
    told = environment.describe({})["environ"]
    assert "mine" not in told.values()
    assert told["OMP_NUM_THREADS"] == "3"
    assert told["XLA_FLAGS"] == "(masked)"


def test_what_is_told_of_a_machine_names_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a run's folder is nothing to hide from others on the machine (results/README.md)."""
    for module, name in ((platform, "node"), (socket, "gethostname"), (socket, "getfqdn")):
        monkeypatch.setattr(module, name, lambda *_: "lab-7.example.org")
    monkeypatch.setenv("HOSTNAME", "lab-7.example.org")
    assert "lab-7" not in json.dumps(environment.describe({}))
