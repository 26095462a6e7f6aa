"""Imports every module of keras_kd and tells what that built, and what it shadows."""

import ast
import importlib
import inspect
import json
import pkgutil
import sys
import textwrap

import keras

BUILT = []


def count(kind):
    make = kind.__init__

    def counting(self, *args, **kwargs):
        BUILT.append(type(self).__name__)
        make(self, *args, **kwargs)

    kind.__init__ = counting


def modules():
    import keras_kd

    for module in pkgutil.walk_packages(keras_kd.__path__, "keras_kd."):
        try:
            yield importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name != "apache_beam":  # an extra
                raise


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def names_of_keras(kind):
    """Private names that Keras gives a class or its instances."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    instances = [model, model.layers[0], keras.losses.Huber()]
    instances += [keras.metrics.MeanSquaredError(), keras.callbacks.Callback()]
    bases = [one for one in kind.__mro__ if one.__module__.startswith("keras.")]
    names = {name for base in bases for name in dir(base)}
    for instance in instances:
        if any(base in bases for base in type(instance).__mro__[:-1]):
            names |= set(dir(instance))
    return set(filter(is_private, names))


def own_names(kind):
    """Private names that our part of a class makes or uses."""
    ours = [
        one
        for one in kind.__mro__
        if one.__module__.startswith("keras_kd.")
        and one.__module__ != "keras_kd._keras_internals"
    ]
    for one in ours:
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(one)))):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.FunctionDef):
                yield node.name


for kind in (keras.Operation, keras.KerasTensor, keras.Variable):
    count(kind)
imported = list(modules())
built = list(BUILT)
classes = {
    thing
    for module in imported
    for thing in vars(module).values()
    if inspect.isclass(thing) and thing.__module__.startswith("keras_kd.")
}
of_keras = [
    f"{kind.__module__}.{kind.__name__}: {name}"
    for kind in classes
    if any(base.__module__.startswith("keras.") for base in kind.__mro__)
    for name in sorted(names_of_keras(kind) & set(own_names(kind)))
]
sys.stdout.write(json.dumps({"built": built, "of_keras": sorted(of_keras)}))
