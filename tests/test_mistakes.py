"""What somebody reads who makes a mistake: which argument, what came, what to write instead."""

import dataclasses
import warnings
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import jaxbyz as jb
from jaxbyz import attacks, plotting, testing
from jaxbyz.aggregators import kappa
from jaxbyz.contracts.constructors import part
from jaxbyz.core import Aggregated, Aggregator, Attack
from jaxbyz.problems.models import Linear

PROBLEM = jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
RULE = jb.trimmed_mean(f=1)
SGD = optax.sgd(0.1)
ARRAYS = np.zeros((6, 4, 4, 1), np.float32), np.zeros(6, int)


def sgd(rule=RULE, optimizer=SGD):
    return jb.robust_sgd(optimizer=optimizer, aggregator=rule)


ALGORITHM = sgd()
HALF = jnp.zeros(3, jnp.float16)
TRAIN = {"rounds": 2, "evaluate_every": 1, "progress": False}
COMPARE = {"attacks": [jb.alie(1.0)], "steps": [0.1], "rounds": 10, "progress": False}


def train(algorithm=ALGORITHM, problem=PROBLEM, **change):
    return jb.train(algorithm, problem, **TRAIN | change)


def compare(methods=None, problem=PROBLEM, **change):
    methods = {"sgd": lambda step: sgd(optimizer=optax.sgd(step))} if methods is None else methods
    return jb.compare(methods, problem, **COMPARE | change)


def compare_rules(aggregators):
    return jb.compare_aggregators({"sgd": lambda step, rule: sgd(rule)}, aggregators, PROBLEM,
                                  **COMPARE)  # fmt: skip


def attacked(attack):
    return train(attack=attack)


def forged(vector):
    return attacked(jb.forged("mine", vector))


def stored():
    """A comparison of two methods, without making it."""
    cell = jb.comparison.Curves(np.array([0, 10]), {"loss": np.ones((1, 2, 2))}, 0.0)
    methods, lies = ("a", "b"), ("ALIE",)
    return jb.Comparison(
        "quadratics", methods, lies, {"a": [0.1], "b": [0.1]}, {"round": 10.0}, "loss", False, 1,
        {(method, lie): cell for method in methods for lie in lies}, {"a": 0.0, "b": 0.0},
    )  # fmt: skip


HISTORY = jb.History(
    np.array([0, 1]), {"loss": np.ones((1, 2))}, np.zeros((1, 3)), np.array([0]), {}
)


def watched(columns, **change):
    return train(watch=lambda before, after, info, data: columns(after), **change)


def measured(columns):
    return odd(evaluators={**PROBLEM.evaluators, "mine": lambda x, data, test: columns(x)})


def stepping(update, init=lambda x: ()):
    return sgd(optimizer=optax.GradientTransformation(init, update))


def broken(*_):
    raise OverflowError("my table ends")


class Broken(nn.Module):
    """A model of which one thing is wrong."""

    call: Callable

    @nn.compact
    def __call__(self, images):
        return self.call(images.reshape(len(images), -1))


def modelled(call):
    return jb.problems.classification("digits", honest=2, model=Broken(call))


def images(**change):
    return jb.problems.classification(**{"data": "digits", "honest": 2} | change)


def matrices(given, vectors=((1.0,),)):
    return jb.problems.quadratics_from_arrays(given, vectors)


RULES = {"mean": jb.mean(), "median": jb.coordinate_median(1), "nnm": jb.nnm(1, jb.krum(1)),
     "bucketing": jb.bucketing(2, RULE),
         "mine": jb.stateless(lambda rows: rows[0])}  # fmt: skip
ODD_ROWS = {
    "objects": (np.array([[1.0, None], [0.0, 0.0]], object), "an array object[2, 2]"),
    "numbers as objects": (np.zeros((5, 2), object), "an array object[5, 2]"),
    "text": (np.array([["a"]]), "an array <U1[1, 1]"),
    "a text": ("rows", "the text 'rows'"),
    "none": (None, "None"),
    "different lengths": ([[1.0, 2.0], [1.0]], "a list of 2"),
    "complex numbers": (np.zeros((5, 2), complex), "an array complex128[5, 2]"),
    "dates": (np.zeros((5, 2), "M8[s]"), "an array datetime64[s][5, 2]"),
}  # fmt: skip


def by_hand(outcome):
    return Aggregator(lambda d: None, lambda key, state, rows: outcome(rows))


def lie_by_hand(outcome):
    return Attack("mine", lambda key, d: None, lambda key, state, view: outcome(view), None)


def changed(**fields):
    return dataclasses.replace(PROBLEM, **fields)


def odd(**fields):
    return train(problem=changed(**fields))


def answers(**functions):
    return lambda entry: PROBLEM.oracle(entry)._replace(**functions)


def poisoning(poison):
    return Attack("mine", lambda key, d: None, None, poison)


LABELLED = jb.problems.classification("digits", honest=4, byzantine=1, model=Linear(10))
TWO_CLASSES = jb.problems.logistic(
    jb.data.BinaryDataset("two", np.eye(4, 3), np.array([-1, 1, -1, 1], np.int32)),
    honest=4, byzantine=1,
)  # fmt: skip


def labelled(attack):
    return jb.build(ALGORITHM, LABELLED, attack)


