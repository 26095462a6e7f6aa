"""Stored answers of a teacher in the place of the teacher."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from keras import ops

from keras_kd._checks import invalid, is_number
from keras_kd.data.augment import as_steps, describe
from keras_kd.outputs import Head, ModelOutputs
from keras_kd.teachers import _store
from keras_kd.teachers._arguments import check_count
from keras_kd.teachers._join import WHERE, Join
from keras_kd.teachers._source import as_source
from keras_kd.teachers.attached import AttachedTeacher


class SoftTargets(AttachedTeacher):
    """What `keras_kd.teachers.label` stored, as a teacher that need not run.

    `Distiller(soft, student).fit(soft.attach(train))` trains on it; no teacher is in
    memory. Data to evaluate on may come without soft targets: then the hard labels
    count alone.

    With `top_k` the stored classes keep their logits, but for the rounding to `dtype`,
    and all others share the mass that is left evenly, for every loss: at temperature 1,
    or the `temperature` of `label`, exactly the truncated distribution. The student
    keeps its logits of all classes.

    Args:
        path: str or `Path`, the folder.

    Attributes:
        path: `Path`.
        plan: what was labelled and how, to be read: `teacher` (its fingerprint),
            `num_classes`, `dtype`, `top_k`, `temperature`, `views`, `augment`, `count`,
            `versions`.
        count: int, the number of examples.
        views: int, how many times each was labelled.

    Raises:
        ValueError: The folder holds no soft targets, or not yet all.

    Reference:
        Shen & Xing, "A Fast Knowledge Distillation Framework for Visual Recognition",
        ECCV 2022, https://arxiv.org/abs/2112.01528 (soft labels stored once; marginal
        smoothing of what is left).
        Departures: logits are stored, which hold at any temperature.

    Example:
        >>> import keras, tempfile
        >>> from keras_kd.data import load
        >>> from keras_kd.teachers import label
        >>> def model():
        ...     layers = [keras.layers.Flatten(), keras.layers.Dense(10)]
        ...     return keras.Sequential([keras.Input((8, 8, 1)), *layers])
        >>> train, folder = load("digits").train, tempfile.mkdtemp()
        >>> _ = label(model(), train, folder)
        >>> soft = SoftTargets(folder)
        >>> x, y = next(iter(soft.attach(train, batch_size=4, shuffle_seed=0)))
        >>> x.soft_targets.shape.as_list()
        [4, 10]
    """

    def __init__(self, path):
        self.path = Path(path)
        self.plan, self._shards = _store.read("SoftTargets", self.path)
        if self.plan is None:
            raise invalid(
                "SoftTargets",
                f"a folder with {_store.MANIFEST}",
                f'"{path}"',
                "Make it with keras_kd.teachers.label(teacher, dataset, path).",
            )
        if self._shards is None:
            raise invalid(
                "SoftTargets",
                "all soft targets",
                f'"{path}", where labelling was interrupted',
                "Call label with the same arguments once more: it goes on.",
            )
        self._is_checked = False

    @property
    def count(self):
        """The number of examples."""
        return self.plan.count

    @property
    def views(self):
        """How many times each example was labelled."""
        return self.plan.views

    @property
    def num_classes(self):
        """See `Teacher`."""
        return self.plan.num_classes

    @property
    def head(self):
        """See `Teacher`: that of the model that labelled."""
        return Head(self.plan.head)

    @property
    def fingerprint(self):
        """SHA-256 over the teacher that labelled and how its logits were stored.

        The data are no part of it: one teacher can have labelled several sets.
        """
        plan = self.plan
        said = (plan.teacher, plan.dtype, plan.top_k, plan.temperature, plan.is_mean)
        return hashlib.sha256(repr(said).encode()).hexdigest()

    def attach(
        self,
        dataset,
        *,
        batch_size=32,
        shuffle_seed=None,
        augment=None,
        labels=True,
        first_view=0,
        check_content=True,
        check_first=True,
    ):
        """A data set with the soft target of each example, as `Distiller.fit` takes it.

        Soft targets and examples are joined by their order, and each pair is checked
        whenever it is read: id and content must be those that were labelled.

        One pass shows all views in turn, each time all examples. To have one view an
        epoch, pass `steps_per_epoch=ceil(soft.count / batch_size)` to `fit`.

        Args:
            dataset: what was labelled, see `keras_kd.teachers.label`; with "y" for
                labels.
            batch_size: int > 0; the last batch of a view may be smaller.
            shuffle_seed: int to shuffle each view, as in `Split.batches`; None to keep
                the order.
            augment: what `label` was given; each view of an example is made as it was
                then.
            labels: bool, False to leave the labels out.
            first_view: int, the view to begin with, for training that goes on.
            check_content: bool; False checks the ids alone, for data that another
                machine decoded or resized to numbers with other last digits.
            check_first: bool; False leaves the check to the training, where an example
                that differs ends it with `tf.errors.InvalidArgumentError`, and saves
                one pass through the data.

        Returns:
            A `tf.data.Dataset` of `(Examples(x, soft_targets=...), y)`, batched; the
            soft targets are float32 `(batch, num_classes)`.

        Raises:
            ValueError: A shard is damaged; the augmentation is another; an example
                differs from what was labelled, which the message names.
        """
        check_count(WHERE, "batch_size", batch_size)
        check_count(WHERE, "first_view", first_view, least=0)
        steps = as_steps(augment)
        self._check_augment(steps)
        source = as_source(WHERE, dataset, labels=labels)
        if not self._is_checked:
            _store.check_shards(WHERE, self.path, self._shards)
            self._is_checked = True
        join = Join(source, self.path, self.plan, steps, check_content=check_content)
        order = [(first_view + number) % self.views for number in range(self.views)]
        if check_first or source.count not in (None, self.count):
            join.check(order[0])
        whole = join.batches(order, batch_size, shuffle_seed)
        if check_first or source.count is not None:
            # Not where the data set has yet to show its end: a known one is not read.
            number = self.views * -(-self.count // batch_size)
            whole = whole.apply(tf.data.experimental.assert_cardinality(number))
        # The autotuner delays the end of every iterator by a growing pause.
        options = tf.data.Options()
        options.autotune.enabled = False
        # By files each of several workers would be given other views.
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        return whole.prefetch(2).with_options(options)

    def _answered(self, targets):
        logits = ops.stop_gradient(ops.cast(targets, "float32"))
        if self.plan.is_mean:
            return _MeanAt(logits, {}, self.plan.temperature)
        return ModelOutputs(logits)

    def output_shapes(self, inputs, *, layers=()):
        """See `Teacher`."""
        self.check_layers(layers)
        return ModelOutputs((None, self.num_classes))

    def check_answer(self, where, examples):
        """See `Teacher`; finite logits were made sure of when they were stored."""
        shape = tuple(self.answer(examples).logits.shape)
        if len(shape) != 2 or shape[1] != self.num_classes:
            raise invalid(
                where,
                f"soft targets of shape (batch, {self.num_classes})",
                shape,
                "Train on what attach gives.",
            )

    def _check_augment(self, steps):
        names = describe(steps)
        if names != list(self.plan.augment):
            labelled = ", ".join(self.plan.augment)
            raise invalid(
                WHERE,
                f"augment=[{labelled}], as at labelling"
                if labelled
                else "no `augment`, as at labelling",
                f"augment=[{', '.join(names)}]",
                "Pass the same, so that the student sees what the teacher saw.",
            )


class _MeanAt(NamedTuple):
    """A stored mean of probabilities, which is another at every temperature.

    Attributes:
        logits: see `ModelOutputs`.
        features: empty.
        temperature: float, the only one at which it is right.
    """

    logits: Any
    features: dict[str, Any]
    temperature: float

    @property
    def is_of_one_temperature(self):
        """See `ModelOutputs`."""
        return True

    def at_temperature(self, temperature, activation="softmax"):
        """See `ModelOutputs.at_temperature`; raises for another temperature."""
        wanted = 1.0 if temperature is None else temperature
        if is_number(wanted) and float(wanted) == self.temperature:
            return ModelOutputs(self.logits)
        raise invalid(
            "SoftTargets",
            f"losses at temperature {self.temperature:g}, for which the ensemble's "
            "probabilities were averaged",
            f"temperature {wanted}" if is_number(wanted) else "one that changes",
            f"Pass temperature={self.temperature:g} to the loss, or label once more.",
        )
