"""The parts of a contrast between one pair and many that are none."""

import keras
from keras import ops

# The authors' guard of the divisions.
_EPSILON = 1e-7


def memory_similarities(embeddings, memory, rows):
    """Products of each embedding with chosen vectors of a memory.

    Args:
        embeddings: float `(batch, dimensions)`.
        memory: float `(num_examples, dimensions)`; a constant.
        rows: int `(batch, 1 + num_negatives)`, which vectors of the memory.

    Returns:
        Float `(batch, 1 + num_negatives)`.

    Example:
        >>> memory = [[1.0, 0.0], [0.0, 1.0]]
        >>> products = memory_similarities(ops.array([[2.0, 3.0]]), memory, [[1, 0, 1]])
        >>> ops.convert_to_numpy(products).tolist()
        [[3.0, 2.0, 3.0]]
    """
    # All products first: the chosen vectors of a batch take more memory than they do.
    memory = ops.stop_gradient(ops.convert_to_tensor(memory))
    products = ops.matmul(embeddings, ops.transpose(memory))
    return ops.take_along_axis(products, ops.convert_to_tensor(rows), axis=1)


def contrast_normaliser(similarities, num_examples, temperature):
    """The estimate, from one batch, of what makes scores probabilities.

    Args:
        similarities: float `(batch, 1 + num_negatives)`.
        num_examples: int, the size of the memory.
        temperature: float > 0.

    Returns:
        Float32 scalar, a constant: num_examples · mean exp(similarity / temperature).

    Example:
        >>> float(contrast_normaliser([[0.0, 0.0]], 10, 0.07))
        10.0
    """
    scores = ops.exp(ops.cast(similarities, "float32") / temperature)
    return ops.stop_gradient(ops.mean(scores) * num_examples)


def noise_contrastive_error(similarities, *, num_examples, normaliser, temperature):
    """How badly the positive is told from the noise, in nats, summed over the noise.

    With p = exp(similarity / temperature) / normaliser and the noise's q =
    num_negatives / num_examples: -log(p / (p + q)) of the positive, plus
    -log(q / (p + q)) of each negative.

    Args:
        similarities: float `(batch, 1 + num_negatives)`, the positive first.
        num_examples: int, how many examples the noise is drawn from.
        normaliser: float > 0, see `contrast_normaliser`.
        temperature: float > 0.

    Returns:
        Float32 `(batch,)`, at least 0.

    Reference:
        Tian et al., "Contrastive Representation Distillation", ICLR 2020,
        https://arxiv.org/abs/1910.10699.
        Departures: none.

    Example:
        >>> error = noise_contrastive_error(
        ...     [[0.0, 0.0]], num_examples=1, normaliser=1.0, temperature=1.0
        ... )
        >>> round(float(error[0]), 3)
        1.386
    """
    similarities = ops.cast(similarities, "float32")
    noise = (similarities.shape[1] - 1) / num_examples
    scores = ops.exp(similarities / temperature) / normaliser
    total = scores + noise + _EPSILON
    positive = ops.log(total[:, 0] / scores[:, 0])
    return positive + ops.sum(ops.log(total[:, 1:] / noise), axis=1)


def draw_negatives(ids, classes, num_negatives, seed):
    """Examples of other classes, each as likely as any, with repetition.

    Args:
        ids: int `(batch,)`, the examples to draw for.
        classes: int `(num_examples,)`, the class of every example.
        num_negatives: int, how many to draw for each.
        seed: int or `keras.random.SeedGenerator`.

    Returns:
        Int32 `(batch, num_negatives)`. An example whose class all others share gets
        others of its own class.

    Example:
        >>> drawn = draw_negatives(ops.array([0]), ops.array([5, 5, 7]), 3, seed=0)
        >>> ops.convert_to_numpy(drawn).tolist()
        [[2, 2, 2]]
    """
    own = ops.take(classes, ids)[:, None]
    by_class = ops.argsort(classes)
    count = classes.shape[0]
    # Sorted by class, the others are all but one stretch, which ends where they start.
    size = ops.sum(ops.cast(classes == own, "int32"), axis=1, keepdims=True)
    others = ops.sum(ops.cast(classes <= own, "int32"), axis=1, keepdims=True)
    left = ops.cast(ops.maximum(count - size, 1), "float32")
    draws = keras.random.uniform((ops.shape(ids)[0], num_negatives), seed=seed)
    steps = ops.minimum(ops.floor(draws * left), left - 1.0)
    places = ops.mod(others + ops.cast(steps, "int32"), count)
    return ops.cast(ops.take(by_class, places), "int32")
