"""Train the generator and the critic of one label, independently of all others, on this process's own device.

    python -m wcgan_tf.train --label 3
    python -m wcgan_tf.train --config cifar10 --label cat
    python -m wcgan_tf.train --config cifar10 --label 0-4,cat       # in turn, compiled once
    srun bash -c 'python -m wcgan_tf.train --config cifar10 --label $SLURM_PROCID'
    srun python -m wcgan_tf.train --config cifar10 --label auto     # the labels of this rank

If the config asks for a pretraining and it is not done, one process does it first, and the others wait for it.

Started again, it resumes from its last checkpoint.  On Ctrl-C, SIGTERM, SIGUSR1 or SIGHUP it writes a checkpoint
within 10 s and ends with exit code 75.  Other exit codes: 0 done; 1 failed, another try may help; 2 wrong input;
3 diverged: a loss or a weight is not finite, also after it went back once if `train.after_divergence` says so.  See
log.txt and status.json in the label's folder.
"""

import functools
import os
import re
import sys
from typing import TYPE_CHECKING

from absl import flags

from wcgan_tf import cli
from wcgan_tf.core import errors, signals
from wcgan_tf.core.console import LineWriter
from wcgan_tf.core.errors import InUseError, UserError
from wcgan_tf.core.labels import INDEX, meaning_of_number, parse_labels
from wcgan_tf.core.process import quiet_imports, write_to
from wcgan_tf.data import prepared
from wcgan_tf.launching import ranks, workers
from wcgan_tf.runs import pretraining
from wcgan_tf.runs.label_run import open_run, record_failure

if TYPE_CHECKING:
    from wcgan_tf.training.trainer import Trainer

WORST_FIRST = (errors.STOPPED, errors.FAILED, errors.DIVERGED, errors.WRONG_INPUT, errors.DONE)
SPARE = 0.25  # room for the images of larger labels that follow, which then need no step of their own


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string(
        "label",
        "",
        "The label: an index such as 3, or a name such as cat; several in turn: 0-9,cat; every tenth from 3 on: 3/10; "
        "or auto: those of this process's rank, by the variables of its scheduler or MPI (docs/cluster.md).",
    )
    flags.DEFINE_integer(
        "answers", None, "Of `launch`: train what stdin names; a pipe for the exit codes.", lower_bound=3
    )
    flags.DEFINE_string("labels", "", "With --label=auto or 3/10: share these, such as 0-9,cat; all if not given.")


def main() -> int:
    stop = signals.StopRequests()
    stop.listen()
    stop.ends_at_once(lambda: print("stopped before it began", flush=True))  # nothing is written yet
    out = LineWriter()
    try:
        return _train_given(stop, out) if cli.FLAGS.answers else _train_all(_labels(out), stop, out)
    finally:
        out.finish()


def _train_given(stop: signals.StopRequests, out: LineWriter) -> int:
    """Train the labels that stdin names, a line each, and answer each with its exit code (see `launching/workers.py`).

    All that is said about a label goes to its log.  Returns the exit code of a label that another try may help, which a
    new process gets, or DONE at the end of stdin.
    """
    for line in iter(sys.stdin.readline, ""):
        label = int(line)
        write_to(cli.run_paths().label(label).log)
        try:
            code = _train_all([label], stop, out)
        except InUseError:
            code = workers.IN_USE
        except Exception as error:
            code = cli.show(error)
        out.finish()
        if code in (errors.FAILED, errors.STOPPED):
            return code
        os.write(cli.FLAGS.answers, f"{code}\n".encode())
        stop.ends_at_once(lambda: None)  # until there is another label
    return errors.DONE


def _train_all(labels: list[int], stop: signals.StopRequests, out: LineWriter) -> int:
    """Train one label after another; returns the worst of their exit codes."""
    codes = [_pretrain(labels, stop, out)]
    if codes != [errors.DONE]:
        return codes[0]
    for label in labels:
        if stop.received:
            codes.append(errors.STOPPED)
            break
        try:
            codes.append(_train(label, stop, out, in_turn=len(labels) > 1 or bool(cli.FLAGS.answers)))
        except Exception as error:
            if len(labels) == 1:
                raise
            codes.append(cli.show(error))  # continue with the other labels
    return min(codes, key=WORST_FIRST.index)


def _pretrain(labels: list[int], stop: signals.StopRequests, out: LineWriter) -> int:
    """Do the pretraining if these labels start from one that is not done; returns its exit code."""
    config, run = cli.config(), cli.run_paths()
    there = [label for label in labels if prepared.count(config.dataset, "train", label)]  # of others later an error
    if not pretraining.is_needed(config, run, there):
        return errors.DONE
    with quiet_imports():
        from wcgan_tf.training.pretraining import pretrain
    return errors.EXIT_CODES[pretrain(config, run, stop, out, cli.describe)]


def _train(label: int, stop: signals.StopRequests, out: LineWriter, in_turn: bool) -> int:
    """Train a label, unless it is done; returns its exit code.

    Args:
        in_turn: whether others may follow.
    """
    config, paths = cli.config(), cli.run_paths().label(label)
    try:
        data = prepared.training_images(config.dataset, label)
    except UserError as error:
        if _is_one(label):
            record_failure(paths, label, error, cli.describe)
        raise
    meaning = meaning_of_number(label, data.name)
    if meaning and re.fullmatch(INDEX, cli.FLAGS.label.strip()):
        out.say(f"{data.title}: {meaning}", paths.log)
    with open_run(config, data, paths, stop, out, cli.describe) as run:
        return errors.EXIT_CODES[_trainer(in_turn).train(run)] if run else errors.DONE


def _is_one(label: int) -> bool:
    """Whether the data set has this label, as far as that is known."""
    try:
        return label < len(prepared.label_names(cli.config().dataset))
    except UserError:  # nothing is prepared
        return False


@functools.cache
def _trainer(in_turn: bool) -> "Trainer":
    """Created for the first label that is not done: TensorFlow takes seconds to import."""
    with quiet_imports():
        from wcgan_tf.training.trainer import Trainer
    start = cli.run_paths().pretraining if cli.config().train.pretraining else None
    return Trainer(cli.config(), start, SPARE if in_turn else 0.0)


def _labels(out: LineWriter) -> list[int]:
    """The labels that the flags or the rank assign to this process."""
    text, dataset = cli.FLAGS.label.strip(), cli.config().dataset
    if (share := ranks.named(text, "train")) is None:
        if cli.FLAGS.labels:
            raise UserError("--labels goes with --label=auto; without, type --label=0-9,cat")
        if not text:
            raise UserError("the label is empty; type --label=3 (or, under Slurm, look where SLURM_PROCID is expanded)")
        # An index needs no list of names, so nothing has to be prepared to read it.
        return [int(text)] if re.fullmatch(INDEX, text) else parse_labels(text, prepared.label_names(dataset))
    all_labels = parse_labels(cli.FLAGS.labels, prepared.label_names(dataset))
    labels = share.of(all_labels)
    if text == "auto":
        out.say(share.in_words(labels, len(all_labels)))
    return labels


if __name__ == "__main__":
    cli.run(main, define_flags)
