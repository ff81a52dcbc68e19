// Numbers as people read them: the rules of bench/text/units.py, with NaN as "-".
const MISSING = "-";
const either = new Intl.ListFormat("en", { type: "disjunction" });

function number(value, digits = 3) {
  if (Number.isNaN(value)) return MISSING;
  if (value === 0 || !Number.isFinite(value)) return value === Infinity ? "inf" : String(value);
  const rounded = Number(value.toExponential(digits - 1));
  const size = Math.abs(rounded);
  if (size < 1e-4 || size >= 1e7) return rounded.toExponential(digits - 1);
  return rounded.toFixed(decimals(rounded, digits));
}

function decimals(value, digits = 3) {
  return value ? Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value)))) : digits - 1;
}

function seconds(value) {
  if (!Number.isFinite(value)) return number(value);
  const rounded = Number(value.toExponential(2));
  const units = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
  const [unit, name] = units.find(([least]) => Math.abs(rounded) >= least) ?? units[3];
  return `${number(rounded / unit)}\u00a0${name}`;
}

function ratio(value, low = NaN, high = NaN) {
  if (Number.isNaN(value)) return MISSING;
  if (!Number.isFinite(low) || !Number.isFinite(high)) return `${number(value)}x`;
  const places = Math.abs(value) >= 1e-4 && Math.abs(value) < 1e7 ? decimals(value) : 2;
  const bound = (each) => (Math.abs(each) < 1e6 ? each.toFixed(places) : number(each, 2));
  return `${number(value)}x [${bound(low)},\u00a0${bound(high)}]`;
}

function percent(fraction) {
  if (Number.isNaN(fraction)) return MISSING;
  if (fraction >= 10) return ">1000%";
  return Math.abs(100 * fraction) >= 9.95 ? `${(100 * fraction).toFixed(0)}%` : `${(100 * fraction).toFixed(1)}%`;
}

// The smallest difference that would have been seen, which on a busy machine is no percentage.
function floorText(fraction) {
  if (fraction < 1 || Number.isNaN(fraction)) return percent(fraction);
  return fraction < 999 ? `a factor of ${number(1 + fraction, 2)}` : "a factor of a thousand";
}

function calls(count) {
  if (Number.isNaN(count)) return MISSING;
  if (count === Infinity) return "never";
  return count ? Math.round(count).toLocaleString("en") : "at once";
}

function count(value) {
  return Number.isNaN(value) ? MISSING : Math.round(value).toLocaleString("en");
}

// About how long something takes, for people: 40 s, 12 min, 3.5 h.
function lasting(value) {
  const [unit, name] = [[3600, "h"], [60, "min"], [1, "s"]].find(([least]) => value >= 1.5 * least) ?? [1, "s"];
  return `${number(value / unit, 2)}\u00a0${name}`;
}

function size(n) {
  for (const [unit, factor] of [["Gi", 2 ** 30], ["Mi", 2 ** 20], ["Ki", 2 ** 10]]) {
    if (n >= factor && n % factor === 0) return `${n / factor}${unit}`;
  }
  return String(n);
}

// What a square shows: a number with its mark, a mark alone, or why there is no time.
const MARKS = { leader: "★", same: "≈", unresolved: "?" };

function speedupSquare(row, found) {
  if (!row.timed) return row.status.slice(0, 4);
  const mark = found.lo === found.hi ? "" : MARKS[found.word] ?? ""; // none where it is the arm itself
  return `${mark}${number(found.value, found.value < 10 ? 2 : 3)}x`;
}

function fastestSquare(row, found) {
  if (!row.timed) return row.status.slice(0, 4);
  const place = Object.keys(MARKS).find((name) => found[name].includes(row));
  return MARKS[place] ?? `${number(row.time_s / found.leader[0].time_s, 2)}x`;
}

function median(values) {
  const known = values.filter(Number.isFinite).sort((a, b) => a - b);
  const middle = known.length >> 1;
  return known.length ? (known[middle] + known[(known.length - 1) >> 1]) / 2 : NaN;
}
