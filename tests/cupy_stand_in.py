"""A stand-in for CuPy on NumPy, for tests without a GPU.

Kernels are evaluated from their C text, in C's types: a bare literal is a double or an int, and what would mix types is an error.
Arrays of the host and of the "device" cannot meet, and everything that would copy between the two or wait is counted.
"""
from __future__ import annotations

import math
import re
from types import ModuleType, SimpleNamespace

import numpy as np

TOKEN = re.compile(r"\s*(\d+\.?\d*(?:e[-+]?\d+)?|\w+|>=|<=|==|&&|\|\||[-+*/?:<>(),])")
LEVELS = (("||",), ("&&",), ("==",), (">", "<", ">=", "<="), ("+", "-"), ("*", "/"))
OPERATIONS = {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, ">": np.greater, "<": np.less, ">=": np.greater_equal,
              "<=": np.less_equal, "==": np.equal, "&&": np.logical_and, "||": np.logical_or}
FUNCTIONS = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "fabs": np.fabs, "pow": np.power,
             "log1p": np.log1p, "erf": lambda x: np.asarray(np.frompyfunc(math.erf, 1, 1)(x)).astype(x.dtype)}
PREAMBLE = re.compile(r"template <typename F> __device__ F (\w+)\(([^)]*)\) \{\s*return ([^;]*);\s*\}")


class Transfers:
    """How often something was copied between host and device, or waited for."""

    count = 0


class Device(np.ndarray):
    """An array of the device."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **kwargs):
        if any(type(a) is np.ndarray for a in (*inputs, *(out or ()))):
            raise TypeError(f"{ufunc.__name__}: an array of the host meets one of the device")
        plain = [a.view(np.ndarray) if isinstance(a, Device) else a for a in inputs]
        if out is not None:
            kwargs["out"] = tuple(a.view(np.ndarray) for a in out)
        result = getattr(ufunc, method)(*plain, **kwargs)
        return out[0] if out is not None else None if result is None else device(result)

    def _fetched(self):
        Transfers.count += 1
        return self.view(np.ndarray)

    def __float__(self):
        return float(self._fetched())

    def __bool__(self):
        return bool(self._fetched())

    def __int__(self):
        return int(self._fetched())

    def item(self, *args):
        return self._fetched().item(*args)


def device(value):
    """A host's array as one of the device, without counting."""
    return np.asarray(value).view(Device)


def asarray(value, dtype=None):
    if isinstance(value, Device):
        return value if dtype is None else value.astype(dtype, copy=False)
    Transfers.count += 1
    return device(np.array(value, dtype))


def asnumpy(value):
    Transfers.count += isinstance(value, Device)
    return np.asarray(value).view(np.ndarray)


def where(condition, x, y):
    """NumPy's `where` knows no subclasses."""
    assert not any(type(a) is np.ndarray for a in (condition, x, y)), "where: an array of the host meets one of the device"
    return device(np.where(condition.view(np.ndarray), x, y))


class Expression:
    """Evaluates an expression of C; `values` are arrays with the types that the names have."""

    def __init__(self, text, values, kinds, functions):
        self.tokens, self.values, self.kinds, self.functions = TOKEN.findall(text), values, kinds, functions
        assert "".join(self.tokens) == re.sub(r"\s", "", text), text

    def result(self):
        with np.errstate(all="ignore"):
            value = self._ternary()
        assert not self.tokens, self.tokens
        return value

    def _take(self, *wanted):
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else None

    def _ternary(self):
        value = self._binary(0)
        if not self._take("?"):
            return value
        first = self._ternary()
        assert self._take(":")
        second = self._ternary()
        assert value.dtype == bool and first.dtype == second.dtype, "the branches of ?: differ in type"
        return np.where(value, first, second)

    def _binary(self, level):
        if level == len(LEVELS):
            return self._unary()
        value = self._binary(level + 1)
        while sign := self._take(*LEVELS[level]):
            other = self._binary(level + 1)
            assert value.dtype == other.dtype, f"{sign} mixes {value.dtype} and {other.dtype}"
            assert sign != "/" or value.dtype.kind == "f", "a division of whole numbers"
            value = np.asarray(OPERATIONS[sign](value, other))
        return value

    def _unary(self):
        if self._take("-"):
            return np.asarray(-self._unary())
        if self._take("("):
            value = self._ternary()
            assert self._take(")")
            return value
        token = self.tokens.pop(0)
        if self._take("("):
            arguments = [self._ternary()]
            while self._take(","):
                arguments.append(self._ternary())
            assert self._take(")")
            return self._call(token, arguments)
        if token[0].isdigit():
            return np.asarray(int(token), np.int64) if token.isdigit() else np.asarray(float(token), np.float64)
        return self.values[token]

    def _call(self, name, arguments):
        if name in self.kinds:
            return np.asarray(arguments[0]).astype(self.kinds[name])
        kinds = {a.dtype for a in arguments}
        assert len(kinds) == 1 and kinds <= set(map(np.dtype, self.kinds.values())), f"{name} of {kinds}"
        if name == "isnan":
            return np.isnan(arguments[0])
        if name in FUNCTIONS:
            return np.asarray(FUNCTIONS[name](*arguments))
        parameters, body = self.functions[name]
        return Expression(body, dict(zip(parameters, arguments)), {"F": arguments[0].dtype}, self.functions).result()


