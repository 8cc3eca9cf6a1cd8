"""The layers, one file for each kind; importing this package registers them all."""
from symbp.layers.activations import Activation, Softmax
from symbp.layers.base import LAYERS, Layer, layer
from symbp.layers.convolution import Convolution, TransposedConvolution
from symbp.layers.dense import Dense
from symbp.layers.equations import Equations
from symbp.layers.graph import Add, Concatenate
from symbp.layers.pooling import AveragePool, GlobalAveragePool, MaxPool
from symbp.layers.shape import Flatten, Permute, Reshape

__all__ = ["LAYERS", "Activation", "Add", "AveragePool", "Concatenate", "Convolution", "Dense", "Equations", "Flatten",
           "GlobalAveragePool", "Layer", "MaxPool", "Permute", "Reshape", "Softmax", "TransposedConvolution", "layer"]
