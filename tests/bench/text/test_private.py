"""Secrets are masked by their name or their look; names of hosts, users and folders are left out when asked."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from bench.text import private
from bench.text.private import MASKED, anonymous, masked, secrets_in, without


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TORCH_HUB_TOKEN", "x"),
        ("JAX_API_KEY", "short"),
        ("MY_PASSWORD", "1234"),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("SIGNING_KEY", "a"),
        ("A", "ghp_" + "a1B2" * 9),
        ("A", "sk-" + "abcd1234" * 3),
        ("A", "AKIA" + "ABCDEFGH12345678"),
        ("A", "https://me:word@example.org/x"),
        ("A", "eyJhbGciOiJIUzI1.eyJzdWIi.c2ln"),
        ("A", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
        ("A", "before=wJalrXUtnFEMI4K7MDENGabPxRfiCY0EXAMPLE"),
        ("A", "-----BEGIN PRIVATE KEY-----"),
    ],
)
def test_what_looks_like_a_secret_is_masked(name: str, value: str) -> None:
    assert masked(name, value) == MASKED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_NUM_THREADS", "16"),
        ("THP_MEM_ALLOC_ENABLE", "1"),
        ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1073741824"),
        ("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false --xla_force_host_platform_device_count=16"),
        ("LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
        ("PYTORCH_CUDA_ALLOC_CONF", "garbage_collection_threshold:0.6,max_split_size_mb:128"),
        ("KMP_AFFINITY", "granularity=fine,compact,1,0"),
        ("MALLOC_CONF", "background_thread:true,metadata_thp:auto,dirty_decay_ms:9000,muzzy_decay_ms:9000"),
    ],
)
def test_what_a_user_wants_to_see_again_is_not(name: str, value: str) -> None:
    assert masked(name, value) == value


def test_of_paths_the_last_part_is_left() -> None:
    assert anonymous("OSError: '/home/ann/x y.so': no /opt/lib/z.so") == "OSError: '…/x y.so': no …/z.so"
    assert anonymous({"a": ["fast=relu@numpy:/home/ann/my.py:f", 1.5, None]}) == {
        "a": ["fast=relu@numpy:…/my.py:f", 1.5, None]
    }
    assert anonymous(r"C:\Users\ann\my.py") == "…/my.py"
    assert anonymous("3 GB/s, 1/2, numpy 2.3, float16/32") == "3 GB/s, 1/2, numpy 2.3, float16/32"


def test_host_and_user_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "lab-7.example.org")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ann"))
    private._names.cache_clear()
    try:
        assert anonymous("ann on lab-7.example.org: annual LAB-7") == "user on host: annual host"
    finally:
        private._names.cache_clear()


def test_a_user_without_a_name_and_a_home_has_none_to_leave_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs with `--user 1234`."""
    for name in ("HOME", "USERPROFILE", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    pwd = pytest.importorskip("pwd", reason="where there is no such file, variables alone name a user")

    def nobody(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    private._names.cache_clear()
    try:
        assert anonymous("/srv/my.py") == "…/my.py"
    finally:
        private._names.cache_clear()


def test_secrets_are_taken_out_of_any_text() -> None:
    token = "ghp_" + "a1B2" * 9
    secrets = secrets_in(
        [("A", token), ("MY_PASSWORD", "word"), ("OMP_NUM_THREADS", "1234567"), ("PIN_KEY", "0")]
    )
    assert secrets == {token}
    assert without(secrets, f"OSError: {token} was refused ({token[:-1]}); 0 word") == (
        f"OSError: {MASKED} was refused ({token[:-1]}); 0 word"
    )
