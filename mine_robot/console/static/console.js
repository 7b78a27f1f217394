// The page: the stream from the server, what follows from it, and the commands to it.

import { FieldMap, legend } from "/map.js";
import { acts, guardKeys } from "/keys.js";
import { ask, dismiss, moment, refreshQuestion, setClock, show, showLog, showRuns, showTarget } from "/panel.js";
import { Planner } from "/planner.js";
import { Sensors } from "/sensors.js";
import { Stop } from "/stop.js";
import { situation, spoken } from "/words.js";

const $ = (id) => document.getElementById(id);
const SILENT_S = 2, GIVE_UP_S = 5, RETRY_S = [0.5, 1, 2, 3], STARTING_S = 60, CLOSED_S = 10, EVIDENCE_MS = 90000, PREVIEW_MS = 180000;
const LAUNCH_CHECKLIST = ["The field on the map is the one in front of the robot.", "Its plan is what is wanted."];
const CHECKLIST = ["Nobody stands on the field or in front of the robot.", "The emergency stop on the robot is released and within reach.", "The field on the map is the one in front of me."];
const MISSED_LINES = 24;                                 // at most, of what happened while there was no connection

let entries = {}, scene = null, hello = null, socket = null, attempts = 0;
let heard = -Infinity, serverNow = 0;                   // page's clock at the last message, and the server's then
let lostSince = null, lastT = 0, boot = null, missed = null;
let owed = false;                                        // the sensors are to be asked for once a stop that goes first is answered
let refusal = null;                                      // of a command: its words, the situation in which it was refused, and when
const stop = new Stop((signal) => post("/api/estop", {}, signal), () => status());
if (stop.pending) stop.run();                            // first of all: one is left from before a reload
const map = new FieldMap($("map"), (on) => $("follow").setAttribute("aria-pressed", String(on)), openTarget);
const sensors = new Sensors(async (wish) => {
  if (!hello) return;                                    // asked again with the next greeting
  const answer = await post("/api/sensors", wish);
  if (!answer.ok) $("sensors-note").textContent = answer.message;
});
const planner = new Planner((body) => post("/api/preview", body, PREVIEW_MS), launch);
const seconds = () => performance.now() / 1000;
const age = (at) => serverNow - at + (seconds() - heard);

