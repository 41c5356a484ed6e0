"""Scores a label's generator during its training, and keeps the weights with the best score.

The score is the kernel distance, by the domain classifier, to those training images of the label that the classifier
was not trained on.  The test images are left for `evaluate`.
"""

import time
from collections.abc import Callable
from typing import Any

import keras
import msgspec
import numpy as np
import tensorflow as tf

from wcgan_tf.core import errors, files, records, stateless_random
from wcgan_tf.core.errors import Command, DamagedError, UserError
from wcgan_tf.core.images import to_uint8
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.data.prepared import CurrentDomain
from wcgan_tf.evaluation import domain_classifier, features, metrics
from wcgan_tf.runs.label_run import LabelRun
from wcgan_tf.training.gan import LabelGAN

SAMPLES, AT_ONCE = 500, 50
PREPARE_DOMAIN = Command("prepare", "--classifier=domain")


class BestScore(msgspec.Struct, frozen=True):
    """score.json beside the best weights: their score and step, and the digests of classifier and training images."""

    kernel_distance: float
    step: int
    classifier: str
    images: str = ""  # as in runs that are older than the field


class BestWeights(keras.callbacks.Callback):
    """Scores the averaged generator every `eval_seconds`, and saves its weights if the score is the lowest so far."""

    def __init__(self, gan: LabelGAN, run: LabelRun) -> None:
        super().__init__()
        self._gan, self._run = gan, run
        self._classifier, self._extract, self._real = _load_classifier(run)
        # Latents of their own: those of [seed, label] may be what `evaluate` draws.
        seed = stateless_random.fold_in([gan.settings.seed, run.data.label], SAMPLES)
        self._latents = stateless_random.normal([SAMPLES, gan.latent_size], seed)
        self._weights = tf.train.Checkpoint(average=[variable.value for variable in gan.average.variables])
        self._scored_at = time.monotonic()
        self._last: float | None = None
        self._best = np.inf
        if run.paths.best_score.exists():
            again = Command("train", f"--label={run.data.label}")
            before = records.read(run.paths.best_score, BestScore, again)
            if self._compares(before):
                self._take(before)

    @property
    def held_out(self) -> int:
        """The number of real images in the comparison."""
        return len(self._real)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        due = time.monotonic() - self._scored_at >= self._gan.settings.eval_seconds
        if due and not self.model.stop_training:
            self.score()
        if self._last is not None:
            logs["kernel_distance"] = self._last  # for the callbacks after this one, which log it

    def score(self) -> None:
        """Score the present averaged weights, and save them if the score is the lowest so far."""
        parts = (self._latents[start : start + AT_ONCE] for start in range(0, SAMPLES, AT_ONCE))
        seen = [self._extract(to_uint8(self._gan.average(part, training=False))).numpy() for part in parts]
        distance = metrics.kernel_distance(np.concatenate(seen), self._real)
        self._last = distance
        if distance < self._best:
            score = BestScore(distance, int(self._gan.step), self._classifier, self._run.data.digest)
            with files.publish(self._run.paths.best) as path:
                path.mkdir()
                self._weights.write(str(path / "weights"))
                records.write(path / self._run.paths.best_score.name, score)
            self._take(score)
        self._scored_at = time.monotonic()

    def _compares(self, before: BestScore) -> bool:
        """Whether an earlier score is of this label's images, by the same classifier."""
        return before.classifier == self._classifier and before.images in ("", self._run.data.digest)

    def _take(self, score: BestScore) -> None:
        self._best = score.kernel_distance
        self._run.heartbeat.note(best_kernel_distance=score.kernel_distance, best_step=score.step)

    def restore(self) -> None:
        """Load the weights with the best score into the averaged generator.

        Raises:
            UserError: if they are damaged.
        """
        if not np.isfinite(self._best):  # no score was a number
            return
        try:
            self._weights.read(str(self._run.paths.best / "weights")).assert_consumed()
        except Exception as error:  # TensorFlow raises many types for a truncated or foreign file
            if errors.is_of_system(error):
                raise
            command = Command("train", f"--label={self._run.data.label}")
            raise DamagedError(
                f"{self._run.paths.best}, the weights with the best score, is damaged; delete it to take the last, and "
                "run: ",
                command,
            ) from None


def _load_classifier(run: LabelRun) -> tuple[str, Callable, np.ndarray]:
    """The domain classifier's digest, a function images -> features, and the features of held-out real images.

    Raises:
        UserError: if `prepare` has not made them for these images.
    """
    paths = DatasetPaths.of(run.config.dataset)
    current = records.read(paths.domain, CurrentDomain, PREPARE_DOMAIN)
    real = features.load(paths.features(current.digest, "train", run.data.label), run.data.digest)
    if real is None:
        what = f"what the domain classifier sees in {run.data.title}"
        raise UserError(f"{what} is missing or damaged; run: ", PREPARE_DOMAIN)
    weights = paths.classifier(current.digest)
    shape = run.data.images.shape[1:]
    network = domain_classifier.load_network(weights, shape, current.labels, current.weights)
    if network is None:
        raise UserError(f"{weights} is missing or damaged; run: ", PREPARE_DOMAIN)
    extract = tf.function(lambda images: network(images, training=False)[0], autograph=False)
    return current.digest, extract, real.features[domain_classifier.held_out(real.places)]
