"""How distillers go to files and come back from them.

A `Distiller` is saved with its student and its losses, not with its teacher; but one
that learns along with the student, as `MeanTeacher`, is part of the training.
"""

import keras

from keras_kd._checks import invalid
from keras_kd.losses import schedules


class SavedWithoutTeacher:
    """The part of `Distiller` that goes to files and comes back from them."""

    _expected_fingerprint = None

    @property
    def teacher(self):
        """The `Teacher`, or None in a distiller that was just loaded."""
        # Not the Keras model itself: Keras would save it with the distiller.
        return self._teacher

    @property
    def teacher_state(self):
        """What the teacher learns along with the student, a Keras layer; or None.

        Keras saves the layers that it finds in attributes. As a property this one is
        saved and yet not tracked: its weights are not the distiller's to train.
        """
        return None if self.teacher is None else self.teacher.state

    @property
    def teacher_fingerprint(self):
        """The fingerprint of the teacher, or of the one before loading."""
        if self.teacher is None:
            return self._expected_fingerprint
        return self.teacher.fingerprint

    def get_config(self):
        """Everything; but of a teacher that never changes only its fingerprint."""
        serialize = keras.saving.serialize_keras_object
        objective = self.objective
        is_saved = self.teacher_state is not None
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize(self.dtype_policy),
            "student": serialize(self.student),
            "distillation_losses": [serialize(x) for x in objective.losses],
            "distillation_loss_weights": [
                schedules.to_config(x) for x in objective.weights
            ],
            "alpha": schedules.to_config(objective.alpha),
            "from_logits": self.from_logits,
            "teacher_agreement": objective.teacher_agreement,
            "teacher": serialize(self.teacher) if is_saved else None,
            "teacher_fingerprint": None if is_saved else self.teacher_fingerprint,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`; a teacher not in the file is to be attached."""
        deserialize = keras.saving.deserialize_keras_object
        arguments = dict(config)
        fingerprint = arguments.pop("teacher_fingerprint")
        for key in ("dtype", "student", "teacher"):
            arguments[key] = deserialize(config[key])
        losses, weights = (
            config["distillation_losses"],
            config["distillation_loss_weights"],
        )
        arguments["distillation_losses"] = [deserialize(x) for x in losses]
        arguments["distillation_loss_weights"] = list(
            map(schedules.from_config, weights)
        )
        arguments["alpha"] = schedules.from_config(config["alpha"])
        distiller = cls(**arguments)
        distiller._expected_fingerprint = fingerprint
        return distiller

    def get_compile_config(self):
        """See `keras.Model`; an inferred loss stays inferred."""
        config = super().get_compile_config()
        if config and self.infers_hard_loss:
            config["loss"] = None
        return config

    def compile_from_config(self, config):
        """See `keras.Model`."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def export(self, filepath, *args, **kwargs):
        """Exports the student alone, as `distiller.student.export` does.

        Args:
            filepath: str or path, where to.
            *args: see `keras.Model.export`.
            **kwargs: see `keras.Model.export`.
        """
        self.student.export(filepath, *args, **kwargs)

    def _check_fingerprint(self, teacher):
        expected = self._expected_fingerprint
        if expected is not None and teacher.fingerprint != expected:
            raise invalid(
                "Distiller.attach_teacher",
                f"the teacher with fingerprint {expected[:12]}…",
                f"one with {teacher.fingerprint[:12]}…",
                "Load the teacher that this distiller was trained with, and pass its "
                "teacher_preprocessing if it had one; or make a new Distiller.",
            )


class SavedWithStudents:
    """The part of `MutualDistiller` that goes to files and comes back from them."""

    def get_config(self):
        """The arguments of the constructor."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": serialize(self.dtype_policy),
            "students": [serialize(student) for student in self.students],
            "weight": schedules.to_config(self.weight),
            "temperature": schedules.to_config(self.temperature),
            "from_logits": self.from_logits,
        }

    @classmethod
    def from_config(cls, config):
        """The inverse of `get_config`."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(
            **{
                **config,
                "dtype": deserialize(config["dtype"]),
                "students": [deserialize(student) for student in config["students"]],
                "weight": schedules.from_config(config["weight"]),
                "temperature": schedules.from_config(config["temperature"]),
            }
        )

    def export(self, filepath, *args, **kwargs):
        """Raises: only one of the students can be what is shipped.

        Args:
            filepath: not used.
            *args: not used.
            **kwargs: not used.

        Raises:
            ValueError: Always.
        """
        raise invalid(
            "MutualDistiller.export",
            "one model to export",
            f"{len(self.students)} students",
            "Export the one you chose: mutual.students[0].export(path).",
        )

    def get_compile_config(self):
        """See `keras.Model`; the metrics of one student, an inferred loss as None."""
        config = super().get_compile_config()
        for key in ("metrics", "weighted_metrics"):
            if config and config[key]:
                config[key] = config[key][0]
        if config and self.infers_hard_loss:
            config["loss"] = None
        return config

    def compile_from_config(self, config):
        """See `keras.Model`."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)
