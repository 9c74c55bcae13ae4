"""Owns which English words praise and which blame: hand-written seeds, carried on over WordNet's links.

Run:  python -m lora_hub.built_in.making.polarity PACKAGES   (prints the most certain words)

Synonyms and similar meanings take over a word's sign, antonyms turn it round, derived words keep most of it; a word's
score is the mean of its meanings' scores, weighted by how often each meaning is used.
"""

import sys
from collections import defaultdict
from pathlib import Path

from lora_hub.built_in.making.debian_text import Synset, read_wordnet
from lora_hub.built_in.making.word_lists import read_words

WEIGHTS = {"&": 0.8, "!": -0.9, "+": 0.4, "\\": 0.8, "~": 0.3, "=": 0.4, "^": 0.4, "$": 0.6}
LETTERS = {"adjective": "a", "noun": "n", "verb": "v", "adverb": "r"}
ROUNDS, CERTAIN, LEAST_USES = 3, 0.35, 1


def seed_scores(synsets: dict[str, Synset]) -> dict[str, float]:
    """+1 or -1 on the most used meaning of every seed word, and half of that on its second."""
    by_word: dict[tuple[str, str], list[Synset]] = defaultdict(list)
    for synset in synsets.values():
        for word in synset.words:
            by_word[synset.key[0], word.lower()].append(synset)
    scores: dict[str, float] = defaultdict(float)
    for kind, words in read_words("opinion_en.txt").items():
        sign, part = kind.split()
        for word in words if part in LETTERS else []:
            meanings = sorted(by_word[LETTERS[part], word], key=lambda synset: -synset.uses)
            for weight, synset in zip((1.0, 0.5), meanings):
                scores[synset.key] += weight if sign == "good" else -weight
    return {key: max(-1.0, min(1.0, score)) for key, score in scores.items()}


def spread(synsets: dict[str, Synset], seeds: dict[str, float]) -> dict[str, float]:
    """Seed scores carried over the links for a few rounds; seeds keep their own."""
    scores = dict(seeds)
    for _ in range(ROUNDS):
        gathered: dict[str, list[float]] = defaultdict(list)
        for key, score in scores.items():
            for symbol, weight in WEIGHTS.items():
                for other in synsets[key].links.get(symbol, ()):
                    gathered[other].append(weight * score)
        for key, values in gathered.items():
            if key not in seeds and key in synsets:
                mean = sum(values) / len(values)
                scores[key] = max(-1.0, min(1.0, mean * (1 + 0.2 * (len(values) - 1))))
    return scores


def read_polarity(synsets: dict[str, Synset]) -> dict[str, tuple[str, float]]:
    """word -> (part of speech, score between -1 and 1) for all words that are certain and common enough; seeds score
    one."""
    scores = spread(synsets, seed_scores(synsets))
    near = {other for key in scores if abs(scores[key]) == 1 for other in [key, *synsets[key].links.get("&", ())]}
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0])
    for synset in synsets.values():
        for word in synset.words:
            weight = 1.0 + synset.uses
            entry = sums[word, synset.key[0]]
            entry[0] += weight * scores.get(synset.key, 0.0)
            entry[1] += weight
            entry[2] += LEAST_USES if synset.key in near else synset.uses
    parts = {letter: part for part, letter in LETTERS.items()}
    found: dict[str, tuple[str, float]] = {}
    for (word, letter), (total, weight, uses) in sums.items():
        score = total / weight
        if (
            uses >= LEAST_USES
            and abs(score) >= CERTAIN
            and word.islower()
            and abs(score) > abs(found.get(word, ("", 0.0))[1])
        ):
            found[word] = (parts[letter], score)
    for kind, words in read_words("opinion_en.txt").items():
        sign, part = kind.split()
        if part in LETTERS:
            found.update(dict.fromkeys(words, (part, 1.0 if sign == "good" else -1.0)))
    return found


if __name__ == "__main__":
    words = read_polarity(read_wordnet(Path(sys.argv[1])))
    print(len(words), sum(score > 0 for _, score in words.values()), "of them praise")
    for part in LETTERS:
        chosen = sorted((score, word) for word, (kind, score) in words.items() if kind == part)
        print(part, len(chosen), [word for _, word in chosen[:: max(1, len(chosen) // 60)]])
