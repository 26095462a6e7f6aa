"""Sources that are read as a stream: tensorflow-datasets and folders of images."""

import functools
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

from keras_kd._checks import invalid, near_matches
from keras_kd.data.arrays import TEST_FRACTION, VALIDATION_FRACTION, WHERE
from keras_kd.data.split import Split


def load_tfds(name, image_size):
    """The three parts of a data set of tensorflow-datasets, and the class names."""
    builder = _builder(name)
    keys = builder.info.supervised_keys
    label = builder.info.features[keys[1]]
    builder.download_and_prepare()
    # One file after the other, so that a part of the data is a part of that order.
    config = tfds.ReadConfig(add_tfds_id=True, interleave_cycle_length=1)

    def read(split):
        dataset = builder.as_dataset(split=split, read_config=config)
        return dataset.map(
            lambda item: {"id": item["tfds_id"], "x": item[keys[0]], "y": item[keys[1]]}
        )

    def take(split, start, stop):
        return read(f"{split}[{start}:{stop}]")

    sizes = {part: split.num_examples for part, split in builder.info.splits.items()}
    return _parts(sizes, take, image_size), label.names


def _builder(name):
    """The builder of a classification data set, before anything is downloaded."""
    try:
        builder = tfds.builder(name)
    except tfds.core.DatasetNotFoundError as error:
        raise invalid(
            WHERE,
            "the name of a data set of tensorflow-datasets",
            f'"{name}"',
            near_matches(name, tfds.list_builders())
            or "tensorflow_datasets.list_builders() has the names.",
        ) from error
    keys, features = builder.info.supervised_keys, builder.info.features
    if not keys or not isinstance(features[keys[1]], tfds.features.ClassLabel):
        raise invalid(
            WHERE,
            "a classification data set",
            f'"{name}" without class labels',
            "Choose one whose catalogue page names supervised keys (input, label).",
        )
    if features[keys[0]].tf_dtype in (tf.string,) or isinstance(
        features[keys[0]].tf_dtype, dict
    ):
        raise invalid(
            WHERE,
            "a data set of images or numbers",
            f'"{name}" whose inputs are {type(features[keys[0]]).__name__}',
            "Encode them as numbers and pass an npz file.",
        )
    return builder


def load_folder(place, image_size):
    """The three parts of a folder of images, and the class names."""
    root = Path(place).expanduser()
    if not any(root.glob("train/*/*")):
        raise invalid(
            WHERE,
            "a folder with images as train/CLASS/image.jpg",
            f'"{root}"',
            "Sort the images into one folder a class, below a folder called train.",
        )
    builder = tfds.ImageFolder(str(root), dtype=None)

    channels = 0

    def take(split, start, stop):
        # Undecoded, so that what lies before `start` is passed over quickly.
        dataset = builder.as_dataset(
            split=split, decoders={"image": tfds.decode.SkipDecoding()}
        )
        dataset = dataset.skip(start).take(stop - start)
        return dataset.map(
            lambda item: _decoded(item, str(root), channels), num_parallel_calls=2
        )

    sizes = {part: split.num_examples for part, split in builder.info.splits.items()}
    # Folders often mix colour and grey files; all are read like the first ones.
    channels = min(3, max(item["x"].shape[-1] for item in take("train", 0, 16)))
    parts = _parts(sizes, take, image_size, channels=channels)
    return parts, builder.info.features["label"].names


def _parts(sizes, take, image_size, channels=None):
    """Names the three parts, taking those that are missing from the training part.

    Args:
        sizes: dict of the source's parts to their numbers of examples.
        take: function `(part, start, stop)` to a `tf.data.Dataset`.
        image_size: None or `(height, width)`.
        channels: None or int, known number of image channels.
    """
    total = sizes.get("train", 0)
    test = 0 if "test" in sizes else round(total * TEST_FRACTION)
    validation = 0 if "validation" in sizes else round(total * VALIDATION_FRACTION)
    ranges = {
        "test": ("train", 0, test),
        "validation": ("train", test, test + validation),
        "train": ("train", test + validation, total),
    }
    ranges |= {
        part: (part, 0, sizes[part]) for part in ("validation", "test") if part in sizes
    }
    return {
        part: _split(functools.partial(take, split), start, stop, image_size, channels)
        for part, (split, start, stop) in ranges.items()
    }


def _split(take, first, last, image_size, channels):
    """The `Split` of the examples from number `first` to before `last` of a source."""
    undecided = take(first, last)
    spec = undecided.element_spec["x"]
    if spec.dtype == tf.uint8 and image_size is None:
        image_size = _common_size(undecided, spec)

    def between(start, stop):
        return _as_floats(take(first + start, first + stop), image_size, channels)

    return Split(_as_floats(undecided, image_size, channels), last - first, between)


def _decoded(item, root, channels):
    image = tf.io.decode_image(
        item["image"], channels=channels, expand_animations=False
    )
    name = tf.strings.substr(item["image/filename"], len(root) + 1, 1_000_000)
    return {"id": name, "x": image, "y": item["label"]}


def _as_floats(dataset, image_size, channels):
    is_image = dataset.element_spec["x"].dtype == tf.uint8

    def convert(example):
        x = tf.cast(example["x"], tf.float32)
        if is_image:
            x = _resized(x, image_size, channels) / 255.0
        return {**example, "x": x, "y": tf.cast(example["y"], tf.int64)}

    return dataset.map(convert, num_parallel_calls=2)


def _resized(image, size, channels):
    image.set_shape((None, None, channels or image.shape[-1]))
    resized = tf.cond(
        tf.reduce_all(tf.equal(tf.shape(image)[:2], size)),
        lambda: image,
        lambda: tf.image.resize(image, size, antialias=True),
    )
    return tf.ensure_shape(resized, (*size, image.shape[-1]))


def _common_size(dataset, spec):
    """The size of the images, if the first ones agree on it."""
    if spec.shape.rank == 3 and None not in spec.shape[:2]:
        return tuple(spec.shape[:2])
    sizes = {tuple(item["x"].shape[:2]) for item in dataset.take(16)}
    if len(sizes) == 1:
        return sizes.pop()
    raise invalid(
        WHERE,
        "images of one size",
        f"sizes {sorted(sizes)[:3]}, …",
        "Pass image_size=(height, width), or --image-size on the command line.",
    )
