// The page on a phone: follows the presenter's slides by server-sent events, comes back
// after sleep and lost networks, and stops when the presenter has closed the address.
// What it says stands in the page, in the phone's language.

import { leaveSeat, showBallot } from "./ballot.js";
import { redrawSlide, showSlide } from "./slide.js";

const SILENCE = 25_000; // milliseconds: two missed beats and a half
const MOST_TRIES = 60; // in a row, about eight minutes: the code may have ended meanwhile
const slide = document.getElementById("slide");
const line = document.getElementById("line");
const dark = matchMedia("(prefers-color-scheme: dark)");
let source, heard = 0, wait = 500, tries = 0, again;

function look() {
  document.documentElement.className = dark.matches ? "mm-dark" : "mm-light";
}

function open() {
  clearTimeout(again);
  source?.close();
  heard = Date.now();
  source = new EventSource("events");
  source.onopen = () => { wait = 500; tries = 0; hear(); };
  source.addEventListener("beat", hear);
  source.addEventListener("slide", (event) => {
    hear();
    const shown = JSON.parse(event.data);
    showSlide(slide, shown);
    showBallot(shown.ballot);
  });
  source.addEventListener("end", () => {
    stop(line.dataset.ended);
    leaveSeat();
  });
  // Some browsers give up for good after an error: open anew ourselves.
  source.onerror = () => {
    source.close();
    tries += 1;
    if (tries > MOST_TRIES) {
      stop(line.dataset.unreachable);
      return;
    }
    line.textContent = line.dataset.lost;
    again = setTimeout(open, wait);
    wait = Math.min(2 * wait, 8000);
  };
}

function stop(sentence) {
  source?.close();
  source = undefined;
  line.textContent = sentence;
}

function hear() {
  heard = Date.now();
  line.textContent = "";
}

// A phone that slept may hold a line that is dead without knowing it.
function wake() {
  if (source && !document.hidden && Date.now() - heard > SILENCE) open();
}

dark.addEventListener("change", look);
document.addEventListener("visibilitychange", wake);
addEventListener("online", () => source && open());
setInterval(wake, 5000);
new ResizeObserver(() => redrawSlide(slide)).observe(slide);
look();
open();
