// The choice in the address: #op=relu&n=16Mi&now=torch_eager&off=jax_jit. It survives a reload and can be sent.
function toAddress() {
  const words = data.axes.filter((axis) => axis.offered).map((axis) => [axis.name, valueOf(axis.name)]);
  words.push(["n", size(state.n)]);
  if (state.now) words.push(["now", state.now]);
  for (const arm of state.off) words.push(["off", arm]);
  const found = `#${new URLSearchParams(words)}`;
  if (found !== location.hash) history.replaceState(null, "", found);
}

// Sets `state` from the address; returns what it asks for in vain.
function fromAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  const missing = [];
  const asked = data.axes.filter((axis) => words.has(axis.name)).map((axis) => {
    const code = axis.texts.indexOf(words.get(axis.name));
    if (code < 0) missing.push(`${axis.label} ${words.get(axis.name)}`);
    return [axis, code];
  }).filter(([, code]) => code >= 0);
  const common = (slice) => asked.filter(([axis, code]) => slice[axis.place] === code).length;
  if (asked.length) {
    state.slice = data.slices.reduce((top, slice, i) => (common(slice) > common(data.slices[top]) ? i : top), state.slice);
    if (common(data.slices[state.slice]) < asked.length) missing.push("all of it together");
  }
  const known = new Set(data.arms.filter((arm) => arm.competes).map((arm) => arm.name));
  const names = (key) => words.getAll(key).filter((name) => known.has(name) || !missing.push(`${key} ${name}`));
  state.now = names("now")[0] ?? "";
  state.off = new Set(names("off"));
  if (words.has("n")) {
    state.n = sizes().find((n) => size(n) === words.get("n")) ?? state.n;
    if (state.n === null || size(state.n) !== words.get("n")) missing.push(`size ${words.get("n")}`);
  }
  return missing;
}
