# 003_61ee1cc99e4b33c9.txt, section 3.2, the pseudocode of the backward pass without its comments.  The first two functions are
# those that the text describes in words; the last one calls it for a network with one hidden layer.
import numpy as np

def weighted_sum(x, w, b):
    return np.dot(w, x) + b

def loss_function_derivative(output, target):
    return output - target

def backward_propagation(output_layer_output, actual_output, weights, biases, learning_rate, activation_function_derivative):
    errors = []
    gradients = []

    output_error = loss_function_derivative(output_layer_output, actual_output)

    gradients.append([-learning_rate * output_error, -learning_rate * activation_function_derivative(output_layer_output)])

    for i in range(number_of_hidden_layers - 1, -1, -1):
        hidden_layer_output = hidden_layers_inputs[i]
        hidden_layer_error = weighted_sum(output_error, biases[i + 1], hidden_layer_output)
        errors.append(hidden_layer_error)

        gradients.append([-learning_rate * hidden_layer_error, -learning_rate * activation_function_derivative(hidden_layer_output)])

    return gradients

def called(a2, t, w1, b1, w2, b2, learning_rate):
    gradients = backward_propagation(a2, t, [w1, w2], [b1, b2], learning_rate, lambda a: a * (1 - a))
    return gradients
