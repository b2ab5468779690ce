export async function Status({ apiKey }: { apiKey?: string }) {
  const answer = await fetch('https://status.example.com', { headers: { authorization: `Bearer ${apiKey}` } });
  return <p>{answer.ok ? 'up' : 'down'}</p>;
}
