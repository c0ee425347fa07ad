"""Every closed form against NumPy, and the optimality that two of them claim."""

import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lengths import often

from jaxbyz import attacks
from jaxbyz.aggregators import (
    coordinate_median,
    geometric_median,
    krum,
    nnm,
    trimmed_mean,
)
from jaxbyz.attacks import honest_deviation, mean_sign, mean_unit
from jaxbyz.core import View

pytestmark = pytest.mark.usefixtures("x64")

KEY = jax.random.key(7)
H, F, D = 8, 3, 5
HONEST = np.random.default_rng(0).normal(size=(H, D)) * 10.0 ** np.arange(D) + 0.5
MEAN, DEVIATION = HONEST.mean(axis=0), HONEST.std(axis=0, ddof=1)
OWN = np.random.default_rng(1).normal(size=(F, D))
# Formulas in another order of summation: a few roundings.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def view_of(honest, byzantine=F, **others):
    seen = {
        "round": jnp.array(1, jnp.int32),
        "own": jnp.asarray(OWN[:byzantine], honest.dtype),
        "broadcast": None,
        "server": types.SimpleNamespace(x=jnp.zeros(honest.shape[1])),
        "read": lambda wanted: wanted,
        "respond": None,
    }
    return View(honest=jnp.asarray(honest), byzantine=byzantine, **(seen | others))


def forge(attack, honest=HONEST, byzantine=F, key=KEY, **others):
    memory = attack.init(KEY, honest.shape[1])
    _, rows = attack.forge(key, memory, view_of(honest, byzantine, **others))
    assert rows.shape == (byzantine, honest.shape[1])
    assert rows.dtype == honest.dtype
    return np.asarray(rows)


def for_all(vector, byzantine=F):
    return np.tile(vector, (byzantine, 1))


# ---- signs and faults --------------------------------------------------------------------------


def test_sign_flips():
    np.testing.assert_allclose(forge(attacks.cancel_mean()), for_all(-H / F * MEAN), **CLOSE)
    everybody = np.concatenate([HONEST, forge(attacks.cancel_mean())])
    assert np.abs(everybody.sum(axis=0)).max() < 1e-10 * np.abs(HONEST).max()
    np.testing.assert_array_equal(forge(attacks.sign_flip_own()), -OWN)
    assert attacks.sign_flip_own().poison(OWN) is OWN
    said = [forge(attacks.sign_flip_other(), key=jax.random.key(i)) for i in range(40)]
    victims = [np.flatnonzero((-row == HONEST).all(axis=1)).item() for rows in said for row in rows]
    assert set(victims) == set(range(H))
    assert any(len({tuple(row) for row in rows}) == F for rows in said)


def test_own_vectors_must_be_there():
    for attack in (attacks.sign_flip_own(), attacks.noise(1.0)):
        with pytest.raises(ValueError, match=r"needs view\.own"):
            forge(attack, own=None)


def test_gaussian_and_noise_have_their_moments_and_independent_rows():
    wide = np.zeros((2, 20_000))
    rows = forge(attacks.gaussian(3.0, 2.0), wide, 2)
    # Four standard errors of 40 000 draws.
    assert abs(rows.mean() - 3) < 4 * 2 / 200
    assert abs(rows.std() - 2) < 4 * 2 / (200 * math.sqrt(2))
    assert abs(np.corrcoef(rows)[0, 1]) < 4 / math.sqrt(20_000)
    assert not np.array_equal(rows, forge(attacks.gaussian(3.0, 2.0), wide, 2, jax.random.key(8)))
    noisy = forge(attacks.noise(0.5), wide, 2, own=jnp.full((2, 20_000), 7.0)) - 7
    assert abs(noisy.mean()) < 4 * 0.5 / 200
    assert abs(noisy.std() - 0.5) < 4 * 0.5 / (200 * math.sqrt(2))


def test_numbers_that_are_none():
    assert np.isposinf(forge(attacks.infinite())).all()
    assert np.isnan(forge(attacks.not_a_number())).all()
    assert (forge(attacks.huge(-1e300)) == -1e300).all()


# ---- mimicry -----------------------------------------------------------------------------------


