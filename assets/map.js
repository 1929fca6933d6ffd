// A map of images as points on a canvas: zoom, pan, a lasso that tells the page which
// part was chosen, groups that can be hidden. It needs no WebGL, which remote desktops
// and virtual machines often lack.

const NEAR = 9; // pixels from a point at which it is named
const STEP = 60; // pixels of one arrow key
const LARGEST = 60; // magnification

function unpack(text, Type) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  return new Type(bytes.buffer);
}

// Even–odd rule: whether a ray from the point crosses the outline an odd number of times.
function inside(x, y, outline) {
  let odd = false;
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
    const [ax, ay] = outline[i], [bx, by] = outline[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}

class PointMap {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.tip = root.querySelector(".mm-tip");
    this.legend = root.querySelector(".mm-legend");
    this.view = { scale: 1, x: 0, y: 0 }; // centre of the view in map coordinates
    this.hidden = new Set();
    this.outline = [];
    this.tool = "select";
    this.fingers = new Map();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.listen();
  }

  show(component) {
    this.component = component;
    const { data } = component;
    if (data.version !== this.version) {
      this.version = data.version;
      const places = unpack(data.places, Uint16Array);
      this.count = data.count;
      this.x = Float32Array.from({ length: this.count }, (_, n) => places[2 * n] / 32767.5 - 1);
      this.y = Float32Array.from({ length: this.count }, (_, n) => places[2 * n + 1] / 32767.5 - 1);
      this.codes = unpack(data.codes, Uint8Array);
      this.groups = data.groups;
      this.hidden.clear();
      this.list();
    }
    this.words(data.texts);
    this.draw();
  }

  words(texts) {
    this.canvas.setAttribute("aria-label", texts.label);
    this.root.querySelector(".mm-tools").setAttribute("aria-label", texts.tools);
    this.legend.setAttribute("aria-label", texts.groups);
    for (const name of ["reset", "view", "clear"])
      this.root.querySelector(`[data-do="${name}"]`).textContent = texts[name];
    for (const name of ["in", "out"]) {
      const button = this.root.querySelector(`[data-do="${name}"]`);
      button.setAttribute("aria-label", texts[name]);
      button.title = texts[name];
    }
    for (const name of ["select", "move"])
      this.root.querySelector(`[data-tool="${name}"]`).textContent = texts[name];
  }

  list() {
    this.legend.replaceChildren(...this.groups.map((group, code) => {
      const button = document.createElement("button");
      const dot = document.createElement("i");
      dot.style.background = group.colour;
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      button.append(dot, group.name);
      button.onclick = () => {
        const shown = this.hidden.delete(code);
        if (!shown) this.hidden.add(code);
        button.setAttribute("aria-pressed", String(shown));
        this.draw();
        if (this.outline.length) this.choose(this.outline);
      };
      return button;
    }));
  }

  // Map coordinates are -1 to 1 each way, as large as the shorter side of the field.
  unit() {
    return (Math.min(this.canvas.clientWidth, this.canvas.clientHeight) / 2.1) * this.view.scale;
  }
  toScreen(x, y) {
    const unit = this.unit();
    return [
      this.canvas.clientWidth / 2 + (x - this.view.x) * unit,
      this.canvas.clientHeight / 2 - (y - this.view.y) * unit,
    ];
  }
  toMap(left, top) {
    const unit = this.unit();
    return [
      this.view.x + (left - this.canvas.clientWidth / 2) / unit,
      this.view.y - (top - this.canvas.clientHeight / 2) / unit,
    ];
  }

  dot(colour, size, ratio) {
    const dot = document.createElement("canvas");
    dot.width = dot.height = Math.ceil(size * ratio);
    const ink = dot.getContext("2d");
    ink.fillStyle = colour;
    ink.arc(dot.width / 2, dot.width / 2, dot.width / 2, 0, 7);
    ink.fill();
    return dot;
  }

  draw() {
    const { canvas } = this, ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (!width || !this.groups) return;
    if (canvas.width !== width || canvas.height !== height)
      Object.assign(canvas, { width, height });
    const ink = canvas.getContext("2d");
    ink.clearRect(0, 0, width, height);
    const size = (this.count <= 2000 ? 7 : 4) * Math.min(2, Math.sqrt(this.view.scale));
    const dots = this.groups.map((group) => this.dot(group.colour, size, ratio));
    const unit = this.unit() * ratio, half = dots.length ? dots[0].width / 2 : 0;
    const left = width / 2 - this.view.x * unit - half;
    const top = height / 2 + this.view.y * unit - half;
    const chosen = this.outline.length > 2 && !this.drawing;
    for (let n = 0; n < this.count; n++) {
      const code = this.codes[n];
      if (this.hidden.has(code)) continue;
      const x = left + this.x[n] * unit, y = top - this.y[n] * unit;
      if (x < -half || y < -half || x > width || y > height) continue;
      ink.globalAlpha = chosen && !inside(this.x[n], this.y[n], this.outline) ? 0.18 : 0.8;
      ink.drawImage(dots[code], x, y);
    }
    ink.globalAlpha = 1;
    this.drawOutline(ink, ratio);
  }

  drawOutline(ink, ratio) {
    if (this.outline.length < 2) return;
    ink.strokeStyle = getComputedStyle(this.root).color;
    ink.lineWidth = 1.5 * ratio;
    ink.beginPath();
    for (const [x, y] of this.outline) {
      const [left, top] = this.toScreen(x, y);
      ink.lineTo(left * ratio, top * ratio);
    }
    ink.closePath();
    ink.stroke();
  }

  choose(outline) {
    this.outline = outline.length > 2 ? outline : [];
    this.root.querySelector('[data-do="clear"]').disabled = !this.outline.length;
    this.draw();
    this.component.setStateValue("selection", {
      outline: this.outline,
      hidden: [...this.hidden],
    });
  }

  zoom(factor, left = this.canvas.clientWidth / 2, top = this.canvas.clientHeight / 2) {
    const [x, y] = this.toMap(left, top);
    this.view.scale = Math.min(LARGEST, Math.max(1, this.view.scale * factor));
    const [newX, newY] = this.toMap(left, top);
    this.pan(x - newX, y - newY);
  }
  pan(x, y) {
    const most = 1.05;
    this.view.x = Math.min(most, Math.max(-most, this.view.x + x));
    this.view.y = Math.min(most, Math.max(-most, this.view.y + y));
    if (this.view.scale === 1) this.view.x = this.view.y = 0;
    this.draw();
  }

  act(name) {
    const all = () => [[0, 0], [1, 0], [1, 1], [0, 1]].map(([x, y]) =>
      this.toMap(x * this.canvas.clientWidth, y * this.canvas.clientHeight));
    ({
      in: () => this.zoom(1.5),
      out: () => this.zoom(1 / 1.5),
      reset: () => { this.view = { scale: 1, x: 0, y: 0 }; this.draw(); },
      view: () => this.choose(all()),
      clear: () => this.choose([]),
    })[name]();
  }

  take(tool) {
    this.tool = tool;
    this.canvas.dataset.tool = tool;
    for (const button of this.root.querySelectorAll("[data-tool]"))
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
  }

  name(left, top) {
    let best = NEAR * NEAR, nearest = -1;
    for (let n = 0; n < this.count; n++) {
      if (this.hidden.has(this.codes[n])) continue;
      const [x, y] = this.toScreen(this.x[n], this.y[n]);
      const distance = (x - left) ** 2 + (y - top) ** 2;
      if (distance < best) [best, nearest] = [distance, n];
    }
    this.tip.hidden = nearest < 0;
    if (nearest < 0) return;
    this.tip.textContent = this.groups[this.codes[nearest]].name;
    const room = this.canvas.clientWidth - this.tip.offsetWidth - 4;
    this.tip.style.left = `${Math.max(4, Math.min(left + 12, room))}px`;
    this.tip.style.top = `${Math.max(4, top - 36)}px`;
  }

  listen() {
    const { canvas, root } = this;
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.fingers.set(event.pointerId, at(event));
      this.tip.hidden = true;
      this.drawing = this.tool === "select" && this.fingers.size === 1 && !event.shiftKey;
      if (this.drawing) this.outline = [this.toMap(...at(event))];
    };
    canvas.onpointermove = (event) => {
      const now = at(event), before = this.fingers.get(event.pointerId);
      if (!before) return this.name(...now);
      if (this.fingers.size === 2) this.pinch(event.pointerId, now);
      else if (this.drawing) {
        this.outline.push(this.toMap(...now));
        this.draw();
      } else {
        const unit = this.unit();
        this.pan((before[0] - now[0]) / unit, (now[1] - before[1]) / unit);
      }
      this.fingers.set(event.pointerId, now);
    };
    canvas.onpointerup = canvas.onpointercancel = (event) => {
      this.fingers.delete(event.pointerId);
      if (!this.drawing) return;
      this.drawing = false;
      this.choose(this.outline);
    };
    canvas.onpointerleave = () => { this.tip.hidden = true; };
    canvas.addEventListener("wheel", (event) => {
      // The page scrolls where there is nothing to zoom out of.
      if (event.deltaY > 0 && this.view.scale === 1) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), ...at(event));
    }, { passive: false });
    canvas.onkeydown = (event) => {
      const unit = this.unit(), step = STEP / unit;
      const keys = {
        ArrowLeft: () => this.pan(-step, 0), ArrowRight: () => this.pan(step, 0),
        ArrowUp: () => this.pan(0, step), ArrowDown: () => this.pan(0, -step),
        "+": () => this.act("in"), "-": () => this.act("out"), 0: () => this.act("reset"),
        Enter: () => this.act("view"), Escape: () => this.act("clear"),
      };
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    };
    for (const button of root.querySelectorAll("[data-do]"))
      button.onclick = () => this.act(button.dataset.do);
    for (const button of root.querySelectorAll("[data-tool]"))
      button.onclick = () => this.take(button.dataset.tool);
  }

  pinch(id, now) {
    this.drawing = false;
    this.outline = [];
    const other = [...this.fingers].find(([finger]) => finger !== id)[1];
    const before = this.fingers.get(id);
    const far = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    this.zoom(far(now, other) / Math.max(1, far(before, other)), ...other);
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".mm-map");
  root.map ??= new PointMap(root);
  root.map.show(component);
}
