"""The standard activations, densities, losses and optimisers that definitions are checked against, from symbp's own forward equations.

Stage: a name → programs, with the letters that books use for each of their tensors, and the convention under which each is meant.
"""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import sympy as sp

from symbp.distributions.kinds import Bernoulli, Categorical, Gaussian
from symbp.draft import Draft
from symbp.errors import LanguageError
from symbp.language import Conventions, Equation, Fact, Program, Tensor
from symbp.language.functions import DEFINITIONS
from symbp.layers.equations import Reader
from symbp.losses import LOSSES, Target
from symbp.optim import OPTIMIZERS, Optimizer
from symbp.suggest import nearest

INPUTS, OUTPUTS = "x z u v s t a h n net o q", "f y a g h sigma phi s S p"
TARGETS, PREDICTIONS = "y t d Y T p q target ytrue", "yhat p a o f h q z s P A O yhatk ypred out ytilde phat Yhat"
LOSS_LETTERS = "L J E C l H MSE CE loss BCE MAE ell"
ALIASES = {
    "mse": "mean squared error", "quadratic cost": "squared error", "sse": "squared error", "l2": "squared error",
    "bce": "binary cross entropy", "log loss": "binary cross entropy", "mae": "mean absolute error", "l1": "mean absolute error",
    "normal": "gaussian", "gaussian density": "gaussian", "normal distribution": "gaussian", "bernoulli density": "bernoulli",
    "categorical density": "categorical", "swish": "silu", "logistic": "sigmoid", "gradient descent": "gd", "sgd": "gd",
    "cross entropy loss": "cross entropy", "negative log likelihood": "cross entropy", "gaussian log density": "log gaussian",
    "bernoulli log density": "log bernoulli", "log normal density": "log gaussian",
}
LOSS_FORMS: dict[str, tuple[tuple[str, dict, str], ...]] = {
    "mean squared error": (("squared_error", {"half": False}, ""), ("squared_error", {"half": False, "features": "mean"}, ""),
                           ("squared_error", {"half": True}, "it has the factor 1/2"),
                           ("squared_error", {"half": True, "features": "mean"}, "it has the factor 1/2")),
    "squared error": (("squared_error", {"half": False}, ""), ("squared_error", {"half": True}, "it has the factor 1/2")),
    "cross entropy": (("cross_entropy", {}, ""),), "binary cross entropy": (("binary_cross_entropy", {}, ""),),
    "mean absolute error": (("absolute_error", {}, ""),), "hinge": (("hinge", {}, ""),), "huber": (("huber", {}, ""),)}
SUMMED = "it is summed over the samples, and not their mean"


@dataclass(frozen=True)
class Standard:
    """One form of what a name stands for.

    letters: for each tensor, the letters that books use.  convention: under which this form is meant, "" where there is none.
    """

    program: Program
    output: str
    letters: Mapping[str, tuple[str, ...]]
    convention: str = ""
    function: str = ""
    optimizer: Optimizer | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)


def standards(name: str) -> list[Standard]:
    """The forms of a standard definition, the plain one first.

    Raises `LanguageError` with the nearest names for one that is not known.

    >>> standards("sigmoid")[0].program.equations[0].body
    sigmoid(x[])
    >>> [s.convention for s in standards("MSE")][0]
    ''
    """
    plain = re.sub(r"[^a-z0-9']+", " ", name.lower()).strip()
    plain = ALIASES.get(plain, plain)
    for maker in (_activation, _softmax, _density, _loss, _optimizer):
        found = list(maker(plain))
        if found:
            return found
    known = [*DEFINITIONS, "softmax", "gaussian", "bernoulli", "categorical", *LOSS_FORMS, *OPTIMIZERS]
    raise LanguageError(f"no standard definition is called {name!r}{nearest(plain, known)}")


def _activation(name: str) -> Iterator[Standard]:
    name = name.replace(" ", "_")
    if name in DEFINITIONS and len(DEFINITIONS[name].parameters) == 1:
        yield Standard(_read(f"f = {name}(x)", x=()), "f", {"x": _split(INPUTS), "f": _split(OUTPUTS)}, function=name)


def _softmax(name: str) -> Iterator[Standard]:
    if name == "softmax":
        letters = {"z": _split("z x a o u s v h"), "p": _split("p y a s S sigma yhat f o")}
        yield Standard(_read("p[k] = softmax(k, z[k])", z=(4,)), "p", letters)


