"""EF21 and its momenta without Byzantine workers: the robust methods with the mean as their rule.

EF21: Richtárik, Sokolov, Fatkhullin, NeurIPS 2021. EF21-SGDM, EF21-SGD2M and EF21-STORM:
Fatkhullin, Tyurin, Richtárik, "Momentum provably improves error feedback!", NeurIPS 2023.

    EF21          Byz-EF21          full gradients
    EF21-SGDM     Byz-EF21-SGDM     one momentum
    EF21-SGD2M    Byz-DM21          two momenta, β = η
    EF21-STORM    Byz-EF21-STORM    a recursive estimate

Each takes the arguments of its robust method, except `aggregator`.
"""

from typing import Any

from jaxbyz.aggregators import mean
from jaxbyz.algorithms.byz_dm21 import byz_dm21
from jaxbyz.algorithms.byz_ef21 import byz_ef21
from jaxbyz.algorithms.byz_ef21_momentum import byz_ef21_sgdm, byz_ef21_storm
from jaxbyz.core import Algorithm


def ef21(**arguments: Any) -> Algorithm:
    """EF21: `byz_ef21` with the mean.

    >>> import optax
    >>> import jaxbyz as jb
    >>> ef21(compressor=jb.top_k(ratio=0.1), optimizer=optax.sgd(0.1)).name
    'EF21'
    """
    return byz_ef21(aggregator=mean(), **arguments)._replace(name="EF21")


def ef21_sgdm(**arguments: Any) -> Algorithm:
    """EF21-SGDM: `byz_ef21_sgdm` with the mean.

    >>> import optax
    >>> import jaxbyz as jb
    >>> ef21_sgdm(compressor=jb.top_k(ratio=0.1), eta=0.1, optimizer=optax.sgd(0.1)).name
    'EF21-SGDM'
    """
    return byz_ef21_sgdm(aggregator=mean(), **arguments)._replace(name="EF21-SGDM")


def ef21_sgd2m(**arguments: Any) -> Algorithm:
    """EF21-SGD2M: `byz_dm21` with the mean.

    >>> import optax
    >>> import jaxbyz as jb
    >>> ef21_sgd2m(compressor=jb.top_k(ratio=0.1), eta=0.1, optimizer=optax.sgd(0.1)).name
    'EF21-SGD2M'
    """
    return byz_dm21(aggregator=mean(), **arguments)._replace(name="EF21-SGD2M")


def ef21_storm(**arguments: Any) -> Algorithm:
    """EF21-STORM: `byz_ef21_storm` with the mean.

    >>> import optax
    >>> import jaxbyz as jb
    >>> ef21_storm(compressor=jb.top_k(ratio=0.1), eta=0.1, optimizer=optax.sgd(0.1)).name
    'EF21-STORM'
    """
    return byz_ef21_storm(aggregator=mean(), **arguments)._replace(name="EF21-STORM")
