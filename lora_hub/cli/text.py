"""The pieces of what the shell prints for people: tables, scores, verdicts. Plain text only; no decisions."""

from typing import Any

from lora_hub.core import verdicts
from lora_hub.core.schema import PairedComparison


def table(header: list[str], rows: list[list[Any]]) -> str:
    """Columns of text, as wide as their widest cell."""
    cells = [header, *[["" if cell is None else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def rows_of(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def score_table(metrics: dict[str, dict[str, dict[str, float]]]) -> str:
    names = list(dict.fromkeys(name for of in metrics.values() for name in of))
    rows = [
        [
            who,
            *[
                f"{of[name]['value']:.1f} ({of[name]['low']:.1f} to {of[name]['high']:.1f})" if name in of else ""
                for name in names
            ],
        ]
        for who, of in metrics.items()
    ]
    return table(["", *names], rows)


def units_of(metrics: dict[str, dict[str, Any]]) -> str:
    """What the figures of a score table are."""
    less = "; of calibration_error, less is better" if any("calibration_error" in of for of in metrics.values()) else ""
    return f"per cent, 95 % intervals{less}"


def verdict(comparison: dict[str, Any] | None, name: str = "adapter") -> list[str]:
    """What the paired test of an adapter against its base says; no line where there was none."""
    if not comparison:
        return []
    found = PairedComparison(**comparison)
    return [
        (
            f"{found.metric}, {name} against the {verdicts.WHO.get(found.against, found.against)}: "
            f"{verdicts.describe(found).en} (p = {found.p:.2g})"
        )
    ]


def estimated(steps: int, seconds: float, memory_bytes: int) -> str:
    """What a training will take, in a line."""
    return f"about {steps} step{'' if steps == 1 else 's'}, {seconds:.0f} s, {memory_bytes / 2**20:.0f} MiB"
