"""The page's wording: Persian digits by one rule, isolated names, no option of the shell, no field name of a file."""

import re

import pytest

from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.languages import languages
from lora_hub.core.messages import NOTHING, Message, _, joined, read_message
from lora_hub.locale import update
from lora_hub.ui.render import page_words, render, render_plan, text
from lora_hub.ui.render.page_words import in_page_words

PACKAGE = update.PACKAGE
FSI, PDI = "\u2068", "\u2069"


# --- digits ---


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("12 سطر از 1,234", "۱۲ سطر از ۱٬۲۳۴"),
        ("95 % و 0.5 و -0.25", "۹۵٪ و ۰٫۵ و \u200e-۰٫۲۵\u200f"),
        ("100%", "۱۰۰٪"),
        ("رتبهٔ 8؛ نرخ 0.0002.", "رتبهٔ ۸؛ نرخ ۰٫۰۰۰۲."),
        ("سطرهای 4، 9، 12، ...", "سطرهای ۴، ۹، ۱۲، ..."),
        ("(4) و 5/6 و 12:30", "(۴) و ۵/۶ و ۱۲:۳۰"),
        ("F1 93.3 و chrF 54.2", "F1 ۹۳٫۳ و chrF ۵۴٫۲"),
        # ranges are told in words
        ("80-95 سطر", "۸۰ تا ۹۵ سطر"),
        ("10 – 20 درصد", "۱۰ تا ۲۰ درصد"),
        ("32.7 – 59.6", "۳۲٫۷ تا ۵۹٫۶"),
        # versions, addresses, codes, paths, names and values to type stay
        ("نسخهٔ transformers 4.57.1 و 3.11.2", "نسخهٔ transformers 4.57.1 و 3.11.2"),
        ("Python 3.11 و v2", "Python 3.11 و v2"),
        ("به http://127.0.0.1:7860 نرسید", "به http://127.0.0.1:7860 نرسید"),
        ("127.0.0.1:7860 و localhost:8000", "127.0.0.1:7860 و localhost:8000"),
        ("پاسخ HTTP 404 بود، 3 بار", "پاسخ HTTP 404 بود، ۳ بار"),
        ("/tmp/a1/b2.csv سطر 3", "/tmp/a1/b2.csv سطر ۳"),
        ("UTF-8 و spam-20261128-211649-6acb", "UTF-8 و spam-20261128-211649-6acb"),
        ("2026-11-28 بود", "2026-11-28 بود"),
        ("lora.r=16 را", "lora.r=16 را"),
        ("--limit 30 را", "--limit 30 را"),
        ("«16» سطر 3", "«16» سطر ۳"),
        ("16 یا 2e-4", "16 یا 2e-4"),
        ("1.5GiB", "1.5GiB"),
    ],
)
def test_persian_digits_by_one_rule(written, shown):
    assert text.own_digits(written, "fa") == shown
    assert text.own_digits(shown, "fa") == shown, "said twice it is the same"


def test_errors_settings_and_notes_have_persian_digits():
    older = {
        "message": "3 rows.",
        "hint": "Add 5.",
        "message_fa": "فقط 3 سطر در «a1.csv» هست.",
        "hint_fa": "5 سطر دیگر بدهید (HTTP 404).",
    }
    error = DataError(read_message(older, "message"), read_message(older, "hint"))
    shown = render.error_card(error, "fa")
    assert "فقط ۳ سطر" in shown and "a1.csv" in shown and "۵ سطر" in shown and "404" in shown
    assert "3 rows" in render.error_card(error, "en")
    explained = [
        ("lr", 0.0043, NOTHING),
        ("share_rows", False, NOTHING),
        ("batch", 16, NOTHING),
        ("lora.targets", ("q_proj", "v_proj"), NOTHING),
    ]
    table = render_plan.settings_table(explained, {}, "fa")
    assert all(f"<bdi>{value}</bdi>" in table for value in ("۰٫۰۰۴۳", "خیر", "۱۶", "q_proj, v_proj"))
    assert "<bdi>0.0043</bdi>" in render_plan.settings_table(
        explained, {}, "en"
    ) and "<bdi>no</bdi>" in render_plan.settings_table(explained, {}, "en")


# --- names ---


def test_latin_names_keep_to_themselves_in_a_persian_sentence():
    published, rows = _("Published as {name}"), _("{count} rows")
    assert text.t(published, "fa", name="lora-hub/spam") == f"با نام {FSI}lora-hub/spam{PDI} منتشر شد"
    assert text.t(published, "en", name="lora-hub/spam") == "Published as lora-hub/spam"
    assert FSI not in text.t(rows, "fa", count="۱۲")
    assert (
        render.sentence("پروندهٔ README.md در --map a=b نیست.")
        == "پروندهٔ <bdi>README.md</bdi> در <bdi>--map a=b</bdi> نیست."
    )
    assert (
        render.sentence("LoRA Hub آماده است: http://a.b/c.")
        == "<bdi>LoRA Hub</bdi> آماده است: <bdi>http://a.b/c</bdi>."
    )
    assert render.sentence("«a<b>» خراب است.") == "«<bdi>a&lt;b&gt;</bdi>» خراب است."
    assert render.sentence("A sentence of README.md.") == "A sentence of README.md."
    # The sentence's own direction is that of its letters, not of the name that it begins with.
    assert 'dir="rtl"' in render.card("bad", render.sentence("nf4 جا نمی‌شود.")) and 'dir="ltr"' in render.card(
        "bad", "It broke."
    )


