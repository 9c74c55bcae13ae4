"""What is said of events that cannot be read, or that a newer version wrote."""

from lora_hub.core.messages import Message, _n, numbers

# How many unreadable lines are named.
NAMED_LINES = 5


def unread_lines(lines: list[int]) -> Message:
    """The message that lines of the file cannot be read, with their number."""
    return _n(
        (
            "Line {lines} of this run's events.jsonl cannot be read: it is cut off or damaged, and what it told is "
            "missing here."
        ),
        (
            "{count:,} lines of this run's events.jsonl cannot be read ({lines}): they are cut off or damaged, and "
            "what they told is missing here."
        ),
        count=len(lines),
        lines=numbers(lines, NAMED_LINES),
    )


def not_understood(count: int) -> Message:
    """The message that so many events are of a kind or form that this version does not know."""
    return _n(
        (
            "{count:,} of this run's events is not known to this version of LoRA Hub and is not shown: a newer one "
            "wrote it."
        ),
        (
            "{count:,} of this run's events are not known to this version of LoRA Hub and are not shown: a newer one "
            "wrote them."
        ),
        count=count,
    )
