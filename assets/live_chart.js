// One run, live: a strip with its state and two charts whose curves grow in place.
// The server pushes what is new over a WebSocket; nothing is drawn twice, so zoom and
// hidden curves stay. Streamlit calls the default export again at every rerun.

// Shapes of 20 by 20: a clock, a triangle, a square, a tick, a cross, an open plug.
const RING = "M10 2a8 8 0 1 1 0 16a8 8 0 0 1 0-16";
const SQUARE = "M5 5h10v10h-10z";
const CROSS = `${RING}M7 7l6 6M13 7l-6 6`;
const ICONS = {
  queued: `${RING}M10 5.5v4.5l3 2`, running: "M6 3.5l10 6.5l-10 6.5z", stopping: SQUARE,
  done: `${RING}M6 10.5l3 3l5-6`, stopped: SQUARE, failed: CROSS,
  interrupted: "M10 2.5l8 14.5h-16zM10 8v4M10 14.5v.1", deleted: CROSS,
};
// The second chart follows the run's metric: accuracy in per cent, Dice or mean AUC in 0 to 1.
const CHARTS = { loss: { step: 1, epoch: 2, val: 4 }, accuracy: { step: 2, epoch: 3, val: 5 } };
const EPOCH_COLUMNS = ["epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"];
// Okabe and Ito's colours, a dark and a light pair; vermilion darker, to be read as text.
const COLOURS = { light: ["#0072B2", "#B54E00"], dark: ["#56B4E9", "#E69F00"] };
const DRAW_EVERY = 120; // milliseconds between two drawings

let library;
function plotly(url, complaint) {
  library ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => done(window.Plotly);
    script.onerror = () => { library = undefined; failed(new Error(complaint)); };
    document.head.appendChild(script);
  });
  return library;
}

const TRAINING = 0, VALIDATION = 1, BEST = 2, UNSEEN = 3, BESIDE = 4, RATE = 5;
const SMOOTH = 0.9;

// The series of a message put to those that are there already.
function merge(held, message) {
  held.key = message.key;
  held.at = message.at;
  for (const name of ["steps", "epochs", "samples"]) {
    if (message.reset) held[name] = message[name] ?? [];
    else (message[name] ?? []).forEach((column, i) => { held[name][i] ??= []; for (const v of column) held[name][i].push(v); });
  }
}

// An exponential mean that is not drawn to 0 at first (Kingma and Ba 2015, section 3).
function smoothed(values) {
  let mean = 0, weight = 0;
  return values.map((v) => {
    if (v == null) return v;
    mean = SMOOTH * mean + (1 - SMOOTH) * v;
    weight = SMOOTH * weight + 1 - SMOOTH;
    return mean / weight;
  });
}

// What was last told of each run: the page draws the chart anew when a run ends.
const HEARD = (globalThis.medmodelHeard ??= new Map());

// Another run, whose validation curve lies behind; live if it is.
class Beside {
  constructor({ url, name }, changed) {
    Object.assign(this, { url, name, changed, key: "", at: [0, 0, 0], steps: [], epochs: [], samples: [] });
    this.open();
  }