def test_a_number_keeps_its_sign_on_its_left() -> None:
    assert render.sentence("بهتر است: +۱۱٫۰ واحد، ۳-۴ و «-۱»") == (
        'بهتر است: <bdi dir="ltr">+۱۱٫۰</bdi> واحد، ۳-۴ و «<bdi>-۱</bdi>»'
    )
    assert "bdi" not in render.sentence("better: +11.0 points, -3")


def test_isolating_characters_stay_in_pairs_and_no_others():
    assert render.escape(f"{FSI}a{PDI}b{FSI}c") == f"{FSI}a{PDI}b\ufffdc"
    assert render.escape("\u202ea\u2066b") == "\ufffda\ufffdb"
    assert "\u202e" not in render.escape(f"{FSI}a\u202eb{PDI}")


# --- page words ---


def sentences_of_errors() -> list[tuple[str, Message]]:
    """(file, message) of what the package's errors and findings say; its places are empty."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        inside = file.relative_to(PACKAGE).as_posix()
        # The shell and the servers say what they say to others; only the shell deploys, trains again and sends exports.
        if inside.startswith(("cli/", "local_hub/", "serve/", "built_in/", "hub/space/", "__main__")) or inside in (
            "evaluation/minimum.py",
            "hub/exported.py",
            "runs/again.py",
            "runs/pipeline_file.py",
            "core/settings.py",
            "api/program_words.py",
            "ui/render/page_words.py",
        ):
            continue
        with file.open("rb") as opened:
            for _line, _name, said, _comments in update.from_python(opened, (), (), {}):
                one, many = (said, "") if isinstance(said, str) else said
                found.append((inside, Message(sentence=one, many=many)))
    return found


@pytest.mark.parametrize("language", languages())
def test_no_error_of_the_page_names_a_command_an_option_or_a_yaml_file(language):
    sentences = sentences_of_errors()
    assert {"exporting", "hub", "use_cases"} <= {file.partition("/")[0] for file, _ in sentences}
    left = [
        (file, shown)
        for file, said in sentences
        if re.search(
            r"(?<![\w-])--[a-z]|python -m lora_hub|once: {command}|index: {command}|YAML file|فایل YAML",
            shown := in_page_words(said).in_language(language),
        )
        and not re.search("llama-gguf-split --merge|vLLM.*--max-lora-rank", shown)  # those of other programs
        and not re.search("cannot be read|not valid YAML|درستی نیست", shown)
    ]
    assert left == [], "give it page words in ui/render/page_words.py"


def test_page_words_stand_beside_sentences_that_the_code_says():
    said = {message.sentence for _, message in sentences_of_errors()}
    assert page_words.SHELL_SENTENCES - said == set(), "nobody says this any more"


@pytest.mark.parametrize(
    ("said", "english", "persian"),
    [
        (
            joined(_("'answer' has no column."), _("Choose with --map {role}=COLUMN or in the page.", role="answer")),
            "'answer' has no column. Choose the column in step 2.",
            "ستون را در مرحلهٔ ۲ انتخاب کنید.",
        ),
        (_("Choose another name (--name)."), "Choose another name.", "نام دیگری انتخاب کنید."),
        (
            _("The task's {key!r} is missing.", key="instruction"),
            "The task's “Instruction” is missing.",
            "«دستور» در این وظیفه نیست.",
        ),
        (_("The task's {key!r} is missing.", key="x"), "The task's 'x' is missing.", "«x» در این وظیفه نیست."),
        (
            _("Write for instance --map text=v2,answer=v1."),
            "Choose the columns in step 2.",
            "ستون‌ها را در مرحلهٔ ۲ انتخاب کنید.",
        ),
        (
            _("{key} = {value!r} is not a number.", key="lr", value="abc"),
            "“Learning rate”: 'abc' is not a number.",
            "مقدار «abc» برای «نرخ یادگیری» عدد نیست.",
        ),
        (
            _("{key} = {value} will not do: {why}.", key="lora.r", value="0", why=_("it must be a number")),
            "“Rank (r)”: 0 will not do: it must be a number.",
            "برای «رتبه (r)» پذیرفته نیست: باید عدد باشد.",
        ),
        (
            _("Raise max_length, choose a base with a longer context, or shorten the texts."),
            "Raise “Longest row”, choose a base with a longer context, or shorten the texts.",
            "یا متن‌ها را کوتاه کنید.",
        ),
    ],
)
def test_page_words_for_what_the_shell_says(said, english, persian):
    shown = in_page_words(said)
    assert shown.en == english and shown.fa.endswith(persian)


def test_an_error_card_speaks_page_words():
    error = SpecError("There is no task 'x'.", _("The tasks are {tasks}; or give a YAML file."), tasks=["spam"])
    shown = render.error_card(error, "en")
    assert "YAML" not in shown and "The tasks are spam." in shown


# --- names that read the other way ---


def test_each_persian_name_in_an_english_list_keeps_to_itself():
    said = text.t(_("Say which column is {roles} (step 2).", roles=["متن", "label", "برچسب"]), "en")
    assert said == f"Say which column is {FSI}متن{PDI}, label, {FSI}برچسب{PDI} (step 2)."
    assert text.t(_("{name} is here."), "en", name="متن.csv") == f"{FSI}متن.csv{PDI} is here."
    # What programs and logs read has none of these characters.
    assert FSI not in _("{name} is here.", name="متن.csv").en
