"""What the shipped RoSDHB does in one round, against the closed forms that the lemmas start from.

The code is run at random states of random quadratics with every mask in turn, as the subset of the
broadcast; means over masks are exact. The aggregation rule is one that errs: R = m̄ + √(κΥ) e with
‖e‖ ≤ 1, e part of the instance. The claims are identities, so that a code that forgets the factor
d/k, or a wrong momentum, is seen at every state.

    code/L2   E Υ_{t+1}         code/L3   E‖δ_{t+1}‖²         code/V   E V_{t+1}, over two rounds

And one claim of chance: `code/mask`, the masks of a run are uniform, and fresh every round.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxbyz.aggregators import stateless
from jaxbyz.algorithms import rosdhb
from jaxbyz.algorithms.rosdhb import RoSDHBBroadcast, RoSDHBState
from jaxbyz.problems.quadratics import QuadraticData, quadratics
from jaxbyz.theory.claims import Claim, Family, Hypothesis, Provenance, Scope
from jaxbyz.theory.conditions import vanishes
from jaxbyz.theory.expectations import all_subsets, one_round
from jaxbyz.theory.rosdhb.lemmas import expected_deviation, expected_drift
from jaxbyz.theory.rosdhb.lyapunov import expected_change
from jaxbyz.theory.rosdhb.states import Parameters, State, mean_square

# Closed form and code differ by the rounding of some hundred operations.
ROUNDING = 1e-12


class RoundStart(NamedTuple):
    """A quadratic problem, the server's memory before round t, and the parameters."""

    matrices: jax.Array  # [h, d, d] A_i, with positive semi-definite mean
    vectors: jax.Array  # [h, d] b_i, so that ∇L_i(θ) = A_i θ - b_i
    optimum: jax.Array  # [d], the mean gradient is 0 there
    x: jax.Array  # [d] θ_{t-1}
    momenta: jax.Array  # [h, d] m_i^{t-1}
    direction: jax.Array  # [d] e
    step_size: jax.Array
    fresh: jax.Array  # ω
    kappa: jax.Array
    smoothness: jax.Array  # L, here only a number in the weight A/L
    s: jax.Array
    weight: jax.Array  # A


def round_starts(workers: int, dimension: int) -> Family:
    """Random quadratics, memories and parameters."""
    h, d = workers, dimension
    shapes = ((d, d), (h, d, d), (h, d), (d,), (d,), (h, d), (d,), (6,))

    def make(*parts: jax.Array) -> RoundStart:
        root, spread, offsets, optimum, x, momenta, e, scalars = parts
        spread = spread + spread.transpose(0, 2, 1)
        matrices = root.T @ root / d + spread - spread.mean(axis=0)
        vectors = matrices @ optimum + offsets - offsets.mean(axis=0)
        step, kappa, smoothness, s, weight = jnp.exp(scalars[:5])
        return RoundStart(
            matrices,
            vectors,
            optimum,
            x,
            momenta,
            e / jnp.sqrt(1 + (e**2).sum()),
            step / 4,
            jax.nn.sigmoid(scalars[5]),
            kappa,
            smoothness,
            s,
            weight,
        )

    return Family.of(f"quadratics, h = {h}, d = {d}", shapes, make)


class Outcome(NamedTuple):
    """After round t with one mask, and after round t+1 with every mask."""

    now: RoSDHBState  # θ_t, m^t
    then: RoSDHBState  # leaves [C(d, k), ...]


def _outcome(make: Callable[..., Any], moment: RoundStart, k: int) -> Outcome:
    h, d = moment.vectors.shape

    def rule(rows: jax.Array) -> jax.Array:
        mean = rows.mean(axis=0)
        return mean + jnp.sqrt(moment.kappa * mean_square(rows - mean)) * moment.direction

    algorithm = make(
        optimizer=optax.sgd(moment.step_size),
        aggregator=stateless(rule),
        k=k,
        one_minus_momentum=moment.fresh,
    )
    # The problem gives the oracle; the data are those of the instance.
    oracle = quadratics(honest=h, dimension=d).oracle
    data = QuadraticData(moment.matrices, moment.vectors)
    begin = algorithm.server.start(moment.x, h)._replace(momenta=moment.momenta)
    subsets = jnp.asarray(all_subsets(d, k))

    def after(state: RoSDHBState, subset: jax.Array) -> RoSDHBState:
        return one_round(algorithm, oracle, data, state, RoSDHBBroadcast(state.x, subset))

    now = after(begin, subsets[0])
    return Outcome(now, jax.vmap(lambda subset: after(now, subset))(subsets))


def _gradient(moment: RoundStart, x: jax.Array) -> jax.Array:
    return moment.matrices.mean(axis=0) @ (x - moment.optimum)


def _gap(moment: RoundStart, x: jax.Array) -> jax.Array:
    return (x - moment.optimum) @ _gradient(moment, x) / 2


