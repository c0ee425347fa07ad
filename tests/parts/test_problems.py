import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from jaxbyz.data import Dataset
from jaxbyz.problems import (
    QuadraticData,
    classification,
    models,
    quadratics,
    quadratics_from_arrays,
)

KEY = jax.random.key(0)
x64 = pytest.mark.usefixtures("x64")


# ---- quadratics --------------------------------------------------------------------------------


def instance(seed=0, **options):
    return quadratics(
        **{"honest": 5, "dimension": 4, "hessian_spread": 0.05, "seed": seed} | options
    )


def gradients(problem, x):
    """∇f_i(x), [h, d]."""
    return np.stack([a @ x - b for a, b in zip(problem.matrices, problem.vectors, strict=True)])


def dissimilarity(problem, x):
    """(1/h) Σ ‖∇f_i - ∇f‖² and ‖∇f‖²."""
    each = gradients(problem, x)
    centre = each.mean(axis=0)
    return ((each - centre) ** 2).sum() / len(each), centre @ centre


@pytest.mark.parametrize("seed", range(3))
def test_constants_of_quadratics(seed):
    problem = instance(seed, smoothness=3.0, strong_convexity=0.2)
    mean = sum(problem.matrices) / 5
    singular = np.linalg.svd(mean, compute_uv=False)
    assert problem.smoothness == pytest.approx(singular.max(), rel=1e-12)
    assert problem.strong_convexity == pytest.approx(singular.min(), rel=1e-12)
    # What was asked for is what one gets, whatever the spread of the Hessians.
    assert problem.smoothness == pytest.approx(3.0, rel=1e-12)
    assert problem.strong_convexity == pytest.approx(0.2, rel=1e-11)
    # L̃ is the norm of the map x ↦ (A_1 x, …, A_h x)/√h.
    stacked = problem.matrices.reshape(-1, 4) / np.sqrt(5)
    assert problem.mean_square_smoothness == pytest.approx(np.linalg.norm(stacked, 2), rel=1e-12)
    assert problem.mean_square_smoothness >= problem.smoothness
    # The gradient vanishes at the optimum, up to rounding.
    np.testing.assert_allclose(gradients(problem, problem.optimum).mean(axis=0), 0, atol=1e-14)
    assert np.array_equal(problem.matrices, problem.matrices.transpose(0, 2, 1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_g_and_b_hold_everywhere_and_are_attained(seed, spread):
    problem = instance(seed, hessian_spread=spread)
    least = problem.least_b_squared
    random = np.random.default_rng(seed)
    for b_squared in (least * 1.01 + 1e-3, least + 1.0, 100.0 + least):
        g_squared = problem.g_squared(b_squared)
        for size in (1e-3, 1.0, 1e3):
            for x in random.normal(size=(20, 4)) * size:
                left, right = dissimilarity(problem, x)
                assert left <= g_squared + b_squared * right * (1 + 1e-12) + 1e-9

        # left - B² right is a concave quadratic of x: from its values, by differences that are
        # exact for quadratics, its maximiser solves a linear system. There is equality.
        def excess(x, b_squared=b_squared):
            left, right = dissimilarity(problem, x)
            return left - b_squared * right

        unit, origin = np.eye(4), excess(np.zeros(4))
        slope = np.array([(excess(e) - excess(-e)) / 2 for e in unit])
        curvature = np.array(
            [[excess(e + f) - excess(e) - excess(f) + origin for f in unit] for e in unit]
        )
        assert np.linalg.eigvalsh(curvature).max() < 0
        maximiser = -np.linalg.solve(curvature, slope)
        # Differences of numbers up to B² L² d, of which nine digits are left.
        assert excess(maximiser) == pytest.approx(g_squared, rel=1e-8)


def test_equal_hessians_need_no_b():
    for honest in range(1, 12):  # also where sums of equal numbers round
        problem = instance(honest=honest, hessian_spread=0.0)
        assert problem.least_b_squared == 0
        variance = ((problem.vectors - problem.vectors.mean(axis=0)) ** 2).sum() / honest
        for b_squared in (0.0, 0.5):
            assert problem.g_squared(b_squared) == pytest.approx(variance, rel=1e-12)
    same = instance(hessian_spread=0.0, offset_spread=0.0)
    assert same.g_squared(0.0) == 0


def test_no_g_exists_at_or_below_the_least_b():
    problem = instance()
    least = problem.least_b_squared
    assert least > 0.01
    # Far out the ratio of the two sides tends to the least B².
    form = np.stack([a @ np.linalg.inv(problem.matrices.mean(axis=0)) for a in problem.matrices])
    form = form - np.eye(4)
    ratios = np.einsum("iab,iac->bc", form, form) / 5
    u = np.linalg.eigh(ratios)[1][:, -1]
    x = np.linalg.solve(problem.matrices.mean(axis=0), 1e7 * u)
    left, right = dissimilarity(problem, x)
    assert left / right == pytest.approx(least, rel=1e-5)
    for b_squared in (0.0, least * 0.99, -1.0):
        with pytest.raises(ValueError, match=r"b_squared must be > .* for a finite G, got"):
            problem.g_squared(b_squared)
    with pytest.raises(ValueError, match="b_squared must be >"):
        instance(hessian_spread=0.0).g_squared(-0.1)


@x64
def test_oracle_and_evaluators_of_quadratics():
    problem = instance(noise=0.0)
    x = jnp.asarray(np.random.default_rng(1).normal(size=4))

    def f(i, x):
        return 0.5 * x @ problem.matrices[i] @ x - problem.vectors[i] @ x

    def objective(x):
        return sum(f(i, x) for i in range(5)) / 5

    for i in range(5):
        local = jax.tree.map(lambda leaf, i=i: leaf[i], problem.data)
        oracle = problem.oracle(local)
        expected = jax.grad(lambda x, i=i: f(i, x))(x)
        np.testing.assert_allclose(oracle.full(x), expected, rtol=1e-12)
        batch = oracle.draw(KEY)
        np.testing.assert_array_equal(oracle.grad(batch, x), oracle.full(x))
    values = {}
    for evaluator in problem.evaluators.values():
        values |= evaluator(x, problem.data, problem.test)
    x = np.asarray(x)
    gap = objective(x) - objective(problem.optimum)
    assert values["loss"] == pytest.approx(gap, rel=1e-12)
    slope = np.linalg.norm(gradients(problem, x).mean(axis=0))
    assert values["gradient_norm"] == pytest.approx(slope, rel=1e-12)
    assert values["distance"] == pytest.approx(np.linalg.norm(x - problem.optimum), rel=1e-12)
    assert problem.init(KEY).tolist() == [0] * 4
    assert isinstance(problem.data, QuadraticData)


@x64
def test_noise_of_quadratics_has_the_stated_size_and_is_usable_at_two_points():
    problem = instance(noise=2.0)
    oracle = problem.oracle(jax.tree.map(lambda leaf: leaf[0], problem.data))
    keys = jax.random.split(KEY, 20_000)
    noise = np.asarray(jax.jit(jax.vmap(oracle.draw))(keys))
    # Σ noise² is σ²/d times χ² with d·N degrees of freedom; four standard deviations.
    count = noise.size
    assert abs((noise**2).sum() * 4 / 4.0 - count) < 4 * np.sqrt(2 * count)
    assert (np.abs(noise.mean(axis=0)) < 4 / np.sqrt(len(keys))).all()
    x, y = jnp.ones(4), -jnp.ones(4)
    batch = oracle.draw(keys[0])
    for point in (x, y):
        np.testing.assert_allclose(
            oracle.grad(batch, point) - oracle.full(point), batch, atol=1e-14
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"honest": 0}, "honest must be an integer >= 1, got 0"),
        ({"honest": 2.0}, "honest must be an integer >= 1, got 2.0"),
        ({"byzantine": -1}, "byzantine must be an integer >= 0, got -1"),
        ({"dimension": 0}, "dimension must be an integer >= 1, got 0"),
        ({"smoothness": 0.0}, r"smoothness must lie in \(0, inf\), got 0.0"),
        ({"strong_convexity": 0.0}, r"strong_convexity must lie in \(0, 1.0\], got 0.0"),
        ({"strong_convexity": 1.1}, r"strong_convexity must lie in \(0, 1.0\], got 1.1"),
        ({"hessian_spread": -1.0}, r"hessian_spread must lie in \[0, inf\), got -1.0"),
        ({"offset_spread": np.nan}, r"offset_spread must lie in \[0, inf\), got nan"),
        ({"noise": -0.1}, r"noise must lie in \[0, inf\), got -0.1"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
        ({"seed": None}, "seed must be an integer >= 0, got None"),
    ],
)
def test_quadratics_refuse(options, message):
    with pytest.raises(ValueError, match=message):
        instance(**{"seed": 0} | options) if "seed" not in options else instance(**options)


