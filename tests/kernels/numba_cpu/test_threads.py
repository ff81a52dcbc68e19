"""Numba's threads leave the rest of the process as it was, and a forked process computes without them."""

from __future__ import annotations

import contextlib
import os
import threading

import pytest

from kernels.numba_cpu import threads as numba_threads
from tests.running import printed_by, python

pytestmark = pytest.mark.slow

NEEDS_FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system with fork")


FIRST = {
    "an array": "kernels.relu(np.ones(1 << 20, np.float32))",
    "numba_parallel": "kernels.relu(np.ones(1 << 20, np.float32), backend='numba_parallel')",
    "set_threads": "kernels.load('numba_tuned').set_threads(0)",
    "a tensor": "from kernels.torch_module import relu; relu(torch.randn(1 << 20))",
}


@pytest.fixture(scope="module")
def left() -> dict[str, str]:
    """Torch's threads after each of the first parallel calls, in processes forked from one that had made none."""
    pytest.importorskip("torch")
    program = f"""
        import multiprocessing, os
        import numpy as np, torch
        import kernels

        for name, first in {FIRST!r}.items():
            child = os.fork()
            if child == 0:
                torch.set_num_threads(3)
                torch.randn(1 << 20).relu()
                exec(first)
                multiprocessing.set_start_method("spawn")  # raises where one is fixed already
                print(name, torch.get_num_threads(), sep=": ", flush=True)
                os._exit(0)
            os.waitpid(child, 0)
    """
    printed = printed_by(program, NUMBA_NUM_THREADS="8")
    return dict(line.split(": ") for line in printed.splitlines())


@NEEDS_FORK
@pytest.mark.parametrize("first", FIRST)
def test_the_first_parallel_call_leaves_torchs_threads_and_the_start_method_alone(
    first: str, left: dict[str, str]
) -> None:
    assert left.get(first) == "3", left


def test_a_small_call_starts_no_threads() -> None:
    program = """
        import numpy as np
        import kernels
        kernels.relu(np.ones(100, np.float32))
        from kernels.numba_cpu import threads
        print(threads.layer(), threads.count())
        kernels.load("numba_tuned").set_threads(2)
        print(threads.layer() is None, threads.count())
    """
    assert printed_by(program, NUMBA_NUM_THREADS="4").splitlines() == ["None 4", "False 2"]


def test_of_threads_that_call_first_one_starts_numbas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once waited for each other for ever: one walked the loaded libraries, and the other loaded one."""
    both, met = threading.Barrier(2), []

    def start() -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # returns where two are in here at once
            met.append(1)

    monkeypatch.setattr(numba_threads, "_started", lambda: False)
    monkeypatch.setattr(numba_threads, "_start", start)
    callers = [threading.Thread(target=numba_threads.start) for _ in range(2)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert not met


@NEEDS_FORK
@pytest.mark.parametrize("layer", [pytest.param("omp", marks=pytest.mark.daily), "workqueue"])
def test_children_of_a_fork_compute_serially(layer: str) -> None:
    """By functions, and by calls that the parent had bound to many threads, of every way to walk memory."""
    program = """
        import multiprocessing
        import numpy as np
        import kernels
        from kernels.backends.numba_tuned import NumbaTuned
        from kernels.numba_cpu import threads
        from kernels.tuned.bind import Mode
        from kernels.tuned.mask import backward_mask, forward_mask

        n = 1 << 20
        x = np.random.default_rng(0).standard_normal(2 * n).astype(np.float32)
        inputs = [x[:n], x[::2], x[: 3 * (n // 3) : 3], x[:n].reshape(1024, 1024).T]
        tuned, calls = NumbaTuned((Mode(2), False)), []
        for one in inputs:
            out = np.empty(one.shape, np.float32)
            case = kernels.Case("relu", placement="out", n=one.size)
            calls.append((one, out, tuned.compile(case, one, None, out)))

        def work(_):
            done = []
            for one, out, call in calls:
                out[...] = -1
                call()
                done.append(np.array_equal(out, np.maximum(one, 0)))
            y, bits = np.empty(n, np.float32), np.empty(n // 8, np.uint8)
            forward_mask(x[:n], y, bits, "relu")
            done.append(np.array_equal(backward_mask(x[:n], bits, y.copy(), "relu"), y))
            done.append(np.array_equal(kernels.relu(x), np.maximum(x, 0)))
            done.append(kernels.load("numba_tuned").set_threads(0) == threads.count() == 1)
            return all(done), kernels.load("numba_parallel").why_not(kernels.Case("relu"))

        kernels.relu(x)
        assert all(np.array_equal(out, np.maximum(one, 0)) for one, out, _ in calls)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            right, reasons = zip(*pool.map_async(work, range(4)).get(60))  # else it waits for workers that ended
        print(threads.layer(), all(right), set(reasons))
    """
    done = python(program, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")
    if layer == "omp" and "No threading layer could be loaded" in done.stderr:
        pytest.skip("Numba has no OpenMP here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{layer} True ")
    assert "threads do not survive a fork" in done.stdout


@NEEDS_FORK
def test_workers_of_a_dataloader_that_were_forked() -> None:
    pytest.importorskip("torch")
    program = """
        import numpy as np, torch
        import kernels
        from kernels.torch_module import leaky_relu, relu
        from torch.utils.data import DataLoader

        class Activated(torch.utils.data.Dataset):
            def __len__(self):
                return 8

            def __getitem__(self, i):
                x = torch.full((1 << 18,), float(i) - 4)
                return relu(x).sum() + leaky_relu(x, 0.5).sum(), kernels.relu(x.numpy()).sum()

        Activated()[0]
        loader = DataLoader(Activated(), num_workers=2, multiprocessing_context="fork")
        wanted = [[Activated()[i][0].item(), float(Activated()[i][1])] for i in range(8)]
        print([[one.item(), float(two)] for one, two in loader] == wanted)
    """
    assert printed_by(program) == "True"


@NEEDS_FORK
def test_a_fork_while_other_threads_compute_does_not_stop_the_child() -> None:
    """Locks that another thread held as the process forked are nobody's in the child."""
    program = """
        import os, signal, threading
        import numpy as np
        import kernels
        x = np.random.default_rng(0).standard_normal(1 << 20).astype(np.float32)
        kernels.relu(x)
        stop = threading.Event()

        def compute():
            while not stop.is_set():
                kernels.relu(x)

        others = [threading.Thread(target=compute) for _ in range(3)]
        for each in others:
            each.start()
        codes = []
        for _ in range(20):
            child = os.fork()
            if child == 0:
                signal.alarm(60)  # ends it, if it waits for a lock
                os._exit(0 if np.array_equal(kernels.relu(x), np.maximum(x, 0)) else 1)
            codes.append(os.waitpid(child, 0)[1])
        stop.set()
        for each in others:
            each.join()
        print(set(codes))
    """
    assert printed_by(program, NUMBA_THREADING_LAYER="workqueue") == "{0}"
