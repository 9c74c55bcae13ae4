"""Parts of the English-Persian sample: short everyday sentences, built by a grammar for each language.

Sentences say what people do, where things are, what they cost, what they are like, and express wishes and requests. For
actions, subject, activity and time are combined. The Persian verb agrees with the subject's person and the tense of the
time; the pronoun is dropped, as speakers do, if the verb shows who acts. A held-out sentence is a new combination of
known words.
"""

import random
from dataclasses import dataclass

# English subject, Persian subject, person: 1 to 6 (I, you, he/she, we, you all, they).
SUBJECTS = [
    ("I", "", 1),
    ("You", "", 2),
    ("We", "", 4),
    ("They", "آن‌ها", 6),
    ("She", "او", 3),
    ("My brother", "برادرم", 3),
    ("My mother", "مادرم", 3),
    ("Sara", "سارا", 3),
    ("The children", "بچه‌ها", 6),
    ("Our neighbour", "همسایهٔ ما", 3),
    ("The teacher", "معلم", 3),
    ("My friends", "دوستانم", 6),
]
PRESENT_ENDINGS = {1: "م", 2: "ی", 3: "د", 4: "یم", 5: "ید", 6: "ند"}
PAST_ENDINGS = {1: "م", 2: "ی", 3: "", 4: "یم", 5: "ید", 6: "ند"}
PAST, HABIT, FUTURE = "past", "habit", "future"
TIMES = [
    ("yesterday", "دیروز", PAST),
    ("last night", "دیشب", PAST),
    ("last week", "هفتهٔ پیش", PAST),
    ("every day", "هر روز", HABIT),
    ("every morning", "هر روز صبح", HABIT),
    ("on Fridays", "جمعه‌ها", HABIT),
    ("tomorrow", "فردا", FUTURE),
    ("tonight", "امشب", FUTURE),
    ("next week", "هفتهٔ بعد", FUTURE),
]


@dataclass(frozen=True)
class Activity:
    """English verb (base, third person, past) and object; Persian object and what else precedes the verb; its stems."""

    base: str
    third: str
    past: str
    rest: str
    persian: str
    present_stem: str
    past_stem: str


ACTIVITIES = [
    Activity("buy", "buys", "bought", "bread", "نان", "خر", "خرید"),
    Activity("buy", "buys", "bought", "flowers", "گل", "خر", "خرید"),
    Activity("buy", "buys", "bought", "fruit from the market", "از بازار میوه", "خر", "خرید"),
    Activity("read", "reads", "read", "a book", "کتاب", "خوان", "خواند"),
    Activity("read", "reads", "read", "the newspaper", "روزنامه", "خوان", "خواند"),
    Activity("drink", "drinks", "drank", "tea", "چای", "خور", "خورد"),
    Activity("drink", "drinks", "drank", "cold water", "آب سرد", "خور", "خورد"),
    Activity("eat", "eats", "ate", "an apple", "یک سیب", "خور", "خورد"),
    Activity("eat", "eats", "ate", "dinner at home", "در خانه شام", "خور", "خورد"),
    Activity("eat", "eats", "ate", "bread and cheese", "نان و پنیر", "خور", "خورد"),
    Activity("cook", "cooks", "cooked", "rice", "برنج", "پز", "پخت"),
    Activity("cook", "cooks", "cooked", "soup for the guests", "برای مهمان‌ها سوپ", "پز", "پخت"),
    Activity("go", "goes", "went", "to school", "به مدرسه", "رو", "رفت"),
    Activity("go", "goes", "went", "to the park", "به پارک", "رو", "رفت"),
    Activity("go", "goes", "went", "to the market", "به بازار", "رو", "رفت"),
    Activity("go", "goes", "went", "to Tehran by train", "با قطار به تهران", "رو", "رفت"),
    Activity("watch", "watches", "watched", "a film", "فیلم", "بین", "دید"),
    Activity("watch", "watches", "watched", "television", "تلویزیون", "بین", "دید"),
    Activity("work", "works", "worked", "in the garden", "در باغ کار", "کن", "کرد"),
    Activity("work", "works", "worked", "at the hospital", "در بیمارستان کار", "کن", "کرد"),
    Activity("play", "plays", "played", "football", "فوتبال بازی", "کن", "کرد"),
    Activity("play", "plays", "played", "in the street", "در کوچه بازی", "کن", "کرد"),
    Activity("clean", "cleans", "cleaned", "the house", "خانه را تمیز", "کن", "کرد"),
    Activity("clean", "cleans", "cleaned", "the car", "ماشین را تمیز", "کن", "کرد"),
    Activity("listen", "listens", "listened", "to music", "موسیقی گوش", "کن", "کرد"),
    Activity("walk", "walks", "walked", "by the river", "کنار رودخانه پیاده‌روی", "کن", "کرد"),
]
PLACES = [
    ("bank", "بانک"),
    ("school", "مدرسه"),
    ("hospital", "بیمارستان"),
    ("market", "بازار"),
    ("park", "پارک"),
    ("station", "ایستگاه"),
    ("hotel", "هتل"),
    ("library", "کتابخانه"),
    ("restaurant", "رستوران"),
    ("pharmacy", "داروخانه"),
]
THINGS = [
    ("book", "کتاب"),
    ("car", "ماشین"),
    ("key", "کلید"),
    ("phone", "تلفن"),
    ("bag", "کیف"),
    ("shirt", "پیراهن"),
    ("chair", "صندلی"),
    ("door", "در"),
    ("room", "اتاق"),
    ("house", "خانه"),
    ("cup", "فنجان"),
    ("garden", "باغ"),
]
QUALITIES = [
    ("big", "بزرگ"),
    ("small", "کوچک"),
    ("new", "نو"),
    ("old", "قدیمی"),
    ("beautiful", "زیبا"),
    ("clean", "تمیز"),
    ("cheap", "ارزان"),
    ("expensive", "گران"),
    ("white", "سفید"),
    ("black", "سیاه"),
]
WANTED = [
    ("a cup of tea", "یک فنجان چای"),
    ("some water", "کمی آب"),
    ("two apples", "دو تا سیب"),
    ("some bread", "کمی نان"),
    ("a map of the city", "یک نقشهٔ شهر"),
    ("a ticket to Shiraz", "یک بلیت شیراز"),
    ("a quiet room", "یک اتاق آرام"),
    ("a black shirt", "یک پیراهن سیاه"),
]
POSSESSORS = [("my", "م"), ("your", "ت"), ("her", "ش")]


