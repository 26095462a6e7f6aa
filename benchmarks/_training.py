"""What benchmarks that train many students share."""

import math

import keras


def kept(path, train):
    """The model of a file; trained, and written there, if it is not there yet.

    Args:
        path: `Path` of a .keras file.
        train: function without arguments that gives the trained model.

    Returns:
        A `keras.Model`, not compiled.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"unfinished_{path.name}")
        train().save(unfinished)
        unfinished.rename(path)
    return keras.models.load_model(path, compile=False)


def classes_of(model, part):
    """The classes that a model chooses for a `Split`, `(examples,)`."""
    return model.predict(part.arrays()[0], verbose=0).argmax(axis=-1)


def falling_adam(rate, epochs, data, *, batch_size):
    """Adam whose rate falls to 0 along a cosine in so many epochs of training data."""
    steps = epochs * math.ceil(len(data.train) / batch_size)
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
