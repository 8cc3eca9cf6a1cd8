"""The operators of the mutation tool: each maps a syntax node to its mutants."""
from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator

Variants = Iterator[ast.AST]

ARITHMETIC = {ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div, ast.Add), ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,),
              ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,)}
COMPARISONS = {ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
               ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
WORDS = {"first": "split", "sum": "max", "max": "sum", "argmax": "max", "ascending": "descending", "descending": "ascending",
         "intermediate": "input", "input": "intermediate", "int": "float", "float": "int"}
UNWRAPPED = ("reversed", "tuple", "frozenset")


def untouched(tree: ast.Module) -> set[int]:
    """Ids of nodes that are no behaviour: docstrings, annotations, messages, imports, `__all__`."""
    found: set[int] = set()

    def skip(node: ast.AST | None) -> None:
        found.update(id(n) for n in ast.walk(node) if node is not None)

    for node in ast.walk(tree):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if text or isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
            skip(node)
        elif isinstance(node, ast.Raise):
            [skip(a) for a in node.exc.args]
        elif isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation is not None:
            skip(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            [skip(part) for part in (node.returns, *node.decorator_list) if part is not None]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__":
            skip(node)
    return found


def _with(node: ast.AST, **changes: object) -> ast.AST:
    made = copy.deepcopy(node)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def operators_swapped(node: ast.AST) -> Variants:
    """Another arithmetic or set operator."""
    if isinstance(node, ast.BinOp):
        for other in ARITHMETIC.get(type(node.op), ()):
            yield _with(node, op=other())


def operand_dropped(node: ast.AST) -> Variants:
    """One operand of a binary operation or of and/or; a minus or a not left out."""
    if isinstance(node, ast.BinOp):
        yield from (node.left, node.right)
    if isinstance(node, ast.BoolOp):
        for k in range(len(node.values)):
            rest = node.values[:k] + node.values[k + 1:]
            yield rest[0] if len(rest) == 1 else _with(node, values=rest)
    if isinstance(node, ast.UnaryOp):
        yield node.operand


def scaled(node: ast.AST) -> Variants:
    """A product or a rule of the table, times 1.01."""
    target = node.body if isinstance(node, ast.Lambda) else node
    if isinstance(node, ast.Lambda) or isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div, ast.Pow)):
        factor = ast.parse("sp.Rational(101, 100)", mode="eval").body
        product = ast.BinOp(factor, ast.Mult(), target)
        yield _with(node, body=product) if isinstance(node, ast.Lambda) else product


def comparison_changed(node: ast.AST) -> Variants:
    """The opposite comparison."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield _with(node, ops=[COMPARISONS[type(node.ops[0])](), *node.ops[1:]])


def condition_flipped(node: ast.AST) -> Variants:
    """A condition negated, or taken as always true or false; and for or."""
    if isinstance(node, (ast.If, ast.IfExp)):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        yield _with(node, test=ast.Constant(True))
        yield _with(node, test=ast.Constant(False))
    if isinstance(node, ast.BoolOp):
        yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    if isinstance(node, ast.comprehension) and node.ifs:
        yield _with(node, ifs=[])


def constant_changed(node: ast.AST) -> Variants:
    """0 ↔ 1, another number, another word."""
    if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
        if isinstance(node.value, int):
            yield ast.Constant({0: 1, 1: 0}.get(node.value, node.value + 1))
        elif isinstance(node.value, str):
            yield ast.Constant(WORDS.get(node.value, node.value + "_mutant"))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "S" or _is_s(node):
        yield _with(node, attr={"Zero": "One", "One": "Zero"}.get(node.attr, "One"))


def _is_s(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "S"


def domain_dropped(node: ast.AST) -> Variants:
    """A domain replaced by none."""
    if isinstance(node, ast.Attribute) and node.attr == "domain" and isinstance(node.ctx, ast.Load):
        yield ast.Tuple([], ast.Load())
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "outside":
        yield ast.Tuple([], ast.Load())


def unwrapped(node: ast.AST) -> Variants:
    """A call replaced by its argument or receiver (loops not reversed, nothing substituted), a look-up by its key."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1 and node.func.id in UNWRAPPED:
        yield node.args[0]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("xreplace", "expanded"):
        yield node.func.value
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "OPPOSITE":
        yield node.slice


def removed(node: ast.AST) -> Variants:
    """A statement left out: an equation that is yielded, an assignment, an early exit, an error."""
    bare = isinstance(node, ast.Return) and node.value is None
    if bare or isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign, ast.Continue, ast.Raise)):
        yield ast.Pass()


def argument_changed(node: ast.AST) -> Variants:
    """Two arguments swapped; a keyword, an element or an entry left out."""
    if isinstance(node, ast.Call):
        for k in range(len(node.args) - 1):
            args = [*node.args[:k], node.args[k + 1], node.args[k], *node.args[k + 2:]]
            yield _with(node, args=args)
        for k in range(len(node.keywords)):
            yield _with(node, keywords=node.keywords[:k] + node.keywords[k + 1:])
    if isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Load):
        for k in range(len(node.elts)):
            yield _with(node, elts=node.elts[:k] + node.elts[k + 1:])
    if isinstance(node, ast.Dict):
        for k in range(len(node.keys)):
            yield _with(node, keys=node.keys[:k] + node.keys[k + 1:], values=node.values[:k] + node.values[k + 1:])


OPERATORS: tuple[tuple[str, Callable[[ast.AST], Variants]], ...] = (
    ("operator", operators_swapped), ("drop operand", operand_dropped), ("scale", scaled), ("comparison", comparison_changed),
    ("condition", condition_flipped), ("constant", constant_changed), ("domain", domain_dropped), ("unwrap", unwrapped),
    ("remove", removed), ("argument", argument_changed))
