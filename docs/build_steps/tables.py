"""To be written."""


def pages():
    return {"index.md": "# tables\n"}
