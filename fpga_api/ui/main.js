// SPDX-License-Identifier: Apache-2.0
// The page: it asks the service every 15 seconds, and shows how old the answer is.

import { Board } from "./board.js";
import { Refusal, Service } from "./service.js";

const REFRESH = 15_000;
const HISTORY = 300_000;
/** After three refreshes an answer is stale, whatever the service said of it when it came. */
const STALE = 3 * REFRESH;

const element = (id) => document.getElementById(id);
const service = new Service();
const board = new Board(element("flavors"), element("card"));

/** The last answer: its age when it came, and when that was on the clock that nobody sets. */
let answer = null;
let failure = null;
let historyAt = -Infinity;
let paused = false;
/** The newest request; an answer to an older one is not shown. */
let turn = 0;

function sinceAnswer() {
  return performance.now() - answer.came;
}

function age() {
  return answer.age + sinceAnswer() / 1000;
}

function ageText(seconds) {
  if (seconds < 120) return `${Math.floor(seconds)} s ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

/** Say it once: a screen reader repeats what is set anew. */
function note(text, bad) {
  const place = element("note");
  if (place.textContent !== text) place.textContent = text;
  place.classList.toggle("bad", bad);
}

function noteOf(stale) {
  if (failure?.status === 401) {
    return service.token ? "The token is not valid, or has expired." : "Sign in to see the flavors.";
  }
  if (failure?.code === "fpga.not_published") return "The service has just started and still counts.";
  if (failure) {
    const reason = failure.status ? failure.message : "it does not answer";
    return `The service cannot be asked: ${reason}. ` + (answer ? "The numbers are old." : "");
  }
  if (stale) return "The service could not count again. The numbers are old.";
  if (!answer) return "Loading…";
  if (!answer.complete) return "The service has just started: totals may lack hosts that are full.";
  return answer.flavors ? "" : "There are no flavors with accelerators that you may use.";
}

function render() {
  const stale = answer !== null && (failure !== null || answer.stale || sinceAnswer() > STALE);
  const badge = element("age");
  badge.hidden = answer === null;
  if (answer) badge.textContent = `${stale ? "Stale: c" : "C"}ounted ${ageText(age())}`;
  badge.classList.toggle("bad", stale);
  board.stale = stale;
  note(noteOf(stale), stale || (failure !== null && failure.status !== 401));
  element("sign-in").hidden = failure?.status !== 401;
  element("sign-out").hidden = !service.token;
  element("mine-label").hidden = !service.token || failure?.status === 401;
  element("pause").hidden = element("foot").hidden = answer === null;
}

function forget() {
  answer = null;
  historyAt = -Infinity;
  board.show([]);
}

async function refresh() {
  const mine = element("mine").checked && Boolean(service.token);
  const own = ++turn;
  try {
    const document = await service.availability(mine);
    if (own !== turn) return;
    board.show(document.flavors);
    answer = {
      age: document.age, stale: document.stale, came: performance.now(),
      complete: document.complete, flavors: document.flavors.length,
    };
    failure = null;
    if (performance.now() - historyAt >= HISTORY) refreshHistory();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (own !== turn) return;
    failure = error;
    // Who may not see it now does not go on seeing it.
    if (error.status === 401 || error.status === 403) forget();
  }
  render();
}

async function refreshHistory() {
  historyAt = performance.now();
  for (const id of board.ids) {
    try {
      const { samples } = await service.history(id);
      board.showHistory(id, samples);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }
}

element("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  service.token = element("token").value.trim();
  element("token").value = "";
  refresh().then(() => (element("sign-in").hidden ? element("flavors") : element("token")).focus());
});

element("sign-out").addEventListener("click", () => {
  service.token = null;
  element("mine").checked = false;
  forget();
  refresh().then(() => element("sign-in").hidden || element("token").focus());
});

element("mine").addEventListener("change", refresh);

element("pause").addEventListener("click", () => {
  paused = !paused;
  element("pause").setAttribute("aria-pressed", paused);
  if (!paused) refresh();
});

document.addEventListener("visibilitychange", () => document.hidden || paused || refresh());
setInterval(() => document.hidden || paused || refresh(), REFRESH);
setInterval(render, 1000);
refresh();
