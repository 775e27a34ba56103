// Sets light or dark before the first paint, so this one is a plain script in the head. The choice stays in this browser.
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const stored = () => {
    try {
      return window.localStorage.getItem("theme");
    } catch {
      return null; // Storage can be forbidden; the system's theme is a good answer then.
    }
  };
  const choice = () => stored() || root.dataset.theme || "system";

  const apply = () => {
    const wanted = choice();
    root.dataset.bsTheme = wanted === "system" ? (dark.matches ? "dark" : "light") : wanted;
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === wanted));
    }
  };

  apply();
  dark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    try {
      window.localStorage.setItem("theme", button.dataset.themeChoice);
    } catch {
      root.dataset.theme = button.dataset.themeChoice;
    }
    apply();
  });
})();
