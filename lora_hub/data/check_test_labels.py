"""Which of the labels that are learnt the rows to score have: where they have one alone, a score says next to nothing."""

from collections.abc import Iterable

import polars

from lora_hub.data.check_labels import label_counts
from lora_hub.data.check_words import number_fa, some
from lora_hub.data.findings import Finding, finding


def check_test_labels(known: Iterable[str], test: polars.DataFrame) -> list[Finding]:
    """known: the labels that are learnt; test: row and answer of the rows that are scored."""
    counts = label_counts(test)
    known = sorted(set(known))
    if len(known) < 2 or not counts or not set(counts) & set(known):
        return []  # of labels that nobody learns another check speaks
    if len(counts) == 1:
        only, count = next(iter(counts.items()))
        return [finding(
            "one-class-test", "warning",
            f"{'The only test row has' if count == 1 else f'All {count:,} test rows have'} the label {only[:60]!r}: whoever always answers that is right every time.",
            f"هر {number_fa(count)} سطر آزمون یک برچسب دارد، «{only[:60]}»: کسی که همیشه همین را بگوید همیشه درست می‌گوید.",
            hint="Bring test rows of the other labels too, or have rows held out of the training file.",
            hint_fa="سطرهایی با برچسب‌های دیگر هم به آزمون اضافه کنید، یا بگذارید سطرهای آزمون از فایل آموزش جدا شود.", count=count,
        )]  # fmt: skip
    missing = [label for label in known if label not in counts]
    if not missing:
        return []
    shown = some(missing, 6)
    return [finding(
        "untested-labels", "info", f"No test row has the label{'s' if len(missing) > 1 else ''} {shown.en}: how well {'they are' if len(missing) > 1 else 'it is'} told is not measured.",
        f"هیچ سطر آزمونی این برچسب‌ها را ندارد: {shown.fa}. تشخیص آن‌ها ارزیابی نمی‌شود.", count=len(missing),
    )]  # fmt: skip