def test_mimic_copies_one_worker():
    np.testing.assert_array_equal(forge(attacks.mimic(3)), for_all(HONEST[3]))
    with pytest.raises(ValueError, match="one of the h = 8 honest workers, got 8"):
        forge(attacks.mimic(8))


@pytest.mark.parametrize("warmup", [3, None])
def test_mimic_variance_learns_the_axis_step_by_step(warmup):
    attack = attacks.mimic_variance(warmup)
    state = attack.init(KEY, D)
    assert np.linalg.norm(state.axis) == pytest.approx(1)
    z, mean, target, targets = np.asarray(state.axis), 0.0, None, []
    for t in range(6):
        honest = np.random.default_rng(t).normal(size=(H, D))
        if warmup is None or t < warmup:
            mean = (t * mean + honest.mean(axis=0)) / (t + 1)
            c = sum(((x - mean) @ z) * (x - mean) for x in honest)
            z = t / (t + 1) * z + c / np.linalg.norm(c) / (t + 1)
            z = z / np.linalg.norm(z)
            target = int(np.argmax(honest @ z))
        state, rows = attack.forge(KEY, state, view_of(honest))
        np.testing.assert_array_equal(rows, for_all(honest[target]))
        np.testing.assert_allclose(state.axis, z, **CLOSE)
        targets.append(target)
    assert int(state.rounds) == 6
    assert len(set(targets)) > 1


def test_mimic_variance_keeps_its_axis_where_nobody_differs():
    attack = attacks.mimic_variance()
    start = attack.init(KEY, D)
    state, rows = attack.forge(KEY, start, view_of(np.ones((H, D))))
    np.testing.assert_array_equal(state.axis, start.axis)
    assert (np.asarray(rows) == 1).all()


# ---- distances ---------------------------------------------------------------------------------

DIRECTIONS = [honest_deviation, mean_sign, mean_unit]


def test_directions():
    np.testing.assert_allclose(honest_deviation(HONEST), DEVIATION, **CLOSE)
    np.testing.assert_array_equal(mean_sign(HONEST), np.sign(MEAN))
    np.testing.assert_allclose(mean_unit(HONEST), MEAN / np.linalg.norm(MEAN), **CLOSE)
    assert not np.asarray(mean_unit(np.zeros((H, D)))).any()


def largest(allowed, p):
    """The largest γ of a fine list for which allowed(μ - γp), by brute force."""
    reach = 4 * np.abs(HONEST).max() * math.sqrt(D) / np.linalg.norm(p)
    gammas = np.linspace(0, reach, 20_001)
    good = [gamma for gamma in gammas if allowed(MEAN - gamma * p)]
    return max(good), gammas[1]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_min_max_is_the_largest_step_that_distances_allow(direction):
    p = np.asarray(direction(HONEST))
    diameter = max(np.linalg.norm(a - b) for a in HONEST for b in HONEST)
    best, spacing = largest(lambda v: np.linalg.norm(v - HONEST, axis=1).max() <= diameter, p)
    row = forge(attacks.min_max(direction))[0]
    gamma = (MEAN - row) @ p / (p @ p)
    np.testing.assert_allclose(row, MEAN - gamma * p, rtol=1e-9)
    assert best <= gamma <= best + spacing
    reach = np.linalg.norm(row - HONEST, axis=1).max()
    assert reach == pytest.approx(diameter, rel=1e-12)


@pytest.mark.parametrize("bound", [jnp.max, jnp.min])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_min_sum_is_the_largest_step_that_sums_allow(direction, bound):
    p = np.asarray(direction(HONEST))
    sums = [sum(((a - b) ** 2).sum() for b in HONEST) for a in HONEST]
    limit = float(bound(jnp.asarray(sums)))
    best, spacing = largest(lambda v: ((v - HONEST) ** 2).sum() <= limit, p)
    row = forge(attacks.min_sum(direction, bound))[0]
    gamma = (MEAN - row) @ p / (p @ p)
    assert best <= gamma <= best + spacing
    assert ((row - HONEST) ** 2).sum() == pytest.approx(limit, rel=1e-12)


