"""A wire-tap: the same algorithm, told about from inside, so that a run can be repeated by hand."""

import jax
import jax.numpy as jnp

from jaxbyz import simulation
from jaxbyz.core import Oracle, Server, Worker
from jaxbyz.problems import Problem


def recorded(algorithm):
    """Infos also hold what crossed (`broadcast`, `messages`); workers remember their last key."""
    worker, server = algorithm.worker, algorithm.server

    def worker_init(key, broadcast, oracle):
        state, message = worker.init(key, broadcast, oracle)
        return (state, key), message

    def worker_step(key, state, broadcast, oracle):
        state, message = worker.step(key, state[0], broadcast, oracle)
        return (state, key), message

    def telling(serve):
        def step(key, state, broadcast, messages):
            state, info = serve(key, state, broadcast, messages)
            crossed = {"broadcast": broadcast, "messages": messages}
            return state, info._replace(details=info.details | crossed)

        return step

    hello = None if server.hello is None else telling(server.hello)
    return algorithm._replace(
        worker=Worker(worker_init, worker_step),
        server=Server(server.start, hello, server.broadcast, telling(server.step)),
    )


def play(algorithm, problem, attack=None, *, rounds, **how):
    """A function key -> (start, records): (state, info) after the start, and after every round."""
    sim = simulation.build(algorithm, problem, attack, **how)

    def game(key):
        init_key, run_key = jax.random.split(key)
        start = sim.init(init_key, problem.init(init_key), sim.data)
        _, records = simulation.run(sim.step, rounds, lambda *both: both)(
            run_key, start[0], sim.data
        )
        return start, records

    return game


def finite_sums(matrices, vectors, byzantine):
    """Worker i has m quadratics, A [h, m, d, d] and b [h, m, d]; a sample is one of them.

    Unlike additive noise, such a sample does not cancel in a difference of two gradients.
    """
    honest, m, d = vectors.shape

    def oracle(local):
        matrix, vector = local  # [m, d, d], [m, d]
        return Oracle(
            full=lambda x: (matrix @ x - vector).mean(axis=0),
            draw=lambda key: jax.random.randint(key, (), 0, m),
            grad=lambda sample, x: matrix[sample] @ x - vector[sample],
        )

    return Problem(
        name="finite sums",
        honest=honest,
        byzantine=byzantine,
        dimension=d,
        data=(jnp.asarray(matrices), jnp.asarray(vectors)),
        test=None,
        oracle=oracle,
        init=lambda key: jnp.ones(d),
        evaluators={},
    )
