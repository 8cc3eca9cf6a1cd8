"""The layers, one file for each kind; importing this package registers them all."""
from symbp.layers.activations import Activation, Softmax
from symbp.layers.attention import SelfAttention, TransformerBlock
from symbp.layers.base import LAYERS, Layer, layer
from symbp.layers.dense import Dense
from symbp.layers.embedding import Embedding, Positional
from symbp.layers.equations import Equations
from symbp.layers.graph import Add, Concatenate
from symbp.layers.normalisation import GroupNorm, LayerNorm, RMSNorm

__all__ = [
    "LAYERS",
    "Activation",
    "Add",
    "Concatenate",
    "Dense",
    "Embedding",
    "Equations",
    "GroupNorm",
    "Layer",
    "LayerNorm",
    "Positional",
    "RMSNorm",
    "SelfAttention",
    "Softmax",
    "TransformerBlock",
    "layer",
]
