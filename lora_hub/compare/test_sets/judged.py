"""What a judge's verdicts say: which of two models it prefers, how sure that is, and whether it agrees with a person.

    found = compute_judged(verdicts, clusters)       {"pairs", "first", "agreement"}, made of the verdicts alone
    describe_judged(pair)                            "The judge prefers v3 to v2: 31 to 12 of 60 rows, ..."

A match is won where both orders say so; anything else is a tie. A pair is tested by signs: if the judge preferred
neither, each cluster's sum of wins and losses could as well have the other sign. The p-values of all pairs are adjusted
for their number (Holm 1979). The share of wins among what was decided has the interval of any other score.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lora_hub.compare.test_sets.nouns import Verdict
from lora_hub.core.messages import Message, _, _n, joined
from lora_hub.evaluation.intervals import ALPHA

_FIRST = {"forward": "a", "backward": "b"}


def compute_judged(verdicts: Sequence[Verdict], clusters: Mapping[int, int]) -> dict[str, Any]:
    """As JSON. clusters: of each row's number. pairs: {a, b (a won more), rows, won, lost, tied, apart (of these, the
    two orders disagree), unread, share (a's wins of all decided, per cent), low, high, p, better (a, or None where it
    can be chance)}. first: how often the answer that was shown first was chosen, of how many choices. agreement: {votes
    (answers that a person preferred to another), decided, agreed, share, low, high}; None without votes."""
    of_pairs: dict[tuple[str, str], list[Verdict]] = {}
    for one in verdicts:
        if not one.vote:
            of_pairs.setdefault((one.a, one.b), []).append(one)
    pairs = [_pair(a, b, found, clusters) for (a, b), found in of_pairs.items()]
    for one, p in zip(pairs, _holm([one["p"] for one in pairs]), strict=True):
        one |= {"p": p, "better": one["a"] if p < ALPHA else None}
    said = [(order, getattr(one, order)) for one in verdicts for order in _FIRST]
    chosen = [(order, who) for order, who in said if who in ("a", "b")]
    return {
        "pairs": pairs,
        "first": {"chosen": sum(_FIRST[order] == who for order, who in chosen), "of": len(chosen)},
        "agreement": _agreement([one for one in verdicts if one.vote]),
    }


def winner(one: Verdict) -> str:
    """ "a", "b", or "tie"."""
    return one.forward if one.forward == one.backward and one.forward in ("a", "b") else "tie"


def _pair(a: str, b: str, found: Sequence[Verdict], clusters: Mapping[int, int]) -> dict[str, Any]:
    import numpy as np

    from lora_hub.evaluation.pairs import sign_test

    won = np.array([{"a": 1, "b": -1, "tie": 0}[winner(one)] for one in found])
    if won.sum() < 0:
        a, b, won = b, a, -won
    numbers = np.unique([clusters.get(one.row, -one.row - 1) for one in found], return_inverse=True)[1]
    is_decided = won != 0
    return {
        "a": a,
        "b": b,
        "rows": len(found),
        "won": int((won > 0).sum()),
        "lost": int((won < 0).sum()),
        "tied": int((won == 0).sum()),
        "apart": sum({one.forward, one.backward} == {"a", "b"} for one in found),
        "unread": sum("unread" in (one.forward, one.backward) for one in found),
        **_share(won[is_decided] > 0, numbers[is_decided]),
        "p": sign_test(won, numbers) if is_decided.any() else 1.0,
    }


def _share(right: Any, clusters: Any) -> dict[str, float | None]:
    """A share in per cent with its 95 % interval; None where there is nothing to share."""
    import numpy as np

    from lora_hub.evaluation.intervals import RowTable, score_interval

    if not len(right):
        return {"share": None, "low": None, "high": None}
    table = RowTable(np.stack([np.asarray(right, dtype=np.float64), np.ones(len(right))], axis=1), 2)
    numbers = np.unique(clusters, return_inverse=True)[1]
    score = score_interval(table, lambda sums: 100 * sums[:, 0] / sums[:, 1], clusters=numbers)
    return {"share": score.value, "low": score.low, "high": score.high}


def _agreement(voted: Sequence[Verdict]) -> dict[str, Any] | None:
    """The answers of one comparison are one cluster: it is one question, and one vote."""
    if not voted:
        return None
    decided = [one for one in voted if winner(one) != "tie"]
    names = {vote: number for number, vote in enumerate(dict.fromkeys(one.vote for one in voted))}
    agreed = [winner(one) == "a" for one in decided]
    shares = _share(agreed, [names[one.vote] for one in decided])
    return {"votes": len(voted), "decided": len(decided), "agreed": sum(agreed), **shares}


def _holm(values: Sequence[float]) -> list[float]:
    adjusted, largest = list(values), 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, values[place] * (len(values) - rank)))
        adjusted[place] = largest
    return adjusted


def describe_judged(pair: Mapping[str, Any]) -> Message:
    """A pair in a sentence. What chance may explain is said to be no preference."""
    rows = _n("{count:,} row", "{count:,} rows", count=pair["rows"])
    values = {"a": pair["a"], "b": pair["b"], "won": pair["won"], "lost": pair["lost"], "rows": rows}
    if pair["share"] is None:
        return _("The judge prefers neither {a} nor {b} on any of {rows}.", **values)
    values |= {"low": float(pair["low"]), "high": float(pair["high"])}
    if pair["better"] is None:
        return _(
            "The judge does not surely prefer {a} to {b}: {won:,} to {lost:,} of {rows}, the others tied; 95 % "
            "interval of its share {low:.1f} to {high:.1f} %.",
            **values,
        )
    return _(
        "The judge prefers {a} to {b}: {won:,} to {lost:,} of {rows}, the others tied; 95 % interval of its share "
        "{low:.1f} to {high:.1f} %.",
        **values,
    )


def describe_first(found: Mapping[str, Any]) -> Message:
    """Whether the judge favours a place."""
    told = _n(
        "It chose the answer that it read first in {chosen:,} of {count:,} choice; only what it says in both orders "
        "counts.",
        "It chose the answer that it read first in {chosen:,} of {count:,} choices; only what it says in both orders "
        "counts.",
        chosen=found["first"]["chosen"],
        count=found["first"]["of"],
    )
    unread = sum(pair["unread"] for pair in found["pairs"])
    if not unread:
        return told
    said = _n(
        "On {count:,} row a reply of it was no verdict, which counts as a tie.",
        "On {count:,} rows a reply of it was no verdict, which counts as a tie.",
        count=unread,
    )
    return joined(told, said)


def describe_agreement(found: Mapping[str, Any]) -> Message:
    """Whether it judges as the person votes."""
    told = found["agreement"]
    if told is None:
        return _("You have no blind votes on this task that the judge could be measured by.")
    if told["share"] is None:
        return _n(
            "It did not decide the one pair of answers that you voted on.",
            "It decided none of the {count:,} pairs of answers that you voted on.",
            count=told["votes"],
        )
    return _n(
        "It agrees with you on {agreed:,} of {count:,} pair of answers that both decided (shown: {votes:,}); 95 % "
        "interval {low:.0f} to {high:.0f} %.",
        "It agrees with you on {agreed:,} of {count:,} pairs of answers that both decided (shown: {votes:,}); 95 % "
        "interval {low:.0f} to {high:.0f} %.",
        agreed=told["agreed"],
        count=told["decided"],
        votes=told["votes"],
        low=float(told["low"]),
        high=float(told["high"]),
    )
