"""`train(devices=...)`: every problem, model and family of algorithms; and what devices may be."""

import functools

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from jax.sharding import Mesh
from lengths import often

import jaxbyz as jb
from jaxbyz import simulation
from jaxbyz.data import Dataset
from jaxbyz.problems.models import MLP, Linear
from jaxbyz.problems.resnets import BatchNorm, ResNet
from jaxbyz.simulation.devices import mesh_of

HONEST, BYZANTINE, SAMPLES, CLASSES = 4, 2, 3, 3  # with the attack's data, six workers compute
RUN = {"rounds": 2, "evaluate_every": 1, "seeds": 2, "progress": False}


class Own(nn.Module):
    """Somebody's net: a strided convolution with groups, and a product of images."""

    @nn.compact
    def __call__(self, images):
        features = nn.Conv(4, (2, 2), strides=2, feature_group_count=2)(images)
        features = nn.relu(features).mean(axis=(1, 2)) ** 2
        return nn.Dense(CLASSES)(features)


def images():
    rng = np.random.default_rng(0)
    pictures = [rng.normal(size=(n, 4, 4, 2)).astype(np.float32) for n in (HONEST * SAMPLES, 5)]
    labels = [np.arange(n, dtype=np.int32) % CLASSES for n in (HONEST * SAMPLES, 5)]
    return Dataset("tiny", pictures[0], labels[0], pictures[1], labels[1], CLASSES)


def classified(model=None):
    return jb.problems.classification(
        images(), honest=HONEST, byzantine=BYZANTINE, model=model, batch=2, chunk=2
    )


def quadratics():
    return jb.problems.quadratics(honest=HONEST, byzantine=BYZANTINE, dimension=4, noise=0.5)


def logistic():
    data = jb.data.synthetic_binary(samples=HONEST * SAMPLES, features=4, seed=0)
    return jb.problems.logistic(data, honest=HONEST, byzantine=BYZANTINE, batch=2)


def resnet(norm=None):
    norms = {} if norm is None else {"norm": norm}
    return ResNet(CLASSES, blocks=(1,), widths=(8,), **norms)


PROBLEMS = {
    "quadratics": quadratics,
    "sine noise": lambda: jb.problems.sine_noise(quadratics(), 0.1),
    "logistic": logistic,
    "linear": lambda: classified(Linear(CLASSES)),
    "MLP": lambda: classified(MLP(CLASSES, (3,))),
    "light net": classified,
    "ResNet": lambda: classified(resnet()),
    "ResNet, batch statistics": lambda: classified(resnet(BatchNorm)),
    "own module": lambda: classified(Own()),
}
COMMON = {"optimizer": optax.sgd(0.05), "aggregator": jb.trimmed_mean(f=BYZANTINE)}
RANDOM = {"compressor": jb.seeded_rand_k(ratio=0.5), **COMMON}
TOP = {"compressor": jb.top_k(ratio=0.5), **COMMON}
FAMILIES = {
    "robust_sgd": lambda: jb.robust_sgd(momentum=0.5, **COMMON),
    "rosdhb": lambda: jb.rosdhb(ratio=0.5, momentum=0.5, **COMMON),
    "rosdhb_local": lambda: jb.rosdhb_local(momentum=0.5, **RANDOM),
    "byz_vr_dm21": lambda: jb.byz_vr_dm21(eta=0.2, **TOP),
    "byz_dasha_page": lambda: jb.byz_dasha_page(probability=0.3, **RANDOM),
    "byz_vr_marina": lambda: jb.byz_vr_marina(probability=0.3, **RANDOM),
    "br_diana": lambda: jb.br_diana(**RANDOM),
    "br_csgd": lambda: jb.br_csgd(**RANDOM),
    "byz_ef14": lambda: jb.byz_ef14(**TOP),
    "broadcast_saga": lambda: jb.broadcast_saga(samples=SAMPLES, **RANDOM),
}


def cases():
    for problem in PROBLEMS:
        for family in FAMILIES:
            # A table needs draws that are positions of samples.
            if family != "broadcast_saga" or problem == "logistic":
                yield f"{problem}, {family}, 2", (problem, family, 2)
        # How many devices matters to the placement, not to the pair.
        for count in (1, 3):
            yield f"{problem}, robust_sgd, {count}", (problem, "robust_sgd", count)


CASES = dict(cases())


