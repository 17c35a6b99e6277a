// The command line of Usher, for what an SDK cannot ask.
import { execFile } from 'node:child_process';
import { Skip } from './report.mjs';

/** Skips the scenario where the program is not given. */
export function needsUsher() {
  if (!process.env.USHER_BIN) throw new Skip('USHER_BIN, the path of usher');
}

/** Exit status and JSON answer of `usher ARGS --json`. */
export function usher(...args) {
  return new Promise((done, fail) => {
    execFile(process.env.USHER_BIN, [...args, '--json'], (error, stdout, stderr) => {
      const exit = error ? error.code : 0;
      try {
        done({ exit, answer: JSON.parse(stdout) });
      } catch {
        fail(new Error(`usher ${args[0]} ended with ${exit}: ${stderr}`));
      }
    });
  });
}
