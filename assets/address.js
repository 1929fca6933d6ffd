// Completes the address of the page in place, so that Back, reload and a copied link
// lead to what is shown. Streamlit changes the path shortly before or after this runs.

const WAIT = 50; // milliseconds between two looks at the path
const MOST = 60; // looks

export default function ({ data }) {
  let looks = 0;
  let timer;
  function complete() {
    const address = new URL(window.location.href);
    const here = address.pathname.split("/").pop() === data.page;
    if (here && !address.searchParams.get(data.name)) {
      address.searchParams.set(data.name, data.value);
      window.history.replaceState(window.history.state, "", address);
    }
    looks += 1;
    if (!here && looks < MOST) timer = setTimeout(complete, WAIT);
  }
  complete();
  return () => clearTimeout(timer);
}
