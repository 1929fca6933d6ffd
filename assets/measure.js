// Shapes drawn on the viewer's image: placed by mouse, touch or keys, moved by their
// points, named in a list. Python measures them on the file's own pixels.

const PLACES = { line: 2, ellipse: 2, angle: 3, polygon: 500 };
const NEAR_START = 10; // screen pixels from its first corner that close a polygon
const CLICK = 4; // screen pixels up to which a press that moves is a click
const MOST_SHAPES = 50, PAUSE = 350; // milliseconds after a key until it is measured
const SVG = "http://www.w3.org/2000/svg";
// By image: what was drawn stays when the page draws the viewer anew.
const drawings = new Map();

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function svg(name, className) {
  const element = document.createElementNS(SVG, name);
  element.setAttribute("class", className);
  return element;
}

// An SVG path through points of the pane.
function outline(kind, points) {
  if (kind === "ellipse" && points.length === 2) {
    const [[ax, ay], [bx, by]] = points, rx = Math.abs(bx - ax) / 2, ry = Math.abs(by - ay) / 2;
    const left = Math.min(ax, bx), y = (ay + by) / 2;
    return `M ${left} ${y} a ${rx} ${ry} 0 1 1 ${2 * rx} 0 a ${rx} ${ry} 0 1 1 ${-2 * rx} 0`;
  }
  return `M ${points.map((p) => p.join(" ")).join(" L ")}${kind === "polygon" && points.length > 2 ? " Z" : ""}`;
}

class Measure {
  constructor(viewer) {
    this.viewer = viewer;
    this.root = viewer.root;
    this.tools = this.root.querySelector(".mm-shapes");
    this.list = this.root.querySelector(".mm-measured");
    this.scale = this.root.querySelector(".mm-scale");
    this.live = this.root.querySelector(".mm-live");
    for (const button of this.tools.querySelectorAll("[data-tool]")) {
      button.onclick = (event) => this.choose(button.dataset.tool, event.detail === 0);
    }
    this.listening = new AbortController();
    const panes = viewer.panes, early = { capture: true, signal: this.listening.signal };
    panes.addEventListener("pointerdown", (event) => this.down(event), early);
    panes.addEventListener("pointermove", (event) => this.moveTo(event), early);
    panes.addEventListener("pointerup", (event) => this.up(event), early);
    panes.addEventListener("pointercancel", () => this.drop(), early);
    panes.addEventListener("dblclick", (event) => this.twice(event), early);
    this.root.addEventListener("keydown", (event) => this.key(event), early);
    // What is typed there is no key of the viewer, nor of the page.
    this.list.onkeydown = (event) => {
      event.stopPropagation();
      if (event.key === "Delete" && event.target.matches(".mm-pick")) this.remove(event.target.closest("li").dataset.id);
    };
  }

  // What is half drawn belongs to the image, whichever element shows it next.
  get tool() { return this.drawing?.tool ?? null; }
  set tool(tool) { if (this.drawing) this.drawing.tool = tool; }
  get points() { return this.drawing?.points ?? null; }
  set points(points) { if (this.drawing) this.drawing.points = points; }
  get at() { return this.drawing?.at ?? null; }
  set at(at) { if (this.drawing) this.drawing.at = at; }

  leave() {
    this.listening.abort();
  }

  // `data`: {shapes, known, numbers, sentences, error, regions, texts}; null: nothing to measure.
  take(component, data, id) {
    this.component = component;
    for (const part of [this.tools, this.list, this.scale, this.live]) part.hidden = !data;
    if (this.data && this.id !== id) this.stop();
    Object.assign(this, { id, data });
    if (!data) return;
    if (!drawings.has(id)) drawings.set(id, { shapes: data.shapes, known: data.known, count: data.shapes.length, selected: null });
    this.drawing = drawings.get(id);
    this.say();
    this.build();
    this.show();
    this.rows();
  }

  say() {
    const { texts } = this.data;
    this.tools.setAttribute("aria-label", texts.tools);
    this.list.setAttribute("aria-label", texts.list);
    for (const button of this.tools.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-label", texts[button.dataset.tool]);
      button.title = texts[button.dataset.tool];
    }
  }

  // Of every shape: its numbers, once they are there for the points that it has now.
  numbers(shape) {
    const numbers = this.data.numbers[shape.id];
    return numbers && JSON.stringify(numbers.points) === JSON.stringify(shape.points) ? numbers : null;
  }