def assert_same_run(ours, theirs):
    for name, values in theirs.columns.items():
        # The same sums in a different program: float32, two rounds, several layers.
        np.testing.assert_allclose(ours[name], values, rtol=2e-5, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(ours.parameters, theirs.parameters, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("case", often(CASES, ["own module, robust_sgd, 2"]))
def test_devices_give_what_one_gives(case):
    problem, family, count = CASES[case]
    algorithm, problem = FAMILIES[family](), PROBLEMS[problem]()
    attack = jb.no_attack()  # Byzantine workers compute, too
    one = jb.train(algorithm, problem, attack=attack, **RUN)
    several = jb.train(algorithm, problem, attack=attack, devices=jax.devices()[:count], **RUN)
    assert_same_run(several, one)


def test_the_default_model_runs_on_all_devices():
    problem = jb.problems.classification("digits", honest=12)
    algorithm = jb.robust_sgd(optimizer=optax.sgd(0.1), aggregator=jb.trimmed_mean(f=3))
    history = jb.train(
        algorithm, problem, rounds=5, devices=jax.devices(), evaluate=["train"], progress=False
    )
    assert history.rounds.tolist() == [0, 5]
    assert history["loss"][0, 1] < history["loss"][0, 0]


def played(problem, spread):
    """Models after two rounds of every seed: (keys [S], data) -> [S, d]."""
    placement = None if spread is None else simulation.along_axis()
    sim = jb.build(FAMILIES["robust_sgd"](), problem, jb.no_attack(), placement=placement)
    start, step = sim.init, simulation.run(sim.step, 2, lambda state, info: info.server.rejected)
    if spread is not None:
        start, step = spread(start, initial=True), spread(step)

    def one(key, data):
        state, _ = start(key, problem.init(key), data)
        return step(key, state, data)[0].server.x

    return jax.vmap(one, (0, None)), sim.data


SPREADS = {
    "mesh": lambda count: functools.partial(
        jb.over_mesh, mesh=Mesh(np.array(jax.devices()[:count]), ("workers",))
    ),
    "pmap": lambda count: functools.partial(jb.over_pmap, devices=count),
}


@pytest.mark.long
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_spread_by_hand(name, spread):
    problem, keys = PROBLEMS[name](), jax.random.split(jax.random.key(3), 2)
    play, data = played(problem, None)
    expected = jax.jit(play)(keys, data)
    play, data = played(problem, SPREADS[spread](2))
    # As above.
    np.testing.assert_allclose(play(keys, data), expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("name", ["light net", "ResNet"])
def test_spread_programs_can_be_made(name, spread):
    """Tracing is where JAX refuses; compiling takes ten times longer."""
    problem, keys = PROBLEMS[name](), jax.random.split(jax.random.key(3), 2)
    play, data = played(problem, SPREADS[spread](2))
    assert jax.eval_shape(play, keys, data).shape == (2, problem.dimension)


DEVICE = "must be a list of different jax devices, such as jax.devices\\(\\)\\[:2\\], got "


@pytest.mark.parametrize(
    ("devices", "got"),
    [
        ([], "none"),
        (2, "2"),
        (True, "True"),
        ("cpu", "'cpu'"),
        (["cpu"], "'cpu' in it"),
        ([0, 1], "0 in it"),
        (lambda: jax.devices()[0], "CpuDevice\\(id=0\\)"),
        (lambda: [jax.devices()[1]] * 2, "CpuDevice\\(id=1\\) twice"),
        (lambda: [*jax.devices()[:1], None], "None in it"),
        (lambda: {"a": jax.devices()[0]}, "{'a': CpuDevice\\(id=0\\)}"),
        (lambda: Mesh(np.array(jax.devices()[:1]), ("workers",)), "Mesh"),
    ],
)
def test_what_devices_may_be(devices, got):
    devices = devices() if callable(devices) else devices
    with pytest.raises(ValueError, match=f"devices {DEVICE}{got}"):
        jb.train(FAMILIES["robust_sgd"](), quadratics(), rounds=1, devices=devices)


def test_an_array_or_an_iterator_of_devices_is_a_list():
    mesh = mesh_of(np.array(jax.devices()[:2]))
    assert mesh == mesh_of(iter(jax.devices()[:2])) == mesh_of(tuple(jax.devices()[:2]))


def test_what_workers_may_be_spread_over():
    sim = jb.build(FAMILIES["robust_sgd"](), quadratics(), placement=simulation.along_axis())
    mesh = Mesh(np.array(jax.devices()[:2]), ("seeds",))
    with pytest.raises(ValueError, match=r"mesh must have the one axis 'workers', got .*'seeds'"):
        jb.over_mesh(sim.step, mesh)
    for count in (0, 1.5, 100):
        with pytest.raises(
            ValueError, match=rf"devices must be an integer in 1\.\..*, got {count}"
        ):
            jb.over_pmap(sim.step, count)
