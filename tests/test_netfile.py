"""The network file: every example loads, every mistake is one paragraph that names the place and the remedy."""
from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import symbp as sb
from symbp.netfile import network
from symbp.tomlfile import LARGEST

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.toml"))

GOOD = """
name = "net"
title = "A net"
[input]
shape = [4]
[target]
classes = 3
[[layers]]
type = "dense"
units = 5
[[layers]]
type = "relu"
[[layers]]
type = "dense"
units = 3
[loss]
type = "softmax_cross_entropy"
[optimizer]
type = "adam"
learning_rate = 1e-3
[conventions]
batch_loss = "mean"
[notation]
loss = "J"
[derivation]
activation_derivatives = "kept"
facts = "used"
[data]
name = "digits"
[train]
epochs = 5
batch_size = 32
seed = 0
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_load_under_their_own_name(path: Path) -> None:
    net = sb.load(path)
    assert net.name == path.stem
    assert not net.program.tensor(net.loss).shape
    assert net.parameters


FORMULAS = [
    ("softmax_classifier", "z1", r"\delta^{(1)}_{nj} = \frac{1}{N} \left(p_{nj} - t_{nj}\right)"),
    ("xor", "z2", r"\delta^{(2)}_{nk} = \frac{1}{N} \left(a^{(2)}_{nk} - y_{nk}\right)"),
    ("two_layer_sigmoid", "z3", r"\delta^{(3)}_{k} = \left(a^{(3)}_{k} - y_{k}\right) \sigma'\left(z^{(3)}_{k}\right)"),
    ("two_layer_sigmoid", "w2", r"\frac{\partial J}{\partial w^{(2)}_{ji}} = \delta^{(2)}_{j} x_{i}"),
    ("bp_general", "w", r"\frac{\partial J}{\partial w^{(l)}_{jk}} = \delta^{(l)}_{j} a^{(l - 1)}_{k}"),
    ("bp_general", "b", r"\frac{\partial J}{\partial b^{(l)}_{j}} = \delta^{(l)}_{j}"),
    ("appendix_b2", "W", r"\frac{\partial L}{\partial W_{ij}} = \sum_{n} \Delta_{nj} X_{ni}"),
]


@pytest.mark.parametrize(("name", "tensor", "formula"), FORMULAS)
def test_the_textbooks_formulas_come_out_of_the_examples(name: str, tensor: str, formula: str) -> None:
    path = next(p for p in EXAMPLES if p.stem == name)
    assert sb.derive(sb.load(path))[tensor].latex() == formula


def test_a_file_says_everything() -> None:
    net = sb.parse(GOOD)
    assert (net.name, net.title, net.loss) == ("net", "A net", "J")
    assert net.derivation == {"activation_derivatives": "kept", "facts": "used"}
    assert net.extras["train"].batch_size == 32
    assert net.extras["data"].name == "digits"
    assert net.optimizer.learning_rate == 1e-3
    assert [layer.type for layer in net.layers] == ["dense", "relu", "dense"]


AUTOENCODER = GOOD.replace("classes = 3", 'same_as = "input"').replace("units = 3", "units = 4").replace("softmax_cross_entropy", "squared_error")


def test_a_target_that_is_the_input() -> None:
    net = sb.parse(AUTOENCODER)
    assert net.reconstructs and not sb.parse(GOOD).reconstructs
    assert [t.shape[1:] for t in net.program.inputs if t.role == "input"] == [(4,), (4,)]


@pytest.mark.parametrize(("old", "new", "message"), [
    ("units = 4", "units = 3", r"target has the shape \[4\], but the last layer's output has the shape \[3\]"),
    ('same_as = "input"', 'same_as = "input"\nclasses = 4', "remove classes and shape"),
    ('same_as = "input"', 'same_as = "x"', 'same_as = "x" is unknown'),
    ("shape = [4]", "shape = [4]\ntokens = 9", "needs an input of numbers"),
    ("squared_error", "softmax_cross_entropy", "needs classes")])
def test_a_target_that_is_not_the_input(old: str, new: str, message: str) -> None:
    with pytest.raises(sb.NetworkError, match=message):
        sb.parse(AUTOENCODER.replace(old, new))


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "net.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert sb.load(path).name == "net"


# what is wrong with the contents: (text to replace, its replacement, what the message must say)
WRONG = [
    ('title = "A net"', 'titel = "A net"', ['unknown key "titel"', 'did you mean "title"']),
    ('name = "net"', "", ['"name" is missing']),
    ('name = "net"', 'name = "../../etc/passwd"', ["name ="]),
    ('name = "net"', "name = 3", ["name must be text"]),
    ('type = "relu"', 'type = "rleu"', ["[[layers]] number 2", 'unknown layer type "rleu"', 'did you mean "relu"']),
    ('type = "relu"', "type = 3", ["[[layers]] number 2", "no text"]),
    ('type = "relu"', 'kind = "relu"', ["[[layers]] number 2", 'no key "type"']),
    ('type = "relu"', 'type = "relu"\nslope = 0.1', ["number 2 (relu)", 'unknown key "slope"']),
    ("units = 5", "unitz = 5", ["number 1 (dense)", 'unknown key "unitz"', 'did you mean "units"']),
    ("units = 5", "units = -5", ["number 1 (dense)", "units = -5", "greater than 0"]),
    ("units = 5", 'units = "five"', ["units must be a whole number, not \"five\""]),
    ("units = 5", "units = 5.5", ["units must be a whole number"]),
    ("units = 5", "units = true", ["units must be a whole number"]),
    ("units = 5", "", ['the key "units" is missing']),
    ("units = 5", "units = 99999999999999999999", ["units ="]),
    ("units = 3", "units = 4", ["3 classes", "[4]"]),
    ("shape = [4]", "shape = []", ["[input]", "shape"]),
    ("shape = [4]", "shape = 4", ["[input]", "shape must be a list"]),
    ("shape = [4]", "shape = [0]", ["[input]", "shape.1 = 0"]),
    ("shape = [4]", "shape = [2, 2]", ["layer 1 (dense)", "shape = [4]"]),
    ("[input]\nshape = [4]", "", ["[input]"]),
    ("classes = 3", "classes = 3\nshape = [3]", ["[target]", "not both"]),
    ("classes = 3", 'classes = 3\nencoding = "onehot"', ['did you mean "one_hot"']),
    ('type = "softmax_cross_entropy"', 'type = "softmax_crossentropy"', ["[loss]", 'did you mean "softmax_cross_entropy"']),
    ('type = "softmax_cross_entropy"', 'type = "cross_entropy"', ["softmax"]),
    ('type = "adam"', 'type = "adma"', ["[optimizer]", 'did you mean "adam"']),
    ("learning_rate = 1e-3", "learning_rate = -1.0", ["[optimizer]", "learning_rate"]),
    ("learning_rate = 1e-3", "learning_rate = nan", ["[optimizer]", "learning_rate"]),
    ('batch_loss = "mean"', 'batch_loss = "meen"', ["[conventions]", 'did you mean "mean"']),
    ('batch_loss = "mean"', 'batchloss = "mean"', ["[conventions]", 'did you mean "batch_loss"']),
    ('batch_loss = "mean"', "batch_loss = 3", ["[conventions]", "text"]),
    ('loss = "J"', 'loss = "\\\\input{/etc/passwd}"', ["[notation]", "loss", "not a symbol"]),
    ('loss = "J"', 'loss = "\\\\write"', ["[notation]", "not a symbol"]),
    ('loss = "J"', 'loss = "N"', ["[notation]", "number of samples"]),
    ('loss = "J"', 'loss = "W"', ["[notation]", "same symbol"]),
    ('loss = "J"', "first_layer = -1", ["[notation]", "first_layer"]),
    ('facts = "used"', 'facts = "use"', ["[derivation]", 'did you mean "used"']),
    ("epochs = 5", "epochs = 0", ["[train]", "epochs"]),
    ('name = "digits"', 'name = "digits"\nurl = "http://x"', ["[data]", 'unknown key "url"']),
    ("[train]", "[trian]", ['unknown key "trian"', 'did you mean "train"']),
    ("[[layers]]", "[layers]", ["TOML"]),
    ("[input]", "[input", ["TOML"]),
]


@pytest.mark.parametrize(("old", "new", "parts"), WRONG, ids=range(len(WRONG)))
def test_wrong_contents(old: str, new: str, parts: list[str], tmp_path: Path) -> None:
    assert old in GOOD
    path = tmp_path / "bad.toml"
    path.write_text(GOOD.replace(old, new, 1) if old != "units = 3" else GOOD.replace(old, new), encoding="utf-8")
    message = failure(path)
    assert "bad.toml" in message
    for part in parts:
        assert part in message


def failure(path: Path) -> str:
    """The message of the error for a file, which is one paragraph of a reasonable length."""
    with pytest.raises(sb.SymbpError) as caught:
        sb.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 900
    return message


FILES = {
    "empty": (b"", "empty"), "blank": (b" \n\t\n", "empty"), "latin": ('name = "Gr\u00fc\u00dfe"'.encode("latin-1"), "UTF-8"),
    "binary": (bytes(range(256)), "UTF-8"), "nul": (b'name = "a\0b"', "not TOML"), "python": (b"import os\nos.system('true')", "not TOML"),
    "yaml": (b"name: net\nlayers:\n  - dense", "not TOML"), "twice": (b'name = "a"\nname = "b"', "not TOML"),
    "arrays": (b"x = " + b"[" * 100_000, "nested too deeply"), "tables": (b"x = " + b"{a=" * 50_000, "nested too deeply"),
    "keys": (b"a." * 100_000 + b"a = 1", "more than 40 parts"), "header": (b"[" + b'"a" . ' * 100_000 + b"a]", "more than 40 parts"),
    "huge": (b"#" * (LARGEST + 1), "larger than"), "digits": (b"x = " + b"9" * 10_000, "not TOML"),
    "no layers": (b'name = "a"\n[input]\nshape = [3]', "no layers"),
    "no loss": (b'name = "a"\n[input]\nshape = [3]\n[[layers]]\ntype = "dense"\nunits = 3', "[loss] is missing"),
    "scalar layers": (b'name = "a"\nlayers = 3', "layers must be a list"), "list loss": (b'name = "a"\nloss = [1]', "loss must be a table"),
}


@pytest.mark.parametrize("name", FILES)
def test_wrong_files(name: str, tmp_path: Path) -> None:
    raw, part = FILES[name]
    path = tmp_path / "bad.toml"
    path.write_bytes(raw)
    assert part in failure(path)


def test_missing_file_folder_and_impossible_names(tmp_path: Path) -> None:
    assert "No such file" in failure(tmp_path / "missing.toml")
    assert "folder" in failure(tmp_path)
    assert "file name" in failure(Path("a\0b.toml"))
    assert "cannot read" in failure(tmp_path / ("x" * 5000))


WRITTEN = """
name = "net"
[network]
loss = "L"
indices = { n = "N", i = 4 }
tensors.w = { axes = ["i"], role = "parameter" }
tensors.v = { axes = ["n"], role = "parameter" }
tensors.x = { axes = ["n", "i"] }
equations = [EQUATIONS]
"""

# mistakes in equations: (the equations, what the message must say)
EQUATIONS = [
    ('"L = sum(n, i, w[i]*x[n,i]) + sum(i, v[i])"', ["index i", "extent 4", "extent N", "different names"]),
    ('"L = sum(n, i, v[n]*w[i]*x[n,i+1])"', ["i + 1", "can leave its axis", "x[n, i + 1]", "inside("]),
    ('"L = sum(n, i, v[n]*w[i]*x[n,i*i])"', ["i**2", "not integer-affine"]),
    ('"L = sum(n, i, v[n]*q[i]*x[n,i])"', ["unknown tensor 'q'", "valid are"]),
    ('"L = sum(n, v[n]*w[i]*x[n,i])"', ["index i is neither on the left nor summed over"]),
    ('"L = __import__(\'os\').system(\'true\')"', ["cannot read", "column 16"]),
    ('"L = open(v[0])"', ["unknown function 'open'"]),
    ('"M = sum(n, i, v[n]*w[i]*x[n,i])"', ["no equation assigns it", "assign M"]),
    ('"x[n,i] = v[n]*w[i]"', ["x has a value already"]),
    ('"L = sum(n, z[n])", "z[n] = v[n]*sum(i, w[i]*x[n,i])"', ["z is read before it is assigned", "above"]),
    ('"z[n] = z[n] + v[n]", "L = sum(n, z[n])"', ["z is read before it is assigned"]),
    ('"z[n+1] = v[n]", "L = sum(n, z[n])"', ["n + 1 is not a plain index"]),
    ('""', ["at its end", "one sign ="]), ("3", ["equations.1 must be text"]), ("", ["equations = []", "at least 1 entries"]),
    ('"L = sum(i, w[i]^2)"', ["no equation uses the parameter 'v'"]),
]


@pytest.mark.parametrize(("equations", "parts"), EQUATIONS, ids=range(len(EQUATIONS)))
def test_wrong_equations(equations: str, parts: list[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(WRITTEN.replace("EQUATIONS", equations), encoding="utf-8")
    message = failure(path)
    assert message.startswith(f"{path}: [network]: ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(("old", "new", "parts"), [
    ("i = 4", "i = -4", ["indices.i = -4", "greater than 0"]),
    ("i = 4", "i = 1000000000", ["indices.i = 1000000000", "at most 10000000"]),
    ("tensors.w", 'tensors."a b"', ['"a b" is not a name']),
    ("tensors.w", "tensors.i", ["'i' is an index and a tensor"]),
    ('role = "parameter" }\ntensors.v', 'role = "param" }\ntensors.v', ["tensors.w", 'did you mean "parameter"']),
])
def test_wrong_declarations(old: str, new: str, parts: list[str], tmp_path: Path) -> None:
    text = WRITTEN.replace("EQUATIONS", '"L = sum(n, i, v[n]*w[i]*x[n,i])"')
    assert sb.parse(text).loss == "L"
    assert old in text
    path = tmp_path / "bad.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    message = failure(path)
    for part in parts:
        assert part in message


def test_too_many_layers_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(GOOD + '[[layers]]\ntype = "relu"\n' * 3000, encoding="utf-8")
    assert "must have at most 2000 entries" in failure(path)


def test_hostile_names_are_shown_harmlessly(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('"\\u001b[31m\\nred" = 1\nname = "a"', encoding="utf-8")
    assert "\x1b" not in failure(path)


def test_hostile_titles_are_only_text() -> None:
    title = r"\\input{/etc/passwd} <script>alert(1)</script> $\\write18{true}$ 深度"
    assert sb.parse(GOOD.replace("A net", title)).title.startswith("\\input{/etc/passwd} <script>")


EQUATIONS = """
name = "eq"
[network]
loss = "L"
indices = {{ n = "N", i = 3, k = 2 }}
tensors.x = {{ axes = ["n", "i"] }}
tensors.W = {{ axes = ["k", "i"], role = "parameter" }}
tensors.t = {{ axes = ["n"], dtype = "int" }}
facts = ["t[n] >= 0", "t[n] <= 1"]
equations = [{}]
"""


def test_a_network_of_equations_with_data_dependent_indices() -> None:
    net = sb.parse(EQUATIONS.format('"z[n,k] = sum(i, W[k,i]*x[n,i])", "p[n,k] = softmax(k, z[n,k])", "L = -sum(n, log(p[n,t[n]]))/N"'))
    assert [p.name for p in net.parameters] == ["W"]
    assert len(net.program.facts) == 2


@pytest.mark.parametrize(("equation", "part"), [
    ("L = sum(n, i, W[i,i]*x[n,i])", "two indices of different extent"),
    ("L = sum(n, i, x[n,i+1])", "can leave its axis above"),
    ("L = sum(n, i, x[n,i*i])", "not integer-affine"),
    ("L = sum(n, k, x[n,k])", "two indices of different extent"),
    ("L = sum(n, i, x[n,i]*V[i])", "unknown tensor 'V'"),
    ("L = sum(n, i, expp(x[n,i]))", 'did you mean "exp"'),
    ("L = __import__('os').system('touch /tmp/pwned')", "cannot read"),
    ("L = (lambda: 1)()", "cannot read"),
    ("L = x.__class__", "unknown"),
    ("L = 9**9**9**9", "exponent"),
    ("L = " + "(" * 200 + "1" + ")" * 200, "brackets are nested"),
    ("L = 1/0", "division by zero"),
    ("L = sum(n, i, x[n])", "2 axes"),
    ("L[n] = sum(i, x[n,i])", "one number"),
    ("Q = sum(n, i, x[n,i])", "no equation assigns it"),
    ("", "cannot read"),
])
def test_equations_that_are_wrong(equation: str, part: str, tmp_path: Path) -> None:
    path = tmp_path / "eq.toml"
    path.write_text(EQUATIONS.format(f"'''{equation}'''"), encoding="utf-8")
    assert part in failure(path)


def test_a_whole_network_has_no_layers_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "eq.toml"
    path.write_text(EQUATIONS.format('"L = sum(n, i, x[n,i])"') + '[[layers]]\ntype = "relu"', encoding="utf-8")
    assert "no place beside it" in failure(path)


# fuzz: any value at any place, and any text in an equation

VALUES = st.recursive(
    st.one_of(st.none().map(lambda _: True), st.integers(-10**20, 10**20), st.floats(), st.text(max_size=12), st.booleans(),
              st.sampled_from(["L", "dense", "n", "relu", "x", "\\alpha", "sum", "any", "self", "type"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)), max_leaves=6)
PLACES = [("name",), ("title",), ("input",), ("input", "shape"), ("target",), ("target", "classes"), ("target", "encoding"), ("layers",),
          ("layers", 0), ("layers", 0, "units"), ("layers", 0, "type"), ("layers", 0, "activation"), ("layers", 0, "name"),
          ("layers", 0, "repeat"), ("layers", 0, "bias"), ("loss",), ("loss", "type"), ("loss", "smoothing"), ("loss", "temperature"),
          ("optimizer",), ("optimizer", "learning_rate"), ("conventions",), ("conventions", "samples"), ("notation",), ("notation", "loss"),
          ("notation", "weights"), ("notation", "first_layer"), ("notation", "numbered"), ("derivation",), ("derivation", "facts"), ("data",),
          ("train",), ("train", "seed"), ("network",), ("extra",)]


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PLACES), VALUES)
def test_any_value_anywhere_is_read_or_refused(place: tuple, value: object) -> None:
    tables = tomllib.loads(GOOD)
    inner: object = tables
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    read_or_refuse(tables)


LAYER_PLACES = ["name", "parameters", "indices", "equations", "init", "facts"]


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(LAYER_PLACES), st.one_of(VALUES, st.dictionaries(st.sampled_from("jVcxn"), VALUES, max_size=2)))
def test_any_value_in_a_layer_of_equations_is_read_or_refused(key: str, value: object) -> None:
    own = {"type": "equations", "name": "own", "parameters": {"V": ["j", "i"]}, "indices": {"j": 3}, "equations": ["y[n,j] = sum(i, V[j,i]*x[n,i])"]}
    read_or_refuse({**tomllib.loads(GOOD), "layers": [{**own, key: value}]})


WORDS = st.lists(st.sampled_from(["y", "x", "V", "[n,i]", "[n,j]", "[j,i]", "sum(", "max(", "softmax(", "i,", "j,", ")", "(", "+", "-", "*", "/", "^",
                                  "2", "0.5", "exp(", "log(", "sigmoid(", "inside(", "mean(", " where ", "<=", "==", "[", "]", ",", "n", "i", "j",
                                  "pi", "e", "N", "'", "é", "__class__"]), max_size=14)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(WORDS)
def test_any_words_in_an_equation_are_read_or_refused(words: list[str]) -> None:
    own = {"type": "equations", "name": "own", "parameters": {"V": ["j", "i"]}, "indices": {"j": 3, "i": 4}}
    read_or_refuse({**tomllib.loads(GOOD), "layers": [{**own, "equations": ["y[n,j] = " + "".join(words)]}]})


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        sb.parse(text)
    except sb.SymbpError:
        pass


def read_or_refuse(tables: dict) -> None:
    try:
        assert isinstance(network(tables), sb.Network)
    except sb.SymbpError as error:
        assert str(error)
