"""One process at a time in a folder."""

import datetime
import errno
import json
import os
import socket
from pathlib import Path

from jaxbyz.contracts.callers import warn

NAME = "lock"


class Lock:
    """Makes this process the only one that writes in a folder, until `release` or until it ends.

    It is the system's lock (`flock`) on a file in the folder, so that it ends with the process even
    after SIGKILL. The file names the holder.

    Raises:
        ValueError: another run holds it; the message says which. It cannot be written in.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = Lock(Path(folder))
    ...     try:
    ...         Lock(Path(folder))
    ...     except ValueError as error:
    ...         print(f"process {os.getpid()} (this one) on {socket.gethostname()}" in str(error))
    ...     first.release()
    ...     Lock(Path(folder)).release()
    True
    """

    def __init__(self, folder: Path):
        import fcntl  # POSIX alone; everything but checkpoints runs without

        try:
            self.descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise ValueError(
                f"the folder {folder} cannot be written in: {error.strerror} ({error.filename})"
            ) from error
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                holder = _holder(self.descriptor)
                self.release()
                raise ValueError(
                    f"the folder {folder} is in use by {holder}: wait for it, or give another "
                    "folder"
                ) from None
            warn(
                f"the folder {folder} cannot be locked ({error.strerror}): see to it that no other "
                "process uses it"
            )
        own = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.datetime.now().astimezone().isoformat(" ", "seconds"),
        }
        try:
            os.ftruncate(self.descriptor, 0)
            os.pwrite(self.descriptor, json.dumps(own).encode(), 0)
        except OSError as error:
            self.release()
            raise ValueError(
                f"the folder {folder} cannot be locked: {folder / NAME} cannot be written "
                f"({error.strerror})"
            ) from error

    def release(self) -> None:
        """Let others in. The file stays: removing it would leave two locks to two who wait."""
        os.close(self.descriptor)


def _holder(descriptor: int) -> str:
    try:
        known = json.loads(os.pread(descriptor, 4096, 0))
        here = known["host"] == socket.gethostname() and known["pid"] == os.getpid()
        this = " (this one)" if here else ""
        return f"process {known['pid']}{this} on {known['host']} since {known['since']}"
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ):  # it has not yet written its name
        return "another process"
