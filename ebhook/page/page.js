"use strict";
(() => {
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const rows = () => [...document.querySelectorAll("#fleet tbody tr")];
  const all = [...document.querySelectorAll("[data-text]")];
  const find = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const one of all) one.hidden = !words.every((word) => one.dataset.text.includes(word));
    shown.textContent = `${rows().filter((row) => !row.hidden).length} of ${rows().length} tenants`;
  };
  search.addEventListener("input", find);
  for (const button of document.querySelectorAll("#fleet th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const column = [...head.parentNode.children].indexOf(head);
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.children[column].dataset.key ?? row.children[column].textContent;
      const order = new Intl.Collator("en", { numeric: true });
      const sorted = rows().sort((a, b) => (down ? -1 : 1) * order.compare(key(a), key(b)));
      document.querySelector("#fleet tbody").append(...sorted);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && document.activeElement !== search) { event.preventDefault(); search.focus(); return; }
    if (event.key === "Escape" && document.activeElement === search) { search.value = ""; find(); return; }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const visible = rows().filter((row) => !row.hidden);
    const at = visible.indexOf(document.activeElement);
    if (at < 0 && document.activeElement !== search) return;
    const next = visible[event.key === "ArrowDown" ? at + 1 : Math.max(at, 1) - 1];
    if (next) { event.preventDefault(); next.focus(); }
  });
  find();
})();
