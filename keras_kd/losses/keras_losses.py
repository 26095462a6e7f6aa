"""Losses of `keras.distillation`, taken as they are."""

import warnings

import keras
from keras import ops

from keras_kd._checks import invalid
from keras_kd._keras_internals import mask_of, set_mask
from keras_kd.losses.base import DistillationLoss


@keras.saving.register_keras_serializable(package="keras_kd")
class KerasLossAdapter(DistillationLoss):
    """Lets a `keras.distillation` loss take part in our `Distiller`.

    `Distiller` wraps such losses by itself. They are given logits (and, for
    `FeatureDistillation` with layer names, features), and return one value per batch,
    to which `sample_weight` does not apply. Under a distribution strategy they are what
    they are on one device, whether they name a loss, or hold a `keras.losses.Loss`
    (which divides by the replicas) in an attribute, alone or in a structure.

    Args:
        loss: a `keras.distillation.DistillationLoss`.
        name: str, see `DistillationLoss`; by default from the loss's class.

    Warns:
        UserWarning: A `LogitsDistillation` has the loss "kl_divergence" as a string.

    Reference:
        https://keras.io/api/distillation/.
        Departures: none on one device; on several Keras's counts a loss given by name
        once per replica.

    Example:
        >>> kl = keras.losses.KLDivergence()
        >>> loss = keras.distillation.LogitsDistillation(temperature=2.0, loss=kl)
        >>> KerasLossAdapter(loss).name
        'logits'
    """

    def __init__(self, loss, *, name=None):
        feature = isinstance(loss, keras.distillation.FeatureDistillation)
        super().__init__(
            teacher_layers=_named(loss.teacher_layer_name) if feature else (),
            student_layers=_named(loss.student_layer_name) if feature else (),
            name=name or type(loss).__name__.replace("Distillation", "").lower(),
        )
        self.loss = loss
        if isinstance(loss, keras.distillation.LogitsDistillation):
            self.temperature = loss.temperature
            _warn_of_unsoftened_divergence(loss)

    def build(self, teacher_shapes, student_shapes):
        """Tries the loss on zeros, so that shapes that do not fit are found now."""
        shapes = [
            _chosen(side, layers)
            for side, layers in (
                (teacher_shapes, self.teacher_layers),
                (student_shapes, self.student_layers),
            )
        ]
        try:
            self.loss.compute_loss(*map(_zeros, shapes))
        except Exception as error:
            raise invalid(
                type(self.loss).__name__,
                f"outputs of the student like the teacher's, {shapes[0]}",
                shapes[1],
                "Name layers of the same shape."
                if self.teacher_layers or not student_shapes.names
                else "Give it a loss for each output, in a dict or list like them.",
            ) from error

    def call(self, teacher, student, labels=None):
        """See `DistillationLoss.call`; a scalar."""
        teacher_output = _chosen(teacher, self.teacher_layers)
        student_output = _chosen(student, self.student_layers)
        self.loss.validate_outputs(teacher_output, student_output)
        return _undivided(self.loss).compute_loss(teacher_output, student_output)

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss}

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


def _named(layer_name):
    return () if layer_name is None else (layer_name,)


def _zeros(shapes):
    return keras.tree.map_shape_structure(
        lambda shape: ops.zeros([size or 2 for size in shape]), shapes
    )


def _chosen(outputs, layers):
    return outputs.features[layers[0]] if layers else outputs.logits


def _undivided(distillation_loss):
    """A copy in which Keras's losses leave it to `Distiller` to divide by replicas."""
    # Keras tells nobody what it divides by, but a loss of 1 shows it.
    share = keras.losses.MeanAbsoluteError()(ops.zeros((1, 1)), ops.ones((1, 1)))
    copied = _copy(distillation_loss)
    for name, value in vars(distillation_loss).items():
        leaves = keras.tree.flatten(value)
        if any(isinstance(leaf, keras.losses.Loss) for leaf in leaves):
            parts = [_multiplied(leaf, 1.0 / share) for leaf in leaves]
            vars(copied)[name] = keras.tree.pack_sequence_as(value, parts)
    return copied


def _multiplied(loss, factor):
    # A mean Keras divides by the replicas; a sum is that of a replica's part of the
    # batch; where there is nothing to reduce, the value stays as it is.
    if not isinstance(loss, keras.losses.Loss) or loss.reduction in (None, "none"):
        return loss
    copied = _copy(loss)

    def call(y_true, y_pred):
        values = loss.call(y_true, y_pred)
        if not len(values.shape):
            return values
        multiplied = values * ops.cast(factor, values.dtype)
        mask = mask_of(values)
        if mask is not None:
            set_mask(multiplied, mask)
        return multiplied

    copied.call = call
    return copied


def _copy(instance):
    # Not by `copy`: Keras copies a loss by way of its config, which may not know it.
    copied = object.__new__(type(instance))
    vars(copied).update(vars(instance))
    return copied


def _warn_of_unsoftened_divergence(loss):
    if keras.losses.kl_divergence not in keras.tree.flatten(loss.loss):
        return
    warnings.warn(
        'keras.distillation.LogitsDistillation with loss="kl_divergence" (its default) '
        "compares raw logits clipped to [1e-7, 1], not softened distributions. Use "
        f"keras_kd.losses.SoftTargetDistillation(temperature={loss.temperature}), or "
        "LogitsDistillation(loss=keras.losses.KLDivergence()).",
        UserWarning,
        stacklevel=4,
    )
