"""The terms of a distiller: losses on layers and logits, each with its weight."""

import keras

from keras_kd._checks import check_not_negative, invalid
from keras_kd.distiller.defaults import default_losses
from keras_kd.distiller.entries import other_keys, own_key
from keras_kd.losses import (
    DistillationLoss,
    KerasLossAdapter,
    OnOutput,
    schedules,
)
from keras_kd.outputs import Head


def as_losses(losses, weights, *, temperature, student, heads, hard_loss=None):
    """The list of distillation losses and the list of their weights.

    Args:
        losses: None, one loss or a list of them, ours or `keras.distillation`'s; for
            several outputs a dict or list of such, one entry an output.
        weights: None, or numbers or schedules in the places of the losses.
        temperature: for the default loss, None if the user gave none.
        student: the student model.
        heads: the `Head` of the student and, if there is one, of the teacher; or
            structures of them.
        hard_loss: for the default loss, what `compile` was given; None before.
    """
    if losses is None:
        losses = default_losses(temperature, student, heads, hard_loss)
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
        own = {key: own_key(key, other_keys(student)) for key in outputs}
        losses, weights = _of_outputs(losses, weights, own)
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
    if isinstance(heads, Head) or not isinstance(losses, (list, tuple)):
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


def _of_outputs(losses, weights, own):
    """Flat lists of losses that know their output, and of weights or None.

    Args:
        losses: dict or list of them.
        weights: the same of weights, or None.
        own: dict of the keys of `losses` to the outputs' own.
    """
    outputs = list(own)
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
    return [_on_output(loss, output, own[output]) for output, loss in flat], weights


def _on_output(loss, given, own):
    """The loss on an output, named as the user named the output."""
    if loss.output is not None:
        return loss
    named = given if isinstance(given, str) else own
    return OnOutput(loss, own, name=OnOutput(loss, named).name)


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
