// Polygons that a finger or a mouse draws and changes on the map. A polygon is [role, rings], the outer ring first, points in m; a known
// target is a ring of one point. Corners at the same place move together, so that areas that touch keep touching.

import { COLOURS, FieldMap } from "/map.js";

export const ROLES = { hazard_area: COLOURS.HAZARD, safe_area: COLOURS.SAFE, no_go: COLOURS.NO_GO, known_target: COLOURS.TARGET };
const REACH_PX = { mouse: 11, pen: 16 }, FINGER_PX = 24;  // how near to a corner one has to touch it
const STILL_PX = 6;                                       // a touch that moves less moves nothing
const SNAP_PX = 12, SAME_M = 0.002, MIDDLE_PX = 44, HISTORY = 100;

const cm = ([x, y]) => [Number(x.toFixed(2)), Number(y.toFixed(2))];
const same = (p, q) => Math.hypot(p[0] - q[0], p[1] - q[1]) < SAME_M;

export class Editor extends FieldMap {
  /** `onChange` hears that the polygons have changed, `onChosen` whether a corner is chosen. */
  constructor(canvas, onChange, onChosen) {
    super(canvas, () => {}, () => {});
    this.onChange = onChange;
    this.onChosen = onChosen;
    this.role = "hazard_area";
    this.history = [];
    this.set([]);
  }

  /** Show other polygons; without `changed` they are the same ground, about another datum. */
  set(polygons) { this.polygons = polygons; this.open = -1; this.choose(null); }

  // --- changes ------------------------------------------------------------------------------------------------------------
  /** Remember how it was; call it before every change. */
  remember() {
    this.history.push(JSON.stringify([this.scene.datum, this.polygons, this.open]));
    if (this.history.length > HISTORY) this.history.shift();
  }

  undo() {
    if (!this.history.length) return;
    const [datum, polygons, open] = JSON.parse(this.history.pop());
    const moved = String(datum) !== String(this.scene.datum);
    this.set(polygons);
    this.open = open;
    this.scene = { ...this.scene, datum };
    this.onChange();
    if (moved) this.fit();
  }

  tap(sx, sy) {
    if (!this.scene) return;
    const corner = this.nearestCorner(sx, sy, this.reach);
    const drawing = this.polygons[this.open];
    if (drawing && corner && corner.polygon === this.open && corner.corner === 0 && drawing[1][0].length > 2) { this.finish(); return; }
    if (corner && (!drawing || corner.polygon === this.open)) { this.choose(corner); return; }
    this.choose(null);
    this.remember();
    const at = this.snap(this.toMap(sx, sy), new Set([this.open]));
    if (this.role === "known_target") this.polygons.push([this.role, [[at]]]);
    else if (drawing) drawing[1][0].push(at);
    else { this.open = this.polygons.length; this.polygons.push([this.role, [[at]]]); }
    this.onChange();
  }

  /** Close the polygon that is being drawn; fewer than three corners are none. */
  finish() {
    const drawing = this.polygons[this.open];
    if (drawing && drawing[1][0].length < 3) this.polygons.splice(this.open, 1);
    this.open = -1;
    this.choose(null);
  }

  removeCorner() {
    if (!this.chosen) return;
    const { polygon, ring, corner } = this.chosen, [role, rings] = this.polygons[polygon];
    this.remember();
    rings[ring].splice(corner, 1);
    if (rings[ring].length < (role === "known_target" || polygon === this.open ? 1 : 3)) {
      if (ring > 0) rings.splice(ring, 1);                // a hole
      else { this.polygons.splice(polygon, 1); if (this.open >= polygon) this.open = this.open === polygon ? -1 : this.open - 1; }
    }
    this.choose(null);
    this.onChange();
  }

  choose(corner) { this.chosen = corner; this.onChosen(corner !== null); this.redraw(); }

  // --- dragging: called by FieldMap ---------------------------------------------------------------------------------------
  /** Whether a touch takes hold of a corner, or of the middle of a side, which becomes one. */
  grab(sx, sy, kind) {
    this.reach = REACH_PX[kind] || FINGER_PX;
    if (!this.scene) return false;
    this.held = this.nearestCorner(sx, sy, this.reach) || this.nearestMiddle(sx, sy, this.reach);
    this.from = [sx, sy];
    this.moving = null;
    return this.held !== null;
  }

  /** Move what is held; false as long as it still may be a touch that moves nothing. */
  drag(sx, sy) {
    if (!this.moving && Math.hypot(sx - this.from[0], sy - this.from[1]) < STILL_PX) return false;
    if (!this.moving) this.begin();
    const at = this.snap(this.toMap(sx, sy), new Set(this.moving.map(([polygon]) => polygon)));
    for (const [polygon, ring, corner] of this.moving) this.polygons[polygon][1][ring][corner] = at;
    this.onChange();
    return true;
  }