EYES = np.stack([np.eye(2)] * 3)


@pytest.mark.parametrize(
    ("matrices", "vectors", "options", "message"),
    [
        (
            np.eye(2),
            np.zeros(2),
            {},
            r"matrices must have shape \[h >= 1, d >= 1, d\], got \(2, 2\)",
        ),
        (np.ones((3, 2, 1)), np.zeros((3, 2)), {}, "matrices must have shape"),
        (EYES, np.zeros((3, 3)), {}, r"vectors must have shape \(3, 2\), got \(3, 3\)"),
        (EYES, np.zeros((2, 2)), {}, "vectors must have shape"),
        (EYES * np.nan, np.zeros((3, 2)), {}, "must be finite"),
        (EYES, np.full((3, 2), np.inf), {}, "must be finite"),
        (EYES + np.array([[0, 1], [0, 0]]), np.zeros((3, 2)), {}, "must be symmetric"),
        (-EYES, np.zeros((3, 2)), {}, "must be positive definite"),
        (0 * EYES, np.zeros((3, 2)), {}, "must be positive definite"),
        (EYES, np.zeros((3, 2)), {"byzantine": 1.0}, "byzantine must be an integer"),
        (EYES, np.zeros((3, 2)), {"noise": -1.0}, r"noise must lie in \[0, inf\), got -1.0"),
        (EYES, np.zeros((3, 2)), {"noise": np.nan}, r"noise must lie in \[0, inf\), got nan"),
    ],
)
def test_quadratics_from_arrays_refuse(matrices, vectors, options, message):
    with pytest.raises(ValueError, match=message):
        quadratics_from_arrays(matrices, vectors, **options)


