"""Parts of the question-answering sample: passages of one or two sentences about the people of a small world.

Who did what, where and when is drawn at random for each passage, so only the passage can give the answer. One passage
in eight mentions two people or two things of a kind, so the model must also find the name in the question. Every answer
occurs in the passage literally.
"""

import random

NAMES = "Anna Reza Tom Sara Leo Mina Paul Ali".split()
TOWNS = "Tehran Shiraz London Paris Rome Tokyo".split()
COLOURS = "red blue green yellow black white".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday".split()
THINGS = "bag hat coat lamp clock phone".split()
ANIMALS = "cat dog horse goat rabbit parrot".split()
FOODS = "rice soup bread cheese fish salad".split()
JOBS = "doctor teacher baker pilot driver painter".split()
NUMBERS = "10 15 20 30 40 50".split()
EVENTS = "concert meeting play film class show".split()

Passage = tuple[str, list[tuple[str, str]]]


def make_rows(dice: random.Random, rows: int = 600) -> list[dict[str, str]]:
    """`rows` different passages with a question and its answer: {context, question, answer}."""
    found: dict[str, dict[str, str]] = {}
    while len(found) < rows:
        context, questions = dice.choice(TWO_OF_A_KIND if dice.random() < 1 / 8 else ONE_OF_A_KIND)(dice)
        question, answer = dice.choice(questions)
        found.setdefault(context, {"context": context, "question": question, "answer": answer})
    return list(found.values())


def _home(dice: random.Random) -> Passage:
    name, town, job = dice.choice(NAMES), dice.choice(TOWNS), dice.choice(JOBS)
    age = dice.choice(NUMBERS[2:])
    context = dice.choice(
        [
            f"{name} is {age} years old, lives in {town} and works as a {job}.",
            f"In {town} lives a {job} called {name}, who is {age} years old.",
        ]
    )
    questions = [
        (f"Where does {name} live?", town),
        (f"What is {name}'s job?", job),
        (f"How old is {name}?", age),
        (f"Who is the {job}?", name),
    ]
    return context, questions


def _journey(dice: random.Random) -> Passage:
    name, town, day, thing = dice.choice(NAMES), dice.choice(TOWNS), dice.choice(DAYS), dice.choice(THINGS)
    context = dice.choice(
        [
            f"{name} went to {town} on {day} and lost a {thing} there.",
            f"On {day} {name} lost a {thing} on the way to {town}.",
        ]
    )
    questions = [
        (f"Where did {name} go?", town),
        (f"When did {name} lose the {thing}?", day),
        (f"What did {name} lose?", thing),
        (f"Who lost a {thing}?", name),
    ]
    return context, questions


def _purchase(dice: random.Random) -> Passage:
    name, colour, thing, town = dice.choice(NAMES), dice.choice(COLOURS), dice.choice(THINGS), dice.choice(TOWNS)
    price = dice.choice(NUMBERS)
    context = dice.choice(
        [
            f"{name} bought a {colour} {thing} for {price} dollars in {town}.",
            f"In a shop in {town} {name} paid {price} dollars for a {colour} {thing}.",
        ]
    )
    questions = [
        (f"What colour is the {thing}?", colour),
        (f"How many dollars did {name} pay?", price),
        (f"Where did {name} buy the {thing}?", town),
        (f"What did {name} buy?", thing),
    ]
    return context, questions


def _pet(dice: random.Random) -> Passage:
    name, animal, colour = dice.choice(NAMES), dice.choice(ANIMALS), dice.choice(COLOURS[-2:])
    age, food = dice.choice(NUMBERS), dice.choice(FOODS)
    context = dice.choice(
        [
            f"{name} has a {colour} {animal}. It is {age} months old and eats {food}.",
            f"There is a {colour} {animal} in the garden of {name}. It eats {food} and is {age} months old.",
        ]
    )
    questions = [
        (f"What animal does {name} have?", animal),
        (f"What does the {animal} eat?", food),
        (f"What colour is the {animal}?", colour),
        (f"Who has a {animal}?", name),
    ]
    return context, questions


def _event(dice: random.Random) -> Passage:
    event, day, town, name = dice.choice(EVENTS), dice.choice(DAYS), dice.choice(TOWNS), dice.choice(NAMES)
    food = dice.choice(FOODS)
    context = dice.choice(
        [
            f"The {event} is on {day} in {town}. {name} brings {food} for all.",
            f"On {day} there is a {event} in {town}. For all who come {name} makes {food}.",
        ]
    )
    questions = [
        (f"When is the {event}?", day),
        (f"Where is the {event}?", town),
        (f"Who brings the {food}?" if "brings" in context else f"Who makes the {food}?", name),
        ("What is there to eat?", food),
    ]
    return context, questions


def _two_homes(dice: random.Random) -> Passage:
    (one, two), (here, there) = dice.sample(NAMES, 2), dice.sample(TOWNS, 2)
    context = f"{one} lives in {here}. {two} lives in {there}."
    return context, [(f"Where does {one} live?", here), (f"Where does {two} live?", there)]


def _two_colours(dice: random.Random) -> Passage:
    (one, two), (this, that), name = dice.sample(THINGS, 2), dice.sample(COLOURS, 2), dice.choice(NAMES)
    context = f"In the room of {name} the {one} is {this} and the {two} is {that}."
    return context, [(f"What colour is the {one}?", this), (f"What colour is the {two}?", that)]


def _two_dishes(dice: random.Random) -> Passage:
    (one, two), (this, that) = dice.sample(NAMES, 2), dice.sample(FOODS, 2)
    context = f"{one} made {this} for lunch. {two} made {that} for dinner."
    return context, [(f"What did {one} make?", this), (f"What did {two} make?", that)]


ONE_OF_A_KIND = [_home, _journey, _purchase, _pet, _event]
TWO_OF_A_KIND = [_two_homes, _two_colours, _two_dishes]
