"""Detecting columns: by English and Persian names, by contents, by script; and detecting the task of a table."""

from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.tasks.catalogue import get_task, task_from_dict
from lora_hub.core.errors import DataError
from lora_hub.data.columns.columns import check_mapping, parse_map, propose_mapping, propose_task
from lora_hub.data.inspection import inspect_table
from lora_hub.data.read.read import Table, read_table

SHARED = Path(__file__).parents[3] / "shared" / "data"
FAIRY = "Once upon a time there was a house number {} at the end of a long and winding road"
DAST = "روزی بود و روزگاری نبود، خانهٔ شماره {} در پایان راهی دراز"


def table(**columns: object) -> Table:
    """Forty rows: a text with {} is numbered, a list is repeated, anything else stands in every row."""
    made = {}
    for name, value in columns.items():
        if isinstance(value, list):
            made[name] = [value[row % len(value)] for row in range(40)]
        else:
            made[name] = [value.replace("{}", str(row)) if isinstance(value, str) else value for row in range(40)]
    return Table(polars.DataFrame(made, strict=False), "csv")


@pytest.mark.parametrize(
    ("task", "columns", "expected"),
    [
        ("spam", {"v1": ["ham", "spam"], "v2": FAIRY}, {"text": "v2", "answer": "v1"}),
        ("sentiment", {"متن": DAST, "برچسب": ["مثبت", "منفی"]}, {"text": "متن", "answer": "برچسب"}),
        ("sentiment", {"نظر": DAST, "احساس": ["خوب", "بد"], "شناسه": "{}"}, {"text": "نظر", "answer": "احساس"}),
        ("sentiment", {"Review Text": FAIRY, "Rating": ["1", "5"]}, {"text": "Review Text", "answer": "Rating"}),
        (
            "topic",
            {"label": ["a", "b"], "title": "A headline {}", "description": FAIRY},
            {"text": "description", "answer": "label"},
        ),
        ("topic", {"column_1": ["1", "2"], "column_2": FAIRY}, {"text": "column_2", "answer": "column_1"}),
        (
            "intent",
            {"utterance": FAIRY, "intent": ["pay", "call"], "split": "train"},
            {"text": "utterance", "answer": "intent"},
        ),
        ("translation", {"en": FAIRY, "fa": DAST}, {"source": "en", "answer": "fa"}),
        ("translation", {"fa": DAST, "en": FAIRY}, {"source": "en", "answer": "fa"}),
        (
            "translation",
            {"column_1": FAIRY, "column_2": DAST, "column_3": "CC-BY {} attribution of both"},
            {"source": "column_1", "answer": "column_2"},
        ),
        (
            "translation",
            {"English": FAIRY, "German": "Es war einmal ein Haus Nummer {}"},
            {"source": "English", "answer": "German"},
        ),
        ("translation", {"source": DAST, "target": FAIRY}, {"source": "source", "answer": "target"}),
        (
            "question-answering",
            {"id": "{}", "title": "T{}", "context": FAIRY, "question": "Where is {}?", "answer": "at number {}"},
            {"question": "question", "context": "context", "answer": "answer"},
        ),
        (
            "question-answering",
            {"پرسش": "شماره {} کجاست؟", "متن": DAST, "پاسخ": "پایان راه {}"},
            {"question": "پرسش", "context": "متن", "answer": "پاسخ"},
        ),
        (
            "instruction",
            {"instruction": "Write {} words", "input": ["", "some context for it"], "output": FAIRY},
            {"instruction": "instruction", "input": "input", "answer": "output"},
        ),
        (
            "instruction",
            {"prompt": "Write {} words", "completion": FAIRY},
            {"instruction": "prompt", "answer": "completion"},
        ),
        (
            "summarization",
            {"fname": "d_{}", "dialogue": FAIRY * 4, "summary": FAIRY, "topic": ["house", "road"]},
            {"text": "dialogue", "answer": "summary"},
        ),
        (
            "text-to-sql",
            {"question": "How many {}?", "sql": "SELECT {}", "table_id": "t-{}"},
            {"question": "question", "answer": "sql"},
        ),
        (
            "text-to-sql",
            {"schema": "CREATE TABLE t{} (a)", "question": "How many {}?", "query": "SELECT {}"},
            {"question": "question", "schema": "schema", "answer": "query"},
        ),
        (
            "grammar",
            {"incorrect": "he go {} times", "corrected": "he goes {} times"},
            {"text": "incorrect", "answer": "corrected"},
        ),
    ],
)
def test_roles_are_proposed_with_reasons(task: str, columns: dict, expected: dict) -> None:
    proposal = propose_mapping(table(**columns), get_task(task))
    assert proposal.mapping == expected
    assert proposal.missing == []
    assert set(proposal.reasons) == set(expected) and all(
        reason.en and reason.fa for reason in proposal.reasons.values()
    )


