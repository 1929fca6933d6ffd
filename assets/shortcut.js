// Tells the page that a key or a chord such as Ctrl+Enter was pressed.
const listeners = new WeakMap();

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const wanted = data.keys.toLowerCase().split("+");
  const key = wanted.pop();
  const pressed = (event) => {
    if (event.repeat || event.key.toLowerCase() !== key) return;
    if (event.ctrlKey !== wanted.includes("ctrl") || event.altKey || event.metaKey) return;
    event.preventDefault();
    setTriggerValue("pressed", true);
  };
  const before = listeners.get(parentElement);
  if (before) document.removeEventListener("keydown", before);
  listeners.set(parentElement, pressed);
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
