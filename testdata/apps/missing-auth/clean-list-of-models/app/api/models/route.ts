async function json(url: string, headers: HeadersInit) {
  const res = await fetch(url, { headers, method: 'GET' });
  if (!res.ok) throw new Error('upstream ' + res.status);
  return res.json();
}

export async function GET() {
  const list = await json('https://api.openai.com/v1/models', { Authorization: `Bearer ${process.env.OPENAI_API_KEY}` });
  return Response.json(list.data.map((m: { id: string }) => m.id));
}
