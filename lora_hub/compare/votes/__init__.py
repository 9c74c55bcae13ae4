"""Votes on blind comparisons, what they say about the models, and the preference data they make."""

from lora_hub.compare.votes.blind_order import draw_order
from lora_hub.compare.votes.boards import collect_votes, rank_by_task
from lora_hub.compare.votes.preferences import preference_rows
from lora_hub.compare.votes.strengths import Board
from lora_hub.compare.votes.vote_words import describe_circle, describe_side, describe_waiting
from lora_hub.compare.votes.votes_file import (
    Votes,
    are_sent,
    cast_vote,
    length_of,
    mark_sent,
    merge_votes,
    read_votes,
    reveal,
    told_votes,
)

__all__ = [
    "mark_sent",
    "length_of",
    "are_sent",
    "Board",
    "Votes",
    "cast_vote",
    "collect_votes",
    "describe_circle",
    "describe_side",
    "describe_waiting",
    "draw_order",
    "merge_votes",
    "preference_rows",
    "rank_by_task",
    "read_votes",
    "reveal",
    "told_votes",
]