def test_the_seed_decides_the_instance():
    assert np.array_equal(instance(1).vectors, instance(1).vectors)
    assert not np.array_equal(instance(1).vectors, instance(2).vectors)
    one = instance(dimension=1, smoothness=2.0)
    assert one.smoothness == pytest.approx(2.0, rel=1e-14)


# ---- models ------------------------------------------------------------------------------------


def count(model, shape):
    images = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    variables = jax.eval_shape(lambda images: model.init(KEY, images), images)
    return sum(leaf.size for leaf in jax.tree.leaves(variables))


def test_parameter_counts():
    assert count(models.LightNet(10), (28, 28, 1)) == 11_830
    assert count(models.LightNet(10), (8, 8, 1)) == 1_030
    assert count(models.LightNet(10, channels=4), (9, 6, 3)) == 27 * 4 + 4 + 4 * 12 * 10 + 10
    assert count(models.Linear(10), (8, 8, 1)) == 650
    assert count(models.MLP(10, hidden=(32, 16)), (8, 8, 1)) == 65 * 32 + 33 * 16 + 17 * 10


IMAGES = np.random.default_rng(1).normal(size=(3, 6, 5, 2)).astype(np.float32)
MODELS = (models.Linear(4), models.MLP(4, (7,)), models.LightNet(4))


