"""Students that learn together, without a trained teacher."""

import weakref

import keras
import tensorflow as tf
from keras import ops

from keras_kd._keras_internals import compiled_loss, loss_tracker, require_compiled
from keras_kd.data import as_examples
from keras_kd.distiller.batch import batch_mean, unpack
from keras_kd.distiller.distributed import OnSeveralWorkers, of_replica
from keras_kd.distiller.hard_loss import HardLabelCrossEntropy, check_from_logits
from keras_kd.distiller.mutual_checks import (
    check_before_fit,
    check_metrics,
    check_students,
    check_weight,
    common_activation,
    unlabelled,
)
from keras_kd.distiller.saving import SavedWithStudents
from keras_kd.distiller.wiring import override_for
from keras_kd.losses import MultiLabelDistillation, SoftTargetDistillation, schedules
from keras_kd.outputs import find_head, forward


@keras.saving.register_keras_serializable(package="keras_kd")
class MutualDistiller(SavedWithStudents, OnSeveralWorkers, keras.Model):
    """Trains several students at once, each on the labels and on the others' answers.

    The loss of student k is cross-entropy(y, p_k) + weight · mean over its peers l of
    T² · KL(p_l ‖ p_k), plus its regularisation losses; a peer's answer is a constant in
    it. All are summed, so that one optimizer trains each student on its own loss. Every
    student runs once a step. Sigmoid heads have a divergence for each label.

    It is used like any Keras model: `compile`, `fit`, `evaluate`, callbacks, `save`.
    The students are in `students`; `predict` gives the mean of their probabilities.

    Logged: "loss", the sum; for each student "student_1_loss" (the one on hard labels),
    "student_1_peer_loss" (before its weight), and the metrics of `compile` as
    "student_1_accuracy", of the student's own outputs.

    Args:
        students: list of at least two `keras.Model`s that take the same inputs and
            score the same classes, of any architectures; trained in place.
        weight: float >= 0 or `LearningRateSchedule`, of the peers. Default 1.0.
        temperature: float > 0 or `LearningRateSchedule`. Default 1.0, the paper's.
        from_logits: whether the students' outputs are logits. Default None: recognised;
            needed for heads that are not.
        name: str.
        **kwargs: for `keras.Model`.

    Attributes:
        students: the students, ready to use or save after `fit`.

    Raises:
        ValueError: There are fewer than two students; they share layers, score other
            classes, or end some in softmax and some in sigmoid; a number is out of
            range.

    Reference:
        Zhang et al., "Deep Mutual Learning", 2018, https://arxiv.org/abs/1706.00384;
        authors' code, https://github.com/YingZhangDUT/Deep-Mutual-Learning.
        Departures: all students take their step at once, from the same predictions. The
        paper updates them in turn, each from the new predictions of those before it,
        which needs twice the forward passes; so does the code, with a new batch for
        each. Peers are averaged as in the paper, where the code sums. One optimizer
        equals one for each student, but for options over all gradients at once such as
        `global_clipnorm`. Temperature and weight, both 1 in the paper.

    Example:
        >>> import numpy as np
        >>> layers = keras.layers
        >>> def model(units):
        ...     hidden = layers.Dense(units, activation="relu")
        ...     return keras.Sequential([keras.Input((4,)), hidden, layers.Dense(3)])
        >>> distiller = MutualDistiller([model(8), model(16)])
        >>> distiller.compile(optimizer="adam", metrics=["accuracy"])
        >>> history = distiller.fit(np.eye(4), np.array([0, 1, 2, 2]), verbose=0)
        >>> sorted(history.history)[:4]
        ['loss', 'student_1_accuracy', 'student_1_loss', 'student_1_peer_loss']
    """

    def __init__(
        self,
        students,
        *,
        weight=1.0,
        temperature=1.0,
        from_logits=None,
        name="mutual_distiller",
        **kwargs,
    ):
        check_students(students)
        schedules.check_schedule("MutualDistiller", "weight", weight, check_weight)
        schedules.check_schedule("MutualDistiller", "temperature", temperature)
        kwargs.setdefault("dtype", _widest_policy(students))
        # The students cast their inputs themselves, each in its own way.
        super().__init__(name=name, autocast=False, **kwargs)
        self.students = list(students)
        self.weight = weight
        self.temperature = temperature
        self.from_logits = from_logits
        self.heads = [
            find_head(student, from_logits=override_for(student, students, from_logits))
            for student in students
        ]
        self.activation = common_activation(self.heads, students)
        self.peer_loss = (
            MultiLabelDistillation(temperature)
            if self.activation == "sigmoid"
            else SoftTargetDistillation(temperature)
        )
        # Keras puts them before the names of the metrics of several outputs.
        self.output_names = [f"student_{n}" for n in range(1, len(students) + 1)]
        self._hard_trackers, self._peer_trackers = (
            [keras.metrics.Mean(f"{name}_{kind}") for name in self.output_names]
            for kind in ("loss", "peer_loss")
        )
        self._checked_data = lambda: None
        self.built = all(student.built for student in students)

    @property
    def infers_hard_loss(self):
        """Whether the loss on hard labels was left to be inferred."""
        return isinstance(self.loss, HardLabelCrossEntropy)

    def build(self, input_shape):
        """Nothing to make: the students build themselves in their first pass."""
        self.built = True

    def call(self, inputs, training=None):
        """The mean of the students' probabilities, float32 `(batch, num_classes)`."""
        _, outputs = self._run(as_examples(inputs).inputs, training=bool(training))
        is_sigmoid = self.activation == "sigmoid"
        to_probabilities = ops.sigmoid if is_sigmoid else ops.softmax
        return ops.mean(
            ops.stack([to_probabilities(each.logits) for each in outputs]), axis=0
        )

    def compile(
        self,
        optimizer="adam",
        loss=None,
        *,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        """Configures training; as in any Keras model, but `loss` may be left out.

        Args:
            optimizer: name or `keras.optimizers.Optimizer`, for all students.
            loss: the loss on hard labels, the same for each; None for the cross-entropy
                that suits the labels and the heads.
            metrics: list; each student gets metrics of its own like these.
            weighted_metrics: list, as `metrics`.
            **kwargs: see `keras.Model.compile`.

        Raises:
            ValueError: The loss's `from_logits` contradicts a student's head.
        """
        check_metrics(metrics, weighted_metrics)
        self._checked_data = lambda: None
        if loss is None:
            loss = HardLabelCrossEntropy(self.activation)
        for head in self.heads:
            check_from_logits(loss, head, where="MutualDistiller.compile")
        super().compile(
            optimizer,
            loss,
            metrics=self._for_each_student(metrics),
            weighted_metrics=self._for_each_student(weighted_metrics),
            **kwargs,
        )

    def fit(self, x=None, y=None, *args, **kwargs):
        """Trains the students; arguments and result as in `keras.Model.fit`.

        Raises:
            ValueError: Before the first step, for models or data that cannot be used.
        """
        require_compiled(self, "fit")
        # A data set is looked at once: every look would start its pipeline anew.
        if not isinstance(x, tf.data.Dataset) or self._checked_data() is not x:
            with self.distribute_strategy.scope():
                x = check_before_fit(self, x, y)
        if isinstance(x, tf.data.Dataset):
            self._checked_data = weakref.ref(x)
        return super().fit(x, y, *args, **kwargs)

    def train_step(self, data):
        """One step on one batch: every student runs once, and all are updated."""
        batch = unpack(data)
        with tf.GradientTape() as tape:
            predictions, outputs = self._run(batch.inputs, training=True)
            loss = self._loss(predictions, outputs, batch)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.trainable_weights)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_weights, strict=True)
        )
        return self.compute_metrics(
            batch.inputs, batch.labels, predictions, batch.sample_weight
        )

    def test_step(self, data):
        """The losses and metrics of one batch."""
        batch = unpack(data)
        predictions, outputs = self._run(batch.inputs, training=False)
        self._loss(predictions, outputs, batch)
        return self.compute_metrics(
            batch.inputs, batch.labels, predictions, batch.sample_weight
        )

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The values to log.

        Args:
            x: not used.
            y: labels.
            y_pred: list of each student's outputs; or what `call` gives, with which
                Keras makes the metrics under a distribution strategy.
            sample_weight: None, or one weight an example.
        """
        if not isinstance(y_pred, list):
            y_pred = [y_pred] * len(self.students)
        return super().compute_metrics(x, [y] * len(y_pred), y_pred, sample_weight)

    def _for_each_student(self, metrics):
        """Metrics of its own for each student, or None."""
        return metrics and [[_fresh(m) for m in metrics] for _ in self.students]

    def _run(self, inputs, *, training):
        """Each student's own outputs, and the `ModelOutputs` of each."""
        runs = [
            forward(student, inputs, head=head, training=training)
            for student, head in zip(self.students, self.heads, strict=True)
        ]
        return [list(part) for part in zip(*runs, strict=True)]

    def _loss(self, predictions, outputs, batch):
        """The number to minimise, of this replica; updates what is logged."""
        if batch.labels is None:
            raise unlabelled()
        # Keras divides the hard loss by the replicas, whose gradients it adds.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        step = self.optimizer.iterations
        peer_loss = self.peer_loss.at_step(step)
        batch_size = ops.shape(outputs[0].logits)[0]
        total = ops.cast(sum(ops.sum(loss) for loss in self.losses), "float32")
        for number, own in enumerate(outputs):
            hard = replicas * compiled_loss(self)(
                batch.labels,
                own.logits if self.infers_hard_loss else predictions[number],
                batch.sample_weight,
            )
            peers = outputs[:number] + outputs[number + 1 :]
            divergence = sum(peer_loss(peer, own) for peer in peers) / len(peers)
            peer = batch_mean(divergence, batch.sample_weight, own.mask)
            total += hard + schedules.value_at(self.weight, step) * peer
            for tracker, value in (
                (self._hard_trackers[number], hard),
                (self._peer_trackers[number], peer),
            ):
                value, _ = of_replica(value, batch_size)
                tracker.update_state(value, sample_weight=batch_size)
        total, loss = of_replica(total, batch_size)
        loss_tracker(self).update_state(total, sample_weight=batch_size)
        return loss


def _fresh(metric):
    """A metric like this one that counts on its own; a name or function as it is."""
    if not isinstance(metric, keras.metrics.Metric):
        return metric
    return type(metric).from_config(metric.get_config())


def _widest_policy(students):
    """The dtype policy that has Keras scale the loss, if one student needs it."""
    policies = [student.dtype_policy for student in students]
    scaled = (policy for policy in policies if policy.name == "mixed_float16")
    return next(scaled, policies[0])