  choose(tool, byKey) {
    const again = this.tool === tool;
    this.stop();
    if (again || this.drawing.shapes.length >= MOST_SHAPES) return;
    this.tool = tool;
    this.points = [];
    this.viewer.panes.focus({ preventScroll: true });
    if (byKey) this.at = this.bounded([this.viewer.state.x, this.viewer.state.y]);
    this.live.textContent = this.data.texts.place;
    this.show();
    this.explain();
  }

  stop() {
    this.tool = this.points = this.at = this.held = null;
    if (!this.data) return;
    this.show();
    this.explain();
  }

  // Structure: elements for each pane; `draw` moves them.
  build() {
    const panes = [...this.root.querySelectorAll(".mm-pane")];
    const structure = JSON.stringify(this.every().map(({ id, name, points }) => [id, name, points.length]));
    const same = structure === this.structure && panes.length && this.marks?.every(({ marks }) => marks.isConnected);
    if (same && this.comparable === this.viewer.comparable) return this.draw();
    Object.assign(this, { structure, comparable: this.viewer.comparable });
    this.marks = [...panes]
      .filter((_, i) => i === 0 || this.viewer.comparable)
      .map((pane, i) => {
        pane.querySelector(".mm-marks")?.remove();
        const marks = svg("svg", "mm-marks");
        if (i) marks.setAttribute("aria-hidden", "true");
        pane.append(marks);
        return { pane, marks, groups: new Map() };
      });
    for (const pane of this.marks) for (const shape of this.every()) this.add(pane, shape);
    this.draw();
    const { focused } = this.drawing, active = this.root.getRootNode().activeElement;
    if (focused && (!active || active === document.body)) {
      this.marks[0]?.groups.get(focused.id)?.dots[focused.index]?.focus({ preventScroll: true });
    }
  }

  every() {
    const regions = (this.data.regions ?? []).map((points, i) => ({ id: `region-${i}`, kind: "polygon", points, region: true }));
    return [...regions, ...this.drawing.shapes];
  }

  add(pane, shape) {
    const group = svg("g", shape.region ? "mm-region" : "mm-shape");
    const parts = { group, lines: [svg("path", "mm-halo"), svg("path", "mm-line")], hit: svg("path", "mm-hit"), dots: [] };
    group.append(...parts.lines);
    if (!shape.region) {
      parts.label = svg("text", "mm-label");
      group.append(parts.hit, parts.label);
      parts.hit.shape = shape;
      parts.dots = shape.points.map((_, i) => this.dot(shape, i, pane === this.marks[0]));
      group.append(...parts.dots);
    }
    pane.marks.append(group);
    pane.groups.set(shape.id, parts);
  }

  dot(shape, index, reachable) {
    const dot = svg("g", "mm-dot"), seen = svg("circle", "mm-seen"), area = svg("circle", "mm-area");
    seen.setAttribute("r", "5");
    area.setAttribute("r", "16");
    dot.append(area, seen);
    Object.assign(dot, { shape, index });
    if (reachable) {
      dot.setAttribute("role", "button");
      dot.setAttribute("aria-label", filled(this.data.texts.point, { name: shape.name, number: index + 1, count: shape.points.length }));
      dot.addEventListener("focus", () => {
        this.drawing.focused = { id: shape.id, index };
        this.select(shape.id);
      });
      // An element that is taken away gives its focus to none.
      dot.addEventListener("blur", (event) => { if (event.relatedTarget) this.drawing.focused = null; });
    }
    return dot;
  }

  toScreen(pane, [x, y]) {
    return toPane(this.viewer.state, pane, [x, y, 0, 0]).slice(0, 2);
  }

  draw() {
    if (!this.data || !this.marks) return;
    for (const { pane, marks, groups } of this.marks) {
      for (const shape of this.every()) this.drawShape(pane, groups.get(shape.id), shape);
      this.drawPending(pane, marks);
    }
  }

