"""Owns the bilingual grammar: everyday sentences that mean the same in English and in Persian.

Run:  python -m lora_hub.built_in.making.sentences 20   (prints some)

A sentence is built once, from one choice of subject, verb, object, time and mood, and spoken in both languages.
"""

import random
import sys

from lora_hub.built_in.making.word_lists import Pair, Verb, read_pairs, read_phrases, read_verbs

ZWNJ = "\u200c"
PERSON_ENDINGS = ["م", "ی", "د", "یم", "ید", "ند"]
PAST_ENDINGS = ["م", "ی", "", "یم", "ید", "ند"]
BE = ["هستم", "هستی", "است", "هستیم", "هستید", "هستند"]
WAS = ["بودم", "بودی", "بود", "بودیم", "بودید", "بودند"]
PRONOUNS = [
    ("I", "من", 0),
    ("you", "تو", 1),
    ("he", "او", 2),
    ("she", "او", 2),
    ("we", "ما", 3),
    ("you", "شما", 4),
    ("they", "آن‌ها", 5),
]
OWNERS = [
    ("my", "من", "م"),
    ("your", "تو", "ت"),
    ("his", "او", "ش"),
    ("her", "او", "ش"),
    ("our", "ما", "مان"),
    ("your", "شما", "تان"),
    ("their", "آن‌ها", "شان"),
]
NUMBERS = [
    ("two", "دو"),
    ("three", "سه"),
    ("four", "چهار"),
    ("five", "پنج"),
    ("six", "شش"),
    ("seven", "هفت"),
    ("eight", "هشت"),
    ("nine", "نه"),
    ("ten", "ده"),
]
DAYS = [
    ("Saturday", "شنبه"),
    ("Sunday", "یکشنبه"),
    ("Monday", "دوشنبه"),
    ("Tuesday", "سه‌شنبه"),
    ("Wednesday", "چهارشنبه"),
    ("Thursday", "پنجشنبه"),
    ("Friday", "جمعه"),
]
NOW = [
    ("every day", "هر روز"),
    ("today", "امروز"),
    ("now", "الان"),
    ("in the morning", "صبح"),
    ("at night", "شب"),
    ("every week", "هر هفته"),
    ("always", "همیشه"),
    ("usually", "معمولاً"),
    ("every morning", "هر روز صبح"),
    ("in the evening", "عصر"),
    ("on weekends", "آخر هفته‌ها"),
    ("sometimes", "گاهی"),
]
THEN = [
    ("yesterday", "دیروز"),
    ("last week", "هفته گذشته"),
    ("last night", "دیشب"),
    ("two days ago", "دو روز پیش"),
    ("last year", "سال گذشته"),
    ("this morning", "امروز صبح"),
    ("last month", "ماه گذشته"),
    ("an hour ago", "یک ساعت پیش"),
]
LATER = [
    ("tomorrow", "فردا"),
    ("next week", "هفته آینده"),
    ("tonight", "امشب"),
    ("next year", "سال آینده"),
    ("soon", "به زودی"),
    ("tomorrow morning", "فردا صبح"),
    ("later", "بعداً"),
    ("next month", "ماه آینده"),
]
IRREGULAR_PLURALS = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "person": "people",
    "tooth": "teeth",
    "foot": "feet",
    "mouse": "mice",
    "sheep": "sheep",
    "fish": "fish",
    "wolf": "wolves",
    "knife": "knives",
    "wife": "wives",
    "clothes": "clothes",
    "money": "money",
    "homework": "homework",
    "pair of trousers": "pairs of trousers",
}
UNCOUNTED = {"money", "homework", "clothes", "medicine", "hair"}
ADVERBS_FIRST = {"always", "usually", "sometimes"}

Sentence = tuple[str, str]


