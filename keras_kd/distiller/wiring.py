"""From what the user passes to the parts of a distiller."""

import keras

from keras_kd._checks import InvalidInputError, invalid
from keras_kd.distiller.proposals import propose_layers
from keras_kd.losses import KerasLossAdapter
from keras_kd.outputs import (
    ModelOutputs,
    find_heads,
    find_layer,
    forward,
    input_structure,
    layer_shapes,
    output_shapes,
)
from keras_kd.teachers import Ensemble, FrozenTeacher, Teacher


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
    others = others if isinstance(others, (list, tuple)) else [others]
    for_others = any(
        isinstance(other, keras.Model) and _has_unknown_head(other) for other in others
    )
    return from_logits if _has_unknown_head(model) or not for_others else None


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


def _has_unknown_head(model):
    heads = keras.tree.flatten(find_heads(model))
    return any(head.activation == "unknown" for head in heads)


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


def connect(distiller, input_shape):
    """Builds every loss for the shapes that teacher and student give it.

    Args:
        distiller: a `Distiller` with its teacher.
        input_shape: structure of shapes, for a student that does not know its own.

    Raises:
        ValueError: A layer path does not exist, or the shapes do not fit a loss; the
            message then proposes layers that do.
    """
    inputs = _symbolic_inputs(distiller.student, input_shape)
    # Else the first batch connects them, which holds more than the student takes.
    if not distiller.teacher.needs_more_than(inputs):
        _connect(distiller, inputs)


def connect_to_data(distiller, inputs):
    """Like `connect`, where the student does not say all that a batch will hold.

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
        _check_output(loss, teacher_shapes, student_shapes)
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


def _check_output(loss, teacher_shapes, student_shapes):
    """Raises if a loss on logits does not say on which."""
    is_whole = isinstance(loss, KerasLossAdapter) or loss.output is not None
    if is_whole or loss.student_layers:
        return
    for role, shapes in (("teacher", teacher_shapes), ("student", student_shapes)):
        if shapes.names:
            raise invalid(
                "Distiller",
                f"the output that {type(loss).__name__} is about, as the {role} has "
                "several",
                "none",
                f"Pass distillation_losses={{{shapes.names[0]!r}: ...}}, by the names "
                "or places of the outputs.",
            )


def _with_layers(shapes, others):
    # Those that a loss was given last: `others` leaves out layers such as Dropout.
    return ModelOutputs(shapes.logits, {**others, **shapes.features})


def _symbolic_inputs(student, input_shape):
    inputs = input_structure(student)
    if inputs is not None:
        return keras.tree.map_structure(
            lambda tensor: keras.KerasTensor(tensor.shape, tensor.dtype), inputs
        )
    # A subclassed model does not say what it takes; Keras casts floats where needed.
    return keras.tree.map_shape_structure(
        lambda shape: keras.KerasTensor((None, *shape[1:]), keras.config.floatx()),
        input_shape,
    )
