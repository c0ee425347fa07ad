"""A compressor of your own: k numbers, and d bits that say where. Expect 5760 bits, not 6720."""

from typing import NamedTuple

import jax.numpy as jnp
import optax

import jaxbyz as jb
from jaxbyz.testing import check_compressor

ROUNDS = 200


class WithBitmap(NamedTuple):
    values: jnp.ndarray  # [d], of which the k = d/4 largest are sent

    def bits(self):
        return self.values.shape[-1] // 4 * 32 + self.values.shape[-1]


def compress(key, x):
    return WithBitmap(jnp.where(jnp.argsort(jnp.argsort(-jnp.abs(x))) < len(x) // 4, x, 0))


mine = jb.core.Compressor(compress, lambda m: m.values, compress, None, lambda d: d // 4 / d)
print(check_compressor(mine, d=4))
problem = jb.problems.quadratics(honest=8, byzantine=2, dimension=640)
ef21 = jb.byz_ef21(compressor=mine, optimizer=optax.sgd(0.3), aggregator=jb.trimmed_mean(f=2))
history = jb.train(ef21, problem, attack=jb.ipm(), rounds=ROUNDS)
print(f"{WithBitmap(jnp.zeros(640)).bits()} bits a message, loss {history['loss'][0, [0, -1]]}")