@functools.cache
def parameters(model):
    return jax.tree.map(np.asarray, jax.jit(model.init)(KEY, IMAGES)["params"])


@pytest.mark.parametrize("model", MODELS)
def test_parameters_start_uniform_within_one_over_root_fan_in(model):
    tree = parameters(model)
    for layer in [tree, *tree.values()]:
        if not isinstance(layer, dict) or "bias" not in layer:
            continue
        kernel = layer["kernel"]
        bound = np.prod(kernel.shape[:-1]) ** -0.5
        together = np.concatenate([kernel.ravel(), layer["bias"].ravel()])
        assert np.abs(together).max() <= bound
        # Of m uniform numbers the largest exceeds 1 - 7/m of the bound with probability 0.999.
        assert np.abs(kernel).max() > bound * (1 - 7 / kernel.size)
        assert together.min() < 0 < together.max()


def convolved_and_pooled(images, kernel):
    """By the definition: [C, H, W, B] and [3, 3, C, F] to [F, ⌊H/2⌋, ⌊W/2⌋, B]."""
    _, height, width, batch = images.shape
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    full = np.zeros((kernel.shape[3], height, width, batch))
    for i, j in itertools.product(range(height), range(width)):
        full[:, i, j] = np.einsum("cijb,ijcf->fb", padded[:, i : i + 3, j : j + 3], kernel)
    result = np.zeros((kernel.shape[3], height // 2, width // 2, batch))
    for i, j in itertools.product(range(height // 2), range(width // 2)):
        window = full[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        result[:, i, j] = window.max(axis=(1, 2))
    return result


@x64
@pytest.mark.parametrize("shape", [(1, 8, 8, 3), (3, 5, 7, 2), (2, 2, 3, 1)])
def test_both_forms_of_the_convolution_agree_in_values_and_gradients(shape):
    random = np.random.default_rng(shape[1])
    images, kernel = random.normal(size=shape), random.normal(size=(3, 3, shape[0], 4))
    expected = convolved_and_pooled(images, kernel)
    weights = random.normal(size=expected.shape)

    def both(images, kernel, form):
        return (form(images, kernel) * weights).sum(), form(images, kernel)

    slopes = []
    for form in (models._pool_of_patches, models._pool_of_convolution):
        gradient = jax.grad(lambda a, b, form=form: both(a, b, form), (0, 1), has_aux=True)
        slope, value = jax.jit(gradient)(images, kernel)
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-13)  # sums of 27 products
        slopes.append(slope)
    for a, b in zip(*slopes, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)
    chosen = jax.jit(models.convolve_and_pool)(images, kernel)
    np.testing.assert_allclose(chosen, expected, rtol=0, atol=1e-13)


@x64
def test_flat_images_have_ties_everywhere_and_one_gradient():
    images = jnp.ones((1, 6, 6, 2))
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 1, 2)))

    def inside(kernel, form):
        return form(images, kernel)[:, 1:-1, 1:-1].sum()

    slope = jax.jit(jax.grad(inside), static_argnums=1)
    slopes = [slope(kernel, models._pool_of_patches), slope(kernel, models._pool_of_convolution)]
    # Away from the border all four places of a window see the same patch: one of them counts.
    np.testing.assert_allclose(slopes[0], 2.0)
    np.testing.assert_allclose(slopes[0], slopes[1])


def test_models_compute_what_their_names_say():
    flat = IMAGES.reshape(3, -1)

    def dense(layer, inputs):
        return inputs @ layer["kernel"] + layer["bias"]

    def linear(layers):
        return dense(layers["Dense_0"], flat)

    def perceptron(layers):
        return dense(layers["Dense_1"], np.maximum(dense(layers["Dense_0"], flat), 0))

    def light(layers):
        features = convolved_and_pooled(IMAGES.transpose(3, 1, 2, 0), layers["kernel"])
        features = np.maximum(features + layers["bias"][:, None, None, None], 0)
        return dense(layers["Dense_0"], features.reshape(-1, 3).T)

    for model, formula in zip(MODELS, (linear, perceptron, light), strict=True):
        layers = parameters(model)
        found = jax.jit(model.apply)({"params": layers}, IMAGES)
        # float32 throughout: sums of 60 products.
        np.testing.assert_allclose(found, formula(layers), rtol=0, atol=1e-5)


# ---- classification ----------------------------------------------------------------------------


CLASSES, SAMPLES = 3, 24


def dataset(seed=0):
    random = np.random.default_rng(seed)

    def split(size):
        images = random.normal(size=(size, 4, 4, 1)).astype(np.float32)
        return images, random.integers(0, CLASSES, size).astype(np.int32)

    return Dataset("tiny", *split(SAMPLES), *split(10), CLASSES)


def tiny(**options):
    return classification(
        dataset(), **{"honest": 3, "byzantine": 1, "model": models.Linear(CLASSES)} | options
    )


def softmax_regression(x, images, labels):
    """Loss, accuracy and gradient of `models.Linear` in NumPy, x = (bias, kernel)."""
    x, flat = np.asarray(x, np.float64), np.asarray(images, np.float64).reshape(len(labels), -1)
    bias, kernel = x[:CLASSES], x[CLASSES:].reshape(-1, CLASSES)
    logits = flat @ kernel + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    truth = np.eye(CLASSES)[labels]
    loss = -np.log((p * truth).sum(axis=1)).mean()
    error = (p - truth) / len(labels)
    gradient = np.concatenate([error.sum(axis=0), (flat.T @ error).ravel()])
    return loss, (logits.argmax(axis=1) == labels).mean(), gradient


FLOAT32 = {"rtol": 0, "atol": 2e-6}  # sums of at most 24 numbers of size 1


def point(problem, seed=0):
    x = np.random.default_rng(seed).normal(size=problem.dimension)
    return jnp.asarray(x, jnp.float32)


def worker(problem, i):
    return jax.tree.map(lambda leaf: leaf[i], problem.data)


def test_gradients_and_evaluators_are_those_of_softmax_regression():
    problem = tiny()
    assert (problem.name, problem.honest, problem.byzantine) == ("tiny", 3, 1)
    assert problem.dimension == 17 * CLASSES
    assert problem.data.images.shape == (3, 8, 4, 4, 1)
    assert jax.eval_shape(problem.init, KEY).shape == (problem.dimension,)
    x, each = point(problem), []
    for i in range(3):
        local = worker(problem, i)
        oracle = problem.oracle(local)
        loss, _, gradient = softmax_regression(x, local.images, np.asarray(local.labels))
        batch = oracle.draw(KEY)  # no batch size: all local data, in order
        assert np.array_equal(batch.images, local.images)
        for found in jax.jit(lambda x, o=oracle, b=batch: (o.full(x), o.grad(b, x)))(x):
            np.testing.assert_allclose(found, gradient, **FLOAT32)
        each.append((loss, gradient))
    values = {}
    for evaluator in problem.evaluators.values():
        values |= jax.jit(evaluator)(x, problem.data, problem.test)
    assert values["loss"] == pytest.approx(np.mean([loss for loss, _ in each]), abs=2e-6)
    mean_gradient = np.mean([gradient for _, gradient in each], axis=0)
    assert values["gradient_norm"] == pytest.approx(np.linalg.norm(mean_gradient), abs=2e-6)
    everyone = [np.asarray(leaf).reshape(-1, *leaf.shape[2:]) for leaf in problem.data]
    assert values["accuracy"] == pytest.approx(softmax_regression(x, *everyone)[1], abs=1e-7)
    loss, accuracy, _ = softmax_regression(x, *map(np.asarray, problem.test))
    assert values["test_loss"] == pytest.approx(loss, abs=2e-6)
    assert values["test_accuracy"] == pytest.approx(accuracy, abs=1e-7)
    assert set(values) == {"loss", "accuracy", "gradient_norm", "test_loss", "test_accuracy"}


def test_gradients_are_those_of_a_loss_written_otherwise():
    model = models.LightNet(CLASSES)
    problem = tiny(model=model)
    x, local = point(problem), worker(problem, 1)
    variables = jax.jit(model.init)(KEY, local.images)
    _, unravel = ravel_pytree(variables)

    def loss(x):
        logits = model.apply(unravel(x), local.images)
        shares = jnp.exp(logits) / jnp.exp(logits).sum(axis=1, keepdims=True)
        return -jnp.mean(jnp.log(shares[jnp.arange(8), local.labels]))

    expected = jax.jit(jax.grad(loss))(x)
    found = jax.jit(lambda x: problem.oracle(local).full(x))(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)  # float32
    np.testing.assert_array_equal(jax.jit(problem.init)(KEY), ravel_pytree(variables)[0])


@pytest.mark.parametrize("chunk", [1, 3, 4, 8, 9])  # of 8 local and 24 training samples
def test_chunks_change_nothing(chunk):
    problem = tiny(chunk=chunk)
    x, local = point(problem), worker(problem, 2)

    def everything(x):
        values = problem.evaluators["train"](x, problem.data, problem.test)
        return problem.oracle(local).full(x), values["loss"], values["accuracy"]

    gradient, loss, accuracy = jax.jit(everything)(x)
    _, _, expected = softmax_regression(x, local.images, np.asarray(local.labels))
    np.testing.assert_allclose(gradient, expected, **FLOAT32)
    everyone = [np.asarray(leaf).reshape(-1, *leaf.shape[2:]) for leaf in problem.data]
    expected = softmax_regression(x, *everyone)
    np.testing.assert_allclose([loss, accuracy], expected[:2], **FLOAT32)


def test_single_sample_gradients_average_to_the_full_gradient():
    problem = tiny(batch=1)
    local, x = worker(problem, 0), point(problem)
    oracle = problem.oracle(local)
    each = jax.jit(jax.vmap(lambda place: oracle.grad(place, x)))(np.arange(8)[:, None])
    _, _, full = softmax_regression(x, local.images, np.asarray(local.labels))
    np.testing.assert_allclose(each.mean(axis=0), full, **FLOAT32)
    # And each of the 8 samples is as likely: χ² with 7 degrees of freedom at level 1e-3.
    keys = jax.random.split(KEY, 8000)
    drawn = jax.jit(jax.vmap(lambda key: oracle.draw(key)[0]))(keys)
    counts = np.bincount(drawn)
    assert len(counts) == 8
    assert sum((c - 1000) ** 2 / 1000 for c in counts) < 24.32


def test_batches_are_distinct_local_samples():
    problem = tiny(batch=5)
    local = worker(problem, 1)
    oracle = problem.oracle(local)
    draw = jax.jit(oracle.draw)

    seen = set()
    for key in jax.random.split(KEY, 20):
        places = draw(key).tolist()
        assert len(places) == len(set(places)) == 5
        assert set(places) <= set(range(8))
        seen.add(frozenset(places))
    assert len(seen) > 10  # of 56 equally likely ones
    x, batch = point(problem), draw(KEY)
    drawn = local.images[batch], np.asarray(local.labels)[batch]
    _, _, expected = softmax_regression(x, *drawn)
    np.testing.assert_allclose(jax.jit(oracle.grad)(batch, x), expected, **FLOAT32)
    everything = tiny(batch=8).oracle(local).draw(KEY)
    assert sorted(everything.tolist()) == list(range(8))


def test_partitions():
    given = np.array([[0, 5], [7, 1], [2, 3]])
    problem = tiny(partition=given)
    assert np.array_equal(problem.data.labels, dataset().train_labels[given])
    assert np.array_equal(problem.data.images, dataset().train_images[given])
    for options in ({}, {"alpha": 1.0}):
        first, again, other = (tiny(**options, partition_seed=seed) for seed in (0, 0, 1))
        assert np.array_equal(first.data.images, again.data.images)
        assert not np.array_equal(first.data.images, other.data.images)
        pixels = np.asarray(first.data.images).reshape(-1, 16)
        assert len(np.unique(pixels, axis=0)) == SAMPLES  # each sample at one worker only


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"honest": 0}, "honest must be an integer >= 1, got 0"),
        ({"honest": 25}, r"honest must be an integer in 1\.\.24, got 25"),
        ({"byzantine": -1}, "byzantine must be an integer >= 0, got -1"),
        ({"chunk": 0}, "chunk must be an integer >= 1, got 0"),
        ({"chunk": 2.0}, "chunk must be an integer >= 1, got 2.0"),
        ({"batch": 0}, "batch must be an integer >= 1, got 0"),
        ({"batch": 9}, "batch must be <= 8 local samples, got 9"),
        ({"alpha": 0.0}, "alpha"),
        ({"partition_seed": -1}, "seed"),
        ({"partition": np.zeros((3, 2), int), "alpha": 1.0}, "alpha or partition, not both"),
        ({"partition": np.zeros((2, 2), int)}, r"partition must have shape \[honest, m\] = \[3"),
        ({"partition": np.zeros((3, 0), int)}, "partition must have shape"),
        ({"partition": np.zeros(3, int)}, "partition must have shape"),
        ({"partition": np.zeros((3, 2))}, "partition must hold integers, got float64"),
        ({"partition": np.full((3, 2), 24)}, r"indices in 0..23, got 24..24"),
        ({"partition": np.full((3, 2), -1)}, r"indices in 0..23, got -1..-1"),
    ],
)
def test_classification_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)


