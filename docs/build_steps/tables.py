"""Tables of all methods, rules, attacks and compressors, made by asking the code.

No number here is typed: costs are those of `describe`, constants those of `kappa`, ω and α, and
what an attack sees is what it reads when one round of it is traced.
"""

from __future__ import annotations

from build_steps import attacks_table, conventions, methods_table, parts_tables


def pages() -> dict[str, str]:
    """File name -> its text."""
    made = {
        "methods.md": methods_table.page(),
        "rules.md": parts_tables.rules(),
        "attacks.md": attacks_table.page(),
        "compressors.md": parts_tables.compressors(),
        "conventions.md": conventions.page(),
    }
    listed = "\n".join(name.removesuffix(".md") for name in made)
    index = (
        "# Tables\n\nWhat the parts cost and what is known of them, side by side. These pages are "
        "written by the code that they describe, when the site is built.\n\n"
        f"```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return {"index.md": index, **made}
