"""Workers with different numbers of samples: objectives, draws and columns are exact."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.data import Dataset, by_owner, dirichlet_unequal, iid, power_law, shards
from jaxbyz.problems.division import divide_unevenly

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(24, 3)).astype(np.float32)
LABELS = RNG.integers(0, 2, 24)
PARTS = [[0, 1, 2], [3], [4, 5, 6, 7, 8, 9, 10], [11, 12]]
LINEAR = (
    lambda key: {"w": jax.random.normal(key, (3, 2))},
    lambda variables, rows: rows @ variables["w"],
)
DATA = Dataset.from_arrays((FEATURES, LABELS), (FEATURES[:4], LABELS[:4]))


def problem(**options):
    return jb.problems.classification(
        DATA, honest=4, model=LINEAR, **{"partition": PARTS, **options}
    )


def loss_and_slope(rows):
    """Of the mean cross-entropy at X, by its closed form."""
    features, labels = FEATURES[rows].astype(float), np.eye(2)[LABELS[rows]]
    scores = np.exp(features @ np.asarray(X, float).reshape(3, 2))
    shares = scores / scores.sum(axis=1, keepdims=True)
    slope = features.T @ (shares - labels) / len(rows)
    return -np.log((shares * labels).sum(axis=1)).mean(), slope.ravel()


def every_gradient(made):
    """Of all workers, [4, 6], in one program."""
    return jax.jit(jax.vmap(lambda local: made.oracle(local).full(X)))(made.data)


X = jnp.asarray(RNG.normal(size=6), jnp.float32)
# Sums in another order: some roundings of numbers of size 1.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


@pytest.mark.parametrize(("weighting", "chunk"), [("equal", 2), ("size", 500)])
def test_every_worker_has_the_gradient_of_its_own_samples(weighting, chunk):
    found = every_gradient(problem(weighting=weighting, chunk=chunk))
    total = sum(map(len, PARTS))
    for gradient, rows in zip(found, PARTS, strict=True):
        factor = 1 if weighting == "equal" else 4 * len(rows) / total
        np.testing.assert_allclose(gradient, factor * loss_and_slope(rows)[1], **CLOSE)


def test_the_objective_is_the_mean_of_workers_or_of_samples():
    each = [loss_and_slope(rows)[0] for rows in PARTS]
    pooled = loss_and_slope(np.concatenate(PARTS))[0]
    for weighting, wanted in (("equal", np.mean(each)), ("size", pooled)):
        made = problem(weighting=weighting)
        look = jax.jit(
            lambda x, made=made: {
                name: value
                for evaluator in ("train", "gradient")
                for name, value in made.evaluators[evaluator](x, made.data, made.test).items()
            }
        )
        found = look(X)
        np.testing.assert_allclose(found["loss"], wanted, **CLOSE)
        norm = np.linalg.norm(every_gradient(made).mean(axis=0))
        np.testing.assert_allclose(found["gradient_norm"], norm, **CLOSE)


def test_accuracy_counts_each_sample_once():
    made = problem(weighting="size")
    rows = np.concatenate(PARTS)
    right = (FEATURES[rows] @ X.reshape(3, 2)).argmax(axis=1) == LABELS[rows]
    found = made.evaluators["train"](X, made.data, made.test)["accuracy"]
    np.testing.assert_allclose(found, right.mean(), **CLOSE)


@pytest.mark.parametrize("weighting", ["equal", "size"])
def test_draws_have_the_mean_of_all_samples(weighting):
    """One sample a draw: the mean over the samples of a worker, each as likely as the others."""
    made = problem(weighting=weighting, batch=1)
    keys = jax.random.split(jax.random.key(0), 400)

    def draws(local):
        oracle = made.oracle(local)
        drawn = jax.vmap(oracle.draw)(keys)
        return drawn.images[:, 0], jax.vmap(lambda batch: oracle.grad(batch, X))(drawn)

    images, gradients = map(np.asarray, jax.jit(jax.vmap(draws))(made.data))
    full = every_gradient(made)
    for i, rows in enumerate(PARTS):
        seen = {
            tuple(features): gradient
            for features, gradient in zip(images[i].tolist(), gradients[i], strict=True)
        }
        # All of them and no other were met in 400 draws (probability of a miss: 7 (6/7)^400).
        assert set(seen) == {tuple(row) for row in FEATURES[rows].tolist()}
        np.testing.assert_allclose(np.mean([*seen.values()], axis=0), full[i], **CLOSE)


def test_a_draw_of_all_samples_is_the_full_gradient():
    made = problem(partition=[[0, 1], [2, 3], [4, 5, 6], [7, 8]], batch=2)
    local = jax.tree.map(lambda leaf: leaf[0], made.data)
    oracle = made.oracle(local)
    drawn, full = jax.jit(lambda key: (oracle.grad(oracle.draw(key), X), oracle.full(X)))(
        jax.random.key(3)
    )
    np.testing.assert_allclose(drawn, full, **CLOSE)


def test_equal_sizes_are_as_before():
    """Lists of one length are an array: no weights, the same numbers bit for bit."""
    rows = iid(24, 4, 0)
    one, two = problem(partition=rows), problem(partition=[list(row) for row in rows])
    assert one.data.weights is None is two.data.weights
    jax.tree.map(np.testing.assert_array_equal, one.data, two.data)


def test_a_run_with_an_attack_on_labels():
    parts = dirichlet_unequal(DATA.train_labels, 4, 1.0, seed=0)
    made = jb.problems.classification(DATA, honest=4, byzantine=1, model=LINEAR, partition=parts)
    rule = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=1))
    history = jb.train(rule, made, attack=jb.attacks.label_flip(2), rounds=5, progress=False)
    assert np.isfinite(history["loss"]).all()


def test_networks_that_calibrate_are_refused():
    images = RNG.normal(size=(24, 8, 8, 1)).astype(np.float32)
    model = jb.problems.resnets.resnet20(2, norm=jb.problems.resnets.BatchNorm)
    with pytest.raises(ValueError, match="statistics of batches"):
        jb.problems.classification(((images, LABELS),) * 2, honest=2, model=model,
                                   partition=[[0, 1], [2, 3, 4]])  # fmt: skip
    with pytest.raises(ValueError, match="batch must be <= 1 local samples, got 2"):
        problem(batch=2)


# ---- divisions ---------------------------------------------------------------------------------


def test_shards_give_few_classes_and_use_every_sample_once():
    labels = RNG.integers(0, 10, 1000)
    for per_worker in (1, 2, 5):
        rows = shards(labels, 20, per_worker, seed=0)
        assert rows.shape == (20, 1000 // (20 * per_worker) * per_worker)
        assert len(set(rows.ravel().tolist())) == rows.size
        # A slice of 1/(20 s) of the data meets at most two of ten classes of a tenth each.
        assert max(len(set(labels[row])) for row in rows) <= 2 * per_worker
    assert (shards(labels, 20, 2, 0) == shards(labels, 20, 2, 0)).all()
    assert (shards(labels, 20, 2, 0) != shards(labels, 20, 2, 1)).any()


@pytest.mark.parametrize("exponent", [0.0, 0.5, 2.0, 50.0])
def test_a_power_law_uses_every_sample_once(exponent):
    parts = power_law(500, 7, exponent, seed=1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(500))
    sizes = sorted((len(part) for part in parts), reverse=True)
    assert min(sizes) >= 1
    shares = np.arange(1.0, 8.0) ** -exponent
    wanted = 500 * shares / shares.sum()
    assert np.abs(np.array(sizes[1:]) - np.maximum(wanted[1:], 1)).max() <= 1  # rounded sums
    assert abs(sizes[0] - wanted[0]) <= 7  # gives to those who would have none


def test_owners_keep_their_samples():
    owners = RNG.integers(0, 9, 100)
    parts = by_owner(owners)
    assert [set(owners[part]) for part in parts] == [{name} for name in np.unique(owners)]
    fewer = by_owner(owners, workers=4)
    assert sorted(np.concatenate(fewer).tolist()) == list(range(100))
    assert all(not set(owners[a]) & set(owners[b]) for a in fewer for b in fewer if a is not b)


WRONG = {
    "slices": (lambda: shards([0, 1, 2], 2, 2, 0), "must be <= 3 samples, got 4"),
    "per worker": (lambda: shards([0, 1], 1, 0, 0), "per_worker must be an integer >= 1"),
    "too few": (lambda: power_law(3, 4, 1.0, 0), "count must be an integer >= 4"),
    "exponent": (lambda: power_law(9, 4, -1.0, 0), "exponent must lie in"),
    "infinite": (lambda: power_law(9, 4, float("inf"), 0), "exponent must"),
    "owners": (lambda: by_owner([0.5, 1.0]), "owners must be integers or texts"),
    "workers": (lambda: by_owner([0, 1], workers=3), r"workers must be an integer in 1\.\.2"),
    "weighting": (lambda: divide_unevenly(np.zeros(3), 2, None, [[0], [1, 2]], 0, "m"),
                  'weighting must be "equal" or "size"'),
    "both": (lambda: problem(alpha=1.0), "give alpha or partition, not both"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_division_is_said(name):
    make, says = WRONG[name]
    with pytest.raises(ValueError, match=says):
        make()
