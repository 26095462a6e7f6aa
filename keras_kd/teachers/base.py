"""What every teacher can do."""

import abc

from keras_kd._checks import invalid
from keras_kd.outputs import (
    Head,
    ModelOutputs,
    as_tensors,
    can_be_same_shape,
    check_logits,
    output_shapes,
)


class Teacher(abc.ABC):
    """Answers a batch of the student's inputs with `ModelOutputs`.

    Not a Keras layer, so that a distiller neither trains, tracks nor saves it.

    Attributes:
        compilable: bool, whether XLA can compile what it does.
        num_classes: int, or None for one that tells by its answers only.
    """

    compilable = True
    num_classes = None

    @abc.abstractmethod
    def __call__(self, inputs, *, layers=()):
        """The teacher's answer, in inference mode.

        Args:
            inputs: a batch of what the student takes.
            layers: paths of layers whose outputs are wanted too.

        Returns:
            `ModelOutputs`, float32; `EnsembleOutputs` of an ensemble that averages
            probabilities. Of a model with several outputs, logits are a structure.
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

    def teach(self, examples, step, *, layers=()):
        """The answer for one step of training, where it may be another than `answer`.

        Args:
            examples: see `answer`.
            step: the optimizer's step count. A teacher that draws at random draws by
                it, so that training which was interrupted goes on with the same draws.
            layers: see `__call__`.

        Returns:
            See `__call__`.
        """
        return self.answer(examples, layers=layers)

    def follow(self, student):  # noqa: B027 (most teachers learn nothing)
        """Learns from a student that has just taken a training step, if it ever does.

        Args:
            student: the Keras model; called inside the compiled step.
        """

    @property
    def state(self):
        """The Keras layer that holds what `follow` changes; None if it changes nothing.

        A distiller saves it, and such a teacher with it, which is therefore registered
        with Keras and has a `get_config`.
        """
        return None

    def can_answer(self, examples):
        """Whether the teacher knows what it needs of these `Examples`."""
        return True

    def needs_more_than(self, inputs):
        """Whether it asks for more of a batch than the student takes.

        Args:
            inputs: what the student takes, symbolic.

        Returns:
            A bool; where it is true, only a whole batch can be answered.
        """
        return False

    @property
    @abc.abstractmethod
    def head(self):
        """The `Head` from which its logits are taken; of several, a structure."""

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

    def check_answer(self, where, examples):
        """Raises if the answer for real data cannot be logits.

        Args:
            where: str, see `invalid`.
            examples: a few `Examples`.

        Raises:
            ValueError: It is not finite, or is of probabilities where logits were said,
                or the other way round.
        """
        check_logits(where, self.answer(examples).logits, self.head, "teacher")

    def output_shapes(self, inputs, *, layers=()):
        """The shapes of what it answers.

        Args:
            inputs: a batch of what the student takes, symbolic or real.
            layers: see `__call__`.

        Returns:
            `ModelOutputs` of shapes, see `keras_kd.outputs.output_shapes`.
        """
        return output_shapes(lambda x: self(x, layers=layers), inputs)

    def layer_shapes(self, inputs):
        """The output shapes of the layers that a loss can be given.

        Args:
            inputs: a batch of what the student takes, symbolic or real.

        Returns:
            A dict of layer path to shape, in the order the layers run; empty for a
            teacher without layers.
        """
        return {}


def prepared(preprocessing, inputs):
    """A batch as a teacher's model takes it.

    Args:
        preprocessing: the user's function, which never sees the caller's own arrays; or
            None.
        inputs: a batch of what the student takes.
    """
    return inputs if preprocessing is None else preprocessing(as_tensors(inputs))


def fails_on(preprocessing, inputs):
    """Whether a user's function can do nothing with symbolic inputs of the student.

    Args:
        preprocessing: see `prepared`.
        inputs: structure of `keras.KerasTensor`.
    """
    if preprocessing is None:
        return False
    try:
        output_shapes(lambda x: ModelOutputs(preprocessing(x)), inputs)
    except Exception:  # whatever it raises for want of a part; real data will tell
        return True
    return False


def check_one_output(where, teacher):
    """Raises unless a teacher has one output, the class scores.

    Args:
        where: str, see `invalid`.
        teacher: a `Teacher`.
    """
    if not isinstance(teacher.head, Head):
        raise invalid(
            where,
            "a teacher with one output, the class scores",
            f"one with {ModelOutputs(teacher.head).names}",
            "Wrap it in a model that returns the output to distil.",
        )


def check_input_shapes(where, theirs, student):
    """Raises unless a teacher takes what a student takes.

    Args:
        where: str, see `invalid`.
        theirs: list of the shapes the teacher takes, None where a size is open; None if
            it does not say.
        student: a Keras model.
    """
    ours = input_shapes(student)
    if theirs is None or ours is None:
        return
    same = len(theirs) == len(ours) and all(map(can_be_same_shape, theirs, ours))
    if not same:
        raise invalid(
            where,
            f"the teacher to take the student's input {ours}",
            f"a teacher built for {theirs}",
            "Pass `teacher_preprocessing`, or `preprocessing` to the teacher itself: a "
            "function from the student's batch to the teacher's, such as "
            "keras.layers.Resizing(height, width).",
        )


def input_shapes(model):
    """The shapes that a Keras model takes, a list; None if it does not say."""
    inputs = getattr(model, "inputs", None)
    return [tuple(tensor.shape) for tensor in inputs] if inputs else None
