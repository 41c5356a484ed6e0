"""The whole chain on this machine: prepare, launch, combine, evaluate, sample, report.

    python -m wcgan_tf.pipeline
    python -m wcgan_tf.pipeline --config configs/cifar10.py
    python -m wcgan_tf.pipeline --config configs/cifar10.py --from evaluate    # what was done before it stays
    python -m wcgan_tf.pipeline --config configs/cifar10.py --skip evaluate    # without scores
    python -m wcgan_tf.pipeline --config configs/cifar10.py --partial          # go on with what is trained

Each stage is a program of its own, and any of them may be run by hand in between.  A second run does only what is
missing or was made of something else.  Ctrl-C stops the stage at work, which saves; the same command goes on.
"""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from absl import flags

from wcgan_tf import cli
from wcgan_tf.combined import manifest as manifests
from wcgan_tf.core import errors, signals
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.paths import ClassifierPaths, DatasetPaths, ModelPaths, RunPaths
from wcgan_tf.data import prepared as datasets
from wcgan_tf.launching import up_to_date as uptodate
from wcgan_tf.runs import status_table as tables

PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
SAMPLED = 100  # labels in the picture of samples
STOPPED = {errors.STOPPED, 128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM}  # exit codes


class Stage(NamedTuple):
    """What one program of the chain has to do.

    Attributes:
        does: that, in words.
        arguments: of its command line, beside `--config`.
        result: where what it makes is found.
        done: whether that is there already, made of what is there now.
    """

    does: str
    arguments: list[str]
    result: Path
    done: Callable[[], bool]


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_enum("from", None, list(STAGES), "Start with this stage, and do it and all after it again.")
    flags.DEFINE_multi_enum("skip", [], list(STAGES), "Leave this stage out.")
    flags.DEFINE_bool("partial", False, "Go on where some labels did not finish, with those that did.")


def main() -> int:
    _refuse_missing_classifier(cli.FLAGS.config)
    began, runner, names = time.monotonic(), _Runner(), list(STAGES)
    start = cli.FLAGS["from"].value
    for program in names[names.index(start) if start else 0 :]:
        title = f"[{names.index(program) + 1}/{len(names)}] {program}"
        if program in cli.FLAGS.skip:
            print(f"{title}: left out", flush=True)
            continue
        stage = STAGES[program]()
        if not start and stage.done():
            print(f"{title}: done before; see {stage.result}", flush=True)
            continue
        print(f"{title}: {stage.does}", flush=True)
        seconds, code = runner.run(program, stage.arguments)
        if code == errors.FAILED and program == "launch" and cli.FLAGS.partial and _trained():
            print(f"{title}: going on with the labels that are trained", flush=True)
        elif runner.stopped or code in STOPPED:
            print(f"stopped in {program}; to go on, run: {_again(program)}", flush=True)
            return errors.STOPPED
        elif code != errors.DONE:
            return _failed(program, code)
        print(f"{title} took {tables.duration(seconds)}; see {stage.result}\n", flush=True)
    print(f"all of it took {tables.duration(time.monotonic() - began)}")
    print(f"the page:    {_run().report}")
    print(f"the picture: {_run().grid}")
    print(f"the model:   {cli.model_folder()}")
    return errors.DONE


def _prepare() -> Stage:
    config = cli.FLAGS.config
    judge = ["--classifier=domain"] if config.train.eval_seconds else []
    done = uptodate.prepared(config, cli.command("prepare"))
    return Stage(f"sort {config.dataset.name} by label", judge, DatasetPaths.of(config.dataset).folder, lambda: done)


def _launch() -> Stage:
    config = cli.FLAGS.config
    done = lambda: uptodate.trained(config, _run(), _labels())  # noqa: E731
    return Stage(f"train the labels, {_budget(config.train)} each", _workdir(), _run().folder / "labels", done)


def _combine() -> Stage:
    labels = _trained() if cli.FLAGS.partial else _labels()
    some = [f"--labels={datasets.format_labels(labels)}"] if cli.FLAGS.partial else []
    arguments = [*cli.folders(), "--overwrite", *some]
    done = lambda: uptodate.combined(_run(), _model(), labels)  # noqa: E731
    return Stage("make one model of all generators", arguments, _model().folder, done)


def _evaluate() -> Stage:
    done = lambda: uptodate.evaluated(cli.FLAGS.config, _run(), _model())  # noqa: E731
    return Stage("score it beside real images", cli.folders(), _run().scores, done)