  drawShape(pane, parts, shape) {
    if (!parts) return;
    const points = shape.points.map((point) => this.toScreen(pane, point));
    const path = outline(shape.kind, points), selected = shape.id === this.drawing.selected;
    for (const line of [...parts.lines, parts.hit]) line.setAttribute("d", path);
    if (shape.region) return;
    parts.group.classList.toggle("mm-selected", selected);
    parts.dots.forEach((dot, i) => {
      dot.setAttribute("transform", `translate(${points[i].join(" ")})`);
      dot.setAttribute("tabindex", selected ? "0" : "-1");
    });
    const right = points.reduce((a, b) => (b[0] > a[0] ? b : a));
    const room = pane.clientWidth - right[0] > 110;
    parts.label.setAttribute("x", room ? right[0] + 10 : right[0] - 10);
    parts.label.setAttribute("y", bounded(right[1] - 8, 16, pane.clientHeight - 6));
    parts.label.setAttribute("text-anchor", room ? "start" : "end");
    parts.label.textContent = this.numbers(shape)?.label ?? "…";
  }

  drawPending(pane, marks) {
    let group = marks.querySelector(".mm-pending");
    if (!this.tool) return group?.remove();
    if (!group) {
      group = svg("g", "mm-pending");
      group.append(svg("path", "mm-halo"), svg("path", "mm-line"), svg("path", "mm-cross"));
      marks.append(group);
    }
    const points = [...this.points, ...(this.at ? [this.at] : [])].map((point) => this.toScreen(pane, point));
    const path = points.length > 1 ? outline(this.tool === "polygon" ? "line" : this.tool, points) : "";
    const [halo, line, cross] = group.children;
    halo.setAttribute("d", path);
    line.setAttribute("d", path);
    const corners = points.map(([x, y]) => `M ${x - 9} ${y} h 18 M ${x} ${y - 9} v 18`);
    cross.setAttribute("d", corners.join(" "));
  }

