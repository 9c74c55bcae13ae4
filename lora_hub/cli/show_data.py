"""What inspect prints for people."""

from typing import Any

from lora_hub.cli.text import estimated, rows_of, table


def show_inspection(result: dict) -> str:
    lines = [f"{rows_of(result['rows'])}, columns: {', '.join(result['columns'])}"]
    sheet = f", sheet {result['sheet']!r}" if result["sheet"] else ""
    lines.append(
        f"format {result['format']}, encoding {result['encoding'] or '-'}, delimiter {result['delimiter']!r}{sheet}"
    )
    lines.append(f"task: {result['task']}")
    lines.append("mapping: " + ", ".join(f"{role} = {column}" for role, column in result["mapping"].items()))
    lines += [f"mended: {mend['said']} ({rows_of(mend['rows'])})" for mend in result["mends"]]
    for problem in result["problems"]:
        lines.append(f"{problem['severity']}: {problem['message']} {problem['hint']}".rstrip())
        if problem["mends"]:
            names = [problem["code"], *(f"{problem['code']}.{mend['kind']}" for mend in problem["mends"][1:])]
            lines.append(f"    mend: --mend {' or '.join(names)}")
    if result["lengths"]:
        of = result["lengths"]
        lines.append(
            f"tokens a row ({of['base']}, {of['sampled']} rows): median {of['total'][3]}, 95 % {of['total'][5]}, "
            f"longest {of['total'][7]}; "
            f"{of['too_long']} too long for {of['max_length']}, {of['trained_share']:.0%} of the tokens trained"
        )
    for shown in result["preview"][:2]:
        lines += ["", shown["prompt"], f">>> {shown['completion']}"]
    rows = [[one["key"], setting_value(one["value"]), one["why"]] for one in result["settings"]]
    lines += ["", table(["--set", "value", "why"], rows)]
    if result["estimate"]:
        of = result["estimate"]
        lines.append(estimated(of["steps"], of["seconds"], of["memory_bytes"]))
    return "\n".join(lines)


def setting_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return (
        ",".join(value)
        if isinstance(value, list | tuple)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
