// What Gradio's components leave out for keyboards and screen readers, put right wherever they are drawn:
// radios of one group have one name (so that the arrow keys walk them) and the group's own label, and accordions say whether
// they are open. Runs at the head of the page (see early.py) and looks again after each change of it.
(() => {
  let groups = 0;
  const set = (element, name, value) => { if (element.getAttribute(name) !== value) element.setAttribute(name, value); };
  const radios = (field) => {
    const inputs = [...field.querySelectorAll('input[type="radio"]')];
    if (!inputs.length) return;
    field.dataset.group = field.dataset.group || `lh-group-${groups++}`;
    for (const input of inputs) if (input.name !== field.dataset.group) input.name = field.dataset.group;
    const label = field.querySelector('[data-testid="block-info"]');
    set(field, "role", "radiogroup");
    if (label) set(field, "aria-label", label.textContent.trim());
  };
  const accordion = (button) => {
    const content = button.nextElementSibling;
    if (!content) return;
    content.id = content.id || `lh-fold-${groups++}`;
    set(button, "aria-controls", content.id);
    set(button, "aria-expanded", String(content.style.display !== "none"));
  };
  // What is wrong with a setting stands at its field, too, and is read with it: the plan (review.py) names the field.
  const settings = () => {
    const said = document.querySelector("#lh-plan [data-setting]");
    const wrong = said && document.getElementById(said.dataset.setting);
    for (const place of document.querySelectorAll(".lh-overrides [data-wrong]")) {
      if (place === wrong) continue;
      place.removeAttribute("data-wrong");
      place.querySelector("input, textarea")?.removeAttribute("aria-invalid");
    }
    if (!wrong) return;
    set(wrong, "data-wrong", said.querySelector("strong, b, p")?.textContent || said.textContent);
    const field = wrong.querySelector("input, textarea");
    if (!field) return;
    said.id = said.id || "lh-setting-wrong";
    set(field, "aria-invalid", "true");
    set(field, "aria-errormessage", said.id);
  };
  // Labels that Gradio has in English alone, or shows the key of (early.py has the words).
  const labels = () => {
    for (const [label, said] of Object.entries(window.loraHubWords[document.documentElement.lang] || {})) {
      for (const one of document.querySelectorAll(`[aria-label="${label}"], [data-label="${label}"]`)) {
        set(one, "data-label", label);
        set(one, "aria-label", said);
        if (one.title) set(one, "title", said);
      }
    }
  };
  const mend = () => {
    planned = false;
    settings();
    for (const field of document.querySelectorAll("#lh-tabs fieldset")) radios(field);
    for (const button of document.querySelectorAll("#lh-tabs button.label-wrap")) accordion(button);
    // An info text that belongs to a field is read with it.
    for (const info of document.querySelectorAll("#lh-tabs .info-text")) {
      const place = info.closest(".block");
      const field = place && place.querySelector("input:not([type=radio]), textarea");
      if (!field) continue;
      info.id = info.id || `lh-info-${groups++}`;
      set(field, "aria-describedby", info.id);
    }
    // What scrolls sideways can be reached and scrolled by the keyboard.
    for (const wide of document.querySelectorAll("#lh-card :is(pre, table), #lh-test-picture:has(.js-plotly-plot)")) {
      if (wide.scrollWidth > wide.clientWidth) set(wide, "tabindex", "0"); else wide.removeAttribute("tabindex");
    }
    labels();
    // A tab with nothing to control says so by silence: an empty reference is none.
    for (const tab of document.querySelectorAll('#lh-tabs [role="tab"][aria-controls=""]')) tab.removeAttribute("aria-controls");
  };
  let planned = false;
  window.addEventListener("resize", () => setTimeout(mend));
  new MutationObserver(() => {
    if (planned) return;
    planned = true;
    setTimeout(mend);
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["style", "class"] });
})();
