"""Agreement of maps and of ranks equals SciPy's and a loop over the pixels."""

import numpy as np
import pytest
from scipy.stats import hypergeom, spearmanr

from keras_kd import explain
from keras_kd.explain import Maps


def of(teacher, student):
    classes = np.zeros(len(teacher), int)
    return Maps("saliency", teacher, student, None, None, classes, "")


@pytest.fixture
def pair():
    generator = np.random.default_rng(0)
    a = generator.uniform(size=(6, 7, 9))
    b = 0.5 * a + generator.uniform(size=a.shape)
    return a, np.round(b, 1)  # with ties


def test_agreement_equals_scipy_and_a_loop(pair):
    found = explain.map_agreement(of(*pair))
    for n, (a, b) in enumerate(zip(*pair, strict=True)):
        expected = spearmanr(a.ravel(), b.ravel()).statistic
        assert found.rank_correlation[n] == pytest.approx(expected)
        tops = []
        for one in (a.ravel(), b.ravel()):
            least = sorted(one, reverse=True)[13 - 1]  # 0.2 · 63 = 12.6
            tops.append({i for i, v in enumerate(one) if v >= least})
        overlap = len(tops[0] & tops[1]) / len(tops[0] | tops[1])
        assert found.top_overlap[n] == pytest.approx(overlap)


def test_equal_maps_agree_fully_and_distant_ones_not_at_all(pair):
    a = pair[0]
    assert explain.map_agreement(of(a, a)).mean_rank_correlation == pytest.approx(1)
    assert explain.map_agreement(of(a, a)).mean_top_overlap == 1
    assert explain.map_agreement(of(a, 1 - a)).mean_rank_correlation == pytest.approx(
        -1
    )
    assert explain.map_agreement(of(a, 1 - a)).mean_top_overlap == 0


def test_maps_that_are_lit_in_different_corners_do_not_overlap_in_the_dark():
    a, b = np.zeros((1, 10, 10)), np.zeros((1, 10, 10))
    a[0, :2, :2], b[0, 8:, 8:] = 1, 1
    found = explain.map_agreement(of(a, b))
    assert found.mean_top_overlap == 0
    assert found.chance_overlap[0] == pytest.approx(0.04**2 / (0.08 - 0.04**2))


def test_constant_map_is_undefined_and_left_out_of_the_means(pair):
    a, b = pair[0].copy(), pair[0].copy()
    b[2] = 0.0
    found = explain.map_agreement(of(a, b))
    assert np.isnan(found.rank_correlation).tolist() == [n == 2 for n in range(6)]
    assert np.isnan(found.top_overlap[2])
    assert found.undefined == 1
    assert found.mean_top_overlap == 1
    nothing = explain.map_agreement(of(a[:1] * 0, a[:1]))
    assert np.isnan(nothing.mean_rank_correlation)


def test_by_class_averages_the_images_of_each_class(pair):
    found = explain.map_agreement(of(*pair))
    labels = np.array([4, 1, 4, 4, 1, 4])
    rows = found.by_class(labels)
    assert [(row.label, row.examples) for row in rows] == [(1, 2), (4, 4)]
    assert rows[0].top_overlap == pytest.approx(found.top_overlap[[1, 4]].mean())
    expected = found.rank_correlation[[0, 2, 3, 5]].mean()
    assert rows[1].rank_correlation == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"labels of shape \(6,\), got \(5,\)"):
        found.by_class(labels[:5])


def test_random_maps_overlap_by_chance_as_said():
    """The exact mean of |A∩B| / |A∪B| of random sets: hypergeometric."""
    generator = np.random.default_rng(1)
    a, b = generator.uniform(size=(2, 2000, 10, 10))
    found = explain.map_agreement(of(a, b))
    both = np.arange(21)
    exact = (hypergeom(100, 20, 20).pmf(both) * both / (40 - both)).sum()
    assert found.mean_top_overlap == pytest.approx(exact, abs=0.005)
    assert found.mean_chance_overlap == pytest.approx(1 / 9)
    assert exact == pytest.approx(1 / 9, abs=0.005)
    assert abs(found.mean_rank_correlation) < 0.01


def test_maps_that_are_no_maps_are_refused(pair):
    for a, b in ((pair[0], pair[1][:5]), (pair[0] * np.nan, pair[1])):
        with pytest.raises(ValueError, match="finite maps of one shape"):
            explain.map_agreement(of(a, b))


def test_rank_agreement_equals_scipy():
    generator = np.random.default_rng(2)
    a, b = generator.normal(size=(2, 20, 7)).round(1)
    b[3] = 1.0
    found = explain.rank_agreement(a, b)
    for n in range(20):
        if n == 3:
            assert np.isnan(found[n])
        else:
            expected = spearmanr(a[n], b[n]).statistic
            assert found[n] == pytest.approx(expected)
    with pytest.raises(ValueError, match=r"`student_logits` to be .* \(20, 7\)"):
        explain.rank_agreement(a, b[:, :6])
    with pytest.raises(ValueError, match="at least 2 classes"):
        explain.rank_agreement(a[:, :1], b[:, :1])
