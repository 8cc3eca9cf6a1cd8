# 001_0b1603de80d20b36.txt, section 4, as printed.
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def sigmoid_derivative(x):
    return x * (1 - x)

def backward_propagation(X, y, theta, learning_rate):
    m = X.shape[0]
    output = sigmoid(np.dot(X, theta))
    loss = np.sum(y * np.log(output) + (1 - y) * np.log(1 - output)) / m
    dJ_dtheta = np.dot(X.T, (output - y)) / m
    theta -= learning_rate * dJ_dtheta
    return loss, theta
