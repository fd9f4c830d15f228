// The filter of a page, and its contents on a small screen. The page is whole without it.
"use strict";

const filter = document.getElementById("filter");
const nothing = document.getElementById("nothing");
const contents = document.querySelector(".contents");
const articles = [...document.querySelectorAll("article")];
const entries = new Map(
  [...contents.querySelectorAll("a")].map((link) => [link.getAttribute("href").slice(1), link.parentElement]),
);
const texts = new Map(articles.map((article) => [article, article.textContent.toLowerCase()]));

function show() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const article of articles) {
    const fits = words.every((word) => texts.get(article).includes(word));
    article.hidden = !fits;
    const entry = entries.get(article.id);
    if (entry) entry.hidden = !fits;
    found += fits ? 1 : 0;
  }
  for (const section of document.querySelectorAll("main > section")) {
    section.hidden = !section.querySelector("article:not([hidden])");
  }
  for (const list of contents.querySelectorAll("ul")) {
    list.hidden = list.previousElementSibling.hidden = !list.querySelector("li:not([hidden])");
  }
  nothing.hidden = found > 0 || articles.length === 0;
}

filter.hidden = false;
filter.addEventListener("input", show);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== filter) {
    event.preventDefault();
    filter.focus();
  } else if (event.key === "Escape" && document.activeElement === filter) {
    filter.value = "";
    show();
    filter.blur();
  }
});

const small = window.matchMedia("(max-width: 60rem)");
const fit = () => (contents.open = !small.matches);
small.addEventListener("change", fit);
fit();
contents.addEventListener("click", (event) => {
  if (small.matches && event.target.closest("a")) contents.open = false;
});
