"""Limits of control groups: nested ones, both versions, and none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.machine import cgroups
from bench.machine.memory import free_bytes

GIB = 1 << 30
UNLIMITED = 0x7FFFFFFFFFFFF000
"""What version 1 says where there is no limit."""


@pytest.fixture
def mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where control groups are told of instead, so far none."""
    monkeypatch.setattr(cgroups, "_MOUNT", tmp_path)
    monkeypatch.setattr(cgroups, "_OWN", tmp_path / "own")
    return tmp_path


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_without_control_groups_the_machine_is_the_limit(mount: Path) -> None:
    assert (
        cgroups.memory_limit() is cgroups.memory_left() is cgroups.cpu_limit() is cgroups.throttled() is None
    )
    assert free_bytes() == pytest.approx(psutil.virtual_memory().available, rel=0.2)


@pytest.mark.parametrize("limited", ["a/b", "a", "."])
def test_a_limit_anywhere_above_the_process_counts(mount: Path, limited: str) -> None:
    (mount / "own").write_text("0::/a/b\n")
    group(mount / "a" / "b", memory__max="max", memory__current=0, cpu__max="max 100000")
    group(mount / limited, memory__max=2 << 20, memory__current=1 << 20, cpu__max="50000 100000")
    assert cgroups.memory_limit() == 2 << 20
    assert free_bytes() == cgroups.memory_left() == 1 << 20
    assert cgroups.cpu_limit() == 0.5


def test_the_least_of_several_limits_counts(mount: Path) -> None:
    (mount / "own").write_text("0::/a/b\n")
    group(mount / "a", memory__max=8 * GIB, memory__current=7 * GIB, cpu__max="100000 100000")
    group(mount / "a" / "b", memory__max=4 * GIB, memory__current=GIB, cpu__max="300000 100000")
    assert (cgroups.memory_limit(), cgroups.memory_left(), cgroups.cpu_limit()) == (4 * GIB, GIB, 1.0)


def test_version_1_has_a_tree_for_each_controller(mount: Path) -> None:
    (mount / "own").write_text("4:memory:/a/b\n1:cpu,cpuacct:/c\n")
    group(mount / "memory", memory__limit_in_bytes=UNLIMITED, memory__usage_in_bytes=GIB)
    group(mount / "memory" / "a" / "b", memory__limit_in_bytes=2 * GIB, memory__usage_in_bytes=GIB // 2)
    group(
        mount / "cpu" / "c", cpu__cfs_quota_us=150000, cpu__cfs_period_us=100000, cpu__stat="nr_throttled 7"
    )
    assert (cgroups.memory_limit(), cgroups.memory_left()) == (2 * GIB, GIB + GIB // 2)
    assert (cgroups.cpu_limit(), cgroups.throttled()) == (1.5, 7)


def test_in_a_container_the_path_may_be_that_of_the_host(mount: Path) -> None:
    (mount / "own").write_text("0::/docker/0123\n")
    group(mount, memory__max=GIB, memory__current=0)
    assert cgroups.memory_limit() == GIB


def test_pages_of_files_that_are_given_back_at_once_are_not_used_up(mount: Path) -> None:
    (mount / "own").write_text("0::/\n")
    group(mount, memory__max=2 * GIB, memory__current=2 * GIB, memory__stat=f"anon 1\ninactive_file {GIB}")
    assert cgroups.memory_left() == GIB


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A real group below our own, of 8 GiB; skips where none can be made (it takes root)."""
    mine = next((folder for folder in cgroups._folders("memory") if folder.is_dir()), None)
    if mine is None:
        pytest.skip("no control groups")
    group = mine / f"relu-bench-test-{os.getpid()}"
    names = ("memory.limit_in_bytes", "memory.max")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no group can be made: {error}")
    try:
        limit = next((group / name for name in names if (group / name).exists()), None)
        if limit is None:
            pytest.skip("the memory of groups below ours is not limited")
        limit.write_text(str(8 * GIB))
        yield group
    finally:
        group.rmdir()


IN_GROUP = """
import os, sys
from pathlib import Path
Path(sys.argv[1], "cgroup.procs").write_text(str(os.getpid()))
from bench.arrays.footprint import why_too_large
from bench.machine import cgroups, memory
from kernels.api import Case
case = Case("relu", direction="backward", n=64 << 20)
print(cgroups.memory_limit(), memory.free_bytes() <= cgroups.memory_limit())
print(why_too_large(case, 12) is None, why_too_large(case, 12, in_turn=True))
"""


def test_a_real_limit_is_seen_and_8_gib_hold_64mi_backward_in_turn(small_group: Path) -> None:
    """For twelve arms at once that is not enough."""
    done = subprocess.run(
        [sys.executable, "-c", IN_GROUP, str(small_group)], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [f"{8 * GIB} True", "False None"], done.stderr
