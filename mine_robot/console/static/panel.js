// The panel beside the map: words and figures out of the entries. Everything from outside is set as text, never as markup.

import { NAMES as CLASSES } from "/map.js";

const $ = (id) => document.getElementById(id);
const LEVELS = ["●", "▲", "■", "?"];
const ACTIONS = { estop: "emergency stop", hold: "hold", return: "drive home", replan: "plan anew" };
const NAMES = { estop: "e-stop", return: "driving home", plan: "planning", align: "aligning", mark: "marking" };
const STALE_POSE_S = 1.5;

let simulated = true, began = null;  // the clock, and the UNIX time at which a run on a robot began, if it is known

export const setClock = (isSimulated, at) => { simulated = isSimulated; began = at ?? null; };

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "?";
  const whole = Math.round(seconds), h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = String(whole % 60).padStart(2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}

/** A time of the stack: elapsed in simulation, local time with its zone on a robot. */
export function moment(t) {
  if (simulated) return duration(t);
  return t > 1e9 ? new Date(1000 * t).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }) : "?";
}

/** Rows of what time it is. */
function timeRows(t) {
  if (simulated) return [["Time of the run", duration(t)]];
  const elapsed = began !== null && t > 1e9 ? duration(t - began) : "not known yet";
  return [["Local time", moment(t)], ["Time of the run", elapsed]];
}

const number = (value, digits, unit) => (typeof value === "number" ? `${value.toFixed(digits)} ${unit}` : "unknown");

/** Fill a description list with [term, text, class] rows, touching only what changes. */
function rows(list, content) {
  content.forEach(([term, text, kind = ""], i) => {
    let dt = list.children[2 * i], dd = list.children[2 * i + 1];
    if (!dt) { dt = document.createElement("dt"); dd = document.createElement("dd"); list.append(dt, dd); }
    if (dt.textContent !== term) dt.textContent = term;
    if (dd.textContent !== text) dd.textContent = text;
    if (dd.className !== kind) dd.className = kind;
  });
  while (list.children.length > 2 * content.length) list.lastChild.remove();
}

function items(list, content, make) {
  const key = JSON.stringify(content);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...content.map(make));
}

function bullet(mark, text, kind) {
  const row = document.createElement("li"), left = document.createElement("span"), right = document.createElement("span");
  left.textContent = mark; right.textContent = text; row.className = kind;
  row.append(left, right);
  return row;
}

export const healthRow = (row) => bullet(LEVELS[row.level] || "?", `${row.label}: ${row.message}`, `level${row.level}`);

/** Show everything; `age` tells how old an entry's `at` is, in s. */
export function show(entries, scene, age) {
  const { mission, figures = {}, pose, health = [], conditions = [] } = entries;
  const area = figures.coverage || {}, place = figures.localization || {}, tool = figures.marker || {}, level = (name) => (health.find((row) => row.name === name) || {}).level;
  const of = (name) => (level(name) === undefined || level(name) === 3 ? "stale" : level(name) > 0 ? "warn" : "");
  $("state").textContent = mission ? NAMES[mission.state] || mission.state : scene.lobby ? "no mission" : "starting";
  document.body.dataset.state = mission ? mission.state : "";
  const seen = mission && mission.acknowledged;
  document.body.classList.toggle("acknowledged", Boolean(seen));
  $("hold").hidden = !mission || mission.state !== "hold";
  $("hold-text").textContent = seen ? `Hold acknowledged by ${seen}` : "The robot holds and nobody has acknowledged it.";
  const silent = level("mission") === 3;
  $("reason").textContent = mission ? `${mission.reason}${silent ? " — the mission is silent" : ""}` : scene.lobby ? entries.result || "plan a field to start one" : "the mission has not spoken yet";
  $("kind").textContent = scene.replay ? "REPLAY" : scene.simulated ? "SIMULATION" : "LIVE ROBOT";
  $("kind").title = scene.replay || "";
  $("kind").className = `badge ${scene.replay ? "recorded" : scene.simulated ? "simulation" : "live"}`;
  const share = typeof area.coverage === "number" ? Math.floor(area.coverage * 1000) / 10 : null;  // rounded down: nothing is cleared by rounding
  $("done").style.width = `${share || 0}%`;
  $("share").textContent = share === null ? "not known" : `${share.toFixed(1)} % of what can be reached`;
  rows($("progress"), [
    ["Searched", `${number(area.searched_m2, 1, "m²")} of ${number(area.hazard_m2, 1, "m²")}`, of("coverage")],
    ["Gaps", number(area.gaps_m2, 1, "m²"), of("coverage")],
    ["Time left, about", area.remaining_s > 0 || share === 100 ? duration(area.remaining_s) : "not known yet", of("coverage")],
    ...timeRows(entries.time && entries.time.t),
    ["Targets", mission ? mission.found : "?"],
    ["Marks", mission ? `${mission.marks_confirmed} confirmed of ${mission.marks_requested}` : "?"],
  ]);
  const poseAge = pose ? age(pose.at) : Infinity, old = poseAge > STALE_POSE_S ? "stale" : "";
  const sigma = pose && pose.sigma;
  rows($("robot"), [
    ["Localisation", place.state ? String(place.state) : "unknown", of("localization")],
    ["RTK", place.rtk ? String(place.rtk) : "unknown", of("localization")],
    ["Position sigma", number(typeof sigma === "number" ? 100 * sigma : null, 1, "cm"), old || (sigma > scene.sigma_max_m ? "warn" : "")],
    ["Heading sigma", number(pose && typeof pose.sigma_yaw === "number" ? pose.sigma_yaw * 180 / Math.PI : null, 2, "°"), old],
    ["Speed", number(pose && pose.speed, 2, "m/s"), old],
    ["Ground radar", word(health, "gpr"), of("gpr")],
    ["Metal detector", word(health, "metal_detector"), of("metal_detector")],
    ["Command link", word(health, "command_link"), of("command_link")],
    ["Battery", figures.battery && typeof figures.battery.charge === "number" ? `${Math.floor(100 * figures.battery.charge)} %` : "unknown", of("battery")],
    ["Paint", typeof tool.paint === "number" ? `${Math.floor(100 * tool.paint)} %` : "unknown", of("marker")],
    ["Flags", typeof tool.flags === "number" ? String(tool.flags) : "unknown", of("marker")],
  ]);
  $("conditions-box").hidden = !conditions.length;
  items($("conditions"), conditions, (row) => bullet(row.acts ? "■" : "▲", `${row.message} (${row.acts ? "" : "would "}${ACTIONS[row.action] || row.action})`, row.acts ? "level2 acts" : "level1"));
  items($("health"), health, healthRow);
}

