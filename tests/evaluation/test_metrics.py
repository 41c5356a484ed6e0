"""Scores against answers known on paper, and against other ways to compute them."""

import numpy as np
import pytest
import scipy.linalg

from wcgan_tf.evaluation import metrics, tfgan


@pytest.fixture
def random():
    """One for each test: its draws must not depend on the tests before it."""
    return np.random.default_rng(0)


def gaussian(mean, deviation, number=4000) -> np.ndarray:
    """Activations whose sample mean and unbiased covariance are exactly those of N(mean, diag(deviation^2))."""
    raw = np.random.default_rng(len(mean)).normal(size=(number, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    return white * deviation + mean


def correlated(random, number: int, size: int, shift: float) -> np.ndarray:
    """Correlated activations after a ReLU, float32."""
    mixed = random.normal(size=(number, size)) @ random.normal(size=(size, size)) / np.sqrt(size) + shift
    return np.maximum(mixed, 0.0).astype(np.float32)


def kernel_by_hand(a, b) -> float:
    """The unbiased estimate by its definition, with whole matrices."""
    kernel = lambda x, y: (x.astype(np.float64) @ y.T.astype(np.float64) / x.shape[1] + 1) ** 3  # noqa: E731
    aa, bb, n, m = kernel(a, a), kernel(b, b), len(a), len(b)
    pairs = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(pairs - 2 * kernel(a, b).mean())


def test_tf_gans_evaluation_is_the_installed_one():
    module = tfgan.evaluation()
    assert "tensorflow_gan/python/eval" in module.__file__
    assert tfgan.evaluation() is module


@pytest.mark.parametrize("distance", [metrics.frechet_distance, tfgan.frechet_distance])
def test_frechet_distance_of_two_gaussians(distance):
    # |m1 - m2|^2 + sum (s1 - s2)^2 for diagonal covariances: 1 + 4 + (2 - 1)^2 + (1 - 3)^2 = 10
    one, other = gaussian([0.0, 0.0], [1.0, 3.0]), gaussian([1.0, 2.0], [2.0, 1.0])
    assert distance(one, other) == pytest.approx(10.0, rel=1e-9)
    assert distance(one, one) == pytest.approx(0.0, abs=1e-9)
    assert distance(other, one) == pytest.approx(10.0, rel=1e-9)


@pytest.mark.parametrize(("number", "size"), [(3000, 64), (300, 64), (50, 200)])
def test_frechet_distance_equals_the_one_by_eigenvalues(number, size, random):
    """With more and with fewer samples than features; with fewer, the covariances are singular."""
    a, b = correlated(random, number, size, 0.1), correlated(random, number + 7, size, 0.4)
    ca, cb = (np.cov(x.astype(np.float64), rowvar=False) for x in (a, b))
    root = np.sqrt(np.maximum(scipy.linalg.eigvals(ca @ cb).real, 0.0)).sum()
    means = np.sum((a.mean(axis=0, dtype=np.float64) - b.mean(axis=0, dtype=np.float64)) ** 2)
    expected = means + np.trace(ca) + np.trace(cb) - 2 * root
    assert metrics.frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)
    assert tfgan.frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)


def test_kernel_distance_of_two_known_distributions():
    """x = +-1 against y = c: E k(x, x') = (2^3 + 0) / 2, k(y, y') = (c^2 + 1)^3, E k(x, y) = 1 + 3 c^2."""
    x, c = np.tile([1.0, -1.0], 2000)[:, None], 0.5
    y = np.full([3000, 1], c)
    expected = 8 / 2 + (c * c + 1) ** 3 - 2 * (1 + 3 * c * c)
    assert metrics.kernel_distance(x, y) == pytest.approx(expected, abs=5e-3)  # x' is another sample than x
    # exactly: two of the 4,000 samples are equal with probability 1,999 / 3,999
    assert metrics.kernel_distance(x, y) == pytest.approx(expected - 4 + 8 * 1999 / 3999, rel=1e-9)


def test_kernel_distance_equals_its_definition_and_tf_gans_the_mean_of_blocks(random):
    a, b = correlated(random, 2500, 32, 0.1), correlated(random, 2300, 32, 0.2)
    assert metrics.kernel_distance(a, b) == pytest.approx(kernel_by_hand(a, b), rel=1e-9)
    value, error = tfgan.kernel_distance(a, b)
    blocks = [kernel_by_hand(*pair) for pair in zip(_blocks(a, 3), _blocks(b, 3), strict=True)]
    assert value == pytest.approx(np.mean(blocks), rel=1e-9)
    assert error == pytest.approx(np.std(blocks, ddof=1) / np.sqrt(3), rel=1e-9)
    assert abs(value - metrics.kernel_distance(a, b)) < 5 * error


