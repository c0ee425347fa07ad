"""How other libraries and published codes write the same rules and attacks."""


def page() -> str:
    return "# Conventions\n"