def test_chats_are_found_by_what_they_hold() -> None:
    chat = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    found = Table(polars.DataFrame({"id": ["1", "2"], "log": [chat, chat]}), "jsonl")
    assert propose_mapping(found, get_task("chat")).mapping == {"messages": "log"}
    assert propose_task(found)[0] == "chat"
    as_text = Table(polars.DataFrame({"id": ["1"], "log": ['[{"role": "user", "content": "a"}]']}), "csv")
    assert propose_mapping(as_text, get_task("chat")).mapping == {"messages": "log"}
    assert propose_mapping(table(text=FAIRY), get_task("chat")).missing == ["messages"]


def test_what_no_column_fits_is_missing() -> None:
    assert propose_mapping(table(question="Where is {}?", answer=FAIRY), get_task("question-answering")).missing == [
        "context"
    ]
    assert "answer" in propose_mapping(table(id="{}", text=FAIRY, url="x/{}"), get_task("spam")).missing


@pytest.mark.parametrize(
    ("columns", "task"),
    [
        ({"v1": ["ham", "spam"], "v2": FAIRY}, "spam"),
        ({"متن": DAST, "برچسب": ["مثبت", "منفی"]}, "sentiment"),
        ({"sentence": FAIRY, "label": ["0", "1"]}, "sentiment"),
        ({"title": FAIRY, "category": ["World", "Sports", "Business"]}, "topic"),
        ({"en": FAIRY, "fa": DAST}, "translation"),
        ({"column_1": FAIRY, "column_2": DAST}, "translation"),
        ({"question": "Where {}?", "context": FAIRY, "answer": "there {}"}, "question-answering"),
        ({"instruction": "Do {}", "input": "", "output": FAIRY}, "instruction"),
        ({"question": "What is {} + 1?", "answer": "It is more than {}"}, "instruction"),
        ({"article": FAIRY * 3, "summary": FAIRY}, "summarization"),
        ({"question": "How many {}?", "sql": "SELECT {}"}, "text-to-sql"),
        ({"original": "he go {}", "corrected": "he goes {}"}, "grammar"),
    ],
)
def test_a_task_is_proposed(columns: dict, task: str) -> None:
    found, reason = propose_task(table(**columns))
    assert found == task and reason.en and reason.fa != reason.en


