"""The baselines as plain loops over NumPy arrays, written from their recursions.

As in `algorithms.py` of this folder: nothing is drawn here. `compress(t, i, vector)` is what the
server reads of worker i's compressed vector in round t, and `force(t, i, vector)` what it reads
when a liar wants it to read that vector; both know the mask of (t, i), and only the first scales.
"""

import numpy as np


def br_csgd(x, sampled, samples, compress, force, aggregate, forge, byzantine, gamma, beta=None):
    """q_i = Q(s_i); x = x - γ F(q). With `beta`: RoSDHB with local masks, m_i = β m_i + (1-β) q_i.

    Returns models [T, d] and the aggregated rows [T, n, d].
    """
    d, honest = len(x), len(samples[0])
    n = honest + byzantine
    m = np.zeros((n, d))
    models, memories = [], []
    for t in range(len(samples)):
        q = np.zeros((n, d))
        for i in range(honest):
            q[i] = compress(t, i, sampled(i, samples[t][i], x))
        for i in range(honest, n):
            q[i] = force(t, i, forge(q[:honest]))
        for i in range(n):
            m[i] = q[i] if beta is None else beta * m[i] + (1 - beta) * q[i]
        x = x - gamma * aggregate(m)
        models.append(x)
        memories.append(m.copy())
    return np.array(models), np.array(memories)


def byz_ef14(x, sampled, samples, compress, force, aggregate, forge, byzantine, gamma):
    """z_i = e_i + s_i; c_i = C(z_i); e_i = z_i - c_i; x = x - γ F(c).

    Returns models [T, d] and errors of the honest workers [T, h, d].
    """
    d, honest = len(x), len(samples[0])
    n = honest + byzantine
    e = np.zeros((honest, d))
    models, memories = [], []
    for t in range(len(samples)):
        c = np.zeros((n, d))
        for i in range(honest):
            z = e[i] + sampled(i, samples[t][i], x)
            c[i] = compress(t, i, z)
            e[i] = z - c[i]
        for i in range(honest, n):
            c[i] = force(t, i, forge(c[:honest]))
        x = x - gamma * aggregate(c)
        models.append(x)
        memories.append(e.copy())
    return np.array(models), np.array(memories)


def br_diana(x, sampled, samples, compress, force, aggregate, forge, byzantine, gamma, a, m=None):
    """q_i = Q(s_i - h_i); x = x - γ F(h + q); h_i = h_i + a q_i.

    With m, the number of samples of a worker, BROADCAST: s_i is the SAGA estimate, and
    samples[t][i] are indices. Returns models [T, d] and shifts [T, n, d].
    """
    d, honest = len(x), len(samples[0])
    n = honest + byzantine
    h = np.zeros((n, d))
    if m is not None:
        table = [[sampled(i, [j], x) for j in range(m)] for i in range(honest)]
    models, memories = [], []
    for t in range(len(samples)):
        q = np.zeros((n, d))
        for i in range(honest):
            s = sampled(i, samples[t][i], x)
            if m is not None:
                old = np.mean([table[i][j] for j in samples[t][i]], axis=0)
                s = s - old + np.mean(table[i], axis=0)
                for j in samples[t][i]:
                    table[i][j] = sampled(i, [j], x)
            q[i] = compress(t, i, s - h[i])
        for i in range(honest, n):
            q[i] = force(t, i, forge(q[:honest]))
        x = x - gamma * aggregate(h + q)
        for i in range(n):
            h[i] = h[i] + a * q[i]
        models.append(x)
        memories.append(h.copy())
    return np.array(models), np.array(memories)


def byz_vr_marina(
    x,
    gradient,
    sampled,
    samples,
    coins,
    compress,
    force,
    aggregate,
    forge,
    byzantine,
    gamma,
    synchronised,
):
    """Byz-VR-MARINA, Gorbunov et al., ICLR 2023, Algorithm 1; or everyone from its own estimate.

    Returns models [T + 1, d] and estimates [T + 1, n, d], after the start and every round.
    """
    d, honest = len(x), len(samples[0])
    n = honest + byzantine
    g = np.array([gradient(i, x) for i in range(honest)])
    g = np.array([*g, *[forge(g)] * byzantine])
    models, memories = [], [g.copy()]
    for t in range(len(samples)):
        common = aggregate(g)
        old, x = x, x - gamma * common
        models.append(x)
        said = np.zeros((n, d))
        for i in range(honest):
            if coins[t]:
                said[i] = gradient(i, x)
            else:
                difference = sampled(i, samples[t][i], x) - sampled(i, samples[t][i], old)
                said[i] = compress(t, i, difference)
        lie = forge(said[:honest])
        for i in range(honest, n):
            said[i] = lie if coins[t] else force(t, i, lie)
        for i in range(n):
            base = common if synchronised else g[i]
            g[i] = said[i] if coins[t] else base + said[i]
        memories.append(g.copy())
    models.append(x - gamma * aggregate(g))
    return np.array(models), np.array(memories)
