"""Every kind of layer, loss and optimiser from a network file to derived lines, a module and a trained loss; and none left out."""
from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from kinds import FILES

import symbp as sb
from symbp.certify.sample import Sample, draw
from symbp.certify.steps import evaluate
from symbp.derivation import Derivation
from symbp.derivation.lines import Line, is_plain_row
from symbp.emit import generate
from symbp.interpret import interpret
from symbp.language import Index
from symbp.layers import LAYERS
from symbp.losses import LOSSES
from symbp.optim import OPTIMIZERS, SCHEDULES
from symbp.report.compile import compile_tex
from symbp.report.tex import to_tex


@cache
def derived(name: str) -> tuple[sb.Network, Derivation, Sample, dict[str, Any]]:
    """A file's network, its derivation, values on its facts, and every tensor of the adjoint program by the oracle."""
    network = sb.parse(FILES[name])
    derivation, sample = sb.derive(network), draw(network.program, seed=3)
    return network, derivation, sample, interpret(derivation.program, sample.values, sample.sizes)


def test_every_kind_occurs() -> None:
    """`any` is for theorems: nothing can be calculated with it."""
    used = {word for text in FILES.values() for word in re.findall(r'type = "(\w+)"', text)}
    assert {*LAYERS, *LOSSES, *OPTIMIZERS, *SCHEDULES} - used == {"any"}


@pytest.mark.parametrize("name", FILES)
def test_the_lines_cover_every_element_and_are_the_adjoint_s(name: str) -> None:
    _, derivation, sample, arrays = derived(name)
    for tensor in derivation.names:
        lines = derivation[tensor].lines
        if all(is_plain_row(line.target) for line in lines):
            whole = arrays[lines[0].target.name]
            found = np.full(whole.shape, np.nan)
            for line in lines:
                found[np.ix_(*rows(line, found.shape))] = evaluate(derivation, line.right, line, arrays, sample.sizes).reshape(shape(line, found.shape))
            np.testing.assert_allclose(found, whole, rtol=1e-9, atol=1e-11, err_msg=tensor)


def rows(line: Line, whole: tuple[int, ...]) -> list[range]:
    """The places on each axis that a line is about."""
    found = []
    for position, origin, extent in zip(line.target.indices, line.tensor.origin, whole):
        first = position.start - origin if isinstance(position, Index) else position - origin
        count = (position.extent if position.extent.is_Integer else extent) if isinstance(position, Index) else 1
        found.append(range(int(first), int(first + count)))
    return found


def shape(line: Line, whole: tuple[int, ...]) -> list[int]:
    return [len(r) for r in rows(line, whole)]


@pytest.mark.parametrize("name", FILES)
def test_the_module_is_the_oracle_s_and_trains(name: str) -> None:
    network, derivation, sample, arrays = derived(name)
    module = ModuleType(name)
    exec(compile(generate(network), name, "exec"), module.__dict__)  # noqa: S102 - our own lines
    names = [p.name for p in network.parameters]
    params = {code: np.array(sample.values[p], float) for (code, *_), p in zip(module.PARAMETERS, names)}
    x, y = given(network, sample)
    if not network.rates:  # masks of dropout are drawn by the module; their test has the same
        loss, grads = module.loss_and_grads(params, x, y, module.init_state(params))
        assert loss == pytest.approx(float(arrays[network.loss]), rel=1e-10)
        for code, p in zip(params, names):
            np.testing.assert_allclose(grads[code], arrays[derivation.gradients[p]], rtol=1e-8, atol=1e-10, err_msg=p)
    start = module.init_params(0, np.float64)
    state = module.init_state(start)
    losses = [float(module.train_step(start, state, x, y)) for _ in range(30)]
    assert losses[-1] < losses[0]


def given(network: sb.Network, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Input and target."""
    from symbp.module_data import data_tensors
    return tuple(np.asarray(sample.values[t.name]) for t in data_tensors(network))


@pytest.mark.needs_tex
@pytest.mark.parametrize("part", range(4))
def test_the_documents_compile(part: int, tmp_path: Any) -> None:
    """All documents of a part are one, so that TeX starts once."""
    reports = [derived(name)[1].report() for name in [*FILES][part::4]]
    joined = type(reports[0])("Every kind", "", tuple(section for report in reports for section in report.sections))
    assert compile_tex(to_tex(joined), tmp_path / "kinds.pdf").pdf is not None
