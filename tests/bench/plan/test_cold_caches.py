"""What compilers will have to do is told by the runs before."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.plan.cold_caches import compile_s
from bench.plan.experiments import Experiment
from bench.plan.options import parse
from bench.plan.time_plan import time_plan
from bench.run.run import plan

HEADER = "run_id,backend,variant,role,op,direction,placement,dtype,n,layout,data,cache,device,threads,negative_slope"
QUESTION = {"ops": "relu", "directions": "forward", "placements": "out"}


@pytest.fixture(autouse=True)
def inductor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch.compile's cache, which is there."""
    folder = tmp_path / "inductor"
    folder.mkdir()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
    return folder


def asked(backends: str, sizes: str) -> tuple[Experiment, ...]:
    return plan(parse({**QUESTION, "backends": backends, "sizes": sizes}))


def compiled(results: Path, *rows: tuple[str, int]) -> None:
    """A run that compiled, or found, relu forward out for these backends and sizes."""
    folder = results / "20260101-000000"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"r,{name},,candidate,relu,forward,out,float32,{n},contiguous,normal,hot,cpu,0,0.0"
        for name, n in rows
    ]
    (folder / "compiles.csv").write_text("\n".join([HEADER, *lines, ""]))


def test_a_graph_is_compiled_for_each_size_and_a_loop_once(tmp_path: Path) -> None:
    graphs, loops = "torch_eager,torch_compile", "torch_eager,numba_jit"
    assert compile_s(tmp_path, asked(graphs, "1Ki,2Ki,4Ki")) > compile_s(tmp_path, asked(graphs, "1Ki")) + 1
    assert compile_s(tmp_path, asked(loops, "1Ki,2Ki,4Ki")) == compile_s(tmp_path, asked(loops, "1Ki")) > 0


def test_who_compiles_nothing_takes_nothing(tmp_path: Path) -> None:
    assert compile_s(tmp_path, asked("torch_eager,numpy_ufunc", "1Ki")) == 0


def test_what_a_run_before_compiled_is_there(tmp_path: Path) -> None:
    backends = "torch_eager,torch_compile,numba_jit"
    compiled(tmp_path, ("torch_compile", 1024), ("numba_jit", 1024))
    assert compile_s(tmp_path, asked(backends, "1Ki")) == 0
    one, both = (compile_s(tmp_path, asked(backends, sizes)) for sizes in ("2Ki", "1Ki,2Ki,4Ki"))
    assert 0 < one < both < compile_s(tmp_path / "elsewhere", asked(backends, "1Ki,2Ki,4Ki"))


def test_a_cache_that_is_gone_holds_nothing(tmp_path: Path, inductor: Path) -> None:
    compiled(tmp_path, ("torch_compile", 1024))
    inductor.rmdir()
    assert compile_s(tmp_path, asked("torch_eager,torch_compile", "1Ki")) > 0


@pytest.mark.parametrize("text", [b"\xff\xfe", b"nonsense", b'"', b"backend\ntorch_compile\n"])
def test_a_file_that_tells_nothing_is_passed_over(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "compiles.csv").write_bytes(text)
    assert compile_s(tmp_path, asked("torch_eager,torch_compile", "1Ki")) > 0


def test_it_is_paid_for_beside_what_measuring_takes_but_out_of_the_minutes() -> None:
    settings, chosen = parse(QUESTION), asked("torch_eager,torch_compile", "1Ki")
    assert time_plan(settings, chosen, 20.0).seconds == time_plan(settings, chosen).seconds + 20.0
    assert time_plan(parse({**QUESTION, "minutes": "2"}), chosen, 20.0).seconds == 120.0
