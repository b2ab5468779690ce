const key = import.meta.env.VITE_OPENAI_API_KEY; // want "public-env-secret"
document.title = key ? 'ready' : 'no key';
