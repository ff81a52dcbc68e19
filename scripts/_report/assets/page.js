// What the reader chose, and everything that follows from it. Text reaches the page as text nodes only.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const state = { slice: data.start, n: null, off: new Set() };

const slices = data.slices.map(() => []);
for (let i = 0; i < data.columns.n.length; i++) {
  const row = {};
  for (const name in data.columns) {
    const value = data.columns[name][i];
    row[name] = name in data.words ? data.words[name][value] : value ?? NaN;
  }
  Object.assign(row, data.arms[row.arm], { place: row.arm });
  row.arm = row.name;
  row.timed = (row.status === "ok" || row.status === "noisy") && row.time_s > 0;
  slices[row.slice].push(row);
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function table(caption, headers, rows, text = 1) {
  const side = (i) => ({ class: i < text ? "text" : "figure" });
  const head = headers.map((name, i) => element("th", { scope: "col", ...side(i) }, name));
  const cell = (text, i) => element(i ? "td" : "th", i ? side(i) : { scope: "row", ...side(i) }, text);
  const body = rows.map((texts) => element("tr", {}, ...texts.map(cell)));
  const made = element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, made);
}

const numbers = (id, ...rest) => byId(`${id}-numbers`).replaceChildren(table(...rest));
const cells = () => slices[state.slice];
const shown = () => cells().filter((row) => row.competes && !state.off.has(row.arm));
const timed = () => shown().filter((row) => row.timed);
const sizes = () => [...new Set(cells().map((row) => row.n))].sort((a, b) => a - b);
const at = (n) => shown().filter((row) => row.n === n);
const about = (row) => (row.status === "noisy" ? "~" : "") + seconds(row.time_s);
const interval = (row) => `${seconds(row.time_lo_s)} to ${seconds(row.time_hi_s)}`;
const half = (row) => (row.time_hi_s - row.time_lo_s) / 2 / row.time_s;
const speedup = (row) => ratio(row.speedup, row.speedup_lo, row.speedup_hi);
const overLeader = (row) => `${ratio(row.over_leader, row.over_leader_lo, row.over_leader_hi)} ${row.leader}`;
const open = (row) => row.arm + (Number.isNaN(row.leader_noise_floor) ? "" : ` (${percent(row.leader_noise_floor)})`);
const listed = (rows, text = (row) => row.arm) => rows.map(text).join(", ") || "-";
const within = (value, otherwise) => (Number.isFinite(value) && value > 0 ? value : otherwise);

// ---- charts: records for the specs that Python wrote

async function draw(id, points, ceiling = []) {
  const place = byId(id);
  if (!points.length) return place.replaceChildren(element("p", {}, "There is nothing to draw here."));
  const spec = structuredClone(data.specs[id]);
  const unseen = points.slice(0, 1).map(({ n, y }) => ({ n, y, label: "" })); // a line of one point, for lack of any
  spec.datasets = { points, ceiling: ceiling.length ? ceiling : unseen };
  if (spec.height?.step) spec.height = spec.height.step * new Set(points.map((record) => record.arm)).size;
  for (const param of spec.params ?? []) if (param.name === "sizes") param.value = sizes();
  const config = data.themes[dark.matches ? "dark" : "light"];
  const old = place.view;
  const made = await vegaEmbed(place, spec, { mode: "vega-lite", renderer: "svg", actions: false, config });
  old?.finalize();
  place.view = made.view;
}

function point(row, y, lo, hi) {
  return {
    arm: row.arm, n: row.n, y, lo: within(lo, y), hi: within(hi, y), noisy: row.status === "noisy",
    size: size(row.n), time: `${about(row)} (${interval(row)})`, bandwidth: `${number(row.gb_per_s)} GB/s`,
    "speed-up": speedup(row), verdict: row.verdict || "-", "over leader": overLeader(row), status: row.reason ? `${row.status}: ${row.reason}` : row.status,
    interval: `±${percent(half(row))}`, "noise floor": percent(row.noise_floor),
  };
}

// One value per size: the largest of `value` over the rows there; labelled at its end.
function line(value, label) {
  const found = sizes().map((n) => [n, Math.max(...cells().filter((row) => row.n === n).map(value).filter((v) => v > 0))]);
  const known = found.filter(([, y]) => Number.isFinite(y) && y > 0);
  return known.map(([n, y], i) => ({ n, y, label: i === known.length - 1 ? label : "" }));
}

function overSize() {
  const moved = (row) => row.gb_per_s * row.time_s;
  const rows = timed();
  const limit = line((row) => row.ceiling_gb_per_s, "copy");
  const rates = rows.filter((row) => row.gb_per_s > 0);
  draw("bandwidth", rates.map((row) =>
    point(row, row.gb_per_s, moved(row) / row.time_hi_s, moved(row) / row.time_lo_s)), limit);
  draw("time", rows.map((row) => point(row, row.time_s, row.time_lo_s, row.time_hi_s)),
    line((row) => moved(row) / row.ceiling_gb_per_s, "copy"));
  const figures = rows.map((row) => [row.arm, size(row.n), about(row), interval(row), number(row.gb_per_s),
    number(row.ceiling_gb_per_s), percent(row.ceiling_fraction)]);
  const headers = ["implementation", "size", "time", "95 % interval", "GB/s", "copy GB/s", "of copy"];
  for (const id of ["bandwidth", "time"]) numbers(id, "Time and bandwidth", headers, figures);
}

