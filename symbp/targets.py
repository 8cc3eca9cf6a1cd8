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
from symbp.resources import templates_dir

NUMPY_ERF = tuple((templates_dir() / "erf.txt").read_text(encoding="utf-8").rstrip("\n").split("\n"))
"""NumPy has no error function, and a generated module imports nothing else."""
NUMPY_BLOCK = tuple((templates_dir() / "block.txt").read_text(encoding="utf-8").rstrip("\n").split("\n"))
"""The function that puts arrays side by side; NumPy takes memory for each from where it finds some."""
STOP = ("if not np.isfinite(loss):",
        "    sys.exit(f\"the loss of step {state['step']} is {loss}; try a smaller learning rate\")")
PERMUTATION = "np.random.default_rng([options.seed, epoch]).permutation(len(x))"


@dataclass(frozen=True)
class Target:
    """A library: how statements are printed, and what the template places.

    imports: lines.  block: an expression with a place for a dictionary of arrays, and the helper that it calls.  erf: standard modules,
    import lines and helpers where the error function occurs.  created, loaded, saved: what makes an array of the library of a host's one,
    or the reverse.  step: a docstring, with a place for {masks} that are copied.
    drawn: the expression of a mask with a {shape}, 0 at the {rate}.
    inside: lines that refuse whole numbers of {name} outside {low} to {high}; none where looking at them would wait for the device.
    redrawn: lines that draw the same mask into the buffer {name} with the numbers {uniform}; none where the library cannot.
    parts: whether a parameter that no cache holds is updated part by part.
    read, order, evaluated: expressions of `main`.  after_step, after_epoch: its lines.
    """

    library: str
    module: str
    printer: type[NumpyPrinter]
    planned: Callable[..., PlannedPrinter]
    imports: tuple[str, ...]
    block: tuple[str, tuple[str, ...]]
    erf: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    created: str
    loaded: str
    saved: str
    step: tuple[str, ...]
    drawn: str
    inside: tuple[str, ...]
    redrawn: tuple[str, ...]
    read: str
    order: str
    evaluated: str
    after_step: tuple[str, ...]
    after_epoch: tuple[str, ...]
    parts: bool = False

    def together(self, arrays: str) -> str:
        """The expression of a dictionary of arrays that are used together; NumPy's lie in one block of memory."""
        expression, _ = self.block
        return expression.format(arrays)

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
    block=("_block({})", NUMPY_BLOCK), erf=(("math",), (), NUMPY_ERF), created="value.astype(dtype)", loaded="arrays[key]", saved="arrays",
    step=("One step of training in place; returns the loss before it. The same numbers as `loss_and_grads`, without allocating.",),
    read="read_data(options.data, options.dtype)", order=PERMUTATION, evaluated="{evaluate}",
    drawn="(rng.random({shape}, np.float32) >= {rate}).astype(dtype)",
    inside=("if {name}.min() < {low} or {name}.max() > {high}:",
            '    raise IndexError("{argument} must hold whole numbers from {low} to {high}")'),
    redrawn=("rng.random(out={uniform}, dtype=np.float32)", "np.greater_equal({uniform}, {rate}, out={name})"),
    after_step=STOP, after_epoch=(), parts=True)

CUPY = Target(
    library="CuPy", module="cp", printer=CupyPrinter, planned=FusedPrinter, imports=("import cupy as cp", "import numpy as np"),
    block=("{}", ()),
    erf=((), ("from cupyx.scipy.special import erf",), ()), created="cp.asarray(value.astype(dtype))",
    loaded="cp.asarray(arrays[key])", saved="{key: cp.asnumpy(value) for key, value in arrays.items()}",
    step=("One step of training in place; returns the loss before it, an array without axes on the device.", "",
          "With x and y on the device nothing{masks} is copied from or to it, and nothing waits; `float(loss)` copies, "
          "and waits for the step.",
          "The same numbers as `loss_and_grads` up to rounding: each elementwise chain is one kernel."),
    read="map(cp.asarray, read_data(options.data, options.dtype))", order=f"cp.asarray({PERMUTATION})",
    evaluated="map(float, {evaluate})", drawn="cp.asarray(rng.random({shape}, np.float32) >= {rate}).astype(dtype)", inside=(), redrawn=(),
    after_step=(), after_epoch=("loss = float(loss)", *STOP))

TARGETS = {"numpy": NUMPY, "cupy": CUPY}
"""Every target by the name that `generate` knows."""
