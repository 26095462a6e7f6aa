"""Every public name is documented the same way and is found in one place."""

import importlib
import inspect

import pytest

import keras_kd
from keras_kd import losses

ROOMS = [name for name in keras_kd.__all__ if name.islower()]
NAMES = [
    (room, name)
    for room in ROOMS
    for name in importlib.import_module(f"keras_kd.{room}").__all__
]
LOSSES = [
    getattr(losses, name)
    for name in losses.__all__
    if name.endswith(("Distillation", "_divergence"))
]


@pytest.mark.parametrize(("room", "name"), NAMES, ids=map(".".join, NAMES))
def test_public_name_has_a_complete_docstring(room, name):
    thing = getattr(importlib.import_module(f"keras_kd.{room}"), name)
    if not callable(thing):
        return
    text = inspect.getdoc(thing)
    assert text, name
    fields = getattr(thing, "__dataclass_fields__", None) or getattr(
        thing, "_fields", None
    )
    if fields:
        assert "Attributes:" in text
        assert not [field for field in fields if f"{field}:" not in text]
        return
    if inspect.isclass(thing) and issubclass(thing, Exception):
        return
    if inspect.isclass(thing) and inspect.isabstract(thing) and room == "teachers":
        return
    for section in ("Args:", "Example:"):
        assert section in text, f"{name} has no {section}"
    arguments = [
        argument
        for argument, p in inspect.signature(thing).parameters.items()
        if p.kind is not p.VAR_KEYWORD and argument not in ("self", "args")
    ]
    missing = [argument for argument in arguments if f"{argument}:" not in text]
    assert not missing, f"{name} does not document {missing}"


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_loss_names_its_source_and_departures(loss):
    assert "Reference:" in loss.__doc__
    assert "Departures:" in loss.__doc__
    assert "https://" in loss.__doc__


def test_public_names_load_on_first_use():
    for name in ("Distiller", "MutualDistiller"):
        assert getattr(keras_kd, name).__name__ == name
    assert set(keras_kd.__all__) <= set(dir(keras_kd))
    with pytest.raises(AttributeError, match="no attribute 'Distilller'"):
        keras_kd.Distilller  # noqa: B018


def test_no_name_is_public_in_two_rooms():
    names = [name for _, name in NAMES]
    assert len(names) == len(set(names))
