// How many times faster an arm is than what is used now: the rule of scripts/_recommend/ratios.py, without its rounds.
// Both rows are of one case. `word` is faster, slower, same or unresolved; `floor` what would have been seen.
const TURNED = { faster: "slower", slower: "faster" };
const UNKNOWN = { value: NaN, lo: NaN, hi: NaN, word: "", floor: NaN };

function gain(now, row) {
  if (!now?.timed || !row?.timed) return UNKNOWN;
  if (now === row) return { value: 1, lo: 1, hi: 1, word: "same", floor: 0 };
  return judgedBy(now, row) ?? inverse(judgedBy(row, now)) ?? fromSpeedups(now, row);
}

// What the run says of the two, if `row` leads where `now` stands, or `now` is the baseline.
function judgedBy(now, row) {
  if (now.leader_verdict && now.leader === row.label) {
    const word = TURNED[now.leader_verdict] ?? now.leader_verdict;
    return { value: now.over_leader, lo: now.over_leader_lo, hi: now.over_leader_hi, word, floor: now.leader_noise_floor };
  }
  if (now.role !== "baseline" || !row.verdict || !row.leader) return undefined;
  return { value: row.speedup, lo: row.speedup_lo, hi: row.speedup_hi, word: row.verdict, floor: row.noise_floor };
}

function inverse(found) {
  if (!found) return undefined;
  const { value, lo, hi, word, floor } = found;
  return { value: 1 / value, lo: 1 / hi, hi: 1 / lo, word: TURNED[word] ?? word, floor };
}

function fromSpeedups(now, row) {
  const own = (other, value) => (other.role === "baseline" && Number.isNaN(value) ? 1 : value);
  const lo = own(row, row.speedup_lo) / own(now, now.speedup_hi);
  const hi = own(row, row.speedup_hi) / own(now, now.speedup_lo);
  const wider = 1 + Math.max(...[now, row].map((each) => (each.leader ? 0 : each.noise_floor || 0)));
  const word = lo / wider > 1 ? "faster" : hi * wider < 1 ? "slower" : "unresolved";
  return { value: now.time_s / row.time_s, lo, hi, word, floor: now.role === "baseline" ? row.noise_floor : NaN };
}
