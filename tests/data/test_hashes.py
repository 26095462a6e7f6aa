"""Numbers for examples that stay the same in every run."""

import numpy as np
import pytest
import tensorflow as tf

from keras_kd.data.hashes import content_hashes, id_hashes, view_seed


def test_hashes_of_these_ids_never_change():
    """FarmHash's Fingerprint64 of "a", as in the test tables of its other ports."""
    (a,) = id_hashes(tf.constant(["a"])).numpy()
    assert int(a) & 0xFFFFFFFF == 0xB6DF75E3


def test_ids_have_hashes_of_their_own():
    names = tf.constant([f"row-{number}" for number in range(2000)])
    hashes = id_hashes(names).numpy()
    assert hashes.dtype == np.int32
    assert len(set(hashes.tolist())) == 2000


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int64"])
def test_content_is_hashed_row_by_row_and_to_the_last_bit(dtype):
    x = np.arange(60).reshape(5, 3, 4).astype(dtype)
    hashes = content_hashes(tf.constant(x)).numpy()
    np.testing.assert_array_equal(content_hashes(tf.constant(x[2:4])), hashes[2:4])
    changed = x.copy()
    changed.view(np.uint8)[3, 2, -1] ^= 1
    same = content_hashes(tf.constant(changed)).numpy() == hashes
    assert same.tolist() == [True, True, True, False, True]


def test_content_of_a_structure_is_that_of_all_its_parts():
    x = {"a": tf.zeros((4, 2)), "b": tf.constant(["p", "q", "r", "s"])}
    hashes = content_hashes(x).numpy()
    other = {**x, "b": tf.constant(["p", "Q", "r", "s"])}
    assert (content_hashes(other).numpy() == hashes).tolist() == [
        True,
        False,
        True,
        True,
    ]
    other = {**x, "a": tf.one_hot([2, 2, 0, 2], 2)}
    assert (content_hashes(other).numpy() == hashes).tolist() == [
        True,
        True,
        False,
        True,
    ]


def test_seeds_differ_from_id_to_id_and_view_to_view():
    seeds = {
        tuple(view_seed(tf.constant(name), view).numpy().tolist())
        for name in ("a", "b", "a0", "a1")
        for view in range(12)
    }
    assert len(seeds) == 48
