"""Parts of the topic sample: two or three sentences from a local paper, on one of five topics.

Towns, people, days and numbers are the same in all topics. Words such as "game", "season", "star", "cell", "bank" and
"light" occur in more than one.
"""

import random

SLOTS = {
    "town": "Ashford Milltown Brookside Eastham Larkhill Norwood".split(),
    "name": ["Mary Holt", "Ali Karimi", "Peter Lund", "Grace Obi", "Tara Singh", "Jon Webb"],
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
    "few": "two three four five six seven".split(),
    "many": "40 120 300 850 1,500 6,000".split(),
    "part": ["north", "south", "east", "west"],
}
SENTENCES = {
    "sport": [
        "{town} won {few} nil at home on {day}.",
        "{name} scored in the last minute of the game.",
        "The runner from {town} took gold over 800 metres.",
        "The club hopes for a better season under its new coach, {name}.",
        "About {many} fans saw the cup final on {day}.",
        "{name} will miss {few} matches with a bad knee.",
        "The tennis star beat {name} in {few} sets.",
        "The referee showed {few} red cards.",
        "Swimmers from {town} broke the county record.",
        "The goalkeeper saved {few} shots before the break.",
    ],
    "weather": [
        "Heavy rain is expected in the {part} on {day}.",
        "The night brings frost and light wind from the {part}.",
        "Snow closed the road to {town} for {few} hours.",
        "It will be warm and dry until {day}.",
        "The storm season begins early this year, says {name}.",
        "Fog stays over {town} until noon.",
        "Temperatures fall by {few} degrees after {day}.",
        "The river may burst its bank near {town} after the storm.",
        "Clouds clear from the {part} and the sun comes out.",
        "Gusts of wind took the roof off a barn in the {part}.",
    ],
    "health": [
        "The clinic in {town} gives flu shots from {day}.",
        "A walk of {few} miles a day keeps the heart well, says Dr {name}.",
        "Nurses at {town} hospital treated {many} patients in one week.",
        "Doctors warn of a cough that lasts {few} weeks.",
        "A new drug helps the blood cell count to rise.",
        "The surgery has {few} free places for back pain classes.",
        "Dentists in the {part} ask parents to cut down on sugar.",
        "Some {many} people gave blood at the blood bank on {day}.",
        "Too little sleep and light in winter makes us ill, a study says.",
        "The ward reopens on {day} after an infection.",
    ],
    "business": [
        "The bank closes its branch in {town} on {day}.",
        "The bakery chain hires {many} people in the {part}.",
        "Shares in the firm of {name} rose by {few} per cent.",
        "The factory in {town} lost {many} jobs.",
        "Sales in the summer season were better than planned.",
        "The maker of board games opens a shop in {town}.",
        "{name} sold the company for {many} thousand pounds.",
        "Rents for shops went up by {few} per cent in a year.",
        "The firm pays its debts by {day}, says its owner, {name}.",
        "Prices of bread and fuel fell for {few} months.",
    ],
    "science": [
        "The star is {many} light years away, says {name}.",
        "A team from {town} found a new kind of beetle.",
        "The probe sends pictures of Mars since {day}.",
        "The researchers grew a solar cell thinner than a hair.",
        "Bones of a dinosaur lay {few} metres deep in the {part}.",
        "{name} measured how light bends near the sun.",
        "The telescope in {town} saw a comet for {few} nights.",
        "Physicists cooled a gas of {many} atoms.",
        "Whales sing in {few} dialects, a study of {many} recordings shows.",
        "A robot built by students in {town} plays a perfect game of go.",
    ],
}


def make_rows(dice: random.Random, each: int = 90) -> list[dict[str, str]]:
    """`each` rows for every topic: {text, topic}."""
    rows = []
    for topic, sentences in SENTENCES.items():
        seen: set[str] = set()
        while len(seen) < each:
            values = {slot: dice.choice(values) for slot, values in SLOTS.items()}
            text = " ".join(sentence.format_map(values) for sentence in dice.sample(sentences, dice.choice([2, 2, 3])))
            if text not in seen:
                seen.add(text)
                rows.append({"text": text, "topic": topic})
    return rows
