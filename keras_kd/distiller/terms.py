"""The terms of a distiller: losses on layers and logits, each with its weight."""

import keras

from keras_kd._checks import check_not_negative, invalid
from keras_kd.losses import (
    DistillationLoss,
    KerasLossAdapter,
    MultiLabelDistillation,
    OnOutput,
    SoftTargetDistillation,
    schedules,
)
from keras_kd.outputs import Head

DEFAULT_TEMPERATURE = 4.0


def as_losses(losses, weights, *, temperature, student, heads):
    """The list of distillation losses and the list of their weights.

    Args:
        losses: None, one loss or a list of them, ours or `keras.distillation`'s; for
            several outputs a dict or list of such, one entry an output.
        weights: None, or numbers or schedules in the places of the losses.
        temperature: for the default loss, None if the user gave none.
        student: the student model.
        heads: the `Head` of the student and, if there is one, of the teacher; or
            structures of them.
    """
    if losses is None:
        losses = _default_losses(temperature, student, heads)
    elif temperature is not None:
        raise invalid(
            "Distiller",
            "`temperature` without `distillation_losses`, for the default loss",
            "both",
            "Give the temperature to the loss: SoftTargetDistillation(temperature).",
        )
    outputs = _by_output(losses, heads[0])
    if outputs is None:
        losses, weights = _listed(losses), None if weights is None else _listed(weights)
        losses = [_as_loss(loss) for loss in losses]
    else:
        losses, weights = _of_outputs(losses, weights, outputs)
    if weights is None:
        weights = [loss.published_weight for loss in losses]
    if not losses or len(weights) != len(losses):
        raise invalid(
            "Distiller",
            "at least one distillation loss, and a weight for each",
            f"{len(losses)} losses and {len(weights)} weights",
            "Pass as many `distillation_loss_weights` as losses.",
        )
    for weight in weights:
        schedules.check_schedule(
            "Distiller", "distillation_loss_weights", weight, check_not_negative
        )
    return losses, weights


def metric_names(losses):
    """A name for each loss to be logged under, such as "soft_target_2_loss"."""
    names = ["student_loss"]  # taken by the loss on hard labels
    for loss in losses:
        name, number = f"{loss.name}_loss", 2
        while name in names:
            name, number = f"{loss.name}_{number}_loss", number + 1
        names.append(name)
    return names[1:]


def _by_output(losses, heads):
    """The outputs whose losses these are, in their order; None for a plain list."""
    if isinstance(losses, dict):
        return list(losses)
    if isinstance(heads, (Head, dict)) or not isinstance(losses, (list, tuple)):
        return None
    if any(_tells_its_output(loss) for loss in losses):
        return None
    if len(losses) != len(heads):
        raise invalid(
            "Distiller",
            f"an entry of `distillation_losses` for each of the {len(heads)} outputs",
            f"{len(losses)}",
            "Pass None for an output without one.",
        )
    return list(range(len(losses)))


def _tells_its_output(loss):
    whole = (keras.distillation.DistillationLoss, KerasLossAdapter)
    # A loss on layers is about no output.
    is_ours = isinstance(loss, DistillationLoss)
    knows = is_ours and (loss.output is not None or loss.student_layers)
    return knows or isinstance(loss, whole)


def _of_outputs(losses, weights, outputs):
    """Flat lists of losses that know their output, and of weights or None."""
    flat = [
        (output, _as_loss(loss))
        for output in outputs
        for loss in _listed(losses[output])
        if loss is not None
    ]
    if weights is not None:
        is_dict = isinstance(losses, dict)
        keys = weights if isinstance(weights, dict) else range(len(_listed(weights)))
        if isinstance(weights, dict) != is_dict or set(keys) != set(outputs):
            raise invalid(
                "Distiller",
                "`distillation_loss_weights` in the places of `distillation_losses`, "
                f"{outputs}",
                repr(weights),
                "Pass a dict for a dict, a list for a list.",
            )
        of_outputs = [_listed(weights[output]) for output in outputs]
        weights = [w for listed in of_outputs for w in listed if w is not None]
    return [OnOutput(loss, output) for output, loss in flat], weights


def _default_losses(temperature, student, heads):
    if isinstance(heads[0], Head):
        shape = student.output_shape if getattr(student, "outputs", None) else None
        return _default_loss(temperature, shape, heads)
    structure = heads[0]
    names = structure if isinstance(structure, dict) else range(len(structure))
    # Names that the teacher has not are found when the losses are built.
    return {
        name: _default_loss(
            temperature,
            student.output[name].shape,
            [head[name] for head in heads if _has(head, name)],
        )
        for name in names
    }


def _has(heads, name):
    if isinstance(heads, Head):
        return False
    return name in (heads if isinstance(heads, dict) else range(len(heads)))


def _default_loss(temperature, shape, heads):
    temperature = DEFAULT_TEMPERATURE if temperature is None else temperature
    schedules.check_schedule("Distiller", "temperature", temperature)
    kinds = {one.activation for head in heads for one in keras.tree.flatten(head)}
    if kinds >= {"softmax", "sigmoid"}:
        raise invalid(
            "Distiller",
            "teacher and student to have the same kind of head",
            "one that ends in softmax and one in sigmoid",
            "Give both the same, or choose the `distillation_losses` yourself.",
        )
    if "sigmoid" in kinds or (shape and shape[-1] == 1):
        return MultiLabelDistillation(temperature)
    return SoftTargetDistillation(temperature)


def _listed(entry):
    return list(entry) if isinstance(entry, (list, tuple)) else [entry]


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