MISTAKES = {
    # ---- algorithms
    "rule by name": (lambda: sgd("trimmed_mean"),
        "aggregator", "the text 'trimmed_mean'", "jaxbyz.trimmed_mean(f=1)"),
    "rule uncalled": (lambda: sgd(jb.trimmed_mean),
        "aggregator must be a jaxbyz aggregator, got the function trimmed_mean: "
        "did you mean trimmed_mean(f=...)?"),
    "composition uncalled": (lambda: sgd(jb.nnm),
        "aggregator", "the function nnm", "nnm(f=..., inner=...)"),
    "rule a plain function": (lambda: sgd(lambda rows: rows.mean(0)),
        "aggregator", "the function <lambda>", "jaxbyz.stateless(it)"),
    "rule a NumPy function itself": (lambda: sgd(np.median),
        "aggregator", "median", "jaxbyz."),
    "rule an attack": (lambda: sgd(jb.alie()), "aggregator", "the attack 'ALIE'", "trimmed_mean"),
    "rule missing": (lambda: sgd(None), "aggregator", "got None", "jaxbyz.trimmed_mean(f=1)"),
    "rule a class": (lambda: sgd(Aggregator), "aggregator", "the class Aggregator", "trimmed_mean"),
    "rule in brackets": (lambda: sgd([RULE]), "aggregator", "a list of 1", "without the brackets"),
    "rule and optimiser swapped": (lambda: sgd(SGD, RULE),
        "optimizer", "the aggregator trimmed_mean", "are optimizer and aggregator swapped?"),
    "optimiser a number": (lambda: sgd(optimizer=0.1),
        "optimizer must be an optax optimiser, got the number 0.1: did you mean optax.sgd(0.1)?"),
    "optimiser uncalled": (lambda: sgd(optimizer=optax.sgd),
        "optimizer", "the function sgd", "did you mean optax.sgd(learning_rate=...)?"),
    "optimiser by name": (lambda: sgd(optimizer="sgd"), "optimizer", "'sgd'", "optax.sgd(0.1)"),
    "optimiser a module": (lambda: sgd(optimizer=optax), "optimizer", "module optax", "sgd(0.1)"),
    "optimiser that needs the loss": (lambda: sgd(optimizer=optax.polyak_sgd()),
        "optimizer", "also needs 'value'", "optax.sgd(0.1)"),
    "optimiser with a line search": (lambda: sgd(optimizer=optax.lbfgs()),
        "optimizer", "'value', 'grad', and 'value_fn'", "optax.sgd(0.1)"),
    "optimiser that looks at the loss at last": (
        lambda: sgd(optimizer=optax.chain(SGD, optax.contrib.reduce_on_plateau())),
        "optimizer", "also needs 'value'", "optax.adam(0.001)"),
    "optimiser that needs the objective": (
        lambda: train(sgd(optimizer=optax.contrib.sophia(0.1))),
        "optimizer must step by a gradient [d], its state and the parameters [d] alone", "obj_fn"),
    "optimiser that raises": (lambda: stepping(broken),
        "optimizer must step by a gradient [d], its state and the parameters [d] alone, got one "
        "that raises OverflowError: my table ends"),
    "optimiser that raises without a word": (lambda: stepping(lambda *_: {}[0]),
        "optimizer must step by a gradient", "one that raises KeyError: 0"),
    "optimiser that does not start": (lambda: stepping(lambda g, s, x: (g, s), broken),
        "optimizer must start from one vector of parameters [d], got one that raises Overflow"),
    "optimiser of an update alone": (lambda: stepping(lambda g, s, x: g),
        "optimizer must step", "it must return (update, state), got an array float32[3]"),
    "optimiser without parameters": (lambda: stepping(lambda g, s: (g, s)),
        "optimizer must step by a gradient", "takes 2 positional arguments but 3 were given"),
    "optimiser by NumPy": (lambda: stepping(lambda g, s, x: (np.sign(np.asarray(g)), s)),
        "optimizer is compiled, so it must compute with jax.numpy"),
    "optimiser for another dimension": (
        lambda: train(stepping(lambda g, s, x: (g * jnp.ones(5), s))),
        "optimizer must step by a gradient", "incompatible shapes"),
    "optimiser of a dictionary": (
        lambda: sgd(optimizer=optax.partition({"a": SGD}, {"w": "a"})),
        "optimizer must start from one vector of parameters [d]", "ValueError"),
    "compressor uncalled": (
        lambda: jb.br_csgd(optimizer=SGD, aggregator=RULE, compressor=jb.rand_k),
        "compressor must be a jaxbyz compressor", "the function rand_k",
        "did you mean rand_k(ratio=...)?"),
    "compressor a number": (
        lambda: jb.byz_ef21(optimizer=SGD, aggregator=RULE, compressor=0.1),
        "compressor", "the number 0.1", "jaxbyz.top_k(ratio=0.1)"),
    "start by name": (
        lambda: jb.byz_dm21(optimizer=SGD, aggregator=RULE, compressor=jb.top_k(k=1), eta=0.1,
                            start="dense"),
        "start must be a jaxbyz compressor", "'dense'", "jaxbyz.top_k"),
    "momentum as text": (
        lambda: jb.rosdhb(ratio=0.1, momentum="0.9", optimizer=SGD, aggregator=RULE),
        "momentum must be a number in [0, 1)", "'0.9'"),
    # ---- rules and compressors of others
    "inner rule uncalled": (lambda: jb.nnm(1, jb.coordinate_median),
        "inner", "the function coordinate_median", "coordinate_median(f=...)"),
    "arguments of nnm swapped": (lambda: jb.nnm(RULE, 1),
        "inner", "the number 1", "f is one; are inner and f swapped?"),
    "bucketing of a function": (lambda: jb.bucketing(2, lambda rows: rows[0]),
        "inner", "<lambda>", "jaxbyz.stateless(it)"),
    "one of, alone": (lambda: jb.aggregators.one_of(RULE, 0),
        "rules must be a list", "the aggregator trimmed_mean", "rules=[...]"),
    "one of, uncalled": (lambda: jb.aggregators.one_of([RULE, jb.krum], 0),
        "rules[1]", "the function krum", "did you mean krum(f=...)?"),
    "stateless of a name": (lambda: jb.stateless("median"),
        "rule must be a function", "the text 'median'"),
    "stateless with a number for κ": (lambda: jb.stateless(jnp.mean, 0.5),
        "robustness must be a Robustness or None, got the number 0.5"),
    "stateless of a constructor": (lambda: jb.stateless(jb.krum),
        "rule", "the function krum, which makes a jaxbyz aggregator", "krum(f=...)"),
    "f as a rule": (lambda: jb.trimmed_mean(jb.mean()), "f must be an integer", "got mean()"),
    "waiting rule called": (lambda: jb.trimmed_mean(f=None)(jnp.zeros((4, 2))),
        "f must be given", "trimmed_mean(f=...)", "problem"),
    "scaled, uncalled": (lambda: jb.scaled(jb.rand_k),
        "compressor", "function rand_k", "rand_k(ratio=...)"),
    "blocks of numbers": (lambda: jb.blockwise([3], lambda size: size),
        "make(3) must be a jaxbyz compressor", "the number 3", "jaxbyz.top_k"),
    **{
        f"{name} of rows of {kind}": (lambda rule=rule, rows=rows: rule(rows),
            f"rows must be an array [n, d] of real numbers, got {came}")
        for name, rule in RULES.items() for kind, (rows, came) in ODD_ROWS.items()
    },
    **{
        f"{name} of rows {shape}": (lambda rule=rule, shape=shape: rule(np.zeros(shape)),
            f"rows must have shape [n >= 1, d >= 1], got {shape}")
        for name, rule in RULES.items() for shape in ((0, 3), (5, 0), (5,), (5, 2, 2))
    },
    # ---- what rules return
    "rule by NumPy": (lambda: train(sgd(jb.stateless(lambda rows: np.median(rows, axis=0)))),
        "rule is compiled", "jax.numpy, not with numpy"),
    "rule with an if": (lambda: train(sgd(jb.stateless(lambda x: x[0] if x.sum() > 0 else x[1]))),
        "rule is compiled", "jnp.where, not with `if`"),
    "rule of a scalar": (lambda: train(sgd(jb.stateless(lambda rows: rows.mean()))),
        "rule must return a vector [d] = (3,) of floats", "float32 of shape ()"),
    "rule of a scalar, built": (lambda: jb.build(sgd(jb.stateless(jnp.mean)), PROBLEM),
        "rule must return a vector [d] = (3,) of floats", "float32 of shape ()"),
    "rule of a scalar, called": (lambda: jb.stateless(jnp.mean)(jnp.ones((4, 2))),
        "rule must return a vector [d] = (2,)", "float32 of shape ()"),
    "rule of one per worker": (lambda: train(sgd(jb.stateless(lambda rows: rows.mean(axis=1)))),
        "vector [d] = (3,)", "float32 of shape (5,)"),
    "rule of a tuple": (lambda: train(sgd(jb.stateless(lambda rows: (rows[0], rows[1])))),
        "rule must return a vector", "a tuple of 2"),
    "rule of indices": (lambda: train(sgd(jb.stateless(lambda rows: rows.argmax(axis=0)))),
        "rule must return a vector", "of floats", "int32 of shape (3,)"),
    "rule inside of nnm": (lambda: train(sgd(jb.nnm(1, jb.stateless(jnp.max)))),
        "rule must return a vector", "float32 of shape ()"),
    "rule by hand without a state": (lambda: train(sgd(by_hand(lambda rows: rows[0]))),
        "aggregator must return (state, Aggregated(value, rejected, details))", "float32[3]"),
    "rule by hand, a scalar": (
        lambda: train(sgd(by_hand(lambda x: (None, Aggregated(x.mean(), x[:, 0] > 9, {}))))),
        "aggregator must return a vector [d] = (3,)", "float32 of shape ()"),
    "rule by hand of another dtype": (
        lambda: train(sgd(by_hand(lambda x: (None, Aggregated(HALF, x[:, 0] > 9, {}))))),
        "aggregator must return a vector of the dtype of the rows, float32", "float16"),
    "rule by hand, bad of one": (
        lambda: train(sgd(by_hand(lambda x: (None, Aggregated(x[0], jnp.array(False), {}))))),
        "aggregator must return which rows were rejected, [n] = (5,)"),
    # ---- attacks
    "attack by name": (lambda: attacked("alie"), "attack", "the text 'alie'", "jaxbyz.alie()"),
    "attack uncalled": (lambda: attacked(jb.alie),
        "attack must be a jaxbyz attack, got the function alie: did you mean alie()?"),
    "attack a plain function": (lambda: attacked(lambda honest: -honest.mean(0)),
        "attack", "<lambda>", 'jaxbyz.forged("mine", it)'),
    "attack a rule": (lambda: attacked(RULE), "attack", "the aggregator trimmed_mean", "alie()"),
    "attack after, swapped": (lambda: attacks.after(jb.alie(), 10),
        "attack", "the number 10", "rounds is one; are attack and rounds swapped?"),
    "attack steered, uncalled": (lambda: attacks.steer(jb.ipm), "attack", "function ipm", "ipm()"),
    "attacks of one": (lambda: attacks.one_of(jb.alie(), 0), "attacks", "attack 'ALIE'", "[...]"),
    "forged without a name": (lambda: jb.forged(lambda honest: honest[0], "mine"),
        "vector must be a function", "the text 'mine'"),
    "attack of a list": (lambda: forged(lambda honest: [0.0, 0.0, 0.0]),
        "attack 'mine' must forge rows of shape [d] = (3,) or [f, d] = (1, 3)", "a list of 3"),
    "attack of a scalar": (lambda: forged(lambda honest: -honest.mean()),
        "attack 'mine' must forge rows of shape [d] = (3,)", "an array float32[]"),
    "attack by NumPy": (lambda: forged(lambda honest: -np.median(honest, axis=0)),
        "attack 'mine' is compiled", "jax.numpy, not with numpy"),
    "sign of an array": (lambda: jb.alie(1.0, sign=np.zeros(3)), "sign must be -1 or 1, got"),
    "ddof of an array": (lambda: jb.alie(1.0, ddof=np.ones(2)), "ddof must be 0 or 1, got"),
    "mode of an array": (lambda: jb.aggregators.aksel(1, mode=np.ones(2)), "mode must be", "got"),
    "strengths by name": (lambda: attacks.ipm_search(strengths="x"),
        "strengths must be a list of numbers, got the text 'x'"),
    "strengths as a dictionary": (lambda: attacks.ipm_search(strengths={}),
        "strengths must be a list of numbers, got a dict of 0"),
    "attack of complex numbers": (lambda: forged(lambda honest: 1j * honest[0]),
        "attack 'mine' must forge rows of shape [d] = (3,) or [f, d] = (1, 3) of real numbers, got "
        "an array complex64[3]"),
    "attack of objects": (lambda: forged(lambda honest: np.array([None] * 3)),
        "attack 'mine' must forge rows", "an array object[3]"),
    "attack of keys": (lambda: forged(lambda honest: jax.random.split(jax.random.key(0), 3)),
        "attack 'mine' must forge rows", "an array key<fry>[3]"),
    "attack by hand of complex numbers": (
        lambda: attacked(lie_by_hand(lambda view: (None, 1j * view.honest[:1]))),
        "attack 'mine' must forge rows", "an array complex64[1, 3]"),
    "attack by hand without a state": (
        lambda: attacked(lie_by_hand(lambda view: view.honest[:1])),
        "attack 'mine' must forge (state, rows [f, d])", "an array float32[1, 3]"),
    "attack by hand of integers": (
        lambda: attacked(lie_by_hand(lambda view: (None, jnp.zeros((1, 3), int)))),
        "attack 'mine' must forge rows of the dtype of the honest ones, float32", "int32"),
    "attack by hand of a list": (
        lambda: attacked(lie_by_hand(lambda view: (None, [view.honest[0]]))),
        "attack 'mine' must forge rows of shape [f, d] = (1, 3)", "a list of 1"),
    # ---- problems
    "problem by name": (lambda: train(problem="digits"),
        "problem", "the text 'digits'", 'jaxbyz.problems.classification("digits"'),
    "problem as arrays": (lambda: train(problem=ARRAYS),
        "problem must be a jaxbyz problem", "a tuple of 2", "jaxbyz.data.Dataset(...)"),
    "problem an array": (lambda: train(problem=jnp.zeros((4, 3))),
        "problem", "an array float32[4, 3]", "jaxbyz.data.Dataset"),
    "problem uncalled": (lambda: train(problem=jb.problems.quadratics),
        "problem", "the function quadratics", "quadratics(honest=..., dimension=...)"),
    "problem and algorithm swapped": (lambda: train(PROBLEM, ALGORITHM),
        "algorithm must be a jaxbyz algorithm", "the problem 'quadratics'",
        "are algorithm and problem swapped?"),
    "data as three arrays": (
        lambda: jb.problems.classification((*ARRAYS, ARRAYS[1]), honest=2),
        "data must be a data set or the name of one", "a tuple of 3", "(features, labels)"),
    "data as arrays of other lengths": (
        lambda: jb.problems.classification((ARRAYS[0], ARRAYS[1][1:]), honest=2),
        "labels of train must be one for each of 6 samples, got 5"),
    "rows as three arrays": (lambda: jb.problems.logistic((*ARRAYS, ARRAYS[1]), honest=2),
        "data", "a tuple of 3", "(features, labels)"),
    "rows of one label": (lambda: jb.problems.logistic(ARRAYS, honest=2),
        "labels must have two values, got [0]"),
    "data of an unknown name": (lambda: jb.problems.classification("minst", honest=2),
        "'minst'", "mnist"),
    "model a class": (
        lambda: jb.problems.classification("digits", honest=2, model=Linear),
        "model must be a flax module", "the class Linear", "did you mean Linear(...)?"),
    "model a class of nnx": (
        lambda: jb.problems.classification("digits", honest=2, model=nnx.Linear),
        "model must be made of rngs alone", "the class Linear", "functools.partial"),
    "model of nnx with statistics": (
        lambda: jb.problems.classification(
            "digits", honest=2, model=nnx.BatchNorm(8, rngs=nnx.Rngs(0))),
        "model must keep all its variables in nnx.Param, got ['BatchStat']"),
    "model that makes no module": (
        lambda: jb.problems.classification("digits", honest=2, model=lambda rngs: 3),
        "model(rngs) must make a module of flax.nnx, got the number 3"),
    "model that raises": (lambda: modelled(broken),
        "model must map inputs [B, ...] = [2, 8, 8, 1] to outputs, got one that raises "
        "OverflowError: my table ends"),
    "model of other shapes": (lambda: modelled(lambda rows: rows @ jnp.ones((7, 10))),
        "model must map inputs", "got one that raises TypeError: dot_general requires"),
    "model of a layer by text": (lambda: modelled(lambda rows: nn.Dense("10")(rows)),
        "model must map inputs", "TypeError"),
    "model by NumPy": (lambda: modelled(lambda rows: np.asarray(nn.Dense(10)(rows))),
        "model is compiled, so it must compute with jax.numpy"),
    "model with an if": (lambda: modelled(lambda rows: nn.Dense(10 if rows.sum() > 0 else 9)(rows)),
        "model is compiled", "jnp.where, not with `if`"),
    "more workers than images": (lambda: images(honest=5000),
        "honest must be an integer in 1..1500, got 5000"),
    "more workers than rows": (lambda: jb.problems.logistic("synthetic", honest=5000, alpha=1.0),
        "honest must be an integer in 1..1200, got 5000"),
    "division of a negative seed": (lambda: images(partition_seed=-1),
        "partition_seed must be an integer >= 0, got -1"),
    "division of a seed by name": (
        lambda: jb.problems.logistic("synthetic", honest=2, partition_seed="a"),
        "partition_seed must be an integer >= 0, got 'a'"),
    "division with an empty list": (lambda: images(partition=[[1, 2], []]),
        "partition must be lists of integers, none of them empty", "of length 0 at 1"),
    "division of too few lists": (lambda: images(partition=[[1], [1, 2], [3]]),
        "partition must have 2 lists, one a worker, got 3"),
    "division of other places": (lambda: images(partition=[[1], [1, 2000]]),
        "partition must hold indices in 0..1499, got 1..2000"),
    "division by another weighting": (lambda: images(weighting="samples"),
        'weighting must be "equal" or "size", got \'samples\''),
    "division of lists of lists": (
        lambda: jb.problems.logistic("synthetic", honest=2, partition=[[[1], [1, 2]], [1]]),
        "partition must have shape [honest, m] = [2, m >= 1] or be 2 lists, got a list of 2"),
    "division by name": (lambda: images(partition="iid"), "partition must have", "the text 'iid'"),
    "root of data without files": (lambda: images(root="data"),
        "root must be None for 'digits', which reads no files, got root='data'"),
    "quadratics of text": (lambda: matrices("a"), "matrices must be an array", "the text 'a'"),
    "quadratics of different lengths": (lambda: matrices([[[1.0]], [[1.0, 2.0]]]),
        "matrices must be an array of real numbers, got a list of 2"),
    "quadratics of complex numbers": (lambda: matrices([[[1.0]]], np.ones((1, 1), complex)),
        "vectors must be an array of real numbers, got an array complex128[1, 1]"),
    "regulariser by name": (lambda: jb.problems.logistic("synthetic", honest=2, regulariser="l2"),
        "regulariser must be a jaxbyz regulariser, got the text 'l2'", "ridge(0.1)"),
    "model by name": (lambda: jb.problems.classification("digits", honest=2, model="resnet"),
        "model must be a flax module", "the text 'resnet'"),
    "honest a fraction": (lambda: jb.problems.quadratics(honest=2.5, dimension=3),
        "honest must be an integer >= 1", "2.5"),
    "noise on another problem": (lambda: jb.problems.sine_noise(ALGORITHM, 0.1),
        "problem must be a problem of quadratics", "the algorithm 'robust D-SGD'", "quadratics("),
    "start of integers": (lambda: odd(init=lambda key: jnp.zeros(3, int)),
        "problem.init must return a vector [d] = (3,) of floats", "int32 of shape (3,)"),
    "start of another dimension": (lambda: odd(dimension=500),
        "problem.init must return a vector [d] = (500,) of floats", "float32 of shape (3,)"),
    "start that is too short": (lambda: odd(init=lambda key: jnp.zeros(2)),
        "problem.init", "[d] = (3,)", "float32 of shape (2,)"),
    "start of a scalar": (lambda: odd(init=lambda key: jnp.zeros(())),
        "problem.init", "[d] = (3,)", "float32 of shape ()"),
    "start that is a list": (lambda: odd(init=lambda key: [0.0] * 3), "problem.init", "a list of"),
    "start by NumPy": (lambda: odd(init=lambda key: np.full(3, jax.random.normal(key))),
        "problem.init is compiled, so it must compute with jax.numpy"),
    "gradient of integers": (lambda: odd(oracle=answers(full=lambda x: jnp.zeros(3, int))),
        "full of problem.oracle must return a vector [d] = (3,)", "int32 of shape (3,)"),
    "gradient of a scalar": (lambda: odd(oracle=answers(grad=lambda batch, x: x.sum())),
        "grad of problem.oracle must return a vector [d] = (3,)", "float32 of shape ()"),
    "gradient of another shape": (lambda: odd(oracle=answers(grad=lambda batch, x: x[:2])),
        "grad of problem.oracle must return a vector [d] = (3,)", "float32 of shape (2,)"),
    "gradient of another shape, compared": (
        lambda: compare(problem=changed(oracle=answers(full=lambda x: x[:, None]))),
        "full of problem.oracle must return a vector [d] = (3,)", "float32 of shape (3, 1)"),
    "data of other workers": (lambda: odd(honest=3), "problem.data", "honest = 3", "(4, "),
    "labels flipped of other classes": (lambda: labelled(jb.label_flip(20)),
        "attack 'label flip' must have the classes of the problem, 10, got 20"),
    "labels flipped of other classes, one of": (
        lambda: labelled(attacks.one_of([jb.label_flip(20), jb.alie(1.0)], 1)),
        "must have the classes of the problem, 10, got 20"),
    "labels flipped of other classes, one of one of": (
        lambda: compare(problem=LABELLED, attacks=[
            attacks.one_of([jb.alie(1.0), attacks.one_of([jb.label_flip(9)], 0)], 0)]),
        "must have the classes of the problem, 10, got 9"),
    "labels flipped of other classes, compared": (
        lambda: compare(problem=LABELLED, attacks=[jb.label_flip(9)]), "problem, 10, got 9"),
    "poisoned labels of other classes": (
        lambda: labelled(poisoning(lambda data: data._replace(labels=data.labels + 10))),
        "must leave labels in 0..9, as the problem has 10 classes, got labels in 1"),
    "rows flipped of other classes": (
        lambda: jb.build(ALGORITHM, TWO_CLASSES, jb.label_flip(3)), "of the problem, 2, got 3"),
    "poisoned data of another shape": (
        lambda: labelled(poisoning(lambda data: data._replace(labels=data.labels[:, :5]))),
        "attack 'mine' must poison data into arrays", "int32[1, 5]"),
    "poisoned data of another dtype": (
        lambda: labelled(poisoning(lambda data: data._replace(labels=data.labels * 1.0))),
        "attack 'mine' must poison data into arrays", "int32[", "float32["),
    "poisoned data of another kind": (lambda: labelled(poisoning(lambda data: data.labels)),
        "attack 'mine' must poison data into", "an array int32["),
    # ---- train and its neighbours
    "algorithm uncalled": (lambda: train(jb.rosdhb),
        "algorithm", "the function rosdhb",
        "did you mean rosdhb(optimizer=..., aggregator=..., ratio=...)?"),
    "algorithm by name": (lambda: train("rosdhb"), "algorithm", "'rosdhb'", "jaxbyz.robust_sgd("),
    "algorithm missing": (lambda: train(None), "algorithm", "got None", "jaxbyz.robust_sgd("),
    "seeds as text": (lambda: train(seeds="3"), "seeds must be", "'3'"),
    "seeds in a table": (lambda: train(seeds=jnp.zeros((2, 2), int)), "each of seeds must be"),
    "seeds as fractions": (lambda: train(seeds=jnp.ones(2)), "each of seeds must be", "1."),
    "seeds a key": (lambda: train(seeds=jax.random.key(0)),
        "seeds must be an integer >= 1, got an array key<fry>[]"),
    "compare for the largest, by name": (lambda: compare(largest="yes"),
        "largest must be True or False, got the text 'yes'"),
    "compare with a clock, by name": (lambda: compare(time_server="yes"),
        "time_server must be True or False, got the text 'yes'"),
    "quadratics of no dimension": (lambda: matrices(np.zeros((2, 0, 0)), np.zeros((2, 0))),
        "matrices must have shape [h >= 1, d >= 1, d], got (2, 0, 0)"),
    "quadratics of nobody": (lambda: matrices(np.zeros((0, 2, 2)), np.zeros((0, 2))),
        "matrices must have shape [h >= 1, d >= 1, d], got (0, 2, 2)"),
    "plot of no history": (lambda: plotting.plot("run.npz", "loss"),
        "history must be a jaxbyz.History, got the text 'run.npz'"),
    "rounds below 0": (lambda: train(rounds=-1), "rounds must be an integer >= 0", "got -1"),
    "rounds a fraction": (lambda: train(rounds=2.5), "rounds must be an integer", "got 2.5"),
    "evaluator of an unknown name": (lambda: train(evaluate=["los"]),
        "evaluate must be a list of names among ['loss', 'gradient', 'distance']", "['los']"),
    "evaluators as a number": (lambda: train(evaluate=3), "evaluate must be a list of names", "3"),
    "progress as text": (lambda: train(progress="yes"),
        "progress must be True, False or None", "the text 'yes'"),
    "map by name": (lambda: train(map_seeds="vmap"), "map_seeds must be a function", "'vmap'"),
    "map over batches of no size": (lambda: train(map_seeds=jb.in_batches),
        "map_seeds must map functions over leading axes: jax.vmap, jaxbyz.one_by_one or "
        "jaxbyz.in_batches(size), got the function in_batches"),
    "map by jit": (lambda: train(map_seeds=jax.jit), "map_seeds must map", "the function jit"),
    "map by nothing": (lambda: train(map_seeds=lambda f: f), "map_seeds must map", "<lambda>"),
    "map of Python": (lambda: train(map_workers=map), "map_workers must map", "the class map"),
    "map of JAX": (lambda: train(map_workers=jax.lax.map), "map_workers must map", "function map"),
    "map by jit, built": (lambda: jb.build(ALGORITHM, PROBLEM, map_workers=jax.jit),
        "map_workers must map", "jaxbyz.one_by_one"),
    "evaluated by a list": (lambda: train(on_evaluate=[print]),
        "on_evaluate must be a function", "a list of 1"),
    "evaluated by one argument": (lambda: train(on_evaluate=lambda metrics: None),
        "on_evaluate must be a function of (round, metrics)", "<lambda> of (metrics)"),
    "watch a list": (lambda: train(watch=["loss"]), "watch must be a function", "a list of 1"),
    "watch of two arguments": (lambda: train(watch=lambda before, after: {}),
        "watch must be a function of (before, after, info, data)", "<lambda> of (before, after)"),
    "watch of a number": (lambda: watched(lambda state: state.server.x[0]),
        "watch must return a dictionary of names and single numbers, got an array float32[]"),
    "watch of nothing": (lambda: watched(lambda state: None), "watch must return", "got None"),
    "watch of numbered columns": (lambda: watched(lambda state: {1: 0.0}),
        "watch must name its columns by printable texts, got the number 1"),
    "watch of a column without a name": (lambda: watched(lambda state: {"": 0.0}),
        "watch must name its columns by printable texts, got the text ''"),
    **{
        f"watch of a column {name}": (lambda name=name: watched(lambda state: {name: 0.0}),
            f"watch must name columns of its own, got {name!r}, which is taken")
        for name in ("uplink_bits", "faulty_rows", "round", "rounds", "seeds", "parameters",
                     "about", "gradients", "server_seconds", "loss", "gradient_norm")
    },
    **{
        f"watch of {name}": (lambda make=make: watched(lambda state: {"mine": make(state)}),
            f"watch must return single real numbers, got {came} for 'mine'")
        for name, make, came in (
            ("a vector", lambda state: state.server.x, "an array float32[3]"),
            ("one in brackets", lambda state: [1.0], "a list of 1"),
            ("none", lambda state: None, "None"),
            ("a text", lambda state: "0.5", "the text '0.5'"),
            ("an array of text", lambda state: np.array("0.5"), "an array <U3[]"),
            ("an array of objects", lambda state: np.array(None), "an array object[]"),
            ("a complex number", lambda state: state.server.x[0] + 1j, "an array complex64[]"),
            ("a key", lambda state: jax.random.key(0), "an array key<fry>[]"),
            ("a huge integer", lambda state: 10**40, f"the number {10**40}"),
            ("a state", lambda state: state, "a SimulationState"),
        )
    },
    "watch by NumPy": (lambda: watched(lambda state: {"mine": np.linalg.norm(state.server.x)}),
        "watch is compiled, so it must compute with jax.numpy, not with numpy"),
    "watch with an if": (lambda: watched(lambda state: {"a": 1 if state.server.x[0] > 0 else 0}),
        "watch is compiled", "jnp.where, not with `if`"),
    "evaluator by NumPy": (lambda: measured(lambda x: {"mine": np.linalg.norm(x)}),
        "evaluator 'mine' is compiled, so it must compute with jax.numpy"),
    "evaluator of none": (lambda: measured(lambda x: {"mine": None}),
        "evaluator 'mine' must return single real numbers, got None for 'mine'"),
    "evaluator of a column that is taken": (lambda: measured(lambda x: {"loss": x[0]}),
        "evaluator 'mine' must name columns of its own, got 'loss', which is taken"),
    "build, swapped": (lambda: jb.build(PROBLEM, ALGORITHM),
        "algorithm", "the problem 'quadratics'", "swapped?"),
    "effect without attack": (lambda: jb.effect(ALGORITHM, PROBLEM, None),
        "attack must be a jaxbyz attack", "got None", "jaxbyz.alie()"),
    "describe a problem": (lambda: jb.describe(PROBLEM, 3), "algorithm", "problem 'quadratics'"),
    "robustness uncalled": (lambda: jb.robustness(jb.krum, 5, 1),
        "rule", "the function krum", "did you mean krum(f=...)?"),
    "kappa by name": (lambda: kappa("mean", 5, 1), "rule", "text 'mean'", "jaxbyz.trimmed_mean"),
    "check of a rule, uncalled": (lambda: testing.check_aggregator(jb.krum),
        "rule", "the function krum", "krum(f=...)"),
    "check of an algorithm, uncalled": (lambda: testing.check_algorithm(jb.rosdhb),
        "algorithm", "the function rosdhb", "rosdhb(optimizer=..., aggregator=..., ratio=...)"),
    "check of an attack, uncalled": (lambda: testing.check_attack(jb.alie),
        "attack", "the function alie", "alie()"),
    "check of a compressor, uncalled": (lambda: testing.check_compressor(jb.top_k),
        "compressor", "the function top_k", "top_k(ratio=...)"),
    # ---- compare and what it returns
    "compare of an algorithm": (lambda: compare({"a": ALGORITHM}),
        "methods['a'] must be a function of a step size", "the algorithm 'robust D-SGD'",
        "write lambda step:"),
    "compare of a constructor": (lambda: compare({"a": jb.rosdhb}),
        "methods['a']", "the function rosdhb", "write lambda step:"),
    "compare of a list": (lambda: compare([lambda step: ALGORITHM]),
        "methods must be a dictionary", "a list of 1"),
    "compare of functions of nothing": (lambda: compare({"a": lambda step: step}),
        "methods['a'](step) must be a jaxbyz algorithm", "0.1"),
    "compare under one attack": (lambda: compare(attacks=jb.alie()),
        "attacks must be a list", "the attack 'ALIE'", "attacks=[...]"),
    "compare under a name": (lambda: compare(attacks=["alie"]), "attacks[0]", "'alie'", "alie()"),
    "compare on a name": (lambda: compare(problem="digits"), "problem", "'digits'"),
    "compare with one step": (lambda: compare(steps=0.1),
        "steps must be positive finite numbers", "0.1"),
    "compare by an unknown column": (lambda: compare(measure="los"),
        "measure must name a column among", "'loss'", "'los'"),
    "compare within no rounds": (lambda: compare(budgets={"round": float("nan")}),
        "budgets['round'] must lie in [0, 10], got nan"),
    "compare within less than no round": (lambda: compare(budgets={"round": -1}),
        "budgets['round'] must lie in [0, 10], got -1"),
    "compare within more rounds": (lambda: compare(budgets={"round": 11}),
        "budgets['round'] must lie in [0, 10], got 11"),
    "compare within true": (lambda: compare(budgets={"round": True}), "budgets['round']", "True"),
    "compare within a text": (lambda: compare(budgets={"round": "x"}), "budgets['round']", "'x'"),
    "compare within none": (lambda: compare(budgets={"uplink_bits": None}),
        "budgets['uplink_bits']", "None"),
    "compare within a number": (lambda: compare(budgets=2),
        "budgets must be a dictionary", "the number 2", 'write for instance {"round": 10}'),
    "compare within a list": (lambda: compare(budgets=["round"]),
        "budgets must be a dictionary", "a list of 1"),
    "compare within an unknown column": (lambda: compare(budgets={"rounds": 2}),
        "budgets must name columns among ['round', 'uplink_bits'", "got ['rounds']"),
    "compare with a step of text": (lambda: compare(steps=["a"]),
        "steps must be positive finite numbers", "['a']"),
    "compare with steps of several lengths": (lambda: compare(steps=[[0.1], [0.1, 0.2]]),
        "steps must be positive finite numbers"),
    "compare with steps for one": (lambda: compare(steps={"sgd": None}), "steps must be", "None"),
    "compare of numbered methods": (lambda: compare({1: lambda step: ALGORITHM}),
        "methods must have texts as names, got the number 1"),
    "compare of a function of nothing": (lambda: compare({"a": lambda: ALGORITHM}),
        "methods['a'] must be a function of (step), got the function <lambda> of ()"),
    "compare of a function of two": (lambda: compare({"a": lambda step, rule: ALGORITHM}),
        "methods['a'] must be a function of (step)", "of (step, rule)"),
    "compare rules, a function of one": (
        lambda: jb.compare_aggregators({"a": lambda step: ALGORITHM}, {"": RULE}, PROBLEM,
                                       **COMPARE),
        "methods['a'] must be a function of (step, rule), got the function <lambda> of (step)"),
    "compare of a step in Python": (
        lambda: compare({"a": lambda step: sgd(optimizer=optax.sgd(float(step)))}),
        "methods['a'](step) is compiled, so it must compute with jax.numpy"),
    "compare rules, a list": (lambda: compare_rules([RULE]),
        "aggregators must be a dictionary", "a list of 1"),
    "compare rules, uncalled": (lambda: compare_rules({"krum": jb.krum}),
        "aggregators['krum']", "the function krum", "krum(f=...)"),
    "history of an unknown method": (lambda: stored().history("c", "ALIE", "round"),
        "method must be one of ['a', 'b']", "got 'c'"),
    "history of an unknown attack": (lambda: stored().history("a", "alie", "round"),
        "attack must be one of ['ALIE']", "got 'alie'"),
    "best of an unknown budget": (lambda: stored().best("rounds", "ALIE"),
        "budget must be one of ['round']", "got 'rounds'"),
    "best of swapped names": (lambda: stored().best("ALIE", "round"), "budget", "got 'ALIE'"),
    "table of an unknown budget": (lambda: stored().table("bits"), "budget", "'round'", "'bits'"),
    "column of a list": (lambda: HISTORY.final(["loss"]),
        "a column must be asked for by its name, a text, got a list of 1"),
    "column of a number": (lambda: HISTORY[0], "a column must be asked for", "the number 0"),
    "plot of a list": (lambda: HISTORY.plot(["loss"]), "a column must be", "a list of 1"),
    "saved under a number": (lambda: HISTORY.save(3), "path must be a path (text or", "got 3"),
    "saved under a zero byte": (lambda: HISTORY.save("a\0b"), "path must be a path", "'a\\x00b'"),
    "loaded from a zero byte": (lambda: jb.History.load("a\0b"), "path must", "'a\\x00b'"),
    "loaded from a long name": (lambda: jb.History.load("a" * 256), "path must be", "one of 256"),
    "checkpoint in a long name": (lambda: train(checkpoint="a" * 256), "checkpoint must", "256"),
    "checkpoint in a zero byte": (lambda: train(checkpoint="a\0"), "checkpoint must", "'a\\x00'"),
    "compare in a zero byte": (lambda: compare(folder="a\0"), "folder must be a path", "'a\\x00'"),
    "compare of a long name": (
        lambda: compare({"a" * 256: lambda step: ALGORITHM}, folder="never made"),
        "methods and attacks must have names short enough", "255 bytes", "'aaaa"),
    "plot on a figure of text": (lambda: HISTORY.plot("loss", ax="axes"),
        "ax must be matplotlib axes", "the text 'axes'"),
    "plot with an unknown option": (lambda: HISTORY.plot("loss", colour="red"),
        "options must be those of a line of matplotlib", "colour = the text 'red'"),
    "plot of histories without names": (lambda: jb.plot_histories([HISTORY], "loss"),
        "histories must be a dictionary of names and histories", "a list of 1"),
    "heatmap of an unknown column": (lambda: stored().heatmap("accuracy", largest=True),
        "column must be one of", "'accuracy'"),
    "heatmap of an unknown budget": (lambda: stored().heatmap(budget="rounds"),
        "budget must be one of ['round']", "got 'rounds'"),
    "frame of an unknown budget": (lambda: stored().to_frame("rounds"), "budget", "got 'rounds'"),
    "rules of a list": (lambda: jb.plot_rules([stored()]),
        "races must be a dictionary of rules and comparisons", "a list of 1"),
    "table of one algorithm": (lambda: jb.describe_table(ALGORITHM, 3),
        "algorithms must be a list, got the algorithm", "write algorithms=[...]"),
    "table of nothing": (lambda: jb.describe_table([], 3), "algorithms must be", "a list of 0"),
    "table of names": (lambda: jb.describe_table(["sgd"], 3), "algorithms[0]", "the text 'sgd'"),
    "table of a constructor": (lambda: jb.describe_table({"sgd": jb.robust_sgd}, 3),
        "algorithms['sgd']", "robust_sgd"),
    "table of one name twice": (lambda: jb.describe_table([ALGORITHM, ALGORITHM], 3),
        "algorithms must have different names", "write a dictionary"),
    "table of no dimension": (lambda: jb.describe_table([ALGORITHM], 0),
        "d must be an integer >= 1", "got 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_get_one_sentence(name):
    make, *fragments = MISTAKES[name]
    with pytest.raises(ValueError, match=r"got|must") as caught:
        make()
    message = str(caught.value)
    for fragment in fragments:
        assert fragment in message, message
    assert "\n" not in message
    assert len(message) < 350, message


def test_there_are_many():
    assert len(MISTAKES) >= 100


def test_missing_arguments_are_named_by_python():
    with pytest.raises(TypeError, match=r"rosdhb\(\) missing .*'optimizer' and 'aggregator'"):
        jb.rosdhb(ratio=0.1)


def test_what_is_said_is_what_the_optimiser_said():
    with pytest.raises(ValueError, match="my table ends") as caught:
        stepping(broken)
    assert isinstance(caught.value.__cause__, OverflowError)


def test_an_optimiser_for_one_dimension_is_judged_on_a_problem():
    steps = jnp.array([0.1, 0.2, 0.3, 0.4])
    algorithm = stepping(lambda g, s, x: (-steps * g, s))  # 3 is not its dimension, nor wrong
    simulation = jb.build(algorithm, jb.problems.quadratics(honest=4, dimension=4))
    state, _ = simulation.init(jax.random.key(0), jnp.ones(4), simulation.data)
    after, info = simulation.step(jax.random.key(1), state, simulation.data)
    expected = 1 - np.asarray(steps * info.server.aggregate)
    # One rounding of each product and difference of numbers near 1.
    np.testing.assert_allclose(after.server.x, expected, rtol=1e-6)


@pytest.mark.parametrize("checks", [jax.debug_nans, jax.debug_infs])
def test_debugging_numbers(checks):
    methods = {"sgd": lambda step: sgd(optimizer=optax.sgd(step))}
    with checks(True):
        # A step size that diverges is part of a race.
        race = compare(methods, steps=[0.1, 1e30], rounds=8, evaluate_every=4, seeds=1)
        assert race.rows("round")[0].step == pytest.approx(0.1)
        with pytest.raises(FloatingPointError) as caught:
            train(sgd(optimizer=optax.sgd(1e30)), rounds=8, evaluate_every=1)
    assert type(caught.value) is FloatingPointError  # not JAX's internal kind
    assert caught.value.history.rounds[0] == 0


def test_unknown_columns_are_told_the_known_ones():
    for ask in (HISTORY.__getitem__, HISTORY.final, HISTORY.plot):
        with pytest.raises(KeyError, match=r"no column 'los'; there are \['loss', 'round'\]"):
            ask("los")


# ---- what is announced -------------------------------------------------------------------------


def only(caught):
    (warning,) = caught
    return warning


def test_a_rule_for_another_f_is_warned_of_at_the_callers_line():
    problem = jb.problems.quadratics(honest=7, byzantine=3, dimension=3)
    rules = (jb.trimmed_mean(f=1), jb.nnm(3, jb.krum(f=1)), jb.arc(f=1, inner=jb.mean()))
    for rule in rules:
        with pytest.warns(UserWarning, match=r"f = 1 .* byzantine = 3") as caught:
            jb.build(sgd(rule), problem)
        assert only(caught).filename == __file__
    with pytest.warns(UserWarning, match=r"f = 1 .* byzantine = 3") as caught:
        train(sgd(rules[0]), problem, rounds=0)
    assert only(caught).filename == __file__
    with pytest.warns(UserWarning, match=r"f = 2 .* byzantine = 1") as caught:
        jb.build(
            sgd(jb.trimmed_mean(f=2)), jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
        )
    nobody = jb.problems.quadratics(honest=7, dimension=3)
    for rule in (*rules, jb.coordinate_median(), jb.mean(), jb.stateless(lambda rows: rows[0])):
        jb.build(sgd(rule), nobody)  # the run without attack
    for rule in (jb.trimmed_mean(3), jb.coordinate_median(), jb.geometric_median(), jb.mean()):
        jb.build(sgd(rule), problem)


def test_compare_warns_in_the_callers_thread(monkeypatch):
    problem = jb.problems.quadratics(honest=7, byzantine=3, dimension=3)
    # What follows the judgement takes seconds to compile, and warns of nothing.
    monkeypatch.setattr(jb.comparison.plan, "seed_list", lambda *_: 1 / 0)
    with (
        pytest.warns(UserWarning, match=r"f = 1 .* byzantine = 3") as caught,
        pytest.raises(ZeroDivisionError),
    ):
        compare(problem=problem)
    assert only(caught).filename == __file__


def test_what_is_found_in_threads_is_warned_of_once_at_the_callers_line():
    methods = {name: lambda step: sgd(optimizer=optax.sgd(step)) for name in "ab"}
    with pytest.warns(UserWarning, match="ALIE with n = 5, f = 1 has z = ") as caught:
        compare(methods, attacks=[jb.alie()], rounds=1, evaluate_every=1, seeds=1, tuning_seeds=1)
    assert only(caught).filename == __file__


def test_an_attack_by_nobody_is_warned_of_and_not_named():
    nobody = jb.problems.quadratics(honest=4, dimension=3)
    with pytest.warns(UserWarning, match=r"attack 'IPM' does nothing: .* byzantine = 0") as caught:
        history = train(problem=nobody, attack=jb.ipm(0.3), rounds=0)
    assert only(caught).filename == __file__
    assert history.about["attack"] == "none"
    assert history.about["arguments"]["attack"] is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(problem=nobody, attack=attacks.no_attack(), rounds=0)


def test_a_warning_while_traced_points_at_the_callers_line():
    problem = jb.problems.quadratics(honest=4, byzantine=1, dimension=3)
    with pytest.warns(UserWarning, match="ALIE with n = 5, f = 1 has z = ") as caught:
        train(problem=problem, attack=jb.alie())
    assert {warning.filename for warning in caught} == {__file__}


# ---- f from the problem ------------------------------------------------------------------------


WAITING = (
    lambda f: jb.trimmed_mean(f),
    lambda f: jb.trimmed_mean(f, trim=None),
    lambda f: jb.krum(f),
    lambda f: jb.nnm(f, jb.trimmed_mean(f)),
    lambda f: jb.nnm(2, jb.trimmed_mean(f)),
    lambda f: jb.bucketing(1, jb.arc(f, jb.coordinate_median())),
    lambda f: jb.aggregators.one_of([jb.mean(), jb.cge(f)], 1),
)


def test_rules_without_f_take_the_problems():
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(7, 3)))
    problem = jb.problems.quadratics(honest=5, byzantine=2, dimension=3)
    key = jax.random.key(1)
    for make in WAITING:
        given, waiting = make(2), sgd(make(None))
        bound = jb.simulation.agreement.agreed(waiting, problem).algorithm.aggregator
        assert bound.bind is None
        assert bound.f == given.f == 2
        values = [rule.apply(key, rule.init(3), rows)[1].value for rule in (bound, given)]
        np.testing.assert_array_equal(*values)
    assert kappa(jb.trimmed_mean(f=None), 7, 2) == kappa(jb.trimmed_mean(f=2), 7, 2)
    changed = sgd(jb.trimmed_mean(None))._replace(hello=None, codec=ALGORITHM.codec)
    with pytest.raises(ValueError, match="f must be given to the rules of a part that was changed"):
        jb.build(changed, problem)
    named = sgd(jb.trimmed_mean(None))._replace(name="mine")
    assert jb.simulation.agreement.agreed(named, problem).algorithm.name == "mine"
    with pytest.raises(ValueError, match="trim must be an integer"):
        jb.trimmed_mean(f=None, trim=-1)  # what is known is judged at once


