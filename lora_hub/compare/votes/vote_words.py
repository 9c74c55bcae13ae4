"""What votes say, in sentences.

describe_side(0.62, 0.55, 0.69)      whether the place on the page decides
describe_waiting(2)                  why votes of whoever looks are not on their board
describe_circle()                    why no ranking agrees with the votes
"""

from lora_hub.core.messages import Message, _, _n


def describe_side(share: float, low: float, high: float) -> Message:
    """How often the first place of the page was chosen against the last, with its interval. All from 0 to 1."""
    values = {"share": 100 * share, "low": 100 * low, "high": 100 * high}
    if low <= 0.5 <= high:
        return _(
            "Of the votes for the first or the last place, {share:.0f} % went to the first ({low:.0f} to {high:.0f} "
            "%): no sign that the place decides.",
            **values,
        )
    return _(
        "Of the votes for the first or the last place, {share:.0f} % went to the first ({low:.0f} to {high:.0f} %): "
        "the place decides, too. Its order is drawn for each comparison, so no model gains by it.",
        **values,
    )


def describe_waiting(votes: int) -> Message:
    """Why votes of whoever looks are not on their board."""
    return _n(
        "{count:,} vote of yours is not counted here yet: show its names first, or this table would tell them.",
        "{count:,} votes of yours are not counted here yet: show their names first, or this table would tell them.",
        count=votes,
    )


def describe_circle() -> Message:
    """Where a board does not fit its votes (`Board.fits`)."""
    return _("These models beat each other in a circle, so no ranking agrees with all the votes.")
