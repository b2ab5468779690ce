import { Widget } from './widget';

export default function Page() {
  return (
    <Widget
      name="x"
      apiKey={process.env.OPENAI_API_KEY} // want "secret-to-client-prop"
    />
  );
}