def test_distance_attacks_on_equal_workers_say_the_same():
    equal = np.tile(HONEST[:1], (H, 1))
    for attack in (attacks.min_max(), attacks.min_sum()):
        np.testing.assert_allclose(forge(attack, equal), for_all(HONEST[0]), **CLOSE)


# ---- relocated orthogonal perturbation ---------------------------------------------------------


def test_rop_against_numpy_over_rounds():
    pi, lam, angle, z = 0.3, 0.8, 120.0, 2.5
    attack = attacks.rop(pi=pi, lam=lam, angle=angle, z=z)
    state = attack.init(KEY, D)
    last = np.zeros(D)
    for t in range(3):
        honest = np.random.default_rng(t).normal(size=(H, D))
        mean = honest.mean(axis=0)
        u = mean if t == 0 else lam * last + (1 - lam) * mean
        one = np.ones(D)
        e = one - (one @ u) / (u @ u) * u
        q = np.sin(np.radians(angle)) * e / np.linalg.norm(e)
        q = q + np.cos(np.radians(angle)) * u / np.linalg.norm(u)
        expected = pi * last + (1 - pi) * mean + z * q / np.linalg.norm(q)
        answer = np.arange(D) + t
        view = view_of(honest, respond=lambda w, a=answer: types.SimpleNamespace(aggregate=a * 1.0))
        state, rows = attack.forge(KEY, state, view)
        np.testing.assert_allclose(rows, for_all(expected), **CLOSE)
        np.testing.assert_array_equal(state.last, answer)
        last = answer
        # e, hence q, is at the angle to u that was asked for.
        assert q @ u / np.linalg.norm(q) / np.linalg.norm(u) == pytest.approx(
            math.cos(math.radians(angle))
        )


def test_rop_without_a_way_says_nothing_and_has_a_default_size():
    def respond(wanted):
        return types.SimpleNamespace(aggregate=wanted[0])

    attack = attacks.rop(pi=1.0, lam=0.9, angle=90)
    assert not forge(attack, np.zeros((H, D)), respond=respond).any()
    rows = forge(attack, respond=respond)  # at the origin, in the first round
    assert np.linalg.norm(rows[0]) == pytest.approx(attacks.alie_factor(H + F, F))
    assert rows[0] @ MEAN == pytest.approx(0, abs=1e-9 * np.abs(MEAN).max())


def test_time_coupled_alie_keeps_its_direction():
    """Against NumPy over rounds whose means change sign; and numbers that overflow stay finite."""
    attack = attacks.alie_time_coupled(z=1.5)
    state, total = attack.init(KEY, D), np.zeros(D)
    for t in range(4):
        honest = np.random.default_rng(t).normal(size=(H, D)) + (3 if t == 0 else -0.5)
        total += honest.mean(axis=0)
        state, rows = attack.forge(KEY, state, view_of(honest))
        expected = honest.mean(axis=0) - 1.5 * honest.std(axis=0, ddof=1) * np.sign(total)
        np.testing.assert_allclose(rows, for_all(expected), **CLOSE)
        assert (np.sign(total) == 1).all()  # of the first round, though three means are negative
    huge = np.full((H, D), 1e308)
    for _ in range(3):
        state, rows = attack.forge(KEY, state, view_of(huge))
    assert np.isfinite(state).all()
    default, alie = attacks.alie_time_coupled(), attacks.alie(sign=-1)
    positive = np.abs(HONEST)  # then it is plain ALIE
    np.testing.assert_allclose(forge(default, positive), forge(alie, positive), **CLOSE)
    with pytest.raises(ValueError, match="ddof must be 0 or 1"):
        attacks.alie_time_coupled(ddof=2)


# ---- coordinates -------------------------------------------------------------------------------


def test_one_coordinate():
    expected = MEAN + 9 * np.eye(D)[2]
    np.testing.assert_allclose(forge(attacks.one_coordinate(2, 9.0)), for_all(expected), **CLOSE)
    with pytest.raises(ValueError, match="one of the d = 5 coordinates, got 5"):
        forge(attacks.one_coordinate(5, 9.0))