function heats() {
  const rows = shown().map((row) => ({ ...point(row, NaN, NaN, NaN), row, place: sizes().indexOf(row.n) }));
  const found = new Map(sizes().map((n) => [n, standings(at(n))]));
  draw("speedup", rows.map(({ row, ...record }) => {
    const y = row.timed ? Math.log2(row.speedup) : NaN;
    return { ...record, y: Number.isFinite(y) ? y : null, label: speedupSquare(row), strong: Math.abs(y) > 2 };
  }));
  draw("fastest", rows.map(({ row, ...record }) => {
    const { leader, same, unresolved } = found.get(row.n);
    const strong = leader.includes(row) || same.includes(row);
    const y = strong ? 1 : unresolved.includes(row) ? 0.4 : 0;
    return { ...record, y, label: fastestSquare(row, found.get(row.n)), strong };
  }));
  numbers("speedup", "Speed-up over the baseline", ["implementation", "size", "speed-up", "verdict", "noise floor"],
    shown().map((row) => [row.arm, size(row.n), row.timed ? speedup(row) : row.status, row.verdict || "-", percent(row.noise_floor)]));
  numbers("fastest", "Fastest set", ["size", "fastest set", "not known (would be seen)", "slower, by the time of the fastest"],
    [...found].map(([n, { leader, same, unresolved, slower }]) => [size(n), listed([...leader, ...same]), listed(unresolved, open),
      listed(slower, (row) => `${row.arm} ${number(row.time_s / leader[0].time_s, 2)}x`)]), 4);
}

function ledger() {
  const phases = { import: "import_s", "first call": "first_call_s", "second call": "second_call_s" };
  const records = [], figures = [];
  for (const [arm, rows] of Map.groupBy(shown(), (row) => row.arm)) {
    const told = [];
    for (const [phase, column] of Object.entries(phases)) {
      const values = rows.map((row) => row[column]).filter((value) => value > 0);
      const [y, lo, hi] = [median(values), Math.min(...values), Math.max(...values)];
      if (values.length) records.push({ arm, phase, y, lo, hi, median: seconds(y), range: `${seconds(lo)} to ${seconds(hi)}` });
      told.push(seconds(y));
    }
    const pays = sizes().map((n) => calls(rows.find((row) => row.n === n)?.break_even_calls ?? NaN));
    figures.push([arm, ...told, ...pays]);
  }
  draw("ledger", records);
  numbers("ledger", "Seconds spent once (medians over sizes), and calls until they are paid back, by size",
    ["implementation", ...Object.keys(phases), ...sizes().map(size)], figures);
}

function noises() {
  const drawn = (share) => Math.max(share, 5e-4); // a logarithmic axis has no 0
  draw("noise", timed().filter((row) => Number.isFinite(half(row))).map((row) => point(row, drawn(half(row)))),
    line((row) => drawn(row.noise_floor), "largest noise floor"));
  numbers("noise", "Intervals, noise floors, and batches beside others' work",
    ["implementation", "size", "interval", "noise floor", "rounds", "disturbed"],
    timed().map((row) => [row.arm, size(row.n), `±${percent(half(row))}`, percent(row.noise_floor), number(row.rounds, 6), number(row.contended_rounds, 6)]));
}

// ---- tables that are their own figure

function equivalence() {
  const answers = new Map(), names = new Set();
  for (const [arm, rows] of Map.groupBy(shown(), (row) => row.arm)) {
    const seen = { ulp: Math.max(...rows.map((row) => row.max_ulp).filter((ulp) => ulp >= 0)) };
    for (const part of rows.flatMap((row) => row.special.split(";")).map((text) => text.trim()).filter(Boolean)) {
      const cut = part.lastIndexOf("=");
      names.add(part.slice(0, cut));
      (seen[part.slice(0, cut)] ??= new Set()).add(part.slice(cut + 1));
    }
    answers.set(arm, seen);
  }
  const rows = [...answers].map(([arm, seen]) => [arm, seen.ulp >= 0 ? number(seen.ulp) : "-",
    ...[...names].map((name) => [...(seen[name] ?? ["-"])].join(" | "))]);
  byId("equivalence").replaceChildren(table("What the gate saw, over all sizes", ["implementation", "max ULP", ...names], rows, 99));
}

