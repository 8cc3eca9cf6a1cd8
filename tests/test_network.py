"""Networks: names, letters, numbers, conventions, and networks of symbolic depth."""
from __future__ import annotations

import numpy as np
import pytest

import symbp as sb
from symbp.calculus.differentiate import adjoint
from symbp.interpret import interpret
from symbp.printing.latex import Writer


def names(network: sb.Network) -> list[str]:
    return [t.name for t in network.parameters]


def two_layers(**rest: object) -> sb.Network:
    return sb.Network.of_layers("two", [sb.Dense(units=4, activation="tanh"), sb.Dense(units=2)], sb.SquaredError(), input=[3], **rest)


def test_parameters_are_numbered_and_print_with_their_layer() -> None:
    network = two_layers()
    assert names(network) == ["W1", "b1", "W2", "b2"]
    writer = Writer(network.program)
    assert [writer.symbol(t) for t in network.parameters] == ["W^{(1)}", "b^{(1)}", "W^{(2)}", "b^{(2)}"]
    assert network.program.tensor("z1").cotangent == r"\delta"


def test_a_named_layer_names_its_parameters() -> None:
    layers = [sb.Dense(units=4, name="hidden"), sb.Dense(units=2)]
    network = sb.Network.of_layers("named", layers, sb.SquaredError(), input=[3])
    assert names(network) == ["hidden.W", "hidden.b", "W2", "b2"]
    assert network.records[0].parameters == ("hidden.W", "hidden.b")


def test_each_axis_has_its_own_letter_even_where_extents_agree() -> None:
    layers = [sb.Dense(units=5) for _ in range(14)]
    network = sb.Network.of_layers("deep", layers, sb.SoftmaxCrossEntropy(), input=[5])
    targets = [network.program.definition(f"z{k}")[0].target.indices[1].name for k in range(1, 15)]
    assert len(set(targets)) == 14
    assert {"n", "l", "t", "e", "p", "N"}.isdisjoint(targets)
    assert targets[-1] == "q_1"


def test_an_index_never_takes_a_letter_of_the_notation() -> None:
    network = two_layers(notation=sb.Notation(weights="j", bias="k"))
    assert {i.name for i in network.program.indices} == {"n", "i", "m", "q"}


def test_column_vectors_have_no_batch() -> None:
    network = two_layers(conventions=sb.Conventions(samples="column"))
    assert str(network.program.definition("z1")[0].target) == "z1[j]"
    assert not network.program.sizes


def test_storage_turns_the_weights() -> None:
    network = two_layers(conventions=sb.Conventions(storage="in_out"))
    assert network.program.tensor("W1").shape == (3, 4)


def test_sum_over_the_batch() -> None:
    values = {"x": np.ones((5, 3)), "y": np.zeros((5, 2)), "W1": np.ones((4, 3)), "b1": np.ones(4), "W2": np.ones((2, 4)), "b2": np.ones(2)}
    mean, total = (interpret(two_layers(conventions=sb.Conventions(batch_loss=c)).program, values, {"N": 5})["L"] for c in ("mean", "sum"))
    assert total == pytest.approx(5 * mean)


def test_notation_of_a_text_that_counts_the_input_as_layer_1() -> None:
    network = two_layers(notation=sb.Notation(loss="J", weights="w", first_layer=2, target="\\tau"))
    assert names(network) == ["w2", "b2", "w3", "b3"]
    assert network.loss == "J"
    assert Writer(network.program).symbol(network.program.tensor("tau")) == r"\tau"


def test_a_single_layer_may_be_without_a_number() -> None:
    notation = sb.Notation(numbered=False)
    network = sb.Network.of_layers("one", [sb.Dense(units=2, activation="relu")], sb.SquaredError(), input=[3], notation=notation)
    assert [t.name for t in network.program.tensors] == ["x", "W", "b", "z", "a", "y", "L"]
    with pytest.raises(sb.NetworkError, match="numbered = false"):
        two_layers(notation=notation)


def test_two_activations_in_a_row_print_differently() -> None:
    layers = [sb.Dense(units=2), sb.Activation(type="relu"), sb.Activation(type="tanh"), sb.Softmax(), sb.Softmax()]
    network = sb.Network.of_layers("twice", layers, sb.CrossEntropy(), input=[3])
    writer = Writer(network.program)
    printed = [writer.symbol(t) for t in network.program.tensors if not t.auxiliary]
    assert len(set(printed)) == len(printed)


def test_a_network_without_layers_or_input() -> None:
    with pytest.raises(sb.NetworkError, match="input sample is missing"):
        sb.Network.of_layers("none", [sb.Dense(units=2)], sb.SquaredError())


def test_two_layers_of_one_name() -> None:
    with pytest.raises(sb.NetworkError, match="layer 2 .*an earlier layer is called 'a' too"):
        sb.Network.of_layers("same", [sb.Dense(units=2, name="a"), sb.Dense(units=2, name="a")], sb.SquaredError(), input=[3])