function word(health, name) {
  const row = health.find((one) => one.name === name);
  return row ? (row.level === 0 ? "OK" : row.message) : "unknown";
}

export function showLog(lines) {
  items($("log"), lines.slice(-60).reverse(), (line) => {
    const row = document.createElement("li"), time = document.createElement("time");
    time.textContent = moment(line.t);
    row.append(time, line.text);
    return row;
  });
}

/** The figures of the target that is looked at; null for none. */
export function showTarget(id, entries, scene) {
  if (id === null) return;
  const target = entries[`target/${id}`], mark = entries[`mark/${id}`], remark = entries[`remark/${id}`];
  $("target-title").textContent = `Target ${id}`;
  if (!target) { rows($("target-facts"), [["State", "gone: the detector does not hold it any more", "warn"]]); return; }
  const [x, y, sx, sy, p, kind, depth, radar, metal] = target;
  rows($("target-facts"), [
    ["Class", CLASSES[kind] || "?"],
    ["P(hazard)", p === null ? "unknown" : `${p.toFixed(3)}${p >= scene.mark_p ? " (suspect)" : ""}`],
    ["LLR radar, metal", [radar, metal].map((v) => (typeof v === "number" ? v.toFixed(1) : "none")).join(", ")],
    ["East, north", `${number(x, 2, "m")}, ${number(y, 2, "m")}`],
    ["Sigma", number(sx === null || sy === null ? null : 100 * Math.max(sx, sy), 1, "cm")],
    ["Depth", number(depth, 2, "m")],
    ["Operator", remark ? `${{ confirm: "confirmed", release: "released" }[remark.kind] || "rejected"} at ${moment(remark.t)} by ${remark.author}${remark.comment ? `: ${remark.comment}` : ""}` : "has said nothing"],
    ["Mark", mark ? `${mark.status}${mark.detail ? `: ${mark.detail}` : ""}` : "none"],
  ]);
}

const FILE_NAMES = { "report.html": "Report", "map.png": "Map", "summary.json": "Summary", "clearance.geojson": "Clearance", "targets.csv": "Targets", "trajectory.csv": "Trajectory", "qa_sample.csv": "Sample to check", "field.geojson": "Field" };

/** The runs with links to what they hand over. */
export function showRuns(list, runs) {
  list.replaceChildren(...runs.map((run) => {
    const row = document.createElement("li"), title = document.createElement("strong"), text = document.createElement("p"), links = document.createElement("p");
    title.textContent = run.name;
    const end = run.running ? "this run" : run.state || "no summary: killed, or still going on";
    const share = run.coverage === null ? "" : `, ${(Math.floor(run.coverage * 1000) / 10).toFixed(1)} % searched, ${run.suspects ?? "?"} suspects of ${run.targets ?? "?"} listed`;
    text.textContent = `${run.simulated ? "SIMULATION, " : ""}${startedAt(run.started)}: ${end}${share}`;
    const link = (href, name) => {
      const a = document.createElement("a");
      a.href = `/runs/${encodeURIComponent(run.name)}/${href}`; a.download = ""; a.textContent = name;
      return a;
    };
    links.append(...run.files.map((file) => link(encodeURIComponent(file), FILE_NAMES[file] || file)), ...run.formats.map((format) => link(`export/${format}`, format)));
    row.append(title, text, links);
    return row;
  }));
}

function startedAt(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "?" : at.toLocaleString("en-GB", { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
}

let settle = () => {}, review = () => {};

/** Show what an open question depends on as it is now. */
export const refreshQuestion = () => review();

/** Ask before something moves or ends; resolves to true if the person says yes. `ticks` have to be ticked first, and no row of `states()`
 * may block. */
export function ask(title, yes, states, ticks) {
  const dialog = $("ask");
  settle(false);
  $("ask-title").textContent = title;
  $("ask-yes").textContent = yes;
  const boxes = ticks.map((text) => {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.addEventListener("change", allowed);
    label.append(box, text);
    return [label, box];
  });
  function allowed() { $("ask-yes").disabled = !boxes.every(([, box]) => box.checked) || states().some((row) => row.blocks); }
  review = () => { items($("ask-state"), states(), healthRow); allowed(); };
  $("ask-ticks").replaceChildren(...boxes.map(([label]) => label));
  review();
  dialog.show();  // not modal: the emergency stop stays in reach
  return new Promise((resolve) => {
    settle = (answer) => { settle = review = () => {}; dialog.close(); resolve(answer); };
    $("ask-yes").onclick = () => settle(true);
    $("ask-no").onclick = () => settle(false);
  });
}

/** Take an open question back: what it asked for does not happen. */
export const dismiss = () => settle(false);
