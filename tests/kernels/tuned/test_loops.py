"""What numba_tuned is made of: loops and their machine code, the choice among them, caches on disk and in the CPU."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from kernels.api import DIRECTIONS, DTYPES, MAIN_OPS
from kernels.tuned.bind import Walk, streams, walk_of
from kernels.tuned.caches import Caches, cache_sizes, caches, read_caches
from kernels.tuned.choice import STREAMING_SWITCH, TABLE, Thresholds, choose, forced_streaming, thresholds
from kernels.tuned.elements import CARRIERS, ELEMENTS
from kernels.tuned.loops import Loop, assembly, serial
from kernels.tuned.simd import LINE, STREAMING, VECTOR_BYTES

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not STREAMING, reason="no streaming stores here")
@pytest.mark.parametrize(
    "dtype",
    [
        pytest.param(each, marks=pytest.mark.daily if each in ("float16", "float64") else ())
        for each in DTYPES
    ],
)
def test_streaming_loops_have_streaming_stores_and_a_fence(dtype: str) -> None:
    for element, streaming in itertools.product(("relu", "leaky_relu_backward"), (True, False)):
        text = assembly(Loop(element, dtype, "line", streaming))
        assert ("movnt" in text) == streaming, (element, dtype)
        assert not streaming or "fence" in text or "lock" in text


def test_targets_that_cannot_stream_do_not() -> None:
    line = walk_of(np.empty(64, np.float32), [np.empty(64, np.float32)])
    assert line is not None
    assert streams(line, 4, 4)
    assert not streams(line, 2, 4)
    tiles = walk_of(np.empty((8, 33), np.float32), [np.empty((33, 8), np.float32).T])
    assert tiles is not None
    assert not streams(tiles, 0, 4)


def test_the_table_is_complete() -> None:
    table = thresholds()
    shapes = ("line", "pairs", "strided", "tiles")
    wanted = {
        f"{element} {dtype} {shape}"
        for element, kind in ELEMENTS.items()
        if kind.op in MAIN_OPS and not kind.like
        for dtype, shape in itertools.product(DTYPES, shapes)
    }
    assert set(table.parallel_from) == wanted
    assert set(table.streaming_from) == {
        f"{d} {s}" for d, s in itertools.product(DIRECTIONS, shapes) if s != "strided"
    }
    assert set(json.loads(TABLE.read_text())) == {"parallel_from", "streaming_from", "pool_from"}


def test_the_choice_goes_by_size_threads_and_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Thresholds({"relu float32 line": 1000}, {"forward line": 2.0}, 1 << 20)
    monkeypatch.setattr("kernels.tuned.choice.thresholds", lambda: table)
    monkeypatch.setattr("kernels.tuned.choice.forced_streaming", lambda: None)
    monkeypatch.setattr("kernels.tuned.choice.caches", lambda: Caches(last=1 << 20))

    def chosen(n: int, threads: int) -> tuple[int, bool]:
        array = np.empty(n, np.float32)
        walk = walk_of(array, [array])
        assert walk is not None
        mode, streaming = choose("relu", "float32", walk, 4, threads)
        return mode.threads, streaming

    assert chosen(999, 2) == (1, False)
    assert chosen(1000, 2) == (2, False)
    assert chosen(1 << 20, 1) == (1, STREAMING)
    assert chosen((1 << 18) - 1, 8) == (8, False)
    assert chosen(1 << 18, 8) == (8, STREAMING)  # 8 bytes an element, twice the cache


@pytest.fixture
def switched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[bool]]]:
    """Whether a small array and a large one are streamed, under a value of the switch."""

    def streamed(value: str) -> list[bool]:
        monkeypatch.setenv(STREAMING_SWITCH, value)
        forced_streaming.cache_clear()
        return [choose("relu", "float32", Walk("line", n), 4, 1)[1] for n in (1000, 1 << 30)]

    yield streamed
    forced_streaming.cache_clear()


def test_the_environment_switches_streaming_off_and_on(switched: Callable[[str], list[bool]]) -> None:
    assert switched("") == [False, STREAMING]
    assert switched("off") == [False, False]
    assert switched("on") == [STREAMING, STREAMING]
    with pytest.raises(ValueError, match=f"{STREAMING_SWITCH} is 'yes'; allowed: on, off"):
        switched("yes")


def test_caches_are_read_and_defaulted(tmp_path: Path) -> None:
    assert caches().last >= caches().second >= caches().first > 0
    for number, (level, kind, size) in enumerate(
        [
            ("1", "Data", "48K"),
            ("1", "Instruction", "64K"),
            ("2", "Unified", "2M"),
            ("3", "Unified", "36608K"),
        ]
    ):
        (tmp_path / f"index{number}").mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (tmp_path / f"index{number}" / name).write_text(text + "\n")
    assert cache_sizes(tmp_path) == {1: 48 << 10, 2: 2 << 20, 3: 36608 << 10}
    assert read_caches(tmp_path) == Caches(48 << 10, 2 << 20, 36608 << 10)
    (tmp_path / "index3" / "size").write_text("?")
    assert read_caches(tmp_path).last == 2 << 20
    assert read_caches(tmp_path / "nowhere").last > 0


def test_every_loop_has_a_name_of_its_own_that_can_be_read_back() -> None:
    loops = {
        Loop(element, dtype, shape, streaming)
        for element, dtype, shape, streaming in itertools.product(
            ELEMENTS, CARRIERS, ("line", "pairs", "strided", "tiles", "save", "restore"), (True, False)
        )
    }
    assert len({loop.name for loop in loops}) == len(loops)
    assert {Loop.of(loop.name) for loop in loops} == loops


_SECOND = """
import numpy as np
from kernels.api import Case
from kernels.backends.numba_tuned import NumbaTuned
backend = NumbaTuned()
backend.compile(Case("relu", n=100), np.ones(100, np.float32), None, None)
print(backend.compile_report()["cache_hit"])
"""


def test_a_second_process_fetches_compiled_code() -> None:
    serial(Loop("relu", "float32"))
    done = subprocess.run([sys.executable, "-c", _SECOND], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


# Every loop on arrays that end, or begin, where the next page may not be touched.
_GUARDED = """
import ctypes, itertools, mmap
import numpy as np
from kernels.tuned.bind import Mode, Walk, bind_addresses
from kernels.tuned.elements import CARRIERS
from kernels.tuned.loops import Loop

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
PAGE, ROOM = mmap.PAGESIZE, 8 * mmap.PAGESIZE

