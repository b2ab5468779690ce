export function failed(error: unknown): Response {
  console.error('upstream', error instanceof Error ? error.name : 'unknown');
  return Response.json({ error: 'Upstream error' }, { status: 502 });
}
