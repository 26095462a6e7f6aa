"""How often a model is right at each confidence."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from keras_kd._checks import invalid
from keras_kd.explain._arrays import classes_of, scores_of, two_or_more


@dataclass(frozen=True)
class Reliability:
    """The bins of a reliability diagram.

    Attributes:
        edges: float `(bins + 1,)`, from 0 to 1; a bin has its upper edge.
        confidence: float `(bins,)`, the mean probability of the chosen classes; NaN for
            an empty bin.
        accuracy: float `(bins,)`, the share that is right; NaN for an empty bin.
        count: int `(bins,)`, examples.
        ece: float in [0, 1], the expected calibration error.

    Example:
        >>> reliability([[0.9, 0.1], [0.3, 0.7]], [0, 0], bins=2).count.tolist()
        [0, 2]
    """

    edges: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    ece: float


def reliability(logits_or_probabilities, labels, *, bins=15, from_logits=None):
    """Confidence against accuracy, in bins of equal width.

    Args:
        logits_or_probabilities: float `(n, num_classes)`; one unit is the second of two
            classes.
        labels: true classes `(n,)`, or one-hot.
        bins: int > 0. Default 15, as in the paper.
        from_logits: bool; None takes rows in [0, 1] that sum to 1 as probabilities, and
            so one unit whose values are all in [0, 1].

    Returns:
        A `Reliability`, whose error is that of
        `keras_kd.callbacks.ExpectedCalibrationError`.

    Raises:
        ValueError: An argument cannot be used.

    Reference:
        Guo et al., 2017, https://arxiv.org/abs/1706.04599.
        Departures: none.

    Example:
        >>> round(reliability([[0.9, 0.1], [0.3, 0.7]], [0, 0]).ece, 3)
        0.4
    """
    where = "reliability"
    if not isinstance(bins, (int, np.integer)) or isinstance(bins, bool) or bins < 1:
        fix = "Leave it out for the usual 15."
        raise invalid(where, "`bins` to be an integer of at least 1", repr(bins), fix)
    scores = scores_of(where, "logits_or_probabilities", logits_or_probabilities)
    probabilities = _probabilities(where, scores, from_logits)
    labels = classes_of(where, labels, *probabilities.shape)
    # As the metric counts, in float32, so that none is on the other side of an edge.
    confidence = probabilities.max(axis=1).astype("float32")
    number = np.ceil(confidence * np.float32(bins)).astype(int) - 1
    number = np.clip(number, 0, bins - 1)
    is_right = probabilities.argmax(axis=1) == labels
    count = np.bincount(number, minlength=bins)
    sums = [np.bincount(number, each, bins) for each in (confidence, is_right)]
    confidence, accuracy = (_divided(each, count) for each in sums)
    error = float(np.abs(sums[1] - sums[0]).sum() / len(labels))
    edges = np.linspace(0.0, 1.0, bins + 1)
    return Reliability(edges, confidence, accuracy, count, error)


def _probabilities(where, scores, from_logits):
    sums = scores.sum(axis=1)
    can_be = scores.min() >= 0 and scores.max() <= 1
    can_be = can_be and (scores.shape[1] == 1 or np.allclose(sums, 1.0, atol=1e-2))
    if from_logits is None:
        from_logits = not can_be
    if not from_logits and not can_be:
        raise invalid(
            where,
            "probabilities, because of from_logits=False",
            f"values from {scores.min():.3g} to {scores.max():.3g}",
            "Leave out from_logits, or pass True.",
        )
    if from_logits:
        return softmax(two_or_more(scores), axis=1)
    return scores if scores.shape[1] > 1 else np.hstack([1.0 - scores, scores])


def _divided(sums, count):
    return np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
