// Parts that stand in the page: rows, ages, copy buttons, form errors, the JSON tree. All work by delegation,
// so that what htmx swaps in later behaves like what was there from the start.

const announce = (text) => document.dispatchEvent(new CustomEvent("console:announce", {detail: text}));

// Rows: a click anywhere opens the row's link, as a click on the link itself would; arrows walk from row to row.

const INTERACTIVE = "a, button, input, select, textarea, label, summary, [role=button], .w-check";

function openRow(event) {
  const row = event.target.closest?.("[data-row]");
  if (!row || event.defaultPrevented || event.target.closest(INTERACTIVE)) return;
  if (String(window.getSelection())) return; // Somebody is marking text to copy it.
  const link = row.querySelector("[data-row-link]");
  if (!link) return;
  const isNewTab = event.ctrlKey || event.metaKey || event.button === 1;
  if (isNewTab) window.open(link.href, "_blank", "noopener");
  else if (event.button === 0) link.click();
}

function walkRows(event) {
  const step = {ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling"}[event.key];
  if (!step || !event.target.matches?.("[data-row-link]")) return;
  let row = event.target.closest("[data-row]")?.[step];
  while (row && !row.querySelector("[data-row-link]")) row = row[step];
  if (!row) return;
  event.preventDefault();
  row.querySelector("[data-row-link]").focus();
}

// Choosing rows: a bar says exactly what is chosen; the boxes belong to its form. Without scripts it always stands there.

function showChoice(form = document.querySelector("form[data-choose]")) {
  if (!form) return;
  const boxes = [...form.elements].filter((element) => element.name === "id");
  const picked = boxes.filter((box) => box.checked).length;
  const all = form.querySelector("[data-choose-all]");
  const page = form.parentElement.querySelector("[data-choose-page]");
  page.hidden = form.querySelector("[data-choose-clear]").hidden = false;
  page.checked = picked === boxes.length;
  page.indeterminate = picked > 0 && picked < boxes.length;
  if (all && !picked) all.checked = false;
  const words = all?.checked ? form.dataset.chooseAllWords : `${picked} on this page`;
  const shown = form.querySelector("[data-choose-words]");
  if (shown.textContent !== words && (picked || form.classList.contains("is-on"))) announce(`Chosen: ${words}`);
  shown.textContent = words;
  form.classList.toggle("is-on", picked > 0);
}

function choose(event) {
  const box = event.target;
  if (!box.matches?.("[data-choose-page], [data-choose-all], input[form=choose]")) return;
  const form = document.querySelector("form[data-choose]");
  const all = form.querySelector("[data-choose-all]");
  if (box.matches("[data-choose-page]")) {
    for (const element of form.elements) if (element.name === "id") element.checked = box.checked;
  }
  // All that match are those on this page too; one taken out, it is not all any more.
  if (box === all && all.checked) for (const element of form.elements) if (element.name === "id") element.checked = true;
  if (box !== all && all && !box.checked) all.checked = false;
  showChoice(form);
}

// Ages: a page that stays open must not keep saying "2 min ago". The words are those of console/templatetags/console.py.

const MINUTE = 60, HOUR = 3600, DAY = 86400, WEEK = 7 * DAY, MONTH = 30 * DAY, YEAR = 365 * DAY;
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function span(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY) return `${Math.floor(whole / HOUR)} h`;
  if (whole < 2 * WEEK) return plural(Math.floor(whole / DAY), "day");
  if (whole < 9 * WEEK) return plural(Math.floor(whole / WEEK), "week");
  if (whole < 2 * YEAR) return plural(Math.floor(whole / MONTH), "month");
  return plural(Math.floor(whole / YEAR), "year");
}

function ageWords(when, hasAgo) {
  const seconds = (Date.now() - when) / 1000;
  if (Math.abs(seconds) < MINUTE / 2) return hasAgo ? "just now" : "now";
  if (seconds < 0) return `in ${span(seconds)}`;
  return hasAgo ? `${span(seconds)} ago` : span(seconds);
}