  begin() {
    const { polygon, ring, corner, middle } = this.held, points = this.polygons[polygon][1][ring];
    this.remember();
    if (middle) points.splice(corner, 0, middle);
    this.moving = [...this.corners()].filter(([, , , point]) => same(point, points[corner]));
    this.choose({ polygon, ring, corner });
  }

  // --- looking for places -------------------------------------------------------------------------------------------------
  *corners() { for (const [p, [, rings]] of this.polygons.entries()) for (const [r, ring] of rings.entries()) for (const [c, point] of ring.entries()) yield [p, r, c, point]; }

  /** Sides as [polygon, ring, number of the corner at their end, begin, end]; that which would close an open polygon is none. */
  *sides() {
    for (const [p, r, c, point] of this.corners()) {
      const ring = this.polygons[p][1][r];
      if (ring.length > 1 && !(p === this.open && c === 0)) yield [p, r, c, ring[(c || ring.length) - 1], point];
    }
  }

  distance([x, y], sx, sy) { const [cx, cy] = this.at(x, y); return Math.hypot(cx - sx, cy - sy); }

  /** The corner nearest to a place on the canvas, of the role that is chosen rather than of another at the same place. */
  nearestCorner(sx, sy, reach) {
    let best = null, least = reach;
    for (const [polygon, ring, corner, point] of this.corners()) {
      const distance = this.distance(point, sx, sy) - (this.polygons[polygon][0] === this.role ? 0.5 : 0);
      if (distance < least) { least = distance; best = { polygon, ring, corner }; }
    }
    return best;
  }

  nearestMiddle(sx, sy, reach) {
    let best = null, least = reach;
    for (const [polygon, ring, corner, begin, end] of this.sides()) {
      const middle = this.middle(begin, end), distance = middle ? this.distance(middle, sx, sy) : Infinity;
      if (distance < least) { least = distance; best = { polygon, ring, corner, middle }; }
    }
    return best;
  }

  /** The middle of a side that is long enough on the canvas to be touched there. */
  middle(begin, end) {
    const length = Math.hypot(end[0] - begin[0], end[1] - begin[1]) * this.view.k;
    return length < MIDDLE_PX ? null : [(begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2];
  }

  /** The corner, else the side, of other polygons that is nearest to a place and near enough; else the place. */
  snap(place, without) {
    const reach = SNAP_PX / this.view.k;
    let best = null, least = reach;
    for (const [p, , , point] of this.corners()) {
      const distance = Math.hypot(point[0] - place[0], point[1] - place[1]);
      if (!without.has(p) && distance < least) { least = distance; best = point; }
    }
    if (best) return [...best];
    for (const [p, , , begin, end] of this.sides()) {
      if (without.has(p)) continue;
      const foot = footOn(begin, end, place), distance = Math.hypot(foot[0] - place[0], foot[1] - place[1]);
      if (distance < least) { least = distance; best = foot; }
    }
    return best ? best.map((value) => Number(value.toFixed(3))) : cm(place);
  }

  // --- drawing ------------------------------------------------------------------------------------------------------------
  draw() {
    super.draw();
    if (!this.scene) return;
    this.polygons.forEach(([role, rings], i) => this.outline(role, rings, i !== this.open));
    this.handles();
  }

  outline(role, rings, whole) {
    const g = this.g;
    g.strokeStyle = g.fillStyle = ROLES[role]; g.lineWidth = 2.5;
    g.setLineDash(whole ? [] : [6, 4]);
    g.beginPath();
    for (const ring of rings) {
      ring.forEach(([x, y], i) => { const at = this.at(x, y); i ? g.lineTo(...at) : g.moveTo(...at); });
      if (whole) g.closePath();
    }
    if (whole) { g.globalAlpha = 0.2; g.fill("evenodd"); g.globalAlpha = 1; }
    g.stroke(); g.setLineDash([]);
  }

  /** Corners as squares, the chosen one ringed, middles of sides as circles. */
  handles() {
    const g = this.g;
    g.lineWidth = 2;
    for (const [p, , , begin, end] of this.sides()) {
      const middle = this.middle(begin, end);
      if (!middle) continue;
      g.strokeStyle = ROLES[this.polygons[p][0]]; g.fillStyle = "#fff";
      g.beginPath(); g.arc(...this.at(...middle), 4.5, 0, 7); g.fill(); g.stroke();
    }
    for (const [p, r, c, point] of this.corners()) {
      const [sx, sy] = this.at(...point), { polygon, ring, corner } = this.chosen || {};
      g.fillStyle = g.strokeStyle = ROLES[this.polygons[p][0]];
      g.fillRect(sx - 5, sy - 5, 10, 10);
      if (p === polygon && r === ring && c === corner) { g.beginPath(); g.arc(sx, sy, 13, 0, 7); g.stroke(); }
    }
  }
}

/** The place on the side from `a` to `b` that is nearest to `p`. */
function footOn(a, b, p) {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]], length2 = dx * dx + dy * dy || 1;
  const t = Math.min(Math.max(((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / length2, 0), 1);
  return [a[0] + t * dx, a[1] + t * dy];
}
