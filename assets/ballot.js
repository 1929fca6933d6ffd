// A phone's answer to the image that is asked about. The token of its seat lies in this
// browser, so that a page that was loaded again goes on where it was; what was answered
// comes back from the server. Class names are set as text, never as markup.

const form = document.getElementById("ballot");
const naming = document.getElementById("nickname");
const [called, note] = [document.getElementById("called"), document.getElementById("nickname-note")];
const [fields, options] = [form.querySelector("fieldset"), document.getElementById("options")];
const confidence = document.getElementById("confidence");
const [percent, said] = [document.getElementById("percent"), document.getElementById("answer")];
const [send, change] = [form.querySelector("[type=submit]"), document.getElementById("change")];
const KEY = "seat"; // of this address alone: another one has another origin or path
const WAIT = 1500; // milliseconds until a lost answer is sent again
// What the server counts, and whether it is being changed.
let answer = null, editing = false;
let ballot, seat = "", sending = false, seating = null;

const name = () => `${KEY} ${location.pathname}`;
const isOf = (one, other) => Boolean(one && other) && one.reading === other.reading && one.number === other.number;

function post(path, facts) {
  const headers = { "content-type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(facts), cache: "no-store" });
}

function stored() {
  try { return localStorage.getItem(name()) ?? ""; } catch { return ""; }
}

function store(token) {
  // Without storage the seat lasts as long as the page.
  try { localStorage.setItem(name(), token); } catch { /* private browsing */ }
}

// One request at a time, whoever waits for it.
function takeSeat() {
  seating ??= (async () => {
    try {
      const reply = await post("seat", { seat: seat || stored() });
      if (!reply.ok) throw new Error(String(reply.status));
      const facts = await reply.json();
      seat = facts.seat;
      store(seat);
      if (facts.nickname && !called.value) called.value = facts.nickname;
      if (isOf(facts, ballot) && facts.choice !== null && !answer) answer = facts;
      draw();
    } finally { seating = null; }
  })();
  return seating;
}

function fill() {
  const boxes = ballot.options.map((text, place) => {
    const [label, box] = [document.createElement("label"), document.createElement("input")];
    Object.assign(box, { type: "radio", name: "choice", value: place });
    label.append(box, document.createElement("span"));
    label.lastChild.textContent = text;
    return label;
  });
  options.replaceChildren(...boxes);
  confidence.min = ballot.least;
  confidence.value = Math.max(75, ballot.least);
  showPercent();
}

function showPercent() {
  percent.textContent = `${confidence.value} %`;
}

function chosen() {
  const box = options.querySelector(":checked");
  return box ? Number(box.value) : null;
}

function draw() {
  naming.hidden = ballot?.reading !== ""; // none yet: the lobby
  form.hidden = !ballot?.number; // 0 before the first image
  if (form.hidden) return;
  const open = ballot.open && (!answer || editing);
  fields.hidden = !open;
  send.disabled = chosen() === null || sending;
  change.hidden = open || !ballot.open;
  if (answer && !open) {
    const mine = `${said.dataset.yours}: ${ballot.options[answer.choice]}, ${answer.confidence} %. `;
    said.textContent = mine + (ballot.open ? said.dataset.sent : "");
  } else said.textContent = ballot.open ? "" : said.dataset.unanswered;
}

export function showBallot(next) {
  const other = next && !isOf(next, ballot);
  ballot = next ?? null;
  if (other) {
    answer = null;
    editing = sending = false;
    fill();
    takeSeat().catch(() => setTimeout(again, WAIT));
  }
  draw();
}

// Nothing of it stays on a phone when the presentation has ended.
export function leaveSeat() {
  try { localStorage.removeItem(name()); } catch { /* private browsing */ }
  showBallot(null);
}

// A line that was lost: ask for the seat until it is there.
function again() {
  if (ballot && !seat) takeSeat().catch(() => setTimeout(again, WAIT));
}

async function vote(tries = 3) {
  const asked = ballot;
  const mine = { reading: asked.reading, number: asked.number, choice: chosen(), confidence: Number(confidence.value) };
  sending = true;
  draw();
  said.textContent = said.dataset.sending;
  try {
    if (!seat) await takeSeat();
    const reply = await post("vote", { seat, ...mine });
    if (reply.status === 403 && tries) {
      seat = "";
      await takeSeat();
      return await vote(tries - 1);
    }
    if (!isOf(asked, ballot)) return;
    sending = false;
    if (reply.ok) [answer, editing] = [mine, false];
    draw();
    if (!reply.ok) said.textContent = reply.status === 409 ? said.dataset.closed : said.dataset.retry;
  } catch {
    if (!isOf(asked, ballot)) return;
    sending = false;
    draw();
    said.textContent = said.dataset.retry;
  }
}

// What the server made of it stands in the field then: it takes no markup, for instance.
async function takeNickname(tries = 3) {
  try {
    if (!seat) await takeSeat();
    const reply = await post("nickname", { seat, nickname: called.value });
    if (reply.status === 403 && tries) {
      seat = "";
      return await takeNickname(tries - 1);
    }
    if (!reply.ok) throw new Error(String(reply.status));
    called.value = (await reply.json()).nickname;
    note.textContent = note.dataset.saved;
    called.blur();
  } catch { note.textContent = note.dataset.retry; }
}

naming.addEventListener("submit", (event) => {
  event.preventDefault();
  takeNickname();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (chosen() !== null && !sending) vote();
});
change.addEventListener("click", () => {
  const box = options.querySelector(`[value="${answer.choice}"]`);
  editing = box.checked = true;
  confidence.value = answer.confidence;
  showPercent();
  draw();
  box.focus();
});
options.addEventListener("change", draw);
confidence.addEventListener("input", showPercent);
