"""Own arrays, models and losses: what users bring is trained, predicted with, and given back."""

import functools

import flax.linen as nn
import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxbyz as jb
from jaxbyz.data import Dataset, by_owner
from jaxbyz.problems.models import Linear

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(60, 5)).astype(np.float32)
LABELS = np.where(FEATURES[:, 0] > 0, 7, -2)


def sgd(step=0.5):
    return jb.robust_sgd(optimizer=optax.sgd(step), aggregator=jb.mean())


class OfNnx(nnx.Module):
    def __init__(self, classes, rngs):
        self.layer = nnx.Linear(5, classes, rngs=rngs)

    def __call__(self, rows):
        return self.layer(rows)


PLAIN = (
    lambda key: {"w": jax.random.normal(key, (5, 2)) * 0.1, "b": jnp.zeros(2)},
    lambda variables, rows: rows @ variables["w"] + variables["b"],
)
MODELS = {
    "default": None,
    "linen": Linear(2),
    "nnx": OfNnx(2, nnx.Rngs(0)),
    "made by rngs": functools.partial(OfNnx, 2),
    "functions": PLAIN,
}


@pytest.mark.parametrize("name", MODELS)
def test_models_of_every_kind_are_trained_and_predict(name):
    problem = jb.problems.classification((FEATURES, LABELS), honest=4, model=MODELS[name])
    history = jb.train(sgd(), problem, rounds=20, seeds=[3, 5], evaluate_every=20, progress=False)
    assert history["loss"][:, -1].max() < history["loss"][:, 0].min()
    for place, seed in enumerate((3, 5)):
        x = jnp.asarray(history.parameters[place])
        variables = history.model(seed)
        assert jax.tree.structure(variables) == jax.tree.structure(problem.unravel(x))
        test = problem.test
        correct = problem.predict(x, test.images).argmax(axis=1) == test.labels
        np.testing.assert_allclose(correct.mean(), history["test_accuracy"][place, -1], rtol=1e-6)


def test_models_of_flax_are_given_back_for_its_serialization():
    for model in (Linear(2), functools.partial(OfNnx, 2)):
        problem = jb.problems.classification((FEATURES, LABELS), honest=4, model=model)
        history = jb.train(sgd(), problem, rounds=1, progress=False)
        stored = flax.serialization.to_bytes(history.model())
        again = flax.serialization.from_bytes(history.model(), stored)
        jax.tree.map(np.testing.assert_array_equal, again, history.model())


def test_starts_of_nnx():
    """A module starts where it is, for all seeds; a function of rngs makes one for each."""
    keys = jax.random.split(jax.random.key(0), 2)
    for model, same in ((OfNnx(2, nnx.Rngs(0)), True), (functools.partial(OfNnx, 2), False)):
        problem = jb.problems.classification((FEATURES, LABELS), honest=4, model=model)
        one, two = map(problem.init, keys)
        assert bool((one == two).all()) is same
    own = OfNnx(2, nnx.Rngs(0))
    problem = jb.problems.classification((FEATURES, LABELS), honest=4, model=own)
    logits = problem.predict(problem.init(keys[0]), FEATURES)
    np.testing.assert_allclose(logits, own(jnp.asarray(FEATURES)), rtol=1e-6)


def test_a_loaded_history_needs_the_problem(tmp_path):
    problem = jb.problems.classification((FEATURES, LABELS), honest=4, model=Linear(2))
    history = jb.train(sgd(), problem, rounds=1, progress=False)
    loaded = jb.History.load(history.save(tmp_path / "h.npz"))
    with pytest.raises(ValueError, match="problem must be one with a model"):
        loaded.model()
    jax.tree.map(np.testing.assert_array_equal, loaded.model(problem=problem), history.model())
    with pytest.raises(ValueError, match=r"seed must be one of \[0\], got 4"):
        history.model(4)


def test_a_problem_without_a_model_says_so():
    problem = jb.problems.quadratics(honest=2, dimension=3)
    history = jb.train(sgd(0.1), problem, rounds=1, progress=False)
    with pytest.raises(ValueError, match="problem must be one with a model"):
        history.model()


def test_labels_of_any_integers_and_texts():
    data = Dataset.from_arrays((FEATURES, LABELS), (FEATURES[:3], [9, -2, 7]))
    assert data.label_values.tolist() == [-2, 7, 9]
    assert data.classes == 3
    assert data.test_labels.tolist() == [2, 0, 1]
    words = Dataset.from_arrays((FEATURES[:4], ["b", "a", "b", "c"]), test_share=0.25)
    assert words.label_values.tolist() == ["a", "b", "c"]


