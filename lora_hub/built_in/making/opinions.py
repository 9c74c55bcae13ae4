"""Owns opinions: short reviews in English and Persian whose verdict is known because it was chosen first.

Run:  python -m lora_hub.built_in.making.opinions PACKAGES 20   (prints some)
"""

import random
import sys
from pathlib import Path

from lora_hub.built_in.making.debian_text import read_wordnet
from lora_hub.built_in.making.polarity import read_polarity
from lora_hub.built_in.making.word_lists import read_words

LIKED = ["enjoyed", "loved", "liked", "recommend", "adored", "admired"]
DISLIKED = ["hated", "disliked", "regret", "avoided", "could not stand", "did not like"]
TO_LIKE = ["love", "enjoy", "remember", "admire"]
TO_DISLIKE = ["hate", "regret", "forget", "dislike"]
ABOUT = [
    "a family",
    "a young woman",
    "two brothers",
    "a small town",
    "a journey",
    "the war",
    "a teacher",
    "an old man",
]
OCCASIONS = [
    "دیروز رفتیم",
    "هفته پیش خریدم",
    "با خانواده بودیم",
    "برای بار اول بود",
    "هدیه گرفتم",
    "با دوستم دیدم",
]
NEUTRAL_ENDS = [
    "on friday",
    "with my sister",
    "last night",
    "in the city",
    "for my birthday",
    "at home",
    "with friends",
    "twice",
    "this week",
    "on the train",
    "for two hours",
    "after work",
    "for the first time",
    "yesterday",
    "again",
]
DEGREES = [
    "very",
    "really",
    "so",
    "truly",
    "quite",
    "pretty",
    "absolutely",
    "rather",
    "incredibly",
    "surprisingly",
    "always",
    "simply",
    "just",
    "completely",
]
PERSIAN_DEGREES = ["خیلی", "واقعاً", "بسیار", "فوق‌العاده", "کاملاً", "به نظرم", "واقعاً خیلی"]


