// The answer on top, whether it is to be believed, and the tables that are their own figure.

// What is known at one size: rows by standing, the share of disturbed batches, and whether that is an answer.
function known(n) {
  const rows = at(n).filter((row) => row.timed);
  const found = standings(rows);
  const rounds = sum(rows, "rounds");
  const disturbed = rounds ? sum(rows, "contended_rounds") / rounds : 0;
  const busy = disturbed > data.limits.disturbed;
  const beside = found.leader.length ? over(found.leader[0]) : UNKNOWN;  // recommend.py rests on the same one
  const others = Math.max(0, ...found.unresolved.map((row) => row.leader_noise_floor || row.noise_floor || 0));
  const visible = Number.isNaN(beside.floor) ? others : beside.floor;
  return { ...found, rows, disturbed, visible, busy, blind: visible > data.limits.visible && !isClear(beside) };
}

function badge({ rows, unresolved, busy, blind }) {
  const resolved = rows.length - unresolved.length;
  const level = busy || blind ? "none" : unresolved.length ? "partly" : "all";
  const words = { none: "○ Do not rely on it", partly: "◐ Partly resolved", all: "● Resolved" }[level];
  byId("trust").className = level;
  byId("trust").hidden = !rows.length;
  byId("trust").textContent = level === "none" ? words : `${words}: ${resolved} of ${rows.length} here`;
  byId("trusted").textContent = data.trust[valueOf("run_id")] ?? "";
}

function headline({ leader, same, busy, blind }) {
  if (!shown().length) return "All implementations are switched off";
  if (!leader.length) return "Nothing was timed here";
  if (busy) return "No answer: the machine was busy";
  if (blind) return "No answer: it was too noisy";
  return `Use ${either.format([...leader, ...same].map((row) => row.arm))}`;
}

function answer() {
  const found = known(state.n);
  byId("where").textContent = where();
  byId("which").textContent = headline(found);
  byId("why").textContent = reasons(found).filter(Boolean).join(" ");
  badge(found);
  byId("answers-title").textContent = `Fastest by ${sizeWord()}`;
  byId("answers").replaceChildren(table("The fastest set, with the figures of the first of it",
    [sizeWord(), "fastest set", "not known (would be seen)", "time", `over ${nowName()}`, "of copy"], sizes().map((n) => {
      const { leader, same, unresolved, busy, blind } = known(n), top = leader[0];
      return [sizeText(n), busy ? "no answer: busy" : blind ? "no answer: too noisy" : listed([...leader, ...same]), listed(unresolved, open),
        ...(top ? [about(top), ratioText(over(top)), percent(top.ceiling_fraction)] : ["-", "-", "-"])];
    }), 3));
}

function where() {
  const words = ["op", "direction", "placement", "dtype"].map((name) => valueOf(name));
  const what = isNetwork() ? `widths ${valueOf("layout")}, batch ${sizeText(state.n)}` : `${size(state.n)} elements`;
  return `${words.join(" ")}, ${what}`;
}

function reasons(found) {
  if (!shown().length) return ["Switch one on below."];
  if (!found.leader.length) return ["What stood in the way is listed under Contention and status."];
  return found.busy || found.blind ? refusal(found) : evidence(found);
}

function refusal({ leader, unresolved, disturbed, visible, busy, blind }) {
  const needed = Math.max(0, ...unresolved.map((row) => row.resolve_s || 0));
  return [
    busy ? `During ${percent(disturbed)} of the batches others used the CPU: measure again on a quiet machine.` : "",
    blind ? `A difference of less than ${floorText(visible)} could not have been seen.` : "",
    needed > 0 && Number.isFinite(needed) ? `About ${lasting(needed)} more of rounds would tell.` : "",
    `${leader[0].arm} has the smallest time, ${about(leader[0])} (95 %: ${interval(leader[0])}), which says little.`];
}

function evidence({ leader, same, unresolved }) {
  const best = leader[0], now = over(best), name = nowName();
  const open_ = now.word === "unresolved";
  return [
    `${about(best)} per call (95 %: ${interval(best)}).`,
    best.arm === name ? (state.now ? `That is what you use now: nothing here beats it.` : "That is the baseline itself: nothing here beats it.")
      : Number.isNaN(now.value) ? `${name} was not timed here.` : `${ratioText(now)} as fast as ${name}${open_ ? " (unresolved)" : ""}.`,
    open_ && Number.isFinite(now.floor) ? `The smallest difference from ${name} that would have been seen is ${floorText(now.floor)}.` : "",
    Number.isNaN(best.ceiling_fraction) ? "" : `${percent(best.ceiling_fraction)} of the bandwidth of a copy.`,
    same.length ? `Figures are ${best.arm}'s; the others are the same.` : "",
    unresolved.length ? `Not known whether as fast: ${listed(unresolved, open)}.` : "",
    best.break_even_calls > 0 ? `Its longer first call is paid back after ${calls(best.break_even_calls)} call${best.break_even_calls === 1 ? "" : "s"}.` : ""];
}

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
  const rows = [...answers].map(([arm, seen]) => [arm, seen.ulp >= 0 ? count(seen.ulp) : "-",
    ...[...names].map((name) => [...(seen[name] ?? ["-"])].join(" | "))]);
  byId("equivalence").replaceChildren(table("What the gate saw, over all sizes", ["implementation", "max ULP", ...names], rows, 99));
}

function statuses() {
  byId("contention").replaceChildren(table("Batches during which others used the CPU",
    ["implementation", "counted", "disturbed", "of them"],
    [...Map.groupBy(timed(), (row) => row.arm)].map(([arm, rows]) => {
      const [all, bad] = [sum(rows, "rounds"), sum(rows, "contended_rounds")];
      return [arm, count(all), count(bad), percent(all ? bad / all : NaN)];
    })));
  const why = (row) => (row.status === "noisy" ? data.noisy : row.reason);
  const groups = Map.groupBy(cells().filter((row) => row.status !== "ok"), (row) => JSON.stringify([row.status, why(row)]));
  const named = ([arm, found]) => `${arm} (${found.map((row) => sizeText(row.n)).join(", ")})`;
  const rows = [...groups].sort().map(([key, found]) =>
    [...JSON.parse(key), [...Map.groupBy(found, (row) => row.arm)].map(named).join(", ")]);
  const counts = [...Map.groupBy(cells(), (row) => row.status)].map(([status, found]) => `${found.length} ${status}`).join(", ");
  byId("counts").textContent = `Cells here, controls included: ${counts}.`;
  byId("statuses").replaceChildren(rows.length ? table("Cells that are not ok", ["status", "reason", "arms and sizes"], rows, 3) : "");
}