LONG, KURZ = FAIRY * 6, "Es war einmal ein Haus Nummer {} am Ende einer langen Straße"
ASK, PORSESH, SHORT, SQL = (
    "Where is house number {}?",
    "خانهٔ شماره {} کجاست؟",
    "house {} again",
    "SELECT a FROM t{} WHERE b = 1",
)
UNTIDY = [
    ("sentiment", {"text": "col1", "answer": "col2"}, {"col1": FAIRY, "col2": ["positive", "negative"]}),
    ("topic", {"text": "B", "answer": "A"}, {"A": ["sports", "world", "tech"], "B": FAIRY}),
    ("topic", {"text": "", "answer": "column_2"}, {"": FAIRY, "column_2": ["x", "y", "z"]}),
    (
        "topic",
        {"text": "Unnamed: 1", "answer": "Unnamed: 2"},
        {"Unnamed: 0": "{}", "Unnamed: 1": FAIRY, "Unnamed: 2": ["red", "blue"]},
    ),
    ("instruction", {"instruction": "A", "answer": "B"}, {"A": ASK, "B": FAIRY}),
    ("instruction", {"instruction": "B", "answer": "A"}, {"A": FAIRY, "B": ASK}),
    ("instruction", {"instruction": "one", "answer": "two"}, {"one": SHORT, "two": FAIRY}),
    ("instruction", {"instruction": "q", "answer": "a"}, {"q": ASK, "a": FAIRY}),
    ("instruction", {"instruction": "پرسش", "answer": "پاسخ"}, {"پرسش": PORSESH, "پاسخ": DAST}),
    ("instruction", {"instruction": "دستور", "answer": "خروجی"}, {"دستور": DAST, "ورودی": "", "خروجی": DAST}),
    ("instruction", {"instruction": "Frage", "answer": "Antwort"}, {"Frage": ASK, "Antwort": KURZ}),
    ("instruction", {"instruction": "pregunta", "answer": "respuesta"}, {"respuesta": FAIRY, "pregunta": ASK}),
    ("instruction", {"instruction": "query", "answer": "response"}, {"query": ASK, "response": FAIRY}),
    ("instruction", {"instruction": "human", "answer": "assistant"}, {"human": ASK, "assistant": FAIRY}),
    ("instruction", {"instruction": "user", "answer": "bot"}, {"user": ASK, "bot": FAIRY}),
    ("instruction", {"instruction": "problem", "answer": "solution"}, {"problem": SHORT, "solution": LONG}),
    (
        "instruction",
        {"instruction": "input_text", "answer": "target_text"},
        {"input_text": FAIRY, "target_text": SHORT},
    ),
    (
        "instruction",
        {"instruction": "question", "answer": "answer"},
        {"question_id": "{}", "question": ASK, "answer": FAIRY, "score": "{}", "created_at": "2024-01-02"},
    ),
    (
        "question-answering",
        {"question": "سوال", "context": "متن", "answer": "جواب"},
        {"سوال": PORSESH, "متن": DAST * 5, "جواب": "راه {}"},
    ),
    (
        "question-answering",
        {"question": "Q", "context": "paragraph", "answer": "A"},
        {"paragraph": LONG, "Q": ASK, "A": SHORT},
    ),
    ("translation", {"source": "متن", "answer": "ترجمه"}, {"متن": DAST, "ترجمه": FAIRY}),
    ("translation", {"source": "src", "answer": "tgt"}, {"src": FAIRY, "tgt": KURZ}),
    ("translation", {"source": "en_text", "answer": "fa_text"}, {"en_text": FAIRY, "fa_text": DAST}),
    ("translation", {"source": "English", "answer": "Deutsch"}, {"English": FAIRY, "Deutsch": KURZ}),
    (
        "translation",
        {"source": "source_text", "answer": "target_text"},
        {"source_text": FAIRY, "target_text": DAST, "source_lang": "en", "target_lang": "fa"},
    ),
    ("sentiment", {"text": "review", "answer": "stars"}, {"review": FAIRY, "stars": ["1", "2", "3", "4", "5"]}),
    (
        "sentiment",
        {"text": "Text", "answer": "Score"},
        {"Id": "{}", "ProductId": "B00{}X", "Score": ["1", "5"], "Time": "13000{}", "Summary": SHORT, "Text": LONG},
    ),
    ("sentiment", {"text": "Bewertung", "answer": "Sterne"}, {"Bewertung": KURZ, "Sterne": ["1", "3", "5"]}),
    (
        "sentiment",
        {"text": "text", "answer": "label"},
        {"id": "{}", "date": "2024-01-02", "text": FAIRY, "score": "0.{}", "label": ["positive", "negative"]},
    ),
    ("sentiment", {"text": "tweet", "answer": "sentiment"}, {"tweet": FAIRY, "sentiment": ["pos", "neg", "neu"]}),
    ("spam", {"text": "EmailText", "answer": "spam"}, {"EmailText": LONG, "spam": ["0", "1"]}),
    ("spam", {"text": "پیام", "answer": "هرزنامه"}, {"پیام": DAST, "هرزنامه": ["بله", "خیر"]}),
    (
        "topic",
        {"text": "body", "answer": "category"},
        {"title": SHORT, "body": LONG, "category": ["Politics", "Sport"]},
    ),
    (
        "topic",
        {"text": "premise", "answer": "label"},
        {"premise": FAIRY, "hypothesis": SHORT, "label": ["entailment", "neutral", "contradiction"]},
    ),
    (
        "topic",
        {"text": "sentence1", "answer": "label"},
        {"sentence1": FAIRY, "sentence2": FAIRY, "label": ["0", "1"], "idx": "{}"},
    ),
    ("topic", {"text": "text", "answer": "label"}, {"text": FAIRY, "label": ["1", "2", "3", "4"]}),
    (
        "topic",
        {"text": "message", "answer": "department"},
        {"ticket_id": "T-{}", "customer": ["Ann", "Bob", "Cy"], "message": FAIRY, "department": ["billing", "support"]},
    ),
    ("intent", {"text": "utterance", "answer": "intent"}, {"utterance": SHORT, "intent": ["pay", "call", "stop"]}),
    ("summarization", {"text": "doc", "answer": "summary"}, {"doc": LONG, "summary": FAIRY}),
    (
        "summarization",
        {"text": "متن خبر", "answer": "خلاصه خبر"},
        {"متن خبر": DAST * 6, "خلاصه خبر": DAST, "لینک": "https://x.example/{}"},
    ),
    ("grammar", {"text": "متن نادرست", "answer": "متن درست"}, {"متن نادرست": DAST, "متن درست": DAST}),
    (
        "text-to-sql",
        {"question": "question", "schema": "context", "answer": "answer"},
        {"question": ASK, "context": "CREATE TABLE t{} (a int)", "answer": SQL},
    ),
    ("text-to-sql", {"question": "question", "answer": "query"}, {"db_id": ["a", "b"], "question": ASK, "query": SQL}),
    ("chat", {"messages": "text"}, {"text": "### Human: where is house {}?### Assistant: over there"}),
    (
        "summarization",
        {"text": "dialogue", "answer": "summary"},
        {"dialogue": ("User: " + FAIRY + "\nBot: " + FAIRY), "summary": SHORT},
    ),
]


