"""A model that is little but activations, on large tensors: what other ones save shows in its step.

python scripts/record.py --check examples/activation_stack.py --steps 200
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

__all__ = ["main"]


def main() -> None:
    """Run the forward pass of four activations between narrow linear layers, on rows of `--width` elements."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100, help="forward passes (default 100)")
    parser.add_argument("--rows", type=int, default=16384, help="of a batch (default 16384)")
    parser.add_argument("--width", type=int, default=1024, help="of the hidden layer (default 1024)")
    options = parser.parse_args()
    torch.manual_seed(0)
    wide = (nn.ReLU(), nn.LeakyReLU(0.1), nn.ReLU(), nn.LeakyReLU(0.2))
    model = nn.Sequential(nn.Linear(8, options.width), *wide, nn.Linear(options.width, 8))
    x = torch.randn(options.rows, 8)
    with torch.no_grad():
        for _ in range(options.steps):
            model(x)


if __name__ == "__main__":
    main()
