# 002_98638d2453495ddf.txt, section 5.1, as printed up to the class's end; its comments say in Chinese: the sigmoid and its derivative, the network's class, first weights
# and biases, forward pass, backward pass, updates.
import numpy as np

def sigmoid(x):
    return 1 / (1 + np.exp(-x))

def sigmoid_derivative(x):
    return sigmoid(x) * (1 - sigmoid(x))

class NeuralNetwork:
    def __init__(self, input_size, hidden_size, output_size):
        self.w2 = np.random.randn(hidden_size, input_size)
        self.b2 = np.random.randn(hidden_size, 1)
        self.w3 = np.random.randn(output_size, hidden_size)
        self.b3 = np.random.randn(output_size, 1)

    def forward(self, x):
        self.z2 = np.dot(self.w2, x) + self.b2
        self.a2 = sigmoid(self.z2)
        self.z3 = np.dot(self.w3, self.a2) + self.b3
        self.a3 = sigmoid(self.z3)
        return self.a3

    def backward(self, x, y, learning_rate):
        self.output_error = self.a3 - y
        self.output_delta = self.output_error * sigmoid_derivative(self.z3)
        self.hidden_error = np.dot(self.w3.T, self.output_delta)
        self.hidden_delta = self.hidden_error * sigmoid_derivative(self.z2)

        self.w3 -= learning_rate * np.dot(self.output_delta, self.a2.T)
        self.b3 -= learning_rate * self.output_delta
        self.w2 -= learning_rate * np.dot(self.hidden_delta, x.T)
        self.b2 -= learning_rate * self.hidden_delta