def test_a_run_without_f_is_the_run_with_it():
    problem = jb.problems.quadratics(honest=5, byzantine=2, dimension=3)
    runs = [train(sgd(jb.nnm(f, jb.trimmed_mean(f))), problem, attack=jb.ipm()) for f in (None, 2)]
    np.testing.assert_array_equal(runs[0].parameters, runs[1].parameters)
    assert runs[0].about["arguments"] == runs[1].about["arguments"]


# ---- what made a run ---------------------------------------------------------------------------


def test_about_holds_all_that_made_the_run(tmp_path):
    problem = jb.problems.classification(
        "digits", honest=4, byzantine=1, alpha=5.0, batch=7, model=Linear(10)
    )
    algorithm = jb.rosdhb(
        ratio=0.25, momentum=0.75, optimizer=optax.sgd(0.125, momentum=0.5),
        aggregator=jb.nnm(f=1, inner=jb.trimmed_mean(f=1)),
    )  # fmt: skip
    history = train(algorithm, problem, attack=jb.alie(1.5), rounds=0, seeds=[3])
    about = jb.History.load(history.save(tmp_path / "run.npz")).about  # survives as JSON
    assert (about["rounds"], about["evaluate_every"], about["seeds"]) == (0, 1, [3])
    made = about["arguments"]
    assert made["algorithm"]["made_by"] == "rosdhb"
    assert (made["algorithm"]["ratio"], made["algorithm"]["momentum"]) == (0.25, 0.75)
    assert made["algorithm"]["aggregator"] == {
        "made_by": "nnm", "f": 1, "inner": {"made_by": "trimmed_mean", "f": 1, "trim": None}
    }  # fmt: skip
    assert "step_size=-0.125" in made["algorithm"]["optimizer"]
    assert "decay=0.5" in made["algorithm"]["optimizer"]
    assert made["attack"] == {"made_by": "alie", "z": 1.5, "sign": -1, "ddof": 1}
    given = {"data": "digits", "honest": 4, "byzantine": 1, "alpha": 5.0, "batch": 7}
    assert given.items() <= made["problem"].items()
    assert "Linear" in made["problem"]["model"]


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: inner,
        lambda inner: optax.chain(inner, optax.scale(2.0)),
        lambda inner: optax.apply_if_finite(inner, 3),
    ],
)
def test_optimisers_are_told_by_what_they_start_from(around):
    half, quarter = (
        sgd(optimizer=around(optax.inject_hyperparams(optax.sgd)(learning_rate=step)))
        for step in (0.5, 0.25)
    )
    texts = [jb.contracts.recipes.written(each)["optimizer"] for each in (half, quarter)]
    assert texts[0] != texts[1]
    assert "'learning_rate': 0.5" in texts[0]
    assert "'learning_rate': 0.25" in texts[1]
    several = [
        jb.contracts.recipes.optimizer_text(optax.MultiSteps(optax.sgd(step), every))
        for step, every in ((0.1, 2), (0.1, 3), (0.2, 2))
    ]
    assert len(set(several)) == 3
    assert "from" not in jb.contracts.recipes.optimizer_text(optax.adam(0.1))