class Opinions:
    """Speaks random reviews; all chance comes from the generator that it is given."""

    def __init__(self, chance: random.Random, polarity: dict[str, tuple[str, float]]):
        self.chance = chance
        self.seeds = read_words("opinion_en.txt")
        self.persian = read_words("opinion_fa.txt")
        self.things = read_words("review_en.txt")
        self.persian_things = read_words("review_fa.txt")
        self.spread = {
            (good, part): [w for w, (p, s) in polarity.items() if p == part and (s > 0) == good and " " not in w]
            for good in (True, False)
            for part in ("adjective", "noun", "verb", "adverb")
        }
        self.all_words = [(word, score > 0) for word, (_, score) in polarity.items()]

    def word(self, good: bool, part: str) -> str:
        """A word of praise or blame: mostly a seed, else one that WordNet's links led to."""
        if part == "phrase" or self.chance.random() < 0.72:
            return self.chance.choice(self.seeds[f"{'good' if good else 'bad'} {part}"])
        return self.chance.choice(self.spread[good, part])

    def clause(self, good: bool, kind: str) -> str:
        """One English clause with a verdict, in small letters and without an end mark."""
        pick, word = self.chance.choice, self.word
        thing, side = pick(self.things[kind]), pick(self.things[f"{kind} side"])
        adjective, noun = word(good, "adjective"), word(good, "noun")
        if self.chance.random() < 0.12:  # said by denying the opposite
            other = word(not good, "adjective")
            return pick(
                [
                    f"the {side} is not {other}",
                    f"the {thing} was never {other}",
                    f"not {a(other)} {thing} at all",
                    f"it is hard to call this {other}",
                    f"there is nothing {other} about the {side}",
                    f"this {thing} is far from {other}",
                    f"the {side} is anything but {other}",
                ]
            )
        be = pick(["is", "was", "feels", "seems"])
        return pick(
            [
                f"the {side} {be} {pick(DEGREES)} {adjective}",
                f"the {side} {be} {adjective}",
                f"the {thing} {be} {adjective}",
                f"{a(adjective)} {thing}",
                f"{a(adjective)} and {word(good, 'adjective')} {thing}",
                f"{a(adjective)} , {word(good, 'adjective')} {thing} with {word(good, 'adjective')} {side}",
                f"{adjective} {side} , {word(good, 'adjective')} {pick(self.things[f'{kind} side'])}",
                f"this is {a(adjective)} {thing}",
                f"the {thing} has {adjective} {side}",
                f"{adjective} {side} and plenty of {noun}",
                f"{pick(['full of', 'filled with', 'all', 'nothing but', 'pure', 'such', 'what'])} {noun}",
                f"{a(noun)} of {a(thing)}",
                f"the {side} {pick(['brings', 'shows', 'is full of', 'adds'])} {noun}",
                f"{word(good, 'adverb')} {pick(['made', 'done', 'written', 'acted', 'built', 'presented', 'told'])}",
                f"the {side} is {word(good, 'adverb')} {pick(['made', 'done', 'put together', 'handled'])}",
                f"i {word(good, 'verb') if self.chance.random() < 0.1 else pick(LIKED if good else DISLIKED)} "
                f"{pick(['the', 'this'])} {pick([thing, side])}",
                f"{word(good, 'phrase')}",
                f"{word(good, 'phrase')}",
                f"this {thing} is {word(good, 'adjective')} , {word(good, 'adjective')} and {word(good, 'adjective')}",
                (
                    f"one of the most {adjective} {plural(thing)} "
                    f"{pick(['of the year', 'around', 'i know', 'in town', 'ever made'])}"
                ),
                f"as {adjective} as {a(thing)} can be",
                f"too {adjective} to {pick(['miss', 'forget', 'ignore'])}"
                if good
                else f"too {adjective} to {pick(['enjoy', 'recommend', 'finish'])}",
                (
                    f"{a(thing)} that {pick(['manages to be', 'is', 'stays', 'turns out'])} {adjective} and "
                    f"{word(good, 'adjective')}"
                ),
                f"its {side} {pick(['is', 'remains'])} {adjective}",
                f"you will {pick(TO_LIKE if good else TO_DISLIKE)} the {side}",
            ]
        )

    def neutral(self, kind: str) -> str:
        """A clause without a verdict."""
        pick = self.chance.choice
        thing, side = pick(self.things[kind]), pick(self.things[f"{kind} side"])
        return pick(
            [
                f"i saw the {thing} {pick(NEUTRAL_ENDS)}",
                f"we tried this {thing} {pick(NEUTRAL_ENDS)}",
                f"the {thing} is about {pick(ABOUT)}",
                f"my brother chose the {thing}",
                f"i came for the {side}",
                f"it is the second {thing} from them",
                f"there is a lot of {side}",
            ]
        )

    def review(self, good: bool, kind: str | None = None) -> str:
        """One to three English clauses with one verdict, in one of several ways of writing."""
        pick, chance = self.chance.choice, self.chance.random
        kind = (
            kind
            or self.chance.choices(["film", "book", "restaurant", "hotel", "product", "app"], [5, 1, 2, 1, 2, 1])[0]
        )
        draw = chance()
        if draw < 0.4:
            text = self.clause(good, kind)
        elif draw < 0.6:
            text = f"{self.clause(good, kind)} {pick(['and', ', and', '. ', ';', ','])} {self.clause(good, kind)}"
        elif draw < 0.75:
            text = (
                f"{pick(['although', 'though', 'even though', 'while'])} {self.clause(not good, kind)} , "
                f"{self.clause(good, kind)} {pick(['.', 'and', ','])} {self.clause(good, kind)}"
            )
        elif draw < 0.85:
            text = f"{self.neutral(kind)} {pick(['and', '.', ', but'])} {self.clause(good, kind)}"
        elif draw < 0.93:
            text = (
                f"{self.clause(not good, kind)} but {self.clause(good, kind)} {pick(['.', ',', 'and'])} "
                f"{self.clause(good, kind)}"
            )
        else:
            text = f"{self.clause(good, kind)} . {self.neutral(kind)} . {self.clause(good, kind)}"
        text = " ".join(text.split())
        if chance() < 0.5:  # small letters and spaced marks, as tokenised corpora write
            return text + pick(["", " .", " .", " !"])
        text = text.replace(" ,", ",").replace(" .", ".").replace(" ;", ";")
        sentences = [s[:1].upper() + s[1:] for s in text.split(". ")]
        return (". ".join(sentences)).replace(" i ", " I ") + pick([".", ".", "!", "", "!!"])

    def persian_clause(self, good: bool, kind: str) -> str:
        """One Persian clause with a verdict."""
        pick = self.chance.choice
        sign = "good" if good else "bad"
        thing, side = pick(self.persian_things[kind]), pick(self.persian_things[f"{kind} side"])
        word, other = pick(self.persian[f"{sign} adjective"]), pick(self.persian[f"{sign} adjective"])
        plural_side = side.endswith(("ها", "کارکنان", "امکانات"))
        be, was = ("هستند", "بودند") if plural_side else ("است", "بود")
        if self.chance.random() < 0.12:
            denied = pick(self.persian[f"{'bad' if good else 'good'} adjective"])
            not_be, not_was = ("نیستند", "نبودند") if plural_side else ("نیست", "نبود")
            return pick(
                [
                    f"{side} اصلاً {denied} {not_be}",
                    f"{side} {denied} {not_was}",
                    f"این {thing} {denied} نبود",
                    f"{thing} به هیچ وجه {denied} نیست",
                ]
            )
        return pick(
            [
                f"{side} {word} {was}",
                f"{side} {pick(PERSIAN_DEGREES)} {word} {be}",
                f"این {thing} {word} بود",
                f"{thing} {word} و {other} بود",
                f"{pick(PERSIAN_DEGREES)} {word} بود",
                f"{thing} {word}ی بود" if word[-1] not in "اهوی" else f"{thing} {word} بود",
                f"چه {thing} {word}",
                f"{side} {word} و {other} {was}",
                f"{word} و {other}",
                pick(self.persian[f"{sign} phrase"]),
                pick(self.persian[f"{sign} phrase"]),
                f"{thing} {word}، {side} {other}",
                f"{side} {was} {pick(PERSIAN_DEGREES)} {word}",
                f"از {side} {'راضی بودم' if good else 'ناراضی بودم'}",
                f"{thing} را {'دوست داشتم' if good else 'دوست نداشتم'}",
                f"یک {thing} {word} با {side} {other}",
            ]
        )

    def persian_review(self, good: bool) -> str:
        """One to three Persian clauses with one verdict."""
        pick, draw = self.chance.choice, self.chance.random()
        kind = pick(["film", "restaurant", "product", "hotel", "class"])
        if draw < 0.45:
            text = self.persian_clause(good, kind)
        elif draw < 0.75:
            text = f"{self.persian_clause(good, kind)}{pick([' و ', '، ', '. '])}{self.persian_clause(good, kind)}"
        elif draw < 0.85:
            text = (
                f"{pick(['با این‌که', 'هرچند', 'اگرچه'])} {self.persian_clause(not good, kind)}، "
                f"{self.persian_clause(good, kind)} و {self.persian_clause(good, kind)}"
            )
        elif draw < 0.92:
            text = (
                f"{self.persian_clause(not good, kind)} اما {self.persian_clause(good, kind)} و "
                f"{self.persian_clause(good, kind)}"
            )
        else:
            text = f"{pick(OCCASIONS)}. {self.persian_clause(good, kind)}. {self.persian_clause(good, kind)}"
        return text + pick([".", "", "!", "."])


def a(word: str) -> str:
    """The word with its indefinite article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def plural(word: str) -> str:
    """English plural, as far as the reviewed things need it."""
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word if word.endswith("s") and word != "class" else word + "s"


if __name__ == "__main__":
    opinions = Opinions(random.Random(0), read_polarity(read_wordnet(Path(sys.argv[1]))))
    for index in range(int(sys.argv[2])):
        good = index % 2 == 0
        print("+" if good else "-", opinions.review(good), "|", opinions.persian_review(good))
