"""Training runs: from a network file to trained parameters, with figures, plots, and checkpoints that go on with the same bits.

    loop.py        a run from its start or from its checkpoint: batches, records, interrupts, what breaks
    settings.py    what a run was asked to do, kept in the run's folder
    folder.py      the run's folder, and files that are written whole or not at all
    checkpoint.py  parameters, state and place of a run in one file
    samples.py     the arrays to train on, checked against the network
    records.py     metrics.jsonl
    metrics.py     confusion matrix, precision and recall
    plots.py       loss, accuracy, gradient norms and confusion matrix as pictures
    progress.py    the bar in the terminal
"""
from symbp.run.loop import Result, resume, train

__all__ = ["Result", "resume", "train"]
