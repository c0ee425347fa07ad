"""EMNIST: handwritten letters and digits in six splits, in files like those of MNIST."""

from jaxbyz.data._files import Root, data_root, under, with_unpacked
from jaxbyz.data.dataset import Dataset
from jaxbyz.data.idx import EMNIST_PAGE, known_source, load_images

SPLITS = {"byclass": 62, "bymerge": 47, "balanced": 47, "letters": 26, "digits": 10, "mnist": 10}


def emnist(split: str = "letters", root: Root = None) -> Dataset:
    """Returns a split of EMNIST: handwritten letters and digits, [., 28, 28, 1].

    `split`: "byclass" (62 classes), "bymerge" (47), "balanced" (47), "letters" (26), "digits"
    (10) or "mnist" (10). Labels are 0..classes-1: in the files of "letters" they are 1..26, of
    which 1 is subtracted, so that 0 is A. Images are as in the files: rows and columns are those
    of MNIST exchanged. Pixels are (byte / 255 - 0.1736) / 0.3317 in every split.

    Folders: root/EMNIST/raw, root/EMNIST, root, and root/gzip, root/archive and
    root/emnist_source_files where archives unpack; root defaults to the environment variable
    JAXBYZ_DATA, then ./data. Files: `emnist-letters-train-images-idx3-ubyte` and so on, spelled
    as for `idx_images`.

    Raises:
        FileNotFoundError: no folder holds all four files of the split.
        ValueError: there is no such split; a file is damaged, has other images than 28 x 28, or
            other labels than its split.

    Source: Cohen, Afshar, Tapson, van Schaik, "EMNIST: an extension of MNIST to handwritten
    letters", arXiv 1702.05373.

    >>> emnist("letters", "/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: EMNIST letters was not found. Folders tried:...
    """
    if split not in tuple(SPLITS):
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    source = known_source(
        f"emnist_{split}", f"EMNIST {split}", "EMNIST", root, EMNIST_PAGE, 0.1736, 0.3317
    )
    top = data_root(root)
    inner = [
        folder
        for base in (under(top, "EMNIST"), *with_unpacked(top, "archive"))
        for folder in with_unpacked(base, "gzip", "emnist_source_files")[1:]
    ]
    source = source._replace(folders=[*source.folders, *inner], prefixes=(f"emnist-{split}-",))
    shapes = ((None, 28, 28),) * 2
    return load_images(source._replace(shapes=shapes, classes=SPLITS[split], first_label=None))
