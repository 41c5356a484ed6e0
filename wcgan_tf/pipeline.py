"""Run all stages on this machine: prepare, launch, combine, evaluate, sample, report.

    python -m wcgan_tf.pipeline
    python -m wcgan_tf.pipeline --config cifar10
    python -m wcgan_tf.pipeline --config cifar10 --from evaluate    # keep the results before it
    python -m wcgan_tf.pipeline --config cifar10 --skip evaluate    # without scores
    python -m wcgan_tf.pipeline --config cifar10 --partial          # continue with the trained labels

Each stage is a program of its own, which can also be run by hand.  A second run repeats only stages whose result is
missing or out of date.  Ctrl-C stops the current stage, which saves its state; the same command resumes.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from absl import flags

from wcgan_tf import cli
from wcgan_tf.combined.manifest import Manifest
from wcgan_tf.core import errors, records, signals
from wcgan_tf.core.console import duration, print_now
from wcgan_tf.core.labels import format_labels
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.core.process import end_with_parent
from wcgan_tf.data import prepared
from wcgan_tf.evaluation import enough
from wcgan_tf.evaluation.classifier_files import refuse_unusable
from wcgan_tf.launching import up_to_date
from wcgan_tf.runs import recorded_settings
from wcgan_tf.runs.pretraining import budget_in_words

SAMPLED = 100  # most labels in the picture of samples
STOPPED = {errors.STOPPED, 128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM}  # exit codes


class Stage(NamedTuple):
    """One stage: a program with its arguments and its result."""

    does: str  # what it does, in words
    result: Path  # the path of its result
    done: bool  # whether the result exists and is up to date
    arguments: Sequence[str] = ()  # of its command line, besides settings and folders


def define_flags() -> None:
    cli.define_common_flags(workdir=True, model=True)
    flags.DEFINE_enum("from", None, list(STAGES), "Start with this stage, and do it and all after it again.")
    flags.DEFINE_multi_enum("skip", [], list(STAGES), "Leave this stage out.")
    flags.DEFINE_bool("partial", False, "Go on if some labels did not finish, with those that did.")


def main() -> int:
    config = cli.config()
    recorded_settings.refuse_missing_images(cli.run_paths(), config.dataset)
    refuse_unusable(config.evaluate.classifier, config.dataset, config.evaluate.split)
    began, runner, names = time.monotonic(), _Runner(), list(STAGES)
    start = cli.FLAGS["from"].value
    for program in names[names.index(start) if start else 0 :]:
        title = f"[{names.index(program) + 1}/{len(names)}] {program}"
        if program in cli.FLAGS.skip:
            print_now(f"{title}: left out")
            continue
        if program == "evaluate" and (small := _small(_combined())) == _combined():
            print_now(f"{title}: left out; {enough.in_words(config, small, config.evaluate.classifier)}")
            continue
        stage = STAGES[program]()
        if not start and stage.done:
            print_now(f"{title}: done before; see {stage.result}")
            if program == "prepare" and (small := _small(_labels())):
                print_now(enough.in_words(config, small, config.evaluate.classifier))
            continue
        print_now(f"{title}: {stage.does}")
        seconds, code = runner.run(program, stage.arguments)
        if code == errors.FAILED and program == "launch" and cli.FLAGS.partial and _trained():
            print_now(f"{title}: continuing with the labels that are trained")
        elif runner.stopped or code in STOPPED:
            print_now(f"stopped in {program}; to resume, run: {_again(program)}")
            return errors.STOPPED
        elif code != errors.DONE:
            return _failed(program, code)
        print_now(f"{title} took {duration(seconds)}; see {stage.result}\n")
    print(f"all of it took {duration(time.monotonic() - began)}")
    results = {"report": cli.run_paths().report, "picture": cli.run_paths().grid, "model": cli.model_paths().folder}
    for name, path in results.items():
        if path.exists():  # a skipped stage may never have run
            print(f"the {name + ':':<8} {path}")
    return errors.DONE


def _prepare() -> Stage:
    config = cli.config()
    # Files of a folder may have changed, and `prepare` says which.
    done = up_to_date.is_prepared(config) and not config.dataset.root
    return Stage(f"sort {config.dataset.name} by label", DatasetPaths.of(config.dataset).folder, done)


def _launch() -> Stage:
    config, run = cli.config(), cli.run_paths()
    done = all(up_to_date.is_trained(config, run, label) for label in _labels())
    first = f", after one on all of them of {config.train.pretraining:g} times that" if config.train.pretraining else ""
    return Stage(f"train the labels, {budget_in_words(config.train)} each{first}", run.folder / "labels", done)


def _combine() -> Stage:
    labels = _trained() if cli.FLAGS.partial else _labels()
    some = [f"--labels={format_labels(labels)}"] if cli.FLAGS.partial else []
    done = up_to_date.is_combined(cli.run_paths(), cli.model_paths(), labels)
    return Stage("make one model of all generators", cli.model_paths().folder, done, ["--overwrite", *some])


def _evaluate() -> Stage:
    done = up_to_date.is_evaluated(cli.config(), cli.run_paths().scores, cli.model_paths())
    return Stage("score it beside real images", cli.run_paths().scores, done)


def _sample() -> Stage:
    """Sample at most the first SAMPLED labels: a picture with more rows is illegible."""
    output, known = cli.run_paths().samples, records.read_if_whole(cli.model_paths().manifest, Manifest)
    many = known and len(known.entries) > SAMPLED
    some = [f"--labels={format_labels(list(known.entries)[:SAMPLED])}"] if known and many else []
    done = up_to_date.is_newer(output, cli.model_paths().manifest)
    return Stage("draw images of the labels", output, done, [*some, f"--output={output}", "--overwrite"])


def _report() -> Stage:
    run = cli.run_paths()
    made_of = [cli.model_paths().manifest, run.scores, *(run.label(label).status for label in _labels())]
    done = all(up_to_date.is_newer(path, *made_of) for path in (run.overview, run.grid, run.report))
    return Stage("write the report", run.report, done)


STAGES: dict[str, Callable[[], Stage]] = {
    "prepare": _prepare,
    "launch": _launch,
    "combine": _combine,
    "evaluate": _evaluate,
    "sample": _sample,
    "report": _report,
}


def _labels() -> list[int]:
    """All labels of the data set; an earlier stage has prepared it."""
    return list(range(len(prepared.label_names(cli.config().dataset))))


def _combined() -> list[int]:
    """The labels of the combined model, or all if there is none."""
    known = records.read_if_whole(cli.model_paths().manifest, Manifest)
    return sorted(known.entries) if known else _labels()


def _small(labels: list[int]) -> list[int]:
    """Those of the labels that have too few images for scores."""
    return enough.too_small(cli.config(), labels, cli.config().evaluate.classifier)


def _trained() -> list[int]:
    return up_to_date.finished_labels(cli.config(), cli.run_paths(), _labels())


def _again(program: str) -> str:
    """The command that resumes the pipeline at a stage."""
    start = [f"--from={program}"] if cli.FLAGS["from"].value else []
    skip, partial = [f"--skip={stage}" for stage in cli.FLAGS.skip], ["--partial"] if cli.FLAGS.partial else []
    return cli.command("pipeline", *start, *skip, *partial)


def _failed(program: str, code: int) -> int:
    """Print which stage failed and how to resume; returns the exit code."""
    again, partial = _again(program), ""
    if code < 0:
        memory = ": if nobody sent it, memory ran out" if code == -signal.SIGKILL else ""
        killed = f"{program} was killed by signal {-code} ({signal.strsignal(-code)}){memory}"
        return cli.show_line(f"{killed}; to resume, run: {again}", errors.FAILED)
    if program == "launch" and not cli.FLAGS.partial and _trained():
        partial = f", or leave out the labels that did not finish: {again} --partial"
    return cli.show_line(f"{program} failed (see above); mend that and run: {again}{partial}", code)


class _Runner:
    """Runs stages one at a time, and stops the running one if a signal comes.

    Attributes:
        stopped: whether a signal has come.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self.stopped = False
        signals.handle(self._hand_on)

    def run(self, program: str, arguments: Sequence[str]) -> tuple[float, int]:
        """Run a stage to its end; returns its duration in seconds and its exit code."""
        if self.stopped:
            return 0.0, errors.STOPPED
        began = time.monotonic()
        settings = [*cli.config_arguments(), *cli.folder_arguments(program)]
        command = [sys.executable, "-m", f"wcgan_tf.{program}", *settings, *arguments]
        # Its own session: Ctrl-C then reaches it only once, through this process.
        self._process = subprocess.Popen(command, start_new_session=True, preexec_fn=end_with_parent)
        if self.stopped:
            self._process.terminate()
        code = self._process.wait()
        return time.monotonic() - began, code

    def _hand_on(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        if self._process and self._process.poll() is None:
            self._process.terminate()


if __name__ == "__main__":
    cli.run(main, define_flags)
