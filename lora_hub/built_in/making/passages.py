"""Owns short passages with questions whose answers stand in them word for word, in English and in Persian.

Run:  python -m lora_hub.built_in.making.passages 5   (prints some)

What a scene needs is drawn anew each time, with many invented names, so that the answer can only be had by reading.
"""

import random
import re
import sys
from dataclasses import dataclass

from lora_hub.built_in.making.sentences import DAYS, NUMBERS, Grammar, plural
from lora_hub.built_in.making.word_lists import read_lines, read_pairs

MONTHS = "January February March April May June July August September October November December".split()
SLOT = re.compile(r"\{(\w+?)(\d?)\}")
WOMEN = (
    "Sara Maryam Zahra Mina Neda Parisa Leila Shirin Roya Maria Anna Mary Elham Bahar Emma Julia Alice Lucy Rosa "
    "Nora Ella Clara Ida Eva Mona"
).split()
MEN = (
    "Ali Reza Amir Hassan Omid Kaveh Babak Arash Nima David John Tom Dara Farhad Peter Paul Mark Jack Henry Oscar "
    "Leo Sam Ben Max Karl"
).split()
LISTS = {
    "hobby": (
        "reading, swimming, chess, football, painting, cooking, dancing, fishing, hiking, gardening, cycling, "
        "singing, photography, old films, long walks, playing the piano, collecting stamps, baking bread, climbing"
    ),
    "wild": "forest, desert, mountains, river, sea, jungle, hills, old garden, tall grass, snow, lake, rocks",
    "feed": "grass, leaves, fish, fruit, insects, meat, seeds, roots, honey, mice, berries, nuts",
    "time3": "at night, during the day, in winter, in the afternoon, in the morning, in summer",
    "event": "meeting, party, concert, lesson, game, exhibition, wedding, talk, festival, race, workshop, picnic, play",
    "topic": (
        "history, music, the sea, old maps, healthy food, the weather, birds, space, cheap travel, family life, "
        "modern art, water, bread, bees, trains, dreams, robots"
    ),
    "container": "pot, pan, oven, bowl, kettle, large dish",
    "building": "tower, bridge, castle, church, mill, lighthouse, palace, wall, school, theatre, temple, farm",
    "nature": "hill, river, coast, island, lake, edge of the forest, beach, mountain",
    "material": "stone, wood, brick, iron, glass, clay, marble, steel, red brick, white stone",
    "disaster": (
        "a fire, a storm, a flood, an earthquake, heavy rain, snow, lightning, a fallen tree, strong wind, an accident"
    ),
    "adjective": "young, rich, famous, brave, quiet, poor, clever, strange, old, kind",
    "weather": "sunny, cloudy, rainy, windy, foggy, cold, hot, snowy, stormy, warm, dry, cool",
    "road": "road, bridge, tunnel, railway line, motorway, path",
    "feeling": "happy, tired, proud, angry, sad, surprised, calm, nervous, disappointed, delighted",
    "relative": (
        "his mother, her sister, an old friend, the neighbour, a teacher, the doctor, the bank, her aunt, the boss"
    ),
    "relative2": "grandmother, mother, aunt, sister, grandfather, uncle",
    "title": (
        "The Silent River, A Cold Morning, Seven Keys, The Last Train, Under the Bridge, The Blue Door, Bread "
        "and Salt, The Clockmaker, Two Winters, Night Garden, The Paper Boat, A House of Sand"
    ),
    "meal": "rice, bread, butter, cheese, sugar, salt, flour, honey, meat, yogurt",
    "drink": "tea, coffee, milk, water, juice, lemonade, hot chocolate, oil, cream",
}
PERSIAN_LISTS = {
    "hobby": (
        "کتاب خواندن, شنا, شطرنج, فوتبال, نقاشی, آشپزی, کوهنوردی, باغبانی, دوچرخه‌سواری, آواز خواندن, عکاسی, "
        "فیلم دیدن, خیاطی, ماهی‌گیری, موسیقی"
    ),
    "event": "جلسه, مهمانی, کنسرت, کلاس, مسابقه, نمایشگاه, عروسی, جشن, سخنرانی, جشنواره",
    "topic": (
        "تاریخ, موسیقی, دریا, غذای سالم, آب و هوا, پرنده‌ها, سفر, خانواده, هنر, آب, زنبورها, رؤیاها, کتاب, زبان فارسی"
    ),
    "title": (
        "رود خاموش, صبح سرد, هفت کلید, آخرین قطار, زیر پل, در آبی, نان و نمک, دو زمستان, باغ شب, قایق کاغذی, خانه شنی"
    ),
    "weather": "آفتابی, ابری, بارانی, برفی, گرم, سرد, خنک, بادی, مه‌آلود, طوفانی, خشک",
}
SYLLABLES = (
    "ba be bo da de do fa fi ga go ha ka ki ko la le li lo ma me mi mo na ne ni no pa pe ra re ri ro sa se si "
    "so ta te ti to va ve vi vo za ze zo"
).split()


