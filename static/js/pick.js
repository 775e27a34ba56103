// Choosing rows: check boxes in a table belong to a form beside it (form="..."), which says how many are chosen.
// Without scripts the boxes and the buttons work; only the count and "all on this page" are missing.

const boxesOf = (form) => [...form.elements].filter((element) => element.matches("[data-pick]"));

function show(form) {
  const boxes = boxesOf(form);
  const chosen = boxes.filter((box) => box.checked).length;
  const item = form.dataset.picking;
  const count = form.querySelector("[data-picked]");
  if (count) count.textContent = chosen ? `${chosen} ${item}${chosen === 1 ? "" : "s"} chosen` : `Choose ${item}s`;
  for (const box of boxes) box.closest("tr")?.setAttribute("aria-selected", String(box.checked));
  for (const button of form.querySelectorAll("[data-needs-pick]")) {
    // Not `disabled`: the button keeps its place in the order of tabs.
    if (chosen) button.removeAttribute("aria-disabled");
    else button.setAttribute("aria-disabled", "true");
  }
  for (const all of document.querySelectorAll(`[data-pick-all="${form.id}"]`)) {
    all.hidden = false;
    all.checked = chosen > 0 && chosen === boxes.length;
    all.indeterminate = chosen > 0 && chosen < boxes.length;
  }
}

const showAll = () => document.querySelectorAll("form[data-picking]").forEach(show);

document.addEventListener("change", (event) => {
  const {target} = event;
  if (target.matches?.("[data-pick]") && target.form) return show(target.form);
  const form = target.matches?.("[data-pick-all]") && document.getElementById(target.dataset.pickAll);
  if (!form) return;
  for (const box of boxesOf(form)) box.checked = target.checked;
  show(form);
});
document.addEventListener("submit", (event) => {
  if (event.submitter?.matches("[data-needs-pick][aria-disabled=true]")) event.preventDefault();
});

// A list that looks again draws its rows anew: what was chosen stays chosen.

let kept = new Map();
document.addEventListener("htmx:beforeSwap", () => {
  kept = new Map();
  for (const form of document.querySelectorAll("form[data-picking]")) {
    kept.set(form.id, new Set(boxesOf(form).filter((box) => box.checked).map((box) => box.value)));
  }
});
document.addEventListener("htmx:afterSettle", () => {
  for (const form of document.querySelectorAll("form[data-picking]")) {
    const values = kept.get(form.id);
    if (values) for (const box of boxesOf(form)) if (values.has(box.value)) box.checked = true;
    show(form);
  }
});
window.addEventListener("pageshow", showAll);
showAll();
