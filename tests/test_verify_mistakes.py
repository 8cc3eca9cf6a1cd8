"""Programs with one slip: what is enumerated, what it gives, and that a planted one is found in numbers and in code."""
from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import symbp as sb
from symbp.arrays import lower
from symbp.certify.sample import draw
from symbp.derivation.derivation import Derivation
from symbp.derivation.options import Options
from symbp.derivation.program import textbook_program
from symbp.errors import SymbpError
from symbp.interpret import interpret
from symbp.language.equation import Loop, Statement
from symbp.language.program import Program
from symbp.passes.stabilise import stabilise
from symbp.printing.numpy import NumpyPrinter
from symbp.spelling import spell
from symbp.verify.claimfile import Text, parse
from symbp.verify.lines import number, written_out
from symbp.verify.listing import Code
from symbp.verify.mistakes import Mistake, mistakes
from symbp.verify.printed import read
from symbp.verify.submission import judge_code
from symbp.verify.trial import Trial
from symbp.verify.typos import typos
from symbp.verify.verdict import verdicts

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def kept(name: str) -> tuple[sb.Network, Derivation, Program]:
    """A network, its derivation, and the textbook's program with σ′ visible."""
    network = sb.load(EXAMPLES / f"{name}.toml")
    derivation = Derivation(network.program, network.loss, None, Options(activation_derivatives="kept"), network=network)
    return network, derivation, textbook_program(derivation)


def applied(program: Program, mistake: Mistake) -> Program:
    """The whole program with a slip."""
    count = [0]

    def changed(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
        found: list[Statement] = []
        for statement in statements:
            if isinstance(statement, Loop):
                found.append(replace(statement, body=changed(statement.body)))
                continue
            position, count[0] = count[0], count[0] + 1
            found += mistake.edits.get(position, (statement,))
        return tuple(found)

    return replace(program, statements=changed(program.statements))


def test_the_kinds_of_slips_that_a_network_of_two_layers_has():
    _, _, program = kept("two_layer_sigmoid")
    said = {m.what for m in mistakes(program)}
    assert {"dJ/dz3: the factor σ'(z3) is missing", "dJ/dz3: σ'(a3) stands for σ'(z3)", "dJ/dz3: the factor σ'(z3) stands twice",
            "dJ/dz2: the factor σ'(z2) is missing", "dJ/dz2: b2 stands for w3", "dJ/dw3: z2 stands for a2", "J: the factor 1/2 is missing",
            "z2: the term b2 is missing", "dJ/dz3, dJ/dz2: σ'(a) stands for σ'(z)", "dJ/db3: the sign is wrong"} <= said


def test_the_slips_of_adam():
    network, derivation, program = kept("appendix_b3_adam")
    made = network.optimizer.update(program, derivation.gradients).extended()
    said = {m.what for m in mistakes(made)}
    assert {"the new W: ascent stands for descent", "the new W: the square root of vhat_W is missing", "the new W: the term epsilon is missing",
            "the new W: epsilon stands within the root"} <= said
    assert any("division by 1 - beta_1^" in what and "mhat_W, vhat_W" not in what for what in said)
    both = [m for m in mistakes(made) if m.kind == "correction" and len(m.edits) > 1]
    assert both and all(len(m.targets) == len(m.edits) for m in both)


def test_a_recurrence_has_slips_in_time_and_layers():
    program = sb.load(EXAMPLES / "mnist_lstm.toml").program
    kinds = {m.kind for m in mistakes(program)}
    assert {"time", "sign", "function", "name"} <= kinds
    assert any("is taken at t - 1 for t" in m.what for m in mistakes(program))


@pytest.mark.parametrize("name", ["two_layer_sigmoid", "appendix_b3_adam", "xor"])
def test_a_trial_gives_what_the_whole_changed_program_gives(name):
    """The short way, in which only what is reached is calculated again, beside the oracle on the whole program."""
    network, derivation, program = kept(name)
    sample = draw(network.program, 1)
    trial = Trial(program, sample.values, sample.sizes)
    wanted = list(derivation.gradients.values())
    compared = 0
    for mistake in mistakes(program)[::7]:
        short = trial.changed(mistake.edits, wanted)
        try:
            with np.errstate(all="ignore"):
                whole = interpret(applied(program, mistake), sample.values, sample.sizes, facts=False)
        except SymbpError:
            continue
        compared += 1
        assert short is not None and all(np.allclose(short[n], whole[n], equal_nan=True) for n in wanted), mistake.what
    assert compared > 10
    assert all(np.allclose(trial.arrays[n], interpret(program, sample.values, sample.sizes)[n]) for n in wanted)


# A slip that is planted in the program, printed as code, must be found in the code, with the planted slip or one that gives the same.
NETWORKS = ("two_layer_sigmoid", "xor", "softmax_classifier")


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate],
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.sampled_from(NETWORKS), st.integers(0, 10_000))
def test_a_planted_slip_in_generated_code_is_found_and_explained(name, seed):
    network, derivation, program = kept(name)
    slips = [m for m in mistakes(program) if all(program.tensor(t).cotangent_of for t in m.targets)]
    mistake = slips[seed % len(slips)]
    try:
        source = as_code(applied(program, mistake), derivation)
    except SymbpError:
        assume(False)
    sample = draw(network.program, 0)
    right, wrong = (interpret(p, sample.values, sample.sizes, facts=False) for p in (program, applied(program, mistake)))
    gradients = derivation.gradients.values()
    assume(all(np.all(np.isfinite(wrong[g])) for g in gradients) and any(not np.allclose(right[g], wrong[g]) for g in gradients))
    text = Text(name, "", network.program, network.loss, None, {}, {})
    found = judge_code(source, text, True)
    assert found.verdict == "wrong" or found.verdict == "right-if" and mistake.kind in ("count", "transpose"), (mistake.what, found.note)
    assert found.slips or found.verdict == "right-if", (mistake.what, found.note)


