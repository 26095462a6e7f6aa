"""From what the user passes to the parts of a distiller."""

import keras

from keras_kd._checks import InvalidInputError, check_positive, invalid, is_number
from keras_kd.distiller.proposals import propose_layers
from keras_kd.losses import (
    DistillationLoss,
    KerasLossAdapter,
    MultiLabelDistillation,
    SoftTargetDistillation,
    schedules,
)
from keras_kd.outputs import (
    ModelOutputs,
    find_head,
    find_layer,
    forward,
    layer_shapes,
    output_shapes,
)
from keras_kd.teachers import Ensemble, FrozenTeacher, Teacher

DEFAULT_TEMPERATURE = 4.0


def check_student(student):
    """Raises unless the student is a Keras model."""
    if not isinstance(student, keras.Model):
        raise invalid(
            "Distiller",
            "`student` to be a keras.Model",
            type(student).__name__,
            "The order is Distiller(teacher, student).",
        )


def override_for(model, others, from_logits):
    """What `from_logits` says of one of several models.

    It speaks of the heads that are not recognised; where all are, of all, and must
    agree with them.

    Args:
        model: the Keras model in question.
        others: another one or a list, or whatever stands in their place.
        from_logits: None, True or False, as given to `Distiller`.
    """
    needs_it = find_head(model).activation == "unknown"
    others = others if isinstance(others, (list, tuple)) else [others]
    for_others = any(
        isinstance(other, keras.Model) and find_head(other).activation == "unknown"
        for other in others
    )
    return from_logits if needs_it or not for_others else None


def as_teacher(teacher, preprocessing, from_logits, student):
    """A `Teacher`, from one, from a Keras model, or from a list of either."""
    if not isinstance(teacher, (list, tuple)):
        return _as_one_teacher(teacher, [student], preprocessing, from_logits)
    return Ensemble(
        [
            _as_one_teacher(one, [student, *teacher], preprocessing, from_logits)
            for one in teacher
        ]
    )


def _as_one_teacher(teacher, others, preprocessing, from_logits):
    if isinstance(teacher, keras.Model):
        from_logits = override_for(teacher, others, from_logits)
    if not isinstance(teacher, Teacher):
        return FrozenTeacher(
            teacher, preprocessing=preprocessing, from_logits=from_logits
        )
    if preprocessing is not None:
        raise invalid(
            "Distiller",
            "`teacher_preprocessing` with a keras.Model as teacher only",
            f"a {type(teacher).__name__}",
            "Give the preprocessing to the teacher itself.",
        )
    return teacher


def as_losses(losses, weights, *, temperature, student, heads):
    """The list of distillation losses and the list of their weights.

    Args:
        losses: None, one loss or a list of them, ours or `keras.distillation`'s.
        weights: None, or as many numbers or schedules.
        temperature: for the default loss, None if the user gave none.
        student: the student model.
        heads: the `Head` of the student and, if there is one, of the teacher.
    """
    if losses is None:
        losses = [_default_loss(temperature, student, heads)]
    elif temperature is not None:
        raise invalid(
            "Distiller",
            "`temperature` without `distillation_losses`, for the default loss",
            "both",
            "Give the temperature to the loss: SoftTargetDistillation(temperature).",
        )
    losses = list(losses) if isinstance(losses, (list, tuple)) else [losses]
    losses = [_as_loss(loss) for loss in losses]
    if weights is None:
        weights = [loss.published_weight for loss in losses]
    weights = list(weights) if isinstance(weights, (list, tuple)) else [weights]
    if not losses or len(weights) != len(losses):
        raise invalid(
            "Distiller",
            "at least one distillation loss, and a weight for each",
            f"{len(losses)} losses and {len(weights)} weights",
            "Pass as many `distillation_loss_weights` as losses.",
        )
    for weight in weights:
        schedules.check_schedule(
            "Distiller", "distillation_loss_weights", weight, _check_not_negative
        )
    return losses, weights


def connect(distiller, input_shape):
    """Builds every loss for the shapes that teacher and student give it.

    Args:
        distiller: a `Distiller` with its teacher.
        input_shape: structure of shapes, for a student that does not know its own.

    Raises:
        ValueError: A layer path does not exist, or the shapes do not fit a loss; the
            message then proposes layers that do.
    """
    _connect(distiller, _symbolic_inputs(distiller.student, input_shape))


