// Answers JSON questions, one a line on standard input, with what the real
// libraries do: the sessions that Auth.js makes, and whether it opens one.
// The secrets come by the environment.
import { createInterface } from "node:readline";
import { encode as encode5, decode as decode5, getToken as getToken5 } from "next-auth-5/jwt";
import { SessionStore } from "./node_modules/@auth/core/lib/utils/cookie.js";
import { EncryptJWT } from "jose";
import jwt4 from "next-auth-4/jwt";

const secrets = JSON.parse(process.env.SESSION_SECRETS);
const logger = { debug() {}, warn() {}, error() {} };

const questions = {
  // A session as version 5 makes it, in the cookies that it would set.
  async encode5({ token, name, maxAge, with: i }) {
    const secret = i === undefined ? secrets : secrets[i];
    const sealed = await encode5({ token, secret, salt: name, maxAge });
    const store = new SessionStore({ name, options: {} }, {}, logger);
    const cookies = store.chunk(sealed, {}).map((c) => ({ name: c.name, value: c.value }));
    return { sealed, cookies };
  },
  async encode4({ token, maxAge, with: i }) {
    return { sealed: await jwt4.encode({ token, secret: secrets[i ?? 0], maxAge }) };
  },
  // What the libraries read out of a Cookie header.
  async read5({ cookie, name, secure }) {
    const headers = { cookie };
    return { claims: await getToken5({ req: { headers }, secret: secrets, cookieName: name, salt: name, secureCookie: secure }) };
  },
  async decode5({ sealed, name }) {
    return { claims: await decode5({ token: sealed, secret: secrets, salt: name }) };
  },
  async decode4({ sealed }) {
    return { claims: await jwt4.decode({ token: sealed, secret: secrets[0] }) };
  },
  // A token that the libraries would not make, under a given key.
  async jwe({ header, claims, key }) {
    const made = new EncryptJWT(claims).setProtectedHeader(header);
    return { sealed: await made.encrypt(Buffer.from(key, "base64url")) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { ask, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = await questions[ask](rest);
  } catch (e) {
    answer = { error: String(e) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
