"""What scores and labels must be before anything is computed from them."""

import numpy as np

from keras_kd._checks import invalid


def scores_of(where, name, scores, *, most_like=None):
    """Scores as float64, `(n, num_classes)`.

    Args:
        where: str, see `invalid`.
        name: str, what the argument is called.
        scores: float `(n, num_classes)`.
        most_like: None, or an array whose shape they must have.

    Raises:
        ValueError: They are not such a table of finite numbers.

    Example:
        >>> scores_of("here", "logits", [[1, 2]]).dtype
        dtype('float64')
    """
    scores = np.asarray(scores)
    is_table = scores.ndim == 2 and scores.size and scores.dtype.kind in "fiu"
    if not is_table or (most_like is not None and scores.shape != most_like.shape):
        wanted = "(n, num_classes)" if most_like is None else most_like.shape
        raise invalid(
            where,
            f"`{name}` to be numbers of shape {wanted}",
            f"{scores.dtype} of shape {scores.shape}",
            "Pass one row of class scores for each example.",
        )
    scores = scores.astype("float64")
    if not np.isfinite(scores).all():
        raise invalid(
            where,
            f"finite `{name}`",
            "NaN or inf",
            "Check the model and the range of its inputs.",
        )
    return scores


def classes_of(where, labels, num_examples, num_classes):
    """The true class of each example, int `(n,)`.

    Args:
        where: str, see `invalid`.
        labels: class numbers `(n,)` or `(n, 1)`, or one-hot `(n, num_classes)`.
        num_examples: int.
        num_classes: int, at least 2.

    Raises:
        ValueError: They are not, or a number is no class.

    Example:
        >>> classes_of("here", [[0, 1], [1, 0]], 2, 2).tolist()
        [1, 0]
    """
    labels = np.asarray(labels)
    if labels.shape == (num_examples, num_classes):
        labels = labels.argmax(axis=-1)
    fits = labels.shape in ((num_examples,), (num_examples, 1))
    fits = fits and labels.dtype.kind in "fiub"
    numbers = labels.reshape(-1).astype("float64") if fits else np.array([np.nan])
    is_class = (numbers >= 0) & (numbers < num_classes) & (numbers == numbers // 1)
    if not is_class.all():
        raise invalid(
            where,
            f"one of the {num_classes} classes for each of {num_examples} examples",
            f"{labels.dtype} of shape {labels.shape}"
            + (f" with {numbers[~is_class][0]:g}" if fits else ""),
            "Pass class numbers from 0, or one-hot rows.",
        )
    return numbers.astype("int64")


def two_or_more(logits):
    """Logits with a column for each class: one unit is the second of two classes.

    Example:
        >>> two_or_more(np.array([[3.0]])).tolist()
        [[0.0, 3.0]]
    """
    if logits.shape[1] > 1:
        return logits
    return np.concatenate([np.zeros_like(logits), logits], axis=1)
