// The shell: tenant switcher, keyboard, tooltips of disabled actions, sending a form once.

const isTyping = (element) => element?.closest?.("input, textarea, select, [contenteditable]") != null;

// Tenant switcher: a text field over a list box; the focus stays in the field while arrows move the choice.

const RECENT = "recent-tenants";

function recentTenants() {
  try {
    return JSON.parse(window.localStorage.getItem(RECENT) || "[]");
  } catch {
    return [];
  }
}

function rememberTenant(slug) {
  const slugs = [slug, ...recentTenants().filter((other) => other !== slug)].slice(0, 8);
  try {
    window.localStorage.setItem(RECENT, JSON.stringify(slugs));
  } catch {
    // Without storage the list keeps the server's order.
  }
}

function setUpSwitcher() {
  const button = document.getElementById("switch-button");
  if (!button) return;
  const pop = document.getElementById("switch-pop");
  const field = document.getElementById("switch-filter");
  const list = document.getElementById("switch-list");
  const none = document.getElementById("switch-none");
  const all = document.getElementById("switch-all");
  const search = document.getElementById("switch-search");
  const shown = () => [...list.children].filter((option) => !option.hidden);

  const here = window.location.pathname.match(/^\/t\/([^/]+)\//);
  if (here && document.getElementById(`switch-${here[1]}`)) rememberTenant(here[1]);

  function choose(option) {
    for (const other of list.children) other.setAttribute("aria-selected", String(other === option));
    if (!option) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({block: "nearest"});
  }

  function filter() {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = [...list.children].filter((option) => {
      const text = option.dataset.find.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    // The way back to all tenants never leaves the list.
    for (const option of list.children) option.hidden = option !== all && !matches.includes(option);
    none.hidden = matches.length > 0;
    // Somebody with very many tenants has only the first of them in the list; the search knows all.
    search.search = new URLSearchParams({q: field.value.trim()}).toString();
    choose(matches[0]);
  }

  function sortRecentFirst() {
    for (const slug of recentTenants().reverse()) {
      const option = document.getElementById(`switch-${slug}`);
      if (option) list.prepend(option);
    }
    list.append(all);
  }

  function open() {
    sortRecentFirst();
    pop.hidden = false;
    button.setAttribute("aria-expanded", "true");
    field.value = "";
    filter();
    field.focus();
  }

  function close({refocus = true} = {}) {
    if (pop.hidden) return;
    pop.hidden = true;
    button.setAttribute("aria-expanded", "false");
    if (refocus) button.focus();
  }

  button.addEventListener("click", () => (pop.hidden ? open() : close()));
  field.addEventListener("input", filter);
  field.addEventListener("keydown", (event) => {
    const options = shown();
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const moves = {ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: options.length - 1};
    if (event.key in moves && options.length) {
      event.preventDefault();
      choose(options[(moves[event.key] + options.length) % options.length]);
    } else if (event.key === "Enter" && options[at]) {
      event.preventDefault();
      window.location.assign(options[at].dataset.href);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation(); // Otherwise the drawer around it closes too.
      close();
    }
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    if (event.ctrlKey || event.metaKey) window.open(option.dataset.href, "_blank", "noopener");
    else window.location.assign(option.dataset.href);
  });
  pop.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !pop.contains(event.relatedTarget)) close({refocus: false});
  });
  document.addEventListener("pointerdown", (event) => {
    if (!document.getElementById("switcher").contains(event.target)) close({refocus: false});
  });
}

/** The sidebar may be a closed drawer; its parts can be focused only once it is open. */
function withDrawer(then) {
  const drawer = document.getElementById("nav");
  const opener = document.querySelector('[data-bs-target="#nav"]');
  const isDrawer = opener && getComputedStyle(opener).display !== "none";
  if (!drawer || !isDrawer || drawer.classList.contains("show")) return then();
  drawer.addEventListener("shown.bs.offcanvas", then, {once: true});
  opener.click();
}

// Keyboard: "/" searches, "g" and a letter goes somewhere.

let afterG = 0;

function onKey(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "/") {
    const search = document.getElementById("q-everything");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
    return;
  }
  if (event.key === "g") {
    afterG = event.timeStamp;
    return;
  }
  if (!afterG || event.timeStamp - afterG > 1500) return;
  afterG = 0;
  if (event.key === "t" && document.getElementById("switch-button")) {
    event.preventDefault();
    withDrawer(() => document.getElementById("switch-button").click());
    return;
  }
  const link = /^[a-z]$/.test(event.key) && document.querySelector(`a[data-go="${event.key}"]`);
  if (link) {
    event.preventDefault();
    link.click();
  }
}

// A disabled action keeps its place and its reason; it only does nothing. Its tooltip closes on Escape.

function holdDisabled(event) {
  const control = event.target.closest?.('[aria-disabled="true"]');
  if (!control) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

function onEscape(event) {
  if (event.key !== "Escape") return;
  for (const why of document.querySelectorAll(".why")) {
    if (why.matches(":hover, :focus-within")) why.classList.add("why-closed");
  }
}

function reopenTooltip(event) {
  const why = event.target.closest?.(".why");
  if (why && !why.contains(event.relatedTarget)) why.classList.remove("why-closed");
}

// A form is sent once; coming back to the page makes it whole again.

function sendOnce(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.target === "_blank") return;
  if (form.hasAttribute("hx-post")) return; // live.js does the same for htmx.
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
}

function makeWhole() {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
}

function askFirst(event) {
  const question = event.target.dataset?.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}

setUpSwitcher();
document.addEventListener("keydown", onKey);
document.addEventListener("keydown", onEscape);
document.addEventListener("click", holdDisabled, {capture: true});
document.addEventListener("submit", askFirst, {capture: true});
document.addEventListener("submit", sendOnce);
document.addEventListener("pointerout", reopenTooltip);
document.addEventListener("focusout", reopenTooltip);
window.addEventListener("pageshow", (event) => event.persisted && makeWhole());
