// One slide, drawn from data: the same on the projector and on every phone. All text is
// set as text, never as markup. Elements that stay keep their place, so nothing blinks.

const SVG = "http://www.w3.org/2000/svg";

function element(name, classes, text) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
}

function shape(name, facts, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(facts)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Round values between two others, at most so many.
function ticks(low, high, most) {
  const raw = (high - low) / Math.max(most, 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw * 0.999);
  const values = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) values.push(i * step);
  return { values, step };
}

function tickText(value, step, perCent) {
  const [shown, apart] = perCent ? [100 * value, 100 * step] : [value, step];
  // As many digits as tell two neighbours apart: 0.25 has one more than 0.2.
  let digits = 0;
  while (digits < 6 && Math.abs(apart * 10 ** digits - Math.round(apart * 10 ** digits)) > 1e-6) digits++;
  return shown.toFixed(digits) + (perCent ? " %" : "");
}

function range(values, share) {
  let low = Math.min(...values), high = Math.max(...values);
  if (share) high = Math.min(1, Math.max(high, low + 0.05));
  if (!(high > low)) { low -= 0.5; high += 0.5; }
  const margin = 0.04 * (high - low);
  // A loss or an accuracy below 0 would mislead.
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, share ? Math.min(1.02, high + margin) : high + margin];
}

function drawCurves(svg, chart) {
  const width = svg.clientWidth, height = svg.clientHeight;
  if (!width || !height) return;
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const size = parseFloat(getComputedStyle(svg).fontSize);
  const points = chart.curves.flatMap((c) => c.x.map((x, i) => [x, c.y[i]]));
  if (!points.length) return;
  const xs = points.map((p) => p[0]);
  const [x0, x1] = Math.max(...xs) > Math.min(...xs) ? [Math.min(...xs), Math.max(...xs)] : [xs[0] - 1, xs[0] + 1];
  const [y0, y1] = range(points.map((p) => p[1]), chart.share);
  const [left, right, top, bottom] = [4 * size, 0.8 * size, 0.6 * size, 3 * size];
  const toX = (x) => left + ((x - x0) / (x1 - x0)) * (width - left - right);
  const toY = (y) => height - bottom - ((y - y0) / (y1 - y0)) * (height - top - bottom);
  const across = ticks(y0, y1, Math.max(3, Math.floor(height / (2.5 * size))));
  for (const value of across.values) {
    const y = toY(value);
    svg.append(shape("line", { x1: left, x2: width - right, y1: y, y2: y, class: "mm-grid" }));
    svg.append(shape("text", { x: left - 0.4 * size, y: y + 0.35 * size, "text-anchor": "end" }, tickText(value, across.step, chart.perCent)));
  }
  const along = ticks(x0, x1, Math.max(2, Math.floor(width / (4.5 * size))));
  for (const value of along.values) {
    svg.append(shape("text", { x: toX(value), y: height - bottom + 1.2 * size, "text-anchor": "middle" }, tickText(value, along.step, false)));
  }
  svg.append(shape("text", { x: (left + width - right) / 2, y: height - 0.4 * size, "text-anchor": "middle" }, chart.xTitle));
  if (chart.marked !== null && chart.marked >= x0 && chart.marked <= x1) {
    svg.append(shape("line", { x1: toX(chart.marked), x2: toX(chart.marked), y1: top, y2: height - bottom, class: "mm-marked" }));
  }
  chart.curves.forEach((curve, i) => {
    const places = curve.x.map((x, k) => `${toX(x).toFixed(1)},${toY(curve.y[k]).toFixed(1)}`);
    const colour = `mm-colour-${curve.dotted ? 0 : i}`, kinds = `${curve.thin ? " mm-thin" : ""}${curve.dotted ? " mm-dotted" : ""}`;
    svg.append(shape("polyline", { points: places.join(" "), class: `mm-curve ${colour}${kinds}` }));
    if (places.length === 1) {
      const [x, y] = places[0].split(",");
      svg.append(shape("circle", { cx: x, cy: y, r: 4, class: `mm-point ${colour}` }));
    }
  });
}