# symbolic depth

def general(activation: str = "sigmoid", samples: str = "column", **rest: object) -> sb.Network:
    return sb.Network.of_layers("general", [sb.Dense(repeat="L", activation=activation)], sb.SquaredError(),
                                conventions=sb.Conventions(samples=samples), notation=sb.Notation(loss="J"), **rest)


def test_a_repeated_layer_is_a_loop_over_layers_of_any_width() -> None:
    program = general().program
    assert str(program).splitlines()[1] == "for l ↑ 1..L:"
    assert [str(e) for e in program.tensor("W").shape] == ["L", "n(axis0)", "n(axis0 - 1)"]
    assert program.tensor("z").origin[0] == 1
    assert program.tensor("a").origin[0] == 0


@pytest.mark.parametrize("samples", ["column", "rows"])
def test_symbolic_depth_agrees_with_the_same_network_spelt_out(samples: str) -> None:
    rng, widths, batch = np.random.default_rng(3), [3, 4, 2], 5
    shape = (lambda w: (batch, w)) if samples == "rows" else (lambda w: (w,))
    x, y = rng.normal(size=shape(3)), rng.normal(size=shape(2))
    W, b = np.zeros((2, 4, 4)), np.zeros((2, 4))
    for k in (1, 2):
        W[k - 1, :widths[k], :widths[k - 1]] = rng.normal(size=(widths[k], widths[k - 1]))
        b[k - 1, :widths[k]] = rng.normal(size=widths[k])
    sizes = {"N": batch} if samples == "rows" else {}
    looped = interpret(adjoint(general(samples=samples).program, "J").program, {"x": x, "y": y, "W": W, "b": b},
                       {**sizes, "L": 2, "n": widths})
    layers = [sb.Dense(units=4, activation="sigmoid"), sb.Dense(units=2, activation="sigmoid")]
    plain = sb.Network.of_layers("plain", layers, sb.SquaredError(), input=[3], conventions=sb.Conventions(samples=samples))
    spelt = interpret(adjoint(plain.program, "L").program, {"x": x, "y": y, "W1": W[0, :4, :3], "b1": b[0], "W2": W[1, :2, :4], "b2": b[1, :2]},
                      sizes)
    assert looped["J"] == pytest.approx(spelt["L"])
    np.testing.assert_allclose(looped["W_bar"][0, :4, :3], spelt["W1_bar"])
    np.testing.assert_allclose(looped["W_bar"][1, :2, :4], spelt["W2_bar"])
    np.testing.assert_allclose(looped["b_bar"][1, :2], spelt["b2_bar"])


def test_softmax_may_follow_a_repeated_layer_but_no_layer_with_parameters() -> None:
    layers = [sb.Dense(repeat="L", activation="any"), sb.Softmax()]
    assert "p" in sb.Network.of_layers("ok", layers, sb.CrossEntropy(), notation=sb.Notation(loss="J")).program
    with pytest.raises(sb.NetworkError, match="layer 2 .*cannot follow a layer with `repeat`"):
        sb.Network.of_layers("no", [layers[0], sb.Dense(units=3)], sb.SquaredError(), notation=sb.Notation(loss="J"))


def test_depth_and_loss_cannot_share_a_letter() -> None:
    with pytest.raises(sb.NetworkError, match="the number of layers cannot be called 'L'"):
        sb.Network.of_layers("no", [sb.Dense(repeat="L")], sb.SquaredError())


def test_a_repeated_layer_has_no_input_shape() -> None:
    with pytest.raises(sb.NetworkError, match=r"leave the table \[input\] out"):
        general().of_layers("no", [sb.Dense(repeat="L")], sb.SquaredError(), input=[3], notation=sb.Notation(loss="J"))


# networks as equations

LINE = {"w": {"axes": ["i"], "role": "parameter"}, "x": {"axes": ["n", "i"]}}


def test_a_network_of_equations() -> None:
    network = sb.Network.of_equations("line", ["L = sum(n, sum(i, w[i]*x[n,i])^2)/N"], LINE, loss="L", indices={"i": 3, "n": "N"})
    assert names(network) == ["w"]
    assert [s.name for s in network.program.sizes] == ["N"]


@pytest.mark.parametrize(("equations", "loss", "message"), [
    (["L = sum(i, w[i]^2)"], "J", "no equation assigns it"),
    (["L[i] = w[i]^2"], "L", "a loss is one number"),
    (["L = sum(i, w[i])", "L = 2*sum(i, w[i])"], "L", "has a value already"),
    (["w[i] = 2*w[i]"], "w", "has a value already"),
    (["exp = sum(i, w[i])"], "exp", "word of the expression language"),
    (["i = sum(i, w[i])"], "i", "index and a tensor"),
])
def test_equations_that_are_no_network(equations: list[str], loss: str, message: str) -> None:
    with pytest.raises(sb.SymbpError, match=message):
        sb.Network.of_equations("line", equations, LINE, loss=loss, indices={"i": 3, "n": "N"})
