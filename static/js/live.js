// Everything around htmx: busy marks, focus, announcements, toasts, errors, polling that rests while nobody looks.

const announcer = document.getElementById("announcer");
const toasts = document.getElementById("toasts");
const MOST_TOASTS = 4;

let unsaid = [];

function announce(text) {
  // Two equal sentences in a row would be read once, and two at once only the last: empty the region, then say all.
  if (!unsaid.length) {
    announcer.textContent = "";
    window.setTimeout(() => {
      announcer.textContent = unsaid.join(". ");
      unsaid = [];
    }, 50);
  }
  unsaid.push(text);
}

// Toasts stay until somebody closes them; only a confirmation of a key press (brief) goes by itself.

function iconElement(name) {
  const sprite = document.querySelector("svg.ico use")?.getAttribute("href")?.split("#")[0] ?? "";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "ico");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${sprite}#i-${name}`);
  svg.append(use);
  return svg;
}

function toastMark(tone) {
  if (tone === "run") {
    const spin = document.createElement("span");
    spin.className = "spin";
    return spin;
  }
  return iconElement(tone === "success" ? "check" : "alert");
}

/** The same element as templates/components/toast.html; all text is set as text. */
function toast({text, tone = "", href = "", link = "Open", brief = false}) {
  if (!text) return;
  const box = document.createElement("div");
  box.className = `pop toast-note${tone ? ` toast-${tone}` : ""}`;
  box.dataset.toast = "";
  const words = document.createElement("span");
  words.className = "flex-fill";
  words.textContent = text;
  if (tone && tone !== "info") box.append(toastMark(tone));
  box.append(words);
  if (href.startsWith("/") && !href.startsWith("//")) {
    const anchor = document.createElement("a");
    anchor.className = "strong nowrap";
    anchor.href = href;
    anchor.textContent = link;
    box.append(anchor);
  }
  const close = document.createElement("button");
  close.type = "button";
  close.className = "iconbtn";
  close.setAttribute("aria-label", "Close");
  close.dataset.toastClose = "";
  close.append(iconElement("x"));
  box.append(close);
  toasts.append(box);
  while (toasts.children.length > MOST_TOASTS) toasts.firstElementChild.remove();
  announce(text);
  if (brief) window.setTimeout(() => box.remove(), 3000);
}

function readOutToasts(root) {
  const texts = [...root.querySelectorAll("[data-toast-text]")].map((element) => element.textContent.trim());
  if (texts.length) announce(texts.join(". "));
}

document.addEventListener("click", (event) => event.target.closest?.("[data-toast-close]")?.closest("[data-toast]").remove());
document.addEventListener("console:announce", (event) => announce(event.detail));
document.addEventListener("toast", (event) => toast(event.detail ?? {}));

// Busy: the part that will change says so from the first moment. A poll does not: the page would flicker every two seconds.

const busy = (event, isBusy) => {
  const target = event.detail.target ?? event.detail.elt;
  if (isBusy) target?.setAttribute("aria-busy", "true");
  else target?.removeAttribute("aria-busy");
};
document.addEventListener("htmx:beforeRequest", (event) => {
  const {elt} = event.detail;
  // By itself htmx would queue the second click of an impatient finger, and send it afterwards.
  if (elt.matches("form") && elt.dataset.sending) return event.preventDefault();
  if (elt.matches("form")) elt.dataset.sending = "yes";
  if (event.detail.requestConfig?.triggeringEvent) busy(event, true);
});
document.addEventListener("htmx:afterRequest", (event) => {
  delete event.detail.elt.dataset.sending;
  busy(event, false);
});

// Polling rests while the tab is hidden: a timer's request has no event behind it.

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && !event.detail.requestConfig?.triggeringEvent) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.body.dispatchEvent(new Event("awake"));
});

// Focus: htmx keeps it for elements with an id. For the others, find the one that stands in its place.

let focused = null;

function describe(element) {
  return {
    id: element.id,
    href: element.getAttribute("href"),
    name: element.getAttribute("name"),
    text: element.textContent.trim(),
    tag: element.tagName,
  };
}

function sameElement(target, was) {
  if (was.id) return document.getElementById(was.id);
  const candidates = [...target.querySelectorAll(was.tag)];
  return (
    candidates.find((other) => was.href && other.getAttribute("href") === was.href) ??
    candidates.find((other) => was.name && other.getAttribute("name") === was.name) ??
    candidates.find((other) => was.text && other.textContent.trim() === was.text)
  );
}

document.addEventListener("htmx:beforeSwap", (event) => {
  const active = document.activeElement;
  focused = active && active !== document.body && event.detail.target?.contains(active) ? describe(active) : null;
});
document.addEventListener("htmx:afterSettle", (event) => {
  if (!focused || (document.activeElement && document.activeElement !== document.body)) return;
  // After an outerHTML swap the old target is gone; the new one carries its id.
  const target = document.getElementById(event.detail.target?.id) ?? event.detail.elt ?? document.body;
  const again = sameElement(target, focused);
  focused = null;
  if (again) return again.focus({preventScroll: true});
  if (!target.hasAttribute("tabindex")) target.setAttribute("tabindex", "-1");
  target.focus({preventScroll: true});
});

// Announcements: what a fragment has to say is read out once per new sentence.

let lastSaid = "";
document.addEventListener("htmx:afterSettle", (event) => {
  const root = event.detail.elt;
  const speaker = root?.matches?.("[data-announce]") ? root : root?.querySelector?.("[data-announce]");
  const text = speaker?.dataset.announce;
  if (text && text !== lastSaid) announce((lastSaid = text));
});
document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (event.detail.target === toasts) readOutToasts(toasts);
});

// Tabs loaded by htmx: the strip stands outside of what is swapped.

document.addEventListener("htmx:afterOnLoad", (event) => {
  const tab = event.detail.elt?.closest?.(".tabs a");
  if (!tab || !event.detail.successful) return;
  for (const other of tab.parentElement.querySelectorAll("a")) other.removeAttribute("aria-current");
  tab.setAttribute("aria-current", "page");
  announce(`${tab.textContent.trim()} shown`);
});

// Errors become toasts with what to do. (A session that ended: the server sends the whole page to sign-in.)

const REASONS = {
  400: "The request was not understood. Reload the page and try again.",
  403: "Not allowed. Your access may have changed, or the page is too old: reload it.",
  404: "This is not here any more. Reload the page.",
  409: "Somebody changed this meanwhile. Reload the page to see it.",
  413: "That is too large to send.",
  419: "The page is too old. Reload it and try again.",
  429: "Too many requests. Wait a moment and try again.",
  503: "The console is busy. Try again in a moment.",
};

let lastError = "";
function fail(event, text) {
  const isPoll = !event.detail.requestConfig?.triggeringEvent;
  if (isPoll && text === lastError) return; // A poll that keeps failing says so once.
  lastError = text;
  toast({text, tone: "error"});
}

document.addEventListener("htmx:responseError", (event) => {
  const {status} = event.detail.xhr;
  const id = event.detail.xhr.getResponseHeader("X-Request-ID");
  const reason = REASONS[status] ?? "Something went wrong here; it is in our log. Try again.";
  fail(event, id ? `${reason} Request id ${id}` : reason);
});
document.addEventListener("htmx:sendError", (event) => fail(event, "The console cannot be reached. Check the connection and try again."));
document.addEventListener("htmx:timeout", (event) => fail(event, "The console did not answer in time. Try again."));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) lastError = "";
});

readOutToasts(toasts);
