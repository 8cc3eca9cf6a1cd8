"""The libraries that modules are generated for: a printer for each, and the words in which a module's shell differs.

All targets print the same array statements.  To add one, write its printer and a `Target` with its text.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symbp.printing.cupy import CupyPrinter, FusedPrinter
from symbp.printing.kernel import Kernel, functions
from symbp.printing.numpy import NumpyPrinter
from symbp.printing.planned import PlannedPrinter

NUMPY_ERF = tuple('''

def erf(x, out=None):
    """The error function, element by element; in float32 by a quotient of polynomials, within 5e-7 of it."""
    out = np.empty(x.shape, x.dtype) if out is None else out
    if x.dtype != np.float32:
        np.copyto(out, np.frompyfunc(math.erf, 1, 1)(x), casting="unsafe")
        return out
    values, results = x.reshape(-1), out.reshape(-1)
    for k in range(0, values.size, 8192):  # as much as stays in the cache
        z = np.clip(values[k:k + 8192], -4, 4)
        square = z * z
        above, below = np.full_like(z, ERF_ABOVE[0]), np.full_like(z, ERF_BELOW[0])
        for result, coefficients in ((above, ERF_ABOVE[1:]), (below, ERF_BELOW[1:])):
            for c in coefficients:
                np.multiply(result, square, out=result)
                np.add(result, c, out=result)
        np.multiply(z, above, out=above)
        np.divide(above, below, out=results[k:k + 8192])
    return out


ERF_ABOVE = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04,
             -2.95459980854025e-03, -1.60960333262415e-02)
ERF_BELOW = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)'''.split("\n"))
"""NumPy has no error function, and a generated module imports nothing else.  The polynomials are those of Eigen, highest power first."""
STOP = ("if not np.isfinite(loss):",
        "    sys.exit(f\"the loss of step {state['step']} is {loss}; try a smaller learning rate\")")
PERMUTATION = "np.random.default_rng([options.seed, epoch]).permutation(len(x))"


@dataclass(frozen=True)
class Target:
    """A library: how statements are printed, and what the template places.

    imports: lines.  erf: standard modules, import lines and helpers where the error function occurs.  created, loaded, saved: what
    makes an array of the library of a host's one, or the reverse.  step: a docstring.  read, order, evaluated: expressions of `main`.
    after_step, after_epoch: its lines.
    """

    library: str
    module: str
    printer: type[NumpyPrinter]
    planned: Callable[..., PlannedPrinter]
    imports: tuple[str, ...]
    erf: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    created: str
    loaded: str
    saved: str
    step: tuple[str, ...]
    read: str
    order: str
    evaluated: str
    after_step: tuple[str, ...]
    after_epoch: tuple[str, ...]

    def kernels(self, kernels: list[Kernel]) -> list[str]:
        """The lines that make kernels, behind those of the device functions that they call."""
        helpers = [line for text in functions(kernels) for line in text.splitlines()]
        first = ['FUNCTIONS = """', *helpers, '"""'] if helpers else []
        comment = ["# One kernel for each chain of elementwise operations; T is the type of its arrays."] if kernels else []
        return [*first, *comment, *(line for k in kernels for line in k.lines(self.module))]


def _planned(printer: NumpyPrinter, same: dict[str, str] | None = None, **_: object) -> PlannedPrinter:
    """NumPy's planned printer, which needs to know nothing of kernels."""
    return PlannedPrinter(printer, same)


NUMPY = Target(
    library="NumPy", module="np", printer=NumpyPrinter, planned=_planned, imports=("import numpy as np",),
    erf=(("math",), (), NUMPY_ERF), created="value.astype(dtype)", loaded="arrays[key]", saved="arrays",
    step=("One step of training in place; returns the loss before it. The same numbers as `loss_and_grads`, without allocating.",),
    read="read_data(options.data, options.dtype)", order=PERMUTATION, evaluated="evaluate(params, test_x, test_y)",
    after_step=STOP, after_epoch=())

CUPY = Target(
    library="CuPy", module="cp", printer=CupyPrinter, planned=FusedPrinter, imports=("import cupy as cp", "import numpy as np"),
    erf=((), ("from cupyx.scipy.special import erf",), ()), created="cp.asarray(value.astype(dtype))", loaded="cp.asarray(arrays[key])",
    saved="{key: cp.asnumpy(value) for key, value in arrays.items()}",
    step=("One step of training in place; returns the loss before it, an array without axes on the device.", "",
          "With x and y on the device nothing is copied from or to it, and nothing waits; `float(loss)` copies, and waits for the step.",
          "The same numbers as `loss_and_grads` up to rounding: each elementwise chain is one kernel."),
    read="map(cp.asarray, read_data(options.data, options.dtype))", order=f"cp.asarray({PERMUTATION})",
    evaluated="map(float, evaluate(params, test_x, test_y))", after_step=(), after_epoch=("loss = float(loss)", *STOP))

TARGETS = {"numpy": NUMPY, "cupy": CUPY}
"""Every target by the name that `generate` knows."""
