"""Small network files in which every kind of layer, loss, optimiser and schedule occurs, with its keys at values of their own."""
from __future__ import annotations

import json
from typing import Any

Table = dict[str, Any]
FILES: dict[str, str] = {}
"""The text of each file by its name."""


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml(v)}" for k, v in value.items()) + " }"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)


def kind(type: str, **keys: Any) -> Table:
    """A table with this type."""
    return {"type": type, **keys}


def add(name: str, shape: list[int], layers: list[Table], loss: Table | None = None, target: Table | None = None,
        optimizer: Table | None = None, tokens: int | None = None) -> None:
    """Keep a file."""
    tables = {"[input]": {"shape": shape, **({"tokens": tokens} if tokens else {})}, "[target]": target or {},
              "[loss]": loss or kind("squared_error"), "[optimizer]": optimizer or kind("gd", learning_rate=0.01)}
    pairs = [*tables.items(), *(("[[layers]]", layer) for layer in layers)]
    FILES[name] = f'name = "{name}"\n' + "".join(f"{head}\n" + "".join(f"{k} = {toml(v)}\n" for k, v in t.items()) for head, t in pairs if t)


def dense(units: int, **keys: Any) -> Table:
    """A dense layer."""
    return kind("dense", units=units, **keys)


HEAD = [kind("flatten"), dense(2)]
CLASSES, NUMBERS = {"classes": 3}, {"classes": 3, "encoding": "integer"}

for word in ("relu", "sigmoid", "tanh", "identity", "softplus", "silu", "gelu", "gelu_tanh", "softmax", "log_softmax"):
    add(f"function_{word}", [3], [dense(3), kind(word), dense(2)])
add("function_word", [3], [dense(3, activation="gelu"), dense(2, activation="softmax")])
add("function_leaky_relu", [3], [dense(3), kind("leaky_relu", slope=0.2), dense(2)])
add("function_elu", [3], [dense(3), kind("elu", alpha=0.5), dense(2)])
add("function_formula", [3], [dense(3), kind("activation", formula="z*sigmoid(1.7*z) + maximum(z, 0)^2"), dense(2)])

for name, keys in {"half": {"half": False, "features": "mean"}, "prior": {"prior": kind("gaussian", variance=2.0, of="weights")}}.items():
    add(f"squared_error_{name}", [3], [dense(2)], kind("squared_error", **keys))
add("absolute_error", [3], [dense(2)], kind("absolute_error"))
add("huber", [3], [dense(2)], kind("huber", delta=0.7))
add("gaussian_nll", [3], [dense(4)], kind("gaussian_nll"), {"shape": [2]})
add("gaussian_nll_fixed", [3], [dense(2)], kind("gaussian_nll", variance=0.5, full=True))
add("binary", [3], [dense(2, activation="sigmoid")], kind("binary_cross_entropy"))
add("binary_logits", [3], [dense(2)], kind("binary_cross_entropy_with_logits", targets="any"))
add("cross_entropy", [3], [dense(3), kind("softmax")], kind("cross_entropy"), CLASSES)
add("cross_entropy_numbers", [3], [dense(3), kind("softmax")], kind("cross_entropy"), NUMBERS)
add("softmax_smoothing", [3], [dense(3)], kind("softmax_cross_entropy", smoothing=0.1, temperature=2.0), CLASSES)
add("softmax_ignored", [3], [dense(3)], kind("softmax_cross_entropy", ignore_index=1, smoothing=0.1), NUMBERS)
add("softmax_positions", [2, 3], [dense(3, per_position=True)], kind("softmax_cross_entropy"), NUMBERS)
add("hinge", [3], [dense(1)], kind("hinge", margin=0.5))
add("multiclass_hinge", [3], [dense(3)], kind("multiclass_hinge"), CLASSES)
add("multiclass_hinge_sum", [3], [dense(3)], kind("multiclass_hinge", form="sum", features="mean"), NUMBERS)

CONVOLUTIONS = {
    "conv1d": ([4, 9], kind("conv1d", filters=4, kernel=3, stride=2, padding=[[2, 0]], dilation=2, groups=2)),
    "conv1d_depthwise": ([3, 6], kind("conv1d", kernel=3, depthwise=True, padding="same")),
    "conv2d": ([2, 6, 5], kind("conv2d", filters=3, kernel=[3, 2], stride=[2, 1], padding=[[1, 0], [0, 2]], activation="relu")),
    "conv2d_dilation": ([4, 5, 5], kind("conv2d", filters=2, kernel=2, dilation=2, groups=2, bias=False)),
    "conv2d_depthwise": ([2, 4, 4], kind("conv2d", filters=4, kernel=3, depthwise=True, padding=1)),
    "conv1d_transpose": ([2, 4], kind("conv1d_transpose", filters=2, kernel=3, stride=2, padding=1, output_padding=1)),
    "conv2d_transpose": ([4, 3, 3], kind("conv2d_transpose", filters=2, kernel=2, stride=2, groups=2, dilation=2)),
    "one_window": ([2, 3, 3], kind("conv2d", filters=2, kernel=3)),
}
for name, (shape, made) in CONVOLUTIONS.items():
    add(name, shape, [made, *HEAD])