def _read(equation: str, **shapes: tuple[int, ...]) -> Program:
    reader = Reader({})
    for name, shape in shapes.items():
        reader.declare(name, Tensor(name, shape, role="input"))
    reader.read([equation])
    return reader.program(Conventions())


def _density(name: str) -> Iterator[Standard]:
    logarithm = name.startswith("log ")
    kind = name.removeprefix("log ").removesuffix(" density").removesuffix(" distribution")
    made = {"gaussian": Gaussian, "bernoulli": Bernoulli, "categorical": lambda: Categorical(4)}.get(kind)
    if made is None:
        return
    whole = made()
    letters = {"x": _split("x z y t k"), "m": _split("mu m"), "sigma": _split("sigma s"), "p": _split("p theta pi mu phi q sigma"),
               "density": _split("f p P N q phi"), "l": _split("l L ell")}
    program = whole.program()
    letters["l"] = _split("l L ell")
    density = Tensor("density")
    tensors, statements, facts = list(program.tensors), list(program.statements), list(program.facts)
    if kind == "gaussian":
        sigma, v = Tensor("sigma", role="input"), Tensor("v")
        tensors = [t for t in tensors if t.name != "v"]
        tensors, statements, facts = [sigma, v, *tensors], [Equation(v[()], sigma[()] ** 2), *statements], [Fact(sigma[()], ">", 0)]
    statements.append(Equation(density[()], sp.exp(program.tensor("l")[()])))
    held = Program((*tensors, density), tuple(statements), tuple(facts))
    output = "l" if logarithm else "density"
    names = {t.name for t in held.tensors}
    yield Standard(held, output, {k: v for k, v in letters.items() if k in names and (k != "l" or output == "l")})


def _loss(name: str) -> Iterator[Standard]:
    for kind, settings, said in LOSS_FORMS.get(name, ()):
        for batch in ("rows", "column"):
            for axes in ((), (4,)):
                for mean in ("mean", "sum") if batch == "rows" else ("mean",):
                    if standard := _one_loss(kind, settings, batch, axes, mean):
                        summed = SUMMED if mean == "sum" and name != "squared error" else ""
                        if name == "mean squared error" and batch == "column" and axes and settings.get("features") != "mean":
                            summed = "it is a sum, and not a mean"
                        yield Standard(standard[0], "L", standard[1], "; ".join(filter(None, (said, summed))))


def _one_loss(kind: str, settings: dict, batch: str, axes: tuple[int, ...], mean: str) -> tuple[Program, dict[str, tuple[str, ...]]] | None:
    """A loss of predictions a: over samples or for one, with or without an axis of features."""
    draft = Draft(Conventions(samples=batch, batch_loss=mean))
    classes = kind in ("cross_entropy",)
    if classes and not axes:
        return None
    a = draft.signal("a", [draft.index(extent) for extent in axes], role="input")
    if kind in ("cross_entropy", "binary_cross_entropy"):
        draft.facts += [Fact(a.element, ">", 0), *([Fact(a.element, "<", 1)] if kind == "binary_cross_entropy" else [])]
    total = draft.tensor("L")
    LOSSES[kind](type=kind, **settings).build(draft, a, Target(classes=axes[-1]) if classes else Target(), total)
    program = draft.program()
    target = next(t.name for t in program.inputs if t.name != "a")
    return program, {target: _split(TARGETS), "a": _split(PREDICTIONS), "L": _split(LOSS_LETTERS)}


def _optimizer(name: str) -> Iterator[Standard]:
    name = name.replace(" ", "")
    if name in OPTIMIZERS:
        theta, c, loss = Tensor("theta", role="parameter"), Tensor("c", role="input"), Tensor("J")
        program = Program((theta, c, loss), (Equation(loss[()], theta[()] ** 2 * c[()]),))
        letters = {"theta": _split("theta w W x phi Theta b"), "J": _split("J L f E C l"), "alpha": _split("alpha eta lr gamma mu"),
                   "beta": _split("beta gamma mu rho"), "rho": _split("rho beta gamma"),
                   "v_theta": _split("v u m"), "s_theta": _split("s v r G S")}
        settings = {"rate_in": "step"} if name == "momentum" else {}
        yield Standard(program, "J", letters, optimizer=OPTIMIZERS[name](type=name, **settings))


def _split(letters: str) -> tuple[str, ...]:
    return tuple(letters.split())
