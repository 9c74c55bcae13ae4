"""Translation pairs in other languages than the column names say, and texts of a third language among them. In
undecidable cases nothing is reported."""

from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Mend
from lora_hub.data.checks.row_language import language_of_texts
from lora_hub.data.inspector import inspect_file

TRANSLATION = get_task("translation")
ENGLISH = [
    "The man is at house number {} with the dog",
    "She said that there are {} lamps on the table",
    "You have to be here for {} days",
]
PERSIAN = [
    "این مرد با سگ در خانهٔ شماره {} است",
    "او گفت که {} چراغ روی میز هست",
    "شما باید {} روز را اینجا با او بمانید",
]
ARABIC = [
    "هذا الرجل مع الكلب في البيت رقم {}",
    "قالت المرأة إن على الطاولة {} مصابيح من الزجاج",
    "عليك أن تكون هنا في المدينة {} أيام",
]
GERMAN = [
    "Der Mann ist mit dem Hund im Haus Nummer {}",
    "Sie sagt nicht, dass auf dem Tisch {} Lampen sind",
    "Du bist für {} Tage mit der Frau und dem Kind hier",
]
FRENCH = [
    "Cet homme est avec le chien dans la maison numéro {}",
    "Elle dit que les {} lampes sont sur la table",
    "Il faut que vous restiez ici pour {} jours avec nous",
]
SPANISH = [
    "El hombre está con el perro en la casa número {}",
    "Ella dice que las {} lámparas están en la mesa y lo es todo",
    "Los días son {} para el hombre y la mujer",
]
URDU = ["یہ آدمی گھر نمبر {} میں ہے اور کتا بھی ہے", "اس نے کہا کہ میز پر {} لیمپ ہیں", "آپ کو یہاں {} دن رہنا ہے"]


def texts(kind: list[str], count: int = 60) -> list[str]:
    return [kind[n % 3].format(n) for n in range(count)]


def told(folder: Path, columns: dict[str, list[str]], **more: object) -> dict:
    file = folder / "pairs.csv"
    polars.DataFrame(columns).write_csv(file)
    first, second = columns
    return {
        one.code: one for one in inspect_file(file, TRANSLATION, {"source": first, "answer": second}, **more).problems
    }


@pytest.mark.parametrize(
    ("names", "source", "answer", "said"),
    [
        (("en", "fa"), ENGLISH, ARABIC, ["'fa' is named after Persian, and its texts are in Arabic"]),
        (("en", "ar"), ENGLISH, PERSIAN, ["'ar' is named after Arabic, and its texts are in Persian"]),
        (("en", "fr"), ENGLISH, GERMAN, ["'fr' is named after French, and its texts are in German"]),
        (("English", "Persian"), ENGLISH, URDU, ["'Persian' is named after Persian, and its texts are in Urdu"]),
        (
            ("en", "fa"),
            PERSIAN,
            ENGLISH,
            [
                "'en' is named after English, and its texts are in Persian",
                "'fa' is named after Persian, and its texts are in English",
            ],
        ),
        (("en", "es"), ENGLISH, FRENCH, ["'es' is named after Spanish"]),
        (("fa", "en"), ARABIC, ENGLISH, ["'fa' is named after Persian, and its texts are in Arabic"]),
    ],
    ids=str,
)
def test_a_column_that_is_named_after_another_language(
    tmp_path: Path, names: tuple, source: list, answer: list, said: list
) -> None:
    problem = told(tmp_path, dict(zip(names, (texts(source), texts(answer)), strict=True)))["misnamed-language"]
    assert (
        problem.severity == "warning"
        and all(part in problem.message for part in said)
        and problem.message.count("named after") == len(said)
    )


@pytest.mark.parametrize(
    ("names", "source", "answer"),
    [
        (("en", "fa"), ENGLISH, PERSIAN),
        (("en", "ar"), ENGLISH, ARABIC),
        (("en", "de"), ENGLISH, GERMAN),
        (("fr", "es"), FRENCH, SPANISH),
        (("en", "ur"), ENGLISH, URDU),
        (("source", "target"), ENGLISH, ARABIC),
        (("en", "fa"), ENGLISH, ["سلام {}", "کتاب {}", "شب {}"]),
        (("en", "fr"), ENGLISH, ["{} OK", "Berlin {}", "{} km"]),
        (("fa", "ar"), PERSIAN, ARABIC),
        (("en", "da"), ENGLISH, GERMAN),
    ],
    ids=str,
)
def test_sound_pairs_and_those_that_nobody_can_tell_say_nothing(
    tmp_path: Path, names: tuple, source: list, answer: list
) -> None:
    assert not {"misnamed-language", "third-language"} & set(
        told(tmp_path, dict(zip(names, (texts(source), texts(answer)), strict=True)))
    )


@pytest.mark.parametrize(
    ("source", "answer", "third", "name"),
    [
        (ENGLISH, PERSIAN, ARABIC, "Arabic where the others are in Persian"),
        (ENGLISH, ARABIC, PERSIAN, "Persian where the others are in Arabic"),
        (ENGLISH, PERSIAN, URDU, "Urdu where the others are in Persian"),
        (ENGLISH, FRENCH, GERMAN, "German where the others are in French"),
        (ENGLISH, GERMAN, FRENCH, "French where the others are in German"),
        (PERSIAN, ENGLISH, GERMAN, "German where the others are in English"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_texts_in_a_third_language_are_named_by_row(
    tmp_path: Path, source: list, answer: list, third: list, name: str
) -> None:
    columns = {"source": texts(source), "target": texts(answer)}
    for place in (7, 20, 33):
        columns["target"][place] = third[place % 3].format(place)
    problem = told(tmp_path, columns)["third-language"]
    assert problem.rows == (8, 21, 34) and f"3 translations in {name}" in problem.message
    assert problem.mends == (Mend(kind="drop", values={"code": "third-language"}),)
    assert "third-language" not in told(tmp_path, columns, mends=problem.mends)


def test_a_persian_text_with_arabic_words_in_it_is_persian(tmp_path: Path) -> None:
    persian = texts(PERSIAN)
    persian[5] = "آیهٔ «إنا أعطيناك الكوثر» را او از حفظ خواند"
    persian[6] = "دایرةالمعارف بزرگ اسلامی و دارالفنون"
    assert "third-language" not in told(tmp_path, {"en": texts(ENGLISH), "fa": persian})


def test_languages_of_the_samples() -> None:
    named = {
        "English": ENGLISH,
        "Persian": PERSIAN,
        "Arabic": ARABIC,
        "German": GERMAN,
        "French": FRENCH,
        "Spanish": SPANISH,
        "Urdu": URDU,
    }
    assert {name: language_of_texts(polars.Series(texts(kind))) for name, kind in named.items()} == {
        name: name for name in named
    }