function drawChart(chart) {
  const box = element("figure", "mm-chart");
  const head = element("figcaption");
  head.append(element("span", "mm-chart-title", chart.title));
  const named = chart.curves.filter((curve) => !curve.dotted);
  named.forEach((curve, i) => {
    const label = element("span", `mm-label mm-colour-${i}`);
    label.append(element("span", "mm-name", curve.name));
    if (curve.text) label.append(" ", element("strong", "", curve.text));
    head.append(label);
  });
  const svg = shape("svg", { role: "img" });
  const said = named.map((curve) => `${curve.name} ${curve.text}`).join(", ");
  svg.setAttribute("aria-label", `${chart.title}: ${said}`);
  box.append(head, svg);
  box.redraw = () => drawCurves(svg, chart);
  return box;
}

function drawBar(bar) {
  const row = element("li", "mm-bar");
  const track = element("span", "mm-track");
  const fill = element("span", "mm-fill");
  fill.style.width = `${100 * bar.share}%`;
  if (bar.colour) fill.style.background = bar.colour;
  track.append(fill);
  if (bar.low !== null && bar.high !== null) {
    const interval = element("span", "mm-interval");
    interval.style.left = `${100 * bar.low}%`;
    interval.style.width = `${100 * Math.max(0, bar.high - bar.low)}%`;
    track.append(interval);
  }
  row.append(element("span", "mm-name", bar.name), track, element("span", "mm-value", bar.text));
  return row;
}

// An image that is shown already stays: it is neither asked for nor decoded again.
function drawImage(image, shown) {
  const old = shown.get(image.source);
  const box = old ?? element("figure", "mm-image");
  if (!old) {
    const picture = element("img");
    picture.src = image.source;
    box.append(element("figcaption"), picture);
    box.source = image.source;
  }
  box.firstChild.textContent = image.title;
  box.lastChild.alt = image.alt;
  return box;
}

function drawProgress(share, title) {
  const track = element("div", "mm-progress");
  track.setAttribute("role", "progressbar");
  track.setAttribute("aria-label", title);
  track.setAttribute("aria-valuemin", "0");
  track.setAttribute("aria-valuemax", "100");
  track.setAttribute("aria-valuenow", Math.round(100 * share));
  const fill = element("span", "mm-fill");
  fill.style.width = `${100 * share}%`;
  track.append(fill);
  return track;
}

export function showSlide(root, slide) {
  const images = new Map([...root.querySelectorAll(".mm-image")].map((box) => [box.source, box]));
  const parts = [element("p", "mm-step", slide.step), element("h1", "mm-title", slide.title)];
  if (slide.sentence) parts.push(element("p", "mm-sentence", slide.sentence));
  if (slide.progress !== null) parts.push(drawProgress(slide.progress, slide.progressTitle));
  const content = element("div", "mm-content");
  for (const image of slide.images) content.append(drawImage(image, images));
  for (const chart of slide.charts) content.append(drawChart(chart));
  if (slide.bars.length) {
    const list = element("ul", slide.bars.length > 6 ? "mm-bars mm-many" : "mm-bars");
    list.append(...slide.bars.map(drawBar));
    content.append(list);
  }
  if (content.childElementCount) parts.push(content);
  if (slide.notes.length) {
    const notes = element("ul", "mm-notes");
    notes.append(...slide.notes.map((note) => element("li", "", note)));
    parts.push(notes);
  }
  root.classList.add("mm-slide");
  root.dataset.state = slide.state;
  root.lang = slide.lang;
  root.replaceChildren(...parts);
  redrawSlide(root);
}

export function redrawSlide(root) {
  for (const box of root.querySelectorAll(".mm-chart")) box.redraw();
}
