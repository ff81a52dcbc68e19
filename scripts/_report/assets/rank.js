// The fastest set: the rule of bench/stats/fastest.py, here because it depends on what the reader switches off.
function contender(row) {
  const known = (value, otherwise) => (Number.isNaN(value) ? otherwise : value);
  const own = row.role === "baseline" ? 1 : NaN;
  return {
    lo: known(row.time_lo_s, row.time_s),
    hi: known(row.time_hi_s, row.time_s),
    speedupLo: known(row.speedup_lo, own),
    speedupHi: known(row.speedup_hi, own),
    baseline: row.baseline || (row.role === "baseline" ? row.backend : ""),
  };
}

function toldApart(arm, best, noise) {
  if (arm.speedupHi >= 0 && best.speedupLo >= 0 && arm.baseline === best.baseline) {
    return arm.speedupHi * (1 + noise) < best.speedupLo;
  }
  return arm.lo > best.hi * (1 + noise);
}

// The rows of one case that are in its fastest set, the fastest first.
function fastestSet(rows) {
  const noise = (row) => Math.min(Number.isNaN(row.noise_floor) ? 0 : row.noise_floor, 1e9);
  const timed = rows.filter((row) => row.timed && row.competes).sort((a, b) => a.time_s - b.time_s);
  if (!timed.length) return [];
  const best = contender(timed[0]);
  return timed.filter(
    (row) => !toldApart(contender(row), best, Math.max(noise(timed[0]), noise(row)))
  );
}
