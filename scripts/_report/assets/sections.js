// What each chart shows of the choice, and its numbers as a table.
const TIMES = { y: "time_s", lo: "time_lo_s", hi: "time_hi_s" };

// One size: an arm a row, the fastest on top.
function here() {
  const rows = at(state.n).filter((row) => row.timed).sort(byTime);
  byId("here-title").textContent = `Time at ${sizeWord()} ${sizeText(state.n)}`;
  const points = whiskered(rows.map((row) => ({ ...point(row, row.time_s, row.time_lo_s, row.time_hi_s), label: about(row) })));
  const copies = cells().filter((row) => row.n === state.n && row.ceiling_gb_per_s > 0).map((row) => moved(row) / row.ceiling_gb_per_s);
  const copy = copies.length ? [{ y: Math.min(...copies) }] : [];
  draw("here", scaleFor("here", [...points, ...copy]), points, { ceiling: copy }, TIMES);
  numbers("here", `Everything at ${sizeWord()} ${sizeText(state.n)}`,
    ["implementation", "time", "95 % interval", "GB/s", "of copy", `over ${nowName()}`, "verdict", "would be seen", "rounds", "disturbed"],
    rows.map((row) => [row.arm, about(row), interval(row), number(row.gb_per_s), percent(row.ceiling_fraction), ratioText(over(row)),
      over(row).word || "-", percent(over(row).floor), count(row.rounds), count(row.contended_rounds)]));
}

function everyRound() {
  const rows = at(state.n).filter((row) => row.rounds_s.length).sort(byTime);
  const points = rows.flatMap((row) => row.rounds_s.flatMap((process, i) => process.map((y) =>
    ({ arm: row.arm, process: i + 1, y, time: seconds(y) }))));
  byId("rounds-section").hidden = !points.length;
  if (!points.length) return;
  draw("rounds", scaleFor("rounds", points), points, {}, { y: "seconds" });
  numbers("rounds", "The rounds of each process", ["implementation", "process", "rounds", "fastest", "median", "slowest"],
    rows.flatMap((row) => row.rounds_s.map((process, i) => [row.arm, count(i + 1), count(process.length),
      ...[Math.min(...process), median(process), Math.max(...process)].map(seconds)])), 1);
}

// The same case in the other runs of the machine chosen: the times, and what changed from the run chosen.
function runs() {
  const free = data.axes.filter((axis) => axis.name === "run_id").map((axis) => axis.place);
  const own = data.slices[state.slice];
  const same = data.slices.map((_, i) => i).filter((i) => data.slices[i].every((code, place) => free.includes(place) || code === own[place]));
  const name = (slice) => [valueOf("run_id", slice), valueOf("machine", slice)].filter((text) => text.trim()).join(" on ");
  const mine = new Map(at(state.n).filter((row) => row.timed).sort(byTime).map((row) => [row.arm, row]));
  const order = [...mine.keys()];
  const rows = [state.slice, ...same.filter((slice) => slice !== state.slice)].flatMap((slice, i) =>
    slices[slice].filter((row) => row.n === state.n && row.timed && mine.has(row.arm))
      .map((row) => ({ row, run: name(slice), place: i % data.shades, change: gain(row, mine.get(row.arm)) })));
  rows.sort((a, b) => order.indexOf(a.row.arm) - order.indexOf(b.row.arm));
  const few = new Set(rows.map(({ run }) => run)).size < 2;
  for (const id of ["runs", "changes"]) byId(`${id}-section`).hidden = few;
  if (few) return;
  const points = whiskered(rows.map(({ row, run }) => ({ ...point(row, row.time_s, row.time_lo_s, row.time_hi_s), run })));
  draw("runs", scaleFor("runs", points), points, {}, TIMES);
  numbers("runs", "The same case in each run", ["implementation", "run", "time", "95 % interval"],
    rows.map(({ row, run }) => [row.arm, run, about(row), interval(row)]), 2);
  changes(rows.filter(({ row, change }) => row !== mine.get(row.arm) && Number.isFinite(change.value)));
}

function changes(rows) {
  byId("changes-section").hidden = !rows.length;
  if (!rows.length) return;
  const word = ({ change }) => OPPOSITE[change.word] ?? change.word;
  const mark = (each) => ({ same: "= ", unresolved: "? " })[word(each)] ?? "";
  const points = whiskered(rows.map((each) => ({ arm: each.row.arm, run: each.run, place: each.place, y: each.change.value,
    lo: within(each.change.lo, each.change.value), hi: within(each.change.hi, each.change.value),
    label: `${mark(each)}${ratio(each.change.value)}`, ratio: ratioText(each.change), verdict: word(each), "would be seen": percent(each.change.floor) })));
  draw("changes", scaleFor("changes", [...points, { y: 1 }]), points, { one: [{ y: 1 }] }, { y: "ratio", lo: "ratio_lo", hi: "ratio_hi" });
  numbers("changes", "The time over that of the run chosen", ["implementation", "run", "ratio", "verdict", "would be seen"],
    rows.map((each) => [each.row.arm, each.run, ratioText(each.change), word(each), percent(each.change.floor)]), 2);
}

