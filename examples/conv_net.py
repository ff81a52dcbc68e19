"""A convolutional net of middle sizes that trains: its activations are a small part of a step.

python scripts/record.py --check examples/conv_net.py --steps 120
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

__all__ = ["main"]


def main() -> None:
    """Train it with SGD on images of noise, 64 x 64 in three channels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=120, help="of the optimizer (default 120)")
    parser.add_argument("--batch", type=int, default=8, help="images in a step (default 8)")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = nn.Sequential(
        *(*_block(3, 32), *_block(32, 32), nn.MaxPool2d(2), *_block(32, 64), *_block(64, 64)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)),
    )
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    x, labels = torch.randn(options.batch, 3, 64, 64), torch.randint(10, (options.batch,))
    for _ in range(options.steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()


def _block(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.BatchNorm2d(channels_out), nn.ReLU()]


if __name__ == "__main__":
    main()
