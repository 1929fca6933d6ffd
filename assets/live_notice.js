// What a viewer is told who looks elsewhere: the tab's title, a notification, a sound.

const NOTICES = { notify: "medmodel-notify", sound: "medmodel-sound" };

class Notices {
  constructor(root) {
    this.root = root;
    this.prefix = "";
    for (const kind of Object.keys(NOTICES)) {
      const button = root.querySelector(`[data-notice=${kind}]`);
      button.setAttribute("aria-pressed", this.wanted(kind));
      button.onclick = () => this.toggle(kind, button);
    }
  }

  // Off until somebody asks for it in this browser.
  wanted(kind) { return localStorage.getItem(NOTICES[kind]) === "1"; }

  async toggle(kind, button) {
    let on = !this.wanted(kind);
    if (on && kind === "notify") on = "Notification" in window && await Notification.requestPermission() === "granted";
    if (on && kind === "sound") this.play(); // also a sample; a browser allows sound after a click only
    localStorage.setItem(NOTICES[kind], on ? "1" : "0");
    button.setAttribute("aria-pressed", on);
  }

  title(text) {
    const base = document.title.startsWith(this.prefix) ? document.title.slice(this.prefix.length) : document.title;
    this.prefix = text ? `${text} · ` : "";
    if (document.title !== this.prefix + base) document.title = this.prefix + base;
  }

  ended(text, good) {
    if (this.wanted("sound")) this.play(good);
    if (this.wanted("notify") && document.hidden && Notification.permission === "granted") {
      new Notification("MedModel", { body: text });
    }
  }

  play(good = true) {
    const context = new AudioContext(), tones = good ? [523, 784] : [392, 262];
    tones.forEach((frequency, i) => {
      const tone = context.createOscillator(), volume = context.createGain(), at = context.currentTime + 0.18 * i;
      tone.frequency.value = frequency;
      volume.gain.setValueAtTime(0.15, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.17);
      tone.connect(volume).connect(context.destination);
      tone.start(at);
      tone.stop(at + 0.18);
    });
    setTimeout(() => context.close(), 1000);
  }
}
