"""Train all labels on this machine: as many at a time as there are GPUs, or else cores, each in a process.

    python -m wcgan_tf.launch
    python -m wcgan_tf.launch --config cifar10 --labels cat,dog --jobs 2
    python -m wcgan_tf.launch --config cifar10 --per_gpu 4       # labels at a time on each GPU
    python -m wcgan_tf.launch --config cifar10 --failed
    python -m wcgan_tf.launch --config cifar10 --worst 3 --config.train.max_seconds=1800

If the config asks for a pretraining and it is not done, that comes first, with the whole machine.

The processes do not communicate.  Each takes labels in turn, which compiles the step once.  If one dies, its label is
tried again from its checkpoint, at most twice, by a new process; the others keep running.  Labels that are trained by
other commands are waited for.  On Ctrl-C, SIGTERM, SIGUSR1 or SIGHUP, or if this command is killed, all processes write
a checkpoint and stop.  Started again, they resume, and done labels stay done.

Exit code 0: all are done; 75: stopped; 1: some are not done, see the printed log lines.
"""

import os
import subprocess
import sys
from types import FrameType

from absl import flags

from wcgan_tf import cli
from wcgan_tf.core import errors, machine, records, signals
from wcgan_tf.core.console import print_now
from wcgan_tf.core.errors import DamagedError, UserError
from wcgan_tf.core.labels import format_labels, number_of_labels, parse_labels
from wcgan_tf.core.paths import RunPaths
from wcgan_tf.core.process import end_with_parent
from wcgan_tf.data import prepared
from wcgan_tf.launching import gpus, mps, room, workers
from wcgan_tf.launching.launcher import Launcher
from wcgan_tf.runs import label_status, pretraining, recorded_settings, status_table
from wcgan_tf.runs.score_report import EVALUATE, ScoreReport, worst_first


def define_flags() -> None:
    cli.define_common_flags(workdir=True)
    flags.DEFINE_string("labels", "", "The labels, such as 0-9,12,cat; all if not given.")
    flags.DEFINE_integer(
        "jobs", None, "Processes at a time; one per GPU, or else per core, as far as memory goes.", lower_bound=1
    )
    flags.DEFINE_integer(
        "per_gpu", None, "Processes at a time on each GPU, by NVIDIA's MPS where it runs, else in turns.", lower_bound=1
    )
    flags.DEFINE_bool("missing", False, "Of these labels, only those that are neither done nor running.")
    flags.DEFINE_integer(
        "worst", None, "Of these labels, only so many that scored worst alone; with a larger budget.", lower_bound=1
    )
    flags.DEFINE_bool("failed", False, "Of these labels, only those that failed, diverged or went stale.")


def main() -> int:
    config, run = cli.config(), cli.run_paths()
    recorded_settings.refuse_missing_images(run, config.dataset)
    names = prepared.label_names(config.dataset)
    labels = parse_labels(cli.FLAGS.labels, names)
    status = {label: label_status.read(run.label(label).status) for label in labels}
    for group in ("missing", "failed"):
        if cli.FLAGS[group].value:
            labels = [label for label in labels if status[label].state in label_status.GROUPS[group]]
    if cli.FLAGS.worst:
        labels = _worst(labels, cli.FLAGS.worst, run)
    _refuse_other_settings(run, labels)
    recorded_settings.refuse_mixed(run, config.to_dict())
    if not labels:
        print(f"nothing to do in {run.folder}: {status_table.summary(status.values())}")
        return errors.DONE
    asked = signals.StopCount()
    if pretraining.is_needed(config, run, labels, compare_images=True) and (code := _pretrain(run, asked)):
        return code
    places = _places()[: len(labels)]
    each = room.label_bytes(cli.config(), any(place.gpu for place in places))
    short = ", which is more: it may be killed" if each > machine.memory().amount else ""
    print_now(f"this process may use {room.describe()}; a label takes about {each / room.GIB:.1f} GiB{short}")
    held = [label for label in labels if status[label].state == "running"]
    train = [sys.executable, "-m", "wcgan_tf.train", *cli.config_arguments(), f"--workdir={run.folder}"]
    on_gpus = [place.gpu for place in places if place.gpu]
    shared = len(set(on_gpus)) < len(on_gpus)
    if not on_gpus and config.train.device != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # else every process would take the first that TensorFlow finds
    if shared and any(gpu.startswith("MIG") for gpu in on_gpus):
        print_now("MPS is not started for MIG instances: the processes of one take turns on it")
        shared = False
    with mps.service(shared, print_now) as variables:
        if variables is not None:
            os.environ.update(variables)  # the labels' processes inherit them
            train.append("--config.train.device=gpu")  # a process that MPS refuses would train on the CPU
        unfinished, stopped = Launcher(labels, names, places, train, run, held, asked).run()
    if not unfinished:
        return errors.DONE
    if stopped:
        return errors.STOPPED
    again = cli.command("launch", f"--labels={format_labels(unfinished)}")
    text = f"{len(unfinished)} of {number_of_labels(len(labels))} did not finish (see above)"
    return cli.show_line(f"{text}; to try again, run: {again}", errors.FAILED)


