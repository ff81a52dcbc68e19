// How many times faster a row is than another, as Python found it (scripts/_report/gains.py): arms of one experiment, or
// one arm in two runs. `word` is faster, slower, same or unresolved; `floor` what would have been seen.
const UNKNOWN = { value: NaN, lo: NaN, hi: NaN, word: "", floor: NaN };
const OPPOSITE = { faster: "slower", slower: "faster" };
const gains = new Map();
for (let i = 0; i < data.gains.now.length; i++) {
  const found = Object.fromEntries(["value", "lo", "hi", "floor"].map((name) => [name, data.gains[name][i] ?? NaN]));
  gains.set(`${data.gains.now[i]} ${data.gains.row[i]}`, { ...found, word: data.verdicts[data.gains.word[i]] });
}

function gain(now, row) {
  if (!now?.timed || !row?.timed) return UNKNOWN;
  if (now === row) return { value: 1, lo: 1, hi: 1, word: "same", floor: 0 };
  return gains.get(`${now.id} ${row.id}`) ?? inverse(gains.get(`${row.id} ${now.id}`)) ?? UNKNOWN;
}

function inverse(found) {
  if (!found) return undefined;
  const { value, lo, hi, word, floor } = found;
  return { value: 1 / value, lo: 1 / hi, hi: 1 / lo, word: OPPOSITE[word] ?? word, floor };
}

// Whether a gain is so far beyond what would have been seen that a coarse run tells it: the rule of bench/stats/trust.py.
function isClear({ word, lo, hi, floor }) {
  const clear = 1 + 2 * floor;
  return !(floor > data.limits.hopeless) && ((word === "faster" && lo > clear) || (word === "slower" && hi < 1 / clear));
}
