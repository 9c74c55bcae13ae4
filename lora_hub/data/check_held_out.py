"""Whether enough rows are held out to measure with: told before anything is trained, for no training can mend it."""

import math

from lora_hub.core.errors import names_fa
from lora_hub.data.check_words import counted, number_fa, rows
from lora_hub.data.findings import Finding, finding
from lora_hub.data.table import Table

CODE = "few-held-out"
FEW = 50  # rows; a share of fewer is known to no better than about 13 points either way
LEAST_TOLD = 6  # rows that have to change, all to one side, before the exact McNemar test says more than chance


def check_held_out(scored: int) -> list[Finding]:
    """scored: rows that base and adapter are going to be scored on. Nothing where they are enough."""
    if not 0 < scored < FEW:
        return []
    # Half of Wilson's 95 % interval at 50 %: z / (2 sqrt(n + z^2)).
    half = round(98 / math.sqrt(scored + 3.84))
    told, told_fa = "", ""
    if scored < LEAST_TOLD:
        told = f" No difference between adapter and base can be more than chance with fewer than {LEAST_TOLD} rows."
        told_fa = f" با کمتر از {number_fa(LEAST_TOLD)} سطر هیچ تفاوتی میان آداپتور و مدل پایه معنادار نمی‌شود."
    return [
        finding(
            CODE, "warning", f"Only {rows(scored)} would be scored: a score of so few is known to about {half} points either way.{told}",
            f"فقط {number_fa(scored)} سطر امتیاز می‌گیرد: امتیازِ این تعداد سطر تا حدود {number_fa(half)} واحد به هر سو نامطمئن است.{told_fa}",
            hint=f"Bring more rows, or a test file of your own; from about {FEW} rows on a score begins to say something.",
            hint_fa=f"سطرهای بیشتری بدهید، یا فایل آزمون خودتان را؛ امتیاز از حدود {number_fa(FEW)} سطر به بالا گویا می‌شود.", count=scored,
        )
    ]  # fmt: skip


def find_test_columns(table: Table, mapping: dict[str, str]) -> list[Finding]:
    """A test part of the file that has other columns than the rows to train on."""
    lacking = table.columns_test_lacks(mapping)
    if not lacking:
        return []
    names, names_persian, count = ", ".join(map(repr, lacking)), names_fa(lacking), table.test.rows
    return [finding(
        "test-columns", "warning",
        f"The test part of the file ({counted(count, 'row')}) has no column {names}: it is left aside, and rows to score are held out of the others.",
        f"بخش آزمون این پرونده ({number_fa(count)} سطر) ستون {names_persian} را ندارد: کنار گذاشته می‌شود و سطرهای آزمون از بقیه جدا می‌شود.",
        hint=f"Its columns: {', '.join(map(repr, table.test.columns[:20]))}. Name them as in the other part, or give that file as the test file.",
        hint_fa=f"ستون‌هایش: {names_fa(table.test.columns[:20])}. نام آن‌ها را مانند بخش دیگر کنید، یا آن پرونده را جداگانه برای آزمون بدهید.",
    )]  # fmt: skip