def as_code(program: Program, derivation: Derivation) -> Code:
    """A function of the program's inputs that returns all gradients."""
    program = stabilise(program)
    names = spell(program)
    lines, inputs = NumpyPrinter(names).lines(lower(program)), program.inputs
    heads = [f"    {symbol.name} = len({names[t.name]})" for t in inputs for symbol in t.shape[:1] if symbol.is_Symbol][:1]
    returned = ", ".join(names[bar] for bar in derivation.gradients.values())
    head = f"def backward({', '.join(names[t.name] for t in inputs)}):\n    dtype = float\n"
    body = "\n".join([*heads, *(f"    {line}" for line in lines)])
    return Code(code=f"{head}{body}\n    return [{returned}]\n", arguments={names[t.name]: t.name for t in inputs},
                returns=[f"d{derivation.of}/d{name}" for name in derivation.gradients])


# numbers

CHAIN = '''[network]
equations = ["z[j] = sum(i, w[j,i]*x[i]) + b[j]", "a[j] = sigmoid(z[j])", "J = sum(j, (a[j] - y[j])^2)/2"]
loss = "J"
parameters = ["w", "b"]
[optimizer]
type = "gd"
learning_rate = 0.5
[values]
x = [0.5, -1.5]
y = [1, 0]
w = [[0.25, 0.5], [-0.75, 1.0]]
b = [0.1, -0.2]
'''
X, Y, W, B = np.array([0.5, -1.5]), np.array([1.0, 0.0]), np.array([[0.25, 0.5], [-0.75, 1.0]]), np.array([0.1, -0.2])
Z = W @ X + B
A = 1 / (1 + np.exp(-Z))
D = (A - Y) * A * (1 - A)


def claim(of: str, value: np.ndarray, after: int = 0) -> str:
    printed = [[f"{v:.5f}" for v in row] for row in value] if value.ndim == 2 else [f"{v:.5f}" for v in value] if value.ndim else f'"{value:.5f}"'
    return f'[[claims]]\nof = "{of}"\nafter = {after}\nvalue = {printed}\n'.replace("'", '"')


