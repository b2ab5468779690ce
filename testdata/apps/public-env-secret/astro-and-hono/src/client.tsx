import { render } from 'hono/jsx/dom';

const token = import.meta.env.VITE_OPENAI_TOKEN; // want "public-env-secret"
render(<p>{token ? 'ready' : 'no'}</p>, document.body);
