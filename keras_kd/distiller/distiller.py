"""The Distiller: a Keras model whose `fit` trains a student from a teacher."""

import functools

import keras
import tensorflow as tf
from keras import ops

from keras_kd._keras_internals import compiled_loss, loss_tracker, require_compiled
from keras_kd.data import as_examples
from keras_kd.distiller.batch import batch_size, counted, share_here, unpack
from keras_kd.distiller.defaults import ChoosesLosses
from keras_kd.distiller.distributed import of_replica
from keras_kd.distiller.entries import other_keys
from keras_kd.distiller.hard_loss import check_from_logits, inferred_loss, is_inferred
from keras_kd.distiller.logged import LogsWhatWasTold
from keras_kd.distiller.look import LooksAtFirstBatch
from keras_kd.distiller.metrics import fitted_metrics
from keras_kd.distiller.objective import Objective
from keras_kd.distiller.preflight import (
    check_batch,
    check_models,
    require_teacher,
    unlabelled,
)
from keras_kd.distiller.saving import SavedWithoutTeacher
from keras_kd.distiller.settings import SettableNumbers
from keras_kd.distiller.terms import as_losses
from keras_kd.distiller.views import warn_of_own_views
from keras_kd.distiller.wiring import (
    as_teacher,
    check_student,
    connect,
    layers_of,
    override_for,
)
from keras_kd.outputs import check_trainable, find_heads, forward


