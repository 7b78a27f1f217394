// The map: a canvas in metres, east to the right and north up. It draws what it is given and asks nobody for anything.

// As in map.png (records/map_furniture.py); a test compares them.
export const COLOURS = {
  HAZARD: "#FF0000", SEARCHED: "#0072B2", SAFE: "#7A8B7F", NO_GO: "#333333", HALO: "#CC79A7",
  TARGET: "#1A1A1A", MARK: "#E69F00", TRACK: "#10324A", INK: "#222222", PRIOR: "#B07000",
};
const OUTSIDE = 0, SAFE = 1, SEARCHED = 2, PENDING = 3, GAP = 4, HALO = 5;  // codes of console/tiles.py
const SHAPES = ["circle", "down", "up", "square", "diamond", "cross"];       // by class of a target
export const NAMES = ["unknown", "AP, minimum metal", "AP, metal", "AT", "ERW", "clutter"];
const LABEL_ZOOM = 22;   // px/m from which targets carry labels
const MAX_LABELS = 150;
const REMARKS = { confirm: "  operator: hazard", reject: "  operator: no hazard", release: "  operator: released" };
const TOUCH_PX = 26;
const COARSE = 4;

const rgba = (hex, alpha) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).concat(Math.round(255 * alpha));
const css = (hex, alpha) => `rgb(${[1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).join(" ")} / ${alpha})`;

/** Pixel of a cell by its code; gaps are hatched, so that they are told apart without colour. */
function cellColour(code, row, column) {
  if (code === SEARCHED) return rgba(COLOURS.SEARCHED, 0.34);
  if (code === PENDING) return rgba(COLOURS.HAZARD, 0.2);
  if (code === GAP) return rgba(COLOURS.HAZARD, (row + column) % 6 < 2 ? 0.75 : 0.12);
  if (code === HALO) return rgba(COLOURS.HALO, 0.4);
  if (code === SAFE) return rgba(COLOURS.SAFE, 0.22);
  return code === OUTSIDE ? [0, 0, 0, 0] : [0, 0, 0, 255];
}

/** A tile of run lengths (console/tiles.py) as an image, north up. */
export function tileImage(text, width, height) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const image = new ImageData(width, height);
  let cell = 0;
  for (let i = 0; i < bytes.length;) {
    let number = 0, scale = 1, byte;
    do { byte = bytes[i++]; number += (byte & 0x7f) * scale; scale *= 128; } while (byte & 0x80);
    const code = number & 7;
    for (const end = cell + Math.floor(number / 8); cell < end; cell++) {
      const row = Math.floor(cell / width), column = cell % width;
      if (row < height) image.data.set(cellColour(code, row, column), 4 * ((height - 1 - row) * width + column));
    }
  }
  const canvas = document.createElement("canvas");
  canvas.width = width; canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** A tile with a COARSE-th of the cells along an edge, each their mean: from afar, reading all cells for every frame takes too long. */
