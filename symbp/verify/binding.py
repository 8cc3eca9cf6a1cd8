"""What the arguments and results of a person's function are in the text's own terms: a tensor, a derivative, a next value, a rate.

Stage: names in code → quantities as a claim file writes them: `W1`, `dL/dW1`, `W1 after 1`, `rate`, `parameters`.  What is not bound
by name is bound by a table of the claim, or is an error that says which key would do.
"""
from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from symbp.suggest import nearest
from symbp.verify.claimfile import Text
from symbp.verify.listing import CodeError, Function
from symbp.verify.sandbox import Result

RATE, PARAMETERS = "rate", "parameters"
RATES = frozenset({"lr", "learning_rate", "alpha", "eta", "rate", "step_size", "learningrate"})
ALL = frozenset({"params", "parameters", "weights", "theta", "model"})
LOSSES = frozenset({"loss", "cost", "error", "objective"})
GIVEN = ({"x", "input", "inputs", "data"}, {"y", "t", "target", "targets", "label", "labels", "y_true", "truth"})
BEFORE = ("d{}", "d_{}", "grad_{}", "{}_grad", "grad{}", "g_{}", "nabla_{}", "d{}s", "{}_gradient", "gradient_{}", "dl_d{}", "dj_d{}",
          "dl/d{}", "de_d{}", "dc_d{}", "dloss_d{}", "dcost_d{}")
"""How code calls the derivative of the loss by a tensor, in small letters."""


class Names:
    """The names of a text, and what names in code mean beside them.

    >>> from symbp.verify.claimfile import parse
    >>> names = Names(parse('''[network]
    ... equations = ["L = (w*x - y)^2/2"]
    ... loss = "L"
    ... parameters = ["w"]
    ... [values]
    ... w = 1
    ... x = 2
    ... y = 3
    ... [[claims]]
    ... of = "L"
    ... value = "0.5"
    ... '''))
    >>> [names.argument(n) for n in ("X", "w", "target", "lr")], names.result("grad_w")
    (['x', 'w', 'y', 'rate'], 'dL/dw')
    """

    def __init__(self, text: Text) -> None:
        self.text = text
        self.tensors = [t.name for t in text.program.tensors]
        self.parameters = [t.name for t in text.program.parameters]
        self.inputs = [t.name for t in text.program.inputs if t.role in ("input", "constant")]
        self.masks = [t.name for t in text.program.inputs if t.role == "random"]

    def argument(self, name: str) -> str | None:
        """What an argument of that name is, or None."""
        exact = self.tensor(name)
        if exact is not None:
            return exact
        low = name.lower()
        if low in RATES:
            return RATE
        if low in ALL:
            return PARAMETERS
        if (mask := self.mask(low)) is not None:
            return mask
        for words in GIVEN:
            if low in words and len(found := [t for t in self.inputs if t.lower() in words]) == 1:
                return found[0]
        return None

    def mask(self, low: str) -> str | None:
        """The mask that a name in small letters means: `mask` where there is one, `mask2` for the second."""
        found = re.fullmatch(r"(?:drop(?:out)?_?)?masks?_?(\d*)", low)
        place = int(found[1] or 1) if found else 0
        alone = bool(found and not found[1]) and len(self.masks) != 1
        return self.masks[place - 1] if 0 < place <= len(self.masks) and not alone else None

    def tensor(self, name: str) -> str | None:
        """The tensor, or name of the text's own, that a name means; capitals count only where two names differ by them alone."""
        known = [*self.tensors, *self.text.names]
        if name in known:
            return name
        found = [t for t in known if t.lower().replace(".", "_") == name.lower().replace(".", "_")]
        return found[0] if len(found) == 1 else None

    def is_array(self, quantity: Any) -> bool:
        """Whether a quantity is a tensor with axes."""
        return isinstance(quantity, str) and quantity in self.text.program and bool(self.text.program.tensor(quantity).shape)

    def result(self, name: str, updates: bool = False) -> str | None:
        """What a result of that name should be, or None.  updates: whether the function is given a learning rate."""
        if name in self.text.names:
            return name
        low = name.lower()
        if self.text.loss and (low in LOSSES or low == self.text.loss.lower()):
            return self.text.loss
        forms = (*BEFORE, f"d{self.text.loss.lower()}_d{{}}", f"d{self.text.loss.lower()}/d{{}}")
        for tensor in self.tensors if self.text.loss else ():
            if low in {form.format(tensor.lower().replace(".", "_")) for form in forms}:
                return f"d{self.text.loss}/d{tensor}"
        found = self.tensor(name)
        return f"{found} after 1" if found in self.parameters and updates else found

    def key(self, name: str, updates: bool = False) -> str | None:
        """The same for a key of a dictionary, where the name of a parameter stands for its gradient."""
        found = self.result(name, updates)
        return f"d{self.text.loss}/d{found}" if found in self.parameters and self.text.loss else found


