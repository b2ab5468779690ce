export async function GET() {
  return Response.json({ model: process.env.OPENAI_MODEL, configured: Boolean(process.env.OPENAI_API_KEY) });
}
