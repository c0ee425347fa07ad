"""Equal programs are compiled once in a process; programs that may differ are not mixed up."""

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxbyz as jb
from jaxbyz.storage import lifting, programs
from jaxbyz.storage.fingerprints import fingerprint
from jaxbyz.storage.programs import compiled_once


@pytest.fixture
def compilations(monkeypatch):
    """How often a lowered program was compiled since the last look."""
    monkeypatch.setattr(programs, "_programs", programs._programs.__class__())
    made = []
    compiling = jax.stages.Lowered.compile

    def counted(self, *arguments):
        made.append(1)
        return compiling(self, *arguments)

    monkeypatch.setattr(jax.stages.Lowered, "compile", counted)

    def count():
        found = len(made)
        made.clear()
        return found

    return count


def parts(step=0.1):
    """Everything anew, as a user's cell that is run a second time makes it."""
    problem = jb.problems.quadratics(honest=3, byzantine=1, dimension=4)
    rule = jb.trimmed_mean()
    return jb.rosdhb(k=2, momentum=0.5, optimizer=optax.sgd(step), aggregator=rule), problem


def train(step=0.1, **changed):
    options = {"attack": jb.sign_flip(), "rounds": 4, "evaluate_every": 2, "seeds": 2} | changed
    return jb.train(*parts(step), **options)["loss"]


def test_the_second_call_of_train_compiles_nothing(compilations):
    first = train()
    assert compilations() == 5  # initial models, round 0, rounds, models, evaluators
    np.testing.assert_array_equal(train(seeds=[0, 1]), first)
    assert compilations() == 0
    assert (train(seeds=[5, 6]) != first).any()  # seeds are arguments
    assert compilations() == 0
    assert (train(step=0.2) != first).any()
    assert compilations() == 0  # step sizes, too
    with jax.enable_x64(True):
        assert train().dtype == float
    assert compilations() >= 1


def test_the_second_call_of_compare_and_effect_compiles_nothing(compilations):
    def race():
        return jb.compare(
            {"RoSDHB": lambda step: parts(step)[0]}, parts()[1], attacks=[jb.sign_flip()],
            steps=[0.1, 0.2], rounds=4, evaluate_every=2, seeds=1, tuning_seeds=1,
        )  # fmt: skip

    first = race().rows("round")
    assert compilations() == 3  # the runs; the messages and the server that is timed
    again = race().rows("round")
    assert [line.values.tolist() for line in again] == [line.values.tolist() for line in first]
    assert compilations() == 0
    rows = [jb.effect(*parts(), jb.sign_flip(), rounds=2).rows for _ in range(2)]
    np.testing.assert_array_equal(*rows)
    assert compilations() == 2  # with the attack and without it


def test_results_of_the_same_numbers_keep_their_names(compilations):
    for name in ("a", "b"):
        assert list(compiled_once(lambda x, name=name: {name: x + 1})(1.0)) == [name]
    assert compilations() == 2


def test_arguments_of_other_types_shapes_and_devices_are_other_programs(compilations):
    double = compiled_once(lambda x: 2 * x)
    for x in (1, 1.0, jnp.ones(2), jnp.ones(3), jax.device_put(jnp.ones(3), jax.devices()[1])):
        assert (double(x) == 2 * x).all()
        assert double(x).devices() == jnp.asarray(x).devices()
    assert compilations() == 5


def test_where_results_shall_lie_is_part_of_the_program(compilations):
    for device in jax.devices()[:2]:
        place = jax.sharding.SingleDeviceSharding(device)
        assert compiled_once(lambda x: x + 0.1, out_shardings=place)(np.ones(2)).devices() == {
            device
        }
    assert compilations() == 2


def test_the_default_device_is_part_of_the_program(compilations):
    for device in jax.devices()[:2]:
        with jax.default_device(device):
            assert compiled_once(lambda x: x + 0.1)(np.ones(2)).devices() == {device}
    assert compilations() == 2


