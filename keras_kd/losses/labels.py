"""The true class of each example, and heads that have classes to choose from."""

from keras import ops

from keras_kd._checks import invalid

# Far below any logit in float32, yet finite: -inf would turn 0 · -inf into NaN.
_NEVER = -1e30


def class_numbers(labels, num_classes, where):
    """The class of each example, whatever form its label has.

    Args:
        labels: integers `(batch,)` or `(batch, 1)`, or one-hot rows
            `(batch, num_classes)`; of rows that are no one-hot, such as mixed labels,
            the largest entry counts. None raises.
        num_classes: int, how many classes the logits score.
        where: str, the class or function that needs the labels, for the error.

    Returns:
        Int32 `(batch,)`.

    Raises:
        ValueError: There are no labels, or they have another shape.

    Example:
        >>> ops.convert_to_numpy(class_numbers([[0, 0, 1]], 3, "Loss")).tolist()
        [2]
    """
    if labels is None:
        raise invalid(
            where,
            "labels, because the loss depends on the true class",
            "None",
            "Give `fit` labelled data, or choose a loss that needs none.",
        )
    labels = ops.convert_to_tensor(labels)
    shape = tuple(labels.shape)
    if len(shape) == 1 or (len(shape) == 2 and shape[-1] == 1):
        return ops.cast(ops.reshape(labels, (-1,)), "int32")
    if len(shape) == 2 and shape[-1] == num_classes:
        return ops.cast(ops.argmax(labels, axis=-1), "int32")
    raise invalid(
        where,
        f"labels of shape (batch,), (batch, 1) or (batch, {num_classes})",
        shape,
        "Give one class number, or one row of one-hot values, per example.",
    )


def without_true_class(logits, classes):
    """Logits whose softmax gives the true class nothing and the others all.

    Args:
        logits: float32 `(batch, num_classes)`.
        classes: int `(batch,)`, as from `class_numbers`.

    Returns:
        Float32 `(batch, num_classes)`; the true class gets no gradient.

    Example:
        >>> others = without_true_class(ops.array([[9.0, 1.0, 1.0]]), ops.array([0]))
        >>> ops.convert_to_numpy(ops.softmax(others)).tolist()
        [[0.0, 0.5, 0.5]]
    """
    is_true = ops.one_hot(classes, logits.shape[-1], dtype="bool")
    return ops.where(is_true, _NEVER, logits)


def at_true_class(values, classes):
    """The entry of the true class in each row.

    Args:
        values: float `(batch, num_classes)`.
        classes: int `(batch,)`, as from `class_numbers`.

    Returns:
        Float `(batch,)`.

    Example:
        >>> ops.convert_to_numpy(at_true_class([[3.0, 4.0]], [1])).tolist()
        [4.0]
    """
    positions = ops.expand_dims(classes, axis=-1)
    return ops.squeeze(ops.take_along_axis(values, positions, axis=-1), axis=-1)


def check_several_classes(where, shapes):
    """Raises unless the logits score at least two classes.

    Args:
        where: str, the class of the loss.
        shapes: `ModelOutputs` of shapes, the teacher's or the student's.

    Raises:
        ValueError: The head has one unit.
    """
    if shapes.logits[-1] == 1:
        raise invalid(
            where,
            "at least 2 classes for a softmax",
            "logits of 1 unit",
            "Use MultiLabelDistillation for a head of one sigmoid unit.",
        )
