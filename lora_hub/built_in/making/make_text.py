"""Owns what the built-in base reads: which kinds of text, in which shares, from which seed.

Run:  python -m lora_hub.built_in.making.make_text PACKAGES TEXT_FILE --characters 80000000 --seed 0

The same seed gives the same text. Documents are separated by a NUL; chats carry the special tokens of the template.
"""

import argparse
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from lora_hub.built_in.making.debian_text import read_dictionary, read_word_pairs, read_wordnet
from lora_hub.built_in.making.exercises import Exercises
from lora_hub.built_in.making.make_tokenizer import ASSISTANT, DOCUMENT_END, EOS, SYSTEM, USER
from lora_hub.built_in.making.messages import Messages
from lora_hub.built_in.making.opinions import Opinions
from lora_hub.built_in.making.passages import Passages
from lora_hub.built_in.making.polarity import read_polarity
from lora_hub.built_in.making.sentences import Grammar

GREETINGS = [
    ("Hi", "Hello! How can I help you?"),
    ("Hello", "Hi! What can I do for you?"),
    ("Thank you", "You are welcome."),
    ("How are you?", "I am fine, thank you."),
    ("Good morning", "Good morning!"),
    ("Bye", "Goodbye!"),
    ("Who are you?", "I am a small model that answers short questions."),
    ("سلام", "سلام! چه کمکی می‌توانم بکنم؟"),
    ("ممنون", "خواهش می‌کنم."),
    ("حالت چطور است؟", "خوبم، ممنون."),
    ("خداحافظ", "خداحافظ!"),
]
SYSTEMS = [
    "You are a helpful assistant.",
    "Answer briefly.",
    "Answer with one word.",
    "You answer questions about texts.",
    "You label texts.",
    "Be short and exact.",
    "کوتاه جواب بده.",
    "You are an expert in reading.",
    "Reply only with the answer.",
]


