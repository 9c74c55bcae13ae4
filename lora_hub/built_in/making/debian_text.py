"""Owns the reading of the Debian packages that the built-in base is made from: WordNet, two dictionaries, CLDR.

Run:  python -m lora_hub.built_in.making.debian_text FOLDER   (fetches the packages with apt-get and unpacks them there)

Licences, as the packages' own copyright files state them: WordNet 3.0 (permissive, notice in README.md), Unicode-DFS
for CLDR, public domain for The Devil's Dictionary and the Jargon File. Nothing under a copyleft licence is read.
"""

import gzip
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ["wordnet-base", "dict-devil", "dict-jargon", "unicode-cldr-core"]


def fetch_packages(folder: Path) -> None:
    """Downloads the packages with the machine's own apt and unpacks them below `folder`, without installing them."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        if not (folder / package).exists():
            subprocess.run(["apt-get", "download", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            (archive,) = folder.glob(f"{package}_*.deb")
            subprocess.run(["dpkg-deb", "-x", archive, folder / package], check=True)


@dataclass
class Synset:
    """One meaning in WordNet: its words, its gloss, its example sentences and its neighbours."""

    key: str
    part: str
    words: list[str]
    topic: str
    gloss: str
    examples: list[str]
    links: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    antonyms: list[tuple[str, str]] = field(
        default_factory=list
    )  # (word, its opposite's synset), resolved by the reader
    uses: int = 0


# Numbers of WordNet's lexicographer files, as far as they make topics that people speak about.
TOPICS = {
    5: "animal",
    6: "thing",
    8: "body",
    10: "language",
    12: "feeling",
    13: "food",
    15: "place",
    18: "person",
    19: "nature",
    20: "plant",
    27: "substance",
    28: "time",
    17: "nature",
    26: "state",
    7: "quality",
    4: "action",
    9: "thought",
    14: "group",
    21: "money",
    23: "quantity",
}


ROUGH = re.compile(r"offensive|disparag|slur\b|obscen|vulgar|sexual|genital|prostitut|derogatory|insulting term")


def read_wordnet(packages: Path) -> dict[str, Synset]:
    """All synsets by key; `uses` is how often WordNet's tagged texts use the synset's first word in this meaning."""
    folder = packages / "wordnet-base/usr/share/wordnet"
    synsets: dict[str, Synset] = {}
    antonym_pairs = []
    for name in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{name}").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("  "):
                continue  # the licence stands at the top of every file
            head, _, gloss = line.partition(" | ")
            fields = head.split()
            part, count = fields[2], int(fields[3], 16)
            words = [re.sub(r"\(\w+\)$", "", w).replace("_", " ") for w in fields[4 : 4 + 2 * count : 2]]
            key = ("a" if part == "s" else part) + fields[0]
            if ROUGH.search(gloss):
                continue  # words that only hurt have no place in exercises
            examples = re.findall(r'"([^"]+)"', gloss)
            gloss = re.split(r';\s*"', gloss)[0].strip().strip('"; ')
            synset = Synset(key, part, words, TOPICS.get(int(fields[1]), ""), gloss, examples)
            at = 4 + 2 * count
            for i in range(int(fields[at])):
                symbol, offset, kind, ends = fields[at + 1 + 4 * i : at + 5 + 4 * i]
                if symbol == "!":
                    antonym_pairs.append((key, int(ends[:2], 16) - 1, kind + offset, int(ends[2:], 16) - 1))
                else:
                    synset.links[symbol].append(("a" if kind == "s" else kind) + offset)
            synsets[key] = synset
    for synset in synsets.values():
        for symbol, others in synset.links.items():
            synset.links[symbol] = [other for other in others if other in synsets]
    for key, word, other, other_word in antonym_pairs:
        if other in synsets and word >= 0:
            synsets[key].antonyms.append((synsets[key].words[word], synsets[other].words[other_word]))
            synsets[key].links["!"].append(other)
    count_uses(folder, synsets)
    return synsets


def count_uses(folder: Path, synsets: dict[str, Synset]) -> None:
    """Adds up the tagged uses of each sense: common words are then told from rare ones."""
    senses = {}
    for name, letter in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r")):
        for line in (folder / f"index.{name}").read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.startswith("  "):
                fields = line.split()
                tagged = int(fields[5 + int(fields[3])])
                for rank, offset in enumerate(fields[-int(fields[2]) :]):
                    senses[letter, fields[0], rank + 1] = letter + offset
                    if rank < tagged and letter + offset in synsets:
                        synsets[letter + offset].uses += 1
    for line in (folder / "cntlist.rev").read_text(encoding="utf-8", errors="replace").splitlines():
        sense, number, uses = line.split()
        lemma, _, rest = sense.partition("%")
        letter = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}[rest[0]]
        key = senses.get((letter, lemma, int(number)))
        if key in synsets:
            synsets[key].uses += int(uses)


def read_dictionary(packages: Path, name: str) -> list[str]:
    """The entries of a dictd dictionary as flowing text, its header left out."""
    entries = []
    folder = packages / f"dict-{name}/usr/share/dictd"
    text = gzip.open(folder / f"{name}.dict.dz").read()
    for line in (folder / f"{name}.index").read_text(encoding="utf-8", errors="replace").splitlines():
        word, start, length = line.split("\t")
        if not word.startswith("00"):
            entry = text[number_of(start) : number_of(start) + number_of(length)].decode("utf-8", "replace")
            entries.append(re.sub(r"[ \t]*\n[ \t]*", " ", re.sub(r"[{}]", "", entry)).strip())
    return list(dict.fromkeys(entries))


def number_of(digits: str) -> int:
    """A number in dictd's base 64."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    value = 0
    for digit in digits:
        value = value * 64 + alphabet.index(digit)
    return value


