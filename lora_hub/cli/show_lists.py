"""What tasks, bases and adapters print for people."""

from lora_hub.cli.text import rows_of, table


def show_tasks(result: dict) -> str:
    return table(
        ["task", "title", "inputs", "answer", "metrics"],
        [
            [t["id"], t["title"]["en"], ", ".join(t["inputs"]), t["output"], ", ".join(t["metrics"])]
            for t in result["tasks"]
        ],
    )


def show_bases(result: dict) -> str:
    rows = []
    for base in result["bases"]:
        size = f"{base['parameters'] / 1e6:,.1f} M" if base["parameters"] else "?"
        rows.append([base["id"], size, base["context"], base["licence"], "gated" if base["gated"] else ""])
    return table(["base", "parameters", "context", "licence", ""], rows)


def show_adapters(result: dict) -> str:
    if not result["adapters"]:
        names = {"embedded": "this machine's own Hub", "public": "the public Hub", "other": "the Hub"}
        where = f"{names[result['hub']['kind']]} at {result['hub']['url']}"
        if result["others"]:
            asked = [f"{what} {result[what]}" for what in ("task", "base") if result[what]]
            rest = "others" if len(asked) > 1 else f"other {asked[0].split()[0]}s"
            return (
                f"No adapters of {' and '.join(asked)} in {result['organization']} on {where}; {result['others']} "
                f"of {rest}."
            )
        return (
            f"No adapters yet in {result['organization']} on {where}. Train and publish one: python -m lora_hub "
            f"train FILE --task TASK --publish"
        )
    rows = []
    for ref in result["adapters"]:
        scores = ref["metrics"].get("adapter", {})
        first = next(iter(scores.items()), None)
        score = (
            f"{first[0]} {first[1]['value']:.1f}" + (f" ({rows_of(first[1]['rows'])})" if first[1]["rows"] else "")
            if first
            else ""
        )
        rows.append(
            [ref["repo_id"], ", ".join(ref["versions"][:3]), ref["task"], ref["base"], score, ref["updated"][:10]]
        )
    return table(["adapter", "versions", "task", "base", "score", "updated"], rows)
