// The sensors: a rolling section of the radar and a trace a coil. It is told columns and draws them; what is not told is not drawn.

const KEPT = 240, ZERO = 128, UNKNOWN = 0;               // as in console/traces.py
const IN_PHASE = "#0072B2", QUADRATURE = "#B34700", MISSING = [204, 0, 204, 255];
const SILENT_S = 2, LANE = 34, LEFT = 34;

const $ = (id) => document.getElementById(id);
const seconds = () => performance.now() / 1000;

export class Sensors {
  /** `wish` is called with what to ask the server for whenever that changes. */
  constructor(wish) {
    this.wish = wish;
    this.section = document.createElement("canvas");     // a pixel a sample, KEPT columns
    this.channels = 0;
    this.reset();
    $("sensors").addEventListener("toggle", () => this.ask());
    $("channel").addEventListener("change", () => this.ask());
    $("processed").addEventListener("change", () => this.ask());
    new ResizeObserver(() => this.draw()).observe($("bscan"));
  }

  get open() { return $("sensors").open; }

  reset() { this.columns = 0; this.metal = []; this.heard = { gpr: -Infinity, metal: -Infinity }; this.since = seconds(); }

  /** Ask the server for what is chosen; it begins with the last columns. Called again after every new connection. */
  ask() {
    this.reset();
    this.draw();
    this.wish({ on: this.open, channel: Number($("channel").value) || 0, processed: $("processed").checked });
  }

  take({ gpr, metal }) {
    if (metal) { this.metal = this.metal.concat(metal).slice(-KEPT); this.heard.metal = seconds(); }
    if (gpr && gpr.processed === $("processed").checked && gpr.channel === (Number($("channel").value) || 0)) this.add(gpr);
    this.draw();
  }

  add({ channels, rows, row_ns: step, codes }) {
    if (channels !== this.channels) {
      this.channels = channels;
      $("channel").replaceChildren(...Array.from({ length: channels }, (_, i) => new Option(`${i + 1}${i === 0 ? " (left)" : i === channels - 1 ? " (right)" : ""}`, String(i))));
    }
    const bytes = Uint8Array.from(atob(codes), (letter) => letter.charCodeAt(0)), count = bytes.length / rows;
    const canvas = this.section, g = canvas.getContext("2d", { willReadFrequently: true });
    if (canvas.height !== rows || canvas.width !== KEPT) { canvas.width = KEPT; canvas.height = rows; this.columns = 0; }
    const image = new ImageData(count, rows);
    for (let column = 0; column < count; column++) for (let row = 0; row < rows; row++) {
      const code = bytes[column * rows + row], at = 4 * (row * count + column);
      image.data.set(code === UNKNOWN ? MISSING : [255 - code, 255 - code, 255 - code, 255], at);
    }
    g.drawImage(canvas, -count, 0);
    g.putImageData(image, KEPT - count, 0);
    this.columns = Math.min(this.columns + count, KEPT);
    this.span = rows * step;
    this.heard.gpr = seconds();
  }

  /** Say what is silent; called now and then. */
  tell() {
    if (!this.open) return;
    const words = [["gpr", "ground radar"], ["metal", "metal detector"]].map(([key, name]) => [name, seconds() - Math.max(this.heard[key], this.since)])
      .filter(([, silence]) => silence > SILENT_S).map(([name, silence]) => `No scans of the ${name} for ${silence.toFixed(0)} s.`);
    $("sensors-note").textContent = words.join(" ");
  }

  draw() {
    if (!this.open) return;
    this.drawSection();
    this.drawMetal();
    this.tell();
  }

  surface(id, height) {
    const canvas = $(id), ratio = devicePixelRatio || 1, width = canvas.clientWidth;
    canvas.style.height = `${height}px`;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) { canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio); }
    const g = canvas.getContext("2d");
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    g.clearRect(0, 0, width, height);
    g.font = "12px system-ui, sans-serif"; g.fillStyle = "#111"; g.textBaseline = "middle";
    return [g, width, height];
  }

  drawSection() {
    const [g, width, height] = this.surface("bscan", 190), plot = width - LEFT;
    g.strokeStyle = "#767676"; g.strokeRect(LEFT + 0.5, 0.5, plot - 1, height - 1);
    if (!this.columns) { g.fillText("no scan yet", LEFT + 10, height / 2); return; }
    const share = this.columns / KEPT;
    g.imageSmoothingEnabled = false;
    g.drawImage(this.section, KEPT - this.columns, 0, this.columns, this.section.height, width - plot * share, 0, plot * share, height);
    g.textAlign = "right";
    const step = [1, 2, 5, 10, 20, 50, 100].find((one) => this.span / one <= 6) || 200;
    for (let t = 0; t < this.span; t += step) { const y = Math.max(7, t / this.span * height); g.fillText(`${t}${t ? "" : " ns"}`, LEFT - 4, y); }
    g.textAlign = "left";
  }

  drawMetal() {
    const coils = this.metal.length ? this.metal[this.metal.length - 1][0].length : 0;
    const [g, width] = this.surface("metal", Math.max(coils * LANE, LANE)), plot = width - LEFT;
    if (!coils) { g.fillText("no reading yet", LEFT + 10, LANE / 2); return; }
    const series = (part, coil) => this.metal.map((one) => (one[part][coil] === undefined ? null : one[part][coil]));
    const lines = Array.from({ length: coils }, (_, coil) => [0, 1].map((part) => {
      const values = series(part, coil), known = values.filter((v) => v !== null).sort((p, q) => p - q), middle = known[known.length >> 1] || 0;
      return values.map((v) => (v === null ? null : v - middle));
    }));
    const top = lines.flat(2).reduce((most, v) => Math.max(most, Math.abs(v || 0)), 1e-9);
    lines.forEach((pair, coil) => {
      const zero = (coil + 0.5) * LANE;
      g.fillStyle = "#111"; g.fillText(`${coil + 1}`, 8, zero);
      g.strokeStyle = "#d0d0d0"; g.lineWidth = 1; g.beginPath(); g.moveTo(LEFT, zero); g.lineTo(width, zero); g.stroke();
      pair.forEach((values, part) => {
        g.strokeStyle = part ? QUADRATURE : IN_PHASE; g.lineWidth = part ? 2 : 1.2; g.setLineDash(part ? [] : [3, 2]);
        g.beginPath();
        let pen = false;
        values.forEach((v, i) => {
          if (v === null) { pen = false; return; }
          const x = width - plot * (values.length - 1 - i) / (KEPT - 1), y = zero - 0.46 * LANE * v / top;
          if (pen) g.lineTo(x, y); else g.moveTo(x, y);
          pen = true;
        });
        g.stroke(); g.setLineDash([]);
      });
    });
    $("metal-scale").textContent = `each coil ±${Number(top.toPrecision(2))}, less its median`;
  }
}
