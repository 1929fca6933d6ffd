// Sends files to the server one by one, straight to its disk, and tells the page when
// all are there. Names travel in a header: an address would stand in logs.

const AT_ONCE = 4;

// A text of the page with values in place of the names in braces.
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

const count = (n) => n.toLocaleString(document.documentElement.lang || "en");

function size(bytes) {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function send(url, file, texts, told) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.webkitRelativePath || file.name));
    request.upload.onprogress = (event) => told(event.loaded);
    request.onerror = () => failed(new Error(texts.broken_off));
    request.onload = () => {
      if (request.status === 200) return done();
      let text = texts.refused;
      try { text = JSON.parse(request.responseText).error; } catch { /* not from us */ }
      failed(new Error(text));
    };
    request.send(file);
  });
}

async function upload(root, component, files) {
  const bar = root.querySelector(".mm-bar"), said = root.querySelector(".mm-said");
  const input = root.querySelector("input"), { texts } = component.data;
  const all = files.reduce((sum, file) => sum + file.size, 0);
  if (files.length > component.data.most) {
    said.textContent = fill(texts.too_many, { files: count(component.data.most) });
    return;
  }
  if (all > component.data.bytes) {
    said.textContent = fill(texts.too_large, { size: size(all), room: size(component.data.bytes) });
    return;
  }
  const sent = new Map();
  let at = 0, finished = 0;
  const show = () => {
    const bytes = [...sent.values()].reduce((sum, n) => sum + n, 0);
    bar.firstElementChild.style.width = `${all ? Math.min(100, (100 * bytes) / all) : 100}%`;
    said.textContent = fill(texts.sent, { sent: size(Math.min(bytes, all)), size: size(all), arrived: count(finished), files: count(files.length) });
  };
  const work = async () => {
    while (at < files.length) {
      const n = at++;
      await send(component.data.url, files[n], texts, (loaded) => { sent.set(n, loaded); show(); });
      sent.set(n, files[n].size);
      finished += 1;
      show();
    }
  };
  bar.hidden = false;
  input.disabled = true;
  root.busy = true;
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, files.length) }, work));
    said.textContent = fill(files.length === 1 ? texts.file_arrived : texts.files_arrived, { file: files[0]?.name, files: count(files.length), size: size(all) });
    component.setTriggerValue("arrived", finished);
  } catch (error) {
    at = files.length;
    said.textContent = "";
    component.setTriggerValue("failed", error.message);
  } finally {
    root.busy = false; // the field opens again with another address
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".mm-upload");
  const input = root.querySelector("input"), label = root.querySelector(".mm-choose");
  const folder = component.data.kind === "folder";
  root.querySelector(".mm-label").textContent = component.data.texts.help;
  root.querySelector(".mm-pick").textContent = component.data.texts.pick;
  input.setAttribute("aria-label", component.data.texts.label);
  root.querySelector(".mm-bar").setAttribute("aria-label", component.data.texts.progress);
  input.webkitdirectory = folder;
  input.accept = component.data.accept;
  if (root.url !== component.data.url && !root.busy) {
    root.url = component.data.url;
    input.value = "";
    input.disabled = false;
    root.querySelector(".mm-bar").hidden = true;
    root.querySelector(".mm-said").textContent = "";
  }
  const begin = (files) => { if (files.length && !input.disabled) upload(root, component, files); };
  input.onchange = () => begin([...input.files]);
  label.ondragover = (event) => { event.preventDefault(); label.classList.add("over"); };
  label.ondragleave = () => label.classList.remove("over");
  label.ondrop = (event) => {
    event.preventDefault();
    label.classList.remove("over");
    if (!folder) begin([...event.dataTransfer.files].slice(0, 1));
  };
}
