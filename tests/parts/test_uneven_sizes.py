"""Workers with different numbers of samples, by enumeration in NumPy; and divisions of data."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.algorithms.broadcast_saga import saga
from jaxbyz.comparison.programs import _gradients
from jaxbyz.data import BinaryDataset, by_owner, dirichlet_unequal, iid, power_law, shards
from jaxbyz.problems import nonconvex, ridge
from jaxbyz.problems.division import divide

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(24, 3)).astype(np.float32)
LABELS = RNG.integers(0, 2, 24)
SIGNS = 2 * LABELS - 1
PARTS = [[0, 1, 2], [3, 13], [4, 5, 6, 7, 8, 9, 10], [11, 12]]
SIZES = np.array([3, 2, 7, 2])
SHARES = {"equal": np.ones(4), "size": 4 * SIZES / SIZES.sum()}
WEIGHT = 0.3
X = RNG.normal(size=6).astype(np.float32)
CLOSE = {"rtol": 1e-5, "atol": 1e-6}  # sums in another order: some roundings of numbers of size 1


class Row(NamedTuple):
    """Samples of an own loss, with labels that an attack can flip."""

    features: np.ndarray
    labels: np.ndarray


def linear(width):
    return (
        lambda key: {"w": jax.random.normal(key, (3, width))},
        lambda variables, rows: rows @ variables["w"],
    )


def classification(**options):
    data = ((FEATURES, LABELS), (FEATURES[:4], LABELS[:4]))
    return jb.problems.classification(data, model=linear(2), **options)


def regression(**options):
    return jb.problems.regression((FEATURES, SIGNS), model=linear(1), **options)


def own_loss(**options):
    def absolute(w, row):
        return jnp.hypot(1.0, row.features @ w - row.labels)

    return jb.problems.from_loss(
        lambda key: jnp.ones(3), absolute, Row(FEATURES, LABELS), classes=2, **options
    )


def logistic(regulariser=None, **options):
    regulariser = ridge(WEIGHT) if regulariser is None else regulariser
    data = BinaryDataset("given", FEATURES.astype(float), SIGNS)
    return jb.problems.logistic(data, regulariser=regulariser, **options)


def entropies(rows):
    """Cross-entropies of samples at X and their gradients; none is common to all."""
    features, truth = FEATURES[rows].astype(float), np.eye(2)[LABELS[rows]]
    scores = np.exp(features @ X.astype(float).reshape(3, 2))
    shares = scores / scores.sum(axis=1, keepdims=True)
    slopes = features[:, :, None] * (shares - truth)[:, None, :]
    return -np.log((shares * truth).sum(axis=1)), slopes.reshape(-1, 6), np.zeros(6)


def squares(rows):
    gaps = FEATURES[rows].astype(float) @ X[:3] - SIGNS[rows]
    return gaps**2 / 2, gaps[:, None] * FEATURES[rows], np.zeros(3)


def hypots(rows):
    gaps = FEATURES[rows].astype(float) @ X[:3] - LABELS[rows]
    roots = np.sqrt(1 + gaps**2)
    return roots, (gaps / roots)[:, None] * FEATURES[rows], np.zeros(3)


def logs(rows, x=X[:3]):
    signed = SIGNS[rows][:, None] * FEATURES[rows].astype(float)
    margins = signed @ x
    return np.log1p(np.exp(-margins)), -signed / (1 + np.exp(margins))[:, None], WEIGHT * x


CASES = {
    "classification": (classification, entropies),
    "regression": (regression, squares),
    "from_loss": (own_loss, hypots),
    "logistic": (logistic, logs),
}
KEYS = jax.random.split(jax.random.key(0), 400)


def asked(problem):
    """All that the oracles and evaluators say at X: one program."""
    x = jnp.asarray(X[: problem.dimension])

    def of(local):
        oracle = problem.oracle(local)
        places = jax.vmap(oracle.draw)(KEYS)
        each = jax.vmap(lambda place: oracle.grad(place[None], x))(jnp.arange(7))
        return (
            oracle.full(x),
            oracle.owned,
            places,
            jax.vmap(lambda place: oracle.grad(place, x))(places),
            each,
        )

    def whole(data):
        columns = {}
        for name in ("train", "gradient"):
            columns |= problem.evaluators[name](x, data, problem.test)
        return jax.vmap(of)(data), columns

    return jax.tree.map(np.asarray, jax.jit(whole)(problem.data))


@pytest.mark.parametrize("weighting", ["equal", "size"])
@pytest.mark.parametrize("name", CASES)
def test_gradients_draws_and_columns(name, weighting):
    make, by_hand = CASES[name]
    chunk = {} if name == "logistic" else {"chunk": 2 if weighting == "size" else 500}
    problem = make(honest=4, partition=PARTS, weighting=weighting, batch=2, **chunk)
    (full, owned, places, drawn, each), columns = asked(problem)
    losses, slopes = [], []
    for i, rows in enumerate(map(np.array, PARTS)):
        values, gradients, common = by_hand(rows)
        gradients = SHARES[weighting][i] * gradients + common
        np.testing.assert_allclose(full[i], gradients.mean(axis=0), **CLOSE)
        # Positions 0..m_i-1 are the worker's samples, and no others are ever drawn.
        assert owned[i].tolist() == [j < len(rows) for j in range(7)]
        np.testing.assert_allclose(each[i, : len(rows)], gradients, **CLOSE)
        counts = np.bincount(places[i].ravel(), minlength=7)
        assert not counts[len(rows) :].any()
        # Each as often as another: a count of 800 draws is 5 standard deviations off with
        # probability 1e-6.
        mean = 800 / len(rows)
        assert np.abs(counts[: len(rows)] - mean).max() < 5 * np.sqrt(mean)
        if name != "logistic":  # which draws with replacement
            assert (places[i, :, 0] != places[i, :, 1]).all()
        np.testing.assert_allclose(drawn[i], gradients[places[i]].mean(axis=1), **CLOSE)
        losses.append(SHARES[weighting][i] * values.mean())
        slopes.append(gradients.mean(axis=0))
    penalty = WEIGHT / 2 * (X[:3] ** 2).sum() if name == "logistic" else 0
    np.testing.assert_allclose(columns["loss"], np.mean(losses) + penalty, **CLOSE)
    norm = np.linalg.norm(np.mean(slopes, axis=0))
    np.testing.assert_allclose(columns["gradient_norm"], norm, **CLOSE)
    if weighting == "size":
        pooled = by_hand(np.concatenate(PARTS))[0].mean()
        np.testing.assert_allclose(columns["loss"], pooled + penalty, **CLOSE)


@pytest.mark.parametrize("name", ["classification", "logistic"])
def test_accuracy_is_the_mean_of_workers_or_of_samples(name):
    x = X[: 6 if name == "classification" else 3]
    if name == "classification":
        right = (FEATURES @ x.reshape(3, 2)).argmax(axis=1) == LABELS
    else:
        right = np.sign(FEATURES @ x) == SIGNS
    pooled = right[np.concatenate(PARTS)].mean()
    for weighting, wanted in (("equal", np.mean([right[p].mean() for p in PARTS])),
                              ("size", pooled)):  # fmt: skip
        problem = CASES[name][0](honest=4, partition=PARTS, weighting=weighting)
        found = problem.evaluators["train"](x, problem.data, problem.test)["accuracy"]
        np.testing.assert_allclose(found, wanted, **CLOSE)


@pytest.mark.parametrize("name", CASES)
def test_a_draw_of_all_samples_is_the_full_gradient(name):
    problem = CASES[name][0](honest=4, partition=PARTS, weighting="size")
    x = jnp.asarray(X[: problem.dimension])

    def both(local):
        oracle = problem.oracle(local)
        return oracle.grad(oracle.draw(KEYS[0]), x), oracle.full(x)

    np.testing.assert_allclose(*jax.jit(jax.vmap(both))(problem.data), **CLOSE)


@pytest.mark.parametrize("name", CASES)
def test_equal_sizes_have_no_weights(name):
    """Lists of one length are an array: the same data, and gradients by the same program."""
    rows = iid(24, 4, 0)
    given = {"by default": {}, "array": {"partition": rows},
             "lists": {"partition": [list(row) for row in rows], "weighting": "size"}}  # fmt: skip
    made = [CASES[name][0](honest=4, **options) for options in given.values()]
    for other in made[1:]:
        jax.tree.map(np.testing.assert_array_equal, made[0].data, other.data)
        programs = [
            str(jax.make_jaxpr(jax.vmap(lambda local, p=p: p.oracle(local).full(X[: p.dimension])))(
                p.data))
            for p in (made[0], other)
        ]  # fmt: skip
        assert programs[0] == programs[1]
    assert [made[0].sizes.tolist(), made[0].batch] == [[6] * 4, None]


# ---- what uses samples by their number ---------------------------------------------------------


@pytest.mark.parametrize("name", ["classification", "from_loss", "logistic"])
def test_byzantine_workers_have_as_many_samples_as_those_they_copy(name):
    problem = CASES[name][0](honest=4, byzantine=2, partition=PARTS, weighting="size")
    rule = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=2))
    data = jb.build(rule, problem, jb.attacks.label_flip(2)).data
    assert data.weights.shape == (6, 7)
    np.testing.assert_array_equal(data.weights[4:], problem.data.weights[:2])
    labels = problem.data.samples.labels
    np.testing.assert_array_equal(data.samples.labels, np.concatenate([labels, 1 - labels[:2]]))


def test_a_run_with_an_attack_on_labels():
    parts = dirichlet_unequal(LABELS, 4, 1.0, seed=0)
    made = classification(honest=4, byzantine=1, partition=parts)
    rule = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=1))
    history = jb.train(rule, made, attack=jb.attacks.label_flip(2), rounds=5, progress=False)
    assert np.isfinite(history["loss"]).all()


def test_tables_of_gradients():
    """SAGA on unequal numbers of samples, against its formula."""
    problem = own_loss(honest=4, partition=PARTS, weighting="size", batch=1)
    start, now = jnp.ones(3), jnp.asarray(X[:3])
    estimator = saga(samples=7)

    def one(local, key):
        oracle = problem.oracle(local)
        table, first = estimator.init(key, start, oracle)
        after, estimate = estimator.step(key, table, now, oracle)
        each = [
            jax.vmap(lambda j, x=x: oracle.grad(j[None], x))(jnp.arange(7)) for x in (start, now)
        ]
        return table, first, after, estimate, oracle.draw(key)[0], each

    found = jax.jit(jax.vmap(one))(problem.data, jax.random.split(jax.random.key(5), 4))
    for i, size in enumerate(SIZES):
        table, first, after, estimate, j, (old, new) = jax.tree.map(lambda a, i=i: a[i], found)
        np.testing.assert_allclose(table[:size], old[:size], **CLOSE)
        np.testing.assert_allclose(first, old[:size].mean(axis=0), **CLOSE)
        np.testing.assert_allclose(estimate, new[j] - old[j] + old[:size].mean(axis=0), **CLOSE)
        np.testing.assert_allclose(after[j], new[j], **CLOSE)


@pytest.mark.parametrize("options", [{"partition": PARTS}, {}])
def test_tables_of_other_lengths_are_refused(options):
    """Of equal sizes too: what is drawn from beyond a table was wrong without a word."""
    problem = own_loss(honest=4, batch=1, **options)
    algorithm = jb.algorithms.broadcast_saga(
        optimizer=optax.sgd(0.1), aggregator=jb.mean(), samples=5,
        compressor=jb.compressors.identity(),
    )  # fmt: skip
    most = 7 if options else 6
    with pytest.raises(ValueError, match=f"samples must be {most}, .* got 5"):
        jb.train(algorithm, problem, rounds=1, progress=False)


def test_gradients_of_a_comparison_are_those_of_the_mean_worker():
    algorithm = jb.algorithms.byz_dasha_page(
        probability=0.25, compressor=jb.compressors.identity(), optimizer=optax.sgd(0.1),
        aggregator=jb.mean(),
    )  # fmt: skip
    # 14 samples of 4 workers: 3.5 at the start; then all of them once in four rounds, and two
    # samples at two points in the others.
    for make in (logistic, classification):
        problem = make(honest=4, partition=PARTS, batch=2)
        assert _gradients(algorithm, problem) == pytest.approx((3.5, 0.25 * 3.5 + 0.75 * 2 * 2))


# ---- constants of logistic regression ----------------------------------------------------------

CONSTANTS = (
    "smoothness", "local_smoothness", "strong_convexity", "mean_square_smoothness",
    "sample_smoothness", "worst_sample_smoothness", "noise_variance",
)  # fmt: skip


def repeated():
    """Every worker's samples as often as makes 42 of them."""
    return [part * (42 // len(part)) for part in PARTS]


@pytest.mark.parametrize("regulariser", [ridge(WEIGHT), nonconvex(WEIGHT)])
def test_constants_are_those_of_samples_repeated_to_one_length(regulariser):
    """Where workers count the same, f_i is the mean over its samples, however often repeated."""
    given = {"honest": 4, "regulariser": regulariser, "batch": 2}
    ours = logistic(partition=PARTS, **given)
    same = logistic(partition=repeated(), **given)
    names = [*CONSTANTS, "optimum", "minimum"] if regulariser.least > 0 else CONSTANTS
    for name in names:
        # Sums of other lengths: roundings of float64.
        np.testing.assert_allclose(getattr(ours, name), getattr(same, name), rtol=1e-12, atol=1e-12)


def test_constants_of_the_mean_over_samples_are_those_of_one_worker():
    given = {"weighting": "size", "batch": 2}
    ours = logistic(honest=4, partition=PARTS, **given)
    pooled = logistic(honest=1, partition=[np.concatenate(PARTS)], **given)
    for name in ("smoothness", "strong_convexity", "optimum", "minimum"):
        np.testing.assert_allclose(getattr(ours, name), getattr(pooled, name), rtol=1e-12)


@pytest.mark.parametrize("weighting", ["equal", "size"])
def test_constants_by_enumeration(weighting):
    """Exact ones are attained at 0; bounds hold at all pairs of points, and are not far off."""
    problem = logistic(honest=4, partition=PARTS, weighting=weighting, batch=2)
    shares = SHARES[weighting]
    norm = functools.partial(np.linalg.norm, ord=2)
    rows = [FEATURES[part].astype(float) for part in PARTS]
    hessians = [c * a.T @ a / (4 * len(a)) + WEIGHT * np.eye(3)
                for c, a in zip(shares, rows, strict=True)]  # fmt: skip
    np.testing.assert_allclose(problem.local_smoothness, [norm(h) for h in hessians], rtol=1e-13)
    assert problem.smoothness == pytest.approx(norm(np.mean(hessians, axis=0)), rel=1e-13)
    worst = max(c * (a**2).sum(axis=1).max() for c, a in zip(shares, rows, strict=True)) / 4
    assert problem.worst_sample_smoothness == pytest.approx(worst + WEIGHT, rel=1e-13)
    stacked = np.concatenate(hessians) / 2  # mean of squares over 4 workers
    assert 0.7 * problem.mean_square_smoothness < norm(stacked) <= problem.mean_square_smoothness

    def slopes(i, x):
        _, found, common = logs(np.array(PARTS[i]), x)
        return shares[i] * found + common

    points = np.random.default_rng(1).normal(size=(12, 3)) * np.geomspace(0.01, 5, 12)[:, None]
    ratios, noises, moves = [], [], []
    for x, y in itertools.combinations(points, 2):
        gaps, far = [slopes(i, x) - slopes(i, y) for i in range(4)], ((x - y) ** 2).sum()
        ratios.append(np.mean([gap.var(axis=0).sum() for gap in gaps]) / 2 / far)
        moves.append(np.mean([(gap.mean(axis=0) ** 2).sum() for gap in gaps]) / far)
        noises.append(np.mean([slopes(i, x).var(axis=0).sum() for i in range(4)]) / 2)
    assert 0.1 * problem.noise_variance < max(noises) <= problem.noise_variance
    assert 0.05 * problem.sample_smoothness**2 < max(ratios) <= problem.sample_smoothness**2
    assert max(moves) <= problem.mean_square_smoothness**2
    slope = np.mean([slopes(i, problem.optimum).mean(axis=0) for i in range(4)], axis=0)
    np.testing.assert_allclose(slope, 0, atol=1e-14)  # roundings of float64
    values = [c * logs(np.array(part), problem.optimum)[0].mean()
              for c, part in zip(shares, PARTS, strict=True)]  # fmt: skip
    penalty = WEIGHT / 2 * problem.optimum @ problem.optimum
    assert problem.minimum == pytest.approx(np.mean(values) + penalty, rel=1e-13)


# ---- what is refused ---------------------------------------------------------------------------


def test_networks_that_calibrate_are_refused():
    images = RNG.normal(size=(24, 8, 8, 1)).astype(np.float32)
    model = jb.problems.resnets.resnet20(2, norm=jb.problems.resnets.BatchNorm)
    with pytest.raises(ValueError, match="statistics of batches"):
        jb.problems.classification(((images, LABELS),) * 2, honest=2, model=model,
                                   partition=[[0, 1], [2, 3, 4]])  # fmt: skip


NESTED = [[[1], [1, 2]], [[1], [2]]]  # of which NumPy makes no array


@pytest.mark.parametrize("make", [make for make, _ in CASES.values()], ids=CASES)
def test_all_problems_refuse_the_same(make):
    wrong = (
        ({"partition": PARTS[:3]}, "partition must have 4 lists, one a worker, got 3"),
        ({"partition": [[0], [1, 2], [3], []]}, "none of them empty, got float64 of length 0 at 3"),
        ({"partition": [[0], [1, 2], [3], [24]]}, r"partition must hold indices in 0\.\.23"),
        ({"partition": [[0.0], [1, 2], [3], [4]]}, "must be lists of integers, .* float64"),
        ({"partition": NESTED}, r"\[honest, m\] = \[4, m >= 1\] or be 4 lists, got a list of 2"),
        ({"partition": [[[0], [1]], [2], [3], [4]]}, "or be 4 lists, got a list of 4"),
        ({"partition": "iid"}, "or be 4 lists, got the text 'iid'"),
        ({"partition": PARTS, "weighting": "sizes"}, 'weighting must be "equal" or "size", got'),
        ({"weighting": None}, 'weighting must be "equal" or "size", got None'),
    )
    for options, says in wrong:
        with pytest.raises(ValueError, match=says):
            make(honest=4, **options)
    if make is not logistic:
        with pytest.raises(ValueError, match="batch must be <= 2 local samples, got 3"):
            make(honest=4, partition=PARTS, batch=3)


def test_one_number_of_samples_is_asked_for():
    problem = logistic(honest=4, partition=PARTS)
    assert problem.sizes.tolist() == SIZES.tolist()
    with pytest.raises(ValueError, match=r"one number for all workers, got 2\.\.7: read sizes"):
        print(problem.samples)


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
    "both": (lambda: divide(LABELS, 4, 1.0, PARTS, 0, "equal"), "give alpha or partition, not"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_division_is_said(name):
    make, says = WRONG[name]
    with pytest.raises(ValueError, match=says):
        make()
