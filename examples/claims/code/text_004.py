# 004_21e359a3b14222cd.txt, section 5, as printed but for its comments.
import numpy as np

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def forward(x, w, b):
    z = np.dot(x, w) + b
    a = sigmoid(z)
    return a

def backward(x, a, y, w, learning_rate):
    e = y - a
    d = np.dot(x, e * a * (1 - a))
    w -= learning_rate * d
    return w

def train(x, y, w, b, learning_rate, epochs):
    for epoch in range(epochs):
        a = forward(x, w, b)
        w = backward(x, a, y, w, learning_rate)
    return w, b

def test(x, w, b):
    return forward(x, w, b)
