"""Runs with known answers for the tests of `scripts/report.py`, and what stands in a page."""

from __future__ import annotations

import dataclasses
import json
import math
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.records.reading import read_cells
from bench.records.schema import Cell
from scripts._report.data import COLUMNS
from scripts._shared.summary import prepare, ranked
from tests.factories import cell, experiment, sampled, write_run

SIZES = (1024, 1 << 15, 1 << 20)
EVIL = (
    "<script>window.bad=1</script>",
    "</script ><img src=x onerror=window.bad=1>",
    "'\"></text><svg onload=window.bad=1>",
    "${window.bad=1}{{window.bad}}",
)


def cells_of(run: Path) -> pd.DataFrame:
    """The cells of a run, as the page and the figures take them."""
    return ranked(prepare(read_cells([run / "cells.csv"], COLUMNS)))


def mixed(folder: Path) -> Path:
    """Two dtypes; float16 only into a given array, and queued; a variant, a skip, a noisy cell; torch is fastest."""
    cells: list[Cell] = []
    for dtype, placement in (("float32", "new"), ("float32", "out"), ("float16", "out")):
        for n in SIZES:
            times = {
                "numpy_ufunc": 1e-6 + 8 * n / 10e9,
                "torch_eager": 2e-7 + 8 * n / 40e9,
                "torch_eager[thp]": 4e-6 + 8 * n / 30e9,
                "my_relu": 9e-7 + 8 * n / (50e9 if dtype == "float16" else 20e9),
            }
            axes: dict[str, Any] = {"dtype": dtype, "placement": placement, "n": n}
            more: dict[str, Any] = {
                "ceiling_gb_per_s": 60.0,
                "rounds": 8,
                "contended_rounds": 1,
                "first_call_s": 0.01,
            }
            more |= {"import_s": 0.2, "second_call_s": 1e-4, "max_ulp": 0.0, "special_values": "relu(-0)=+0"}
            more |= {"queued_s": 7e-6} if dtype == "float16" else {}
            cells += experiment(times, **axes, **more)
            if placement == "out":
                cells.append(cell("jax_jit", None, status="skipped", reason="immutable arrays", **axes))
    cells[1] = cell(
        "torch_eager", 5e-7, status="noisy", reason="±9 %", n=SIZES[0], speedup=3.6, speedup_lo=3.0
    )
    return write_run(folder, cells, environment={"machine": "test-2c", "cpu": "Test", "cores": 2})


def hostile(folder: Path) -> Path:
    """A run whose every free text would like to be code."""
    text = "".join(EVIL)
    named: dict[str, Any] = {"run_id": EVIL[1], "machine": text, "special_values": f"{text}=x; y={text}"}
    cells = [
        cell(backend, 1e-5 / (place + 1), n=n, ceiling_gb_per_s=50.0, first_call_s=0.1, **named, **role)
        for n in SIZES
        for place, backend in enumerate(("numpy_ufunc", *EVIL))
        for role in [{"role": "candidate" if place else "baseline", "variant": EVIL[0] * (place == 2)}]
    ]
    cells.append(cell("broken", None, status="failed", reason=text, n=SIZES[0], **named))
    return write_run(folder, cells, environment={"cpu": text, text: {text: [text]}})


def bare(folder: Path) -> Path:
    """One size, no controls, no speed-ups, an interval without an end; and a placement that nobody could run."""
    unknown: dict[str, Any] = {"baseline": "", "noise_floor": None, "gb_per_s": None, "bytes_moved": None}
    timed = [
        cell(name, time_s, n=10, time_hi_s=math.inf, **unknown) for name, time_s in (("x", 1e-6), ("y", 9.0))
    ]
    return write_run(folder, [*timed, cell("x", None, n=10, placement="out", status="failed", reason="no")])


def endless(folder: Path) -> Path:
    """Three sizes; at two of them nothing is known of how long one arm may take, nor how short."""
    cells = [
        each
        for n in SIZES
        for each in experiment(
            {"numpy_ufunc": 1e-9 * n, "torch_eager": 8e-10 * n, "jax_jit": 1.1e-9 * n}, n=n
        )
    ]
    for at, n in ((0, 0), (8, 2)):
        assert cells[at].case.n == SIZES[n]
        cells[at] = dataclasses.replace(cells[at], time_lo_s=3e-14, time_hi_s=56e3)
    return write_run(folder, cells)


def crowded(folder: Path) -> Path:
    """One size, with the rounds of two processes; others used the CPU during most batches."""
    draw = np.random.default_rng(7)
    seconds = {"numpy_ufunc": 3e-3, "torch_eager": 1e-3, "numba_jit": 2e-3}
    samples = {name: (time * draw.normal(1, 0.01, 12)).tolist() for name, time in seconds.items()}
    cells, rounds = sampled(samples, processes=2, n=1 << 22, contended_rounds=9)
    return write_run(folder, cells, rounds)


def drifting(folder: Path) -> Path:
    """One size; the machine's speed moves by a factor of three from round to round, but for the baseline's."""
    drift = [1.0, 1.5, 2.0, 2.5, 3.0, 1.2, 1.7, 2.2]
    samples = {"numpy_ufunc": [4e-3] * 8}
    samples |= {name: [time * d for d in drift] for name, time in (("numba_jit", 2e-3), ("jax_jit", 1e-3))}
    return write_run(folder, *sampled(samples, processes=2, process_sd=0.001, process_df=12.0))


def network(folder: Path) -> Path:
    """One network at three batches."""
    times = {"torch_eager": 15e-6, "numba_jit": 5e-7}
    named: dict[str, Any] = {"op": "mlp_relu", "layout": "10-5-3"}
    cells = [each for batch in (1, 32, 4096) for each in experiment(times, n=10 * batch, **named)]
    return write_run(folder, cells)


def twice(folder: Path) -> Path:
    """Two runs of the same case; in the second NumPy takes eight times as long, torch twice."""
    runs = {
        "first": {"numpy_ufunc": 4e-3, "torch_eager": 1e-3},
        "second": {"numpy_ufunc": 32e-3, "torch_eager": 2e-3},
    }
    return write_run(
        folder, [each for run_id, times in runs.items() for each in experiment(times, run_id=run_id)]
    )


class Page(HTMLParser):
    """What a browser would find in the source: elements with their attributes, and the text of scripts."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts[-1] += data

    @property
    def data(self) -> dict[str, Any]:
        """What the page's code reads."""
        return dict(json.loads(self.scripts[0].replace("1e999", "1e308")))