def connect_to_data(distiller, inputs):
    """Like `connect`, for a student that says nothing of its inputs before `fit`.

    Args:
        distiller: a `Distiller` with its teacher. Losses that are built stay as they
            are.
        inputs: a batch, structure of arrays.

    Raises:
        ValueError: As for `connect`.
    """
    if not all(loss.built for loss in distiller.objective.losses):
        _connect(distiller, inputs)


def layers_of(losses, side):
    """The layer paths that `losses` need, each once.

    Args:
        losses: list of `DistillationLoss`.
        side: "teacher_layers" or "student_layers".
    """
    return list(dict.fromkeys(path for loss in losses for path in getattr(loss, side)))


def metric_names(losses):
    """A name for each loss to be logged under, such as "soft_target_2_loss"."""
    names = ["student_loss"]  # taken by the loss on hard labels
    for loss in losses:
        name, number = f"{loss.name}_loss", 2
        while name in names:
            name, number = f"{loss.name}_{number}_loss", number + 1
        names.append(name)
    return names[1:]


def _default_loss(temperature, student, heads):
    temperature = DEFAULT_TEMPERATURE if temperature is None else temperature
    schedules.check_schedule("Distiller", "temperature", temperature)
    kinds = {head.activation for head in heads}
    if kinds >= {"softmax", "sigmoid"}:
        raise invalid(
            "Distiller",
            "teacher and student to have the same kind of head",
            "one that ends in softmax and one in sigmoid",
            "Give both the same, or choose the `distillation_losses` yourself.",
        )
    shape = student.output_shape if getattr(student, "outputs", None) else None
    if "sigmoid" in kinds or (shape and shape[-1] == 1):
        return MultiLabelDistillation(temperature)
    return SoftTargetDistillation(temperature)


def _as_loss(loss):
    if isinstance(loss, DistillationLoss):
        return loss
    if isinstance(loss, keras.distillation.DistillationLoss):
        return KerasLossAdapter(loss)
    raise invalid(
        "Distiller",
        "`distillation_losses` from keras_kd.losses or keras.distillation",
        repr(loss),
        "Use SoftTargetDistillation(), or derive from DistillationLoss.",
    )


def _check_not_negative(where, name, value):
    if not is_number(value) or value < 0:
        check_positive(where, name, value)


def _connect(distiller, inputs):
    losses, student = distiller.objective.losses, distiller.student
    teacher_layers = layers_of(losses, "teacher_layers")
    student_layers = layers_of(losses, "student_layers")
    distiller.teacher.check_layers(teacher_layers)
    for path in student_layers:
        find_layer(student, path)
    teacher_shapes = distiller.teacher.output_shapes(inputs, layers=teacher_layers)
    student_shapes = output_shapes(
        lambda x: forward(student, x, head=distiller.head, layers=student_layers)[1],
        inputs,
    )
    for loss in losses:
        if loss.built:
            loss.check_built_for(teacher_shapes, student_shapes)
            continue
        try:
            loss.build(teacher_shapes, student_shapes)
        except InvalidInputError as error:
            proposals = propose_layers(
                loss,
                _with_layers(teacher_shapes, distiller.teacher.layer_shapes(inputs)),
                _with_layers(student_shapes, layer_shapes(student, inputs)),
            )
            if not proposals:
                raise
            *what, fix = error.parts
            raise invalid(*what, " ".join([fix, *proposals])) from error


def _with_layers(shapes, others):
    # Those that a loss was given last: `others` leaves out layers such as Dropout.
    return ModelOutputs(shapes.logits, {**others, **shapes.features})


def _symbolic_inputs(student, input_shape):
    if getattr(student, "inputs", None):
        inputs = student.inputs[0] if _is_sequential(student) else student.input
        return keras.tree.map_structure(
            lambda tensor: keras.KerasTensor(tensor.shape, tensor.dtype), inputs
        )
    # A subclassed model does not say what it takes; Keras casts floats where needed.
    return keras.tree.map_shape_structure(
        lambda shape: keras.KerasTensor((None, *shape[1:]), keras.config.floatx()),
        input_shape,
    )


def _is_sequential(model):
    return isinstance(model, keras.Sequential)
