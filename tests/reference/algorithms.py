"""The algorithms as plain loops over NumPy arrays, written from the papers' pseudo-code.

Nothing here draws anything: masks, coins and samples are arguments, so that an implementation can
be asked to make the same run. n workers, of which the last `byzantine` lie; the others are honest.

    gradient(i, x)          full local gradient of worker i, [d]
    sampled(i, sample, x)   its gradient on one sample, [d]
    samples[t][i]           the sample of worker i in round t
    aggregate(rows)         [n, d] -> [d]
    forge(honest)           what all liars want the server to read, from the honest vectors that
                            the server reads in this round: [h, d] -> [d]
"""

import numpy as np


def gradient_descent(x, gradient, gamma, rounds, beta=0.0):
    """Heavy ball m = β m + (1-β) ∇f(x), x = x - γ m, which is gradient descent for β = 0."""
    models, momentum = [], np.zeros_like(x)
    for _ in range(rounds):
        momentum = beta * momentum + (1 - beta) * gradient(x)
        x = x - gamma * momentum
        models.append(x)
    return np.array(models)


def robust_sgd(x, sampled, samples, aggregate, forge, byzantine, gamma, beta):
    """Robust D-SHB: m_i = β m_i + (1-β) s_i at the workers; g = F(m); x = x - γ g.

    Returns models [T, d] and momenta of the honest workers [T, h, d], after every round.
    """
    d, honest = len(x), len(samples[0])
    momenta = np.zeros((honest, d))
    models, memories = [], []
    for t in range(len(samples)):
        for i in range(honest):
            momenta[i] = beta * momenta[i] + (1 - beta) * sampled(i, samples[t][i], x)
        lies = [forge(momenta)] * byzantine
        x = x - gamma * aggregate(np.array([*momenta, *lies]))
        models.append(x)
        memories.append(momenta.copy())
    return np.array(models), np.array(memories)


def rosdhb(x, sampled, samples, masks, aggregate, forge, byzantine, gamma, beta):
    """RoSDHB, arXiv 2508.17129, Algorithm 1, with masks[t] [k] for everybody.

    Returns models [T, d] and the server's momenta [T, n, d], after every round.
    """
    d, honest = len(x), len(samples[0])
    n = honest + byzantine
    momenta = np.zeros((n, d))
    models, memories = [], []
    for t in range(len(samples)):
        mask = masks[t]
        k = len(mask)
        read = np.zeros((n, d))
        for i in range(honest):
            payload = sampled(i, samples[t][i], x)[mask]
            read[i, mask] = d / k * payload
        for i in range(honest, n):
            read[i, mask] = forge(read[:honest])[mask]
        for i in range(n):
            momenta[i] = beta * momenta[i] + (1 - beta) * read[i]
        x = x - gamma * aggregate(momenta)
        models.append(x)
        memories.append(momenta.copy())
    return np.array(models), np.array(memories)


def byz_dasha_page(
    x, gradient, sampled, samples, coins, subsets, aggregate, forge, byzantine, gamma
):
    """Byz-DASHA-PAGE, Rammal et al., AISTATS 2024, with Rand-k on subsets[t][i] [k].

    Returns models [T + 1, d] and estimates g_i [T + 1, n, d], after the start and every round.
    """
    d, honest = len(x), len(samples[0])
    n = honest + byzantine
    k = len(subsets[0][0])
    omega = d / k - 1
    a = 1 / (2 * omega + 1)
    h = np.array([gradient(i, x) for i in range(honest)])
    g = np.array([*h, *[forge(h)] * byzantine])
    models, memories = [], [g.copy()]
    for t in range(len(samples)):
        old, x = x, x - gamma * aggregate(g)
        models.append(x)
        message = np.zeros((n, d))
        for i in range(honest):
            if coins[t]:
                new = gradient(i, x)
            else:
                new = h[i] + sampled(i, samples[t][i], x) - sampled(i, samples[t][i], old)
            difference = new - h[i] - a * (g[i] - h[i])
            message[i, subsets[t][i]] = d / k * difference[subsets[t][i]]
            h[i] = new
        for i in range(honest, n):
            message[i, subsets[t][i]] = forge(message[:honest])[subsets[t][i]]
        for i in range(n):
            g[i] = g[i] + message[i]
        memories.append(g.copy())
    models.append(x - gamma * aggregate(g))
    return np.array(models), np.array(memories)