  show() {
    for (const button of this.tools.querySelectorAll("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === this.tool));
    }
    this.viewer.panes.classList.toggle("mm-measuring", Boolean(this.tool));
    this.draw();
  }

  bounded([x, y]) {
    const [width, height] = this.viewer.data.size;
    return [bounded(x, 0, width), bounded(y, 0, height)];
  }

  // Where a pointer is on the image, to a hundredth of a pixel.
  place(event, pane) {
    const point = toImage(this.viewer.state, pane, event.clientX, event.clientY);
    return this.bounded(point).map((part) => Math.round(part * 100) / 100);
  }

  markedPane(event) {
    const pane = this.viewer.paneOf(event);
    return this.marks?.some((each) => each.pane === pane) ? pane : null;
  }

  // A press that this module takes is not the viewer's any more.
  taken(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
    this.viewer.panes.focus({ preventScroll: true });
  }

  down(event) {
    if (!this.data || event.button !== 0 || event.shiftKey) return;
    if (this.held) return event.stopImmediatePropagation(); // a second finger
    const pane = this.markedPane(event), target = event.target.closest?.(".mm-dot, .mm-hit");
    if (!pane) return;
    const point = this.place(event, pane), start = { x: event.clientX, y: event.clientY };
    if (this.tool) {
      this.taken(event);
      this.at = point;
      const closing = this.tool === "polygon" && this.points.length > 2 && this.near(pane, point);
      if (closing) return this.finish();
      this.put(point);
      if (this.tool) this.held = { pane, start, placing: true };
    } else if (target) {
      this.taken(event);
      this.select(target.shape.id);
      this.held = { pane, start, shape: target.shape, index: target.index, from: point, points: target.shape.points };
      if (target.matches(".mm-dot")) target.focus({ preventScroll: true });
    } else return;
    if (this.held) this.viewer.panes.setPointerCapture(event.pointerId);
  }

  near(pane, point) {
    const [a, b] = [this.points[0], point].map((each) => this.toScreen(pane, each));
    return Math.hypot(a[0] - b[0], a[1] - b[1]) <= NEAR_START;
  }

  moveTo(event) {
    if (!this.data) return;
    const { held } = this;
    if (this.tool) {
      const pane = held?.pane ?? this.markedPane(event);
      if (pane && (held || event.pointerType !== "touch")) {
        this.at = this.place(event, pane);
        this.draw();
      }
      if (held) event.stopImmediatePropagation();
    } else if (held) {
      event.stopImmediatePropagation();
      const point = this.place(event, held.pane);
      // The grip is a few pixels wide: a press alone moves nothing.
      const { index } = held;
      if (index !== undefined) held.shape.points = held.points.map((p, i) => (i === index ? this.shifted(p, held.from, point) : p));
      else held.shape.points = held.points.map((p) => this.shifted(p, held.from, point));
      this.draw();
    }
  }

  shifted([x, y], from, to) {
    return this.bounded([x + to[0] - from[0], y + to[1] - from[1]]).map((part) => Math.round(part * 100) / 100);
  }

  up(event) {
    const { held } = this;
    if (!held) return;
    event.stopImmediatePropagation();
    this.held = null;
    const moved = Math.hypot(event.clientX - held.start.x, event.clientY - held.start.y) > CLICK;
    if (held.placing) {
      // Drawn in one go, from where the button was pressed to where it was let go.
      if (moved && this.tool !== "polygon") this.put(this.place(event, held.pane));
      this.draw();
    } else if (JSON.stringify(held.points) !== JSON.stringify(held.shape.points)) this.send();
  }

  drop() {
    this.held = null;
  }

  twice(event) {
    if (!this.data || !this.justDrawn) return;
    // The second press of a double click that ended a shape resets no zoom.
    if (performance.now() - this.justDrawn < 600 || this.tool) event.stopImmediatePropagation();
  }

  put(point) {
    const last = this.points.at(-1), same = last && Math.hypot(last[0] - point[0], last[1] - point[1]) * this.viewer.state.scale < 1;
    this.justDrawn = performance.now();
    if (same) return this.tool === "polygon" && this.points.length > 2 ? this.finish() : undefined;
    this.points.push(point);
    if (this.points.length >= PLACES[this.tool]) this.finish();
    else this.draw();
  }

  finish() {
    const { drawing, tool: kind, points } = this;
    drawing.count += 1;
    const name = filled(this.data.texts.names[kind], { number: drawing.count });
    const shape = { id: `${Date.now()}-${drawing.count}`, kind, name, points };
    drawing.shapes.push(shape);
    drawing.selected = shape.id;
    this.justDrawn = performance.now();
    this.stop();
    this.changed();
    this.send();
  }

  changed() {
    this.build();
    this.rows();
  }

  select(id) {
    if (this.drawing.selected === id) return;
    this.drawing.selected = id;
    this.draw();
    for (const row of this.list.children) row.classList.toggle("mm-selected", row.dataset.id === id);
    for (const pick of this.list.querySelectorAll(".mm-pick")) pick.setAttribute("aria-pressed", String(pick.closest("li").dataset.id === id));
  }

  remove(id) {
    const { drawing } = this, at = drawing.shapes.findIndex((shape) => shape.id === id);
    drawing.shapes.splice(at, 1);
    if (drawing.known?.id === id) drawing.known = null;
    drawing.selected = null;
    this.changed();
    this.send();
    const next = this.list.querySelectorAll(".mm-pick")[Math.min(at, drawing.shapes.length - 1)];
    (next ?? this.viewer.panes).focus({ preventScroll: true });
  }

  send() {
    clearTimeout(this.waiting);
    const { shapes, known } = this.drawing;
    const plain = shapes.map(({ id, kind, name, points }) => ({ id, kind, name, points }));
    this.component.setStateValue("drawn", { image: this.id, shapes: plain, known });
  }

  key(event) {
    if (!this.data || event.ctrlKey || event.altKey || event.metaKey) return;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const step = event.shiftKey ? 10 : 1, dot = event.target.closest(".mm-dot");
    if (dot) {
      if (arrow) this.nudge(dot, arrow, step);
      else if (event.key === "Delete" || event.key === "Backspace") this.remove(dot.shape.id);
      else return;
    } else if (this.tool && event.target === this.viewer.panes) {
      if (arrow) {
        const [x, y] = this.at ?? [this.viewer.state.x, this.viewer.state.y];
        this.at = this.bounded([Math.round(x) + step * arrow[0], Math.round(y) + step * arrow[1]]);
        this.draw();
      } else if (event.key === "Enter" || event.key === " ") this.at && this.put(this.at);
      else if (event.key === "Backspace") { this.points.pop(); this.draw(); }
      else if (event.key === "Escape") this.stop();
      else return;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  nudge({ shape, index }, arrow, step) {
    const [x, y] = shape.points[index];
    shape.points = shape.points.map((p, i) => (i === index ? this.bounded([x + step * arrow[0], y + step * arrow[1]]) : p));
    this.draw();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.send(), PAUSE);
  }

  rows() {
    const { drawing, data } = this, active = this.root.getRootNode().activeElement;
    const typing = this.list.contains(active) && active.matches("input");
    // A row in which somebody types stays as it is; its numbers alone change.
    if (typing && this.list.children.length === drawing.shapes.length) {
      for (const shape of drawing.shapes) this.tell(this.list.querySelector(`[data-id="${shape.id}"] .mm-numbers`), shape);
    } else {
      const focused = this.list.contains(active) ? [active.closest("li").dataset.id, active.className] : null;
      this.list.replaceChildren(...drawing.shapes.map((shape) => this.row(shape)));
      if (focused) this.list.querySelector(`[data-id="${focused[0]}"] .${focused[1]}`)?.focus({ preventScroll: true });
    }
    this.explain();
    const shape = drawing.shapes.find((each) => each.id === drawing.selected), numbers = shape && this.numbers(shape);
    if (numbers) this.live.textContent = `${shape.name}: ${numbers.facts.join(", ")}`;
  }

  // What goes wrong, how keys draw while they do, and whose millimetres these are.
  explain() {
    const { texts, sentences, error } = this.data, { shapes, known } = this.drawing;
    const said = [...(error ? [error] : []), ...(this.tool && this.at ? [texts.place] : []), ...(shapes.length ? sentences : [])];
    const lines = said.map((sentence) => Object.assign(document.createElement("span"), { textContent: sentence }));
    if (known) lines.push(this.button("mm-undo", texts.undo, () => { this.drawing.known = null; this.send(); }));
    this.scale.replaceChildren(...lines);
  }

  tell(place, shape) {
    const facts = this.numbers(shape)?.facts ?? ["…"];
    place.replaceChildren(...facts.map((fact) => Object.assign(document.createElement("span"), { textContent: fact })));
  }

  button(className, text, act) {
    const button = Object.assign(document.createElement("button"), { type: "button", className, textContent: text, onclick: act });
    return button;
  }

  row(shape) {
    const { texts } = this.data, row = document.createElement("li"), name = document.createElement("input");
    const selected = shape.id === this.drawing.selected, numbers = document.createElement("span");
    row.dataset.id = shape.id;
    row.classList.toggle("mm-selected", selected);
    const pick = this.button("mm-pick", "●", () => { this.select(shape.id); this.firstDot(shape)?.focus({ preventScroll: true }); });
    pick.setAttribute("aria-pressed", String(selected));
    Object.assign(name, { maxLength: 40, className: "mm-name" });
    name.setAttribute("aria-label", texts.name);
    name.onfocus = () => this.select(shape.id);
    name.onchange = () => {
      shape.name = name.value.trim() || shape.name;
      called();
      this.build();
      this.send();
    };
    numbers.className = "mm-numbers";
    this.tell(numbers, shape);
    const remove = this.button("mm-remove", "×", () => this.remove(shape.id));
    const called = () => {
      name.value = shape.name;
      pick.setAttribute("aria-label", filled(texts.pick, shape));
      remove.title = filled(texts.remove, shape);
      remove.setAttribute("aria-label", remove.title);
    };
    called();
    row.append(pick, name, numbers, ...(shape.kind === "line" ? [this.calibration(shape)] : []), remove);
    return row;
  }

  firstDot(shape) {
    return this.marks[0].groups.get(shape.id)?.dots[0];
  }

  // A line whose length is known makes millimetres of all.
  calibration(shape) {
    const { texts } = this.data, place = document.createElement("span");
    const known = this.drawing.known?.id === shape.id ? this.drawing.known.millimetres : null;
    place.className = "mm-calibration";
    const open = this.button("mm-calibrate", known ? filled(texts.calibrated, { length: known }) : texts.calibrate, () => {
      const input = document.createElement("input");
      Object.assign(input, { type: "number", min: 0, step: "any", className: "mm-known", value: known ?? "" });
      input.setAttribute("aria-label", texts.known);
      const set = () => {
        if (!(input.valueAsNumber > 0) || !Number.isFinite(input.valueAsNumber)) return input.focus();
        this.drawing.known = { id: shape.id, millimetres: input.valueAsNumber };
        close();
        this.send();
      };
      const close = () => {
        input.blur(); // else the row stays as it is
        this.rows();
        this.list.querySelector(`[data-id="${shape.id}"] .mm-calibrate`)?.focus({ preventScroll: true });
      };
      input.onkeydown = (event) => {
        if (event.key === "Enter") set();
        else if (event.key === "Escape") close();
        else return;
        event.preventDefault(); // the button that has the focus now is not pressed
      };
      place.replaceChildren(input, Object.assign(document.createElement("span"), { textContent: "mm" }), this.button("mm-set", texts.set, set));
      input.focus();
    });
    place.append(open);
    return place;
  }
}
