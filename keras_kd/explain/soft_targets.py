"""What a teacher's soft targets say beyond the labels."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax, xlogy

from keras_kd._checks import check_positive, invalid
from keras_kd.explain._arrays import classes_of, scores_of, two_or_more


@dataclass(frozen=True)
class SoftTargetEntropy:
    """How much soft targets say at several temperatures.

    Attributes:
        temperatures: float `(t,)`.
        entropy_nats: float `(t, n)`, of each example at each temperature.
        largest_nats: float, the entropy of equal probabilities, log(num_classes).

    Example:
        >>> entropy = soft_target_entropy([[0.0, 0.0]], [1.0])
        >>> entropy.entropy_bits.tolist()
        [[1.0]]
    """

    temperatures: np.ndarray
    entropy_nats: np.ndarray
    largest_nats: float

    @property
    def entropy_bits(self):
        """Float `(t, n)`."""
        return self.entropy_nats / np.log(2.0)

    @property
    def mean_nats(self):
        """Float `(t,)`, the mean over the examples."""
        return self.entropy_nats.mean(axis=1)

    @property
    def mean_bits(self):
        """Float `(t,)`, the mean over the examples."""
        return self.entropy_bits.mean(axis=1)


def class_similarity(logits, labels, *, temperature):
    """The mean soft target of each true class: which classes the teacher finds alike.

    Args:
        logits: float `(n, num_classes)`, the teacher's; one unit is the second of two
            classes.
        labels: true classes `(n,)`, or one-hot.
        temperature: float > 0; 2 to 5 is usual.

    Returns:
        Float `(num_classes, num_classes)`: row i is the mean of softmax(logits / T)
        over the examples of class i, and sums to 1; NaN for a class without examples.

    Raises:
        ValueError: Shapes, classes or temperature cannot be used.

    Reference:
        Hinton et al., 2015, https://arxiv.org/abs/1503.02531, the introduction: which
        wrong classes are more likely than others is what a teacher knows.
        Departures: the mean over a class is ours; the paper speaks of single examples.

    Example:
        >>> similarity = class_similarity([[2.0, 0], [0, 0]], [0, 1], temperature=2.0)
        >>> similarity.round(3).tolist()
        [[0.731, 0.269], [0.5, 0.5]]
    """
    probabilities, labels = _soft("class_similarity", logits, labels, temperature)
    num_classes = probabilities.shape[1]
    sums, counts = np.zeros((num_classes, num_classes)), np.zeros((num_classes, 1))
    np.add.at(sums, labels, probabilities)
    np.add.at(counts, labels, 1.0)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def soft_target_entropy(logits, temperatures):
    """The entropy of soft targets against temperature.

    Args:
        logits: float `(n, num_classes)`; one unit is the second of two classes.
        temperatures: sequence of floats > 0.

    Returns:
        A `SoftTargetEntropy`.

    Raises:
        ValueError: A temperature is not above 0, or the logits cannot be used.

    Reference:
        Hinton et al., 2015, https://arxiv.org/abs/1503.02531, the introduction: targets
        of high entropy give more information per example than hard ones.
        Departures: none.

    Example:
        >>> soft_target_entropy([[3.0, 0.0]], [1.0, 100.0]).mean_nats.round(3).tolist()
        [0.191, 0.693]
    """
    where = "soft_target_entropy"
    logits = two_or_more(scores_of(where, "logits", logits))
    temperatures = list(np.ravel(temperatures))
    if not temperatures:
        raise invalid(where, "at least one temperature", "none", "Pass [1.0, 4.0].")
    for temperature in temperatures:
        check_positive(where, "temperatures", temperature)
    soft = (softmax(logits / temperature, axis=1) for temperature in temperatures)
    entropy = np.stack([-xlogy(p, p).sum(axis=1) for p in soft])
    largest = float(np.log(logits.shape[1]))
    return SoftTargetEntropy(np.array(temperatures, "float64"), entropy, largest)


def most_informative(logits, labels, *, temperature, count):
    """The examples whose soft targets say most beyond their labels.

    They are ranked by the part of the entropy that wrong classes make,
    -Σ pᵢ · log pᵢ over i ≠ the true class. It is 0 where the teacher is certain, right
    or wrong; and large where it gives several wrong classes a share.

    Args:
        logits: float `(n, num_classes)`; one unit is the second of two classes.
        labels: true classes `(n,)`, or one-hot.
        temperature: float > 0.
        count: int > 0, how many at most.

    Returns:
        Int `(min(count, n),)`, places in the data, the most informative first; of equal
        ones the earlier first.

    Raises:
        ValueError: An argument cannot be used.

    Reference:
        Hinton et al., 2015, https://arxiv.org/abs/1503.02531 (entropy as information);
        Zhao et al., 2022, https://arxiv.org/abs/2203.08679 (what lies off the true
        class is what distillation adds).
        Departures: the measure is ours, of these two thoughts.

    Example:
        >>> logits = [[9.0, 0.0, 0.0], [2.0, 1.0, 1.0]]
        >>> most_informative(logits, [0, 0], temperature=1.0, count=1).tolist()
        [1]
    """
    where = "most_informative"
    if not isinstance(count, (int, np.integer)) or isinstance(count, bool) or count < 1:
        fix = "Say how many examples to show."
        raise invalid(where, "`count` to be an integer of at least 1", repr(count), fix)
    probabilities, labels = _soft(where, logits, labels, temperature)
    parts = -xlogy(probabilities, probabilities)
    parts[np.arange(len(labels)), labels] = 0.0
    return np.argsort(-parts.sum(axis=1), kind="stable")[:count]


def _soft(where, logits, labels, temperature):
    check_positive(where, "temperature", temperature)
    logits = two_or_more(scores_of(where, "logits", logits))
    labels = classes_of(where, labels, *logits.shape)
    return softmax(logits / temperature, axis=1), labels
