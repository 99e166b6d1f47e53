"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const list = byId("cards");
  const cards = [...list.children];
  const sorts = [...document.querySelectorAll("[data-sort]")];
  const mechanisms = [...document.querySelectorAll("[name=mechanism]")];
  const [low, high] = [byId("low"), byId("high")];
  const collator = new Intl.Collator("en", { numeric: true });

  function sort(key, direction) {
    const order = (a, b) => key === "mechanism"
      ? collator.compare(a.dataset[key], b.dataset[key])
      : a.dataset[key] - b.dataset[key];
    cards.sort((a, b) => direction * order(a, b) || a.dataset.index - b.dataset.index);
    list.append(...cards);
    for (const button of sorts) {
      const isOn = button.dataset.sort === key;
      button.setAttribute("aria-pressed", isOn);
      button.dataset.direction = isOn ? (direction > 0 ? "up" : "down") : "";
    }
  }

  function filter() {
    const wanted = new Set(mechanisms.filter((box) => box.checked).map((box) => box.value));
    const material = byId("material")?.value ?? "*";
    const [from, to] = [low.valueAsNumber, high.valueAsNumber];
    const isAll = low.value === low.min && high.value === high.max;
    for (const card of cards) {
      const { mechanism, visibility, material: own } = card.dataset;
      const isIn = isAll || (visibility !== "" && from <= visibility && visibility <= to);
      card.hidden = !(wanted.has(mechanism) && isIn && (material === "*" || material === own));
    }
    const shown = cards.filter((card) => !card.hidden).length;
    byId("count").textContent = `${shown} of ${cards.length}`;
    byId("none").hidden = shown > 0;
    [byId("lowest").textContent, byId("highest").textContent] = [low.value, high.value];
    const share = (end) => `${(100 * (end.value - end.min)) / (end.max - end.min || 1)}%`;
    low.parentElement.style.setProperty("--from", share(low));
    low.parentElement.style.setProperty("--to", low.min === low.max ? "100%" : share(high));
  }

  // the ends of the range push each other; the one that has no room to go lies below
  low.addEventListener("input", () => { if (low.valueAsNumber > high.valueAsNumber) high.value = low.value; });
  high.addEventListener("input", () => { if (high.valueAsNumber < low.valueAsNumber) low.value = high.value; });
  const raise = () => { low.style.zIndex = low.value === low.max ? 1 : 0; };
  const form = document.querySelector(".controls");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { raise(); filter(); outlines(); });
  for (const button of sorts) {
    button.addEventListener("click", () => {
      const key = button.dataset.sort;
      const first = key === "index" || key === "mechanism" ? 1 : -1;
      sort(key, button.dataset.direction === (first > 0 ? "up" : "down") ? -first : first);
    });
  }
  for (const button of document.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => {
      for (const box of mechanisms) box.checked = button.dataset.all !== "";
      filter();
    });
  }
  function outlines() {
    document.body.classList.toggle("no-outlines", !byId("outlines").checked);
  }

  const viewer = byId("viewer");
  const big = viewer.querySelector(".big");
  let viewed = null;
  function fit() {
    const stack = big.querySelector(".stack");
    if (!stack) return;
    const [width, height] = ["width", "height"].map((side) => Number(stack.querySelector("img").getAttribute(side)));
    // all of it on the screen, but where that would be small: the dialog scrolls
    const whole = ((innerHeight - 190) * width) / height;
    stack.style.width = `${Math.floor(Math.min(big.clientWidth, Math.max(whole, 560)))}px`;
  }
  function view(card) {
    viewed = card;
    const { index, mechanism, photo } = card.dataset;
    byId("viewed").textContent = `Sample ${index}: ${mechanism}${photo ? ` on ${photo}` : ""}`;
    const copy = card.querySelector(".view .stack").cloneNode(true);
    for (const img of copy.querySelectorAll("img")) img.loading = "eager";
    big.replaceChildren(copy);
    viewer.querySelector(".facts").replaceChildren(
      ...[...card.querySelectorAll("details > :not(summary)")].map((part) => part.cloneNode(true)));
    show();
    if (!viewer.open) viewer.showModal();
    fit();
  }
  function show() {
    const chosen = viewer.querySelector("[name=shown]:checked").value;
    for (const way of ["bad", "good", "turns"]) big.classList.toggle(`shows-${way}`, way === chosen);
    viewer.classList.toggle("no-outline", !byId("outline").checked);
  }
  function step(by) {
    const shown = cards.filter((card) => !card.hidden);
    const at = shown.indexOf(viewed);
    if (shown.length) view(shown[(at + by + shown.length) % shown.length]);
  }
  list.addEventListener("click", (event) => {
    const card = event.target.closest("li");
    if (event.target.closest(".view")) {
      byId("outline").checked = byId("outlines").checked;
      view(card);
    }
    const turn = event.target.closest(".turn");
    if (turn) turn.setAttribute("aria-pressed", card.classList.toggle("turning"));
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer || event.target.closest("[data-close]")) viewer.close();
    const button = event.target.closest("[data-step]");
    if (button) step(Number(button.dataset.step));
  });
  viewer.addEventListener("input", show);
  viewer.addEventListener("keydown", (event) => {
    if (event.target.matches("[type=radio]")) return; // there the arrows choose
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  viewer.addEventListener("close", () => {
    big.replaceChildren();
    viewed?.querySelector(".view").focus();
  });
  addEventListener("resize", fit);

  sort("index", 1);
  filter(); // the browser may have kept what was chosen
  outlines();
})();