def test_the_test_share_is_apart_and_decided_by_the_seed():
    rows = np.arange(50.0)[:, None]
    splits = [Dataset.from_arrays((rows, [0] * 50), seed=seed) for seed in (0, 0, 1)]
    first, again, other = (set(data.test_images.ravel()) for data in splits)
    assert first == again != other
    assert len(first) == 10
    assert first | set(splits[0].train_images.ravel()) == set(rows.ravel())


def test_features_of_any_rank():
    for shape in ((4,), (4, 3), (4, 4, 1), (2, 2, 2, 2)):
        rows = RNG.integers(0, 9, size=(20, *shape))
        problem = jb.problems.classification((rows, [0, 1] * 10), honest=2)
        assert problem.data.images.shape == (2, 8, *shape)
        assert problem.data.images.dtype == jnp.float32
        x = jax.ShapeDtypeStruct((problem.dimension,), jnp.float32)
        found = jax.eval_shape(problem.predict, x, jax.ShapeDtypeStruct(rows.shape, jnp.float32))
        assert found.shape == (20, 2)


def test_two_pairs_are_training_and_test():
    problem = jb.problems.classification(
        ((FEATURES, LABELS), (FEATURES[:7], LABELS[:7])), honest=3, model=Linear(2)
    )
    assert problem.data.images.shape == (3, 20, 5)
    assert problem.test.images.shape == (7, 5)


def test_data_sets_of_other_libraries():
    class Items:  # as PyTorch's
        def __len__(self):
            return 10

        def __getitem__(self, place):
            return np.full((3, 4, 5), place, np.float32), np.int64(place % 3)

    data = Dataset.from_torch(Items(), Items(), channels_first=True)
    assert data.train_images.shape == (10, 4, 5, 3)
    assert data.train_labels.tolist() == [i % 3 for i in range(10)]
    table = {"image": [np.zeros((6, 6), np.uint8)] * 4, "label": [1, 0, 1, 0]}
    assert Dataset.from_huggingface(table).train_images.shape == (3, 6, 6, 1)