def read_word_pairs(packages: Path) -> list[tuple[str, str, str]]:
    """(kind, English, Persian) from CLDR: names of emoji, countries, languages, months, days and units."""
    common = packages / "unicode-cldr-core/usr/share/unicode/cldr/common"
    pairs = []
    names = {}
    for language in ("en", "fa"):
        for folder in ("annotations", "annotationsDerived"):
            root = ElementTree.parse(common / folder / f"{language}.xml").getroot()
            for node in root.iter("annotation"):
                if node.get("type") == "tts" and node.text:
                    names[language, node.get("cp")] = node.text
    for (language, symbol), text in names.items():
        if language == "en" and ("fa", symbol) in names:
            pairs.append(("picture", text, names["fa", symbol]))
    english, persian = (ElementTree.parse(common / "main" / f"{language}.xml").getroot() for language in ("en", "fa"))
    for kind in ("territory", "language", "script", "currency"):
        pairs += pair_nodes(kind, english, persian)
    pairs += [("month", *pair) for pair in pair_calendar(english, persian, "month")]
    pairs += [("day", *pair) for pair in pair_calendar(english, persian, "day")]
    return list(dict.fromkeys(pairs))


def pair_nodes(kind: str, english, persian) -> list[tuple[str, str, str]]:
    """Names of one kind of thing, where both languages have one."""
    tables = []
    for root in (english, persian):
        nodes = root.iter(kind)
        if kind == "currency":
            tables.append({n.get("type"): n.findtext("displayName") for n in nodes if n.findtext("displayName")})
        else:
            tables.append({n.get("type"): n.text for n in nodes if n.text and not n.get("alt")})
    return [(kind, text, tables[1][code]) for code, text in tables[0].items() if code in tables[1]]


def pair_calendar(english, persian, unit: str) -> list[tuple[str, str]]:
    """Wide names of the Gregorian months or of the days of the week."""
    tables = []
    for root in (english, persian):
        path = f".//calendar[@type='gregorian']/{unit}s/{unit}Context[@type='format']/{unit}Width[@type='wide']/{unit}"
        tables.append({node.get("type"): node.text for node in root.findall(path)})
    return [(text, tables[1][code]) for code, text in tables[0].items() if code in tables[1]]


if __name__ == "__main__":
    fetch_packages(Path(sys.argv[1]))
