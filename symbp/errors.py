"""Errors that a user can mend.  Each message is one paragraph: the place, what is wrong, what would be right."""
from __future__ import annotations


class SymbpError(Exception):
    """Base of every error that is the input's fault; the command line prints it and exits with 2."""


class LanguageError(SymbpError):
    """An equation, tensor, index or program that is not well formed."""


class DataError(SymbpError):
    """Images or labels that are missing, damaged or of another shape than the network's."""


class RunError(SymbpError):
    """A training run that cannot start, go on, or write its files."""


class DivergedError(SymbpError):
    """A training run whose loss is no finite number any more; the command line exits with 1."""
