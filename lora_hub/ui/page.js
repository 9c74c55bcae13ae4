// Runs before the page's own scripts (see early.py): the language, the direction, and the page's address.
// The browser's language decides at first; what a person chooses is remembered here and nowhere else.
(() => {
  const key = "lora_hub_language";
  const known = ["en", "fa"];
  const stored = () => {
    try { return localStorage.getItem(key); } catch { return null; } // storage may be forbidden inside a frame
  };
  const asked = new URLSearchParams(location.search).get("lang");
  const wished = [asked, stored(), ...(navigator.languages || []).map((name) => name.slice(0, 2))];
  const language = wished.find((name) => known.includes(name)) || "en";

  // Gradio takes its own words' language from here.
  Object.defineProperty(navigator, "language", { get: () => language, configurable: true });
  Object.defineProperty(navigator, "languages", { get: () => [language], configurable: true });
  const dress = () => {
    const root = document.documentElement;
    if (root.lang !== language) root.lang = language;
    const direction = language === "fa" ? "rtl" : "ltr";
    if (root.dir !== direction) root.dir = direction;
  };
  dress();
  new MutationObserver(dress).observe(document.documentElement, { attributes: true, attributeFilter: ["lang", "dir"] });

  const address = (name, value) => {
    const url = new URL(location.href);
    if (value) url.searchParams.set(name, value); else url.searchParams.delete(name);
    history.replaceState(history.state, "", url);
  };
  const opened = new URLSearchParams(location.search); // as it was opened: the first tab rewrites it before it is read
  const read = (name) => opened.get(name) || "";

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-language]");
    if (!button) return;
    try { localStorage.setItem(key, button.dataset.language); } catch { address("lang", button.dataset.language); }
    if (asked) address("lang", button.dataset.language);
    location.reload(); // what was typed is kept: the form is stored in the browser, the run is in the address
  });

  // A file over the limit is told at once; nothing of it is sent. The words are in the page (data_room.py).
  const isTooLarge = (files) => {
    const card = document.getElementById("lh-too-large");
    if (!card) return false;
    card.hidden = ![...(files || [])].some((file) => file.size > Number(card.dataset.limit));
    return !card.hidden;
  };
  const guard = (event) => {
    const place = event.target.closest && event.target.closest("#lh-file, #lh-test-file");
    if (!place || !isTooLarge(event.dataTransfer ? event.dataTransfer.files : event.target.files)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.dataTransfer) event.target.value = "";
  };
  document.addEventListener("change", guard, true);
  document.addEventListener("drop", guard, true);

  window.loraHub = { language, address, read };
})();