def _blocks(samples, number):
    """As TF-GAN splits them: longer blocks last."""
    sizes = [len(samples) // number] * number
    for place in range(len(samples) % number):
        sizes[-1 - place] += 1
    return np.split(samples, np.cumsum(sizes)[:-1])


def test_the_error_of_one_block_is_nan(random):
    value, error = tfgan.kernel_distance(correlated(random, 100, 8, 0.0), correlated(random, 90, 8, 0.0))
    assert np.isfinite(value)
    assert np.isnan(error)


def test_kernel_distance_is_unbiased(random):
    draws = [random.normal(size=(2, 40, 16)) for _ in range(300)]
    values = [metrics.kernel_distance(*pair) for pair in draws]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0 < max(values)


def test_the_order_of_the_samples_does_not_matter(random):
    a, b = correlated(random, 3000, 64, 0.1), correlated(random, 2500, 64, 0.3)
    others = random.permutation(a), random.permutation(b)
    for distance in (metrics.frechet_distance, metrics.kernel_distance, tfgan.frechet_distance):
        assert distance(*others) == pytest.approx(distance(a, b), abs=1e-6)
    assert metrics.manifold(*others) == pytest.approx(metrics.manifold(a, b))


def test_inception_score_of_certain_uniform_and_collapsed_predictions():
    sure = 100 * np.eye(5, dtype=np.float32)[np.arange(500) % 5]
    assert tfgan.inception_score(sure) == pytest.approx((5.0, 0.0), rel=1e-6)
    assert tfgan.inception_score(np.zeros([500, 5], np.float32)) == pytest.approx((1.0, 0.0))
    assert tfgan.inception_score(sure[::5]) == pytest.approx((1.0, 0.0))


def test_inception_score_equals_its_definition_over_the_splits(random):
    logits = random.normal(size=(1003, 7)).astype(np.float32) * 2
    values = []
    for part in np.array_split(logits.astype(np.float64), 10):
        p = np.exp(part) / np.exp(part).sum(axis=1, keepdims=True)
        values.append(np.exp(np.mean(np.sum(p * np.log(p / p.mean(axis=0)), axis=1))))
    assert tfgan.inception_score(logits) == pytest.approx((np.mean(values), np.std(values)), rel=1e-6)


def test_manifold_equals_its_definition(random):
    real, generated = correlated(random, 400, 8, 0.1), correlated(random, 300, 8, 0.3)
    distances = lambda x, y: np.linalg.norm(x[:, None].astype(np.float64) - y[None], axis=2)  # noqa: E731
    radii_real = np.sort(distances(real, real), axis=1)[:, 5]  # the 0th is itself
    radii_generated = np.sort(distances(generated, generated), axis=1)[:, 5]
    between = distances(generated, real)
    inside = between <= radii_real
    expected = metrics.Manifold(
        precision=inside.any(axis=1).mean(),
        recall=(between <= radii_generated[:, None]).any(axis=0).mean(),
        density=inside.sum() / (5 * len(generated)),
        coverage=inside.any(axis=0).mean(),
    )
    assert metrics.manifold(real, generated) == pytest.approx(expected, abs=2e-3)
    assert 0.1 < expected.precision < 0.99


def test_manifold_in_chunks_equals_manifold_at_once(monkeypatch, random):
    import sklearn

    real, generated = correlated(random, 1000, 8, 0.1), correlated(random, 900, 8, 0.3)
    at_once = metrics.manifold(real, generated)
    with sklearn.config_context(working_memory=0.1):  # MiB: a chunk is 13 rows
        assert metrics.manifold(real, generated) == pytest.approx(at_once)


def test_coverage_falls_when_a_mode_is_missing_and_precision_when_samples_are_noise(random):
    modes = random.normal(size=(4, 1, 6)) * 20
    real = (modes + random.normal(size=(4, 200, 6))).reshape(-1, 6)
    alike = (modes + random.normal(size=(4, 200, 6))).reshape(-1, 6)
    dropped = (modes[:3] + random.normal(size=(3, 260, 6))).reshape(-1, 6)
    whole, part = metrics.manifold(real, alike), metrics.manifold(real, dropped)
    assert part.coverage < 0.8 * whole.coverage
    assert part.recall < 0.8 * whole.recall
    assert part.precision == pytest.approx(whole.precision, abs=0.1)
    noise = metrics.manifold(real, random.uniform(-60, 60, size=(800, 6)))
    assert noise.precision < 0.1 * whole.precision
    assert noise.density < 0.1 * whole.density


def test_copies_are_nearer_to_the_training_images_than_others(random):
    train, others = random.normal(size=(2, 500, 8))
    assert metrics.nearest_distance(train[:100], train) == pytest.approx(0.0, abs=1e-6)
    assert metrics.nearest_distance(train[:100] + 0.01, train) < 0.1 * metrics.nearest_distance(others, train)


def test_variety_measures_how_far_samples_lie_apart(random):
    real, others = random.normal(size=(2, 400, 8))
    assert metrics.variety(others, real) == pytest.approx(1.0, abs=0.05)
    assert metrics.variety(3.0 * others, real) == pytest.approx(3.0, abs=0.15)
    assert metrics.variety(np.repeat(others[:4], 25, axis=0), real) == pytest.approx(0.0, abs=1e-6)
    assert metrics.variety(others, np.zeros([20, 8])) == 1.0


def test_variety_does_not_depend_on_the_number_of_samples(random):
    few, many = random.normal(size=(500, 8)), random.normal(size=(4000, 8))
    assert metrics.variety(few, many) == pytest.approx(1.0, abs=0.1)
    assert metrics.variety(many, few) == pytest.approx(1.0, abs=0.1)


def test_recognised_is_the_share_of_images_that_keep_their_label():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    assert metrics.recognised(logits, np.array([0, 1, 2, 0])) == 0.75
