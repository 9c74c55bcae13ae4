"""Owns messages: how friends, firms and offices write short texts, with their spelling. Nothing here is labelled.

Run:  python -m lora_hub.built_in.making.messages 20   (prints some)
"""

import random
import re
import sys

from lora_hub.built_in.making.passages import Passages
from lora_hub.built_in.making.sentences import Grammar
from lora_hub.built_in.making.word_lists import read_lines

SHORT_SPELLING = {
    "you": "u",
    "are": "r",
    "your": "ur",
    "to": "2",
    "for": "4",
    "see": "c",
    "please": "pls",
    "thanks": "thx",
    "tomorrow": "tmr",
    "tonight": "2nite",
    "great": "gr8",
    "later": "l8r",
    "because": "cos",
    "message": "msg",
    "about": "abt",
    "before": "b4",
    "and": "n",
    "with": "wif",
    "what": "wat",
    "the": "d",
    "that": "dat",
    "have": "hav",
    "going": "goin",
    "just": "jus",
    "love": "luv",
    "good": "gd",
    "okay": "k",
    "today": "2day",
    "want": "wan",
    "work": "wrk",
    "night": "nite",
    "be": "b",
    "text": "txt",
    "not": "nt",
    "from": "frm",
    "when": "wen",
    "will": "wil",
    "people": "ppl",
    "don't": "dun",
    "doing": "doin",
    "i'm": "im",
    "home": "hm",
}
CHOICE, SLOT = re.compile(r"\[([^\[\]]*)\]"), re.compile(r"\{(\w+?)2?\}")


class Messages:
    """Writes random messages; all chance comes from the generator that it is given."""

    def __init__(self, chance: random.Random, grammar: Grammar, passages: Passages):
        self.chance = chance
        self.grammar = grammar
        self.passages = passages
        self.patterns: dict[str, list[str]] = {}
        for line in read_lines("messages_en.txt"):
            kind, _, pattern = line.partition(": ")
            self.patterns.setdefault(kind, []).append(pattern)

    def draw(self, slot: str) -> str:
        """Something that fits the slot."""
        number, pick = self.chance.randint, self.chance.choice
        own = {
            "money": lambda: (
                f"{pick(['£', '£', '$'])}"
                f"{pick([50, 100, 150, 200, 250, 350, 400, 500, 750, 800, 900, 1000, 1500, 2000, 5000])}"
            ),
            "pence": lambda: (
                f"{pick([10, 25, 50, 100, 150])}p" if self.chance.random() < 0.8 else f"£{number(1, 3)}.50"
            ),
            "phone": lambda: (
                pick(["0", "07", "080", "0870", "0871", "0906", "09"])
                + "".join(str(number(0, 9)) for _ in range(number(6, 9)))
            ),
            "short": lambda: str(number(10000, 99999)),
            "caps": lambda: self.passages.invented().upper(),
            "site": lambda: self.passages.invented().lower() + pick([".com", ".co.uk", ".net", ".biz"]),
        }
        name = self.passages.invented() if slot == "name" and self.chance.random() < 0.3 else None
        return (
            own[slot]()
            if slot in own
            else name
            or (pick(self.grammar.nouns["name"]).english if slot == "name" else self.passages.draw(slot, "en"))
        )

    def message(self, kind: str | None = None) -> str:
        """One message, spelled as its kind is spelled."""
        chance = self.chance
        kind = kind or chance.choices(["chat", "firm", "notice", "said"], [5, 2, 1, 2])[0]
        if kind == "said":
            text = " ".join(self.grammar.sentence()[0] for _ in range(chance.choice([1, 1, 2])))
        else:
            text = chance.choice(self.patterns[kind])
            text = CHOICE.sub(lambda match: chance.choice(match.group(1).split("|")), text)
            text = SLOT.sub(lambda match: self.draw(match.group(1)), text)
        text = " ".join(text.split())
        if kind == "chat" and chance.random() < 0.4:
            text += " " + self.message("chat")
        if kind in ("chat", "said"):
            text = self.respell(text)
        elif chance.random() < 0.15:
            text = text.upper()
        return text

    def respell(self, text: str) -> str:
        """The text as thumbs write it: some words shortened, capitals and marks left out."""
        draw, rate = self.chance.random(), self.chance.choice([0, 0, 0.3, 0.8])
        if draw < 0.45:
            text = text.lower()
        elif draw < 0.8:
            text = text[0].upper() + text[1:]
        words = [
            SHORT_SPELLING.get(word.lower(), word) if self.chance.random() < rate else word for word in text.split(" ")
        ]
        text = " ".join(words)
        if self.chance.random() < 0.3:
            text = text.replace("?", self.chance.choice(["", "??", "?"])).replace(
                ".", self.chance.choice(["", "...", "..", "!"])
            )
        return text


if __name__ == "__main__":
    chance = random.Random(0)
    grammar = Grammar(chance)
    messages = Messages(chance, grammar, Passages(chance, grammar))
    for _ in range(int(sys.argv[1])):
        print(messages.message())