function reduced(image) {
  const canvas = document.createElement("canvas"), g = canvas.getContext("2d");
  canvas.width = Math.ceil(image.width / COARSE); canvas.height = Math.ceil(image.height / COARSE);
  g.imageSmoothingQuality = "high";
  g.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

export class FieldMap {
  /** `onFollow` hears whether the robot is followed, `onTarget` the id of a target that is touched. */
  constructor(canvas, onFollow, onTarget) {
    this.canvas = canvas;
    this.onFollow = onFollow;
    this.onTarget = onTarget;
    this.selected = null;                       // id of the target that is looked at
    this.view = { x: 0, y: 0, k: 20 };        // centre in m, px/m
    this.following = false;
    this.touched = false;                       // the person has moved the map
    this.clear();
    this.pointers = new Map();
    new ResizeObserver(() => { if (!this.touched) this.fit(); this.redraw(); }).observe(canvas);
    this.listen();
  }

  clear() {
    this.grid = null; this.tiles = new Map(); this.targets = new Map(); this.marks = new Map(); this.remarks = new Map();
    this.plan = null; this.progress = null; this.pose = null; this.poseAge = Infinity;
  }

  // --- what to show -------------------------------------------------------------------------------------------------------
  setScene(scene) { this.scene = scene; if (!this.touched) this.fit(); this.redraw(); }

  setTile(row, column, text) {
    const { tile, rows, columns } = this.grid;
    const width = Math.min(tile, columns - column * tile), height = Math.min(tile, rows - row * tile);
    if (width > 0 && height > 0) this.tiles.set(`${row}/${column}`, { row, column, width, height, image: tileImage(text, width, height) });
  }

  setPose(pose, age) {
    this.pose = pose; this.poseAge = age;
    if (this.following && pose && pose.x !== null) { this.view.x = pose.x; this.view.y = pose.y; }
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.draw(); });
  }

  // --- the view -----------------------------------------------------------------------------------------------------------
  fit() {
    if (!this.scene) return;
    const [west, south, east, north] = this.scene.bounds;
    this.view.x = (west + east) / 2; this.view.y = (south + north) / 2;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    this.view.k = Math.max(0.9 * Math.min(w / (east - west), (h - 90) / (north - south)), 0.5);
    this.touched = false;
    this.redraw();
  }

  follow(on) { this.following = on; if (on) { this.touched = true; this.view.k = Math.max(this.view.k, 40); } this.onFollow(on); this.setPose(this.pose, this.poseAge); this.redraw(); }

  zoom(factor, sx = this.canvas.clientWidth / 2, sy = this.canvas.clientHeight / 2) {
    const [x, y] = this.toMap(sx, sy);
    this.view.k = Math.min(Math.max(this.view.k * factor, 0.5), 2000);
    if (!this.following) { const [x2, y2] = this.toMap(sx, sy); this.view.x += x - x2; this.view.y += y - y2; }
    this.touched = true;
    this.redraw();
  }

  /** Whether a touch takes hold of something on the map (then `drag` hears of it), or else moves the map. */
  grab() { return false; }

  tap(sx, sy) {
    const id = this.targetAt(sx, sy);
    if (id !== null) this.onTarget(id);
  }

  /** Id of the target nearest to a place on the canvas, as long as a finger could mean it. */
  targetAt(sx, sy) {
    let best = null, least = TOUCH_PX;
    for (const [id, [x, y]] of this.targets) {
      if (x === null || y === null || !this.w) continue;
      const [tx, ty] = this.at(x, y), distance = Math.hypot(tx - sx, ty - sy);
      if (distance < least) { least = distance; best = id; }
    }
    return best;
  }

  select(id) { this.selected = id; this.redraw(); }

  toMap(sx, sy) {
    return [this.view.x + (sx - this.canvas.clientWidth / 2) / this.view.k, this.view.y - (sy - this.canvas.clientHeight / 2) / this.view.k];
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY); }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
      this.touch = this.pointers.size === 1 ? [event.offsetX, event.offsetY] : null;
      this.grabbed = this.touch !== null && this.grab(event.offsetX, event.offsetY, event.pointerType);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (this.touch && Math.hypot(event.offsetX - this.touch[0], event.offsetY - this.touch[1]) < TOUCH_PX / 2) {
        this.tap(event.offsetX, event.offsetY);
      }
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId);
      if (!before) return;
      const now = [event.offsetX, event.offsetY];
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
      this.pointers.set(event.pointerId, now);
      if (other) {
        const span = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]);
        this.zoom(Math.max(span(now), 1) / Math.max(span(before), 1), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
        return;
      }
      if (this.grabbed) { if (this.drag(...now)) this.touch = null; return; }
      if (this.following) this.follow(false);
      this.view.x -= (now[0] - before[0]) / this.view.k;
      this.view.y += (now[1] - before[1]) / this.view.k;
      this.touched = true;
      this.redraw();
    });
  }

  // --- drawing ------------------------------------------------------------------------------------------------------------
  draw() {
    const { clientWidth: w, clientHeight: h } = this.canvas, ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(w * ratio) || this.canvas.height !== Math.round(h * ratio)) {
      this.canvas.width = Math.round(w * ratio); this.canvas.height = Math.round(h * ratio);
    }
    const g = this.g = this.canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.fillStyle = "#fff"; g.fillRect(0, 0, w, h);
    if (!this.scene) return;
    this.w = w; this.h = h;
    this.drawGrid();
    this.drawGround();
    this.drawPlan();
    this.drawTargets();
    this.drawRobot();
    this.drawFurniture();
    if (this.scene.replay) this.drawReplay();
  }

  /** That this is no live picture, all over the map. */
  drawReplay() {
    const g = this.g;
    g.save();
    g.font = "bold 64px system-ui, sans-serif"; g.textAlign = "center"; g.textBaseline = "middle";
    g.fillStyle = "rgb(90 30 150 / 0.2)";
    for (let y = 110; y < this.h + 60; y += 190) for (let x = (y % 380 > 190 ? 300 : 130); x < this.w + 130; x += 400) {
      g.save(); g.translate(x, y); g.rotate(-0.4); g.fillText("REPLAY", 0, 0); g.restore();
    }
    g.restore();
  }

  at(x, y) { return [this.w / 2 + (x - this.view.x) * this.view.k, this.h / 2 - (y - this.view.y) * this.view.k]; }

  path(polygons) {
    this.g.beginPath();
    for (const rings of polygons) for (const ring of rings) {
      ring.forEach(([x, y], i) => { const [sx, sy] = this.at(x, y); i ? this.g.lineTo(sx, sy) : this.g.moveTo(sx, sy); });
      this.g.closePath();
    }
  }

  drawGrid() {
    const g = this.g, step = roundLength(110 / this.view.k), [x0, y1] = this.toMap(0, 0), [x1, y0] = this.toMap(this.w, this.h);
    g.strokeStyle = "#d4d4d4"; g.lineWidth = 1; g.beginPath();
    for (let x = Math.ceil(x0 / step) * step; x <= x1; x += step) { const sx = this.at(x, 0)[0]; g.moveTo(sx, 0); g.lineTo(sx, this.h); }
    for (let y = Math.ceil(y0 / step) * step; y <= y1; y += step) { const sy = this.at(0, y)[1]; g.moveTo(0, sy); g.lineTo(this.w, sy); }
    g.stroke();
  }

  drawGround() {
    const g = this.g, scene = this.scene;
    if (!this.tiles.size) {
      this.path(scene.safe); g.fillStyle = css(COLOURS.SAFE, 0.22); g.fill("evenodd");
      this.path(scene.hazard); g.fillStyle = css(COLOURS.HAZARD, 0.2); g.fill("evenodd");
    } else {
      const { x0, y0, resolution: r, tile } = this.grid, k = this.view.k * r;
      g.imageSmoothingEnabled = k < 1;
      for (const one of this.tiles.values()) {
        const { row, column, width, height } = one, image = k < 1 / COARSE ? one.coarse ??= reduced(one.image) : one.image;
        const [sx, sy] = this.at(x0 + column * tile * r, y0 + (row * tile + height) * r);
        if (sx < this.w && sy < this.h && sx + width * k > 0 && sy + height * k > 0) g.drawImage(image, sx, sy, width * k, height * k);
      }
    }
    this.path(scene.safe); g.strokeStyle = COLOURS.SAFE; g.lineWidth = 1.5; g.stroke();
    this.path(scene.no_go); g.fillStyle = this.hatch(); g.fill("evenodd"); g.strokeStyle = COLOURS.NO_GO; g.stroke();
    this.path(scene.priors); g.strokeStyle = COLOURS.PRIOR; g.lineWidth = 1.5; g.setLineDash([6, 4]); g.stroke(); g.setLineDash([]);
    this.path(scene.hazard); g.strokeStyle = css(COLOURS.HAZARD, 0.85); g.lineWidth = 2.5; g.stroke();
  }

  hatch() {
    if (!this.cross) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 10;
      const g = tile.getContext("2d");
      g.strokeStyle = COLOURS.NO_GO; g.lineWidth = 1.2;
      g.beginPath(); g.moveTo(0, 0); g.lineTo(10, 10); g.moveTo(10, 0); g.lineTo(0, 10); g.stroke();
      this.cross = this.g.createPattern(tile, "repeat");
    }
    return this.cross;
  }

  drawPlan() {
    const plan = this.plan;
    if (!plan || !plan.points.length) return;
    const g = this.g, reverse = new Set(plan.reverse), mine = this.progress && this.progress.plan_t === plan.t;
    const first = mine ? Math.min(this.progress.step, plan.points.length - 1) : 0;
    if (mine && this.progress.done) return;
    const start = mine && this.pose && this.pose.x !== null ? [this.pose.x, this.pose.y] : plan.points[first];
    g.strokeStyle = COLOURS.TRACK; g.lineWidth = 2;
    let from = this.at(...start);
    for (let i = first; i + 1 < plan.points.length; i++) {
      const to = this.at(...plan.points[i + 1]);
      g.setLineDash(reverse.has(i) ? [2, 5] : [10, 5]);
      g.beginPath(); g.moveTo(...from); g.lineTo(...to); g.stroke();
      from = to;
    }
    g.setLineDash([]);
    g.fillStyle = COLOURS.TRACK; g.fillRect(from[0] - 4, from[1] - 4, 8, 8);
  }

  drawTargets() {
    const g = this.g, k = this.view.k, halo = this.scene.halo_m;
    for (const [x, y] of this.scene.known_targets) { this.symbol("cross", ...this.at(x, y), 7, COLOURS.HAZARD); }
    let labels = 0;
    const inside = ([sx, sy], m) => sx > -m && sy > -m && sx < this.w + m && sy < this.h + m;
    for (const [id, target] of this.targets) {
      const [x, y, , , p, kind] = target;
      if (x === null || y === null) continue;
      const s = this.at(x, y), suspect = p >= this.scene.mark_p;
      if (!inside(s, halo * k)) continue;
      if (suspect) {
        g.beginPath(); g.arc(...s, Math.max(halo * k, 5), 0, 7);
        g.fillStyle = css(COLOURS.HALO, 0.35); g.fill(); g.strokeStyle = COLOURS.HALO; g.lineWidth = 2; g.stroke();
      }
      this.symbol(SHAPES[kind] || "circle", ...s, suspect ? 5 : 3, suspect ? COLOURS.TARGET : "#777777");
      if (id === this.selected) { g.strokeStyle = COLOURS.INK; g.lineWidth = 3; g.strokeRect(s[0] - 13, s[1] - 13, 26, 26); }
      if (suspect && k > LABEL_ZOOM && labels++ < MAX_LABELS) this.label(`${id}  ${NAMES[kind] || "?"}  ${p.toFixed(2)}${REMARKS[this.remarks.get(id)?.kind] || ""}`, s[0] + 13, s[1]);
    }
    for (const mark of this.marks.values()) {
      if (mark.x === null || mark.y === null) continue;
      const s = this.at(mark.x, mark.y);
      if (inside(s, 20)) this.drawMark(mark.status, ...s);
    }
  }

  drawMark(status, sx, sy) {
    const g = this.g;
    g.strokeStyle = COLOURS.MARK; g.lineWidth = status === "confirmed" ? 4 : 2.5;
    g.setLineDash(status === "confirmed" ? [] : [4, 4]);
    g.beginPath(); g.arc(sx, sy, 10, 0, 7); g.stroke();
    g.setLineDash([]);
    if (status === "failed") this.symbol("cross", sx, sy, 9, COLOURS.MARK);
    if (status === "unverified") this.label("?", sx - 20, sy - 10);
  }

  symbol(shape, sx, sy, r, colour) {
    const g = this.g;
    g.fillStyle = g.strokeStyle = colour; g.lineWidth = 2;
    g.beginPath();
    if (shape === "circle") g.arc(sx, sy, r, 0, 7);
    else if (shape === "square") g.rect(sx - r, sy - r, 2 * r, 2 * r);
    else if (shape === "cross") { g.moveTo(sx - r, sy - r); g.lineTo(sx + r, sy + r); g.moveTo(sx + r, sy - r); g.lineTo(sx - r, sy + r); g.stroke(); return; }
    else if (shape === "diamond") { g.moveTo(sx, sy - 1.3 * r); g.lineTo(sx + 1.3 * r, sy); g.lineTo(sx, sy + 1.3 * r); g.lineTo(sx - 1.3 * r, sy); }
    else { const d = shape === "up" ? 1 : -1; g.moveTo(sx, sy - d * 1.2 * r); g.lineTo(sx + 1.1 * r, sy + d * r); g.lineTo(sx - 1.1 * r, sy + d * r); }
    g.closePath(); g.fill();
  }

  label(text, sx, sy) {
    const g = this.g;
    g.font = "13px system-ui, sans-serif"; g.textAlign = "left"; g.textBaseline = "middle";
    g.fillStyle = "rgb(255 255 255 / 80%)"; g.fillRect(sx - 3, sy - 9, g.measureText(text).width + 6, 18);
    g.fillStyle = COLOURS.INK; g.fillText(text, sx, sy);
  }

  drawRobot() {
    const pose = this.pose;
    if (!pose || pose.x === null || pose.y === null || pose.yaw === null) return;
    const g = this.g, k = this.view.k, stale = this.poseAge > 1.5, [sx, sy] = this.at(pose.x, pose.y), robot = this.scene.robot;
    const ink = stale ? "#8a8a8a" : COLOURS.TRACK;
    g.save(); g.translate(sx, sy); g.rotate(-pose.yaw);
    const box = ([x0, y0, x1, y1]) => [x0 * k, -y1 * k, (x1 - x0) * k, (y1 - y0) * k];
    g.fillStyle = ink; g.strokeStyle = "#fff"; g.lineWidth = 1;
    for (const track of robot.tracks) { g.globalAlpha = 0.75; g.fillRect(...box(track)); g.globalAlpha = 1; g.strokeRect(...box(track)); }
    g.strokeStyle = ink; g.lineWidth = 2; g.strokeRect(...box(robot.head));
    const [ahead, width] = robot.sweep;
    g.lineWidth = 4; g.strokeStyle = stale ? "#8a8a8a" : COLOURS.SEARCHED;
    g.beginPath(); g.moveTo(ahead * k, -width / 2 * k); g.lineTo(ahead * k, width / 2 * k); g.stroke();
    g.restore();
    if (pose.ellipse) {
      const factor = this.scene.sigma_factor * k;
      g.beginPath(); g.ellipse(sx, sy, Math.max(pose.ellipse[0] * factor, 2), Math.max(pose.ellipse[1] * factor, 2), -pose.ellipse[2], 0, 7);
      g.fillStyle = css(COLOURS.MARK, 0.75); g.fill(); g.strokeStyle = "#000"; g.lineWidth = 1; g.stroke();
    }
    // An arrow of fixed size, so that the robot is seen and points somewhere at any zoom.
    const length = Math.max(1.1 * k * (robot.sweep[0] || 0.5), 26), c = Math.cos(pose.yaw), s = -Math.sin(pose.yaw);
    const tip = [sx + length * c, sy + length * s];
    g.strokeStyle = ink; g.fillStyle = ink; g.lineWidth = 3;
    g.beginPath(); g.moveTo(sx, sy); g.lineTo(...tip); g.stroke();
    g.beginPath(); g.moveTo(tip[0] + 9 * c, tip[1] + 9 * s); g.lineTo(tip[0] - 6 * s, tip[1] + 6 * c); g.lineTo(tip[0] + 6 * s, tip[1] - 6 * c); g.closePath(); g.fill();
    if (stale) this.label(`position ${Math.min(this.poseAge, 9999).toFixed(0)} s old`, sx + 16, sy + 18);
  }

  drawFurniture() {
    const g = this.g, length = roundLength(130 / this.view.k), px = length * this.view.k, x = 18, y = this.h - 22;
    g.fillStyle = "rgb(255 255 255 / 88%)"; g.fillRect(x - 10, y - 26, px + 52, 42);
    g.fillStyle = COLOURS.INK; g.fillRect(x, y, px / 2, 7); g.strokeStyle = COLOURS.INK; g.lineWidth = 1; g.strokeRect(x, y, px, 7);
    g.font = "13px system-ui, sans-serif"; g.textAlign = "center"; g.textBaseline = "bottom";
    g.fillText("0", x, y - 3); g.fillText(`${+length.toPrecision(2)} m`, x + px, y - 3);
    const nx = this.w - 26, ny = 14;
    g.beginPath(); g.moveTo(nx, ny); g.lineTo(nx + 9, ny + 28); g.lineTo(nx, ny + 21); g.lineTo(nx - 9, ny + 28); g.closePath(); g.fill();
    g.font = "bold 15px system-ui, sans-serif"; g.fillText("N", nx, ny + 48);
  }
}

