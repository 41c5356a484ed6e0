"""Plant one fault after another in a copy of the project, and run the tests that should notice it.

    python benchmarks/planted_faults.py                  # all faults
    python benchmarks/planted_faults.py training/losses core/files     # those of these modules

Prints a line for each, and ends with exit code 1 if one was not noticed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parent.parent
COPIED = ("wcgan_tf", "tests", "benchmarks", "configs", "docs", "slurm", "setup.cfg", "README.md", "CONTRIBUTING.md")


class Fault(NamedTuple):
    """A fault in words, its module, the right code, the wrong code, and the tests that should fail."""

    what: str
    module: str
    right: str
    wrong: str
    tests: str


FAULTS = [
    Fault(
        "a dropped minus sign",
        "training/losses",
        "return -wasserstein_estimate(real_scores, fake_scores)",
        "return wasserstein_estimate(real_scores, fake_scores)",
        "training/losses",
    ),
    Fault(
        "the penalty pulls the norm to 0",
        "training/losses",
        "tf.square(norm - 1.0)",
        "tf.square(norm)",
        "training/losses",
    ),
    Fault(
        "the zero-centred penalty forgets the generated images",
        "training/losses",
        "for images in (real, fake)]",
        "for images in (real, real)]",
        "training/losses",
    ),
    Fault(
        "a penalty that comes seldom weighs too little",
        "training/gan",
        "self.settings.gp_weight * self.settings.gp_every * penalty",
        "self.settings.gp_weight * penalty",
        "training/gan",
    ),
    Fault(
        "the average forgets at once",
        "training/gan",
        "average.assign_sub((1.0 - decay) * (average - variable))",
        "average.assign_sub(decay * (average - variable))",
        "training/gan",
    ),
    Fault(
        "the product that is a kernel's gradient has its blocks in another order",
        "models/convolutions",
        "for down in (0, 1) for right in (0, 1)]",
        "for right in (0, 1) for down in (0, 1)]",
        "models/convolutions",
    ),
    Fault(
        "the moving variance is that of a sample",
        "models/blocks",
        "unbiased_variance * (1.0 - 1.0 / number)",
        "unbiased_variance",
        "models/blocks",
    ),
    Fault(
        "images are small in all of the domain classifier's training",
        "evaluation/domain_classifier",
        "HALVED_SHARE = 0.25",
        "HALVED_SHARE = 1.0",
        "evaluation/domain_classifier",
    ),
    Fault(
        "all labels draw the same numbers",
        "training/gan",
        "[self.settings.seed, tf.cast(self.label, tf.int32)]",
        "[self.settings.seed, 0]",
        "training/gan training/trainer",
    ),
    Fault(
        "images of one seed overlap from batch to batch",
        "core/stateless_random",
        "tf.cast(first, tf.uint64) * blocks",
        "tf.cast(first, tf.uint64)",
        "core/stateless_random combined/sampler",
    ),
    Fault(
        "pixels are cut off, not rounded",
        "core/images",
        "tf.cast(tf.round(tf.clip_by_value((tf.cast(images, tf.float32) + 1.0) * 127.5, 0.0, 255.0)), tf.uint8)",
        "tf.cast(tf.clip_by_value((tf.cast(images, tf.float32) + 1.0) * 127.5, 0.0, 255.0), tf.uint8)",
        "core/images",
    ),
    Fault(
        "a share of labels is off by one",
        "launching/ranks",
        "labels[self.rank :: self.count]",
        "labels[self.rank + 1 :: self.count]",
        "launching/ranks",
    ),
    Fault(
        "cores are left unused",
        "launching/workers",
        "by_core[job::jobs]",
        "by_core[job : job + 1]",
        "launching/workers",
    ),
    Fault(
        "processes are not pinned",
        "launching/workers",
        "os.sched_setaffinity(0, place.cpus or mine)",
        "pass",
        "launching/workers",
    ),
    Fault(
        "a label that died is not tried a third time",
        "launching/workers",
        "attempt == ATTEMPTS or",
        "attempt + 1 == ATTEMPTS or",
        "launching/workers",
    ),
    Fault(
        "a lock is not taken",
        "core/folder_lock",
        "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        "core/folder_lock",
    ),
    Fault(
        "an owner of another machine counts as gone",
        "core/owner",
        "if not me.boot or (self.boot, self.namespace) != (me.boot, me.namespace):",
        "if not me.boot:",
        "core/folder_lock",
    ),
    Fault(
        "a suspended process goes on in a folder that was taken over",
        "core/folder_lock",
        "elif not over.is_set():",
        "elif False:",
        "core/folder_lock",
    ),
    Fault(
        "a quota of a group around this one is not seen",
        "core/machine",
        "for part in (inside, *inside.parents)",
        "for part in (inside,)",
        "core/machine",
    ),
    Fault(
        "what an MPI starts takes the rank of the task that started it",
        "launching/ranks",
        "next((known for known in LAUNCHERS",
        "next((known for known in LAUNCHERS[::-1]",
        "launching/ranks",
    ),
    Fault(
        "a file is written in place",
        "core/files",
        "aside.replace(target)",
        'target.write_text(text, encoding="utf-8")',
        "core/files",
    ),
    Fault(
        "a run resumes with another seed",
        "runs/recorded_settings",
        '"max_steps",',
        '"max_steps", "seed",',
        "training/trainer",
    ),
    Fault("only one checkpoint is kept", "training/checkpoint", "KEEP = 2", "KEEP = 1", "training/trainer"),
    Fault(
        "the critic's optimizer is not saved",
        "training/checkpoint",
        '"critic_optimizer": gan.critic_optimizer,',
        "",
        "training/trainer",
    ),
    Fault("weights that are not finite are trained on", "training/callbacks", "not finite or ", "", "training/trainer"),
    Fault(
        "curves go back and forth",
        "runs/event_files",
        "found = {step: picture for step, picture in found.items() if step < event.step}",
        "found = dict(found)",
        "runs/event_files",
    ),
    Fault(
        "the worst weights are kept",
        "training/best_weights",
        "if distance < self._best:",
        "if distance > self._best:",
        "training/trainer",
    ),
    Fault(
        "images of a mixed batch are in another order",
        "combined/model",
        "tf.gather(images.concat(), tf.argsort(order))",
        "images.concat()",
        "combined/model",
    ),
    Fault(
        "the way between two images leaves the circle",
        "combined/sampler",
        "tf.sin(shares * angle) * last",
        "tf.cos(shares * angle) * last",
        "combined/sampler",
    ),
    Fault(
        "samples are compared with themselves",
        "evaluation/metrics",
        "(_sum_of_kernels(a, a) - with_themselves)",
        "_sum_of_kernels(a, a)",
        "evaluation/metrics",
    ),
    Fault(
        "covariances are divided by n",
        "evaluation/metrics",
        "np.sqrt(len(a) - 1)",
        "np.sqrt(len(a))",
        "evaluation/metrics",
    ),
    Fault("names in the page are markup", "reporting/page", "autoescape=True", "autoescape=False", "reporting/page"),
    Fault(
        "names in TensorBoard are markup",
        "reporting/tensorboard_overview",
        "_escaped(own.name),",
        "own.name,",
        "reporting/page",
    ),
    Fault(
        "a name leaves its folder",
        "combined/pictures",
        "{re.sub(r'[^0-9A-Za-z_]+', '_', name)[:FOLDER_LETTERS]}",
        "{name[:FOLDER_LETTERS]}",
        "sample",
    ),
    Fault("a kill in the middle doubles an image", "data/sorting", "os.truncate(raw, size)", "pass", "data/sorting"),
    Fault(
        "labels are mixed up in the accuracy",
        "evaluation/evaluator",
        "yield images[batch], places[batch]",
        "yield images[batch], places[batch][::-1]",
        "evaluation/evaluator",
    ),
    Fault(
        "what is older than its source counts as made",
        "launching/up_to_date",
        "path.stat().st_mtime <= written",
        "path.stat().st_mtime >= written",
        "launching/up_to_date",
    ),
    Fault(
        "a good label is called bad",
        "reporting/verdicts",
        "scores[name] >= share",
        "scores[name] < share",
        "reporting/verdicts",
    ),
    Fault(
        "what was asked for again is not done again",
        "pipeline",
        "if not start and stage.done:",
        "if stage.done:",
        "pipeline",
    ),
    Fault(
        "a signal waits for the first step", "core/signals", "self.received and self._farewell", "False", "core/signals"
    ),
    Fault("a misspelt setting is not explained", "cli", "check_name(match[1])", "pass", "cli"),
    Fault(
        "--missing takes what is done",
        "launch",
        "status[label].state in label_status.GROUPS[group]",
        "status[label].state not in label_status.GROUPS[group]",
        "launch",
    ),
    Fault(
        "an exported image depends on how many there are",
        "models/generator_export",
        "signs * latents_from_seed(0, num, seed, latent_size)",
        "signs * latents_from_seed(num, num, seed, latent_size)",
        "combined/sampler programs combined/model",
    ),
]


def noticed(fault: Fault, project: Path) -> bool:
    """Whether the tests fail with the fault in a copy of the project; the copy is restored."""
    file = project / f"wcgan_tf/{fault.module}.py"
    code = file.read_text()
    if code.count(fault.right) == 0:
        sys.exit(f"error: the code of `{fault.what}` is no longer in {fault.module}.py; write the fault anew")
    file.write_text(code.replace(fault.right, fault.wrong))
    tests = [str(Path("tests", name).with_name(f"test_{Path(name).name}.py")) for name in fault.tests.split()]
    command = [sys.executable, "-m", "pytest", "-x", "--numprocesses=0", "--durations=0", *tests]
    environment = {**os.environ, "PYTHONPATH": str(project)}
    try:
        code_of_pytest = subprocess.run(command, cwd=project, env=environment, capture_output=True).returncode
    finally:
        file.write_text(code)
    if code_of_pytest not in (0, 1):
        sys.exit(f"error: pytest ended with exit code {code_of_pytest}; type: {' '.join(command)}")
    return code_of_pytest == 1


def main() -> None:
    chosen = [fault for fault in FAULTS if fault.module in sys.argv[1:] or not sys.argv[1:]]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in COPIED:
            source = PROJECT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, Path(folder) / name)
        for fault in chosen:
            found = noticed(fault, Path(folder))
            missed += not found
            print(f"{'noticed' if found else 'MISSED '}  {fault.module}: {fault.what}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} were noticed")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
