// Every visible text of the page with the contrast of its computed colours (WCAG 2.2,
// 1.4.3): [{text, ratio, pixels, large, where}]. Disabled controls are exempt there.
() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const cache = new Map();
  // Any CSS colour as red, green, blue in 0-255 and alpha in 0-1.
  const rgba = (color) => {
    if (!cache.has(color)) {
      paint.clearRect(0, 0, 1, 1);
      paint.fillStyle = color;
      paint.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
      cache.set(color, [r, g, b, a / 255]);
    }
    return cache.get(color);
  };
  const over = (top, bottom) =>
    [0, 1, 2].map((i) => top[i] * top[3] + bottom[i] * (1 - top[3])).concat(1);
  const faded = (color, opacity) => [...color.slice(0, 3), color[3] * opacity];
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const above = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const chain = (element) => {
    const elements = [];
    for (let each = element; each; each = above(each)) elements.unshift(each);
    return elements;
  };
  const holds = (box, x, y) =>
    x >= box.left && x <= box.right && y >= box.top && y <= box.bottom;
  // What lies below an element's text: the grounds of all that it stands in. What it
  // hangs out of, as a slider's value above its thumb, is not below it.
  const ground = (elements, x, y) => {
    let color = [255, 255, 255, 1];
    let opacity = 1;
    for (const element of elements) {
      const style = getComputedStyle(element);
      opacity *= Number(style.opacity);
      const page = element === document.documentElement || element === document.body;
      if (!page && !holds(element.getBoundingClientRect(), x, y)) continue;
      color = over(faded(rgba(style.backgroundColor), opacity), color);
    }
    return [color, opacity];
  };
  // The colour of an image in an SVG at a point of the screen; a heat map is one.
  const pixel = (image, at, x, y) => {
    paint.clearRect(0, 0, 1, 1);
    paint.drawImage(image, at.left - x, at.top - y, at.width, at.height);
    const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  // Bars, images and grounds that were drawn before an SVG text, below its middle.
  const drawn = (text, color, x, y) => {
    const shapes = text.closest("svg:not(svg svg)").querySelectorAll("rect, .bars path, image");
    for (const shape of shapes) {
      const at = shape.getBoundingClientRect();
      const before = shape.compareDocumentPosition(text) & 4;
      if (!before || !holds(at, x, y)) continue;
      if (shape.tagName === "image") {
        color = over(pixel(shape, at, x, y), color);
        continue;
      }
      const style = getComputedStyle(shape);
      if (style.fill === "none" || style.visibility === "hidden") continue;
      const alpha = Number(style.fillOpacity) * Number(style.opacity);
      color = over(faded(rgba(style.fill), alpha), color);
    }
    return color;
  };
  // Fields whose value is read; that of a slider is a place.
  const WRITTEN = "textarea, input:not([type=range], [type=checkbox], [type=radio], [type=file])";
  const texts = [];
  const note = (text, element, ink, style) => {
    if (element.closest("[disabled], [aria-disabled=true], [aria-hidden=true]")) return;
    // What Plotly tells a browser that cannot draw, in colours of its own.
    if (element.closest(".no-webgl")) return;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return;
    // Ends of a slider are without colour until somebody points at it.
    if (rgba(ink)[3] === 0) return;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) return;
    const elements = chain(element);
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    let [below, opacity] = ground(elements, x, y);
    if (element.ownerSVGElement) below = drawn(element, below, x, y);
    const pixels = parseFloat(style.fontSize);
    texts.push({
      text: text.trim().slice(0, 60),
      ratio: contrast(over(faded(rgba(ink), opacity), below), below),
      pixels,
      large: pixels >= 24 || (pixels >= 18.66 && Number(style.fontWeight) >= 700),
      where: element.closest("[data-testid]")?.dataset.testid ?? element.tagName,
    });
  };
  const visit = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.shadowRoot) visit(node.shadowRoot);
      const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
      if (!element || element.closest("script, style, noscript, canvas")) continue;
      const style = getComputedStyle(element);
      if (node.nodeType === Node.TEXT_NODE && node.data.trim())
        note(node.data, element, element.ownerSVGElement ? style.fill : style.color, style);
      else if (node.placeholder && !node.value)
        note(node.placeholder, element, getComputedStyle(node, "::placeholder").color, style);
      else if (node.matches?.(WRITTEN) && node.value)
        note(node.value, element, style.color, style);
    }
  };
  visit(document.body);
  return texts;
}
