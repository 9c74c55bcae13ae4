"""Finds near-duplicate texts: MinHash over word triples, then banding (Broder 1997; Leskovec et al., Mining of Massive
Datasets, ch. 3). 100,000 texts take a second or two on one core; processing blocks of rows bounds the memory.

Why not rensa: its index returns a whole bucket for each text, so that 20,000 similar rows take 17 seconds (here 0.3).
Why not datasketch: it hashes in Python and depends on scipy.
"""

from collections.abc import Hashable, Sequence

import numpy
import polars

HASHES = 32
BANDS = 8  # of HASHES / BANDS values: pairs with a similarity of 0.8 meet in some band with a chance of 98 %
ALIKE = 0.8
WORDS = 3
SHORTEST = 6  # words; shorter texts are alike by chance
BLOCK = 20_000


def near_duplicates(texts: polars.Series) -> numpy.ndarray:
    """Positions (from 0, ascending) of texts that share at least about 80 % of their word triples with an earlier
    text."""
    return numpy.unique(near_pairs(texts)[:, 0])


def cluster_texts(texts: polars.Series, same: Sequence[Hashable]) -> numpy.ndarray:
    """A number for each text, ints of (n,): equal for texts that are near-duplicates or that `same` groups together,
    directly or through a chain of such pairs."""
    root = numpy.arange(texts.len())

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    first: dict[Hashable, int] = {}
    for place, key in enumerate(same):
        root[place] = first.setdefault(key, place)
    for later, earlier in near_pairs(texts).tolist():
        a, b = find(later), find(earlier)
        root[max(a, b)] = min(a, b)
    return numpy.array([find(place) for place in range(len(root))])


def near_pairs(texts: polars.Series) -> numpy.ndarray:
    """(pairs, 2): positions of a text and of an earlier near-duplicate, at most two for each text and band."""
    signatures, places = _signatures(texts)
    found = [numpy.empty((0, 2), dtype=numpy.int64)]
    if len(places) < 2:
        return found[0]
    width = HASHES // BANDS
    for band in range(BANDS):
        part = numpy.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
        keys = polars.Series(_fold(part))
        meeting = polars.DataFrame({"key": keys, "at": numpy.arange(len(keys))}).filter(
            polars.col("key").is_duplicated()
        )
        if not meeting.height:
            continue
        # Compare each text with the first one of its bucket and with the previous one.
        meeting = meeting.sort("key", "at").with_columns(
            first=polars.col("at").first().over("key"), before=polars.col("at").shift(1).over("key")
        )
        pairs = meeting.filter(polars.col("before").is_not_null())
        at = pairs["at"].to_numpy()
        for column in ("first", "before"):
            earlier = pairs[column].to_numpy()
            alike = (signatures[at] == signatures[earlier]).mean(axis=1) >= ALIKE
            found.append(numpy.stack([places[at[alike]], places[earlier[alike]]], axis=1))
    return numpy.unique(numpy.concatenate(found), axis=0)


def _signatures(texts: polars.Series) -> tuple[numpy.ndarray, numpy.ndarray]:
    """(n, HASHES) minimal hashes of each text that is long enough, and the positions of those texts."""
    random = numpy.random.default_rng(1)
    factors = random.integers(1, 2**63, size=HASHES, dtype=numpy.uint64) | numpy.uint64(1)
    shifts = random.integers(0, 2**63, size=HASHES, dtype=numpy.uint64)
    signatures, places = [], []
    for start in range(0, texts.len(), BLOCK):
        block = texts.slice(start, BLOCK).str.slice(0, 20_000).str.to_lowercase().str.extract_all(r"\w+")
        lengths = block.list.len().to_numpy()
        long = numpy.flatnonzero(lengths >= SHORTEST)
        if not len(long):
            continue
        words = block.gather(long).explode().hash(seed=0).to_numpy()
        ends = numpy.cumsum(lengths[long].astype(numpy.int64))
        starts = ends - lengths[long]
        # A triple's hash; triples beyond a text's end repeat its last complete triple instead.
        at = numpy.arange(len(words))
        at = numpy.minimum(at, numpy.repeat(ends - WORDS, lengths[long]))
        triples = words[at] * numpy.uint64(3) ^ words[at + 1] * numpy.uint64(5) ^ words[at + 2] * numpy.uint64(7)
        signature = numpy.empty((len(long), HASHES), dtype=numpy.uint32)
        for number in range(HASHES):
            hashed = (triples * factors[number] + shifts[number]) >> numpy.uint64(32)
            signature[:, number] = numpy.minimum.reduceat(hashed, starts)
        signatures.append(signature)
        places.append(long + start)
    if not signatures:
        return numpy.empty((0, HASHES), dtype=numpy.uint32), numpy.empty(0, dtype=numpy.int64)
    return numpy.concatenate(signatures), numpy.concatenate(places)


def _fold(part: numpy.ndarray) -> numpy.ndarray:
    """One 64-bit key for each row of a band."""
    key = numpy.zeros(len(part), dtype=numpy.uint64)
    for column in range(part.shape[1]):
        key = (key ^ part[:, column].astype(numpy.uint64)) * numpy.uint64(0x9E3779B97F4A7C15)
    return key