  open() {
    const have = encodeURIComponent([this.key, ...this.at].join(":"));
    this.socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}${this.url}?have=${have}`);
    this.socket.onmessage = (event) => { const m = JSON.parse(event.data); if (m.key !== undefined) { merge(this, m); this.changed(); } };
    this.socket.onclose = (event) => { if (!this.ended && event.code !== 4404) this.again = setTimeout(() => this.open(), 2000); };
  }

  stop() {
    this.ended = true;
    clearTimeout(this.again);
    this.socket.close();
  }
}

const active = (state) => state === "queued" || state === "running";
const last = (list) => list[list.length - 1];

// A text of the page with values in place of the names in braces.
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

const count = (n) => n.toLocaleString(document.documentElement.lang || "en");

function duration(seconds, texts) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return fill(texts.seconds, { seconds: whole });
  const minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
  if (!hours) return fill(whole % 60 ? texts.minutes_seconds : texts.minutes, { minutes, seconds: whole % 60 });
  return fill(minutes % 60 ? texts.hours_minutes : texts.hours, { hours, minutes: minutes % 60 });
}

class LiveRun {
  constructor(root, component) {
    this.root = root;
    this.axis = "step";
    this.steps = [[], [], []];
    this.epochs = EPOCH_COLUMNS.map(() => []);
    this.samples = [];
    this.status = {};
    this.key = "";
    this.at = [0, 0, 0];
    this.drawn = ""; // what the charts show, in words
    this.options = { smooth: false, log: false, rate: false };
    this.texts = component.data.texts;
    this.words();
    this.notices = new Notices(root);
    this.strip_of_images = new Samples(root, this.texts);
    this.wait = 500;
    this.take(component);
    for (const button of root.querySelectorAll("[data-axis]")) {
      button.onclick = () => this.show(button.dataset.axis);
    }
    for (const button of root.querySelectorAll("[data-option]")) {
      button.onclick = () => this.choose(button);
    }
    root.querySelector(".mm-csv").onclick = () => this.saveHistory();
    this.clock = setInterval(() => this.tick(), 1000);
    // Drawing anew would end a zoom that is being dragged: wait until it is done.
    this.press = (event) => { this.held = !!event.target.closest?.(".mm-chart") && root.contains(event.target); };
    this.release = () => { if (this.held) setTimeout(() => { this.held = false; this.draw(); }, 50); };
    window.addEventListener("pointerdown", this.press, true);
    for (const name of ["pointerup", "pointercancel"]) window.addEventListener(name, this.release, true);
    this.resized = new ResizeObserver(() => this.resize());
    this.resized.observe(root);
    plotly(component.data.plotly, this.texts.no_plotly).then((Plotly) => {
      if (this.ended) return;
      this.Plotly = Plotly;
      this.theme = this.look();
      this.charts().forEach((el) => this.create(el));
      this.draw();
    }).catch((error) => this.note(error.message));
    this.open();
  }

  // The texts of buttons and labels, which the page gives in the session's language.
  words() {
    const { tools } = this.texts;
    for (const element of this.root.querySelectorAll("[data-text]")) element.textContent = tools[element.dataset.text];
    for (const element of this.root.querySelectorAll("[data-title]")) element.title = tools[element.dataset.title];
    for (const element of this.root.querySelectorAll("[data-label]")) element.setAttribute("aria-label", tools[element.dataset.label]);
  }

  // --- what Streamlit says -------------------------------------------------------

  take(component) {
    this.component = component;
    this.url = component.data.url;
    if (this.beside?.url !== component.data.beside?.url) {
      this.beside?.stop();
      this.beside = component.data.beside && new Beside(component.data.beside, () => this.soon());
      this.drawn = "";
      this.soon();
    }
    this.told = null;
    // The place that the page keeps for it: nothing jumps when the curves come.
    this.root.classList.toggle("mm-bare", component.data.bare);
    this.root.style.height = `${component.data.height}px`;
    if (this.status.state) this.tellPage();
  }

  // The page shows other things for a run at work than for one that has ended.
  tellPage() {
    const now = this.status.state;
    // What was deleted in another tab can neither be resumed nor deleted again.
    const other = now === "deleted" || active(now) !== active(this.component.data.state);
    if (!other || this.told === now) return;
    this.told = now;
    this.component.setTriggerValue("changed", now);
  }

  stop() {
    this.ended = true;
    this.notices.title("");
    this.beside?.stop();
    clearInterval(this.clock);
    clearTimeout(this.timer);
    clearTimeout(this.again);
    this.resized.disconnect();
    window.removeEventListener("pointerdown", this.press, true);
    for (const name of ["pointerup", "pointercancel"]) window.removeEventListener(name, this.release, true);
    this.socket?.close();
    if (this.Plotly) this.charts().forEach((el) => this.Plotly.purge(el));
  }

  // --- what the server says ------------------------------------------------------

  open() {
    if (this.ended) return;
    const have = encodeURIComponent([this.key, ...this.at].join(":"));
    const base = location.origin.replace(/^http/, "ws");
    this.socket = new WebSocket(`${base}${this.url}?have=${have}&lang=${this.component.data.language}`);
    this.socket.onopen = () => { this.wait = 500; this.note(""); };
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = (event) => {
      if (this.ended) return;
      if (event.code === 4404) return this.receive({ status: { state: "deleted" } });
      this.note(this.texts.connection_lost);
      this.again = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, 5000);
    };
  }

  receive(message) {
    if (message.key !== undefined) merge(this, message);
    this.strip_of_images.take(message.images);
    if (message.status) {
      this.status = message.status;
      this.heard = Date.now() / 1000 - (message.status.age ?? 0);
      this.strip();
      this.tellPage();
    }
    this.soon();
  }

  soon() { this.timer ??= setTimeout(() => { this.timer = undefined; this.draw(); }, DRAW_EVERY); }

  // --- the strip -----------------------------------------------------------------

  find(name) { return this.root.querySelector(name); }

  note(text) { this.find(".mm-line").textContent = text; }

  state() {
    const s = this.status;
    return s.state === "running" && s.stopping ? "stopping" : s.state;
  }

  strip() {
    const s = this.status, state = this.state();
    this.root.dataset.state = state;
    this.find(".mm-word").textContent = this.texts.states[state] ?? state;
    this.find(".mm-icon path").setAttribute("d", ICONS[state] ?? "");
    this.find(".mm-sentence").textContent = this.find(".mm-sentence").title = this.sentence();
    this.announce(state);
    const bar = this.find(".mm-bar"), share = this.share();
    bar.classList.toggle("mm-unknown", share == null && s.state === "running");
    bar.firstElementChild.style.width = share == null && s.state === "running" ? "" : `${100 * (share ?? 0)}%`;
    if (share == null) bar.removeAttribute("aria-valuenow");
    else bar.setAttribute("aria-valuenow", Math.round(100 * share));
    this.tick();
  }

  // How much is done, 0 to 1; null while nobody knows. Full means done and nothing else.
  share() {
    const s = this.status;
    if (s.state === "done") return 1;
    if (s.state === "deleted") return 0;
    if (s.parts) return Math.min(s.share, 0.99);
    const [done, total] = s.phase === "training" && s.steps ? [s.step, s.steps] : [s.done, s.total];
    return total > 0 ? Math.min(done / total, 0.99) : active(s.state) ? null : 0;
  }

  // For those who listen: start, end and failure, once each, and nothing in between.
  announce(state) {
    if (this.announced === state) return;
    this.announced = state;
    const before = HEARD.get(this.url);
    if (before?.state !== state) {
      const sentence = state === "failed" ? this.status.failure?.message ?? "" : this.sentence();
      const text = fill(this.texts.announcement, { state: this.texts.states[state] ?? state, sentence });
      if (before && !active(state)) this.notices.ended(text, state === "done");
      HEARD.set(this.url, { state, text: before || active(state) ? text : "" });
    }
    this.find(".mm-said").textContent = HEARD.get(this.url).text;
  }

  sentence() {
    const s = this.status;
    if (s.state === "deleted") return this.texts.deleted;
    // What went wrong stands in a box of its own.
    if (s.state === "failed" || s.state === "interrupted") return "";
    const part = s.state === "running" && s.parts ? `${fill(this.texts.part, s)} ` : "";
    if (s.state !== "queued" || s.told) return part + (s.message ?? "");
    if (!s.before) return this.texts.no_worker;
    return s.before === 1 ? this.texts.one_before : fill(this.texts.several_before, { runs: s.before });
  }

  timeLeft() {
    const s = this.status, { time } = this.texts;
    // Training may end early where the validation loss stops falling.
    const left = this.component.data.patience && !["evaluating", "reference"].includes(s.phase) ? time.at_most_left : time.left;
    if (s.state === "running") return s.seconds_left == null ? "" : fill(left, { time: duration(this.rounded(s.seconds_left), time) });
    return s.started && s.ended && s.state !== "queued" ? fill(time.took, { time: duration(s.ended - s.started, time) }) : "";
  }

  // No more digits than an estimate has.
  rounded(seconds) {
    const unit = seconds < 20 ? 1 : seconds < 120 ? 5 : seconds < 600 ? 10 : seconds < 7200 ? 60 : 600;
    return Math.max(Math.round(seconds / unit) * unit, 1);
  }

  facts() {
    const s = this.status, found = [], { facts, time } = this.texts;
    const of = (n, all) => all ? fill(facts.of, { done: count(n), total: count(all) }) : count(n);
    if (s.epochs && s.epoch) found.push([facts.epoch, of(s.epoch, s.epochs)]);
    if (s.best_epoch) found.push([facts.best_epoch, `${s.best_epoch}`]);
    // First what a narrow page must not cut: it shows one row.
    const computes = [s.device, s.precision].filter(Boolean).join(" · ");
    if (computes) found.push([facts.device, computes]);
    if (s.state === "running" && s.heartbeat) {
      found.push([facts.last_update, fill(time.ago, { time: duration(Date.now() / 1000 - this.heard, time) })]);
    }
    const rate = last(this.epochs[6] ?? []);
    if (rate != null) found.push([facts.learning_rate, `${+rate.toPrecision(2)}`]);
    // A third entry of the legend would take the place of the curves.
    if (this.component.data.frozen && this.steps[0].length) found.push([facts.dotted, facts.not_yet_learned]);
    if (s.step || s.steps) found.push([facts.step, of(s.step, s.steps)]);
    if (s.state === "running") found.push(...Object.entries(s.usage ?? {}));
    return found;
  }

  // Once a second: the seconds since the last update go on without the server.
  tick() {
    const list = this.find(".mm-facts"), facts = this.facts();
    this.find(".mm-left").textContent = this.timeLeft();
    const percentage = Math.round(100 * (this.share() ?? 0));
    this.notices.title(this.status.state === "running" ? `${percentage} %` : this.texts.states[this.state()] ?? "");
    this.root.dataset.theme = this.look().dark ? "dark" : "light";
    while (list.children.length > facts.length) list.lastElementChild.remove();
    facts.forEach(([name, value], i) => {
      const item = list.children[i] ?? list.appendChild(document.createElement("div"));
      if (!item.firstChild) item.append(document.createElement("dt"), document.createElement("dd"));
      if (item.firstChild.textContent !== name) item.firstChild.textContent = name;
      if (item.lastChild.textContent !== value) item.lastChild.textContent = value;
    });
    if (this.Plotly && this.theme.id !== this.look().id) this.restyle();
  }

  // --- the charts ----------------------------------------------------------------

  // Plotly's own form of per cents, 80%, is not that of the rest of the page.
  scale(kind) { return kind === "accuracy" && this.component.data.perCent ? 100 : 1; }

  number(value, kind) {
    if (value == null) return "";
    if (this.scale(kind) === 100) return `${(100 * value).toFixed(1)} %`;
    if (kind === "accuracy") return value.toFixed(3);
    return value < 0.001 ? "< 0.001" : value.toPrecision(3);
  }

  valueAxis(kind, wide) {
    if (kind === "loss") return { rangemode: "nonnegative", hoverformat: ".3~f" };
    const scale = this.scale(kind), suffix = scale === 100 && !wide ? " %" : "";
    return { ticksuffix: suffix, hoverformat: scale === 100 ? ".1f" : ".3f", autorangeoptions: { clipmin: -0.03 * scale, clipmax: 1.05 * scale } };
  }

  charts() { return [...this.root.querySelectorAll("[data-chart]")]; }

  look() {
    const style = getComputedStyle(this.root), text = style.color;
    const value = (name, other) => style.getPropertyValue(name).trim() || other;
    const [r, g, b] = (text.match(/[\d.]+/g) ?? [0, 0, 0]).map(Number);
    const dark = r + g + b > 382;
    const grid = value("--st-border-color", "#cccccc"), back = value("--st-background-color", "#ffffff");
    return { dark, id: [text, grid, back].join(), text, grid, back, font: style.fontFamily, colours: COLOURS[dark ? "dark" : "light"] };
  }

  traces() {
    const [train, val] = this.theme.colours, names = this.texts.curves;
    const curve = { type: "scatter", mode: "lines", x: [], y: [], connectgaps: false };
    return [
      { ...curve, name: names.training, line: { width: 1.25, color: train } },
      { ...curve, name: names.validation, mode: "lines+markers", line: { width: 3, color: val }, marker: { size: 5, color: val } },
      { ...curve, name: names.best, mode: "markers", marker: { size: 13, symbol: "circle-open", color: this.theme.text, line: { width: 2.5 } } },
      { ...curve, name: names.unseen, visible: this.component.data.frozen || "legendonly", showlegend: false, line: { width: 1.25, color: train, dash: "dot" } },
      { ...curve, name: names.compared, showlegend: false, line: { width: 3, color: this.theme.text, dash: "dash" }, opacity: 0.45 },
      { ...curve, name: names.learning_rate, showlegend: false, visible: false, yaxis: "y2", line: { width: 1.5, color: this.theme.text, dash: "dot" } },
    ];
  }

  layout(kind, wide) {
    const { text, grid, back, font } = this.theme, { titles, units, axes } = this.texts.curves;
    const axis = { gridcolor: grid, linecolor: grid, zeroline: false, automargin: false };
    return {
      uirevision: "run", autosize: true, margin: { l: 50, r: 66, t: 36, b: 46 },
      paper_bgcolor: back, plot_bgcolor: back, font: { color: text, family: font, size: 16 },
      title: { text: wide && units[kind] ? `<b>${titles[kind]}</b> (${units[kind]})` : `<b>${titles[kind]}</b>`, x: 0, xanchor: "left", xref: "container", y: 1, yref: "container", yanchor: "top", pad: { t: 4 }, font: { size: 18 } }, // Chinese letters are taller
      xaxis: { ...axis, title: { text: axes[this.axis], standoff: 4, font: { size: 16 } }, rangemode: "tozero" },
      yaxis: { ...axis, ...this.valueAxis(kind, wide) },
      yaxis2: { overlaying: "y", visible: false, rangemode: "tozero" },
      legend: { orientation: "h", xref: "container", x: 1, xanchor: "right", yref: "container", y: 1, yanchor: "top", font: { size: 16 } },
      hovermode: "x unified", hoverlabel: { bgcolor: back, font: { color: text } },
      annotations: [], dragmode: "zoom",
    };
  }

  create(el) {
    const P = this.Plotly, kind = el.dataset.chart;
    const svg = {
      name: "svg", title: this.texts.curves.svg, icon: P.Icons.disk,
      click: (chart) => P.downloadImage(chart, { format: "svg", filename: this.fileName(kind) }),
    };
    const traces = this.traces();
    // On a phone there is no room for a third entry of the legend, nor for a unit.
    traces[BEST].showlegend = el.clientWidth > 430;
    P.newPlot(el, traces, this.layout(kind, el.clientWidth > 370), {
      displaylogo: false, responsive: false, modeBarButtonsToAdd: [svg],
      // No button may send a chart to another host.
      plotlyServerURL: "", modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
      toImageButtonOptions: { format: "png", scale: 2, filename: this.fileName(kind) },
    });
    el.dataset.ready = "1";
  }

  fileName(kind) { return `${kind}-${this.url.split("/").pop()}`; }

  // All curves of a chart as [x, y], in the order of the traces.
  curves(kind, best) {
    const chart = CHARTS[kind], byStep = this.axis === "step", [e, s] = this.epochs;
    const x = byStep ? s : e, val = this.epochs[chart.val];
    let train = byStep ? [this.steps[0], this.steps[chart.step]] : [e, this.epochs[chart.epoch]];
    let unseen = [[], []];
    if (byStep && this.component.data.frozen) {
      // Before the first epoch each point is of images that were not learned from yet.
      const first = s[0] ?? Infinity, from = train[0].findIndex((v) => v >= first), cut = from < 0 ? train[0].length : from;
      unseen = train.map((column) => column.slice(0, cut));
      train = train.map((column) => column.slice(cut));
    }
    if (this.options.smooth) [train, unseen] = [train, unseen].map(([tx, ty]) => [tx, smoothed(ty)]);
    const other = this.beside?.epochs, otherX = other?.[byStep ? 1 : 0] ?? [], rate = kind === "loss" ? this.epochs[6] ?? [] : [];
    const scaled = ([xs, ys]) => [xs, ys.map((y) => y == null ? y : this.scale(kind) * y)];
    return [
      ...[train, [x, val], best < 0 ? [[], []] : [[x[best]], [val[best]]], unseen, [otherX, other?.[chart.val] ?? []]].map(scaled),
      [rate.length ? x : [], rate],
    ];
  }

  draw() {
    this.strip_of_images.show(this.newestScores());
    if (!this.Plotly || this.ended || this.held) return;
    const best = this.best();
    const now = [this.axis, this.steps[0].length, this.epochs[0].length, this.key, best, this.beside?.epochs[0]?.length, ...Object.values(this.options)].join();
    if (now !== this.drawn) {
      for (const el of this.charts()) {
        const curves = this.curves(el.dataset.chart, best), mode = this.epochs[0].length > 40 ? "lines" : "lines+markers";
        this.Plotly.restyle(el, { x: curves.map((c) => c[0]), y: curves.map((c) => c[1]) }, [...curves.keys()]);
        // Of a single point there is no line.
        const alone = curves[TRAINING][0].length === 1 ? "lines+markers" : "lines";
        if (el.data[TRAINING].mode !== alone) this.Plotly.restyle(el, { mode: alone }, [TRAINING]);
        if (el.data[VALIDATION].mode !== mode) this.Plotly.restyle(el, { mode }, [VALIDATION]);
        const name = this.beside?.name ?? this.texts.curves.compared;
        if (el.data[BESIDE].name !== name || el.data[BESIDE].showlegend !== !!this.beside) this.Plotly.restyle(el, { name, showlegend: false }, [BESIDE]);
        this.label(el, el.dataset.chart);
      }
      this.drawn = now;
    }
    this.empty();
  }

  newestScores() { return this.samples[0]?.length ? this.samples.map(last) : undefined; }

  choose(button) {
    const name = button.dataset.option, on = this.options[name] = !this.options[name];
    button.setAttribute("aria-pressed", on);
    const loss = this.root.querySelector("[data-chart=loss]");
    if (this.Plotly && name === "log") this.Plotly.relayout(loss, { "yaxis.type": on ? "log" : "linear", "yaxis.autorange": true });
    if (this.Plotly && name === "rate") this.Plotly.restyle(loss, { visible: on }, [RATE]);
    this.draw();
  }

  // Place of the best epoch in the history; -1 before there is one.
  best() {
    const known = this.epochs[0].indexOf(this.status.best_epoch);
    if (known >= 0) return known;
    let place = -1;
    this.epochs[4].forEach((v, i) => { if (v != null && (place < 0 || v < this.epochs[4][place])) place = i; });
    return place;
  }

  // The newest values, beside the ends of their curves.
  label(el, kind) {
    el.labelled = Date.now();
    const chart = CHARTS[kind], log = el.layout.yaxis.type === "log", range = el.layout.yaxis.range ?? [0, 1];
    const height = (value, v = this.scale(kind) * value) => log ? Math.log10(Math.max(v, 1e-12)) : v; // as an annotation wants it
    const train = last(this.axis === "step" ? this.steps[chart.step] : this.epochs[chart.epoch]);
    const values = [train, last(this.epochs[chart.val])];
    const room = el.clientHeight - 82; // pixels of the axis
    const near = values[0] != null && values[1] != null && Math.abs(height(values[0]) - height(values[1])) * room < 20 * Math.abs(range[1] - range[0]);
    // Not so low that a value reads on from the numbers below the axis.
    const above = values.map((value) => value == null ? Infinity : room * (height(value) - range[0]) / (range[1] - range[0] || 1));
    const shifts = values.map((_, i) => near ? ((i === 0) === (values[0] >= values[1]) ? 9 : -9) : 0);
    const lift = (i) => Math.max(0, 8 - (near ? Math.min(...above.map((y, k) => y + shifts[k])) : above[i]));
    const annotations = values.map((value, i) => value == null ? null : {
      xref: "paper", x: 1, xanchor: "left", xshift: 6, yref: "y", y: height(value), showarrow: false,
      yshift: shifts[i] + lift(i),
      text: i ? `<b>${this.number(value, kind)}</b>` : this.number(value, kind), font: { color: this.theme.colours[i], size: 16 },
    }).filter(Boolean);
    this.Plotly.relayout(el, { annotations });
    el.setAttribute("role", "img");
    el.setAttribute("aria-label", fill(this.texts.curves.label, { chart: this.texts.curves.titles[kind], training: this.number(values[0], kind), validation: this.number(values[1], kind) }));
  }

  empty() {
    const drawn = this.axis === "step" ? this.steps[0].length + this.epochs[0].length : this.epochs[0].length;
    for (const box of this.root.querySelectorAll(".mm-none")) {
      box.hidden = drawn > 0;
      box.previousElementSibling.style.visibility = drawn > 0 ? "" : "hidden"; // axes of nothing
      const waits = active(this.status.state) || !this.status.state;
      box.classList.toggle("mm-loading", waits);
      const first = this.axis === "step" && !this.component.data.frozen ? "step" : "epoch";
      box.textContent = waits ? this.texts.curves.first[first] : this.texts.curves.none;
    }
  }

  show(axis) {
    this.axis = axis;
    for (const button of this.root.querySelectorAll("[data-axis]")) {
      button.setAttribute("aria-pressed", button.dataset.axis === axis);
    }
    if (!this.Plotly) return;
    for (const el of this.charts()) {
      this.Plotly.relayout(el, { "xaxis.title.text": this.texts.curves.axes[axis], "xaxis.autorange": true });
    }
    this.draw();
  }

  restyle() {
    this.theme = this.look();
    const { text, grid, back } = this.theme, [train, val] = this.theme.colours;
    for (const el of this.charts()) {
      this.Plotly.restyle(el, { "line.color": [train, val, text, train, text, text], "marker.color": [train, val, text, train, text, text] }, [0, 1, 2, 3, 4, 5]);
      this.Plotly.relayout(el, {
        paper_bgcolor: back, plot_bgcolor: back, "font.color": text, "hoverlabel.bgcolor": back, "hoverlabel.font.color": text,
        "xaxis.gridcolor": grid, "yaxis.gridcolor": grid, "xaxis.linecolor": grid, "yaxis.linecolor": grid,
      });
      this.label(el, el.dataset.chart);
    }
  }

  resize() {
    if (!this.Plotly) return;
    for (const el of this.charts()) if (el.dataset.ready && el.clientWidth) this.Plotly.Plots.resize(el);
  }

  saveHistory() {
    const lines = [EPOCH_COLUMNS.join(",").replaceAll("accuracy", this.texts.curves.metric)];
    this.epochs[0].forEach((_, i) => lines.push(this.epochs.map((column) => column[i] ?? "").join(",")));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = `${this.fileName("history")}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".mm-live");
  if (root.live?.url === component.data.url && !root.live.ended) {
    root.live.take(component);
  } else {
    root.live?.stop();
    root.live = new LiveRun(root, component);
  }
  const live = root.live;
  return () => live.stop();
}
