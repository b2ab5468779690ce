// Signs up a user with the real Better Auth, on a database in memory, and prints
// the cookies that it sets, one JSON object for each question in JSON on standard
// input. A question with a cookie is answered with the session that the library
// reads out of it. The secret comes by the environment.
import { createInterface } from "node:readline";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { getCookieCache } from "better-auth/cookies";

const secret = process.env.CACHE_SECRET;

for await (const line of createInterface({ input: process.stdin })) {
  const { strategy, name, plan, https, cookie } = JSON.parse(line);
  let answer;
  try {
    if (cookie) {
      const headers = new Headers({ cookie });
      answer = { read: await getCookieCache(headers, { secret, strategy, isSecure: !!https }) };
    } else {
      const auth = betterAuth({
        secret,
        baseURL: https ? "https://app.example.com" : "http://app.example.com",
        database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
        emailAndPassword: { enabled: true },
        user: { additionalFields: { plan: { type: "string", input: true } } },
        session: { cookieCache: { enabled: true, maxAge: 300, strategy } },
        logger: { disabled: true },
        telemetry: { enabled: false },
      });
      const response = await auth.api.signUpEmail({
        body: { email: "alice@example.com", password: "correct horse battery", name, plan },
        asResponse: true,
      });
      const { user } = await response.json();
      answer = { id: user?.id, cookies: response.headers.getSetCookie().map((c) => c.split(";")[0]) };
    }
  } catch (e) {
    answer = { error: String(e) };
  }
  console.log(JSON.stringify(answer));
}