def test_seeds_as_arrays_are_those_numbers():
    assert jb.seeds.seed_list(np.array(3)) == [0, 1, 2]
    assert jb.seeds.seed_list(jnp.array(3)) == [0, 1, 2]
    for seeds in (np.arange(2), jnp.arange(2), [np.int32(0), jnp.array(1)]):
        assert jb.seeds.seed_list(seeds) == [0, 1]


def test_recipes_hold_no_data():
    problem = jb.problems.quadratics_from_arrays(np.stack([np.eye(12)] * 2), np.zeros((2, 12)))
    assert problem.recipe.arguments["matrices"] == "an array float64[2, 12, 12]"
    step = jax.vmap(lambda step: jnp.array(len(sgd(optimizer=optax.sgd(step)).recipe.arguments)))
    assert step(jnp.array([0.1, 0.2])).tolist() == [4, 4]


def test_a_comparison_tells_what_made_it():
    told = {"algorithm": {"a": {"made_by": "x"}, "b": {}}, "attack": {"ALIE": 1}, "problem": 2}
    race = jb.comparison.results.dataclasses.replace(stored(), arguments=told)
    about = race.history("a", "ALIE", "round").about
    assert about["arguments"] == {"algorithm": {"made_by": "x"}, "attack": 1, "problem": 2}


