"""What caches hold is known from a record beside them, as long as it speaks of the same code."""

from __future__ import annotations

import getpass
import json
import shutil
from pathlib import Path

import pytest

from bench.plan.cold_caches import Need, need_of
from bench.plan.experiments import Arm, Variant
from bench.records.compiled import Compiled
from bench.records.compiler_caches import CACHES
from kernels.api import Case

LOOP, GRAPH = (need_of(Arm(name), Case("relu")) for name in ("numba_jit", "torch_compile"))
NAME = "relu_bench_compiled.json"


def use(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in that folder, which Numba has compiled in, is the one that runs."""
    for name in ("numba_cpu/loops.py", "ops/relu.py", "backends/torch_compile.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "numba_cpu" / "__pycache__").mkdir()
    (folder / "numba_cpu" / "__pycache__" / "loops.nbi").touch()
    monkeypatch.setattr("bench.records.compiler_caches.KERNELS", folder)
    return folder


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    return use(tmp_path / "checkout", monkeypatch)


@pytest.fixture(autouse=True)
def inductor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch.compile's cache, which has been used."""
    folder = tmp_path / "inductor"
    (folder / "fxgraph" / "ab" / "code").mkdir(parents=True)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
    return folder


def held(*variants: Variant) -> set[str]:
    """The backends whose need a new run knows to be held, each under these variants."""
    arms = [
        Arm(name, variant=each)
        for name in ("numba_jit", "torch_compile")
        for each in variants or (Variant(),)
    ]
    return {need.backend for need in Compiled({}).held(arms)}


def write() -> None:
    assert LOOP is not None
    assert GRAPH is not None
    Compiled({}).add([LOOP, GRAPH])


def test_what_was_written_down_is_known_to_any_run() -> None:
    assert held() == set()
    write()
    assert held() == {"numba_jit", "torch_compile"}
    assert Compiled({}).held([Arm("numba_jit"), Arm("numpy_ufunc")]) == {LOOP}
    other = need_of(Arm("numba_jit"), Case("relu", dtype="float64"))
    assert other is not None
    Compiled({}).add([other])
    assert Compiled({}).held([Arm("numba_jit")]) == {LOOP, other}


@pytest.mark.parametrize("user", ["ann", "LAB\\ann", None])
def test_torchs_cache_is_where_torch_has_it(user: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    torchs = pytest.importorskip("torch._inductor.runtime.cache_dir_utils", reason="needs PyTorch")
    monkeypatch.setenv("LOGNAME", user or "")
    if user is None:
        monkeypatch.setattr(getpass, "getuser", _nobody)
    place = CACHES["torch_compile"].place({})
    assert place is not None
    assert str(place.root) == torchs.default_cache_dir()


def _nobody() -> str:
    raise OSError("No username set in the environment")  # in a container that runs with `--user 1234`


def test_a_cache_that_is_gone_holds_nothing(checkout: Path, inductor: Path) -> None:
    write()
    shutil.rmtree(inductor)
    assert held() == {"numba_jit"}
    (checkout / "numba_cpu" / "__pycache__" / "loops.nbi").unlink()  # the record is still there
    assert held() == set()


def test_another_checkout_shares_torchs_cache_and_has_its_own_for_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    use(tmp_path / "another", monkeypatch)
    assert held() == {"torch_compile"}


def test_it_speaks_of_the_libraries_that_it_was_written_with(monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.version", lambda name: "0.1" if name == "numba" else "")
        assert held() == set()
    assert held() == {"numba_jit", "torch_compile"}


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("numba_cpu/loops.py", {"torch_compile"}),
        ("backends/torch_compile.py", {"numba_jit"}),
        ("ops/relu.py", set()),
    ],
)
def test_it_speaks_of_the_source_that_it_was_written_with(checkout: Path, name: str, left: set[str]) -> None:
    write()
    (checkout / name).write_text("other code")
    assert held() == left
    (checkout / name).write_text(name)
    assert held() == {"numba_jit", "torch_compile"}


def test_a_users_own_op_is_another_once_its_file_is_edited(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("class Swish: ...")
    need = Need("numba_jit", Variant(), ("Swish", "forward", "float32", "contiguous", ""))
    plugins = {"Swish": f"op={file}:Swish"}
    Compiled(plugins).add([need])
    assert Compiled(plugins).held([Arm("numba_jit")]) == {need}
    file.write_text("class Swish: 'other'")
    assert Compiled(plugins).held([Arm("numba_jit")]) == set()


def test_a_variant_shares_what_does_not_depend_on_it(tmp_path: Path) -> None:
    write()
    assert held(Variant("thp", (("THP_MEM_ALLOC_ENABLE", "1"),))) == {"numba_jit", "torch_compile"}
    assert held(Variant("one", (("OMP_NUM_THREADS", "1"),))) == set()
    assert held(Variant("away", (("NUMBA_CACHE_DIR", str(tmp_path)),))) == {"torch_compile"}


@pytest.mark.parametrize("text", [b"\xff\xfe", b"nonsense", b"[1]", b'{"a": 3, "b": [4]}'])
def test_a_record_that_tells_nothing_is_passed_over(inductor: Path, text: bytes) -> None:
    write()
    (inductor / NAME).write_bytes(text)
    assert held() == {"numba_jit"}
    write()
    assert held() == {"numba_jit", "torch_compile"}


def test_entries_of_other_backends_and_forms_are_passed_over(inductor: Path) -> None:
    write()
    record = json.loads((inductor / NAME).read_bytes())
    (stamp,) = record
    (inductor / NAME).write_text(
        json.dumps({stamp: ["", "torch_compile|relu|", "someone|relu|forward||", *record[stamp]]})
    )
    assert Compiled({}).held([Arm("torch_compile")]) == {GRAPH}


def test_where_nothing_can_be_written_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "file"))
    write()
    assert held() == {"numba_jit"}


def test_a_record_keeps_the_latest_code_alone(checkout: Path) -> None:
    for number in range(40):
        (checkout / "ops" / "relu.py").write_text(str(number))
        write()
    record = json.loads((checkout / "__pycache__" / NAME).read_bytes())
    assert len(record) == 32
    assert held() == {"numba_jit", "torch_compile"}
