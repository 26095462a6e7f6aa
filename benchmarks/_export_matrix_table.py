"""The result of `export_matrix.py` as a table."""

TITLES = {
    "plain_cnn": "plain CNN",
    "plain_cnn_softmax": "plain CNN, softmax head",
    "depthwise_separable": "depthwise-separable, as MobileNetV1",
    "residual": "residual, as ResNet",
    "squeeze_excite": "squeeze-and-excite",
    "mobilenet_v2": "inverted residuals, as MobileNetV2",
    "mobilenet_v3": "the same with hard-swish, as MobileNetV3",
    "inception": "branches, as Inception",
    "vision_transformer": "small vision transformer",
    "mlp_layer_norm": "dense layers with LayerNormalization",
    "keyword_spotting": "Conv1D, as for keywords",
    "text": "embedded words",
    "lstm": "LSTM",
    "lstm_unrolled": "LSTM, `unroll=True`",
    "gru": "GRU",
    "gru_unrolled": "GRU, `unroll=True`",
    "bidirectional_unrolled": "bidirectional LSTM, `unroll=True`",
}


def table(results):
    """Lines of Markdown: errors and agreements in percent, then why some cells fail.

    Args:
        results: dict, the result file.
    """
    precisions = list(results["limits"])
    reasons = []
    lines = [
        f"| architecture | {' | '.join(precisions)} |",
        "|---" * (1 + len(precisions)) + "|",
    ]
    for name, row in results["cells"].items():
        cells = [_cell(row[precision], reasons) for precision in precisions]
        lines.append(f"| {TITLES[name]} | {' | '.join(cells)} |")
    if reasons:
        lines.append("")
    return lines + [
        f"- ({number}) {reason}" for number, reason in enumerate(reasons, start=1)
    ]


def _cell(result, reasons):
    if "failed" not in result:
        error, agreement = 100 * result["relative_error"], 100 * result["agreement"]
        return f"{_rounded(error)} / {agreement:.1f}"
    reason = reason_of(result["failed"])
    if reason not in reasons:
        reasons.append(reason)
    return f"no ({reasons.index(reason) + 1})"


def reason_of(message):
    """An error message without the function and the model that it is about."""
    _, found, reason = message.partition(" could not be written as ")
    return reason.partition(": ")[2] if found else message


def _rounded(percent):
    return "<0.01" if percent < 0.01 else f"{percent:.2f}"
