"""The Runs tab without a browser: plots of what a training tells, several runs, files, names, tags and filters."""

import re

from lora_hub.ui.render.runs import measure_plots

MEASURES = {
    "lr": [(step, 2e-4 * (1 - step / 40)) for step in range(1, 41)],
    "grad_norm": [(step, 1 + step % 3) for step in range(1, 41)],
    "tokens_second": [(step, 5000.0 + step) for step in range(1, 41)],
    "memory": [(step, 7.3e8) for step in range(1, 41)],
}


def test_learning_rate_norm_speed_and_memory_have_a_plot_each() -> None:
    shown = measure_plots.measure_plots(MEASURES, 40, "en")
    assert shown.count("<figure") == 4 and "0.0002" in shown and "5,040" in shown and "730 MB" in shown
    # the ticks of a small rate are told apart
    ticks = re.findall(r'lh-tick-y" style="[^"]*">([^<]*)<', shown.partition("Gradient norm")[0])
    assert len(set(ticks)) == len(ticks) > 1
    persian = measure_plots.measure_plots(MEASURES, 40, "fa")
    assert "Gradient" not in persian and "per second" not in persian
    assert "۷۳۰" in persian and measure_plots.measure_plots({}, 40, "en") == ""