def test_an_optimiser_gets_the_parameters():
    shrink = optax.chain(optax.add_decayed_weights(1.0), optax.scale(-0.5))
    simulation = jb.build(sgd(jb.stateless(lambda rows: 0 * rows[0]), shrink), PROBLEM)
    key = jax.random.key(0)
    state, _ = simulation.init(key, jnp.ones(3), simulation.data)
    assert simulation.step(key, state, simulation.data)[0].server.x.tolist() == [0.5, 0.5, 0.5]


# ---- around ------------------------------------------------------------------------------------


class Deaf:
    """A stderr that cannot say whether it is a terminal."""

    def write(self, text):
        return len(text)


@pytest.mark.parametrize("stderr", [None, Deaf()])
def test_no_bar_without_a_terminal(monkeypatch, stderr):
    monkeypatch.setattr("sys.stderr", stderr)
    with jb.progress.Bar(None, 3) as bar:
        bar.advance(1, {})
        assert bar.bar is None
    if stderr is None:
        with jb.progress.Bar(True, 3) as bar:
            assert bar.bar is None


def test_a_bar_in_a_notebook(monkeypatch):
    import tqdm.auto

    shown = []

    def fake(**options):
        shown.append(options["total"])

    monkeypatch.setattr("tqdm.auto.tqdm", fake)
    assert tqdm.auto.tqdm is fake
    shell = type("Shell", (), {"kernel": object()})
    monkeypatch.setitem(__import__("sys").modules, "IPython", type("P", (), {"get_ipython": shell}))
    jb.progress.Bar(None, 3)
    assert shown == [3]


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot

    matplotlib.pyplot.close("all")
    yield matplotlib.pyplot
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_logarithmic_axis_begins_with_the_first_message(pyplot, seeds):
    loss = np.array([[3.0, 2.0, 1.0]] * seeds)
    bits = np.array([[0.0, 100.0, 200.0]] * seeds)
    columns = {"loss": loss, "uplink_bits": bits}
    history = jb.History(np.arange(3), columns, np.zeros((seeds, 1)), np.arange(seeds), {})
    ax = history.plot("loss", x="uplink_bits")
    curve = ax.get_lines()[0]
    assert curve.get_xdata().tolist() == [0, 100, 200]
    ax.set_xscale("log")
    assert curve.get_xdata().tolist() == [100, 200]
    assert all(band.get_paths()[0].vertices[:, 0].min() == 100 for band in ax.collections)
    assert ax.get_xlim()[0] > 50
    history.plot("loss", x="uplink_bits", ax=ax)
    assert ax.get_lines()[1].get_xdata().tolist() == [100, 200]
    ax.set_xscale("linear")
    assert curve.get_xdata().tolist() == [0, 100, 200]
    assert len(ax.collections) == (0 if seeds == 1 else 2)


