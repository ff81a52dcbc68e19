"""The claims in the articles' words, who wrote about them, and which figure goes with them.  Imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CATALOGUE", "WORKS", "Entry"]

WORKS: Mapping[str, str] = {
    "Nair & Hinton 2010": "Rectified Linear Units Improve Restricted Boltzmann Machines",
    "Glorot & Bengio 2010": "Understanding the difficulty of training deep feedforward neural networks",
    "Glorot, Bordes & Bengio 2011": "Deep Sparse Rectifier Neural Networks",
    "Maas, Hannun & Ng 2013": "Rectifier Nonlinearities Improve Neural Network Acoustic Models",
    "He et al. 2015": (
        "Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification"
    ),
    "Xu et al. 2015": "Empirical Evaluation of Rectified Activations in Convolutional Network",
    "Lu et al. 2020": "Dying ReLU and Initialization: Theory and Numerical Examples",
}
"""Author and year, and the title."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A claim before it is measured: the quote, keys of `WORKS`, and names of the figures that show it.

    `reads` says in plain words what was found.  ``{part}`` stands for the figure that decides that part, and
    ``{part/name}`` for another figure of it; the words around must be true whatever the figures are.
    """

    quote: str
    literature: tuple[str, ...]
    reads: str
    figures: tuple[str, ...] = ()


CATALOGUE: Mapping[str, Entry] = {
    "cheap": Entry(
        "ReLU is cheap to compute, because it is linear",
        ("Nair & Hinton 2010", "Glorot, Bordes & Bengio 2011"),
        "On 1Mi numbers relu takes {relu_copy_1Mi} of a copy's time; sigmoid takes {sigmoid_1Mi} and tanh "
        "{sigmoid_1Mi/tanh / relu} of relu's. The square x * x, which nobody calls linear, takes {square_1Mi} of "
        "relu's time. Linear means f(a + b) = f(a) + f(b), which fails for {additive} of random pairs.",
    ),
    "sparse": Entry(
        "ReLU makes activations sparse, which helps a network to generalise",
        ("Glorot, Bordes & Bengio 2011", "Xu et al. 2015"),
        "On the spirals {zeros_init_spirals} of relu's outputs are exactly 0 before training and "
        "{zeros_trained_spirals} after; of tanh's {zeros_trained_spirals/tanh}. Over leaky_relu, which differs by "
        "those zeros only, relu's test accuracy gains {against_leaky_spirals} on the spirals and "
        "{against_leaky_waves} on the waves. Where a penalty forces more zeros, "
        "they and accuracy have a rank correlation of {more_zeros_spirals} "
        "and {more_zeros_waves}.",
    ),
    "saturation": Entry(
        "ReLU does not saturate, so gradients do not vanish and training converges faster",
        ("Glorot & Bengio 2010", "He et al. 2015"),
        "relu's derivative is {relu_at_+10} at 10 and {relu_at_-10} at -10, sigmoid's {relu_at_+10/sigmoid} at both. "
        "Of a gradient sent through 50 layers of relu, {depth_He} of its size arrives with He's initialisation and "
        "{depth_Glorot} with Glorot's (tanh: {depth_He/tanh} and {depth_Glorot/tanh}). To the same loss tanh takes "
        "{steps_tanh} and sigmoid {steps_sigmoid} of relu's steps.",
        ("gradients",),
    ),
    "dead": Entry(
        "ReLU avoids dead neurons",
        ("Lu et al. 2020", "Maas, Hannun & Ng 2013"),
        "With all biases at -10 the largest gradient of a relu layer is {far_negative}, of a sigmoid layer "
        "{far_negative/sigmoid}. Of networks of 20 layers of 4 units {born_dead_4x20} are born dead, of 16 units "
        "{born_dead_16x20}. After training at a rate of 0.03, 0.1 and 0.3, {dead_at_0.03}, {dead_at_0.1} and "
        "{dead_at_0.3} of the units are dead.",
        ("born_dead",),
    ),
    "leaky": Entry(
        "Leaky ReLU solves the problem of dying units",
        ("Maas, Hannun & Ng 2013", "Xu et al. 2015", "He et al. 2015"),
        "Steps until a network with a dead first layer has learnt after all: relu {relu_stays}, a slope of 0.01 "
        "{recovers_0.01}, of 0.1 {recovers_0.1}, of 0.2 {recovers_0.2}. At a learning rate of 0.3 "
        "{learns_at_0.3/leaky_relu runs diverged} of the leaky_relu runs and {learns_at_0.3/relu runs diverged} of the "
        "relu runs diverge; a run that diverged has no dead units and proves nothing.",
        ("dead_units",),
    ),
}
