"""Accuracy with the interval that the number of examples allows."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest


@dataclass(frozen=True)
class Accuracy:
    """The fraction of examples classified correctly.

    Attributes:
        value: float in [0, 1].
        ci95: `(low, high)`, Wilson's 95 % interval.
        examples: int.
    """

    value: float
    ci95: tuple[float, float]
    examples: int


def accuracy(predicted, labels):
    """The accuracy of predicted classes.

    Args:
        predicted: int array `(n,)`.
        labels: int array `(n,)`.

    Returns:
        An `Accuracy`.

    Reference:
        Wilson, 1927, https://doi.org/10.1080/01621459.1927.10502953.

    Example:
        >>> result = accuracy([1, 2, 3, 3], [1, 2, 3, 0])
        >>> result.value, [round(bound, 2) for bound in result.ci95]
        (0.75, [0.3, 0.95])
    """
    right = np.asarray(predicted) == np.asarray(labels)
    interval = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return Accuracy(
        float(right.mean()), (float(interval.low), float(interval.high)), len(right)
    )


def decide(scores, activation):
    """The class each row of scores stands for.

    Args:
        scores: `(n, num_classes)`, outputs of a model or file; for one unit, yes or no.
        activation: str, of the head that gave them (see `keras_kd.outputs.Head`).

    Returns:
        Int array `(n,)`.

    Example:
        >>> decide([[0.2], [0.7]], "sigmoid").tolist()
        [0, 1]
    """
    scores = np.asarray(scores)
    if scores.shape[-1] == 1:
        threshold = 0.5 if activation == "sigmoid" else 0.0
        return (scores[:, 0] > threshold).astype("int64")
    return scores.argmax(axis=-1)
