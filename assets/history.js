// Makes one entry in the browser's history of one step. When a page is left for another
// with parameters, Streamlit first writes the new parameters behind the old page's path,
// as an entry of its own, and shortly after the new page's: Back would lead to an address
// at which nobody was.

const TOGETHER = 1000; // milliseconds between the two entries of one step

function mendHistory() {
  const push = window.history.pushState.bind(window.history);
  let last = { time: -Infinity };
  window.history.pushState = (state, title, address) => {
    const before = new URL(window.location.href);
    const after = new URL(address ?? "", before);
    const time = performance.now();
    const second =
      time - last.time < TOGETHER && last.href === before.href &&
      after.search === before.search && after.pathname !== before.pathname;
    if (second) window.history.replaceState(state, title, address);
    else push(state, title, address);
    const parametersAlone = after.pathname === before.pathname && after.search !== before.search;
    last = parametersAlone ? { time, href: window.location.href } : { time: -Infinity };
  };
}

export default function () {
  if (window.medmodelHistory) return;
  window.medmodelHistory = true;
  mendHistory();
}
