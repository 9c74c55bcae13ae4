"""How the files of an archive belong together: a train and a test file, one text in two languages, a folder for each
class, or several tables of which one is read.

`choose_members(members, name, chosen)` decides by names alone and returns a `Plan`; `read` does the reading.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lora_hub.core.errors import DataError
from lora_hub.core.messages import NOTHING, _, joined, several
from lora_hub.core.schema import Problem
from lora_hub.data.columns.split_columns import part_of
from lora_hub.data.read.archives import Member

TRAIN = re.compile(r"(?:^|[^a-z])(train|training|learn)(?:[^a-z]|$)|آموزش|یادگیری")
TEST = re.compile(r"(?:^|[^a-z])(test|testing|eval|evaluation|heldout|held_out|holdout)(?:[^a-z]|$)|آزمون|آزمایش|تست")
VALIDATION = re.compile(r"(?:^|[^a-z])(valid|validation|val|dev)(?:[^a-z]|$)|اعتبارسنجی|ارزیابی|اعتبار ?سنجی")
NOT_DATA = re.compile(
    r"(^|/)(__macosx/|\.|readme|license|licence|copying|changelog|changes|authors|citation|thumbs\.db|desktop\.ini|dataset_infos?\.json"
    r"|schema\.json|metadata\.json|state\.json|config\.json)"
    r"|\.(md|rst|png|jpe?g|gif|webp|svg|pdf|docx?|py|ipynb|sh|xml|ya?ml|toml|ini|cfg|log|md5|sha256|ids|wav|mp3|flac|mp4)$"
)
TABLES = re.compile(
    r"\.(csv|tsv|tab|psv|jsonl?|ndjson|parquet|pq|arrow|feather|xlsx?|xlsm|xlsb|ods|html?)(\.(gz|bz2|xz|zst))?$"
)
LANGUAGE = re.compile(r"^[a-z]{2,3}([_-][a-z]{2,4})?$")
NOT_LANGUAGES = set(
    "csv tsv tab txt xls ods htm pdf md doc zip tar gz bz2 xz pq arrow json log dat data raw bin idx npy pkl pt".split()
)
# Folders of unlabelled texts (IMDB's train/unsup).
UNLABELLED = {"unsup", "unsupervised", "unlabeled", "unlabelled", "no_label"}


@dataclass
class Plan:
    """What to read. `main`, `test`: one member each; or for texts in two languages, one for each language in
    `languages`; or for a folder for each class, all its files. `choices`: names to choose from; `left`: data that is
    not read."""

    main: list[Member]
    test: list[Member] = field(default_factory=list)
    kind: str = (
        "file"  # file, parts (of one table), parallel (a file for each language) or classes (a folder for each class)
    )
    choices: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    several: bool = False
    labels: dict[str, str] = field(default_factory=dict)  # for a folder for each class: a member's name -> its class

    def named(self, members: list[Member]) -> str:
        """The names of these members in `choices`."""
        if self.kind == "parallel":
            return next(stem for stem in self.choices if members[0].name.startswith(stem + "."))
        return members[0].name

    def problems(self) -> list[Problem]:
        """Reports what was read from the archive, what could have been read, and what was left out."""
        main, test = several(_names(self.main, self.kind), most=5), several(_names(self.test, self.kind), most=5)
        if self.test:
            read = _("Read {main} to train on and {test} to test on.", main=main, test=test)
        else:
            read = _("Read {main}.", main=main)
        labels = several(sorted(set(self.labels.values())), most=5)
        left = [*self.left, *self.empty]
        said = joined(
            read,
            _("Each file is a text and its folder its label: {labels}.", labels=labels)
            if self.kind == "classes"
            else NOTHING,
            _("Left out: {names}.", names=several(left, most=5)) if left else NOTHING,
        )
        hint = _("Choose another file of the archive if this is not the one.") if self.several else NOTHING
        code = "other-files" if self.several else "archive"
        count = len(left) if self.several else len(self.main) + len(self.test) + len(left)
        return [Problem(code=code, severity="info", said=said, advice=hint, count=count)]


def _names(members: list[Member], kind: str) -> list[str]:
    if kind == "classes":
        return sorted({str(PurePosixPath(member.name).parent) for member in members})
    return [member.name for member in members]


def split_of(name: str) -> str:
    """train, test, validation or empty, by the name of a file, folder or sheet; in a path, the last part that says it
    decides."""
    for part in reversed(PurePosixPath(name.lower()).parts):
        for split, pattern in (("train", TRAIN), ("test", TEST), ("validation", VALIDATION)):
            if pattern.search(part):
                return split
    return ""


def pick_split(names: Iterable[str]) -> tuple[str, str]:
    """The name to train on and the name to test on, if exactly one of each stands out; otherwise empty texts."""
    found = defaultdict(list)
    for name in names:
        found[split_of(name)].append(name)
    test = found["test"] or found["validation"]
    if len(test) != 1:
        return "", ""
    if len(found["train"]) == 1:
        return found["train"][0], test[0]
    if not found["train"] and len(found[""]) == 1 and len(found["test"]) + len(found["validation"]) == 1:
        return found[""][0], test[0]
    return "", ""


def test_member(names: Iterable[str]) -> str:
    """The only name that says test; empty if there is none, or more than one."""
    found = [name for name in names if split_of(name) == "test"]
    return found[0] if len(found) == 1 else ""


def language_of(name: str) -> str:
    """The language that a file's last suffix names, as in Moses' files (train.fa); else empty."""
    base = re.sub(r"\.(gz|bz2|xz|zst)$", "", PurePosixPath(name.lower()).name)
    suffix = base.rpartition(".")[2] if "." in base else ""
    return suffix if LANGUAGE.match(suffix) and suffix not in NOT_LANGUAGES else ""


def choose_members(members: list[Member], name: str, *, chosen: str = "") -> Plan:
    """Raises DataError if there is no data file, if `chosen` is none of them, or if they are encrypted."""
    if not members:
        raise DataError(
            _("The archive {name} holds no data file."),
            _("Put one file, or a train and a test file, in it."),
            name=name,
        )
    filled = [member for member in members if member.size]
    data = [member for member in filled if not NOT_DATA.search(_shown(member.name).lower())]
    tables = [member for member in data if TABLES.search(member.name.lower())]
    if not data:
        kinds = several(
            sorted({PurePosixPath(member.name).suffix or member.base for member in filled or members}), most=5
        )
        raise DataError(
            _("The archive {name} holds no data file (only {kinds})."),
            _("Put one file, or a train and a test file, in it."),
            name=name,
            kinds=kinds,
        )
    if any(member.locked for member in data):
        raise DataError(
            _("The archive {name} is protected with a password."),
            _("Make it again without one."),
            name=name,
        )
    empty = [member.name for member in members if not member.size and TABLES.search(member.name.lower())]
    plan = (
        _parallel(data, chosen, name)
        or (_classes(data) if not tables else None)
        or _files(tables or data, name, chosen)
    )
    read = {member.name for member in [*plan.main, *plan.test]}
    plan.left = [member.name for member in data if member.name not in read]
    plan.empty = empty
    return plan


def _shown(name: str) -> str:
    """Without the ".." steps of a malicious archive, for display; nothing is written to disk under a member's name."""
    return "/".join(part for part in name.replace("\\", "/").split("/") if part not in ("..", ".", ""))


