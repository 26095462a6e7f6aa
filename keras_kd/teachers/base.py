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

    def answer(self, examples, *, layers=()):
        """The teacher's answer for `keras_kd.data.Examples`, inputs and what is beside.

        Args:
            examples: `Examples` for which `can_answer` is true.
            layers: see `__call__`.

        Returns:
            `ModelOutputs`, float32.
        """
        return self(examples.inputs, layers=layers)

    def can_answer(self, examples):
        """Whether the teacher knows what it needs of these `Examples`."""
        return True

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

    def layer_shapes(self, inputs):
        """The output shapes of the layers that a loss can be given.

        Args:
            inputs: a batch of what the student takes, symbolic or real.

        Returns:
            A dict of layer path to shape, in the order the layers run; empty for a
            teacher without layers.
        """
        return {}
