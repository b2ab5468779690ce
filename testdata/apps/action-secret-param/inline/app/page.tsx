export default function Page() {
  async function run(form: FormData) { // want "action-secret-param"
    'use server';
    const key = String(form.get('key'));
    await fetch('https://api.openai.com/v1/responses', { headers: { authorization: `Bearer ${key}` } });
  }
  return <form action={run}><input name="key" /></form>;
}