@keras.saving.register_keras_serializable(package="keras_kd")
class Distiller(
    SettableNumbers,
    ChoosesLosses,
    SavedWithoutTeacher,
    LooksAtFirstBatch,
    LogsWhatWasTold,
    keras.Model,
):
    """Trains a student on hard labels and on what a trained teacher answers.

    The loss is α · hard + (1 - α) · Σ wᵢ · softᵢ, plus the student's regularisation
    losses. It is used like any Keras model. The teacher is never changed, trained or
    saved; only a `MeanTeacher` follows the student, and is saved with it.

    Logged by `fit` and `evaluate`: "loss", "student_loss" (the hard one), one value for
    each distillation loss ("soft_target_loss", before weights), and the metrics of
    `compile`, which see the student's own outputs.

    Args:
        teacher: a trained `keras.Model`, a `Teacher`, or a list of either, which are
            made an `Ensemble` of equal weights.
        student: the `keras.Model` to train, with outputs `(batch, ..., num_classes)`;
            with several, the teacher has them too, by the same names or places.
        distillation_losses: one or a list of `keras_kd.losses.DistillationLoss` or
            `keras.distillation` losses; for several outputs a dict or list with an
            entry for each, as `compile(loss=...)` takes them. Default: what fits the
            heads and the loss of `compile`, logged by `logging`: soft targets at
            `temperature` for classes (`SoftTargetDistillation`) and for independent
            labels (`MultiLabelDistillation`), `LogitRegressionDistillation` for values.
        distillation_loss_weights: a number or `LearningRateSchedule` for each of them,
            in the same places; default: the weight that its authors give each
            (`published_weight`).
        alpha: float in [0, 1] or `LearningRateSchedule`: the weight of the hard labels.
            0 for unlabelled data. Default 0.1.
        temperature: float > 0 or `LearningRateSchedule`, for the default loss only.
            Default 4.0.
        teacher_preprocessing: function from a batch of the student's inputs to the
            teacher's, if they differ; of a list of models, to each of them.
        from_logits: whether the models' outputs are logits. Default None: recognised.
            Heads that end in softmax or sigmoid are turned back into logits exactly.
        teacher_agreement: bool, also log the fraction of examples on which student and
            teacher choose the same class; of independent labels, the fraction of labels
            on which both say yes or both no. Values have none.
        name: str.
        **kwargs: for `keras.Model`.

    Attributes:
        student: the student model, ready to use or save after `fit`.
        alpha: a number can be set at any time, by a callback in `on_epoch_begin`, say;
            the next step reads it. The same for `distillation_loss_weights`, and for
            `temperature` of the losses that have one. All are saved.
        objective: the losses, their weights and α, to be read.
        teacher: the `Teacher`, or None in a distiller that was just loaded.

    Raises:
        ValueError: An argument is out of range, or teacher and student do not fit.

    Reference:
        Hinton et al., 2015, https://arxiv.org/abs/1503.02531.

    Example:
        >>> import numpy as np
        >>> layers = keras.layers
        >>> teacher = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
        >>> student = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
        >>> distiller = Distiller(teacher, student, alpha=0.1, temperature=4.0)
        >>> distiller.compile(optimizer="adam", metrics=["accuracy"])
        >>> history = distiller.fit(np.eye(4), np.array([0, 1, 2, 2]), verbose=0)
        >>> sorted(history.history)
        ['accuracy', 'loss', 'soft_target_loss', 'student_loss']
    """

    check_batch = check_batch

    def __init__(
        self,
        teacher,
        student,
        distillation_losses=None,
        distillation_loss_weights=None,
        *,
        alpha=0.1,
        temperature=None,
        teacher_preprocessing=None,
        from_logits=None,
        teacher_agreement=False,
        name="distiller",
        **kwargs,
    ):
        check_student(student)
        kwargs.setdefault("dtype", student.dtype_policy)
        # Teacher and student cast their inputs themselves, each in its own way.
        super().__init__(name=name, autocast=False, **kwargs)
        self.student = student
        self.from_logits = from_logits
        self.head = find_heads(
            student, from_logits=override_for(student, teacher, from_logits)
        )
        if teacher is not None:
            teacher = as_teacher(teacher, teacher_preprocessing, from_logits, student)
        choose = functools.partial(
            as_losses,
            distillation_losses,
            distillation_loss_weights,
            temperature=temperature,
            student=student,
        )
        self._default_losses = choose if distillation_losses is None else None
        heads = [self.head] if teacher is None else [self.head, teacher.head]
        losses, weights = choose(heads=heads)
        self.objective = Objective(
            losses, weights, alpha, teacher_agreement, other_keys(student)
        )
        if self.objective.others:
            # By which Keras, too, takes and logs what is for an output.
            self.output_names = student.output_names
        # Named here too, for Keras to find, train, save and reset.
        self.distillation_losses = losses
        self._trackers = [
            self.objective.student_tracker,
            *self.objective.teacher_trackers,
        ]
        self._teacher = None
        if teacher is not None:
            self.attach_teacher(teacher)
        self._is_made = True

    @property
    def infers_hard_loss(self):
        """Whether the loss on hard labels was left to be inferred."""
        return is_inferred(self.loss)

    def attach_teacher(self, teacher, *, teacher_preprocessing=None):
        """Gives the teacher back to a distiller that was loaded from a file.

        Args:
            teacher: as for the constructor.
            teacher_preprocessing: as for the constructor.

        Raises:
            ValueError: It is not the teacher that the distiller was trained with, or it
                does not fit the student.
        """
        arguments = teacher_preprocessing, self.from_logits, self.student
        teacher = as_teacher(teacher, *arguments)
        teacher.check("Distiller", self.student)
        self._check_fingerprint(teacher)
        warn_of_own_views("Distiller", [self.student], teacher)
        self._teacher = teacher
        self.supports_jit = teacher.compilable
        self.forget_data()
        self.train_function = self.test_function = None
        if getattr(self.student, "inputs", None):
            self.build(self.student.input_shape)

    def build(self, input_shape):
        """Makes the weights of the losses; done as soon as the shapes are known."""
        if self._teacher is not None:
            connect(self, input_shape)
        self.built = True

    def call(self, inputs, training=None):
        """The student's outputs."""
        return self.student(as_examples(inputs).inputs, training=training)

    def student_outputs(self, inputs):
        """The student's `ModelOutputs` for a batch, in inference mode."""
        return self._run_student(inputs, training=False)[1]

    def compile(
        self,
        optimizer="adam",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        **kwargs,
    ):
        """Configures training; as in any Keras model, but `loss` may be left out.

        Args:
            optimizer: name or `keras.optimizers.Optimizer`.
            loss: the loss on hard labels; None for the cross-entropy that suits the
                labels (integer, one-hot, multi-hot) and the student's head.
            loss_weights: see `keras.Model.compile`.
            metrics: see `keras.Model.compile`; where the student ends in logits, names
                such as "accuracy" or "Precision" say yes above 0.
            weighted_metrics: see `metrics`.
            **kwargs: see `keras.Model.compile`.

        Raises:
            ValueError: A loss or metric reads the student's outputs as what they are
                not; or no default distillation loss fits the loss.
        """
        self.forget_data()
        check_from_logits(loss, self.head)
        self._choose_losses(loss)
        if loss is None:
            loss = inferred_loss(self.head, self.objective.losses, self.student)
        parts = self._read_outputs(loss)
        metrics, weighted_metrics = (
            each
            and fitted_metrics(
                each, parts, output_names=getattr(self.student, "output_names", None)
            )
            for each in (metrics, weighted_metrics)
        )
        super().compile(
            optimizer, loss, loss_weights, metrics, weighted_metrics, **kwargs
        )

    def fit(self, x=None, y=None, *args, **kwargs):
        """Trains the student; arguments and result as in `keras.Model.fit`.

        Raises:
            ValueError: Before the first step, for models or data that cannot be used.
        """
        require_compiled(self, "fit")
        # Before it is built: TensorFlow never trains what is made while frozen.
        check_trainable("Distiller.fit", self.student)
        check_models(self)
        return super().fit(x, y, *args, **kwargs)

    def train_step(self, data):
        """One step on one batch: the teacher and the student run once each."""
        batch = unpack(data)
        require_teacher(self)
        if batch.labels is None and self.objective.needs_labels:
            raise unlabelled()
        self._learns_unlabelled = batch.labels is None
        teacher = self._ask_teacher(batch.examples, self.optimizer.iterations)
        with tf.GradientTape() as tape:
            predictions, student = self._run_student(batch.inputs, training=True)
            check_trainable("Distiller.train_step", self.student)
            loss = self._loss(teacher, student, predictions, batch, training=True)
            scaled_loss = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled_loss, self.trainable_weights)
        self.optimizer.apply(gradients, self.trainable_weights)
        self._teacher.follow(self.student)
        return self.compute_metrics(
            batch.inputs, batch.labels, predictions, batch.sample_weight
        )

    def test_step(self, data):
        """The losses and metrics of one batch; without a teacher, the hard ones."""
        batch = unpack(data)
        teacher = None
        if self.can_ask_teacher(batch.examples):
            teacher = self._ask_teacher(batch.examples)
        if teacher is None and batch.labels is None:
            raise unlabelled()
        predictions, student = self._run_student(batch.inputs, training=False)
        self._loss(teacher, student, predictions, batch, training=False)
        return self.compute_metrics(
            batch.inputs, batch.labels, predictions, batch.sample_weight
        )

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """The part of the loss that the labels alone decide; see `train_step`."""
        if y is None:
            return ops.zeros(())
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def can_ask_teacher(self, examples):
        """Whether there is a teacher, and these `Examples` have what it needs."""
        return self._teacher is not None and self._teacher.can_answer(examples)

    def _ask_teacher(self, examples, step=None):
        layers = layers_of(self.objective.losses, "teacher_layers")
        if step is not None:
            return self._teacher.teach(examples, step, layers=layers)
        return self._teacher.answer(examples, layers=layers)

    def _run_student(self, x, *, training):
        return forward(
            self.student,
            x,
            head=self.head,
            layers=layers_of(self.objective.losses, "student_layers"),
            training=training,
        )

    def _loss(self, teacher, student, predictions, batch, *, training):
        """The number to minimise, of this replica; updates what is logged."""
        # Keras divides the hard loss by the replicas, whose gradients it adds.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        hard = None
        if batch.labels is not None:
            outputs = student.logits if self.infers_hard_loss else predictions
            hard = compiled_loss(self)(batch.labels, outputs, batch.sample_weight)
            student = counted(student, batch.labels, self.loss, self.objective.others)
            hard *= replicas * share_here(student.mask)
        total = self.objective(
            hard=hard,
            teacher=teacher,
            student=student,
            batch=batch,
            regularisation=self.losses,
            step=self.optimizer.iterations,
            training=training,
        )
        total, loss = of_replica(total, batch_size(student))
        loss_tracker(self).update_state(total, sample_weight=batch_size(student))
        return loss
