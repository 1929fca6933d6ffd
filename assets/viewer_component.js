// The viewer as a part of a page.

export default function (component) {
  const root = component.parentElement.querySelector(".mm-viewer");
  root.viewer ??= new Viewer(root);
  const { measure, ...data } = component.data;
  root.viewer.show(data);
  root.viewer.measure?.take(component, measure, data.id);
  // Also called before new data come, between which a shape may be half drawn.
  return () => setTimeout(() => {
    if (root.isConnected) return;
    root.viewer?.stop();
    root.viewer = undefined;
  });
}