@pytest.mark.parametrize("where", ["outside", "in a loop"])
def test_callbacks_are_never_taken_for_each_other(compilations, where):
    def calling(number):
        def one(x):
            shape = jax.ShapeDtypeStruct((), jnp.float32)
            return jax.pure_callback(lambda x: np.float32(x + number), shape, x)

        return (
            one if where == "outside" else lambda x: jax.lax.fori_loop(0, 1, lambda _, y: one(y), x)
        )

    assert [compiled_once(calling(n))(jnp.float32(1)).item() for n in (1, 2)] == [2, 3]
    assert compilations() == 2


@pytest.mark.parametrize("how", ["constraint", "call"])
def test_devices_that_a_program_names_are_part_of_it(compilations, how):
    for two in (jax.devices()[:2], jax.devices()[2:4]):
        place = jax.sharding.NamedSharding(
            jax.sharding.Mesh(np.array(two), ("x",)), jax.sharding.PartitionSpec("x")
        )
        inner = {
            "constraint": lambda x: jax.lax.with_sharding_constraint(0.3 * x, place),  # noqa: B023
            "call": jax.jit(lambda x: 0.3 * x, out_shardings=place),
        }[how]
        found = compiled_once(lambda x: inner(0.7 * x))(np.ones(2))  # noqa: B023
        assert found.devices() == set(two)
    assert compilations() == 2


def test_how_random_bits_are_drawn_is_part_of_the_program(compilations):
    def drawing(partitionable):
        def draw(key):
            with jax.threefry_partitionable(partitionable):
                return 0.3 * jax.random.uniform(key, (5,))

        return draw

    for kind in (True, False):
        key = jax.random.key(0)
        np.testing.assert_array_equal(
            compiled_once(drawing(kind))(key), jax.jit(drawing(kind))(key)
        )


def test_constants_of_the_same_shape_are_other_programs(compilations):
    for n in (1, 2):
        numbers = jnp.full(3, float(n))
        assert compiled_once(lambda x, numbers=numbers: x + numbers)(1.0).tolist() == [n + 1.0] * 3
    assert compilations() == 2


def test_within_a_program_and_without_jit_it_is_the_function(compilations):
    double = compiled_once(lambda x: 2 * x)
    assert jax.jit(double)(3) == 6
    assert jax.vmap(double)(jnp.arange(2)).tolist() == [0, 2]
    with jax.disable_jit():
        assert double(3) == 6
    assert compilations() == 0


def test_the_program_that_was_not_used_for_longest_is_forgotten(compilations, monkeypatch):
    monkeypatch.setattr(programs, "KEPT", 2)

    def add(number):
        return compiled_once(lambda x: x + number)(1)

    for number, new in ((1, 1), (2, 1), (1, 0), (3, 1), (1, 0), (2, 1)):
        assert add(number) == 1 + number
        assert compilations() == new


# ---- numbers of a program as its arguments -----------------------------------------------------


def everything(step, decay, small):
    """Numbers in loops, branches and calls; divisors, small fractions and others that stay."""
    inner = jax.jit(lambda x: x * step + decay)

    def body(carry, x):
        carry = jax.lax.cond(x > 0, lambda c: c - step * c, lambda c: c + decay, carry)
        return inner(carry) / small, carry * 0.5

    def function(xs):
        last, seen = jax.lax.scan(body, xs[0] * 0.3, xs)
        grown = jax.lax.while_loop(lambda y: y + decay < 5.0, lambda y: y * 1.7 + step, last**2)
        return last, seen, {"grown": grown}

    return function


def test_numbers_are_arguments_wherever_they_stand(compilations):
    xs = np.float32([0.2, -0.4, 0.9, -1.3])
    for count, (step, decay) in enumerate([(0.1, 0.01), (0.2, 0.03), (0.7, 0.9)]):
        found = compiled_once(everything(step, decay, 3.0))(xs)
        expected = jax.jit(everything(step, decay, 3.0))(xs)
        assert jax.tree.structure(found) == jax.tree.structure(expected)
        for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            assert ours.dtype == theirs.dtype
            # The compiler may join products with constants.
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
        assert compilations() == (count == 0)
    compiled_once(everything(0.1, 0.01, 7.0))(xs)
    assert compilations() == 1  # a divisor is part of the program
    compiled_once(everything(0.5, 0.01, 3.0))(xs)
    assert compilations() == 1  # and so is a half