class ElementwiseKernel:
    """What CuPy makes of these texts: strict about types and the result's shape."""

    made: list = []

    def __init__(self, in_params, out_params, operation, name="kernel", preamble=""):
        self.parameters = [tuple(p.split()) for p in in_params.split(",")]
        self.name, self.operation, self.preamble, self.calls = name, operation, preamble, 0
        assert out_params == "T out" and operation.startswith("out = ")
        assert name.isascii() and all(p.isidentifier() and p.isascii() and not p.startswith("_") and p not in ("i", "n") for _, p in self.parameters)
        self.functions = {f: (re.findall(r"F (\w+)", given), body) for f, given, body in PREAMBLE.findall(preamble)}
        assert len(self.functions) == preamble.count("template")
        ElementwiseKernel.made.append(self)

    def __call__(self, *args):
        assert len(args) in (len(self.parameters), len(self.parameters) + 1)
        self.calls += 1
        out = args[len(self.parameters)] if len(args) > len(self.parameters) else None
        assert all(isinstance(a, Device | int | float) for a in args), f"{self.name}: {[type(a) for a in args]}"
        given = list(zip(self.parameters, args))
        kinds = {a.dtype for (kind, _), a in given if kind == "T" and isinstance(a, Device)} | ({out.dtype} if out is not None else set())
        assert len(kinds) == 1, f"{self.name}: the type T is {kinds}"
        t = kinds.pop()
        values = {}
        for (kind, name), a in given:
            wanted = t if kind == "T" else np.dtype(kind)
            assert not isinstance(a, Device) or a.dtype == wanted, f"{self.name}: {name} is {a.dtype}"
            values[name] = np.asarray(a, wanted).view(np.ndarray)
        result = Expression(self.operation.removeprefix("out = "), values, {"T": t}, self.functions).result()
        assert result.dtype == t, f"{self.name} is calculated in {result.dtype}"
        shape = np.broadcast_shapes(*(np.shape(a) for a in args))
        if out is None:
            return device(np.array(np.broadcast_to(result, shape)))
        assert out.shape == shape, f"{self.name}: the result has the shape {out.shape}, the operands {shape}"
        np.copyto(out.view(np.ndarray), result)
        return out


def stand_in() -> dict[str, ModuleType]:
    """The modules to put into sys.modules."""
    cupy = ModuleType("cupy")
    for name in ("add", "subtract", "multiply", "divide", "negative", "square", "exp", "log", "sqrt", "tanh", "maximum", "minimum", "logaddexp",
                 "heaviside", "invert", "logical_and", "logical_or",
                 "abs", "sign", "greater", "greater_equal", "equal", "power", "sin", "cos", "sum", "max", "argmax", "matmul", "copyto",
                 "broadcast_to", "zeros_like", "empty_like", "clip", "float32", "float64", "int64", "inf"):
        setattr(cupy, name, getattr(np, name))
    for make in (np.zeros, np.empty, np.arange, np.full):
        setattr(cupy, make.__name__, lambda *args, _make=make: device(_make(*args)))
    cupy.where = where
    cupy.vdot = lambda a, b: device(np.asarray(np.vdot(a.view(np.ndarray), b.view(np.ndarray))))
    cupy.pad = lambda x, *args, **kwargs: device(np.pad(x.view(np.ndarray), *args, **kwargs))
    windows = lambda x, *args, **kwargs: device(np.lib.stride_tricks.sliding_window_view(x.view(np.ndarray), *args, **kwargs))  # noqa: E731
    cupy.lib = SimpleNamespace(stride_tricks=SimpleNamespace(sliding_window_view=windows))
    cupy.asarray, cupy.asnumpy, cupy.ElementwiseKernel = asarray, asnumpy, ElementwiseKernel
    special = ModuleType("cupyx.scipy.special")
    special.erf = lambda x: device(FUNCTIONS["erf"](x.view(np.ndarray)))
    return {"cupy": cupy, "cupyx": ModuleType("cupyx"), "cupyx.scipy": ModuleType("cupyx.scipy"), "cupyx.scipy.special": special}
