"""Data sets by name."""

from dataclasses import dataclass

from keras_kd._checks import check_choice, invalid
from keras_kd.data.split import Split

_SOURCES = ("digits", "npz", "tfds", "folder")


@dataclass(frozen=True)
class DataSet:
    """A classification data set in three parts that never overlap.

    Choose epochs, models and settings on `validation`; touch `test` once, at the end.

    Attributes:
        name: str, as given to `load`.
        train: `Split` to learn from.
        validation: `Split` to choose on.
        test: `Split` to report on.
        class_names: tuple of str, in the order of the labels.
        input_shape: tuple, of one example.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    input_shape: tuple[int, ...]

    @property
    def num_classes(self):
        """The number of classes."""
        return len(self.class_names)


def load(name="digits", *, image_size=None):
    """Loads a data set and splits it, in the same way in every run.

    A validation or test part that the source does not have is taken from its training
    part: 15 % for validation, 30 % for test (of what is left in order, test first).

    Args:
        name: one of

            - "digits": scikit-learn's 1797 handwritten digits, 8x8x1, in [0, 1];
            - "tfds:NAME": a classification data set of tensorflow-datasets, such as
              "tfds:mnist", downloaded on first use;
            - "folder:PATH": images as `PATH/train/CLASS/image.jpg` and, if there are,
              `PATH/validation/…` and `PATH/test/…` (the layout of `tfds.ImageFolder`);
            - "npz:PATH": a NumPy file with the arrays `x` `(n, ...)` and `y` `(n,)`,
              numbers or names of classes; for tables too.
        image_size: None, or `(height, width)` to which images are resized.

    Returns:
        A `DataSet`. Images are float32 in [0, 1]; tables float32, as they are.

    Raises:
        ValueError: The name, the file or its content cannot be used.

    Example:
        >>> digits = load("digits")
        >>> digits.input_shape, digits.num_classes
        ((8, 8, 1), 10)
    """
    source, _, place = name.partition(":")
    check_choice("keras_kd.data.load", "name", source, _SOURCES)
    if bool(place) == (source == "digits"):
        raise invalid(
            "keras_kd.data.load",
            '"digits", or a source and a place such as "folder:photos"',
            f'"{name}"',
            "Write the name or path after the colon.",
        )
    parts, class_names = _loader(source)(place, image_size)
    for part, split in parts.items():
        if not len(split):
            raise invalid(
                "keras_kd.data.load",
                f"examples in the {part} part",
                f"none in {name}",
                "Use a larger data set.",
            )
    shape = tuple(parts["train"].examples.element_spec["x"].shape)
    return DataSet(name, **parts, class_names=tuple(class_names), input_shape=shape)


def _loader(source):
    """The function that reads a kind of data set."""
    # Here, because a Distiller needs neither: tensorflow-datasets and what is used of
    # scikit-learn were most of the time that its import takes beside Keras's.
    from keras_kd.data import arrays, images

    return {
        "digits": arrays.load_digits,
        "npz": arrays.load_npz,
        "tfds": images.load_tfds,
        "folder": images.load_folder,
    }[source]
