"""Scoring a label's generator while it trains, and keeping the weights that scored best.

The score is the kernel distance to real images of the label as the domain classifier sees them: those training images
that the classifier was not trained on.  The test images are left for `evaluate`.
"""

import time

import keras
import numpy as np
import tensorflow as tf

from wcgan_tf.core import files
from wcgan_tf.core import stateless_random as draws
from wcgan_tf.core.errors import UserError
from wcgan_tf.core.images import to_uint8
from wcgan_tf.core.paths import DatasetPaths
from wcgan_tf.evaluation import domain_classifier as domain
from wcgan_tf.evaluation import metrics, seen
from wcgan_tf.runs.label_run import Work

SAMPLES = 500


class Best(keras.callbacks.Callback):
    """Scores the averaged generator every `eval_seconds`, and keeps its weights where none before were as good."""

    def __init__(self, gan, work: Work):
        super().__init__()
        self._gan, self._work = gan, work
        self._judge, self._look, self._real = _judge(work)
        self._latents = draws.normal([SAMPLES, gan.latent_size], [gan.settings.seed, work.data.label])
        self._weights = tf.train.Checkpoint(average=[variable.value for variable in gan.average.variables])
        self._scored_at = time.monotonic()
        self._last: float | None = None
        self._best = np.inf
        if self._record.exists():
            before = files.read_json(self._record, "the same training again", ("kcd", "step", "classifier"))
            if before["classifier"] == self._judge:  # what another has said compares with nothing
                self._best = before["kcd"]
                work.heartbeat.note(best_kcd=before["kcd"], best_step=before["step"])

    @property
    def _record(self):
        return self._work.paths.best / "score.json"

    def on_train_batch_end(self, batch, logs=None):
        due = time.monotonic() - self._scored_at >= self._gan.settings.eval_seconds
        if due and not self.model.stop_training:
            self.score()
        if self._last is not None:
            logs["kcd"] = self._last  # for the callbacks after this one, which write it down

    def score(self) -> None:
        """Score the average as it is now; it is kept where none before was as good."""
        images = to_uint8(self._gan.average(self._latents, training=False))
        kcd = metrics.kernel_distance(self._look(images).numpy(), self._real)
        self._last = kcd
        if kcd < self._best:
            self._best = kcd
            with files.publish(self._work.paths.best) as path:
                path.mkdir()
                self._weights.write(str(path / "weights"))
                record = {"kcd": kcd, "step": int(self._gan.step), "classifier": self._judge}
                files.write_json(path / "score.json", record)
            self._work.heartbeat.note(best_kcd=kcd, best_step=int(self._gan.step))
        self._scored_at = time.monotonic()

    def restore(self) -> None:
        """Give the average the weights that scored best."""
        self._weights.read(str(self._work.paths.best / "weights")).assert_consumed()


def _judge(work: Work):
    """The domain classifier's digest, its eyes, and what they see in real images.

    Raises:
        UserError: where `prepare` has not got them ready for these images.
    """
    paths = DatasetPaths.of(work.config.dataset)
    known = files.read_json(paths.domain, _again(work), ("digest", "labels"))
    real = seen.kept(paths.features(known["digest"], "train", work.data.label), work.data.digest)
    if real is None:
        raise UserError(f"the domain classifier has not seen these images of {work.title}; run: {_again(work)}")
    weights = paths.classifier(known["digest"])
    network = domain.kept(weights, work.data.images.shape[1:], known["labels"])
    if network is None:
        raise UserError(f"{weights} is missing or damaged; run: {_again(work)}")
    look = tf.function(lambda images: network(images, training=False)[0], autograph=False)
    return known["digest"], look, real.features[domain.held_out(real.places)]


def _again(work: Work) -> str:
    return f"{work.prepare} --classifier=domain"
