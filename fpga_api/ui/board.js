// SPDX-License-Identifier: Apache-2.0
// The cards of the flavors. All that comes from the service becomes text, never markup.

const DAY = 86_400_000;
const WIDTH = 288;
const HEIGHT = 32;

function level(flavor) {
  return flavor.total > 0 ? 100 * Math.min(flavor.free / flavor.total, 1) : 0;
}

/** The points of a line of steps: a number holds until the next sample. */
function points(samples, now) {
  const most = Math.max(1, ...samples.map((sample) => sample.total));
  const x = (at) => Math.max(0, WIDTH * (1 - (now - at) / DAY)).toFixed(1);
  const y = (free) => (HEIGHT - 1 - (HEIGHT - 2) * (free / most)).toFixed(1);
  const steps = [];
  samples.forEach((sample, index) => {
    const until = index + 1 < samples.length ? samples[index + 1].time : now;
    steps.push(`${x(sample.time)},${y(sample.free)}`, `${x(until)},${y(sample.free)}`);
  });
  return steps.join(" ");
}

class Card {
  constructor(template) {
    this.element = template.content.firstElementChild.cloneNode(true);
  }

  #find(name) {
    return this.element.querySelector(`.${name}`);
  }

  show(flavor) {
    const counted = flavor.free !== null && flavor.total !== null;
    this.#find("name").textContent = flavor.name;
    this.#find("free").textContent = counted ? flavor.free : "?";
    this.#find("of").textContent = counted ? `of ${flavor.total} free` : `unknown: ${flavor.error?.detail}`;
    this.#find("level").setAttribute("width", level(flavor));
    const mine = this.#find("mine");
    mine.hidden = !counted || typeof flavor.mine !== "number";
    mine.textContent = mine.hidden ? "" : `${flavor.mine} with the quotas of your project`;
  }

  showHistory(samples) {
    const now = Date.now();
    const timed = samples
      .map((sample) => ({ ...sample, time: Date.parse(sample.at) }))
      .filter((sample) => sample.free !== null && now - sample.time <= DAY);
    this.#find("line").setAttribute("points", points(timed, now));
    const free = timed.map((sample) => sample.free);
    const text = timed.length
      ? `Last 24 hours: ${Math.min(...free)} to ${Math.max(...free)} free`
      : "Last 24 hours: no samples yet";
    this.#find("spark").setAttribute("aria-label", text);
    this.#find("span").textContent = text;
  }
}

export class Board {
  #cards = new Map();

  constructor(list, template) {
    this.list = list;
    this.template = template;
  }

  get ids() {
    return [...this.#cards.keys()];
  }

  /** Show these flavors and no others; a card that was there stays the same element. */
  show(flavors) {
    const sorted = [...flavors].sort((a, b) => a.name.localeCompare(b.name));
    const cards = new Map();
    for (const flavor of sorted) {
      const card = this.#cards.get(flavor.id) ?? new Card(this.template);
      card.show(flavor);
      cards.set(flavor.id, card);
    }
    this.#cards = cards;
    this.list.replaceChildren(...[...cards.values()].map((card) => card.element));
  }

  showHistory(id, samples) {
    this.#cards.get(id)?.showHistory(samples);
  }

  /** Whether the numbers may be wrong by now. */
  set stale(value) {
    this.list.classList.toggle("stale", value);
  }
}