@pytest.mark.parametrize("case", UNTIDY, ids=lambda case: " ".join(case[2]))
def test_untidy_tables_are_understood(case: tuple[str, dict, dict]) -> None:
    task, mapping, columns = case
    seen = table(**columns)
    assert propose_task(seen)[0] == task
    proposal = propose_mapping(seen, get_task(task))
    assert proposal.mapping == mapping
    assert all(reason.en and reason.fa for reason in proposal.reasons.values())


def test_numbers_alone_are_proposed_for_nothing() -> None:
    seen = table(Year="19{}", Jan="{}.5", Feb="{}.25")
    assert propose_mapping(seen, get_task(propose_task(seen)[0])).mapping == {}
    assert propose_task(seen)[1].en == "no column says which task it is for"


def test_lists_of_words_are_no_conversations() -> None:
    frame = polars.DataFrame(
        {"text": [f"text {n}" for n in range(40)], "tags": [["a", "b"]] * 40, "label": ["x", "y"] * 20}
    )
    assert propose_task(Table(frame, "jsonl"))[0] == "topic"
    named = polars.DataFrame({"id": ["1", "2"], "dialog": [["hello", "hi", "bye"]] * 2})
    assert propose_task(Table(named, "jsonl"))[0] == "chat"


def test_what_no_task_fits_is_refused() -> None:
    with pytest.raises(DataError, match="preference pairs"):
        propose_task(table(prompt="p {}", chosen="a {}", rejected="b {}"))
    with pytest.raises(DataError, match="without an answer"):
        propose_mapping(table(text=FAIRY), get_task("spam"))
    with pytest.raises(DataError, match="only url, date: text without an answer"):
        propose_task(table(text=FAIRY, url="https://x.example/{}", date="2024-01-02"))


def test_maps_are_parsed() -> None:
    assert parse_map("text=v2, answer=v1") == {"text": "v2", "answer": "v1"}
    assert parse_map(r"text=a\,b,answer=c=d") == {"text": "a,b", "answer": "c=d"}
    assert parse_map("text=v2,context=") == {"text": "v2", "context": ""}
    for wrong in ("text", "=v1", "", "text=a,text=b"):
        with pytest.raises(DataError):
            parse_map(wrong)


def test_mappings_are_checked() -> None:
    seen, task = table(v1=["ham", "spam"], v2=FAIRY), get_task("spam")
    check_mapping(seen, task, {"text": "v2", "answer": "v1"})
    with pytest.raises(DataError, match="no column 'v3' for text") as refusal:
        check_mapping(seen, task, {"text": "v3", "answer": "v1"})
    assert "v1, v2" in refusal.value.hint and "Did you mean" in refusal.value.hint
    with pytest.raises(DataError, match="for answer, which the task spam needs"):
        check_mapping(seen, task, {"text": "v2"})
    check_mapping(seen, task, {"text": "v2"}, complete=False)
    with pytest.raises(DataError, match="no role 'txt'"):
        check_mapping(seen, task, {"txt": "v2", "answer": "v1"})
    with pytest.raises(DataError, match="used for two roles"):
        check_mapping(seen, task, {"text": "v1", "answer": "v1"})


