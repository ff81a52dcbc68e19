// The fastest set: the rule of bench/stats/fastest.py, here because it depends on what the reader switches off.
// All rows are of one run. Beside a leader that leads only here, the pair's own verdict counts.
function interval95(row) {
  const known = (value, otherwise) => (Number.isNaN(value) ? otherwise : value);
  const own = row.role === "baseline" ? 1 : NaN;
  return {
    lo: known(row.time_lo_s, row.time_s),
    hi: known(row.time_hi_s, row.time_s),
    speedupLo: known(row.speedup_lo, own),
    speedupHi: known(row.speedup_hi, own),
    baseline: row.baseline || (row.role === "baseline" ? row.backend : ""),
    noise: row.leader ? 0 : Math.min(known(row.noise_floor, 0), 1e9),
  };
}

function toldApart(arm, best) {
  const wider = 1 + Math.max(arm.noise, best.noise);
  if (arm.speedupHi >= 0 && best.speedupLo >= 0 && arm.baseline === best.baseline) {
    return arm.speedupHi * wider < best.speedupLo;
  }
  return arm.lo > best.hi * wider;
}

function standing(row, best) {
  if (row.leader_verdict && row.leader === best.label) {
    return ["same", "slower"].includes(row.leader_verdict) ? row.leader_verdict : "unresolved";
  }
  if (best.leader && gain(best, row).word) return ["same", "slower"].includes(gain(best, row).word) ? gain(best, row).word : "unresolved";
  return toldApart(interval95(row), interval95(best)) ? "slower" : "unresolved";
}

// The ranked rows of one case by where they stand: leader (one or none), same, unresolved, slower; the fastest first.
function standings(rows) {
  const behind = (row) => (row.leader === row.label ? 0 : 1);
  const timed = rows.filter((row) => row.timed && row.competes)
    .sort((a, b) => a.time_s - b.time_s || behind(a) - behind(b));
  const found = { leader: timed.slice(0, 1), same: [], unresolved: [], slower: [] };
  for (const row of timed.slice(1)) found[standing(row, timed[0])].push(row);
  return found;
}
