"""symbp: backpropagation, derived symbolically.

A layer is the equation that a paper prints, a network is a program of such equations, and one differentiation rule
turns it into its adjoint.  The names below are loaded when they are first used.

    >>> import symbp as sb
    >>> net = sb.parse('''
    ... name = "tiny"
    ... [input]
    ... shape = [2]
    ... [target]
    ... classes = 3
    ... [[layers]]
    ... type = "dense"
    ... units = 3
    ... [loss]
    ... type = "softmax_cross_entropy"
    ... ''')
    >>> d = sb.derive(net)                              # every gradient; sb.derive(net, of="L", wrt="W1") for one
    >>> print(d["b1"].latex())
    \\frac{\\partial L}{\\partial b^{(1)}_{j}} = \\sum_{n} \\delta^{(1)}_{nj}
    >>> d["W1"].steps[0].rule
    'chain rule'
    >>> f = sb.derive("softmax(sum(i, W[k,i]*x[i]) + b[k])", wrt="W")       # a formula, no network
    >>> sb.check(net).passed
    True

In a checkout, all of it from files; a notebook shows a derivation, a gradient and a line as LaTeX:

    >>> import os, tempfile
    >>> net = sb.load("examples/digits_mlp.toml")       # or sb.Network(...) from layers or equations
    >>> d = sb.derive(net)
    >>> print(d["W1"]._repr_latex_())
    $\\displaystyle \\frac{\\partial L}{\\partial W^{(1)}} = \\delta^{(1)\\top} x$
    >>> [step.rule for step in d["W1"].steps]           # numbered: rule, before, after, facts used
    ['chain rule', 'local derivative']
    >>> with tempfile.TemporaryDirectory() as out:
    ...     written = d.write(out, formats=["html", "tex"])                 # "pdf", too, where TeX is installed
    ...     text = sb.generate(net, target="numpy", path=f"{out}/mlp.py")
    ...     sorted(os.listdir(out))
    ['derivation.html', 'derivation.tex', 'mlp.py']
    >>> sb.verify("examples/claims/seed-002-4.4.toml").first.claim.id       # the first wrong number of a text
    'a2[1]'

`d.write(…, certificate=d.check())` makes the folder where it is missing, and writes down how far each gradient was checked.
"""
from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "derive": "symbp.derivation", "generate": "symbp.emit", "train": "symbp.run.loop", "resume": "symbp.run.loop",
    "load": "symbp.netfile", "parse": "symbp.netfile",
    "Network": "symbp.network", "Notation": "symbp.notation", "Target": "symbp.losses",
    **dict.fromkeys(("Dense", "Activation", "LeakyRelu", "Elu", "Formula", "Softmax", "LogSoftmax", "Equations", "BatchNorm", "Dropout"),
                    "symbp.layers"),
    **dict.fromkeys(("SquaredError", "AbsoluteError", "Huber", "GaussianNLL", "CrossEntropy", "SoftmaxCrossEntropy", "BinaryCrossEntropy",
                     "BinaryCrossEntropyWithLogits", "Hinge", "MulticlassHinge", "Prior"), "symbp.losses"),
    "GradientDescent": "symbp.optim", "Momentum": "symbp.optim", "Adam": "symbp.optim",
    "Nesterov": "symbp.optim", "AdaGrad": "symbp.optim", "RMSProp": "symbp.optim", "AdamW": "symbp.optim",
    "adjoint": "symbp.calculus.differentiate", "tangent": "symbp.calculus.differentiate",
    "total": "symbp.language.build", "Builder": "symbp.language.build",
    "SymbpError": "symbp.errors", "LanguageError": "symbp.errors", "DataError": "symbp.errors", "NetworkError": "symbp.settings",
    **dict.fromkeys(("Conventions", "Equation", "Fact", "Index", "Loop", "Program", "Tensor", "inside", "is_binary", "size",
                     "sums_to_one"), "symbp.language"),
}

__all__ = (  # noqa: PLE0604
    "check", "verify", "__version__", *_WHERE)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import symbp` is quick."""
    if name == "verify":
        return import_module("symbp.verify")  # a package that can be called
    if name not in _WHERE:
        raise AttributeError(f"module 'symbp' has no attribute {name!r}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def check(source: Any, of: str | None = None, wrt: Any = None, *, seed: int = 0) -> Any:
    """Check the gradients of a network, program or formula on every rung of the ladder.

    of, wrt: as for `derive`.  The answer has `.passed`, `.table()` and `.to_json()`.
    """
    from symbp.derivation import derive
    return derive(source, of, wrt).check(seed)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