@pytest.mark.parametrize("wide", [False, True])
def test_a_lifted_number_keeps_its_kind(wide):
    with jax.enable_x64(wide):
        for number in (0.1, np.float32(0.1), np.float64(0.1)):
            for x in (jnp.ones(2, jnp.float32), jnp.ones(2), jnp.ones(2, jnp.bfloat16), 2.0):
                found, expected = (f(lambda x: x * number)(x) for f in (compiled_once, jax.jit))  # noqa: B023
                assert found.dtype == expected.dtype
                np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("lanes", [(3,), (2, 3)])
def test_a_loop_that_was_mapped_over_ends_for_every_lane_on_its_own(lanes):
    def grown(key, x):
        def turn(carry):
            key, x, seen = carry
            return jax.random.fold_in(key, 1), x * 1.3 + 0.1, seen * 0.9

        key, x, seen = jax.lax.while_loop(lambda c: c[1] < 3.7, turn, (key, x, jnp.ones(2)))
        return jax.random.key_data(key), x, seen

    for _ in lanes:
        grown = jax.vmap(grown)
    xs = np.linspace(-0.2, 4.0, int(np.prod(lanes)), dtype=np.float32).reshape(lanes)
    given = jax.random.split(jax.random.key(0), lanes), xs
    for ours, theirs in zip(compiled_once(grown)(*given), jax.jit(grown)(*given), strict=True):
        # The compiler may join products and sums with constants.
        np.testing.assert_allclose(ours, theirs, rtol=2e-6)


def scan(length, reverse=False):
    return lambda x: jax.lax.scan(lambda c, y: (0.3 * c + y, c), x[0], x[:length], reverse=reverse)


def twice(number):
    """The same call in a program whose numbers are arguments, and in one whose numbers stay."""
    inner = jax.jit(lambda x: number * x)
    rule = jax.custom_jvp(inner)
    rule.defjvp(lambda given, change: (inner(*given), inner(*change)))
    return lambda x: inner(x) - 2 * rule(x)


@pytest.mark.parametrize(
    "two",
    [
        (lambda x: x - 0.3, lambda x: 0.3 - x),
        (lambda x: x * 0.3 + 0.7, lambda x: (x + 0.7) * 0.3),
        (scan(3), scan(3, reverse=True)),
        (
            lambda x: jax.lax.fori_loop(0, 2, lambda _, c: 0.3 * c, x),
            lambda x: jax.lax.fori_loop(0, 3, lambda _, c: 0.3 * c, x),
        ),
        (
            lambda x: jax.lax.cond(x[0] > 1, lambda y: 0.3 * y, lambda y: y + 0.7, x),
            lambda x: jax.lax.cond(x[0] > 1, lambda y: y + 0.3, lambda y: 0.7 * y, x),
        ),
        (twice(0.3), twice(0.7)),
    ],
    ids=["operands", "order", "scans", "loops", "branches", "a call that stays"],
)
def test_other_programs_are_not_taken_for_each_other_because_of_their_numbers(compilations, two):
    x = np.float32([1, 2, 5])
    for function in two:
        found, expected = compiled_once(function)(x), jax.jit(function)(x)
        for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    compilations()


def test_options_of_the_compiler_are_part_of_the_program(compilations):
    for fast in (True, False):
        traced = jax.jit(lambda x: 0.1 * x).trace(1.0)
        options = {"xla_cpu_enable_fast_math": fast}
        programs.Program(traced, (1.0,), compiler=options).compile()
    assert compilations() == 2


