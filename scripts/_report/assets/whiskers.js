// Intervals that are far wider than what differs end with the panel, with an arrow: it is for the estimates.
// The rule of scripts/_shared/whiskers.py.
const FAR = 2, MARGIN = 0.06, LEAST_MARGIN = 1.02;
function whiskered(points) {
  if (!points.length) return points;
  const values = points.map((record) => record.y);
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const ends = points.map((record) => ({ ...record, below: record.lo < lowest / FAR, beyond: record.hi > highest * FAR }));
  const bottom = Math.min(lowest, ...ends.filter((record) => !record.below).map((record) => record.lo));
  const top = Math.max(highest, ...ends.filter((record) => !record.beyond).map((record) => record.hi));
  const margin = Math.max((top / bottom) ** MARGIN, LEAST_MARGIN);
  return ends.map((record) => ({ ...record, from: record.below ? bottom / margin : record.lo, to: record.beyond ? top * margin : record.hi }));
}
