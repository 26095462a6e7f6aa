"""What `label` is given, checked before its work starts."""

import contextlib
import math

import keras
import tensorflow as tf

from keras_kd._checks import (
    InvalidInputError,
    check_choice,
    check_positive,
    invalid,
)
from keras_kd.data import Examples
from keras_kd.data.augment import augmented
from keras_kd.data.hashes import view_seed
from keras_kd.data.split import check_images
from keras_kd.teachers._store import WHERE
from keras_kd.teachers.base import Teacher, check_one_output
from keras_kd.teachers.ensemble import Ensemble
from keras_kd.teachers.frozen import FrozenTeacher

DTYPES = ("float16", "float32")
MOST_SHARD_EXAMPLES = 8192
MOST_SHARD_BYTES = 64 * 2**20


def check_count(where, name, value, *, least=1):
    """Raises unless `value` is an int of at least `least`.

    Args:
        where: str, see `invalid`.
        name: str, the argument's.
        value: what was given.
        least: int.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise invalid(
            where,
            f"`{name}` to be an int of at least {least}",
            repr(value),
            f"Choose a whole number as `{name}`.",
        )


def check_plain(dtype, views, batch_size, temperature):
    """Raises unless these are what they must be, whatever the teacher and the data."""
    check_choice(WHERE, "dtype", dtype, DTYPES)
    check_count(WHERE, "views", views)
    check_count(WHERE, "batch_size", batch_size)
    if temperature is not None:
        check_positive(WHERE, "temperature", temperature)


def as_teacher(teacher):
    """A `Teacher` that answers inputs, of what the user passed."""
    if isinstance(teacher, keras.Model):
        teacher = FrozenTeacher(teacher)
    if isinstance(teacher, (list, tuple)):
        return Ensemble(teacher)
    if isinstance(teacher, Teacher) and teacher.can_answer(Examples(())):
        check_one_output(WHERE, teacher)
        return teacher
    raise invalid(
        WHERE,
        "a Keras model, a list of them or a Teacher that runs",
        f"a {type(teacher).__name__}",
        "The order is label(teacher, dataset, path).",
    )


def check_augment(steps, views, examples, first):
    """Raises unless the steps give the same image for the same seed, and are needed.

    Args:
        steps: tuple of functions of `(image, seed)`.
        views: int.
        examples: `tf.data.Dataset`, as in `Source`.
        first: dict, a batch of some examples.
    """
    if not steps:
        if views > 1:
            raise invalid(
                WHERE,
                "`augment` for several views",
                f"views={views} of examples that are always the same",
                "Pass augment, such as keras_kd.data.random_crop(2), or views=1.",
            )
        return
    check_images(WHERE, examples)
    seed = view_seed(first["id"][0], 0)
    once, again = (augmented(first["x"][0], steps, seed) for _ in range(2))
    if once.shape != again.shape or not bool(tf.reduce_all(once == again)):
        raise invalid(
            WHERE,
            "the same image from `augment` for the same seed",
            "another one",
            "Use the seed that it is given: tf.image.stateless_…(image, …, seed).",
        )


def check_top_k(top_k, num_classes, is_sigmoid):
    """Raises unless so many classes can stand for all."""
    if top_k is None:
        return
    check_count(WHERE, "top_k", top_k)
    if is_sigmoid:
        raise invalid(
            WHERE,
            "all labels of a teacher that scores each by itself (sigmoid)",
            f"top_k={top_k}",
            "Leave out top_k: such labels share no mass.",
        )
    if top_k >= num_classes:
        raise invalid(
            WHERE,
            f"top_k below the {num_classes} classes of the teacher",
            f"top_k={top_k}",
            "Leave out top_k to store all classes.",
        )


def check_rank(shape):
    """Raises unless there is one row of logits for each example."""
    if len(shape) != 2:
        raise invalid(
            WHERE,
            "logits (batch, num_classes) from the teacher",
            tuple(shape),
            "Wrap the model in one that gives a row for each example.",
        )


def temperature_of(temperature, top_k, is_mean):
    """The temperature at which stored logits are exact; None where they always are."""
    if is_mean and temperature is None:
        raise invalid(
            WHERE,
            "`temperature`, at which the ensemble's probabilities are averaged",
            "none",
            "Pass that of the distillation, such as temperature=4.0, or use "
            'Ensemble(..., average="logits").',
        )
    if temperature is not None and not is_mean and not top_k:
        raise invalid(
            WHERE,
            "`temperature` for `top_k` or an ensemble's mean of probabilities only",
            f"temperature={temperature}",
            "Leave it out: all logits of a model are stored as they are.",
        )
    if top_k or is_mean:
        return float(temperature or 1.0)
    return None


def shard_size_of(shard_size, batch_size, stored):
    """The number of examples a shard, in whole batches.

    Args:
        shard_size: int, or None to choose one.
        batch_size: int.
        stored: int, logits an example.
    """
    if shard_size is None:
        most = min(MOST_SHARD_EXAMPLES, MOST_SHARD_BYTES // (4 * stored))
        return batch_size * math.ceil(max(most, 1) / batch_size)
    check_count(WHERE, "shard_size", shard_size)
    if shard_size % batch_size:
        raise invalid(
            WHERE,
            f"`shard_size` in whole batches of {batch_size}",
            shard_size,
            f"Choose {batch_size * math.ceil(shard_size / batch_size)}.",
        )
    return shard_size


@contextlib.contextmanager
def explained(source):
    """Puts what a teacher's first layer says of a wrong input into our words."""
    try:
        yield
    except InvalidInputError:
        raise
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        said = " ".join(str(error).split())
        raise invalid(
            WHERE,
            "examples that the teacher takes",
            f"{source.examples.element_spec['x']} ({said[:200]})",
            "Choose its data and image size, or give it a `preprocessing`.",
        ) from error