def arguments_of(function: Function, names: Names, given: Mapping[str, Any], earlier: Iterable[str] = ()) -> dict[str, Any]:
    """What each argument is: by the claim's table, by what functions called before leave (`earlier`), or by its name.

    One whose default is a number keeps it where its name is that of an array.

    Raises `CodeError` for an argument that nothing explains, and for one that the function does not have.
    """
    unknown = next((k for k in given if k not in function.parameters), None)
    if unknown is not None:
        raise CodeError(f"{function.title} has no argument {unknown!r}{nearest(unknown, function.parameters)}")
    bound: dict[str, Any] = {}
    for name in function.parameters:
        found = given.get(name, Result(name) if name in earlier else names.argument(name))
        if found is not None and (name in given or name not in function.settings or not names.is_array(found)):
            bound[name] = found
    missing = [n for n in function.parameters if n not in bound and n not in function.optional]
    left = [t for t in (*names.inputs, *names.masks) if t not in bound.values()]
    if len(missing) == len(left) == 1:
        bound[missing.pop()] = left[0]
    if missing:
        raise CodeError(f"{function.title}: nothing here is called {missing[0]!r}; say what it is, as in "
                        f'arguments = {{ {missing[0]} = "{(left or names.tensors)[0]}" }}')
    return bound


def changes_of(functions: Iterable[Function], names: Names, bound: Mapping[str, Any], updates: bool) -> dict[str, str]:
    """What is changed in place, and what it should hold: parameters after an update, gradients, and values of the forward pass."""
    found: dict[str, str] = {}
    for name in (n for f in functions for n in f.changed):
        quantity = names.result(name.removeprefix("self."), updates) if name.startswith("self.") else bound.get(name)
        if quantity in names.parameters and not name.startswith("self."):
            quantity = f"{quantity} after 1" if updates else None
        if isinstance(quantity, str) and quantity not in names.inputs:
            found[name] = quantity
    return found


def entries(value: Any, function: Function, returns: Any, names: Names, updates: bool) -> Iterator[tuple[str, Any, str]]:
    """(label, result, quantity) for everything in a result that the claim's table or a name explains."""
    if isinstance(returns, str):
        yield returns, value, returns
    elif isinstance(returns, Mapping):
        yield from ((str(key), value.get(key) if isinstance(value, Mapping) else None, text) for key, text in returns.items() if text)
    elif returns is not None:
        parts = value if isinstance(value, list) and len(value) == len(returns) else [value] if len(returns) == 1 else [None] * len(returns)
        yield from ((text, part, text) for text, part in zip(returns, parts) if text)
    elif isinstance(value, list) and len(value) == len(function.returned) > 1:
        for name, part in zip(function.returned, value):
            yield from _named(name, part, names, updates)
    elif isinstance(value, Mapping) or len(function.returned) == 1:
        yield from _named(function.returned[0] if len(function.returned) == 1 else "", value, names, updates)


def _named(name: str, value: Any, names: Names, updates: bool) -> Iterator[tuple[str, Any, str]]:
    """What one returned name is; the entries of a dictionary by their keys, those of a list by the numbers of layers."""
    quantity = names.result(name, updates) if name else None
    if quantity in names.parameters:
        return  # given back as it came: it says nothing
    if isinstance(value, Mapping):
        yield from ((key, part, found) for key, part in value.items() if (found := names.key(key, updates)))
    elif quantity is not None:
        yield name, value, quantity
    elif isinstance(value, list):
        layers = sorted({int(m[1]) for t in names.tensors if (m := re.fullmatch(r"\D+(\d+)", t))
                         and names.result(f"{name}{m[1]}", updates)})
        yield from ((f"{name}[{k}]", part, names.result(f"{name}{layer}", updates)) for k, (layer, part) in enumerate(zip(layers, value)))
