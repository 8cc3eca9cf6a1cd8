"""Optimisers as equations.

    base.py        what all have in common: clipping, weight decay, the course of the rate, states and next values
    methods.py     gradient descent, momentum, Nesterov, AdaGrad, RMSProp, Adam, AdamW
    schedules.py   how the learning rate changes
"""
from symbp.optim.base import OPTIMIZERS, Optimizer, Slot, Update, optimizer
from symbp.optim.methods import AdaGrad, Adam, AdamW, GradientDescent, Momentum, Nesterov, RMSProp
from symbp.optim.schedules import SCHEDULES, ConstantRate, CosineRate, ExponentialRate, Schedule, StepRate

__all__ = ["OPTIMIZERS", "SCHEDULES", "AdaGrad", "Adam", "AdamW", "ConstantRate", "CosineRate", "ExponentialRate", "GradientDescent",
           "Momentum", "Nesterov", "Optimizer", "RMSProp", "Schedule", "Slot", "StepRate", "Update", "optimizer"]
