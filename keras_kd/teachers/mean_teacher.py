"""A teacher that is the moving average of its student."""

import keras
from keras import ops

from keras_kd._checks import invalid, is_number
from keras_kd.teachers.base import Teacher
from keras_kd.teachers.frozen import FrozenTeacher


@keras.saving.register_keras_serializable(package="keras_kd")
class MeanTeacher(Teacher):
    """A copy of the student whose weights follow the student's, averaged over steps.

    After training step t = 1, 2, … every weight becomes w ← m · w + (1 - m) · w_student
    with m = min(t / (t + 1), momentum): the plain mean of all weights so far, until the
    moving average is the longer memory. The student thus learns from itself, without a
    trained teacher; the average is usually the better of the two models.

    The average belongs to the training: `distiller.save`, `save_weights`, `Checkpoint`
    and `ModelCheckpoint` save it, and a loaded distiller goes on with it at once,
    without `attach_teacher`. It is no part of `distiller.get_weights()`, and so
    `EarlyStopping(restore_best_weights=True)` leaves it at the last step. It is taken
    after every batch, also where the optimizer gathers gradients of several.

    Args:
        student: the built Keras model that the distiller trains; the copy is made now,
            and starts from its present weights. Inside the scope of a distribution
            strategy, as any model.
        momentum: float in [0, 1): how much of the average stays at each step, from the
            step on where t / (t + 1) is larger. About 1 / (1 - momentum) steps are
            remembered. Default 0.999.
        from_logits: see `FrozenTeacher`.

    Attributes:
        model: the average, a Keras model like the student, to be evaluated or saved.

    Raises:
        ValueError: The student is not a built Keras model with one output, or has
            weights of less than 32 bits, whose average would stand still; `momentum` is
            out of range.

    Reference:
        Tarvainen & Valpola, 2017, https://arxiv.org/abs/1703.01780; authors' code,
        https://github.com/CuriousAI/mean-teacher.
        Departures: the teacher answers in inference mode, without dropout and other
        noise of its own, where the authors' runs in training mode. So it needs the
        statistics of batch normalisation, which are averaged like the weights (those of
        the authors' are the teacher's own). Student and teacher see the same batch; an
        augmentation for the student alone is a layer of the student, such as
        `keras.layers.GaussianNoise`. The authors' loss is the squared difference of
        probabilities under a weight that rises at first: choose the distillation loss
        and its weight, a number or schedule, in `Distiller`.

    Example:
        >>> import numpy as np
        >>> from keras_kd import Distiller
        >>> dense = keras.layers.Dense(3, kernel_initializer="zeros")
        >>> student = keras.Sequential([keras.Input((4,)), dense])
        >>> teacher = MeanTeacher(student, momentum=0.99)
        >>> distiller = Distiller(teacher, student, alpha=0.5, temperature=1.0)
        >>> distiller.compile(keras.optimizers.SGD(1.0))
        >>> _ = distiller.fit(np.eye(4), np.array([0, 1, 2, 2]), verbose=0)
        >>> half = student.get_weights()[0] / 2  # the mean of it and of zeros
        >>> bool(np.allclose(teacher.model.get_weights()[0], half))
        True
    """

    def __init__(self, student, momentum=0.999, *, from_logits=None):
        if not is_number(momentum) or not 0 <= momentum < 1:
            raise invalid(
                "MeanTeacher",
                "`momentum` to be a number of at least 0 and below 1",
                repr(momentum),
                "Choose one such as 0.99 or 0.999; 1 would never learn.",
            )
        _check_student(student)
        self.momentum = float(momentum)
        self._from_logits = from_logits
        self._frozen = FrozenTeacher(_copied(student), from_logits=from_logits)
        self._state = _Average(self.model)

    @property
    def model(self):
        """The average, a Keras model like the student."""
        return self._frozen.model

    @property
    def head(self):
        """See `Teacher`."""
        return self._frozen.head

    @property
    def num_classes(self):
        """See `Teacher`."""
        return self._frozen.num_classes

    @property
    def fingerprint(self):
        """See `FrozenTeacher`; another one after every step."""
        return self._frozen.fingerprint

    @property
    def state(self):
        """See `Teacher`: the averaged weights and the number of steps."""
        return self._state

    def __call__(self, inputs, *, layers=()):
        """See `Teacher`."""
        return self._frozen(inputs, layers=layers)

    def follow(self, student):
        """See `Teacher`: one step of the moving average."""
        self._state.follow(student, self.momentum)

    def check_layers(self, paths):
        """See `Teacher`."""
        self._frozen.check_layers(paths)

    def layer_shapes(self, inputs):
        """See `Teacher`."""
        return self._frozen.layer_shapes(inputs)

    def check(self, where, student):
        """See `Teacher.check`: another model with the same weights to be averaged."""
        self._frozen.check(where, student)
        ours, theirs = _weight_shapes(self.model), _weight_shapes(student)
        if ours != theirs:
            raise invalid(
                where,
                f"the student whose average the teacher is, {len(ours)} weights",
                f'model "{student.name}" with {len(theirs)}, or of other shapes',
                "Make it from this student: MeanTeacher(student).",
            )

    def get_config(self):
        """What makes an equal one; the weights are in `state`."""
        return {
            "student": keras.saving.serialize_keras_object(self.model),
            "momentum": self.momentum,
            "from_logits": self._from_logits,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        student = keras.saving.deserialize_keras_object(config["student"])
        return cls(**{**config, "student": student})


class _Average(keras.layers.Layer):
    """The averaged model and the steps that went into it, for Keras to save."""

    def __init__(self, model):
        super().__init__(name="mean_teacher")
        self.model = model
        # Not the optimizer's count, which begins anew when a model is compiled again.
        self.steps = self.add_weight(
            shape=(), initializer="zeros", dtype="int64", trainable=False, name="steps"
        )
        self.built = True

    def follow(self, student, momentum):
        self.steps.assign_add(1)
        steps = ops.cast(self.steps, "float32")
        kept = ops.minimum(steps / (steps + 1.0), momentum)
        for average, weight in zip(self.model.weights, student.weights, strict=True):
            if keras.backend.is_float_dtype(weight.dtype):
                share = ops.cast(kept, weight.dtype)
                average.assign(share * average + (1.0 - share) * weight)
            else:
                average.assign(weight)  # a count has no mean


def _copied(student):
    copy = keras.models.clone_model(student)
    if not copy.built:  # a subclassed model; Keras rebuilds it as it does from a file
        copy.build_from_config(student.get_build_config())
    copy.set_weights(student.get_weights())
    return copy


def _check_student(student):
    if not isinstance(student, keras.Model) or not student.built:
        raise invalid(
            "MeanTeacher",
            "the student as a built keras.Model",
            getattr(student, "name", type(student).__name__),
            "Pass the model that the distiller trains; call it on a batch first, if it "
            "has no weights yet.",
        )
    narrow = [w for w in student.weights if w.dtype in ("float16", "bfloat16")]
    if narrow:
        raise invalid(
            "MeanTeacher",
            "weights of at least 32 bits, to which small changes can be added",
            f'{narrow[0].dtype} in "{narrow[0].path}"',
            'Use the dtype policy "mixed_float16" or "mixed_bfloat16" for the student.',
        )


def _weight_shapes(model):
    return [tuple(weight.shape) for weight in model.weights]
