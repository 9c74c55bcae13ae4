"""Classifies labels by their words: spam or not, sentiment, or something else.

kind_of(["gut", "schlecht"], "label")      "sentiment"
"""

import re

from lora_hub.data.tables.label_forms import normal_label

# Words that show the subject of labels: whole words, or stems if the language inflects them.
SPAM = re.compile(r"ham|junk|inbox|.*spam.*|.*phish.*|smish.*|scam.*|fraud.*|legit.*|.*هرز.*|.*اسپم.*|سپم|کلاهبردار.*")
# Labels that are about spam only beside one that SPAM matches; alone they could mean anything.
NOT_SPAM = re.compile(
    r"normal|clean|safe|benign|malicious|unwanted|genuine|regular|promo\w*|advert\w*|عادی|معمولی|سالم|ناخواسته|تبلیغ.*|مزاحم"
)
FEELING = re.compile(
    r"pos|neg|neu|mix|mixed|good|bad|great|poor|awful|average|fair|ok|okay|like|dislike|love|hate|happy|sad|fear|joy|calm|bored|best|worst|"
    r"stars?|favou?r|against|for|positiv\w*|negativ\w*|neutr\w*|excellen\w*|terribl\w*|horribl\w*|satisf\w*|unsatisf\w*|dissatisf\w*|"
    r"recommend\w*|unhapp\w*|happi\w*|ang(?:ry|er)|disgust\w*|surpris\w*|excit\w*|optimis\w*|pessimis\w*|annoy\w*|gratitud\w*|"
    r"admirat\w*|sadness|frustrat\w*|disappoint\w*|toxic\w*|gut|schlecht|bon|mauvais|bueno|malo|"
    r"مثبت\w*|منفی\w*|خنثی|خوب|بد|عالی|راضی|ناراضی|خوشحال|شاد\w*|غم\w*|خشم\w*|ترس\w*|نفرت|عصبانی\w*|ناراحت|متوسط|ضعیف|ستاره|تعجب|موافق|مخالف|"
    r"ایجابی|سلبی|محاید|👍.*|👎.*|😀.*|😞.*|😊.*|😡.*"
)
# Those of them that describe things as well as feelings: the state of goods, the rank of an answer.
QUALITY = re.compile(
    r"good|bad|great|poor|average|fair|ok|okay|best|worst|excellen\w*|mix|mixed|against|for|gut|schlecht|bon|mauvais|bueno|malo|خوب|بد|عالی|متوسط|ضعیف"
)
# Labels that say nothing about the question.
PLAIN = {"yes", "no", "y", "n", "t", "f", "بله", "خیر", "نه", "آری", "اری", "بلی", "ja", "nein", "oui", "non", "si"}
ABOUT = {
    "spam": re.compile(r"spam|(?:^|_)ham(?:_|$)|junk|phish|scam|fraud|هرز|اسپم"),
    "sentiment": re.compile(
        r"sentiment|polarity|emotion|feeling|mood|(?:^|_)stars?(?:_|$)|rating|score|attitude|احساس|قطبیت|امتیاز|ستاره"
    ),
}
# Kinds of unwanted messages; among more labels than these, spam is one topic of many.
MOST_SPAM = 6
_YEH = str.maketrans("يك", "یک")


def may_be_states(labels: list[str], column: str) -> bool:
    """Whether labels that `kind_of` classifies as sentiment may also describe things: words such as good and bad,
    beside another that is not a feeling (good, bad, lost)."""
    words = [_words(label) for label in labels]
    felt = [word for label in words for word in label if FEELING.fullmatch(word)]
    others = [label for label in words if not any(FEELING.fullmatch(word) for word in label)]
    return bool(others) and all(QUALITY.fullmatch(word) for word in felt) and not ABOUT["sentiment"].search(column)


def _words(label: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", label.casefold().translate(_YEH)) if word] or [label]


def kind_of(labels: list[str], column: str) -> str:
    """spam, sentiment or other: the subject of most of these labels, or else of the column's name; "" if unclear."""
    words = [_words(label) for label in labels]
    about = [task for task, pattern in ABOUT.items() if pattern.search(column)]
    plain_ones = [
        normal_label(label) in PLAIN or bool(re.fullmatch(r"-?\d{1,3}(\.\d+)?", normal_label(label)))
        for label in labels
    ]
    if all(plain_ones):
        return about[0] if len(about) == 1 else ""
    if any(SPAM.fullmatch(word) for label in words for word in label):
        return "spam"
    felt = sum(
        is_plain or any(FEELING.fullmatch(word) for word in label)
        for label, is_plain in zip(words, plain_ones, strict=True)
    )
    if 2 * felt > len(labels) and felt > sum(plain_ones):
        return "sentiment"
    if any(NOT_SPAM.fullmatch(word) for label in words for word in label):
        return ""
    return about[0] if about else "other"
