// The data's report (render_problems.py): sends what is clicked, and keeps what is being typed when the report is drawn anew.
// Events: 'mend' {add, undo, all} with mends as JSON, 'rows' {code}, 'task' {id} of the task that fits better, and 'choose'
// {id} of a base (render_bases.py).
let isBusy = false; // from a click until its handler has answered (finetune.py says so): the next one builds on what it changed
const typed = new Map();   // label -> the name that is being typed for it
const opened = new Map();  // a fold's key -> whether the person opened it
let dataset = null;
// Names that are being typed outlive a reload and another language, for the same data and in this tab of the browser alone.
const keep = () => { try { sessionStorage.setItem('lora_hub_labels', JSON.stringify([dataset, [...typed]])); } catch { /* forbidden inside a frame */ } };
const bringBack = () => {
  try {
    const [of, names] = JSON.parse(sessionStorage.getItem('lora_hub_labels') || '[]');
    if (of === dataset) for (const [label, name] of names) typed.set(label, name);
  } catch { /* nothing was kept */ }
};

const busy = (on) => {
  isBusy = on;
  element.toggleAttribute('data-busy', on);
};
const fields = () => [...element.querySelectorAll('input[data-label]')];
const rename = () => {
  const values = {};
  for (const field of fields()) {
    const name = field.value.trim();
    if (name && name !== field.dataset.label) values[field.dataset.label] = name;
  }
  if (!Object.keys(values).length) return;
  typed.clear();
  keep();
  busy(true);
  trigger('mend', {add: {kind: 'relabel', values}});
};

window.addEventListener('lora-hub-done', () => busy(false));
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (!button || isBusy) return;
  const data = button.dataset;
  if ('rename' in data) return rename();
  if ('rows' in data) trigger('rows', {code: button.getAttribute('aria-expanded') === 'true' ? '' : data.rows});
  else if ('mend' in data) trigger('mend', {add: JSON.parse(data.mend)});
  else if ('task' in data) trigger('task', {id: data.task});
  else if ('base' in data) trigger('choose', {id: data.base});
  else if ('undo' in data) trigger('mend', {undo: JSON.parse(data.undo)});
  else if ('undoAll' in data) trigger('mend', {all: true});
  else return;
  busy(true);
});
element.addEventListener('input', (event) => {
  if (event.target.dataset.label !== undefined) {
    typed.set(event.target.dataset.label, event.target.value);
    keep();
  }
});
element.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && event.target.dataset.label !== undefined) { event.preventDefault(); rename(); }
});
element.addEventListener('click', (event) => {
  // A fold is noted when a person folds it; 'toggle' would also tell of our own doing.
  const summary = event.target.closest('summary');
  const fold = summary && summary.parentElement;
  if (fold && fold.dataset.key) opened.set(fold.dataset.key, !fold.open);
});
watch('value', () => {
  busy(false);
  const labels = element.querySelector('[data-dataset]');
  if (labels && labels.dataset.dataset !== dataset) {
    if (dataset !== null) { typed.clear(); opened.clear(); }
    const isFirst = dataset === null;
    dataset = labels.dataset.dataset;
    if (isFirst) bringBack();
  }
  // The page is patched in place, so a field may have become another label's.
  for (const field of fields()) field.value = typed.has(field.dataset.label) ? typed.get(field.dataset.label) : field.getAttribute('value') || '';
  for (const fold of element.querySelectorAll('details[data-key]')) {
    if (opened.has(fold.dataset.key)) fold.open = opened.get(fold.dataset.key);
  }
});