# What a person calculates with a slip, by hand in NumPy, and what must be said of it.
PLANTED = [("z", W @ X, "z: the term b is missing"), ("z", W.T @ X + B, "z: w is transposed"), ("z", -Z, "z: the sign is wrong"),
           ("a", np.exp(Z), "a: exp(z) stands for σ(z)"), ("a", A * (1 - A), "a: σ'(z) stands for σ(z)"),
           ("J", np.sum((A - Y)**2), "J: the factor 1/2 is missing"), ("dJ/dz", A - Y, "delta: the factor σ'(z) is missing"),
           ("dJ/dz", -D, "delta: the sign is wrong"), ("dJ/dz", (A - Y) / (1 + np.exp(-A)) / (1 + np.exp(A)), "delta: σ'(a) stands for σ'(z)"),
           ("dJ/dz", A * A * (1 - A), "delta: the term y is missing"), ("dJ/dw", np.outer(D, A), "dJ/dw: a stands for x"),
           ("dJ/db", 2 * D, "dJ/db: a factor 2 is too many"), ("w", W + 0.5 * np.outer(D, X), "the new w: ascent stands for descent"),
           ("w", W - np.outer(D, X), "the new w: the factor alpha is missing")]


@pytest.mark.parametrize("of, value, says", PLANTED)
def test_a_planted_slip_in_a_chain_of_numbers_is_named(of, value, says):
    before = [("z", Z), ("a", A), ("J", np.sum((A - Y)**2) / 2), ("dJ/dz", D), ("dJ/dw", np.outer(D, X)), ("dJ/db", D)]
    names = [n for n, _ in before]
    earlier = before[:names.index(of)] if of in names else before
    text = CHAIN + "".join(claim(n, v) for n, v in earlier) + claim(of, value, int(of == "w"))
    wrong = [v for v in verdicts(parse(text)) if v.verdict == "wrong"]
    assert wrong and all(v.claim.of.startswith(of) for v in wrong)
    assert all(says in v.slips for v in wrong), [v.slips for v in wrong]


def test_right_numbers_get_no_explanation():
    found = verdicts(parse(CHAIN + claim("z", Z) + claim("a", A) + claim("dJ/dz", D)))
    assert {v.verdict for v in found} == {"right"} and not any(v.slips for v in found)


def test_one_element_with_a_slip_of_its_own():
    """By hand: z[1] with x[0] in both products, −0.75·0.5 + 1·0.5 − 0.2 = −0.075; the other element is right."""
    found = verdicts(parse(CHAIN + claim("z", np.array([Z[0], -0.075]))))
    assert [v.verdict for v in found] == ["right", "wrong"] and any("x[0] stands for x[1]" in s for s in found[1].slips)


@pytest.mark.parametrize("printed, right, says", [("0.6672", "0.6627", "two digits are exchanged"), ("6.627", "0.6627", "the point is misplaced"),
                                                  ("0.6727", "0.6627", "one digit is wrong: 7 for 6"), ("-0.6627", "0.6627", "the sign is wrong"),
                                                  ("0.627", "0.6627", "the digit 6 is left out")])
def test_slips_of_the_pen(printed, right, says):
    assert says in list(typos(read(printed), Fraction(right)))


def test_few_digits_are_not_explained_by_far_fetched_slips():
    """With two digits, half of all slips would fit."""
    found = verdicts(parse(CHAIN + '[[claims]]\nof = "J"\nvalue = "0.7"\n'))
    assert found[0].verdict == "wrong" and len(found[0].slips) <= 6
    assert not list(typos(read("0.67"), Fraction("0.76")))


def test_a_line_written_out_has_the_value_of_the_line():
    network, _, program = kept("two_layer_sigmoid")
    sample = draw(network.program, 0)
    arrays = interpret(program, sample.values, sample.sizes)
    for name in ("z2", "a2", "J", "z2_bar"):
        at = (0,) * arrays[name].ndim
        line = written_out(program, name, at, sample.sizes, set())
        value = number(line, lambda a: float(arrays[a.name][tuple(int(i) for i in a.indices)]), Trial(program, sample.values).numbers.functions)
        assert value == pytest.approx(arrays[name][at], rel=1e-12)



def test_a_file_of_forty_wrong_numbers_is_explained_in_bounded_work():
    wrong = CHAIN + "".join(claim("z", Z + k) + claim("a", A * k) + claim("dJ/dw", np.outer(D, X) * (k + 0.37)) for k in range(1, 6))
    assert len(verdicts(parse(wrong))) == 40
