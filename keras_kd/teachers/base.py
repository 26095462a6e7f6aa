"""What every teacher can do."""

import abc


class Teacher(abc.ABC):
    """Answers a batch of the student's inputs with `ModelOutputs`.

    Not a Keras layer, so that a distiller neither trains, tracks nor saves it.
    """

    @abc.abstractmethod
    def __call__(self, inputs, *, layers=()):
        """The teacher's answer, in inference mode.

        Args:
            inputs: a batch of what the student takes.
            layers: paths of layers whose outputs are wanted too.

        Returns:
            `ModelOutputs`, float32.
        """

    @property
    @abc.abstractmethod
    def head(self):
        """The `Head` from which its logits are taken."""

    @property
    @abc.abstractmethod
    def fingerprint(self):
        """A str that is equal for equal teachers, and only for them."""

    @abc.abstractmethod
    def check_layers(self, paths):
        """Raises if one of the layer paths does not exist, listing near matches."""

    @abc.abstractmethod
    def check(self, where, student):
        """Raises a clear error if this teacher cannot teach `student`."""