@dataclass(frozen=True)
class Scene:
    """A topic, and sentences with the questions that they answer: [(sentence, [(wordings, slot of the answer)])]."""

    topic: str
    sentences: list[tuple[str, list[tuple[list[str], str]]]]


@dataclass(frozen=True)
class Asked:
    """A passage, a question about it and the answer as it stands in the passage."""

    passage: str
    question: str
    answer: str


def read_scenes(name: str) -> list[Scene]:
    """The scenes of a list."""
    scenes = []
    for line in read_lines(name):
        if line.startswith("--- "):
            scenes.append(Scene(line.removeprefix("--- "), []))
            continue
        sentence, *questions = line.split(" | ")
        pairs = [tuple(question.split(" => ")) for question in questions]
        asked = [([wording.strip() for wording in wordings.split("/")], slot.strip()) for wordings, slot in pairs]
        scenes[-1].sentences.append((sentence, asked))
    return scenes


class Passages:
    """Tells scenes and asks about them; all chance comes from the generator that it is given."""

    def __init__(self, chance: random.Random, grammar: Grammar):
        self.chance = chance
        self.grammar = grammar
        self.nouns = read_pairs("nouns.txt")
        self.scenes = {"en": read_scenes("scenes_en.txt"), "fa": read_scenes("scenes_fa.txt")}

    def invented(self) -> str:
        """A name that nobody has heard before."""
        return "".join(
            self.chance.choices(SYLLABLES, k=self.chance.choice([2, 2, 3]))
        ).capitalize() + self.chance.choice(["", "", "n", "r", "s", "l"])

    def draw(self, slot: str, language: str) -> str:
        """Something that fits the slot."""
        chance, pick = self.chance.random, self.chance.choice
        if language == "fa":
            return self.draw_persian(slot)
        number = self.chance.randint
        if slot == "town":
            return self.invented() if chance() < 0.5 else pick(self.nouns["town"]).english
        if slot in ("petname", "company", "team", "street"):
            ending = {
                "petname": [""],
                "company": ["", " Foods", " Bank", " and Sons", " Motors", " Books"],
                "team": ["", " United", " City", " Stars"],
                "street": [" Street", " Square", " Road"],
            }
            return self.invented() + pick(ending[slot])
        if slot in ("job", "animal", "colour", "place", "thing", "food"):
            return pick(self.nouns["person" if slot == "job" else slot]).english
        if slot == "foods":
            return plural(pick(self.nouns[pick(["food", "food", "cloth", "thing"])]).english)
        if slot in LISTS:
            return pick(LISTS[slot].split(", "))
        return {
            "age": lambda: str(number(4, 95)),
            "year": lambda: str(number(1750, 2025)),
            "number": lambda: str(number(2, 99)) if chance() < 0.6 else pick(NUMBERS)[0],
            "price": lambda: pick(
                [
                    f"{number(2, 90)} dollars",
                    f"${number(1, 99)}",
                    f"{number(1, 60)} euros",
                    f"£{number(1, 50)}.{number(10, 99)}",
                ]
            ),
            "time": lambda: pick(
                [
                    f"{number(1, 12)}:{number(10, 59)}",
                    f"{number(1, 12)} o'clock",
                    f"{number(1, 12)} {pick(['am', 'pm'])}",
                    "noon",
                ]
            ),
            "day": lambda: pick(DAYS)[0],
            "month": lambda: pick(MONTHS),
            "minutes": lambda: f"{number(2, 90)} minutes",
            "phone": lambda: "".join(str(number(0, 9)) for _ in range(number(5, 8))),
            "code": lambda: self.invented().lower() + str(number(1, 99)),
        }[slot]()

    def draw_persian(self, slot: str) -> str:
        """Something Persian that fits the slot."""
        pick, number = self.chance.choice, self.chance.randint
        if slot in PERSIAN_LISTS:
            return pick(PERSIAN_LISTS[slot].split(", "))
        if slot in ("name", "town", "place", "thing", "food", "meal", "drink", "animal", "colour"):
            return pick(self.nouns[slot]).persian
        digits = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹") if self.chance.random() < 0.7 else {}
        return {
            "job": lambda: pick(self.nouns["person"]).persian,
            "number": lambda: str(number(2, 60)).translate(digits) if self.chance.random() < 0.6 else pick(NUMBERS)[1],
            "year": lambda: str(number(1300, 1404)).translate(digits),
            "price": lambda: (
                f"{str(number(2, 90) * 1000).translate(digits)} تومان"
                if self.chance.random() < 0.6
                else f"{pick(NUMBERS)[1]} هزار تومان"
            ),
            "day": lambda: pick(DAYS)[1],
            "phone": lambda: "".join(str(number(0, 9)) for _ in range(number(5, 8))).translate(digits),
        }[slot]()

    def fill(self, language: str) -> dict[str, str]:
        """Values for the slots, made when they are first asked for; persons with their pronouns."""
        values: dict[str, str] = {}
        chance = self.chance

        class Values(dict):
            def __missing__(slots, key: str) -> str:
                if key == "name2and3":
                    return f"{slots['name2']} and {slots['name3']}"
                if key == "things":
                    return f"{slots['thing']} و {slots['thing2']}"
                word, digit = re.fullmatch(r"(\D+)(\d?)", key).groups()
                if word == "name" and language == "en":
                    woman = chance.random() < 0.5
                    for _ in range(20):
                        value = chance.choice(WOMEN if woman else MEN) if chance.random() < 0.6 else self.invented()
                        if value not in slots.values():
                            break
                    if chance.random() < 0.25:
                        value += " " + self.invented()
                    slots[key] = value
                    for form, (hers, his) in {
                        "he": ("she", "he"),
                        "his": ("her", "his"),
                        "him": ("her", "him"),
                    }.items():
                        slots[form + digit] = hers if woman else his
                        slots[form.capitalize() + digit] = slots[form + digit].capitalize()
                    return value
                if word.lower() in ("he", "his", "him"):
                    slots["name" + digit]
                    return slots[key]
                source = key if key in LISTS else word
                for _ in range(20):
                    value = self.draw(source, language)
                    if value not in slots.values():
                        break
                slots[key] = value
                return value

        return Values(values)

    def tell(self, language: str, fewest: int = 2) -> tuple[str, list[tuple[str, str]]]:
        """A passage and all questions about it with their answers."""
        sentences, questions = [], []
        short = fewest < 3 and self.chance.random() < 0.5  # a sentence or two: to be learnt first
        for _ in range(1 if short else self.chance.choice([1, 1, 1, 2])):
            scene = self.chance.choice(self.scenes[language]).sentences
            values = self.fill(language)
            kept = self.chance.randint(1, 2) if short else max(fewest, self.chance.randint(1, len(scene)))
            chosen = [scene[0]] + self.chance.sample(scene[1:], min(kept - 1, len(scene) - 1))
            for sentence, asked in chosen:
                sentences.append(SLOT.sub(lambda m: values[m.group(1) + m.group(2)], sentence))
                for wordings, slot in asked:
                    text = SLOT.sub(lambda m: values[m.group(1) + m.group(2)], self.chance.choice(wordings))
                    questions.append((text, values[slot]))
        for _ in range(0 if short else self.chance.choice([0, 0, 1, 1, 2])):
            filler = self.grammar.sentence()[0 if language == "en" else 1]
            sentences.insert(self.chance.randrange(len(sentences) + 1), filler)
        sentences = [s[0].upper() + s[1:] for s in sentences]
        passage = " ".join(sentences)
        return passage, [(q, answer) for q, answer in questions if answer in passage]

    def about(self, language: str) -> tuple[str, str, list[str]]:
        """(sentences of one scene, its topic, other topics)."""
        scene, *others = self.chance.sample(self.scenes[language], 5)
        values = self.fill(language)
        chosen = self.chance.sample(scene.sentences, self.chance.randint(1, 2))
        told = [SLOT.sub(lambda m: values[m.group(1) + m.group(2)], sentence) for sentence, _ in chosen]
        return " ".join(s[0].upper() + s[1:] for s in told), scene.topic, [other.topic for other in others]

    def ask(self, language: str) -> Asked:
        """A passage with one question."""
        while True:
            passage, questions = self.tell(language)
            if questions:
                question, answer = self.chance.choice(questions)
                return Asked(passage, question, answer)


if __name__ == "__main__":
    chance = random.Random(0)
    passages = Passages(chance, Grammar(chance))
    for index in range(int(sys.argv[1])):
        print(passages.ask("en" if index % 2 else "fa"))
