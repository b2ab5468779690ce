// Reads one JSON case a line from standard input, {"env": {...}, "files":
// [{"name", "content"}]}, and answers each with what @next/env makes of it.
const path = require.resolve("@next/env");

function load(c) {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, c.env);
  delete require.cache[path];
  const { processEnv } = require("@next/env");
  let failed = false;
  const log = { info() {}, error() { failed = true; } };
  const files = c.files.map((f) => ({ path: f.name, contents: f.content, env: {} }));
  const [, parsed] = processEnv(files, undefined, log, true);
  return { failed, vars: parsed || {} };
}

const lines = require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean);
const out = lines.map((l) => JSON.stringify(load(JSON.parse(l)))).join("\n");
process.stdout.write(out + "\n");
