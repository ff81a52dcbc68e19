"""Small problems made here, from a seed, with NumPy's PCG64: nothing is downloaded.

Both are labelled by a rule that no network of ours can express exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

__all__ = ["PROBLEMS", "Problem", "rng", "spirals", "stacked", "waves"]

Array = npt.NDArray[np.float64]
Drawn = tuple[Array, Array]
_SIZES = {"train": 200, "valid": 500, "test": 2000}


def rng(seed: int, purpose: int) -> np.random.Generator:
    """The random numbers of one seed for one purpose; no purpose sees another's."""
    return np.random.default_rng([purpose, seed])


def spirals(generator: np.random.Generator, count: int, frame: Any) -> Drawn:
    """Two interleaved spirals of 1.5 turns, noise 0.15: points [count, 2], labels 0 or 1 [count, 1]."""
    label = np.arange(count) % 2
    angle = 3 * np.pi * np.sqrt(generator.uniform(0.02, 1, count))
    turned = angle + np.pi * label
    points = np.stack([np.cos(turned), np.sin(turned)], axis=1) * (angle / np.pi)[:, None] / 2
    return points * 1.5 + generator.normal(0, 0.15, points.shape), label[:, None].astype(float)


def waves(generator: np.random.Generator, count: int, frame: Any) -> Drawn:
    """A sum of six plane waves (frequencies [6, 8], phases [6]) in 8 dimensions: points, standardised values."""
    frequencies, phases = frame
    points = generator.normal(0, 1, (count, 8))
    values = np.sin(points @ frequencies.T + phases).sum(axis=1, keepdims=True) / np.sqrt(3)
    return points, values + generator.normal(0, 0.1, values.shape)


def _frame(generator: np.random.Generator) -> tuple[Array, Array]:
    return generator.normal(0, 0.4, (6, 8)), generator.uniform(0, 2 * np.pi, 6)


PROBLEMS: Mapping[str, Callable[[np.random.Generator, int, Any], Drawn]] = {
    "spirals": spirals,
    "waves": waves,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Inputs [seeds, points, features] and targets [seeds, points, 1] for training, choosing and testing."""

    name: str
    x: Mapping[str, torch.Tensor]
    y: Mapping[str, torch.Tensor]

    @property
    def features(self) -> int:
        """Numbers in one input."""
        return self.x["train"].shape[2]


def stacked(name: str, seeds: Sequence[int], *, labels: bool = True) -> Problem:
    """Problem `name` drawn once per seed, float32.  With `labels` real targets become classes 0 and 1."""
    x: dict[str, list[Array]] = {part: [] for part in _SIZES}
    y: dict[str, list[Array]] = {part: [] for part in _SIZES}
    for seed in seeds:
        generator = rng(seed, 1)
        frame = _frame(generator)
        for part, count in _SIZES.items():
            points, target = PROBLEMS[name](generator, count, frame)
            x[part].append(points)
            y[part].append((target > (0.5 if name == "spirals" else 0)).astype(float) if labels else target)
    return Problem(name, _tensors(x), _tensors(y))


def _tensors(parts: Mapping[str, list[Array]]) -> dict[str, torch.Tensor]:
    return {part: torch.from_numpy(np.stack(arrays).astype(np.float32)) for part, arrays in parts.items()}
