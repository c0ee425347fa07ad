"""Only float parameters are the model vector; a model has one logit for every class."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbyz.data import Dataset
from jaxbyz.problems import classification
from jaxbyz.problems.models import MLP, Linear


class Net(nn.Module):
    kind: str

    @nn.compact
    def __call__(self, images):
        features = images.reshape(images.shape[0], -1)
        if self.kind in ("statistics", "batch"):
            features = nn.BatchNorm(use_running_average=self.kind == "statistics")(features)
        if self.kind == "counter":
            self.variable("counters", "calls", lambda: jnp.zeros((), jnp.int32))
        if self.kind == "integers":
            self.param("shift", lambda key: jnp.zeros((), jnp.int32))
        if self.kind == "dropout":
            features = nn.Dropout(0.5, deterministic=False)(features)
        if self.kind == "nothing":
            return features[:, :10]
        logits = nn.Dense(10)(features)
        kinds = {
            "rank 3": logits[:, None],
            "rank 1": logits[:, 0],
            "tuple": (logits, logits),
            "classes": logits.argmax(axis=1)[:, None] + jnp.arange(10),
        }
        return kinds.get(self.kind, logits)


class Training(nn.Module):
    @nn.compact
    def __call__(self, images, train):
        return nn.Dense(10)(images.reshape(images.shape[0], -1))


def of(model):
    images, labels = np.zeros((20, 4, 4, 1), np.float32), np.arange(20) % 10
    return classification(
        Dataset("tiny", images, labels, images, labels, 10), honest=2, model=model
    )


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Net("statistics"), r"in the collection 'params', got \['batch_stats'\] too"),
        (Net("batch"), r"in the collection 'params', got \['batch_stats'\] too"),
        (Net("counter"), r"in the collection 'params', got \['counters'\] too"),
        (Net("integers"), r"floating-point parameters, got int32 in .*shift"),
        (Net("dropout"), r"must need no random numbers .*dropout"),
        (Net("nothing"), "must have parameters, got none"),
        (Net("rank 3"), r"logits \[B, classes\] = \[2, 10\] for 10 classes, got \[2, 1, 10\]"),
        (Net("rank 1"), r"= \[2, 10\] for 10 classes, got \[2\]"),
        (Net("tuple"), r"= \[2, 10\] .* got \(\(2, 10\), \(2, 10\)\)"),
        (Net("classes"), "must give floating-point logits, got int32"),
        (Linear(5), r"= \[2, 10\] .* got \[2, 5\]"),
        (MLP(11), r"= \[2, 10\] .* got \[2, 11\]"),
        (Training(), r"model must take inputs alone, .* got .*train"),
    ],
)
def test_what_a_model_may_not_be(model, said):
    with pytest.raises(ValueError, match=f"model must .*{said}" if "must" not in said else said):
        of(model)


def test_parameters_alone_are_the_vector():
    assert of(Net("plain")).dimension == 16 * 10 + 10