def guarded():
    start = libc.mmap(None, ROOM + 2 * PAGE, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    assert libc.mprotect(ctypes.c_void_p(start + PAGE), ROOM, mmap.PROT_READ | mmap.PROT_WRITE) == 0
    return start + PAGE

regions = [guarded() for _ in range(3)]
done = 0
for shape, dtype in itertools.product(("line", "pairs", "strided", "tiles", "save", "restore"), CARRIERS):
    item = CARRIERS[dtype].itemsize
    if dtype not in ("bfloat16", "float32"):
        continue
    for element, streaming, n in itertools.product(("leaky_relu", "relu_backward"), (False, True), (1, 17, 64, 129)):
        if (shape == "strided" and streaming) or (shape == "save") > (element == "leaky_relu"):
            continue
        if (shape == "restore") > (element == "relu_backward"):
            continue
        walk = Walk(shape, n, 16 if shape == "tiles" else 0, (item, 3 * item, 3 * item) if shape == "strided" else ())
        written = n * max(walk.columns, 1) * item
        read = {"pairs": 2 * n * item - item, "strided": (3 * n - 2) * item}.get(shape, written)
        streams_tiles = shape == "tiles" and streaming
        bits = (n + 7) // 8
        for at_end in (False, True):
            target, a, b = regions
            if at_end:
                target, a = target + ROOM - written, a + ROOM - read
                b += ROOM - (bits if shape in ("save", "restore") else read)
            if streaming and (streams_tiles or target % 64 and shape in ("save", "restore")):
                continue
            for threads in (1, 2):
                bound = bind_addresses(Loop(element, dtype, shape, streaming), walk, (a, b), 0.5, Mode(threads))
                bound.entry(target, *bound.rest)
                done += 1
print(done)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="guards pages with Linux's mmap")
def test_no_loop_touches_memory_that_is_not_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", _GUARDED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) > 100


def test_lines_are_whole_vectors() -> None:
    assert LINE % VECTOR_BYTES == 0