def test_many_plots_are_no_warning(pyplot):
    first = HISTORY.plot("loss")
    axes = [HISTORY.plot("loss") for _ in range(30)]
    assert len(pyplot.get_fignums()) == 16
    assert pyplot.gca() is axes[-1]
    first.figure.canvas.draw()  # forgotten by pyplot, and still there


@pytest.mark.parametrize("evaluated", [True, False])
def test_parts_are_asked_for_whether_or_not_annotations_are_text(evaluated):
    def twice(inner, optimizer=None, many=()):
        return inner

    twice.__annotations__ = {
        "inner": Aggregator,
        "optimizer": optax.GradientTransformation | None,
        "many": Sequence[Aggregator],
        "return": Aggregator,
    }
    if not evaluated:
        twice.__annotations__ = {
            "inner": "Aggregator",
            "optimizer": "optax.GradientTransformation | None",
            "many": "Sequence[Aggregator]",
            "return": "Aggregator",
        }
    make = part(twice)
    assert make(jb.mean(), optax.sgd(0.1), [jb.mean()]).recipe.maker == "twice"
    with pytest.raises(ValueError, match="inner must be a jaxbyz aggregator, got the number 3"):
        make(3)
    with pytest.raises(ValueError, match=r"optimizer must be an optax optimiser, got the text 'a'"):
        make(jb.mean(), "a")
    with pytest.raises(ValueError, match=r"many\[0\] must be a jaxbyz aggregator"):
        make(jb.mean(), None, [3])
