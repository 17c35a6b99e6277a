// Grants that no SDK can say.
import { createHmac } from 'node:crypto';

const encode = (text) =>
  encodeURIComponent(text).replace(/[!~*'()]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

/** A grant with what these SDKs cannot say (categories, create): signed by hand, contract 1.1. */
export async function grantByHand(server, keyset, body) {
  const keys = server.keysets[keyset];
  const path = `/v3/pam/${keys.subscribe_key}/grant`;
  const query = `timestamp=${Math.floor(Date.now() / 1000)}&uuid=${encode('interop-server')}`;
  const text = JSON.stringify(body);
  const signed = ['POST', keys.publish_key, path, query, text].join('\n');
  const signature = `v2.${createHmac('sha256', keys.secret_key).update(signed).digest('base64url')}`;
  const response = await fetch(`${server.public}${path}?${query}&signature=${signature}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
  });
  const answer = await response.json();
  if (response.status !== 200) throw new Error(`grant: ${response.status} ${JSON.stringify(answer)}`);
  return answer.data.token;
}
