// The viewer as a part of a page.

export default function (component) {
  const root = component.parentElement.querySelector(".mm-viewer");
  root.viewer ??= new Viewer(root);
  const { measure, ...data } = component.data;
  root.viewer.show(data);
  root.viewer.measure?.take(component, measure, data.id);
  return () => { root.viewer?.stop(); root.viewer = undefined; };
}
