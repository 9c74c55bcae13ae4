"""Checks which of the learnt labels occur in the rows to score. With only one, a score says almost nothing."""

from collections.abc import Iterable

import polars

from lora_hub.core.messages import _, _n, several
from lora_hub.data.checks.check_labels import label_counts
from lora_hub.data.tables.findings import Finding, finding


def check_test_labels(known: Iterable[str], test: polars.DataFrame) -> list[Finding]:
    """known: the labels that are learnt; test: row and answer of the rows to score."""
    counts = label_counts(test)
    known = sorted(set(known))
    if len(known) < 2 or not counts or not set(counts) & set(known):
        return []  # another check reports labels that are not learnt
    if len(counts) == 1:
        only, count = next(iter(counts.items()))
        said = _n(
            "The only test row has the label {only!r}: whoever always answers that is right every time.",
            "All {count:,} test rows have the label {only!r}: whoever always answers that is right every time.",
            count=count,
            only=only[:60],
        )
        return [
            finding(
                "one-class-test",
                "warning",
                said,
                hint=_("Bring test rows of the other labels too, or have rows held out of the training file."),
                count=count,
            )
        ]
    missing = [label for label in known if label not in counts]
    if not missing:
        return []
    said = _n(
        "No test row has the label {labels}: how well it is told is not measured.",
        "No test row has the labels {labels}: how well they are told is not measured.",
        count=len(missing),
        labels=several(missing, most=6, quoted=True),
    )
    return [finding("untested-labels", "info", said, count=len(missing))]
