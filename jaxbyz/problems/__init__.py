"""What is to be learned: quadratics, logistic regression, classification with flax models."""

from jaxbyz.problems import models, resnets
from jaxbyz.problems.classification import Samples, classification
from jaxbyz.problems.logistic import Logistic, Rows, logistic
from jaxbyz.problems.noise import SineSample, sine_noise
from jaxbyz.problems.problem import Problem
from jaxbyz.problems.quadratics import QuadraticData, Quadratics, quadratics, quadratics_from_arrays
from jaxbyz.problems.regularisers import Regulariser, nonconvex, ridge

__all__ = [
    "Logistic",
    "Problem",
    "QuadraticData",
    "Quadratics",
    "Regulariser",
    "Rows",
    "Samples",
    "SineSample",
    "classification",
    "logistic",
    "models",
    "nonconvex",
    "quadratics",
    "quadratics_from_arrays",
    "resnets",
    "ridge",
    "sine_noise",
]
