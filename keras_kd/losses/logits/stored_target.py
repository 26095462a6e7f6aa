"""Soft labels made from the few probabilities of a teacher that were stored."""

from keras import ops


def scatter_classes(values, ids, num_classes):
    """Values of some classes as rows of all classes, 0 for the others.

    Args:
        values: float `(..., k)`.
        ids: int `(..., k)`, the classes of the values, none of them twice.
        num_classes: int.

    Returns:
        Float32 `(..., num_classes)`.

    Example:
        >>> ops.convert_to_numpy(scatter_classes([[0.6, 0.3]], [[2, 0]], 4)).tolist()
        [[0.30000001192092896, 0.0, 0.6000000238418579, 0.0]]
    """
    values = ops.cast(values, "float32")
    k = values.shape[-1]
    ids = ops.reshape(ops.cast(ids, "int32"), (-1, k))
    rows = ops.expand_dims(ops.arange(ops.shape(ids)[0], dtype="int32"), axis=-1)
    positions = ops.stack([ops.broadcast_to(rows, ops.shape(ids)), ids], axis=-1)
    dense = ops.scatter(
        ops.reshape(positions, (-1, 2)),
        ops.reshape(values, (-1,)),
        (ops.shape(ids)[0], num_classes),
    )
    return ops.reshape(dense, (*ops.shape(values)[:-1], num_classes))


def uniform_tail_target(teacher_probabilities, teacher_ids, *, num_classes):
    """A soft label whose missing mass is spread evenly over the other classes.

    Args:
        teacher_probabilities: float `(..., k)`, the largest ones; a constant.
        teacher_ids: int `(..., k)`, their classes.
        num_classes: int, at least k.

    Returns:
        Float32 `(..., num_classes)`, a constant.

    Reference:
        Shen & Xing, "A Fast Knowledge Distillation Framework for Visual Recognition",
        ECCV 2022, https://arxiv.org/abs/2112.01528 (marginal smoothing; label smoothing
        for k = 1).
        Departures: a missing mass below 0, from rounding, is 0.

    Example:
        >>> target = uniform_tail_target([[0.5, 0.25]], [[2, 0]], num_classes=4)
        >>> ops.convert_to_numpy(target).tolist()
        [[0.25, 0.125, 0.5, 0.125]]
    """
    values = ops.stop_gradient(ops.cast(teacher_probabilities, "float32"))
    rest = ops.maximum(1.0 - ops.sum(values, axis=-1, keepdims=True), 0.0)
    each = rest / max(num_classes - values.shape[-1], 1)
    return each + scatter_classes(values - each, teacher_ids, num_classes)


def renormalised_target(teacher_probabilities, teacher_ids, *, num_classes):
    """A soft label of the stored classes alone, divided by their sum.

    Args:
        teacher_probabilities: float `(..., k)`, the largest ones; a constant.
        teacher_ids: int `(..., k)`, their classes.
        num_classes: int.

    Returns:
        Float32 `(..., num_classes)`, a constant.

    Reference:
        Shen & Xing, "A Fast Knowledge Distillation Framework for Visual Recognition",
        ECCV 2022, https://arxiv.org/abs/2112.01528 (marginal renormalisation; the hard
        label for k = 1).
        Departures: none.

    Example:
        >>> target = renormalised_target([[0.6, 0.2]], [[2, 0]], num_classes=4)
        >>> ops.convert_to_numpy(target).round(2).tolist()
        [[0.25, 0.0, 0.75, 0.0]]
    """
    values = ops.stop_gradient(ops.cast(teacher_probabilities, "float32"))
    total = ops.sum(ops.abs(values), axis=-1, keepdims=True)
    values = values / ops.maximum(total, 1e-12)
    return scatter_classes(values, teacher_ids, num_classes)


def reinforced_target(
    teacher_probabilities, teacher_ids, *, num_classes, has_tail=True
):
    """The soft label of a reinforced data set.

    Args:
        teacher_probabilities: float `(..., k)`, the largest ones; a constant.
        teacher_ids: int `(..., k)`, their classes.
        num_classes: int.
        has_tail: bool; True spreads the missing mass evenly where there is one, False
            gives the other classes nothing.

    Returns:
        Float32 `(..., num_classes)`, a constant.

    Reference:
        Faghri et al., "Reinforce Data, Multiply Impact", ICCV 2023,
        https://arxiv.org/abs/2303.08983.
        Departures: none. As in the authors' code the label is the softmax of the stored
        probabilities without a tail, or where they sum to more than 1: nearly uniform.

    Example:
        >>> target = reinforced_target([[0.9, 0.9]], [[2, 0]], num_classes=4)
        >>> ops.convert_to_numpy(target).round(2).tolist()
        [[0.5, 0.0, 0.5, 0.0]]
    """
    values = ops.stop_gradient(ops.cast(teacher_probabilities, "float32"))
    squashed = scatter_classes(ops.softmax(values, axis=-1), teacher_ids, num_classes)
    if not has_tail:
        return squashed
    spread = uniform_tail_target(values, teacher_ids, num_classes=num_classes)
    is_missing_some = 1.0 - ops.sum(values, axis=-1, keepdims=True) >= 0.0
    return ops.where(is_missing_some, spread, squashed)


def soft_label_divergence(target, student_logits, *, temperature=1.0, divergence="kl"):
    """Divergence of the student's classes from a soft label.

    Args:
        target: float `(..., num_classes)`, rows that sum to 1; a constant.
        student_logits: float, same shape, before softmax.
        temperature: float > 0, of the student alone. Default 1.0.
        divergence: "kl", or "cross_entropy", which adds the label's entropy.

    Returns:
        Float32 `(...)`; not scaled by temperature².

    Reference:
        As "cross_entropy": Shen & Xing, ECCV 2022, https://arxiv.org/abs/2112.01528; as
        "kl": Faghri et al., ICCV 2023, https://arxiv.org/abs/2303.08983.
        Departures: none.

    Example:
        >>> value = soft_label_divergence([[1.0, 0.0]], [[0.0, 0.0]])
        >>> round(float(value[0]), 3)
        0.693
    """
    target = ops.stop_gradient(ops.cast(target, "float32"))
    student_logits = ops.cast(student_logits, "float32")
    gap = -ops.log_softmax(student_logits / temperature, axis=-1)
    if divergence == "kl":
        # 0 · log 0 = 0.
        gap = gap + ops.log(ops.where(target > 0.0, target, 1.0))
    return ops.sum(target * gap, axis=-1)
