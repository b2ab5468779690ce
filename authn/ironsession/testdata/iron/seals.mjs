// Answers questions in JSON, one a line on standard input, with what the real
// iron-session does: seals that it makes, and whether it opens one. The
// passwords come by the environment.
import { createInterface } from "node:readline";
import * as nine from "iron-session";
import * as eight from "iron-session-8";
import { webcrypto } from "node:crypto";

globalThis.crypto ??= webcrypto;
const password = JSON.parse(process.env.SEAL_PASSWORDS);
const libraries = { 8: eight, 9: nine };

for await (const line of createInterface({ input: process.stdin })) {
  const { version, session, ttl, seal } = JSON.parse(line);
  const { sealData, unsealData, getIronSession } = libraries[version];
  let answer;
  try {
    if (seal !== undefined) {
      answer = { session: await unsealData(seal, { password }) };
    } else {
      // Through a Response, so that the cookie is as the library writes it.
      const headers = new Headers();
      const made = await getIronSession(new Request("http://app.example.com/"), { headers }, { password, cookieName: "app", ttl, chunk: true }).catch(() => null);
      if (made) {
        Object.assign(made, session);
        await made.save();
      }
      const cookies = headers.getSetCookie().map((c) => c.split(";")[0]);
      answer = { seal: await sealData(session, { password, ttl }), cookies };
    }
  } catch (e) {
    answer = { error: String(e) };
  }
  console.log(JSON.stringify(answer));
}
