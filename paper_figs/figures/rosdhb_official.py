"""RoSDHB beside the choices of its public code, each switched alone.

The reference setting (f = 3, k/d = 0.1, Dirichlet(5) division) of
`paper_figs.setups.rosdhb_images`. Each curve has one deviation of `paper_figs.official.rosdhb`, and
"all of them" has those of its panel together:

* RoSDHB under FOE: masks seeded by (run seed + round), with the run seeds of the code; the search
  of the strength with one attacker and without momenta; the step size of the code.
* RoSDHB under ALIE: canonical, searched on the server's own update, and what the code calls "alie",
  mean + η σ ∘ N(0, I).
* Byz-DASHA-PAGE under FOE: the start at zero; FOE of one attacker, multiplied by d/k once more; the
  step size of the code.

The step sizes of the code are those for MNIST, also where other data are drawn. Whether published
curves were made with these choices is not known.

Claims. T: two run seeds of the code share the masks that their difference says (202 and 256: 196 of
250). E: no deviation alone changes the test accuracy at the end by more than two points (for
"alie": the difference from canonical ALIE).

Source: public code of arXiv 2508.17129, see `paper_figs.official.rosdhb`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxbyz as jb
from jaxbyz.compressors import shared_mask
from jaxbyz.core import Algorithm, Attack
from jaxbyz.simulation.sessions import session
from paper_figs.frame import drawing, findings
from paper_figs.frame.figure import Results
from paper_figs.frame.findings import Finding
from paper_figs.frame.workspace import Workspace
from paper_figs.official import rosdhb as official
from paper_figs.setups import rosdhb_images
from paper_figs.setups.rosdhb_curves import accuracy
from paper_figs.setups.rosdhb_images import ALIE, ALIE_SEARCHED, DASHA, FOE, ROSDHB

TITLE = "RoSDHB and its baseline: the method beside the choices of the public code"
SECONDS = {
    "quick": "50 s (2 cores), 35 s after rosdhb_fig1 and fig6",
    "default": "about 10 min (one core) after rosdhb_fig1",
    "full": "not measured",
}
RATIO, SAME = 0.1, 0.02
MASKS, SEARCH, STEP = "masks by run seed + round", "search of one attacker", "step size of the code"
ZERO, AGAIN, TOGETHER = "start at zero", "FOE rescaled again", "all of them"
NOISE = "noise called ALIE"
SHARED = "masks that pairs of run seeds share: counted, expected"


@dataclasses.dataclass(frozen=True)
class Spec:
    """Everything that decides the numbers."""

    setting: rosdhb_images.Setting
    ours: tuple[str, ...] = (MASKS, SEARCH, STEP, TOGETHER)  # deviations of RoSDHB under FOE
    alie: tuple[str, ...] = (ALIE_SEARCHED, NOISE)
    baseline: tuple[str, ...] = (ZERO, AGAIN, STEP, TOGETHER)
    byzantine: int = 3


SPECS = {
    "quick": Spec(rosdhb_images.QUICK, (MASKS, SEARCH, STEP), (NOISE,), (ZERO, AGAIN, STEP)),
    "default": Spec(rosdhb_images.DEFAULT),
    "full": Spec(rosdhb_images.FULL),
}


def faithful(method: str, attack: str) -> str:
    """The name of a run without deviations."""
    return f"{method}, {rosdhb_images.SHOWN.get(attack, attack)}, faithful"


def deviating(method: str, attack: str, deviation: str) -> str:
    """The name of a run with one."""
    return f"{method}, {rosdhb_images.SHOWN.get(attack, attack)}, {deviation}"


def run(spec: Spec, workspace: Workspace) -> Results:
    """The faithful curves, which other figures share, and every deviation."""
    setting, f = spec.setting, spec.byzantine
    steps = rosdhb_images.steps_of(setting, workspace, spec.byzantine)
    found = rosdhb_images.curves(setting, workspace, f=f, ratio=RATIO, steps=steps)
    results: dict[str, Any] = {faithful(method, FOE): found[method, FOE] for method, _ in found}
    for name in spec.ours:
        step = official.STEPS[ROSDHB] if name in (STEP, TOGETHER) else steps[ROSDHB]
        attack = official.foe_of_one_attacker() if name in (SEARCH, TOGETHER) else None
        one = _masks_by_seed if name in (MASKS, TOGETHER) else _rosdhb
        results[deviating(ROSDHB, FOE, name)] = one(spec, workspace, name, step, attack)
    ours = {ROSDHB: steps[ROSDHB]}
    for name in (ALIE, *spec.alie):
        if name == NOISE:
            made = _rosdhb(spec, workspace, name, steps[ROSDHB], official.noise_called_alie())
        else:
            made = rosdhb_images.curves(
                setting, workspace, f=f, ratio=RATIO, steps=ours, attacks=[name], methods=[ROSDHB]
            )[ROSDHB, name]
        which = faithful(ROSDHB, ALIE) if name == ALIE else deviating(ROSDHB, ALIE, name)
        results[which] = made
    for name in spec.baseline:
        step = official.STEPS[DASHA] if name in (STEP, TOGETHER) else steps[DASHA]
        attack = None
        if name in (AGAIN, TOGETHER):
            attack = official.rescaled_again(official.foe_of_one_attacker(), RATIO)
        change = official.zero_start if name in (ZERO, TOGETHER) else None
        results[deviating(DASHA, FOE, name)] = _single(
            spec, workspace, DASHA, name, step, attack, change
        )
    results[SHARED] = workspace.arrays(
        "shared masks", lambda: {SHARED: shared_masks(setting)}, setting
    )[SHARED]  # fmt: skip
    return results


def _rosdhb(
    spec: Spec, workspace: Workspace, name: str, step: float, attack: Attack | None
) -> jb.History:
    return _single(spec, workspace, ROSDHB, name, step, attack, None)


def _single(
    spec: Spec,
    workspace: Workspace,
    method: str,
    name: str,
    step: float,
    attack: Attack | None,
    change: Callable[[Algorithm], Algorithm] | None,
) -> jb.History:
    """One method with another attack, or changed; None: the faithful ones."""
    setting = spec.setting
    make = rosdhb_images.methods_of(setting, spec.byzantine, RATIO)[method]
    used = (
        rosdhb_images.attack_of(FOE, setting.honest, spec.byzantine) if attack is None else attack
    )
    found = workspace.runs(
        f"{method}, {name}",
        {method: make if change is None else lambda step: change(make(step))},
        rosdhb_images.problem_of(setting, workspace, spec.byzantine), attacks=[used],
        steps={method: step},
        rounds=setting.rounds, seeds=setting.seeds, **rosdhb_images.alike(setting),
    )  # fmt: skip
    return found[method, used.name]


def _masks_by_seed(
    spec: Spec, workspace: Workspace, name: str, step: float, attack: Attack | None
) -> jb.History:
    """Run i has the start and the draws of seed i, and the masks of the i-th run seed."""
    setting = spec.setting
    problem = rosdhb_images.problem_of(setting, workspace, spec.byzantine)
    used = (
        rosdhb_images.attack_of(FOE, setting.honest, spec.byzantine) if attack is None else attack
    )
    make = rosdhb_images.methods_of(setting, spec.byzantine, RATIO)[ROSDHB]
    run_seeds = official.RUN_SEEDS[: setting.seeds]

    @jax.jit
    def one(run_seed: jax.Array, keys: tuple[jax.Array, ...], data: Any, test: Any) -> Any:
        algorithm = official.masks_by_run_seed(make(step), run_seed)
        several = session(algorithm, problem, used, evaluate=["test"], map_workers=jb.one_by_one)
        _, start, _, columns = several.run_evaluated(
            keys, setting.rounds, setting.every, data, test
        )
        return jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), start, columns)

    def all_seeds() -> dict[str, np.ndarray]:
        streams = jb.seeds.streams(range(len(run_seeds)))
        made = [
            one(jnp.uint32(seed), tuple(key[i] for key in streams), problem.data, problem.test)
            for i, seed in enumerate(run_seeds)
        ]
        return {column: np.stack([run[column] for run in made]) for column in made[0]}

    columns = workspace.arrays(f"{ROSDHB}, {name}", all_seeds, setting, step, used.name)
    rounds = np.arange(0, setting.rounds + 1, setting.every)
    about = {"step": step, "dimension": problem.dimension, "algorithm": ROSDHB, "attack": used.name}
    return jb.History(rounds, columns, np.zeros((len(run_seeds), 0)), np.array(run_seeds), about)


def shared_masks(setting: rosdhb_images.Setting, dimension: int = 400) -> np.ndarray:
    """For all pairs of run seeds: masks in common, as drawn, and T - |difference|: [2, pairs]."""
    mask = shared_mask(ratio=RATIO)

    @jax.jit
    def drawn(seed: jax.Array) -> jax.Array:  # -> [T, k]
        rounds = jnp.arange(1, setting.rounds + 1)
        draw = jax.vmap(lambda t: mask.draw(official.mask_key(seed, t), dimension))
        return jnp.sort(draw(rounds), axis=1)

    sets = {
        seed: {row.tobytes() for row in np.asarray(drawn(jnp.uint32(seed)))}
        for seed in official.RUN_SEEDS
    }
    pairs = [(a, b) for a in official.RUN_SEEDS for b in official.RUN_SEEDS if a < b]
    counted = [len(sets[a] & sets[b]) for a, b in pairs]
    return np.array([counted, [max(0, setting.rounds - (b - a)) for a, b in pairs]])


def check(spec: Spec, results: Results) -> list[Finding]:
    """The claims held against the curves."""
    counted, expected = results[SHARED]
    checked = [
        findings.equal("two run seeds share T - |their difference| of T masks", counted, expected)
    ]
    for method, attack, deviations in _panels(spec):
        plain = accuracy(results[faithful(method, attack)])
        for name in deviations:
            other = accuracy(results[deviating(method, attack, name)])
            where = f"{method}, {rosdhb_images.SHOWN.get(attack, attack)}: {name}"
            # Apart, since noise alone makes the mean of an absolute change larger than 0.
            for way, change in (("raises", other - plain), ("lowers", plain - other)):
                checked.append(
                    findings.at_most(
                        f"{where} {way} the test accuracy at the end by at most {SAME:g}",
                        change, SAME, f"{way} by",
                    )
                )  # fmt: skip
    return checked


def _panels(spec: Spec) -> list[tuple[str, str, Sequence[str]]]:
    return [(ROSDHB, FOE, spec.ours), (ROSDHB, ALIE, spec.alie), (DASHA, FOE, spec.baseline)]


def plot(spec: Spec, results: Results) -> Any:
    """Test accuracy against rounds; the faithful run, black, beside each deviation."""
    figure, axes = drawing.axes(1, 3, sharey=True)
    colors = (drawing.ORANGE, drawing.SKY, drawing.GREEN, drawing.PURPLE)
    for ax, (method, attack, deviations) in zip(axes[0], _panels(spec), strict=True):
        runs = {"faithful": results[faithful(method, attack)]}
        runs |= {name: results[deviating(method, attack, name)] for name in deviations}
        for (name, history), color in zip(runs.items(), (drawing.BLACK, *colors), strict=False):
            drawing.curve(
                ax, history, "test_accuracy",
                label=f"{name} (γ = {history.about['step']:.3g})", color=color,
            )  # fmt: skip
        drawing.legend(ax, loc="best")
        ax.set_ylim(0, 1)
        ax.set_title(f"{method}, {rosdhb_images.SHOWN.get(attack, attack)}", fontsize=9)
    drawing.title(
        figure,
        f"{rosdhb_images.title_of(spec.setting)}: f = {spec.byzantine}, k/d = {RATIO}; median and "
        "range; deviations of the public code",
    )
    return figure