function statuses() {
  byId("contention").replaceChildren(table("Batches during which others used the CPU",
    ["implementation", "counted", "disturbed", "per 100 counted"],
    [...Map.groupBy(timed(), (row) => row.arm)].map(([arm, rows]) => {
      const [all, bad] = ["rounds", "contended_rounds"].map((name) => rows.reduce((sum, row) => sum + (row[name] || 0), 0));
      return [arm, String(all), String(bad), number(all ? (100 * bad) / all : NaN, 2)];
    })));
  const why = (row) => (row.status === "noisy" ? data.noisy : row.reason);
  const groups = Map.groupBy(cells().filter((row) => row.status !== "ok"), (row) => JSON.stringify([row.status, why(row)]));
  const named = ([arm, found]) => `${arm} (${found.map((row) => size(row.n)).join(", ")})`;
  const rows = [...groups].sort().map(([key, found]) =>
    [...JSON.parse(key), [...Map.groupBy(found, (row) => row.arm)].map(named).join(", ")]);
  const counts = [...Map.groupBy(cells(), (row) => row.status)].map(([status, found]) => `${found.length} ${status}`).join(", ");
  byId("counts").textContent = `Cells here, controls included: ${counts}.`;
  byId("statuses").replaceChildren(rows.length ? table("Cells that are not ok", ["status", "reason", "arms and sizes"], rows, 3) : "");
}

function answer() {
  const { leader, same, unresolved } = standings(at(state.n));
  const set = [...leader, ...same], best = leader[0];
  const where = data.axes.map((axis) => axis.texts[data.slices[state.slice][axis.place]]);
  byId("where").textContent = `${where.slice(0, 4).join(" ")}, ${size(state.n)} elements`;
  byId("which").textContent = best ? `Use ${either.format(set.map((row) => row.arm))}` : "Nothing was timed here";
  const base = best && at(state.n).find((row) => row.role === "baseline");
  const parts = !best ? ["What stood in the way is listed under Contention and status."] : [
    `${about(best)} per call (95 %: ${interval(best)}).`,
    best === base ? "That is the baseline itself: nothing here beats it."
      : Number.isNaN(best.speedup) ? "" : `${speedup(best)} as fast as ${best.baseline || "the baseline"}.`,
    Number.isNaN(best.ceiling_fraction) ? "" : `${percent(best.ceiling_fraction)} of the bandwidth of a copy.`,
    set.length > 1 ? `Figures are ${best.arm}'s; the others are the same.` : "",
    unresolved.length ? `Not known whether as fast: ${listed(unresolved, open)}.` : "",
    best.break_even_calls > 0 ? `Its longer first call is paid back after ${calls(best.break_even_calls)} calls.` : "",
    Number.isNaN(best.noise_floor) ? "" : `A difference of ${percent(best.noise_floor)} from the baseline would have been seen.`];
  byId("why").textContent = parts.filter(Boolean).join(" ");
  byId("answers").replaceChildren(table("Fastest set by size", ["size", "fastest set", "not known (would be seen)", "time", "speed-up", "of copy"], sizes().map((n) => {
    const found = standings(at(n)), top = found.leader[0];
    return [size(n), listed([...found.leader, ...found.same]), listed(found.unresolved, open),
      ...(top ? [about(top), speedup(top), percent(top.ceiling_fraction)] : ["-", "-", "-"])];
  }), 3));
}

// ---- controls

function update() {
  if (!sizes().includes(state.n)) state.n = sizes().at(-1);
  for (const axis of data.axes) if (byId(`by-${axis.name}`)) byId(`by-${axis.name}`).value = data.slices[state.slice][axis.place];
  byId("by-n").replaceChildren(...sizes().map((n) => element("option", { value: n }, size(n))));
  byId("by-n").value = state.n;
  for (const part of [answer, overSize, heats, equivalence, ledger, noises, statuses]) part();
}

// The slice that has this value on this axis and else most in common with the current one.
function choose(axis, value) {
  const now = data.slices[state.slice];
  const common = (slice) => (slice[axis.place] === value ? 1000 : 0) + slice.filter((code, i) => code === now[i]).length;
  const best = data.slices.reduce((top, slice, i) => (common(slice) > common(data.slices[top]) ? i : top), 0);
  const moved = data.axes.filter((other) => other !== axis && data.slices[best][other.place] !== now[other.place]);
  byId("moved").textContent = moved.length ? `Not measured together, so changed too: ${moved.map((other) =>
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
  byId("by-n").addEventListener("change", () => { state.n = Number(byId("by-n").value); answer(); });
  for (const arm of data.arms.filter((arm) => arm.competes)) {
    const box = element("input", { type: "checkbox" });
    box.checked = true;
    box.addEventListener("change", () => { state.off[box.checked ? "delete" : "add"](arm.name); update(); });
    const glyph = element("span", { class: "glyph", "aria-hidden": "true" }, arm.glyph);
    glyph.style.color = arm.color;
    byId("arms").append(element("label", {}, box, glyph, arm.name));
  }
}

controls();
update();
dark.addEventListener("change", update);
