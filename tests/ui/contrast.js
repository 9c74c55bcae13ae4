// Every text that can be seen, with the contrast of its colour against what it stands on (WCAG 2.2, 1.4.3): a list of
// [ratio, text, where] below 4.5. Disabled fields and placeholders count, too: what they say is read.
() => {
  const context = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const rgba = (css) => {  // the browser reads color-mix() and oklab() itself
    if (!known.has(css)) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = css;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
      known.set(css, [r, g, b, a / 255]);
    }
    return known.get(css);
  };
  const over = (top, under) => top.slice(0, 3).map((value, place) => value * top[3] + under[place] * (1 - top[3])).concat(1);
  const luminance = ([r, g, b]) => [r, g, b].map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const places = new Map(); // element -> what it stands on; each is looked at once, from the page's root down
  const placed = (element) => {
    if (!element) return { under: [255, 255, 255, 1], opacity: 1, clipped: false };
    if (!places.has(element)) {
      const around = placed(element.parentElement), style = getComputedStyle(element);
      const background = rgba(style.backgroundColor), opacity = around.opacity * Number(style.opacity);
      const clipped = around.clipped || style.visibility === 'hidden' || style.clip === 'rect(0px, 0px, 0px, 0px)' || Number(style.opacity) < 0.05;
      places.set(element, { under: over([...background.slice(0, 3), background[3] * opacity], around.under), opacity, clipped });
    }
    return places.get(element);
  };
  const seen = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && !placed(element).clipped && element.checkVisibility();
  };
  const measure = (element, colour) => {
    const { under, opacity } = placed(element);
    const [r, g, b, a] = rgba(colour);
    return ratio(over([r, g, b, a * opacity], under), under);
  };
  const found = [];
  const note = (element, colour, text) => {
    const value = measure(element, colour);
    if (value < 4.5) found.push([Math.round(value * 100) / 100, text.trim().slice(0, 60), `${element.tagName.toLowerCase()}#${element.closest('[id]')?.id}.${element.className.baseVal ?? element.className}`]);
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (walk.currentNode.data.trim() && !['SCRIPT', 'STYLE', 'TITLE', 'OPTION'].includes(element.tagName) && seen(element)) {
      note(element, getComputedStyle(element).color, walk.currentNode.data);
    }
  }
  for (const field of document.querySelectorAll('input, textarea')) {
    if (!seen(field) || ['radio', 'checkbox', 'file', 'hidden'].includes(field.type)) continue;
    const style = getComputedStyle(field, field.value ? null : '::placeholder');
    const said = field.value || field.placeholder;
    if (said) note(field, field.value && style.webkitTextFillColor ? style.webkitTextFillColor : style.color, said);
  }
  return found;
}