class Library:
    """All sources and generators behind one seed."""

    def __init__(self, packages: Path, seed: int):
        self.chance = random.Random(seed)
        self.synsets = read_wordnet(packages)
        self.word_pairs = [
            pair for pair in read_word_pairs(packages) if "skin tone" not in pair[1] and "flag" not in pair[1]
        ]
        self.grammar = Grammar(self.chance)
        self.passages = Passages(self.chance, self.grammar)
        self.messages = Messages(self.chance, self.grammar, self.passages)
        self.opinions = Opinions(self.chance, read_polarity(self.synsets))
        self.exercises = Exercises(self.chance, self.synsets, self.grammar, self.passages, self.messages, self.opinions)
        self.glosses = self.endless([s for s in self.synsets.values() if s.uses or s.examples])
        self.examples = self.endless([e for s in self.synsets.values() for e in s.examples])
        self.entries = self.endless(read_dictionary(packages, "devil") + read_dictionary(packages, "jargon"))
        ask = self.exercises
        # Shares are of documents, roughly by what a document of the kind costs and brings.
        self.kinds: list[tuple[Callable[[], str], float]] = [
            (self.gloss, 9),
            (self.example, 6),
            (self.entry, 0.5),
            (self.paragraph, 2.5),
            (self.persian_paragraph, 3),
            (self.parallel, 8),
            (self.word_list, 3),
            (self.some_messages, 7),
            (self.some_reviews, 4),
            (self.retold, 2),
            (self.asked(ask.reading), 16),
            (self.interview, 3),
            (self.asked(ask.reading_true), 1),
            (self.asked(ask.verdict), 10),
            (self.asked(ask.verdict_list), 3),
            (self.asked(ask.persian_verdict), 6),
            (self.asked(ask.word_verdict), 5),
            (self.asked(ask.stars), 0.7),
            (self.asked(ask.position), 5),
            (self.asked(ask.lookup), 5),
            (self.asked(ask.repeat), 4),
            (self.asked(ask.meaning), 6),
            (self.asked(ask.topic), 4),
            (self.asked(ask.sorting), 3),
            (self.asked(ask.subject), 2),
            (self.asked(ask.find), 2),
            (self.asked(ask.mend), 2),
            (self.asked(ask.count), 0.7),
            (self.asked(ask.query), 1),
            (self.asked(ask.same_meaning), 2),
            (self.asked(ask.into_english), 2),
            (self.greeting, 0.4),
        ]

    def endless(self, things: list) -> Iterator:
        """The things in a random order, again and again."""
        while True:
            for thing in self.chance.sample(things, len(things)):
                yield thing

    def asked(self, exercise: Callable[[], tuple[str, str]]) -> Callable[[], str]:
        """Documents of an exercise: mostly chats, some with a system turn or several turns, some plain text."""

        def write() -> str:
            draw = self.chance.random()
            prompt, answer = exercise()
            if draw < 0.12:
                prompt, answer = prompt.rstrip(), answer.strip()
                between = self.chance.choice(["\n", " ", "\nAnswer: ", "\nA: "])
                return f"{prompt}{between}{answer}"
            chat = f"{USER}{prompt}{ASSISTANT}{answer}"
            if draw < 0.22:
                chat = f"{SYSTEM}{self.chance.choice(SYSTEMS)}{chat}"
            if draw > 0.93:
                prompt, answer = exercise()
                chat += f"{EOS}{USER}{prompt}{ASSISTANT}{answer}"
            return chat

        return write

    def interview(self) -> str:
        """One passage and several questions about it, as one chat or as a list."""
        language = self.chance.choice(["en", "en", "fa"])
        passage, questions = self.passages.tell(language, 3)
        self.chance.shuffle(questions)
        questions = questions[:4]
        if self.chance.random() < 0.4:
            return f"{passage}\n" + "\n".join(f"{question} {answer}" for question, answer in questions)
        turns = [f"{USER}{question}{ASSISTANT}{answer}" for question, answer in questions]
        if not turns:
            return passage
        turns[0] = turns[0].replace(USER, f"{USER}{passage}\n", 1)
        return EOS.join(turns)

    def gloss(self) -> str:
        """A WordNet entry as a line of a dictionary."""
        synset, pick = next(self.glosses), self.chance.choice
        word, gloss = pick(synset.words), synset.gloss
        text = pick(
            [
                f"{word}: {gloss}.",
                f"{word} ({synset_part(synset.part)}): {gloss}",
                f"{word} - {gloss}",
                f"{', '.join(synset.words)}: {gloss}",
            ]
        )
        return f"{text} {'; '.join(synset.examples)}" if synset.examples and self.chance.random() < 0.7 else text

    def example(self) -> str:
        """Example sentences of WordNet."""
        return self.chance.choice([". ", "\n"]).join(next(self.examples) for _ in range(self.chance.randint(1, 4)))

    def entry(self) -> str:
        """A piece of a public-domain dictionary."""
        return next(self.entries)[:900]

    def paragraph(self) -> str:
        """English sentences."""
        return " ".join(self.grammar.sentence()[0] for _ in range(self.chance.randint(1, 6)))

    def persian_paragraph(self) -> str:
        """Persian sentences."""
        return " ".join(self.grammar.sentence()[1] for _ in range(self.chance.randint(1, 6)))

    def parallel(self) -> str:
        """The same sentences in both languages, as bilingual readers and phrase books print them."""
        pairs = [self.grammar.sentence() for _ in range(self.chance.randint(1, 5))]
        if self.chance.random() < 0.4:
            pairs = [pair[::-1] for pair in pairs]
        draw = self.chance.random()
        if draw < 0.25:
            return " ".join(first for first, _ in pairs) + "\n" + " ".join(second for _, second in pairs)
        mark = self.chance.choice([" = ", "\n", " — ", "\t", " | ", ": ", " / "])
        return "\n".join(f"{first}{mark}{second}" for first, second in pairs)

    def word_list(self) -> str:
        """A glossary: words of the project's lists, or names out of CLDR."""
        if self.chance.random() < 0.6:
            pairs = [self.exercises.pair_of_words() for _ in range(self.chance.randint(2, 7))]
            adjectives = self.grammar.adjectives[self.chance.choice(sorted(self.grammar.adjectives))]
            pairs += [(p.english, p.persian) for p in self.chance.sample(adjectives, 3)]
        else:
            pairs = [pair[1:] for pair in self.chance.sample(self.word_pairs, self.chance.randint(2, 6))]
        if self.chance.random() < 0.4:
            pairs = [pair[::-1] for pair in pairs]
        mark = self.chance.choice([" = ", ": ", " — ", " (", "\t"])
        return self.chance.choice(["\n", ", "]).join(f"{a}{mark}{b}{')' if mark == ' (' else ''}" for a, b in pairs)

    def some_messages(self) -> str:
        """Messages one under the other."""
        return "\n".join(self.messages.message() for _ in range(self.chance.choice([1, 1, 2, 3])))

    def some_reviews(self) -> str:
        """Reviews of one verdict one under the other, so that what follows an opinion agrees with it."""
        good, persian = self.chance.random() < 0.5, self.chance.random() < 0.35
        write = self.opinions.persian_review if persian else self.opinions.review
        return "\n".join(write(good) for _ in range(self.chance.randint(1, 3)))

    def retold(self) -> str:
        """A passage by itself."""
        return self.passages.tell(self.chance.choice(["en", "fa"]))[0]

    def greeting(self) -> str:
        """How a chat begins and ends."""
        pairs = self.chance.sample(GREETINGS, self.chance.choice([1, 1, 2]))
        return EOS.join(f"{USER}{prompt}{ASSISTANT}{answer}" for prompt, answer in pairs)

    def documents(self, characters: int) -> Iterator[str]:
        """Documents until there are that many characters of them."""
        kinds, weights = zip(*self.kinds)
        while characters > 0:
            for kind in self.chance.choices(kinds, weights, k=1000):
                document = kind().replace(DOCUMENT_END, "")
                characters -= len(document)
                yield document
                if characters <= 0:
                    return


def synset_part(letter: str) -> str:
    """The name of a part of speech."""
    return {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}[letter]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", type=Path, help="folder of unpacked Debian packages (debian_text fetches them)")
    parser.add_argument("text", type=Path, help="file to write")
    parser.add_argument("--characters", type=int, default=80_000_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    partial = args.text.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="") as file:
        for document in Library(args.packages, args.seed).documents(args.characters):
            file.write(document + DOCUMENT_END)
    partial.rename(args.text)


if __name__ == "__main__":
    main()