def test_most_varied_and_sparse():
    order = np.argsort(-DEVIATION)
    for fraction, count in ((0.1, 1), (0.2, 1), (0.21, 2), (0.6, 3), (1.0, 5)):
        chosen = np.asarray(attacks.most_varied(HONEST, fraction))
        assert set(np.flatnonzero(chosen)) == set(order[:count])
    wide = np.arange(100.0) * np.array([[-1.0], [1.0]])
    assert int(attacks.most_varied(wide, 0.07).sum()) == 7  # 0.07 · 100 = 7.000000000000001
    mask = np.array([True, False, False, True, False])
    rows = forge(attacks.sparse(lambda honest: jnp.asarray(mask), 5.0, 0.3))
    expected = MEAN - DEVIATION * np.where(mask, 5, 0.3)
    np.testing.assert_allclose(rows, for_all(expected), **CLOSE)


def test_on_mask_forges_where_a_message_may_speak():
    legal = np.zeros((F, D), bool)
    legal[0, [0, 1, 3]] = legal[1, [1, 4]] = legal[2, [2]] = True

    def read(wanted):
        return jnp.where(legal, wanted, 0)

    rows = forge(attacks.on_mask(attacks.sign_flip()), read=read)
    np.testing.assert_allclose(rows, np.where(legal, -MEAN, 0), **CLOSE)
    rows = forge(attacks.on_mask(attacks.sign_flip(), fraction=0.5), read=read)
    attacked = np.zeros((F, D), bool)
    attacked[0, [1, 3]] = attacked[1, 4] = attacked[2, 2] = True  # σ grows with the coordinate
    expected = np.where(attacked, -MEAN, np.where(legal, MEAN, 0))
    np.testing.assert_allclose(rows, expected, **CLOSE)


# ---- against one kind of rule ------------------------------------------------------------------


def test_anti_cge_is_kept_by_a_rule_of_least_norms():
    honest = np.random.default_rng(3).normal(size=(H, D)) + 1
    row = forge(attacks.anti_cge(), honest)[0]
    order = np.argsort(np.linalg.norm(honest, axis=1))
    small = honest[order[: H - F]].sum(axis=0)
    norm = np.linalg.norm(honest[order[H - F]])
    np.testing.assert_allclose(row, -small / np.linalg.norm(small) * norm * 0.999, **CLOSE)
    rows = np.concatenate([honest, for_all(row)])
    kept = np.argsort(np.linalg.norm(rows, axis=1))[:H]
    assert set(range(H, H + F)) <= set(kept)
    with pytest.raises(ValueError, match="more honest than Byzantine workers, got 3 and 3"):
        forge(attacks.anti_cge(), honest[:3])


def test_local_poisoning_has_four_cases():
    honest = np.array([[1.0, -1.0, 5.0, -9.0], [3.0, -4.0, -2.0, 4.0]])  # μ = 2, -2.5, 1.5, -2.5
    far = np.array([1 / 2, -1 / 2, -4.0, 8.0])
    near = np.array([1.0, -1.0, -2.0, 4.0])
    np.testing.assert_array_equal(forge(attacks.local_poisoning_ends(), honest, 1)[0], far)
    third = forge(attacks.local_poisoning_ends(3.0), honest, 1)[0]
    np.testing.assert_allclose(third, [1 / 3, -1 / 3, -6, 12])
    keys = [jax.random.key(i) for i in range(60)]
    draws = np.stack([forge(attacks.local_poisoning(), honest, 2, key) for key in keys])
    draws = draws.reshape(-1, 4)
    low, high = np.minimum(near, far), np.maximum(near, far)
    assert ((draws >= low) & (draws <= high)).all()
    assert (draws.min(axis=0) < low + 0.1 * (high - low)).all()
    assert (draws.max(axis=0) > high - 0.1 * (high - low)).all()


# ---- lower bounds that are met -----------------------------------------------------------------


@pytest.mark.parametrize(("n", "f"), often([(3, 1), (7, 2), (10, 3), (12, 5)], ["(7, 2)"]))
def test_stall_is_the_floor_of_every_rule(n, f):
    u = np.arange(1.0, 4)
    honest = np.concatenate([np.zeros((n - 2 * f, 3)), for_all(u, f)])
    rows = np.concatenate([honest, forge(attacks.stall(), honest, f)])
    error = (honest.mean(axis=0) ** 2).sum()
    variance = ((honest - honest.mean(axis=0)) ** 2).sum() / (n - f)
    assert error / variance == pytest.approx(f / (n - 2 * f), rel=1e-12)
    for rule in (trimmed_mean(f), coordinate_median(f), geometric_median(f), krum(f)):
        assert not np.asarray(rule(jnp.asarray(rows))).any()
        assert not np.asarray(nnm(f, rule)(jnp.asarray(rows))).any()


