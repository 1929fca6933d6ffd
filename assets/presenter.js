// Presenter mode: draws the slide in the top layer and tells the page which key was
// pressed. Keys of inputs, and those with Ctrl, Alt or Meta, stay with whom they are for.

const KEYS = {
  ArrowRight: "next", PageDown: "next", ArrowLeft: "previous", PageUp: "previous",
  Home: "first", End: "last", ArrowUp: "up", ArrowDown: "down", Enter: "action",
  p: "leave", Escape: "leave", i: "image", r: "room", d: "dark", e: "end",
};
const LOCAL = { "?": "help", q: "code", f: "fullscreen", z: "view" };

function takesText(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable=''], [contenteditable=true]") !== null;
}

class Stage {
  constructor(dialog) {
    this.dialog = dialog;
    this.find = (name) => dialog.querySelector(name);
    this.pressed = (event) => this.press(event);
    window.addEventListener("keydown", this.pressed, true);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    for (const button of dialog.querySelectorAll("[data-key]")) {
      button.onclick = () => this.doKey(button.dataset.key);
    }
    this.find(".mm-action").onclick = () => this.tell("action");
    this.resized = new ResizeObserver(() => redrawSlide(this.find(".mm-shown")));
    this.resized.observe(this.find(".mm-shown"));
  }

  take(component) {
    this.component = component;
    const { slide, place, turns, action, room, code, codeShown, dark, keys, viewer, texts } = component.data;
    this.dialog.classList.toggle("mm-dark", dark);
    this.dialog.classList.toggle("mm-light", !dark);
    this.dialog.setAttribute("aria-busy", "false");
    if (!this.dialog.open) {
      this.dialog.showModal();
      this.dialog.focus();
    }
    const button = this.find(".mm-action");
    button.hidden = !action;
    button.textContent = action ? `${action} ⏎` : "";
    for (const turn of this.dialog.querySelectorAll(".mm-turn")) turn.hidden = !turns;
    this.find(".mm-place").textContent = place;
    this.find(".mm-room").textContent = room;
    const text = JSON.stringify(slide);
    if (text !== this.text) {
      this.text = text;
      showSlide(this.find(".mm-shown"), slide);
    }
    this.drawTexts(texts);
    this.drawKeys(keys);
    this.drawCode(code);
    this.showCode(code !== null && codeShown);
    this.drawViewer(viewer);
  }

  drawTexts(texts) {
    const named = (name) => [this.dialog, ...this.dialog.querySelectorAll(`[data-${name}]`)].filter((x) => x.dataset[name]);
    for (const part of named("label")) part.setAttribute("aria-label", texts[part.dataset.label]);
    for (const part of named("text")) part.textContent = texts[part.dataset.text];
  }

  drawKeys(keys) {
    const list = document.createElement("dl");
    for (const [key, meaning] of keys) list.append(element("dt", "", key), element("dd", "", meaning));
    this.find(".mm-keys").replaceChildren(element("h2", "", this.component.data.texts.keys), list);
  }

  drawCode(code) {
    const panel = this.find(".mm-code");
    if (!code) {
      panel.hidden = true;
      return;
    }
    if (panel.link === code.link) return;
    const texts = this.component.data.texts;
    panel.link = code.link;
    const svg = shape("svg", { viewBox: `0 0 ${code.size} ${code.size}`, role: "img", "aria-label": texts.code });
    svg.append(shape("path", { d: code.path, fill: "currentColor", "shape-rendering": "crispEdges" }));
    panel.replaceChildren(element("h2", "", texts.follow), svg, element("p", "", code.link));
  }

  // Shown when a slide asks for it, and put away with that slide; between them Q does.
  showCode(asked) {
    if (asked === Boolean(this.codeAsked)) return;
    this.codeAsked = asked;
    this.find(".mm-code").hidden = !asked;
  }

  // The images as on Diagnose, large. It stays open while one image follows the other.
  drawViewer(viewer) {
    this.find(".mm-larger").hidden = !viewer;
    if (!viewer) this.toggleViewer(false);
    else this.viewer?.show(viewer.data);
  }

  toggleViewer(shown) {
    if (shown === Boolean(this.viewer)) return;
    const panel = this.find(".mm-view");
    panel.hidden = !shown;
    this.find(".mm-shown").hidden = shown;
    this.find(".mm-larger").setAttribute("aria-pressed", String(shown));
    if (shown) this.openViewer(panel.shadowRoot ?? panel.attachShadow({ mode: "open" }));
    else this.closeViewer(panel.shadowRoot);
  }

  // Its styles are for it alone.
  openViewer(within) {
    const { html, css, data } = this.component.data.viewer, sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    within.adoptedStyleSheets = [sheet];
    within.innerHTML = html;
    this.viewer = new Viewer(within.querySelector(".mm-viewer"));
    this.viewer.show(data);
  }

  closeViewer(within) {
    this.viewer.stop();
    this.viewer = null;
    within.replaceChildren();
  }

  press(event) {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.composedPath()[0];
    if (takesText(target)) return;
    if (event.key === "Enter" && target instanceof Element && target.closest("button, a")) return;
    if (event.key.toLowerCase() !== "f" && this.viewer?.doKey(event.key)) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    const done = LOCAL[event.key] ?? KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!done || (event.repeat && done !== "up" && done !== "down")) return;
    event.preventDefault();
    // Keys of the page below, which nobody sees now, would answer, too.
    event.stopPropagation();
    this.doKey(done);
  }

  doKey(done) {
    const [keys, code] = [this.find(".mm-keys"), this.find(".mm-code")];
    if (done === "help") this.toggle(keys, keys.hidden);
    else if (done === "code" && this.component.data.code) this.toggle(code, code.hidden);
    else if (done === "code") this.tell("room");
    else if (done === "fullscreen") this.fullscreen();
    else if (done === "view") this.toggleViewer(!this.viewer && Boolean(this.component.data.viewer));
    else if (done === "leave" && !(keys.hidden && code.hidden)) {
      this.toggle(keys, false);
      this.toggle(code, false);
    } else if (done === "leave" && this.viewer) this.toggleViewer(false);
    else if (done !== "action" || this.component.data.action) this.tell(done);
  }

  toggle(panel, shown) {
    panel.hidden = !shown;
    this.find("[data-key=help]").setAttribute("aria-expanded", String(!this.find(".mm-keys").hidden));
  }

  fullscreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.();
  }

  tell(done) {
    this.dialog.setAttribute("aria-busy", "true");
    this.component.setTriggerValue("pressed", done);
  }

  stop() {
    this.ended = true;
    window.removeEventListener("keydown", this.pressed, true);
    this.resized.disconnect();
    this.viewer?.stop();
    if (this.dialog.open) this.dialog.close();
  }
}

export default function (component) {
  const dialog = component.parentElement.querySelector(".mm-stage");
  if (!dialog.stage || dialog.stage.ended) dialog.stage = new Stage(dialog);
  const stage = dialog.stage;
  stage.take(component);
  return () => stage.stop();
}
