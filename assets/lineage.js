// Where a model comes from, as a graph of links: a nested list, which a screen reader
// tells as what follows from what, and whose lines CSS draws.

function element(name, classes, text) {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawNode(node, open) {
  const item = element("li");
  const box = element(node.address ? "a" : "span", "mm-node");
  box.append(element("small", "", node.kind), element("b", "", node.name));
  if (node.detail) box.append(element("small", "", node.detail));
  box.title = [node.kind, node.name, node.detail].filter(Boolean).join(" · ");
  if (node.current) box.setAttribute("aria-current", "page");
  if (node.address) {
    box.href = node.address;
    box.addEventListener("click", (event) => {
      // A new tab or window is the browser's business.
      if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      open(node.address);
    });
  }
  item.append(box);
  if (node.children.length) item.append(drawList(node.children, open));
  return item;
}

function drawList(nodes, open) {
  const list = element("ul");
  list.append(...nodes.map((node) => drawNode(node, open)));
  return list;
}

function depth(node) {
  return 1 + Math.max(0, ...node.children.map(depth));
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".mm-lineage");
  root.setAttribute("aria-label", data.label);
  root.style.setProperty("--depth", depth(data.tree));
  const focused = root.querySelector("a:focus")?.href;
  root.replaceChildren(drawList([data.tree], (address) => setTriggerValue("opened", address)));
  if (focused) [...root.querySelectorAll("a")].find((link) => link.href === focused)?.focus();
}
