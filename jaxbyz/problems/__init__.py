"""What is to be learned: quadratics with exact constants, classification with flax models."""

from jaxbyz.problems import models
from jaxbyz.problems.classification import Samples, classification
from jaxbyz.problems.problem import Problem
from jaxbyz.problems.quadratics import QuadraticData, Quadratics, quadratics, quadratics_from_arrays

__all__ = [
    "Problem",
    "QuadraticData",
    "Quadratics",
    "Samples",
    "classification",
    "models",
    "quadratics",
    "quadratics_from_arrays",
]
