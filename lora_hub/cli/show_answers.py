"""What compare prints for people."""

from lora_hub.cli.text import rows_of, score_table, units_of, verdict

# Of an answer's labels, the most likely ones are told.
SHOWN_LABELS = 5


def show_comparison(result: dict) -> str:
    if "metrics" in result:
        told = [line for name, found in result["comparisons"].items() for line in verdict(found, name)]
        return "\n".join(
            [f"{rows_of(result['rows'])} ({units_of(result['metrics'])})", score_table(result["metrics"]), *told]
        )
    lines = []
    for answer in result["answers"]:
        commit = f" @ {answer['revision'][:8]}" if answer["revision"] else ""
        lines += [f"--- {answer['adapter']}{commit}: {answer['tokens']} tokens, {answer['seconds']} s", answer["text"]]
        if answer["probabilities"]:
            likely = sorted(answer["probabilities"].items(), key=lambda one: -one[1])
            more = f", {len(likely) - SHOWN_LABELS} more" if len(likely) > SHOWN_LABELS else ""
            lines.append("(" + ", ".join(f"{label} {share:.1%}" for label, share in likely[:SHOWN_LABELS]) + more + ")")
        if answer["divergence"] and answer["divergence"]["kl"] == 0 and answer["divergence"]["changed"] == 0:
            lines.append("(this adapter changes nothing)")
    return "\n".join(lines)
