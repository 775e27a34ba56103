// The JSON editor over <textarea data-editor="json">. The field stays what the form sends; without this script it is all there is.
// page.js imports this module where such a field stands; CodeMirror itself comes from the address the field names.

const PATIENCE = 400; // Milliseconds without a key before mistakes are looked for.
const SECRET = /\{\s*"\$secret"\s*:\s*"([0-9a-f]{4,64})"\s*\}/g;

// --- Checking ---------------------------------------------------------------------------------------------------------
// Our own reader instead of JSON.parse: each browser words its errors differently, some without a place, and none of
// them says that a name stands twice, of which the vendor would keep one without a word.

const BLANK = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const LOOSE = /[\w$.+-]+/y;

class Mistake extends Error {
  constructor(text, from, to = from + 1) {
    super(text);
    this.from = from;
    this.to = to;
  }
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.twice = [];
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found && found[0];
  }

  peek() {
    this.match(BLANK);
    return this.text[this.at] ?? "";
  }

  /** Reads the whole document; a stack instead of recursion, so that depth costs nothing. */
  read() {
    const open = [];
    do {
      this.value(open);
      this.close(open);
    } while (open.length);
    if (this.peek()) throw new Mistake("Nothing may follow the end of the document", this.at, this.text.length);
  }

  /** One value; what opens an object or a list goes on the stack, with its first name read. */
  value(open) {
    for (;;) {
      const sign = this.peek();
      if (sign === '"') return this.string();
      if (sign !== "{" && sign !== "[") return this.word(sign);
      const box = {end: sign === "{" ? "}" : "]", names: sign === "{" ? new Set() : null};
      this.at += 1;
      if (this.peek() === box.end) {
        this.at += 1;
        return "";
      }
      open.push(box);
      if (box.names) this.name(box);
    }
  }

  /** After a value: a comma and the next one, or the ends of what is open. */
  close(open) {
    while (open.length) {
      const box = open.at(-1);
      const sign = this.peek();
      if (sign === ",") {
        const comma = this.at;
        this.at += 1;
        if (this.peek() === box.end) throw new Mistake(`One comma too many before “${box.end}”`, comma);
        if (box.names) this.name(box);
        return;
      }
      if (sign !== box.end) throw this.notClosed(box, sign);
      this.at += 1;
      open.pop();
    }
  }

  name(box) {
    const sign = this.peek();
    const from = this.at;
    if (sign === "'") throw new Mistake("Names stand in double quotes", from);
    if (sign !== '"') {
      const loose = this.match(LOOSE);
      if (loose) throw new Mistake("Names stand in double quotes", from, this.at);
      throw new Mistake(sign ? "A name in double quotes is missing here" : "The document ends too early", from);
    }
    const name = JSON.parse(this.string());
    if (box.names.has(name)) this.twice.push({name, from, to: this.at});
    box.names.add(name);
    if (this.peek() !== ":") throw new Mistake("A colon is missing after the name", this.at);
    this.at += 1;
  }

  string() {
    const from = this.at;
    const found = this.match(STRING);
    if (found !== null) return found;
    const end = this.text.slice(from).search(/[\n\r]|$/);
    throw new Mistake("A text is not closed, or holds a character that wants a backslash before it", from, from + Math.max(end, 1));
  }

  word(sign) {
    const found = this.match(NUMBER) ?? this.match(WORD);
    if (found === null) throw this.unexpected(sign);
    const from = this.at;
    if (this.match(LOOSE)) throw new Mistake("Not a number, true, false or null", from - found.length, this.at);
    return found;
  }

  unexpected(sign) {
    const from = this.at;
    if (!sign) return new Mistake("The document ends too early", from);
    if (sign === "'") return new Mistake("Texts stand in double quotes", from);
    if (sign === "," || sign === "]" || sign === "}") return new Mistake("A value is missing here", from);
    const isLoose = this.match(LOOSE);
    return new Mistake(isLoose ? "Texts stand in double quotes" : "A value cannot begin like this", from, Math.max(this.at, from + 1));
  }

  notClosed(box, sign) {
    if (!sign) return new Mistake(`The document ends too early: “${box.end}” is missing`, this.at);
    if (sign === "}" || sign === "]") return new Mistake(`“${box.end}” should stand here`, this.at);
    return new Mistake(`A comma or “${box.end}” is missing before this`, this.at);
  }
}

