// Test sets: pictures and tables become files in the browser, and a row becomes a question in Compare.
(() => {
  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };
  window.loraHub.saveText = (told) => {
    if (!told) return;
    const { name, kind, text } = JSON.parse(told);
    if (kind.startsWith("image/")) {
      const picture = alone(new DOMParser().parseFromString(text, "image/svg+xml").documentElement);
      if (kind === "image/png") paint(picture, name); else save(new Blob([picture.text], { type: `${kind};charset=utf-8` }), name);
      return;
    }
    save(new Blob([text], { type: `${kind};charset=utf-8` }), name);
  };

  // A picture as it is read outside of the page: on white, whatever the page's colours are.
  const alone = (svg) => {
    const copy = svg.cloneNode(true);
    const [, , width, height] = copy.getAttribute("viewBox").split(" ").map(Number);
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.setAttribute("style", "background:#fff;color:#1e293b");
    return { text: new XMLSerializer().serializeToString(copy), width, height };
  };
  const paint = ({ text, width, height }, name) => {
    const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml;charset=utf-8" }));
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = 2 * width;
      canvas.height = 2 * height;
      const context = canvas.getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      URL.revokeObjectURL(url);
      canvas.toBlob((png) => save(png, name), "image/png");
    };
    image.src = url;
  };
  // The same of a plot that Plotly drew: it draws it once more, below its title.
  const savePlot = (plot, title, kind, filename) => {
    const above = 44, height = plot.clientHeight + above, width = Math.max(720, plot.clientWidth);
    const white = { paper_bgcolor: "#fff", plot_bgcolor: "#fff", autosize: false, height, width };
    // Isolated (FSI and PDI): read from the right where it begins so.
    const head = { text: `\u2068${title}\u2069`, font: { size: 16 }, yref: "container", y: 1 - above / 2 / height, yanchor: "middle" };
    const layout = { ...plot.layout, ...white, title: head, margin: { ...plot.layout.margin, t: plot.layout.margin.t + above } };
    window.Plotly.downloadImage({ data: plot.data, layout }, { format: kind, filename, width, height, scale: kind === "png" ? 2 : 1 });
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("[data-save]");
    const plot = button && button.dataset.plot && document.querySelector(`#${button.dataset.plot} .js-plotly-plot`);
    if (plot) { savePlot(plot, button.closest(".lh-plothead").querySelector("b").innerHTML, button.dataset.save, button.dataset.name); return; }
    const svg = button && button.closest("figure")?.querySelector("svg");
    if (!svg) return;
    const picture = alone(svg);
    const name = `${button.dataset.name}.${button.dataset.save}`;
    if (button.dataset.save === "png") paint(picture, name); else save(new Blob([picture.text], { type: "image/svg+xml;charset=utf-8" }), name);
  });

  // The test of the address is opened once the page listens.
  const asked = window.loraHub.read("test");
  const open = (tries) => {
    const tabs = document.getElementById("lh-tabs");
    if (tabs && !tabs.inert && document.querySelector("#lh-test-id :is(textarea, input)")) window.loraHub.put("lh-test-id", asked);
    else if (tries) setTimeout(open, 100, tries - 1);
  };
  if (/^[a-z0-9][a-z0-9._-]{0,120}$/.test(asked)) open(300);

  // The fields of Compare are drawn for the adapters; until they are there, the text waits.
  window.loraHub.askRow = (told) => {
    if (!told) return;
    const { texts } = JSON.parse(told);
    const fields = () => [...document.querySelectorAll("#lh-prompt textarea, [id^='lh-input-'] textarea")].filter((one) => one.checkVisibility());
    let left = 40;
    const fill = () => {
      const there = fields();
      left -= 1;
      if (there.length < texts.length && left > 0) { setTimeout(fill, 150); return; }
      const shown = there.length < texts.length ? [texts.filter(Boolean).join("\n")] : texts;
      shown.forEach((text, place) => {
        const field = there[place];
        if (field) window.loraHub.put(field.closest("[id]").id, text);
      });
    };
    setTimeout(fill, 300);
  };
})();
