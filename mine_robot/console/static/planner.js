// A field for a later mission: read from a file or drawn, planned and estimated by the server, saved as a file. The mission that runs
// is neither shown nor touched here.

import { COLOURS, FieldMap } from "/map.js";

const $ = (id) => document.getElementById(id);
const ROLES = { hazard_area: COLOURS.HAZARD, safe_area: COLOURS.SAFE, no_go: COLOURS.NO_GO };
const MAX_FILE = 250_000;

class Sketch extends FieldMap {
  /** `onPoint` hears where the map is touched, in m. */
  constructor(canvas, onPoint) {
    super(canvas, () => {}, () => {});
    this.onPoint = onPoint;
    this.polygons = [];
    this.points = [];
    this.role = "hazard_area";
  }

  tap(sx, sy) { this.onPoint(...this.toMap(sx, sy)); }

  draw() {
    super.draw();
    if (!this.scene) return;
    for (const [role, points] of this.polygons) this.outline(role, points, true);
    this.outline(this.role, this.points, false);
  }

  outline(role, points, whole) {
    const g = this.g;
    if (!points.length) return;
    g.strokeStyle = g.fillStyle = ROLES[role]; g.lineWidth = 2.5;
    g.setLineDash(whole ? [] : [6, 4]);
    g.beginPath();
    points.forEach(([x, y], i) => { const at = this.at(x, y); i ? g.lineTo(...at) : g.moveTo(...at); });
    if (whole) { g.closePath(); g.globalAlpha = 0.2; g.fill(); g.globalAlpha = 1; }
    g.stroke(); g.setLineDash([]);
    for (const [x, y] of points) { const [sx, sy] = this.at(x, y); g.fillRect(sx - 4, sy - 4, 8, 8); }
  }
}

export class Planner {
  /** `ask` sends a request for a preview to the server and returns its answer. */
  constructor(ask) {
    this.ask = ask;
    this.sketch = new Sketch($("planner-map"), (x, y) => this.point(x, y));
    this.field = null;                                   // as the server has it, to be saved
    $("planner-open").onclick = () => this.open();
    $("planner-close").onclick = () => $("planner").close();
    $("planner-role").onchange = () => { this.finish(); };
    $("planner-finish").onclick = () => this.finish();
    $("planner-undo").onclick = () => this.undo();
    $("planner-clear").onclick = () => this.clear();
    $("planner-plan").onclick = () => this.plan();
    $("planner-save").onclick = () => this.save();
    $("planner-file").onchange = () => this.read();
  }

  /** Show the ground of the running mission's field, empty, to draw on. */
  setScene(scene) { this.home = scene; }

  open() {
    if (!this.home) return;
    if (!$("planner").open) $("planner").show();
    if (!this.sketch.scene) this.clear();
    this.sketch.redraw();
  }

  clear() {
    this.sketch.clear();
    this.sketch.polygons = []; this.sketch.points = [];
    this.sketch.setScene({ ...this.home, hazard: [], safe: [], no_go: [], known_targets: [] });
    this.changed("Touch the map to set the corners, or read a file.");
  }

  changed(text) { this.field = null; this.sketch.plan = null; $("planner-save").disabled = true; this.say([text]); this.sketch.redraw(); }

  say(lines, bad = false) { $("planner-lines").replaceChildren(...lines.map((text) => { const row = document.createElement("li"); row.textContent = text; row.className = bad ? "level2" : ""; return row; })); }

  point(x, y) {
    if (this.field) return;
    this.sketch.role = $("planner-role").value;
    this.sketch.points.push([Number(x.toFixed(2)), Number(y.toFixed(2))]);
    this.sketch.redraw();
  }

  finish() {
    const { points, role } = this.sketch;
    if (points.length >= 3) this.sketch.polygons.push([role, points]);
    this.sketch.points = [];
    this.sketch.role = $("planner-role").value;
    this.sketch.redraw();
  }

  undo() {
    if (this.sketch.points.length) this.sketch.points.pop();
    else this.sketch.polygons.pop();
    this.sketch.redraw();
  }

  async read() {
    const file = $("planner-file").files[0];
    $("planner-file").value = "";
    if (!file) return;
    if (file.size > MAX_FILE) { this.say([`The file is larger than ${MAX_FILE / 1000} kB.`], true); return; }
    let content;
    try { content = JSON.parse(await file.text()); } catch { this.say(["The file is not GeoJSON."], true); return; }
    await this.send({ field: content });
  }

  async plan() {
    this.finish();
    await this.send({ sketch: { datum: this.sketch.scene.datum, name: $("planner-name").value || "field", polygons: this.sketch.polygons } });
  }

  async send(body) {
    this.say(["Planning …"]);
    $("planner-plan").disabled = true;
    const answer = await this.ask(body);
    $("planner-plan").disabled = false;
    if (!answer.ok) { this.say([answer.message], true); return; }
    const sketch = this.sketch;
    sketch.polygons = []; sketch.points = [];
    sketch.clear();
    sketch.plan = answer.plan;
    sketch.setScene(answer.scene);
    sketch.fit();
    this.field = answer.field;
    $("planner-save").disabled = false;
    this.say(answer.lines);
  }

  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(this.field, null, 1)], { type: "application/geo+json" }));
    link.download = "field.geojson";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
