"""Level 2: array statements.  Axes, views and buffers exist here and below; no calculus does.

    nodes.py        array expressions and statements
    contract.py     which call a sum of products of two arrays is: a pure classifier
    domain.py       what becomes of an equation's domain: narrower ranges, padding, a mask
    access.py       how a tensor is read: slice, split, window of a padded array, take
    elementwise.py  scalar bodies as operations on whole arrays
    memory.py       how axes lie in memory: in which order a copy runs, what a reshape merges
    product.py      sums of products as contractions
    first.py        which contributions are the first to their elements, and are assigned
    hits.py         where the cotangent of a maximum goes: the first tap that has it
    store.py        how a value is written: whole, slices, strided slice-adds, scatter
    share.py        what is needed twice is made once: copies, patches, functions that take long
    patches.py      what patches of an image consist of: what their axes run along
    within.py       a matrix that patches hold is taken from them
    settle.py       what is added up lies in the order of its axes
    cost.py         how many operations statements take
    lower.py        a program, equation by equation
"""
from symbp.arrays.lower import lower

__all__ = ["lower"]