// --- the stream ---------------------------------------------------------------------------------------------------------------
function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/live`);
  const mine = socket;
  mine.onopen = () => stop.wake();
  mine.onmessage = (event) => { if (mine === socket) take(JSON.parse(event.data)); };
  mine.onclose = (event) => { if (mine === socket) lost(event.code); };
}

function lost(code) {
  socket = null;
  hello = null;
  if (lostSince === null) lostSince = Number.isFinite(heard) ? heard : seconds();  // since the last word, not since we gave up
  if (code === 4401) { $("link").textContent = "log in"; if (!$("login").open) $("login").show(); return; }
  if (code === 4429) notice("Too many pages are open. This one tries again.");
  setTimeout(connect, 1000 * RETRY_S[Math.min(attempts++, RETRY_S.length - 1)]);
  status();
}

function take(message) {
  heard = seconds();
  if (message.hello) { greet(message.hello); return; }
  if (message.sensors) { sensors.take(message.sensors); return; }
  serverNow = message.now;
  for (const [key, value] of Object.entries(message.entries)) put(key, value);
  if (!message.more && missed) tellMissed();
  lastT = entries.time ? entries.time.t : lastT;
  if (owed && !stop.pending) { owed = false; sensors.ask(); }
  update();
}

function greet(words) {
  hello = words;
  serverNow = words.now;
  attempts = 0;
  if (boot !== null) missed = { for: lostSince === null ? 0 : seconds() - lostSince, after: lastT, restarted: boot !== words.boot };
  lostSince = null;
  boot = words.boot;
  scene = words.scene;
  setClock(scene.simulated, scene.began);
  document.body.classList.toggle("lobby", Boolean(scene.lobby));
  document.body.classList.toggle("replay", Boolean(scene.replay));
  entries = {};
  map.clear();
  map.setScene(scene);
  planner.setScene(scene);
  legend($("legend-rows"), scene.halo_m, scene.priors.length > 0);
  owed = sensors.open;
  if (scene.lobby && stop.pending) {
    notice(`The emergency stop of ${stop.seconds.toFixed(0)} s ago was never confirmed. No mission runs here any more.`);
    stop.end();
  }
  document.title = `${scene.replay ? "REPLAY " : ""}${scene.simulated ? "SIMULATION " : ""}${scene.name} – console`;
}

function put(key, value) {
  const [kind, a, b] = key.split("/");
  if (kind === "tile") map.setTile(Number(a), Number(b), value);
  else if (kind === "target") value === null ? map.targets.delete(a) : map.targets.set(a, value);
  else if (kind === "mark") map.marks.set(a, value);
  else if (kind === "remark") map.remarks.set(a, value);
  else if (kind === "plan") map.plan = value;
  else if (kind === "progress") map.progress = value;
  else if (kind === "grid") { if (JSON.stringify(map.grid) !== JSON.stringify(value)) map.tiles.clear(); map.grid = value; }
  entries[key] = value;
}

const log = () => Object.keys(entries).filter((key) => key.startsWith("log/")).map((key) => entries[key]).sort((p, q) => p.n - q.n);

function tellMissed() {
  const { for: gap, after, restarted } = missed;
  missed = null;
  if (gap < 1 && !restarted) return;
  const all = log().filter((line) => line.t > after).map((line) => `${moment(line.t)}  ${line.text}`);
  const lines = all.length > MISSED_LINES ? [`${all.length - MISSED_LINES} lines more stand in the log`, ...all.slice(-MISSED_LINES)] : all;
  const why = restarted ? "The console was started again. " : "";
  notice(`${why}The connection was lost for ${gap.toFixed(0)} s. ${lines.length ? `Meanwhile:\n${lines.join("\n")}` : "Nothing happened meanwhile."}`);
}

function notice(text) { $("notice-text").textContent = text; $("notice").hidden = !text; }
$("notice-close").onclick = () => notice("");

// --- what is shown ------------------------------------------------------------------------------------------------------------
function update() {
  show(entries, scene, age);
  showLog(log());
  showTarget(map.selected, entries, scene);
  refreshQuestion();
  map.setPose(entries.pose || null, entries.pose ? age(entries.pose.at) : Infinity);
  map.redraw();
  status();
}

const ended = () => Boolean(entries.mission && ["done", "aborted"].includes(entries.mission.state));

/** How the connection stands: { ok, calm, text }; calm is what needs nobody's attention. */
function link() {
  const silent = seconds() - heard;
  if (hello !== null && silent < SILENT_S) return { ok: true, calm: true, text: "connected" };
  if (!Number.isFinite(silent)) return { ok: false, calm: true, text: "connecting" };
  if (ended()) return { ok: false, calm: true, text: "run ended" };
  if (entries.phase === "starting" && silent < STARTING_S) return { ok: false, calm: true, text: "mission is starting" };
  if (entries.phase === "closed" && silent < CLOSED_S) return { ok: false, calm: true, text: "console closed" };
  return { ok: false, calm: false, text: `NO CONNECTION for ${silent.toFixed(0)} s` };
}

/** Why nothing can be stopped from here; empty if something can, or may. */
function nothingToStop(ok) {
  if (scene && scene.lobby) return entries.phase === "starting" ? "The mission is starting; the robot stands until somebody presses Start on its page." : "Nothing can be stopped: no mission runs here.";
  return !ok && ended() ? "Nothing can be stopped from here: the run has ended. The robot's own button remains." : "";
}

/** What is said of the robot: follows from the mission's state, and from whether a stop is waited for. */
function tell({ ok, calm }) {
  const nothing = nothingToStop(ok), { mission } = entries;
  if (nothing && stop.pending) stop.end();
  $("estop").classList.toggle("idle", Boolean(nothing));
  $("estop-hint").textContent = nothing ? "nothing to stop here" : acts() ? "touch, Esc or Space" : "touch; the keys are in use";
  const silent = mission && (entries.health || []).some((row) => row.name === "mission" && row.level === 3);
  const current = (ok && !silent) || (calm && ended());
  const said = spoken({ mission, heard: current, stop, nothing, refusal: refusal && { ...refusal, age: seconds() - refusal.at } });
  say("estop-answer", said.line, said.alarm);
  $("estop-answer").dataset.state = said.alarm || !mission ? "" : mission.state;
  say("answer", said.answer, true);
}

function status() {
  const connection = link(), { ok } = connection;
  document.body.classList.toggle("lost", !connection.ok && !connection.calm);
  $("link").className = `badge ${ok ? "ok" : ""}`;
  $("link").textContent = connection.text;
  tell(connection);
  const state = ok && entries.mission ? entries.mission.state : "";
  const holder = entries.control ? entries.control.holder : null, mine = hello && holder === hello.viewer;
  const may = {
    start: state === "idle",
    pause: ["align", "plan", "search", "approach", "mark", "hold", "return"].includes(state),
    resume: ["paused", "estop", "hold"].includes(state),
    abort: state !== "" && !["done", "aborted"].includes(state),
  };
  for (const button of document.querySelectorAll("[data-command]")) button.disabled = !ok || !may[button.dataset.command] || (holder !== null && !mine);
  for (const button of document.querySelectorAll("[data-remark], #acknowledge")) button.disabled = !ok || (holder !== null && !mine);
  const viewers = entries.control ? entries.control.viewers : 0;
  $("holder").textContent = `${mine ? "This page has control" : holder === null ? "Nobody has control" : `Viewer ${holder} has control`}${hello ? ` · you are ${hello.viewer}, ${viewers} watching` : ""}`;
  $("take").textContent = mine ? "Give up" : "Take control";
  $("take").disabled = !ok;
}

setInterval(() => {
  if (socket && socket.readyState === WebSocket.OPEN && seconds() - heard > GIVE_UP_S && hello) { const old = socket; lost(0); old.close(); }
  if (scene && seconds() - heard > SILENT_S) { map.setPose(entries.pose || null, entries.pose ? age(entries.pose.at) : Infinity); map.redraw(); }
  sensors.tell();
  status();
}, 500);

// --- commands -----------------------------------------------------------------------------------------------------------------
async function post(path, body, wait = 3000) {
  if (stop.pending && !["/api/estop", "/api/login"].includes(path)) return { ok: false, message: "the emergency stop goes first" };
  const headers = { "content-type": "application/json", "x-console": hello ? hello.secret : "page" };
  const signal = typeof wait === "number" ? AbortSignal.timeout(wait) : wait;
  try {
    const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal, priority: "high" });
    if (response.status === 401 && !$("login").open && path !== "/api/login") $("login").show();
    return await response.json();
  } catch {
    return { ok: false, message: "the console does not answer" };
  }
}

function say(id, text, bad) {
  if ($(id).textContent !== text) $(id).textContent = text;
  $(id).className = bad ? "bad" : "";
}

/** What a command was answered: a refusal is shown while the state is that in which it was refused; what was done, the state shows. */
function answered(name, answer) {
  refusal = answer.ok ? null : { text: `${name}: ${answer.message}`, situation: situation(entries.mission), at: seconds() };
  status();
}

function estop() {
  dismiss();
  if (!nothingToStop(link().ok)) stop.press();
}
$("estop").addEventListener("pointerdown", (event) => { event.preventDefault(); estop(); });
$("estop").addEventListener("click", estop);  // keyboards and assistive technology
guardKeys(estop, status);

const QUESTIONS = {
  start: () => ask("Start the mission? The robot will move.", "Start", () => (scene.replay ? [] : entries.checklist || []), CHECKLIST),
  resume: () => ask("Go on? The robot will move.", "Resume", () => (entries.health || []).filter((row) => row.level > 0), []),
  abort: () => ask("End the mission where the robot stands? It cannot be continued from this page.", "Abort", () => [], []),
  pause: async () => true,
};

const takeFree = async () => { if (entries.control && entries.control.holder === null) await post("/api/control", { action: "take" }); };

async function command(name) {
  if (!(await QUESTIONS[name]())) return;
  await takeFree();
  const answer = await post("/api/mission", { command: name });
  answered(name, answer);
}

async function launch(field) {
  const what = scene.simulated ? "SIMULATION" : "LIVE ROBOT";
  if (!(await ask(`Start the stack for this field? ${what}: the robot stands until somebody presses Start on the next page.`, "Start the stack", () => [], LAUNCH_CHECKLIST))) return null;
  await takeFree();
  const answer = await post("/api/launch", { field }, 10000);
  if (!answer.ok) return answer;
  $("planner").close();
  notice(answer.message);
  return null;
}

for (const button of document.querySelectorAll("[data-command]")) button.onclick = () => command(button.dataset.command);

$("take").onclick = async () => {
  const holder = entries.control ? entries.control.holder : null, mine = hello && holder === hello.viewer;
  if (!mine && holder !== null && !(await ask(`Take control from viewer ${holder}?`, "Take control", () => [], []))) return;
  const answer = await post("/api/control", mine ? { action: "release" } : { action: "take", from_other: holder !== null });
  answered("control", answer);
};

$("login-form").onsubmit = async (event) => {
  event.preventDefault();
  const answer = await post("/api/login", { token: $("token").value });
  $("login-answer").textContent = answer.ok ? "" : answer.message;
  if (answer.ok) { $("token").value = ""; $("login").close(); stop.wake(); if (!socket) connect(); }
};

// --- a target -----------------------------------------------------------------------------------------------------------------
function openTarget(id) {
  map.select(id);
  $("comment").value = "";
  say("remark-answer", "", false);
  showTarget(id, entries, scene);
  if (!$("target").open) $("target").show();
  drawEvidence(id);
}

async function drawEvidence(id) {
  const canvas = $("evidence"), headers = { "content-type": "application/json", "x-console": hello ? hello.secret : "page" };
  const note = (text) => { if (map.selected === id) $("evidence-note").textContent = text; };
  canvas.hidden = true;
  note("Drawing the scans over it …");
  try {
    const response = await fetch("/api/evidence", { method: "POST", headers, body: JSON.stringify({ target: Number(id) }), signal: AbortSignal.timeout(EVIDENCE_MS) });
    if (!response.ok) { note((await response.json()).message); return; }
    const image = await createImageBitmap(await response.blob());
    if (map.selected !== id) return;
    canvas.width = image.width; canvas.height = image.height;
    canvas.getContext("2d").drawImage(image, 0, 0);
    canvas.hidden = false;
    note("");
  } catch {
    note("the console does not answer");
  }
}

for (const button of document.querySelectorAll("[data-remark]")) button.onclick = async () => {
  await takeFree();
  const answer = await post("/api/remark", { kind: button.dataset.remark, target: Number(map.selected), comment: $("comment").value });
  say("remark-answer", answer.message, !answer.ok);
  if (answer.ok) $("comment").value = "";
};

$("acknowledge").onclick = async () => {
  await takeFree();
  const answer = await post("/api/remark", { kind: "acknowledge", comment: "" });
  answered("acknowledge", answer);
};

$("target-close").onclick = () => { $("target").close(); map.select(null); };
$("evidence-again").onclick = () => drawEvidence(map.selected);

$("runs").addEventListener("toggle", async () => {
  if (!$("runs").open) return;
  const answer = await post("/api/runs", {}, 10000);
  say("runs-note", answer.ok ? "" : answer.message, !answer.ok);
  if (answer.ok) showRuns($("runs-list"), answer.runs);
});

$("zoom-in").onclick = () => map.zoom(1.5);
$("zoom-out").onclick = () => map.zoom(1 / 1.5);
$("fit").onclick = () => { map.follow(false); map.fit(); };
$("follow").onclick = () => map.follow(!map.following);
$("legend").open = innerWidth > 1500;
connect();