/** What is wrong with a text: [{from, to, severity, message}], in its order; none for an empty field. */
export function check(text, knownSecrets = null) {
  if (!text.trim()) return [];
  const reader = new Reader(text);
  const problems = [];
  try {
    reader.read();
  } catch (problem) {
    if (!(problem instanceof Mistake)) throw problem;
    problems.push({from: problem.from, to: problem.to, severity: "error", message: problem.message});
  }
  for (const {name, from, to} of reader.twice) {
    problems.push({from, to, severity: "error", message: `The name ${JSON.stringify(name)} stands twice in one object`});
  }
  for (const found of knownSecrets ? text.matchAll(SECRET) : []) {
    if (knownSecrets.has(found[1])) continue;
    const message = "This document holds no such secret; put the value itself here";
    problems.push({from: found.index, to: found.index + found[0].length, severity: "error", message});
  }
  return problems
    .map((problem) => ({...problem, from: Math.min(problem.from, text.length), to: Math.min(problem.to, text.length)}))
    .sort((one, other) => one.from - other.from);
}

// --- Looks ------------------------------------------------------------------------------------------------------------
// Only custom properties of console.css, so that both themes and a change of theme need nothing here.

function looks(cm) {
  const theme = cm.EditorView.theme({
    "&": {color: "var(--c-text)", backgroundColor: "var(--c-surface)", fontSize: "var(--t-xs)", borderRadius: "var(--r)"},
    "&.cm-focused": {outline: "none"},
    ".cm-scroller": {fontFamily: "var(--tblr-font-monospace)", lineHeight: "1.25rem", maxHeight: "60vh"},
    ".cm-content, .cm-gutter": {minHeight: "10rem"},
    ".cm-content": {caretColor: "var(--c-text)", padding: "var(--s2) 0"},
    ".cm-cursor, .cm-dropCursor": {borderLeftColor: "var(--c-text)"},
    ".cm-gutters": {backgroundColor: "var(--c-sunken)", color: "var(--c-muted)", borderRight: "1px solid var(--c-line)", borderRadius: "var(--r) 0 0 var(--r)"},
    ".cm-activeLine": {backgroundColor: "color-mix(in oklab, var(--c-tint) 45%, transparent)"},
    ".cm-activeLineGutter": {backgroundColor: "var(--c-tint)", color: "var(--c-text)"},
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
      background: "color-mix(in oklab, var(--c-accent) 28%, transparent)",
    },
    "&.cm-focused .cm-matchingBracket": {backgroundColor: "transparent", outline: "1px solid var(--c-accent)"},
    "&.cm-focused .cm-nonmatchingBracket": {backgroundColor: "var(--c-bad-tint)"},
    ".cm-selectionMatch": {backgroundColor: "var(--c-warn-tint)"},
    ".cm-searchMatch": {backgroundColor: "var(--c-warn-tint)", outline: "1px solid var(--c-warn)"},
    ".cm-searchMatch.cm-searchMatch-selected": {backgroundColor: "var(--c-tint)", outline: "2px solid var(--c-accent)"},
    ".cm-foldGutter span": {padding: "0 .125rem", cursor: "pointer"},
    ".cm-foldPlaceholder": {background: "var(--c-sunken)", border: "1px solid var(--c-line-strong)", color: "var(--c-muted)", padding: "0 .375rem"},
    ".cm-lintRange-error": {backgroundImage: "none", textDecoration: "underline wavy var(--c-bad)", textUnderlineOffset: "3px"},
    ".cm-lintPoint::after": {borderBottomColor: "var(--c-bad)"},
    ".cm-tooltip": {background: "var(--c-surface)", color: "var(--c-text)", border: "1px solid var(--c-line-strong)", borderRadius: "var(--r)"},
    ".cm-diagnostic": {padding: "var(--s1) var(--s2)", fontFamily: "var(--tblr-font-sans-serif)"},
    ".cm-diagnostic-error": {borderLeft: "3px solid var(--c-bad)"},
    ".cm-panels": {background: "var(--c-sunken)", color: "var(--c-text)", borderColor: "var(--c-line)"},
    ".cm-panels.cm-panels-bottom": {borderTop: "1px solid var(--c-line)"},
    ".cm-panel.cm-search": {fontFamily: "var(--tblr-font-sans-serif)", padding: "var(--s2)"},
    ".cm-panel.cm-search label": {fontSize: "var(--t-xs)", display: "inline-flex", alignItems: "center", gap: "var(--s1)"},
    ".cm-textfield": {background: "var(--c-surface)", color: "var(--c-text)", border: "1px solid var(--c-field)", borderRadius: "4px", fontSize: "var(--t-xs)"},
    ".cm-button": {background: "var(--c-surface)", color: "var(--c-text)", border: "1px solid var(--c-line-strong)", borderRadius: "4px", fontSize: "var(--t-xs)"},
    ".cm-panel.cm-search [name=close]": {color: "var(--c-muted)", fontSize: "1rem", padding: "0 .375rem"},
  });
  const {tags} = cm;
  const style = cm.HighlightStyle.define([
    {tag: tags.propertyName, color: "var(--c-accent)"},
    {tag: tags.string, color: "var(--c-ok)"},
    {tag: [tags.number, tags.bool, tags.null], color: "var(--c-warn)"},
    {tag: [tags.separator, tags.squareBracket, tags.brace], color: "var(--c-muted)"},
  ]);
  return [theme, cm.syntaxHighlighting(style)];
}

