"""Numbers that tell one example from another, the same in every run and machine."""

import tensorflow as tf


def id_hashes(ids):
    """A number for each id.

    Args:
        ids: strings `(batch,)`.

    Returns:
        Int32 `(batch,)`, a part of FarmHash's 64-bit fingerprint, which never changes.

    Example:
        >>> len(set(id_hashes(tf.constant(["cat", "dog", "cat"])).numpy().tolist()))
        2
    """
    return _words(tf.fingerprint(ids))[:, 0]


def content_hashes(inputs):
    """A number for each example's content: other bits, another number.

    Args:
        inputs: tensor `(batch, ...)`, or a structure of them.

    Returns:
        Int32 `(batch,)`, see `id_hashes`.

    Example:
        >>> x = tf.constant([[1.0], [2.0], [1.0]])
        >>> len(set(content_hashes(x).numpy().tolist()))
        2
    """
    prints = [tf.fingerprint(leaf) for leaf in tf.nest.flatten(inputs)]
    if len(prints) > 1:
        prints = [tf.fingerprint(tf.concat(prints, axis=1))]
    return _words(prints[0])[:, 0]


def view_seed(example_id, view):
    """The seed of one view of one example, for stateless augmentation.

    Args:
        example_id: string scalar.
        view: int >= 0, or an integer scalar tensor.

    Returns:
        Int32 `(2,)`.

    Example:
        >>> view_seed(tf.constant("cat"), 0).shape.as_list()
        [2]
    """
    number = tf.strings.as_string(view)
    name = tf.strings.join([example_id, number], separator="\0view ")
    return _words(tf.fingerprint(tf.expand_dims(name, 0)))[0]


def _words(prints):
    return tf.bitcast(tf.reshape(prints, (-1, 2, 4)), tf.int32)
