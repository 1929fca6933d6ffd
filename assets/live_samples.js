// The same few validation images after every epoch: what the network says of each.

class Samples {
  constructor(root, texts) {
    this.texts = texts;
    this.place = root.querySelector(".mm-samples");
  }

  // `about`: {classes, images: [{label, png}]}; row: [epoch, scores of the first image, ...].
  take(about) {
    if (!about || this.about) return;
    this.about = about;
    this.place.hidden = false;
    this.cells = about.images.map((image) => {
      const cell = document.createElement("figure"), picture = document.createElement("img");
      const text = document.createElement("figcaption"), bar = document.createElement("i");
      picture.src = image.png;
      picture.alt = "";
      text.append(document.createElement("b"), document.createElement("span"), bar);
      cell.append(picture, text);
      this.place.append(cell);
      return cell;
    });
  }

  show(row) {
    if (!this.about) return;
    const count = this.about.classes.length;
    this.cells.forEach((cell, i) => {
      const { label } = this.about.images[i], own = this.about.classes.indexOf(label);
      const [name, said, bar] = cell.lastChild.children;
      const scores = row?.slice(1 + i * count, 1 + (i + 1) * count) ?? [], first = scores.indexOf(Math.max(...scores));
      const share = row ? scores[own] : 0;
      name.textContent = label;
      said.textContent = row ? first === own ? percent(share) : `${percent(share)}, ${this.about.classes[first]}: ${percent(scores[first])}` : "…";
      bar.style.setProperty("--share", share);
      const told = this.about.classes.map((c, k) => `${c} ${percent(scores[k])}`).join(", ");
      const now = row ? fill(this.texts.epoch_scores, { epoch: row[0], scores: told }) : "";
      cell.title = `${fill(this.texts.true_class, { class_name: label })} ${now}`;
    });
  }
}

// A score is never certain: it only rounds to 0 or 1.
function percent(share) {
  const whole = Math.round(100 * share);
  // No line ends before the sign.
  return (whole < 1 ? "< 1 %" : whole > 99 ? "> 99 %" : `${whole} %`).replaceAll(" ", "\u00a0");
}
