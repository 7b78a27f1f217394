// A field for a later mission: read from a file or drawn, planned and estimated by the server, saved as a file. The mission that runs
// is neither shown nor touched here.

import { Editor, ROLES } from "/editor.js";

const $ = (id) => document.getElementById(id);
const MAX_FILE = 250_000;
const EMPTY = { hazard: [], safe: [], no_go: [], priors: [], known_targets: [] };  // what the editor draws itself

export class Planner {
  /** `ask` sends a request for a preview to the server and returns its answer; `launch` starts a mission and returns why it cannot. */
  constructor(ask, launch) {
    this.ask = ask;
    this.launch = launch;
    this.editor = new Editor($("planner-map"), () => this.changed(), (chosen) => { $("planner-remove").disabled = !chosen; });
    this.field = null;                                   // as the server has it, to be saved
    this.asked = 0;                                      // requests so far: an answer to an older one comes too late
    this.imsma = "";
    $("planner-open").onclick = () => this.open();
    $("planner-close").onclick = () => $("planner").close();
    $("planner-role").onchange = () => { this.editor.finish(); this.editor.role = $("planner-role").value; };
    $("planner-finish").onclick = () => this.editor.finish();
    $("planner-undo").onclick = () => this.editor.undo();
    $("planner-remove").onclick = () => this.editor.removeCorner();
    $("planner-clear").onclick = () => this.clear();
    $("planner-plan").onclick = () => this.plan();
    $("planner-save").onclick = () => this.save();
    $("planner-start").onclick = async () => { const answer = await this.launch(this.field); if (answer) this.say([answer.message], !answer.ok); };
    $("planner-file").onchange = () => this.read();
  }

  /** Show the ground of the running mission's field, empty, to draw on. */
  setScene(scene) {
    this.home = scene;
    $("planner-start").hidden = !scene.lobby;
    $("planner-note").textContent = scene.lobby ? "" : "not the mission that runs";
    $("planner-open").textContent = scene.lobby ? "Plan a field" : "Plan another field";
  }

  open() {
    if (!this.home) return;
    if (!$("planner").open) $("planner").show();
    if (!this.editor.scene) { this.editor.setScene({ ...this.home, ...EMPTY }); this.start(); }
    this.editor.redraw();
  }

  clear() {
    this.editor.remember();
    this.editor.set([]);
    this.start();
  }

  start() { this.changed("Touch the map to set the corners, or read a file. Corners can be dragged; so can the circles, which become corners."); }

  /** What was planned is no longer what is drawn. */
  changed(text = "") {
    this.field = null; this.editor.plan = null; this.asked++;
    $("planner-save").disabled = $("planner-start").disabled = true; $("planner-undecided").hidden = true;
    this.say(text ? [text] : []);
    this.editor.redraw();
  }

  say(lines, bad = false) { $("planner-lines").replaceChildren(...lines.map((text) => { const row = document.createElement("li"); row.textContent = text; row.className = bad ? "level2" : ""; return row; })); }

  async read() {
    const file = $("planner-file").files[0];
    $("planner-file").value = "";
    if (!file) return;
    if (file.size > MAX_FILE) { this.say([`The file is larger than ${MAX_FILE / 1000} kB.`], true); return; }
    const text = await file.text();
    if (/^(\uFEFF?\s*<|PK)/.test(text)) { await this.take({ kml: text }); return; }
    let content;
    try { content = JSON.parse(text); } catch { this.say(["The file is neither GeoJSON nor KML."], true); return; }
    await this.take({ field: content });
  }

  /** Show a file; what has no role there waits until a person has said it. */
  async take(wish) {
    const answer = await this.send(wish);
    if (!answer) return;
    if (answer.undecided) { this.decide(wish, answer.undecided); return; }
    if (this.editor.polygons.length) this.editor.remember();
    $("planner-name").value = answer.sketch.name || "field";
    this.imsma = answer.sketch.imsma_id || "";
    this.show(answer);
  }

  decide(wish, features) {
    this.say(["The file does not say what these are. Choose:"]);
    const selects = features.map(({ name, role, geometry }) => {
      const select = document.createElement("select"), kinds = Object.keys(ROLES).filter((one) => (one === "known_target" ? geometry === "Point" : geometry.endsWith("Polygon")));
      select.append(new Option("choose", "-"), ...kinds.map((one) => new Option(one.replaceAll("_", " "), one)), new Option("leave it out", ""));
      const row = document.createElement("label");
      row.append(`${name || "no name"}${role ? ` (${role})` : ""}, ${geometry} `, select);
      return [row, select];
    });
    const use = document.createElement("button");
    use.textContent = "Use these";
    use.disabled = true;
    for (const [, select] of selects) select.onchange = () => { use.disabled = selects.some(([, one]) => one.value === "-"); };
    use.onclick = () => this.take({ ...wish, roles: Object.fromEntries(features.map(({ index }, i) => [index, selects[i][1].value])) });
    $("planner-undecided").replaceChildren(...selects.map(([row]) => row), use);
    $("planner-undecided").hidden = false;
  }

  async plan() {
    this.editor.finish();
    const { polygons, scene } = this.editor;
    const answer = await this.send({ sketch: { datum: scene.datum, name: $("planner-name").value || "field", imsma_id: this.imsma, polygons } });
    if (answer) this.show(answer);
  }

  /** The server's answer; null if there is none to show, because it refuses or because the drawing has changed meanwhile. */
  async send(wish) {
    this.changed("Planning …");
    const mine = this.asked;
    $("planner-plan").disabled = true;
    const answer = await this.ask(wish);
    $("planner-plan").disabled = false;
    if (mine !== this.asked) return null;
    this.say(answer.ok ? [] : [answer.message], true);
    return answer.ok ? answer : null;
  }

  show({ sketch, scene, plan, lines, field, problem }) {
    const editor = this.editor;
    editor.set(sketch.polygons);
    editor.plan = plan;
    editor.setScene({ ...this.home, ...scene, ...EMPTY, datum: sketch.datum, bounds: boundsOf(sketch.polygons) });
    editor.fit();
    $("planner").scrollTop = 0;                           // a phone has scrolled down to the buttons
    this.field = field;
    $("planner-save").disabled = $("planner-start").disabled = Boolean(problem);
    this.say(problem ? [problem] : lines, Boolean(problem));
  }

  save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(this.field, null, 1)], { type: "application/geo+json" }));
    link.download = "field.geojson";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

/** West, south, east, north of everything that is drawn. */
function boundsOf(polygons) {
  const points = polygons.flatMap(([, rings]) => rings.flat()), [x, y] = [points.map((at) => at[0]), points.map((at) => at[1])];
  const least = (values) => values.reduce((a, b) => Math.min(a, b)), most = (values) => values.reduce((a, b) => Math.max(a, b));
  return [least(x) - 0.5, least(y) - 0.5, most(x) + 0.5, most(y) + 0.5];
}
