"""Whether enough rows are held out to measure with: told before anything is trained, for no training can mend it."""

import math

from lora_hub.data.check_words import number_fa, rows
from lora_hub.data.findings import Finding, finding

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
