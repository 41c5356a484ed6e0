"""Scores from the outputs of a classifier: features [n, d] and logits [n, k].

Over all labels, scores that TF-GAN has, such as the inception score and the distances, are computed by TF-GAN
(tfgan.py).  `frechet_distance` and `kernel_distance` compute the distances in another way: for single labels, and to
check TF-GAN's.  No function stores an n x n matrix: all pairs are compared a chunk of rows at a time.
"""

from typing import NamedTuple

import numpy as np

NEIGHBOURS = 5
CHUNK = 2048  # rows per chunk in `kernel_distance`


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), of the samples' means and unbiased covariances, in float64.

    At least 0, lower is better; fewer samples bias it upwards (Heusel et al. 2017, arXiv 1706.08500).  If x_a = Q_a R_a
    are the centred samples, tr (C_a C_b)^(1/2) is the sum of the singular values of R_a R_b^T, divided by
    sqrt((n_a - 1)(n_b - 1)).  So no covariance is formed or has to be invertible, and no precision is lost to squaring.

    Args:
        a, b: features [n_a, d] and [n_b, d], at least two samples each.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    a, b = (a - mean_a) / np.sqrt(len(a) - 1), (b - mean_b) / np.sqrt(len(b) - 1)
    r_a, r_b = (np.asarray(np.linalg.qr(x, mode="r")) for x in (a, b))
    trace_of_root = np.linalg.svd(r_a @ r_b.T, compute_uv=False).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.sum(a**2) + np.sum(b**2) - 2.0 * trace_of_root
    return max(float(distance), 0.0)  # rounding can make it negative


def kernel_distance(a: np.ndarray, b: np.ndarray) -> float:
    """The unbiased estimate of MMD^2 with the kernel (x.y / d + 1)^3, over all pairs, in float64.

    Lower is better; about 0, positive or negative, if both sets have the same distribution; its mean does not depend on
    the number of samples (Binkowski et al. 2018, arXiv 1801.01401).

    Args:
        a, b: features [n_a, d] and [n_b, d], at least two samples each.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    between = _sum_of_kernels(a, b) / (len(a) * len(b))
    return float(_mean_kernel_of_pairs(a) + _mean_kernel_of_pairs(b) - 2.0 * between)


def _mean_kernel_of_pairs(a: np.ndarray) -> float:
    """The mean of the kernel over all pairs of different samples."""
    with_themselves = np.sum((np.einsum("nd,nd->n", a, a) / a.shape[1] + 1.0) ** 3)
    return (_sum_of_kernels(a, a) - with_themselves) / (len(a) * (len(a) - 1))


def _sum_of_kernels(a: np.ndarray, b: np.ndarray) -> float:
    parts = (a[start : start + CHUNK] for start in range(0, len(a), CHUNK))
    return float(sum(np.sum((part @ b.T / a.shape[1] + 1.0) ** 3) for part in parts))


class Manifold(NamedTuple):
    """How generated and real samples overlap."""

    precision: float  # share of generated samples in the neighbourhood of a real one; 0 to 1
    recall: float  # share of real samples in the neighbourhood of a generated one; 0 to 1
    # mean number of real neighbourhoods around a generated sample, over `neighbours`; >= 0, about 1 for real images
    density: float
    coverage: float  # share of real samples with a generated one in their neighbourhood; 0 to 1


def manifold(real: np.ndarray, generated: np.ndarray, neighbours: int = NEIGHBOURS) -> Manifold:
    """Precision and recall (Kynkaanniemi et al. 2019, arXiv 1904.06991), density and coverage (Naeem et al. 2020,
    arXiv 2002.09797).  A sample's neighbourhood reaches to the `neighbours`-th nearest other sample of its own set.

    Args:
        real, generated: features [n, d] and [m, d], more than `neighbours` samples each.
    """
    from sklearn.metrics import pairwise_distances_chunked  # takes a second, and training does not need it

    radii_real, radii_generated = _radii(real, neighbours), _radii(generated, neighbours)
    inside_real = np.zeros(len(generated), np.int64)  # number of real neighbourhoods around each sample
    inside_generated = np.zeros(len(real), bool)
    nearest = np.full(len(real), np.inf)
    start = 0
    for distances in pairwise_distances_chunked(generated, real):
        rows = slice(start, start + len(distances))
        inside_real[rows] = (distances <= radii_real).sum(axis=1)
        inside_generated |= (distances <= radii_generated[rows, None]).any(axis=0)
        np.minimum(nearest, distances.min(axis=0), out=nearest)
        start += len(distances)
    return Manifold(
        precision=float(np.mean(inside_real > 0)),
        recall=float(np.mean(inside_generated)),
        density=float(np.mean(inside_real) / neighbours),
        coverage=float(np.mean(nearest <= radii_real)),
    )


def _radii(samples: np.ndarray, neighbours: int) -> np.ndarray:
    """The distance of each sample to its `neighbours`-th nearest other sample."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(samples).kneighbors()[0][:, -1]


def nearest_distance(samples: np.ndarray, train: np.ndarray) -> float:
    """The mean distance of samples [n, d] to the nearest training sample [m, d]; at least 0.

    If it is much less than for real images that no generator was trained on, the samples are copies.
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    return float(np.mean(pairwise_distances_argmin_min(samples, train)[1]))


def variety(samples: np.ndarray, real: np.ndarray) -> float:
    """The mean distance of a sample [n, d] to its nearest other, divided by the same of as many real samples [m, d].

    At least 0: 0 if all samples are the same, about 1 for real images.
    """
    from sklearn.neighbors import NearestNeighbors

    number = min(len(samples), len(real))  # equal numbers, because more samples lie closer together
    own, others = (
        np.mean(NearestNeighbors(n_neighbors=1, algorithm="brute").fit(some[:number]).kneighbors()[0])
        for some in (samples, real)
    )
    return float(own / others) if others else 1.0  # all real samples are the same: no scale


def recognised(logits: np.ndarray, labels: np.ndarray) -> float:
    """The share of images to which the classifier gives the intended label; 0 to 1, higher is better."""
    return float(np.mean(logits.argmax(axis=1) == labels))