WRONG = {
    "no pair": (lambda: Dataset.from_arrays(FEATURES), "train must be a pair"),
    "one number each": (lambda: Dataset.from_arrays((FEATURES[:, 0], LABELS)),
                        r"features of train must be numbers \[N, ...\]"),
    "texts": (lambda: Dataset.from_arrays((np.array([["a"]]), [0])), "must be numbers"),
    "fractions": (lambda: Dataset.from_arrays((FEATURES, FEATURES[:, 0])), "integers or texts"),
    "lengths": (lambda: Dataset.from_arrays((FEATURES, LABELS[1:])), "one for each of 60"),
    "share": (lambda: Dataset.from_arrays((FEATURES, LABELS), test_share=1.0), "test_share"),
    "one sample": (lambda: Dataset.from_arrays((FEATURES[:1], LABELS[:1])), "test_share must"),
    "not finite": (lambda: Dataset.from_arrays((np.full((5, 2), np.nan), [0] * 5)), "finite"),
    "two types": (lambda: Dataset.from_arrays((FEATURES, LABELS), (FEATURES, ["a"] * 60)),
                  "must be of one type"),
    "masked": (lambda: Dataset.from_arrays((np.ma.masked_array(FEATURES), LABELS)),
               "must be a plain array"),
    "a dictionary": (lambda: Dataset.from_torch({"a": 1}), "must have items"),
    "ragged column": (lambda: Dataset.from_huggingface({"image": [[1.0], [1.0, 2.0]],
                                                        "label": [0, 1]}), "of one shape"),
    "NaN as a label": (lambda: jb.problems.logistic((FEATURES, np.where(LABELS > 0, np.nan, 0.0)),
                                                    honest=2), "labels must be finite"),
    "no items": (lambda: Dataset.from_torch([]), "must have a length > 0"),
    "shapes": (lambda: Dataset.from_torch([([1.0], 0), ([1.0, 2.0], 0)]), "all of one shape"),
    "no channels": (lambda: Dataset.from_torch([([1.0], 0)], channels_first=True), "images"),
    "no column": (lambda: Dataset.from_huggingface({"x": [1]}), "a column 'image'"),
    "other sizes": (lambda: Dataset.from_arrays((FEATURES, LABELS), (FEATURES[:, 1:], LABELS)),
                    "the shape of train_images"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_data_is_said(name):
    make, says = WRONG[name]
    with pytest.raises(ValueError, match=says):
        make()


def test_statistics_of_linen_without_parameters_are_refused():
    class Counting(nn.Module):
        @nn.compact
        def __call__(self, rows):
            self.variable("count", "n", lambda: jnp.zeros(()))
            return rows[:, :2]

    with pytest.raises(ValueError, match="must keep all its variables in the collection 'params'"):
        jb.problems.classification((FEATURES, LABELS), honest=2, model=Counting())


def test_two_values_become_signs():
    problem = jb.problems.logistic((FEATURES, LABELS), honest=3)
    assert set(np.unique(problem.signs)) == {-1, 1}
    assert problem.features.shape == (3, 20, 5)
    with pytest.raises(ValueError, match=r"labels must have two values, got \[0, 1, 2\]"):
        jb.problems.logistic((FEATURES[:3], [0, 1, 2]), honest=1)


ROWS = {"rows": FEATURES, "signs": np.sign(LABELS).astype(np.float32)}


def start(key):
    return {"w": 0.1 * jax.random.normal(key, (5,)), "b": (jnp.zeros(()),)}


def hinge(parameters, sample):
    margin = sample["signs"] * (sample["rows"] @ parameters["w"] + parameters["b"][0])
    return jnp.maximum(0.0, 1 - margin) ** 2


def wrong_side(parameters, sample):
    margin = sample["signs"] * (sample["rows"] @ parameters["w"] + parameters["b"][0])
    return (margin <= 0).astype(jnp.float32)


@pytest.mark.parametrize("chunk", [7, 500])
def test_any_loss_of_any_parameters(chunk):
    """Gradients are those of the mean, however samples are cut; columns are means."""
    problem = jb.problems.from_loss(
        start, hinge, ROWS, honest=4, test={k: v[:7] for k, v in ROWS.items()},
        evaluate={"errors": wrong_side}, chunk=chunk,
    )  # fmt: skip
    x = problem.init(jax.random.key(0))
    assert problem.dimension == 6
    local = jax.tree.map(lambda leaf: leaf[2], problem.data)

    def plain(x):
        return jax.vmap(lambda sample: hinge(problem.unravel(x), sample))(local).mean()

    ours, theirs = jax.jit(lambda x: (problem.oracle(local).full(x), jax.grad(plain)(x)))(x)
    # Sums in another order: a few roundings of numbers of size 1.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    if chunk == 500:
        return
    history = jb.train(sgd(0.2), problem, rounds=10, evaluate_every=10, progress=False)
    assert set(history.columns) >= {"loss", "errors", "test_loss", "test_errors", "gradient_norm"}
    assert history["loss"][0, -1] < history["loss"][0, 0]
    assert set(history.model()) == {"w", "b"}


def test_every_sample_belongs_to_one_worker():
    problem = jb.problems.from_loss(start, hinge, ROWS, honest=4, partition_seed=3)
    found = np.asarray(problem.data["rows"]).reshape(-1, 5)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, FEATURES.tolist()))


def test_draws_are_positions_without_replacement():
    """Positions, so that BROADCAST can keep a table, also where samples are integers."""
    problem = jb.problems.from_loss(start, hinge, ROWS, honest=4, batch=15)
    local = jax.tree.map(lambda leaf: leaf[0], problem.data)
    drawn = problem.oracle(local).draw(jax.random.key(1))
    assert sorted(drawn.tolist()) == list(range(15))


def test_a_table_of_gradients_of_integers_finds_the_mean():
    numbers = RNG.integers(100, 140, 40)
    problem = jb.problems.from_loss(
        lambda key: jnp.zeros(1), lambda x, s: (x[0] - s) ** 2 / 2, numbers, honest=4, batch=2
    )
    saga = jb.algorithms.broadcast_saga(
        optimizer=optax.sgd(0.1), aggregator=jb.mean(), samples=10,
        compressor=jb.compressors.identity(),
    )  # fmt: skip
    history = jb.train(saga, problem, rounds=200, evaluate_every=200, progress=False)
    # SAGA converges linearly here, to roundings of numbers near 120 in 32 bits.
    np.testing.assert_allclose(history.parameters[0, 0], numbers.mean(), rtol=1e-4)


