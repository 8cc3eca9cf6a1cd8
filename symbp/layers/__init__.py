"""The layers, one file for each kind; importing this package registers them all."""
from symbp.layers.activations import Activation, Elu, Formula, LeakyRelu, LogSoftmax, Softmax
from symbp.layers.attention import SelfAttention, TransformerBlock
from symbp.layers.base import LAYERS, Layer, layer
from symbp.layers.batch_norm import BatchNorm
from symbp.layers.convolution import Convolution, TransposedConvolution
from symbp.layers.dense import Dense
from symbp.layers.dropout import Dropout
from symbp.layers.embedding import Embedding, Positional
from symbp.layers.equations import Equations
from symbp.layers.gated import GRU, LSTM
from symbp.layers.graph import Add, Concatenate
from symbp.layers.normalisation import GroupNorm, LayerNorm, RMSNorm
from symbp.layers.pooling import AveragePool, GlobalAveragePool, MaxPool
from symbp.layers.recurrent import SimpleRecurrent
from symbp.layers.shape import Flatten, Permute, Reshape

__all__ = ["GRU", "LAYERS", "LSTM", "Activation", "Add", "AveragePool", "BatchNorm", "Concatenate", "Convolution", "Dense", "Dropout",
           "Elu", "Embedding", "Equations", "Flatten", "Formula", "GlobalAveragePool", "GroupNorm", "Layer", "LayerNorm", "LeakyRelu",
           "LogSoftmax", "MaxPool", "Permute", "Positional", "RMSNorm", "Reshape", "SelfAttention", "SimpleRecurrent", "Softmax",
           "TransformerBlock", "TransposedConvolution", "layer"]