for name, pool in {"max_pool": kind("max_pool", kernel=2), "max_pool_padded": kind("max_pool", kernel=3, stride=2, padding=1),
                   "average_pool": kind("average_pool", kernel=3, stride=2, padding=1, count_include_pad=False),
                   "global_average_pool": kind("global_average_pool")}.items():
    add(name, [2, 5, 5], [kind("conv2d", filters=2, kernel=2), pool, *HEAD])
add("pool_line", [2, 6], [kind("conv1d", filters=2, kernel=1), kind("max_pool", kernel=2), *HEAD])

add("batch_norm", [3], [dense(3), kind("batch_norm", momentum=0.3, running_variance="biased"), kind("relu"), dense(2)])
add("batch_norm_images", [2, 4, 4], [kind("conv2d", filters=2, kernel=3, bias=False), kind("batch_norm", affine=False), *HEAD])
add("layer_norm", [2, 3], [kind("layer_norm", axes=2, epsilon=0.1), *HEAD])
add("group_norm", [4, 3], [kind("group_norm", groups=2), *HEAD])
add("rms_norm", [3], [dense(4), kind("rms_norm"), dense(2)])
add("dropout", [3], [dense(5, activation="relu"), kind("dropout", rate=0.4), dense(2)])
add("reshape", [6], [dense(6), kind("reshape", shape=[2, 3]), kind("permute", order=[1, 0]), kind("conv1d", filters=2, kernel=2), *HEAD])
add("add", [4], [dense(4, name="a", activation="tanh"), dense(4, name="b"), kind("add", inputs=["a", "b", "input"]), dense(2)])
add("concatenate", [4], [dense(3, name="a", activation="tanh"), dense(2, name="b", input="input"),
                         kind("concatenate", inputs=["a", "b", "input"]), dense(2)])
add("concatenate_axis", [2, 4], [kind("conv1d", filters=2, kernel=1, name="a"), kind("concatenate", inputs=["a", "input"], axis=1), *HEAD])
add("residual", [2, 4, 4], [kind("conv2d", filters=2, kernel=3, padding=1, name="stem", activation="relu"),
                            kind("conv2d", filters=2, kernel=3, padding=1, name="branch"), kind("add", inputs=["stem", "branch"]), *HEAD])

RECURRENT = {
    "rnn": kind("rnn", units=2, activation="relu", returns="all"), "rnn_truncated": kind("rnn", units=2, truncate=2),
    "rnn_both": kind("rnn", units=2, direction="both"), "lstm": kind("lstm", units=2), "lstm_both": kind("lstm", units=2, direction="both", returns="all"),
    "lstm_truncated": kind("lstm", units=2, truncate=1, returns="all"), "gru": kind("gru", units=2, direction="backward", returns="all"),
    "gru_before": kind("gru", units=2, reset="before", bias=False),
}
for name, made in RECURRENT.items():
    add(name, [3, 2], [made, *HEAD])
add("attention", [3, 4], [kind("multi_head_self_attention", heads=2, causal=True), *HEAD])
add("transformer_block", [2, 4], [kind("transformer_block", heads=2, norm="rms_norm", activation="relu", hidden=3, bias=False), *HEAD])
add("characters", [3], [kind("embedding", units=4), kind("positional"), kind("transformer_block", heads=2, causal=True, hidden=3),
                        dense(5, per_position=True)], kind("softmax_cross_entropy"), {"classes": 5, "encoding": "integer"}, tokens=5)
add("sinusoidal", [2, 4], [dense(4, per_position=True), kind("positional", terms="sinusoidal"), *HEAD])
add("equations", [3], [kind("equations", name="gate", parameters={"V": ["j", "i"]}, indices={"j": 4},
                            equations=["y[n,j] = sigmoid(sum(i, V[j,i]*x[n,i]))"]), dense(2)])
add("autoencoder", [1, 4, 4], [kind("conv2d", filters=2, kernel=2, stride=2, activation="tanh"),
                               kind("conv2d_transpose", filters=1, kernel=2, stride=2)], target={"same_as": "input"})

OPTIMIZERS = {
    "sgd": kind("sgd", decay=0.1), "momentum": kind("momentum", weight_decay=0.1), "momentum_averaged": kind("momentum", form="averaged", rate_in="step"),
    "momentum_nowhere": kind("momentum", form="averaged", rate_in="nowhere"), "nesterov": kind("nesterov"), "adagrad": kind("adagrad"),
    "rmsprop": kind("rmsprop", centered=True, beta=0.9), "adam": kind("adam", clip_value=0.1, schedule=kind("step", every=2, factor=0.5)),
    "adam_exponential": kind("adam", weight_decay=0.01, decay_biases=False, schedule=kind("exponential", factor=0.9)),
    "adamw": kind("adamw", clip_norm=1.0, schedule=kind("cosine", steps=10, least=0.1, warm_up=3)),
    "gd": kind("gd", clip_norm=0.5, clip_value=0.2, schedule=kind("constant", warm_up=5)),
}
for name, made in OPTIMIZERS.items():
    add(f"optimizer_{name}", [3], [dense(2, activation="tanh")], optimizer=made)
