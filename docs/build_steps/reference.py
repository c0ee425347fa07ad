"""To be written."""


def pages():
    return {"index.md": "# reference\n"}
