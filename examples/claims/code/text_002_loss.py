# 002_98638d2453495ddf.txt, section 5.1: the line of the training loop that calculates the loss, as a function of what it reads; behind the loop
# the listing ends with a comment, "test the network", and no test.
import numpy as np

def loss(output, y):
    loss = 0.5 * np.sum(np.square(output - y))
    return loss
