// Images beside each other or behind a slider, zoomed and moved in step; a scan's window
// by mouse, computed here from the scanner's own values. All text comes as data.

const STEP = 1.25, MOST = 40, SHARE = 0.1, FEW = 446;
const LAYOUT = "medmodel-viewer-layout";
const VIEWER_KEYS = { "+": "in", "=": "in", "-": "out", 0: "reset", f: "full", F: "full" };
const TOLD = { in: "+", out: "-", reset: "0", full: "F" };
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
// A phone or tablet has neither a mouse nor, as a rule, keys.
const touched = () => !matchMedia("(any-pointer: fine)").matches;
const PADDING = 0; // the stored number where there is no value
// What was looked at how: it stays when the page draws the viewer anew.
const states = new Map();

// The one way from a point of the screen to one of the image, in pixels of the original
// from its upper left corner, whatever is shown of it.
function toImage(view, pane, clientX, clientY) {
  const box = pane.getBoundingClientRect();
  return [
    view.x + (clientX - box.left - box.width / 2) / view.scale,
    view.y + (clientY - box.top - box.height / 2) / view.scale,
  ];
}

// And back: left, top, width and height within the pane of a rectangle of the image.
function toPane(view, pane, [left, top, width, height]) {
  return [
    (left - view.x) * view.scale + pane.clientWidth / 2,
    (top - view.y) * view.scale + pane.clientHeight / 2,
    width * view.scale,
    height * view.scale,
  ];
}

function union(places) {
  const left = Math.min(...places.map((p) => p[0])), top = Math.min(...places.map((p) => p[1]));
  const right = Math.max(...places.map((p) => p[0] + p[2])), bottom = Math.max(...places.map((p) => p[1] + p[3]));
  return [left, top, right - left, bottom - top];
}

// DICOM PS3.3 C.11.2.1.2.1 (LINEAR), C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT);
// the same numbers as `apply_window` of windows.py.
function grey(value, { center, width, shape }) {
  let from = value - center, range = width;
  if (shape === "LINEAR") { from += 0.5; range -= 1; }
  if (shape === "SIGMOID") return Math.floor(255 / (1 + Math.exp((-4 * from) / range)) + 0.5);
  if (!(range > 0)) return from > 0 ? 255 : 0;
  return Math.max(0, Math.min(255, Math.floor((from * 255) / range + 128)));
}

function greyLevels({ slope, intercept, inverted }, window) {
  const levels = new Uint8ClampedArray(65536);
  for (let stored = 1; stored < levels.length; stored++) {
    const level = grey(slope * stored + intercept, window);
    levels[stored] = inverted ? 255 - level : level;
  }
  levels[PADDING] = 0;
  return levels;
}

async function unpacked(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(String(answer.status));
  const stream = answer.body.pipeThrough(new DecompressionStream("gzip"));
  return new Uint16Array(await new Response(stream).arrayBuffer());
}

function bounded(value, least, most) {
  return Math.min(Math.max(value, least), most);
}