def _state(moment: RoundStart, now: RoSDHBState, k: int) -> State:
    """The quantities of the lemmas at F_t, in the eigenbasis of the mean Hessian."""
    d = moment.x.shape[0]
    curvature, basis = jnp.linalg.eigh(moment.matrices.mean(axis=0))
    gradients = moment.matrices @ now.x - moment.vectors
    mean = now.momenta.mean(axis=0)
    before = _gradient(moment, moment.x)
    spread = now.momenta - mean
    error = jnp.sqrt(moment.kappa * mean_square(spread)) * moment.direction
    one = jnp.ones_like(moment.s)
    return State(
        Parameters(
            moment.smoothness,
            moment.step_size * moment.smoothness,
            moment.fresh,
            jnp.asarray(d / k),
            moment.kappa,
            one,
            moment.s,
            one,
            moment.weight,
        ),
        one,
        curvature,
        before @ basis,
        (mean - before) @ basis,
        spread @ basis,
        (gradients - gradients.mean(axis=0)) @ basis,
        error @ basis,
    ).checked()


def _drift(momenta: jax.Array) -> jax.Array:
    return mean_square(momenta - momenta.mean(axis=0))


def _symmetric(moment: RoundStart) -> jax.Array:
    """∇L_H has a potential."""
    mean = moment.matrices.mean(axis=0)
    return vanishes(mean - mean.T, moment.matrices)


def _stationary(moment: RoundStart) -> jax.Array:
    """The mean gradient is 0 at the optimum, from which gradients and gaps are measured."""
    terms = moment.matrices.mean(axis=0) * moment.optimum
    left = terms.sum(axis=1) - moment.vectors.mean(axis=0)
    return vanishes(left, jnp.stack([jnp.abs(terms).max(), jnp.abs(moment.vectors).max()]))


HYPOTHESES = (
    Hypothesis("the mean Hessian is symmetric", _symmetric),
    Hypothesis("∇L_H = 0 at the optimum", _stationary),
)


def _claim(name: str, title: str, statement: str, left: Any, right: Any, make: Any) -> Claim:
    """left(moment, outcome) and right(moment, outcome, k), compared for k = 1..d."""
    dimension = 3

    def sides(moment: RoundStart) -> tuple[jax.Array, jax.Array]:
        pairs = []
        for k in range(1, dimension + 1):
            outcome = _outcome(make, moment, k)
            pairs.append((left(moment, outcome), right(moment, outcome, k)))
        first, second = zip(*pairs, strict=True)
        return jnp.stack(first), jnp.stack(second)

    return Claim(
        paper="rosdhb",
        name=name,
        title=title,
        statement=statement,
        provenance=Provenance.DERIVED,
        source="derived here: the shipped round with every mask",
        scope=Scope.IDENTITY,
        sides=sides,
        families=(round_starts(3, dimension),),
        hypotheses=HYPOTHESES,
        tolerance=ROUNDING,
    )


def code_drift(make: Callable[..., Any] = rosdhb) -> Claim:
    """code/L2. `make` is the constructor of the algorithm (a planted one in tests)."""
    return _claim(
        "code/L2",
        "drift after a round of the shipped code",
        "mean over masks of Υ_{t+1} = β²Υ_t + 2βω X_t + ω²a Δ_{t+1}",
        lambda moment, outcome: jax.vmap(_drift)(outcome.then.momenta).mean(),
        lambda moment, outcome, k: expected_drift(_state(moment, outcome.now, k)),
        make,
    )


def _deviation(moment: RoundStart, outcome: Outcome) -> jax.Array:
    gradient = _gradient(moment, outcome.now.x)
    return ((outcome.then.momenta.mean(axis=1) - gradient) ** 2).sum(axis=1).mean()


def code_deviation(make: Callable[..., Any] = rosdhb) -> Claim:
    """code/L3."""
    return _claim(
        "code/L3",
        "deviation after a round of the shipped code",
        "mean over masks of ‖δ_{t+1}‖² = β²‖δ_t + ∇_t - ∇_{t+1}‖² + ω²(a-1)‖∇_{t+1}‖²",
        _deviation,
        lambda moment, outcome, k: expected_deviation(_state(moment, outcome.now, k)),
        make,
    )


def _weights(moment: RoundStart) -> tuple[jax.Array, jax.Array]:
    """A/L and μγκ/ω."""
    drift = (1 + 1 / moment.s) * moment.step_size * moment.kappa / moment.fresh
    return moment.weight / moment.smoothness, drift


def code_lyapunov(make: Callable[..., Any] = rosdhb) -> Claim:
    """code/V, over a round of the model and a round of the momenta."""

    def left(moment: RoundStart, outcome: Outcome) -> jax.Array:
        deviation, drift = _weights(moment)
        gathered = jax.vmap(_drift)(outcome.then.momenta).mean()
        gap = 2 * _gap(moment, outcome.now.x)
        return gap + deviation * _deviation(moment, outcome) + drift * gathered

    def right(moment: RoundStart, outcome: Outcome, k: int) -> jax.Array:
        deviation, drift = _weights(moment)
        state = _state(moment, outcome.now, k)
        now = 2 * _gap(moment, moment.x) + deviation * (state.deviation**2).sum()
        now = now + drift * mean_square(state.spread)
        return now + moment.step_size * expected_change(state)

    return _claim(
        "code/V",
        "Lyapunov function after a round of the shipped code",
        "mean over masks of V_{t+1} = the closed form of E[V_{t+1}|F_t]",
        left,
        right,
        make,
    )


IMPLEMENTATION = (code_drift(), code_deviation(), code_lyapunov())
