"""Losses: the last equations of a network, one file for each kind; importing this package registers them all."""
from symbp.losses.base import (
    LOSSES,
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    CrossEntropy,
    Loss,
    SoftmaxCrossEntropy,
    SquaredError,
    Target,
    loss,
)
from symbp.losses.gaussian import GaussianNLL
from symbp.losses.hinge import Hinge, MulticlassHinge
from symbp.losses.prior import Prior
from symbp.losses.robust import AbsoluteError, Huber

__all__ = ["LOSSES", "AbsoluteError", "BinaryCrossEntropy", "BinaryCrossEntropyWithLogits", "CrossEntropy", "GaussianNLL", "Hinge", "Huber",
           "Loss", "MulticlassHinge", "Prior", "SoftmaxCrossEntropy", "SquaredError", "Target", "loss"]
