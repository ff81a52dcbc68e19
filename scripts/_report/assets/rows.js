// The rows of the page, what the reader chose of them, and how they read. Text reaches the page as text nodes only.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const state = { slice: data.start, n: null, now: "", off: new Set() };

const slices = data.slices.map(() => []);
for (let i = 0; i < data.columns.n.length; i++) {
  const row = { id: i, rounds_s: data.rounds[i] ?? [] };
  for (const name in data.columns) {
    const value = data.columns[name][i];
    row[name] = name in data.words ? data.words[name][value] : value ?? NaN;
  }
  Object.assign(row, data.arms[row.arm], { place: row.arm });
  row.arm = row.name;
  row.timed = (row.status === "ok" || row.status === "noisy") && row.time_s > 0;
  slices[row.slice].push(row);
}

const cells = () => slices[state.slice];
const shown = () => cells().filter((row) => row.competes && !state.off.has(row.arm));
const timed = () => shown().filter((row) => row.timed);
const sizesOf = (rows) => [...new Set(rows.map((row) => row.n))].sort((a, b) => a - b);
const sizes = () => sizesOf(cells());
const at = (n) => shown().filter((row) => row.n === n);
const byTime = (a, b) => a.time_s - b.time_s;
const valueOf = (name, slice = state.slice) => {
  const axis = data.axes.find((each) => each.name === name);
  return axis.texts[data.slices[slice][axis.place]];
};

// A network's size is its batch: the elements of its input over the first of its widths.
const perItem = () => Number(/^(\d+)-\d+-\d+$/.exec(valueOf("layout"))?.[1] ?? 1);
const isNetwork = () => perItem() !== 1 || valueOf("op").startsWith("mlp_");
const sizeText = (n) => (isNetwork() ? Math.round(n / perItem()).toLocaleString("en") : size(n));
const sizeWord = () => (isNetwork() ? "batch" : "size");

// What is used now: the one chosen, else the baseline; of any row, its ratio is over that.
const nowAt = (n) => cells().find((row) => row.n === n && row.competes && (state.now ? row.arm === state.now : row.role === "baseline"));
const nowName = () => state.now || cells().find((row) => row.role === "baseline")?.arm || "the baseline";
const over = (row) => gain(nowAt(row.n), row);

const about = (row) => (row.status === "noisy" ? "~" : "") + seconds(row.time_s);
const interval = (row) => (row.time_hi_s === Infinity ? "not known" : `${seconds(row.time_lo_s)} to ${seconds(row.time_hi_s)}`);
const half = (row) => (row.time_hi_s - row.time_lo_s) / 2 / row.time_s;
const moved = (row) => row.gb_per_s * row.time_s;
const ratioText = ({ value, lo, hi }) => ratio(value, lo, hi);
const overLeader = (row) => `${ratio(row.over_leader, row.over_leader_lo, row.over_leader_hi)} ${row.leader}`;
const open = (row) => row.arm + (Number.isNaN(row.leader_noise_floor) ? "" : ` (${percent(row.leader_noise_floor)})`);
const listed = (rows, text = (row) => row.arm) => rows.map(text).join(", ") || "-";
const within = (value, otherwise) => (value >= 0 ? value : otherwise); // an interval may have no end
const sum = (rows, name) => rows.reduce((all, row) => all + (row[name] || 0), 0);

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// On a narrow screen a row is a block and each of its cells a line, with its heading before it (see page.css).
function table(caption, headers, rows, text = 1) {
  const side = (i) => (i < text ? "text" : "figure");
  const head = headers.map((name, i) => element("th", { scope: "col", role: "columnheader", class: side(i) }, name));
  const cell = (words, i) => (i
    ? element("td", { role: "cell", class: side(i), "data-label": headers[i], ...(words === "-" ? { "data-none": "" } : {}) }, element("span", {}, words))
    : element("th", { role: "rowheader", scope: "row", class: side(i) }, words));
  const body = rows.map((texts) => element("tr", { role: "row" }, ...texts.map(cell)));
  const made = element("table", { role: "table" }, element("caption", {}, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...head)), element("tbody", { role: "rowgroup" }, ...body));
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, made);
}

const numbers = (id, ...rest) => byId(`${id}-numbers`).replaceChildren(table(...rest));
