// The map of the archive in a browser: drawing, moving, looking, choosing. Reads the page's own data, asks no network.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const data = JSON.parse($("map-data").textContent);
  const unpack = (text, Kind) => {
    const raw = atob(text), bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Kind(bytes.buffer);
  };
  const X = unpack(data.x, Uint16Array), Y = unpack(data.y, Uint16Array), N = X.length;
  const cls = unpack(data.class, Uint16Array), sure = unpack(data.confidence, Uint8Array);
  const flags = unpack(data.flags, Uint8Array), video = unpack(data.video, Uint32Array);
  const index = unpack(data.index, Uint32Array), time = unpack(data.time, Uint32Array);
  const LABELLED = 1, STILL = 2, NOBODY = 65534, NONE = 65535, COLOURED = data.colours.length;
  const OTHER = COLOURED, EMPTY = COLOURED + 1, GREY = COLOURED + 2, GROUPS = COLOURED + 3, STEPS = 4;
  const SHAPES = ["circle", "square", "up", "diamond", "down", "plus", "star"];
  const thumbAt = new Map(data.thumbs.points.map((point, cell) => [point, cell]));
  const pictures = new Map(data.pictures);
  const chosen = new Uint8Array(N), group = new Uint8Array(N);
  const canvas = $("map"), pen = canvas.getContext("2d");
  const shown = new Array(GROUPS).fill(true);
  let oneClass = -1, onlyLabelled = false, focus = -1, lassoing = false, path = null, order = new Uint32Array(0);
  let view = { x: 32768, y: 32768, scale: 1 }, width = 1, height = 1, waiting = false, moving = false;

  // Which group each point is drawn in. A class chosen by name takes the first colour.
  function sort() {
    const counts = new Array(GROUPS).fill(0), kept = [];
    for (let i = 0; i < N; i++) {
      const known = flags[i] & LABELLED, sured = sure[i] >= data.unsure;
      let g = cls[i] === NOBODY ? EMPTY : cls[i] === NONE || !(known || sured) ? GREY : Math.min(cls[i], OTHER);
      if (oneClass >= 0) g = cls[i] === oneClass && g !== GREY ? Math.min(oneClass, OTHER) : GREY;
      group[i] = g;
      counts[g]++;
      if (visible(i)) kept.push(i);
    }
    // Grey below, colours above it, judged frames on top.
    const rank = (i) => (flags[i] & LABELLED ? 2 : group[i] === GREY ? 0 : 1);
    order = Uint32Array.from(kept.filter((i) => rank(i) === 0).concat(kept.filter((i) => rank(i) === 1), kept.filter((i) => rank(i) === 2)));
    return counts;
  }
  const visible = (i) => shown[group[i]] && (!onlyLabelled || flags[i] & LABELLED);
  const colourOf = (g) => (g < COLOURED ? data.colours[g] : g === OTHER ? (oneClass < 0 ? "#87919e" : "#d55e00") : g === EMPTY ? "#ffffff" : "#c6ccd3");

  // Markers are drawn once and copied: fifty thousand paths a frame would be slow.
  let markers = [], half = 6, made = "";
  function shape(to, kind, r) {
    const points = { up: [[0, -1.2], [1.1, .8], [-1.1, .8]], down: [[0, 1.2], [1.1, -.8], [-1.1, -.8]],
      diamond: [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]], square: [[-.9, -.9], [.9, -.9], [.9, .9], [-.9, .9]],
      plus: [[-.4, -1.2], [.4, -1.2], [.4, -.4], [1.2, -.4], [1.2, .4], [.4, .4], [.4, 1.2], [-.4, 1.2], [-.4, .4], [-1.2, .4], [-1.2, -.4], [-.4, -.4]],
      star: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((k) => [Math.sin(k * Math.PI / 5) * (k % 2 ? .55 : 1.35), -Math.cos(k * Math.PI / 5) * (k % 2 ? .55 : 1.35)]) }[kind];
    to.beginPath();
    if (!points) to.arc(0, 0, r, 0, 2 * Math.PI);
    else points.forEach(([a, b], n) => (n ? to.lineTo(a * r, b * r) : to.moveTo(a * r, b * r)));
    to.closePath();
  }
  function mark(to, g, alpha, judged, r) {
    to.globalAlpha = alpha;
    to.fillStyle = colourOf(g);
    shape(to, SHAPES[g] || "circle", g === GREY && !judged ? r * .75 : r);
    to.fill();
    if (judged || g === EMPTY) { to.globalAlpha = 1; to.strokeStyle = "#111"; to.lineWidth = judged ? Math.max(1, r * .35) : 1; to.stroke(); }
  }
  function makeMarkers(ratio) {
    const crowd = N > 40000 ? 1.6 : N > 8000 ? 2.2 : 3.4, r = Math.min(9, crowd * Math.pow(view.scale, .35));
    if (made === `${ratio} ${r} ${oneClass}`) return;
    made = `${ratio} ${r} ${oneClass}`;
    half = Math.ceil(r * 1.9) + 1;
    markers = [];
    for (let g = 0; g < GROUPS; g++) for (let step = 0; step < STEPS; step++) for (let judged = 0; judged < 2; judged++) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 2 * half * ratio;
      const to = tile.getContext("2d");
      to.setTransform(ratio, 0, 0, ratio, half * ratio, half * ratio);
      mark(to, g, judged ? 1 : g === GREY ? .5 : .3 + .7 * step / (STEPS - 1), judged, judged ? r * 1.35 : r);
      markers.push(tile);
    }
  }
  const stepOf = (i) => Math.min(STEPS - 1, Math.max(0, Math.floor(STEPS * (sure[i] - data.unsure) / (256 - data.unsure))));
  const base = () => Math.min(width, height) / 70000;
  const toX = (i) => (X[i] - view.x) * base() * view.scale + width / 2;
  const toY = (i) => (Y[i] - view.y) * base() * view.scale + height / 2;

  function draw() {
    waiting = false;
    const ratio = window.devicePixelRatio || 1, box = $("place").getBoundingClientRect();
    width = box.width; height = box.height;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    }
    makeMarkers(ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const stride = moving && order.length > 60000 ? Math.ceil(order.length / 30000) : 1;
    for (let n = 0; n < order.length; n += stride) {
      const i = order[n], x = toX(i), y = toY(i);
      if (x < -half || y < -half || x > width + half || y > height + half) continue;
      pen.drawImage(markers[(group[i] * STEPS + stepOf(i)) * 2 + (flags[i] & LABELLED)], x - half, y - half, 2 * half, 2 * half);
    }
    pen.lineWidth = 2;
    pen.strokeStyle = "#c2185b";
    for (const i of order) if (chosen[i]) { pen.beginPath(); pen.arc(toX(i), toY(i), half * .8, 0, 2 * Math.PI); pen.stroke(); }
    if (focus >= 0) for (const [r, colour] of [[half + 4, "#fff"], [half + 2, "#000"]]) {
      pen.strokeStyle = colour; pen.lineWidth = 2.5; pen.beginPath(); pen.arc(toX(focus), toY(focus), r, 0, 2 * Math.PI); pen.stroke();
    }
    if (path) {
      pen.strokeStyle = "#c2185b"; pen.fillStyle = "rgba(194,24,91,.12)"; pen.lineWidth = 1.5; pen.beginPath();
      path.forEach(([x, y], n) => (n ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.closePath(); pen.fill(); pen.stroke();
    }
  }
  function redraw() { if (!waiting) { waiting = true; requestAnimationFrame(draw); } }

  // What is known of a point.
  const clock = (ms) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}`;
  const nameOf = (i) => (cls[i] === NOBODY ? "nobody on it" : cls[i] === NONE ? "no model has seen it" : data.classes[cls[i]]);
  function element(kind, text, attributes) {
    const made = document.createElement(kind);
    if (text) made.textContent = text;
    return Object.assign(made, attributes || {});
  }
  const address = (route) => "../" + route.split("/").map(encodeURIComponent).join("/");
  const stillOf = (i) => pictures.get(i) || (flags[i] & STILL ? `stills/${data.videos[video[i]][0]}/${String(index[i]).padStart(8, "0")}.jpg` : null);
  function look(i) {
    focus = i;
    const at = data.videos[video[i]], still = stillOf(i), picture = $("picture"), links = $("links");
    const said = flags[i] & LABELLED ? "said by people" : cls[i] === NONE ? "" : `${Math.round(sure[i] / 2.55)} % sure` + (sure[i] < data.unsure ? ", too little to count" : "");
    $("facts").replaceChildren(element("strong", nameOf(i)), element("br"), said, element("br"),
      element("small", `${at[0]}, frame ${index[i]}, ${clock(time[i])}`));
    links.replaceChildren();
    picture.replaceChildren(element("span", "no picture of this frame is here; open the clip at its time"));
    if (thumbAt.has(i)) thumbnail(i, picture);
    if (still) {
      const image = element("img", "", { alt: `still of ${nameOf(i)}`, src: address(still) });
      image.onload = () => { if (focus === i) picture.replaceChildren(image); };
      links.append(element("a", "still", { href: address(still), target: "_blank" }));
    }
    if (at[3] === "video") links.append(element("a", `clip at ${clock(time[i])}`, { href: `${address("videos/" + at[2])}#t=${(time[i] / 1000).toFixed(3)}`, target: "_blank" }));
    $("pick").disabled = false;
    $("pick").textContent = chosen[i] ? "Take out of the choice" : "Add to the choice";
    redraw();
  }
  const sheet = new Image();
  if (data.thumbs.points.length) sheet.src = data.thumbs.sheet;
  function thumbnail(i, picture) {
    const [w, h] = data.thumbs.cell, cell = thumbAt.get(i), tile = element("canvas", "", { width: w, height: h });
    const copy = () => tile.getContext("2d").drawImage(sheet, (cell % data.thumbs.columns) * w, Math.floor(cell / data.thumbs.columns) * h, w, h, 0, 0, w, h);
    tile.setAttribute("role", "img");
    tile.setAttribute("aria-label", `small picture of ${nameOf(i)}`);
    sheet.complete ? copy() : sheet.addEventListener("load", copy);
    picture.replaceChildren(tile);
  }
  function nearest(x, y, reach) {
    let best = -1, least = reach * reach;
    for (const i of order) { const d = (toX(i) - x) ** 2 + (toY(i) - y) ** 2; if (d < least) { least = d; best = i; } }
    return best;
  }
  // The next point in a direction: near, and not too far to the side.
  function step(dx, dy) {
    if (focus < 0 || !visible(focus)) { const i = nearest(width / 2, height / 2, 1e9); if (i >= 0) look(i); return; }
    let best = -1, least = Infinity;
    const fx = toX(focus), fy = toY(focus);
    for (const i of order) {
      const along = (toX(i) - fx) * dx + (toY(i) - fy) * dy, aside = Math.abs((toX(i) - fx) * dy) + Math.abs((toY(i) - fy) * dx);
      if (along > .01 && along + 2 * aside < least) { least = along + 2 * aside; best = i; }
    }
    if (best < 0) return;
    look(best);
    if (toX(best) < 30 || toY(best) < 30 || toX(best) > width - 30 || toY(best) > height - 30) { view.x = X[best]; view.y = Y[best]; }
  }

  // Choosing frames and taking them home.
  function choose(test) { for (const i of order) if (test(i)) chosen[i] = 1; tell(); }
  function tell() {
    let count = 0;
    for (let i = 0; i < N; i++) count += chosen[i];
    $("count").textContent = count === 1 ? "1 frame is chosen." : `${count} frames are chosen.`;
    $("save").disabled = $("none").disabled = !count;
    if (focus >= 0) $("pick").textContent = chosen[focus] ? "Take out of the choice" : "Add to the choice";
    redraw();
  }
  function csv() {
    const lines = ["frame_id,video_id,frame_index"];
    for (let i = 0; i < N; i++) if (chosen[i]) {
      const at = data.videos[video[i]];
      lines.push(`${BigInt(at[1]) * 16777216n + BigInt(index[i])},${at[0]},${index[i]}`);
    }
    return lines.join("\n") + "\n";
  }
  function save() {
    const link = element("a", "", { href: URL.createObjectURL(new Blob([csv()], { type: "text/csv" })), download: "frames.csv" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
  const inside = (x, y) => path.reduce((odd, [ax, ay], n) => {
    const [bx, by] = path[(n + 1) % path.length];
    return (ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax ? !odd : odd;
  }, false);
  const onScreen = (i) => toX(i) >= 0 && toY(i) >= 0 && toX(i) <= width && toY(i) <= height;
  const pick = () => { if (focus >= 0) { chosen[focus] ^= 1; tell(); } };

  // Mouse, touch and keys.
  function zoom(factor, x, y) {
    const before = base() * view.scale, scale = Math.min(400, Math.max(.5, view.scale * factor)), after = base() * scale;
    view = { scale, x: view.x + (x - width / 2) * (1 / before - 1 / after), y: view.y + (y - height / 2) * (1 / before - 1 / after) };
    redraw();
  }
  function pan(dx, dy) { view.x -= dx / (base() * view.scale); view.y -= dy / (base() * view.scale); redraw(); }
  const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  let held = null, settled = 0;
  canvas.addEventListener("pointerdown", (event) => {
    held = { at: place(event), start: place(event), lasso: lassoing || event.shiftKey };
    canvas.setPointerCapture(event.pointerId);
    if (held.lasso) path = [held.at];
  });
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (!held) { const i = nearest(x, y, 12); if (i >= 0 && i !== focus) look(i); return; }
    if (held.lasso) { path.push([x, y]); redraw(); return; }
    moving = true;
    pan(x - held.at[0], y - held.at[1]);
    held.at = [x, y];
  });
  canvas.addEventListener("pointerup", (event) => {
    const [x, y] = place(event);
    if (path && path.length > 2) choose((i) => inside(toX(i), toY(i)));
    else if (held && Math.hypot(x - held.start[0], y - held.start[1]) < 4) { const i = nearest(x, y, 14); if (i >= 0) look(i); }
    held = path = null; moving = false;
    redraw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const [x, y] = place(event);
    moving = true;
    clearTimeout(settled);
    settled = setTimeout(() => { moving = false; redraw(); }, 150);
    zoom(Math.exp(-event.deltaY / 400), x, y);
  }, { passive: false });
  const whole = () => { view = { x: 32768, y: 32768, scale: 1 }; redraw(); };
  const lasso = () => { lassoing = !lassoing; $("lasso").setAttribute("aria-pressed", lassoing); canvas.classList.toggle("lasso", lassoing); };
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const keys = { "+": () => zoom(1.4, width / 2, height / 2), "=": () => zoom(1.4, width / 2, height / 2), "-": () => zoom(1 / 1.4, width / 2, height / 2),
    0: whole, l: lasso, a: () => choose(onScreen), " ": pick, Enter: pick, Escape: () => { chosen.fill(0); tell(); } };
  canvas.addEventListener("keydown", (event) => {
    const way = ways[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !(way || keys[event.key])) return;
    event.preventDefault();
    if (!way) keys[event.key]();
    else if (event.shiftKey) step(...way);
    else pan(-60 * way[0], -60 * way[1]);
  });

  // The panel.
  function legend() {
    const counts = sort(), rows = [];
    const names = data.classes.slice(0, COLOURED);
    names[OTHER] = oneClass < 0 ? `${data.classes.length - COLOURED} other classes` : data.classes[oneClass];
    names[EMPTY] = "nobody on it, people say";
    names[GREY] = oneClass >= 0 ? "everything else" : data.model ? `not sure enough (below ${Math.round(data.unsure / 2.55)} %)` : "no model yet";
    for (let g = 0; g < GROUPS; g++) {
      if ((g === OTHER || g === EMPTY || oneClass >= 0) && !counts[g]) continue;
      if (g < COLOURED && g >= data.classes.length) continue;
      const label = element("label"), box = element("input", "", { type: "checkbox", checked: shown[g] }), tile = element("canvas", "", { width: 36, height: 36 });
      const to = tile.getContext("2d");
      to.setTransform(2, 0, 0, 2, 18, 18);
      mark(to, g, 1, 0, 5);
      tile.setAttribute("aria-hidden", "true");
      box.addEventListener("change", () => { shown[g] = box.checked; sort(); redraw(); });
      label.append(box, tile, element("span", names[g], { className: "name" }), element("span", counts[g].toLocaleString("en"), { className: "count" }));
      rows.push(label);
    }
    $("legend").replaceChildren(...rows);
  }
  data.classes.forEach((name, n) => $("one").append(element("option", name, { value: n })));
  $("one").addEventListener("change", () => { oneClass = Number($("one").value); legend(); redraw(); });
  $("judged").addEventListener("change", () => { onlyLabelled = $("judged").checked; sort(); redraw(); });
  for (const [id, act] of [["in", keys["+"]], ["out", keys["-"]], ["whole", whole], ["lasso", lasso], ["pick", pick], ["save", save],
    ["none", keys.Escape], ["window", () => choose(onScreen)], ["class", () => choose((i) => group[i] !== GREY)]]) $(id).addEventListener("click", act);
  new ResizeObserver(redraw).observe($("place"));
  legend();
  tell();
  draw();
  // For tests and for the curious.
  window.archiveMap = { points: N, look, choose, csv, screen: (i) => [toX(i), toY(i)], view: () => view, focus: () => focus, shown: () => order.length };
})();
