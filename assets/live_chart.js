// One run, live: a strip with its state and two charts whose curves grow in place.
// The server pushes what is new over a WebSocket; nothing is drawn twice, so zoom and
// hidden curves stay. Streamlit calls the default export again at every rerun.

const TITLES = {
  queued: "Waiting", running: "Training", stopping: "Stopping", done: "Done",
  stopped: "Stopped", failed: "Failed", interrupted: "Interrupted", deleted: "Deleted",
};
// Shapes of 20 by 20: a clock, a triangle, a square, a tick, a cross, an open plug.
const RING = "M10 2a8 8 0 1 1 0 16a8 8 0 0 1 0-16";
const SQUARE = "M5 5h10v10h-10z";
const CROSS = `${RING}M7 7l6 6M13 7l-6 6`;
const ICONS = {
  queued: `${RING}M10 5.5v4.5l3 2`, running: "M6 3.5l10 6.5l-10 6.5z", stopping: SQUARE,
  done: `${RING}M6 10.5l3 3l5-6`, stopped: SQUARE, failed: CROSS,
  interrupted: "M10 2.5l8 14.5h-16zM10 8v4M10 14.5v.1", deleted: CROSS,
};
const CHARTS = {
  loss: { title: "Loss", unit: "cross-entropy", step: 1, epoch: 2, val: 4, format: ".3~f" },
  accuracy: { title: "Accuracy", unit: "%", step: 2, epoch: 3, val: 5, format: ".1~%" },
};
const EPOCH_COLUMNS = ["epoch", "step", "loss", "accuracy", "val_loss", "val_accuracy"];
// Okabe and Ito's colours, a dark and a light pair.
const COLOURS = { light: ["#0072B2", "#D55E00"], dark: ["#56B4E9", "#E69F00"] };
const DRAW_EVERY = 120; // milliseconds between two drawings

let library;
function plotly(url) {
  library ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = () => done(window.Plotly);
    script.onerror = () => { library = undefined; failed(new Error("Plotly did not load")); };
    document.head.appendChild(script);
  });
  return library;
}

const active = (state) => state === "queued" || state === "running";
const last = (list) => list[list.length - 1];

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

function number(value, kind) {
  if (value == null) return "";
  return kind === "accuracy" ? `${(100 * value).toFixed(1)} %` : value.toPrecision(3);
}

class LiveRun {
  constructor(root, component) {
    this.root = root;
    this.axis = "step";
    this.steps = [[], [], []];
    this.epochs = EPOCH_COLUMNS.map(() => []);
    this.status = {};
    this.key = "";
    this.at = [0, 0];
    this.drawn = null; // what the charts show: [axis, steps, epochs, best, theme]
    this.wait = 500;
    this.take(component);
    for (const button of root.querySelectorAll("[data-axis]")) {
      button.onclick = () => this.show(button.dataset.axis);
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
    plotly(component.data.plotly).then((Plotly) => {
      if (this.ended) return;
      this.Plotly = Plotly;
      this.theme = this.look();
      this.charts().forEach((el) => this.create(el));
      this.draw();
    }).catch((error) => this.note(error.message));
    this.open();
  }

  // --- what Streamlit says -------------------------------------------------------

  take(component) {
    this.component = component;
    this.url = component.data.url;
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
    this.socket = new WebSocket(`${base}${this.url}?have=${have}`);
    this.socket.onopen = () => { this.wait = 500; this.note(""); };
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = (event) => {
      if (this.ended) return;
      if (event.code === 4404) return this.receive({ status: { state: "deleted" } });
      this.note("Connection lost, trying again…");
      this.again = setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, 5000);
    };
  }

