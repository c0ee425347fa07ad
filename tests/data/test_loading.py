import pytest

import jaxbyz.data
from jaxbyz.data import digits, load


def test_every_public_name_exists():
    assert len(set(jaxbyz.data.__all__)) == len(jaxbyz.data.__all__)
    assert all(callable(getattr(jaxbyz.data, name)) for name in jaxbyz.data.__all__)


def test_digits_take_no_root(tmp_path):
    assert (load("digits").train_images == digits().train_images).all()
    with pytest.raises(ValueError, match="root must be None for 'digits', which reads no files"):
        load("digits", tmp_path)


@pytest.mark.parametrize(
    ("name", "title", "folder"),
    [
        ("mnist", "MNIST", "MNIST/raw"),
        ("fashion_mnist", "Fashion-MNIST", "FashionMNIST/raw"),
        ("cifar10", "CIFAR-10", "cifar-10-batches-bin"),
    ],
)
def test_each_name_reaches_its_loader_with_the_root(tmp_path, monkeypatch, name, title, folder):
    import sys

    monkeypatch.setattr(sys.modules["jaxbyz.data.idx"], "_DEBIAN_FASHION", tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=f"^{title} was not found") as caught:
        load(name, tmp_path)
    assert str(tmp_path / folder) in str(caught.value)


@pytest.mark.parametrize("name", ["MNIST", "", "svhn"])
def test_an_unknown_name_lists_the_known_ones(name):
    names = "digits, mnist, fashion_mnist, cifar10"
    with pytest.raises(ValueError, match=f"name must be one of {names}, got '{name}'"):
        load(name)
