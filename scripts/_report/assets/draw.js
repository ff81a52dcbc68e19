// Draws the specs that Python wrote, and hands them out as SVG, PNG and CSV.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 45rem)");
const LABEL_PX = 110; // beside a line, for the longest name
const LINE_PX = 13; // between two names
const TALL_PX = 320;
const drawn = {};

// `find` names the spec; `points` are its records, `more` those of its other sets; `columns` name y, lo and hi in CSV.
async function draw(id, find, points, more = {}, columns = {}) {
  const place = byId(id);
  drawn[id] = points.length ? { find, points, more, columns } : undefined;
  byId(`${id}-files`).hidden = !points.length;
  if (!points.length) return place.replaceChildren(element("p", {}, "There is nothing to draw here."));
  const old = place.view;
  const made = await vegaEmbed(place, filled(drawn[id]), options());
  old?.finalize();
  place.view = made.view;
}

const options = () => ({ mode: "vega-lite", renderer: "svg", actions: false, config: data.themes[dark.matches ? "dark" : "light"] });

function filled({ find, points, more }) {
  const spec = structuredClone(data.specs[find]);
  const going = Object.fromEntries(["below", "beyond"].map((where) => [where, points.filter((record) => record[where])]));
  spec.datasets = { points, ...going, ceiling: [], ends: [], one: [], chosen: [], ...more };
  spec.layer = spec.layer.filter((layer) => spec.datasets[(layer.data ?? spec.data).name].length);
  const lines = new Set(points.map((record) => (find.endsWith("-upright") ? record.size : record.arm))).size;
  if (spec.height?.step) spec.height = spec.height.step * lines;
  if (more.ends?.length) spec.padding = { left: 5, top: 5, bottom: 5, right: LABEL_PX };
  for (const param of spec.params ?? []) if (param.name === "sizes") param.value = [...new Set(points.map((record) => record.n))].sort((a, b) => a - b);
  if (isNetwork()) countBatches(spec);
  return spec;
}

// The axes of a network's charts, which have elements in the specs.
function countBatches(part) {
  if (part === null || typeof part !== "object") return;
  if (part.title === "elements") Object.assign(part, { title: "batch", ...(part.labelExpr ? { labelExpr: "format(datum.value, ',')" } : {}) });
  Object.values(part).forEach(countBatches);
}

// ---- records

function point(row, y, lo, hi) {
  const n = row.n / perItem();
  return {
    arm: row.arm, n, x: n * 2 ** shift(row), y, lo: within(lo, y), hi: within(hi, y), noisy: row.status === "noisy",
    size: sizeText(row.n), time: `${about(row)} (${interval(row)})`, bandwidth: `${number(row.gb_per_s)} GB/s`,
    "speed-up": `${ratioText(over(row))} ${nowName()}`, verdict: over(row).word || "-", "over leader": overLeader(row),
    status: row.reason ? `${row.status}: ${row.reason}` : row.status,
    interval: `±${percent(half(row))}`, "noise floor": percent(row.noise_floor),
  };
}

// How far beside its size an arm is drawn, in doublings: a few pixels, so that arms that coincide can be told apart.
function shift(row) {
  const all = sizes(), arms = [...new Set(shown().map((each) => each.place))].sort((a, b) => a - b);
  const doublings = Math.log2(all.at(-1) / all[0]) / Math.max(200, document.body.clientWidth - 250);
  return (arms.indexOf(row.place) - (arms.length - 1) / 2) * data.shift * doublings;
}

// A logarithmic scale where times differ by factors, a linear one around them where they do not.
const scaleFor = (id, records) =>
  `${id}${Math.max(...records.map((r) => r.to ?? r.y)) < 3 * Math.min(...records.map((r) => r.from ?? r.y)) ? "-near" : ""}`;

// One value per size: the largest of `value` over the rows there.
function line(value) {
  const found = sizes().map((n) => [n, Math.max(...cells().filter((row) => row.n === n).map(value).filter((v) => v > 0))]);
  return found.filter(([, y]) => Number.isFinite(y) && y > 0).map(([n, y]) => ({ n: n / perItem(), y }));
}

// The names at the ends of lines, moved apart where they would collide; none where there is no room.
function ends(points, ceiling) {
  if (narrow.matches) return [];
  const last = new Map(points.map((record) => [record.arm, record]));
  const names = [...last.values()].map(({ arm, n, y }) => ({ arm, n, y, label: arm }));
  if (ceiling.length) names.push({ arm: "", ...ceiling.at(-1), label: "copy" });
  const values = [...points, ...ceiling].flatMap(({ y, from, to }) => [y, from ?? y, to ?? y]).map(Math.log);
  const gap = ((Math.max(...values) - Math.min(...values)) * LINE_PX) / TALL_PX;
  const right = Math.max(...names.map(({ n }) => n));
  return apart(names.map((name) => ({ ...name, n: right })).sort((a, b) => a.y - b.y), gap, Math.min(...values), Math.max(...values));
}

function apart(names, gap, bottom, top) {
  let below = -Infinity;
  const places = names.map(({ y }) => (below = Math.max(Math.log(y), below + gap)));
  let above = Math.max(top, bottom + gap * (names.length - 1)) + gap;
  for (let i = names.length - 1; i >= 0; i--) above = places[i] = Math.min(places[i], above - gap);
  return names.map((name, i) => ({ ...name, y: Math.exp(places[i]) }));
}

const chosen = () => (sizes().length > 1 ? [{ n: state.n / perItem() }] : []);

// ---- files

function fileName(id, suffix) {
  const words = [...["op", "direction", "placement", "dtype"].map((name) => valueOf(name)), size(state.n), id];
  return `${words.join("-").replace(/[^\w.-]+/g, "_")}.${suffix}`;
}

function save(name, type, content) {
  const url = content.startsWith("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// A picture is drawn anew, as wide as on a desk, with a title that says what it shows.
async function picture(id, suffix) {
  const spec = filled(drawn[id]);
  const title = { text: byId(`${id}-title`).textContent, subtitle: `${byId("where").textContent}; ${document.title}`, offset: 12 };
  const { view } = await vegaEmbed(element("div"), { ...spec, width: 640, title }, options());
  if (suffix === "svg") save(fileName(id, suffix), "image/svg+xml", await view.toSVG());
  else save(fileName(id, suffix), "image/png", await view.toImageURL("png", 2));
  view.finalize();
}

function csv(id) {
  const { points, columns } = drawn[id];
  const names = { arm: "arm", run: "run", process: "process", phase: "phase", size: sizeWord(), ...columns, status: "status" };
  const keys = Object.keys(names).filter((key) => key in points[0]);
  const quoted = (value) => (/[",\n]/.test(String(value ?? "")) ? `"${String(value).replaceAll('"', '""')}"` : String(value ?? ""));
  const lines = [keys.map((key) => names[key]), ...points.map((record) => keys.map((key) => record[key]))];
  save(fileName(id, "csv"), "text/csv", lines.map((values) => `${values.map(quoted).join(",")}\n`).join(""));
}

function fileButtons(id) {
  const make = { SVG: () => picture(id, "svg"), PNG: () => picture(id, "png"), CSV: () => csv(id) };
  for (const [name, act] of Object.entries(make)) {
    const button = element("button", { type: "button", "aria-label": `${byId(`${id}-title`).textContent} as ${name}` }, name);
    button.addEventListener("click", act);
    byId(`${id}-files`).append(button);
  }
}