def test_classification_refuses_bad_data():
    bad = dataset()._replace(train_labels=np.full(SAMPLES, CLASSES, np.int32))
    with pytest.raises(ValueError, match="train_labels"):
        classification(bad, honest=3)
    with pytest.raises(ValueError, match="imagenet"):
        classification("imagenet", honest=3)


def test_digits():
    problem = classification("digits", honest=10, byzantine=3, alpha=5.0)
    assert problem.dimension == 1_030
    assert problem.data.images.shape == (10, 150, 8, 8, 1)
    assert problem.data.labels.shape == (10, 150)
    assert set(np.unique(problem.data.labels)) == set(range(10))
    assert problem.test.images.shape[1:] == (8, 8, 1)


def test_equal_models_of_equal_features_are_one_traced_objective():
    def objective(data="digits", **options):
        return classification(data, **{"honest": 2} | options).oracle.__self__

    class Own(models.LightNet):
        pass

    one = objective()
    # Workers, their number and their data are no part of it.
    assert one is objective(honest=3, alpha=1.0, model=models.LightNet(10))
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2
    others = [
        objective(chunk=7), objective(batch=5), objective(model=models.LightNet(10, 3)),
        objective(model=models.Linear(10)), objective(model=models.MLP(10, (3,))),
        objective(model=models.MLP(10, (4,))), objective((features, labels)),
        objective((features[:, :2], labels)), objective((features, np.arange(40) % 4)),
    ]  # fmt: skip
    assert len({id(each) for each in (one, *others)}) == 1 + len(others)
    # What a user's class computes, and what a list holds, may change.
    for model in (Own(10), models.MLP(10, [3])):
        assert objective(model=model) is not objective(model=model)
    # An unusable model is an error, also after an equal number of another type was usable.
    with pytest.raises(ValueError, match="model must"):
        objective(model=models.MLP(10, (3.0,)))
