"""An algorithm of your own: signSGD with majority vote. Expect 0.89 on digits, 1 bit a number."""

import jax.numpy as jnp
import optax

import jaxbyz as jb
from jaxbyz.algorithms import compressed_codec, direct_server
from jaxbyz.core import Algorithm, Worker

ROUNDS = 300


def sign_sgd(step_size):
    signs = jb.sign()  # sent as `jb.messages.Signs`, d bits
    vote = jb.stateless(lambda rows: jnp.sign(rows.sum(axis=0)))

    def step(key, state, broadcast, oracle):
        gradient = oracle.grad(oracle.draw(key), broadcast.x)
        return state, signs.compress(key, gradient)

    worker = Worker(init=lambda key, broadcast, oracle: ((), None), step=step)
    server = direct_server(optax.sgd(step_size), vote, signs)
    return Algorithm("signSGD, majority vote", worker, server, compressed_codec(signs), hello=None)


model = jb.problems.models.Linear(10)
problem = jb.problems.classification("digits", honest=8, byzantine=3, batch=20, model=model)
history = jb.train(sign_sgd(0.003), problem, attack=jb.sign_flip(), rounds=ROUNDS)
print(f"{history.final('uplink_bits') / ROUNDS:.0f} bits a round of d = {problem.dimension}")
print(f"test accuracy {history.final('test_accuracy'):.2f}")
