"""Convolutions that go through a batch sample by sample, against the oracle and against the whole batch at once."""
from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from programs import conv
from test_arrays_lower import LOWERED, compare
from test_convolutional_modules import FILE

from symbp.arrays import lower, samples
from symbp.arrays.nodes import For
from symbp.calculus.differentiate import adjoint
from symbp.emit import generate
from symbp.language.equation import Equation
from symbp.language.index import Index
from symbp.language.tensor import Tensor
from symbp.netfile import parse


@pytest.fixture
def by_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every convolution counts as a large one."""
    monkeypatch.setattr(samples, "LARGE", 1)
    monkeypatch.setattr(samples, "SOME", 1)


def module_of(target: str = "numpy") -> tuple[ModuleType, str]:
    source, module = generate(parse(FILE.format(padding=1)), target=target), ModuleType("small")
    if target == "numpy":
        exec(source, module.__dict__)  # noqa: S102 - our own module
    return module, source


@pytest.mark.parametrize("name", LOWERED)
def test_every_program_equals_the_oracle_sample_by_sample(name: str, by_sample: None) -> None:
    compare(LOWERED[name](), bits=True)


@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(4, 7), st.integers(1, 3), st.integers(1, 3), st.integers(0, 2),
       st.integers(0, 1), st.integers(1, 2), st.integers(1, 2))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_convolution_equals_the_oracle(by_sample: None, N: int, C: int, F: int, S: int, K: int, stride: int, before: int, after: int,
                                         dilation: int, groups: int) -> None:
    compare(conv(N, C * groups, F * groups, (S + dilation, S), (K, K), (stride, 1), ((before, after), (after, before)), (dilation, 1), groups))


def test_forward_and_backward_are_a_loop_each(by_sample: None) -> None:
    _, source = module_of()
    text = source[source.index("def loss_and_grads"):source.index("def train_step")]
    assert text.count("    for n in range(N):\n") == 3, "two convolutions forward, one loop backward"
    assert text.count("sliding_window_view") == 2, "a view for each convolution, both ways"
    backward = text[text.rindex("    for n in range(N):"):]
    assert [name for name in ("dK2 +=", "dm[n] =", "delta1[n] =", "dK1 +=") if name in backward] == ["dK2 +=", "dm[n] =", "delta1[n] =", "dK1 +="]


def test_the_module_gives_the_numbers_of_the_whole_batch(by_sample: None, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one, _ = module_of()
    monkeypatch.setattr(samples, "LARGE", 10**9)
    at_once, source = module_of()
    assert "for n in range(N):" not in source
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 2, 8, 8)), np.eye(3)[[0, 1, 2, 1, 0]]
    params = at_once.init_params(0, np.float64)
    (loss, grads), (expected, wanted) = (m.loss_and_grads(params, x, y) for m in (one_by_one, at_once))
    np.testing.assert_allclose(loss, expected, rtol=1e-13)
    for name, value in wanted.items():
        np.testing.assert_allclose(grads[name], value, rtol=1e-10, atol=1e-14, err_msg=name)
    again = {k: v.copy() for k, v in params.items()}
    assert one_by_one.train_step(params, one_by_one.init_state(params), x, y) == loss
    for name, value in again.items():
        np.testing.assert_array_equal(params[name], value - 0.1 * grads[name], err_msg=name)


def test_a_graphics_processor_gets_the_whole_batch(by_sample: None) -> None:
    assert "for n in range(N):" not in module_of("cupy")[1]


def test_small_windows_are_made_for_the_whole_batch_at_once() -> None:
    case = conv(3, 2, 2, (5, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1)
    loops = [s for s in lower(adjoint(case.program, case.of, case.wrt).program) if isinstance(s, For)]
    assert [loop.index.name for loop in loops] == ["u"]


def test_a_product_without_windows_is_for_all_samples_at_once() -> None:
    n, i, j = Index("n", 64), Index("i", 512), Index("j", 512)
    x, W, y = Tensor("x", (64, 512)), Tensor("W", (512, 512)), Tensor("y", (64, 512))
    assert samples.sample_index(Equation(y[n, j], W[j, i] * x[n, i], over=(i,)), ()) is None