function overSize() {
  const rows = timed();
  const rates = whiskered(rows.filter((row) => row.gb_per_s > 0).map((row) =>
    point(row, row.gb_per_s, moved(row) / row.time_hi_s, moved(row) / row.time_lo_s)));
  const spent = whiskered(rows.map((row) => point(row, row.time_s, row.time_lo_s, row.time_hi_s)));
  const limits = { bandwidth: line((row) => row.ceiling_gb_per_s), time: line((row) => moved(row) / row.ceiling_gb_per_s) };
  for (const [id, points] of [["bandwidth", rates], ["time", spent]]) {
    const ceiling = limits[id];
    for (const place of ["title", "folded"]) byId(`${id}-${place}`).textContent = `${id === "time" ? "Time" : "Bandwidth"} over ${sizeWord()}`;
    const names = id === "time" ? TIMES : { y: "gb_per_s", lo: "gb_per_s_lo", hi: "gb_per_s_hi" };
    draw(id, id, points, { ceiling, ends: points.length ? ends(points, ceiling) : [], chosen: chosen() }, names);
  }
  const queued = rows.some((row) => row.queued_s > 0); // on a card alone
  const figures = rows.map((row) => [row.arm, sizeText(row.n), about(row), interval(row), ...(queued ? [seconds(row.queued_s)] : []),
    number(row.gb_per_s), number(row.ceiling_gb_per_s), percent(row.ceiling_fraction)]);
  const headers = ["implementation", sizeWord(), "time", "95 % interval", ...(queued ? ["queued"] : []), "GB/s", "copy GB/s", "of copy"];
  for (const id of ["bandwidth", "time"]) numbers(id, "Time and bandwidth", headers, figures);
}

function heats() {
  const rows = shown().map((row) => ({ ...point(row, NaN, NaN, NaN), row, place: sizes().indexOf(row.n) }));
  const found = new Map(sizes().map((n) => [n, standings(at(n))]));
  const find = (id) => (narrow.matches ? `${id}-upright` : id);
  byId("speedup-title").textContent = `Speed-up over ${nowName()}`;
  draw("speedup", find("speedup"), rows.map(({ row, ...record }) => {
    const y = row.timed ? Math.log2(over(row).value) : NaN;
    return { ...record, y: Number.isFinite(y) ? y : null, label: speedupSquare(row, over(row)), strong: Math.abs(y) > 2 };
  }), {}, { y: "log2_speedup" });
  draw("fastest", find("fastest"), rows.map(({ row, ...record }) => {
    const { leader, same, unresolved } = found.get(row.n);
    const strong = leader.includes(row) || same.includes(row);
    const y = strong ? 1 : unresolved.includes(row) ? 0.4 : 0;
    return { ...record, y, label: fastestSquare(row, found.get(row.n)), strong };
  }), {}, { label: "standing" });
  numbers("speedup", `Speed-up over ${nowName()}`, ["implementation", sizeWord(), "speed-up", "verdict", "would be seen"],
    shown().map((row) => [row.arm, sizeText(row.n), row.timed ? ratioText(over(row)) : row.status, over(row).word || "-", percent(over(row).floor)]));
  numbers("fastest", "Fastest set", [sizeWord(), "fastest set", "not known (would be seen)", "slower, by the time of the fastest"],
    [...found].map(([n, { leader, same, unresolved, slower }]) => [sizeText(n), listed([...leader, ...same]), listed(unresolved, open),
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
  draw("ledger", "ledger", records, {}, { y: "median_s", lo: "least_s", hi: "most_s" });
  numbers("ledger", `Seconds spent once (medians over sizes), and calls until they are paid back, by ${sizeWord()}`,
    ["implementation", ...Object.keys(phases), ...sizes().map(sizeText)], figures);
}

function noises() {
  const held = (share) => Math.min(Math.max(share, 5e-4), 1); // a logarithmic axis has no 0; what is wider than the time says nothing
  const rows = timed().filter((row) => half(row) >= 0);
  draw("noise", "noise", rows.map((row) => ({ ...point(row, held(half(row))), half: half(row), beyond: half(row) > 1 })),
    { ceiling: line((row) => held(row.noise_floor)), chosen: chosen() }, { half: "half_interval" });
  numbers("noise", "Intervals, noise floors, and batches beside others' work",
    ["implementation", sizeWord(), "interval", "noise floor", "rounds", "disturbed"],
    timed().map((row) => [row.arm, sizeText(row.n), `±${percent(half(row))}`, percent(row.noise_floor), count(row.rounds), count(row.contended_rounds)]));
}
