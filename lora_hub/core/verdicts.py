"""What a paired comparison found, in words that name the rows, and whom an adapter has to beat.

    describe(comparison)                       the finding in a sentence
    stronger_base(metrics, "accuracy")         "base" or "base_examples"
"""

from lora_hub.core.schema import PairedComparison, Scores, Text2

# How the base is asked, by the keys of a run's metrics.
BASE_WAYS = ("base", "base_examples")
# Who answered, as a card and the shell name them, in the order of their columns.
WHO = {"base": "base", "base_examples": "base with examples in its prompt", "adapter": "adapter"}


def stronger_base(metrics: dict[str, Scores], metric: str) -> str:
    """Whom an adapter has to beat: of the ways in which the base was asked ("base": as it is, "base_examples": with examples
    in its prompt), the one that scored higher; the plain one where they tie."""
    asked = [who for who in BASE_WAYS if metric in metrics.get(who, {})]
    if not asked:
        raise ValueError(f"the base has no {metric}")
    return max(asked, key=lambda who: metrics[who][metric].value)


def describe(found: PairedComparison) -> Text2:
    """What the test found, in a sentence that names the rows; the metric and its values are said beside it."""
    rows, rows_fa = _rows(found.rows), f"{found.rows:,} سطر"
    if not found.changed:
        en, fa = f"None of the {rows} changed", f"هیچ‌یک از {rows_fa} تغییر نکرد"
        if found.rows == 1:
            en, fa = "The one row did not change", "تنها سطر آزمون تغییر نکرد"
    else:
        en, fa = f"{found.changed:,} of {rows} changed, ", f"از {rows_fa}، {found.changed:,} سطر تغییر کرد، "
        whole = "all " if found.changed > 1 else ""
        whole_fa = "همه " if found.changed > 1 else ""
        if not found.worse:
            en, fa = f"{en}{whole}for the better", f"{fa}{whole_fa}به سوی بهتر"
        elif not found.better:
            en, fa = f"{en}{whole}for the worse", f"{fa}{whole_fa}به سوی بدتر"
        else:
            en = f"{en}{found.better:,} for the better and {found.worse:,} for the worse"
            fa = f"{fa}{found.better:,} سطر به سوی بهتر و {found.worse:,} سطر به سوی بدتر"
    if found.verdict in ("better", "worse"):
        return Text2(en=f"{en}; that is beyond what chance explains.", fa=f"{fa}؛ این از نظر آماری معنادار است.")
    if found.verdict == "same":
        return Text2(en=f"{en}.", fa=f"{fa}.")
    unlike, unlike_fa = "", ""
    if found.clusters < found.rows:
        unlike, unlike_fa = f" ({found.clusters:,} of them different from each other)", f" (که {found.clusters:,} سطر آن با هم فرق دارد)"
    return Text2(en=f"{en}; with {rows}{unlike} that can be chance.", fa=f"{fa}؛ با {rows_fa}{unlike_fa} این می‌تواند تصادفی باشد.")


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"
