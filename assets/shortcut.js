// Tells the page that a key or a chord such as Ctrl+Enter was pressed.
const listeners = new WeakMap();
// What Enter is for already.
const TAKES = "button, a, summary, textarea, [role=button], [role=option], [role=combobox]";
// Where letters and digits are typed.
const TYPES = "input:not([type=radio]):not([type=checkbox]), textarea, [role=combobox]";

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const wanted = data.keys.toLowerCase().split("+");
  const key = wanted.pop();
  const pressed = (event) => {
    if (event.repeat || event.key.toLowerCase() !== key) return;
    if (event.ctrlKey !== wanted.includes("ctrl") || event.altKey || event.metaKey) return;
    const target = event.composedPath()[0];
    const taken = key.length > 1 ? TAKES : TYPES;
    if (!wanted.length && target instanceof Element && target.closest(taken)) return;
    event.preventDefault();
    setTriggerValue("pressed", true);
  };
  const before = listeners.get(parentElement);
  // On the way down: a focused radio button lets no key pass on its way up.
  if (before) document.removeEventListener("keydown", before, true);
  listeners.set(parentElement, pressed);
  document.addEventListener("keydown", pressed, true);
  return () => document.removeEventListener("keydown", pressed, true);
}
