"""Parts of the question-answering sample: passages of one to three sentences about invented people and places.

Names, towns, numbers and things are drawn anew for each passage, so that nothing but the passage can answer. Four in
ten passages speak of two people or two things of the same kind, so that the question's name has to be found as well.
Every answer stands in the passage letter by letter.
"""

import random

NAMES = (
    "Anna Omar Lily Reza Tom Maya Karim Ella Hugo Nina Sam Zara Leo Iris Adam Mina Paul Rosa Ivan Dana Ruth Amir Clara "
    "Jonas"
).split()
TOWNS = (
    "Lisbon Shiraz Oslo Cairo Berlin Lima Dublin Tabriz Vienna Kyoto Madrid Quito Prague Isfahan Boston Athens Geneva "
    "Delhi Yazd Hamburg"
).split()
COLOURS = "red blue green yellow black white brown grey orange purple".split()
JOBS = "doctor teacher baker farmer painter nurse pilot driver singer tailor lawyer gardener".split()
BOUGHT = "bag coat lamp bike table hat chair clock carpet jacket guitar mirror".split()
ANIMALS = "cat dog horse parrot rabbit goat duck pony".split()
PETS = "Luna Max Coco Bella Rocky Daisy Milo Poppy Oscar Ruby".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January March April May June July August October November".split()
EVENTS = "concert meeting lecture play dinner class race market".split()
HALLS = "town hall|old library|main square|school garden|blue tent|museum cafe|river park|north gate".split("|")
TIMES = "six seven eight nine ten noon five four".split()
BUILDINGS = "museum bridge castle theatre tower station hotel school".split()
FOODS = "rice soup bread cheese fish salad cake eggs apples beans".split()


def make_rows(dice: random.Random, rows: int = 560) -> list[dict[str, str]]:
    """`rows` different passages with a question and its answer: {context, question, answer}."""
    found: dict[str, dict[str, str]] = {}
    while len(found) < rows:
        context, questions = dice.choice(PASSAGES)(dice)
        question, answer = dice.choice(questions)
        found.setdefault(context, {"context": context, "question": question, "answer": answer})
    return list(found.values())


Passage = tuple[str, list[tuple[str, str]]]


def _home(dice: random.Random) -> Passage:
    name, town, job = dice.choice(NAMES), dice.choice(TOWNS), dice.choice(JOBS)
    context = dice.choice(
        [
            f"{name} lives in {town} and works as a {job}.",
            f"{name} is a {job}. {name} lives in a small flat in {town}.",
            f"In {town} there is a {job} called {name}.",
        ]
    )
    return context, [(f"Where does {name} live?", town), (f"What is {name}'s job?", job)]


def _two_homes(dice: random.Random) -> Passage:
    (one, two), (here, there) = dice.sample(NAMES, 2), dice.sample(TOWNS, 2)
    context = dice.choice(
        [
            f"{one} lives in {here}. {two} lives in {there}.",
            f"{one} comes from {here}, but {two} comes from {there}.",
        ]
    )
    verb = "live" if "lives" in context else "come from"
    return context, [(f"Where does {one} {verb}?", here), (f"Where does {two} {verb}?", there)]


def _purchase(dice: random.Random) -> Passage:
    name, colour, thing, town = dice.choice(NAMES), dice.choice(COLOURS), dice.choice(BOUGHT), dice.choice(TOWNS)
    price, day = dice.randint(11, 99), dice.choice(DAYS)
    article = "an" if colour == "orange" else "a"
    context = dice.choice(
        [
            f"On {day} {name} bought {article} {colour} {thing} for {price} dollars.",
            f"{name} went to {town} on {day}. There {name} paid {price} dollars for {article} {colour} {thing}.",
        ]
    )
    questions = [
        (f"What colour is the {thing}?", colour),
        (f"How many dollars did {name} pay?", str(price)),
        (f"When did {name} buy the {thing}?", day),
        (f"What did {name} buy?", thing),
    ]
    return context, questions


def _two_colours(dice: random.Random) -> Passage:
    (one, two), (this, that), name = dice.sample(BOUGHT, 2), dice.sample(COLOURS, 2), dice.choice(NAMES)
    context = dice.choice(
        [
            f"In {name}'s room the {one} is {this} and the {two} is {that}.",
            f"{name} has two new things. The {one} is {this}. The {two} is {that}.",
        ]
    )
    return context, [(f"What colour is the {one}?", this), (f"What colour is the {two}?", that)]


def _pet(dice: random.Random) -> Passage:
    name, animal, pet, age = dice.choice(NAMES), dice.choice(ANIMALS), dice.choice(PETS), dice.randint(2, 19)
    context = dice.choice(
        [
            f"{name} has a {animal} called {pet}. {pet} is {age} years old.",
            f"{pet} is the name of {name}'s {animal}. It is {age} years old.",
        ]
    )
    questions = [
        (f"What is the {animal} called?", pet),
        (f"How old is {pet}?", str(age)),
        (f"What kind of animal is {pet}?", animal),
        (f"Who has a {animal}?", name),
    ]
    return context, questions


def _two_ages(dice: random.Random) -> Passage:
    (one, two), (this, that) = dice.sample(NAMES, 2), dice.sample(range(5, 80), 2)
    context = dice.choice(
        [f"{one} is {this} years old and {two} is {that}.", f"{one} is {this}. {two}, a friend from school, is {that}."]
    )
    return context, [(f"How old is {one}?", str(this)), (f"How old is {two}?", str(that))]


def _event(dice: random.Random) -> Passage:
    event, day, time, hall = dice.choice(EVENTS), dice.choice(DAYS), dice.choice(TIMES), dice.choice(HALLS)
    context = dice.choice(
        [
            f"The {event} is on {day} in the {hall}. It starts at {time}.",
            f"This {day} there is a {event} in the {hall} at {time}.",
        ]
    )
    questions = [
        (f"On which day is the {event}?", day),
        (f"When does the {event} start?", time),
        (f"Where is the {event}?", hall),
    ]
    return context, questions


def _building(dice: random.Random) -> Passage:
    building, town, name = dice.choice(BUILDINGS), dice.choice(TOWNS), dice.choice(NAMES)
    year, month = dice.randint(1700, 1999), dice.choice(MONTHS)
    context = dice.choice(
        [
            f"The {building} in {town} was built in {year} by a rich man called {name}.",
            f"The {building} of {town} opened in {month} {year}. Its first guest was {name}.",
        ]
    )
    verb = ("was the {} built", "built") if "built" in context else ("did the {} open", "")
    questions = [(f"In which town is the {building}?", town), (f"In which year {verb[0].format(building)}?", str(year))]
    questions.append((f"Who built the {building}?", name) if verb[1] else ("Who was the first guest?", name))
    return context, questions


def _two_dishes(dice: random.Random) -> Passage:
    (one, two), (this, that), day = dice.sample(NAMES, 2), dice.sample(FOODS, 2), dice.choice(DAYS)
    context = dice.choice(
        [
            f"On {day} {one} ate {this} and {two} ate {that}.",
            f"{one} made {this} for lunch. {two} made {that} for dinner.",
        ]
    )
    verb = "eat" if "ate" in context else "make"
    return context, [(f"What did {one} {verb}?", this), (f"What did {two} {verb}?", that)]


PASSAGES = [_home, _two_homes, _purchase, _two_colours, _pet, _two_ages, _event, _building, _two_dishes, _purchase]
