// One JSON line per scenario on stdout, and what the exit status will be.
import { writeSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

/** What this machine lacks; a failure only where `CI` is set. */
export class Skip extends Error {}

/** Throws with both sides when they differ in any field. */
export function same(what, actual, expected) {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  }
}

export class Report {
  #driver;
  #sdk;
  failed = false;

  constructor(driver, sdk) {
    this.#driver = driver;
    this.#sdk = sdk;
  }

  #line(name, ok, detail, covers) {
    const line = { driver: this.#driver, sdk: this.#sdk, name, ok, detail, ...covers };
    writeSync(1, `${JSON.stringify(line)}\n`);
  }

  notPossible(name, reason, covers = {}) {
    this.#line(name, null, `not possible: ${reason}`, covers);
  }

  /** Runs one scenario; `covers` names the operation and the outcome that it stands for. */
  async run(name, scenario, covers = {}) {
    try {
      await scenario();
      this.#line(name, true, '', covers);
    } catch (error) {
      if (error instanceof Skip) {
        this.failed ||= Boolean(process.env.CI);
        this.#line(name, null, `skipped: needs ${error.message}`, covers);
        return;
      }
      this.failed = true;
      this.#line(name, false, error.message, covers);
    }
  }
}
