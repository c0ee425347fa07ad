"""To be written."""


def connect(app):
    pass
