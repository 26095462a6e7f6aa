"""The one look of all figures."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from keras_kd import _figures


def drawn():
    figure, axes = _figures.new_figure()
    axes[0, 0].plot([0, 1], [0, 1], color=_figures.INK, marker="o")
    axes[0, 0].set_xlabel("size (kB)")
    return figure


@pytest.mark.parametrize("name", ["5$ to $7", "<b>", "a & b", "$x^2$", "猫", "a\\b"])
def test_text_is_shown_as_it_is(name):
    figure = drawn()
    figure.axes[0].set_title(_figures.plain(name))
    root = ElementTree.fromstring(_figures.svg(figure, "a"))
    texts = [one.text for one in root.iter() if one.tag.endswith("text")]
    assert name in texts


def test_a_name_is_one_short_line():
    shown = _figures.plain("long\nname\x00 " * 20)
    assert len(shown) <= 22
    assert shown.isprintable()


def test_parts_of_two_figures_have_other_names():
    texts = [_figures.svg(drawn(), name) for name in ("a", "b")]
    names = [set(re.findall(r'\bid="([^"]+)"', text)) for text in texts]
    assert names[0]
    assert not names[0] & names[1]
    for text, own in zip(texts, names, strict=True):
        used = re.findall(r'(?:href="#|url\(#)([^")]+)', text)
        assert used
        assert set(used) <= own


def test_same_figure_same_svg_in_the_colour_of_the_page():
    text = _figures.svg(drawn(), "a")
    assert text == _figures.svg(drawn(), "a")
    assert text.startswith("<svg")
    assert _figures.INK not in text
    assert "currentColor" in text


def test_colours_differ_in_lightness_too():
    """So that neighbours are told apart in grey; WCAG's relative luminance."""

    def luminance(colour):
        parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    assert len(set(_figures.COLOURS)) == len(_figures.MARKERS)
    # Against both grounds of the page, at least 2 to 1.
    for colour in _figures.COLOURS[:-1]:
        light = luminance(colour)
        for ground in (1.0, luminance("#191f25")):
            contrast = (max(light, ground) + 0.05) / (min(light, ground) + 0.05)
            assert contrast > 2
