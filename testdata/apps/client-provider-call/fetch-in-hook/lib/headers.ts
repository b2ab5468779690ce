export const headers = () => ({ authorization: `Bearer ${process.env.NEXT_PUBLIC_OPENAI_KEY}` }); // want "public-env-secret"