function refreshAges() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-age]")) {
    const text = element.firstChild;
    const words = ageWords(Date.parse(element.dateTime), element.dataset.age === "ago");
    if (text?.nodeType === Node.TEXT_NODE && text.data !== words) text.data = words;
  }
}

// Tabs: on a narrow screen the current one may stand outside of the strip.

function showCurrentTab() {
  for (const strip of document.querySelectorAll(".tabs")) {
    const tab = strip.querySelector("[aria-current]");
    if (tab) strip.scrollLeft = tab.offsetLeft - strip.offsetLeft - (strip.clientWidth - tab.offsetWidth) / 2;
  }
}

// Copy buttons.

async function copy(event) {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    announce("Copied");
    button.classList.add("is-copied");
    window.setTimeout(() => button.classList.remove("is-copied"), 1500);
  } catch {
    announce("Could not copy: the browser did not allow it");
  }
}

// Sign-ins of the demo: one click fills the address in.

function fill(event) {
  const button = event.target.closest?.("[data-fill]");
  const field = button && document.getElementById(button.dataset.fillInto);
  if (!field) return;
  field.value = button.dataset.fill;
  const password = field.form.querySelector("input[type=password]");
  const shown = document.querySelector("[data-demo-password]")?.textContent;
  if (password && shown) password.value = shown;
  field.form.querySelector("button[type=submit]").focus();
  announce(`${button.dataset.fill} filled in`);
}

// Forms: after a failed one the focus stands on the summary; its links go to the fields.

function focusErrors(root) {
  const summary = root?.querySelector?.("[data-form-errors]");
  if (summary) summary.focus();
}

function followErrorLink(event) {
  const link = event.target.closest?.("[data-form-errors] a");
  const target = link && document.getElementById(link.hash.slice(1));
  if (!target) return;
  event.preventDefault();
  const control = target.matches("fieldset, div") ? target.querySelector("input, select, textarea") : target;
  (control || target).focus();
}

// A name typed to confirm: the button waits for it. Without scripts it does not, and the server compares in any case.

function checkTyped(field) {
  const isRight = field.value.trim() === field.dataset.typedName.trim();
  for (const button of field.form.querySelectorAll("button[type=submit]:not([formnovalidate])")) {
    // Not `disabled`: the button keeps its place in the order of tabs. The field's label says what it waits for.
    button.setAttribute("aria-disabled", String(!isRight));
    const [label] = field.labels;
    if (!label) continue;
    label.id ||= `${field.id}_label`;
    button.setAttribute("aria-describedby", label.id);
  }
}

function checkAllTyped() {
  for (const field of document.querySelectorAll("input[data-typed-name]")) checkTyped(field);
}

// A form that loses much when it is left by mistake (data-guard) asks first. It is compared with what the server drew,
// so typing something and taking it back counts as nothing; data-guard="changed" says that it came back unsaved.

function isChosenAnew(select) {
  const options = [...select.options];
  // A list that marks none as chosen begins with its first.
  const isDefault = options.some((option) => option.defaultSelected) || select.multiple ? (option) => option.defaultSelected : (option) => option === options[0];
  return options.some((option) => option.selected !== isDefault(option));
}

function isChanged(control) {
  if (control.type === "hidden" || control.type === "submit") return false;
  if (control.matches("select")) return isChosenAnew(control);
  if (control.matches("[type=checkbox], [type=radio]")) return control.checked !== control.defaultChecked;
  return "defaultValue" in control && control.value !== control.defaultValue;
}

function isDirty(form) {
  if (form.dataset.sent || form.dataset.sending) return false;
  return form.dataset.guard === "changed" || [...form.elements].some(isChanged);
}

const dirtyForms = (root) => [...root.querySelectorAll("form[data-guard]")].filter(isDirty);

function guardPage(event) {
  if (dirtyForms(document).length) event.preventDefault();
}

function guardSwap(event) {
  const {elt, target, requestConfig} = event.detail;
  const lost = target ? dirtyForms(target).filter((form) => !form.contains(elt)) : [];
  if (!lost.length) return;
  // A poll never asks: it only waits until the form is saved.
  const by = requestConfig?.triggeringEvent;
  if (by && by.type !== "awake" && window.confirm("Leave without saving? What you typed here would be lost.")) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // Otherwise live.js marks as busy what will not change.
}