class Viewer {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(name);
    this.panes = this.find(".mm-panes");
    this.pointers = new Map();
    for (const button of root.querySelectorAll("[data-do]")) {
      button.onclick = () => this.act(button.dataset.do);
    }
    this.panes.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.panes.onpointerdown = (event) => this.grab(event);
    this.panes.onpointermove = (event) => this.drag(event);
    this.panes.onpointerup = this.panes.onpointercancel = (event) => this.release(event);
    this.panes.ondblclick = () => this.act("reset");
    this.panes.oncontextmenu = (event) => { if (this.data.window) event.preventDefault(); };
    root.ontoggle = (event) => { if (event.newState === "closed") root.popover = null; };
    root.onkeydown = (event) => this.press(event);
    this.find("select").onchange = (event) => this.preset(Number(event.target.value));
    for (const input of root.querySelectorAll("[data-part]")) {
      input.onchange = () => this.typed(input);
      input.ondblclick = () => this.preset(0);
    }
    // Where the viewer is shown without `measure.js`, nothing is measured.
    this.measure = typeof Measure === "function" && this.find(".mm-shapes") ? new Measure(this) : null;
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.panes);
  }

  show(data) {
    if (JSON.stringify(data) === this.text) return;
    this.text = JSON.stringify(data);
    this.data = data;
    this.bounds = union([[0, 0, ...data.size], ...data.layers.map((layer) => layer.place)]);
    this.state = states.get(data.id);
    if (!this.state) states.set(data.id, this.state = { zoom: 1, x: 0, y: 0, scale: 1, window: null, chosen: 0, at: 50 });
    this.say(data.texts);
    this.build();
    this.offerWindows();
    this.loadValues();
    this.draw();
  }

  say(texts) {
    this.root.setAttribute("aria-label", texts.viewer);
    this.find(".mm-tools").setAttribute("aria-label", texts.tools);
    this.panes.setAttribute("aria-label", touched() ? texts.images : texts.keys);
    this.find(".mm-layouts").setAttribute("aria-label", texts.layout);
    this.find(".mm-layouts").hidden = !this.comparable;
    for (const button of this.root.querySelectorAll("[data-do]")) {
      const name = texts[button.dataset.do];
      if (button.parentElement.classList.contains("mm-layouts")) button.textContent = name;
      else button.setAttribute("aria-label", name);
      const key = TOLD[button.dataset.do];
      button.title = key && !touched() ? `${name} (${key})` : name;
    }
  }

  build() {
    const panes = this.data.layers.map((layer, i) => this.pane(layer, i));
    this.panes.replaceChildren(...panes);
    this.divider = null;
    if (this.comparable) {
      this.divider = document.createElement("input");
      Object.assign(this.divider, { type: "range", min: 0, max: 100, step: 1, value: this.state.at, className: "mm-divider" });
      this.divider.setAttribute("aria-label", this.data.texts.divider);
      this.divider.oninput = () => { this.state.at = Number(this.divider.value); this.divide(); };
      this.panes.append(this.divider);
    }
    this.find(".mm-captions").replaceChildren(...this.data.layers.map((layer) => {
      const caption = document.createElement("p");
      caption.textContent = layer.caption;
      return caption;
    }));
  }

  pane(layer, i) {
    const pane = document.createElement("div"), title = document.createElement("span");
    pane.className = "mm-pane";
    // An image that is there already is not fetched again: nothing blinks.
    const image = this.panes.querySelector(`img[src="${CSS.escape(layer.source)}"]`) ?? new Image();
    Object.assign(image, { alt: layer.alt, className: "mm-layer", draggable: false });
    if (image.getAttribute("src") !== layer.source) image.src = layer.source;
    image.onload = () => this.draw();
    title.className = "mm-title";
    title.textContent = layer.title;
    pane.append(image);
    if (i === 0 && this.data.window) {
      this.canvas = document.createElement("canvas");
      this.canvas.className = "mm-layer";
      this.canvas.hidden = true;
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", layer.alt);
      pane.append(this.canvas);
    }
    pane.append(title);
    if (layer.warning) {
      const warning = document.createElement("span");
      warning.className = "mm-warning";
      warning.textContent = layer.warning;
      pane.append(warning);
    }
    pane.place = layer.place;
    return pane;
  }

  // Whether both layers show the same places, so that one may lie on the other.
  get comparable() {
    return this.data.layers.length > 1 && this.data.aligned;
  }

  get layout() {
    if (this.data.layers.length < 2) return "single";
    if (!this.comparable) return "beside";
    const chosen = this.state.layout ?? localStorage.getItem(LAYOUT);
    return chosen ?? (this.root.clientWidth < FEW ? "slider" : "beside");
  }

  draw() {
    if (!this.data) return;
    const layout = this.layout, view = this.state;
    this.panes.classList.toggle("mm-beside", layout === "beside");
    this.panes.classList.toggle("mm-slider", layout === "slider");
    if (this.divider) this.divider.hidden = layout !== "slider";
    for (const name of ["beside", "slider"]) this.find(`[data-do=${name}]`).setAttribute("aria-pressed", String(layout === name));
    const pane = this.find(".mm-pane");
    if (!pane?.clientWidth || !pane.clientHeight) return;
    this.place(view, pane);
    this.panes.classList.toggle("mm-zoomed", view.zoom > 1);
    for (const each of this.root.querySelectorAll(".mm-pane")) {
      const [left, top, width, height] = toPane(view, each, each.place);
      for (const layer of each.querySelectorAll(".mm-layer")) {
        Object.assign(layer.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
        layer.classList.toggle("mm-sharp", width > 2 * (layer.naturalWidth ?? layer.width));
      }
    }
    const zoom = view.zoom.toLocaleString(document.documentElement.lang || "en", { maximumFractionDigits: 1 });
    this.find(".mm-zoom").textContent = `${zoom}×`;
    this.divide();
    this.measure?.draw();
  }

  // Screen pixels for one of the image, and the point in the middle: not past the edges.
  place(view, pane) {
    const [left, top, width, height] = this.bounds;
    view.scale = view.zoom * Math.min(pane.clientWidth / width, pane.clientHeight / height);
    const axis = (value, start, length, shown) => {
      const half = Math.min(shown / view.scale, length) / 2;
      return bounded(value, start + half, start + length - half);
    };
    view.x = axis(view.x, left, width, pane.clientWidth);
    view.y = axis(view.y, top, height, pane.clientHeight);
  }

  divide() {
    if (!this.divider) return;
    const thumb = this.divider.hidden ? 0 : 2.2 * parseFloat(getComputedStyle(document.documentElement).fontSize);
    const at = thumb / 2 + (this.state.at / 100) * (this.panes.clientWidth - thumb);
    this.panes.style.setProperty("--mm-at", `${at}px`);
  }

  act(what) {
    if (what === "in") this.zoom(STEP);
    else if (what === "out") this.zoom(1 / STEP);
    else if (what === "reset") { this.state.zoom = 1; this.draw(); }
    else if (what === "full") this.full();
    else {
      this.state.layout = what;
      localStorage.setItem(LAYOUT, what);
      this.draw();
    }
  }

  // Around a point of the screen, which stays where it is; else around the middle.
  zoom(factor, pane, clientX, clientY) {
    const view = this.state, before = pane && toImage(view, pane, clientX, clientY);
    view.zoom = bounded(view.zoom * factor, 1, MOST);
    this.place(view, pane ?? this.find(".mm-pane"));
    if (before) {
      const after = toImage(view, pane, clientX, clientY);
      view.x += before[0] - after[0];
      view.y += before[1] - after[1];
    }
    this.draw();
  }

  move(across, down) {
    this.state.x -= across / this.state.scale;
    this.state.y -= down / this.state.scale;
    this.draw();
  }

  paneOf(event) {
    return event.composedPath().find((e) => e.classList?.contains("mm-pane")) ?? this.find(".mm-pane");
  }

  wheel(event) {
    // Zoomed out already: the page scrolls on.
    if (this.state.zoom === 1 && event.deltaY > 0) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 18 : 1;
    this.zoom(Math.exp(-bounded(event.deltaY * lines, -240, 240) * 0.002), this.paneOf(event), event.clientX, event.clientY);
  }

  grab(event) {
    if (event.target === this.divider) return;
    const windowed = this.data.window && (event.button === 2 || event.shiftKey);
    if (event.button !== 0 && !windowed) return;
    this.panes.setPointerCapture(event.pointerId);
    this.panes.classList.add("mm-dragged");
    const { clientX: x, clientY: y } = event;
    this.pointers.set(event.pointerId, { x, y, windowed, start: { x, y, window: windowed && this.window }, pane: this.paneOf(event) });
  }

  drag(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const across = event.clientX - last.x, down = event.clientY - last.y;
    const others = [...this.pointers.values()].filter((p) => p !== last);
    const apart = (p) => Math.hypot(others[0].x - p.x, others[0].y - p.y);
    const before = others.length ? apart(last) : 0;
    Object.assign(last, { x: event.clientX, y: event.clientY });
    if (last.windowed) this.slide(last.start, last);
    else if (others.length) {
      const factor = apart(last) / Math.max(before, 1);
      this.zoom(factor, last.pane, (others[0].x + last.x) / 2, (others[0].y + last.y) / 2);
      this.move(across / 2, down / 2);
    } else this.move(across, down);
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    if (!this.pointers.size) this.panes.classList.remove("mm-dragged");
  }

  press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target, arrow = event.key in ARROWS;
    if (target.matches("select, [type=number]")) return event.stopPropagation();
    // The divider's own keys are not those of the page.
    if (target === this.divider && (arrow || ["Home", "End", "PageUp", "PageDown"].includes(event.key))) return event.stopPropagation();
    if ((arrow && target !== this.panes) || !this.doKey(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Whether the key is one of ours here: an arrow moves what is zoomed in, else it is
  // the page's, which goes on to the next image.
  doKey(key) {
    const [arrow, done, pane] = [ARROWS[key], VIEWER_KEYS[key], this.find(".mm-pane")];
    if (done) this.act(done);
    else if (arrow && this.state.zoom > 1) this.move(arrow[0] * SHARE * pane.clientWidth, arrow[1] * SHARE * pane.clientHeight);
    else return false;
    return true;
  }

  // Where a browser has no full screen for elements (iPhone), the top layer fills its window.
  async full() {
    const root = this.root;
    if (root.getRootNode().fullscreenElement === root) await document.exitFullscreen();
    else if (root.popover) root.hidePopover();
    else {
      try { await root.requestFullscreen(); } catch { this.fill(); }
    }
  }

  fill() {
    this.root.popover = "auto";
    this.root.showPopover();
  }

  offerWindows() {
    const row = this.find(".mm-window"), { window, texts } = this.data;
    row.hidden = !window;
    if (!window) return;
    row.setAttribute("aria-label", texts.window);
    const select = row.querySelector("select");
    select.setAttribute("aria-label", texts.window);
    select.replaceChildren(...window.presets.map((preset, i) => new Option(preset.name, String(i))));
    select.append(Object.assign(new Option(texts.adjusted, "-1"), { hidden: true }));
    const [center, width] = row.querySelectorAll("label span");
    [center.textContent, width.textContent] = [texts.center, texts.width];
    for (const input of row.querySelectorAll("input")) input.title = texts.back;
    row.querySelector(".mm-unit").textContent = window.unit;
    row.querySelector("p").textContent = touched() ? texts.eyes : `${texts.drag} ${texts.eyes}`;
    this.showWindow();
  }

  async loadValues() {
    const window = this.data.window;
    if (!window || this.loaded === window.source) return this.drawValues();
    this.values = null;
    try {
      const values = await unpacked(window.source);
      if (this.data.window?.source !== window.source) return;
      this.values = values;
      this.loaded = window.source;
      this.root.dataset.values = "loaded";
      this.drawValues();
    } catch {
      this.find(".mm-window p").textContent = this.data.texts.lost;
    }
  }

  preset(number) {
    if (number < 0) return;
    const { center, width, shape } = this.data.window.presets[number];
    this.state.chosen = number;
    // The file's own may be a lookup table, which is no window: then its image as it came.
    this.state.window = number === 0 || center === null ? null : { center, width, shape };
    this.drawValues();
  }

  get window() {
    const { presets } = this.data.window;
    return this.state.window ?? (presets[0].center === null ? null : presets[0]);
  }

  // To the right: wider; downwards: a higher centre, as on viewing stations.
  slide(start, now) {
    const { low, high, least, presets } = this.data.window, from = start.window ?? presets[1];
    const moved = (pixels) => Math.round((pixels * (high - low)) / 1024 / least) * least;
    this.adjust(from.center + moved(now.y - start.y), from.width + moved(now.x - start.x));
  }

  typed(input) {
    const from = this.window ?? this.data.window.presets[1], value = input.valueAsNumber;
    if (!Number.isFinite(value)) return this.showWindow();
    const next = { center: from.center, width: from.width, [input.dataset.part]: value };
    this.adjust(next.center, next.width);
  }

  adjust(center, width) {
    const { low, high, least } = this.data.window, range = high - low;
    this.state.chosen = -1;
    this.state.window = {
      center: bounded(center, low - range, high + range),
      width: bounded(width, least, Math.max(4 * range, least)),
      shape: "LINEAR_EXACT",
    };
    this.drawValues();
  }

  drawValues() {
    const { window } = this.data;
    if (!window) return;
    this.showWindow();
    const drawn = this.values !== null && this.state.window !== null;
    this.canvas.hidden = !drawn;
    this.canvas.previousElementSibling.hidden = drawn;
    if (!drawn) return;
    const levels = greyLevels(window, this.state.window);
    const { width, height } = window;
    Object.assign(this.canvas, { width, height });
    const image = new ImageData(width, height), four = new Uint32Array(image.data.buffer);
    for (let i = 0; i < this.values.length; i++) four[i] = 0xff000000 | (levels[this.values[i]] * 0x010101);
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    this.draw();
  }

  showWindow() {
    const shown = this.window, row = this.find(".mm-window");
    row.querySelector("select").value = String(this.state.chosen);
    for (const input of row.querySelectorAll("input")) {
      input.value = shown ? Number(shown[input.dataset.part].toPrecision(6)) : "";
    }
  }

  stop() {
    this.resized.disconnect();
    this.measure?.leave();
  }
}
