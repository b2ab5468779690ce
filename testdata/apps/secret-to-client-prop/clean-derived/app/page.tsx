import { Widget } from './widget';

export default function Page() {
  const key = process.env.OPENAI_API_KEY;
  return <Widget ready={Boolean(key)} last={key ? key.slice(-4) : ''} />;
}
