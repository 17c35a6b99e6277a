// What runs in the page: one call of the SDK, and what a page is shown of it.
import { CALLS } from '/calls.mjs';
import { Origin } from '/origin.mjs';

/** `server` holds no secret: a page must not have one. */
window.usherCall = async (server, token, { call, with: given }) => {
  const origin = new Origin({ PubNub: window.PubNub, server });
  const marks = [];
  const connect = (settings) => {
    const connected = origin.connect({ token }, settings);
    marks.push(connected.marks);
    return connected;
  };
  try {
    await CALLS[call](connect, given);
    return { marks: marks.flatMap(({ seen }) => seen) };
  } catch (error) {
    const { category, statusCode, errorData } = error.status ?? {};
    return { error: { name: error.name, message: error.message, category, statusCode, errorData } };
  } finally {
    origin.close();
  }
};

/** The same for an API of one's own, which is asked with `fetch`. */
window.usherFetch = async (url, options) => {
  try {
    const answer = await fetch(url, options);
    return { status: answer.status, rule: answer.headers.get('x-usher-sandbox'), body: await answer.text() };
  } catch (error) {
    return { error: error.message };
  }
};
