"""The base of every distillation loss."""

import abc
import inspect
import re

import keras

from keras_kd._checks import invalid
from keras_kd.losses.changing import Temperature, number_of
from keras_kd.outputs import ModelOutputs

# Under these names more of a loss's state is stored beside its weights.
_SEED, _TEMPERATURE = "seed", "temperature"


class DistillationLoss(keras.layers.Layer, abc.ABC):
    """What a student should take over from its teacher, as a number to minimise.

    Subclasses define `call`, and `build` if they own weights or have shapes to check.
    Everything is computed in float32. The weights of a loss train with the student and
    are saved with the distiller, never with the student.

    Args:
        teacher_layers: paths of the teacher's layers whose outputs the loss needs, such
            as `"backbone/block_6"`; empty for the logits alone.
        student_layers: the same for the student.
        name: str, the name under which `fit` logs the loss (`name + "_loss"`); by
            default the class's name in lower case without "Distillation".

    Attributes:
        iterations: the optimizer's step count during `fit`, for schedules; 0 elsewhere.
        published_weight: float, the factor its authors give the loss; `Distiller` uses
            it unless told otherwise. What `call` returns is without it.
        needs_example_ids: bool, whether `call` takes `example_ids` too, the number of
            each example in its data set. `Distiller` computes such a loss in training
            only: evaluation data has other examples.
        compares_examples: bool, whether the loss sets the examples of a batch beside
            each other (or is otherwise no mean over them), so that its value depends on
            which share a batch. Where several replicas share one, `Distiller` gathers
            what such a loss reads, so that it is that of one process.
        output: str or int, the one of several outputs that the loss is about; None for
            a model with one output, or for all.
        takes_positions: bool, whether the logits may be `(batch, ..., num_classes)`, a
            decision at each pixel or token; `call` then returns `(batch, ...)`.
        temperature: number, schedule or scalar tensor at which `call` softens the
            teacher's logits, None if it takes them as they are. An ensemble is averaged
            at this temperature: see `keras_kd.teachers.Ensemble`. A number may be set
            at any time, by a callback too: the next step reads it, it is saved with
            the distiller. Inside `call` it is the number of the step. Other settings
            cannot be set once training began.
        temperature_changes: bool, whether `temperature` may be set during training.
        seed_generator: `keras.random.SeedGenerator` of a loss that draws at random, or
            None. Its state is saved with the weights.

    Example:
        >>> from keras import ops
        >>> class LogitGap(DistillationLoss):
        ...     def call(self, teacher, student, labels=None):
        ...         return ops.mean(ops.abs(teacher.logits - student.logits), axis=-1)
        >>> LogitGap().name
        'logit_gap'
    """

    published_weight = 1.0
    needs_example_ids = False
    compares_examples = False
    output = None
    takes_positions = False
    temperature = Temperature()
    temperature_changes = True
    seed_generator = None
    calls_now = 0
    trains = False

    def __init__(self, *, teacher_layers=(), student_layers=(), name=None, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(name=name or _snake_case(type(self).__name__), **kwargs)
        self.teacher_layers = _paths(teacher_layers)
        self.student_layers = _paths(student_layers)
        self.iterations = 0

    def build(self, teacher_shapes, student_shapes):
        """Checks the shapes and makes the weights of the loss, if it has any.

        Args:
            teacher_shapes: `ModelOutputs` of shapes, None where a size is not fixed.
            student_shapes: the same for the student.

        Raises:
            ValueError: The shapes do not fit the loss.
        """

    def __call__(
        self, teacher, student, labels=None, *, example_ids=None, training=False
    ):
        """Computes the loss of one batch; see `call`.

        `training` reaches the layers inside the loss, such as BatchNormalization.
        """
        if not self.built:
            self.build(_shapes(teacher), _shapes(student))
        wanted = {"example_ids": example_ids} if self.needs_example_ids else {}
        # A count, as replicas take turns; not by setattr, see `at_step`.
        vars(self)["calls_now"] = self.calls_now + 1
        try:
            return super().__call__(
                teacher, student, labels=labels, training=training, **wanted
            )
        finally:
            vars(self)["calls_now"] = self.calls_now - 1

    def __setattr__(self, name, value):
        """Raises for a setting that a compiled step would not read again."""
        settable = name == "temperature" and self.temperature_changes
        if self.trains and not settable and name in _settings(type(self)):
            raise invalid(
                type(self).__name__,
                f"`{name}` to stay as it was when training began",
                repr(value),
                "Make a new loss with it, and a new Distiller of the same teacher and "
                "student; `temperature` alone can be set during training."
                if self.temperature_changes
                else "Make a new loss with it, and a new Distiller.",
            )
        super().__setattr__(name, value)

    @property
    def temperature_now(self):
        """The temperature of the step that `at_step` told; None without one."""
        number = number_of(self)
        return self.temperature if number is None else number.at(self.iterations)

    def hold_temperature(self):
        """Lets steps that are compiled from now on read `temperature` anew."""
        if number_of(self) is not None and self.temperature_changes:
            number_of(self).hold()

    def keep_temperature(self, why):
        """Refuses another `temperature` from now on.

        Args:
            why: str, what to do instead, for the error.
        """
        if number_of(self) is not None:
            number_of(self).keep(why)

    def at_step(self, iterations):
        """Reads schedules at this step from now on; returns the loss itself.

        Args:
            iterations: int or scalar tensor, the optimizer's step count.
        """
        # Not by setattr: Keras would take the optimizer's variable for the loss's own.
        vars(self)["iterations"] = iterations
        vars(self)["trains"] = self.trains or not isinstance(iterations, int)
        return self

    @abc.abstractmethod
    def call(self, teacher, student, labels=None):
        """The loss of one batch.

        Args:
            teacher: `ModelOutputs`, float32, a constant.
            student: `ModelOutputs`, float32.
            labels: the batch's labels as given to `fit`, or None.

        Returns:
            Float `(batch,)`, one value per example; `(batch, ...)`, one per position,
            to which the student's mask is applied; or a scalar where the loss is
            defined on a batch only. `sample_weight` does not apply to the last.
        """

    def build_from_config(self, config):
        """Rebuilds the loss from the shapes it was saved with."""
        shapes = config.get("shapes_dict")
        if shapes:
            self.build(
                ModelOutputs(*shapes["teacher_shapes"]),
                ModelOutputs(*shapes["student_shapes"]),
            )

    def save_own_variables(self, store):
        """See `keras.layers.Layer`; the state of the draws too, which Keras leaves."""
        super().save_own_variables(store)
        if self.seed_generator is not None:
            store[_SEED] = self.seed_generator.state
        if number_of(self) is not None:
            number_of(self).save(store, _TEMPERATURE)

    def load_own_variables(self, store):
        """See `keras.layers.Layer`."""
        stored = {key: store[key] for key in sorted(store.keys())}
        draws = stored.pop(_SEED, None)
        if draws is not None:
            self.seed_generator.state.assign(draws)
        if number_of(self) is not None:
            number_of(self).load(stored, _TEMPERATURE)
        super().load_own_variables(stored)

    def check_example_ids(self, ids):
        """Raises if the loss cannot take these example ids.

        Args:
            ids: NumPy integers `(batch,)`.

        Raises:
            ValueError: Some are out of the range the loss was made for.
        """

    def get_config(self):
        """The arguments of the constructor, without the fixed settings of a layer."""
        config = {"name": self.name}
        if type(self).__init__ is DistillationLoss.__init__:
            config["teacher_layers"] = list(self.teacher_layers)
            config["student_layers"] = list(self.student_layers)
        return config

    def check_built_for(self, teacher_shapes, student_shapes):
        """Raises if the loss was built for models of other shapes."""
        now = _plain([teacher_shapes, student_shapes])
        built = self.get_build_config()["shapes_dict"]
        if _plain([built["teacher_shapes"], built["student_shapes"]]) != now:
            raise invalid(
                type(self).__name__,
                "models of the shapes that this loss was built for",
                now,
                "Make a new loss for each pair of models.",
            )

    def check_class_counts(self, teacher_shapes, student_shapes):
        """Raises unless teacher and student score the same classes, once an example."""
        teacher_shape, student_shape = teacher_shapes.logits, student_shapes.logits
        if teacher_shapes.names or student_shapes.names:
            raise invalid(
                type(self).__name__,
                "models with one output, or the name of an output",
                f"outputs {student_shapes.names or teacher_shapes.names}",
                "Pass distillation_losses={name: loss}.",
            )
        if len(student_shape) != 2 and not self.takes_positions:
            raise invalid(
                type(self).__name__,
                "logits of shape (batch, num_classes)",
                f"{student_shape}",
                "Use SoftTargetDistillation, PixelDistillation or TokenDistillation "
                "for a decision at each position.",
            )
        if teacher_shape[1:] != student_shape[1:]:
            raise invalid(
                type(self).__name__,
                f"the student's logits to be {teacher_shape} like the teacher's",
                f"{student_shape}",
                "Give both models a head with the same number of classes.",
            )


def _settings(kind):
    """The names of what the constructor of a class of losses takes."""
    return inspect.signature(kind.__init__).parameters.keys() - {"self", "name"}


def _paths(layers):
    return (layers,) if isinstance(layers, str) else tuple(layers)


def _shapes(outputs):
    """The shapes of a `ModelOutputs`, with the batch size left open."""
    return ModelOutputs(
        keras.tree.map_structure(
            lambda logits: (None, *logits.shape[1:]), outputs.logits
        ),
        {
            path: (None, *feature.shape[1:])
            for path, feature in outputs.features.items()
        },
    )


def _plain(shapes):
    """Shapes as nested lists and dicts, whatever a file made of their tuples."""
    if isinstance(shapes, dict):
        return {path: _plain(shape) for path, shape in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return [_plain(shape) for shape in shapes]
    return shapes


def _snake_case(name):
    name = re.sub("(Distillation|Adapter)$", "", name) or name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