def _files(data: list[Member], name: str, chosen: str) -> Plan:
    by_name = {member.name: member for member in data}
    names = list(by_name)
    if len(names) == 1:
        return Plan(data, choices=names)
    if chosen and chosen not in by_name:
        fitting = [one for one in names if PurePosixPath(one).name == chosen]
        if len(fitting) != 1:
            raise DataError(
                _("The archive {name} holds no file named {chosen!r}."),
                _("It holds: {names}."),
                name=name,
                chosen=chosen,
                names=several(names),
            )
        chosen = fitting[0]
    train, test = pick_split(names)
    if chosen and chosen != train:
        return Plan([by_name[chosen]], choices=names)
    if train:
        return Plan([by_name[train]], [by_name[test]], choices=names)
    parts = _parts_of([one for one in names if split_of(one) == "train"] or names)
    if parts and not chosen:
        tests = [one for one in names if split_of(one) == "test"]
        tests = tests if len(tests) == 1 else _parts_of(tests)
        return Plan([by_name[one] for one in parts], [by_name[one] for one in tests], kind="parts", choices=[])
    train_files = [one for one in names if split_of(one) == "train"]
    return Plan([by_name[(train_files or names)[0]]], choices=names, several=True)


def _parts_of(names: list[str]) -> list[str]:
    """The names in order if they differ only in their numbers (train-00000-of-00002.parquet): parts of one table."""
    same = len({re.sub(r"\d+", "#", name) for name in names}) == 1 and len(names) == len(set(names))
    return (
        sorted(names)
        if same and (len(names) > 1 and all(re.search(r"\d", name) for name in names) or "of" in "".join(names))
        else []
    )


