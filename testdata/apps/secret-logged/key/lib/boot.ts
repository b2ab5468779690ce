console.log('starting with', process.env.OPENAI_API_KEY); // want "secret-logged"

export function check() {
  const key = process.env.ANTHROPIC_API_KEY;
  console.debug(`using ${key}`); // want "secret-logged"
}
