"""What `devices.py` found, as Markdown."""


def table(results):
    """The rows of a data set as lines of Markdown.

    Args:
        results: dict, what the result file has for one data set.

    Returns:
        List of str.
    """
    head = ["file", "kB", "where", "accuracy", "as on the host", "p50 ms", "memory kB"]
    lines = [head, ["---"] * len(head)]
    for row in results["rows"]:
        lines.append(
            [
                f"{row['model']}, {row['precision']}",
                f"{row['size_bytes'] / 1000:,.1f}",
                row["measured_on"],
                f"{row['accuracy']:.0%}",
                _same(row),
                "" if row["p50_ms"] is None else f"{row['p50_ms']:.3f}",
                _kilobytes(row["arena_bytes"] or row["peak_memory_bytes"]),
            ]
        )
    return [f"| {' | '.join(line)} |" for line in lines]


def _same(row):
    share = f"{row['same_class_as_host']:.0%}"
    return f"{share}, gap {row['largest_gap']:g}" if row["largest_gap"] else share


def _kilobytes(number):
    return "" if number is None else f"{number / 1000:,.1f}"
