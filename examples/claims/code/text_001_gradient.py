# 001_0b1603de80d20b36.txt, section 4: the lines up to the gradient, which the listing does not return.
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def gradient(X, y, theta):
    m = X.shape[0]
    output = sigmoid(np.dot(X, theta))
    dJ_dtheta = np.dot(X.T, (output - y)) / m
    return dJ_dtheta
