"""Contrastive representation distillation: find the pair among many that are none."""

import keras
from keras import ops

from keras_kd._checks import check_fraction, check_positive, invalid
from keras_kd.losses.epochs import check_count
from keras_kd.losses.labels import class_numbers
from keras_kd.losses.norms import l2_normalise
from keras_kd.losses.pairs import LayerPairLoss
from keras_kd.losses.relations.contrast import (
    contrast_normaliser,
    draw_negatives,
    memory_similarities,
    noise_contrastive_error,
)
from keras_kd.losses.relations.vectors import batch_vectors, make_embeddings

WHERE = "ContrastiveDistillation"
LOWEST_TEMPERATURE = 0.02


@keras.saving.register_keras_serializable(package="keras_kd")
class ContrastiveDistillation(LayerPairLoss):
    """Teacher and student embed the same image alike, and other images apart (CRD).

    A linear embedding of each model's features is told from memories of the other
    model's: its own example is the positive, `num_negatives` of other classes are the
    noise. Embeddings train with the student; the memories hold one vector for each
    training example and follow as averages of the past.

    `fit` must be given the number of each example: `Split.batches(..., ids=True)`, or
    `keras_kd.data.Examples(x, ids)` in the place of `x`. Data for evaluation needs no
    numbers: the loss compares with the training examples and is left out there.

    Args:
        teacher_layers: str, the path of a layer that gives vectors or maps; the authors
            take the pooled vector before the head. The sizes need not agree.
        student_layers: str, the same of the student.
        num_examples: int > 0, the size of the training set; ids are below it. The
            memories take 8 · num_examples · embedding_dim bytes.
        num_negatives: int > 0, drawn for each example, with repetition. Default 16384.
        embedding_dim: int > 0, the units of both embeddings. Default 128.
        temperature: float >= 0.02, divides the similarities. Default 0.07.
        momentum: float in [0, 1], how much of the old vector a memory keeps each time
            its example is seen. Default 0.5.
        seed: int or None, of the draws.
        name: str, see `DistillationLoss`.

    Attributes:
        published_weight: 0.8.

    Raises:
        ValueError: A number is out of its range; there is not one layer of each model,
            of fixed size; there are no ids.

    Reference:
        Tian et al., "Contrastive Representation Distillation", ICLR 2020,
        https://arxiv.org/abs/1910.10699.
        Departures: negatives are drawn with repetition; the class of an example is
        known, and excluded for others of its class, once it was seen (before that its
        memory is noise anyway), and without labels only the example itself is excluded.
        With R replicas a memory moves by the mean over them, and classes are learned
        from the first one.

    Example:
        >>> from keras_kd.outputs import ModelOutputs
        >>> one = ModelOutputs(ops.ones((2, 3)), {"pool": ops.ones((2, 4))})
        >>> loss = ContrastiveDistillation("pool", "pool", num_examples=10)
        >>> tuple(loss(one, one, [0, 2], example_ids=[7, 4]).shape)
        (2,)
    """

    published_weight = 0.8
    needs_example_ids = True

    # The normaliser, taken from the first batch, belongs to it.
    temperature_changes = False

    def __init__(
        self,
        teacher_layers,
        student_layers,
        num_examples,
        *,
        num_negatives=16384,
        embedding_dim=128,
        temperature=0.07,
        momentum=0.5,
        seed=None,
        name=None,
    ):
        super().__init__(teacher_layers, student_layers, name=name)
        if len(self.teacher_layers) != 1:
            raise invalid(
                WHERE,
                "one layer of each model",
                f"{len(self.teacher_layers)} pairs",
                "Give one such loss for each pair.",
            )
        check_count(WHERE, "num_examples", num_examples)
        check_count(WHERE, "num_negatives", num_negatives)
        check_count(WHERE, "embedding_dim", embedding_dim)
        check_positive(WHERE, "temperature", temperature)
        if temperature < LOWEST_TEMPERATURE:
            raise invalid(
                WHERE,
                f"a `temperature` of at least {LOWEST_TEMPERATURE}",
                temperature,
                "Scores grow with its inverse beyond what float32 holds; take 0.07.",
            )
        check_fraction(WHERE, "momentum", momentum)
        self.num_examples = num_examples
        self.num_negatives = num_negatives
        self.embedding_dim = embedding_dim
        self.temperature = temperature
        self.momentum = momentum
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, teacher_shapes, student_shapes):
        """See `DistillationLoss.build`; makes the embeddings and the memories."""
        (shapes,) = self.pairs(teacher_shapes.features, student_shapes.features)
        self.teacher_embedding, self.student_embedding = make_embeddings(
            self, 0, *shapes, self.embedding_dim
        )
        self.teacher_memory = self._add_memory("teacher_memory")
        self.student_memory = self._add_memory("student_memory")
        self.normalisers = self._add_state("normalisers", (2,), "float32", "mean")
        self.classes = self._add_state(
            "classes", (self.num_examples,), "int32", "only_first_replica"
        )

    def call(self, teacher, student, labels=None, *, example_ids=None, training=False):
        """See `DistillationLoss.call`; `(batch,)`, at least 0.

        Args:
            teacher: see `DistillationLoss.call`.
            student: see `DistillationLoss.call`.
            labels: see `DistillationLoss.call`; None to exclude no class.
            example_ids: integers `(batch,)` in [0, num_examples).
            training: bool, whether the memories and what is learned of the data move.
        """
        ids = self._as_ids(example_ids)
        classes = self._updated_classes(ids, labels, student.logits.shape[-1])
        negatives = draw_negatives(
            ids, classes, self.num_negatives, self.seed_generator
        )
        rows = ops.concatenate([ids[:, None], negatives], axis=1)
        ((ours, theirs),) = self.pairs(teacher.features, student.features)
        ours = ops.stop_gradient(batch_vectors(ours))
        ours = l2_normalise(self.teacher_embedding(ours))
        theirs = l2_normalise(self.student_embedding(batch_vectors(theirs)))
        similarities = [
            memory_similarities(theirs, self.teacher_memory, rows),
            memory_similarities(ours, self.student_memory, rows),
        ]
        normalisers = self._known_normalisers(similarities)
        if training:
            self.classes.assign(classes)
            self.normalisers.assign(normalisers)
            self._remember(self.teacher_memory, ids, ours)
            self._remember(self.student_memory, ids, theirs)
        return sum(
            noise_contrastive_error(
                similarity,
                num_examples=self.num_examples,
                normaliser=normaliser,
                temperature=self.temperature,
            )
            for similarity, normaliser in zip(
                similarities, ops.unstack(normalisers), strict=True
            )
        )

    def check_example_ids(self, ids):
        """See `DistillationLoss.check_example_ids`."""
        if ids.min() < 0 or ids.max() >= self.num_examples:
            raise invalid(
                WHERE,
                f"ids from 0 to {self.num_examples - 1}, as num_examples tells",
                f"ids from {ids.min()} to {ids.max()}",
                "Number the training examples from 0, and give their number.",
            )

    def get_config(self):
        """See `DistillationLoss.get_config`."""
        names = ("num_examples", "num_negatives", "embedding_dim", "temperature")
        config = {name: getattr(self, name) for name in (*names, "momentum", "seed")}
        return {**super().get_config(), **config}

    def _as_ids(self, example_ids):
        if example_ids is None:
            raise invalid(
                WHERE,
                "the number of each example",
                "None",
                "Train on Split.batches(..., ids=True), or on "
                "keras_kd.data.Examples(x, ids) in the place of x.",
            )
        return ops.cast(ops.reshape(example_ids, (-1,)), "int32")

    def _updated_classes(self, ids, labels, num_classes):
        """The class of every training example as far as it is known; else -1."""
        if labels is None:
            return ops.arange(self.num_examples, dtype="int32")
        seen = class_numbers(labels, num_classes, WHERE)
        return ops.scatter_update(self.classes, ids[:, None], seen)

    def _known_normalisers(self, similarities):
        """Those of the first training batch, for ever; before it, this batch's."""
        estimates = [
            contrast_normaliser(each, self.num_examples, self.temperature)
            for each in similarities
        ]
        known = ops.convert_to_tensor(self.normalisers)
        return ops.where(known < 0, ops.stack(estimates), known)

    def _remember(self, memory, ids, vectors):
        old = ops.take(memory, ids, axis=0)
        moved = self.momentum * old + (1.0 - self.momentum) * vectors
        moved = ops.stop_gradient(l2_normalise(moved))
        memory.assign(ops.scatter_update(memory, ids[:, None], moved))

    def _add_memory(self, name):
        # As the authors start it: the vectors have about length 1.
        limit = (self.embedding_dim / 3) ** -0.5
        return self.add_weight(
            name=name,
            shape=(self.num_examples, self.embedding_dim),
            initializer=keras.initializers.RandomUniform(-limit, limit, self.seed),
            trainable=False,
            aggregation="mean",
        )

    def _add_state(self, name, shape, dtype, aggregation):
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer=keras.initializers.Constant(-1),
            trainable=False,
            aggregation=aggregation,
        )