// --- Secrets ----------------------------------------------------------------------------------------------------------
// {"$secret": "7f3a0c21"} stands for a secret the page must not know. It looks like one thing and moves like one.

function secretMarks(cm) {
  class Chip extends cm.WidgetType {
    constructor(fingerprint) {
      super();
      this.fingerprint = fingerprint;
    }

    eq(other) {
      return other.fingerprint === this.fingerprint;
    }

    toDOM() {
      const chip = document.createElement("span");
      chip.className = "secret-chip";
      chip.textContent = `secret · set · ${this.fingerprint.slice(0, 4)}`;
      return chip;
    }

    ignoreEvent() {
      return false;
    }
  }

  const marked = (doc) => {
    const builder = new cm.RangeSetBuilder();
    for (const found of doc.toString().matchAll(SECRET)) {
      const decoration = cm.Decoration.replace({widget: new Chip(found[1])});
      builder.add(found.index, found.index + found[0].length, decoration);
    }
    return builder.finish();
  };
  // A state field and not a view plugin: most of these objects span three lines, which only a field may replace.
  const marks = cm.StateField.define({
    create: (state) => marked(state.doc),
    update: (value, transaction) => (transaction.docChanged ? marked(transaction.newDoc) : value),
    provide: (field) => [
      cm.EditorView.decorations.from(field),
      cm.EditorView.atomicRanges.of((view) => view.state.field(field)),
    ],
  });
  // A click chooses the whole of it: what is typed next takes its place.
  const choose = cm.EditorView.domEventHandlers({
    mousedown(event, view) {
      const chip = event.target.closest?.(".secret-chip");
      if (!chip) return false;
      const at = view.posAtDOM(chip);
      view.state.field(marks).between(at, at, (from, to) => view.dispatch({selection: {anchor: from, head: to}}));
      view.focus();
      return true;
    },
  });
  return [marks, choose];
}

// --- The field and its editor -----------------------------------------------------------------------------------------

/** Writes the first mistake beside the field; the place is a live region, so it is read out as well. */
class Report {
  constructor(field) {
    this.place = field.querySelector("[data-editor-problem]");
    this.goTo = field.querySelector("[data-editor-go]");
    this.wasWrong = false;
  }

  show(doc, problems, content) {
    const [first] = problems;
    if (first) content.setAttribute("aria-invalid", "true");
    else content.removeAttribute("aria-invalid");
    if (this.goTo) this.goTo.hidden = !first;
    if (!this.place) return;
    const words = first ? sentence(doc, problems) : this.wasWrong ? "No mistakes left." : "";
    if (this.place.textContent !== words) this.place.textContent = words;
    this.place.classList.toggle("is-right", !first);
    this.wasWrong = this.wasWrong || Boolean(first);
  }
}

function sentence(doc, problems) {
  const [first] = problems;
  const line = doc.lineAt(Math.min(first.from, doc.length));
  const more = problems.length > 1 ? ` And ${problems.length - 1} more.` : "";
  return `Line ${line.number}, column ${first.from - line.from + 1}: ${first.message}.${more}`;
}

/** Ties the label, the help and the errors of the field to the part that now has the focus. */
function attributes(field, textarea, label) {
  const described = [...field.querySelectorAll(".help, .err[id], [data-editor-problem]")].filter((note) => note.id);
  const given = {tabindex: "0", "aria-describedby": described.map((note) => note.id).join(" "), spellcheck: "false", autocorrect: "off", autocapitalize: "off"};
  if (label) given["aria-labelledby"] = label.id;
  else given["aria-label"] = textarea.getAttribute("aria-label") ?? "JSON";
  if (textarea.required) given["aria-required"] = "true";
  return given;
}

function takeOver(textarea, label, view) {
  // Still in the page and in the form; who jumps to it (a link of an error, a browser's complaint) lands in the editor.
  textarea.classList.add("visually-hidden");
  textarea.tabIndex = -1;
  textarea.setAttribute("aria-hidden", "true");
  textarea.addEventListener("focus", () => view.focus());
  if (!label) return;
  label.removeAttribute("for");
  label.addEventListener("click", () => view.focus());
}

/**
 * Text typed over a selection goes into the document by ourselves. Left to it, Chromium keeps the look of what it replaces
 * by an inline style, which the content security policy refuses with a report.
 */
