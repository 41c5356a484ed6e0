"""Conditional GANs, one label at a time: a Wasserstein generator and critic per label, each in a process of its own.

The way the data flows; programs meet only in files:

    prepare -> pretrain -> train (one process per label) -> combine -> evaluate -> report
               (once)      `launch` does both                      `pipeline` runs all of it

The folders, in the order of their imports: each imports only from those above it (tests/test_layers.py).

    core/        errors, files that appear whole, paths, signals, terminal output, random numbers
    config.py    settings: defaults, ranges, meanings
    data/        where images come from, how they are decoded, sorted by label and read back
    models/      generators and critics, and how a generator becomes a SavedModel
    runs/        what a run's folder holds of each label and the pretraining: settings, status, log, TensorBoard's files
    combined/    all labels as one conditional SavedModel, and the pictures it draws
    evaluation/  classifiers, features, and the scores made of them
    launching/   which labels and which device a process takes, and the processes that train them
    training/    one label, from its images to its generator: losses, train_step, checkpoints, callbacks
    reporting/   the report of a run, and its overview in TensorBoard: curves, galleries, verdicts
    cli.py       flags, exit codes, errors in one line

Beside them the programs, which parse and hand on: prepare, pretrain, train, launch, status, combine, sample, evaluate,
report, pipeline, serve_demo, slurm.  Importing any module does nothing.
"""

import sys

from wcgan_tf.core import missing

if sys.argv[:1] == ["-m"]:  # `python -m wcgan_tf.<program>`, before the program itself is imported
    missing.explain_at_start()

__version__ = "0.1.0"
