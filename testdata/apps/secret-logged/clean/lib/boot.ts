if (!process.env.OPENAI_API_KEY) console.error('OPENAI_API_KEY is missing');
console.log('key', process.env.OPENAI_API_KEY ? 'set' : 'missing', process.env.OPENAI_API_KEY?.length, process.env.OPENAI_API_KEY?.slice(0, 3));
export {};