function typeOver(cm) {
  return cm.EditorView.domEventHandlers({
    beforeinput(event, view) {
      const isOurs = event.inputType === "insertText" && event.data && !view.composing && !view.state.readOnly;
      if (!isOurs || view.state.selection.main.empty) return false;
      view.dispatch(view.state.replaceSelection(event.data), {userEvent: "input.type", scrollIntoView: true});
      event.preventDefault();
      return true;
    },
  });
}

const editors = new Map();

/** The editor follows the field where something else writes into it: a reset, a page that comes back, another script. */
function follow(textarea) {
  const view = editors.get(textarea);
  if (!view || view.state.doc.toString() === textarea.value) return;
  view.dispatch({changes: {from: 0, to: view.state.doc.length, insert: textarea.value}});
}

function extensions(cm, textarea, field, label) {
  const report = new Report(field);
  const known = new Set([...textarea.defaultValue.matchAll(SECRET)].map((found) => found[1]));
  const source = (view) => {
    const problems = check(view.state.doc.toString(), known);
    report.show(view.state.doc, problems, view.contentDOM);
    return problems;
  };
  const write = cm.EditorView.updateListener.of((update) => {
    if (!update.docChanged) return;
    textarea.value = update.state.doc.toString();
    textarea.dispatchEvent(new Event("input", {bubbles: true}));
  });
  const isFixed = textarea.readOnly || textarea.disabled;
  return [
    cm.EditorView.cspNonce.of(document.querySelector("script[nonce]")?.nonce ?? ""),
    cm.EditorState.readOnly.of(isFixed),
    cm.EditorView.contentAttributes.of(attributes(field, textarea, label)),
    cm.lineNumbers(), cm.foldGutter({openText: "▾", closedText: "▸"}), cm.codeFolding(), cm.lintGutter(),
    cm.history(), cm.drawSelection(), cm.indentOnInput(), cm.indentUnit.of("  "), cm.bracketMatching(),
    cm.highlightActiveLine(), cm.highlightActiveLineGutter(), cm.highlightSpecialChars(), cm.highlightSelectionMatches({minSelectionLength: 3}),
    cm.EditorView.lineWrapping, cm.bidiIsolates(), cm.json(), cm.search(), cm.linter(source, {delay: PATIENCE}), secretMarks(cm), typeOver(cm),
    // No binding for Tab: it goes on to the next field, as everywhere else in a form.
    cm.keymap.of([...cm.defaultKeymap, ...cm.historyKeymap, ...cm.foldKeymap, ...cm.searchKeymap, ...cm.lintKeymap]),
    looks(cm), write,
  ];
}

function place(cm, textarea) {
  const field = textarea.closest("[data-json-editor]") ?? textarea.parentElement;
  const label = textarea.labels[0] ?? null;
  if (label && !label.id) label.id = `${textarea.id}_label`;
  const state = cm.EditorState.create({doc: textarea.value, extensions: extensions(cm, textarea, field, label)});
  const view = new cm.EditorView({state});
  const box = document.createElement("div");
  box.className = "json-editor";
  box.append(view.dom);
  textarea.before(box);
  editors.set(textarea, view);
  const hadFocus = document.activeElement === textarea;
  takeOver(textarea, label, view);
  for (const keys of field.querySelectorAll("[data-editor-keys]")) keys.hidden = false;
  field.querySelector("[data-editor-go]")?.addEventListener("click", () => {
    cm.nextDiagnostic(view);
    view.focus();
  });
  textarea.addEventListener("change", () => follow(textarea));
  textarea.form?.addEventListener("reset", () => window.setTimeout(() => follow(textarea)));
  if (hadFocus) view.focus();
  if (textarea.value.trim()) cm.forceLinting(view);
}

/** Puts an editor over each of these fields; one that has one already is left alone. */
export async function enhance(textareas) {
  for (const textarea of textareas) {
    if (textarea.dataset.editorOn) continue;
    textarea.dataset.editorOn = "yes"; // Before waiting, so that a second call does not place a second editor.
    try {
      place(await import(textarea.dataset.editorLibrary), textarea);
    } catch (problem) {
      delete textarea.dataset.editorOn;
      throw problem;
    }
  }
}

/** Lets go of the editors whose fields a swap has taken out of the page. */
function tidy() {
  for (const [textarea, view] of editors) {
    if (textarea.isConnected) continue;
    view.destroy();
    editors.delete(textarea);
  }
}

document.addEventListener("htmx:afterSettle", tidy);
// The browser puts typed text back into fields after the page has been built, and keeps whole pages for "back".
window.addEventListener("pageshow", () => [...editors.keys()].forEach(follow));
