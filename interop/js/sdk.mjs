// What the scenarios say, said in the JavaScript SDK.
import { same } from './report.mjs';

const PERMISSIONS = ['read', 'write', 'manage', 'delete', 'get', 'update', 'join'];
const KINDS = ['channels', 'groups', 'uuids'];
const RENAMED = { users: 'uuids', spaces: 'channels' };

/** Runs `action` with a `Date` that is wrong by `seconds`; only this process is fooled. */
export async function withClock(seconds, action) {
  const RealDate = globalThis.Date;
  if (!seconds) return action();
  globalThis.Date = class extends RealDate {
    constructor(...given) {
      if (given.length === 0) super(RealDate.now() + seconds * 1000);
      else super(...given);
    }
    static now() {
      return RealDate.now() + seconds * 1000;
    }
  };
  try {
    return await action();
  } finally {
    globalThis.Date = RealDate;
  }
}

const flags = (names) => Object.fromEntries(names.map((name) => [name, true]));

function section(asked = {}) {
  return Object.fromEntries(
    Object.entries(asked).map(([kind, entries]) => [
      kind,
      Object.fromEntries(Object.entries(entries).map(([name, names]) => [name, flags(names)])),
    ]),
  );
}

/** The parameters of `grantToken` for one scenario. */
export function grantParameters(scenario) {
  const old = scenario.needs === 'users_and_spaces';
  return {
    ttl: scenario.ttl,
    resources: section(scenario.resources),
    patterns: section(scenario.patterns),
    ...(scenario.meta ? { meta: scenario.meta } : {}),
    ...(scenario.authorized_uuid
      ? { [old ? 'authorizedUserId' : 'authorized_uuid']: scenario.authorized_uuid }
      : {}),
  };
}

/** The same grant as `parseToken` should show it: kinds by their present names, empty ones left out. */
export function expectedToken(scenario) {
  const side = (asked = {}) =>
    Object.fromEntries(
      Object.entries(asked)
        .filter(([, entries]) => Object.keys(entries).length > 0)
        .map(([kind, entries]) => [RENAMED[kind] ?? kind, entries]),
    );
  return {
    version: 2,
    ttl: scenario.ttl,
    resources: side(scenario.resources),
    patterns: side(scenario.patterns),
    meta: scenario.meta ?? {},
    authorized_uuid: scenario.authorized_uuid ?? null,
  };
}

/** What the SDK parsed, in the words of the scenarios. */
export function parsedToken(parsed) {
  const entriesOf = (entries) =>
    Object.fromEntries(
      Object.entries(entries).map(([name, set]) => {
        same(`flags of ${name}`, Object.keys(set).sort(), [...PERMISSIONS].sort());
        return [name, PERMISSIONS.filter((permission) => set[permission] === true)];
      }),
    );
  const side = (sdk = {}) => {
    same('kinds', Object.keys(sdk).filter((kind) => !KINDS.includes(kind)), []);
    const filled = Object.entries(sdk).filter(([, entries]) => Object.keys(entries).length > 0);
    return Object.fromEntries(filled.map(([kind, entries]) => [kind, entriesOf(entries)]));
  };
  return {
    version: parsed.version,
    ttl: parsed.ttl,
    resources: side(parsed.resources),
    patterns: side(parsed.patterns),
    meta: parsed.meta ?? {},
    authorized_uuid: parsed.authorized_uuid ?? null,
  };
}

const CATEGORY = { 400: 'PNBadRequestCategory', 403: 'PNAccessDeniedCategory' };

/** Runs `action`, which must fail with the SDK's own error for the expected body. */
export async function refused(action, expect, operation) {
  const error = await action().then(
    (value) => {
      throw new Error(`expected ${expect.status} ${expect.message}, got success ${JSON.stringify(value)}`);
    },
    (reason) => reason,
  );
  if (error.name !== 'PubNubError') throw error;
  const { category, statusCode, errorData, operation: of, error: flag } = error.status;
  same('error status', { category, statusCode, of, flag }, {
    category: CATEGORY[expect.status],
    statusCode: expect.status,
    of: operation,
    flag: true,
  });
  same('error data', errorBody(errorData, expect), {
    status: expect.status,
    service: 'Access Manager',
    error: {
      message: expect.message,
      source: expect.source,
      details: expect.details,
    },
  });
}

// A detail of null stands for any text, an absent source for any source.
function errorBody({ status, service, error, ...rest }, expect) {
  const { message, source, details, ...more } = error ?? {};
  same('other members of the body', { ...rest, ...more }, {});
  const shown = (details ?? []).map((detail, at) =>
    expect.details[at]?.message === null && detail.message ? { ...detail, message: null } : detail,
  );
  return { status, service, error: { message, source: expect.source && source, details: shown } };
}

/** Runs `action`, which the SDK must refuse by itself. */
export async function refusedLocally(action, message) {
  const error = await action().then(
    () => {
      throw new Error('expected a local refusal, got success');
    },
    (reason) => reason,
  );
  same('local refusal', [error.name, error.status?.category, error.status?.message], [
    'PubNubError',
    'PNValidationErrorCategory',
    message,
  ]);
}
