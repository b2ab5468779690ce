// Answers questions in JSON, one a line on standard input, with tokens that the
// jose package signs: {"header", "claims", "key"} with a private JWK, or without
// a key an unsecured token.
import { createInterface } from "node:readline";
import { importJWK, SignJWT, UnsecuredJWT } from "jose";

for await (const line of createInterface({ input: process.stdin })) {
  const { header, claims, key } = JSON.parse(line);
  let answer;
  try {
    if (!key) {
      answer = { token: new UnsecuredJWT(claims).encode() };
    } else {
      const made = new SignJWT(claims).setProtectedHeader(header);
      answer = { token: await made.sign(await importJWK(key, header.alg)) };
    }
  } catch (e) {
    answer = { error: String(e) };
  }
  console.log(JSON.stringify(answer));
}
