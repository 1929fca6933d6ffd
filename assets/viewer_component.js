// The viewer as a part of a page.

export default function (component) {
  const root = component.parentElement.querySelector(".mm-viewer");
  root.viewer ??= new Viewer(root);
  root.viewer.show(component.data);
  return () => { root.viewer?.stop(); root.viewer = undefined; };
}
