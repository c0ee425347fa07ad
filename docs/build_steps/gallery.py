"""To be written."""


def pages():
    return {"index.md": "# gallery\n"}
