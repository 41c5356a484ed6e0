"""Images that are read from files when they are used."""

import numpy as np

from wcgan_tf.evaluation.picked_images import PickedImages


def test_picked_images_are_those_of_the_labels_one_after_another(tmp_path):
    random = np.random.default_rng(0)
    whole = [random.integers(256, size=(number, 4, 4, 3), dtype=np.uint8) for number in (3, 1, 5)]
    for label, images in enumerate(whole):
        np.save(tmp_path / f"{label}.npy", images)
    rows = [np.array([0, 2]), np.array([0]), np.array([1, 3, 4])]
    mapped = [np.load(tmp_path / f"{label}.npy", mmap_mode="r") for label in range(3)]
    picked = PickedImages(mapped, rows)
    together = np.concatenate([images[own] for images, own in zip(whole, rows, strict=True)])
    assert picked.image_shape == together.shape[1:]
    assert len(picked) == 6
    chosen = np.array([5, 0, 0, 3])
    np.testing.assert_array_equal(picked[chosen], together[chosen])