  receive(message) {
    if (message.key !== undefined) {
      this.key = message.key;
      this.at = message.at;
      if (message.reset) {
        this.steps = message.steps;
        this.epochs = message.epochs;
        this.drawn = null;
      } else {
        message.steps.forEach((column, i) => { for (const v of column) this.steps[i].push(v); });
        message.epochs.forEach((column, i) => { for (const v of column) this.epochs[i].push(v); });
      }
    }
    if (message.status) {
      this.status = message.status;
      this.heard = Date.now() / 1000 - (message.status.age ?? 0);
      this.strip();
      this.tellPage();
    }
    this.timer ??= setTimeout(() => { this.timer = undefined; this.draw(); }, DRAW_EVERY);
  }

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
    this.find(".mm-word").textContent = TITLES[state] ?? state;
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
    const [done, total] = s.phase === "training" && s.steps ? [s.step, s.steps] : [s.done, s.total];
    return total > 0 ? Math.min(done / total, 0.99) : active(s.state) ? null : 0;
  }

  // For those who listen: start, end and failure, once each, and nothing in between.
  announce(state) {
    if (this.announced === state) return;
    const first = this.announced === undefined;
    this.announced = state;
    if (first && !active(state)) return;
    const failure = this.status.failure?.message ?? "";
    this.find(".mm-said").textContent = `${TITLES[state] ?? state}. ${state === "failed" ? failure : this.sentence()}`;
  }

  sentence() {
    const s = this.status;
    if (s.state === "deleted") return "This run has been deleted.";
    // What went wrong stands in a box of its own.
    if (s.state === "failed" || s.state === "interrupted") return "";
    if (s.state !== "queued") return s.message ?? "";
    if (!s.before) return "Waiting for a worker to start.";
    return s.before === 1 ? "Waiting for the device, 1 run before it." : `Waiting for the device, ${s.before} runs before it.`;
  }

  timeLeft() {
    const s = this.status;
    if (s.state === "running") return s.seconds_left == null ? "" : `${duration(s.seconds_left)} left`;
    return s.started && s.ended && s.state !== "queued" ? `took ${duration(s.ended - s.started)}` : "";
  }

  facts() {
    const s = this.status, found = [];
    const of = (n, all) => all ? `${n.toLocaleString("en")} of ${all.toLocaleString("en")}` : n.toLocaleString("en");
    if (s.epochs && s.epoch) found.push(["Epoch", of(s.epoch, s.epochs)]);
    if (s.best_epoch) found.push(["Best epoch", `${s.best_epoch}`]);
    if (s.state === "running" && s.heartbeat) {
      found.push(["Last update", `${duration(Date.now() / 1000 - this.heard)} ago`]);
    }
    if (s.device) found.push(["Device", s.device]);
    if (s.precision) found.push(["Precision", s.precision]);
    if (s.step || s.steps) found.push(["Step", of(s.step, s.steps)]);
    if (s.state === "running") found.push(...Object.entries(s.usage ?? {}));
    return found;
  }

  // Once a second: the seconds since the last update go on without the server.
  tick() {
    const list = this.find(".mm-facts"), facts = this.facts();
    this.find(".mm-left").textContent = this.timeLeft();
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
    const [train, val] = this.theme.colours;
    const curve = { type: "scatter", mode: "lines", x: [], y: [], connectgaps: false };
    return [
      { ...curve, name: "training", line: { width: 1.25, color: train } },
      { ...curve, name: "validation", mode: "lines+markers", line: { width: 3, color: val }, marker: { size: 5, color: val } },
      { ...curve, name: "best", mode: "markers", marker: { size: 13, symbol: "circle-open", color: this.theme.text, line: { width: 2.5 } } },
    ];
  }

  layout(kind) {
    const { text, grid, back, font } = this.theme, chart = CHARTS[kind];
    const axis = { gridcolor: grid, linecolor: grid, zeroline: false, automargin: false };
    return {
      uirevision: "run", autosize: true, margin: { l: 50, r: 66, t: 36, b: 46 },
      paper_bgcolor: back, plot_bgcolor: back, font: { color: text, family: font, size: 16 },
      title: { text: `<b>${chart.title}</b> (${chart.unit})`, x: 0, xanchor: "left", xref: "container", y: 1, yref: "container", yanchor: "top", font: { size: 18 } },
      xaxis: { ...axis, title: { text: this.axis, standoff: 4, font: { size: 16 } }, rangemode: "tozero" },
      yaxis: { ...axis, tickformat: kind === "accuracy" ? ".0%" : undefined },
      legend: { orientation: "h", xref: "container", x: 1, xanchor: "right", yref: "container", y: 1, yanchor: "top", font: { size: 16 } },
      hovermode: "x unified", hoverlabel: { bgcolor: back, font: { color: text } },
      annotations: [], dragmode: "zoom",
    };
  }

  create(el) {
    const P = this.Plotly, kind = el.dataset.chart;
    const svg = {
      name: "svg", title: "Download plot as SVG", icon: P.Icons.disk,
      click: (chart) => P.downloadImage(chart, { format: "svg", filename: this.fileName(kind) }),
    };
    const traces = this.traces();
    // On a phone there is no room for a third entry of the legend.
    traces[2].showlegend = el.clientWidth > 430;
    P.newPlot(el, traces, this.layout(kind), {
      displaylogo: false, responsive: false, modeBarButtonsToAdd: [svg],
      // No button may send a chart to another host.
      plotlyServerURL: "", modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d"],
      toImageButtonOptions: { format: "png", scale: 2, filename: this.fileName(kind) },
    });
    el.dataset.ready = "1";
  }

  fileName(kind) { return `${kind}-${this.url.split("/").pop()}`; }

  // Rows of the curves from a place on: [training x, training y, validation x, y].
  rows(kind, steps, epochs) {
    const chart = CHARTS[kind], byStep = this.axis === "step";
    const [e, s] = [this.epochs[0], this.epochs[1]];
    const x = (byStep ? s : e).slice(epochs);
    return [
      byStep ? this.steps[0].slice(steps) : x,
      byStep ? this.steps[chart.step].slice(steps) : this.epochs[chart.epoch].slice(epochs),
      x, this.epochs[chart.val].slice(epochs),
    ];
  }

  draw() {
    if (!this.Plotly || this.ended || this.held) return;
    const count = [this.steps[0].length, this.epochs[0].length];
    const before = this.drawn, best = this.best();
    if (before && before.count[0] === count[0] && before.count[1] === count[1] && before.best === best) return this.empty();
    for (const el of this.charts()) {
      const kind = el.dataset.chart;
      const [x, y, vx, vy] = this.rows(kind, before?.count[0] ?? 0, before?.count[1] ?? 0);
      if (!before) this.Plotly.restyle(el, { x: [x, vx], y: [y, vy] }, [0, 1]);
      else if (x.length || vx.length) this.Plotly.extendTraces(el, { x: [x, vx], y: [y, vy] }, [0, 1]);
      if (before?.best !== best || !before || vx.length) this.mark(el, kind, best);
      if (!before || vx.length || Date.now() - (el.labelled ?? 0) > 1000) this.label(el, kind);
    }
    this.drawn = { count, best };
    this.empty();
  }

  // Place of the best epoch in the history; -1 before there is one.
  best() {
    const known = this.epochs[0].indexOf(this.status.best_epoch);
    if (known >= 0) return known;
    let place = -1;
    this.epochs[4].forEach((v, i) => { if (v != null && (place < 0 || v < this.epochs[4][place])) place = i; });
    return place;
  }

  mark(el, kind, best) {
    const x = this.axis === "step" ? this.epochs[1] : this.epochs[0], y = this.epochs[CHARTS[kind].val];
    const many = this.epochs[0].length > 40;
    this.Plotly.restyle(el, { x: [best < 0 ? [] : [x[best]]], y: [best < 0 ? [] : [y[best]]] }, [2]);
    this.Plotly.restyle(el, { mode: many ? "lines" : "lines+markers" }, [1]);
  }

  // The newest values, beside the ends of their curves.
  label(el, kind) {
    el.labelled = Date.now();
    const chart = CHARTS[kind], range = el.layout.yaxis.range ?? [0, 1];
    const train = last(this.axis === "step" ? this.steps[chart.step] : this.epochs[chart.epoch]);
    const values = [train, last(this.epochs[chart.val])];
    const near = values[0] != null && values[1] != null && Math.abs(values[0] - values[1]) < 0.08 * Math.abs(range[1] - range[0]);
    const annotations = values.map((value, i) => value == null ? null : {
      xref: "paper", x: 1, xanchor: "left", xshift: 6, yref: "y", y: value, showarrow: false,
      yshift: near ? ((i === 0) === (values[0] >= values[1]) ? 9 : -9) : 0,
      text: i ? `<b>${number(value, kind)}</b>` : number(value, kind), font: { color: this.theme.colours[i], size: 16 },
    }).filter(Boolean);
    this.Plotly.relayout(el, { annotations });
    el.setAttribute("role", "img");
    el.setAttribute("aria-label", `${chart.title}: training ${number(values[0], kind)}, validation ${number(values[1], kind)}`);
  }

  empty() {
    const drawn = this.axis === "step" ? this.steps[0].length + this.epochs[0].length : this.epochs[0].length;
    for (const box of this.root.querySelectorAll(".mm-none")) {
      box.hidden = drawn > 0;
      box.previousElementSibling.style.visibility = drawn > 0 ? "" : "hidden"; // axes of nothing
      const waits = active(this.status.state) || !this.status.state;
      box.classList.toggle("mm-loading", waits);
      const first = this.axis === "step" ? "step" : "epoch";
      box.textContent = waits ? `The curve begins with the first ${first}.` : "No curve: the run ended before its first step.";
    }
  }

  show(axis) {
    this.axis = axis;
    for (const button of this.root.querySelectorAll("[data-axis]")) {
      button.setAttribute("aria-pressed", button.dataset.axis === axis);
    }
    if (!this.Plotly) return;
    for (const el of this.charts()) {
      this.Plotly.relayout(el, { "xaxis.title.text": axis, "xaxis.autorange": true });
    }
    this.drawn = null;
    this.draw();
  }

  restyle() {
    this.theme = this.look();
    const { text, grid, back } = this.theme, [train, val] = this.theme.colours;
    for (const el of this.charts()) {
      this.Plotly.restyle(el, { "line.color": [train, val, text], "marker.color": [train, val, text] }, [0, 1, 2]);
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
    const lines = [EPOCH_COLUMNS.join(",")];
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
