"""Conditional GANs, one label at a time: a Wasserstein generator and critic per label, each in a process of its own.

The way the data flows; programs meet only in files:

    prepare -> train (one process per label) -> combine -> evaluate -> report
               `launch` starts them                          `pipeline` runs all of it

The rooms of the house, from the ground up.  A module imports only from lines above its own (tests/test_layers.py):

    errors                           how a program ends; what a user can mend, in one line
    signals  lines  ranks            requests to stop; lines that never block; what a scheduler gives to this process
    config  paths  files  decoding   settings; the name of every file; files that appear whole; pictures as pixels
    cli  images  losses  progress    flags and exit codes; uint8 <-> [-1, 1] and grids; formulas; how far it has come
    draws  metrics  seen             random numbers that are the same on every device; scores; what a classifier saw
    optimizers                       Adam
    sources  objectives  augment     the tables of data sets and of objectives; what images go through in training
    models  devices  datasets        networks; which device is ours; one label's images
    domain                           a classifier of a data set's own labels
    manifests                        what is known of a combined model
    heartbeat                        how a label is
    verdicts                         what is to be said of a label's scores
    claims  tables  workers          whose a label's folder is; how all labels are; processes that train them
    work                             a label that this process is at work on
    overview  uptodate               all that is known of a run; whether anything is left to do
    sorting                          a source's images, sorted by label
    events                           TensorBoard's files, read and cut
    gan                              the keras.Model with `train_step`
    checkpoint  monitor  export      go on where a run stopped; watch it; write its generator
    best                             score it while it trains, and keep the best
    training  conditional  sampler   one label from images to generator; all labels as one model, made and asked
    tfgan                            TF-GAN's evaluation, made importable
    classifiers                      images -> features and logits: a table
    features  accuracy               what one makes of images, real ones once; a score that is a training
    scoring  pictures                the table of scores; images with names beside them
    evaluation                       all that is found out about a combined model
    outputs  charts                  images as files; curves
    likeness                         which training images generated ones are most like
    gallery                          the pictures of a report
    page  boards  playground         a run as one HTML file; as a run of TensorBoard; a model on a page to play with
    prepare train launch status combine sample evaluate report pipeline serve_demo   the programs: they parse, hand on

Importing any of them does nothing.
"""

__version__ = "0.1.0"
