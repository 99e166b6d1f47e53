"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const list = byId("cards");
  const cards = [...list.children];
  const buttons = [...document.querySelectorAll("[data-sort]")];
  const collator = new Intl.Collator("en", { numeric: true });
  const isNumber = (key) => key === "score" || key === "misranked";
  const filters = ["category", "kind", "search"].map(byId).filter(Boolean);

  function sort(key, direction) {
    const order = (a, b) => isNumber(key)
      ? a.dataset[key] - b.dataset[key]
      : collator.compare(a.dataset[key], b.dataset[key]);
    const byName = (a, b) => collator.compare(a.dataset.name, b.dataset.name);
    cards.sort((a, b) => direction * order(a, b) || byName(a, b));
    list.append(...cards);
    for (const button of buttons) {
      const isOn = button.dataset.sort === key;
      button.setAttribute("aria-pressed", isOn);
      button.dataset.direction = isOn ? (direction > 0 ? "up" : "down") : "";
    }
  }

  function matches(card) {
    const { category, name, kind, class: label } = card.dataset;
    const wanted = byId("kind").value;
    const isKind = !wanted || wanted === label || (label === "bad" && wanted === "kind:" + kind);
    const isCategory = !byId("category")?.value || byId("category").value === category;
    return isKind && isCategory && name.toLowerCase().includes(byId("search").value.trim().toLowerCase());
  }

  function filter() {
    for (const card of cards) card.hidden = !matches(card);
    const shown = cards.filter((card) => !card.hidden).length;
    byId("count").textContent = `${shown} of ${cards.length}`;
    byId("none").hidden = shown > 0;
  }

  for (const button of buttons) {
    button.addEventListener("click", () => {
      const first = isNumber(button.dataset.sort) ? -1 : 1;
      const isAgain = button.dataset.direction === (first > 0 ? "up" : "down");
      sort(button.dataset.sort, isAgain ? -first : first);
    });
  }
  for (const control of filters) control.addEventListener("input", filter);

  const viewer = byId("viewer");
  let viewed = null;
  function view(card) {
    viewed = card;
    byId("viewed").textContent = card.dataset.name;
    viewer.querySelector(".pictures").replaceChildren(...[...card.querySelectorAll("img")].map((img) => {
      const figure = document.createElement("figure");
      const caption = document.createElement("figcaption");
      caption.textContent = img.alt;
      const copy = img.cloneNode();
      copy.loading = "eager";
      figure.append(caption, copy);
      return figure;
    }));
    if (!viewer.open) viewer.showModal();
  }
  function step(by) {
    const shown = cards.filter((card) => !card.hidden && card.querySelector("img"));
    view(shown[(shown.indexOf(viewed) + by + shown.length) % shown.length]);
  }
  list.addEventListener("click", (event) => {
    if (event.target.closest(".pictures")) view(event.target.closest("li"));
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer || event.target.closest("[data-close]")) viewer.close();
    const button = event.target.closest("[data-step]");
    if (button) step(Number(button.dataset.step));
  });
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });

  sort("misranked", -1);
  filter(); // the browser may have kept what was typed
})();
