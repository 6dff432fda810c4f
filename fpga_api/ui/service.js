// SPDX-License-Identifier: Apache-2.0
// The service that has this page: its answers, its refusals, and the token of the user.

const KEY = "fpga-token";
const TIMEOUT = 10_000;

/** An answer that is not the one asked for. Status 0: there was no answer. */
export class Refusal extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

async function refusal(response) {
  try {
    const { error } = await response.json();
    return new Refusal(response.status, error.code, error.detail || error.title);
  } catch {
    return new Refusal(response.status, "", `${response.status} ${response.statusText}`);
  }
}

export class Service {
  /** The token lives as long as the tab. */
  get token() {
    return sessionStorage.getItem(KEY);
  }

  set token(value) {
    if (value) sessionStorage.setItem(KEY, value);
    else sessionStorage.removeItem(KEY);
  }

  /** The availability of all flavors; with mine, of what the project's quotas allow, too. */
  availability(mine) {
    return this.#get(mine ? "availability?mine=true" : "availability");
  }

  /** The samples of the last day of a flavor. */
  history(id) {
    return this.#get(`availability/${encodeURIComponent(id)}/history`);
  }

  async #get(path) {
    const headers = { "OpenStack-API-Version": "fpga 1.0" };
    if (this.token) headers["X-Auth-Token"] = this.token;
    let response;
    try {
      response = await fetch(`../v1/${path}`, {
        headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(TIMEOUT),
      });
    } catch (error) {
      throw new Refusal(0, "", String(error.message || error));
    }
    if (!response.ok) throw await refusal(response);
    try {
      return await response.json();
    } catch {
      throw new Refusal(response.status, "", "its answer is not JSON");
    }
  }
}
