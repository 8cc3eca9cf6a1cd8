"""Level 2: array statements.  Axes, views and buffers exist here and below; no calculus does.

    nodes.py        array expressions and statements
    contract.py     which call a sum of products of two arrays is: a pure classifier
    domain.py       what becomes of an equation's domain: narrower ranges, padding, a mask
    access.py       how a tensor is read: slice, split, window of a padded array, take
    elementwise.py  scalar bodies as operations on whole arrays
    memory.py       in which order a copy runs over memory
    product.py      sums of products as contractions
    store.py        how a value is written: whole, slices, strided slice-adds, scatter
    share.py        copies that are needed twice are made once
    settle.py       what is added up lies in the order of its axes
    lower.py        a program, equation by equation
"""
from symbp.arrays.lower import lower

__all__ = ["lower"]