def test_narrow_floats_are_added_up_in_32_bits():
    """The loss of every sample is 1; in bfloat16 a sum of them would stop at 256."""

    def flat(p, s):
        return (1 + 0 * p.sum() + 0 * s).astype(jnp.bfloat16)

    problem = jb.problems.from_loss(
        lambda key: jnp.zeros(2, jnp.bfloat16), flat, np.zeros(4000, np.float32), honest=2, chunk=50
    )
    x = problem.init(jax.random.key(0))
    assert problem.evaluators["train"](x, problem.data, None)["loss"] == 1
    assert problem.oracle(problem.data[0]).full(x).dtype == jnp.bfloat16
    images = np.zeros((3000, 4), np.float32)
    half = nn.Dense(10, dtype=jnp.float16)
    problem = jb.problems.classification((images, [*range(10)] * 300), honest=2, model=half)
    loss = problem.evaluators["train"](problem.init(jax.random.key(0)), problem.data, problem.test)[
        "loss"
    ]
    np.testing.assert_allclose(loss, np.log(10), rtol=1e-3)  # of float16


def test_predictions_are_of_parameters_and_samples():
    problem = jb.problems.classification((FEATURES, LABELS), honest=4, model=Linear(2))
    x = problem.init(jax.random.key(0))
    for wrong in (FEATURES[0], FEATURES[:, 1:], FEATURES[:0]):
        with pytest.raises(ValueError, match=r"features must have shape \[B >= 1, 5\], got"):
            problem.predict(x, wrong)
    variables = problem.unravel(x)
    others = variables["params"], jax.tree.map(jnp.transpose, variables), None
    for wrong in (x[None], x[1:], *others):
        with pytest.raises(ValueError, match=r"x must be parameters \[d\] = \[12\] or the model's"):
            problem.predict(wrong, FEATURES)


def test_predictions_are_of_variables_too_also_when_they_were_a_file():
    problem = jb.problems.classification((FEATURES, LABELS), honest=4, model=Linear(2))
    x = problem.init(jax.random.key(0))
    variables = problem.unravel(x)
    stored = flax.serialization.to_bytes(variables)
    read = flax.serialization.from_bytes(variables, stored)  # NumPy arrays
    wanted = problem.predict(x, FEATURES)
    for given in (variables, read):
        np.testing.assert_array_equal(problem.predict(given, FEATURES), wanted)


def test_a_partition_needs_a_known_training_set():
    with pytest.raises(ValueError, match="partition must be of training samples that are known"):
        jb.problems.classification((FEATURES, LABELS), honest=2, partition=[[0], [1, 2]])


def test_texts_as_objects_and_numbers_of_two_types():
    words = np.array(["b", "a"] * 30, object)
    assert Dataset.from_arrays((FEATURES, words)).label_values.tolist() == ["a", "b"]
    assert by_owner(words)[0].tolist() == [*range(1, 60, 2)]
    assert jb.problems.logistic((FEATURES, words), honest=2).signs.shape == (2, 30)
    large = 2**60 + np.arange(3)
    data = Dataset.from_arrays(
        (FEATURES[:3], large.astype(np.uint64)), (FEATURES[:3], large.astype(np.int64))
    )
    assert data.classes == 3
    assert data.test_labels.tolist() == [0, 1, 2]


def test_an_own_loss_is_the_classification_that_it_spells():
    """Cross-entropy of a linear model, both ways: the same curves up to roundings."""
    linear = (
        lambda key: {"w": jax.random.normal(key, (5, 2)) * 0.1},
        lambda variables, rows: rows @ variables["w"],
    )
    data = Dataset.from_arrays((FEATURES, LABELS))
    places = np.arange(48).reshape(4, 12)
    one = jb.problems.classification(data, honest=4, model=linear, partition=places)

    def entropy(variables, sample):
        logits = linear[1](variables, sample[0])
        return optax.softmax_cross_entropy_with_integer_labels(logits, sample[1])

    two = jb.problems.from_loss(
        linear[0], entropy, (data.train_images, data.train_labels), honest=4, partition=places
    )
    curves = [
        jb.train(sgd(), problem, rounds=20, evaluate_every=5, evaluate=["train"], progress=False)
        for problem in (one, two)
    ]
    # Each round adds roundings of size 1e-7 to parameters of size 1.
    np.testing.assert_allclose(curves[0]["loss"], curves[1]["loss"], rtol=1e-5)


