"""What a metric is called, on the page and in a card (there in English)."""

from lora_hub.core.messages import Message, _

METRIC_TITLES: dict[str, Message] = {
    "accuracy": _("Accuracy"),
    "balanced_accuracy": _("Balanced accuracy"),
    "macro_f1": _("Macro F1"),
    "exact_match": _("Exact match"),
    "bleu": _("BLEU"),
    "chrf": _("chrF"),
    "rougeL": _("ROUGE-L"),
    "calibration_error": _("Calibration error (less is better)"),
}