def make_rows(dice: random.Random, rows: int = 560) -> list[dict[str, str]]:
    """`rows` different pairs: {en, fa}."""
    pairs: dict[str, str] = {}
    makers = [_say_doing] * 9 + [_say_quality] * 2 + [_ask_place, _ask_thing, _wish]
    while len(pairs) < rows:
        english, persian = dice.choice(makers)(dice)
        pairs.setdefault(english, persian)
    return [{"en": english, "fa": persian} for english, persian in pairs.items()]


def conjugate(activity: Activity, person: int, tense: str) -> str:
    """The Persian verb in its person: past, or the mi- present that serves for habits and for plans."""
    if tense == PAST:
        return activity.past_stem + PAST_ENDINGS[person]
    return "می‌" + activity.present_stem + PRESENT_ENDINGS[person]


def _say_doing(dice: random.Random) -> tuple[str, str]:
    english, persian, person = dice.choice(SUBJECTS)
    time, persian_time, tense = dice.choice(TIMES)
    activity = dice.choice(ACTIVITIES)
    if tense == PAST:
        verb = activity.past
    elif tense == FUTURE:
        verb = f"will {activity.base}"
    else:
        verb = activity.third if person == 3 else activity.base
    doing = conjugate(activity, person, tense)
    words = [persian, persian_time, activity.persian, doing]
    return f"{english} {verb} {activity.rest} {time}.", " ".join(filter(None, words)) + "."


def _say_quality(dice: random.Random) -> tuple[str, str]:
    (thing, persian), (quality, persian_quality) = dice.choice(THINGS), dice.choice(QUALITIES)
    if dice.random() < 0.5:
        return f"The {thing} is {quality}.", f"{persian} {persian_quality} است."
    return f"This {thing} is not {quality}.", f"این {persian} {persian_quality} نیست."


def _ask_place(dice: random.Random) -> tuple[str, str]:
    place, persian = dice.choice(PLACES)
    return dice.choice(
        [
            (f"Where is the {place}?", f"{persian} کجاست؟"),
            (f"Is there a {place} near here?", f"این نزدیکی {persian} هست؟"),
            (f"The {place} is closed today.", f"{persian} امروز بسته است."),
            (f"How far is the {place}?", f"تا {persian} چقدر راه است؟"),
            (f"I am waiting in front of the {place}.", f"جلوی {persian} منتظرم."),
        ]
    )


def _wish(dice: random.Random) -> tuple[str, str]:
    wanted, persian = dice.choice(WANTED)
    return dice.choice(
        [
            (f"I would like {wanted}, please.", f"لطفاً {persian} می‌خواهم."),
            (f"Do you have {wanted}?", f"{persian} دارید؟"),
            (f"Please give me {wanted}.", f"لطفاً {persian} به من بدهید."),
        ]
    )


def _ask_thing(dice: random.Random) -> tuple[str, str]:
    (thing, persian), (owner, ending) = dice.choice(THINGS[:7]), dice.choice(POSSESSORS)
    owned = f"{persian}{ending}"
    if persian.endswith("ی"):
        owned = f"{persian}‌ا{ending}"
    return dice.choice(
        [
            (f"Where is {owner} {thing}?", f"{owned} کجاست؟"),
            (f"How much is this {thing}?", f"این {persian} چند است؟"),
            (f"I have lost {owner} {thing}.", f"{owned} را گم کرده‌ام."),
        ]
    )
