"""Which training images generated ones are most like, as the domain classifier sees both."""

import numpy as np

from wcgan_tf.core.errors import UserError
from wcgan_tf.data import prepared as datasets
from wcgan_tf.evaluation import classifiers, features
from wcgan_tf.evaluation.classifiers import Classifier


def judge(dataset, hint: str) -> Classifier | None:
    """The domain classifier of a data set, if there is one already: none is trained for this."""
    try:
        return classifiers.kept_domain(dataset, hint)
    except UserError:
        return None


def nearest_train(classifier: Classifier, dataset, label: int, images: np.ndarray, hint: str) -> np.ndarray:
    """Of each image of a label, uint8 [n, H, W, C], the training image that it is most like: uint8 [n, H, W, C]."""
    from sklearn.metrics import pairwise_distances_argmin

    looked = features.look(classifier, [images], label)
    train = features.real(dataset, "train", label, classifier, hint)
    in_order = looked.features[np.argsort(looked.places)]
    places = train.places[pairwise_distances_argmin(in_order, train.features)]
    return datasets.label_images(dataset, "train", label, hint).images[places]
