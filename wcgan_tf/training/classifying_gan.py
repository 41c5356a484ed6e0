"""The GAN of the pretraining if its critic learns the labels, too."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wcgan_tf.training.gan import LabelGAN


class ClassifyingGAN(LabelGAN):
    """A GAN on images of several labels, whose critic also tells the labels of real images.

    To tell them it needs features of what is in an image, not only of how an image looks; the critics of the labels
    start with these.  The cross-entropy is added to the critic's loss, as in Odena et al. 2017 (arXiv 1610.09585), but
    for real images only: what is generated here has no label.

    Args:
        critic: a `models.feature_critic.FeatureCritic` with classes.
        labels: of each image, integers [n].
        others: of `LabelGAN`.
    """

    def __init__(self, *others: Any, labels: np.ndarray, **more_others: Any) -> None:
        super().__init__(*others, **more_others)
        self.labels = tf.Variable(labels, dtype=tf.int64, trainable=False, name="labels")
        self.means["classification_loss"] = keras.metrics.Mean("classification_loss")

    def _look_at_real(self, real: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        features = self.critic.features(real, training=True)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels=tf.gather(self.labels, indices), logits=self.critic.logits(features)
            )
        )
        self.means["classification_loss"].update_state(loss)
        return self.critic.scores(features), [self.settings.classification_weight * loss]
