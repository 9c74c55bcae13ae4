"""Messages: translated where they are shown, a catalogue that matches the code, and no code execution through a
stranger's sentence."""

import re
import string
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from persian import LETTER

from lora_hub.core import languages, messages
from lora_hub.core.errors import DataError
from lora_hub.core.messages import NOTHING, Message, _, _n, joined, numbers, several
from lora_hub.locale import update

CATALOGUES = sorted(languages.LOCALE.glob("*/LC_MESSAGES/*.po"))
PACKAGE = Path(__file__).parents[2] / "lora_hub"
# Files that hold Persian which is not said to anybody: letters to compare and to spell, words of a prompt.
# Files of `data` that recognise people's own Persian: names of columns and labels, letters, words of a language.
RECOGNISING = (
    "archive_members chat_marks chat_turns check_label_names check_languages check_pairs check_templates check_texts "
    "check_third_language code_pages column_facts column_names column_tasks convert headers json_shapes label_forms "
    "label_kinds label_meanings row_language split_columns template text_forms"
).split()
# How other languages' lists look, a word of a prompt, and what older versions wrote.
CORE = {"core/languages.py", "core/messages.py", "core/task_nouns.py", "core/finding_nouns.py"}
PERSIAN_DATA = CORE | {
    "catalogue/tasks/frames.py",
    "evaluation/normalized.py",
    "hub/naming.py",
    "ui/render/text.py",  # a sentence's own small words tell which way it reads
    *(file.relative_to(PACKAGE).as_posix() for name in RECOGNISING for file in PACKAGE.glob(f"data/*/{name}.py")),
}


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A language with a few sentences, where right-to-left marks, digits and plurals of Persian hold."""
    file = tmp_path / "fa" / "LC_MESSAGES" / "lora_hub.po"
    file.parent.mkdir(parents=True)
    file.write_text(
        'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Plural-Forms: nplurals=2; plural=(n > '
        '1);\\n"\n\n'
        'msgid "{name!r} has {count:,} rows, {share:.1f} %: {columns}."\nmsgstr "«{name}» {count:,} سطر دارد، '
        '{share:.1f}٪: {columns} در {name}."\n\n'
        'msgid "{count} row"\nmsgid_plural "{count} rows"\nmsgstr[0] "{count} سطر"\nmsgstr[1] "همهٔ {count} سطر"\n\n'
        'msgid "It broke: {why}"\nmsgstr "خراب شد: {why}"\n\n'
        'msgid ", "\nmsgstr "، "\n\nmsgid "“{name}”"\nmsgstr "«{name}»"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("LORA_HUB_LOCALE", str(tmp_path))
    return "fa"


def test_a_sentence_is_told_with_its_values_in_the_language(made_up: str) -> None:
    said = _(
        "{name!r} has {count:,} rows, {share:.1f} %: {columns}.",
        name="a.csv",
        count=1200,
        share=2.25,
        columns=["متن", "label"],
    )
    assert str(said) == "'a.csv' has 1,200 rows, 2.2 %: متن, label."
    assert said.in_language("fa") == "«a.csv» ۱٬۲۰۰ سطر دارد، ۲٫۲٪: «متن»، «label» در \u2068a.csv\u2069."
    # What has no translation is English as a whole, its digits too.
    assert _("{count:,} more", count=1200).in_language("fa") == "1,200 more"


def test_a_signed_number_keeps_its_sign_on_its_left(made_up: str) -> None:
    told = _("{points:+.1f} points", points=-17.8209)
    assert str(told) == "-17.8 points" and languages.in_digits("+2.1", "fa") == "\u200e+۲٫۱\u200f"
    assert languages.in_digits("2.1", "fa") == "۲٫۱"
    assert languages.percent(languages.in_digits("-2.1", "fa"), "fa") == "\u200e-۲٫۱٪\u200f"


def test_numbers_of_rows_are_no_names(made_up: str) -> None:
    said = _("It broke: {why}", why=numbers([3, 17, 1200], most=2))
    assert (
        said.en == "It broke: 3, 17, ..."
        and said.fa == "خراب شد: ۳، ۱۷ و ..."
        and Message.model_validate_json(said.model_dump_json()) == said
    )


def test_a_difference_has_its_sign_and_no_more_digits_than_are_asked_for() -> None:
    told = _("{difference:+.1f} points ({low:+.1f} to {high:+,.0f})", difference=1.25, low=-6.673, high=1234.5)
    assert told.en == "+1.2 points (-6.7 to +1,234)"


def test_plurals_follow_the_languages_own_rule(made_up: str) -> None:
    assert [str(_n("{count} row", "{count} rows", count=count)) for count in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]
    assert [_n("{count} row", "{count} rows", count=count).fa for count in (0, 1, 2)] == ["۰ سطر", "۱ سطر", "همهٔ ۲ سطر"]
    assert _n("{count} row", "{count} rows", count=float("inf")).fa == "inf سطر"  # a file may say so


def test_messages_stand_inside_messages_and_one_after_another(made_up: str) -> None:
    said = joined(_("It broke: {why}", why=_n("{count} row", "{count} rows", count=1)), "", _("Mend it."))
    assert said.en == "It broke: 1 row Mend it." and said.fa == "خراب شد: ۱ سطر Mend it."
    assert Message.model_validate_json(said.model_dump_json()) == said
    assert joined("", NOTHING) is NOTHING and not NOTHING and str(NOTHING) == ""


def test_an_error_fills_both_its_sentences(made_up: str) -> None:
    error = DataError(_("It broke: {why}"), _("Look at {why!r}."), why="a.csv")
    assert (error.message, error.hint, str(error)) == (
        "It broke: a.csv",
        "Look at 'a.csv'.",
        "It broke: a.csv Look at 'a.csv'.",
    )
    assert error.in_language("fa") == ("خراب شد: \u2068a.csv\u2069", "Look at 'a.csv'.")
    assert DataError("As it {is}.", "").in_language("fa") == ("As it {is}.", "")
    # What a sentence does not name is not kept with it.
    error = DataError(_n("{rows} broke", "{rows} broke", rows="a"), _("Mend it."), count=2, rows="b", secret="c")
    assert error.said.values == {"count": 2, "rows": "a"} and error.advice.values == {}


def test_names_are_listed_as_the_language_does() -> None:
    said = {between: str(_("{names}", names=several("abc", between))) for between in (",", "and", "or")}
    assert said == {",": "a, b, c", "and": "a, b and c", "or": "a, b or c"}
    assert str(_("{names}", names=several(["x" * 99, "b", "c"], most=2, quoted=True))) == f"'{'x' * 60}...', 'b', ..."
    assert str(_("{names}", names=[])) == "" and str(_("{name!r}", name="it's")) == '"it\'s"'


def test_messages_and_numbers_stand_among_names(made_up: str) -> None:
    rows = [_n("{count} row", "{count} rows", count=count) for count in (1, 3)]
    assert str(_("{rows}.", rows=several(rows, ";"))) == "1 row; 3 rows."
    assert several(iter(range(10**9)), most=3).names == (0, 1, 2, 3), (
        "no more than are shown, and one to tell that there are more"
    )
    why = _("It broke: {why}", why=several([*rows, 4, "x"], "and"))
    assert why.en == "It broke: 1 row, 3 rows, 4 and x" and why.fa == "خراب شد: ۱ سطر، همهٔ ۳ سطر، ۴ و «x»"
    assert Message.model_validate_json(why.model_dump_json()) == why


def test_a_value_that_ends_its_sentence_brings_no_second_full_stop() -> None:
    for value, shown in (
        ("Knight.", "Learnt: Knight."),
        ("a...", "Learnt: a..."),
        ("../..", "Learnt: ../..."),
        (several("abc", most=1), "Learnt: a, ..."),
    ):
        assert str(_("Learnt: {names}.", names=value)) == shown
    said = _("It is wrong.")
    assert (
        str(_("{said}: row 3.", said=said)) == "It is wrong: row 3."
        and str(_("Row 3 ({said}).", said=said)) == "Row 3 (It is wrong)."
    )
    assert str(_("Row 3: {said}", said=said)) == "Row 3: It is wrong."


def test_a_file_of_the_hub_clients_cache_is_called_by_its_repository() -> None:
    kept = Path("/home/u/.cache/huggingface/hub/models--team--spam-v2/snapshots") / ("0123456789" * 4)
    assert _("in {folder}", folder=kept).en == "in team/spam-v2@0123456"
    assert _("in {folder}", folder=kept / "sub" / "a.json").en == "in team/spam-v2@0123456/sub/a.json"
    for path in (Path("/home/u/models--team--spam/here"), Path("runs/spam-1/adapter"), kept.parent / "main"):
        assert _("in {folder}", folder=path).en == f"in {path}"


def test_line_breaks_and_per_cents_are_told_as_the_language_does(made_up: str) -> None:
    assert str(_("{label!r}", label="a\nb")) == "'a\\nb'" and languages.in_digits("97%", "fa") == "۹۷٪"
    share = _("{share:.0%} of its limit", share=0.92)
    assert share.en == "92 % of its limit", "as everywhere on the page"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("{x.__class__.__mro__}", "{x.__class__.__mro__}"),
        ("{x[0]}", "{x[0]}"),
        ("{x:>99999999}", "5"),
        ("{x:.99999f}", "5"),
        ("{nothing}", "{nothing}"),
        ("{}", "{0}"),
        ("{x!r}{x!s}", "55"),
        ("{{x}}", "{x}"),
        ("{x:{y:{z}}}", "5"),
        ("{x:{x}}", "5"),
        ("{x:d}", "5"),
        ("{x:,.2f}", "5.00"),
        ("{x:+.1f}", "+5.0"),
    ],
)
def test_a_strangers_sentence_reads_no_attribute_and_asks_for_no_memory(sentence: str, shown: str) -> None:
    assert Message(sentence=sentence, values={"x": 5}).en == shown


def test_what_a_stranger_may_write_is_bounded() -> None:
    for broken in ("{", "}", "{x!"):
        with pytest.raises(ValueError):
            Message(sentence=broken)
        with pytest.raises(ValueError):
            Message(sentence="{count} row", many=broken, values={"count": 2})
    for values in (5, "x", ["x"]):
        with pytest.raises(ValueError):
            Message.model_validate({"sentence": "x", "values": values})
    with pytest.raises(ValueError):
        Message(sentence="x" * 20_001)
    with pytest.raises(ValueError):
        Message(sentence="x", many="x" * 20_001)
    assert Message(sentence="{x:d}", values={"x": 1.5}).en == "1.5"
    with pytest.raises(ValueError):
        Message(sentence="x", values={f"v{n}": n for n in range(41)})
    deep = Message(sentence="x")
    for _level in range(20):
        deep = Message(sentence="{inner}{inner}", values={"inner": deep})
    assert len(deep.en) <= 2**9
    assert languages.translated("../../etc", "x", "", 1) == ""


# --- the catalogue ---


def extracted(language: str = "en") -> dict[str, str]:
    """Each sentence that a catalogue of the language has to have -> its plural, "" where it has none."""
    found = [one.id for one in update.read_all(language) if one.id]
    return dict((one, "") if isinstance(one, str) else one for one in found)


def places(text: str) -> set[str]:
    return {name for _literal, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}


def test_no_other_language_stands_in_the_code() -> None:
    left = []
    for file in sorted(PACKAGE.rglob("*.py")):
        inside = file.relative_to(PACKAGE)
        if "making" in inside.parts or inside.as_posix() in PERSIAN_DATA:
            continue
        text = file.read_text(encoding="utf-8")
        left += [
            (str(inside), found[0])
            for pattern in (LETTER.pattern, r"\b\w*_(?:fa|FA)\b", r"\bfa=")
            if (found := re.search(pattern, text))
        ]
    assert left == [], "a sentence stands in English; its translations belong into lora_hub/locale"


def test_there_is_a_catalogue_and_it_is_found() -> None:
    assert [file.parts[-3] for file in CATALOGUES] == ["fa"] and len(extracted()) > 200


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.parts[-3])
def test_the_catalogue_has_what_the_code_says_and_nothing_else(file: Path) -> None:
    with file.open("rb") as opened:
        catalogue = read_po(opened, locale=file.parts[-3])
    told = {one.id if isinstance(one.id, str) else one.id[0]: one for one in catalogue if one.id}
    said = extracted(file.parts[-3])
    assert sorted(said.keys() - told.keys()) == [], "run `make messages` and translate what is new"
    assert sorted(told.keys() - said.keys()) == [], "run `make messages`"
    assert not catalogue.obsolete
    for sentence, one in told.items():
        strings = one.string if isinstance(one.string, tuple) else (one.string,)
        assert all(strings) and not one.fuzzy, f"not translated: {sentence}"
        assert isinstance(one.string, tuple) == bool(said[sentence]), sentence
        for text in strings:
            assert places(text) <= places(sentence) | places(said[sentence]), f"{sentence}: {text}"
            assert text.strip() == text or not sentence.strip(" ,;.·"), sentence
        for text in (sentence, *strings):
            for _literal, _name, spec, _conversion in string.Formatter().parse(text):
                assert messages._SPEC.fullmatch(spec or ""), f"a value is told without {spec!r} here: {text}"


# Words that the project's Persian does not use: another one says the same everywhere else. Each stands for its forms.
LEFT_OUT_FA = (
    "پرونده|زبانه(?!\\w)|هابِ? همراه|پایهٔ همراه|وارسی|بیازما|برگزین|برگزید|(?<!\\w)از "
    "نو(?!\\w)|(?<!\\w)آغاز|رونوشت|کارپوشه|بایگانی|نویسه|توکن‌ساز|گذرواژه|بیفزا|(?<!\\w)تهی(?!\\w)|"
    "(?<!\\w)سرخ(?!\\w)|(?<!\\w)دراز|ناکام|نقطهٔ ثبت|نقطهٔ "
    "وارسی|هم‌رسانی|سنجه|میکروبسته|ریزدسته|شکیبایی|(?<!\\w)بذر|کوانتیزه کردن|پروانه|(?<!\\w)تلاش(?! \\{)|آموختن|از آنِ"
    "|ردیف|این‌جا|آن‌جا|آداپتر|(?<!\\w)نخست"
)


def test_the_persian_catalogue_says_one_thing_in_one_word() -> None:
    file = languages.LOCALE / "fa" / "LC_MESSAGES" / "lora_hub.po"
    with file.open("rb") as opened:
        catalogue = read_po(opened, locale="fa")
    told = [
        (one.id, text)
        for one in catalogue
        if one.id
        for text in (one.string if isinstance(one.string, tuple) else (one.string,))
    ]
    assert len(told) > 1000
    assert [(sentence, text) for sentence, text in told if re.search(LEFT_OUT_FA, text)] == []
    # A sentence speaks to nobody as «تو», and no button commands.
    assert [text for _sentence, text in told if re.search(r"(?<!\w)(?:بردار|بپرس|بگیر|بساز|بده)(?!\w)", text)] == []