# Error feedback. `first[i]` are the samples of worker i whose mean gradient is its first estimate,
# `compress(vector)` is the compressor, and `start(vector)` what the server reads of the first
# message: the vector, `compress` of it, or zeros where nothing is sent. All return models
# [T + 1, d] and estimates g_i [T + 1, n, d], after the start and every round.


def byz_dm21(
    x, sampled, first, samples, compress, start, aggregate, forge, byzantine, gamma, eta, beta
):
    """Byz-DM21, arXiv 2603.15144: v_i and u_i are the two momenta."""
    d, honest = len(x), len(first)
    n = honest + byzantine
    v = np.array([np.mean([sampled(i, one, x) for one in first[i]], axis=0) for i in range(honest)])
    u = v.copy()
    g = np.array([start(u[i]) for i in range(honest)])
    g = np.array([*g, *[start(forge(g))] * byzantine])
    models, memories = [], [g.copy()]
    for t in range(len(samples)):
        x = x - gamma * aggregate(g)
        models.append(x)
        c = np.zeros((n, d))
        for i in range(honest):
            v[i] = (1 - eta) * v[i] + eta * sampled(i, samples[t][i], x)
            u[i] = (1 - beta) * u[i] + beta * v[i]
            c[i] = compress(u[i] - g[i])
        for i in range(honest, n):
            c[i] = compress(forge(c[:honest]))
        for i in range(n):
            g[i] = g[i] + c[i]
        memories.append(g.copy())
    models.append(x - gamma * aggregate(g))
    return np.array(models), np.array(memories)


def byz_vr_dm21(
    x, sampled, first, samples, compress, start, aggregate, forge, byzantine, gamma, eta, beta
):
    """Byz-VR-DM21, arXiv 2603.15144: v_i is the recursive estimate, u_i its momentum."""
    d, honest = len(x), len(first)
    n = honest + byzantine
    v = np.array([np.mean([sampled(i, one, x) for one in first[i]], axis=0) for i in range(honest)])
    u = v.copy()
    g = np.array([start(u[i]) for i in range(honest)])
    g = np.array([*g, *[start(forge(g))] * byzantine])
    models, memories = [], [g.copy()]
    for t in range(len(samples)):
        old, x = x, x - gamma * aggregate(g)
        models.append(x)
        c = np.zeros((n, d))
        for i in range(honest):
            here, there = sampled(i, samples[t][i], x), sampled(i, samples[t][i], old)
            v[i] = here + (1 - eta) * (v[i] - there)
            u[i] = (1 - beta) * u[i] + beta * v[i]
            c[i] = compress(u[i] - g[i])
        for i in range(honest, n):
            c[i] = compress(forge(c[:honest]))
        for i in range(n):
            g[i] = g[i] + c[i]
        memories.append(g.copy())
    models.append(x - gamma * aggregate(g))
    return np.array(models), np.array(memories)


def byz_ef21(x, gradient, honest, rounds, compress, start, aggregate, forge, byzantine, gamma):
    """Byz-EF21, Rammal et al., AISTATS 2024, with full local gradients."""
    d, n = len(x), honest + byzantine
    g = np.array([start(gradient(i, x)) for i in range(honest)])
    g = np.array([*g, *[start(forge(g))] * byzantine])
    models, memories = [], [g.copy()]
    for _ in range(rounds):
        x = x - gamma * aggregate(g)
        models.append(x)
        c = np.zeros((n, d))
        for i in range(honest):
            c[i] = compress(gradient(i, x) - g[i])
        for i in range(honest, n):
            c[i] = compress(forge(c[:honest]))
        g = g + c
        memories.append(g.copy())
    models.append(x - gamma * aggregate(g))
    return np.array(models), np.array(memories)


def top_k(x, k):
    """The k largest |x_j| as they are; ties go to the lowest index."""
    kept = np.argsort(-np.abs(x), kind="stable")[:k]
    out = np.zeros_like(x)
    out[kept] = x[kept]
    return out


# Two attacks.


def sign_flip(honest):
    return -honest.mean(axis=0)


def alie(honest, z):
    return honest.mean(axis=0) - z * honest.std(axis=0, ddof=1)
