"""Parts of the question-answering sample: passages of one to three sentences about invented people and places.

Names, towns, numbers and things are drawn anew for each passage, so that nothing but the passage can answer. One
in four passages speaks of two people or two things of a kind, so that the question's name has to be found as well.
Every answer stands in the passage letter by letter.
"""

import random

NAMES = "Anna Reza Tom Ella Sam Leo Mina Paul Rosa Amir Clara Sara Ali Nora Jack Emma".split()
TOWNS = "Shiraz Berlin Tabriz Isfahan Yazd Tehran London Paris Rome Mashhad Kerman Tokyo York Istanbul".split()
COLOURS = "red blue green yellow black white brown grey orange purple".split()
JOBS = "doctor teacher baker painter pilot driver cook writer dentist waiter soldier nurse".split()
BOUGHT = "bag coat lamp table hat chair clock jacket mirror bed box cup shirt ring phone camera".split()
ANIMALS = "cat dog horse parrot rabbit goat duck sheep bird mouse cow".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
EVENTS = "concert meeting play dinner class market lesson show exam".split()
HALLS = "garden park school library hotel church museum square kitchen theatre".split()
TIMES = "two three four five six seven eight nine ten noon".split()
BUILDINGS = "museum school station hotel library hospital theatre".split()
FOODS = "rice soup bread cheese fish salad meat fruit butter honey pizza".split()
NUMBERS = [str(number) for number in range(11, 61)]


def make_rows(dice: random.Random, rows: int = 560) -> list[dict[str, str]]:
    """`rows` different passages with a question and its answer: {context, question, answer}."""
    found: dict[str, dict[str, str]] = {}
    while len(found) < rows:
        context, questions = dice.choice(TWO if dice.random() < 0.25 else ONE)(dice)
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
            f"In {town} there is a good {job} called {name}.",
        ]
    )
    return context, [(f"Where does {name} live?", town), (f"What is {name}'s job?", job), (f"Who is the {job}?", name)]


def _journey(dice: random.Random) -> Passage:
    name, town, day, thing = dice.choice(NAMES), dice.choice(TOWNS), dice.choice(DAYS), dice.choice(BOUGHT)
    context = dice.choice(
        [
            f"{name} went to {town} by train on {day} and lost a {thing} there.",
            f"On {day} {name} took the bus to {town}. The {thing} stayed at home.",
        ]
    )
    left = f"What did {name} lose?" if "lost" in context else "What stayed at home?"
    return context, [(f"Where did {name} go?", town), (f"On which day did {name} go to {town}?", day), (left, thing)]


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
    price, day = dice.choice(NUMBERS), dice.choice(DAYS)
    article = "an" if colour == "orange" else "a"
    context = dice.choice(
        [
            f"On {day} {name} bought {article} {colour} {thing} for {price} dollars.",
            f"{name} went to {town} on {day}. There {name} paid {price} dollars for {article} {colour} {thing}.",
        ]
    )
    questions = [
        (f"What colour is the {thing}?", colour),
        (f"How many dollars did {name} pay?", price),
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
    name, animal, colour, age = dice.choice(NAMES), dice.choice(ANIMALS), dice.choice(COLOURS), dice.choice(NUMBERS[:10])
    context = dice.choice(
        [
            f"{name} has a {animal}. It is {colour} and {age} years old.",
            f"There is a {colour} {animal} in {name}'s garden. It is {age} years old.",
        ]
    )
    questions = [
        (f"What colour is the {animal}?", colour),
        (f"How old is the {animal}?", age),
        (f"What animal does {name} have?", animal),
        (f"Who has a {animal}?", name),
    ]
    return context, questions


def _two_ages(dice: random.Random) -> Passage:
    (one, two), (this, that) = dice.sample(NAMES, 2), dice.sample(NUMBERS, 2)
    context = dice.choice(
        [f"{one} is {this} years old and {two} is {that}.", f"{one} is {this}. {two}, a friend from school, is {that}."]
    )
    return context, [(f"How old is {one}?", this), (f"How old is {two}?", that)]


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
    rooms = dice.choice(NUMBERS)
    context = dice.choice(
        [
            f"The {building} in {town} has {rooms} rooms. It was built by {name}.",
            f"{name} built a {building} with {rooms} rooms in {town}.",
        ]
    )
    questions = [
        (f"In which town is the {building}?", town),
        (f"How many rooms does the {building} have?", rooms),
        (f"Who built the {building}?", name),
    ]
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


ONE = [_home, _journey, _purchase, _pet, _event, _building]
TWO = [_two_homes, _two_colours, _two_ages, _two_dishes]
