"""Owns the exercises: questions with short answers in many wordings, as chats and as plain text, in both languages.

An exercise is a pair (prompt, answer). None asks for what the project's samples of spam and of translation into Persian
ask for: the untouched base is to fail there, so that an adapter can be seen to learn.
"""

import random
from collections.abc import Callable

from lora_hub.built_in.making.debian_text import Synset
from lora_hub.built_in.making.messages import Messages
from lora_hub.built_in.making.opinions import Opinions
from lora_hub.built_in.making.passages import MONTHS, Passages
from lora_hub.built_in.making.sentences import DAYS, Grammar

Exercise = tuple[str, str]

VERDICTS = [("positive", "negative")] * 24 + [
    ("good", "bad"),
    ("happy", "unhappy"),
    ("like", "dislike"),
    ("praise", "blame"),
    ("pos", "neg"),
    ("Positive", "Negative"),
    ("1", "0"),
    ("yes", "no"),
    ("satisfied", "unsatisfied"),
    ("👍", "👎"),
    ("recommended", "not recommended"),
]
PERSIAN_VERDICTS = [("مثبت", "منفی")] * 12 + [
    ("خوب", "بد"),
    ("راضی", "ناراضی"),
    ("خوشحال", "ناراحت"),
    ("positive", "negative"),
]
VERDICT_PROMPTS = [
    "{text}\nIs this {a} or {b}?",
    "Is this review {a} or {b}?\n{text}",
    "Classify the sentiment as {a} or {b}: {text}",
    "Decide whether the text is {a} or {b}.\n\nText: {text}",
    "Review: {text}\nSentiment ({a}/{b}):",
    "What is the sentiment of this sentence? Answer with {a} or {b}.\n{text}",
    "{text}\n\n{a} or {b}?",
    "Label the following opinion. Labels: {a}, {b}.\n{text}",
    "What does the writer feel, {a} or {b}? {text}",
    'How does this sound: {a} or {b}?\n"{text}"',
    "Choose one label for the text below.\nOptions: {a}, {b}\nText: {text}\nLabel:",
    "Sentiment: {text}",
    "Read the comment and say {a} or {b}. Comment: {text}",
    "Tell me if the customer is {a} or {b}: {text}",
    "Opinion mining.\n{text}\nAnswer ({a}, {b}):",
]
PERSIAN_VERDICT_PROMPTS = [
    "{text}\nاین نظر {a} است یا {b}؟",
    "احساس این متن {a} است یا {b}؟\n{text}",
    "متن زیر را {a} یا {b} بدان: {text}",
    "نظر: {text}\nاحساس ({a}/{b}):",
    "نظر نویسنده چیست؟ {a} یا {b}\n{text}",
    "برچسب درست را انتخاب کن: {a}، {b}\nمتن: {text}",
    "{text}\n\n{a} یا {b}؟",
    "نظر مشتری را بخوان و بگو {a} است یا {b}.\n{text}",
    "Is this Persian review {a} or {b}?\n{text}",
]
READING_PROMPTS = [
    "{passage}\n\n{question}",
    "{passage}\n{question}",
    "{question}\n\n{passage}",
    "Passage: {passage}\nQuestion: {question}",
    "Read the text and answer the question.\n\n{passage}\n\n{question}",
    "Context: {passage}\n\nQuestion: {question}\nAnswer:",
    "Answer from the passage with as few words as possible.\nPassage: {passage}\nQuestion: {question}",
    "Question: {question}\nText: {passage}",
    "Find the answer in the text.\nText: {passage}\nQ: {question}",
    "{question} Use only this text: {passage}",
    "Answer the question using words from the passage.\n{passage}\n{question}",
]
PERSIAN_READING_PROMPTS = [
    "{passage}\n\n{question}",
    "{passage}\n{question}",
    "{question}\n\n{passage}",
    "متن: {passage}\nسؤال: {question}",
    "متن را بخوان و به سؤال جواب بده.\n{passage}\n{question}",
    "با توجه به متن پاسخ کوتاه بده.\nمتن: {passage}\nپرسش: {question}\nپاسخ:",
]


