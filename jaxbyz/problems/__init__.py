"""What is to be learned: an initial model, every worker's data, an oracle of gradients, evaluators.

    problem            the type, and what every problem must have. Start here.
    quadratics, noise  quadratic functions, all constants exact; gradient noise of known size
    logistic           logistic regression; logistic_constants, regularisers, newton (its optimum)
    classification, regression   by models: `models`, `networks`, `nnx_modules`, `resnets`
    per_sample         any loss of any parameters; finite_sums, chunks: means and sums over samples
    backdoor_rate      whether an attack with a trigger works
    division, samples  who has which samples, and how many; width: in the precision of the run

Imported by the simulation, comparison, testing and users; never by algorithms, rules or attacks.
It imports `data`, the core and contracts. No other package imports flax.
"""

from jaxbyz.deprecations import renamed
from jaxbyz.problems import models, resnets
from jaxbyz.problems.backdoor_rate import with_backdoor_rate
from jaxbyz.problems.classification import Samples, classification
from jaxbyz.problems.logistic import LabelledVectors, logistic
from jaxbyz.problems.logistic_constants import Logistic
from jaxbyz.problems.noise import SineSample, sine_noise
from jaxbyz.problems.per_sample import from_loss
from jaxbyz.problems.problem import Problem, gradient_of
from jaxbyz.problems.quadratics import QuadraticData, Quadratics, quadratics, quadratics_from_arrays
from jaxbyz.problems.regression import regression
from jaxbyz.problems.regularisers import Regulariser, nonconvex, ridge

__all__ = [
    "LabelledVectors", "Logistic", "Problem", "QuadraticData", "Quadratics", "Regulariser",
    "Samples", "SineSample", "classification", "from_loss", "gradient_of", "logistic", "models",
    "nonconvex", "quadratics", "quadratics_from_arrays", "regression", "resnets", "ridge",
    "sine_noise", "with_backdoor_rate",
]  # fmt: skip

__getattr__ = renamed(__name__, {"Rows": "LabelledVectors"}, globals())