def _parallel(data: list[Member], chosen: str, name: str) -> Plan | None:
    """Files that differ only in their last suffix, which is a language."""
    groups: dict[str, dict[str, Member]] = defaultdict(dict)
    for member in data:
        if language := language_of(member.name):
            stem = re.sub(r"\.(gz|bz2|xz|zst)$", "", member.name, flags=re.IGNORECASE)
            groups[stem[: -len(language) - 1]][language] = member
    groups = {stem: group for stem, group in groups.items() if len(group) == 2}
    if not groups:
        return None
    if chosen and chosen not in groups:
        if any(member.name == chosen for member in data):
            return None
        raise DataError(
            _("The archive {name} holds nothing named {chosen!r}."),
            _("It holds: {groups}."),
            name=name,
            chosen=chosen,
            groups=several(groups),
        )
    train, test = pick_split(groups)
    first = chosen or train or next(iter(groups))
    plan = Plan([groups[first][language] for language in sorted(groups[first])], kind="parallel", choices=list(groups))
    if test and first == train and set(groups[test]) == set(groups[train]):
        plan.test = [groups[test][language] for language in sorted(groups[test])]
    plan.several = len(groups) > 1 and not plan.test and not chosen
    return plan


def _classes(data: list[Member]) -> Plan | None:
    """A folder for each class with one text in each file (pos/1.txt, neg/2.txt), possibly inside or around train/ and
    test/. Files outside such folders are left out."""
    files = [(member, PurePosixPath(_shown(member.name)).parts[:-1]) for member in data if _is_text(member)]
    files = [(member, folders) for member, folders in files if folders]
    placed = [(member, *_placed(folders)) for member, folders in files]
    deepest = max((len(names) for _, _, names in placed), default=0)
    is_split = any(split and len(names) == deepest > 0 for _, split, names in placed)
    if not is_split:  # a class may be named train
        placed = [(member, "", folders) for member, folders in files]
        deepest = max((len(names) for _, _, names in placed), default=0)
    placed = [(member, split, names) for member, split, names in placed if len(names) == deepest > 0]
    at = _level([names for _, _, names in placed])
    groups: dict[tuple[str, str], list[Member]] = defaultdict(list)
    for member, split, names in placed:
        if names[at].lower() not in UNLABELLED:
            groups[(split, names[at])].append(member)
    labels = {label for split, label in groups if split in ("", "train")}
    if len(labels) < 2 or not is_split and sum(map(len, groups.values())) < 3 * len(groups):
        return None
    train = [member for (split, _), group in groups.items() if split in ("", "train") for member in group]
    test = [member for (split, _), group in groups.items() if split == "test" for member in group]
    test = test or [member for (split, _), group in groups.items() if split == "validation" for member in group]
    named = {member.name: label for (_, label), group in groups.items() for member in group}
    return Plan(train, test, kind="classes", labels=named)


def _is_text(member: Member) -> bool:
    return PurePosixPath(member.name.lower()).suffix in ("", ".txt", ".text") or bool(
        re.fullmatch(r"[\d._-]+", member.base)
    )


def _placed(folders: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The split that a folder names (train, test, validation or ""), and the other folders."""
    splits = [part_of(folder) for folder in folders]
    return next(filter(None, reversed(splits)), ""), tuple(
        folder for folder, split in zip(folders, splits, strict=True) if not split
    )


def _level(paths: list[tuple[str, ...]]) -> int:
    """Which of the folders, counted from the end, are the classes: the last one, unless those names repeat under each
    of the folders above (pos/a, pos/b, neg/a, neg/b)."""
    if not paths or len(paths[0]) < 2:
        return -1
    under: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        under[path[-2]].add(path[-1])
    above = list(under.values())
    return -2 if len(above) > 1 and all(names == above[0] for names in above) else -1
