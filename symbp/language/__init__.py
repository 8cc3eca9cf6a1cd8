"""Level 1: the language of equations.  Everything that a program is made of can be imported from here."""
from symbp.language.conventions import Conventions
from symbp.language.equation import Equation, Loop, Statement, inside, reads, walk, writes
from symbp.language.facts import Fact, is_binary, sums_to_one
from symbp.language.index import Index, indices_of, size, substitute
from symbp.language.names import NameSupply
from symbp.language.program import Program
from symbp.language.tensor import AXIS0, Access, Tensor, accesses, all_accesses

__all__ = ["AXIS0", "Access", "Conventions", "Equation", "Fact", "Index", "Loop", "NameSupply", "Program", "Statement",
           "Tensor", "accesses", "all_accesses", "indices_of", "inside", "is_binary", "reads", "size", "substitute",
           "sums_to_one", "walk", "writes"]
