"""Optimisers: the next values of parameters and states, as equations of the same language.

`update` holds the equations under construction, `base` what all optimisers share, `methods` the optimisers, `schedules` the rates.
"""
from symbp.optim.base import OPTIMIZERS, Optimizer, optimizer
from symbp.optim.methods import Adagrad, Adam, AdamW, GradientDescent, Momentum, Nesterov, RMSProp
from symbp.optim.schedules import SCHEDULES, Schedule, schedule
from symbp.optim.update import Slot, Update

__all__ = ["OPTIMIZERS", "SCHEDULES", "Adagrad", "Adam", "AdamW", "GradientDescent", "Momentum", "Nesterov", "Optimizer", "RMSProp",
           "Schedule", "Slot", "Update", "optimizer", "schedule"]
