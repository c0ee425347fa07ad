"""Pages of pictures and verdicts: an index of all results, and the committed gallery."""

from __future__ import annotations

import html
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paper_figs.frame import records
from paper_figs.frame.figure import load, names
from paper_figs.frame.making import Made

GALLERY = records.ROOT / "paper_figs" / "gallery"
MARKS = {"reproduced": "✓", "not reproduced": "✗", "inconclusive": "?"}


def verdicts(findings: Sequence[Mapping[str, Any]]) -> str:
    """How many of each, in words.

    >>> verdicts([{"kind": "T", "verdict": "reproduced"}, {"kind": "E", "verdict": "reproduced"}])
    'T: 1 reproduced; E: 1 reproduced'
    """
    told = []
    for kind in ("T", "E"):
        of_kind = [f["verdict"] for f in findings if f["kind"] == kind]
        counts = [f"{of_kind.count(v)} {v}" for v in MARKS if v in of_kind]
        if counts:
            told.append(f"{kind}: {', '.join(counts)}")
    return "; ".join(told)


def write_index(out: Path, made: Sequence[Made], failures: Mapping[str, str]) -> Path:
    """`index.html`: pictures and verdicts of all figures, also of those that could not be made."""
    parts = [
        "<!doctype html><meta charset='utf-8'><title>Figures</title>"
        "<style>body{font:15px sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "img{max-width:100%}td,th{padding:.2rem .6rem;text-align:left;vertical-align:top}"
        "tr:nth-child(even){background:#f2f2f2}</style><h1>Figures</h1>"
    ]
    for one in made:
        told = one.about
        parts.append(
            f"<h2 id='{one.name}'>{html.escape(told['title'])}</h2><p><code>{one.name}</code>, "
            f"{told['scale']}, {told['seconds']['run']:.0f} s. "
            f"{html.escape(verdicts(told['findings']))}</p>"
            f"<img src='{one.picture.relative_to(out)}' alt='{html.escape(told['title'])}'>"
            "<table><tr><th>kind<th>verdict<th>claim<th>numbers"
        )
        for f in one.findings:
            cells = (f.kind, f"{MARKS[f.verdict]} {f.verdict}", f.claim, f"{f.numbers} ({f.test})")
            parts.append("<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in cells))
        parts.append("</table>")
    for name, reason in failures.items():
        parts.append(f"<h2>{name}</h2><p>Not made: {html.escape(reason)}</p>")
    path = out / "index.html"
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
    return path


def into_gallery(made: Made, gallery: Path = GALLERY) -> None:
    """Copy a picture and its record into the gallery, and write its page anew."""
    gallery.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made.picture, gallery / f"{made.name}.png")
    records.write_json(gallery / f"{made.name}.json", made.about)
    (gallery / "README.md").write_text(page(gallery), encoding="utf-8")


def page(gallery: Path = GALLERY) -> str:
    """README.md of the gallery, from the records that lie there."""
    found = {
        name: json.loads((gallery / f"{name}.json").read_text(encoding="utf-8"))
        for name in names()
        if (gallery / f"{name}.json").exists()
    }
    lines = [
        "# Gallery",
        "",
        "Every figure as `python -m paper_figs NAME --gallery` made it, on the data that its title",
        "names. T claims are theorems and identities, which must hold; E claims are what a paper",
        "observed, and may come out differently. This page is written by the same command.",
        "",
        "| figure | verdicts | seconds |",
        "|---|---|---|",
    ]
    for name, told in found.items():
        lines.append(
            f"| [{name}](#{name}) {told['title']} | {verdicts(told['findings'])} "
            f"| {told['seconds']['run']:.0f} |"
        )
    for name, told in found.items():
        lines += ["", f"## {name}", "", told["title"], "", f"![{told['title']}]({name}.png)", ""]
        doc = load(name).__doc__.strip()
        lines += [doc, "", "| | verdict | claim | numbers |", "|---|---|---|---|"]
        for f in told["findings"]:
            row = f["kind"], f"{MARKS[f['verdict']]} {f['verdict']}", f["claim"], f["numbers"]
            lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
        lines += [
            "",
            f"Scale {told['scale']}; {told['seconds']['run']:.0f} s, of them "
            f"{told['seconds']['compiling, in all threads']:.0f} s of compiling; revision "
            f"{told['revision']}; jax {told['versions']['jax']}; {told['device']}. "
            f"[Specification, step sizes and intervals]({name}.json)",
        ]
    return "\n".join(lines) + "\n"