def test_regression_fits_and_predicts():
    targets = np.stack([FEATURES[:, 0] - FEATURES[:, 1], 2 * FEATURES[:, 2]], axis=1)
    problem = jb.problems.regression(
        (FEATURES, targets), honest=3, test=(FEATURES[:9], targets[:9]), model=Linear(2)
    )
    history = jb.train(sgd(0.3), problem, rounds=60, evaluate_every=60, progress=False)
    x = jnp.asarray(history.parameters[0])
    found = problem.predict(x, FEATURES[:9])
    left = ((found - targets[:9]) ** 2).sum(axis=1).mean() / 2
    np.testing.assert_allclose(left, history["test_loss"][0, -1], rtol=1e-4)
    assert history["loss"][0, -1] < 0.01 * history["loss"][0, 0]


WRONG_LOSSES = {
    "lengths": (lambda: jb.problems.from_loss(start, hinge, {"a": np.ones(3), "b": np.ones(4)},
                                              honest=1), "data must have one length N"),
    "no data": (lambda: jb.problems.from_loss(start, hinge, {}, honest=1), "data must be arrays"),
    "not finite": (lambda: jb.problems.from_loss(start, hinge, {"rows": np.full((4, 5), np.inf)},
                                                 honest=1), "data must be finite"),
    "integers": (lambda: jb.problems.from_loss(lambda key: jnp.zeros(3, int), hinge, ROWS,
                                               honest=1), "init must give parameters of floats"),
    "none": (lambda: jb.problems.from_loss(lambda key: {}, hinge, ROWS, honest=1), "got none"),
    "a vector": (lambda: jb.problems.from_loss(start, lambda p, sample: sample["rows"], ROWS,
                                               honest=1), "loss must give one floating-point"),
    "raises": (lambda: jb.problems.from_loss(start, lambda p, sample: p["v"], ROWS, honest=1),
               "loss must map parameters and one sample to a number, got one that raises KeyErr"),
    "arguments": (lambda: jb.problems.from_loss(start, lambda p: 0.0, ROWS, honest=1),
                  r"loss must be a function of \(p, sample\)"),
    "evaluate": (lambda: jb.problems.from_loss(start, hinge, ROWS, honest=1,
                                               evaluate={"e": 3}), "e must be a function"),
    "evaluate loss": (lambda: jb.problems.from_loss(
        start, hinge, ROWS, honest=1, evaluate={"loss": hinge}), "other names than 'loss'"),
    "evaluate list": (lambda: jb.problems.from_loss(start, hinge, ROWS, honest=1,
                                                    evaluate=[hinge]), "must be a dictionary"),
    "classes": (lambda: jb.problems.from_loss(start, hinge, ROWS, honest=1, classes=-1),
                "classes must be an integer >= 1"),
    "init": (lambda: jb.problems.from_loss(lambda key: 1 / 0, hinge, ROWS, honest=1),
             "init must make parameters of a key, got one that raises ZeroDivisionError"),
    "large integers": (lambda: jb.problems.from_loss(
        lambda key: jnp.zeros(1), lambda p, s: p[0] * s, np.full(4, 2**40), honest=1),
        r"data must hold integers in"),
    "large floats": (lambda: jb.problems.from_loss(
        lambda key: jnp.zeros(1), lambda p, s: p[0] * s, np.full(4, 1e300), honest=1),
        "data must lie in"),
    "other test": (lambda: jb.problems.from_loss(start, hinge, ROWS, honest=1,
                                                 test={"rows": FEATURES}),
                   "test must have samples as data"),
    "imaginary": (lambda: jb.problems.regression((FEATURES * 1j, LABELS), honest=2),
                  "must be arrays of real numbers"),
    "narrower test": (lambda: jb.problems.regression(
        (FEATURES, LABELS), honest=2, test=(FEATURES[:, 1:], LABELS)),
        "test must have samples as data"),
    "batch": (lambda: jb.problems.from_loss(start, hinge, ROWS, honest=4, batch=16),
              "batch must be <= 15 local samples, got 16"),
    "targets": (lambda: jb.problems.regression((FEATURES, LABELS[1:]), honest=2),
                r"features \[N, ...\] and targets"),
    "widths": (lambda: jb.problems.regression(
        (FEATURES, FEATURES), honest=2, test=(FEATURES, LABELS)), "must have 5 numbers each"),
    "outputs": (lambda: jb.problems.regression((FEATURES, FEATURES), honest=2, model=Linear(2)),
                r"outputs \[B, p\] = \[2, 5\], got \[2, 2\]"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_LOSSES)
def test_what_is_wrong_with_a_loss_is_said(name):
    make, says = WRONG_LOSSES[name]
    with pytest.raises(ValueError, match=says):
        make()
