// The controls, and everything that follows when one of them is moved.
const SEVERAL = ["bandwidth", "time", "speedup", "fastest", "noise", "answers"]; // charts over sizes: with one size there is nothing to see
const MARKABLE = [answer, here, everyRound, runs, overSize]; // what depends on the size that is chosen

function update() {
  if (!sizes().includes(state.n)) state.n = sizes().at(-1);
  for (const axis of data.axes) if (byId(`by-${axis.name}`)) byId(`by-${axis.name}`).value = data.slices[state.slice][axis.place];
  byId("by-n").replaceChildren(...sizes().map((n) => element("option", { value: n }, sizeText(n))));
  byId("by-n").value = state.n;
  byId("by-n-label").textContent = sizeWord();
  byId("by-now").value = state.now;
  for (const box of byId("arms").querySelectorAll("input")) box.checked = !state.off.has(box.value);
  for (const id of SEVERAL) byId(`${id}-section`).hidden = sizes().length < 2;
  const over = sizes().length < 2 ? [] : [overSize, heats, noises];
  for (const part of [answer, here, everyRound, runs, ...over, equivalence, ledger, statuses]) part();
  toAddress();
}

// The slice that has this value on this axis and else most in common with the current one.
function choose(axis, value) {
  const now = data.slices[state.slice];
  const common = (slice) => (slice[axis.place] === value ? 1000 : 0) + slice.filter((code, i) => code === now[i]).length;
  const best = data.slices.reduce((top, slice, i) => (common(slice) > common(data.slices[top]) ? i : top), 0);
  const others = data.axes.filter((other) => other !== axis && data.slices[best][other.place] !== now[other.place]);
  byId("moved").textContent = others.length ? `Not measured together, so changed too: ${others.map((other) =>
    `${other.label} ${other.texts[data.slices[best][other.place]]}`).join(", ")}.` : "";
  state.slice = best;
  update();
}

function controls() {
  for (const axis of data.axes.filter((axis) => axis.offered)) {
    const select = element("select", { id: `by-${axis.name}` }, ...axis.texts.map((text, i) => element("option", { value: i }, text)));
    select.addEventListener("change", () => choose(axis, Number(select.value)));
    byId("filters").insertBefore(element("label", {}, element("span", {}, axis.label), select), byId("by-n").parentNode);
  }
  byId("by-n").addEventListener("change", () => {
    state.n = Number(byId("by-n").value);
    for (const part of sizes().length < 2 ? [] : MARKABLE) part();
    toAddress();
  });
  const ranked = data.arms.filter((arm) => arm.competes);
  byId("by-now").append(...ranked.map((arm) => element("option", { value: arm.name }, arm.name)));
  byId("by-now").addEventListener("change", () => { state.now = byId("by-now").value; update(); });
  for (const arm of ranked) {
    const box = element("input", { type: "checkbox", value: arm.name });
    box.addEventListener("change", () => { state.off[box.checked ? "delete" : "add"](arm.name); update(); });
    byId("arms").append(element("label", {}, box, glyph(arm), arm.name));
  }
  for (const key of document.querySelectorAll(".key")) key.append(...ranked.map((arm) => element("span", {}, glyph(arm), ` ${arm.name}`)));
  for (const id of data.charts) fileButtons(id);
}

function glyph(arm) {
  const made = element("span", { class: "glyph", "aria-hidden": "true" }, arm.glyph);
  made.style.color = arm.color;
  return made;
}

function arrive() {
  if (location.hash && !location.hash.includes("=")) return; // a place on the page
  const missing = fromAddress();
  byId("moved").textContent = missing.length ? `Not on this page: ${missing.join(", ")}.` : "";
  update();
}

controls();
if (location.hash.includes("=")) arrive();
else update();
window.addEventListener("hashchange", arrive);
dark.addEventListener("change", update);
narrow.addEventListener("change", update);
