"""What byzfl 0.0.11 returns on fixed rows, as JSON; needs `pip install byzfl==0.0.11`.

python docs/byzfl_outcomes.py > docs/byzfl_outcomes.json

Not a test: `tests/docs/test_byzfl_table.py` holds the table of docs/coming_from_byzfl.md against
these numbers without byzfl.
"""

import json
from importlib.metadata import version

import byzfl
import numpy as np

F = 2
ROWS = np.random.default_rng(0).normal(size=(9, 4)).round(3)
ROWS[7:] += 4  # the Byzantine ones
RULES = {
    "Average()": byzfl.Average(),
    "Median()": byzfl.Median(),
    "TrMean(f=2)": byzfl.TrMean(f=F),
    "GeometricMedian(nu=0.1, T=3)": byzfl.GeometricMedian(nu=0.1, T=3),
    "Krum(f=2)": byzfl.Krum(f=F),
    "MultiKrum(f=2)": byzfl.MultiKrum(f=F),
    "CenteredClipping(L=3, tau=1.0)": byzfl.CenteredClipping(L=3, tau=1.0),
    "MDA(f=2)": byzfl.MDA(f=F),
    "MoNNA(f=2, idx=0)": byzfl.MoNNA(f=F, idx=0),
    "Meamed(f=2)": byzfl.Meamed(f=F),
}
# Before a rule: the mean of what they return.
BEFORE = {
    "NNM(f=2)": byzfl.NNM(f=F),
    "Clipping(c=2.0)": byzfl.Clipping(c=2.0),
    "ARC(f=2)": byzfl.ARC(f=F),
}
ATTACKS = {
    "SignFlipping()": byzfl.SignFlipping(),
    "InnerProductManipulation(tau=2.0)": byzfl.InnerProductManipulation(tau=2.0),
    "ALittleIsEnough(tau=1.5)": byzfl.ALittleIsEnough(tau=1.5),
    "Mimic(epsilon=3)": byzfl.Mimic(epsilon=3),
}
HONEST = len(ROWS) - F

if __name__ == "__main__":
    found = {name: rule(ROWS.copy()) for name, rule in RULES.items()}
    found |= {name: before(ROWS.copy()).mean(axis=0) for name, before in BEFORE.items()}
    found |= {name: attack(ROWS[:HONEST].copy()) for name, attack in ATTACKS.items()}
    told = {"byzfl": version("byzfl"), "f": F, "rows": ROWS.tolist()}
    told["outcomes"] = {name: np.asarray(value).tolist() for name, value in found.items()}
    print(json.dumps(told, indent=1))