def _refuse_other_settings(run: RunPaths, labels: list[int]) -> None:
    """Refuse labels that were trained otherwise; of a damaged one its own process says so, and the others are trained.

    Raises:
        UserError: naming the settings that differ; DamagedError if the settings of all labels are damaged.
    """
    damaged = []
    for label in labels:
        try:
            recorded_settings.refuse_different(run.label(label), cli.config().to_dict())
        except DamagedError as error:
            damaged.append(error)
    if damaged and len(damaged) == len(labels):
        raise damaged[0]


def _pretrain(run: RunPaths, asked: signals.StopCount) -> int:
    """Run the pretraining, which has the machine to itself; a signal is handed on to it.  Returns its exit code."""
    long = pretraining.budget_in_words(pretraining.own_settings(cli.config()).train)
    print_now(f"pretraining on images of all labels, from which each label then starts: {long}")
    command = [sys.executable, "-m", "wcgan_tf.pretrain", *cli.config_arguments(), f"--workdir={run.folder}"]
    # Its own session: Ctrl-C then reaches it only once, through this process.
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=end_with_parent)

    def hand_on(number: int, frame: FrameType | None) -> None:
        asked(number, frame)
        process.terminate()

    signals.handle(hand_on)
    code = process.wait()
    if code == errors.STOPPED or (asked.number and code == errors.DONE):  # the signal may have come at its very end
        print_now("stopped; the same command resumes")
        return errors.STOPPED
    if code < 0:
        text = f"the pretraining was {workers.ended_by(code)}; the same command resumes it from its last checkpoint"
        return cli.show_line(text, errors.FAILED)
    return code


def _places() -> list[workers.Place]:
    """Where processes run, by `--jobs`, `--per_gpu` and `train.device`.

    Raises:
        UserError: if the flags contradict each other or the machine.
    """
    jobs, per_gpu = cli.FLAGS.jobs, cli.FLAGS.per_gpu
    found = [] if cli.config().train.device == "cpu" else gpus.visible(print_now)
    if per_gpu and jobs:
        raise UserError("--jobs and --per_gpu both say how many processes there are; leave one out")
    if per_gpu and not found:
        raise UserError("--per_gpu needs a GPU, and there is none to be seen (nvidia-smi -L); type --jobs=N")
    fit = room.processes(per_gpu * len(found) if per_gpu else len(found), len(workers.cores()), cli.config())
    return workers.places(jobs or fit, found)


def _worst(labels: list[int], number: int, run: RunPaths) -> list[int]:
    """The `number` scored labels that are worst, in ascending order.

    Raises:
        UserError: if there are no scores, or if all of these labels have spent their budget.
    """
    by_label = records.read(run.scores, ScoreReport, EVALUATE).by_label
    worst = sorted([label for label in worst_first(by_label) if label in labels][:number])
    if worst and all(recorded_settings.finished(run.label(label), cli.config()) for label in worst):
        raise UserError(
            f"the worst labels, {format_labels(worst)}, have spent their budget; "
            "type a larger one, such as --config.train.max_seconds=1800"
        )
    return worst


if __name__ == "__main__":
    cli.run(main, define_flags)
