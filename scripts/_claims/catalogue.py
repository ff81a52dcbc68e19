"""The claims in the articles' words, who wrote about them, and which figure goes with them.  Imports no framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CATALOGUE", "WORKS", "Entry", "Reading"]

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
class Reading:
    """What a work says of a claim.  A `source` speaks of the claim itself; all else is background."""

    source: bool
    says: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A claim before it is measured: the quote, what `WORKS` say of it, and names of the figures that show it.

    `tries` says what is done, and what its words mean, before any figure; `explains` why a figure is as it is.
    `reads` says in plain words what was found.  ``{part}`` stands for the figure that decides that part, and
    ``{part/name}`` for another figure of it; the words around must be true whatever the figures are.
    """

    quote: str
    readings: Mapping[str, Reading]
    tries: str
    reads: str
    explains: str
    figures: tuple[str, ...] = ()

    @property
    def literature(self) -> tuple[str, ...]:
        """Keys of `WORKS`."""
        return tuple(self.readings)


CATALOGUE: Mapping[str, Entry] = {
    "cheap": Entry(
        "ReLU is cheap to compute, because it is linear",
        {
            "Nair & Hinton 2010": Reading(
                False, "brought rectified units into use, for what they learn and not for what they cost"
            ),
            "Glorot, Bordes & Bengio 2011": Reading(
                True,
                "says that computations are cheaper, since no exponential is needed, and that with some units at 0 what"
                " is left of the network is linear; it times nothing",
            ),
        },
        "Each function is timed on one thread, writing into a given array, beside a copy of the same bytes, which is"
        " what reading and writing them costs without any arithmetic. Then the two halves of the sentence are taken"
        " apart. Is it the linearity that makes it cheap? A square is not linear and needs as little. And is it linear?"
        " A function is if f(a + b) = f(a) + f(b); pairs of random numbers say how often that holds.",
        "On 1Mi numbers relu takes {relu_copy_1Mi} of a copy's time; sigmoid takes {sigmoid_1Mi} and tanh "
        "{sigmoid_1Mi/tanh / relu} of relu's. The square x * x, which nobody calls linear, takes {square_1Mi} of "
        "relu's time. Linear means f(a + b) = f(a) + f(b), which fails for {additive} of random pairs.",
        "Where relu costs no more than a copy, the time goes into memory, and a comparison hides behind that. tanh and"
        " sigmoid need an exponential for each number. relu is linear on each side of 0, so the sum comes out right"
        " whenever a and b have the same sign: for half of the pairs.",
    ),
    "sparse": Entry(
        "ReLU makes activations sparse, which helps a network to generalise",
        {
            "Glorot, Bordes & Bengio 2011": Reading(
                True,
                "argues for true zeros, and finds rectifiers as good as tanh or better, at a high sparsity",
            ),
            "Xu et al. 2015": Reading(
                True,
                "finds that a slope on the negative side improves the results, and doubts that sparsity is the key",
            ),
        },
        "Two small problems with two classes: spirals (two interleaved spirals of points) and waves (above or below 0"
        " in a sum of plane waves in eight dimensions). Zeros are counted before training and after it. What they do"
        " for generalisation is the accuracy on"
        " points that were not trained on, beside leaky_relu, which differs by those zeros only, and under a penalty on"
        " the size of the outputs (L1), which forces more zeros.",
        "On the spirals {zeros_init_spirals} of relu's outputs are exactly 0 before training and "
        "{zeros_trained_spirals} after; of tanh's {zeros_trained_spirals/tanh}. Over leaky_relu, which differs by "
        "those zeros only, relu's test accuracy gains {against_leaky_spirals} on the spirals and "
        "{against_leaky_waves} on the waves. Where a penalty forces more zeros, "
        "they and accuracy have a rank correlation of {more_zeros_spirals} "
        "and {more_zeros_waves}.",
        "Before training about half of the outputs are 0 because inputs and weights are as often negative as"
        " positive: sparsity of that kind needs no learning. A rank correlation is 1 if accuracy always rises with the"
        " zeros, -1 if it always falls, and anything between for so few points.",
    ),
    "saturation": Entry(
        "ReLU does not saturate, so gradients do not vanish and training converges faster",
        {
            "Glorot & Bengio 2010": Reading(
                False,
                "shows how sigmoid and tanh units saturate in deep networks, and how to start them (Glorot's"
                " initialisation); relu is not in it",
            ),
            "He et al. 2015": Reading(
                True,
                "derives that relu needs twice the variance in its weights (He's initialisation), or depth stalls it",
            ),
        },
        "A function saturates where its derivative goes to 0: there a unit passes no gradient on, and the layers before"
        " it do not learn. So derivatives are taken far from 0. Then a gradient is sent backwards through many layers,"
        " from two ways to draw the weights: Glorot's, whose variance keeps signals alive where there is no activation"
        " (2 / (inputs + outputs)), and He's, with twice as much for layers of equal width (2 / inputs). Last, steps of"
        " training are counted until the same loss is reached.",
        "relu's derivative is {relu_at_+10} at 10 and {relu_at_-10} at -10, sigmoid's {relu_at_+10/sigmoid} at both. "
        "Of a gradient sent through 50 layers of relu, {depth_He} of its size arrives with He's initialisation and "
        "{depth_Glorot} with Glorot's (tanh: {depth_He/tanh} and {depth_Glorot/tanh}). To the same loss tanh takes "
        "{steps_tanh} and sigmoid {steps_sigmoid} of relu's steps.",
        "That relu's gradient vanishes under Glorot's initialisation is arithmetic: relu lets half of the squared"
        " signal through, and nothing makes up for it, so after 50 layers 2^(-50/2) = 2^-25, about 3e-8, is left. He's"
        " factor of two is there for just that. tanh in float32 is exactly 1 at 10, so its derivative there is 0.",
        ("gradients",),
    ),
    "dead": Entry(
        "ReLU avoids dead neurons",
        {
            "Lu et al. 2020": Reading(
                True,
                "shows the opposite: a deep relu network dies with a probability that goes to 1 as it gets deeper, and"
                " width works against it",
            ),
            "Maas, Hannun & Ng 2013": Reading(
                True, "warns that a unit whose input stays negative gets no gradient and may never be active"
            ),
        },
        "A unit is dead if its output is 0 for every input: its gradient is 0, too, so it cannot come back. A network"
        " is born dead if that holds for a whole layer before the first step of training, so that its output is the"
        " same for all inputs. Here a layer is pushed far to the negative side by its biases; random networks of"
        " several depths and widths are drawn, and those counted that are born dead; and networks are trained at"
        " several learning rates, after which dead units are counted.",
        "With all biases at -10 the largest gradient of a relu layer is {far_negative}, of a sigmoid layer "
        "{far_negative/sigmoid}. Of networks of 20 layers of 4 units {born_dead_4x20} are born dead, of 16 units "
        "{born_dead_16x20}. After training at a rate of 0.03, 0.1 and 0.3, {dead_at_0.03}, {dead_at_0.1} and "
        "{dead_at_0.3} of the units are dead.",
        "Each layer has a chance that all of its few units are negative at once, and one such layer is enough: it"
        " grows with depth and shrinks fast with width. While training, one step that is too large can throw a unit to"
        " where no input is positive. A sigmoid unit far from 0 learns slowly, but it learns.",
        ("born_dead",),
    ),
    "leaky": Entry(
        "Leaky ReLU solves the problem of dying units",
        {
            "Maas, Hannun & Ng 2013": Reading(
                True,
                "introduces the slope, 0.01, on speech; it finds both functions about equally good there",
            ),
            "Xu et al. 2015": Reading(
                True,
                "compares slopes on images: larger ones than 0.01 do better, and random ones best on small sets",
            ),
            "He et al. 2015": Reading(False, "lets the network learn the slope (PReLU)"),
        },
        "A network whose first layer is dead is trained on, once with relu and once each with several slopes, and steps"
        " are counted until it has learnt after all. Then both functions are trained at rates at which relu units die.",
        "Steps until a network with a dead first layer has learnt after all: relu {relu_stays}, a slope of 0.01 "
        "{recovers_0.01}, of 0.1 {recovers_0.1}, of 0.2 {recovers_0.2}. At a learning rate of 0.3 "
        "{learns_at_0.3/leaky_relu runs diverged} of the leaky_relu runs and {learns_at_0.3/relu runs diverged} of the "
        "relu runs diverge; a run that diverged has no dead units and proves nothing.",
        "The gradient that reaches a dead layer is the slope's share of what it would be: with 0.01 the way"
        " back is about ten times as long as with 0.1, and may be longer than the steps that are allowed here. A slope"
        " is no cure for a learning rate that is too high: then both diverge.",
        ("dead_units",),
    ),
}