function roundLength(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return [1, 2, 5, 10].reduce((best, f) => (Math.abs(f * power - length) < Math.abs(best * power - length) ? f : best)) * power;
}

/** Rows of the legend, each with a small drawing. */
export function legend(list, halo, priors) {
  const area = (code) => (g) => { for (let y = 0; y < 22; y++) for (let x = 0; x < 34; x++) { const [r, v, b, a] = cellColour(code, y, x); g.fillStyle = `rgb(${r} ${v} ${b} / ${a / 255})`; g.fillRect(x, y, 1, 1); } };
  const map = (use) => (g) => { const m = Object.create(FieldMap.prototype); m.g = g; use(m, g); };
  const line = (dash) => (g) => { g.strokeStyle = COLOURS.TRACK; g.lineWidth = 2; g.setLineDash(dash); g.beginPath(); g.moveTo(0, 11); g.lineTo(34, 11); g.stroke(); };
  const rows = [
    ["hazardous area, not searched", (g) => { area(PENDING)(g); g.strokeStyle = COLOURS.HAZARD; g.lineWidth = 3; g.strokeRect(0, 0, 34, 22); }],
    ["searched, with evidence", area(SEARCHED)], ["gap: cannot be reached", area(GAP)], ["safe area", area(SAFE)],
    ["no-go zone", map((m, g) => { g.fillStyle = m.hatch(); g.fillRect(0, 0, 34, 22); })],
    ...(priors ? [["suspected beforehand", (g) => { g.strokeStyle = COLOURS.PRIOR; g.lineWidth = 1.5; g.setLineDash([6, 4]); g.strokeRect(2, 2, 30, 18); }]] : []),
    [`halo of a suspect, ${halo} m`, area(HALO)],
    ...NAMES.map((name, i) => [`target: ${name}`, map((m) => m.symbol(SHAPES[i], 17, 11, 5, COLOURS.TARGET))]),
    ["mark, confirmed", map((m) => m.drawMark("confirmed", 17, 11))], ["mark, requested or not proven", map((m) => m.drawMark("requested", 17, 11))],
    ["mark, failed", map((m) => m.drawMark("failed", 17, 11))],
    ["way ahead", line([10, 5])], ["way ahead, backwards", line([2, 5])],
    ["robot's position, 3 sigma", (g) => { g.fillStyle = css(COLOURS.MARK, 0.75); g.strokeStyle = "#000"; g.beginPath(); g.ellipse(17, 11, 11, 6, 0, 0, 7); g.fill(); g.stroke(); }],
  ];
  list.replaceChildren(...rows.map(([text, draw]) => {
    const row = document.createElement("li"), canvas = document.createElement("canvas");
    canvas.width = 34; canvas.height = 22;
    draw(canvas.getContext("2d"));
    row.append(canvas, text);
    return row;
  }));
}