def _sample() -> Stage:
    """Of very many labels the first ones: more rows are no picture."""
    output, known = _run().samples, manifests.labels_beside(_model().saved_model)
    some = [f"--labels={datasets.format_labels(known[1][:SAMPLED])}"] if known else []
    model = [argument for argument in cli.folders() if argument not in _workdir()]
    arguments = [*model, *some, f"--output={output}", "--overwrite"]
    return Stage("draw images of the labels", arguments, output, lambda: uptodate.newer(output, _model().manifest))


def _report() -> Stage:
    run = _run()
    made_of = [_model().manifest, run.scores, *(run.label(label).status for label in _labels())]
    done = lambda: all(uptodate.newer(path, *made_of) for path in (run.overview, run.grid, run.report))  # noqa: E731
    return Stage("make the page to look at", cli.folders(), run.report, done)


STAGES: dict[str, Callable[[], Stage]] = {
    "prepare": _prepare,
    "launch": _launch,
    "combine": _combine,
    "evaluate": _evaluate,
    "sample": _sample,
    "report": _report,
}


def _run() -> RunPaths:
    return RunPaths(cli.workdir())


def _model() -> ModelPaths:
    return ModelPaths(cli.model_folder())


def _workdir() -> list[str]:
    """The argument, where it is given."""
    return [argument for argument in cli.folders() if argument.startswith("--workdir=")]


def _budget(train) -> str:
    """What a label may take, in words."""
    parts = [f"{train.max_steps} steps"] if train.max_steps else []
    return " or ".join(parts + ([tables.duration(train.max_seconds)] if train.max_seconds else []))


def _labels() -> list[int]:
    """All labels of the data set, which is prepared by now."""
    return list(range(len(datasets.label_names(cli.FLAGS.config.dataset, cli.command("prepare")))))


def _trained() -> list[int]:
    return uptodate.done(RunPaths(cli.workdir()), _labels())


def _again(program: str) -> str:
    """The command that goes on with a stage."""
    start = [f"--from={program}"] if cli.FLAGS["from"].value else []
    skip, partial = [f"--skip={stage}" for stage in cli.FLAGS.skip], ["--partial"] if cli.FLAGS.partial else []
    return cli.command("pipeline", *cli.folders(), *start, *skip, *partial)


def _failed(program: str, code: int) -> int:
    """Say which stage ended the chain, and how to go on; returns the exit code."""
    again, partial = _again(program), ""
    if code < 0:
        killed = f"{program} was killed by signal {-code} ({signal.strsignal(-code)})"
        return cli.show_line(f"{killed}; to go on, run: {again}", errors.FAILED)
    if program == "launch" and not cli.FLAGS.partial and _trained():
        partial = f", or leave out the labels that did not finish: {again} --partial"
    return cli.show_line(f"{program} failed (see above); mend that and run: {again}{partial}", code)


def _refuse_missing_classifier(config) -> None:
    """Say what `evaluate` would say, before the labels are trained."""
    name, inception = config.evaluate.classifier, ClassifierPaths(Path(config.dataset.data_dir)).inception
    if name == "domain" and config.evaluate.split == "train":
        raise UserError("the domain classifier was trained on the split `train`; type --config.evaluate.split=test")
    if name == "inception" and not (inception / "saved_model.pb").is_file():
        fetch = cli.command("prepare", "--classifier=inception")
        raise UserError(
            f"Inception is not in {inception}; run: {fetch}, or score with --config.evaluate.classifier=domain"
        )
    if name not in ("domain", "inception") and not (Path(name) / "saved_model.pb").is_file():
        raise UserError(
            f"there is no SavedModel in {name}; type --config.evaluate.classifier=domain, or the path of one"
        )


class _Runner:
    """Runs one stage after another, and hands on signals to the one at work.

    Attributes:
        stopped: whether there was one.
    """

    def __init__(self):
        self._process: subprocess.Popen | None = None
        self.stopped = False
        signals.handle(self._hand_on)

    def run(self, program: str, arguments: list[str]) -> tuple[float, int]:
        """Run a stage to its end; returns the seconds that it took and its exit code."""
        if self.stopped:
            return 0.0, errors.STOPPED
        began = time.monotonic()
        command = [sys.executable, "-m", f"wcgan_tf.{program}", *cli.config_arguments(), *arguments]
        # A session of its own: Ctrl-C then comes once, from here.
        self._process = subprocess.Popen(command, start_new_session=True, preexec_fn=_end_with_this_process)
        if self.stopped:
            self._process.terminate()
        code = self._process.wait()
        return time.monotonic() - began, code

    def _hand_on(self, number, frame) -> None:
        self.stopped = True
        if self._process and self._process.poll() is None:
            self._process.terminate()


def _end_with_this_process() -> None:
    """In a stage, before its program begins: SIGTERM where this process is killed, so that it saves and ends too."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    cli.run(main, define_flags)
