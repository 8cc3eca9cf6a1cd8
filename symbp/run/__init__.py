"""Training runs: from a network file to trained parameters, with figures, plots, and checkpoints that go on with the same bits.

    loop.py        a run from its start or from its checkpoint: steps, epochs, checkpoints
    samples.py     the data, checked against the network, and the batches
    records.py     metrics.jsonl
    interrupts.py  Ctrl-C
    diverged.py    the last good copy, and the tensor that broke first
    finish.py      what is written at the end, and whether a folder's files belong together
    settings.py    what a run was asked to do, kept in the run's folder
    folder.py      the run's folder, and files that are written whole or not at all
    checkpoint.py  parameters, state and place of a run in one file
    metrics.py     confusion matrix, precision and recall
    plots.py       loss, accuracy, gradient norms and confusion matrix as pictures
    watch.py       gradients and saturation by layer on a probe batch (--watch gradients)
    explain.py     what they mean, in words, and the derived product of Jacobians
    plots_watch.py their picture
    progress.py    the bar in the terminal
"""
from symbp.run.loop import Result, resume, train

__all__ = ["Result", "resume", "train"]