// Editors: their script, and CodeMirror behind it, is fetched only where there is something to edit.

async function upgradeEditors() {
  const fields = [...document.querySelectorAll("textarea[data-editor]:not([data-editor-on])")];
  if (!fields.length) return;
  try {
    const {enhance} = await import(fields[0].dataset.editorScript);
    await enhance(fields);
  } catch {
    announce("The editor could not be loaded; the plain field does the same");
  }
}

// JSON tree: search opens what matches, hides what does not; a click on a name copies the path.

function searchTree(event) {
  const field = event.target.closest?.("[data-jt-search]");
  if (!field) return;
  const box = field.closest("[data-json-tree]");
  const wanted = field.value.trim().toLowerCase();
  const nodes = [...box.querySelectorAll("li[data-path]")];
  let found = 0;
  for (const node of nodes) node.classList.remove("jt-hit", "jt-out");
  if (wanted) {
    for (const node of nodes) node.classList.add("jt-out");
    for (const node of nodes) {
      const own = node.querySelector(":scope > .jt-k, :scope > details > summary > .jt-k")?.textContent ?? "";
      const value = node.querySelector(":scope > .jt-s, :scope > .jt-v")?.textContent ?? "";
      if (!`${own} ${value}`.toLowerCase().includes(wanted)) continue;
      found += 1;
      node.classList.add("jt-hit");
      for (let up = node; up && up !== box; up = up.parentElement) {
        if (up.matches("li")) up.classList.remove("jt-out");
        if (up.matches("details") && up.parentElement !== node) up.open = true;
      }
    }
  }
  box.querySelector("[data-jt-count]").textContent = wanted ? plural(found, "match").replace("matchs", "matches") : "";
}

function foldTree(event) {
  const button = event.target.closest?.("[data-jt-fold]");
  if (!button) return;
  const isOpen = button.dataset.jtFold === "open";
  for (const branch of button.closest("[data-json-tree]").querySelectorAll(".jt details .jt details, .jt details details, .jt details")) {
    branch.open = isOpen || branch.parentElement.dataset.path === "";
  }
}

async function copyPath(event) {
  const key = event.target.closest?.(".jt-k");
  const node = key?.closest("li[data-path]");
  if (!node) return;
  event.preventDefault(); // A name in a summary would fold the branch.
  try {
    await navigator.clipboard.writeText(node.dataset.path);
    announce(`Path copied: ${node.dataset.path}`);
    document.dispatchEvent(new CustomEvent("toast", {detail: {text: `Path copied: ${node.dataset.path}`, tone: "success", brief: true}}));
  } catch {
    announce("Could not copy: the browser did not allow it");
  }
}

document.addEventListener("click", openRow);
document.addEventListener("auxclick", openRow);
document.addEventListener("keydown", walkRows);
document.addEventListener("change", choose);
document.addEventListener("reset", (event) => event.target.matches("form[data-choose]") && window.setTimeout(() => showChoice(event.target)));
document.addEventListener("htmx:load", () => showChoice());
document.addEventListener("click", copy);
document.addEventListener("click", fill);
document.addEventListener("click", followErrorLink);
document.addEventListener("click", foldTree);
document.addEventListener("click", copyPath);
document.addEventListener("input", (event) => event.target.matches?.("input[data-typed-name]") && checkTyped(event.target));
document.addEventListener("input", searchTree);
document.addEventListener("htmx:afterSwap", (event) => focusErrors(event.detail.target));
document.addEventListener("htmx:load", upgradeEditors);
document.addEventListener("htmx:load", checkAllTyped);
document.addEventListener("htmx:beforeRequest", guardSwap);
window.addEventListener("beforeunload", guardPage);
window.addEventListener("pageshow", checkAllTyped);
window.addEventListener("pageshow", () => showChoice());
window.setInterval(refreshAges, 15_000);
document.addEventListener("visibilitychange", refreshAges);
showCurrentTab();
showChoice();
focusErrors(document);
checkAllTyped();
upgradeEditors();
