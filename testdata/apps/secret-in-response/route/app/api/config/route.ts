import { NextResponse } from 'next/server';

export async function GET() {
  return NextResponse.json({ model: 'gpt-4.1-mini', key: process.env.OPENAI_API_KEY }); // want "secret-in-response"
}