def plural(word: str) -> str:
    """English plural."""
    if word in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[word]
    if word.endswith(("s", "x", "ch", "sh", "tomato", "potato")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def third(verb: str) -> str:
    """English present of he and she."""
    return "goes" if verb == "go" else plural(verb)


def ing(verb: str) -> str:
    """English progressive form."""
    if verb.endswith("ee"):
        return verb + "ing"
    if verb.endswith("e"):
        return verb[:-1] + "ing"
    doubled = {"run", "sit", "get", "forget", "begin", "swim", "stop", "travel"}
    return verb + verb[-1] + "ing" if verb in doubled else verb + "ing"


def a(word: str) -> str:
    """The word with its indefinite article."""
    if word in UNCOUNTED:
        return f"some {word}"
    an = word[0] in "aeiou" and not word.startswith(("uni", "use", "eu")) or word.startswith("hon")
    return f"{'an' if an else 'a'} {word}"


def persian_plural(word: str) -> str:
    """Persian plural in -hā, written with the joiner that the last letter asks for."""
    return word + ("ها" if word[-1] in "اآدذرزژو" else ZWNJ + "ها")


def suffix(word: str, ending: str) -> str:
    """A Persian noun with its possessor's ending (my, your, ...)."""
    if word.endswith("ه"):
        return word + ZWNJ + ("ا" if len(ending) == 1 else "") + ending if len(ending) == 1 else word + ZWNJ + ending
    if word.endswith(("و", "ا")):
        return word + "ی" + ending
    return word + ending


def conjugate(verb: Verb, person: int, mood: str, negative: bool = False) -> str:
    """A Persian verb: mood is present, past, future, subjunctive or command."""
    first = verb.first + " " if verb.first else ""
    past, present = verb.past_stem, verb.present_stem
    separable = ""
    if past.startswith("برگش"):  # برگشتن: the prefix stays in front of می and ن
        separable, past, present = "بر", "گشت", "گرد"
    if present == "دار" and mood in ("present", "command"):
        return first + ("ن" if negative else "") + "دار" + PERSON_ENDINGS[person]
    if mood == "present":
        return first + separable + ("ن" if negative else "") + "می" + ZWNJ + present + PERSON_ENDINGS[person]
    if mood == "past":
        stem = "یا" + past[1:] if negative and past.startswith("آ") else past
        return first + separable + ("ن" if negative else "") + stem + PAST_ENDINGS[person]
    if mood == "future":
        return first + separable + ("ن" if negative else "") + "خواه" + PERSON_ENDINGS[person] + " " + past
    stem = "یا" + present[1:] if present.startswith("آ") else present
    if present == "دار":
        return (
            first + ("ن" if negative else "") + "داشته " + ["باشم", "باشی", "باشد", "باشیم", "باشید", "باشند"][person]
        )
    mark = "ن" if negative else "" if (first and present == "کن") or separable else "ب"
    if mood == "command":
        irregular = {"آی": "یا", "شوی": "شوی", "ده": "ده", "رو": "رو"}
        stem = irregular.get(present, stem)
        return first + separable + mark + stem + ("ید" if person == 4 else "")
    return first + separable + mark + stem + PERSON_ENDINGS[person]


class Grammar:
    """Speaks random sentences; all chance comes from the generator that it is given."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.nouns = read_pairs("nouns.txt")
        self.adjectives = read_pairs("adjectives.txt")
        self.verbs = read_verbs()
        self.phrases = read_phrases()
        self.by_english = {pair.english: pair for pairs in self.nouns.values() for pair in pairs}
        self.frames = [
            (self.action, 34),
            (self.description, 16),
            (self.phrase, 8),
            (self.possession, 6),
            (self.existence, 6),
            (self.wish, 12),
            (self.question, 8),
            (self.command, 6),
            (self.weather, 4),
            (self.opinion, 4),
            (self.joined, 6),
        ]

    def pick(self, kinds) -> Pair:
        """A noun of one of the kinds; a kind may also be a single word."""
        kind = self.chance.choice(list(kinds))
        return self.chance.choice(self.nouns[kind]) if kind in self.nouns else self.by_english[kind]

    def subject(self) -> tuple[str, str, int, bool]:
        """(English, Persian, person 0 to 5, may be left out in Persian)."""
        draw = self.chance.random()
        if draw < 0.55:
            english, persian, person = self.chance.choice(PRONOUNS)
            return english, persian, person, True
        if draw < 0.7:
            name = self.pick(["name"])
            return name.english, name.persian, 2, False
        if draw < 0.87:
            english, persian = self.owned(self.pick(["family"]))
            return english, persian, 2, False
        noun = self.pick(["person"])
        if self.chance.random() < 0.3:
            return f"the {plural(noun.english)}", persian_plural(noun.persian), 5, False
        return f"the {noun.english}", noun.persian, 2, False

    def owned(self, noun: Pair) -> Sentence:
        """A noun with its owner: my book, Ali's book."""
        if self.chance.random() < 0.2:
            name = self.pick(["name"])
            return f"{name.english}'s {noun.english}", f"{noun.persian} {name.persian}"
        english, pronoun, ending = self.chance.choice(OWNERS)
        short = self.chance.random() < 0.5
        return f"{english} {noun.english}", suffix(noun.persian, ending) if short else f"{noun.persian} {pronoun}"

    def object(self, verb: Verb) -> Sentence:
        """What a verb takes, with its preposition; a definite direct object gets را."""
        noun = self.pick(verb.takes)
        direct = not verb.persian_preposition or verb.persian_preposition == "را"
        front = f"{verb.preposition} " if verb.preposition else ""
        back = "" if direct else verb.persian_preposition + " "
        mark = " را" if verb.persian_preposition == "را" else ""
        draw = self.chance.random()
        if noun.kind in ("town", "name"):
            return (
                f"{'in' if verb.preposition == 'at' else front.strip()} {noun.english}".strip(),
                f"{back}{noun.persian}{mark}",
            )
        if noun.kind == "vehicle" and verb.preposition == "by":
            return f"by {noun.english}", f"با {noun.persian}"
        if noun.kind in ("language", "subject", "sport", "season", "colour") or noun.english in (
            "music",
            "football",
            "volleyball",
            "basketball",
            "tennis",
            "chess",
        ):
            return front + noun.english, f"{back}{noun.persian}{mark if draw < 0.3 else ''}"
        if noun.kind == "family":
            english, persian = self.owned(noun)
            return front + english, f"{back}{persian}{mark}"
        if noun.kind == "place" and noun.english == "house":
            return (
                "home" if verb.preposition == "to" else f"{verb.preposition or 'at'} home".strip()
            ), f"{back}خانه{mark}"
        if draw < 0.3 or not direct:
            return f"{front}the {noun.english}", f"{back}{noun.persian}{mark}"
        if draw < 0.4:
            english, persian = self.owned(noun)
            return front + english, f"{back}{persian}{mark}"
        if draw < 0.5:
            return f"{front}this {noun.english}", f"{back}این {noun.persian}{mark}"
        if noun.kind in ("meal", "drink") or noun.english in UNCOUNTED:
            return front + noun.english, back + noun.persian
        if draw < 0.62:
            number, persian = self.chance.choice(NUMBERS)
            return f"{front}{number} {plural(noun.english)}", f"{back}{persian} {noun.persian}"
        if draw < 0.75:
            adjective = self.adjective(noun)
            return f"{front}{a(adjective.english + ' ' + noun.english)}", f"{back}یک {noun.persian} {adjective.persian}"
        if verb.english in ("like", "love"):
            return f"{front}{plural(noun.english)}", back + noun.persian
        return front + a(noun.english), f"{back}یک {noun.persian}"

    def adjective(self, noun: Pair) -> Pair:
        """An adjective that can be said of the noun."""
        kind = {
            "food": "meal",
            "meal": "meal",
            "drink": "meal",
            "place": "place",
            "town": "place",
            "person": "person",
            "family": "person",
            "name": "person",
            "animal": "person",
        }.get(noun.kind, "thing")
        if noun.english in (
            "book",
            "film",
            "lesson",
            "exam",
            "game",
            "story",
            "song",
            "answer",
            "question",
            "homework",
        ):
            kind = "work"
        if kind == "thing" and self.chance.random() < 0.2:
            return self.pick(["colour"])
        return self.chance.choice(self.adjectives[kind])

    def say(self, subject, verb: Verb, mood: str, negative: bool, english_object: str, time: Sentence | None) -> str:
        """The English side of an action."""
        english, _, person, _ = subject
        he = person == 2
        if mood == "past":
            action = f"did not {verb.english}" if negative else verb.past
        elif mood == "future":
            action = f"will {'not ' if negative else ''}{verb.english}"
        elif mood == "progressive":
            am = "am" if person == 0 else "is" if he else "are"
            action = f"{am} {'not ' if negative else ''}{ing(verb.english)}"
        elif negative:
            action = f"{'does' if he else 'do'} not {verb.english}"
        else:
            action = third(verb.english) if he else verb.english
        if time and time[0] in ADVERBS_FIRST and mood == "present" and not negative:
            return f"{english} {time[0]} {action} {english_object}"
        if time and time[0] in ADVERBS_FIRST:
            return f"{time[0]} {english} {action} {english_object}"
        return f"{english} {action} {english_object}{' ' + time[0] if time else ''}"

    def action(self) -> Sentence:
        """Somebody does something, did it or will do it."""
        subject, verb = self.subject(), self.chance.choice(self.verbs)
        mood = self.chance.choices(["present", "progressive", "past", "future"], [4, 2, 5, 2])[0]
        stative = verb.present_stem in ("دار", "خواه", "شناس")
        mood = "present" if mood == "progressive" and stative else mood
        negative = self.chance.random() < 0.18
        english_object, persian_object = self.object(verb)
        times = {"present": NOW, "progressive": [("now", "الان"), ("today", "امروز")], "past": THEN, "future": LATER}[
            mood
        ]
        time = self.chance.choice(times) if self.chance.random() < 0.45 else None
        english = self.say(subject, verb, mood, negative, english_object, time)
        dropped = subject[3] and subject[0] not in ("he", "she") and self.chance.random() < 0.25
        action = conjugate(verb, subject[2], "present" if mood == "progressive" else mood, negative)
        parts = ["" if dropped else subject[1], time[1] if time else "", persian_object, action]
        return finish(english, " ".join(filter(None, parts)))

    def description(self) -> Sentence:
        """Somebody or something is some way."""
        past = self.chance.random() < 0.25
        very = self.chance.choice(
            [("", ""), ("", ""), ("very ", "خیلی "), ("so ", "خیلی "), ("not ", None), ("too ", "بیش از حد ")]
        )
        if self.chance.random() < 0.5:
            english, persian, person, _ = self.subject()
            adjective = self.chance.choice(self.adjectives["person"])
        else:
            noun = self.pick(["thing", "place", "food", "meal", "drink", "cloth", "animal", "vehicle"])
            adjective = self.adjective(noun)
            person = 2
            draw = self.chance.random()
            if draw < 0.5:
                english, persian = f"the {noun.english}", noun.persian
            elif draw < 0.8:
                english, persian = f"this {noun.english}", f"این {noun.persian}"
            else:
                english, persian = self.owned(noun)
        be = (
            ("was" if person in (0, 2) else "were")
            if past
            else ("am" if person == 0 else "is" if person == 2 else "are")
        )
        verb = (WAS if past else BE)[person]
        if very[1] is None:
            verb = "ن" + verb if past else {"است": "نیست"}.get(verb, "نی" + verb[1:])
        return finish(
            f"{english} {be} {very[0]}{adjective.english}", f"{persian} {very[1] or ''}{adjective.persian} {verb}"
        )

    def phrase(self) -> Sentence:
        """A sentence from the list."""
        pair = self.chance.choice(self.phrases)
        return pair.english, pair.persian

    def possession(self) -> Sentence:
        """Somebody has something."""
        english, persian, person, _ = self.subject()
        noun = self.pick(["thing", "animal", "family", "cloth", "food"])
        number, persian_number = self.chance.choice([("a", "یک"), *NUMBERS])
        has = "has" if person == 2 else "have"
        thing = a(noun.english) if number == "a" else f"{number} {plural(noun.english)}"
        if self.chance.random() < 0.2:
            does = "does" if person == 2 else "do"
            return finish(
                f"{english} {does} not have {a(noun.english)}", f"{persian} {noun.persian} ندار{PERSON_ENDINGS[person]}"
            )
        return finish(
            f"{english} {has} {thing}", f"{persian} {persian_number} {noun.persian} دار{PERSON_ENDINGS[person]}"
        )

    def existence(self) -> Sentence:
        """Something is somewhere."""
        thing = self.pick(["thing", "food", "cloth", "animal"])
        where = self.chance.choice(
            [
                ("on the table", "روی میز"),
                ("in the box", "در جعبه"),
                ("under the bed", "زیر تخت"),
                ("in my bag", "در کیف من"),
                ("next to the window", "کنار پنجره"),
                ("behind the door", "پشت در"),
                ("in the kitchen", "در آشپزخانه"),
                ("in the garden", "در باغ"),
                ("in the room", "در اتاق"),
                ("on the chair", "روی صندلی"),
                ("near the house", "نزدیک خانه"),
                ("in front of the school", "جلوی مدرسه"),
                ("at home", "در خانه"),
                ("in the yard", "در حیاط"),
                ("under the tree", "زیر درخت"),
                ("on the wall", "روی دیوار"),
            ]
        )
        if self.chance.random() < 0.5:
            return finish(f"the {thing.english} is {where[0]}", f"{thing.persian} {where[1]} است")
        number, persian = self.chance.choice([("a", "یک"), *NUMBERS])
        english = f"there is {a(thing.english)}" if number == "a" else f"there are {number} {plural(thing.english)}"
        return finish(
            f"{english} {where[0]}",
            f"{persian} {thing.persian} {where[1]} {'وجود دارد' if self.chance.random() < 0.3 else 'است'}",
        )

    def wish(self) -> Sentence:
        """Want to, must, can, should, like to."""
        english, persian, person, _ = self.subject()
        verb = self.chance.choice([v for v in self.verbs if v.english not in ("want", "need", "like", "know")])
        english_object, persian_object = self.object(verb)
        negative = self.chance.random() < 0.2
        he = person == 2
        kind = self.chance.choice(["want", "must", "can", "should", "decided"])
        no, na = ("not ", "ن") if negative else ("", "")
        if kind == "want":
            english_wish = f"{'does' if he else 'do'} not want to" if negative else "wants to" if he else "want to"
            lead = f"{na}می‌خواه{PERSON_ENDINGS[person]}"
        elif kind == "can":
            english_wish, lead = ("cannot" if negative else "can"), f"{na}می‌توان{PERSON_ENDINGS[person]}"
        elif kind == "decided":
            english_wish, lead = "could " + no.strip(), f"{na}توانست{PAST_ENDINGS[person]}"
        else:
            english_wish, lead = f"{kind} {no}".strip(), f"{na}باید"
        later = self.chance.choice(LATER) if self.chance.random() < 0.3 and kind != "decided" else ("", "")
        return finish(
            f"{english} {english_wish.strip()} {verb.english} {english_object} {later[0]}",
            " ".join(filter(None, [persian, lead, later[1], persian_object, conjugate(verb, person, "subjunctive")])),
        )

    def question(self) -> Sentence:
        """Yes-or-no questions, where, when, why, who."""
        kind = self.chance.choice(["do", "did", "where", "is", "why", "who", "when", "how"])
        if kind == "where":
            noun = self.pick(["place", "thing"])
            english, persian = (f"the {noun.english}", noun.persian) if self.chance.random() < 0.6 else self.owned(noun)
            return finish(f"where is {english}", f"{persian} کجاست", "?")
        english, persian, person, _ = self.subject()
        he = person == 2
        if kind in ("is", "how"):
            adjective = self.chance.choice(self.adjectives["person"])
            be = "am" if person == 0 else "is" if he else "are"
            lead = ("why ", "چرا ") if kind == "how" else ("", "آیا ")
            return finish(
                f"{lead[0]}{be} {english} {adjective.english}",
                f"{lead[1]}{persian} {adjective.persian} {BE[person]}",
                "?",
            )
        verb = self.chance.choice(self.verbs)
        english_object, persian_object = self.object(verb)
        if kind == "who":
            return finish(
                f"who {verb.past} {english_object}", f"چه کسی {persian_object} {conjugate(verb, 2, 'past')}", "?"
            )
        past = kind == "did" or self.chance.random() < 0.5
        word = {"why": ("why ", "چرا "), "when": ("when ", "کی ")}.get(kind, ("", "آیا "))
        do = "did" if past else "does" if he else "do"
        action = conjugate(verb, person, "past" if past else "present")
        return finish(
            f"{word[0]}{do} {english} {verb.english} {english_object}",
            f"{word[1]}{persian} {persian_object} {action}",
            "?",
        )

    def command(self) -> Sentence:
        """A request to one person or to several."""
        verb = self.chance.choice(
            [v for v in self.verbs if v.english not in ("want", "need", "like", "know", "love", "lose")]
        )
        english_object, persian_object = self.object(verb)
        negative = self.chance.random() < 0.2
        person = self.chance.choice([1, 4])
        please = self.chance.choice([("please ", "لطفاً "), ("", "")])
        action = conjugate(verb, person, "command", negative)
        return finish(
            f"{please[0]}{'do not ' if negative else ''}{verb.english} {english_object}",
            f"{please[1]}{persian_object} {action}",
        )

    def weather(self) -> Sentence:
        """The weather today, here, yesterday."""
        adjective = self.chance.choice(self.adjectives["weather"])
        time, persian_time, past = self.chance.choice(
            [
                ("today", "امروز", 0),
                ("yesterday", "دیروز", 1),
                ("in " + (t := self.pick(["town"])).english, f"در {t.persian} ", 0),
                ("here", "اینجا", 0),
                ("this morning", "امروز صبح", 1),
                ("in " + (s := self.pick(["season"])).english, f"در {s.persian}", 0),
            ]
        )
        very = self.chance.choice([("", ""), ("very ", "خیلی ")])
        return finish(
            f"the weather {'was' if past else 'is'} {very[0]}{adjective.english} {time}",
            f"{persian_time.strip()} هوا {very[1]}{adjective.persian} {'بود' if past else 'است'}",
        )

    def opinion(self) -> Sentence:
        """Thinking, hoping and knowing that something is so."""
        english, persian = self.description()
        lead = self.chance.choice(
            [
                ("I think", "فکر می‌کنم"),
                ("I hope", "امیدوارم"),
                ("I know that", "می‌دانم که"),
                ("She said that", "او گفت که"),
                ("He says that", "او می‌گوید که"),
            ]
        )
        return f"{lead[0]} {lower_first(english)}", f"{lead[1]} {persian}"

    def joined(self) -> Sentence:
        """Two sentences with a conjunction."""
        first, second = self.action(), self.chance.choice([self.action, self.description])()
        word = self.chance.choice([("and", "و"), ("but", "اما"), ("because", "چون"), ("so", "پس")])
        return f"{first[0][:-1]} {word[0]} {lower_first(second[0])}", f"{first[1][:-1]} {word[1]} {second[1]}"

    def sentence(self) -> Sentence:
        """One sentence of any kind, as (English, Persian)."""
        frames, weights = zip(*self.frames)
        return self.chance.choices(frames, weights)[0]()


def lower_first(sentence: str) -> str:
    """The sentence as it goes on inside another one."""
    first = sentence.split()[0]
    keep = first in ("I",) or first.rstrip("'s") in NAMES
    return sentence if keep else sentence[0].lower() + sentence[1:]


NAMES = {pair.english for pair in read_pairs("nouns.txt")["name"]}


def finish(english: str, persian: str, end: str = ".") -> Sentence:
    """Capital letter, single spaces and the end mark, which Persian writes in its own way."""
    english, persian = " ".join(english.split()), " ".join(persian.split())
    return english[0].upper() + english[1:] + end, persian + {"?": "؟"}.get(end, end)


if __name__ == "__main__":
    grammar = Grammar(random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 0))
    for _ in range(int(sys.argv[1])):
        print(*grammar.sentence(), sep="\n  ")
