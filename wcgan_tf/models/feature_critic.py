"""What critics of every architecture have: scores, and for the pretraining a classifier of labels."""

import keras
import tensorflow as tf
from keras import layers


class FeatureCritic(keras.Model):
    """Images [N, H, W, C], float32 in -1..1 -> scores [N], float32, unbounded.

    Subclasses define `features`, and call `add_heads` after they have made their own layers: a critic with classes has
    the variables of one without, and then those of the classifier.
    """

    def add_heads(self, classes: int) -> None:
        """Make the layer of the scores and, if there are classes, that of their logits."""
        self.last = layers.Dense(1, dtype="float32")
        if classes:
            self.classifier = layers.Dense(classes, dtype="float32")

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.scores(self.features(images, training))

    def features(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Images -> features [N, F]."""
        raise NotImplementedError

    def scores(self, features: tf.Tensor) -> tf.Tensor:
        """Features [N, F] -> scores [N]."""
        return self.last(features)[:, 0]

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Features [N, F] -> logits of the classes [N, classes], float32."""
        return self.classifier(features)