@pytest.mark.parametrize(("n", "f"), [(3, 1), (7, 2), (10, 3), (12, 5)])
def test_tight_trimmed_mean_attains_its_kappa(n, f):
    column = np.concatenate([np.full(f, -(n - 2 * f) / f), np.ones(n - 2 * f)])
    honest = column[:, None] * np.array([1.0, 4.0]) + np.array([0.0, 3.0])
    rows = np.concatenate([honest, forge(attacks.tight_trimmed_mean(), honest, f)])
    error = trimmed_mean(f)(jnp.asarray(rows)) - honest.mean(axis=0)
    variance = ((honest - honest.mean(axis=0)) ** 2).sum() / (n - f)
    assert float(error @ error) == pytest.approx(f / (n - 2 * f) * variance, rel=1e-12)


# ---- waiting -----------------------------------------------------------------------------------


def test_after_so_many_rounds():
    attack = attacks.after(3, attacks.sign_flip())
    for t in range(6):
        rows = forge(attack, round=jnp.array(t, jnp.int32))
        np.testing.assert_allclose(rows, for_all(-MEAN) if t > 3 else OWN, **CLOSE)


# ---- edges -------------------------------------------------------------------------------------

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: attacks.gaussian(NAN), r"mean must lie in \(-inf, inf\), got nan"),
        (lambda: attacks.gaussian(scale=-1), r"scale must lie in \[0, inf\), got -1"),
        (lambda: attacks.noise(0), r"scale must lie in \(0, inf\), got 0"),
        (lambda: attacks.huge(INF), r"value must lie in \(-inf, inf\), got inf"),
        (lambda: attacks.mimic(-1), "index must be an integer >= 0, got -1"),
        (lambda: attacks.mimic_variance(0), "warmup must be an integer >= 1, got 0"),
        (lambda: attacks.rop(1.1, 0.9, 90), r"pi must lie in \[0, 1\], got 1.1"),
        (lambda: attacks.rop(1.0, -0.1, 90), r"lam must lie in \[0, 1\], got -0.1"),
        (lambda: attacks.rop(1.0, 0.9, NAN), r"angle must lie in \(-inf, inf\), got nan"),
        (lambda: attacks.rop(1.0, 0.9, 90, INF), r"z must lie in \(-inf, inf\), got inf"),
        (lambda: attacks.one_coordinate(0.5, 1), "index must be an integer >= 0, got 0.5"),
        (lambda: attacks.one_coordinate(0, INF), r"strength must lie in \(-inf, inf\), got inf"),
        (lambda: attacks.sparse(lambda x: x, INF, 1), r"big must lie in \(-inf, inf\), got inf"),
        (lambda: attacks.sparse(lambda x: x, 1, NAN), r"z must lie in \(-inf, inf\), got nan"),
        (lambda: attacks.anti_cge(1), r"margin must lie in \(0, 1\), got 1"),
        (lambda: attacks.local_poisoning(1), r"factor must lie in \(1, inf\), got 1"),
        (lambda: attacks.local_poisoning_ends(INF), r"factor must lie in \(1, inf\), got inf"),
        (lambda: attacks.on_mask(attacks.ipm(), 0), r"fraction must lie in \(0, 1\], got 0"),
        (lambda: attacks.on_mask(attacks.no_attack()), "must forge messages, got 'none'"),
        (lambda: attacks.steer(attacks.label_flip(2)), "must forge messages, got 'label flip'"),
        (lambda: attacks.after(-1, attacks.ipm()), "rounds must be an integer >= 0, got -1"),
        (lambda: attacks.after(1, attacks.no_attack()), "must forge messages, got 'none'"),
    ],
)
def test_bad_arguments_are_refused_at_construction(make, message):
    with pytest.raises(ValueError, match=message):
        make()