def test_a_scan_backwards_collects_its_results_in_their_order():
    def sums(xs):
        return jax.lax.scan(lambda c, x: (c * 0.3 + x, c), 0.7, xs, reverse=True)

    xs = np.float32([1, 2, 5])
    for ours, theirs in zip(compiled_once(sums)(xs), jax.jit(sums)(xs), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_which_numbers_stay_in_the_program():
    program = jax.make_jaxpr(
        lambda x: (x * 0.1 + 0.75 - 3.0 + 1e-5) / 0.3 * jnp.inf * 257.0 * 255.0 + 1023.0 * x
    )(1.0)
    assert lifting.lifted_numbers(program.jaxpr) == (0.1, 1e-5, 257.0, 1023.0)


def test_arguments_are_not_kept_with_the_program():
    x = jnp.arange(3.0)
    program = programs.Program(jax.jit(lambda x: 0.1 * x).trace(x), (x,))
    call = program.compile()
    seen = weakref.ref(x)
    assert call(x).shape == (3,)
    del x
    gc.collect()
    assert seen() is None
    assert callable(call)


def test_what_is_called_again_and_again_counts_every_time():
    inner = jax.jit(lambda x: 0.1 * x)
    program = jax.make_jaxpr(lambda x: inner(x) + inner(inner(x)))(1.0)
    assert lifting.lifted_numbers(program.jaxpr) == (0.1,) * 3


@pytest.mark.parametrize("order", [1, -1])
def test_a_callback_is_found_beside_and_inside_other_calls(order):
    one = jnp.float32(1)
    calls = jax.jit(lambda x: jax.pure_callback(lambda v: v, one, x)), jax.jit(lambda x: x + x)
    first, second = calls[::order]
    program = jax.make_jaxpr(lambda x: second(first(x)))(one)
    assert programs._calls_python(program.jaxpr)


def test_digests_see_types_and_order():
    one, whole = jnp.float32(1), jnp.int32(1)

    def mark(function, *arguments):
        return fingerprint(jax.make_jaxpr(function)(*arguments))

    assert mark(lambda x: x + x, one) != mark(lambda x: x + x, whole)
    assert mark(lambda x, y: x - y, one, one) != mark(lambda x, y: y - x, one, one)
    assert mark(lambda x, y: x - y, one, one) == mark(lambda y, x: y - x, one, one)


def test_devices_are_named_for_every_call():
    # The text of both programs is the same; which mesh is named where is not.
    devices = jax.devices()
    meshes = [jax.sharding.Mesh(np.array(devices[i : i + 2]), ("x",)) for i in (0, 2)]
    places = [jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x")) for mesh in meshes]
    inner = [jax.jit(lambda x, p=place: jax.lax.with_sharding_constraint(x, p)) for place in places]

    def named(order):
        program = jax.make_jaxpr(lambda x: [inner[i](x) for i in order])(jnp.ones(2))
        return programs._places(program.jaxpr)

    assert named((0, 1, 1)) != named((0, 0, 1))
    assert named((0, 1, 1)) == named((0, 1, 1))


def test_a_program_is_read_once_and_its_constants_every_time():
    offset = np.arange(3.0)
    program = jax.make_jaxpr(lambda x: x + offset)(jnp.ones(3))
    others = [jax.extend.core.ClosedJaxpr(program.jaxpr, [2 * offset]) for _ in range(2)]
    marks = [fingerprint(each) for each in (program, *others)]
    assert marks[0] != marks[1] == marks[2]
    # A number that is lifted does not count, in the same program read twice.
    step = jax.make_jaxpr(lambda x: 0.1 * x)(1.0)
    assert fingerprint(step) != fingerprint(step, lifted=True)


def test_what_was_read_is_kept_no_longer_than_the_program():
    program = jax.make_jaxpr(lambda x: jax.lax.fori_loop(0, 3, lambda i, x: 0.1 * x, x))(1.0)
    fingerprint(program, lifted=True)
    assert lifting.lifted_numbers(program.jaxpr) == (0.1,)
    assert not programs._calls_python(program.jaxpr)
    assert programs._places(program.jaxpr) == ()
    seen = weakref.ref(program.jaxpr)
    del program
    jax.clear_caches()
    gc.collect()
    assert seen() is None