class Exercises:
    """Sets random exercises; all chance comes from the generator that it is given."""

    def __init__(
        self,
        chance: random.Random,
        synsets: dict[str, Synset],
        grammar: Grammar,
        passages: Passages,
        messages: Messages,
        opinions: Opinions,
    ):
        self.chance, self.grammar, self.passages, self.messages, self.opinions = (
            chance,
            grammar,
            passages,
            messages,
            opinions,
        )
        common = [s for s in synsets.values() if s.uses >= 2 and s.words[0].isascii()]
        self.common_words = sorted({s.words[0] for s in common if " " not in s.words[0] and s.words[0].islower()})
        self.alike = [s for s in synsets.values() if len(s.words) > 1 and s.uses >= 1]
        self.opposites = sorted({pair for s in synsets.values() if s.uses or s.key[0] == "a" for pair in s.antonyms})
        self.defined = [s for s in common if len(s.gloss) < 90]
        self.by_topic: dict[str, list[str]] = {}
        for s in common:
            if s.topic and s.key[0] == "n" and s.uses >= 3:
                self.by_topic.setdefault(s.topic, []).append(s.words[0])
        self.by_topic = {topic: words for topic, words in self.by_topic.items() if len(words) > 12}
        self.persian_words = sorted({p.persian for pairs in grammar.nouns.values() for p in pairs})

    def words(self, count: int, persian: bool) -> list[str]:
        """Different words of a language, some English ones invented."""
        if persian:
            return self.chance.sample(self.persian_words, count)
        words = [
            self.passages.invented().lower() if self.chance.random() < 0.25 else self.chance.choice(self.common_words)
            for _ in range(count)
        ]
        return words if len(set(words)) == count else self.words(count, persian)

    def reading(self) -> Exercise:
        """A question about a passage, answered with its words."""
        persian = self.chance.random() < 0.3
        asked = self.passages.ask("fa" if persian else "en")
        prompt = self.chance.choice(PERSIAN_READING_PROMPTS if persian else READING_PROMPTS)
        return prompt.format(passage=asked.passage, question=asked.question), asked.answer

    def reading_true(self) -> Exercise:
        """Whether an answer to a question about a passage is right."""
        passage, questions = self.passages.tell("en", 3)
        question, answer = self.chance.choice(questions or [("Who?", "nobody")])
        right = self.chance.random() < 0.5 or len(questions) < 2
        said = answer if right else self.chance.choice(questions)[1]
        return f"{passage}\n{question} Is it {said}? yes or no", "yes" if said == answer else "no"

    def verdict(self) -> Exercise:
        """Whether an English opinion praises or blames."""
        good = self.chance.random() < 0.5
        yes, no = self.chance.choice(VERDICTS)
        a, b = (yes, no) if self.chance.random() < 0.5 else (no, yes)
        prompt = self.chance.choice(VERDICT_PROMPTS)
        if "{a}" not in prompt or (yes, no) == ("yes", "no"):
            yes, no, prompt = (
                ("positive", "negative", prompt)
                if "{a}" not in prompt
                else (
                    "yes",
                    "no",
                    self.chance.choice(
                        [
                            "Is this positive? {text}",
                            "Did they like it?\n{text}",
                            "{text}\nIs that a good review? yes or no",
                        ]
                    ),
                )
            )
        return prompt.format(text=self.opinions.review(good), a=a, b=b), yes if good else no

    def persian_verdict(self) -> Exercise:
        """Whether a Persian opinion praises or blames."""
        good = self.chance.random() < 0.5
        yes, no = self.chance.choice(PERSIAN_VERDICTS)
        a, b = (yes, no) if self.chance.random() < 0.5 else (no, yes)
        prompt = self.chance.choice(PERSIAN_VERDICT_PROMPTS)
        return prompt.format(text=self.opinions.persian_review(good), a=a, b=b), yes if good else no

    def verdict_list(self) -> Exercise:
        """Opinions each followed by its verdict, as in a labelled table; the last one is to be judged."""
        persian = self.chance.random() < 0.35
        labels = self.chance.choice(PERSIAN_VERDICTS if persian else VERDICTS)
        write = self.opinions.persian_review if persian else self.opinions.review
        mark = self.chance.choice([" - ", " = ", ": ", "\t", " -> "])
        verdicts = [self.chance.random() < 0.5 for _ in range(self.chance.randint(3, 7))]
        lines = [f"{write(good)}{mark}{labels[0] if good else labels[1]}" for good in verdicts]
        last, _, answer = lines[-1].rpartition(mark)
        return "\n".join([*lines[:-1], last + mark.rstrip()]), answer

    def word_verdict(self) -> Exercise:
        """Whether words praise or blame; which of two is the better thing to be called."""
        pick = self.chance.choice
        word, good = pick(self.opinions.all_words)
        if self.chance.random() < 0.25:
            praise, blame = self.opinions.word(True, "adjective"), self.opinions.word(False, "adjective")
            ask_good = self.chance.random() < 0.5
            pair = [praise, blame] if self.chance.random() < 0.5 else [blame, praise]
            return (
                f"Which word is {'positive' if ask_good else 'negative'}: {pair[0]} or {pair[1]}?",
                praise if ask_good else blame,
            )
        if self.chance.random() < 0.4:
            words = [w for w, g in self.chance.sample(self.opinions.all_words, 12) if g == good][:4]
            word = ", ".join([word, *words])
        yes, no = self.chance.choice(VERDICTS[:28])
        return pick(
            [
                f'Is "{word}" {yes} or {no}?',
                f"{word}: {no} or {yes}?",
                f"Does {word} sound {yes} or {no}?",
                f"Label the word as {yes} or {no}: {word}",
            ]
        ), yes if good else no

    def stars(self) -> Exercise:
        """How many stars go with a review."""
        count = self.chance.choice([1, 2, 4, 5])
        clauses = " ".join(self.opinions.review(count > 2) for _ in range(2 if count in (1, 5) else 1))
        return self.chance.choice(
            [f"{clauses}\nHow many stars?", f"Rate this review from 1 to 5: {clauses}"]
        ), f"{'4 or 5' if count > 2 else '1 or 2'}"

    def position(self) -> Exercise:
        """What stands where in a list: after, before, first, last, n-th."""
        persian = self.chance.random() < 0.25
        words = self.words(self.chance.choice([2, 3, 3, 4, 5, 8]), persian)
        at = self.chance.randrange(len(words) - 1)
        joined = self.chance.choice([", ", " ", "\n", " - ", "، " if persian else "; "]).join(words)
        if persian:
            question, answer = self.chance.choice(
                [
                    (f"بعد از {words[at]} چیست؟", words[at + 1]),
                    (f"قبل از {words[at + 1]} چیست؟", words[at]),
                    ("کلمه اول چیست؟", words[0]),
                    ("آخرین کلمه چیست؟", words[-1]),
                ]
            )
        else:
            ordinal = ["first", "second", "third", "fourth", "fifth"]
            nth = self.chance.randrange(min(5, len(words)))
            question, answer = self.chance.choice(
                [
                    (f"What comes after {words[at]}?", words[at + 1]),
                    (f"Which word comes before {words[at + 1]}?", words[at]),
                    (f"What is the {ordinal[nth]} word?", words[nth]),
                    ("Which is the last word?", words[-1]),
                    (f'Name the word right after "{words[at]}".', words[at + 1]),
                ]
            )
        return (f"{joined}\n{question}" if self.chance.random() < 0.7 else f"{question}\n{joined}"), answer

    def lookup(self) -> Exercise:
        """The value that belongs to a key."""
        persian = self.chance.random() < 0.25
        keys = self.words(self.chance.choice([1, 2, 2, 3, 4, 7]), persian)
        kind = self.chance.choice(["number", "word", "phone", "colour", "town", "price"])
        values = [
            self.words(1, persian)[0] if kind == "word" else self.passages.draw(kind, "fa" if persian else "en")
            for _ in keys
        ]
        mark = self.chance.choice([": ", " = ", " is ", " -> ", " has "])
        if persian:
            mark = self.chance.choice([": ", " = "])
        table = self.chance.choice(["\n", ", ", "; ", ". "]).join(f"{k}{mark}{v}" for k, v in zip(keys, values))
        at = self.chance.randrange(len(keys))
        question = (
            f"{keys[at]}؟"
            if persian
            else self.chance.choice(
                [
                    f"What is {keys[at]}?",
                    f"{keys[at]}?",
                    f"Look up {keys[at]}.",
                    f"Which value belongs to {keys[at]}?",
                    f"And {keys[at]}?",
                ]
            )
        )
        return f"{table}\n{question}", values[at]

    def repeat(self) -> Exercise:
        """Saying something again, whole or in part."""
        persian = self.chance.random() < 0.3
        english, translated = self.grammar.sentence()
        text = (
            translated
            if persian
            else self.chance.choice([english, self.messages.message(), " ".join(self.words(5, False))])
        )
        if persian:
            return self.chance.choice(
                [f"تکرار کن: {text}", f"این جمله را دوباره بنویس:\n{text}", f"«{text}» را بگو."]
            ), text
        words = text.split()
        return self.chance.choice(
            [
                (f"Repeat: {text}", text),
                (f"Say this again:\n{text}", text),
                (f"Copy the sentence.\n{text}", text),
                (f"Write in small letters: {text}", text.lower()),
                (f"Write in capitals: {text}", text.upper()),
                (f"The first word of: {text}", words[0]),
                (f"The last word of: {text}", words[-1]),
                (f"Leave out the first word: {text}", " ".join(words[1:]) or words[0]),
            ]
        )

    def meaning(self) -> Exercise:
        """Definitions, synonyms and opposites out of WordNet."""
        pick, draw = self.chance.choice, self.chance.random()
        if draw < 0.3:
            one, other = pick(self.opposites)
            return pick(
                [
                    f"What is the opposite of {one}?",
                    f"Opposite of {one}:",
                    f"Name an antonym of {one}.",
                    f"not {one} but",
                ]
            ), other
        if draw < 0.55:
            one, other = self.chance.sample(pick(self.alike).words, 2)
            return pick(
                [
                    f"Another word for {one}?",
                    f"Give a synonym of {one}.",
                    f"{one} means the same as",
                    f"Say {one} in another way.",
                ]
            ), other
        synset = pick(self.defined)
        word = pick(synset.words)
        if draw < 0.75:
            return pick([f"What does {word} mean?", f"Define {word}.", f"Meaning of {word}?"]), synset.gloss
        options = [word, *self.chance.sample(self.common_words, 3)]
        self.chance.shuffle(options)
        return pick(
            [
                f'Which word means "{synset.gloss}"? {", ".join(options)}',
                f"{synset.gloss}\nOptions: {', '.join(options)}\nAnswer:",
            ]
        ), word

    def topic(self) -> Exercise:
        """What kind of thing a word names, with the kinds to choose from; which word does not belong."""
        pick = self.chance.choice
        topic, *others = self.chance.sample(sorted(self.by_topic), self.chance.randint(2, 5))
        if self.chance.random() < 0.35:
            words = [*self.chance.sample(self.by_topic[topic], 3), odd := pick(self.by_topic[others[0]])]
            self.chance.shuffle(words)
            return pick([f"Which does not belong: {', '.join(words)}?", f"Odd one out: {', '.join(words)}"]), odd
        words = ", ".join(self.chance.sample(self.by_topic[topic], self.chance.choice([1, 1, 3])))
        labels = self.chance.sample([topic, *others], len(others) + 1)
        return pick(
            [
                f"{words}: {', '.join(labels)}?",
                f'Choose the category of "{words}" from: {", ".join(labels)}',
                f"What is {words}? Options: {' / '.join(labels)}",
                f"Classify: {words}\nLabels: {', '.join(labels)}\nLabel:",
            ]
        ), topic

    def subject(self) -> Exercise:
        """What a short text is about, with topics to choose from."""
        language = self.chance.choice(["en", "en", "fa"])
        text, topic, others = self.passages.about(language)
        labels = [topic, *others[: self.chance.randint(1, 4)]]
        self.chance.shuffle(labels)
        if language == "fa":
            return self.chance.choice(
                [f"موضوع این متن چیست؟ {'، '.join(labels)}\n{text}", f"متن: {text}\nموضوع ({'، '.join(labels)}):"]
            ), topic
        return self.chance.choice(
            [
                f"{text}\nWhat is this about: {', '.join(labels)}?",
                f"Topics: {', '.join(labels)}\nText: {text}\nTopic:",
                f"Choose the topic of the text from {', '.join(labels)}.\n{text}",
            ]
        ), topic

    def sorting(self) -> Exercise:
        """Rules shown by examples: kinds of words or sentences with made-up labels, and one more to be sorted."""
        pick = self.chance.choice
        topics = self.chance.sample(sorted(self.by_topic), 2)
        if self.chance.random() < 0.5:
            draw: list[Callable[[], str]] = [lambda t=t: pick(self.by_topic[t]) for t in topics]
        else:
            draw = [lambda g=g: self.opinions.word(g, "adjective") for g in (True, False)]
        labels = self.words(2, False) if self.chance.random() < 0.7 else self.chance.sample("ABXYPQ12", 2)
        order = [0, 1] + [self.chance.randrange(2) for _ in range(self.chance.randint(1, 5))]
        self.chance.shuffle(order)
        mark = pick([": ", " -> ", " = ", " | "])
        *shown, last = [(draw[i](), labels[i]) for i in order]
        return "\n".join(f"{text}{mark}{label}" for text, label in shown) + f"\n{last[0]}{mark.rstrip()}", last[1]

    def find(self) -> Exercise:
        """Numbers, names and times out of a message."""
        name, day, month = self.passages.invented(), self.chance.choice(DAYS)[0], self.chance.choice(MONTHS)
        slots = {
            "phone": ("What is the number?", "Find the phone number."),
            "time": ("At what time?", "What time is mentioned?"),
            "price": ("How much?", "Which price is named?"),
            "place": ("Where?", "Which place?"),
        }
        slot = self.chance.choice(sorted(slots))
        value = self.passages.draw(slot, "en")
        message = self.messages.message("chat")
        added = {
            "phone": f"{name}'s number is {value}",
            "time": f"{name} comes on {day} at {value}",
            "price": f"{name} paid {value} in {month}",
            "place": f"{name} is waiting in the {value}",
        }[slot]
        pair = [message, added]
        self.chance.shuffle(pair)
        ask, answer = (
            ("Who is mentioned with it?", name)
            if self.chance.random() < 0.2
            else (self.chance.choice(slots[slot]), value)
        )
        return f"{'. '.join(pair)}\n{ask}", answer

    def mend(self) -> Exercise:
        """A sentence with a mistake, and the sentence put right."""
        right = self.grammar.sentence()[0]
        wrong = right
        for good, bad in self.chance.sample(
            [
                (" is ", " are "),
                (" are ", " is "),
                (" has ", " have "),
                (" does ", " do "),
                (" the ", " "),
                (" a ", " "),
                ("s ", " "),
                (" an ", " a "),
                (" to ", " "),
                ("did not ", "not "),
                ("ing ", " "),
                (" were ", " was "),
                (" in ", " at "),
            ],
            13,
        ):
            if good in right:
                wrong = right.replace(good, bad, 1)
                break
        if self.chance.random() < 0.2:
            wrong = wrong.lower().rstrip(".")
        return self.chance.choice(
            [
                f"Correct the mistakes: {wrong}",
                f"Fix the grammar.\n{wrong}",
                f"Write this correctly: {wrong}",
                f"Rewrite without mistakes:\n{wrong}",
            ]
        ), right

    def count(self) -> Exercise:
        """Small sums and counting."""
        a, b = self.chance.randint(0, 20), self.chance.randint(0, 20)
        words = self.words(self.chance.randint(2, 7), False)
        return self.chance.choice(
            [
                (f"{a} + {b}", str(a + b)),
                (f"What is {a + b} minus {b}?", str(a)),
                (f"What is {a} plus {b}?", str(a + b)),
                (f"How many words: {' '.join(words)}", str(len(words))),
                (f"Which is larger, {a} or {b}?", str(max(a, b))),
            ]
        )

    def query(self) -> Exercise:
        """Questions to a table, answered in SQL."""
        columns = self.words(self.chance.randint(2, 4), False)
        table = self.chance.choice([self.words(1, False)[0], "table"])
        a, b = self.chance.sample(columns, 2)
        value = self.chance.choice([self.passages.invented(), str(self.chance.randint(1, 2000))])
        what, sql = self.chance.choice(
            [
                (f"What is the {a} when {b} is {value}?", f"SELECT {a} FROM {table} WHERE {b} = '{value}'"),
                (f"How many {a} have {b} {value}?", f"SELECT COUNT({a}) FROM {table} WHERE {b} = '{value}'"),
                (f"What is the highest {a}?", f"SELECT MAX({a}) FROM {table}"),
                (f"List all {a} with {b} above {value}.", f"SELECT {a} FROM {table} WHERE {b} > {value}"),
            ]
        )
        return f"{what}\n{table}: {', '.join(columns)}", sql

    def same_meaning(self) -> Exercise:
        """Which of some sentences or words says the same in the other language (it is chosen, never made)."""
        right = self.grammar.sentence() if self.chance.random() < 0.6 else self.pair_of_words()
        others = [self.grammar.sentence() if right[0][-1] in ".?!" else self.pair_of_words() for _ in range(2)]
        side = self.chance.randrange(2)
        options = [right[1 - side], *(o[1 - side] for o in others)]
        self.chance.shuffle(options)
        question = (
            "Which one means the same?"
            if side == 0
            else self.chance.choice(["Which one means the same?", "کدام یکی همین معنی را دارد؟"])
        )
        return f"{right[side]}\n{question}\n" + "\n".join(options), right[1 - side]

    def pair_of_words(self) -> tuple[str, str]:
        """A noun in both languages."""
        pair = self.chance.choice(self.grammar.nouns[self.chance.choice(sorted(self.grammar.nouns))])
        return pair.english, pair.persian

    def into_english(self) -> Exercise:
        """A Persian sentence in English; the other direction is left to the adapters."""
        english, persian = self.grammar.sentence() if self.chance.random() < 0.8 else self.pair_of_words()
        return self.chance.choice(
            [
                f"{persian}\nIn English:",
                f"What does this mean? {persian}",
                f"این به انگلیسی چه می‌شود؟ {persian}",
                f"English for: {persian}",
            ]
        ), english
