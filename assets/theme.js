// Tells the page that its colours were exchanged, by the system or in the menu: figures
// are drawn for light or dark. A colour that takes a moment to change says when it does.

export default function ({ parentElement, setTriggerValue }) {
  // One for all times: a change of theme calls this, too.
  let probe = parentElement.querySelector("i");
  if (!probe) {
    probe = document.createElement("i");
    probe.style = "position: absolute; color: var(--st-background-color); transition: color 1ms";
    parentElement.append(probe);
  }
  probe.ontransitionend = () => setTriggerValue("changed", true);
}