REAL = {
    "spam/spam.csv": ("spam", {"text": "v2", "answer": "v1"}),
    "translation/pes.txt": ("translation", {"source": "column_1", "answer": "column_2"}),
    "translation/en_de.train.csv": ("translation", {"source": "en", "answer": "de"}),
    "qa/gsm8k_train.jsonl": ("instruction", {"instruction": "question", "answer": "answer"}),
    "classification/sst2/sst2_dev.tsv": ("sentiment", {"text": "sentence", "answer": "label"}),
    "classification/banking77/train.csv": ("intent", {"text": "text", "answer": "category"}),
    "classification/parsinlu_sentiment/movie_dev.jsonl": ("sentiment", {"text": "review", "answer": "label"}),
    "classification/parsinlu_sentiment/movie.jsonl": ("sentiment", {"text": "review", "answer": "sentiment"}),
    "instruct/alpaca_en_demo.json": (
        "instruction",
        {"instruction": "instruction", "input": "input", "answer": "output"},
    ),
    "instruct/glaive_toolcall_en_demo.json": ("chat", {"messages": "conversations"}),
    "instruct/tinker_conversations.jsonl": ("chat", {"messages": "messages"}),
    "summarization/dialogsum.dev.jsonl": ("summarization", {"text": "dialogue", "answer": "summary"}),
    "text2sql/wikisql_train_5000.jsonl": ("text-to-sql", {"question": "question", "answer": "sql"}),
    "difficult/agnews_array.json": ("topic", {"text": "description", "answer": "label"}),
    "difficult/sms_utf16le_tab.txt": ("spam", {"text": "text", "answer": "label"}),
    "difficult/rtl_controls_mixed.csv": ("sentiment", {"text": "متن", "answer": "برچسب"}),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real data is not here")
@pytest.mark.parametrize("name", REAL)
def test_real_files_are_understood(name: str) -> None:
    task, mapping = REAL[name]
    seen = read_table(SHARED / name)
    assert propose_task(seen)[0] == task
    assert propose_mapping(seen, get_task(task)).mapping == mapping


def test_two_rows_are_understood_by_their_names() -> None:
    table = Table(polars.DataFrame({"text": ["good day", "bad day"], "label": ["a", "b"]}), "csv")
    assert propose_task(table)[0] == "topic"
    assert propose_mapping(table, get_task("topic")).mapping == {"text": "text", "answer": "label"}
    table = Table(
        polars.DataFrame({"question": ["Where is Paris?"], "context": ["Paris is in France."], "answer": ["France"]}),
        "json",
    )
    assert propose_task(table)[0] == "question-answering"


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("name", "label"), [("label", "kind {}"), ("category", "card_{}"), ("intent", "{}"), ("which", "card_{}")]
)
def test_many_labels_of_few_rows_are_labels(name: str, label: str, rows: int) -> None:
    labels = [label.format(place % 84) for place in range(84 * rows)]
    made = Table(
        polars.DataFrame({"text": [f"how do I do thing number {place}" for place in range(len(labels))], name: labels}),
        "csv",
    )
    if name == "which" and rows == 2:  # nothing but two words in two rows each says so
        return
    task, _ = propose_task(made)
    assert task == "intent" and propose_mapping(made, get_task(task)).mapping == {"text": "text", "answer": name}


def test_short_answers_that_come_again_are_no_labels() -> None:
    answers = [f"In the town {place % 84}" for place in range(252)]
    made = Table(
        polars.DataFrame({"question": [f"Where is thing number {place}?" for place in range(252)], "answer": answers}),
        "csv",
    )
    assert propose_task(made)[0] == "instruction"


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("sent1", "sent2", True),
        ("premise", "hypothesis", True),
        ("text_a", "text_b", True),
        ("Question 1", "Question 2", True),
        ("claim", "evidence", True),
        ("text", "remark", False),
        ("review", "title", False),
        ("sent1", "sent3", False),
    ],
)
def test_the_other_half_of_a_pair_is_told(first: str, second: str, told: bool) -> None:
    texts = {
        first: [f"the first thing number {place} is here" for place in range(90)],
        second: [f"the other thing {place} was there" for place in range(90)],
    }
    made = Table(polars.DataFrame({**texts, "label": ["e", "n", "c"] * 30}), "csv")
    seen = inspect_table(made, None, fingerprint="", name="x")
    found = [problem for problem in seen.problems if problem.code == "second-text"]
    assert bool(found) is told and seen.task.id == "topic"
    if told:
        assert found[0].severity == "warning" and f"inputs: {first}, {second}" in found[0].hint and found[0].advice.fa
        # A task of one's own that reads both has nothing to be told of.
        own = task_from_dict(
            {
                "title": "Pairs",
                "instruction": "Does it follow?",
                "inputs": [first.lower().replace(" ", "_"), second.lower().replace(" ", "_")],
                "output": "labels",
            }
        )
        both = inspect_table(made, own, fingerprint="", name="x")
        assert sorted(both.mapping.values()) == sorted([first, second, "label"]) and "second-text" not in {
            problem.code for problem in both.problems
        }
