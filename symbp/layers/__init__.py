"""The layers, one file for each kind; importing this package registers them all."""
from symbp.layers.activations import Activation, Elu, Formula, LeakyRelu, LogSoftmax, Softmax
from symbp.layers.base import LAYERS, Layer, layer
from symbp.layers.batch_norm import BatchNorm
from symbp.layers.dense import Dense
from symbp.layers.dropout import Dropout
from symbp.layers.equations import Equations
from symbp.layers.gated import GRU, LSTM
from symbp.layers.graph import Add, Concatenate
from symbp.layers.recurrent import SimpleRecurrent

__all__ = ["GRU", "LAYERS", "LSTM", "Activation", "Add", "BatchNorm", "Concatenate", "Dense", "Dropout", "Elu", "Equations", "Formula",
           "Layer", "LeakyRelu", "LogSoftmax", "SimpleRecurrent", "Softmax", "layer"]
