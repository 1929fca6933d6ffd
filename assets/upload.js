// Sends files to the server one by one, straight to its disk, and tells the page when
// all are there. Names travel in a header: an address would stand in logs.

const AT_ONCE = 4;

function size(bytes) {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function send(url, file, told) {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("PUT", url);
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.webkitRelativePath || file.name));
    request.upload.onprogress = (event) => told(event.loaded);
    request.onerror = () => failed(new Error("The upload broke off: is the server there, and its disk not full?"));
    request.onload = () => {
      if (request.status === 200) return done();
      let text = "The server did not take it.";
      try { text = JSON.parse(request.responseText).error; } catch { /* not from us */ }
      failed(new Error(text));
    };
    request.send(file);
  });
}

async function upload(root, component, files) {
  const bar = root.querySelector(".mm-bar"), said = root.querySelector(".mm-said");
  const input = root.querySelector("input");
  const all = files.reduce((sum, file) => sum + file.size, 0);
  if (files.length > component.data.most) {
    said.textContent = `These are more than ${component.data.most.toLocaleString("en")} files.`;
    return;
  }
  if (all > component.data.bytes) {
    said.textContent = `This is ${size(all)}; there is room for ${size(component.data.bytes)}. Put the folder on the server's disk instead.`;
    return;
  }
  const sent = new Map();
  let at = 0, finished = 0;
  const show = () => {
    const bytes = [...sent.values()].reduce((sum, n) => sum + n, 0);
    bar.firstElementChild.style.width = `${all ? Math.min(100, (100 * bytes) / all) : 100}%`;
    said.textContent = `${size(Math.min(bytes, all))} of ${size(all)}, ${finished.toLocaleString("en")} of ${files.length.toLocaleString("en")} files`;
  };
  const work = async () => {
    while (at < files.length) {
      const n = at++;
      await send(component.data.url, files[n], (loaded) => { sent.set(n, loaded); show(); });
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
    said.textContent = `${files.length === 1 ? files[0].name : `${files.length.toLocaleString("en")} files`}: all here, ${size(all)}.`;
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
  root.querySelector(".mm-label").textContent = component.data.help;
  input.setAttribute("aria-label", component.data.label);
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
