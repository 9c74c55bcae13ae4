"""The statistics of chrF, as sacrebleu counts them, of many rows at once.

    chrf_statistics(["the cat"], [["the cats", "a cat"]])   [[6, 7, 6, 5, 6, 5, ...]]: n-grams said, wanted and in both,
                                                            by order

sacrebleu counts each row's n-grams of each order in Python's dictionaries. Here the six characters from each place on
are one number, so that one sort of a row's numbers brings equal n-grams of every order together.
"""

from collections.abc import Iterator, Sequence
from typing import Any

ORDER = 6  # characters of the longest n-gram: sacrebleu's own
BITS = 10  # of a character in a number: six of them and a mark for the side fit into 63 bits
MOST = 1 << 16  # characters that are looked at together: a few arrays of them fit into the processor's cache


def chrf_statistics(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Any:
    """Whole numbers of (rows, 18) as float64: for each order from 1 to 6 the n-grams of the answer, of the reference,
    and in both. Of several references that with the best chrF, the first of equals, as sacrebleu takes it."""
    import numpy as np
    from sacrebleu.metrics import CHRF

    pairs = [(answer, reference) for answer, each in zip(answers, references, strict=True) for reference in each]
    counted = np.concatenate(
        [_counted(batch) for batch in _batches([("".join(a.split()), "".join(r.split())) for a, r in pairs])]
    )
    metric, chosen, first = CHRF(), [], 0
    for each in references:
        scores = (
            [metric._compute_f_score(counted[first + place].tolist()) for place in range(len(each))]
            if len(each) > 1
            else [0.0]
        )
        chosen.append(first + scores.index(max(scores)))
        first += len(each)
    return counted[chosen].astype(np.float64)


def _batches(pairs: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    batch, size = [], 0
    for pair in pairs:
        batch.append(pair)
        size += len(pair[0]) + len(pair[1])
        if size >= MOST:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _counted(pairs: list[tuple[str, str]]) -> Any:
    """int64 of (pairs, 18)."""
    import numpy as np

    codes = np.frombuffer(
        "".join(text for pair in pairs for text in pair).encode("utf-32-le", "surrogatepass"), dtype=np.uint32
    )
    if not len(codes):
        return np.zeros((len(pairs), 3 * ORDER), dtype=np.int64)
    occurs = np.zeros(int(codes.max()) + 1, dtype=bool)
    occurs[codes] = True
    letters = np.cumsum(occurs)[codes]  # from 1 on; 0 is behind a text's end
    if int(letters.max()) >= 1 << BITS:  # scripts with thousands of characters
        if len(pairs) == 1:
            return _counted_singly(pairs[0])
        half = len(pairs) // 2
        return np.concatenate([_counted(pairs[:half]), _counted(pairs[half:])])
    lengths = np.array([len(text) for pair in pairs for text in pair])
    ends = np.cumsum(lengths)
    left = np.repeat(ends, lengths) - np.arange(len(codes))  # characters from here to the end of the text
    keys = np.zeros(len(codes), dtype=np.int64)
    for step in range(ORDER):
        keys <<= BITS
        inside = left > step
        keys[inside] |= letters[np.flatnonzero(inside) + step]
    side = np.repeat(np.arange(len(lengths)) % 2, lengths)
    keys = keys << 1 | side
    bounds = [0, *ends[1::2].tolist()]
    for start, end in zip(bounds, bounds[1:], strict=False):
        keys[start:end].sort()
    pair = np.repeat(np.arange(len(pairs)), np.diff(bounds))
    side = keys & 1
    found = np.empty((len(pairs), 3 * ORDER), dtype=np.int64)
    begins = np.concatenate(([True], pair[1:] != pair[:-1]))
    for order in range(1, ORDER + 1):
        grams = keys >> (1 + BITS * (ORDER - order))
        begun = begins.copy()
        begun[1:] |= grams[1:] != grams[:-1]
        starts = np.flatnonzero(begun)
        whole = (grams[starts] & ((1 << BITS) - 1)) > 0  # the last of its characters is there
        wanted = np.add.reduceat(side, starts)
        said = np.diff(starts, append=len(keys)) - wanted
        of = pair[starts]
        for place, values in enumerate((said, wanted, np.minimum(said, wanted))):
            found[:, 3 * (order - 1) + place] = np.bincount(of, weights=values * whole, minlength=len(pairs))
        # An order that the reference is too short for does not count.
        found[found[:, 3 * order - 2] == 0, 3 * order - 3] = 0
    return found


def _counted_singly(pair: tuple[str, str]) -> Any:
    import numpy as np
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    return np.array(
        [metric._compute_segment_statistics(pair[0], metric._extract_reference_info([pair[1]]))], dtype=np.int64
    )
