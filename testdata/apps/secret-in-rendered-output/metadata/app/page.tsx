import type { Metadata } from 'next';

export const metadata: Metadata = {
  title: 'x',
  other: {
    'x-key': process.env.OPENAI_API_KEY!, // want "secret-in-rendered-output"
  },
};

export default function Page() {
  return <p>x</p>;
}
